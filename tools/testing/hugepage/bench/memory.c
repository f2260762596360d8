// SPDX-License-Identifier: GPL-2.0
/* Mappings, for all paths. */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "bench.h"

static char *check(void *p, size_t size)
{
	if (p == MAP_FAILED)
		die("mmap of %zu", size);
	return p;
}

char *map_anon(size_t size, int flags)
{
	return check(mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_ANONYMOUS | flags, -1, 0), size);
}

char *map_fd(int fd, size_t size)
{
	return check(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			  0), size);
}

char *map_aligned(size_t size)
{
	char *map = map_anon(size + SZ_2M, MAP_PRIVATE | MAP_NORESERVE);
	size_t before = -(unsigned long)map & (SZ_2M - 1);

	if (before)
		unmap(map, before);
	unmap(map + before + size, SZ_2M - before);
	return map + before;
}

void unmap(void *p, size_t size)
{
	if (munmap(p, size))
		die("munmap of %zu", size);
}

void touch(char *p, size_t size, size_t step)
{
	size_t i;

	for (i = 0; i < size; i += step)
		*(volatile char *)(p + i) = 1;
}
