// SPDX-License-Identifier: GPL-2.0
/*
 * MADV_COLLAPSE when memory runs out at each of its allocations, one after the
 * other: it answers with an error or manages without, nothing is lost or left
 * behind, and the next one succeeds.
 *
 * Needs CONFIG_FAULT_INJECTION with FAILSLAB and FAIL_PAGE_ALLOC, and debugfs.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "../kselftest_harness.h"
#include "khugepaged_anon.h"

#define DEBUG		"/sys/kernel/debug/"
#define FAIL_NTH	"/proc/self/fail-nth"
#define MOST		400	/* allocations of one madvise() */

FIXTURE(inject) {
	char	*p;
	long	n;		/* pages that are asked for */
	long	pages;		/* of these that are there */
	int	fd;		/* of shared memory; -1 */
};

FIXTURE_VARIANT(inject) {
	int	order;
	bool	shared;
	long	step;		/* every so many pages there is one */
};

FIXTURE_VARIANT_ADD(inject, anon_window) { .order = 9, .step = 1 };
FIXTURE_VARIANT_ADD(inject, anon_holes) { .order = 9, .step = 8 };
FIXTURE_VARIANT_ADD(inject, anon_64K) { .order = 4, .step = 1 };
FIXTURE_VARIANT_ADD(inject, shared_window) { 9, true, 1 };
FIXTURE_VARIANT_ADD(inject, shared_holes) { 9, true, 8 };
FIXTURE_VARIANT_ADD(inject, shared_64K) { 4, true, 4 };

/* All allocations may fail, not only those that may not wait. */
static bool injection_ready(void)
{
	return !file_write(DEBUG "failslab/ignore-gfp-wait", "N") &&
	       !file_write(DEBUG "fail_page_alloc/ignore-gfp-wait", "N") &&
	       !file_write(DEBUG "fail_page_alloc/ignore-gfp-highmem", "N") &&
	       !file_write(DEBUG "fail_page_alloc/min-order", "0") &&
	       !access(FAIL_NTH, W_OK);
}

FIXTURE_SETUP(inject)
{
	if (psize() != 4096 || !injection_ready())
		SKIP(return, "no fault injection");
	self->n = 1L << variant->order;
	self->fd = -1;
	self->p = memory(0);
	ASSERT_NE(NULL, self->p);
	if (!variant->shared)
		return;
	self->fd = memfd_create("khugepaged", 0);
	ASSERT_EQ(0, ftruncate(self->fd, size(self->n)));
	ASSERT_EQ(self->p, mmap(self->p, size(self->n), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_FIXED, self->fd, 0));
}

FIXTURE_TEARDOWN(inject)
{
}

/* Small pages again, at every step. */
static long fill(char *p, long n, long step)
{
	long pages = 0;

	for (long i = 0; i < n; i += step, pages++)
		khp_fill_page(p, SEED, i);
	return pages;
}

static bool good(const char *p, long n, long step)
{
	for (long i = 0; i < n; i++) {
		if (i % step ? !khp_page_zero(p, i) : !khp_page_holds(p, SEED, i))
			return false;
	}
	return true;
}

static long blocks(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : st.st_blocks * 512L / psize();
}

/* Forget all, and make the size available or not. */
static int start_over(char *p, long n, int fd, int order, bool on)
{
	if (fd < 0) {
		enable(on && order < 9 ? 1UL << order : 0);
		return on ? 0 : madvise(p, size(n), MADV_DONTNEED);
	}
	khp_set_order(order, "shmem_enabled", on ? "always" : "never");
	return on ? 0 : fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				  0, size(n));
}

/* One madvise() whose nth allocation fails; *hit: there was one. */
static int collapse_nth(char *p, long n, int nth, bool *hit)
{
	int fd = open(FAIL_NTH, O_RDWR), err;
	char text[16] = "";

	snprintf(text, sizeof(text), "%d", nth);
	if (write(fd, text, strlen(text)) < 0)
		return -1;
	err = khp_collapse(p, size(n));
	memset(text, 0, sizeof(text));
	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		return -1;
	*hit = atoi(text) == 0;
	if (pwrite(fd, "0", 1, 0) != 1)
		return -1;
	close(fd);
	return err;
}

TEST_F_TIMEOUT(inject, every_allocation, 300)
{
	int order = variant->order, nth, err, failed = 0;
	long n = self->n, step = variant->step;
	bool hit = true;

	for (nth = 1; hit && nth < MOST; nth++) {
		ASSERT_EQ(0, start_over(self->p, n, self->fd, order, false));
		self->pages = fill(self->p, n, step);
		start_over(self->p, n, self->fd, order, true);

		err = collapse_nth(self->p, n, nth, &hit);
		EXPECT_TRUE(err == 0 || err == ENOMEM || err == EAGAIN ||
			    err == EINVAL || err == EBUSY)
			TH_LOG("allocation %d: %d", nth, err);
		failed += !!err;
		if (err && self->fd >= 0)
			EXPECT_EQ(self->pages, blocks(self->fd))
				TH_LOG("allocation %d", nth);
		if (err)
			EXPECT_EQ(0, khp_order_at(self->p));
		EXPECT_TRUE(good(self->p, n, step))
			TH_LOG("allocation %d", nth);
		EXPECT_EQ(0, khp_collapse_retry(self->p, size(n)))
			TH_LOG("allocation %d", nth);
		EXPECT_EQ(order, khp_order_at(self->p));
		EXPECT_TRUE(good(self->p, n, step));
	}
	TH_LOG("%d allocations, %d failures were reported", nth - 2, failed);
	EXPECT_FALSE(hit);
	EXPECT_LT(0, failed);
}

TEST_HARNESS_MAIN
