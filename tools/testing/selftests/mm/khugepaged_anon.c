// SPDX-License-Identifier: GPL-2.0
/*
 * khugepaged on anonymous memory, each order by itself: what it collapses, what
 * it leaves alone, and that contents stay.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <linux/userfaultfd.h>
#include "../kselftest_harness.h"
#include "khugepaged_anon.h"

FIXTURE(order) {
	char	*p;
};

FIXTURE_VARIANT(order) {
	int	order;
};

FIXTURE_VARIANT_ADD(order, o2) { .order = 2 };
FIXTURE_VARIANT_ADD(order, o3) { .order = 3 };
FIXTURE_VARIANT_ADD(order, o4) { .order = 4 };
FIXTURE_VARIANT_ADD(order, o5) { .order = 5 };
FIXTURE_VARIANT_ADD(order, o6) { .order = 6 };
FIXTURE_VARIANT_ADD(order, o7) { .order = 7 };
FIXTURE_VARIANT_ADD(order, o8) { .order = 8 };
FIXTURE_VARIANT_ADD(order, o9) { .order = 9 };

FIXTURE_SETUP(order)
{
	if (psize() != 4096 || !khp_has_order(variant->order, "enabled"))
		SKIP(return, "no such order");
	self->p = memory(1UL << variant->order);
	ASSERT_NE(NULL, self->p);
}

FIXTURE_TEARDOWN(order)
{
}

/* Everything there: every range is one folio; the next pass changes nothing. */
TEST_F_TIMEOUT(order, full, SLOW)
{
	int order = variant->order;
	long n = 1L << order, before = stat_of(order, "collapse_alloc");
	struct layout one, two;

	touch_small(self->p, 0, ALL);
	enable(1UL << order);
	ASSERT_TRUE(khp_passes(3));
	look(self->p, &one);
	for (long i = 0; i < ALL; i += n) {
		EXPECT_TRUE(whole(&one, i, order))
			TH_LOG("page %ld", i);
	}
	EXPECT_EQ(ALL, one.resident);
	EXPECT_LE(before + ALL / n, stat_of(order, "collapse_alloc"));

	before = stat_of(order, "collapse_alloc");
	ASSERT_TRUE(khp_passes(2));
	look(self->p, &two);
	EXPECT_TRUE(same_pages(&one, &two));
	EXPECT_EQ(before, stat_of(order, "collapse_alloc"));
	EXPECT_TRUE(khp_holds(self->p, ALL, SEED));
}

/* Ranges with just as many holes as the limit allows, and with one more. */
static void holes_at(struct __test_metadata *_metadata, int order, long max)
{
	long n = 1L << order, limit = limit_of(max, order), holes[ALL / 4];
	long before = stat_of(order, "collapse_exceed_none_pte");
	long nr = ALL / n < 6 ? ALL / n : 6, want = 0;
	char *p = memory(1UL << order);
	struct layout l;

	ASSERT_NE(NULL, p);
	khp_set("max_ptes_none", max);
	for (long r = 0; r < nr; r++) {
		/* in front, behind, in the middle */
		holes[r] = limit + (r & 1);
		touch_small(p, r * n + (r % 3 == 0 ? holes[r] : 0),
			    r % 3 == 2 ? (n - holes[r]) / 2 : n - holes[r]);
		if (r % 3 == 2)
			touch_small(p, r * n + n - (n - holes[r] + 1) / 2,
				    (n - holes[r] + 1) / 2);
		want += holes[r] <= limit ? n : n - holes[r];
	}
	enable(1UL << order);
	ASSERT_TRUE(khp_passes(3));
	look(p, &l);
	for (long r = 0; r < nr; r++) {
		EXPECT_EQ(holes[r] <= limit, whole(&l, r * n, order))
			TH_LOG("range %ld of order %d, limit %ld of %ld",
			       r, order, limit, max);
	}
	EXPECT_EQ(want, l.resident);
	/* An empty window has no page table to look at. */
	if (limit < n - 1)
		EXPECT_LT(before, stat_of(order, "collapse_exceed_none_pte"));
	for (long i = 0; i < nr * n; i++) {
		if (l.order[i] < 0)
			continue;
		EXPECT_TRUE(khp_page_holds(p, SEED, i) || khp_page_zero(p, i));
	}
	munmap(p, size(ALL));
}

TEST_F_TIMEOUT(order, holes, SLOW)
{
	static const long max[] = { 0, 64, 128, 255, 256, 300, 448, 511 };

	for (size_t i = 0; i < ARRAY_SIZE(max); i++)
		holes_at(_metadata, variant->order, max[i]);
}

