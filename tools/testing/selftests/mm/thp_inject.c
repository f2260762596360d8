// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation fails once: faults of every size, zeroes, copies, fork;
 * knobs.  Each is done, with smaller folios if need be, or refused; nothing that
 * was written is lost, and all that was counted is gone in the end.
 *
 * Needs what hugetlb_inject.h says.
 */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include "../kselftest_harness.h"
#include "../../../../mm/gup_test.h"
#include "thp_inject.h"

/* ---- faults ---- */

/* In place of a folio there may be smaller ones, so counters are not compared. */
#define FAULT(_name, _orders, _fired)					\
	.op = {								\
		.name = _name, .arg = (_orders), .prepare = fresh_few,	\
		.run = run_populate, .good = good_zero,			\
		.undo = undo_map, .fired = (_fired), .refused = 3,	\
		.flags = INJECT_PARTIAL | INJECT_LATE,			\
	}

FIXTURE_VARIANT_ADD(inject, fault_2M) { FAULT("fault_2M", PMD, 4) };
FIXTURE_VARIANT_ADD(inject, fault_16K) { FAULT("fault_16K", ORDER(2), 6) };
FIXTURE_VARIANT_ADD(inject, fault_32K) { FAULT("fault_32K", ORDER(3), 6) };
FIXTURE_VARIANT_ADD(inject, fault_64K) { FAULT("fault_64K", ORDER(4), 6) };
FIXTURE_VARIANT_ADD(inject, fault_128K) { FAULT("fault_128K", ORDER(5), 6) };
FIXTURE_VARIANT_ADD(inject, fault_256K) { FAULT("fault_256K", ORDER(6), 6) };
FIXTURE_VARIANT_ADD(inject, fault_512K) { FAULT("fault_512K", ORDER(7), 6) };
FIXTURE_VARIANT_ADD(inject, fault_1M) { FAULT("fault_1M", ORDER(8), 4) };
FIXTURE_VARIANT_ADD(inject, fault_any) { FAULT("fault_any", ORDERS, 4) };

/* Who touches gets what there is, and never hears of it. */
FIXTURE_VARIANT_ADD(inject, touch_any) { .op = {
	.name = "touch_any", .arg = ORDERS, .prepare = fresh, .run = run_touch,
	.good = good_filled, .undo = undo_map, .fired = 4,
	.flags = INJECT_SURE | INJECT_LATE,
} };

/* In a table that is there, as another page needs it */
static int with_table(struct inject *t)
{
	int err = fresh(t);

	t->n = PAGES / 2;
	if (err || munmap(t->p + HUGE / 2, HUGE / 2 - psize()))
		return -1;
	t->p[HUGE - psize()] = 1;
	return 0;
}

static void undo_table(struct inject *t)
{
	munmap(t->p + HUGE - psize(), psize());
	undo_map(t);
}

/* From 1M down to a single page */
FIXTURE_VARIANT_ADD(inject, fault_row) { .op = {
	.name = "fault_row", .arg = ORDERS & ~PMD, .prepare = with_table,
	.run = run_populate_row, .good = good_zero, .undo = undo_table,
	.fired = 12, .refused = 3, .most = 12,
	.flags = INJECT_OWN | INJECT_PARTIAL | INJECT_LATE,
} };

static int run_touch_row(struct inject *t)
{
	return run_row(t, run_touch);
}

FIXTURE_VARIANT_ADD(inject, touch_row) { .op = {
	.name = "touch_row", .arg = ORDERS & ~PMD, .prepare = with_table,
	.run = run_touch_row, .good = good_filled, .undo = undo_table,
	.fired = 12, .most = 12,
	.flags = INJECT_OWN | INJECT_SURE | INJECT_LATE,
} };

/* The huge zero page goes when nobody has it, and is made again. */
static int with_reader(struct inject *t)
{
	file_write("/proc/sys/vm/drop_caches", "2");
	return fresh(t) ?: inject_child_start(t);
}

static int run_read(struct inject *t)
{
	return all_zero(t->p, t->n) ? 0 : EIO;
}

FIXTURE_VARIANT_ADD(inject, zero_page) { .op = {
	.name = "zero_page", .arg = PMD, .prepare = with_reader,
	.run = run_read, .undo = undo_child, .fired = 4,
	.flags = INJECT_CHILD | INJECT_SURE | INJECT_LATE,
} };

FIXTURE_VARIANT_ADD(inject, zero_write) { .op = {
	.name = "zero_write", .arg = PMD, .prepare = with_zeroes,
	.run = run_populate, .good = good_zero, .undo = undo_map, .fired = 1,
	.flags = INJECT_PARTIAL | INJECT_LATE,
} };

