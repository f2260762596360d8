// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation fails once: fork and copies on write, parts of mappings
 * that are unmapped, moved, or get other rights, and pages that go to another
 * node.
 */
#define _GNU_SOURCE
#include <sys/ioctl.h>
#include "../kselftest_harness.h"
#include "hugetlb_inject_map.h"
#include "../../../../mm/gup_test.h"

#define MPOL_BIND	2
#define MPOL_MF_STRICT	1
#define MPOL_MF_MOVE	2

/* ---- fork and copy on write ---- */

static int run_fork(struct inject *t)
{
	return inject_child_start(t) ? errno : 0;
}

static void undo_fork(struct inject *t)
{
	inject_child_stop(t);
	unmap(t);
}

FIXTURE_VARIANT_ADD(inject, fork_private) { .op = {
	.name = "fork_private", .pool = POOL,
	.prepare = with_private, .run = run_fork, .undo = undo_fork,
	.errors = { EAGAIN }, .fired = 10, .refused = 10,
} };

FIXTURE_VARIANT_ADD(inject, fork_shared) { .op = {
	.name = "fork_shared", .pool = POOL,
	.prepare = with_shared, .run = run_fork, .undo = undo_fork,
	.errors = { EAGAIN }, .fired = 10, .refused = 10,
} };

static int pin(struct inject *t)
{
	struct pin_longterm_test args = {
		.addr = (unsigned long)t->p,
		.size = t->n * SZ_HUGE,
		.flags = PIN_LONGTERM_TEST_FLAG_USE_WRITE,
	};

	return ioctl(t->fd, PIN_LONGTERM_TEST_START, &args) ? errno : 0;
}

static int open_pin(struct inject *t)
{
	t->fd = open("/sys/kernel/debug/gup_test", O_RDWR);
	return t->fd < 0 ? INJECT_SKIP : 0;
}

static int with_pinned(struct inject *t)
{
	return open_pin(t) ?: with_private_touched(t) ?: pin(t);
}

static void unpin(struct inject *t)
{
	ioctl(t->fd, PIN_LONGTERM_TEST_STOP);
	close(t->fd);
}

static void undo_fork_pinned(struct inject *t)
{
	inject_child_stop(t);
	unpin(t);
	unmap(t);
}

FIXTURE_VARIANT_ADD(inject, fork_pinned) { .op = {
	.name = "fork_pinned", .pool = POOL,
	.prepare = with_pinned, .run = run_fork, .undo = undo_fork_pinned,
	.errors = { EAGAIN, ENOSPC }, .fired = 10, .refused = 10,
} };

/* Their copies have to be made, as well. */
FIXTURE_VARIANT_ADD(inject, fork_pinned_surplus) { .op = {
	.name = "fork_pinned_surplus", .pool = 2, .overcommit = 4,
	.prepare = with_pinned, .run = run_fork, .undo = undo_fork_pinned,
	.errors = { EAGAIN, ENOSPC }, .fired = 11, .refused = 11,
} };

static int with_private_to_pin(struct inject *t)
{
	return open_pin(t) ?: with_private_promised(t);
}

static void undo_pin(struct inject *t)
{
	unpin(t);
	unmap(t);
}

FIXTURE_VARIANT_ADD(inject, pin_untouched) { .op = {
	.name = "pin_untouched", .pool = POOL,
	.prepare = with_private_to_pin, .run = pin, .undo = undo_pin,
	.errors = { EFAULT }, .flags = INJECT_PARTIAL, .fired = 2, .refused = 1,
} };

static int with_child(struct inject *t)
{
	return with_private_touched(t) ?: inject_child_start(t);
}

FIXTURE_VARIANT_ADD(inject, copy_by_owner) { .op = {
	.name = "copy_by_owner", .pool = POOL,
	.prepare = with_child, .run = touch_all, .undo = undo_fork,
	.errors = { INJECT_BUS },
} };

/* Where the pool cannot grow the child loses its page, see copy_robs_child. */
FIXTURE_VARIANT_ADD(inject, copy_by_owner_surplus) { .op = {
	.name = "copy_by_owner_surplus", .pool = 2, .overcommit = 4,
	.prepare = with_child, .run = touch_all, .undo = undo_fork,
	.errors = { INJECT_BUS }, .flags = INJECT_LATE, .fired = 1,
} };

FIXTURE_VARIANT_ADD(inject, copy_by_child) { .op = {
	.name = "copy_by_child", .pool = POOL,
	.prepare = with_child, .run = touch_all, .undo = undo_fork,
	.errors = { INJECT_BUS }, .flags = INJECT_CHILD,
} };

FIXTURE_VARIANT_ADD(inject, copy_by_child_surplus) { .op = {
	.name = "copy_by_child_surplus", .pool = 2, .overcommit = 4,
	.prepare = with_child, .run = touch_all, .undo = undo_fork,
	.errors = { INJECT_BUS }, .flags = INJECT_CHILD | INJECT_PARTIAL,
	.fired = 1, .refused = 1,
} };

