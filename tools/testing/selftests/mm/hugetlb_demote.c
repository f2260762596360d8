// SPDX-License-Identifier: GPL-2.0
/*
 * Demotion: free pages of one size become pages of a smaller one; which may,
 * where, and what both pools say afterwards.  What is no number or no size is
 * refused by every file: hugetlb_knobs has more of that.
 *
 * Needs pages of a size that can be demoted: 1G from the command line, or 32M.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/wait.h>
#include "../kselftest_harness.h"
#include "hugetlb_test.h"

#define SZ_GIG	(1UL << 30)

FIXTURE(demote) {
	size_t big, small;
	long boot;	/* pages of the large size before the test */
	long n;		/* now, all of them free */
	long ratio;
};

FIXTURE_VARIANT(demote) {
	size_t size;
	long want;
};

FIXTURE_VARIANT_ADD(demote, gig) {
	.size = 1UL << 30, .want = 2,
};

FIXTURE_VARIANT_ADD(demote, thirty_two_meg) {
	.size = 32UL << 20, .want = 4,
};

static size_t demote_target(size_t size)
{
	char path[256];
	long kb;

	huge_path(path, sizeof(path), size, -1, "demote_size");
	return huge_read_long(path, 10, &kb) ? 0 : (size_t)kb << 10;
}

static int demote(size_t size, int node, long n)
{
	return huge_set_node(size, node, "demote", n);
}

FIXTURE_SETUP(demote)
{
	self->big = variant->size;
	self->small = demote_target(self->big);
	if (!self->small)
		SKIP(return, "no such size, or it cannot be demoted");
	self->ratio = self->big / self->small;
	ASSERT_EQ(0, huge_set(self->small, "nr_hugepages", 0));
	self->boot = huge_get(self->big, "nr_hugepages");
	huge_set(self->big, "nr_hugepages", variant->want);
	self->n = huge_get(self->big, "nr_hugepages");
	if (self->n < 1)
		SKIP(return, "no pages to demote");
	ASSERT_EQ(self->n, huge_get(self->big, "free_hugepages"));
}

/* What was one page is memory again; it may or may not come back. */
FIXTURE_TEARDOWN(demote)
{
	EXPECT_COUNTS(self->small, huge_get(self->small, "nr_hugepages"),
		      huge_get(self->small, "nr_hugepages"), 0, 0);
	EXPECT_EQ(0, huge_set(self->small, "nr_hugepages", 0));
	EXPECT_COUNTS(self->small, 0, 0, 0, 0);
	huge_set(self->big, "nr_hugepages", self->boot);
	EXPECT_COUNTS(self->big, huge_get(self->big, "nr_hugepages"),
		      huge_get(self->big, "nr_hugepages"), 0, 0);
}

static char *map(size_t size, long n)
{
	int shift = __builtin_ctzl(size);

	return mmap(NULL, n * size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB |
		    shift << MAP_HUGE_SHIFT, -1, 0);
}

static void expect_sums(struct __test_metadata *_metadata, size_t size)
{
	long sum = 0;

	for (int i = 0; i < huge_nodes(); i++)
		sum += huge_get_node(size, i, "nr_hugepages");
	EXPECT_EQ(huge_get(size, "nr_hugepages"), sum);
}

TEST_F(demote, one)
{
	char *p;

	ASSERT_EQ(0, demote(self->big, -1, 1));
	EXPECT_COUNTS(self->big, self->n - 1, self->n - 1, 0, 0);
	EXPECT_COUNTS(self->small, self->ratio, self->ratio, 0, 0);
	expect_sums(_metadata, self->big);
	expect_sums(_metadata, self->small);

	/* they are pages like any other */
	p = map(self->small, 8);
	ASSERT_NE(MAP_FAILED, p);
	for (int i = 0; i < 8; i++)
		memset(p + i * self->small, i + 1, self->small);
	for (int i = 0; i < 8; i++) {
		EXPECT_EQ(i + 1, p[i * self->small]);
		EXPECT_EQ(i + 1, p[(i + 1) * self->small - 1]);
	}
	EXPECT_COUNTS(self->small, self->ratio, self->ratio - 8, 0, 0);
	munmap(p, 8 * self->small);
}

/* Nothing, or more than there is: what is there goes, and that is no error. */
TEST_F(demote, none_and_too_many)
{
	ASSERT_EQ(0, demote(self->big, -1, 0));
	EXPECT_COUNTS(self->big, self->n, self->n, 0, 0);
	EXPECT_COUNTS(self->small, 0, 0, 0, 0);
	EXPECT_EQ(0, demote(self->big, -1, self->n + 5));
	EXPECT_COUNTS(self->big, 0, 0, 0, 0);
	EXPECT_COUNTS(self->small, self->n * self->ratio,
		      self->n * self->ratio, 0, 0);
	EXPECT_EQ(0, demote(self->big, -1, 1));
	expect_sums(_metadata, self->small);
}

TEST_F(demote, on_one_node)
{
	for (int node = 0; node < huge_nodes(); node++) {
		long here = huge_get_node(self->big, node, "nr_hugepages");
		long before = huge_get_node(self->small, node, "nr_hugepages");
		long small = huge_get(self->small, "nr_hugepages");
		long go = here > 1 ? here - 1 : here;

		EXPECT_EQ(0, demote(self->big, node, go));
		EXPECT_EQ(here - go,
			  huge_get_node(self->big, node, "nr_hugepages"));
		EXPECT_EQ(before + go * self->ratio,
			  huge_get_node(self->small, node, "nr_hugepages"));
		EXPECT_EQ(small + go * self->ratio,
			  huge_get(self->small, "nr_hugepages"));
	}
}

