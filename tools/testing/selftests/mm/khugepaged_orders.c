// SPDX-License-Identifier: GPL-2.0
/*
 * khugepaged and MADV_COLLAPSE on anonymous memory where several orders are
 * enabled: the largest that fits, twenty passes like one, and memory with a
 * history.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "../kselftest_harness.h"
#include "khugepaged_anon.h"

FIXTURE(orders) {
	char	*p;
};

#define ORDERS	0x3fcUL			/* 2 .. 9 */

FIXTURE_SETUP(orders)
{
	if (psize() != 4096 || !khp_has_order(9, "enabled"))
		SKIP(return, "for pages of 4K and 2M");
	self->p = memory(ORDERS);
	ASSERT_NE(NULL, self->p);
}

FIXTURE_TEARDOWN(orders)
{
}

/* Twenty passes end where the first one did. */
static void no_creep(struct __test_metadata *_metadata, char *p, long pages)
{
	struct layout first, now;

	ASSERT_TRUE(khp_passes(1));
	look(p, &first);
	ASSERT_TRUE(khp_passes(19));
	look(p, &now);
	EXPECT_TRUE(same_orders(&first, &now));
	EXPECT_EQ(pages, first.resident);
	EXPECT_EQ(pages, now.resident);
}

TEST_F_TIMEOUT(orders, creep_half, SLOW)
{
	struct layout l;

	khp_set("max_ptes_none", 256);
	touch_small(self->p, 0, 9);
	touch_small(self->p, 64, 33);
	touch_small(self->p, NP + 5, 6);
	enable(ORDERS);
	no_creep(_metadata, self->p, 16 + 64 + 4 + 4);
	look(self->p, &l);
	EXPECT_TRUE(whole(&l, 0, 4));
	EXPECT_TRUE(whole(&l, 64, 6));
	EXPECT_TRUE(whole(&l, NP + 4, 2));
	EXPECT_TRUE(whole(&l, NP + 8, 2));
	for (long i = 0; i < 128; i++)
		EXPECT_TRUE(l.order[i] < 0 || khp_page_holds(self->p, SEED, i) ||
			    khp_page_zero(self->p, i));
}

/* 500 of 512, 62 of 64: two pages are enough for 64, and for no more. */
TEST_F_TIMEOUT(orders, creep_500, SLOW)
{
	struct layout l;

	khp_set("max_ptes_none", 500);
	touch_small(self->p, 0, 1);
	touch_small(self->p, 40, 1);
	enable(ORDERS);
	no_creep(_metadata, self->p, 64);
	look(self->p, &l);
	EXPECT_TRUE(whole(&l, 0, 6));
}

TEST_F_TIMEOUT(orders, creep_511, SLOW)
{
	const unsigned long orders = ORDERS & ~BIT_ULL(9);
	struct layout l;

	touch_small(self->p, 300, 1);
	enable(orders);
	no_creep(_metadata, self->p, 256);
	look(self->p, &l);
	EXPECT_TRUE(whole(&l, 256, 8));
}

TEST_F_TIMEOUT(orders, creep_0, SLOW)
{
	struct layout first, now;

	khp_set("max_ptes_none", 0);
	for (long i = 0; i < ALL; i += 32)
		touch_small(self->p, i, i % 23);
	enable(ORDERS);
	ASSERT_TRUE(khp_passes(2));
	look(self->p, &first);
	ASSERT_TRUE(khp_passes(19));
	look(self->p, &now);
	EXPECT_TRUE(same_pages(&first, &now));
	for (long i = 0; i < ALL; i++)
		EXPECT_EQ(i % 32 < (i - i % 32) % 23, now.order[i] >= 0);
}

/* Pages that the program came to use count. */
TEST_F_TIMEOUT(orders, touched_later, SLOW)
{
	struct layout l;

	khp_set("max_ptes_none", 256);
	touch_small(self->p, 0, 9);
	enable(ORDERS);
	no_creep(_metadata, self->p, 16);
	for (long i = 9; i < 16; i++)
		khp_fill_page(self->p, SEED, i);
	ASSERT_TRUE(khp_passes(2));
	look(self->p, &l);
	EXPECT_TRUE(whole(&l, 0, 5));
	EXPECT_EQ(32, l.resident);
	EXPECT_TRUE(khp_holds(self->p, 16, SEED));
	no_creep(_metadata, self->p, 32);
}