/* The pool is dry and may not grow: the child loses its pages. */
FIXTURE_VARIANT_ADD(inject, copy_robs_child) { .op = {
	.name = "copy_robs_child", .pool = 2,
	.prepare = with_child, .run = touch_all, .undo = undo_fork,
	.flags = INJECT_SURE,
} };

/*
 * A task that ends cannot be asked: its parent looks at what is left of the
 * number.
 */
static void end_with_mappings(struct inject *t)
{
	if (with_private(t) || with_shared(t))
		_exit(1);
	close(t->fd_nth);
	inject_open_nth(t);
	inject_arm(t, t->nth);
	_exit(0);
}

static int run_exit(struct inject *t)
{
	int status = -1, fd;
	siginfo_t info;
	char path[64];
	pid_t pid;

	pid = fork();
	if (!pid)
		end_with_mappings(t);
	if (pid < 0)
		return errno;
	if (waitid(P_PID, pid, &info, WEXITED | WNOWAIT))
		return errno;
	snprintf(path, sizeof(path), "/proc/%d/fail-nth", pid);
	fd = open(path, O_RDONLY);
	t->hit = t->nth && fd >= 0 && !inject_number(fd);
	close(fd);
	waitpid(pid, &status, 0);
	return status ? ECHILD : 0;
}

FIXTURE_VARIANT_ADD(inject, exit) { .op = {
	.name = "exit", .pool = POOL, .run = run_exit,
	.flags = INJECT_OWN | INJECT_SURE, .fired = 1,
} };

/* ---- parts of mappings ---- */

static int run_unmap_middle(struct inject *t)
{
	return munmap(t->p + SZ_HUGE, SZ_HUGE) ? errno : 0;
}

FIXTURE_VARIANT_ADD(inject, unmap_private_middle) { .op = {
	.name = "unmap_private_middle", .pool = POOL,
	.prepare = with_private, .run = run_unmap_middle, .undo = unmap,
	.fired = 3, .refused = 2,
} };

FIXTURE_VARIANT_ADD(inject, unmap_shared_middle) { .op = {
	.name = "unmap_shared_middle", .pool = POOL,
	.prepare = with_shared, .run = run_unmap_middle, .undo = unmap,
	.fired = 3, .refused = 2,
} };

static int run_unmap_all(struct inject *t)
{
	return munmap(t->p, t->n * SZ_HUGE) ? errno : 0;
}

FIXTURE_VARIANT_ADD(inject, unmap_private_all) { .op = {
	.name = "unmap_private_all", .pool = POOL,
	.prepare = with_private, .run = run_unmap_all, .undo = unmap,
} };

FIXTURE_VARIANT_ADD(inject, unmap_shared_all) { .op = {
	.name = "unmap_shared_all", .pool = POOL,
	.prepare = with_shared, .run = run_unmap_all, .undo = unmap,
} };

static int run_protect_middle(struct inject *t)
{
	return mprotect(t->p + SZ_HUGE, SZ_HUGE, PROT_READ) ? errno : 0;
}

FIXTURE_VARIANT_ADD(inject, protect_private_middle) { .op = {
	.name = "protect_private_middle", .pool = POOL,
	.prepare = with_private, .run = run_protect_middle, .undo = unmap,
	.fired = 3, .refused = 2,
} };

FIXTURE_VARIANT_ADD(inject, protect_shared_middle) { .op = {
	.name = "protect_shared_middle", .pool = POOL,
	.prepare = with_shared, .run = run_protect_middle, .undo = unmap,
	.fired = 3, .refused = 2,
} };

static int run_lock_part(struct inject *t)
{
	return mlock(t->p + SZ_HUGE, 2 * SZ_HUGE) ? errno : 0;
}

FIXTURE_VARIANT_ADD(inject, lock_part) { .op = {
	.name = "lock_part", .pool = POOL,
	.prepare = with_private, .run = run_lock_part, .undo = unmap,
	.errors = { EAGAIN }, .flags = INJECT_PARTIAL,
} };

static int run_dontneed(struct inject *t)
{
	return madvise(t->p, t->n * SZ_HUGE, MADV_DONTNEED) ? errno : 0;
}

FIXTURE_VARIANT_ADD(inject, dontneed_private) { .op = {
	.name = "dontneed_private", .pool = POOL,
	.prepare = with_private, .run = run_dontneed, .undo = unmap,
	.flags = INJECT_SURE,
} };

static int run_remove(struct inject *t)
{
	return madvise(t->p, SZ_HUGE, MADV_REMOVE) ? errno : 0;
}

FIXTURE_VARIANT_ADD(inject, remove_shared) { .op = {
	.name = "remove_shared", .pool = POOL,
	.prepare = with_shared, .run = run_remove, .undo = unmap,
	.flags = INJECT_SURE, .fired = 1,
} };

/* ---- mremap ---- */

static int with_destination(struct inject *t)
{
	t->q = alone();
	return t->q ? 0 : -1;
}

