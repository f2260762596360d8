// SPDX-License-Identifier: GPL-2.0
/*
 * Memory errors in huge pages: who hears of them, what stays readable, what
 * becomes of the page and of the pool's counters.  Errors are injected by
 * madvise(2) and debugfs.
 *
 * Bad base pages are lost until unpoisoned; the tests give most of them back.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "../kselftest_harness.h"
#include "hugetlb_test.h"

#define POOL		8
#define HUGE_SHIFT	21
#define INJECT		"/sys/kernel/debug/hwpoison/corrupt-pfn"
#define UNPOISON	"/sys/kernel/debug/hwpoison/unpoison-pfn"

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif

/* ---- SIGBUS ---- */

static sigjmp_buf bus_env;
static volatile bool bus_jump;
static volatile int bus_code;
static volatile int bus_lsb;
static void * volatile bus_addr;

static void bus_note(int sig, siginfo_t *info, void *context)
{
	bus_code = info->si_code;
	bus_addr = info->si_addr;
	bus_lsb = info->si_addr_lsb;
	if (bus_jump)
		siglongjmp(bus_env, 1);
}

/* What SIGBUS says when a byte is read: BUS_*, or 0 without one. */
static int read_bus(volatile char *p)
{
	bus_code = 0;
	bus_jump = true;
	if (!sigsetjmp(bus_env, 1))
		(void)*p;
	bus_jump = false;
	return bus_code;
}

/* ---- errors ---- */

/* An error as if we had just read the byte; 0 or an errno. */
static int inject(char *p)
{
	bus_code = 0;
	return madvise(p, getpagesize(), MADV_HWPOISON) ? errno : 0;
}

/* An error that nobody ran into yet. */
static int corrupt(long pfn)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", pfn);
	return file_write(INJECT, text);
}

static int unpoison(long pfn)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", pfn);
	return file_write(UNPOISON, text);
}

static long corrupted_kb(void)
{
	return file_sum("/proc/meminfo", "HardwareCorrupted: %ld");
}

/* ---- memory ---- */

static char *map(long n, int flags, int fd)
{
	if (fd < 0)
		flags |= MAP_ANONYMOUS | MAP_HUGETLB;
	return mmap(NULL, n * SZ_HUGE, PROT_READ | PROT_WRITE, flags, fd, 0);
}

static void fill(char *p, long n)
{
	for (long i = 0; i < n; i++)
		memset(p + i * SZ_HUGE, i + 1, SZ_HUGE);
}

static bool filled(const char *p, long i)
{
	for (size_t k = 0; k < SZ_HUGE; k += 4096) {
		if (p[i * SZ_HUGE + k] != (char)(i + 1))
			return false;
	}
	return true;
}

/* A base page in the middle of a huge page that is free now. */
static long free_pfn(void)
{
	char *p = map(1, MAP_PRIVATE, -1);
	long pfn;

	if (p == MAP_FAILED)
		return -1;
	p[0] = 1;
	pfn = huge_pfn(p + SZ_HUGE / 2);
	munmap(p, SZ_HUGE);
	huge_counts_settled(SZ_HUGE, POOL);
	return pfn;
}

FIXTURE(poison) {
	int fd;
	long kb;
};

