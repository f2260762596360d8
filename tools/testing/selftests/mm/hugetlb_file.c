// SPDX-License-Identifier: GPL-2.0
/*
 * hugetlbfs: mount options, file operations, seals, and truncation and hole
 * punching against faults.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <time.h>
#include <linux/falloc.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "../kselftest_harness.h"
#include "hugetlb_test.h"

#define POOL 12

#ifndef F_ADD_SEALS
#define F_ADD_SEALS		1033
#define F_SEAL_SHRINK		0x0002
#define F_SEAL_GROW		0x0004
#define F_SEAL_WRITE		0x0008
#define F_SEAL_FUTURE_WRITE	0x0010
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC		0x0020
#endif
#ifndef MFD_ALLOW_SEALING
#define MFD_ALLOW_SEALING	2U
#endif

FIXTURE(file) {
	char *dir;
	char path[64];
	int fd;
};

FIXTURE_SETUP(file)
{
	ASSERT_EQ(0, huge_pool_exact(POOL));
	self->dir = huge_mount("pagesize=2M,mode=0755");
	ASSERT_NE(NULL, self->dir);
	snprintf(self->path, sizeof(self->path), "%s/file", self->dir);
	self->fd = open(self->path, O_CREAT | O_RDWR, 0600);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(file)
{
	close(self->fd);
	unlink(self->path);
	EXPECT_EQ(0, huge_umount(self->dir));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
}

static char *map(long n, int flags, int fd, long offset)
{
	return mmap(NULL, n * SZ_HUGE, PROT_READ | PROT_WRITE, flags, fd,
		    offset * SZ_HUGE);
}

TEST_F(file, read)
{
	char buf[64], *p = map(3, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, p);
	memset(p, 'a', SZ_HUGE);
	memset(p + 2 * SZ_HUGE, 'c', SZ_HUGE);
	ASSERT_EQ(64, pread(self->fd, buf, 64, SZ_HUGE - 32));
	for (int i = 0; i < 64; i++)
		EXPECT_EQ(i < 32 ? 'a' : 0, buf[i]);	/* a hole reads as zero */
	ASSERT_EQ(64, pread(self->fd, buf, 64, 2 * SZ_HUGE + 4000));
	EXPECT_EQ('c', buf[63]);
	EXPECT_EQ(16, pread(self->fd, buf, 64, 3 * SZ_HUGE - 16));
	EXPECT_EQ(0, pread(self->fd, buf, 64, 3 * SZ_HUGE));
	EXPECT_EQ(-1, pread(self->fd, (void *)8, 64, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, pwrite(self->fd, buf, 64, 0));
	EXPECT_EQ(EINVAL, errno);
	munmap(p, 3 * SZ_HUGE);
}

TEST_F(file, size_and_blocks)
{
	struct stat st;
	char *p;

	EXPECT_EQ(-1, ftruncate(self->fd, SZ_HUGE + 4096));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(0, ftruncate(self->fd, 4 * SZ_HUGE));
	p = map(4, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	p[SZ_HUGE] = 1;
	p[2 * SZ_HUGE] = 1;
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(4 * (off_t)SZ_HUGE, st.st_size);
	EXPECT_EQ(2 * (blkcnt_t)(SZ_HUGE / 512), st.st_blocks);
	EXPECT_EQ((blksize_t)SZ_HUGE, st.st_blksize);
	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, SZ_HUGE, SZ_HUGE));
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ((blkcnt_t)(SZ_HUGE / 512), st.st_blocks);
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(0, st.st_blocks);
	munmap(p, 4 * SZ_HUGE);
}

