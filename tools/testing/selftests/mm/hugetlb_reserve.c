// SPDX-License-Identifier: GPL-2.0
/*
 * Promises of huge pages: counters exact after every operation and every
 * refusal, and a mapping that was promised pages gets them.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include "../kselftest_harness.h"
#include "hugetlb_test.h"

#define POOL 8

FIXTURE(resv) {
	int dummy;
};

FIXTURE_SETUP(resv)
{
	ASSERT_EQ(0, huge_pool_exact(POOL));
}

FIXTURE_TEARDOWN(resv)
{
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
	huge_set(SZ_HUGE, "nr_overcommit_hugepages", 0);
}

static char *map(long n, int flags, int fd, long offset)
{
	return mmap(NULL, n * SZ_HUGE, PROT_READ | PROT_WRITE, flags, fd,
		    offset * SZ_HUGE);
}

static char *map_anon(long n, int flags)
{
	return map(n, MAP_ANONYMOUS | MAP_HUGETLB | flags, -1, 0);
}

static void touch(char *p, long n)
{
	for (long i = 0; i < n; i++)
		p[i * SZ_HUGE] = i + 1;
}

TEST_F(resv, private_promise)
{
	char *p = map_anon(4, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 4, 0);
	touch(p, 3);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 3, 1, 0);
	munmap(p, 4 * SZ_HUGE);
}

TEST_F(resv, shared_promise)
{
	char *p = map_anon(4, MAP_SHARED);

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 4, 0);
	touch(p, 2);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 2, 2, 0);
	munmap(p, 4 * SZ_HUGE);
}

TEST_F(resv, noreserve)
{
	char *p = map_anon(POOL + 2, MAP_PRIVATE | MAP_NORESERVE);

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
	for (int i = 0; i < POOL; i++)
		EXPECT_TRUE(huge_store(p + i * SZ_HUGE, 1));
	EXPECT_FALSE(huge_store(p + POOL * SZ_HUGE, 1));
	EXPECT_COUNTS(SZ_HUGE, POOL, 0, 0, 0);
	munmap(p, (POOL + 2) * SZ_HUGE);
}

TEST_F(resv, noreserve_cannot_take_a_promise)
{
	char *p = map_anon(POOL, MAP_PRIVATE);
	char *q = map_anon(1, MAP_PRIVATE | MAP_NORESERVE);

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_FALSE(huge_store(q, 1));
	for (int i = 0; i < POOL; i++)
		EXPECT_TRUE(huge_store(p + i * SZ_HUGE, 1));
	munmap(p, POOL * SZ_HUGE);
	munmap(q, SZ_HUGE);
}

TEST_F(resv, refused_mmap_changes_nothing)
{
	char *p = map_anon(3, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(MAP_FAILED, map_anon(POOL - 2, MAP_PRIVATE));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 3, 0);
	EXPECT_EQ(MAP_FAILED, map_anon(POOL - 2, MAP_SHARED));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 3, 0);
	munmap(p, 3 * SZ_HUGE);
}

TEST_F(resv, partial_munmap)
{
	for (int flags = MAP_SHARED; flags <= MAP_PRIVATE; flags++) {
		char *p = map_anon(6, flags);

		ASSERT_NE(MAP_FAILED, p);
		touch(p, 3);
		/* one page in use, one promised */
		munmap(p + 2 * SZ_HUGE, 2 * SZ_HUGE);
		if (flags == MAP_PRIVATE)
			EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 2, 2, 0);
		else	/* the file keeps both */
			EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 3, 3, 0);
		munmap(p, 6 * SZ_HUGE);
		EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
	}
}

TEST_F(resv, dontneed_gives_the_promise_back)
{
	char *p = map_anon(POOL, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, p);
	for (int round = 0; round < 3; round++) {
		touch(p, POOL);
		EXPECT_COUNTS(SZ_HUGE, POOL, 0, 0, 0);
		ASSERT_EQ(0, madvise(p, POOL * SZ_HUGE, MADV_DONTNEED));
		EXPECT_COUNTS(SZ_HUGE, POOL, POOL, POOL, 0);
	}
	EXPECT_EQ(MAP_FAILED, map_anon(1, MAP_PRIVATE));
	for (int i = 0; i < POOL; i++)
		EXPECT_TRUE(huge_store(p + i * SZ_HUGE, 7));
	munmap(p, POOL * SZ_HUGE);
}

