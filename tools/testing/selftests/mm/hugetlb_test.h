/* SPDX-License-Identifier: GPL-2.0 */
/* What the hugetlb_* tests share: pools as seen from sysfs, and mounts. */
#ifndef HUGETLB_TEST_H
#define HUGETLB_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "test_files.h"

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif
#ifndef MFD_HUGETLB
#define MFD_HUGETLB 0x0004U
#endif

/* The size every architecture under test has. */
#define SZ_HUGE		(2UL << 20)

#define POOL_ROOT	"/sys/kernel/mm/hugepages"

struct huge_counts {
	long total;
	long free;
	long resv;
	long surplus;
};

/* The file of one pool; node -1 for the whole machine. */
static inline void huge_path(char *buf, size_t len, size_t size, int node,
			     const char *file)
{
	if (node < 0)
		snprintf(buf, len, POOL_ROOT "/hugepages-%zukB/%s",
			 size >> 10, file);
	else
		snprintf(buf, len,
			 "/sys/devices/system/node/node%d/hugepages/hugepages-%zukB/%s",
			 node, size >> 10, file);
}

static inline long huge_get_node(size_t size, int node, const char *file)
{
	char path[256];
	long v = -1;
	FILE *f;

	huge_path(path, sizeof(path), size, node, file);
	f = fopen(path, "r");
	if (!f)
		return -1;
	if (fscanf(f, "%ld", &v) != 1)
		v = -1;
	fclose(f);
	return v;
}

static inline long huge_get(size_t size, const char *file)
{
	return huge_get_node(size, -1, file);
}

static inline int huge_write_node(size_t size, int node, const char *file,
				  const char *text)
{
	char path[256];

	huge_path(path, sizeof(path), size, node, file);
	return file_write(path, text);
}

static inline int huge_set_node(size_t size, int node, const char *file, long v)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", v);
	return huge_write_node(size, node, file, text);
}

static inline int huge_set(size_t size, const char *file, long v)
{
	return huge_set_node(size, -1, file, v);
}

static inline struct huge_counts huge_counts(size_t size)
{
	return (struct huge_counts) {
		.total = huge_get(size, "nr_hugepages"),
		.free = huge_get(size, "free_hugepages"),
		.resv = huge_get(size, "resv_hugepages"),
		.surplus = huge_get(size, "surplus_hugepages"),
	};
}

/* Pages whose last user is gone may sit in another CPU's batch for a moment. */
static inline struct huge_counts huge_counts_settled(size_t size, long free)
{
	struct huge_counts c;

	for (int i = 0; i < 100; i++) {
		c = huge_counts(size);
		if (c.free == free)
			break;
		usleep(10000);
	}
	return c;
}

/* The same for all four. */
static inline struct huge_counts huge_counts_awaited(size_t size,
						     struct huge_counts want)
{
	struct huge_counts c;

	for (int i = 0; i < 500; i++) {
		c = huge_counts(size);
		if (c.total == want.total && c.free == want.free &&
		    c.resv == want.resv && c.surplus == want.surplus)
			break;
		usleep(10000);
	}
	return c;
}

#define EXPECT_COUNTS(size, t, f, r, s) do {				\
	struct huge_counts want_ = { (t), (f), (r), (s) };		\
	struct huge_counts c_ = huge_counts_awaited((size), want_);	\
									\
	EXPECT_EQ(want_.total, c_.total);				\
	EXPECT_EQ(want_.free, c_.free);					\
	EXPECT_EQ(want_.resv, c_.resv);					\
	EXPECT_EQ(want_.surplus, c_.surplus);				\
} while (0)

/*
 * A pool of exactly n idle pages of 2M, or -1.  Where memory is in pieces, more
 * than one try may be needed to get them; to get rid of them one has to do.
 */
