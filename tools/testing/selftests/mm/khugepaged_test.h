/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the khugepaged_* tests share: settings as they want them, and folios as
 * /proc/self/pagemap and /proc/kpageflags show them.
 */
#ifndef KHUGEPAGED_TEST_H
#define KHUGEPAGED_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include "test_files.h"
#include "thp_settings.h"
#include "vm_util.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

#define KHP_ROOT	"/sys/kernel/mm/transparent_hugepage/"
#define KHP_MAX_ORDER	12
#define KHP_MOST_ORDER	20	/* of any folio, gigantic pages too */

/* Seconds for a test, on a debug kernel in a machine with more to do */
#define SLOW		300

#define KPF_COMPOUND_HEAD	15
#define KPF_COMPOUND_TAIL	16

static inline int khp_pmd_order(void)
{
	return __builtin_ctzl(read_pmd_pagesize()) - pshift();
}

static inline int khp_set(const char *file, long v)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), KHP_ROOT "khugepaged/%s", file);
	snprintf(text, sizeof(text), "%ld", v);
	return file_write(path, text);
}

/* One size: file is enabled or shmem_enabled. */
static inline int khp_set_order(int order, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), KHP_ROOT "hugepages-%ukB/%s",
		 (psize() >> 10) << order, file);
	return file_write(path, text);
}

static inline bool khp_has_order(int order, const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), KHP_ROOT "hugepages-%ukB/%s",
		 (psize() >> 10) << order, file);
	return !access(path, W_OK);
}

/* Nothing is enabled anywhere, and the thread is quick where it runs. */
static inline void khp_all_off(void)
{
	for (int order = 1; order <= KHP_MAX_ORDER; order++) {
		khp_set_order(order, "enabled", "never");
		khp_set_order(order, "shmem_enabled", "never");
	}
	file_write(KHP_ROOT "enabled", "never");
	file_write(KHP_ROOT "shmem_enabled", "never");
	khp_set("scan_sleep_millisecs", 10);
	khp_set("alloc_sleep_millisecs", 10);
	khp_set("pages_to_scan", 65536);
	khp_set("max_ptes_none", (1 << khp_pmd_order()) - 1);
	khp_set("max_ptes_swap", (1 << khp_pmd_order()) / 8);
	khp_set("max_ptes_shared", (1 << khp_pmd_order()) / 2);
}

static inline long khp_full_scans(void)
{
	return thp_read_num("khugepaged/full_scans");
}

/* Let the thread look at everything n times; false: it does not run. */
static inline bool khp_passes(int n)
{
	/* The pass that is under way may have been here already. */
	long want = khp_full_scans() + n + 1;

	for (int i = 0; i < 12000; i++) {
		if (khp_full_scans() >= want)
			return true;
		usleep(10000);
	}
	return false;
}

/* /proc/meminfo, in kB */
static inline long khp_meminfo(const char *field)
{
	char line[128], name[64];
	FILE *f = fopen("/proc/meminfo", "r");
	long v = -1, found;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63[^:]: %ld", name, &found) == 2 &&
		    !strcmp(name, field))
			v = found;
	}
	fclose(f);
	return v;
}

/* The same, with what each CPU has counted on its own. */
static inline long khp_meminfo_exact(const char *field)
{
	file_write("/proc/sys/vm/stat_refresh", "1");
	return khp_meminfo(field);
}

/* Pages that wait in a batch of some CPU go to lists, where reclaim finds them. */
static inline void khp_drain(void)
{
	file_write("/proc/sys/vm/drop_caches", "1");
}

/* Flags of pages next to each other; how many of them there are. */
static inline long khp_kpageflags_of(uint64_t pfn, uint64_t *flags, long n)
{
	static int fd = -1;
	ssize_t got;

	if (fd < 0)
		fd = open("/proc/kpageflags", O_RDONLY);
	got = pread(fd, flags, n * sizeof(*flags), pfn * sizeof(*flags));
	return got < 0 ? 0 : got / (ssize_t)sizeof(*flags);
}

static inline uint64_t khp_kpageflags(uint64_t pfn)
{
	uint64_t flags;

	return khp_kpageflags_of(pfn, &flags, 1) == 1 ? flags : 0;
}

static inline bool khp_is_head(uint64_t pfn)
{
	return khp_kpageflags(pfn) & BIT_ULL(KPF_COMPOUND_HEAD);
}

static inline bool khp_is_tail(uint64_t pfn)
{
	return khp_kpageflags(pfn) & BIT_ULL(KPF_COMPOUND_TAIL);
}

static inline uint64_t khp_pagemap(const char *p)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/proc/self/pagemap", O_RDONLY);
	return pagemap_get_entry(fd, (char *)p);
}

static inline bool khp_mapped(const char *p)
{
	return khp_pagemap(p) & PM_PRESENT;
}

/* How many of n base pages are mapped. */
static inline long khp_count_mapped(const char *p, long n)
{
	long mapped = 0;

	for (long i = 0; i < n; i++)
		mapped += khp_mapped(p + i * psize());
	return mapped;
}

/*
 * Order of the folio that is mapped at p; -1: none is.  Maps nothing.  A folio
 * starts at a multiple of its size, which saves a look at each of its pages.
 */