TEST_F(resv, fork_child_has_no_promise)
{
	char *p = map_anon(4, MAP_PRIVATE);
	int status;

	ASSERT_NE(MAP_FAILED, p);
	touch(p, 1);
	if (fork() == 0) {
		p[SZ_HUGE] = 1;		/* from what nobody was promised */
		munmap(p, 4 * SZ_HUGE);
		_exit(0);
	}
	wait(&status);
	EXPECT_EQ(0, status);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 1, 3, 0);
	munmap(p, 4 * SZ_HUGE);
}

TEST_F(resv, mremap_moves_the_promise)
{
	for (int flags = MAP_SHARED; flags <= MAP_PRIVATE; flags++) {
		char *p = map_anon(4, flags), *q;
		char *room = mmap(NULL, 5 * SZ_HUGE, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		ASSERT_NE(MAP_FAILED, p);
		ASSERT_NE(MAP_FAILED, room);
		q = (char *)(((uintptr_t)room + SZ_HUGE - 1) & ~(SZ_HUGE - 1));
		touch(p, 2);
		q = mremap(p, 4 * SZ_HUGE, 4 * SZ_HUGE,
			   MREMAP_MAYMOVE | MREMAP_FIXED, q);
		ASSERT_NE(MAP_FAILED, q);
		EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 2, 2, 0);
		EXPECT_EQ(1, q[0]);
		EXPECT_EQ(2, q[SZ_HUGE]);
		q[2 * SZ_HUGE] = 3;
		EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 3, 1, 0);
		munmap(q, 4 * SZ_HUGE);
		munmap(room, 5 * SZ_HUGE);
		EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
	}
}

/* ---- mremap() of a part that cannot unmap what it moved ---- */

/* The nth allocation of this task fails, none for 0; 0, or an errno. */
static int fail_nth(int nth)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", nth);
	return file_write("/proc/self/fail-nth", text);
}

static bool fail_is_left(void)
{
	char c = '0';
	int fd = open("/proc/self/fail-nth", O_RDONLY);

	if (fd < 0 || read(fd, &c, 1) != 1)
		c = '0';
	close(fd);
	return c != '0';
}

static bool fail_possible(void)
{
	static const char * const attr[][2] = {
		{ "failslab/ignore-gfp-wait", "N" },
		{ "failslab/verbose", "0" },
		{ "fail_page_alloc/ignore-gfp-wait", "N" },
		{ "fail_page_alloc/min-order", "0" },
		{ "fail_page_alloc/verbose", "0" },
	};
	char path[96];

	for (size_t i = 0; i < ARRAY_SIZE(attr); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", attr[i][0]);
		if (file_write(path, attr[i][1]))
			return false;
	}
	return !fail_nth(0);
}

/* Return: whether the failure was met. */
static int twin_child(int nth, bool at_once)
{
	char *area = mmap(NULL, 8 * SZ_HUGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *p = (char *)(((uintptr_t)area + SZ_HUGE - 1) & ~(SZ_HUGE - 1));
	char *q = p + 4 * SZ_HUGE;
	bool met;

	if (mmap(p, 4 * SZ_HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		 MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED, -1, 0) != p)
		return 2;
	p[0] = 1;
	p[SZ_HUGE] = 1;
	munmap(q, 3 * SZ_HUGE);
	if (fail_nth(nth))
		return 3;
	mremap(p + SZ_HUGE, 2 * SZ_HUGE, 2 * SZ_HUGE,
	       MREMAP_MAYMOVE | MREMAP_FIXED, q);
	met = !fail_is_left();
	fail_nth(0);
	p[3 * SZ_HUGE] = 1;
	/* Both mappings end together, as they do at exit. */
	if (at_once)
		munmap(area, 8 * SZ_HUGE);
	return !met;
}

static void twin_round(struct __test_metadata *_metadata, bool at_once)
{
	char *other = map_anon(3, MAP_PRIVATE);
	int status = 0;

	ASSERT_NE(MAP_FAILED, other);
	for (int nth = 1; !status && nth < 200; nth++) {
		if (fork() == 0)
			_exit(twin_child(nth, at_once));
		wait(&status);
		/* what is returned twice was somebody else's */
		EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 3, 0);
	}
	EXPECT_EQ(1, WEXITSTATUS(status));
	munmap(other, 3 * SZ_HUGE);
}

