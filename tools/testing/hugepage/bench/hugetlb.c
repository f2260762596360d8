// SPDX-License-Identifier: GPL-2.0
/* Paths of hugetlb: pools, faults, unmapping, files. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "bench.h"

#define HUGEPAGES	"/sys/kernel/mm/hugepages"
#define POOL_2M		HUGEPAGES "/hugepages-2048kB/"
#define POOL_1G		HUGEPAGES "/hugepages-1048576kB/"
#define MMAPS		16	/* windows */

/* ---- pools ---- */

static void pool_write(const char *path, unsigned long n)
{
	int fd = open_file(path);
	unsigned long got;

	write_number(fd, n);
	close(fd);
	got = read_number(path);
	if (got != n)
		die("%s is %lu, not %lu", path, got, n);
}

void pool_resize(unsigned long n)
{
	pool_write(POOL_2M "nr_hugepages", n);
}

/* What is done later on behalf of the writer counts, too. */
static void pool_measure(const char *path, unsigned long n)
{
	int fd = open_file(path);

	window_open();
	write_number(fd, n);
	window_lap();
	settle();
	window_close();
	close(fd);
	if (read_number(path) != (long)n)
		die("%s is not %lu", path, n);
}

/* @arg pages stay in the pool. */
static void run_pool_grow(const struct bench_path *path)
{
	pool_resize(path->arg);
	settle();
	pool_measure(POOL_2M "nr_hugepages", path->arg + path->n);
}

static void run_pool_shrink(const struct bench_path *path)
{
	pool_resize(path->arg + path->n);
	settle();
	pool_measure(POOL_2M "nr_hugepages", path->arg);
}

static void run_1g_grow(const struct bench_path *path)
{
	pool_resize(0);
	pool_write(POOL_1G "nr_hugepages", 0);
	pool_measure(POOL_1G "nr_hugepages", path->n);
}

static void run_1g_shrink(const struct bench_path *path)
{
	pool_write(POOL_1G "nr_hugepages", path->n);
	pool_measure(POOL_1G "nr_hugepages", 0);
}

/* ---- faults and unmapping ---- */

static void run_fault(const struct bench_path *path)
{
	size_t size = path->n * SZ_2M;
	char *p;

	pool_resize(path->n);
	p = map_anon(size, MAP_HUGETLB | path->arg);
	window_open();
	touch(p, size, SZ_2M);
	window_close();
	unmap(p, size);
}

static void run_munmap(const struct bench_path *path)
{
	size_t size = path->n * SZ_2M;
	char *p;

	pool_resize(path->n);
	p = map_anon(size, MAP_HUGETLB | path->arg);
	touch(p, size, SZ_2M);
	window_open();
	unmap(p, size);
	window_close();
}

/* An unnamed file of @path->n pages that are all there. */
static int huge_file(const struct bench_path *path)
{
	size_t size = path->n * SZ_2M;
	int fd = memfd_create("bench", MFD_HUGETLB);
	char *p;

	if (fd < 0 || ftruncate(fd, size))
		die("memfd_create");
	p = map_fd(fd, size);
	touch(p, size, SZ_2M);
	unmap(p, size);
	return fd;
}

static void run_fault_cached(const struct bench_path *path)
{
	size_t size = path->n * SZ_2M;
	char *p;
	int fd;

	pool_resize(path->n);
	fd = huge_file(path);
	p = map_fd(fd, size);
	window_open();
	touch(p, size, SZ_2M);
	window_close();
	unmap(p, size);
	close(fd);
}

static void run_truncate(const struct bench_path *path)
{
	int fd;

	pool_resize(path->n);
	fd = huge_file(path);
	window_open();
	if (ftruncate(fd, 0))
		die("ftruncate");
	window_close();
	close(fd);
}

/* The child lives only to share the pages. */
static void run_cow(const struct bench_path *path)
{
	size_t size = path->n * SZ_2M;
	pid_t pid;
	char *p;

	pool_resize(2 * path->n);
	p = map_anon(size, MAP_HUGETLB | MAP_PRIVATE);
	touch(p, size, SZ_2M);
	be_first();
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		pause();
	window_open();
	touch(p, size, SZ_2M);
	window_close();
	kill(pid, SIGKILL);
	if (waitpid(pid, NULL, 0) != pid)
		die("waitpid");
	be_normal();
	unmap(p, size);
}

/* The last parent of a page that had been shared keeps it. */
static void run_reuse(const struct bench_path *path)
{
	size_t size = path->n * SZ_2M;
	pid_t pid;
	char *p;

	pool_resize(path->n);
	p = map_anon(size, MAP_HUGETLB | MAP_PRIVATE);
	touch(p, size, SZ_2M);
	pid = fork();
	if (!pid)
		_exit(0);
	if (waitpid(pid, NULL, 0) != pid)
		die("waitpid");
	window_open();
	touch(p, size, SZ_2M);
	window_close();
	unmap(p, size);
}

static void run_mmap(const struct bench_path *path)
{
	size_t size = 128 * SZ_2M;
	unsigned int i;
	char *p;

	pool_resize(128);
	for (i = 0; i < MMAPS; i++) {
		window_open();
		p = map_anon(size, MAP_HUGETLB | path->arg);
		window_close();
		unmap(p, size);
	}
}

