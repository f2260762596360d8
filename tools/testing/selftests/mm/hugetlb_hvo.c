// SPDX-License-Identifier: GPL-2.0
/*
 * HVO: struct pages of huge pages are given back, and are struct pages of free
 * memory again when the huge pages go.  /proc/kpageflags shows what is in them,
 * /proc/vmstat how many pages hold them.
 *
 * A kernel that leaves copies of heads behind has "huge page" in the middle of
 * free memory.  The test looks for that before it uses such memory, so that it
 * fails and the machine lives on.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include "../kselftest_harness.h"
#include "hugetlb_test.h"

#define POOL	64
#define NR	512		/* base pages in a huge page */
#define SAVED	7		/* pages of struct pages out of 8 */

#define SYSCTL	"/proc/sys/vm/hugetlb_optimize_vmemmap"
#define SPLIT	"/sys/kernel/debug/split_huge_pages"

/* Pages that hold struct pages, wherever they came from. */
static long memmap_pages(void)
{
	return file_counter("/proc/vmstat", "nr_memmap_pages") +
	       file_counter("/proc/vmstat", "nr_memmap_boot_pages");
}

/* A work item does it, after a grace period. */
static long memmap_settled(long want)
{
	for (int i = 0; i < 300 && memmap_pages() != want; i++)
		usleep(100000);
	return memmap_pages();
}

/* With nothing under way any more: the same for two seconds. */
static long memmap_at_rest(void)
{
	long now = memmap_pages(), before = now;

	for (int i = 0, same = 0; i < 300 && same < 20; i++) {
		usleep(100000);
		now = memmap_pages();
		same = now == before ? same + 1 : 0;
		before = now;
	}
	return now;
}

FIXTURE(hvo) {
	long was;
	long memmap;
};

FIXTURE_SETUP(hvo)
{
	if (sizeof(long) != 8 || getpagesize() != 4096 ||
	    huge_read_long(SYSCTL, 10, &self->was))
		SKIP(return, "struct pages are never given back here");
	ASSERT_EQ(0, huge_pool_exact(0));
	ASSERT_EQ(0, file_write(SYSCTL, "1"));
	self->memmap = memmap_at_rest();
}

FIXTURE_TEARDOWN(hvo)
{
	EXPECT_EQ(0, huge_pool_exact(0));
	EXPECT_EQ(self->memmap, memmap_settled(self->memmap));
	EXPECT_EQ(0, file_write(SYSCTL, self->was ? "1" : "0"));
}

TEST_F(hvo, seven_of_eight)
{
	for (int i = 0; i < 3; i++) {
		long want = self->memmap - POOL * SAVED;

		ASSERT_EQ(0, huge_pool_exact(POOL));
		EXPECT_EQ(want, memmap_settled(want));
		ASSERT_EQ(0, huge_pool_exact(0));
		EXPECT_EQ(self->memmap, memmap_settled(self->memmap));
	}
}

/* It counts for pages that are made from then on. */
TEST_F(hvo, on_and_off)
{
	long saved = self->memmap - POOL * SAVED;

	ASSERT_EQ(0, file_write(SYSCTL, "0"));
	ASSERT_EQ(0, huge_pool_exact(POOL));
	sleep(1);
	EXPECT_EQ(self->memmap, memmap_pages());
	ASSERT_EQ(0, file_write(SYSCTL, "1"));
	ASSERT_EQ(0, huge_pool_exact(2 * POOL));
	EXPECT_EQ(saved, memmap_settled(saved));
	ASSERT_EQ(0, file_write(SYSCTL, "0"));
	ASSERT_EQ(0, huge_pool_exact(3 * POOL));
	sleep(1);
	EXPECT_EQ(saved, memmap_pages());
	/* both kinds leave together */
	ASSERT_EQ(0, huge_pool_exact(0));
	EXPECT_EQ(self->memmap, memmap_settled(self->memmap));

	EXPECT_EQ(EINVAL, file_write(SYSCTL, "x"));
	EXPECT_EQ(0, file_write(SYSCTL, "1"));
}

/* ---- what is in struct pages ---- */

static int compare(const void *a, const void *b)
{
	return *(const long *)a < *(const long *)b ? -1 :
	       *(const long *)a > *(const long *)b;
}

