// SPDX-License-Identifier: GPL-2.0
/*
 * One file, and many promises in it that do not touch: at every other offset.
 * Pages are promised, not written: the guest needs memory only for its struct
 * pages, if that of the host is handed out lazily.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>
#include <sys/mman.h>

#include "bench.h"

#define REPEATS	8	/* windows */

/* What is measured of one page's life. */
enum { REGIONS_MMAP = 1 << 24, REGIONS_FAULT = 2 << 24, REGIONS_PUNCH = 3 << 24 };
#define REGIONS_WHAT	(3UL << 24)

static unsigned long nr_regions;
static int regions_fd = -1;

static char *regions_map(unsigned long i)
{
	char *p = mmap(NULL, SZ_2M, PROT_READ | PROT_WRITE, MAP_SHARED,
		       regions_fd, 2 * i * SZ_2M);

	if (p == MAP_FAILED)
		die("mmap of region %lu", i);
	return p;
}

static void regions_setup(unsigned long n)
{
	if (regions_fd < 0) {
		regions_fd = memfd_create("bench", MFD_HUGETLB);
		if (regions_fd < 0)
			die("memfd_create");
	}
	pool_resize(n + 1);
	if (ftruncate(regions_fd, 2 * (n + 1) * SZ_2M))
		die("ftruncate");
	/* A shared promise outlives its mapping. */
	for (; nr_regions < n; nr_regions++)
		unmap(regions_map(nr_regions), SZ_2M);
}

static void regions_punch(unsigned long i)
{
	if (fallocate(regions_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      2 * i * SZ_2M, SZ_2M))
		die("fallocate");
}

static void open_for(const struct bench_path *path, unsigned long what)
{
	if ((path->arg & REGIONS_WHAT) == what)
		window_open();
}

static void close_for(const struct bench_path *path, unsigned long what)
{
	if ((path->arg & REGIONS_WHAT) == what)
		window_close();
}

/* One more, behind all others. */
static void run_regions(const struct bench_path *path)
{
	unsigned long n = path->arg & ~REGIONS_WHAT;
	unsigned int i;
	char *p;

	regions_setup(n);
	for (i = 0; i < REPEATS; i++) {
		open_for(path, REGIONS_MMAP);
		p = regions_map(n);
		close_for(path, REGIONS_MMAP);

		open_for(path, REGIONS_FAULT);
		touch(p, SZ_2M, SZ_2M);
		close_for(path, REGIONS_FAULT);

		unmap(p, SZ_2M);
		open_for(path, REGIONS_PUNCH);
		regions_punch(n);
		close_for(path, REGIONS_PUNCH);
	}
}

/* The number of regions only grows. */
const struct bench_path paths_regions[] = {
	{ .name = "mmap-64", .title = "mmap of a page at 64 regions",
	  .run = run_regions, .n = 1, .arg = REGIONS_MMAP | 64 },
	{ .name = "fault-64", .title = "fault at 64 regions",
	  .run = run_regions, .n = 1, .arg = REGIONS_FAULT | 64 },
	{ .name = "punch-64", .title = "hole punched at 64 regions",
	  .run = run_regions, .n = 1, .arg = REGIONS_PUNCH | 64 },
	{ .name = "mmap-1024", .title = "mmap of a page at 1024 regions",
	  .run = run_regions, .n = 1, .arg = REGIONS_MMAP | 1024 },
	{ .name = "fault-1024", .title = "fault at 1024 regions",
	  .run = run_regions, .n = 1, .arg = REGIONS_FAULT | 1024 },
	{ .name = "punch-1024", .title = "hole punched at 1024 regions",
	  .run = run_regions, .n = 1, .arg = REGIONS_PUNCH | 1024 },
	{ .name = "mmap-16384", .title = "mmap of a page at 16384 regions",
	  .run = run_regions, .n = 1, .arg = REGIONS_MMAP | 16384,
	  .bound = 120, .against = "mmap-64" },
	{ .name = "fault-16384", .title = "fault at 16384 regions",
	  .run = run_regions, .n = 1, .arg = REGIONS_FAULT | 16384,
	  .bound = 120, .against = "fault-64" },
	{ .name = "punch-16384", .title = "hole punched at 16384 regions",
	  .run = run_regions, .n = 1, .arg = REGIONS_PUNCH | 16384,
	  .bound = 120, .against = "punch-64" },
	{ }
};
