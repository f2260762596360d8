// SPDX-License-Identifier: GPL-2.0
/*
 * Large folios of shared memory where it is mapped, swapped out, or short.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <sys/statvfs.h>
#include "../kselftest_harness.h"
#include "thp_guard.h"
#include "thp_tmpfs.h"

FIXTURE(map) {
	struct tmpfs t;
	size_t page;
	long pmd;		/* base pages */
};

FIXTURE_SETUP(map)
{
	if (geteuid())
		SKIP(return, "not root");
	thp_save_settings();
	khp_all_off();
	self->page = psize();
	self->pmd = 1L << khp_pmd_order();
}

FIXTURE_TEARDOWN(map)
{
	tmpfs_close(&self->t);
	thp_restore_settings();
}

/* All of a file, where a PMD could be. */
static char *map_file(int fd, size_t len)
{
	char *at = khp_reserve(len);

	return mmap(at, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		    fd, 0);
}

static sigjmp_buf after_bus;

static void on_bus(int sig)
{
	siglongjmp(after_bus, 1);
}

/* Does reading one byte end in SIGBUS? */
static bool is_bus(const char *p)
{
	struct sigaction act = { .sa_handler = on_bus }, old;
	bool bus = true;

	sigaction(SIGBUS, &act, &old);
	if (!sigsetjmp(after_bus, 1)) {
		(void)*(volatile const char *)p;
		bus = false;
	}
	sigaction(SIGBUS, &old, NULL);
	return bus;
}

/* A fault takes the largest folio that ends with the file, or before. */
TEST_F_TIMEOUT(map, within_size, 300)
{
	long pages = 100;
	char *p;

	ASSERT_EQ(0, tmpfs_open(&self->t, "huge=within_size"));
	ASSERT_EQ(0, ftruncate(self->t.fd, pages * self->page));
	p = map_file(self->t.fd, self->pmd * self->page);
	ASSERT_NE(MAP_FAILED, p);
	for (long i = 0; i < pages; i += 1L << khp_order_at(p + i * self->page)) {
		p[i * self->page] = 1;
		ASSERT_EQ(tmpfs_fitting(i, pages),
			  khp_order_at(p + i * self->page));
	}
	EXPECT_EQ(pages, tmpfs_pages(self->t.fd));
	EXPECT_TRUE(is_bus(p + pages * self->page));
	munmap(p, self->pmd * self->page);
}

/* Always means a PMD, even if the file is smaller; others if that is taken. */
TEST_F_TIMEOUT(map, always, 300)
{
	long half = self->pmd / 2;
	char *p;

	ASSERT_EQ(0, tmpfs_open(&self->t, "huge=always"));
	ASSERT_EQ(0, ftruncate(self->t.fd, 2 * self->pmd * self->page));
	p = map_file(self->t.fd, 2 * self->pmd * self->page);
	ASSERT_NE(MAP_FAILED, p);
	p[0] = 1;
	EXPECT_EQ(khp_pmd_order(), khp_order_at(p));

	ASSERT_EQ(self->page, tmpfs_write(self->t.fd, self->pmd * self->page,
					  self->page));
	p[(self->pmd + half) * self->page] = 1;
	EXPECT_EQ(khp_pmd_order() - 1,
		  khp_order_at(p + (self->pmd + half) * self->page));
	EXPECT_EQ(self->pmd + half + 1, tmpfs_pages(self->t.fd));
	munmap(p, 2 * self->pmd * self->page);
}

/* Whoever does not ask gets small pages, whoever does a PMD. */
TEST_F_TIMEOUT(map, advise, 300)
{
	size_t len = self->pmd * self->page;
	char *p;

	ASSERT_EQ(0, tmpfs_open(&self->t, "huge=advise"));
	ASSERT_EQ(0, ftruncate(self->t.fd, len));
	p = map_file(self->t.fd, len);
	ASSERT_NE(MAP_FAILED, p);
	p[0] = 1;
	EXPECT_EQ(0, khp_order_at(p));
	ASSERT_EQ(0, ftruncate(self->t.fd, 0));
	ASSERT_EQ(0, ftruncate(self->t.fd, len));
	ASSERT_EQ(0, madvise(p, len, MADV_HUGEPAGE));
	p[0] = 1;
	EXPECT_EQ(khp_pmd_order(), khp_order_at(p));
	munmap(p, len);
}

/* The file ends in a folio; SIGBUS begins where the file ends. */
TEST_F_TIMEOUT(map, end_in_folio, 300)
{
	size_t len = 64 * self->page;
	char *p;

	ASSERT_EQ(0, tmpfs_open(&self->t, "huge=always"));
	ASSERT_EQ(0, fallocate(self->t.fd, FALLOC_FL_KEEP_SIZE, 0, len));
	ASSERT_EQ(0, ftruncate(self->t.fd, 20 * self->page));
	p = map_file(self->t.fd, self->pmd * self->page);
	ASSERT_NE(MAP_FAILED, p);
	p[19 * self->page] = 1;
	EXPECT_TRUE(is_bus(p + 20 * self->page));
	EXPECT_FALSE(is_bus(p));
	munmap(p, self->pmd * self->page);
}

