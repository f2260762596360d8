/* SPDX-License-Identifier: GPL-2.0 */
/* Mappings and files to begin with, for the operations of hugetlb_inject*. */
#ifndef HUGETLB_INJECT_MAP_H
#define HUGETLB_INJECT_MAP_H

#include "hugetlb_inject_test.h"

#define POOL	8

static inline int map_at(struct inject *t, char *at, long n, int flags, int fd)
{
	t->p = mmap(at, n * SZ_HUGE, PROT_READ | PROT_WRITE, flags, fd, 0);
	t->n = n;
	return t->p == MAP_FAILED ? errno : 0;
}

static inline int map_anon(struct inject *t, long n, int flags)
{
	return map_at(t, NULL, n, flags | MAP_ANONYMOUS | MAP_HUGETLB, -1);
}

static inline void unmap(struct inject *t)
{
	if (t->p && t->p != MAP_FAILED)
		munmap(t->p, t->n * SZ_HUGE);
	t->p = NULL;
}

static inline int touch(struct inject *t, long from, long to)
{
	for (long i = from; i < to; i++) {
		if (!huge_store(t->p + i * SZ_HUGE, i + 1))
			return INJECT_BUS;
	}
	return 0;
}

static inline int touch_all(struct inject *t)
{
	return touch(t, 0, t->n);
}

/* One with a promise left. */
static inline int with_private(struct inject *t)
{
	return map_anon(t, 3, MAP_PRIVATE) ?: touch(t, 0, 2);
}

static inline int with_shared(struct inject *t)
{
	return map_anon(t, 3, MAP_SHARED) ?: touch(t, 0, 2);
}

static inline int with_private_touched(struct inject *t)
{
	return map_anon(t, 2, MAP_PRIVATE) ?: touch_all(t);
}

static inline int with_shared_touched(struct inject *t)
{
	return map_anon(t, 2, MAP_SHARED) ?: touch_all(t);
}

static inline int with_private_promised(struct inject *t)
{
	return map_anon(t, 2, MAP_PRIVATE);
}

static inline int with_shared_promised(struct inject *t)
{
	return map_anon(t, 2, MAP_SHARED);
}

static inline int open_file(struct inject *t)
{
	snprintf(t->path, sizeof(t->path), "%s/file", t->dir);
	t->fd = open(t->path, O_CREAT | O_RDWR, 0600);
	return t->fd < 0 ? -1 : 0;
}

static inline void remove_file(struct inject *t)
{
	close(t->fd);
	unlink(t->path);
}

static inline void unmap_file(struct inject *t)
{
	unmap(t);
	remove_file(t);
}

#define LIMITS	"pagesize=2M,size=12M,min_size=4M,nr_inodes=8"

#endif /* HUGETLB_INJECT_MAP_H */
