// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation fails once: faults, writes, fallocate(), splits and swap of a
 * file in a tmpfs that has huge pages.  Each is done, with smaller folios if
 * need be, or refused; nothing that was written is lost, and the mount has as
 * much room in the end as in the beginning.
 *
 * Needs what hugetlb_inject.h says.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"
#include "thp_inject.h"

static int open_file(struct inject *t)
{
	snprintf(t->path, sizeof(t->path), "%s/file", t->dir);
	t->fd = open(t->path, O_CREAT | O_RDWR, 0600);
	return t->fd < 0;
}

static int with_file(struct inject *t)
{
	return open_file(t) || ftruncate(t->fd, HUGE) ||
	       map_fresh(t, PAGES, MAP_SHARED, t->fd);
}

static int with_huge_file(struct inject *t)
{
	if (with_file(t))
		return -1;
	khp_fill(t->p, PAGES, SEED);
	return khp_order_at(t->p) != khp_pmd_order();
}

static void undo_file(struct inject *t)
{
	inject_child_stop(t);
	undo_map(t);
	close(t->fd);
	unlink(t->path);
}

FIXTURE_VARIANT_ADD(inject, file_fault) { .op = {
	.name = "file_fault", .mount = "huge=always",
	.prepare = with_file, .run = run_populate, .good = good_zero,
	.undo = undo_file, .fired = 3, .refused = 1,
	.flags = INJECT_PARTIAL | INJECT_LATE,
} };

FIXTURE_VARIANT_ADD(inject, file_touch) { .op = {
	.name = "file_touch", .mount = "huge=always",
	.prepare = with_file, .run = run_touch, .good = good_filled,
	.undo = undo_file, .fired = 3, .flags = INJECT_SURE | INJECT_LATE,
} };

/* The first pages of it in a private mapping */
#define COPIES		16L

static int with_private(struct inject *t)
{
	if (with_huge_file(t))
		return -1;
	t->q = alone();
	return mmap(t->q, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
		    t->fd, 0) != t->q;
}

static int run_copy(struct inject *t)
{
	return done_or_errno(madvise(t->q, COPIES * psize(),
				     MADV_POPULATE_WRITE));
}

/* Theirs is theirs. */
static bool good_copied(struct inject *t)
{
	if (!good_filled(t) || !khp_holds(t->q, COPIES, SEED))
		return false;
	if (!t->err)
		memset(t->q, 0, COPIES * psize());
	return good_filled(t);
}

static void undo_private(struct inject *t)
{
	munmap(t->q, HUGE);
	undo_file(t);
}

FIXTURE_VARIANT_ADD(inject, file_copy) { .op = {
	.name = "file_copy", .mount = "huge=always",
	.prepare = with_private, .run = run_copy, .good = good_copied,
	.undo = undo_private, .fired = 10, .refused = 1,
	.flags = INJECT_PARTIAL | INJECT_LATE,
} };

FIXTURE_VARIANT_ADD(inject, file_fork) { .op = {
	.name = "file_fork", .mount = "huge=always",
	.prepare = with_huge_file, .run = run_fork, .good = good_filled,
	.undo = undo_file, .fired = 10, .refused = 10, .errors = { EAGAIN },
} };

/* What was split is no longer mapped, and has a table when it is looked at. */
FIXTURE_VARIANT_ADD(inject, file_unmap_part) { .op = {
	.name = "file_unmap_part", .mount = "huge=always",
	.prepare = with_huge_file, .run = run_unmap, .good = good_outside,
	.undo = undo_file, .fired = 3, .refused = 2,
	.flags = INJECT_PARTIAL | INJECT_LATE,
} };

static int with_swappable_file(struct inject *t)
{
	return or_no_swap(with_huge_file(t));
}

FIXTURE_VARIANT_ADD(inject, file_pageout) { .op = {
	.name = "file_pageout", .mount = "huge=always",
	.prepare = with_swappable_file, .run = run_pageout,
	.good = good_filled, .undo = undo_file, .fired = 3, .most = MOST,
	.flags = INJECT_SURE | INJECT_LATE,
} };

static int with_swapped_file(struct inject *t)
{
	return with_swappable_file(t) ?: run_pageout(t);
}