/* A huge page is asked for twice: near, and anywhere. */
FIXTURE_VARIANT_ADD(inject, zero_write_row) { .op = {
	.name = "zero_write_row", .arg = PMD, .prepare = with_zeroes,
	.run = run_populate_row, .good = good_zero, .undo = undo_map,
	.fired = 5, .refused = 1, .most = 5,
	.flags = INJECT_OWN | INJECT_PARTIAL | INJECT_LATE,
} };

static int with_child(struct inject *t)
{
	return with_huge(t) ?: inject_child_start(t);
}

FIXTURE_VARIANT_ADD(inject, copy) { .op = {
	.name = "copy", .arg = PMD, .prepare = with_child,
	.run = run_populate, .good = good_filled, .undo = undo_child,
	.fired = 1, .most = MOST, .flags = INJECT_PARTIAL | INJECT_LATE,
} };

FIXTURE_VARIANT_ADD(inject, copy_row) { .op = {
	.name = "copy_row", .arg = PMD, .prepare = with_child,
	.run = run_populate_row, .good = good_filled, .undo = undo_child,
	.fired = 4, .refused = 3, .most = 4,
	.flags = INJECT_OWN | INJECT_PARTIAL | INJECT_LATE,
} };

static int with_few_child(struct inject *t)
{
	return with_few(t) ?: inject_child_start(t);
}

FIXTURE_VARIANT_ADD(inject, copy_64K) { .op = {
	.name = "copy_64K", .arg = ORDER(4), .prepare = with_few_child,
	.run = run_populate, .good = good_filled, .undo = undo_child,
	.fired = 10, .refused = 1, .most = MOST,
	.flags = INJECT_PARTIAL | INJECT_LATE,
} };

/* ---- fork ---- */

FIXTURE_VARIANT_ADD(inject, fork) { .op = {
	.name = "fork", .arg = PMD, .prepare = with_huge, .run = run_fork,
	.good = good_filled, .undo = undo_child, .errors = { EAGAIN },
	.fired = 10, .refused = 10,
} };

FIXTURE_VARIANT_ADD(inject, fork_zeroes) { .op = {
	.name = "fork_zeroes", .arg = PMD, .prepare = with_zeroes,
	.run = run_fork, .good = good_zero, .undo = undo_child,
	.errors = { EAGAIN }, .fired = 10, .refused = 10,
} };

FIXTURE_VARIANT_ADD(inject, fork_64K) { .op = {
	.name = "fork_64K", .arg = ORDER(4), .prepare = with_few,
	.run = run_fork, .good = good_filled, .undo = undo_child,
	.errors = { EAGAIN }, .fired = 10, .refused = 10,
} };

static int with_pinned(struct inject *t)
{
	struct pin_longterm_test args = {
		.size = HUGE, .flags = PIN_LONGTERM_TEST_FLAG_USE_WRITE,
	};

	t->fd = open("/sys/kernel/debug/gup_test", O_RDWR);
	if (t->fd < 0)
		return INJECT_SKIP;
	if (with_huge(t))
		return -1;
	args.addr = (uintptr_t)t->p;
	return done_or_errno(ioctl(t->fd, PIN_LONGTERM_TEST_START, &args));
}

static void undo_pinned(struct inject *t)
{
	inject_child_stop(t);
	ioctl(t->fd, PIN_LONGTERM_TEST_STOP);
	close(t->fd);
	undo_map(t);
}

/* The child gets 512 copies; the first hundred allocations will do. */
FIXTURE_VARIANT_ADD(inject, fork_pinned) { .op = {
	.name = "fork_pinned", .arg = PMD, .prepare = with_pinned,
	.run = run_fork, .good = good_filled, .undo = undo_pinned,
	.errors = { EAGAIN }, .fired = 20, .refused = 20, .most = 100,
	.flags = INJECT_PARTIAL,
} };

/* ---- knobs ---- */

static int with_nothing(struct inject *t)
{
	khp_all_off();
	return 0;
}

static int run_enable(struct inject *t)
{
	return file_write(KHP_ROOT "hugepages-64kB/enabled", "always");
}

static void undo_enable(struct inject *t)
{
	khp_all_off();
}

/* khugepaged is started, and may not be. */
FIXTURE_VARIANT_ADD(inject, enable) { .op = {
	.name = "enable", .prepare = with_nothing, .run = run_enable,
	.undo = undo_enable, .errors = { EAGAIN, EINTR },
} };

static int run_prctl(struct inject *t)
{
	return done_or_errno(prctl(PR_SET_THP_DISABLE, 1, 2, 0, 0));
}

static bool good_prctl(struct inject *t)
{
	return prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 3;
}

static void undo_prctl(struct inject *t)
{
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
}

FIXTURE_VARIANT_ADD(inject, prctl) { .op = {
	.name = "prctl", .run = run_prctl, .good = good_prctl,
	.undo = undo_prctl, .flags = INJECT_SURE,
} };

int main(int argc, char **argv)
{
	return thp_inject_main(argc, argv);
}
