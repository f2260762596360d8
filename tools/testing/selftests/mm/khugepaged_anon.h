/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What khugepaged_anon and khugepaged_orders share: two windows of anonymous
 * memory, and what is mapped at each page of them.
 */
#ifndef KHUGEPAGED_ANON_H
#define KHUGEPAGED_ANON_H

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include "khugepaged_test.h"

#define NP		512L		/* pages in a window */
#define WINDOWS		2L
#define ALL		(NP * WINDOWS)
#define SEED		7
#define KPF_ZERO_PAGE	24
#define LIMIT_ALL	511

/* What is mapped at each page of the two windows. */
struct layout {
	signed char	order[ALL];	/* of its folio; -1: nothing */
	uint64_t	pfn[ALL];
	long		resident;	/* without the zero page */
};

/* Settings are as before when the test ends. */
static struct thp_settings saved;
static long saved_shrink;
static pid_t saved_by;

static unsigned long enabled;	/* orders, by enable() */

static void restore(void)
{
	if (getpid() != saved_by)
		return;
	thp_write_settings(&saved);
	file_write(KHP_ROOT "shrink_underused", saved_shrink ? "1" : "0");
}

__attribute__((constructor)) static void save(void)
{
	if (geteuid() || !thp_is_enabled())
		ksft_exit_skip("needs root and huge pages\n");
	thp_read_settings(&saved);
	saved_shrink = thp_read_num("shrink_underused");
	saved_by = getpid();
	atexit(restore);
}

static inline size_t size(long n)
{
	return n * psize();
}

/*
 * These orders and no others, only for memory that asks for it: all results are
 * ours.  A knob is written if it changes, as the thread may start or stop.
 */
static inline void enable(unsigned long orders)
{
	unsigned long change = orders ^ enabled;

	for (int order = 2; order <= 9; order++) {
		if (change >> order & 1)
			khp_set_order(order, "enabled",
				      orders >> order & 1 ? "madvise" : "never");
	}
	enabled = orders;
}

static inline long stat_of(int order, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "hugepages-%ukB/stats/%s",
		 (psize() >> 10) << order, name);
	return thp_read_num(path);
}

static inline long limit_of(long max, int order)
{
	return max >> (9 - order);
}

/* Small pages.  Nothing is enabled afterwards. */
static inline void touch_small(char *p, long from, long n)
{
	enable(0);
	for (long i = from; i < from + n; i++)
		khp_fill_page(p, SEED, i);
}

static inline void look(const char *p, struct layout *l)
{
	uint64_t entry, flags, last = 0;

	memset(l, 0, sizeof(*l));
	for (long i = 0; i < ALL; i++) {
		entry = khp_pagemap(p + size(i));
		l->order[i] = -1;
		if (!(entry & PM_PRESENT))
			continue;
		l->pfn[i] = PAGEMAP_PFN(entry);
		flags = khp_kpageflags(l->pfn[i]);
		if (flags & BIT_ULL(KPF_ZERO_PAGE))
			continue;
		l->resident++;
		/* Behind a page of the same folio there is nothing to ask. */
		if (i && l->order[i - 1] > 0 && l->pfn[i] == last + 1 &&
		    flags & BIT_ULL(KPF_COMPOUND_TAIL))
			l->order[i] = l->order[i - 1];
		else
			l->order[i] = khp_order_at(p + size(i));
		last = l->pfn[i];
	}
}

/* Is the range one folio of just this order, in place? */
static inline bool whole(const struct layout *l, long from, int order)
{
	for (long i = 0; i < 1L << order; i++) {
		if (l->order[from + i] != order ||
		    l->pfn[from + i] != l->pfn[from] + i)
			return false;
	}
	return !(l->pfn[from] & ((1UL << order) - 1));
}

static inline bool same_orders(const struct layout *a, const struct layout *b)
{
	return !memcmp(a->order, b->order, sizeof(a->order)) &&
	       a->resident == b->resident;
}

static inline bool same_pages(const struct layout *a, const struct layout *b)
{
	return same_orders(a, b) && !memcmp(a->pfn, b->pfn, sizeof(a->pfn));
}

/*
 * Two windows that may have folios of these orders; nothing is there yet.  A
 * first touch while something is enabled is how khugepaged hears of us.
 */
static inline char *memory(unsigned long orders)
{
	char *p = khp_reserve(size(ALL));

	khp_all_off();
	enabled = 0;
	enable(orders);
	if (!p || mprotect(p, size(ALL), PROT_READ | PROT_WRITE) ||
	    madvise(p, size(ALL), MADV_HUGEPAGE))
		return NULL;
	*(volatile char *)p = 1;
	if (madvise(p, size(NP), MADV_DONTNEED))
		return NULL;
	return p;
}

/* Watch what is done to memory; -1: cannot be had. */
static inline int userfault(char *p, size_t len, unsigned long mode)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)p, .len = len },
		.mode = mode,
	};
	int fd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && (ioctl(fd, UFFDIO_API, &api) ||
			ioctl(fd, UFFDIO_REGISTER, &reg))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Return: how many of n pages are in swap. */
static inline long swap_out(char *p, long n)
{
	long out = 0;

	for (int tries = 0; tries < 20 && out < n; tries++) {
		/* Of a CPU where we ran before */
		if (tries)
			khp_drain();
		madvise(p, size(n), MADV_PAGEOUT);
		out = 0;
		for (long i = 0; i < n; i++)
			out += !!(khp_pagemap(p + size(i)) & PM_SWAP);
	}
	return out;
}

#endif /* KHUGEPAGED_ANON_H */
