// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation fails once: mappings are made, and touched for the first
 * time.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"
#include "hugetlb_inject_map.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

/* ---- mmap ---- */

static int run_map_private(struct inject *t)
{
	return map_anon(t, 4, MAP_PRIVATE);
}

FIXTURE_VARIANT_ADD(inject, map_private) { .op = {
	.name = "map_private", .pool = POOL,
	.run = run_map_private, .undo = unmap,
	.errors = { ENOSPC }, .fired = 4, .refused = 3,
} };

static int run_map_shared(struct inject *t)
{
	return map_anon(t, 4, MAP_SHARED);
}

FIXTURE_VARIANT_ADD(inject, map_shared) { .op = {
	.name = "map_shared", .pool = POOL,
	.run = run_map_shared, .undo = unmap,
	.errors = { ENOSPC }, .fired = 4, .refused = 3,
} };

/* One page is there, three have to be made. */
FIXTURE_VARIANT_ADD(inject, map_surplus) { .op = {
	.name = "map_surplus", .pool = 1, .overcommit = 6,
	.run = run_map_private, .undo = unmap,
	.errors = { ENOSPC }, .fired = 5, .refused = 4,
} };

FIXTURE_VARIANT_ADD(inject, map_surplus_shared) { .op = {
	.name = "map_surplus_shared", .pool = 1, .overcommit = 6,
	.run = run_map_shared, .undo = unmap,
	.errors = { ENOSPC }, .fired = 5, .refused = 4,
} };

static int run_map_file(struct inject *t)
{
	return map_at(t, NULL, 4, MAP_SHARED, t->fd);
}

/* Two pages of the four are the mount's already. */
FIXTURE_VARIANT_ADD(inject, map_file) { .op = {
	.name = "map_file", .pool = POOL, .mount = LIMITS,
	.prepare = open_file, .run = run_map_file, .undo = unmap_file,
	.fired = 2, .refused = 2,
} };

static int run_map_file_private(struct inject *t)
{
	return map_at(t, NULL, 4, MAP_PRIVATE, t->fd);
}

FIXTURE_VARIANT_ADD(inject, map_file_private) { .op = {
	.name = "map_file_private", .pool = POOL, .mount = LIMITS,
	.prepare = open_file, .run = run_map_file_private, .undo = unmap_file,
	.fired = 2, .refused = 2,
} };

/* The middle of a range that has promises at both ends. */
static int with_file_gap(struct inject *t)
{
	char *a, *b;

	if (open_file(t))
		return -1;
	a = mmap(NULL, SZ_HUGE, PROT_READ, MAP_SHARED, t->fd, 0);
	b = mmap(NULL, SZ_HUGE, PROT_READ, MAP_SHARED, t->fd, 3 * SZ_HUGE);
	if (a == MAP_FAILED || b == MAP_FAILED)
		return -1;
	munmap(a, SZ_HUGE);
	munmap(b, SZ_HUGE);
	return 0;
}

FIXTURE_VARIANT_ADD(inject, map_file_gap) { .op = {
	.name = "map_file_gap", .pool = POOL, .mount = LIMITS,
	.prepare = with_file_gap, .run = run_map_file, .undo = unmap_file,
	.fired = 2, .refused = 2,
} };

static int with_old_mapping(struct inject *t)
{
	int err = with_private(t);

	t->q = t->p;
	return err;
}

static int run_map_over(struct inject *t)
{
	int err;

	err = map_at(t, t->q, 3, MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS |
		     MAP_HUGETLB, -1);
	t->p = t->q;
	return err;
}

FIXTURE_VARIANT_ADD(inject, map_over) { .op = {
	.name = "map_over", .pool = POOL,
	.prepare = with_old_mapping, .run = run_map_over, .undo = unmap,
	.errors = { ENOSPC }, .flags = INJECT_PARTIAL, .fired = 4, .refused = 3,
} };

/* ---- faults ---- */

FIXTURE_VARIANT_ADD(inject, fault_private) { .op = {
	.name = "fault_private", .pool = POOL,
	.prepare = with_private_promised, .run = touch_all, .undo = unmap,
	.errors = { INJECT_BUS }, .fired = 2,
} };

FIXTURE_VARIANT_ADD(inject, fault_shared) { .op = {
	.name = "fault_shared", .pool = POOL,
	.prepare = with_shared_promised, .run = touch_all, .undo = unmap,
	.errors = { INJECT_BUS }, .fired = 1,
} };

static int with_file_mapped(struct inject *t)
{
	return open_file(t) ?: map_at(t, NULL, 4, MAP_SHARED, t->fd);
}

FIXTURE_VARIANT_ADD(inject, fault_file) { .op = {
	.name = "fault_file", .pool = POOL, .mount = LIMITS,
	.prepare = with_file_mapped, .run = touch_all, .undo = unmap_file,
	.errors = { INJECT_BUS }, .fired = 1,
} };