TEST_F(file, mmap_needs_alignment)
{
	EXPECT_EQ(MAP_FAILED, mmap(NULL, SZ_HUGE, PROT_READ, MAP_SHARED,
				   self->fd, 4096));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap((void *)(1UL << 32 | 4096), SZ_HUGE,
				   PROT_READ, MAP_SHARED | MAP_FIXED,
				   self->fd, 0));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(file, unlink_while_mapped)
{
	char *p = map(2, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, p);
	p[0] = 1;
	unlink(self->path);
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(1, p[0]);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 1, 1, 0);
	p[SZ_HUGE] = 2;
	munmap(p, 2 * SZ_HUGE);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
}

TEST_F(file, punch_part_of_a_page)
{
	char *p = map(3, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, p);
	memset(p, 'x', 3 * SZ_HUGE);
	/* the middle page goes, the edges are zeroed in place */
	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, SZ_HUGE / 2, 2 * SZ_HUGE));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 2, 0, 0);
	EXPECT_EQ('x', p[SZ_HUGE / 2 - 1]);
	EXPECT_EQ(0, p[SZ_HUGE / 2]);
	EXPECT_EQ(0, p[SZ_HUGE - 1]);
	EXPECT_EQ(0, p[2 * SZ_HUGE + SZ_HUGE / 2 - 1]);
	EXPECT_EQ('x', p[2 * SZ_HUGE + SZ_HUGE / 2]);
	munmap(p, 3 * SZ_HUGE);
}

TEST_F(file, fallocate_modes)
{
	struct stat st;

	EXPECT_EQ(-1, fallocate(self->fd, FALLOC_FL_ZERO_RANGE, 0, SZ_HUGE));
	EXPECT_EQ(EOPNOTSUPP, errno);
	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 0, SZ_HUGE));
	fstat(self->fd, &st);
	EXPECT_EQ(0, st.st_size);
	ASSERT_EQ(0, fallocate(self->fd, 0, 1, 2 * SZ_HUGE));
	fstat(self->fd, &st);
	EXPECT_EQ(2 * (off_t)SZ_HUGE + 1, st.st_size);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - 3, 0, 0);
}

TEST_F(file, directories)
{
	char path[96];
	struct stat st;

	snprintf(path, sizeof(path), "%s/d", self->dir);
	ASSERT_EQ(0, mkdir(path, 0700));
	ASSERT_EQ(0, rmdir(path));
	ASSERT_EQ(0, stat(self->dir, &st));
	EXPECT_EQ(0755, st.st_mode & 07777);
}

TEST_F(file, statfs_of_a_limited_mount)
{
	char dir2[32] = "/tmp/hugetlb2.XXXXXX", path[64];
	struct statfs sf;
	int fd;

	ASSERT_NE(NULL, mkdtemp(dir2));
	ASSERT_EQ(0, mount("none", dir2, "hugetlbfs", 0,
			   "pagesize=2M,size=8M,nr_inodes=3"));
	ASSERT_EQ(0, statfs(dir2, &sf));
	EXPECT_EQ((long)SZ_HUGE, (long)sf.f_bsize);
	EXPECT_EQ(4, (long)sf.f_blocks);
	EXPECT_EQ(4, (long)sf.f_bfree);
	fd = huge_file(dir2, "a", path, sizeof(path));
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, fallocate(fd, 0, 0, 3 * SZ_HUGE));
	ASSERT_EQ(0, statfs(dir2, &sf));
	EXPECT_EQ(1, (long)sf.f_bfree);
	EXPECT_EQ(1, (long)sf.f_ffree);
	EXPECT_EQ(-1, fallocate(fd, 0, 0, 5 * SZ_HUGE));
	EXPECT_EQ(ENOSPC, errno);
	snprintf(path, sizeof(path), "%s/b", dir2);
	EXPECT_EQ(0, mknod(path, S_IFREG | 0600, 0));
	snprintf(path, sizeof(path), "%s/c", dir2);
	EXPECT_EQ(-1, mknod(path, S_IFREG | 0600, 0));
	EXPECT_EQ(ENOSPC, errno);
	close(fd);
	ASSERT_EQ(0, umount(dir2));
	rmdir(dir2);
}

