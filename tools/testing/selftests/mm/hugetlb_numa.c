// SPDX-License-Identifier: GPL-2.0
/*
 * Nodes: which one a huge page comes from, moving pages between them, and
 * memory that goes offline under free and used pages.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "../kselftest_harness.h"
#include "hugetlb_test.h"

/* Pages on each of the first two nodes. */
#define PER	6

#define MPOL_DEFAULT		0
#define MPOL_PREFERRED		1
#define MPOL_BIND		2
#define MPOL_INTERLEAVE		3
#define MPOL_LOCAL		4
#define MPOL_PREFERRED_MANY	5
#define MPOL_WEIGHTED_INTERLEAVE 6
#define MPOL_MF_STRICT		1
#define MPOL_MF_MOVE		2
#define MPOL_MF_MOVE_ALL	4

/* ---- system calls ---- */

static int task_policy(int mode, unsigned long nodes)
{
	return syscall(SYS_set_mempolicy, mode, nodes ? &nodes : NULL,
		       nodes ? 8 : 0);
}

static int bind_range(char *p, long n, int mode, unsigned long nodes,
		      unsigned int flags)
{
	return syscall(SYS_mbind, p, n * SZ_HUGE, mode, nodes ? &nodes : NULL,
		       nodes ? 8 : 0, flags);
}

static int node_of(char *p)
{
	void *page = p;
	int status = -1;

	syscall(SYS_move_pages, 0, 1, &page, NULL, &status, 0);
	return status;
}

/* How many could not be moved, or -1. */
static int move_range(char *p, long n, int node, int flags)
{
	void *page[2 * PER];
	int to[2 * PER], status[2 * PER];

	for (long i = 0; i < n; i++) {
		page[i] = p + i * SZ_HUGE;
		to[i] = node;
	}
	return syscall(SYS_move_pages, 0, n, page, to, status, flags);
}

/* ---- memory ---- */

static char *map(long n, int flags)
{
	return mmap(NULL, n * SZ_HUGE, PROT_READ | PROT_WRITE,
		    MAP_ANONYMOUS | MAP_HUGETLB | flags, -1, 0);
}

static void fill(char *p, long n)
{
	for (long i = 0; i < n; i++)
		memset(p + i * SZ_HUGE, i + 1, SZ_HUGE);
}

static bool filled(const char *p, long n)
{
	for (long i = 0; i < n; i++) {
		for (size_t k = 0; k < SZ_HUGE; k += 4096) {
			if (p[i * SZ_HUGE + k] != (char)(i + 1))
				return false;
		}
	}
	return true;
}

static long on_node(char *p, long n, int node)
{
	long count = 0;

	for (long i = 0; i < n; i++)
		count += node_of(p + i * SZ_HUGE) == node;
	return count;
}

static int pool_on_both(void)
{
	if (huge_pool_exact(0))
		return -1;
	huge_set_node(SZ_HUGE, 0, "nr_hugepages", PER);
	huge_set_node(SZ_HUGE, 1, "nr_hugepages", PER);
	return huge_get_node(SZ_HUGE, 0, "free_hugepages") == PER &&
	       huge_get_node(SZ_HUGE, 1, "free_hugepages") == PER ? 0 : -1;
}

FIXTURE(numa) {
	int nothing;
};

FIXTURE_SETUP(numa)
{
	if (huge_nodes() < 2)
		SKIP(return, "one node");
	ASSERT_EQ(0, pool_on_both());
}

FIXTURE_TEARDOWN(numa)
{
	struct huge_counts c;
	long sum = 0;

	task_policy(MPOL_DEFAULT, 0);
	c = huge_counts_settled(SZ_HUGE, huge_get(SZ_HUGE, "nr_hugepages"));
	EXPECT_EQ(c.total, c.free);
	EXPECT_EQ(0, c.resv);
	EXPECT_EQ(0, c.surplus);
	for (int i = 0; i < huge_nodes(); i++)
		sum += huge_get_node(SZ_HUGE, i, "nr_hugepages");
	EXPECT_EQ(c.total, sum);
	EXPECT_EQ(0, huge_pool_exact(0));
}