TEST_F(resv, mremap_without_memory)
{
	if (!fail_possible())
		SKIP(return, "no fault injection");
	twin_round(_metadata, false);
	twin_round(_metadata, true);
}

TEST_F(resv, mremap_shrinks)
{
	char *p = map_anon(4, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, p);
	touch(p, 3);
	ASSERT_EQ(p, mremap(p, 4 * SZ_HUGE, SZ_HUGE, 0));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 1, 0, 0);
	munmap(p, SZ_HUGE);
}

TEST_F(resv, two_mappings_share_one_promise)
{
	int fd = memfd_create("resv", MFD_HUGETLB);
	char *p, *q;

	ASSERT_GE(fd, 0);
	p = map(4, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	q = map(4, MAP_SHARED, fd, 2);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 6, 0);
	touch(p, 4);
	EXPECT_EQ(3, q[0]);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 4, 2, 0);
	munmap(p, 4 * SZ_HUGE);
	munmap(q, 4 * SZ_HUGE);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 4, 2, 0);
	close(fd);
}

TEST_F(resv, fallocate_then_mmap)
{
	int fd = memfd_create("resv", MFD_HUGETLB);
	char *p;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, fallocate(fd, 0, SZ_HUGE, 2 * SZ_HUGE));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 2, 0, 0);
	p = map(5, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 2, 3, 0);
	ASSERT_EQ(0, fallocate(fd, 0, 0, 5 * SZ_HUGE));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 5, 0, 0);
	munmap(p, 5 * SZ_HUGE);
	close(fd);
}

TEST_F(resv, fallocate_beyond_the_pool)
{
	int fd = memfd_create("resv", MFD_HUGETLB);

	ASSERT_GE(fd, 0);
	EXPECT_EQ(-1, fallocate(fd, 0, 0, (POOL + 1) * SZ_HUGE));
	EXPECT_EQ(ENOSPC, errno);
	close(fd);
}

TEST_F(resv, hole_punch)
{
	int fd = memfd_create("resv", MFD_HUGETLB);
	int hole = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	char *p;

	ASSERT_GE(fd, 0);
	p = map(5, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	touch(p, 3);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 3, 2, 0);
	/* a page in the middle: it goes, and so does its promise */
	ASSERT_EQ(0, fallocate(fd, hole, SZ_HUGE, SZ_HUGE));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 2, 2, 0);
	/* a slot that was only promised stays promised */
	ASSERT_EQ(0, fallocate(fd, hole, 3 * SZ_HUGE, SZ_HUGE));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 2, 2, 0);
	EXPECT_TRUE(huge_store(p + SZ_HUGE, 9));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 3, 2, 0);
	munmap(p, 5 * SZ_HUGE);
	close(fd);
}

TEST_F(resv, truncate)
{
	int fd = memfd_create("resv", MFD_HUGETLB);
	char *p;

	ASSERT_GE(fd, 0);
	p = map(6, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	touch(p, 3);
	ASSERT_EQ(0, ftruncate(fd, 2 * SZ_HUGE));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 2, 0, 0);
	EXPECT_FALSE(huge_store(p + 2 * SZ_HUGE, 1));
	ASSERT_EQ(0, ftruncate(fd, 6 * SZ_HUGE));
	/* the mapping is still there, its promises beyond the cut are not */
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 2, 0, 0);
	EXPECT_TRUE(huge_store(p + 5 * SZ_HUGE, 1));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 3, 0, 0);
	munmap(p, 6 * SZ_HUGE);
	close(fd);
}