/* The zero page is a hole, too, unless it is what memory pressure left. */
TEST_F_TIMEOUT(order, zero_pages, SLOW)
{
	int order = variant->order;
	long n = 1L << order;
	struct layout l;

	file_write(KHP_ROOT "shrink_underused", "0");
	touch_small(self->p, 0, 1);
	khp_touch(self->p, n);
	look(self->p, &l);
	EXPECT_EQ(1, l.resident);
	khp_set("max_ptes_none", (n - 2) << (9 - order));
	enable(1UL << order);
	ASSERT_TRUE(khp_passes(2));
	look(self->p, &l);
	EXPECT_EQ(1, l.resident);
	khp_set("max_ptes_none", LIMIT_ALL);
	ASSERT_TRUE(khp_passes(2));
	look(self->p, &l);
	EXPECT_TRUE(whole(&l, 0, order));
	EXPECT_EQ(n, l.resident);
	for (long i = 1; i < n; i++)
		EXPECT_TRUE(khp_page_zero(self->p, i));
	EXPECT_TRUE(khp_page_holds(self->p, SEED, 0));
}

static bool have_swap(void)
{
	return khp_meminfo("SwapFree") > 65536;
}

TEST_F_TIMEOUT(order, swap, SLOW)
{
	int order = variant->order;
	long n = 1L << order, max = 128, limit = order == 9 ? max : 0;
	long before = stat_of(order, "collapse_exceed_swap_pte");
	struct layout l;

	if (!have_swap())
		SKIP(return, "no swap");
	khp_set("max_ptes_swap", max);
	touch_small(self->p, 0, n);
	touch_small(self->p, NP, n);
	ASSERT_EQ(limit, swap_out(self->p, limit));
	ASSERT_EQ(limit + 1, swap_out(self->p + size(NP), limit + 1));
	/* Looked at lately, all that is there. */
	for (long i = limit + 1; i < n; i++) {
		*(volatile char *)(self->p + size(i));
		*(volatile char *)(self->p + size(NP + i));
	}
	enable(1UL << order);
	ASSERT_TRUE(khp_passes(3));
	look(self->p, &l);
	EXPECT_TRUE(whole(&l, 0, order));
	EXPECT_FALSE(whole(&l, NP, order));
	EXPECT_LT(before, stat_of(order, "collapse_exceed_swap_pte"));
	EXPECT_TRUE(khp_holds(self->p, n, SEED));
	for (long i = NP; i < NP + n; i++)
		EXPECT_TRUE(khp_page_holds(self->p, SEED, i));
}

