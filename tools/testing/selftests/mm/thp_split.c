// SPDX-License-Identifier: GPL-2.0
/*
 * Folios that are split: on request, because part of them is unmapped, because
 * most of them is zeroes.  Contents stay, who shares them still does, and what
 * was counted comes back to where it was.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <time.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "../kselftest_harness.h"
#include "thp_guard.h"

#define SEED		5
#define SPLIT_FILE	"/sys/kernel/debug/split_huge_pages"
#define LIMIT		"shrink_underused_max_zero"

static int saved_limit;

static size_t huge(void)
{
	return read_pmd_pagesize();
}

static long pages(void)
{
	return huge() / psize();
}

/* One huge page of memory at an address, all zeroes; NULL: there is none. */
static char *one_huge_at(char *p)
{
	if (!p || mmap(p, huge(), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != p ||
	    madvise(p, huge(), MADV_HUGEPAGE))
		return NULL;
	*(volatile char *)p = 0;
	/* What is there stays; khugepaged is not to mend what was split. */
	if (madvise(p, huge(), MADV_NOHUGEPAGE))
		return NULL;
	return khp_order_at(p) == khp_pmd_order() ? p : NULL;
}

static char *one_huge(void)
{
	return one_huge_at(khp_reserve(huge()));
}

static int split_to(const char *p, int order)
{
	char text[80];

	snprintf(text, sizeof(text), "%d,0x%lx,0x%lx,%d", getpid(),
		 (unsigned long)p, (unsigned long)p + huge(), order);
	return file_write(SPLIT_FILE, text);
}

static long stat_of(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "hugepages-%zukB/stats/%s", huge() >> 10,
		 name);
	return thp_read_num(path);
}

static long vm_event(const char *field)
{
	return file_counter("/proc/vmstat", field);
}

/* What memory pressure does, without the pressure. */
static void shrink(void)
{
	file_write("/proc/sys/vm/drop_caches", "2");
}

static int set_limit(const char *text)
{
	return file_write(KHP_ROOT LIMIT, text);
}

static int set_limit_nr(long nr)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", nr);
	return set_limit(text);
}

FIXTURE(split) {
	char	*p;
	bool	has_limit;
};

FIXTURE_SETUP(split)
{
	thp_save_settings();
	khp_all_off();
	file_write(KHP_ROOT "shrink_underused", "0");
	ASSERT_EQ(0, khp_set_order(khp_pmd_order(), "enabled", "madvise"));
	self->has_limit = !access(KHP_ROOT LIMIT, W_OK);
	if (self->has_limit)
		saved_limit = thp_read_num(LIMIT);
	if (access(SPLIT_FILE, W_OK))
		SKIP(return, "no debugfs");
	self->p = one_huge();
	ASSERT_NE(NULL, self->p);
}

FIXTURE_TEARDOWN(split)
{
	munmap(self->p, huge());
	if (self->has_limit)
		set_limit_nr(saved_limit);
	file_write(KHP_ROOT "shrink_underused", "1");
	thp_restore_settings();
}

TEST_F_TIMEOUT(split, to_every_order, SLOW)
{
	long before = stat_of("split");

	for (int order = 0; order < khp_pmd_order(); order++) {
		if (order == 1)
			continue;
		khp_fill(self->p, pages(), SEED + order);
		ASSERT_EQ(khp_pmd_order(), khp_order_at(self->p));
		ASSERT_EQ(0, split_to(self->p, order));
		EXPECT_TRUE(khp_all_of_order(self->p, pages(), order))
			TH_LOG("order %d", order);
		EXPECT_TRUE(khp_holds(self->p, pages(), SEED + order));
		EXPECT_EQ(++before, stat_of("split"));
		/* Still writable, and each page its own. */
		khp_fill(self->p, pages(), SEED);
		EXPECT_TRUE(khp_holds(self->p, pages(), SEED));

		munmap(self->p, huge());
		self->p = one_huge();
		ASSERT_NE(NULL, self->p);
	}
}

