// SPDX-License-Identifier: GPL-2.0
/*
 * Struct pages of huge pages are given back, or come back, by work items, and
 * there is no memory for it, be it once or for long: the pages stay, can be
 * used, and go as soon as there is memory.
 *
 * Failures hit a function and those below it, in whichever task.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include "../kselftest_harness.h"
#include "hugetlb_inject_attr.h"
#include "hugetlb_inject_state.h"

#define KNOB	"/proc/sys/vm/hugetlb_optimize_vmemmap"

/* A work item gives them back, after a grace period. */
static long memmap_pages_settled(long want)
{
	long now = inject_memmap();

	for (int i = 0; i < 500 && now != want; i++) {
		usleep(10000);
		now = inject_memmap();
	}
	return now;
}

/* Of the struct pages of one huge page all base pages but one. */
static long saved(long n)
{
	long base = getpagesize();

	return n * (SZ_HUGE / base * 64 / base - 1);
}

static char *map(long n, int flags)
{
	return mmap(NULL, n * SZ_HUGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | flags, -1, 0);
}

static bool fill(char *p, long n)
{
	for (long i = 0; i < n; i++) {
		if (!huge_store(p + i * SZ_HUGE, i + 1))
			return false;
	}
	return true;
}

static bool holds(char *p, long n)
{
	for (long i = 0; i < n; i++) {
		if (p[i * SZ_HUGE] != i + 1)
			return false;
	}
	return true;
}

FIXTURE(hvo) {
	char	before[2];
	long	whole;
};

FIXTURE_SETUP(hvo)
{
	int fd = open(KNOB, O_RDONLY);

	if (fd < 0)
		SKIP(return, "struct pages are not given back here");
	ASSERT_EQ(1, read(fd, self->before, 1));
	close(fd);
	if (inject_in(TEXT_VMEMMAP_RESTORE, 0))
		SKIP(return, "no way to say whose allocations fail");
	inject_in_end(0);
	ASSERT_EQ(0, file_write(KNOB, "1"));
	ASSERT_EQ(0, huge_pool_exact(0));
	/* what went before may still be on its way */
	usleep(300000);
	self->whole = inject_memmap();
}

FIXTURE_TEARDOWN(hvo)
{
	inject_in_end(0);
	file_write(KNOB, self->before);
	EXPECT_EQ(0, huge_pool_exact(0));
	EXPECT_COUNTS(SZ_HUGE, 0, 0, 0, 0);
	EXPECT_EQ(self->whole, memmap_pages_settled(self->whole));
}

/*
 * The work item, for pages that are in use.  This test comes first, as a table
 * that is there stays.
 */
TEST_F(hvo, no_tables_for_surplus)
{
	long fired;
	char *p;

	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_overcommit_hugepages", 4));
	p = map(4, MAP_NORESERVE);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, inject_in(TEXT_VMEMMAP_WORK, INJECT_TIMES));
	EXPECT_TRUE(fill(p, 4));
	usleep(500000);
	fired = inject_in_end(INJECT_TIMES);
	TH_LOG("%ld allocations failed", fired);
	EXPECT_COUNTS(SZ_HUGE, 4, 0, 0, 4);
	EXPECT_TRUE(holds(p, 4));
	munmap(p, 4 * SZ_HUGE);
	EXPECT_COUNTS(SZ_HUGE, 0, 0, 0, 0);
	if (!fired)
		SKIP(return, "all tables were there");
}

/* Of 64 pages, some are where no table was needed so far. */
TEST_F(hvo, no_tables)
{
	long fired;

	ASSERT_EQ(0, inject_in(TEXT_VMEMMAP_SPLIT, INJECT_TIMES));
	EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 64));
	usleep(500000);
	fired = inject_in_end(INJECT_TIMES);
	TH_LOG("%ld allocations failed", fired);
	EXPECT_COUNTS(SZ_HUGE, 64, 64, 0, 0);
	if (fired)
		EXPECT_GT(inject_memmap(), self->whole - saved(64));
	EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 0));
	EXPECT_COUNTS(SZ_HUGE, 0, 0, 0, 0);
	EXPECT_EQ(self->whole, memmap_pages_settled(self->whole));

	EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 64));
	EXPECT_EQ(self->whole - saved(64),
		  memmap_pages_settled(self->whole - saved(64)));
	if (!fired)
		SKIP(return, "all tables were there");
}

