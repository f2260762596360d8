// SPDX-License-Identifier: GPL-2.0
/*
 * Shared page tables: mappings of the same 1 GiB of a file use one PMD table,
 * and each leaves it when it needs something else.  Whether a mapping has a
 * page that only another one touched shows in /proc/self/pagemap.
 */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <linux/falloc.h>
#include <linux/userfaultfd.h>
#include "../kselftest_harness.h"
#include "hugetlb_test.h"

#define POOL	8
#define SZ_GIG	(1UL << 30)

FIXTURE(share) {
	char *room;	/* 8 GiB of addresses, aligned to 1 GiB */
	char *a, *b;	/* the first GiB of the file, twice */
	int fd;
};

static bool present(const void *p)
{
	return huge_pfn(p) >= 0;
}

static char *map(void *at, int fd, int prot)
{
	return mmap(at, SZ_GIG, prot,
		    MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, 0);
}

#define RW	(PROT_READ | PROT_WRITE)

/* b uses a's table from its first fault on */
static bool join(char *a, char *b)
{
	a[0] = 1;
	b[SZ_HUGE] = 2;
	a[2 * SZ_HUGE] = 3;
	return present(b) && present(b + 2 * SZ_HUGE) && present(a + SZ_HUGE);
}

static bool holds(const char *p)
{
	return p[0] == 1 && p[SZ_HUGE] == 2 && p[2 * SZ_HUGE] == 3;
}

FIXTURE_SETUP(share)
{
	char *p = mmap(NULL, 9 * SZ_GIG, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ASSERT_NE(MAP_FAILED, p);
	self->room = (char *)(((uintptr_t)p + SZ_GIG - 1) & ~(SZ_GIG - 1));
	ASSERT_EQ(0, huge_pool_exact(POOL));
	self->fd = memfd_create("share", MFD_HUGETLB);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, ftruncate(self->fd, SZ_GIG));
	self->a = map(self->room, self->fd, RW);
	self->b = map(self->room + 2 * SZ_GIG, self->fd, RW);
	ASSERT_NE(MAP_FAILED, self->a);
	ASSERT_NE(MAP_FAILED, self->b);
	if (!join(self->a, self->b))
		SKIP(return, "this kernel does not share page tables");
}

FIXTURE_TEARDOWN(share)
{
	if (self->a != MAP_FAILED) {
		EXPECT_TRUE(holds(self->a));
		munmap(self->a, SZ_GIG);
	}
	munmap(self->room, 8 * SZ_GIG);
	close(self->fd);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
	EXPECT_EQ(0, huge_pool_exact(0));
}

TEST_F(share, both_see_everything)
{
	EXPECT_TRUE(holds(self->b));
	self->b[3 * SZ_HUGE] = 4;
	EXPECT_TRUE(present(self->a + 3 * SZ_HUGE));
	EXPECT_EQ(4, self->a[3 * SZ_HUGE]);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 4, 0, 0);
}

/* Not at the same place in the table: its pages are the same nevertheless. */
TEST_F(share, not_at_any_address)
{
	char *c = map(self->room + 4 * SZ_GIG + SZ_HUGE, self->fd, RW);

	ASSERT_NE(MAP_FAILED, c);
	EXPECT_FALSE(present(c));
	EXPECT_EQ(1, c[0]);
	EXPECT_FALSE(present(c + SZ_HUGE));
	EXPECT_TRUE(holds(c));
}

/* Other rights need another table. */
TEST_F(share, read_only)
{
	char *c = map(self->room + 4 * SZ_GIG, self->fd, PROT_READ);

	ASSERT_NE(MAP_FAILED, c);
	EXPECT_EQ(1, c[0]);
	EXPECT_FALSE(present(c + SZ_HUGE));
	EXPECT_TRUE(holds(c));
}

static sigjmp_buf segv_env;

static void segv(int sig)
{
	siglongjmp(segv_env, 1);
}

static bool store_faults(volatile char *p)
{
	volatile bool faulted = true;

	signal(SIGSEGV, segv);
	if (!sigsetjmp(segv_env, 1)) {
		*p = 77;
		faulted = false;
	}
	signal(SIGSEGV, SIG_DFL);
	return faulted;
}

TEST_F(share, mprotect_all)
{
	ASSERT_EQ(0, mprotect(self->b, SZ_GIG, PROT_READ));
	EXPECT_TRUE(present(self->a));
	EXPECT_TRUE(holds(self->b));
	EXPECT_TRUE(store_faults(self->b));
	EXPECT_FALSE(store_faults(self->a + 3 * SZ_HUGE));
	ASSERT_EQ(0, mprotect(self->b, SZ_GIG, RW));
	EXPECT_FALSE(store_faults(self->b + 3 * SZ_HUGE));
	EXPECT_TRUE(holds(self->b));
}