static int with_private_to_move(struct inject *t)
{
	return with_private(t) ?: with_destination(t);
}

static int with_shared_to_move(struct inject *t)
{
	return with_shared(t) ?: with_destination(t);
}

static int move(struct inject *t, long from, long n)
{
	void *q = mremap(t->p + from * SZ_HUGE, n * SZ_HUGE, n * SZ_HUGE,
			 MREMAP_MAYMOVE | MREMAP_FIXED, t->q);

	return q == MAP_FAILED ? errno : 0;
}

static int run_move_all(struct inject *t)
{
	return move(t, 0, 3);
}

static int run_move_middle(struct inject *t)
{
	return move(t, 1, 1);
}

static void undo_move(struct inject *t)
{
	munmap(t->q, 3 * SZ_HUGE);
	unmap(t);
}

FIXTURE_VARIANT_ADD(inject, move_private_all) { .op = {
	.name = "move_private_all", .pool = POOL,
	.prepare = with_private_to_move, .run = run_move_all,
	.undo = undo_move, .fired = 2, .refused = 1,
} };

FIXTURE_VARIANT_ADD(inject, move_private_middle) { .op = {
	.name = "move_private_middle", .pool = POOL,
	.prepare = with_private_to_move, .run = run_move_middle,
	.undo = undo_move, .fired = 2, .refused = 1,
} };

FIXTURE_VARIANT_ADD(inject, move_shared_all) { .op = {
	.name = "move_shared_all", .pool = POOL,
	.prepare = with_shared_to_move, .run = run_move_all,
	.undo = undo_move, .fired = 2, .refused = 1,
} };

FIXTURE_VARIANT_ADD(inject, move_shared_middle) { .op = {
	.name = "move_shared_middle", .pool = POOL,
	.prepare = with_shared_to_move, .run = run_move_middle,
	.undo = undo_move, .fired = 2, .refused = 1,
} };

static int run_shrink(struct inject *t)
{
	void *p = mremap(t->p, 3 * SZ_HUGE, SZ_HUGE, 0);

	return p == MAP_FAILED ? errno : 0;
}

FIXTURE_VARIANT_ADD(inject, shrink_private) { .op = {
	.name = "shrink_private", .pool = POOL,
	.prepare = with_private, .run = run_shrink, .undo = unmap,
	.fired = 1, .refused = 1,
} };

/* ---- to other nodes ---- */

static int with_pages_on_node_0(struct inject *t)
{
	if (huge_set_node(SZ_HUGE, 1, "nr_hugepages", POOL / 2) ||
	    huge_set_node(SZ_HUGE, 0, "nr_hugepages", POOL / 2))
		return -1;
	return with_private_touched(t);
}

/* No page is free there: two are made, and those they stand for go. */
static int with_all_pages_on_node_0(struct inject *t)
{
	if (huge_set_node(SZ_HUGE, 1, "nr_hugepages", 0) ||
	    huge_set_node(SZ_HUGE, 0, "nr_hugepages", POOL))
		return -1;
	return with_private_touched(t);
}

static int run_move_pages(struct inject *t)
{
	void *pages[] = { t->p, t->p + SZ_HUGE };
	int nodes[] = { 1, 1 }, status[] = { 1, 1 };
	long left;

	left = syscall(SYS_move_pages, 0, 2, pages, nodes, status, MPOL_MF_MOVE);
	if (left)
		return left < 0 ? errno : ENOMEM;
	for (int i = 0; i < 2; i++) {
		if (status[i] != 1)
			return status[i] < 0 ? -status[i] : ENOMEM;
	}
	return 0;
}

FIXTURE_VARIANT_ADD(inject, move_pages) { .op = {
	.name = "move_pages", .pool = POOL,
	.prepare = with_pages_on_node_0, .run = run_move_pages, .undo = unmap,
	.errors = { EBUSY, EAGAIN }, .flags = INJECT_NUMA,
} };

FIXTURE_VARIANT_ADD(inject, move_pages_temporary) { .op = {
	.name = "move_pages_temporary", .pool = POOL,
	.prepare = with_all_pages_on_node_0, .run = run_move_pages,
	.undo = unmap, .errors = { EBUSY, EAGAIN }, .flags = INJECT_NUMA,
	.fired = 1, .refused = 1,
} };

static int run_mbind(struct inject *t)
{
	unsigned long mask = 2;

	return syscall(SYS_mbind, t->p, t->n * SZ_HUGE, MPOL_BIND, &mask, 8,
		       MPOL_MF_MOVE | MPOL_MF_STRICT) ? errno : 0;
}

FIXTURE_VARIANT_ADD(inject, mbind) { .op = {
	.name = "mbind", .pool = POOL,
	.prepare = with_all_pages_on_node_0, .run = run_mbind, .undo = unmap,
	.errors = { EIO }, .flags = INJECT_NUMA, .fired = 2, .refused = 1,
} };

int main(int argc, char **argv)
{
	return inject_main(argc, argv);
}