static void wait_until_given(struct __test_metadata *_metadata, long whole,
			     long n)
{
	EXPECT_EQ(whole - saved(n), memmap_pages_settled(whole - saved(n)));
}

/* The pages stay, serve again, and go later. */
TEST_F(hvo, shrink)
{
	char *p;

	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 8));
	wait_until_given(_metadata, self->whole, 8);
	ASSERT_EQ(0, inject_in(TEXT_VMEMMAP_RESTORE, INJECT_TIMES));
	EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 0));
	EXPECT_COUNTS(SZ_HUGE, 8, 8, 0, 8);
	/* again, with nothing left to take out of the persistent size */
	EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 0));
	EXPECT_COUNTS(SZ_HUGE, 8, 8, 0, 8);

	p = map(5, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_COUNTS(SZ_HUGE, 8, 8, 5, 8);
	EXPECT_TRUE(fill(p, 3));
	EXPECT_COUNTS(SZ_HUGE, 8, 5, 2, 8);
	munmap(p, 5 * SZ_HUGE);
	EXPECT_COUNTS(SZ_HUGE, 8, 8, 0, 8);

	EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 6));
	EXPECT_COUNTS(SZ_HUGE, 8, 8, 0, 2);
	EXPECT_LT(0, inject_in_end(INJECT_TIMES));
	EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 3));
	EXPECT_COUNTS(SZ_HUGE, 3, 3, 0, 0);
	EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 0));
	EXPECT_COUNTS(SZ_HUGE, 0, 0, 0, 0);
}

/* One failure, and every page that could be restored is gone all the same. */
TEST_F(hvo, shrink_with_one_failure)
{
	long total;

	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 8));
	wait_until_given(_metadata, self->whole, 8);
	ASSERT_EQ(0, inject_in(TEXT_VMEMMAP_RESTORE, 1));
	EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 0));
	EXPECT_LT(0, inject_in_end(1));
	total = huge_get(SZ_HUGE, "nr_hugepages");
	EXPECT_COUNTS(SZ_HUGE, total, total, 0, total);
	EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 0));
	EXPECT_COUNTS(SZ_HUGE, 0, 0, 0, 0);
}

/* Surplus pages are unmade by a work item. */
static void surplus_comes_back(struct __test_metadata *_metadata, long whole)
{
	char *p;

	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_overcommit_hugepages", 4));
	p = map(4, MAP_NORESERVE);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(fill(p, 4));
	wait_until_given(_metadata, whole, 4);
	EXPECT_TRUE(holds(p, 4));
	ASSERT_EQ(0, inject_in(TEXT_FREE_WORK, INJECT_TIMES));
	munmap(p, 4 * SZ_HUGE);
	EXPECT_COUNTS(SZ_HUGE, 4, 4, 0, 4);
	EXPECT_LT(0, inject_in_end(INJECT_TIMES));
	EXPECT_COUNTS(SZ_HUGE, 4, 4, 0, 4);
}

TEST_F(hvo, surplus_goes_with_the_next_promise)
{
	char *p;

	surplus_comes_back(_metadata, self->whole);
	p = map(1, 0);
	ASSERT_NE(MAP_FAILED, p);
	munmap(p, SZ_HUGE);
	EXPECT_COUNTS(SZ_HUGE, 0, 0, 0, 0);
}

TEST_F(hvo, surplus_goes_with_the_next_size)
{
	surplus_comes_back(_metadata, self->whole);
	EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 2));
	EXPECT_COUNTS(SZ_HUGE, 2, 2, 0, 0);
}

/* What a mount owned was surplus. */
TEST_F(hvo, minimum_of_a_mount)
{
	char *dir;

	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_overcommit_hugepages", 4));
	dir = huge_mount("pagesize=2M,min_size=8M");
	ASSERT_NE(NULL, dir);
	wait_until_given(_metadata, self->whole, 4);
	EXPECT_COUNTS(SZ_HUGE, 4, 4, 4, 4);
	ASSERT_EQ(0, inject_in(TEXT_VMEMMAP_RESTORE, INJECT_TIMES));
	EXPECT_EQ(0, huge_umount(dir));
	EXPECT_COUNTS(SZ_HUGE, 4, 4, 0, 4);
	usleep(100000);
	EXPECT_LT(0, inject_in_end(INJECT_TIMES));
	EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 0));
	EXPECT_COUNTS(SZ_HUGE, 0, 0, 0, 0);
}

int main(int argc, char **argv)
{
	return inject_main(argc, argv);
}
