/* SPDX-License-Identifier: GPL-2.0 */
/*
 * hugetlbfs: files made of huge pages.
 *
 * super.c knows mounts, inode.c names and attributes, file.c what an open file
 * can do, fallocate.c and truncate.c how pages come and go, setup.c files
 * without a name.  Who was promised what is the business of
 * mm/hugetlb/reserve/, page tables that of mm/hugetlb/map/.
 */
#ifndef FS_HUGETLBFS_INTERNAL_H
#define FS_HUGETLBFS_INTERNAL_H

#include "../../mm/hugetlb/map/map.h"
#include <linux/fs.h>

struct mnt_idmap;
struct vfsmount;

/* ---- super.c ---- */

int __init hugetlbfs_register(void);
void __init hugetlbfs_unregister(void);
struct vfsmount * __init hugetlbfs_mount_internal(struct hstate *h);

/* ---- inode.c ---- */

struct inode *hugetlbfs_root_inode(struct super_block *sb);
struct inode *hugetlbfs_file_inode(struct super_block *sb,
				   struct mnt_idmap *idmap, struct inode *dir,
				   umode_t mode);
void hugetlbfs_evict_inode(struct inode *inode);

/* ---- file.c ---- */

extern const struct address_space_operations hugetlbfs_aops;
extern const struct file_operations hugetlbfs_file_operations;

/* ---- how pages come and go: one slot, one task ---- */

static inline struct mutex *hugetlbfs_fault_mutex(struct inode *inode,
						  pgoff_t hindex)
{
	u32 hash = hugetlb_fault_mutex_hash(inode->i_mapping, hindex);

	return &hugetlb_fault_mutex_table[hash];
}

/* ---- truncate.c ---- */

void hugetlbfs_truncate(struct inode *inode, loff_t size);
void hugetlbfs_drop_tail(struct inode *inode, long hindex);
long hugetlbfs_punch_hole(struct inode *inode, loff_t offset, loff_t len);

/* ---- fallocate.c ---- */

long hugetlbfs_fallocate(struct file *file, int mode, loff_t offset,
			 loff_t len);

#endif /* FS_HUGETLBFS_INTERNAL_H */