static inline int huge_pool_exact(long n)
{
	const struct huge_counts want = { .total = n, .free = n };
	struct huge_counts c;

	huge_set(SZ_HUGE, "nr_overcommit_hugepages", 0);
	for (int i = 0; i < 5; i++) {
		if (huge_set(SZ_HUGE, "nr_hugepages", n))
			return -1;
		if (huge_get(SZ_HUGE, "nr_hugepages") >= n)
			break;
		file_write("/proc/sys/vm/drop_caches", "3");
		file_write("/proc/sys/vm/compact_memory", "1");
	}
	c = huge_counts_awaited(SZ_HUGE, want);
	return c.total == n && c.free == n && !c.resv ? 0 : -1;
}

static inline int huge_nodes(void)
{
	int n = 0;

	while (huge_get_node(SZ_HUGE, n, "nr_hugepages") >= 0)
		n++;
	return n;
}

/* Mount hugetlbfs on a fresh directory; the path, or NULL with errno. */
static inline char *huge_mount(const char *options)
{
	static char dir[32];
	int err;

	strcpy(dir, "/tmp/hugetlb.XXXXXX");
	if (!mkdtemp(dir))
		return NULL;
	if (!mount("none", dir, "hugetlbfs", 0, options))
		return dir;
	err = errno;
	rmdir(dir);
	errno = err;
	return NULL;
}

/* A file of a mount, to read and write; its name for unlink(), too. */
static inline int huge_file(const char *dir, const char *name, char *path,
			    size_t len)
{
	snprintf(path, len, "%s/%s", dir, name);
	return open(path, O_CREAT | O_RDWR, 0600);
}

static inline int huge_umount(const char *dir)
{
	if (umount(dir))
		return -errno;
	return rmdir(dir) ? -errno : 0;
}

/* Touch one byte; false where the access raises SIGBUS. */
static sigjmp_buf huge_bus_env;

static void huge_bus_handler(int sig)
{
	siglongjmp(huge_bus_env, 1);
}

static inline bool huge_store(volatile char *p, char v)
{
	struct sigaction sa = { .sa_handler = huge_bus_handler }, old;
	volatile bool ok = false;

	sigaction(SIGBUS, &sa, &old);
	if (!sigsetjmp(huge_bus_env, 1)) {
		*p = v;
		ok = true;
	}
	sigaction(SIGBUS, &old, NULL);
	return ok;
}

static inline bool huge_load(volatile char *p, char *v)
{
	struct sigaction sa = { .sa_handler = huge_bus_handler }, old;
	volatile bool ok = false;

	sigaction(SIGBUS, &sa, &old);
	if (!sigsetjmp(huge_bus_env, 1)) {
		*v = *p;
		ok = true;
	}
	sigaction(SIGBUS, &old, NULL);
	return ok;
}

/* A number in a file of its own; 0, or an errno. */
static inline int huge_read_long(const char *path, int base, long *v)
{
	char text[64] = "", *end;
	FILE *f = fopen(path, "r");

	*v = -1;
	if (!f)
		return errno;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	*v = strtol(text, &end, base);
	return end == text ? EINVAL : 0;
}

/* ---- page frames ---- */

/* Bits of /proc/kpageflags. */
#define PF_HUGE		(1UL << 17)
#define PF_HWPOISON	(1UL << 19)

static inline uint64_t huge_table_word(const char *path, long index)
{
	uint64_t word = 0;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return 0;
	if (pread(fd, &word, sizeof(word), index * sizeof(word)) != sizeof(word))
		word = 0;
	close(fd);
	return word;
}

/* The base page of memory that holds a byte of ours, or -1. */
static inline long huge_pfn(const void *p)
{
	uint64_t word = huge_table_word("/proc/self/pagemap",
					(uintptr_t)p / getpagesize());

	return word >> 63 ? (long)(word & ((1UL << 55) - 1)) : -1;
}

static inline uint64_t huge_pfn_flags(long pfn)
{
	return huge_table_word("/proc/kpageflags", pfn);
}

#endif /* HUGETLB_TEST_H */