#if defined(__x86_64__)
/* Also if all it did was to write zeroes, where each entry notes it. */
TEST_F_TIMEOUT(orders, zeroes_written_later, SLOW)
{
	struct layout l;

	khp_set("max_ptes_none", 256);
	touch_small(self->p, 0, 9);
	enable(ORDERS);
	no_creep(_metadata, self->p, 16);
	for (long i = 9; i < 16; i++)
		*(volatile char *)(self->p + size(i)) = 0;
	ASSERT_TRUE(khp_passes(2));
	look(self->p, &l);
	EXPECT_TRUE(whole(&l, 0, 5));
	EXPECT_EQ(32, l.resident);
}
#endif

/* What khugepaged knows about its folios moves with them. */
TEST_F_TIMEOUT(orders, creep_migrated, SLOW)
{
	void *page[16];
	int node[16], status[16];
	struct layout l;

	khp_set("max_ptes_none", 256);
	touch_small(self->p, 0, 9);
	enable(ORDERS);
	ASSERT_TRUE(khp_passes(2));
	look(self->p, &l);
	ASSERT_TRUE(whole(&l, 0, 4));
	for (int to = 0; to < 2; to++) {
		for (int i = 0; i < 16; i++) {
			page[i] = self->p + size(i);
			node[i] = to;
		}
		if (syscall(__NR_move_pages, 0, 16, page, node, status, 2) < 0 ||
		    status[0] != to)
			SKIP(return, "one node");
	}
	no_creep(_metadata, self->p, 16);
	look(self->p, &l);
	EXPECT_TRUE(whole(&l, 0, 4));
}

/* The halves that qualify, and no range twice. */
TEST_F_TIMEOUT(orders, largest_first, SLOW)
{
	struct layout l;

	khp_set("max_ptes_none", 0);
	touch_small(self->p, 0, 256 + 64 + 16 + 4);
	touch_small(self->p, NP, NP);
	enable(ORDERS);
	ASSERT_TRUE(khp_passes(2));
	look(self->p, &l);
	EXPECT_TRUE(whole(&l, 0, 8));
	EXPECT_TRUE(whole(&l, 256, 6));
	EXPECT_TRUE(whole(&l, 320, 4));
	EXPECT_TRUE(whole(&l, 336, 2));
	EXPECT_TRUE(whole(&l, NP, 9));
	EXPECT_EQ(NP + 340, l.resident);
	EXPECT_TRUE(khp_holds(self->p, 340, SEED));
}

/* Neighbours under the same page table are not touched. */
TEST_F_TIMEOUT(orders, parts_of_windows, SLOW)
{
	struct layout before, after;

	touch_small(self->p, 0, ALL);
	ASSERT_EQ(0, madvise(self->p, size(ALL), MADV_NOHUGEPAGE));
	enable(0x3c);
	look(self->p, &before);
	ASSERT_EQ(0, madvise(self->p + size(35), size(NP), MADV_HUGEPAGE));
	ASSERT_TRUE(khp_passes(3));
	look(self->p, &after);
	for (long i = 0; i < ALL; i++) {
		bool inside = i >= 36 && i < NP + 32;

		EXPECT_EQ(inside, after.order[i] > 0)
			TH_LOG("page %ld", i);
		EXPECT_EQ(!inside, before.pfn[i] == after.pfn[i]);
	}
	EXPECT_TRUE(whole(&after, 36, 2));
	EXPECT_TRUE(whole(&after, 40, 3));
	EXPECT_TRUE(whole(&after, 48, 4));
	EXPECT_TRUE(whole(&after, 64, 5));
	EXPECT_TRUE(whole(&after, NP, 5));
	EXPECT_TRUE(khp_holds(self->p, ALL, SEED));
}

/* A folio in pieces, with small pages between them. */
TEST_F_TIMEOUT(orders, pieces, SLOW)
{
	struct layout l;

	khp_fill(self->p, NP, SEED);
	look(self->p, &l);
	ASSERT_TRUE(whole(&l, 0, 9));
	enable(0);
	for (long i = 1; i < NP; i += 3) {
		ASSERT_EQ(0, madvise(self->p + size(i), size(1), MADV_DONTNEED));
		touch_small(self->p, i, 1);
	}
	enable(1UL << 4);
	ASSERT_TRUE(khp_passes(3));
	look(self->p, &l);
	for (long i = 0; i < NP; i += 16)
		EXPECT_TRUE(whole(&l, i, 4));
	enable(ORDERS);
	ASSERT_TRUE(khp_passes(3));
	look(self->p, &l);
	EXPECT_TRUE(whole(&l, 0, 9));
	EXPECT_EQ(NP, l.resident);
	EXPECT_TRUE(khp_holds(self->p, NP, SEED));
}