/* A child has all pages, the parent has written to some of them since. */
TEST_F_TIMEOUT(order, shared, SLOW)
{
	int order = variant->order, go[2], status;
	long n = 1L << order, max = 128, limit = order == 9 ? max : 0;
	long before = stat_of(order, "collapse_exceed_shared_pte");
	struct layout l;
	pid_t child;
	char c;

	khp_set("max_ptes_shared", max);
	touch_small(self->p, 0, n);
	touch_small(self->p, NP, n);
	ASSERT_EQ(0, pipe(go));
	child = fork();
	if (!child) {
		close(go[1]);
		if (read(go[0], &c, 1))
			_exit(2);
		_exit(!khp_holds(self->p, n, SEED) ||
		      !khp_page_holds(self->p, SEED, NP + n - 1));
	}
	for (long i = limit; i < n; i++)
		khp_fill_page(self->p, SEED + 1, i);
	for (long i = NP + limit + 1; i < NP + n; i++)
		khp_fill_page(self->p, SEED + 1, i);
	enable(1UL << order);
	ASSERT_TRUE(khp_passes(3));
	look(self->p, &l);
	EXPECT_TRUE(whole(&l, 0, order));
	EXPECT_FALSE(whole(&l, NP, order));
	EXPECT_LT(before, stat_of(order, "collapse_exceed_shared_pte"));
	for (long i = 0; i < n; i++) {
		EXPECT_TRUE(khp_page_holds(self->p, SEED + (i >= limit), i));
		khp_fill_page(self->p, SEED + 2, i);
	}
	close(go[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	/* The child is gone, and its part with it. */
	ASSERT_TRUE(khp_passes(3));
	look(self->p, &l);
	EXPECT_TRUE(whole(&l, NP, order));
	EXPECT_TRUE(khp_page_holds(self->p, SEED + 2, n - 1));
}

/* One protected page keeps its range, and stays protected. */
TEST_F_TIMEOUT(order, uffd_wp, SLOW)
{
	int order = variant->order;
	long n = 1L << order;
	struct uffdio_writeprotect wp = { .mode = UFFDIO_WRITEPROTECT_MODE_WP };
	struct layout l;
	int fd;

	touch_small(self->p, 0, ALL);
	fd = userfault(self->p, size(ALL), UFFDIO_REGISTER_MODE_WP);
	if (fd < 0)
		SKIP(return, "no write-protection by userfaultfd");
	wp.range.start = (uintptr_t)self->p + size(n - 1);
	wp.range.len = size(1);
	ASSERT_EQ(0, ioctl(fd, UFFDIO_WRITEPROTECT, &wp));
	enable(1UL << order);
	ASSERT_TRUE(khp_passes(3));
	look(self->p, &l);
	EXPECT_FALSE(whole(&l, 0, order));
	for (long i = NP; i < ALL; i += n)
		EXPECT_TRUE(whole(&l, i, order));
	EXPECT_TRUE(khp_pagemap(self->p + size(n - 1)) & PM_UFFD_WP);
	EXPECT_FALSE(khp_pagemap(self->p + size(NP)) & PM_UFFD_WP);
	EXPECT_TRUE(khp_holds(self->p, ALL, SEED));
	close(fd);
}

/* Holes belong to the handler. */
TEST_F_TIMEOUT(order, uffd_missing, SLOW)
{
	int order = variant->order;
	long n = 1L << order;
	struct layout l;
	int fd;

	touch_small(self->p, 0, n - 1);
	touch_small(self->p, NP, n);
	fd = userfault(self->p, size(ALL), UFFDIO_REGISTER_MODE_MISSING);
	if (fd < 0)
		SKIP(return, "no userfaultfd");
	enable(1UL << order);
	ASSERT_TRUE(khp_passes(3));
	look(self->p, &l);
	EXPECT_EQ(-1, l.order[n - 1]);
	EXPECT_EQ(0, l.order[0]);
	EXPECT_TRUE(whole(&l, NP, order));
	EXPECT_EQ(2 * n - 1, l.resident);
	close(fd);
}

/* Whoever has a reference goes on seeing the page. */
TEST_F_TIMEOUT(order, pinned, SLOW)
{
	int order = variant->order, fd[2];
	long n = 1L << order;
	struct iovec iov = { .iov_base = self->p + size(1), .iov_len = size(1) };
	uint64_t seen = 0;
	struct layout l;

	touch_small(self->p, 0, ALL);
	ASSERT_EQ(0, pipe(fd));
	ASSERT_EQ(4096, vmsplice(fd[1], &iov, 1, 0));
	enable(1UL << order);
	ASSERT_TRUE(khp_passes(3));
	look(self->p, &l);
	EXPECT_FALSE(whole(&l, 0, order));
	for (long i = NP; i < ALL; i += n)
		EXPECT_TRUE(whole(&l, i, order));
	khp_fill_page(self->p, SEED + 1, 1);
	EXPECT_EQ(sizeof(seen), read(fd[0], &seen, sizeof(seen)));
	EXPECT_EQ(khp_word(SEED + 1, 1), seen);
	close(fd[0]);
	close(fd[1]);
	ASSERT_TRUE(khp_passes(3));
	look(self->p, &l);
	EXPECT_TRUE(whole(&l, 0, order));
	EXPECT_TRUE(khp_page_holds(self->p, SEED + 1, 1));
	EXPECT_TRUE(khp_page_holds(self->p, SEED, 0));
}

/* Pages without a write stay clean, and the next write is noted. */
TEST_F_TIMEOUT(order, soft_dirty, SLOW)
{
	int order = variant->order;
	long n = 1L << order, dirty = 0;

	if (!softdirty_supported())
		SKIP(return, "no soft-dirty bit");
	touch_small(self->p, 0, n - 1);
	clear_softdirty();
	khp_fill_page(self->p, SEED + 1, 1);
	enable(1UL << order);
	ASSERT_EQ(0, khp_collapse_retry(self->p, size(n)));
	for (long i = 0; i < n; i++)
		dirty += !!(khp_pagemap(self->p + size(i)) & PM_SOFT_DIRTY);
	EXPECT_TRUE(khp_pagemap(self->p + size(1)) & PM_SOFT_DIRTY);
	/* A PMD has one bit for all. */
	EXPECT_EQ(order == 9 ? n : 1, dirty);
	khp_fill_page(self->p, SEED + 2, 0);
	khp_fill_page(self->p, SEED + 2, n - 1);
	EXPECT_TRUE(khp_pagemap(self->p) & PM_SOFT_DIRTY);
	EXPECT_TRUE(khp_pagemap(self->p + size(n - 1)) & PM_SOFT_DIRTY);
	EXPECT_TRUE(khp_page_holds(self->p, SEED + 1, 1));
}

/* Large folios, but not where entries could use them: replaced in place. */
TEST_F_TIMEOUT(order, misaligned, SLOW)
{
	int order = variant->order;
	long n = 1L << order;
	char *q = khp_reserve(size(ALL)), *to = q + size(3);
	struct layout l;

	if (order == 9)
		SKIP(return, "a PMD is always aligned");
	ASSERT_NE(NULL, q);
	khp_fill(self->p, NP, SEED);
	ASSERT_EQ(to, mremap(self->p, size(NP), size(NP),
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	ASSERT_TRUE(khp_passes(3));
	look(q, &l);
	for (long i = n; i < NP; i += n) {
		EXPECT_TRUE(whole(&l, i, order))
			TH_LOG("page %ld", i);
	}
	EXPECT_EQ(NP, l.resident);
	EXPECT_TRUE(khp_holds(to, NP, SEED));
}

TEST_HARNESS_MAIN