TEST_F(share, mprotect_one_page)
{
	ASSERT_EQ(0, mprotect(self->b + SZ_HUGE, SZ_HUGE, PROT_READ));
	EXPECT_TRUE(store_faults(self->b + SZ_HUGE));
	EXPECT_FALSE(store_faults(self->b + 3 * SZ_HUGE));
	self->a[SZ_HUGE] = 2;
	EXPECT_TRUE(holds(self->b));
}

TEST_F(share, unmap_all)
{
	ASSERT_EQ(0, munmap(self->b, SZ_GIG));
	EXPECT_TRUE(present(self->a));
	EXPECT_TRUE(present(self->a + SZ_HUGE));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 3, 0, 0);
}

TEST_F(share, unmap_the_first)
{
	ASSERT_EQ(0, munmap(self->a, SZ_GIG));
	self->a = MAP_FAILED;
	EXPECT_TRUE(holds(self->b));
	self->b[4 * SZ_HUGE] = 5;
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 4, 0, 0);
}

TEST_F(share, unmap_one_page)
{
	ASSERT_EQ(0, munmap(self->b + SZ_HUGE, SZ_HUGE));
	EXPECT_TRUE(present(self->a + SZ_HUGE));
	EXPECT_EQ(1, self->b[0]);
	EXPECT_EQ(3, self->b[2 * SZ_HUGE]);
	EXPECT_TRUE(store_faults(self->b + SZ_HUGE));
}

TEST_F(share, dontneed)
{
	ASSERT_EQ(0, madvise(self->b + SZ_HUGE, SZ_HUGE, MADV_DONTNEED));
	EXPECT_TRUE(present(self->a + SZ_HUGE));
	EXPECT_TRUE(holds(self->b));
	ASSERT_EQ(0, madvise(self->b, SZ_GIG, MADV_DONTNEED));
	EXPECT_TRUE(present(self->a + SZ_HUGE));
	EXPECT_TRUE(holds(self->b));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 3, 0, 0);
}

TEST_F(share, mremap_all)
{
	char *c = self->room + 4 * SZ_GIG, *d = c + SZ_GIG + SZ_HUGE;

	ASSERT_EQ(c, mremap(self->b, SZ_GIG, SZ_GIG,
			    MREMAP_MAYMOVE | MREMAP_FIXED, c));
	EXPECT_TRUE(present(self->a + SZ_HUGE));
	EXPECT_TRUE(holds(c));
	self->a[3 * SZ_HUGE] = 4;
	EXPECT_EQ(4, c[3 * SZ_HUGE]);
	ASSERT_EQ(d, mremap(c, SZ_GIG, SZ_GIG, MREMAP_MAYMOVE | MREMAP_FIXED,
			    d));
	EXPECT_TRUE(present(self->a + SZ_HUGE));
	EXPECT_TRUE(holds(d));
	EXPECT_EQ(4, d[3 * SZ_HUGE]);
}

TEST_F(share, mremap_one_page)
{
	char *c = self->room + 4 * SZ_GIG;

	ASSERT_EQ(c, mremap(self->b + SZ_HUGE, SZ_HUGE, SZ_HUGE,
			    MREMAP_MAYMOVE | MREMAP_FIXED, c));
	EXPECT_EQ(2, c[0]);
	EXPECT_EQ(1, self->b[0]);
	EXPECT_TRUE(present(self->a + SZ_HUGE));
}

/* The file loses a page: so does everybody. */
TEST_F(share, punch_a_hole)
{
	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, SZ_HUGE, SZ_HUGE));
	EXPECT_FALSE(present(self->a + SZ_HUGE));
	EXPECT_FALSE(present(self->b + SZ_HUGE));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 2, 0, 0);
	EXPECT_EQ(0, self->b[SZ_HUGE]);
	self->a[SZ_HUGE] = 2;
	EXPECT_TRUE(holds(self->b));
}

TEST_F(share, truncate)
{
	ASSERT_EQ(0, ftruncate(self->fd, SZ_HUGE));
	EXPECT_EQ(1, self->b[0]);
	EXPECT_FALSE(huge_store(self->b + SZ_HUGE, 1));
	EXPECT_FALSE(huge_store(self->a + 2 * SZ_HUGE, 1));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 1, 0, 0);
	ASSERT_EQ(0, ftruncate(self->fd, SZ_GIG));
	EXPECT_TRUE(join(self->a, self->b));
}

/* Protection by userfaultfd is of one mapping. */
TEST_F(share, userfaultfd_wp)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_SIGBUS |
			    UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
	};
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)self->b, .len = SZ_GIG },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)self->b, .len = SZ_GIG },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		SKIP(return, "no userfaultfd-wp for hugetlbfs");
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_REGISTER, &reg));
	EXPECT_TRUE(present(self->a));
	EXPECT_FALSE(present(self->b));
	EXPECT_TRUE(holds(self->b));
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_WRITEPROTECT, &wp));
	EXPECT_FALSE(huge_store(self->b, 1));
	EXPECT_TRUE(huge_store(self->a, 1));
	EXPECT_TRUE(holds(self->b));
	wp.mode = 0;
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_WRITEPROTECT, &wp));
	EXPECT_TRUE(huge_store(self->b, 1));
	close(uffd);
	EXPECT_TRUE(huge_store(self->b + 3 * SZ_HUGE, 4));
	EXPECT_EQ(4, self->a[3 * SZ_HUGE]);
}