FIXTURE_SETUP(poison)
{
	struct sigaction sa = {
		.sa_sigaction = bus_note,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	if (access(INJECT, W_OK))
		SKIP(return, "no " INJECT);
	ASSERT_EQ(0, huge_pool_exact(POOL));
	self->fd = memfd_create("poison", MFD_HUGETLB);
	ASSERT_GE(self->fd, 0);
	self->kb = corrupted_kb();
	sigaction(SIGBUS, &sa, NULL);
}

FIXTURE_TEARDOWN(poison)
{
	struct huge_counts c;

	close(self->fd);
	c = huge_counts_settled(SZ_HUGE, huge_get(SZ_HUGE, "nr_hugepages"));
	EXPECT_EQ(c.total, c.free);
	EXPECT_EQ(0, c.resv);
	EXPECT_EQ(0, c.surplus);
	EXPECT_EQ(0, huge_pool_exact(0));
}

/* ---- a page in use ---- */

/* The file keeps the page, so that nobody takes zeros for data. */
TEST_F(poison, page_of_a_file)
{
	int to_child[2], to_parent[2], status;
	char *p, *q, c = 0;
	long pfn;

	ASSERT_EQ(0, ftruncate(self->fd, 2 * SZ_HUGE));
	p = map(2, MAP_SHARED, self->fd);
	ASSERT_NE(MAP_FAILED, p);
	fill(p, 2);
	pfn = huge_pfn(p);
	ASSERT_EQ(0, pipe(to_child));
	ASSERT_EQ(0, pipe(to_parent));
	if (fork() == 0) {
		c = p[0];
		if (write(to_parent[1], &c, 1) != 1 ||
		    read(to_child[0], &c, 1) != 1 || !filled(p, 1))
			_exit(99);
		_exit(read_bus(p));
	}
	close(to_parent[1]);
	ASSERT_EQ(1, read(to_parent[0], &c, 1));

	/* madvise(2) speaks for a task that ran into the error */
	EXPECT_EQ(0, inject(p + SZ_HUGE / 2));
	EXPECT_EQ(BUS_MCEERR_AR, bus_code);
	EXPECT_EQ(p + SZ_HUGE / 2, bus_addr);
	EXPECT_EQ(HUGE_SHIFT, bus_lsb);
	EXPECT_EQ(PF_HUGE | PF_HWPOISON,
		  huge_pfn_flags(pfn) & (PF_HUGE | PF_HWPOISON));
	EXPECT_EQ(self->kb + 4, corrupted_kb());
	EXPECT_EQ(EBUSY, unpoison(pfn + SZ_HUGE / 2 / getpagesize()));

	EXPECT_EQ(BUS_MCEERR_AR, read_bus(p));
	EXPECT_EQ(HUGE_SHIFT, bus_lsb);
	EXPECT_TRUE(filled(p, 1));
	q = map(2, MAP_SHARED, self->fd);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_EQ(BUS_MCEERR_AR, read_bus(q));
	EXPECT_EQ(0, read_bus(q + SZ_HUGE));
	EXPECT_EQ(1, write(to_child[1], "x", 1));
	wait(&status);
	EXPECT_EQ(BUS_MCEERR_AR, WEXITSTATUS(status));
	munmap(p, 2 * SZ_HUGE);
	munmap(q, 2 * SZ_HUGE);
}

static void early_bus(int sig, siginfo_t *info, void *context)
{
	_exit(info->si_code);
}

/* Who asked for it is told at once, the others when they touch the page. */
TEST_F(poison, early_kill)
{
	struct sigaction sa = {
		.sa_sigaction = early_bus, .sa_flags = SA_SIGINFO,
	};
	int to_parent[2], status;
	char *p, c;

	ASSERT_EQ(0, ftruncate(self->fd, SZ_HUGE));
	p = map(1, MAP_SHARED, self->fd);
	ASSERT_NE(MAP_FAILED, p);
	fill(p, 1);
	ASSERT_EQ(0, pipe(to_parent));
	if (fork() == 0) {
		sigaction(SIGBUS, &sa, NULL);
		prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
		c = p[0];
		if (write(to_parent[1], &c, 1) != 1)
			_exit(99);
		sleep(120);
		_exit(98);
	}
	ASSERT_EQ(1, read(to_parent[0], &c, 1));
	bus_code = 0;
	EXPECT_EQ(0, corrupt(huge_pfn(p)));
	EXPECT_EQ(0, bus_code);
	wait(&status);
	EXPECT_EQ(BUS_MCEERR_AO, WEXITSTATUS(status));
	EXPECT_EQ(BUS_MCEERR_AR, read_bus(p));
	munmap(p, SZ_HUGE);
}

/* Nobody needs a private page any more: all of it but the bad part is freed. */
TEST_F(poison, private_page)
{
	char *p = map(2, MAP_PRIVATE, -1);
	long pfn;

	ASSERT_NE(MAP_FAILED, p);
	fill(p, 2);
	pfn = huge_pfn(p + SZ_HUGE / 2);
	EXPECT_EQ(0, inject(p + SZ_HUGE / 2));
	EXPECT_EQ(BUS_MCEERR_AR, bus_code);
	EXPECT_COUNTS(SZ_HUGE, POOL - 1, POOL - 2, 0, 0);
	EXPECT_EQ(PF_HWPOISON,
		  huge_pfn_flags(pfn) & (PF_HUGE | PF_HWPOISON));
	EXPECT_EQ(0, huge_pfn_flags(pfn - 1) & PF_HWPOISON);
	EXPECT_EQ(self->kb + 4, corrupted_kb());

	EXPECT_EQ(BUS_MCEERR_AR, read_bus(p));
	EXPECT_TRUE(filled(p, 1));
	/* the data are given up: a fresh page may come */
	EXPECT_EQ(0, madvise(p, SZ_HUGE, MADV_DONTNEED));
	EXPECT_EQ(0, read_bus(p));
	EXPECT_EQ(0, p[SZ_HUGE / 2]);
	munmap(p, 2 * SZ_HUGE);
	EXPECT_COUNTS(SZ_HUGE, POOL - 1, POOL - 1, 0, 0);

	EXPECT_EQ(0, unpoison(pfn));
	EXPECT_EQ(0, huge_pfn_flags(pfn) & PF_HWPOISON);
	EXPECT_EQ(self->kb, corrupted_kb());
}

/* Parent and child still have the page in common. */
TEST_F(poison, private_page_after_fork)
{
	char *p = map(1, MAP_PRIVATE, -1);
	int to_child[2], status;
	long pfn;
	char c;

	ASSERT_NE(MAP_FAILED, p);
	fill(p, 1);
	pfn = huge_pfn(p + 4096);
	ASSERT_EQ(0, pipe(to_child));
	if (fork() == 0) {
		if (read(to_child[0], &c, 1) != 1)
			_exit(99);
		_exit(read_bus(p));
	}
	EXPECT_EQ(0, inject(p + 4096));
	EXPECT_EQ(1, write(to_child[1], "x", 1));
	wait(&status);
	EXPECT_EQ(BUS_MCEERR_AR, WEXITSTATUS(status));
	EXPECT_EQ(BUS_MCEERR_AR, read_bus(p));
	EXPECT_COUNTS(SZ_HUGE, POOL - 1, POOL - 1, 0, 0);
	munmap(p, SZ_HUGE);
	EXPECT_EQ(0, unpoison(pfn));
}

/* An entry that stands for an error stays one, whatever happens around it. */
static void verbs(struct __test_metadata *_metadata, int flags, int fd)
{
	char *p = map(3, flags, fd), *to = map(3, MAP_PRIVATE, -1), buf[16];
	struct iovec here = { buf, sizeof(buf) }, there = { NULL, sizeof(buf) };
	int status;

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, to);
	fill(p, 3);
	EXPECT_EQ(0, inject(p + SZ_HUGE));
	if (fork() == 0)
		_exit(filled(p, 0) && filled(p, 2) ? read_bus(p + SZ_HUGE) : 99);
	wait(&status);
	EXPECT_EQ(BUS_MCEERR_AR, WEXITSTATUS(status));

	EXPECT_EQ(0, mprotect(p, 3 * SZ_HUGE, PROT_READ));
	EXPECT_EQ(0, mprotect(p, 3 * SZ_HUGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(BUS_MCEERR_AR, read_bus(p + SZ_HUGE));
	EXPECT_EQ(to, mremap(p, 3 * SZ_HUGE, 3 * SZ_HUGE,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_EQ(BUS_MCEERR_AR, read_bus(to + SZ_HUGE));
	EXPECT_TRUE(filled(to, 0));
	EXPECT_TRUE(filled(to, 2));

	EXPECT_EQ(-1, madvise(to, 3 * SZ_HUGE, MADV_POPULATE_READ));
	EXPECT_EQ(EHWPOISON, errno);
	there.iov_base = to + SZ_HUGE;
	EXPECT_EQ(-1, process_vm_readv(getpid(), &here, 1, &there, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	munmap(to, 3 * SZ_HUGE);
}

TEST_F(poison, verbs_of_a_private_mapping)
{
	verbs(_metadata, MAP_PRIVATE, -1);
}

TEST_F(poison, verbs_of_a_shared_mapping)
{
	ASSERT_EQ(0, ftruncate(self->fd, 3 * SZ_HUGE));
	verbs(_metadata, MAP_SHARED, self->fd);
}

/* ---- read(2) ---- */

TEST_F(poison, read_stops_at_the_bad_page)
{
	const long bad = SZ_HUGE + 5 * 4096;
	char *p, *buf = malloc(2 * SZ_HUGE);
	long pfn;

	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, ftruncate(self->fd, 2 * SZ_HUGE));
	p = map(2, MAP_SHARED, self->fd);
	ASSERT_NE(MAP_FAILED, p);
	fill(p, 2);
	pfn = huge_pfn(p + SZ_HUGE);
	ASSERT_EQ(0, inject(p + bad));
	/* across a page that is sound, from there, from within, at the error */
	EXPECT_EQ(bad, pread(self->fd, buf, 2 * SZ_HUGE, 0));
	EXPECT_EQ(1, buf[0]);
	EXPECT_EQ(2, buf[bad - 1]);
	EXPECT_EQ(5 * 4096, pread(self->fd, buf, SZ_HUGE, SZ_HUGE));
	EXPECT_EQ(1, pread(self->fd, buf, 4096, bad - 1));
	EXPECT_EQ(-1, pread(self->fd, buf, 4096, bad));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, pread(self->fd, buf, 1, bad + 4095));
	EXPECT_EQ(EIO, errno);
	/* behind it */
	EXPECT_EQ((long)SZ_HUGE - 6 * 4096,
		  pread(self->fd, buf, SZ_HUGE, bad + 4096));
	EXPECT_EQ(2, buf[0]);

	/* a second error in the same huge page */
	EXPECT_EQ(EHWPOISON, corrupt(pfn + 2));
	EXPECT_EQ(2 * 4096, pread(self->fd, buf, SZ_HUGE, SZ_HUGE));
	EXPECT_EQ(2 * 4096, pread(self->fd, buf, SZ_HUGE, SZ_HUGE + 3 * 4096));
	EXPECT_EQ(self->kb + 8, corrupted_kb());
	munmap(p, 2 * SZ_HUGE);
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	ASSERT_EQ(0, huge_pool_exact(0));
	EXPECT_EQ(PF_HWPOISON, huge_pfn_flags(pfn + 2) & PF_HWPOISON);
	EXPECT_EQ(PF_HWPOISON, huge_pfn_flags(pfn + 5) & PF_HWPOISON);
	EXPECT_EQ(0, huge_pfn_flags(pfn) & PF_HWPOISON);
	EXPECT_EQ(0, unpoison(pfn + 2));
	EXPECT_EQ(0, unpoison(pfn + 5));
	EXPECT_EQ(self->kb, corrupted_kb());
	free(buf);
}

/* ---- the pool ---- */

/* Linux 6.12 as released goes on promising the page to others. */
TEST_F(poison, page_that_its_file_gives_up)
{
	long pfn;
	char *p;

	ASSERT_EQ(0, ftruncate(self->fd, SZ_HUGE));
	p = map(1, MAP_SHARED, self->fd);
	ASSERT_NE(MAP_FAILED, p);
	fill(p, 1);
	pfn = huge_pfn(p);
	ASSERT_EQ(0, inject(p));
	munmap(p, SZ_HUGE);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 1, 0, 0);
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	EXPECT_COUNTS(SZ_HUGE, POOL - 1, POOL - 1, 0, 0);

	EXPECT_EQ(MAP_FAILED, map(POOL, MAP_PRIVATE, -1));
	EXPECT_EQ(ENOMEM, errno);
	p = map(POOL - 1, MAP_PRIVATE, -1);
	ASSERT_NE(MAP_FAILED, p);
	for (int i = 0; i < POOL - 1; i++)
		EXPECT_TRUE(huge_store(p + i * SZ_HUGE, 1));
	munmap(p, (POOL - 1) * SZ_HUGE);
	EXPECT_EQ(0, unpoison(pfn));
}

TEST_F(poison, free_page)
{
	long pfn = free_pfn();

	ASSERT_GT(pfn, 0);
	EXPECT_EQ(0, corrupt(pfn));
	EXPECT_COUNTS(SZ_HUGE, POOL - 1, POOL - 1, 0, 0);
	EXPECT_EQ(PF_HWPOISON,
		  huge_pfn_flags(pfn) & (PF_HUGE | PF_HWPOISON));
	EXPECT_EQ(0, huge_pfn_flags(pfn + 1) & PF_HWPOISON);
	EXPECT_EQ(0, unpoison(pfn));
	EXPECT_EQ(0, huge_pfn_flags(pfn) & PF_HWPOISON);
}

/* It stays while its absence would break a promise, but nobody gets it. */
TEST_F(poison, free_page_that_is_promised)
{
	long pfn = free_pfn();
	char *p = map(POOL, MAP_PRIVATE, -1);

	ASSERT_GT(pfn, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(EBUSY, corrupt(pfn));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, POOL, 0);
	for (int i = 0; i < POOL - 1; i++)
		EXPECT_TRUE(huge_store(p + i * SZ_HUGE, 1));
	EXPECT_COUNTS(SZ_HUGE, POOL, 1, 1, 0);
	EXPECT_EQ(PF_HUGE | PF_HWPOISON,
		  huge_pfn_flags(pfn) & (PF_HUGE | PF_HWPOISON));
	munmap(p, POOL * SZ_HUGE);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);

	/* While the page is huge, its head has the mark. */
	EXPECT_EQ(0, unpoison(pfn & ~(SZ_HUGE / getpagesize() - 1)));
	p = map(POOL, MAP_PRIVATE, -1);
	ASSERT_NE(MAP_FAILED, p);
	for (int i = 0; i < POOL; i++)
		EXPECT_TRUE(huge_store(p + i * SZ_HUGE, 1));
	munmap(p, POOL * SZ_HUGE);
}

static int node_of_pfn(long pfn)
{
	char path[96];
	long block;

	if (huge_read_long("/sys/devices/system/memory/block_size_bytes", 16,
			   &block))
		return -1;
	for (int n = 0; n < huge_nodes(); n++) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/node/node%d/memory%ld", n,
			 pfn / (block / getpagesize()));
		if (!access(path, F_OK))
			return n;
	}
	return -1;
}

