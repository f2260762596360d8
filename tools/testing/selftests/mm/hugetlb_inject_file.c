// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation fails once: mounts, names, and pages that come to files and
 * leave them.  Also files without a name, and cgroups.
 */
#define _GNU_SOURCE
#include <linux/falloc.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include "../kselftest_harness.h"
#include "hugetlb_inject_map.h"

#ifndef MFD_ALLOW_SEALING
#define MFD_ALLOW_SEALING	2U
#endif

static char *name_in(struct inject *t, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", t->dir, name);
	return path;
}

/* ---- names ---- */

static int run_create(struct inject *t)
{
	t->fd = open(name_in(t, "new"), O_CREAT | O_RDWR, 0600);
	return t->fd < 0 ? errno : 0;
}

static void undo_create(struct inject *t)
{
	close(t->fd);
	unlink(name_in(t, "new"));
}

FIXTURE_VARIANT_ADD(inject, create) { .op = {
	.name = "create", .pool = POOL, .mount = LIMITS,
	.run = run_create, .undo = undo_create,
	.errors = { ENOSPC }, .fired = 2, .refused = 2,
} };

static int run_tmpfile(struct inject *t)
{
	t->fd = open(t->dir, O_TMPFILE | O_RDWR, 0600);
	return t->fd < 0 ? errno : 0;
}

static void undo_tmpfile(struct inject *t)
{
	close(t->fd);
}

FIXTURE_VARIANT_ADD(inject, tmpfile) { .op = {
	.name = "tmpfile", .pool = POOL, .mount = LIMITS,
	.run = run_tmpfile, .undo = undo_tmpfile,
	.errors = { ENOSPC }, .fired = 2, .refused = 2,
} };

static int run_mkdir(struct inject *t)
{
	return mkdir(name_in(t, "directory"), 0700) ? errno : 0;
}

static void undo_mkdir(struct inject *t)
{
	rmdir(name_in(t, "directory"));
}

FIXTURE_VARIANT_ADD(inject, mkdir) { .op = {
	.name = "mkdir", .pool = POOL, .mount = LIMITS,
	.run = run_mkdir, .undo = undo_mkdir,
	.errors = { ENOSPC }, .fired = 2, .refused = 2,
} };

static int run_mknod(struct inject *t)
{
	return mknod(name_in(t, "fifo"), S_IFIFO | 0600, 0) ? errno : 0;
}

static void undo_mknod(struct inject *t)
{
	unlink(name_in(t, "fifo"));
}

FIXTURE_VARIANT_ADD(inject, mknod) { .op = {
	.name = "mknod", .pool = POOL, .mount = LIMITS,
	.run = run_mknod, .undo = undo_mknod,
	.errors = { ENOSPC }, .fired = 2, .refused = 2,
} };

static int run_symlink(struct inject *t)
{
	return symlink("some/where", name_in(t, "link")) ? errno : 0;
}

static void undo_symlink(struct inject *t)
{
	unlink(name_in(t, "link"));
}

FIXTURE_VARIANT_ADD(inject, symlink) { .op = {
	.name = "symlink", .pool = POOL, .mount = LIMITS,
	.run = run_symlink, .undo = undo_symlink,
	.errors = { ENOSPC }, .fired = 2, .refused = 2,
} };

static int run_reopen(struct inject *t)
{
	t->fd2 = open(t->path, O_RDONLY);
	return t->fd2 < 0 ? errno : 0;
}

static void undo_reopen(struct inject *t)
{
	close(t->fd2);
	remove_file(t);
}

FIXTURE_VARIANT_ADD(inject, reopen) { .op = {
	.name = "reopen", .pool = POOL, .mount = LIMITS,
	.prepare = open_file, .run = run_reopen, .undo = undo_reopen,
	.fired = 1, .refused = 1,
} };

/* ---- pages ---- */

static int run_fallocate(struct inject *t)
{
	return fallocate(t->fd, 0, 0, 4 * SZ_HUGE) ? errno : 0;
}

/* Two pages are the mount's, two the pool's. */
FIXTURE_VARIANT_ADD(inject, fallocate) { .op = {
	.name = "fallocate", .pool = POOL, .mount = LIMITS,
	.prepare = open_file, .run = run_fallocate, .undo = remove_file,
	.errors = { ENOSPC }, .flags = INJECT_PARTIAL, .fired = 4, .refused = 3,
} };

FIXTURE_VARIANT_ADD(inject, fallocate_surplus) { .op = {
	.name = "fallocate_surplus", .pool = 2, .overcommit = 4,
	.mount = LIMITS, .prepare = open_file, .run = run_fallocate,
	.undo = remove_file, .errors = { ENOSPC }, .flags = INJECT_PARTIAL,
	.fired = 5, .refused = 4,
} };

/* One page, so that nothing may stay. */
static int run_fallocate_one(struct inject *t)
{
	return fallocate(t->fd, 0, SZ_HUGE, SZ_HUGE) ? errno : 0;
}

