// SPDX-License-Identifier: GPL-2.0
/*
 * Files of a tmpfs are made of folios as large as what is written to them at a
 * time; they hold what was written, and nothing else.
 */
#define _GNU_SOURCE
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include "../kselftest_harness.h"
#include "thp_guard.h"
#include "thp_tmpfs.h"

FIXTURE(tmpfs) {
	struct tmpfs t;
	long pmd;		/* base pages */
	size_t page;
	int fd;
};

FIXTURE_VARIANT(tmpfs) {
	const char *options;
	bool large;		/* on write */
};

FIXTURE_VARIANT_ADD(tmpfs, always) {
	.options = "huge=always", .large = true,
};

FIXTURE_VARIANT_ADD(tmpfs, within_size) {
	.options = "huge=within_size", .large = true,
};

FIXTURE_VARIANT_ADD(tmpfs, advise) { .options = "huge=advise" };
FIXTURE_VARIANT_ADD(tmpfs, never) { .options = "huge=never" };

FIXTURE_SETUP(tmpfs)
{
	if (geteuid())
		SKIP(return, "not root");
	thp_save_settings();
	khp_all_off();
	ASSERT_EQ(0, tmpfs_open(&self->t, variant->options));
	self->fd = self->t.fd;
	self->page = psize();
	self->pmd = 1L << khp_pmd_order();
}

FIXTURE_TEARDOWN(tmpfs)
{
	tmpfs_close(&self->t);
	thp_restore_settings();
}

/* As tmpfs_unfit(), where there may be no large folios at all. */
static long unfit(int fd, bool large, long first, long end)
{
	if (large)
		return tmpfs_unfit(fd, first, end);
	while (first < end && !tmpfs_order(fd, first))
		first++;
	return first;
}

#define EXPECT_FOLIOS(first, end)					\
	EXPECT_EQ(end, unfit(self->fd, variant->large, first, end))

/* Each size, where a folio of it can be. */
TEST_F_TIMEOUT(tmpfs, every_order, 300)
{
	long total = 0;

	for (int order = 0; order <= khp_pmd_order(); order++) {
		size_t len = self->page << order;
		off_t at = (off_t)len * 3;

		ASSERT_EQ(0, ftruncate(self->fd, 0));
		ASSERT_EQ(len, tmpfs_write(self->fd, at, len));
		EXPECT_EQ(variant->large ? order : 0,
			  tmpfs_order(self->fd, at / self->page));
		EXPECT_EQ(1L << order, tmpfs_pages(self->fd));
		EXPECT_TRUE(tmpfs_holds(self->fd, at, len));
		EXPECT_TRUE(tmpfs_holds_zero(self->fd, 0, at));
		total += tmpfs_pages(self->fd);
	}
	EXPECT_EQ(2 * self->pmd - 1, total);
}

/* Neither end is the end of a page, and the write is longer than two PMDs. */
TEST_F_TIMEOUT(tmpfs, any_range, 300)
{
	off_t at = 3 * self->page + 100;
	size_t len = (2 * self->pmd + 7) * self->page - 150;
	long end = (at + len + self->page - 1) / self->page;

	ASSERT_EQ(len, tmpfs_write(self->fd, at, len));
	EXPECT_FOLIOS(3, end);
	EXPECT_EQ(end - 3, tmpfs_pages(self->fd));
	EXPECT_EQ(at + len, tmpfs_size(self->fd));
	EXPECT_TRUE(tmpfs_holds(self->fd, at, len));
	EXPECT_TRUE(tmpfs_holds_zero(self->fd, 0, at));
	/* Behind the end, once that is further on. */
	ASSERT_EQ(0, ftruncate(self->fd, at + len + 3 * self->page));
	EXPECT_TRUE(tmpfs_holds_zero(self->fd, at + len, 3 * self->page));
}

/* Many small writes, small folios: nothing is made in advance. */
TEST_F_TIMEOUT(tmpfs, small_writes, 300)
{
	size_t piece = 1000;
	off_t at;

	for (at = 0; at < 40 * (off_t)piece; at += piece)
		ASSERT_EQ(piece, tmpfs_write(self->fd, at, piece));
	EXPECT_EQ((at + self->page - 1) / self->page, tmpfs_pages(self->fd));
	EXPECT_TRUE(tmpfs_holds(self->fd, 0, at));
	EXPECT_EQ(0, tmpfs_order(self->fd, 0));
}

/* Around what is there already. */
TEST_F_TIMEOUT(tmpfs, around_a_page, 300)
{
	ASSERT_EQ(self->page, tmpfs_write(self->fd, 5 * self->page, self->page));
	ASSERT_EQ(32 * self->page, tmpfs_write(self->fd, 0, 32 * self->page));
	EXPECT_FOLIOS(0, 4);
	EXPECT_EQ(0, tmpfs_order(self->fd, 4));
	EXPECT_EQ(0, tmpfs_order(self->fd, 5));
	EXPECT_EQ(variant->large ? 1 : 0, tmpfs_order(self->fd, 6));
	EXPECT_EQ(variant->large ? 3 : 0, tmpfs_order(self->fd, 8));
	EXPECT_EQ(variant->large ? 4 : 0, tmpfs_order(self->fd, 16));
	EXPECT_EQ(32, tmpfs_pages(self->fd));
	EXPECT_TRUE(tmpfs_holds(self->fd, 0, 32 * self->page));
}