/* A folio in pieces is split further, each of the pieces. */
TEST_F_TIMEOUT(split, again, SLOW)
{
	khp_fill(self->p, pages(), SEED);
	for (int order = khp_pmd_order() - 1; order != 1; order--) {
		ASSERT_EQ(0, split_to(self->p, order));
		EXPECT_TRUE(khp_all_of_order(self->p, pages(), order));
		EXPECT_TRUE(khp_holds(self->p, pages(), SEED));
	}
	ASSERT_EQ(0, split_to(self->p, 0));
	EXPECT_TRUE(khp_all_of_order(self->p, pages(), 0));
	EXPECT_TRUE(khp_holds(self->p, pages(), SEED));
}

/* Both processes have the pieces; a write of one is not seen by the other. */
TEST_F_TIMEOUT(split, shared, SLOW)
{
	int status, go[2];
	pid_t child;
	char c;

	khp_fill(self->p, pages(), SEED);
	ASSERT_EQ(0, pipe(go));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		bool good;

		close(go[1]);
		good = read(go[0], &c, 1) == 0 &&
		       khp_all_of_order(self->p, pages(), 2) &&
		       khp_holds(self->p, pages(), SEED);
		khp_fill(self->p, pages() / 2, SEED + 1);
		good = good && khp_holds(self->p, pages() / 2, SEED + 1);
		_exit(!good);
	}
	EXPECT_EQ(0, split_to(self->p, 2));
	close(go[0]);
	close(go[1]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(khp_holds(self->p, pages(), SEED));
}

/* A reference of somebody else: nothing happens, and nothing is lost. */
TEST_F_TIMEOUT(split, in_use, SLOW)
{
	struct iovec iov = { .iov_base = self->p, .iov_len = psize() };
	int fd[2];

	khp_fill(self->p, pages(), SEED);
	ASSERT_EQ(0, pipe(fd));
	ASSERT_EQ((ssize_t)psize(), vmsplice(fd[1], &iov, 1, 0));
	EXPECT_EQ(0, split_to(self->p, 0));
	EXPECT_TRUE(khp_all_of_order(self->p, pages(), khp_pmd_order()));
	EXPECT_TRUE(khp_holds(self->p, pages(), SEED));
	close(fd[0]);
	close(fd[1]);
	EXPECT_EQ(0, split_to(self->p, 0));
	EXPECT_TRUE(khp_all_of_order(self->p, pages(), 0));
	EXPECT_TRUE(khp_holds(self->p, pages(), SEED));
}

/* Every other page is gone; reclaim splits, and the counters come back. */
TEST_F_TIMEOUT(split, partly_mapped, SLOW)
{
	long deferred = stat_of("split_deferred");
	long partly = stat_of("nr_anon_partially_mapped");
	long split = stat_of("split");

	khp_fill(self->p, pages(), SEED);
	for (long i = 0; i < pages(); i += 2)
		ASSERT_EQ(0, madvise(self->p + i * psize(), psize(),
				     MADV_DONTNEED));
	EXPECT_EQ(deferred + 1, stat_of("split_deferred"));
	EXPECT_EQ(partly + 1, stat_of("nr_anon_partially_mapped"));
	shrink();
	EXPECT_EQ(split + 1, stat_of("split"));
	EXPECT_EQ(partly, stat_of("nr_anon_partially_mapped"));
	for (long i = 0; i < pages(); i++) {
		EXPECT_EQ(i % 2 ? 0 : -1, khp_order_at(self->p + i * psize()));
		if (i % 2)
			EXPECT_TRUE(khp_page_holds(self->p, SEED, i));
	}
}

/* Freed before reclaim comes: counted no more. */
TEST_F_TIMEOUT(split, partly_mapped_then_freed, SLOW)
{
	long partly = stat_of("nr_anon_partially_mapped");
	long anon = stat_of("nr_anon");

	khp_fill(self->p, pages(), SEED);
	ASSERT_EQ(0, madvise(self->p, psize(), MADV_DONTNEED));
	EXPECT_EQ(partly + 1, stat_of("nr_anon_partially_mapped"));
	ASSERT_EQ(0, madvise(self->p, huge(), MADV_DONTNEED));
	EXPECT_EQ(partly, stat_of("nr_anon_partially_mapped"));
	EXPECT_EQ(anon - 1, stat_of("nr_anon"));
}

