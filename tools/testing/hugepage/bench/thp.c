// SPDX-License-Identifier: GPL-2.0
/* Paths of transparent huge pages. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include "bench.h"

#define THP		"/sys/kernel/mm/transparent_hugepage/"
#define PART		(SZ_2M / 2)	/* a place in the middle */

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* ---- settings ---- */

static const unsigned long sizes_kb[] = { 16, 64, 256, 1024, 2048, 0 };

/*
 * Only folios of @size for anonymous memory; 0 or 4K: none at all.  khugepaged
 * looks around once when that changes: not in a window.
 */
static void thp_only(unsigned long size)
{
	char path[128];
	const unsigned long *kb;

	/* Here only what is asked for may be collapsed. */
	write_file(THP "khugepaged/scan_sleep_millisecs", "1000000000");
	for (kb = sizes_kb; *kb; kb++) {
		snprintf(path, sizeof(path), THP "hugepages-%lukB/enabled", *kb);
		write_file(path, *kb << 10 == size ? "always" : "never");
	}
	settle();
}

/* Filled with folios of a size as for thp_only(). */
static char *map_filled(size_t size, unsigned long folio)
{
	char *p = map_aligned(size);

	thp_only(folio);
	touch(p, size, SZ_4K);
	return p;
}

/* ---- faults ---- */

/* One write per base page, whatever a fault brings in. */
static void run_touch(const struct bench_path *path)
{
	size_t size = path->n * SZ_2M;
	char *p = map_aligned(size);

	thp_only(path->arg);
	window_open();
	touch(p, size, path->arg == SZ_2M ? SZ_2M : SZ_4K);
	window_close();
	unmap(p, size);
}

/* Reads find the huge zero page, then one write each. */
static void run_zero(const struct bench_path *path)
{
	size_t size = path->n * SZ_2M;
	char *p = map_aligned(size);
	size_t i;

	thp_only(SZ_2M);
	for (i = 0; i < size; i += SZ_2M)
		(void)*(volatile char *)(p + i);
	window_open();
	touch(p, size, SZ_2M);
	window_close();
	unmap(p, size);
}

/* ---- unmapping, whole and in part ---- */

static void run_thp_munmap(const struct bench_path *path)
{
	size_t size = path->n * SZ_2M;
	char *p = map_filled(size, SZ_2M);

	window_open();
	unmap(p, size);
	window_close();
}

enum { PART_MUNMAP, PART_MPROTECT, PART_DONTNEED };

static void part_change(char *p, unsigned long how)
{
	int err = 0;

	switch (how) {
	case PART_MUNMAP:
		err = munmap(p, SZ_4K);
		break;
	case PART_MPROTECT:
		err = mprotect(p, SZ_4K, PROT_READ);
		break;
	case PART_DONTNEED:
		err = madvise(p, SZ_4K, MADV_DONTNEED);
		break;
	}
	if (err)
		die("change of a part");
}

static void run_part(const struct bench_path *path)
{
	size_t size = path->n * SZ_2M;
	char *p = map_filled(size, SZ_2M);
	size_t i;

	window_open();
	for (i = 0; i < size; i += SZ_2M)
		part_change(p + i + PART, path->arg);
	window_close();
	unmap(p, size);
}

/* ---- split and collapse ---- */

static void run_split(const struct bench_path *path)
{
	size_t size = path->n * SZ_2M;
	char *p = map_filled(size, SZ_2M);
	int fd = open_file("/sys/kernel/debug/split_huge_pages");
	char text[64];
	int length;

	length = snprintf(text, sizeof(text), "%d,0x%lx,0x%lx", getpid(),
			  (unsigned long)p, (unsigned long)p + size);
	window_open();
	if (write(fd, text, length) != length)
		die("split_huge_pages");
	window_close();
	close(fd);
	unmap(p, size);
}

/* @arg base pages are there in each 2M. */
static void run_collapse(const struct bench_path *path)
{
	size_t size = path->n * SZ_2M;
	char *p = map_aligned(size);
	size_t i;

	thp_only(0);
	for (i = 0; i < size; i += SZ_2M)
		touch(p + i, path->arg * SZ_4K, SZ_4K);
	window_open();
	if (madvise(p, size, MADV_COLLAPSE))
		die("MADV_COLLAPSE");
	window_close();
	unmap(p, size);
}

/* ---- fork and exit ---- */

static void run_thp_fork(const struct bench_path *path)
{
	thp_only(path->arg == MAPPED_THP ? SZ_2M : 0);
	run_fork(path);
}

static void run_thp_exit(const struct bench_path *path)
{
	thp_only(path->arg == MAPPED_THP ? SZ_2M : 0);
	run_exit(path);
}

/* ---- files ---- */

static char *tmpfs_buffer(void)
{
	static char *buffer;

	if (!buffer) {
		buffer = map_anon(SZ_2M, MAP_PRIVATE);
		touch(buffer, SZ_2M, SZ_4K);
		if (mount("tmpfs", "/tmp", "tmpfs", 0, "huge=always,size=1G"))
			die("mount of tmpfs");
	}
	return buffer;
}

static int tmpfs_file(void)
{
	int fd = open("/tmp/file", O_RDWR | O_CREAT, 0600);

	if (fd < 0)
		die("open of a file in tmpfs");
	return fd;
}

/* In pieces of @piece. */
static void tmpfs_write(int fd, const char *buffer, size_t size, size_t piece)
{
	size_t i;

	for (i = 0; i < size; i += piece) {
		if (write(fd, buffer, piece) != (ssize_t)piece)
			die("write to tmpfs");
	}
}

