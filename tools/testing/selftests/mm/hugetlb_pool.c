// SPDX-License-Identifier: GPL-2.0
/*
 * The pool: growing and shrinking it by every interface, under use, under a
 * signal, node by node; surplus; demotion.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "../kselftest_harness.h"
#include "hugetlb_test.h"

#define POOL 16

#define MPOL_DEFAULT	0
#define MPOL_BIND	2

FIXTURE(pool) {
	int nodes;
};

FIXTURE_SETUP(pool)
{
	ASSERT_EQ(0, huge_pool_exact(POOL));
	self->nodes = huge_nodes();
}

FIXTURE_TEARDOWN(pool)
{
	EXPECT_COUNTS(SZ_HUGE, huge_get(SZ_HUGE, "nr_hugepages"),
		      huge_get(SZ_HUGE, "nr_hugepages"), 0, 0);
	EXPECT_EQ(0, huge_pool_exact(POOL));
}

static char *map(long n, int flags)
{
	return mmap(NULL, n * SZ_HUGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | flags, -1, 0);
}

static void touch(char *p, long n)
{
	for (long i = 0; i < n; i++)
		p[i * SZ_HUGE] = i + 1;
}

/* The counters of the nodes add up to those of the pool. */
static void expect_sums(struct __test_metadata *_metadata, int nodes)
{
	static const char * const files[] = {
		"nr_hugepages", "free_hugepages", "surplus_hugepages",
	};

	for (int f = 0; f < 3; f++) {
		long sum = 0;

		for (int n = 0; n < nodes; n++)
			sum += huge_get_node(SZ_HUGE, n, files[f]);
		EXPECT_EQ(huge_get(SZ_HUGE, files[f]), sum) {
			TH_LOG("%s", files[f]);
		}
	}
}

TEST_F(pool, grow_and_shrink)
{
	static const long sizes[] = { 64, 3, 0, 17, 128, 1, 16 };

	for (int i = 0; i < 7; i++) {
		ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", sizes[i]));
		EXPECT_COUNTS(SZ_HUGE, sizes[i], sizes[i], 0, 0);
		expect_sums(_metadata, self->nodes);
	}
}

TEST_F(pool, spread_over_the_nodes)
{
	if (self->nodes < 2)
		SKIP(return, "one node");
	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 0));
	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 20));
	EXPECT_EQ(10, huge_get_node(SZ_HUGE, 0, "nr_hugepages"));
	EXPECT_EQ(10, huge_get_node(SZ_HUGE, 1, "nr_hugepages"));
	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 10));
	EXPECT_EQ(5, huge_get_node(SZ_HUGE, 0, "nr_hugepages"));
	EXPECT_EQ(5, huge_get_node(SZ_HUGE, 1, "nr_hugepages"));
}

TEST_F(pool, one_node)
{
	long other;

	if (self->nodes < 2)
		SKIP(return, "one node");
	other = huge_get_node(SZ_HUGE, 0, "nr_hugepages");
	ASSERT_EQ(0, huge_set_node(SZ_HUGE, 1, "nr_hugepages", 30));
	EXPECT_EQ(30, huge_get_node(SZ_HUGE, 1, "nr_hugepages"));
	EXPECT_EQ(other, huge_get_node(SZ_HUGE, 0, "nr_hugepages"));
	EXPECT_EQ(30 + other, huge_get(SZ_HUGE, "nr_hugepages"));
	ASSERT_EQ(0, huge_set_node(SZ_HUGE, 1, "nr_hugepages", 2));
	EXPECT_EQ(2, huge_get_node(SZ_HUGE, 1, "nr_hugepages"));
	EXPECT_EQ(other, huge_get_node(SZ_HUGE, 0, "nr_hugepages"));
	expect_sums(_metadata, self->nodes);
}