/* Linux 6.12 as released hands the bad page out again. */
TEST_F(poison, bad_page_never_comes_back)
{
	long pfn = free_pfn();
	char *p = map(POOL, MAP_PRIVATE, -1);
	int node = node_of_pfn(pfn);

	ASSERT_GT(pfn, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(EBUSY, corrupt(pfn));
	munmap(p, POOL * SZ_HUGE);
	ASSERT_EQ(0, huge_pool_exact(0));
	EXPECT_EQ(PF_HWPOISON,
		  huge_pfn_flags(pfn) & (PF_HUGE | PF_HWPOISON));
	if (node < 0)
		SKIP(return, "no memory blocks");
	/* now everything that can be a huge page is one */
	ASSERT_EQ(0, huge_set_node(SZ_HUGE, node, "nr_hugepages", 1000000));
	EXPECT_GT(huge_get_node(SZ_HUGE, node, "nr_hugepages"), POOL);
	EXPECT_EQ(0, huge_pfn_flags(pfn) & PF_HUGE);
	ASSERT_EQ(0, huge_pool_exact(0));
	EXPECT_EQ(0, unpoison(pfn));
	EXPECT_EQ(self->kb, corrupted_kb());
}

/* ---- soft offline: the page is suspect, its data are good ---- */

static void soft_offline(struct __test_metadata *_metadata, long n, long total)
{
	char *p = map(n, MAP_PRIVATE, -1);
	long pfn;

	ASSERT_NE(MAP_FAILED, p);
	fill(p, n);
	pfn = huge_pfn(p + 4096);
	bus_code = 0;
	EXPECT_EQ(0, madvise(p + 4096, getpagesize(), MADV_SOFT_OFFLINE));
	EXPECT_EQ(0, bus_code);
	for (long i = 0; i < n; i++)
		EXPECT_TRUE(filled(p, i));
	EXPECT_NE(pfn, huge_pfn(p + 4096));
	EXPECT_EQ(PF_HWPOISON,
		  huge_pfn_flags(pfn) & (PF_HUGE | PF_HWPOISON));
	EXPECT_COUNTS(SZ_HUGE, total, total - n, 0, 0);
	munmap(p, n * SZ_HUGE);
	EXPECT_COUNTS(SZ_HUGE, total, total, 0, 0);
	EXPECT_EQ(0, unpoison(pfn));
}

TEST_F(poison, soft_offline_with_free_pages)
{
	soft_offline(_metadata, 2, POOL - 1);
}

/* A page is made to take the other's place: the pool keeps its size. */
TEST_F(poison, soft_offline_without_free_pages)
{
	soft_offline(_metadata, POOL, POOL);
}

TEST_HARNESS_MAIN