/* A file system with room for less than a PMD can be filled. */
TEST_F_TIMEOUT(map, no_space, 300)
{
	size_t room = (self->pmd / 2 + 3) * self->page, len = room + 5;
	struct statvfs v;
	char options[64];

	snprintf(options, sizeof(options), "huge=always,size=%zu", room);
	ASSERT_EQ(0, tmpfs_open(&self->t, options));
	EXPECT_EQ(room, tmpfs_write(self->t.fd, 0, len));
	EXPECT_EQ(-ENOSPC, tmpfs_write(self->t.fd, room, 10));
	EXPECT_TRUE(tmpfs_holds(self->t.fd, 0, room));
	EXPECT_EQ(self->pmd / 2 + 3, tmpfs_pages(self->t.fd));
	ASSERT_EQ(0, ftruncate(self->t.fd, 0));

	/* All or nothing; and what was there stays. */
	ASSERT_EQ(1000, tmpfs_write(self->t.fd, 0, 1000));
	EXPECT_EQ(-1, fallocate(self->t.fd, 0, self->page, room));
	EXPECT_EQ(ENOSPC, errno);
	EXPECT_EQ(1, tmpfs_pages(self->t.fd));
	EXPECT_EQ(1000, tmpfs_size(self->t.fd));
	EXPECT_TRUE(tmpfs_holds(self->t.fd, 0, 1000));
	ASSERT_EQ(0, statvfs(self->t.dir, &v));
	EXPECT_EQ(self->pmd / 2 + 2, v.f_bfree);
}

#define SPLIT_FILE	"/sys/kernel/debug/split_huge_pages"

static int split_file(struct tmpfs *t, long pages, int order)
{
	char text[128];

	snprintf(text, sizeof(text), "%s,0x0,0x%lx,%d", t->name, pages, order);
	return file_write(SPLIT_FILE, text);
}

/* A file says what it said when its folios are split, to whatever order. */
TEST_F_TIMEOUT(map, split, 300)
{
	long pages = 2 * self->pmd;
	size_t len = pages * self->page;
	char *p;

	if (access(SPLIT_FILE, W_OK))
		SKIP(return, "no split_huge_pages");
	ASSERT_EQ(0, tmpfs_open(&self->t, "huge=always"));
	ASSERT_EQ(len, tmpfs_write(self->t.fd, 0, len));
	p = map_file(self->t.fd, len);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(khp_pmd_order(), tmpfs_order(self->t.fd, 0));
	for (int order = khp_pmd_order() - 1; order >= 0; order--) {
		madvise(p, len, MADV_POPULATE_READ);
		ASSERT_EQ(0, split_file(&self->t, pages, order));
		EXPECT_EQ(order, tmpfs_order(self->t.fd, 0));
		EXPECT_EQ(order, tmpfs_order(self->t.fd, pages - 1));
		EXPECT_TRUE(tmpfs_holds(self->t.fd, 0, len));
		EXPECT_EQ(pages, tmpfs_pages(self->t.fd));
	}
	munmap(p, len);
}

/* What a folio has behind the end of the file goes, and is not counted. */
TEST_F_TIMEOUT(map, split_behind_end, 300)
{
	size_t len = self->pmd * self->page;
	struct statvfs before, after;
	char *p;

	if (access(SPLIT_FILE, W_OK))
		SKIP(return, "no split_huge_pages");
	ASSERT_EQ(0, tmpfs_open(&self->t, "huge=always"));
	ASSERT_EQ(0, statvfs(self->t.dir, &before));
	ASSERT_EQ(0, ftruncate(self->t.fd, 21 * self->page + 5));
	p = map_file(self->t.fd, len);
	ASSERT_NE(MAP_FAILED, p);
	p[0] = 1;
	ASSERT_EQ(self->pmd, tmpfs_pages(self->t.fd));
	ASSERT_EQ(0, split_file(&self->t, self->pmd, 3));
	EXPECT_EQ(3, tmpfs_order(self->t.fd, 0));
	EXPECT_EQ(24, tmpfs_pages(self->t.fd));
	EXPECT_EQ(1, p[0]);
	munmap(p, len);

	ASSERT_EQ(0, ftruncate(self->t.fd, 0));
	ASSERT_EQ(0, statvfs(self->t.dir, &after));
	EXPECT_EQ(before.f_bfree, after.f_bfree);
}

static long swap_free_pages(void)
{
	return khp_meminfo("SwapFree") * 1024 / psize();
}

/* How many pages of memory that is mapped went to swap. */
static long pages_in_swap(const char *p, long n)
{
	unsigned char *in_core = malloc(n);
	long out = 0;

	if (mincore((void *)p, n * psize(), in_core))
		n = 0;
	for (long i = 0; i < n; i++)
		out += !(in_core[i] & 1);
	free(in_core);
	return out;
}

