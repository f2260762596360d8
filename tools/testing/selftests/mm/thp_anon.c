// SPDX-License-Identifier: GPL-2.0
/*
 * Anonymous memory mapped by huge entries: what a write to zeroes gets, whose a
 * page is after fork(), that it moves in one piece, and what becomes of it when
 * it is given away.
 */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/wait.h>
#include "../kselftest_harness.h"
#include "thp_guard.h"

#define KPF_ZERO_PAGE	24
#define PATTERN		0x5a

FIXTURE(anon) {
	size_t size;		/* of a huge page */
	long nr;		/* base pages in it */
	char *area;
	char *p;		/* a huge page in it, mapping of its own */
	int order;
};

/* khugepaged must not repair what a test takes apart. */
FIXTURE_SETUP(anon)
{
	if (geteuid() || !khp_has_order(khp_pmd_order(), "enabled"))
		SKIP(return, "no huge pages, or not root");

	thp_save_settings();
	khp_all_off();
	khp_set("scan_sleep_millisecs", 3600000);
	/* It looks around once when it hears of our memory, sooner or later. */
	khp_set("max_ptes_none", 0);
	self->order = khp_pmd_order();
	self->nr = 1L << self->order;
	self->size = self->nr * psize();
	ASSERT_EQ(0, file_write(KHP_ROOT "use_zero_page", "1"));
	ASSERT_EQ(0, khp_set_order(self->order, "enabled", "always"));

	self->area = mmap(NULL, 4 * self->size, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	self->p = (char *)(((uintptr_t)self->area / self->size + 2) *
			   self->size);
	ASSERT_EQ(0, mprotect(self->p, self->size, PROT_READ | PROT_WRITE));
}

FIXTURE_TEARDOWN(anon)
{
	if (!self->size)
		return;
	munmap(self->area, 4 * self->size);
	thp_restore_settings();
}

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

static bool is_zero_page(const char *p)
{
	uint64_t entry = khp_pagemap(p);

	return (entry & PM_PRESENT) &&
	       (khp_kpageflags(PAGEMAP_PFN(entry)) & BIT_ULL(KPF_ZERO_PAGE));
}

/* How many bytes are not what they should be? */
static size_t wrong(const char *p, size_t len, char want)
{
	size_t bad = 0;

	for (size_t i = 0; i < len; i++)
		bad += p[i] != want;
	return bad;
}

/* What each CPU may hold back of RssAnon, in kB; a huge page is far more. */
#define HELD_BACK	((long)(64 * psize()) >> 10)

/* kB, of a field of /proc/self/status */
static long own_kb(const char *field)
{
	char line[256];
	size_t n = strlen(field);
	long v = -1;
	FILE *f = fopen("/proc/self/status", "r");

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, field, n) && line[n] == ':')
			v = atol(line + n + 1);
	fclose(f);
	return v;
}

/* What wait() says of a child that does this: 0 is good. */
#define CHILD(_statement)						\
({									\
	pid_t _pid = fork();						\
	int _status = -1;						\
									\
	if (!_pid) {							\
		_statement;						\
		_exit(0);						\
	}								\
	if (_pid > 0)							\
		waitpid(_pid, &_status, 0);				\
	_status;							\
})

TEST_F_TIMEOUT(anon, zero_write_is_huge, SLOW)
{
	char *p = self->p;
	long before;

	khp_touch(p, 1);
	ASSERT_TRUE(is_zero_page(p));
	ASSERT_TRUE(is_zero_page(p + self->size - psize()));

	before = faults();
	p[self->size / 2 + 1] = PATTERN;
	for (long i = 0; i < self->nr; i++)
		((volatile char *)p)[i * psize()] = 0;
	EXPECT_EQ(1, faults() - before);

	EXPECT_EQ(self->order, khp_order_at(p));
	EXPECT_TRUE(check_huge_anon(p, 1, self->size));
	EXPECT_FALSE(is_zero_page(p));
	EXPECT_EQ(1, wrong(p, self->size, 0));
	EXPECT_EQ(PATTERN, p[self->size / 2 + 1]);
}

/* Enabled no longer: the page written to, and zeroes everywhere else. */
TEST_F_TIMEOUT(anon, zero_write_is_small, SLOW)
{
	char *p = self->p;

	khp_touch(p, 1);
	ASSERT_TRUE(is_zero_page(p));
	ASSERT_EQ(0, khp_set_order(self->order, "enabled", "never"));
	p[psize()] = PATTERN;

	EXPECT_EQ(0, khp_order_at(p + psize()));
	EXPECT_FALSE(is_zero_page(p + psize()));
	EXPECT_TRUE(is_zero_page(p));
	EXPECT_TRUE(is_zero_page(p + self->size - psize()));
	EXPECT_EQ(1, wrong(p, self->size, 0));
}

/* Runs in a child, after its parent has written. */
static int zero_child(char *p, size_t size)
{
	if (wrong(p, size, 0))
		return 1;
	p[1] = PATTERN;
	return check_huge_anon(p, 1, size) ? 0 : 2;
}

