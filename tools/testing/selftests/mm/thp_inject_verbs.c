// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation fails once: what is done to a part of a huge page, splits,
 * moves, migration, swap.  Each is done or refused; nothing that was written is
 * lost, and all that was counted is gone in the end.
 *
 * Needs what hugetlb_inject.h says.
 */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include <linux/userfaultfd.h>
#include "../kselftest_harness.h"
#include "thp_inject.h"

#define MPOL_MF_MOVE	2

/* ---- a part of a huge page; whoever is refused may have split it ---- */

FIXTURE_VARIANT_ADD(inject, unmap_part) { .op = {
	.name = "unmap_part", .arg = PMD, .prepare = with_huge,
	.run = run_unmap, .good = good_outside, .undo = undo_map,
	.fired = 3, .refused = 2, .flags = INJECT_PARTIAL,
} };

static bool good_zero_outside(struct inject *t)
{
	return all_zero(t->p, PAGES / 4) &&
	       all_zero(t->p + HUGE * 3 / 4, PAGES / 4);
}

/* Each page gets an entry of its own, in the table that waited for that. */
FIXTURE_VARIANT_ADD(inject, unmap_zeroes) { .op = {
	.name = "unmap_zeroes", .arg = PMD, .prepare = with_zeroes,
	.run = run_unmap, .good = good_zero_outside, .undo = undo_map,
	.fired = 3, .refused = 2, .flags = INJECT_PARTIAL,
} };

static int run_protect(struct inject *t)
{
	return done_or_errno(mprotect(t->p + HUGE / 4, HUGE / 2, PROT_READ));
}

FIXTURE_VARIANT_ADD(inject, protect_part) { .op = {
	.name = "protect_part", .arg = PMD, .prepare = with_huge,
	.run = run_protect, .good = good_filled, .undo = undo_map,
	.fired = 3, .refused = 2, .flags = INJECT_PARTIAL,
} };

static int run_lock(struct inject *t)
{
	return done_or_errno(mlock(t->p + HUGE / 4, HUGE / 2));
}

FIXTURE_VARIANT_ADD(inject, lock_part) { .op = {
	.name = "lock_part", .arg = PMD, .prepare = with_huge,
	.run = run_lock, .good = good_filled, .undo = undo_map,
	.errors = { EAGAIN }, .fired = 3, .refused = 2,
	.flags = INJECT_PARTIAL,
} };

static int run_advise(struct inject *t)
{
	return done_or_errno(madvise(t->p + HUGE / 4, HUGE / 2,
				     MADV_NOHUGEPAGE));
}

FIXTURE_VARIANT_ADD(inject, advise_part) { .op = {
	.name = "advise_part", .arg = PMD, .prepare = with_huge,
	.run = run_advise, .good = good_filled, .undo = undo_map,
	.errors = { EAGAIN }, .fired = 3, .refused = 2,
	.flags = INJECT_PARTIAL,
} };

static int run_drop(struct inject *t)
{
	return done_or_errno(madvise(t->p + HUGE / 4, HUGE / 2,
				     MADV_DONTNEED));
}

static bool good_dropped(struct inject *t)
{
	return khp_holds(t->p, PAGES / 4, SEED) &&
	       all_zero(t->p + HUGE / 4, PAGES / 2);
}

FIXTURE_VARIANT_ADD(inject, drop_part) { .op = {
	.name = "drop_part", .arg = PMD, .prepare = with_huge,
	.run = run_drop, .good = good_dropped, .undo = undo_map,
	.flags = INJECT_SURE | INJECT_LATE,
} };

/* ---- splits of folios ---- */

static int run_split_to(struct inject *t, int order)
{
	char pid[16];
	int err;

	snprintf(pid, sizeof(pid), "%d", getpid());
	err = split(t, pid, (unsigned long)t->p, (unsigned long)t->p + HUGE,
		    order);
	if (!err && khp_order_at(t->p) != order)
		err = EBUSY;
	return err;
}

static int run_split(struct inject *t)
{
	return run_split_to(t, 0);
}

static int run_split_64k(struct inject *t)
{
	return run_split_to(t, 4);
}

FIXTURE_VARIANT_ADD(inject, split) { .op = {
	.name = "split", .arg = PMD, .prepare = with_huge, .run = run_split,
	.good = good_filled, .undo = undo_map, .errors = { EBUSY },
	.fired = 1, .refused = 1, .flags = INJECT_OWN,
} };

FIXTURE_VARIANT_ADD(inject, split_64K) { .op = {
	.name = "split_64K", .arg = PMD, .prepare = with_huge,
	.run = run_split_64k, .good = good_filled, .undo = undo_map,
	.errors = { EBUSY }, .fired = 1, .refused = 1, .flags = INJECT_OWN,
} };

/* ---- moves ---- */

static int with_place(struct inject *t)
{
	if (with_huge(t))
		return -1;
	t->q = alone();
	return !t->q;
}