TEST_F_TIMEOUT(tmpfs, fallocate, 300)
{
	long end = self->pmd + 21;

	ASSERT_EQ(0, fallocate(self->fd, 0, 5 * self->page,
			       (end - 5) * self->page));
	EXPECT_EQ(end - 5, tmpfs_pages(self->fd));
	EXPECT_EQ(end * self->page, tmpfs_size(self->fd));
	EXPECT_TRUE(tmpfs_holds_zero(self->fd, 0, end * self->page));
	/* Into the middle of a folio that has no contents yet. */
	ASSERT_EQ(100, tmpfs_write(self->fd, 20 * self->page + 50, 100));
	EXPECT_TRUE(tmpfs_holds(self->fd, 20 * self->page + 50, 100));
	EXPECT_TRUE(tmpfs_holds_zero(self->fd, 0, 20 * self->page + 50));
	EXPECT_TRUE(tmpfs_holds_zero(self->fd, 20 * self->page + 150,
				     end * self->page - 20 * self->page - 150));
	EXPECT_FOLIOS(5, end);
	EXPECT_EQ(end - 5, tmpfs_pages(self->fd));
}

TEST_F_TIMEOUT(tmpfs, fallocate_keep_size, 300)
{
	ASSERT_EQ(self->page, tmpfs_write(self->fd, 0, self->page));
	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 0,
			       16 * self->page));
	EXPECT_EQ(self->page, tmpfs_size(self->fd));
	EXPECT_EQ(16, tmpfs_pages(self->fd));
	ASSERT_EQ(0, ftruncate(self->fd, 16 * self->page));
	EXPECT_TRUE(tmpfs_holds(self->fd, 0, self->page));
	EXPECT_TRUE(tmpfs_holds_zero(self->fd, self->page, 15 * self->page));
}

/* A part of a folio goes, the rest stays, byte by byte. */
TEST_F_TIMEOUT(tmpfs, punch, 300)
{
	size_t len = self->pmd * self->page;
	off_t hole = 17 * self->page + 10, size = 40 * self->page;

	ASSERT_EQ(len, tmpfs_write(self->fd, 0, len));
	ASSERT_EQ(0, fallocate(self->fd,
			       FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       hole, size));
	EXPECT_TRUE(tmpfs_holds(self->fd, 0, hole));
	EXPECT_TRUE(tmpfs_holds_zero(self->fd, hole, size));
	EXPECT_TRUE(tmpfs_holds(self->fd, hole + size, len - hole - size));
	EXPECT_EQ(len, tmpfs_size(self->fd));
	EXPECT_EQ(self->pmd - 39, tmpfs_pages(self->fd));
}

TEST_F_TIMEOUT(tmpfs, truncate, 300)
{
	size_t len = self->pmd * self->page;
	off_t end = 100 * self->page + 1;

	ASSERT_EQ(len, tmpfs_write(self->fd, 0, len));
	ASSERT_EQ(0, ftruncate(self->fd, end));
	ASSERT_EQ(0, ftruncate(self->fd, len));
	EXPECT_TRUE(tmpfs_holds(self->fd, 0, end));
	EXPECT_TRUE(tmpfs_holds_zero(self->fd, end, len - end));
	EXPECT_EQ(101, tmpfs_pages(self->fd));
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	EXPECT_EQ(0, tmpfs_pages(self->fd));
}

/* Folios of all sizes and a hole, read from anywhere to anywhere. */
TEST_F_TIMEOUT(tmpfs, reads, 300)
{
	size_t page = self->page, len = 200 * page + 33;
	char *want = calloc(1, len), *got = malloc(len);
	struct iovec iov[3];

	tmpfs_fill(want, 0, 64 * page + 5);
	tmpfs_fill(want + 90 * page, 90 * page, len - 90 * page);
	ASSERT_EQ(64 * page + 5, pwrite(self->fd, want, 64 * page + 5, 0));
	ASSERT_EQ(len - 90 * page, pwrite(self->fd, want + 90 * page,
					  len - 90 * page, 90 * page));

	for (int i = 0; i < 400; i++) {
		size_t at = random() % (len + 100), n = random() % len;
		ssize_t left = at < len ? len - at : 0;
		ssize_t expected = left < (ssize_t)n ? left : (ssize_t)n;

		memset(got, 0x5a, len);
		ASSERT_EQ(expected, pread(self->fd, got, n, at));
		ASSERT_EQ(0, memcmp(want + at, got, expected));
		/* And not a byte more. */
		if (expected < (ssize_t)len)
			ASSERT_EQ(0x5a, got[expected]);
	}

	iov[0] = (struct iovec){ got, 3 };
	iov[1] = (struct iovec){ got + 3, 70 * page };
	iov[2] = (struct iovec){ got + 3 + 70 * page, len - 3 - 70 * page };
	ASSERT_EQ(len, preadv(self->fd, iov, 3, 0));
	EXPECT_EQ(0, memcmp(want, got, len));
	free(want);
	free(got);
}