/* A folio in several places. */
TEST_F_TIMEOUT(orders, scattered, SLOW)
{
	char *q = khp_reserve(size(ALL));
	struct layout l, again;

	ASSERT_NE(NULL, q);
	khp_fill(self->p, NP, SEED);
	look(self->p, &l);
	ASSERT_TRUE(whole(&l, 0, 9));
	/* Every third page goes elsewhere, in another order. */
	for (long i = 1; i < 256; i += 3)
		ASSERT_EQ(q + size(300 - i),
			  mremap(self->p + size(i), size(1), size(1),
				 MREMAP_MAYMOVE | MREMAP_FIXED,
				 q + size(300 - i)));
	ASSERT_TRUE(khp_passes(3));
	look(self->p, &l);
	ASSERT_TRUE(khp_passes(2));
	look(self->p, &again);
	EXPECT_TRUE(same_orders(&l, &again));
	for (long i = 0; i < NP; i++) {
		bool moved = i < 256 && i % 3 == 1;

		EXPECT_TRUE(moved || khp_page_holds(self->p, SEED, i));
		if (moved)
			EXPECT_TRUE(khp_page_holds(q + size(300 - i) - size(i),
						   SEED, i));
	}
}

static long zeroes_merged(void)
{
	char line[128];
	long v = -1, found;
	FILE *f = fopen("/proc/self/ksm_stat", "r");

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "ksm_zero_pages %ld", &found) == 1)
			v = found;
	}
	fclose(f);
	return v;
}

#define KSM	"/sys/kernel/mm/ksm/"

/* Merged pages and merged zeroes; what is counted of them goes with them. */
TEST_F_TIMEOUT(orders, ksm, SLOW)
{
	long zeroes = 0;
	struct layout l;

	if (access(KSM "run", W_OK) || zeroes_merged() < 0)
		SKIP(return, "no KSM");
	enable(0);
	for (long i = 0; i < 64; i++) {
		if (i % 4)
			memset(self->p + size(i), i % 4 == 1 ? 0x55 : 0, psize());
		else
			khp_fill_page(self->p, SEED, i);
	}
	ASSERT_EQ(0, madvise(self->p, size(ALL), MADV_MERGEABLE));
	file_write(KSM "use_zero_pages", "1");
	file_write(KSM "pages_to_scan", "10000");
	file_write(KSM "sleep_millisecs", "0");
	ASSERT_EQ(0, file_write(KSM "run", "1"));
	for (int i = 0; i < 6000 && zeroes < 32; i++) {
		usleep(10000);
		zeroes = zeroes_merged();
	}
	file_write(KSM "run", "0");
	file_write(KSM "use_zero_pages", "0");
	EXPECT_EQ(32, zeroes);
	look(self->p, &l);
	EXPECT_EQ(32, l.resident);

	/* Merged pages are shared, so only a whole window can have them. */
	khp_set("max_ptes_shared", LIMIT_ALL);
	enable(1UL << 6);
	ASSERT_TRUE(khp_passes(3));
	look(self->p, &l);
	EXPECT_EQ(32, l.resident);
	enable(1UL << 9);
	ASSERT_TRUE(khp_passes(3));
	look(self->p, &l);
	EXPECT_TRUE(whole(&l, 0, 9));
	EXPECT_EQ(0, zeroes_merged());
	for (long i = 0; i < 64; i += 4) {
		EXPECT_TRUE(khp_page_holds(self->p, SEED, i));
		EXPECT_EQ(0x55, self->p[size(i + 1) + 77]);
		EXPECT_TRUE(khp_page_zero(self->p, i + 2));
		EXPECT_TRUE(khp_page_zero(self->p, i + 3));
	}
}

TEST_F_TIMEOUT(orders, locked, SLOW)
{
	struct layout l;

	touch_small(self->p, 0, 100);
	ASSERT_EQ(0, mlock(self->p, size(100)));
	enable(0x7c);
	ASSERT_TRUE(khp_passes(3));
	look(self->p, &l);
	EXPECT_TRUE(whole(&l, 0, 6));
	EXPECT_TRUE(whole(&l, 64, 5));
	EXPECT_EQ(100, l.resident);
	EXPECT_TRUE(khp_holds(self->p, 100, SEED));
	EXPECT_EQ(0, munlock(self->p, size(100)));
}