/* Nobody promised them: two pages are the mount's, two the pool's. */
static int with_file_noreserve(struct inject *t)
{
	return open_file(t) ?:
	       map_at(t, NULL, 4, MAP_SHARED | MAP_NORESERVE, t->fd);
}

FIXTURE_VARIANT_ADD(inject, fault_file_noreserve) { .op = {
	.name = "fault_file_noreserve", .pool = POOL, .mount = LIMITS,
	.prepare = with_file_noreserve, .run = touch_all, .undo = unmap_file,
	.errors = { INJECT_BUS }, .flags = INJECT_PARTIAL, .fired = 4,
} };

static int with_surplus_to_make(struct inject *t)
{
	return map_anon(t, 2, MAP_PRIVATE | MAP_NORESERVE);
}

FIXTURE_VARIANT_ADD(inject, fault_surplus) { .op = {
	.name = "fault_surplus", .pool = 0, .overcommit = 4,
	.prepare = with_surplus_to_make, .run = touch_all, .undo = unmap,
	.errors = { INJECT_BUS }, .flags = INJECT_PARTIAL,
	.fired = 2, .refused = 1,
} };

/* The file has a page, the private mapping wants one of its own. */
static int with_file_page(struct inject *t)
{
	if (open_file(t) || fallocate(t->fd, 0, 0, 2 * SZ_HUGE))
		return -1;
	return map_at(t, alone(), 2, MAP_PRIVATE, t->fd);
}

FIXTURE_VARIANT_ADD(inject, fault_file_copy) { .op = {
	.name = "fault_file_copy", .pool = POOL, .mount = LIMITS,
	.prepare = with_file_page, .run = touch_all, .undo = unmap_file,
	.errors = { INJECT_BUS }, .fired = 2,
} };

static int run_read_all(struct inject *t)
{
	char v;

	for (long i = 0; i < t->n; i++) {
		if (!huge_load(t->p + i * SZ_HUGE, &v))
			return INJECT_BUS;
	}
	return 0;
}

FIXTURE_VARIANT_ADD(inject, fault_file_read) { .op = {
	.name = "fault_file_read", .pool = POOL, .mount = LIMITS,
	.prepare = with_file_page, .run = run_read_all, .undo = unmap_file,
	.errors = { INJECT_BUS }, .fired = 1,
} };

/* Two mappings of a whole gigabyte use one table. */
#define TABLE_PAGES	((1UL << 30) / SZ_HUGE)

static char *map_table(int fd)
{
	return mmap(alone(), TABLE_PAGES * SZ_HUGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_NORESERVE, fd, 0);
}

static int with_table(struct inject *t)
{
	if (open_file(t))
		return -1;
	t->q = map_table(t->fd);
	t->p = map_table(t->fd);
	t->n = TABLE_PAGES;
	if (t->p == MAP_FAILED || t->q == MAP_FAILED)
		return -1;
	return huge_store(t->q, 1) ? 0 : -1;
}

static int run_fault_table(struct inject *t)
{
	return touch(t, 0, 2);
}

static void undo_table(struct inject *t)
{
	munmap(t->q, TABLE_PAGES * SZ_HUGE);
	unmap_file(t);
}

FIXTURE_VARIANT_ADD(inject, fault_shared_table) { .op = {
	.name = "fault_shared_table", .pool = POOL, .mount = "pagesize=2M",
	.prepare = with_table, .run = run_fault_table, .undo = undo_table,
	.errors = { INJECT_BUS }, .fired = 1,
} };

/* Leaving a shared table, by a cut through it. */
static int with_table_shared(struct inject *t)
{
	return with_table(t) ?: touch(t, 0, 2);
}

static int run_protect_table(struct inject *t)
{
	return mprotect(t->p, 2 * SZ_HUGE, PROT_READ) ? errno : 0;
}

FIXTURE_VARIANT_ADD(inject, protect_shared_table) { .op = {
	.name = "protect_shared_table", .pool = POOL, .mount = "pagesize=2M",
	.prepare = with_table_shared, .run = run_protect_table,
	.undo = undo_table, .flags = INJECT_PARTIAL, .fired = 1, .refused = 1,
} };

static int run_populate(struct inject *t)
{
	return madvise(t->p, t->n * SZ_HUGE, MADV_POPULATE_WRITE) ? errno : 0;
}

FIXTURE_VARIANT_ADD(inject, populate_private) { .op = {
	.name = "populate_private", .pool = POOL,
	.prepare = with_private_promised, .run = run_populate, .undo = unmap,
	.errors = { EFAULT }, .flags = INJECT_PARTIAL, .fired = 2, .refused = 1,
} };

FIXTURE_VARIANT_ADD(inject, populate_shared) { .op = {
	.name = "populate_shared", .pool = POOL,
	.prepare = with_shared_promised, .run = run_populate, .undo = unmap,
	.errors = { EFAULT }, .flags = INJECT_PARTIAL, .fired = 1,
} };

int main(int argc, char **argv)
{
	return inject_main(argc, argv);
}
