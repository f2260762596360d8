// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation fails once: userfaultfd fills huge pages, maps them,
 * protects them, and says that they are bad.
 */
#define _GNU_SOURCE
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include "../kselftest_harness.h"
#include "hugetlb_inject_map.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY	1
#endif

#define FEATURES (UFFD_FEATURE_WP_HUGETLBFS_SHMEM | \
		  UFFD_FEATURE_MINOR_HUGETLBFS | UFFD_FEATURE_POISON)

/* ---- the monitor ---- */

/* 0, or an errno; t->fd2 is the monitor. */
static int open_monitor(struct inject *t)
{
	struct uffdio_api api = { .api = UFFD_API, .features = FEATURES };
	int err;

	t->fd2 = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK |
			 UFFD_USER_MODE_ONLY);
	if (t->fd2 < 0)
		return errno;
	if (!ioctl(t->fd2, UFFDIO_API, &api))
		return 0;
	err = errno;
	close(t->fd2);
	t->fd2 = -1;
	return err;
}

static int watch(struct inject *t, long from, long n, unsigned long mode)
{
	struct uffdio_register args = {
		.range.start = (unsigned long)t->p + from * SZ_HUGE,
		.range.len = n * SZ_HUGE,
		.mode = mode,
	};

	return ioctl(t->fd2, UFFDIO_REGISTER, &args) ? errno : 0;
}

static int with_monitor(struct inject *t, unsigned long mode)
{
	int err = open_monitor(t);

	if (err == EINVAL || err == ENOSYS)
		return INJECT_SKIP;
	return err ?: watch(t, 0, t->n, mode);
}