FIXTURE_VARIANT_ADD(inject, file_pagein) { .op = {
	.name = "file_pagein", .mount = "huge=always",
	.prepare = with_swapped_file, .run = run_populate,
	.good = good_filled, .undo = undo_file, .fired = 3, .refused = 1,
	.most = MOST, .flags = INJECT_PARTIAL | INJECT_LATE,
} };

/* ---- memory that is shared and has no name ---- */

static int with_shared(struct inject *t)
{
	return map_fresh(t, PAGES, MAP_SHARED | MAP_ANONYMOUS, -1);
}

#define SHARED(_name, _orders)						\
	.op = {								\
		.name = _name, .arg = (_orders), .prepare = with_shared, \
		.run = run_populate, .good = good_zero,			\
		.undo = undo_map, .fired = 3, .refused = 1,		\
		.most = MOST, .flags = INJECT_PARTIAL | INJECT_LATE,	\
	}

FIXTURE_VARIANT_ADD(inject, shared_2M) { SHARED("shared_2M", PMD) };
FIXTURE_VARIANT_ADD(inject, shared_64K) { SHARED("shared_64K", ORDER(4)) };
FIXTURE_VARIANT_ADD(inject, shared_any) { SHARED("shared_any", ORDERS) };

/* ---- write() and fallocate() ---- */

/* What is written, at t->r, is what the mapping of it shall show. */
static int run_write_part(struct inject *t, size_t from, size_t to)
{
	ssize_t n = pwrite(t->fd, t->r + from, to - from, from);

	if (n == (ssize_t)(to - from))
		return 0;
	return n < 0 ? errno : ENOMEM;
}

static int run_write_in(struct inject *t, size_t piece)
{
	int err = 0;

	for (size_t at = 0; at < (size_t)HUGE && !err; at += piece)
		err = run_write_part(t, at, at + piece);
	return err;
}

static int run_write(struct inject *t)
{
	return run_write_in(t, HUGE);
}

static int run_write_64k(struct inject *t)
{
	return run_write_in(t, 64 << 10);
}

/* In pages and folios of each size but the largest */
static int run_write_odd(struct inject *t)
{
	size_t middle = 3 * psize();

	return run_write_part(t, 0, middle) ?: run_write_part(t, middle, HUGE);
}

static int with_data(struct inject *t)
{
	if (with_file(t))
		return -1;
	t->r = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t->r == MAP_FAILED)
		return -1;
	khp_fill(t->r, PAGES, SEED);
	return 0;
}

static void undo_data(struct inject *t)
{
	munmap(t->r, HUGE);
	undo_file(t);
}

/* Each page is as written, or not there yet. */
static bool good_written(struct inject *t)
{
	for (long i = 0; i < PAGES; i++) {
		if (khp_page_holds(t->p, SEED, i))
			continue;
		if (!t->err || !khp_page_zero(t->p, i))
			return false;
	}
	return true;
}

FIXTURE_VARIANT_ADD(inject, file_write) { .op = {
	.name = "file_write", .mount = "huge=always",
	.prepare = with_data, .run = run_write, .good = good_written,
	.undo = undo_data, .fired = 2, .flags = INJECT_PARTIAL | INJECT_LATE,
} };

/* From 2M down to a single page, which ends it */
static int run_write_row(struct inject *t)
{
	return run_row(t, run_write);
}

FIXTURE_VARIANT_ADD(inject, file_write_row) { .op = {
	.name = "file_write_row", .mount = "huge=always",
	.prepare = with_data, .run = run_write_row, .good = good_written,
	.undo = undo_data, .fired = 12, .refused = 2, .most = 12,
	.flags = INJECT_OWN | INJECT_PARTIAL | INJECT_LATE,
} };

FIXTURE_VARIANT_ADD(inject, file_write_64K) { .op = {
	.name = "file_write_64K", .mount = "huge=always",
	.prepare = with_data, .run = run_write_64k, .good = good_written,
	.undo = undo_data, .fired = 10,
	.flags = INJECT_PARTIAL | INJECT_LATE,
} };