static inline int khp_order_at(const char *p)
{
	uint64_t entry = khp_pagemap(p);
	int order = 0;
	uint64_t pfn;

	if (!(entry & PM_PRESENT))
		return -1;
	pfn = PAGEMAP_PFN(entry);
	if (!(khp_kpageflags(pfn) & (BIT_ULL(KPF_COMPOUND_HEAD) |
				     BIT_ULL(KPF_COMPOUND_TAIL))))
		return 0;
	while (!khp_is_head(pfn >> order << order)) {
		/* Taken apart while we look. */
		if (++order > KHP_MOST_ORDER)
			return 0;
	}
	pfn = pfn >> order << order;
	for (order = 1; khp_is_tail(pfn + (1UL << order));)
		order++;
	return order;
}

static inline void khp_touch(const char *p, long n)
{
	for (long i = 0; i < n; i++)
		(void)*(volatile const char *)(p + i * psize());
}

/* Is this the first page of a folio, and the folio of this order? */
static inline bool khp_is_folio(uint64_t pfn, int order)
{
	static uint64_t flags[(1 << KHP_MAX_ORDER) + 1];
	const uint64_t head = BIT_ULL(KPF_COMPOUND_HEAD);
	const uint64_t tail = BIT_ULL(KPF_COMPOUND_TAIL);
	long nr = 1L << order;

	/* No page behind it: what was there before is no answer. */
	flags[nr] = 0;
	if (khp_kpageflags_of(pfn, flags, nr + 1) < nr)
		return false;
	if ((flags[0] & (head | tail)) != (order ? head : 0))
		return false;
	for (long i = 1; i < nr; i++) {
		if (!(flags[i] & tail))
			return false;
	}
	return !(flags[nr] & tail);
}

/*
 * Are n base pages one folio of this order after the other, mapped in place?
 * The first of each starts at a multiple of its size.
 */
static inline bool khp_all_of_order(const char *p, long n, int order)
{
	long nr = 1L << order;
	uint64_t entry, first = 0;

	for (long i = 0; i < n; i++) {
		entry = khp_pagemap(p + i * psize());
		if (!(entry & PM_PRESENT))
			return false;
		if (!(i % nr))
			first = PAGEMAP_PFN(entry);
		if (PAGEMAP_PFN(entry) != first + i % nr ||
		    (!(i % nr) && !khp_is_folio(first, order)))
			return false;
	}
	return true;
}

/* Every word of a page says which page it is, and of which memory. */
static inline uint64_t khp_word(uint64_t seed, long page)
{
	return (seed << 32 | (uint64_t)page) * 0x9e3779b97f4a7c15ULL | 1;
}

/* What page number page holds, written to p. */
static inline void khp_fill_one(char *p, uint64_t seed, long page)
{
	uint64_t *word = (uint64_t *)p;

	for (size_t i = 0; i < psize() / sizeof(*word); i++)
		word[i] = khp_word(seed, page);
}

static inline void khp_fill_page(char *p, uint64_t seed, long page)
{
	khp_fill_one(p + page * psize(), seed, page);
}

static inline void khp_fill(char *p, long n, uint64_t seed)
{
	for (long i = 0; i < n; i++)
		khp_fill_page(p, seed, i);
}

static inline bool khp_page_holds(const char *p, uint64_t seed, long page)
{
	const uint64_t *word = (const uint64_t *)(p + page * psize());

	for (size_t i = 0; i < psize() / sizeof(*word); i++) {
		if (word[i] != khp_word(seed, page))
			return false;
	}
	return true;
}

static inline bool khp_page_zero(const char *p, long page)
{
	const uint64_t *word = (const uint64_t *)(p + page * psize());

	for (size_t i = 0; i < psize() / sizeof(*word); i++) {
		if (word[i])
			return false;
	}
	return true;
}

static inline bool khp_holds(const char *p, long n, uint64_t seed)
{
	for (long i = 0; i < n; i++) {
		if (!khp_page_holds(p, seed, i))
			return false;
	}
	return true;
}

/* 0, or the errno of the answer */
static inline int khp_collapse(char *p, size_t len)
{
	return madvise(p, len, MADV_COLLAPSE) ? errno : 0;
}

/*
 * The same, as often as the answer is to try again: somebody may have a page for
 * a moment, or it is on its way to disk.
 */
static inline int khp_collapse_retry(char *p, size_t len)
{
	int err = 0;

	for (int i = 0; i < 500; i++) {
		err = khp_collapse(p, len);
		if (err != EAGAIN)
			break;
		usleep(10000);
	}
	return err;
}

/* What the threads of a race share; each looks at what it needs. */
struct race {
	const char *path;
	int fd;
	char *p;
	size_t len;
	long pages;
	long rounds;
	volatile bool stop;
};

static inline void *race_collapse(void *arg)
{
	struct race *r = arg;

	while (!r->stop) {
		khp_collapse(r->p, r->len);
		r->rounds++;
	}
	return NULL;
}

/* Address space for len bytes, aligned to a PMD; nothing is mapped there. */
static inline char *khp_reserve(size_t len)
{
	size_t pmd = read_pmd_pagesize();
	char *p = mmap(NULL, len + pmd, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	return (char *)(((uintptr_t)p + pmd - 1) & ~(pmd - 1));
}

#endif /* KHUGEPAGED_TEST_H */