/* Everybody's entry changes when the page moves. */
TEST_F(share, move_a_page)
{
	void *pages[3] = { self->a, self->a + SZ_HUGE, self->a + 2 * SZ_HUGE };
	int node[3], status[3];

	if (huge_nodes() < 2)
		SKIP(return, "one node");
	for (int k = 0; k < 4; k++) {
		node[0] = k & 1;
		node[1] = node[0];
		node[2] = node[0];
		EXPECT_EQ(0, syscall(SYS_move_pages, 0, 3, pages, node, status,
				     4 /* MOVE_ALL */));
		EXPECT_EQ(node[0], status[0]);
		EXPECT_TRUE(holds(self->a));
		EXPECT_TRUE(holds(self->b));
	}
}

/* ---- another process ---- */

TEST_F(share, fork_and_exit)
{
	int status;

	for (int i = 0; i < 4; i++) {
		if (fork() == 0) {
			if (!holds(self->a))
				_exit(1);
			self->a[(3 + i) * SZ_HUGE] = i;
			/* some leave by hand, some by exit */
			if (i == 1)
				munmap(self->a, SZ_GIG);
			if (i == 2)
				mprotect(self->a, SZ_GIG, PROT_READ);
			if (i == 3)
				madvise(self->a, SZ_GIG, MADV_DONTNEED);
			_exit(0);
		}
		wait(&status);
		EXPECT_EQ(0, status);
		EXPECT_EQ(i, self->b[(3 + i) * SZ_HUGE]);
		EXPECT_TRUE(holds(self->a));
	}
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 7, 0, 0);
}

TEST_F(share, child_outlives_parent)
{
	int to_child[2], to_parent[2], status;
	char c;

	ASSERT_EQ(0, pipe(to_child));
	ASSERT_EQ(0, pipe(to_parent));
	if (fork() == 0) {
		if (!holds(self->b) || write(to_parent[1], "x", 1) != 1 ||
		    read(to_child[0], &c, 1) != 1)
			_exit(1);
		self->b[3 * SZ_HUGE] = 4;
		_exit(holds(self->b) ? 0 : 2);
	}
	close(to_parent[1]);
	ASSERT_EQ(1, read(to_parent[0], &c, 1));
	munmap(self->b, SZ_GIG);
	munmap(self->a, SZ_GIG);
	self->a = MAP_FAILED;
	EXPECT_EQ(1, write(to_child[1], "x", 1));
	wait(&status);
	EXPECT_EQ(0, status);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 4, 0, 0);
}

/* ---- all at once: page i says i + 1, or nothing yet ---- */

static bool racer_check(char *p)
{
	char v;

	for (int i = 0; i < POOL - 2; i++) {
		if (huge_load(p + i * SZ_HUGE, &v) && v && v != i + 1)
			return false;
	}
	return true;
}

static void racer_step(char *p, int fd)
{
	long i = rand() % (POOL - 2);

	switch (rand() % 7) {
	case 0:
		mprotect(p + i * SZ_HUGE, SZ_HUGE, PROT_READ);
		mprotect(p, SZ_GIG, RW);
		break;
	case 1:
		munmap(p + i * SZ_HUGE, SZ_HUGE);
		map(p, fd, RW);
		break;
	case 2:
		madvise(p + i * SZ_HUGE, SZ_HUGE, MADV_DONTNEED);
		break;
	case 3:
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  i * SZ_HUGE, SZ_HUGE);
		break;
	case 4:
		munmap(p, SZ_GIG);
		map(p, fd, RW);
		break;
	default:
		huge_store(p + i * SZ_HUGE, i + 1);
	}
}

static int racer(char *p, int fd, int seed)
{
	struct timeval began, now;

	srand(seed);
	gettimeofday(&began, NULL);
	do {
		racer_step(p, fd);
		if (!racer_check(p))
			return 1;
		gettimeofday(&now, NULL);
	} while (now.tv_sec - began.tv_sec < 5);
	return 0;
}

TEST_F(share, race)
{
	int status;

	for (int i = 0; i < 4; i++) {
		if (fork() == 0)
			_exit(racer(self->a, self->fd, i + 1));
	}
	while (wait(&status) > 0)
		EXPECT_EQ(0, status);
	for (int i = 0; i < POOL - 2; i++)
		EXPECT_TRUE(huge_store(self->a + i * SZ_HUGE, i + 1));
	EXPECT_COUNTS(SZ_HUGE, POOL, 2, 0, 0);
}

TEST_HARNESS_MAIN