TEST_F(resv, private_mapping_of_a_file)
{
	int fd = memfd_create("resv", MFD_HUGETLB);
	char *s, *p;

	ASSERT_GE(fd, 0);
	s = map(2, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, s);
	touch(s, 2);
	p = map(2, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 2, 2, 0);
	EXPECT_EQ(1, p[0]);
	p[0] = 50;
	EXPECT_EQ(1, s[0]);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 3, 1, 0);
	munmap(p, 2 * SZ_HUGE);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 2, 0, 0);
	munmap(s, 2 * SZ_HUGE);
	close(fd);
}

TEST_F(resv, shm)
{
	int id = shmget(IPC_PRIVATE, 3 * SZ_HUGE, SHM_HUGETLB | IPC_CREAT | 0600);
	char *p;

	ASSERT_GE(id, 0);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 3, 0);
	p = shmat(id, NULL, 0);
	ASSERT_NE((char *)-1, p);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 3, 0);
	touch(p, 2);
	shmdt(p);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 2, 1, 0);
	shmctl(id, IPC_RMID, NULL);
	EXPECT_EQ(-1, shmget(IPC_PRIVATE, (POOL + 1) * SZ_HUGE,
			     SHM_HUGETLB | IPC_CREAT | 0600));
}

TEST_F(resv, surplus_comes_and_goes)
{
	char *p, *q;

	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_overcommit_hugepages", 4));
	p = map_anon(POOL + 2, MAP_PRIVATE);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_COUNTS(SZ_HUGE, POOL + 2, POOL + 2, POOL + 2, 2);
	EXPECT_EQ(MAP_FAILED, map_anon(3, MAP_PRIVATE));
	EXPECT_COUNTS(SZ_HUGE, POOL + 2, POOL + 2, POOL + 2, 2);
	touch(p, POOL + 2);
	EXPECT_COUNTS(SZ_HUGE, POOL + 2, 0, 0, 2);
	q = map_anon(2, MAP_PRIVATE | MAP_NORESERVE);
	ASSERT_NE(MAP_FAILED, q);
	touch(q, 2);
	EXPECT_COUNTS(SZ_HUGE, POOL + 4, 0, 0, 4);
	munmap(p, (POOL + 2) * SZ_HUGE);
	munmap(q, 2 * SZ_HUGE);
}

/*
 * Two tasks of one mount with a minimum; the second fails for lack of pages.
 * Linux 6.12 as released ends with resv_hugepages below zero and a pool that
 * cannot be shrunk.
 */
