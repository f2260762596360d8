// SPDX-License-Identifier: GPL-2.0
/*
 * How many page faults it takes to write to all of a gigabyte, or of as much of
 * one as fits: in 64K folios of anonymous memory and of a memfd, in the largest
 * ones of a file in a tmpfs.  THP_FAULTS_MB says how much.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"
#include "thp_guard.h"
#include "thp_tmpfs.h"

/* Of the C library, of the stack, of this program. */
#define SLACK	40

FIXTURE(faults) {
	struct tmpfs t;
	size_t len;
	int fd;
};

/* Bytes free on the node that has least of them: huge pages come from one node. */
static size_t node_free(void)
{
	size_t least = SIZE_MAX;
	char path[64];

	for (int node = 0; ; node++) {
		long kb;

		snprintf(path, sizeof(path),
			 "/sys/devices/system/node/node%d/meminfo", node);
		if (access(path, R_OK))
			break;
		kb = file_sum(path, "Node %*d MemFree: %ld kB");
		if (kb && (size_t)kb << 10 < least)
			least = (size_t)kb << 10;
	}
	return least;
}

FIXTURE_SETUP(faults)
{
	const char *mb = getenv("THP_FAULTS_MB");

	self->fd = -1;
	if (geteuid())
		SKIP(return, "not root");
	self->len = mb ? strtoul(mb, NULL, 10) << 20 : 1UL << 30;
	/* What earlier tests left between huge pages is not what is counted. */
	file_write("/proc/sys/vm/drop_caches", "3");
	file_write("/proc/sys/vm/compact_memory", "1");
	while (self->len > node_free() / 3 * 2)
		self->len /= 2;
	thp_save_settings();
	khp_all_off();
}

FIXTURE_TEARDOWN(faults)
{
	if (self->fd >= 0)
		close(self->fd);
	tmpfs_close(&self->t);
	thp_restore_settings();
}

/* Faults of one memset; -1: the memory is not there. */
static long faults_of_memset(size_t len, int fd)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	char *at = khp_reserve(len), *p;
	long before, n;

	p = mmap(at, len, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0);
	if (!at || p != at)
		return -1;
	before = tmpfs_faults();
	memset(p, 1, len);
	n = tmpfs_faults() - before;
	for (size_t i = 0; i < len; i += psize()) {
		if (p[i] != 1 || p[i + psize() - 1] != 1)
			n = -1;
	}
	munmap(p, len);
	return n;
}

static int order_of_64k(void)
{
	return __builtin_ctzl((64 << 10) / psize());
}

/* One for each folio of this order, and one for each page without any. */
#define EXPECT_FAULTS(order)						\
do {									\
	long want_ = self->len / ((size_t)psize() << (order));		\
	long is_ = faults_of_memset(self->len, self->fd);		\
									\
	TH_LOG("%zu MB, folios of %zu kB: %ld faults, not %zu",		\
	       self->len >> 20, ((size_t)psize() << (order)) >> 10, is_,	\
	       self->len / psize());					\
	EXPECT_LE(want_, is_);						\
	EXPECT_GE(want_ + SLACK, is_);					\
} while (0)

TEST_F_TIMEOUT(faults, anonymous_64k, 300)
{
	int order = order_of_64k();

	if (!khp_has_order(order, "enabled"))
		SKIP(return, "no 64K");
	ASSERT_EQ(0, khp_set_order(order, "enabled", "always"));
	EXPECT_FAULTS(order);
}

TEST_F_TIMEOUT(faults, memfd_64k, 300)
{
	int order = order_of_64k();

	if (!khp_has_order(order, "shmem_enabled"))
		SKIP(return, "no 64K");
	ASSERT_EQ(0, khp_set_order(order, "shmem_enabled", "always"));
	self->fd = memfd_create("faults", 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ftruncate(self->fd, self->len));
	EXPECT_FAULTS(order);
}

TEST_F_TIMEOUT(faults, tmpfs_always, 300)
{
	char options[64];

	ASSERT_EQ(0, tmpfs_open(&self->t, "size=100%"));
	snprintf(options, sizeof(options), "huge=always");
	ASSERT_EQ(0, mount(NULL, self->t.dir, NULL, MS_REMOUNT, options));
	self->fd = dup(self->t.fd);
	ASSERT_EQ(0, ftruncate(self->fd, self->len));
	EXPECT_FAULTS(khp_pmd_order());
}

/* Nothing is enabled: small pages, or the others prove nothing. */
TEST_F_TIMEOUT(faults, small, 300)
{
	if (self->len > 64UL << 20)
		self->len = 64UL << 20;
	self->fd = memfd_create("faults", 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ftruncate(self->fd, self->len));
	EXPECT_FAULTS(0);
}

/* Written in folios of a megabyte, then mapped: one fault for each. */
TEST_F_TIMEOUT(faults, written_before, 300)
{
	size_t piece = 1UL << 20;
	int order = __builtin_ctzl(piece / psize());

	self->len = 16 * piece;
	ASSERT_EQ(0, tmpfs_open(&self->t, "huge=always"));
	self->fd = dup(self->t.fd);
	for (size_t at = 0; at < self->len; at += piece)
		ASSERT_EQ(piece, tmpfs_write(self->fd, at, piece));
	EXPECT_EQ(order, tmpfs_order(self->fd, 0));
	EXPECT_FAULTS(order);
}

int main(int argc, char **argv)
{
	thp_guard_begin();
	return test_harness_run(argc, argv);
}