/* From one file to another, without user space. */
TEST_F_TIMEOUT(tmpfs, sendfile, 300)
{
	size_t len = 130 * self->page + 77;
	char name[96];
	off_t at = 0;
	int other;

	ASSERT_EQ(len, tmpfs_write(self->fd, 0, len));
	snprintf(name, sizeof(name), "%s/other", self->t.dir);
	other = open(name, O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, other);
	while (at < (off_t)len)
		ASSERT_LT(0, sendfile(other, self->fd, &at, len - at));
	EXPECT_EQ(len, tmpfs_size(other));
	EXPECT_TRUE(tmpfs_holds(other, 0, len));
	close(other);
}

/*
 * Half of the destination is not there: what fits is read, but for what arm64
 * copies with one instruction.
 */
TEST_F_TIMEOUT(tmpfs, read_into_nothing, 300)
{
	size_t page = self->page, len = 16 * page;
	char *p = mmap(NULL, 2 * len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ssize_t n;

	ASSERT_EQ(2 * len, tmpfs_write(self->fd, 0, 2 * len));
	ASSERT_EQ(0, munmap(p + len, len));
	n = pread(self->fd, p + 9, 2 * len - 9, 1);
	EXPECT_LE(n, len - 9);
	EXPECT_GT(n, len - 9 - 16);
	EXPECT_EQ(n, tmpfs_differs(p + 9, 1, n));
	EXPECT_EQ(-1, pread(self->fd, p + len, len, 0));
	EXPECT_EQ(EFAULT, errno);
	munmap(p, len);
}

/* Half of the source is not there: what is there is written. */
TEST_F_TIMEOUT(tmpfs, write_from_nothing, 300)
{
	size_t page = self->page, len = 16 * page;
	char *p = mmap(NULL, 2 * len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ssize_t n;

	tmpfs_fill(p + 9, 0, len - 9);
	ASSERT_EQ(0, munmap(p + len, len));
	n = pwrite(self->fd, p + 9, 2 * len - 9, 0);
	EXPECT_EQ(len - 9, n);
	EXPECT_EQ(n, tmpfs_size(self->fd));
	EXPECT_TRUE(tmpfs_holds(self->fd, 0, len - 9));
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	EXPECT_EQ(-1, pwrite(self->fd, p + len, len, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, tmpfs_size(self->fd));
	EXPECT_EQ(0, tmpfs_pages(self->fd));
	munmap(p, len);
}

/* The source is a file of which no page is mapped yet. */
TEST_F_TIMEOUT(tmpfs, write_from_untouched, 300)
{
	size_t len = 100 * self->page;
	char *p;
	int from;

	from = memfd_create("source", 0);
	ASSERT_LE(0, from);
	ASSERT_EQ(len, tmpfs_write(from, 0, len));
	p = mmap(NULL, len, PROT_READ, MAP_SHARED, from, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(len, pwrite(self->fd, p, len, 0));
	EXPECT_TRUE(tmpfs_holds(self->fd, 0, len));
	EXPECT_FOLIOS(0, 100);
	munmap(p, len);
	close(from);
}

/* The source is what is written to. */
TEST_F_TIMEOUT(tmpfs, write_from_itself, 300)
{
	size_t len = 64 * self->page;
	char *p;

	ASSERT_EQ(len, tmpfs_write(self->fd, 0, len));
	p = mmap(NULL, len, PROT_READ, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(len, pwrite(self->fd, p, len, 0));
	EXPECT_TRUE(tmpfs_holds(self->fd, 0, len));
	ASSERT_EQ(0, madvise(p, len, MADV_DONTNEED));
	EXPECT_EQ(len, pwrite(self->fd, p, len, len));
	EXPECT_TRUE(tmpfs_holds(self->fd, 0, len));
	munmap(p, len);
}

/* Each setting for all mounts, and whether writes are in large folios then. */
TEST_F_TIMEOUT(tmpfs, global_settings, 300)
{
	static const struct {
		const char *name;
		int large;		/* as the option says: -1 */
	} all[] = {
		{ "deny", 0 }, { "force", 1 }, { "never", -1 }, { "always", -1 },
		{ }
	};
	size_t len = 16 * self->page;

	khp_set_order(khp_pmd_order(), "shmem_enabled", "inherit");
	for (int i = 0; all[i].name; i++) {
		int large = all[i].large < 0 ? variant->large : all[i].large;

		ASSERT_EQ(0, file_write(KHP_ROOT "shmem_enabled", all[i].name));
		ASSERT_EQ(0, ftruncate(self->fd, 0));
		ASSERT_EQ(len, tmpfs_write(self->fd, 0, len));
		EXPECT_EQ(large ? 4 : 0, tmpfs_order(self->fd, 0));
	}
	file_write(KHP_ROOT "shmem_enabled", "never");
}

int main(int argc, char **argv)
{
	thp_guard_begin();
	return test_harness_run(argc, argv);
}
