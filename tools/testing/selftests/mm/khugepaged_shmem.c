// SPDX-License-Identifier: GPL-2.0
/*
 * Shared memory becomes folios of every order that is enabled for it: in the
 * page cache, in the page tables, with the contents it had, holes and pages in
 * swap included.
 */
#define _GNU_SOURCE
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "../kselftest_harness.h"
#include "khugepaged_test.h"

#define SEED	7

FIXTURE(shmem) {
	int order;
	long nr;		/* pages in one range */
	long pages;		/* pages mapped */
	size_t len;
	int fd;
	char *p;
};

FIXTURE_VARIANT(shmem) {
	int order;
};

#define VARIANT(n) FIXTURE_VARIANT_ADD(shmem, order##n) { .order = n }
VARIANT(2);
VARIANT(3);
VARIANT(4);
VARIANT(5);
VARIANT(6);
VARIANT(7);
VARIANT(8);
VARIANT(9);

/* A file of len bytes, mapped where a PMD begins. */
static char *map_shared(int *fd, size_t len)
{
	char *at = khp_reserve(len), *p;

	*fd = memfd_create("khugepaged", 0);
	if (!at || *fd < 0 || ftruncate(*fd, len))
		return NULL;
	p = mmap(at, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, *fd,
		 0);
	return p == at ? p : NULL;
}

/*
 * Several ranges, and no whole PMD unless that is the order.  Small pages: no
 * size is enabled before they are there.
 */
FIXTURE_SETUP(shmem)
{
	int order = variant->order;

	if (geteuid() || order > khp_pmd_order() ||
	    !khp_has_order(order, "shmem_enabled"))
		SKIP(return, "no such size, or not root");

	thp_save_settings();
	khp_all_off();
	self->order = order;
	self->nr = 1L << order;
	self->pages = order == khp_pmd_order() ? 2 * self->nr :
		      order == khp_pmd_order() - 1 ? self->nr : 4 * self->nr;
	if (order < khp_pmd_order() && self->pages > 1L << (khp_pmd_order() - 1))
		self->pages = 1L << (khp_pmd_order() - 1);
	self->len = self->pages * psize();
	self->p = map_shared(&self->fd, self->len);
	ASSERT_NE(NULL, self->p);
}

FIXTURE_TEARDOWN(shmem)
{
	if (!self->p)
		return;
	munmap(self->p, self->len);
	close(self->fd);
	thp_restore_settings();
}

static long blocks(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : st.st_blocks * 512L / psize();
}

/* From here on the order of the variant can be had, and no other. */
static void enable(int order)
{
	khp_set_order(order, "shmem_enabled", "always");
}

/* What the thread did is in the page cache; show it in our page tables. */
static bool wait_for_order(char *p, long pages, int order)
{
	for (int i = 0; i < 10; i++) {
		if (!khp_passes(1))
			return false;
		khp_touch(p, pages);
		if (khp_all_of_order(p, pages, order))
			return true;
	}
	return false;
}

TEST_F(shmem, madvise_full)
{
	long shmem, huge;

	khp_fill(self->p, self->pages, SEED);
	ASSERT_TRUE(khp_all_of_order(self->p, self->pages, 0));
	shmem = khp_meminfo_exact("Shmem");
	huge = khp_meminfo("ShmemHugePages");
	enable(self->order);
	ASSERT_EQ(0, khp_collapse_retry(self->p, self->len));
	/* nothing was touched in between */
	EXPECT_TRUE(khp_all_of_order(self->p, self->pages, self->order));
	EXPECT_TRUE(khp_holds(self->p, self->pages, SEED));
	EXPECT_EQ(self->pages, blocks(self->fd));
	/* Others may write to a tmpfs. */
	EXPECT_GE(512, labs(khp_meminfo_exact("Shmem") - shmem));
	huge = khp_meminfo("ShmemHugePages") - huge;
	EXPECT_EQ(self->order == khp_pmd_order() ? self->len >> 10 : 0, huge);
}

TEST_F(shmem, madvise_again)
{
	khp_fill(self->p, self->pages, SEED);
	enable(self->order);
	ASSERT_EQ(0, khp_collapse_retry(self->p, self->len));
	ASSERT_EQ(0, khp_collapse(self->p, self->len));
	EXPECT_TRUE(khp_holds(self->p, self->pages, SEED));
}