/* ---- policies ---- */

TEST_F(numa, bind)
{
	for (int i = 0; i < 4; i++) {
		char *p = map(4, i & 2 ? MAP_SHARED : MAP_PRIVATE);
		int node = i & 1;

		ASSERT_NE(MAP_FAILED, p);
		ASSERT_EQ(0, bind_range(p, 4, MPOL_BIND, 1 << node, 0));
		fill(p, 4);
		EXPECT_EQ(4, on_node(p, 4, node));
		EXPECT_EQ(PER - 4,
			  huge_get_node(SZ_HUGE, node, "free_hugepages"));
		EXPECT_EQ(PER, huge_get_node(SZ_HUGE, !node, "free_hugepages"));
		munmap(p, 4 * SZ_HUGE);
		EXPECT_COUNTS(SZ_HUGE, 2 * PER, 2 * PER, 0, 0);
	}
}

/* Promises are counted for all nodes: a binding made later may find none. */
TEST_F(numa, bind_to_a_dry_node)
{
	char *p = map(PER + 1, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, bind_range(p, PER + 1, MPOL_BIND, 2, 0));
	fill(p, PER);
	EXPECT_EQ(PER, on_node(p, PER, 1));
	EXPECT_FALSE(huge_store(p + PER * SZ_HUGE, 1));
	EXPECT_COUNTS(SZ_HUGE, 2 * PER, PER, 1, 0);

	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_overcommit_hugepages", 1));
	EXPECT_TRUE(huge_store(p + PER * SZ_HUGE, 1));
	EXPECT_EQ(1, node_of(p + PER * SZ_HUGE));
	EXPECT_COUNTS(SZ_HUGE, 2 * PER + 1, PER, 0, 1);
	EXPECT_EQ(1, huge_get_node(SZ_HUGE, 1, "surplus_hugepages"));
	munmap(p, (PER + 1) * SZ_HUGE);
	EXPECT_COUNTS(SZ_HUGE, 2 * PER, 2 * PER, 0, 0);
	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_overcommit_hugepages", 0));
}

static void expect_turns(struct __test_metadata *_metadata, int mode)
{
	char *p = map(6, MAP_PRIVATE);
	int first;

	ASSERT_NE(MAP_FAILED, p);
	if (bind_range(p, 6, mode, 3, 0)) {
		munmap(p, 6 * SZ_HUGE);
		SKIP(return, "no such policy");
	}
	fill(p, 6);
	first = node_of(p);
	for (int i = 0; i < 6; i++)
		EXPECT_EQ(first ^ (i & 1), node_of(p + i * SZ_HUGE));
	munmap(p, 6 * SZ_HUGE);
}

TEST_F(numa, interleave)
{
	expect_turns(_metadata, MPOL_INTERLEAVE);
}

/* All nodes weigh the same unless somebody says otherwise. */
TEST_F(numa, weighted_interleave)
{
	expect_turns(_metadata, MPOL_WEIGHTED_INTERLEAVE);
}

static void expect_preference(struct __test_metadata *_metadata, int mode)
{
	char *p = map(PER + 2, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, p);
	if (bind_range(p, PER + 2, mode, 2, 0)) {
		munmap(p, (PER + 2) * SZ_HUGE);
		SKIP(return, "no such policy");
	}
	fill(p, PER + 2);
	EXPECT_EQ(PER, on_node(p, PER, 1));
	EXPECT_EQ(2, on_node(p + PER * SZ_HUGE, 2, 0));
	munmap(p, (PER + 2) * SZ_HUGE);
}

TEST_F(numa, preferred)
{
	expect_preference(_metadata, MPOL_PREFERRED);
}

TEST_F(numa, preferred_many)
{
	expect_preference(_metadata, MPOL_PREFERRED_MANY);
}