/* Pages in use and pages that somebody was promised stay as they are. */
TEST_F(demote, not_what_others_have)
{
	char *p = map(self->big, self->n);

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, demote(self->big, -1, self->n));
	EXPECT_COUNTS(self->big, self->n, self->n, self->n, 0);
	for (int i = 0; i < huge_nodes(); i++)
		EXPECT_EQ(0, demote(self->big, i, 1));
	EXPECT_COUNTS(self->big, self->n, self->n, self->n, 0);
	EXPECT_COUNTS(self->small, 0, 0, 0, 0);
	munmap(p, self->n * self->big);

	if (self->big == SZ_GIG)
		return;		/* takes long to clear */
	p = map(self->big, self->n - 1);
	ASSERT_NE(MAP_FAILED, p);
	for (int i = 0; i < self->n - 1; i++)
		p[i * self->big] = i + 1;
	EXPECT_EQ(0, demote(self->big, -1, self->n));
	EXPECT_COUNTS(self->big, self->n - 1, 0, 0, 0);
	EXPECT_COUNTS(self->small, self->ratio, self->ratio, 0, 0);
	for (int i = 0; i < self->n - 1; i++)
		EXPECT_EQ(i + 1, p[i * self->big]);
	munmap(p, (self->n - 1) * self->big);
}

/* Pages beyond the small pool's size that are in use become part of it. */
TEST_F(demote, small_pool_has_surplus)
{
	char *p;

	ASSERT_EQ(0, huge_set(self->small, "nr_overcommit_hugepages", 4));
	p = map(self->small, 4);
	if (p == MAP_FAILED) {
		huge_set(self->small, "nr_overcommit_hugepages", 0);
		SKIP(return, "no surplus of that size");
	}
	for (int i = 0; i < 4; i++)
		p[i * self->small] = i + 1;
	EXPECT_COUNTS(self->small, 4, 0, 0, 4);
	ASSERT_EQ(0, demote(self->big, -1, 1));
	EXPECT_EQ(huge_get(self->small, "nr_hugepages") - 4,
		  huge_get(self->small, "free_hugepages"));
	expect_sums(_metadata, self->small);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(i + 1, p[i * self->small]);
	munmap(p, 4 * self->small);
	ASSERT_EQ(0, huge_set(self->small, "nr_overcommit_hugepages", 0));
	EXPECT_EQ(0, huge_get(self->small, "surplus_hugepages"));
}

/* Of every node and of the machine: there is one demotion size for a pool. */
TEST_F(demote, size)
{
	static const size_t sizes[] = { 32UL << 20, 2UL << 20 };
	char text[32], path[256];
	size_t least = SZ_HUGE;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int want = sizes[i] < self->big &&
			   huge_get(sizes[i], "nr_hugepages") >= 0 ? 0 : EINVAL;

		snprintf(text, sizeof(text), "%zuK", sizes[i] >> 10);
		EXPECT_EQ(want, huge_write_node(self->big, 0, "demote_size",
						text));
		if (!want)
			EXPECT_EQ(sizes[i], demote_target(self->big));
	}
	snprintf(text, sizeof(text), "%zuK", self->big >> 10);
	EXPECT_EQ(EINVAL, huge_write_node(self->big, -1, "demote_size", text));
	EXPECT_EQ(EINVAL, huge_write_node(self->big, -1, "demote_size", "64K"));
	EXPECT_EQ(EINVAL, huge_write_node(self->big, -1, "demote_size", "0"));
	EXPECT_EQ(EINVAL, huge_write_node(self->big, -1, "demote_size",
					  "2M 2M"));
	/* arm64 has one that is smaller than a PMD. */
	if (huge_get(64UL << 10, "nr_hugepages") >= 0)
		least = 64UL << 10;
	huge_path(path, sizeof(path), least, -1, "demote");
	EXPECT_EQ(-1, access(path, F_OK));
	huge_path(path, sizeof(path), self->big, -1, "demote");
	EXPECT_EQ(0, access(path, W_OK));
	snprintf(text, sizeof(text), "%zuK", self->small >> 10);
	EXPECT_EQ(0, huge_write_node(self->big, -1, "demote_size", text));
}

/* From the largest to the smallest size in every step there is. */
TEST_F(demote, all_the_way_down)
{
	size_t size = self->big, next;
	long n = 1, before;

	while ((next = demote_target(size))) {
		before = huge_get(next, "nr_hugepages");
		ASSERT_EQ(0, demote(size, -1, n));
		n *= size / next;
		EXPECT_EQ(before + n, huge_get(next, "nr_hugepages"));
		EXPECT_EQ(before + n, huge_get(next, "free_hugepages"));
		size = next;
	}
	for (; size != self->small; size <<= 1) {
		if (huge_get(size, "nr_hugepages") > 0)
			EXPECT_EQ(0, huge_set(size, "nr_hugepages", 0));
	}
}

/* Against mmap of both sizes and changes of the small pool. */
TEST_F(demote, against_everybody)
{
	int status;

	for (int job = 0; job < 3; job++) {
		if (fork())
			continue;
		for (int i = 0; i < 300; i++) {
			char *p = map(job ? self->small : self->big, 1);

			if (p == MAP_FAILED)
				continue;
			if (job && !huge_store(p, 1))
				_exit(1);
			munmap(p, job ? self->small : self->big);
		}
		_exit(0);
	}
	for (int i = 0; i < 20; i++) {
		demote(self->big, i % 3 - 1, 1);
		huge_set(self->small, "nr_hugepages", i * 7 % 40);
	}
	while (wait(&status) > 0)
		EXPECT_EQ(0, status);
	expect_sums(_metadata, self->big);
	expect_sums(_metadata, self->small);
}

TEST_HARNESS_MAIN