TEST_F(pool, mempolicy_of_the_writer)
{
	unsigned long mask = 2;
	long before;

	if (self->nodes < 2)
		SKIP(return, "one node");
	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 0));
	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", POOL));
	before = huge_get_node(SZ_HUGE, 0, "nr_hugepages");
	ASSERT_EQ(0, syscall(SYS_set_mempolicy, MPOL_BIND, &mask, 8));
	EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages_mempolicy", POOL + 6));
	EXPECT_EQ(before, huge_get_node(SZ_HUGE, 0, "nr_hugepages"));
	EXPECT_EQ(POOL + 6 - before,
		  huge_get_node(SZ_HUGE, 1, "nr_hugepages"));
	EXPECT_EQ(0, file_write("/proc/sys/vm/nr_hugepages_mempolicy", "10"));
	EXPECT_EQ(before, huge_get_node(SZ_HUGE, 0, "nr_hugepages"));
	EXPECT_EQ(10, huge_get(SZ_HUGE, "nr_hugepages"));
	ASSERT_EQ(0, syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0));
}

TEST_F(pool, sysctl)
{
	EXPECT_EQ(0, file_write("/proc/sys/vm/nr_hugepages", "40"));
	EXPECT_COUNTS(SZ_HUGE, 40, 40, 0, 0);
	EXPECT_EQ(0, file_write("/proc/sys/vm/nr_overcommit_hugepages", "5"));
	EXPECT_EQ(5, huge_get(SZ_HUGE, "nr_overcommit_hugepages"));
	EXPECT_EQ(0, file_write("/proc/sys/vm/nr_overcommit_hugepages", "0"));
}

TEST_F(pool, shrink_keeps_what_is_used_or_promised)
{
	char *p = map(6, 0), *q = map(3, 0);

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, q);
	touch(p, 6);
	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 0));
	/* everything left is beyond the persistent size of 0 */
	EXPECT_COUNTS(SZ_HUGE, 9, 3, 3, 9);
	expect_sums(_metadata, self->nodes);
	for (int i = 0; i < 3; i++)
		EXPECT_TRUE(huge_store(q + i * SZ_HUGE, 1));
	munmap(q, 3 * SZ_HUGE);
	EXPECT_COUNTS(SZ_HUGE, 6, 0, 0, 6);
	for (int i = 0; i < 6; i++)
		EXPECT_EQ(i + 1, p[i * SZ_HUGE]);
	munmap(p, 6 * SZ_HUGE);
	EXPECT_COUNTS(SZ_HUGE, 0, 0, 0, 0);
}

TEST_F(pool, growing_adopts_surplus_first)
{
	char *p;

	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 2));
	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_overcommit_hugepages", 6));
	p = map(8, 0);
	ASSERT_NE(MAP_FAILED, p);
	touch(p, 8);
	EXPECT_COUNTS(SZ_HUGE, 8, 0, 0, 6);
	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 5));
	EXPECT_COUNTS(SZ_HUGE, 8, 0, 0, 3);
	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 10));
	EXPECT_COUNTS(SZ_HUGE, 10, 2, 0, 0);
	expect_sums(_metadata, self->nodes);
	munmap(p, 8 * SZ_HUGE);
	EXPECT_COUNTS(SZ_HUGE, 10, 10, 0, 0);
}

TEST_F(pool, lowering_overcommit_keeps_promises)
{
	char *p;

	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_overcommit_hugepages", 4));
	p = map(POOL + 4, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_overcommit_hugepages", 0));
	for (int i = 0; i < POOL + 4; i++)
		EXPECT_TRUE(huge_store(p + i * SZ_HUGE, 1));
	EXPECT_COUNTS(SZ_HUGE, POOL + 4, 0, 0, 4);
	munmap(p, (POOL + 4) * SZ_HUGE);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
}

/* No free page may stay surplus once nobody was promised it. */
TEST_F(pool, surplus_leaves_in_any_order)
{
	for (int order = 0; order < 8; order++) {
		char *p[3];

		ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_overcommit_hugepages", 6));
		p[0] = map(POOL - 2, 0);
		p[1] = map(4, 0);
		p[2] = map(4, 0);
		for (int i = 0; i < 3; i++) {
			ASSERT_NE(MAP_FAILED, p[i]);
			if (order & (1 << i))
				touch(p[i], i ? 4 : POOL - 2);
		}
		for (int i = 0; i < 3; i++) {
			int k = (i + order) % 3;

			munmap(p[k], (k ? 4 : POOL - 2) * SZ_HUGE);
		}
		EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
		expect_sums(_metadata, self->nodes);
	}
}

static void ignore(int sig)
{
}

/* A writer that is interrupted leaves with what it has: consistent. */
TEST_F(pool, grow_under_a_signal)
{
	for (int round = 0; round < 5; round++) {
		long total;
		pid_t pid;

		ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 0));
		pid = fork();
		ASSERT_GE(pid, 0);
		if (pid == 0) {
			signal(SIGUSR1, ignore);
			huge_set(SZ_HUGE, "nr_hugepages", 100000);
			_exit(0);
		}
		usleep(20000 + round * 30000);
		kill(pid, round % 2 ? SIGKILL : SIGUSR1);
		usleep(10000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		total = huge_get(SZ_HUGE, "nr_hugepages");
		EXPECT_COUNTS(SZ_HUGE, total, total, 0, 0);
		expect_sums(_metadata, self->nodes);
	}
	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", POOL));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
}