TEST_F(numa, local)
{
	for (int cpu = 0; cpu < 4; cpu++) {
		unsigned int node;
		cpu_set_t cpus;
		char *p;

		CPU_ZERO(&cpus);
		CPU_SET(cpu, &cpus);
		if (sched_setaffinity(0, sizeof(cpus), &cpus))
			continue;
		ASSERT_EQ(0, syscall(SYS_getcpu, NULL, &node, NULL));
		p = map(2, MAP_PRIVATE);
		ASSERT_NE(MAP_FAILED, p);
		ASSERT_EQ(0, bind_range(p, 2, MPOL_LOCAL, 0, 0));
		fill(p, 2);
		EXPECT_EQ(2, on_node(p, 2, node));
		munmap(p, 2 * SZ_HUGE);
	}
}

/* A task that is bound already is not promised what it cannot get. */
TEST_F(numa, policy_of_a_task)
{
	char *p;

	ASSERT_EQ(0, task_policy(MPOL_BIND, 2));
	EXPECT_EQ(MAP_FAILED, map(PER + 1, MAP_PRIVATE));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_COUNTS(SZ_HUGE, 2 * PER, 2 * PER, 0, 0);
	p = map(PER, MAP_PRIVATE);
	ASSERT_NE(MAP_FAILED, p);
	fill(p, PER);
	EXPECT_EQ(PER, on_node(p, PER, 1));
	munmap(p, PER * SZ_HUGE);
}

TEST_F(numa, fallocate_obeys_the_task)
{
	int fd = memfd_create("numa", MFD_HUGETLB);
	char *p;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, task_policy(MPOL_BIND, 2));
	ASSERT_EQ(0, fallocate(fd, 0, 0, 3 * SZ_HUGE));
	ASSERT_EQ(0, task_policy(MPOL_DEFAULT, 0));
	p = mmap(NULL, 3 * SZ_HUGE, PROT_READ, MAP_SHARED | MAP_POPULATE, fd,
		 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(3, on_node(p, 3, 1));
	munmap(p, 3 * SZ_HUGE);
	close(fd);
}

/* bind is in hugetlb_pool */
TEST_F(numa, resize_with_a_policy)
{
	static const int modes[] = {
		MPOL_INTERLEAVE, MPOL_PREFERRED, MPOL_PREFERRED_MANY,
	};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		int node = i & 1;

		ASSERT_EQ(0, pool_on_both());
		if (task_policy(modes[i], 1 << node))
			continue;
		EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages_mempolicy",
				      2 * PER + 3));
		EXPECT_EQ(PER + 3, huge_get_node(SZ_HUGE, node, "nr_hugepages"));
		EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages_mempolicy",
				      2 * PER - 2));
		EXPECT_EQ(PER - 2, huge_get_node(SZ_HUGE, node, "nr_hugepages"));
		EXPECT_EQ(PER, huge_get_node(SZ_HUGE, !node, "nr_hugepages"));
		ASSERT_EQ(0, task_policy(MPOL_DEFAULT, 0));
	}
}

/* ---- moving ---- */

TEST_F(numa, move_there_and_back)
{
	for (int i = 0; i < 2; i++) {
		char *p = map(4, i ? MAP_SHARED : MAP_PRIVATE);

		ASSERT_NE(MAP_FAILED, p);
		ASSERT_EQ(0, bind_range(p, 4, MPOL_BIND, 1, 0));
		fill(p, 4);
		for (int k = 0; k < 6; k++) {
			ASSERT_EQ(0, move_range(p, 4, !(k & 1), MPOL_MF_MOVE));
			EXPECT_EQ(4, on_node(p, 4, !(k & 1)));
			EXPECT_TRUE(filled(p, 4));
		}
		munmap(p, 4 * SZ_HUGE);
		EXPECT_COUNTS(SZ_HUGE, 2 * PER, 2 * PER, 0, 0);
		EXPECT_EQ(PER, huge_get_node(SZ_HUGE, 0, "nr_hugepages"));
		EXPECT_EQ(PER, huge_get_node(SZ_HUGE, 1, "nr_hugepages"));
	}
}