TEST_F_TIMEOUT(anon, zero_write_after_fork, SLOW)
{
	char *p = self->p, c = 0;
	int go[2], status;
	pid_t pid;

	ASSERT_EQ(0, pipe(go));
	khp_touch(p, 1);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(read(go[0], &c, 1) == 1 ?
		      zero_child(p, self->size) : 3);
	p[0] = PATTERN;
	EXPECT_EQ(1, write(go[1], &c, 1));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(PATTERN, p[0]);
	EXPECT_EQ(1, wrong(p, self->size, 0));
	EXPECT_TRUE(check_huge_anon(p, 1, self->size));
	close(go[0]);
	close(go[1]);
}

/* The child is gone: whoever stays has the page for himself. */
TEST_F_TIMEOUT(anon, fork_then_reuse, SLOW)
{
	char *p = self->p;
	uint64_t pfn;

	memset(p, PATTERN, self->size);
	ASSERT_TRUE(check_huge_anon(p, 1, self->size));
	pfn = PAGEMAP_PFN(khp_pagemap(p));

	EXPECT_EQ(0, CHILD(_exit(!!wrong(p, self->size, PATTERN))));
	p[0] = 1;
	EXPECT_EQ(pfn, PAGEMAP_PFN(khp_pagemap(p)));
	EXPECT_TRUE(check_huge_anon(p, 1, self->size));
	EXPECT_EQ(0, wrong(p + 1, self->size - 1, PATTERN));
}

/* The child is there: each has its own, and neither sees the other's. */
TEST_F_TIMEOUT(anon, fork_then_write, SLOW)
{
	long rss = own_kb("RssAnon");
	char *p = self->p;

	memset(p, PATTERN, self->size);
	ASSERT_TRUE(check_huge_anon(p, 1, self->size));
	EXPECT_LE((long)(self->size >> 10) - HELD_BACK,
		  own_kb("RssAnon") - rss);

	EXPECT_EQ(0, CHILD({
		p[psize()] = 1;
		if (wrong(p, psize(), PATTERN) || p[psize()] != 1 ||
		    wrong(p + psize() + 1, self->size - psize() - 1, PATTERN))
			_exit(1);
		munmap(p, self->size);
		if (own_kb("RssAnon") >= rss + (long)(self->size >> 11))
			_exit(2);
	}));
	EXPECT_EQ(0, wrong(p, self->size, PATTERN));
	EXPECT_TRUE(check_huge_anon(p, 1, self->size));
}

TEST_F_TIMEOUT(anon, mremap_stays_huge, SLOW)
{
	char *from = self->p, *to = self->p - self->size;
	long before, tables;
	uint64_t pfn;

	memset(from, PATTERN, self->size);
	ASSERT_TRUE(check_huge_anon(from, 1, self->size));
	pfn = PAGEMAP_PFN(khp_pagemap(from));
	tables = own_kb("VmPTE");

	ASSERT_EQ(to, mremap(from, self->size, self->size,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	before = faults();
	EXPECT_EQ(0, wrong(to, self->size, PATTERN));
	EXPECT_EQ(0, faults() - before);
	EXPECT_EQ(pfn, PAGEMAP_PFN(khp_pagemap(to)));
	EXPECT_TRUE(check_huge_anon(to, 1, self->size));
	EXPECT_EQ(tables, own_kb("VmPTE"));
}

/* Reclaim takes what was given away and not written to since. */
TEST_F_TIMEOUT(anon, lazyfree, SLOW)
{
	char *p = self->p, *q = self->p - self->size;

	ASSERT_EQ(0, mprotect(q, self->size, PROT_READ | PROT_WRITE));
	memset(p, PATTERN, self->size);
	memset(q, PATTERN, self->size);
	ASSERT_TRUE(check_huge_anon(q, 2, self->size));
	ASSERT_EQ(0, madvise(q, 2 * self->size, MADV_FREE));
	EXPECT_TRUE(check_huge_anon(q, 2, self->size));
	p[0] = 1;

	ASSERT_EQ(0, madvise(q, 2 * self->size, MADV_PAGEOUT));
	EXPECT_EQ(0, khp_count_mapped(q, self->nr));
	EXPECT_EQ(0, wrong(q, self->size, 0));
	EXPECT_EQ(1, p[0]);
}

/* Half of a huge page: the other half has to be kept. */
TEST_F_TIMEOUT(anon, lazyfree_part, SLOW)
{
	size_t half = self->size / 2;
	char *p = self->p;

	memset(p, PATTERN, self->size);
	ASSERT_TRUE(check_huge_anon(p, 1, self->size));
	/* All pages stay mapped: khugepaged would take them for its own. */
	ASSERT_EQ(0, madvise(p, self->size, MADV_NOHUGEPAGE));
	/* What somebody has a reference to for a moment is left alone. */
	for (int i = 0; i < 50 && khp_order_at(p) == self->order; i++) {
		ASSERT_EQ(0, madvise(p, half, MADV_FREE));
		usleep(10000);
	}
	EXPECT_EQ(0, wrong(p + half, half, PATTERN));
	EXPECT_GT(self->order, khp_order_at(p));

	ASSERT_EQ(0, madvise(p, half, MADV_PAGEOUT));
	EXPECT_EQ(0, khp_count_mapped(p, self->nr / 2));
	EXPECT_EQ(0, wrong(p, half, 0));
	EXPECT_EQ(0, wrong(p + half, half, PATTERN));
}

int main(int argc, char **argv)
{
	thp_guard_begin();
	return test_harness_run(argc, argv);
}