TEST_F(resv, refused_on_a_min_size_mount)
{
	char *dir, path[64], *p;
	int fd1, fd2;

	ASSERT_EQ(0, huge_pool_exact(4));
	dir = huge_mount("pagesize=2M,min_size=4M");
	ASSERT_NE(NULL, dir);
	EXPECT_COUNTS(SZ_HUGE, 4, 4, 2, 0);
	fd1 = huge_file(dir, "a", path, sizeof(path));
	ASSERT_GE(fd1, 0);
	p = map(3, MAP_SHARED, fd1, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_COUNTS(SZ_HUGE, 4, 4, 3, 0);
	fd2 = huge_file(dir, "b", path, sizeof(path));
	ASSERT_GE(fd2, 0);
	EXPECT_EQ(MAP_FAILED, map(2, MAP_SHARED, fd2, 0));
	EXPECT_COUNTS(SZ_HUGE, 4, 4, 3, 0);
	munmap(p, 3 * SZ_HUGE);
	EXPECT_EQ(0, ftruncate(fd1, 0));
	close(fd1);
	close(fd2);
	unlink(path);
	snprintf(path, sizeof(path), "%s/a", dir);
	unlink(path);
	EXPECT_COUNTS(SZ_HUGE, 4, 4, 2, 0);
	EXPECT_EQ(0, huge_umount(dir));
	EXPECT_COUNTS(SZ_HUGE, 4, 4, 0, 0);
	EXPECT_EQ(0, huge_pool_exact(0));
	EXPECT_EQ(0, huge_pool_exact(POOL));
}

TEST_F(resv, min_size_is_a_promise)
{
	char *dir = huge_mount("pagesize=2M,min_size=8M");
	char path[64], *p, *q;
	int fd;

	ASSERT_NE(NULL, dir);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 4, 0);
	q = map_anon(POOL - 4, MAP_PRIVATE);
	ASSERT_NE(MAP_FAILED, q);
	touch(q, POOL - 4);
	EXPECT_EQ(MAP_FAILED, map_anon(1, MAP_PRIVATE));
	fd = huge_file(dir, "f", path, sizeof(path));
	p = map(4, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_COUNTS(SZ_HUGE, POOL, 4, 4, 0);
	for (int i = 0; i < 4; i++)
		EXPECT_TRUE(huge_store(p + i * SZ_HUGE, 1));
	munmap(p, 4 * SZ_HUGE);
	EXPECT_COUNTS(SZ_HUGE, POOL, 0, 0, 0);
	close(fd);
	unlink(path);
	/* freed pages are the mount's again, nobody else's */
	EXPECT_COUNTS(SZ_HUGE, POOL, 4, 4, 0);
	EXPECT_EQ(MAP_FAILED, map_anon(1, MAP_PRIVATE));
	EXPECT_EQ(0, huge_umount(dir));
	munmap(q, (POOL - 4) * SZ_HUGE);
}

TEST_F(resv, min_size_without_pages)
{
	EXPECT_EQ(NULL, huge_mount("pagesize=2M,min_size=64M"));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
}

TEST_F(resv, max_size)
{
	char *dir = huge_mount("pagesize=2M,size=6M");
	char path[64], *p;
	int fd;

	ASSERT_NE(NULL, dir);
	fd = huge_file(dir, "f", path, sizeof(path));
	EXPECT_EQ(MAP_FAILED, map(4, MAP_SHARED, fd, 0));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
	p = map(3, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(MAP_FAILED, map(1, MAP_PRIVATE, fd, 0));
	EXPECT_EQ(MAP_FAILED, map(1, MAP_SHARED, fd, 3));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 3, 0);
	touch(p, 3);
	EXPECT_EQ(-1, fallocate(fd, 0, 3 * SZ_HUGE, SZ_HUGE));
	munmap(p, 3 * SZ_HUGE);
	EXPECT_EQ(0, ftruncate(fd, SZ_HUGE));
	EXPECT_EQ(0, fallocate(fd, 0, 3 * SZ_HUGE, 2 * SZ_HUGE));
	EXPECT_EQ(-1, fallocate(fd, 0, SZ_HUGE, SZ_HUGE));
	close(fd);
	unlink(path);
	EXPECT_EQ(0, huge_umount(dir));
}

TEST_F(resv, umount_while_a_page_is_pinned_by_a_mapping)
{
	char *dir = huge_mount("pagesize=2M,size=8M,min_size=4M");
	char path[64], *p;
	int fd;

	ASSERT_NE(NULL, dir);
	fd = huge_file(dir, "f", path, sizeof(path));
	p = map(3, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	touch(p, 1);
	close(fd);
	unlink(path);
	ASSERT_EQ(0, umount2(dir, MNT_DETACH));
	rmdir(dir);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 1, 2, 0);
	EXPECT_EQ(1, p[0]);
	munmap(p, 3 * SZ_HUGE);
}

/* ---- random sequences; every one must end where it began ---- */

struct sequence {
	char	*dir;
	int	fd[3];
	char	*map[6];
	long	len[6];
	long	file_len[3];
};

static void seq_map(struct sequence *s, int slot)
{
	int f = rand() % 3, flags = rand() % 2 ? MAP_SHARED : MAP_PRIVATE;
	long n = 1 + rand() % 4, at = rand() % 3;

	if (s->map[slot])
		return;
	if (rand() % 5 == 0)
		flags |= MAP_NORESERVE;
	if (rand() % 4 == 0)
		s->map[slot] = map_anon(n, flags);
	else
		s->map[slot] = map(n, flags, s->fd[f], at);
	if (s->map[slot] == MAP_FAILED)
		s->map[slot] = NULL;
	s->len[slot] = n;
}

static void seq_touch(struct sequence *s, int slot)
{
	char v;

	if (!s->map[slot])
		return;
	for (long i = 0; i < s->len[slot]; i++) {
		char *p = s->map[slot] + i * SZ_HUGE;

		if (rand() % 3 == 0)
			huge_load(p, &v);
		else
			huge_store(p, i);
	}
}

static void seq_unmap(struct sequence *s, int slot)
{
	if (!s->map[slot])
		return;
	if (s->len[slot] > 1 && rand() % 3 == 0) {
		s->len[slot]--;
		munmap(s->map[slot] + s->len[slot] * SZ_HUGE, SZ_HUGE);
		return;
	}
	munmap(s->map[slot], s->len[slot] * SZ_HUGE);
	s->map[slot] = NULL;
}

static void seq_file(struct sequence *s)
{
	int fd = s->fd[rand() % 3];
	long at = rand() % 4, n = 1 + rand() % 3;

	switch (rand() % 4) {
	case 0:
		if (ftruncate(fd, at * SZ_HUGE))
			break;
		break;
	case 1:
		fallocate(fd, 0, at * SZ_HUGE, n * SZ_HUGE);
		break;
	default:
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  at * SZ_HUGE, n * SZ_HUGE);
	}
}