/* Reclaim cannot split it now, but it does not forget it. */
TEST_F_TIMEOUT(split, partly_mapped_in_use, SLOW)
{
	struct iovec iov = { .iov_base = self->p + psize(), .iov_len = psize() };
	long partly = stat_of("nr_anon_partially_mapped");
	int fd[2];

	khp_fill(self->p, pages(), SEED);
	ASSERT_EQ(0, pipe(fd));
	ASSERT_EQ((ssize_t)psize(), vmsplice(fd[1], &iov, 1, 0));
	ASSERT_EQ(0, madvise(self->p, psize(), MADV_DONTNEED));
	shrink();
	EXPECT_EQ(khp_pmd_order(), khp_order_at(self->p + psize()));
	EXPECT_EQ(partly + 1, stat_of("nr_anon_partially_mapped"));
	close(fd[0]);
	close(fd[1]);
	shrink();
	EXPECT_EQ(0, khp_order_at(self->p + psize()));
	EXPECT_EQ(partly, stat_of("nr_anon_partially_mapped"));
}

/* On request, zeroes need no memory any more; in locked memory they do. */
TEST_F_TIMEOUT(split, zeroes, SLOW)
{
	unsigned long rss;

	for (long i = 0; i < pages() / 2; i++)
		khp_fill_page(self->p, SEED, i);
	rss = rss_anon();
	ASSERT_EQ(0, split_to(self->p, 0));
	EXPECT_EQ(rss - (huge() >> 11), rss_anon());
	EXPECT_TRUE(khp_holds(self->p, pages() / 2, SEED));
	for (long i = pages() / 2; i < pages(); i++)
		EXPECT_TRUE(khp_page_zero(self->p, i));
	khp_fill(self->p, pages(), SEED);
	EXPECT_TRUE(khp_holds(self->p, pages(), SEED));
}

TEST_F_TIMEOUT(split, zeroes_locked, SLOW)
{
	unsigned long rss;

	if (mlock(self->p, huge()))
		SKIP(return, "mlock");
	rss = rss_anon();
	ASSERT_EQ(0, split_to(self->p, 0));
	EXPECT_EQ(rss, rss_anon());
	EXPECT_TRUE(khp_all_of_order(self->p, pages(), 0));
}

TEST_F_TIMEOUT(split, limit_values, SLOW)
{
	if (!self->has_limit)
		SKIP(return, "no such knob");
	ASSERT_EQ(0, set_limit("7"));
	EXPECT_EQ(EINVAL, set_limit("-1"));
	EXPECT_EQ(EINVAL, set_limit("x"));
	EXPECT_EQ(EINVAL, set_limit("\n"));
	EXPECT_EQ(EINVAL, set_limit_nr(pages()));
	EXPECT_EQ(7, thp_read_num(LIMIT));
	EXPECT_EQ(0, set_limit("0"));
	EXPECT_EQ(0, set_limit_nr(pages() - 1));
	EXPECT_EQ(pages() - 1, thp_read_num(LIMIT));
}

/* Returns whether reclaim splits a huge page with so many pages of zeroes. */
static bool split_with(struct __test_metadata *_metadata, long zeroes)
{
	char *p = one_huge();
	bool split;

	ASSERT_NE(NULL, p);
	for (long i = zeroes; i < pages(); i++)
		khp_fill_page(p, SEED, i);
	shrink();
	split = khp_order_at(p + huge() - psize()) == 0;
	for (long i = 0; i < pages(); i++)
		EXPECT_TRUE(i < zeroes ? khp_page_zero(p, i) :
					 khp_page_holds(p, SEED, i));
	munmap(p, huge());
	return split;
}

/* As it comes: four of five pages, whatever khugepaged may do. */
TEST_F_TIMEOUT(split, underused, SLOW)
{
	long events = vm_event("thp_underused_split_page");
	long limit;

	if (!self->has_limit)
		SKIP(return, "no such knob");
	EXPECT_EQ(pages() * 4 / 5, saved_limit);
	file_write(KHP_ROOT "shrink_underused", "1");
	ASSERT_EQ(pages() - 1, thp_read_num("khugepaged/max_ptes_none"));

	limit = saved_limit;
	EXPECT_FALSE(split_with(_metadata, limit));
	EXPECT_TRUE(split_with(_metadata, limit + 1));
	EXPECT_EQ(events + 1, vm_event("thp_underused_split_page"));

	ASSERT_EQ(0, set_limit("10"));
	EXPECT_FALSE(split_with(_metadata, 10));
	EXPECT_TRUE(split_with(_metadata, 11));

	file_write(KHP_ROOT "shrink_underused", "0");
	EXPECT_FALSE(split_with(_metadata, pages() - 1));
}