/* No free page there: one is made, and the old one leaves the pool. */
TEST_F(numa, move_to_a_full_node)
{
	char *p = map(PER, MAP_PRIVATE), *q = map(2, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, q);
	ASSERT_EQ(0, bind_range(p, PER, MPOL_BIND, 2, 0));
	ASSERT_EQ(0, bind_range(q, 2, MPOL_BIND, 1, 0));
	fill(p, PER);
	fill(q, 2);
	ASSERT_EQ(0, move_range(q, 2, 1, MPOL_MF_MOVE));
	EXPECT_EQ(2, on_node(q, 2, 1));
	EXPECT_TRUE(filled(p, PER));
	EXPECT_TRUE(filled(q, 2));
	EXPECT_COUNTS(SZ_HUGE, 2 * PER, PER - 2, 0, 0);
	EXPECT_EQ(PER - 2, huge_get_node(SZ_HUGE, 0, "nr_hugepages"));
	EXPECT_EQ(PER + 2, huge_get_node(SZ_HUGE, 1, "nr_hugepages"));
	munmap(p, PER * SZ_HUGE);
	munmap(q, 2 * SZ_HUGE);
}

TEST_F(numa, mbind_moves)
{
	char *p = map(4, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, bind_range(p, 4, MPOL_BIND, 1, 0));
	fill(p, 4);
	EXPECT_EQ(-1, bind_range(p, 4, MPOL_BIND, 2, MPOL_MF_STRICT));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(4, on_node(p, 4, 0));
	EXPECT_EQ(0, bind_range(p, 4, MPOL_BIND, 2,
				MPOL_MF_MOVE | MPOL_MF_STRICT));
	EXPECT_EQ(4, on_node(p, 4, 1));
	EXPECT_TRUE(filled(p, 4));
	munmap(p, 4 * SZ_HUGE);
}

/* A page in use by others moves only for those who may move everything. */
TEST_F(numa, move_what_others_use)
{
	int to_child[2], to_parent[2], status;
	char *p = map(2, MAP_SHARED), c;

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, bind_range(p, 2, MPOL_BIND, 1, 0));
	fill(p, 2);
	ASSERT_EQ(0, pipe(to_child));
	ASSERT_EQ(0, pipe(to_parent));
	if (fork() == 0) {
		if (!filled(p, 2) || write(to_parent[1], "x", 1) != 1 ||
		    read(to_child[0], &c, 1) != 1)
			_exit(1);
		_exit(filled(p, 2) && on_node(p, 2, 1) == 2 ? 0 : 2);
	}
	close(to_parent[1]);
	ASSERT_EQ(1, read(to_parent[0], &c, 1));
	move_range(p, 2, 1, MPOL_MF_MOVE);
	EXPECT_EQ(2, on_node(p, 2, 0));
	EXPECT_EQ(0, move_range(p, 2, 1, MPOL_MF_MOVE_ALL));
	EXPECT_EQ(2, on_node(p, 2, 1));
	EXPECT_TRUE(filled(p, 2));
	EXPECT_EQ(1, write(to_child[1], "x", 1));
	wait(&status);
	EXPECT_EQ(0, status);
	munmap(p, 2 * SZ_HUGE);
}