FIXTURE_VARIANT_ADD(inject, fallocate_one) { .op = {
	.name = "fallocate_one", .pool = POOL, .mount = LIMITS,
	.prepare = open_file, .run = run_fallocate_one, .undo = remove_file,
	.errors = { ENOSPC }, .fired = 1, .refused = 1,
} };

/* Where the pages were promised to a mapping. */
static int with_promised_file(struct inject *t)
{
	return open_file(t) ?: map_at(t, NULL, 3, MAP_SHARED, t->fd);
}

FIXTURE_VARIANT_ADD(inject, fallocate_promised) { .op = {
	.name = "fallocate_promised", .pool = POOL, .mount = LIMITS,
	.prepare = with_promised_file, .run = run_fallocate_one,
	.undo = unmap_file, .errors = { ENOSPC }, .fired = 1,
} };

static int with_full_file(struct inject *t)
{
	return with_promised_file(t) ?: touch(t, 0, 3);
}

static int run_punch(struct inject *t)
{
	return fallocate(t->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 SZ_HUGE, SZ_HUGE) ? errno : 0;
}

FIXTURE_VARIANT_ADD(inject, punch_hole) { .op = {
	.name = "punch_hole", .pool = POOL, .mount = LIMITS,
	.prepare = with_full_file, .run = run_punch, .undo = unmap_file,
	.flags = INJECT_SURE, .fired = 1,
} };

static int run_truncate(struct inject *t)
{
	return ftruncate(t->fd, SZ_HUGE) ? errno : 0;
}

FIXTURE_VARIANT_ADD(inject, truncate_down) { .op = {
	.name = "truncate_down", .pool = POOL, .mount = LIMITS,
	.prepare = with_full_file, .run = run_truncate, .undo = unmap_file,
	.flags = INJECT_SURE, .fired = 1,
} };

static int run_truncate_up(struct inject *t)
{
	return ftruncate(t->fd, 6 * SZ_HUGE) ? errno : 0;
}

FIXTURE_VARIANT_ADD(inject, truncate_up) { .op = {
	.name = "truncate_up", .pool = POOL, .mount = LIMITS,
	.prepare = with_full_file, .run = run_truncate_up, .undo = unmap_file,
	.flags = INJECT_SURE,
} };

/* The last name and the last reference: eviction, with pages and promises. */
static int with_unnamed_file(struct inject *t)
{
	int err = with_promised_file(t) ?: touch(t, 0, 2);

	unmap(t);
	unlink(t->path);
	return err;
}

static int run_evict(struct inject *t)
{
	int err = t->fd >= 0 && close(t->fd) ? errno : 0;

	t->fd = -1;
	return err;
}

FIXTURE_VARIANT_ADD(inject, evict) { .op = {
	.name = "evict", .pool = POOL, .mount = LIMITS,
	.prepare = with_unnamed_file, .run = run_evict,
	.flags = INJECT_SURE, .fired = 1,
} };

/* A page, a hole. */
static int with_sparse_file(struct inject *t)
{
	return open_file(t) ?: run_fallocate_one(t) ?: run_truncate_up(t);
}

static int run_read(struct inject *t)
{
	char buf[256];
	ssize_t n;

	n = pread(t->fd, buf, sizeof(buf), SZ_HUGE - 128);
	return n == sizeof(buf) ? 0 : n < 0 ? errno : EIO;
}

FIXTURE_VARIANT_ADD(inject, read) { .op = {
	.name = "read", .pool = POOL, .mount = LIMITS,
	.prepare = with_sparse_file, .run = run_read, .undo = remove_file,
	.flags = INJECT_SURE,
} };

/* ---- files without a name ---- */

static int run_memfd(struct inject *t)
{
	t->fd = syscall(SYS_memfd_create, "inject", MFD_HUGETLB |
			MFD_ALLOW_SEALING);
	return t->fd < 0 ? errno : 0;
}

static void undo_close(struct inject *t)
{
	close(t->fd);
}

FIXTURE_VARIANT_ADD(inject, memfd) { .op = {
	.name = "memfd", .pool = POOL, .run = run_memfd, .undo = undo_close,
	.errors = { ENOSPC }, .fired = 2, .refused = 2,
} };

static int run_shmget(struct inject *t)
{
	t->n = shmget(IPC_PRIVATE, 4 * SZ_HUGE, SHM_HUGETLB | IPC_CREAT | 0600);
	return t->n < 0 ? errno : 0;
}

static void undo_shmget(struct inject *t)
{
	shmctl(t->n, IPC_RMID, NULL);
}

FIXTURE_VARIANT_ADD(inject, shmget) { .op = {
	.name = "shmget", .pool = POOL, .run = run_shmget, .undo = undo_shmget,
	.errors = { ENOSPC }, .fired = 3, .refused = 3,
} };