TEST_F(shmem, khugepaged_full)
{
	khp_fill(self->p, self->pages, SEED);
	enable(self->order);
	ASSERT_EQ(0, madvise(self->p, self->len, MADV_HUGEPAGE));
	EXPECT_TRUE(wait_for_order(self->p, self->pages, self->order));
	EXPECT_TRUE(khp_holds(self->p, self->pages, SEED));
	EXPECT_EQ(self->pages, blocks(self->fd));
}

/* Not where the file ends, unless it grows. */
TEST_F(shmem, within_size)
{
	long nr = self->nr, first = self->pages - nr;
	char *last = self->p + first * psize();

	/* khugepaged takes note of who may have something, not of who might. */
	enable(self->order);
	ASSERT_EQ(0, madvise(self->p, self->len, MADV_HUGEPAGE));
	khp_set_order(self->order, "shmem_enabled", "never");
	ASSERT_EQ(0, ftruncate(self->fd, (first + nr / 2) * psize()));
	khp_fill(self->p, first + nr / 2, SEED);
	khp_set_order(self->order, "shmem_enabled", "within_size");
	ASSERT_TRUE(khp_passes(3));
	khp_touch(self->p, first + nr / 2);
	EXPECT_TRUE(khp_all_of_order(self->p, first, self->order));
	EXPECT_TRUE(khp_all_of_order(last, nr / 2, 0));
	EXPECT_EQ(first + nr / 2, blocks(self->fd));
	ASSERT_EQ(0, ftruncate(self->fd, self->len));
	EXPECT_TRUE(wait_for_order(self->p, self->pages, self->order));
	EXPECT_TRUE(khp_holds(self->p, first + nr / 2, SEED));
}

/* One page of four is there, so the limit has to be what it is by default. */
TEST_F(shmem, holes)
{
	for (long i = 0; i < self->pages; i += 4)
		khp_fill_page(self->p, SEED, i);
	ASSERT_EQ(self->pages / 4, blocks(self->fd));

	khp_set("max_ptes_none", 0);
	enable(self->order);
	ASSERT_EQ(0, madvise(self->p, self->len, MADV_HUGEPAGE));
	ASSERT_TRUE(khp_passes(2));
	EXPECT_EQ(self->pages / 4, blocks(self->fd));

	khp_set("max_ptes_none", (1 << khp_pmd_order()) - 1);
	ASSERT_TRUE(wait_for_order(self->p, self->pages, self->order));
	EXPECT_EQ(self->pages, blocks(self->fd));
	for (long i = 0; i < self->pages; i++)
		EXPECT_TRUE(i % 4 ? khp_page_zero(self->p, i) :
				    khp_page_holds(self->p, SEED, i));

	/* Everything that was charged for holes comes back. */
	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, 0, self->len));
	EXPECT_EQ(0, blocks(self->fd));
}

TEST_F(shmem, swapped)
{
	long out = 0;

	if (khp_meminfo("SwapTotal") <= 0)
		SKIP(return, "no swap");
	khp_fill(self->p, self->pages, SEED);
	khp_drain();
	for (long i = 0; i < self->pages; i += 8)
		madvise(self->p + i * psize(), psize(), MADV_PAGEOUT);
	for (long i = 0; i < self->pages; i++)
		out += !khp_mapped(self->p + i * psize());
	ASSERT_LT(0, out);
	enable(self->order);
	ASSERT_EQ(0, khp_collapse_retry(self->p, self->len));
	EXPECT_TRUE(khp_all_of_order(self->p, self->pages, self->order));
	EXPECT_TRUE(khp_holds(self->p, self->pages, SEED));
}

/* Reserved and never written: all zeroes, and pages like any other. */
TEST_F(shmem, fallocated)
{
	khp_fill_page(self->p, SEED, 1);
	ASSERT_EQ(0, fallocate(self->fd, 0, 0, self->len));
	enable(self->order);
	ASSERT_EQ(0, khp_collapse_retry(self->p, self->len));
	EXPECT_TRUE(khp_page_holds(self->p, SEED, 1));
	for (long i = 0; i < self->pages; i++) {
		if (i != 1)
			EXPECT_TRUE(khp_page_zero(self->p, i));
	}
	EXPECT_TRUE(khp_all_of_order(self->p, self->pages, self->order));
}