static int run_move_to(struct inject *t, char *to)
{
	if (mremap(t->p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		return errno;
	t->p = to;
	return 0;
}

static int run_move(struct inject *t)
{
	return run_move_to(t, t->q);
}

/* Across two page tables */
static int run_move_askew(struct inject *t)
{
	return run_move_to(t, t->q + HUGE / 2);
}

FIXTURE_VARIANT_ADD(inject, move) { .op = {
	.name = "move", .arg = PMD, .prepare = with_place, .run = run_move,
	.good = good_filled, .undo = undo_map, .fired = 3, .refused = 3,
} };

FIXTURE_VARIANT_ADD(inject, move_askew) { .op = {
	.name = "move_askew", .arg = PMD, .prepare = with_place,
	.run = run_move_askew, .good = good_filled, .undo = undo_map,
	.fired = 3, .refused = 3, .flags = INJECT_PARTIAL,
} };

static int run_migrate(struct inject *t)
{
	void *page = t->p;
	int node = -1, to, status = -1;

	if (syscall(__NR_move_pages, 0, 1, &page, NULL, &node, 0))
		return errno;
	to = !node;
	if (syscall(__NR_move_pages, 0, 1, &page, &to, &status, MPOL_MF_MOVE))
		return errno;
	return status == to ? 0 : status < 0 ? -status : ENOMEM;
}

FIXTURE_VARIANT_ADD(inject, migrate) { .op = {
	.name = "migrate", .arg = PMD, .prepare = with_huge,
	.run = run_migrate, .good = good_filled, .undo = undo_map,
	.errors = { EBUSY }, .fired = 1,
	.flags = INJECT_PARTIAL | INJECT_LATE | INJECT_NUMA,
} };

/* ---- moves by userfaultfd ---- */

/* To the start of a huge page, or not; what was moved is no longer there. */
static size_t moved;

static int register_missing(int fd, char *at)
{
	struct uffdio_api api = {
		.api = UFFD_API, .features = UFFD_FEATURE_MOVE,
	};
	struct uffdio_register area = {
		.range = { .start = (uintptr_t)at, .len = 2 * HUGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	return ioctl(fd, UFFDIO_API, &api) ?:
	       ioctl(fd, UFFDIO_REGISTER, &area);
}

static int with_target(struct inject *t)
{
	moved = 0;
	t->fd = syscall(__NR_userfaultfd, O_CLOEXEC);
	if (t->fd < 0)
		return INJECT_SKIP;
	if (with_huge(t))
		return -1;
	t->q = alone();
	if (mmap(t->q, 2 * HUGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != t->q)
		return -1;
	return register_missing(t->fd, t->q);
}

/* Who could move some of it is told to go on from there. */
static int run_hand_over(struct inject *t, char *to)
{
	while (moved < (size_t)HUGE) {
		struct uffdio_move move = {
			.dst = (uintptr_t)to + moved,
			.src = (uintptr_t)t->p + moved,
			.len = HUGE - moved,
		};

		if (!ioctl(t->fd, UFFDIO_MOVE, &move))
			moved = HUGE;
		else if (errno == EAGAIN && move.move > 0)
			moved += move.move;
		else
			return errno;
	}
	return 0;
}

static int run_hand(struct inject *t)
{
	return run_hand_over(t, t->q);
}

static int run_hand_askew(struct inject *t)
{
	return run_hand_over(t, t->q + HUGE / 2);
}

static bool good_at(struct inject *t, char *to)
{
	for (long i = 0; i < PAGES; i++) {
		char *at = i * psize() < moved ? to : t->p;

		if (!khp_page_holds(at, SEED, i))
			return false;
	}
	return true;
}

static bool good_handed(struct inject *t)
{
	return good_at(t, t->q);
}

static bool good_handed_askew(struct inject *t)
{
	return good_at(t, t->q + HUGE / 2);
}

static void undo_target(struct inject *t)
{
	close(t->fd);
	munmap(t->q, 2 * HUGE);
	undo_map(t);
}

FIXTURE_VARIANT_ADD(inject, hand) { .op = {
	.name = "hand", .arg = PMD, .prepare = with_target, .run = run_hand,
	.good = good_handed, .undo = undo_target, .fired = 1, .refused = 1,
	.flags = INJECT_PARTIAL,
} };

FIXTURE_VARIANT_ADD(inject, hand_askew) { .op = {
	.name = "hand_askew", .arg = PMD, .prepare = with_target,
	.run = run_hand_askew, .good = good_handed_askew, .undo = undo_target,
	.fired = 2, .refused = 1, .errors = { EAGAIN, EBUSY },
	.flags = INJECT_PARTIAL,
} };

/* ---- swap ---- */

static int with_swappable(struct inject *t)
{
	return or_no_swap(with_huge(t));
}

static int with_few_swappable(struct inject *t)
{
	return or_no_swap(with_few(t));
}

/* Who has no memory for the swap cache splits, and tries with small pages. */
FIXTURE_VARIANT_ADD(inject, pageout) { .op = {
	.name = "pageout", .arg = PMD, .prepare = with_swappable,
	.run = run_pageout, .good = good_filled, .undo = undo_map,
	.most = MOST, .fired = 3, .flags = INJECT_SURE | INJECT_LATE,
} };

FIXTURE_VARIANT_ADD(inject, pageout_64K) { .op = {
	.name = "pageout_64K", .arg = ORDER(4), .prepare = with_few_swappable,
	.run = run_pageout, .good = good_filled, .undo = undo_map,
	.most = MOST, .fired = 1, .flags = INJECT_SURE | INJECT_LATE,
} };

static int with_swapped(struct inject *t)
{
	return or_no_swap(with_few(t)) ?: run_pageout(t);
}

FIXTURE_VARIANT_ADD(inject, pagein_64K) { .op = {
	.name = "pagein_64K", .arg = ORDER(4), .prepare = with_swapped,
	.run = run_populate, .good = good_filled, .undo = undo_map,
	.most = MOST, .fired = 3,
	.flags = INJECT_PARTIAL | INJECT_LATE,
} };

int main(int argc, char **argv)
{
	return thp_inject_main(argc, argv);
}