/* First base pages of all pages of the pool, in order. */
static bool pool_pfns(long *pfn)
{
	char *p = mmap(NULL, POOL * SZ_HUGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (p == MAP_FAILED)
		return false;
	for (int i = 0; i < POOL; i++) {
		p[i * SZ_HUGE + 5] = i;
		pfn[i] = huge_pfn(p + i * SZ_HUGE);
	}
	munmap(p, POOL * SZ_HUGE);
	qsort(pfn, POOL, sizeof(*pfn), compare);
	return pfn[0] > 0;
}

static bool was_huge(const long *pfn, long which)
{
	long first = which & ~(NR - 1L);

	return bsearch(&first, pfn, POOL, sizeof(*pfn), compare);
}

static bool table_words(const char *path, long index, uint64_t *words)
{
	int fd = open(path, O_RDONLY);
	ssize_t done;

	if (fd < 0)
		return false;
	done = pread(fd, words, NR * sizeof(*words), index * sizeof(*words));
	close(fd);
	return done == NR * (ssize_t)sizeof(*words);
}

/* Base pages of the range that say they belong to a huge page, or -1. */
static long pages_huge(long pfn)
{
	uint64_t flags[NR];
	long n = 0;

	if (!table_words("/proc/kpageflags", pfn, flags))
		return -1;
	for (int i = 0; i < NR; i++)
		n += !!(flags[i] & PF_HUGE);
	return n;
}

/* How often base pages are mapped, a huge page's worth in one read. */
struct counts {
	long first;		/* page; -1: none yet */
	uint64_t of[NR];
};

static bool mapped_once(struct counts *counts, long pfn)
{
	long first = pfn & ~(NR - 1L);

	if (counts->first != first &&
	    !table_words("/proc/kpagecount", first, counts->of))
		return false;
	counts->first = first;
	return counts->of[pfn - first] == 1;
}

/* Base pages of 2M of ours whose data or mapcount are wrong. */
static long pages_wrong(char *p, const long *pfn, long *again)
{
	struct counts counts = { .first = -1 };
	uint64_t entry[NR];
	long wrong = 0;

	if (!table_words("/proc/self/pagemap", (uintptr_t)p / 4096, entry))
		return NR;
	for (int i = 0; i < NR; i++) {
		char **word = (char **)(p + i * 4096);
		long here = entry[i] & ((1UL << 55) - 1);

		wrong += *word != (char *)word;
		if (!was_huge(pfn, here))
			continue;
		(*again)++;
		wrong += !mapped_once(&counts, here);
	}
	return wrong;
}

/* Take the memory page by page, or in 2M pieces, and see whether it is sound. */
static void use_again(struct __test_metadata *_metadata, const long *pfn,
		      int advice)
{
	size_t len = 2 * POOL * SZ_HUGE;
	long wrong = 0, again = 0;
	char text[96], *p;

	p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	madvise(p, len, advice);
	for (size_t i = 0; i < len; i += 4096)
		*(char **)(p + i) = p + i;
	snprintf(text, sizeof(text), "%d,0x%lx,0x%lx,0", getpid(),
		 (unsigned long)p, (unsigned long)p + len);
	if (advice == MADV_HUGEPAGE)
		file_write(SPLIT, text);
	/* khugepaged would move them while their tables are read. */
	madvise(p, len, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < len; i += SZ_HUGE)
		wrong += pages_wrong(p + i, pfn, &again);
	EXPECT_EQ(0, wrong);
	TH_LOG("%ld of %d base pages came back", again, POOL * NR);
	munmap(p, len);
}

TEST_F_TIMEOUT(hvo, memory_comes_back_clean, 900)
{
	long pfn[POOL], bad = 0, huge;

	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, huge_pool_exact(POOL));
		memmap_settled(self->memmap - POOL * SAVED);
		ASSERT_TRUE(pool_pfns(pfn));
		for (int k = 0; k < POOL; k++)
			EXPECT_EQ(NR, pages_huge(pfn[k]));
		ASSERT_EQ(0, huge_pool_exact(0));
		for (int k = 0; k < POOL; k++) {
			huge = pages_huge(pfn[k]);
			ASSERT_GE(huge, 0);
			bad += huge;
		}
		ASSERT_EQ(0, bad) {
			TH_LOG("struct pages of free memory say huge page");
		}
		use_again(_metadata, pfn, MADV_NOHUGEPAGE);
		use_again(_metadata, pfn, MADV_HUGEPAGE);
	}
}

TEST_HARNESS_MAIN
