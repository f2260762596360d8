// SPDX-License-Identifier: GPL-2.0
/*
 * Migration of huge pages: what was promised stays promised whether a page
 * could be moved or not, and an address space counts its pages all the time.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "../kselftest_harness.h"
#include "hugetlb_test.h"

#define POOL	8
#define MOVE	2	/* MPOL_MF_MOVE */

FIXTURE(migrate) {
	int pin[2];
};

FIXTURE_SETUP(migrate)
{
	if (huge_nodes() < 2)
		SKIP(return, "needs two nodes");
	ASSERT_EQ(0, huge_pool_exact(POOL));
	ASSERT_EQ(0, pipe(self->pin));
}

FIXTURE_TEARDOWN(migrate)
{
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
}

static char *map(long n, int flags, int fd)
{
	return mmap(NULL, n * SZ_HUGE, PROT_READ | PROT_WRITE, flags, fd, 0);
}

static char *map_anon(long n, int flags)
{
	return map(n, MAP_ANONYMOUS | MAP_HUGETLB | flags, -1);
}

static int node_of(char *p)
{
	void *page = p;
	int status = -1;

	syscall(SYS_move_pages, 0, 1, &page, NULL, &status, 0);
	return status;
}

/* Return: whether the page is on the node now. */
static bool move_to(char *p, int node)
{
	void *page = p;
	int status = -1;

	syscall(SYS_move_pages, 0, 1, &page, &node, &status, MOVE);
	return node_of(p) == node;
}

/* A reference that migration cannot do away with, until unpin(). */
static bool pin(int *pipe, char *p)
{
	struct iovec iov = { .iov_base = p, .iov_len = 4096 };

	return vmsplice(pipe[1], &iov, 1, 0) == 4096;
}

static bool unpin(int *pipe)
{
	char buf[4096];

	return read(pipe[0], buf, sizeof(buf)) == sizeof(buf);
}

/*
 * Of @n promised pages @used are touched.  Where @n is all there is, the page
 * to move to is a temporary one.
 */
static void refused_move(struct __test_metadata *_metadata, int *pipe,
			 char *p, long n, long used)
{
	int from;

	ASSERT_NE(MAP_FAILED, p);
	for (long i = 0; i < used; i++)
		p[i * SZ_HUGE] = i + 1;
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - used, n - used, 0);
	from = node_of(p);
	ASSERT_TRUE(pin(pipe, p));
	EXPECT_FALSE(move_to(p, !from));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - used, n - used, 0);
	EXPECT_EQ(1, p[0]);

	ASSERT_TRUE(unpin(pipe));
	EXPECT_TRUE(move_to(p, !from));
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL - used, n - used, 0);
	EXPECT_EQ(1, p[0]);
}

TEST_F(migrate, private_page_in_use)
{
	for (long n = POOL / 2; n <= POOL; n += POOL / 2) {
		char *p = map_anon(n, MAP_PRIVATE);

		refused_move(_metadata, self->pin, p, n, 2);
		/* each page pays for its promise, wherever it lies */
		ASSERT_EQ(0, madvise(p, n * SZ_HUGE, MADV_DONTNEED));
		EXPECT_COUNTS(SZ_HUGE, POOL, POOL, n, 0);
		munmap(p, n * SZ_HUGE);
		EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
	}
}

TEST_F(migrate, shared_page_in_use)
{
	for (long n = POOL / 2; n <= POOL; n += POOL / 2) {
		char *p = map_anon(n, MAP_SHARED);

		refused_move(_metadata, self->pin, p, n, 2);
		munmap(p, n * SZ_HUGE);
		EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
	}
}

/* The unit of a page is the mount's, and stays with the data. */
TEST_F(migrate, page_of_a_limited_mount)
{
	char *dir = huge_mount("pagesize=2M,size=8M,min_size=8M");
	char path[64], *p;
	int fd;

	ASSERT_NE(NULL, dir);
	fd = huge_file(dir, "f", path, sizeof(path));
	ASSERT_GE(fd, 0);
	p = map(4, MAP_SHARED, fd);
	refused_move(_metadata, self->pin, p, 4, 3);
	EXPECT_EQ(MAP_FAILED, map_anon(POOL - 3, MAP_PRIVATE));
	munmap(p, 4 * SZ_HUGE);
	close(fd);
	unlink(path);
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 4, 0);
	EXPECT_EQ(0, huge_umount(dir));
}

/* ---- HugetlbPages of /proc/PID/status ---- */

static long status_huge(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[128];
	long kb = -1;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "HugetlbPages: %ld kB", &kb) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kb;
}

struct mover {
	char		*p;
	long		n;
	volatile int	stop;
};

static void *mover(void *arg)
{
	struct mover *m = arg;
	int node = 0;

	while (!m->stop) {
		for (long i = 0; i < m->n; i++)
			move_to(m->p + i * SZ_HUGE, node);
		node = !node;
	}
	return NULL;
}

TEST_F(migrate, status_while_pages_move)
{
	struct mover m = { .n = 2 };
	int status, wrong = 0;
	pthread_t t;

	m.p = map_anon(m.n, MAP_PRIVATE);
	ASSERT_NE(MAP_FAILED, m.p);
	pthread_create(&t, NULL, mover, &m);
	for (int i = 0; i < 300; i++) {
		for (long k = 0; k < m.n; k++)
			m.p[k * SZ_HUGE] = k;
		usleep(i * 17 % 5000);
		if (i % 2 == 0 && fork() == 0) {
			munmap(m.p, m.n * SZ_HUGE);
			_exit(status_huge() != 0);
		}
		if (i % 2 == 0) {
			wait(&status);
			wrong += status != 0;
		} else {
			madvise(m.p, m.n * SZ_HUGE, MADV_DONTNEED);
			wrong += status_huge() != 0;
		}
	}
	m.stop = 1;
	pthread_join(t, NULL);
	EXPECT_EQ(0, wrong);
	munmap(m.p, m.n * SZ_HUGE);
	EXPECT_EQ(0, status_huge());
}

TEST_HARNESS_MAIN
