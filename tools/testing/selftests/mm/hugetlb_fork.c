// SPDX-License-Identifier: GPL-2.0
/*
 * fork and copy on write, most of all when the pool is dry: the owner of a
 * private mapping keeps its promise, and a child that stands in the way loses
 * its page, never its parent's data.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "../kselftest_harness.h"
#include "hugetlb_test.h"

#define POOL 8

FIXTURE(fork) {
	int to_child[2];
	int to_parent[2];
};

FIXTURE_SETUP(fork)
{
	ASSERT_EQ(0, huge_pool_exact(POOL));
	ASSERT_EQ(0, pipe(self->to_child));
	ASSERT_EQ(0, pipe(self->to_parent));
}

FIXTURE_TEARDOWN(fork)
{
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
}

static char *map(long n, int flags)
{
	return mmap(NULL, n * SZ_HUGE, PROT_READ | PROT_WRITE,
		    MAP_ANONYMOUS | MAP_HUGETLB | flags, -1, 0);
}

static void touch(char *p, long n, char v)
{
	for (long i = 0; i < n; i++)
		memset(p + i * SZ_HUGE, v + i, SZ_HUGE);
}

static bool holds(const char *p, long n, char v)
{
	for (long i = 0; i < n; i++) {
		for (size_t k = 0; k < SZ_HUGE; k += 4096) {
			if (p[i * SZ_HUGE + k] != (char)(v + i))
				return false;
		}
	}
	return true;
}

static void tell(int *fd)
{
	if (write(fd[1], "x", 1) != 1)
		_exit(77);
}

static void await(int *fd)
{
	char c;

	if (read(fd[0], &c, 1) != 1)
		_exit(78);
}

static int reap(void)
{
	int status = -1;

	wait(&status);
	return status;
}

TEST_F(fork, child_writes)
{
	char *p = map(2, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, p);
	touch(p, 2, 10);
	if (fork() == 0) {
		if (!holds(p, 2, 10))
			_exit(1);
		touch(p, 2, 60);
		tell(self->to_parent);
		await(self->to_child);
		_exit(holds(p, 2, 60) ? 0 : 2);
	}
	await(self->to_parent);
	EXPECT_TRUE(holds(p, 2, 10));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 4, 0, 0);
	tell(self->to_child);
	EXPECT_EQ(0, reap());
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 2, 0, 0);
	munmap(p, 2 * SZ_HUGE);
}

TEST_F(fork, parent_writes)
{
	char *p = map(2, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, p);
	touch(p, 2, 10);
	if (fork() == 0) {
		await(self->to_child);
		_exit(holds(p, 2, 10) ? 0 : 1);
	}
	touch(p, 2, 60);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 4, 0, 0);
	tell(self->to_child);
	EXPECT_EQ(0, reap());
	EXPECT_TRUE(holds(p, 2, 60));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 2, 0, 0);
	munmap(p, 2 * SZ_HUGE);
}

TEST_F(fork, alone_again_reuses)
{
	char *p = map(2, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, p);
	touch(p, 2, 10);
	if (fork() == 0)
		_exit(0);
	EXPECT_EQ(0, reap());
	touch(p, 2, 60);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 2, 0, 0);
	munmap(p, 2 * SZ_HUGE);
}

TEST_F(fork, shared_stays_shared)
{
	char *p = map(2, MAP_SHARED);

	ASSERT_NE(MAP_FAILED, p);
	touch(p, 2, 10);
	if (fork() == 0) {
		touch(p, 2, 60);
		_exit(0);
	}
	EXPECT_EQ(0, reap());
	EXPECT_TRUE(holds(p, 2, 60));
	munmap(p, 2 * SZ_HUGE);
}

/*
 * Every page is used and the owner writes: the child's mapping of that page
 * goes, the owner goes on, the child gets SIGBUS where it lost the page.
 */
TEST_F(fork, dry_pool_owner_writes)
{
	char *p = map(POOL, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, p);
	touch(p, POOL, 10);
	if (fork() == 0) {
		char v;

		await(self->to_child);
		if (huge_load(p, &v))
			_exit(1);
		if (!huge_load(p + SZ_HUGE, &v) || v != 11)
			_exit(2);
		_exit(0);
	}
	EXPECT_COUNTS(SZ_HUGE, POOL, 0, 0, 0);
	EXPECT_TRUE(huge_store(p, 99));
	EXPECT_EQ(99, p[0]);
	EXPECT_EQ(10, p[4096]);
	EXPECT_TRUE(holds(p + SZ_HUGE, POOL - 1, 11));
	tell(self->to_child);
	EXPECT_EQ(0, reap());
	EXPECT_COUNTS(SZ_HUGE, POOL, 0, 0, 0);
	munmap(p, POOL * SZ_HUGE);
}

/*
 * The page that a child lost must not come back as zeroes in a grandchild, not
 * even when there are free pages again.
 */
