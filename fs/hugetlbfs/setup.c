// SPDX-License-Identifier: GPL-2.0
/*
 * Files without a name: MAP_HUGETLB, SHM_HUGETLB and memfd_create().
 *
 * They live on one internal mount for each page size.  Also who may ask for
 * System V shared memory of huge pages, and the start of the filesystem.
 */
#define pr_fmt(fmt) "hugetlbfs: " fmt

#include "internal.h"
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/init.h>
#include <linux/sched/mm.h>
#include <linux/sched/user.h>
#include <linux/sysctl.h>

static struct vfsmount *hugetlbfs_mounts[HUGE_MAX_HSTATE];

/* vm.hugetlb_shm_group: members need no capability for SHM_HUGETLB. */
static int hugetlbfs_shm_group;

static struct ctl_table hugetlbfs_sysctls[] = {
	{
		.procname	= "hugetlb_shm_group",
		.data		= &hugetlbfs_shm_group,
		.maxlen		= sizeof(hugetlbfs_shm_group),
		.mode		= 0644,
		.proc_handler	= proc_dointvec,
	},
};

static bool hugetlbfs_shm_allowed(void)
{
	kgid_t group = make_kgid(&init_user_ns, READ_ONCE(hugetlbfs_shm_group));

	return capable(CAP_IPC_LOCK) || in_group_p(group);
}

/* RLIMIT_MEMLOCK was enough once; who relies on that is told why it fails. */
static void hugetlbfs_shm_warn(size_t size)
{
	struct ucounts *ucounts = current_ucounts();

	if (!user_shm_lock(size, ucounts))
		return;
	user_shm_unlock(size, ucounts);
	pr_warn_once("%s (%d): Using mlock ulimits for SHM_HUGETLB is obsolete\n",
		     current->comm, current->pid);
}

/* On failure the last iput() of the caller gives back what was promised. */
static struct file *hugetlbfs_open_unnamed(struct inode *inode,
					   struct vfsmount *mnt,
					   const char *name, vm_flags_t acct)
{
	long n = inode->i_size >> huge_page_shift(hstate_inode(inode));

	if (!(acct & VM_NORESERVE) && hugetlb_promise_file(inode, 0, n))
		return ERR_PTR(-ENOMEM);
	return alloc_file_pseudo(inode, mnt, name, O_RDWR,
				 &hugetlbfs_file_operations);
}

/**
 * hugetlb_file_setup() - make a file of huge pages that has no path
 * @name: shown in /proc/PID/maps
 * @size: in bytes, whole huge pages
 * @acct: VM_NORESERVE to promise nothing now
 * @creat_flags: HUGETLB_SHMFS_INODE or HUGETLB_ANONHUGE_INODE
 * @page_size_log: log2 of the page size, 0 for the default
 *
 * Context: may sleep.
 * Return: the file, or an error pointer: -ENODEV for a page size that does not
 * exist, -ENOENT for one without a mount, -EPERM without the right to
 * SHM_HUGETLB, -ENOSPC without an inode, -ENOMEM without enough pages.
 */
struct file *hugetlb_file_setup(const char *name, size_t size, vm_flags_t acct,
				int creat_flags, int page_size_log)
{
	struct hstate *h = hstate_sizelog(page_size_log);
	bool shm = creat_flags == HUGETLB_SHMFS_INODE;
	struct vfsmount *mnt;
	struct inode *inode;
	struct file *file;

	if (!h)
		return ERR_PTR(-ENODEV);
	mnt = hugetlbfs_mounts[hstate_index(h)];
	if (!mnt)
		return ERR_PTR(-ENOENT);
	if (shm && !hugetlbfs_shm_allowed()) {
		hugetlbfs_shm_warn(size);
		return ERR_PTR(-EPERM);
	}

	inode = hugetlbfs_file_inode(mnt->mnt_sb, &nop_mnt_idmap, NULL, 0777);
	if (!inode)
		return ERR_PTR(-ENOSPC);
	if (shm)
		inode->i_flags |= S_PRIVATE;
	inode->i_size = size;
	clear_nlink(inode);

	file = hugetlbfs_open_unnamed(inode, mnt, name, acct);
	if (IS_ERR(file))
		iput(inode);
	return file;
}

/* Only the default size must have its mount. */
static int __init hugetlbfs_mount_size(struct hstate *h)
{
	struct vfsmount *mnt = hugetlbfs_mount_internal(h);

	if (IS_ERR(mnt)) {
		pr_err("Cannot mount internal hugetlbfs for page size %luK\n",
		       huge_page_size(h) / SZ_1K);
		return PTR_ERR(mnt);
	}
	hugetlbfs_mounts[hstate_index(h)] = mnt;
	return 0;
}

static int __init hugetlbfs_start(void)
{
	struct hugetlb_pool *required, *pool;
	int err;

	if (!hugepages_supported()) {
		pr_info("disabling because there are no supported hugepage sizes\n");
		return -EOPNOTSUPP;
	}

	err = hugetlbfs_register();
	if (err)
		return err;

	required = hugetlb_default_pool();
	err = hugetlbfs_mount_size(&required->h);
	if (err) {
		hugetlbfs_unregister();
		return err;
	}
	for_each_hugetlb_pool(pool) {
		if (pool != required)
			hugetlbfs_mount_size(&pool->h);
	}
	register_sysctl_init("vm", hugetlbfs_sysctls);
	return 0;
}
fs_initcall(hugetlbfs_start);