/* Pages that the pool does not have.  NORESERVE: mmap() does not make them. */
static void run_surplus(const struct bench_path *path)
{
	size_t size = path->n * SZ_2M;
	char *p;

	pool_resize(1);
	pool_write(POOL_2M "nr_overcommit_hugepages", path->n);
	settle();
	p = map_anon(size + SZ_2M, MAP_HUGETLB | MAP_PRIVATE | MAP_NORESERVE);
	touch(p, SZ_2M, SZ_2M);
	window_open();
	touch(p + SZ_2M, size, SZ_2M);
	window_lap();
	settle();
	window_close();
	unmap(p, size + SZ_2M);
	pool_write(POOL_2M "nr_overcommit_hugepages", 0);
}

/* ---- tables ---- */

const struct bench_path paths_plain[] = {
	{ .name = "1g-grow", .title = "1G page added at run time",
	  .run = run_1g_grow, .n = 1, .bound = 30 },
	{ .name = "1g-shrink", .title = "1G page given back at run time",
	  .run = run_1g_shrink, .n = 1, .bound = 50 },
	{ .name = "pool-grow", .title = "pool grown, per 2M page",
	  .run = run_pool_grow, .n = 256, .bound = 60 },
	{ .name = "pool-shrink", .title = "pool shrunk, per 2M page",
	  .run = run_pool_shrink, .n = 256, .bound = 60 },
	{ .name = "fault-private", .title = "first write to a private page",
	  .run = run_fault, .n = 64, .arg = MAP_PRIVATE, .bound = 30 },
	{ .name = "fault-shared", .title = "first write to a shared page",
	  .run = run_fault, .n = 64, .arg = MAP_SHARED, .bound = 30 },
	{ .name = "fault-cached", .title = "fault of a page the file has",
	  .run = run_fault_cached, .n = 64 },
	{ .name = "munmap-private", .title = "munmap, per private page",
	  .run = run_munmap, .n = 64, .arg = MAP_PRIVATE, .bound = 50 },
	{ .name = "munmap-shared", .title = "munmap, per shared page",
	  .run = run_munmap, .n = 64, .arg = MAP_SHARED },
	{ .name = "truncate", .title = "truncate of a file, per page",
	  .run = run_truncate, .n = 64, .bound = 50 },
	{ .name = "mmap-private", .title = "mmap of 128 private pages",
	  .run = run_mmap, .n = 1, .arg = MAP_PRIVATE },
	{ .name = "mmap-shared", .title = "mmap of 128 shared pages",
	  .run = run_mmap, .n = 1, .arg = MAP_SHARED },
	{ .name = "cow", .title = "copy on write",
	  .run = run_cow, .n = 64 },
	{ .name = "reuse", .title = "write to a page the child left",
	  .run = run_reuse, .n = 64 },
	{ .name = "fork-nothing", .title = "fork without huge pages",
	  .run = run_fork, .n = 1, .arg = MAPPED_NOTHING },
	{ .name = "fork-private", .title = "fork, per private page",
	  .run = run_fork, .n = 128, .arg = MAPPED_HUGETLB_PRIVATE,
	  .bound = 100, .minus = "fork-nothing" },
	{ .name = "fork-shared", .title = "fork, per shared page",
	  .run = run_fork, .n = 128, .arg = MAPPED_HUGETLB_SHARED,
	  .bound = 100, .minus = "fork-nothing" },
	{ .name = "exit-nothing", .title = "exit without huge pages",
	  .run = run_exit, .n = 1, .arg = MAPPED_NOTHING },
	{ .name = "exit-private", .title = "exit, per private page",
	  .run = run_exit, .n = 128, .arg = MAPPED_HUGETLB_PRIVATE,
	  .bound = 100, .minus = "exit-nothing" },
	{ .name = "exit-shared", .title = "exit, per shared page",
	  .run = run_exit, .n = 128, .arg = MAPPED_HUGETLB_SHARED,
	  .bound = 100, .minus = "exit-nothing" },
	{ }
};

/*
 * With hugetlb_free_vmemmap=on.  The first and last page turn a static key,
 * which is not what a page costs: one stays in the pool.  Stock corrupts memory
 * when it makes vmemmap whole again: everything happens once.
 */
const struct bench_path paths_hvo[] = {
	{ .name = "hvo-key-on", .title = "HVO: the first page of the pool",
	  .run = run_pool_grow, .n = 1 },
	{ .name = "hvo-grow", .title = "HVO: pool grown, per 2M page",
	  .run = run_pool_grow, .n = 256, .arg = 1, .bound = 50 },
	{ .name = "hvo-shrink", .title = "HVO: pool shrunk, per 2M page",
	  .run = run_pool_shrink, .n = 256, .arg = 1, .bound = 60 },
	{ .name = "hvo-key-off", .title = "HVO: the last page of the pool",
	  .run = run_pool_shrink, .n = 1 },
	{ }
};

const struct bench_path paths_hvo_surplus[] = {
	{ .name = "hvo-surplus", .title = "HVO: fault of a surplus page",
	  .run = run_surplus, .n = 16, .cost = COST_ELAPSED, .bound = 10 },
	{ }
};