/* khugepaged does not make again what reclaim has split, until there is use. */
TEST_F_TIMEOUT(split, underused_stays_split, SLOW)
{
	long limit, events = vm_event("thp_underused_split_page");
	char *p;

	if (!self->has_limit)
		SKIP(return, "no such knob");
	limit = saved_limit;
	file_write(KHP_ROOT "shrink_underused", "1");
	p = one_huge();
	ASSERT_NE(NULL, p);
	for (long i = limit + 1; i < pages(); i++)
		khp_fill_page(p, SEED, i);
	shrink();
	ASSERT_EQ(events + 1, vm_event("thp_underused_split_page"));

	ASSERT_EQ(0, madvise(p, huge(), MADV_HUGEPAGE));
	for (int pass = 0; pass < 3; pass++) {
		khp_touch(p, pages());
		ASSERT_TRUE(khp_passes(1));
	}
	EXPECT_EQ(0, khp_order_at(p + huge() - psize()));

	/* One zero page less. */
	khp_fill_page(p, SEED, limit);
	for (int pass = 0; pass < 20; pass++) {
		khp_touch(p, pages());
		ASSERT_TRUE(khp_passes(1));
		if (khp_order_at(p) == khp_pmd_order())
			break;
	}
	EXPECT_EQ(khp_pmd_order(), khp_order_at(p));
	for (long i = limit; i < pages(); i++)
		EXPECT_TRUE(khp_page_holds(p, SEED, i));
	munmap(p, huge());
}

/* Of everybody.  What each CPU has counted on its own is added up before. */
static long page_tables(void)
{
	file_write("/proc/sys/vm/stat_refresh", "1");
	return vm_event("nr_page_table_pages");
}

/*
 * No folio and no page table is left over.  A quarter of the rounds is split into
 * large pieces: if these lost a table each, there would be n / 4 more.
 */
TEST_F_TIMEOUT(split, cycles, SLOW)
{
	long partly = stat_of("nr_anon_partially_mapped");
	long tables = page_tables(), anon = stat_of("nr_anon");
	time_t end = time(NULL) + 15;
	char *p = self->p;
	int n;

	for (n = 0; n < 2000 && (n < 128 || time(NULL) < end); n++) {
		ASSERT_EQ(p, one_huge_at(p));
		p[huge() - 1] = 1;
		if (n & 1)
			ASSERT_EQ(0, split_to(p, n & 2 ? 4 : 0));
		if (n & 4)
			ASSERT_EQ(0, munmap(p, huge() / 2));
		ASSERT_EQ(0, munmap(p, huge()));
	}
	TH_LOG("%d rounds", n);
	for (int i = 0; i < 50 && page_tables() >= tables + n / 8; i++)
		usleep(100000);
	/* The fixture had one at the start. */
	anon--;
	EXPECT_EQ(anon, stat_of("nr_anon"));
	EXPECT_EQ(partly, stat_of("nr_anon_partially_mapped"));
	EXPECT_GT(tables + n / 8, page_tables());
}

/* What cannot be a request is refused. */
TEST_F_TIMEOUT(split, bad_requests, SLOW)
{
	static const char *const bad[] = {
		"", "x", "2", "0", "/", "/tmp", "1,", "1,0x0", "1,0,0",
		"1,0x0,0x1000,-1", "x,0x0,0x1000", "/tmp,0x0",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (*bad[i])
			EXPECT_NE(0, file_write(SPLIT_FILE, bad[i]))
				TH_LOG("'%s'", bad[i]);
	}
	EXPECT_EQ(ESRCH, file_write(SPLIT_FILE, "4194303,0x0,0x1000"));
	EXPECT_EQ(ENOENT, file_write(SPLIT_FILE, "/nowhere,0x0,0x1"));
	EXPECT_EQ(khp_pmd_order(), khp_order_at(self->p));
}

int main(int argc, char **argv)
{
	thp_guard_begin();
	return test_harness_run(argc, argv);
}
