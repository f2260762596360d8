/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the thp_tmpfs* tests share: a tmpfs of their own, contents that say where
 * they belong, and which folios a file has.
 */
#ifndef THP_TMPFS_H
#define THP_TMPFS_H

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "khugepaged_test.h"

#define TMPFS_SEED	23

struct tmpfs {
	char dir[64];
	char name[80];
	int fd;			/* an empty file */
};

/* Mounted with these options; 0 or an errno. */
static inline int tmpfs_open(struct tmpfs *t, const char *options)
{
	snprintf(t->dir, sizeof(t->dir), "/tmp/thp_tmpfs.XXXXXX");
	if (!mkdtemp(t->dir))
		return errno;
	if (mount("thp_tmpfs", t->dir, "tmpfs", 0, options)) {
		int err = errno;

		rmdir(t->dir);
		t->dir[0] = '\0';
		return err;
	}
	snprintf(t->name, sizeof(t->name), "%s/file", t->dir);
	t->fd = open(t->name, O_RDWR | O_CREAT | O_EXCL, 0600);
	return t->fd < 0 ? errno : 0;
}

static inline void tmpfs_close(struct tmpfs *t)
{
	if (!t->dir[0])
		return;
	close(t->fd);
	umount2(t->dir, MNT_DETACH);
	rmdir(t->dir);
}

static inline char tmpfs_byte(off_t at)
{
	return (at ^ at >> 7 ^ at >> 12) * 5 + TMPFS_SEED;
}

static inline void tmpfs_fill(char *p, off_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = tmpfs_byte(at + i);
}

/* Where p is not what was written at that place of a file; len: nowhere. */
static inline size_t tmpfs_differs(const char *p, off_t at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] != tmpfs_byte(at + i))
			return i;
	}
	return len;
}

static inline bool tmpfs_zero(const char *p, size_t len)
{
	return !len || (!p[0] && !memcmp(p, p + 1, len - 1));
}

/* One write() of what belongs there; what it returned, or -errno. */
static inline ssize_t tmpfs_write(int fd, off_t at, size_t len)
{
	char *p = malloc(len);
	ssize_t ret;

	tmpfs_fill(p, at, len);
	ret = pwrite(fd, p, len, at);
	if (ret < 0)
		ret = -errno;
	free(p);
	return ret;
}

/* One read() of all of it, for the caller to free; NULL if less came. */
static inline char *tmpfs_read(int fd, off_t at, size_t len)
{
	char *p = malloc(len);

	memset(p, 0x5a, len);
	if (pread(fd, p, len, at) == (ssize_t)len)
		return p;
	free(p);
	return NULL;
}

/* Is there what belongs there? */
static inline bool tmpfs_holds(int fd, off_t at, size_t len)
{
	char *p = tmpfs_read(fd, at, len);
	bool ok = p && tmpfs_differs(p, at, len) == len;

	free(p);
	return ok;
}

static inline bool tmpfs_holds_zero(int fd, off_t at, size_t len)
{
	char *p = tmpfs_read(fd, at, len);
	bool ok = p && tmpfs_zero(p, len);

	free(p);
	return ok;
}

/* Base pages a file has. */
static inline long tmpfs_pages(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -1;
	return st.st_blocks * 512 / psize();
}

static inline off_t tmpfs_size(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : st.st_size;
}

/* Order of the folio with this page of a file that is there. */
static inline int tmpfs_order(int fd, long page)
{
	char *p = mmap(NULL, psize(), PROT_READ, MAP_SHARED, fd,
		       (off_t)page * psize());
	int order;

	if (p == MAP_FAILED)
		return -2;
	khp_touch(p, 1);
	order = khp_order_at(p);
	munmap(p, psize());
	return order;
}

/* The folio at a page of what ends before another. */
static inline int tmpfs_fitting(long page, long end)
{
	int order = 0;

	while (order < khp_pmd_order() && !(page & ((2L << order) - 1)) &&
	       page + (2L << order) <= end)
		order++;
	return order;
}

/*
 * Are pages from first up to end in the largest folios that fit in between?  If
 * not, the first of a wrong one.
 */
static inline long tmpfs_unfit(int fd, long first, long end)
{
	while (first < end) {
		int order = tmpfs_fitting(first, end);

		if (tmpfs_order(fd, first) != order ||
		    tmpfs_order(fd, first + (1L << order) - 1) != order)
			return first;
		first += 1L << order;
	}
	return end;
}

static inline long tmpfs_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

/* A number of hugepages-*kB/stats */
static inline long tmpfs_stat(int order, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "hugepages-%ukB/stats/%s",
		 (psize() >> 10) << order, name);
	return thp_read_num(path);
}

#endif /* THP_TMPFS_H */