FIXTURE_VARIANT_ADD(inject, shmget_surplus) { .op = {
	.name = "shmget_surplus", .pool = 1, .overcommit = 4,
	.run = run_shmget, .undo = undo_shmget,
	.errors = { ENOSPC }, .fired = 4, .refused = 3,
} };

static int run_shmat(struct inject *t)
{
	t->p = shmat(t->n, NULL, 0);
	return t->p == (char *)-1 ? errno : 0;
}

static void undo_shmat(struct inject *t)
{
	shmdt(t->p);
	undo_shmget(t);
}

FIXTURE_VARIANT_ADD(inject, shmat) { .op = {
	.name = "shmat", .pool = POOL, .prepare = run_shmget,
	.run = run_shmat, .undo = undo_shmat, .fired = 2, .refused = 2,
} };

static int with_attached(struct inject *t)
{
	return run_shmget(t) ?: run_shmat(t);
}

static int run_touch_attached(struct inject *t)
{
	return touch(t, 0, 3);
}

FIXTURE_VARIANT_ADD(inject, shm_touch) { .op = {
	.name = "shm_touch", .pool = POOL, .prepare = with_attached,
	.run = run_touch_attached, .undo = undo_shmat,
	.errors = { INJECT_BUS }, .fired = 1,
} };

/* ---- mounts ---- */

static int with_mount_point(struct inject *t)
{
	strcpy(t->path, "/tmp/inject.XXXXXX");
	return mkdtemp(t->path) ? 0 : -1;
}

static int run_mount(struct inject *t)
{
	return mount("none", t->path, "hugetlbfs", 0, LIMITS) ? errno : 0;
}

static void undo_mount(struct inject *t)
{
	umount(t->path);
	rmdir(t->path);
}

FIXTURE_VARIANT_ADD(inject, mount) { .op = {
	.name = "mount", .pool = POOL, .prepare = with_mount_point,
	.run = run_mount, .undo = undo_mount, .fired = 8, .refused = 6,
} };

FIXTURE_VARIANT_ADD(inject, mount_surplus) { .op = {
	.name = "mount_surplus", .pool = 0, .overcommit = 4,
	.prepare = with_mount_point, .run = run_mount, .undo = undo_mount,
	.fired = 9, .refused = 7,
} };

static int with_mount(struct inject *t)
{
	return with_mount_point(t) ?: run_mount(t);
}

static int run_umount(struct inject *t)
{
	return umount(t->path) ? errno : 0;
}

static void undo_umount(struct inject *t)
{
	rmdir(t->path);
}

FIXTURE_VARIANT_ADD(inject, umount) { .op = {
	.name = "umount", .pool = POOL, .prepare = with_mount,
	.run = run_umount, .undo = undo_umount, .fired = 1, .refused = 1,
} };

/* With a file that has a page and a promise. */
static int with_used_mount(struct inject *t)
{
	char path[128];
	int err, fd;

	err = with_mount(t);
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/file", t->path);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	if (fd < 0)
		return errno;
	err = map_at(t, NULL, 3, MAP_SHARED, fd) ?: touch(t, 0, 1);
	unmap(t);
	close(fd);
	return err;
}

FIXTURE_VARIANT_ADD(inject, umount_used) { .op = {
	.name = "umount_used", .pool = POOL, .prepare = with_used_mount,
	.run = run_umount, .undo = undo_umount, .fired = 1, .refused = 1,
} };

/* ---- cgroups ---- */

static int need_cgroup(struct inject *t)
{
	if (!t->cgroup[0])
		return INJECT_SKIP;
	snprintf(t->path, sizeof(t->path), "%s.more", t->cgroup);
	return 0;
}

static int run_cgroup(struct inject *t)
{
	return mkdir(t->path, 0755) ? errno : 0;
}

static void undo_cgroup(struct inject *t)
{
	rmdir(t->path);
}

FIXTURE_VARIANT_ADD(inject, cgroup) { .op = {
	.name = "cgroup", .pool = POOL, .prepare = need_cgroup,
	.run = run_cgroup, .undo = undo_cgroup,
	.errors = { EAGAIN }, .fired = 10, .refused = 10,
} };

/* Charges stay where they were made. */
static int with_task_to_attach(struct inject *t)
{
	return need_cgroup(t) ?: run_cgroup(t) ?: with_private(t);
}

static int run_attach(struct inject *t)
{
	return inject_write_in(t->path, "cgroup.procs", "0");
}

static void undo_attach(struct inject *t)
{
	inject_write_in(t->cgroup, "cgroup.procs", "0");
	unmap(t);
	undo_cgroup(t);
}

FIXTURE_VARIANT_ADD(inject, cgroup_attach) { .op = {
	.name = "cgroup_attach", .pool = POOL, .prepare = with_task_to_attach,
	.run = run_attach, .undo = undo_attach,
	.errors = { EAGAIN }, .fired = 2, .refused = 2,
} };

int main(int argc, char **argv)
{
	return inject_main(argc, argv);
}