TEST_F(file, bad_mount_options)
{
	static const char * const bad[] = {
		"pagesize=3M", "pagesize=x", "size=x", "min_size=x", "nr_inodes=x",
		"nosuch=1", "mode=9", "uid=-x", "gid=x",
		"pagesize=2M,size=4M,min_size=8M",
	};
	char dir2[32] = "/tmp/hugetlb2.XXXXXX";

	ASSERT_NE(NULL, mkdtemp(dir2));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-1, mount("none", dir2, "hugetlbfs", 0, bad[i])) {
			TH_LOG("%s was accepted", bad[i]);
			umount(dir2);
		}
		EXPECT_EQ(EINVAL, errno) {
			TH_LOG("%s", bad[i]);
		}
	}
	rmdir(dir2);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
}

TEST_F(file, size_in_percent_of_the_pool)
{
	char dir2[32] = "/tmp/hugetlb2.XXXXXX";
	struct statfs sf;

	ASSERT_NE(NULL, mkdtemp(dir2));
	ASSERT_EQ(0, mount("none", dir2, "hugetlbfs", 0, "pagesize=2M,size=50%"));
	ASSERT_EQ(0, statfs(dir2, &sf));
	EXPECT_EQ(POOL / 2, (long)sf.f_blocks);
	ASSERT_EQ(0, umount(dir2));
	rmdir(dir2);
}

TEST_F(file, seals)
{
	int fd = memfd_create("seals", MFD_HUGETLB | MFD_ALLOW_SEALING);
	char *p;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ftruncate(fd, 2 * SZ_HUGE));
	ASSERT_EQ(0, fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK));
	EXPECT_EQ(-1, ftruncate(fd, SZ_HUGE));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, ftruncate(fd, 3 * SZ_HUGE));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, fallocate(fd, 0, 0, 3 * SZ_HUGE));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(0, fallocate(fd, 0, 0, 2 * SZ_HUGE));
	ASSERT_EQ(0, fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	EXPECT_EQ(-1, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				0, SZ_HUGE));
	EXPECT_EQ(EPERM, errno);
	p = map(2, MAP_SHARED, fd, 0);
	EXPECT_EQ(MAP_FAILED, p);
	p = mmap(NULL, SZ_HUGE, PROT_READ, MAP_SHARED, fd, 0);
	EXPECT_NE(MAP_FAILED, p);
	EXPECT_EQ(-1, mprotect(p, SZ_HUGE, PROT_READ | PROT_WRITE));
	munmap(p, SZ_HUGE);
	close(fd);
}

/* Linux 6.12 as released lets fchmod change the execute bits all the same. */
TEST_F(file, seal_exec)
{
	int fd = memfd_create("seals", MFD_HUGETLB | MFD_ALLOW_SEALING);
	struct stat st;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, fchmod(fd, 0700));
	ASSERT_EQ(0, fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC));
	EXPECT_EQ(-1, fchmod(fd, 0600));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(0, fchmod(fd, 0711 & ~0011));
	fstat(fd, &st);
	EXPECT_EQ(0700, st.st_mode & 0777);
	close(fd);
}

TEST_F(file, not_enough_memory_leaves_nothing)
{
	EXPECT_EQ(MAP_FAILED, map(POOL + 1, MAP_SHARED, self->fd, 0));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
}

/* ---- faults against truncation and hole punching ---- */

struct race {
	char	*p;
	long	n;
	int	fd;
	int	mode;
	volatile int stop;
};

static __thread sigjmp_buf race_env;

static void race_bus(int sig)
{
	siglongjmp(race_env, 1);
}

static void *race_fault(void *arg)
{
	struct race *r = arg;
	unsigned int seed = (uintptr_t)&seed;

	while (!r->stop) {
		volatile char *p = r->p + rand_r(&seed) % r->n * SZ_HUGE;

		if (!sigsetjmp(race_env, 1)) {
			if (rand_r(&seed) % 2)
				*p = 1;
			else
				(void)*p;
		}
	}
	return NULL;
}