TEST_F(fork, dry_pool_grandchild)
{
	char *p = map(POOL, MAP_PRIVATE);
	int status;

	ASSERT_NE(MAP_FAILED, p);
	touch(p, POOL, 10);
	if (fork() == 0) {
		char v;

		await(self->to_child);
		if (fork() == 0) {
			if (huge_load(p, &v) || huge_store(p, 1))
				_exit(1);
			_exit(huge_load(p + SZ_HUGE, &v) && v == 11 ? 0 : 2);
		}
		status = reap();
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
	}
	EXPECT_TRUE(huge_store(p, 99));
	munmap(p + 4 * SZ_HUGE, 4 * SZ_HUGE);
	EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", POOL + 2));
	tell(self->to_child);
	EXPECT_EQ(0, reap());
	munmap(p, 4 * SZ_HUGE);
	EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", POOL));
}

TEST_F(fork, dry_pool_child_writes)
{
	char *p = map(POOL, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, p);
	touch(p, POOL, 10);
	if (fork() == 0)
		_exit(huge_store(p, 99) ? 1 : 0);
	EXPECT_EQ(0, reap());
	EXPECT_TRUE(holds(p, POOL, 10));
	munmap(p, POOL * SZ_HUGE);
}

/* Untouched pages are the parent's promise; a child cannot use them up. */
TEST_F(fork, child_cannot_take_promised_pages)
{
	char *p = map(POOL, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, p);
	touch(p, 2, 10);
	if (fork() == 0) {
		for (int i = 2; i < POOL; i++) {
			if (huge_store(p + i * SZ_HUGE, 1))
				_exit(1);
		}
		_exit(huge_store(p, 1) ? 2 : 0);
	}
	EXPECT_EQ(0, reap());
	for (int i = 2; i < POOL; i++)
		EXPECT_TRUE(huge_store(p + i * SZ_HUGE, 1));
	EXPECT_TRUE(holds(p, 2, 10));
	munmap(p, POOL * SZ_HUGE);
}

TEST_F(fork, grandchildren)
{
	char *p = map(1, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, p);
	touch(p, 1, 10);
	for (int depth = 0; depth < 4; depth++) {
		if (fork()) {
			int status = reap();

			if (depth == 0) {
				EXPECT_EQ(0, status);
				break;
			}
			_exit(status || !holds(p, 1, 10 + depth));
		}
		touch(p, 1, 11 + depth);
		if (depth == 3)
			_exit(holds(p, 1, 14) ? 0 : 1);
	}
	EXPECT_TRUE(holds(p, 1, 10));
	munmap(p, SZ_HUGE);
}

/* A page pinned for I/O is copied at fork, so that the pin stays the parent's. */
TEST_F(fork, vmsplice_keeps_the_parents_page)
{
	char *p = map(1, MAP_PRIVATE), old[4096];
	struct iovec iov = { .iov_len = 4096 };
	int fds[2];

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, pipe(fds));
	touch(p, 1, 10);
	if (fork() == 0) {
		iov.iov_base = p;
		if (vmsplice(fds[1], &iov, 1, 0) != 4096)
			_exit(1);
		munmap(p, SZ_HUGE);
		_exit(0);
	}
	EXPECT_EQ(0, reap());
	touch(p, 1, 60);
	ASSERT_EQ(4096, read(fds[0], old, 4096));
	/* FOLL_GET users may see the new data: only the parent's view counts */
	EXPECT_TRUE(holds(p, 1, 60));
	close(fds[0]);
	close(fds[1]);
	munmap(p, SZ_HUGE);
}

TEST_F(fork, mprotect_then_fork)
{
	char *p = map(2, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, p);
	touch(p, 2, 10);
	ASSERT_EQ(0, mprotect(p, 2 * SZ_HUGE, PROT_READ));
	if (fork() == 0) {
		if (mprotect(p, 2 * SZ_HUGE, PROT_READ | PROT_WRITE))
			_exit(1);
		touch(p, 2, 60);
		_exit(0);
	}
	EXPECT_EQ(0, reap());
	EXPECT_TRUE(holds(p, 2, 10));
	ASSERT_EQ(0, mprotect(p, 2 * SZ_HUGE, PROT_READ | PROT_WRITE));
	touch(p, 2, 20);
	EXPECT_TRUE(holds(p, 2, 20));
	munmap(p, 2 * SZ_HUGE);
}

TEST_F(fork, many_rounds)
{
	char *p = map(3, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, p);
	touch(p, 3, 1);
	for (int round = 0; round < 200; round++) {
		pid_t pid = fork();

		ASSERT_GE(pid, 0);
		if (pid == 0) {
			huge_store(p + (round % 3) * SZ_HUGE, 5);
			if (round % 2)
				munmap(p, SZ_HUGE);
			_exit(0);
		}
		EXPECT_TRUE(huge_store(p + ((round + 1) % 3) * SZ_HUGE, 7));
		EXPECT_EQ(0, reap());
	}
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 3, 0, 0);
	munmap(p, 3 * SZ_HUGE);
}

TEST_HARNESS_MAIN