/* Somebody else maps the file one page off, and privately, with a copy. */
TEST_F(shmem, other_mappings)
{
	long n = self->pages - 1;
	char *odd, *own;

	khp_fill(self->p, self->pages, SEED);
	odd = mmap(NULL, n * psize(), PROT_READ, MAP_SHARED, self->fd, psize());
	ASSERT_NE(MAP_FAILED, odd);
	own = mmap(NULL, self->len, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		   self->fd, 0);
	ASSERT_NE(MAP_FAILED, own);
	khp_touch(odd, n);
	khp_touch(own, self->pages);
	khp_fill_page(own, SEED + 1, 3);

	enable(self->order);
	ASSERT_EQ(0, khp_collapse_retry(self->p, self->len));
	EXPECT_TRUE(khp_holds(self->p, self->pages, SEED));
	for (long i = 0; i < n; i++)
		EXPECT_TRUE(khp_page_holds(odd - psize(), SEED, i + 1));
	for (long i = 0; i < self->pages; i++)
		EXPECT_TRUE(khp_page_holds(own, i == 3 ? SEED + 1 : SEED, i));
	/* One memory: what one writes the other sees. */
	khp_fill_page(self->p, SEED + 2, 5 % self->pages);
	if (self->pages > 5)
		EXPECT_TRUE(khp_page_holds(odd - psize(), SEED + 2, 5));
	munmap(odd, n * psize());
	munmap(own, self->len);
}

/* A page that somebody reads from a pipe cannot be replaced; later it can. */
TEST_F(shmem, pinned)
{
	struct iovec v = { .iov_base = self->p + psize(), .iov_len = 1 };
	int pipefd[2];
	char c;

	khp_fill(self->p, self->pages, SEED);
	ASSERT_EQ(0, pipe(pipefd));
	ASSERT_EQ(1, vmsplice(pipefd[1], &v, 1, 0));
	enable(self->order);
	EXPECT_EQ(EAGAIN, khp_collapse(self->p, self->len));
	EXPECT_EQ(0, khp_order_at(self->p));
	EXPECT_TRUE(khp_holds(self->p, self->pages, SEED));
	ASSERT_EQ(1, read(pipefd[0], &c, 1));
	EXPECT_EQ(0, khp_collapse_retry(self->p, self->len));
	EXPECT_TRUE(khp_all_of_order(self->p, self->pages, self->order));
	EXPECT_TRUE(khp_holds(self->p, self->pages, SEED));
	close(pipefd[0]);
	close(pipefd[1]);
}

/* Who waits for faults on holes must not lose them. */
TEST_F(shmem, userfaultfd_holes)
{
	struct uffdio_api api = { .api = UFFD_API };
	int uffd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)self->p, .len = self->len },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (uffd < 0)
		SKIP(return, "no userfaultfd");
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_API, &api));
	khp_fill_page(self->p, SEED, 0);
	khp_fill_page(self->p, SEED, self->pages - 1);
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_REGISTER, &reg));
	enable(self->order);
	EXPECT_EQ(EBUSY, khp_collapse_retry(self->p, self->nr * psize()));
	EXPECT_EQ(2, blocks(self->fd));
	close(uffd);
	EXPECT_EQ(0, khp_collapse_retry(self->p, self->nr * psize()));
	EXPECT_TRUE(khp_page_holds(self->p, SEED, 0));
}

/* Only part of the file, and less than a range at its edges. */
TEST_F(shmem, partial_mapping)
{
	char *at = khp_reserve(self->len), *part;
	size_t off = (self->nr - 1) * psize();

	if (self->pages < 3 * self->nr)
		SKIP(return, "too large for a part without a whole PMD");
	khp_fill(self->p, self->pages, SEED);
	part = mmap(at + off, 2 * self->nr * psize(), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, self->fd, off);
	ASSERT_EQ(at + off, part);
	enable(self->order);
	ASSERT_EQ(0, khp_collapse_retry(part, 2 * self->nr * psize()));
	khp_touch(self->p, self->pages);
	EXPECT_TRUE(khp_all_of_order(self->p, self->nr, 0));
	EXPECT_TRUE(khp_all_of_order(self->p + self->nr * psize(), self->nr,
				     self->order));
	EXPECT_EQ(0, khp_order_at(self->p + 2 * self->nr * psize()));
	EXPECT_TRUE(khp_holds(self->p, self->pages, SEED));
	munmap(part, 2 * self->nr * psize());
}