/* Nobody may write: no reason to copy. */
TEST_F_TIMEOUT(orders, read_only, SLOW)
{
	struct layout before, after;

	touch_small(self->p, 0, NP);
	ASSERT_EQ(0, mprotect(self->p, size(ALL), PROT_READ));
	enable(ORDERS);
	look(self->p, &before);
	ASSERT_TRUE(khp_passes(2));
	look(self->p, &after);
	EXPECT_TRUE(same_pages(&before, &after));
	EXPECT_EQ(EINVAL, khp_collapse(self->p, size(NP)));
}

/* ---- MADV_COLLAPSE ---- */

/* A window if there is one; where there is none, what is enabled. */
TEST_F_TIMEOUT(orders, madvise_window, SLOW)
{
	struct layout l;

	touch_small(self->p, 3, 1);
	touch_small(self->p, NP + 20, 1);
	enable(0x10);
	EXPECT_EQ(0, khp_collapse_retry(self->p, size(NP + 64)));
	look(self->p, &l);
	EXPECT_TRUE(whole(&l, 0, 9));
	EXPECT_TRUE(whole(&l, NP + 16, 4));
	EXPECT_EQ(NP + 16, l.resident);
	EXPECT_TRUE(khp_page_holds(self->p, SEED, 3));
}

TEST_F_TIMEOUT(orders, madvise_small, SLOW)
{
	struct layout l;

	khp_set("max_ptes_none", 0);
	touch_small(self->p, 20, 30);
	enable(0x1c);
	EXPECT_EQ(0, khp_collapse_retry(self->p + size(16), size(48)));
	look(self->p, &l);
	EXPECT_TRUE(whole(&l, 16, 4));
	EXPECT_TRUE(whole(&l, 32, 4));
	EXPECT_TRUE(whole(&l, 48, 4));
	EXPECT_EQ(48, l.resident);
	for (long i = 20; i < 50; i++)
		EXPECT_TRUE(khp_page_holds(self->p, SEED, i));
	/* It is done already. */
	EXPECT_EQ(0, khp_collapse_retry(self->p + size(16), size(48)));
}

/* Part of a window was always as good as nothing, memory without one an error. */
TEST_F_TIMEOUT(orders, madvise_nothing_enabled, SLOW)
{
	touch_small(self->p, 0, 64);
	EXPECT_EQ(0, khp_collapse(self->p, size(64)));
	EXPECT_EQ(0, khp_order_at(self->p));
	ASSERT_EQ(0, munmap(self->p + size(64), size(ALL - 64)));
	EXPECT_EQ(EINVAL, khp_collapse(self->p, size(64)));
	enable(0x10);
	EXPECT_EQ(0, khp_collapse_retry(self->p, size(64)));
	EXPECT_EQ(4, khp_order_at(self->p));
	EXPECT_TRUE(khp_holds(self->p, 64, SEED));
}

TEST_F_TIMEOUT(orders, madvise_forbidden, SLOW)
{
	touch_small(self->p, 0, 64);
	ASSERT_EQ(0, madvise(self->p, size(ALL), MADV_NOHUGEPAGE));
	enable(ORDERS);
	EXPECT_EQ(EINVAL, khp_collapse(self->p, size(64)));
	EXPECT_EQ(EINVAL, khp_collapse(self->p, size(NP)));
	EXPECT_EQ(0, khp_order_at(self->p));
}

TEST_F_TIMEOUT(orders, madvise_pinned, SLOW)
{
	struct iovec iov = { .iov_base = self->p + size(5), .iov_len = 1 };
	int fd[2];

	touch_small(self->p, 0, NP);
	ASSERT_EQ(0, pipe(fd));
	ASSERT_EQ(1, vmsplice(fd[1], &iov, 1, 0));
	enable(0x10);
	EXPECT_EQ(EAGAIN, khp_collapse(self->p, size(NP)));
	EXPECT_EQ(EAGAIN, khp_collapse(self->p, size(16)));
	close(fd[0]);
	close(fd[1]);
	EXPECT_EQ(0, khp_collapse_retry(self->p, size(16)));
	EXPECT_EQ(4, khp_order_at(self->p));
	EXPECT_TRUE(khp_holds(self->p, NP, SEED));
}

TEST_HARNESS_MAIN