static void seq_fork(struct sequence *s)
{
	int slot = rand() % 6, seed = rand(), status;

	if (fork() == 0) {
		srand(seed);
		for (int i = 0; i < 6; i++) {
			seq_touch(s, rand() % 6);
			if (rand() % 2)
				seq_unmap(s, rand() % 6);
		}
		_exit(0);
	}
	seq_touch(s, slot);
	wait(&status);
}

static void seq_step(struct sequence *s)
{
	int slot = rand() % 6;

	switch (rand() % 10) {
	case 0: case 1: case 2:
		seq_map(s, slot);
		break;
	case 3: case 4: case 5:
		seq_touch(s, slot);
		break;
	case 6:
		seq_unmap(s, slot);
		break;
	case 7:
		seq_file(s);
		break;
	case 8:
		if (s->map[slot])
			madvise(s->map[slot], s->len[slot] * SZ_HUGE,
				MADV_DONTNEED);
		break;
	default:
		if (rand() % 4 == 0)
			seq_fork(s);
	}
}

static void seq_run(struct __test_metadata *_metadata, int seed)
{
	static const char * const options[] = {
		"pagesize=2M", "pagesize=2M,min_size=4M",
		"pagesize=2M,size=8M", "pagesize=2M,size=10M,min_size=6M",
	};
	const struct huge_counts want = { .total = POOL, .free = POOL };
	struct sequence s = { };
	struct huge_counts c;
	char path[64];

	srand(seed);
	s.dir = huge_mount(options[rand() % 4]);
	ASSERT_NE(NULL, s.dir);
	huge_set(SZ_HUGE, "nr_overcommit_hugepages", rand() % 2 * 3);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%d", s.dir, i);
		s.fd[i] = open(path, O_CREAT | O_RDWR, 0600);
	}
	for (int i = 0; i < 240; i++) {
		seq_step(&s);
		c = huge_counts(SZ_HUGE);
		ASSERT_GE(c.free, c.resv) {
			TH_LOG("seed %d step %d", seed, i);
		}
		ASSERT_LE(c.resv, 1000);
	}
	for (int i = 0; i < 6; i++) {
		if (s.map[i])
			munmap(s.map[i], s.len[i] * SZ_HUGE);
	}
	for (int i = 0; i < 3; i++) {
		close(s.fd[i]);
		snprintf(path, sizeof(path), "%s/%d", s.dir, i);
		unlink(path);
	}
	ASSERT_EQ(0, huge_umount(s.dir));
	c = huge_counts_awaited(SZ_HUGE, want);
	ASSERT_EQ(POOL, c.total) TH_LOG("seed %d", seed);
	ASSERT_EQ(POOL, c.free) TH_LOG("seed %d", seed);
	ASSERT_EQ(0, c.resv) TH_LOG("seed %d", seed);
	ASSERT_EQ(0, c.surplus) TH_LOG("seed %d", seed);
}

/* HUGETLB_SEQUENCES: fewer for a kernel that checks everything, more for fun. */
TEST_F_TIMEOUT(resv, random_sequences, 600)
{
	const char *wanted = getenv("HUGETLB_SEQUENCES");
	int n = wanted ? atoi(wanted) : 100;

	for (int seed = 1; seed <= n; seed++)
		seq_run(_metadata, seed);
}

TEST_HARNESS_MAIN