/* What is copied; all of it in memory. */
static int with_source(struct inject *t)
{
	t->r = mmap(NULL, SZ_HUGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	return t->r == MAP_FAILED ? -1 : 0;
}

/* What is copied; none of it in memory. */
static int with_absent_source(struct inject *t)
{
	t->r = mmap(NULL, SZ_HUGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return t->r == MAP_FAILED ? -1 : 0;
}

static void undo_monitor(struct inject *t)
{
	if (t->fd2 >= 0)
		close(t->fd2);
	t->fd2 = -1;
	if (t->r)
		munmap(t->r, SZ_HUGE);
	t->r = NULL;
	unmap(t);
}

/* ---- begin to watch ---- */

/* A part of it, so that the mapping is cut. */
static int run_watch(struct inject *t)
{
	int err = open_monitor(t);

	err = err ?: watch(t, 1, 1, UFFDIO_REGISTER_MODE_MISSING);
	if (err && t->fd2 >= 0) {
		close(t->fd2);
		t->fd2 = -1;
	}
	return err;
}

FIXTURE_VARIANT_ADD(inject, watch_private) { .op = {
	.name = "watch_private", .pool = POOL,
	.prepare = with_private, .run = run_watch, .undo = undo_monitor,
	.fired = 3, .refused = 3,
} };

FIXTURE_VARIANT_ADD(inject, watch_shared) { .op = {
	.name = "watch_shared", .pool = POOL,
	.prepare = with_shared, .run = run_watch, .undo = undo_monitor,
	.fired = 3, .refused = 3,
} };

/* ---- UFFDIO_COPY ---- */

static int run_copy(struct inject *t)
{
	struct uffdio_copy args = {
		.dst = (unsigned long)t->p,
		.src = (unsigned long)t->r,
		.len = SZ_HUGE,
	};

	return ioctl(t->fd2, UFFDIO_COPY, &args) ? errno : 0;
}

static int with_copy_private(struct inject *t)
{
	return with_private_promised(t) ?: with_source(t) ?:
	       with_monitor(t, UFFDIO_REGISTER_MODE_MISSING);
}

FIXTURE_VARIANT_ADD(inject, copy_private) { .op = {
	.name = "copy_private", .pool = POOL,
	.prepare = with_copy_private, .run = run_copy, .undo = undo_monitor,
	.fired = 1, .refused = 1,
} };

static int with_copy_shared(struct inject *t)
{
	return with_shared_promised(t) ?: with_source(t) ?:
	       with_monitor(t, UFFDIO_REGISTER_MODE_MISSING);
}

FIXTURE_VARIANT_ADD(inject, copy_shared) { .op = {
	.name = "copy_shared", .pool = POOL,
	.prepare = with_copy_shared, .run = run_copy, .undo = undo_monitor,
	.fired = 1,
} };

/* The data waits in a huge page until no lock is held. */
static int with_copy_absent(struct inject *t)
{
	return with_shared_promised(t) ?: with_absent_source(t) ?:
	       with_monitor(t, UFFDIO_REGISTER_MODE_MISSING);
}

static int run_copy_absent(struct inject *t)
{
	madvise(t->r, SZ_HUGE, MADV_DONTNEED);
	return run_copy(t);
}

FIXTURE_VARIANT_ADD(inject, copy_absent) { .op = {
	.name = "copy_absent", .pool = POOL,
	.prepare = with_copy_absent, .run = run_copy_absent,
	.undo = undo_monitor, .errors = { EFAULT }, .fired = 3,
} };

/* That page has to be made, and goes again. */
FIXTURE_VARIANT_ADD(inject, copy_absent_dry) { .op = {
	.name = "copy_absent_dry", .pool = 2,
	.prepare = with_copy_absent, .run = run_copy_absent,
	.undo = undo_monitor, .errors = { EFAULT }, .fired = 3, .refused = 1,
} };

/* ---- the others ---- */

/* The file gets its page through another mapping. */
static int with_minor(struct inject *t)
{
	t->fd = syscall(SYS_memfd_create, "inject", MFD_HUGETLB);
	if (t->fd < 0 || ftruncate(t->fd, 2 * SZ_HUGE) ||
	    map_at(t, NULL, 2, MAP_SHARED, t->fd) || touch(t, 0, 1))
		return -1;
	unmap(t);
	return map_at(t, alone(), 2, MAP_SHARED, t->fd) ?:
	       with_monitor(t, UFFDIO_REGISTER_MODE_MINOR);
}

static void undo_minor(struct inject *t)
{
	undo_monitor(t);
	close(t->fd);
}

static int run_continue(struct inject *t)
{
	struct uffdio_continue args = {
		.range = { (unsigned long)t->p, SZ_HUGE },
	};

	return ioctl(t->fd2, UFFDIO_CONTINUE, &args) ? errno : 0;
}

FIXTURE_VARIANT_ADD(inject, continue_shared) { .op = {
	.name = "continue_shared", .pool = POOL,
	.prepare = with_minor, .run = run_continue, .undo = undo_minor,
	.fired = 1, .refused = 1,
} };

static int with_promises_alone(struct inject *t)
{
	return map_at(t, alone(), 2, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB,
		      -1);
}

static int with_watched_promises(struct inject *t)
{
	return with_promises_alone(t) ?:
	       with_monitor(t, UFFDIO_REGISTER_MODE_MISSING);
}

static int run_poison(struct inject *t)
{
	struct uffdio_poison args = {
		.range = { (unsigned long)t->p, SZ_HUGE },
	};

	return ioctl(t->fd2, UFFDIO_POISON, &args) ? errno : 0;
}

FIXTURE_VARIANT_ADD(inject, poison) { .op = {
	.name = "poison", .pool = POOL,
	.prepare = with_watched_promises, .run = run_poison,
	.undo = undo_monitor, .fired = 1, .refused = 1,
} };

/* There is no huge page of zeroes: refused, and that is how it should be. */
static int run_zeropage(struct inject *t)
{
	struct uffdio_zeropage args = {
		.range = { (unsigned long)t->p, SZ_HUGE },
	};
	int err = EPROTO;

	if (ioctl(t->fd2, UFFDIO_ZEROPAGE, &args))
		err = errno;
	return err == EINVAL ? 0 : err;
}

FIXTURE_VARIANT_ADD(inject, zeropage) { .op = {
	.name = "zeropage", .pool = POOL,
	.prepare = with_watched_promises, .run = run_zeropage,
	.undo = undo_monitor,
} };

static int with_protectable(struct inject *t)
{
	return with_private(t) ?: with_monitor(t, UFFDIO_REGISTER_MODE_WP);
}

static int protect(struct inject *t, unsigned long mode)
{
	struct uffdio_writeprotect args = {
		.range = { (unsigned long)t->p, t->n * SZ_HUGE },
		.mode = mode,
	};

	return ioctl(t->fd2, UFFDIO_WRITEPROTECT, &args) ? errno : 0;
}

static int run_protect(struct inject *t)
{
	return protect(t, UFFDIO_WRITEPROTECT_MODE_WP);
}

FIXTURE_VARIANT_ADD(inject, protect_private) { .op = {
	.name = "protect_private", .pool = POOL,
	.prepare = with_protectable, .run = run_protect, .undo = undo_monitor,
} };

/* Where there is no page there is a marker, and a table for it. */
static int with_protectable_promises(struct inject *t)
{
	return with_promises_alone(t) ?:
	       with_monitor(t, UFFDIO_REGISTER_MODE_WP);
}

FIXTURE_VARIANT_ADD(inject, protect_untouched) { .op = {
	.name = "protect_untouched", .pool = POOL,
	.prepare = with_protectable_promises, .run = run_protect,
	.undo = undo_monitor, .fired = 1, .refused = 1,
} };

static int with_protected(struct inject *t)
{
	return with_protectable(t) ?: run_protect(t);
}

static int run_unprotect(struct inject *t)
{
	return protect(t, 0);
}

FIXTURE_VARIANT_ADD(inject, unprotect_private) { .op = {
	.name = "unprotect_private", .pool = POOL,
	.prepare = with_protected, .run = run_unprotect, .undo = undo_monitor,
	.flags = INJECT_SURE,
} };

int main(int argc, char **argv)
{
	return inject_main(argc, argv);
}