TEST_F(numa, migrate_a_process)
{
	unsigned long from = 1, to = 2;
	int down[2], up[2], status;
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(down));
	ASSERT_EQ(0, pipe(up));
	pid = fork();
	if (pid == 0) {
		char *p = map(3, MAP_PRIVATE);

		bind_range(p, 3, MPOL_PREFERRED, 1, 0);
		fill(p, 3);
		if (on_node(p, 3, 0) != 3 || write(up[1], "x", 1) != 1 ||
		    read(down[0], &c, 1) != 1)
			_exit(1);
		_exit(on_node(p, 3, 1) == 3 && filled(p, 3) ? 0 : 2);
	}
	ASSERT_EQ(1, read(up[0], &c, 1));
	EXPECT_LE(0, syscall(SYS_migrate_pages, pid, 8, &from, &to));
	EXPECT_EQ(1, write(down[1], "x", 1));
	wait(&status);
	EXPECT_EQ(0, status);
}

struct counting {
	volatile unsigned long	*word[3];
	volatile bool		stop;
	unsigned long		done;
};

static void *count_up(void *arg)
{
	struct counting *c = arg;

	while (!c->stop) {
		for (int i = 0; i < 3; i++)
			(*c->word[i])++;
		c->done++;
	}
	return NULL;
}

TEST_F(numa, move_under_a_writer)
{
	struct counting c = { };
	char *p = map(3, MAP_PRIVATE);
	pthread_t thread;

	ASSERT_NE(MAP_FAILED, p);
	for (int i = 0; i < 3; i++)
		c.word[i] = (void *)(p + i * SZ_HUGE + i * 8 + 4096 * 300);
	ASSERT_EQ(0, pthread_create(&thread, NULL, count_up, &c));
	for (int k = 0; k < 60; k++)
		move_range(p, 3, k & 1, MPOL_MF_MOVE);
	c.stop = true;
	pthread_join(thread, NULL);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(c.done, *c.word[i]);
	munmap(p, 3 * SZ_HUGE);
}

/* ---- memory goes offline ---- */

static long block_of(char *p)
{
	long bytes;

	if (huge_read_long("/sys/devices/system/memory/block_size_bytes", 16,
			   &bytes))
		return -1;
	return huge_pfn(p) / (bytes / getpagesize());
}

static int block_state(long block, const char *state)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%ld/state",
		 block);
	return file_write(path, state);
}

/* The block of some page of the mapping that can go offline, and goes. */
static long take_offline(char *p, long n)
{
	long block, last = -1;

	for (long i = 0; i < n; i++) {
		block = block_of(p + i * SZ_HUGE);
		if (block < 0 || block == last)
			continue;
		last = block;
		if (!block_state(block, "offline"))
			return block;
	}
	return -1;
}

TEST_F(numa, offline_moves_and_dissolves)
{
	char *p = map(PER, MAP_PRIVATE);
	struct huge_counts c;
	long block;

	ASSERT_NE(MAP_FAILED, p);
	bind_range(p, PER, MPOL_BIND, 2, 0);
	fill(p, PER);
	/* two of them become free again, in the same memory */
	madvise(p, SZ_HUGE, MADV_DONTNEED);
	munmap(p + (PER - 1) * SZ_HUGE, SZ_HUGE);
	block = take_offline(p + SZ_HUGE, PER - 2);
	if (block < 0) {
		munmap(p, (PER - 1) * SZ_HUGE);
		SKIP(return, "no memory block can go offline");
	}
	for (long i = 1; i < PER - 1; i++) {
		EXPECT_EQ(i + 1, p[i * SZ_HUGE]);
		EXPECT_EQ(i + 1, p[(i + 1) * SZ_HUGE - 1]);
		EXPECT_NE(block, block_of(p + i * SZ_HUGE));
	}
	/* whatever left, what is promised is still there */
	c = huge_counts(SZ_HUGE);
	EXPECT_EQ(1, c.resv);
	EXPECT_EQ(0, c.surplus);
	EXPECT_EQ(c.total, c.free + PER - 2);
	/* but the node may have none left */
	bind_range(p, PER - 1, MPOL_DEFAULT, 0, 0);
	EXPECT_TRUE(huge_store(p, 1));
	EXPECT_EQ(0, block_state(block, "online_movable"));
	munmap(p, (PER - 1) * SZ_HUGE);
}

TEST_HARNESS_MAIN