static void *race_shrink(void *arg)
{
	struct race *r = arg;
	unsigned int seed = (uintptr_t)&seed;

	while (!r->stop) {
		long at = rand_r(&seed) % r->n;

		switch (r->mode) {
		case 0:
			if (ftruncate(r->fd, at * SZ_HUGE) ||
			    ftruncate(r->fd, r->n * SZ_HUGE))
				return "ftruncate";
			break;
		case 1:
			fallocate(r->fd, FALLOC_FL_PUNCH_HOLE |
				  FALLOC_FL_KEEP_SIZE, at * SZ_HUGE,
				  2 * SZ_HUGE);
			break;
		case 2:
			madvise(r->p + at * SZ_HUGE, SZ_HUGE, MADV_REMOVE);
			fallocate(r->fd, 0, at * SZ_HUGE, SZ_HUGE);
			break;
		default:
			madvise(r->p + at * SZ_HUGE, SZ_HUGE, MADV_DONTNEED);
		}
	}
	return NULL;
}

static void race_run(struct __test_metadata *_metadata, int fd, int flags,
		     int mode)
{
	struct sigaction sa = { .sa_handler = race_bus, .sa_flags = SA_NODEFER };
	struct race r = { .fd = fd, .n = 6, .mode = mode };
	pthread_t t[4];
	void *err;

	ASSERT_EQ(0, ftruncate(fd, r.n * SZ_HUGE));
	r.p = map(r.n, flags, fd, 0);
	ASSERT_NE(MAP_FAILED, r.p);
	sigaction(SIGBUS, &sa, NULL);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, i < 2 ? race_fault : race_shrink, &r);
	sleep(2);
	r.stop = 1;
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &err);
		EXPECT_EQ(NULL, err);
	}
	munmap(r.p, r.n * SZ_HUGE);
	ASSERT_EQ(0, ftruncate(fd, 0));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
}

TEST_F(file, truncate_against_faults)
{
	race_run(_metadata, self->fd, MAP_SHARED, 0);
	race_run(_metadata, self->fd, MAP_PRIVATE, 0);
}

TEST_F(file, punch_against_faults)
{
	race_run(_metadata, self->fd, MAP_SHARED, 1);
	race_run(_metadata, self->fd, MAP_PRIVATE, 1);
}

/* ---- truncation and hole punching of a mapping that is busy elsewhere ---- */

#define PM_UFFD_WP	(1ULL << 57)
#define PM_PRESENT	(1ULL << 63)

static uint64_t pagemap_word(const char *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t word = 0;

	if (pread(fd, &word, sizeof(word), (uintptr_t)p / getpagesize() *
		  sizeof(word)) != sizeof(word))
		word = ~0ULL;
	close(fd);
	return word;
}

/* Keeps the mapping's lock in use, at a page that nobody else looks at. */
static void *busy_dontneed(void *arg)
{
	struct race *r = arg;

	while (!r->stop)
		madvise(r->p + (r->n - 1) * SZ_HUGE, SZ_HUGE, MADV_DONTNEED);
	return NULL;
}

static void *busy_store(void *arg)
{
	struct race *r = arg;

	while (!r->stop) {
		if (!sigsetjmp(race_env, 1))
			*(volatile char *)(r->p + SZ_HUGE) = 1;
	}
	return NULL;
}