/* ---- against those who take pages away ---- */

/* A page of the file is as written, or was punched out. */
static bool race_check(struct race *r, long page)
{
	uint64_t word[8192];

	if (pread(r->fd, word, psize(), page * psize()) != psize())
		return false;
	if (khp_page_zero((char *)word, 0))
		return true;
	for (size_t i = 0; i < psize() / 8; i++) {
		if (word[i] != khp_word(SEED, page))
			return false;
	}
	return true;
}

static void race_write(struct race *r, long page)
{
	uint64_t word[8192];
	char *buf = (char *)word;

	khp_fill_one(buf, SEED, page);
	if (pwrite(r->fd, buf, psize(), page * psize()) != psize())
		abort();
}

static bool race_step(struct race *r, long step)
{
	long first = rand() % r->pages, n = 1 + rand() % 8;

	switch (step % 3) {
	case 0:
		fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  first * psize(), n * psize());
		/* Past a hole that was just made there are no old contents. */
		break;
	case 1:
		if (ftruncate(r->fd, first * psize()) ||
		    ftruncate(r->fd, r->len))
			return false;
		break;
	default:
		for (long i = 0; i < r->pages; i++)
			race_write(r, i);
	}
	for (long i = 0; i < r->pages; i++) {
		if (!race_check(r, i))
			return false;
	}
	return true;
}

TEST_F(shmem, against_truncate_and_punch)
{
	struct race r = {
		.fd = self->fd, .p = self->p, .pages = self->pages,
		.len = self->len,
	};
	pthread_t thread;
	time_t end;

	khp_fill(self->p, self->pages, SEED);
	enable(self->order);
	ASSERT_EQ(0, pthread_create(&thread, NULL, race_collapse, &r));
	end = time(NULL) + 4;
	for (long step = 0; time(NULL) < end; step++)
		ASSERT_TRUE(race_step(&r, step));
	r.stop = true;
	pthread_join(thread, NULL);

	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, 0, self->len));
	EXPECT_EQ(0, blocks(self->fd));
}

/* ---- several sizes at once ---- */

FIXTURE(sizes) {
	int fd;
	char *p;
	size_t len;
	long pages;
};

FIXTURE_SETUP(sizes)
{
	if (geteuid() || !khp_has_order(2, "shmem_enabled"))
		SKIP(return, "no small sizes, or not root");
	thp_save_settings();
	khp_all_off();
	self->pages = 1L << (khp_pmd_order() - 1);
	self->len = self->pages * psize();
	self->p = map_shared(&self->fd, self->len);
	ASSERT_NE(NULL, self->p);
}

FIXTURE_TEARDOWN(sizes)
{
	if (!self->p)
		return;
	munmap(self->p, self->len);
	close(self->fd);
	thp_restore_settings();
}

static void enable_many(int from, int to)
{
	for (int order = from; order <= to; order++)
		enable(order);
}

/* The largest one that fits, not the first one that is found. */
TEST_F(sizes, largest_first)
{
	khp_fill(self->p, self->pages, SEED);
	enable_many(2, khp_pmd_order());
	ASSERT_EQ(0, khp_collapse_retry(self->p, self->len));
	EXPECT_EQ(khp_pmd_order() - 1, khp_order_at(self->p));
	EXPECT_TRUE(khp_holds(self->p, self->pages, SEED));
}

/* Folios of one size become larger ones when a larger size is enabled. */
TEST_F(sizes, step_by_step)
{
	khp_fill(self->p, self->pages, SEED);
	for (int order = 2; order < khp_pmd_order(); order++) {
		enable(order);
		ASSERT_EQ(0, khp_collapse_retry(self->p, self->len));
		EXPECT_TRUE(khp_all_of_order(self->p, self->pages, order));
		EXPECT_TRUE(khp_holds(self->p, self->pages, SEED));
	}
}