/* A size that memory cannot hold: as much as there is, no error, no OOM. */
TEST_F(pool, more_than_memory)
{
	long total;

	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", 1000000));
	total = huge_get(SZ_HUGE, "nr_hugepages");
	EXPECT_GT(total, POOL);
	EXPECT_LT(total, 1000000);
	EXPECT_COUNTS(SZ_HUGE, total, total, 0, 0);
	expect_sums(_metadata, self->nodes);
	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", POOL));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
}

/* Resizing while others map and unmap. */
TEST_F(pool, resize_under_use)
{
	pid_t pid[2];

	for (int i = 0; i < 2; i++) {
		pid[i] = fork();
		ASSERT_GE(pid[i], 0);
		if (pid[i])
			continue;
		srand(i + 1);
		for (int k = 0; k < 400; k++) {
			long n = 1 + rand() % 6;
			char *p = map(n, 0);

			if (p == MAP_FAILED)
				continue;
			for (long j = 0; j < n; j++) {
				if (!huge_store(p + j * SZ_HUGE, 1))
					_exit(1);
			}
			munmap(p, n * SZ_HUGE);
		}
		_exit(0);
	}
	for (int k = 0; k < 200; k++)
		huge_set(SZ_HUGE, "nr_hugepages", (k * 7) % 29);
	for (int i = 0; i < 2; i++) {
		int status;

		waitpid(pid[i], &status, 0);
		EXPECT_EQ(0, status) {
			TH_LOG("a promised page was not there");
		}
	}
	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", POOL));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
	expect_sums(_metadata, self->nodes);
}

TEST_F(pool, demote_a_gigantic_page)
{
	size_t gig = 1UL << 30, to = SZ_HUGE;
	long total = huge_get(gig, "nr_hugepages"), n;
	struct huge_counts c = huge_counts(gig);
	char path[128], text[32] = "";
	FILE *f;

	if (total < 1 || c.free < 1)
		SKIP(return, "no page of 1G");
	huge_path(path, sizeof(path), gig, -1, "demote_size");
	f = fopen(path, "r");
	if (!f)
		SKIP(return, "1G pages cannot be demoted here");
	if (fgets(text, sizeof(text), f))
		to = strtoul(text, NULL, 10) << 10;
	fclose(f);
	n = huge_get(to, "nr_hugepages");
	ASSERT_EQ(0, huge_set(gig, "demote", 1));
	EXPECT_EQ(total - 1, huge_get(gig, "nr_hugepages"));
	EXPECT_EQ(c.free - 1, huge_get(gig, "free_hugepages"));
	EXPECT_EQ(n + (long)(gig / to), huge_get(to, "nr_hugepages"));
	EXPECT_COUNTS(to, n + (long)(gig / to), n + (long)(gig / to), 0, 0);
	ASSERT_EQ(0, huge_set(to, "nr_hugepages", n));
	/* what was one page is memory again; it may or may not come back */
	huge_set(gig, "nr_hugepages", total);
}

TEST_HARNESS_MAIN