/* A private mapping has pages of its own; they end with the file all the same. */
static void truncate_private(struct __test_metadata *_metadata, int fd,
			     void *(*busy)(void *))
{
	struct sigaction sa = { .sa_handler = race_bus, .sa_flags = SA_NODEFER };
	struct race r = { .fd = fd, .n = 4 };
	time_t end = time(NULL) + 15;
	int stayed = 0;
	pthread_t t;

	ASSERT_EQ(0, ftruncate(fd, r.n * SZ_HUGE));
	r.p = map(r.n, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, r.p);
	sigaction(SIGBUS, &sa, NULL);
	pthread_create(&t, NULL, busy, &r);
	/* Slow machines see fewer rounds. */
	for (int i = 0; i < 300 && (i < 10 || time(NULL) < end); i++) {
		/* every other time the file has a page to be copied */
		if (i % 2)
			ASSERT_EQ(0, fallocate(fd, 0, SZ_HUGE, SZ_HUGE));
		r.p[SZ_HUGE] = 1;
		ASSERT_EQ(0, ftruncate(fd, SZ_HUGE));
		for (int k = 0; k < 10; k++) {
			if (pagemap_word(r.p + SZ_HUGE) & PM_PRESENT)
				stayed++;
		}
		ASSERT_EQ(0, ftruncate(fd, r.n * SZ_HUGE));
	}
	r.stop = 1;
	pthread_join(t, NULL);
	EXPECT_EQ(0, stayed);
	munmap(r.p, r.n * SZ_HUGE);
}

/* Pages that fallocate() left beyond the end can be mapped, and copied. */
TEST_F(file, private_copy_beyond_the_end)
{
	char *p;

	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 0, 2 * SZ_HUGE));
	p = mmap(NULL, 2 * SZ_HUGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_NORESERVE, self->fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 0, SZ_HUGE));
	EXPECT_TRUE(huge_store(p, 1));
	EXPECT_EQ(1, p[0]);
	EXPECT_FALSE(huge_store(p + SZ_HUGE, 1));
	munmap(p, 2 * SZ_HUGE);
}

TEST_F(file, truncate_a_busy_private_mapping)
{
	truncate_private(_metadata, self->fd, busy_dontneed);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
	truncate_private(_metadata, self->fd, busy_store);
}

/* Return: a userfaultfd for write protection of [p, p + len), or -1. */
static int uffd_wp(char *p, size_t len)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
	};
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)p, .len = len },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	int fd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) ||
	    ioctl(fd, UFFDIO_REGISTER, &reg))
		return -1;
	return fd;
}

static int uffd_protect(int fd, char *p, uint64_t mode)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)p, .len = SZ_HUGE },
		.mode = mode,
	};

	return ioctl(fd, UFFDIO_WRITEPROTECT, &wp);
}

/* What is protected stays so when its page goes: the user has not unmapped it. */
TEST_F(file, punch_a_busy_protected_mapping)
{
	struct race r = { .fd = self->fd, .n = 4 };
	int uffd, lost = 0;
	pthread_t t;

	r.p = map(r.n, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, r.p);
	uffd = uffd_wp(r.p, r.n * SZ_HUGE);
	if (uffd < 0)
		SKIP(goto unmap, "no userfaultfd write protection");
	pthread_create(&t, NULL, busy_dontneed, &r);
	for (int i = 0; i < 300; i++) {
		r.p[0] = 1;
		ASSERT_EQ(0, uffd_protect(uffd, r.p, UFFDIO_WRITEPROTECT_MODE_WP));
		ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE |
				       FALLOC_FL_KEEP_SIZE, 0, SZ_HUGE));
		if ((pagemap_word(r.p) & (PM_UFFD_WP | PM_PRESENT)) !=
		    PM_UFFD_WP)
			lost++;
		ASSERT_EQ(0, uffd_protect(uffd, r.p, 0));
	}
	r.stop = 1;
	pthread_join(t, NULL);
	EXPECT_EQ(0, lost);
	close(uffd);
unmap:
	munmap(r.p, r.n * SZ_HUGE);
}

TEST_F(file, remove_and_fallocate_against_faults)
{
	race_run(_metadata, self->fd, MAP_SHARED, 2);
}

TEST_F(file, dontneed_against_faults)
{
	race_run(_metadata, self->fd, MAP_SHARED, 3);
	race_run(_metadata, self->fd, MAP_PRIVATE, 3);
}

TEST_HARNESS_MAIN