/*
 * Two pages of four are enough for 16K, one of two at every size.  What was
 * filled up must not make 32K of it, and so on; what is written later does.
 */
TEST_F(sizes, no_creep)
{
	khp_fill_page(self->p, SEED, 0);
	khp_fill_page(self->p, SEED, 1);
	khp_set("max_ptes_none", 1 << (khp_pmd_order() - 1));
	enable_many(2, khp_pmd_order() - 1);
	ASSERT_EQ(0, madvise(self->p, self->len, MADV_HUGEPAGE));
	ASSERT_TRUE(khp_passes(1));
	ASSERT_EQ(4, blocks(self->fd));
	ASSERT_TRUE(khp_passes(20));
	EXPECT_EQ(4, blocks(self->fd));
	khp_touch(self->p, 4);
	EXPECT_EQ(2, khp_order_at(self->p));

	khp_fill_page(self->p, SEED, 2);
	khp_fill_page(self->p, SEED, 3);
	ASSERT_TRUE(khp_passes(4));
	EXPECT_EQ(8, blocks(self->fd));
	khp_touch(self->p, 8);
	EXPECT_EQ(3, khp_order_at(self->p));
	EXPECT_TRUE(khp_holds(self->p, 4, SEED));
	for (long i = 4; i < 8; i++)
		EXPECT_TRUE(khp_page_zero(self->p, i));
	ASSERT_TRUE(khp_passes(20));
	EXPECT_EQ(8, blocks(self->fd));
}

/* ---- who pays ---- */

static long stat_of(const char *group, const char *field)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/memory.stat", group);
	return file_counter(path, field);
}

/* What groups have is added up every other second. */
static long stat_awaited(const char *group, const char *field, long want)
{
	for (int i = 0; i < 100 && stat_of(group, field) != want; i++)
		usleep(100000);
	return stat_of(group, field);
}

static int enter(const char *group)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	return file_write(path, "0");
}

static int in_group(const char *group, void (*fn)(char *, size_t), char *p,
		    size_t len)
{
	int status;

	if (fork() == 0) {
		if (enter(group))
			_exit(1);
		fn(p, len);
		_exit(0);
	}
	wait(&status);
	return status;
}

static void write_all(char *p, size_t len)
{
	khp_fill(p, len / psize(), SEED);
}

static void collapse_all(char *p, size_t len)
{
	if (khp_collapse_retry(p, len))
		_exit(2);
}

/* One group wrote it, another one collapses it; neither keeps a trace. */
TEST_F(sizes, control_groups)
{
	char root[] = "/tmp/khp.XXXXXX", a[64], b[64], path[64];

	ASSERT_NE(NULL, mkdtemp(root));
	if (mount("none", root, "cgroup2", 0, NULL)) {
		rmdir(root);
		SKIP(return, "no control groups");
	}
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", root);
	snprintf(a, sizeof(a), "%s/a", root);
	snprintf(b, sizeof(b), "%s/b", root);
	file_write(path, "+memory");
	mkdir(a, 0700);
	mkdir(b, 0700);
	if (stat_of(a, "shmem") < 0)
		SKIP(goto out, "no memory controller");

	enable(4);
	/* without the size, pages are small */
	khp_set_order(4, "shmem_enabled", "never");
	ASSERT_EQ(0, in_group(a, write_all, self->p, self->len));
	EXPECT_EQ(self->len, stat_awaited(a, "shmem", self->len));
	enable(4);
	ASSERT_EQ(0, in_group(b, collapse_all, self->p, self->len));
	EXPECT_EQ(0, stat_awaited(a, "shmem", 0));
	EXPECT_EQ(self->len, stat_awaited(b, "shmem", self->len));
	EXPECT_EQ(0, stat_awaited(a, "file", 0));
	EXPECT_EQ(self->len, stat_awaited(b, "file", self->len));
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	EXPECT_EQ(0, stat_awaited(a, "shmem", 0));
	EXPECT_EQ(0, stat_awaited(b, "shmem", 0));
out:
	rmdir(a);
	rmdir(b);
	umount(root);
	rmdir(root);
}

TEST_HARNESS_MAIN