FIXTURE_VARIANT_ADD(inject, file_write_odd) { .op = {
	.name = "file_write_odd", .mount = "huge=always",
	.prepare = with_data, .run = run_write_odd, .good = good_written,
	.undo = undo_data, .fired = 10,
	.flags = INJECT_PARTIAL | INJECT_LATE,
} };

static int run_allocate(struct inject *t)
{
	return done_or_errno(fallocate(t->fd, 0, 0, HUGE));
}

/* A refusal leaves nothing; to look at the contents would change that. */
static bool good_allocated(struct inject *t)
{
	return t->err || good_zero(t);
}

FIXTURE_VARIANT_ADD(inject, file_allocate) { .op = {
	.name = "file_allocate", .mount = "huge=always",
	.prepare = with_file, .run = run_allocate, .good = good_allocated,
	.undo = undo_file, .fired = 2, .flags = INJECT_LATE,
} };

static int run_allocate_row(struct inject *t)
{
	return run_row(t, run_allocate);
}

FIXTURE_VARIANT_ADD(inject, file_allocate_row) { .op = {
	.name = "file_allocate_row", .mount = "huge=always",
	.prepare = with_file, .run = run_allocate_row, .good = good_allocated,
	.undo = undo_file, .fired = 12, .refused = 2, .most = 12,
	.flags = INJECT_OWN | INJECT_LATE,
} };

static int run_punch(struct inject *t)
{
	return done_or_errno(fallocate(t->fd, FALLOC_FL_PUNCH_HOLE |
				       FALLOC_FL_KEEP_SIZE, HUGE / 4,
				       HUGE / 2));
}

static bool good_punched(struct inject *t)
{
	return khp_holds(t->p, PAGES / 4, SEED) &&
	       all_zero(t->p + HUGE / 4, PAGES / 2) &&
	       khp_page_holds(t->p, SEED, PAGES * 3 / 4) &&
	       khp_page_holds(t->p, SEED, PAGES - 1);
}

/* Without memory to split with, the hole is zeroes that are kept. */
FIXTURE_VARIANT_ADD(inject, file_punch) { .op = {
	.name = "file_punch", .mount = "huge=always",
	.prepare = with_huge_file, .run = run_punch, .good = good_punched,
	.undo = undo_file, .flags = INJECT_SURE | INJECT_LATE,
} };

/* ---- splits of folios ---- */

static int run_truncate(struct inject *t)
{
	return done_or_errno(ftruncate(t->fd, HUGE / 4));
}

/* What was cut off is zeroes when it comes back. */
static bool good_truncated(struct inject *t)
{
	return !ftruncate(t->fd, HUGE) && khp_holds(t->p, PAGES / 4, SEED) &&
	       all_zero(t->p + HUGE / 4, PAGES * 3 / 4);
}

FIXTURE_VARIANT_ADD(inject, file_truncate) { .op = {
	.name = "file_truncate", .mount = "huge=always",
	.prepare = with_huge_file, .run = run_truncate,
	.good = good_truncated, .undo = undo_file, .fired = 1,
	.flags = INJECT_SURE | INJECT_LATE,
} };

/* It is no longer mapped then. */
static int run_split_to(struct inject *t, int order)
{
	int err = split(t, t->path, 0, PAGES, order);

	khp_touch(t->p, 1);
	return err ?: khp_order_at(t->p) == order ? 0 : EBUSY;
}

static int run_split(struct inject *t)
{
	return run_split_to(t, 0);
}

static int run_split_64k(struct inject *t)
{
	return run_split_to(t, 4);
}

#define SPLIT(_name, _run)						\
	.op = {								\
		.name = _name, .mount = "huge=always",			\
		.prepare = with_huge_file, .run = _run,			\
		.good = good_filled, .undo = undo_file, .fired = 2,	\
		.refused = 2, .errors = { EBUSY },			\
		.flags = INJECT_OWN | INJECT_PARTIAL | INJECT_LATE,	\
	}

FIXTURE_VARIANT_ADD(inject, file_split) { SPLIT("file_split", run_split) };
FIXTURE_VARIANT_ADD(inject, file_split_64K) {
	SPLIT("file_split_64K", run_split_64k)
};

int main(int argc, char **argv)
{
	return thp_inject_main(argc, argv);
}