static void run_tmpfs_write(const struct bench_path *path)
{
	char *buffer = tmpfs_buffer();
	int fd = tmpfs_file();

	window_open();
	tmpfs_write(fd, buffer, path->n * SZ_2M, path->arg);
	window_close();
	close(fd);
	unlink("/tmp/file");
}

static void run_tmpfs_read(const struct bench_path *path)
{
	char *buffer = tmpfs_buffer();
	int fd = tmpfs_file();
	unsigned int i;

	tmpfs_write(fd, buffer, path->n * SZ_2M, SZ_2M);
	lseek(fd, 0, SEEK_SET);
	window_open();
	for (i = 0; i < path->n; i++) {
		if (read(fd, buffer, SZ_2M) != (ssize_t)SZ_2M)
			die("read from tmpfs");
	}
	window_close();
	close(fd);
	unlink("/tmp/file");
}

/* ---- table ---- */

const struct bench_path paths_thp[] = {
	{ .name = "thp-fault", .title = "first write to 2M, one folio",
	  .run = run_touch, .n = 32, .arg = SZ_2M, .bound = 40 },
	{ .name = "thp-munmap", .title = "munmap, per THP",
	  .run = run_thp_munmap, .n = 32, .bound = 50 },
	{ .name = "touch-4k", .title = "2M touched in folios of 4K",
	  .run = run_touch, .n = 8, .arg = SZ_4K },
	{ .name = "touch-16k", .title = "2M touched in folios of 16K",
	  .run = run_touch, .n = 8, .arg = 4 * SZ_4K },
	{ .name = "touch-64k", .title = "2M touched in folios of 64K",
	  .run = run_touch, .n = 8, .arg = 16 * SZ_4K, .bound = 80 },
	{ .name = "touch-256k", .title = "2M touched in folios of 256K",
	  .run = run_touch, .n = 8, .arg = 64 * SZ_4K },
	{ .name = "touch-1m", .title = "2M touched in folios of 1M",
	  .run = run_touch, .n = 8, .arg = 256 * SZ_4K },
	{ .name = "zero-write", .title = "write to the huge zero page",
	  .run = run_zero, .n = 16, .bound = 100, .against = "thp-fault" },
	{ .name = "part-munmap", .title = "munmap of 4K of a THP",
	  .run = run_part, .n = 16, .arg = PART_MUNMAP, .bound = 60 },
	{ .name = "part-mprotect", .title = "mprotect of 4K of a THP",
	  .run = run_part, .n = 16, .arg = PART_MPROTECT },
	{ .name = "part-dontneed", .title = "MADV_DONTNEED of 4K of a THP",
	  .run = run_part, .n = 16, .arg = PART_DONTNEED },
	{ .name = "split", .title = "split of a THP into 4K",
	  .run = run_split, .n = 8, .bound = 35 },
	{ .name = "collapse-512", .title = "MADV_COLLAPSE, 512 pages there",
	  .run = run_collapse, .n = 8, .arg = 512 },
	{ .name = "collapse-256", .title = "MADV_COLLAPSE, 256 pages there",
	  .run = run_collapse, .n = 8, .arg = 256 },
	{ .name = "collapse-1", .title = "MADV_COLLAPSE, one page there",
	  .run = run_collapse, .n = 8, .arg = 1 },
	{ .name = "thp-fork-nothing", .title = "fork without THPs",
	  .run = run_thp_fork, .n = 1, .arg = MAPPED_NOTHING },
	{ .name = "thp-fork", .title = "fork, per THP",
	  .run = run_thp_fork, .n = 64, .arg = MAPPED_THP, .bound = 100,
	  .minus = "thp-fork-nothing" },
	{ .name = "4k-fork", .title = "fork, per 2M in pages of 4K",
	  .run = run_thp_fork, .n = 16, .arg = MAPPED_4K,
	  .minus = "thp-fork-nothing" },
	{ .name = "thp-exit-nothing", .title = "exit without THPs",
	  .run = run_thp_exit, .n = 1, .arg = MAPPED_NOTHING },
	{ .name = "thp-exit", .title = "exit, per THP",
	  .run = run_thp_exit, .n = 64, .arg = MAPPED_THP, .bound = 100,
	  .minus = "thp-exit-nothing" },
	{ .name = "4k-exit", .title = "exit, per 2M in pages of 4K",
	  .run = run_thp_exit, .n = 16, .arg = MAPPED_4K,
	  .minus = "thp-exit-nothing" },
	{ .name = "tmpfs-write", .title = "tmpfs huge=always, 2M written",
	  .run = run_tmpfs_write, .n = 8, .arg = SZ_2M },
	{ .name = "tmpfs-write-1m", .title = "2M written in two",
	  .run = run_tmpfs_write, .n = 8, .arg = SZ_2M / 2,
	  .cost = COST_UNCOPIED, .bound = 30 },
	{ .name = "tmpfs-write-64k", .title = "2M written in pieces of 64K",
	  .run = run_tmpfs_write, .n = 8, .arg = SZ_2M / 32,
	  .cost = COST_UNCOPIED },
	{ .name = "tmpfs-write-4k", .title = "2M written in pieces of 4K",
	  .run = run_tmpfs_write, .n = 8, .arg = SZ_4K,
	  .cost = COST_UNCOPIED },
	{ .name = "tmpfs-read", .title = "tmpfs huge=always, 2M read",
	  .run = run_tmpfs_read, .n = 8, .bound = 10 },
	{ }
};