/* Folios of each size go to swap as they are, and what they hold comes back. */
TEST_F_TIMEOUT(map, swap, 300)
{
	long n = 4 * self->pmd;

	if (swap_free_pages() < 2 * n)
		SKIP(return, "no swap");
	ASSERT_EQ(0, tmpfs_open(&self->t, "huge=always"));
	for (int order = 1; order <= khp_pmd_order(); order++) {
		size_t piece = self->page << order, len = 4 * piece;
		long whole, pieces;
		char *p;

		ASSERT_EQ(0, ftruncate(self->t.fd, 0));
		for (size_t at = 0; at < len; at += piece)
			ASSERT_EQ(piece, tmpfs_write(self->t.fd, at, piece));
		EXPECT_EQ(order, tmpfs_order(self->t.fd, 0));
		p = map_file(self->t.fd, len);
		ASSERT_NE(MAP_FAILED, p);
		khp_touch(p, len / self->page);
		whole = tmpfs_stat(order, "swpout");
		pieces = tmpfs_stat(order, "swpout_fallback");
		ASSERT_EQ(0, madvise(p, len, MADV_PAGEOUT));
		whole = tmpfs_stat(order, "swpout") - whole;
		pieces = tmpfs_stat(order, "swpout_fallback") - pieces;
		TH_LOG("order %d: %ld of %zu pages in swap, %ld folios whole, %ld not",
		       order, pages_in_swap(p, len / self->page),
		       len / self->page, whole, pieces);
		EXPECT_EQ(4, whole + pieces);
		EXPECT_LE(len / self->page - 4,
			  pages_in_swap(p, len / self->page));
		EXPECT_EQ(len, tmpfs_differs(p, 0, len));
		munmap(p, len);
		EXPECT_EQ(len / self->page, tmpfs_pages(self->t.fd));
	}
}

/* A folio with the end of the file in it is split before. */
TEST_F_TIMEOUT(map, swap_fallback, 300)
{
	int order = khp_pmd_order();
	long before, events;
	char *p;

	if (swap_free_pages() < 2 * self->pmd)
		SKIP(return, "no swap");
	ASSERT_EQ(0, tmpfs_open(&self->t, "huge=always"));
	ASSERT_EQ(0, ftruncate(self->t.fd, 10 * self->page));
	p = map_file(self->t.fd, self->pmd * self->page);
	ASSERT_NE(MAP_FAILED, p);
	tmpfs_fill(p, 0, 10 * self->page);
	ASSERT_EQ(order, khp_order_at(p));
	before = tmpfs_stat(order, "swpout_fallback");
	events = tmpfs_stat(order, "swpout");
	ASSERT_EQ(0, madvise(p, self->pmd * self->page, MADV_PAGEOUT));
	EXPECT_EQ(before + 1, tmpfs_stat(order, "swpout_fallback"));
	EXPECT_EQ(events, tmpfs_stat(order, "swpout"));
	EXPECT_EQ(10 * self->page, tmpfs_differs(p, 0, 10 * self->page));
	EXPECT_EQ(10, tmpfs_pages(self->t.fd));
	munmap(p, self->pmd * self->page);
}

/*
 * One allocation fails after the other, wherever it is: a write either gives an
 * error or is done, and nothing is lost from the accounts.
 */
#define FAULT	"/sys/kernel/debug/fail_page_alloc/"

static int fail_nth(int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", n);
	return file_write("/proc/self/fail-nth", text);
}

TEST_F_TIMEOUT(map, failing_allocations, 300)
{
	size_t len = (self->pmd + 13) * self->page;
	char *from = malloc(len);
	int short_writes = 0;
	struct statvfs v;

	if (file_write(FAULT "min-order", "0") ||
	    file_write(FAULT "verbose", "0") ||
	    file_write(FAULT "ignore-gfp-wait", "N") ||
	    file_write(FAULT "ignore-gfp-highmem", "N"))
		SKIP(return, "no fault injection");
	ASSERT_EQ(0, tmpfs_open(&self->t, "huge=always,size=64M"));
	tmpfs_fill(from, self->page, len);
	for (int n = 1; n <= 40; n++) {
		ssize_t ret;

		ASSERT_EQ(0, ftruncate(self->t.fd, 0));
		ASSERT_EQ(0, fail_nth(n));
		ret = pwrite(self->t.fd, from, len, self->page);
		if (ret < 0) {
			EXPECT_EQ(ENOMEM, errno);
			ret = 0;
		}
		fail_nth(0);
		short_writes += ret < (ssize_t)len;
		EXPECT_TRUE(tmpfs_holds(self->t.fd, self->page, ret));
		EXPECT_LE((ret + self->page - 1) / self->page,
			  tmpfs_pages(self->t.fd));
	}
	TH_LOG("%d of 40 writes were short", short_writes);
	free(from);
	ASSERT_EQ(0, ftruncate(self->t.fd, 0));
	EXPECT_EQ(0, tmpfs_pages(self->t.fd));
	ASSERT_EQ(0, statvfs(self->t.dir, &v));
	EXPECT_EQ(v.f_blocks, v.f_bfree);
}

int main(int argc, char **argv)
{
	thp_guard_begin();
	return test_harness_run(argc, argv);
}
