// SPDX-License-Identifier: GPL-2.0
/*
 * Inodes: files, directories and links of a hugetlbfs mount.
 *
 * Only a regular file has pages, and with them a map of promises; it is in
 * i_data of the inode from birth to eviction.
 * Locks: the VFS holds the inode lock where attributes and names change.
 */
#include "internal.h"
#include <linux/slab.h>
#include <linux/string.h>

/*
 * A class of its own for i_mmap_rwsem: PMD sharing allocates memory under it,
 * and may, since reclaim never takes the lock of a file it cannot reclaim.
 */
static struct lock_class_key hugetlbfs_i_mmap_rwsem_key;

static const struct inode_operations hugetlbfs_dir_operations;
static const struct inode_operations hugetlbfs_file_inode_operations;

/* ---- new inodes ---- */

static struct inode *hugetlbfs_bare_inode(struct super_block *sb,
					  struct mnt_idmap *idmap,
					  struct inode *dir, umode_t mode)
{
	struct inode *inode = new_inode(sb);

	if (!inode)
		return NULL;

	inode->i_ino = get_next_ino();
	inode_init_owner(idmap, inode, dir, mode);
	simple_inode_init_ts(inode);
	lockdep_annotate_inode_mutex_key(inode);
	lockdep_set_class(&inode->i_data.i_mmap_rwsem,
			  &hugetlbfs_i_mmap_rwsem_key);
	/* Until memfd_create() says otherwise, nobody may add a seal. */
	HUGETLBFS_I(inode)->seals = F_SEAL_SEAL;
	return inode;
}

static struct inode *hugetlbfs_dir_inode(struct super_block *sb,
					 struct mnt_idmap *idmap,
					 struct inode *dir, umode_t mode)
{
	struct inode *inode;

	inode = hugetlbfs_bare_inode(sb, idmap, dir, S_IFDIR | mode);
	if (!inode)
		return NULL;

	inode->i_op = &hugetlbfs_dir_operations;
	inode->i_fop = &simple_dir_operations;
	inc_nlink(inode);	/* its own "." */
	return inode;
}

/**
 * hugetlbfs_root_inode() - make the root directory of a mount
 * @sb: with HUGETLBFS_SB() filled in
 *
 * Context: may sleep.
 * Return: the inode, or NULL without memory or with nr_inodes=0.
 */
struct inode *hugetlbfs_root_inode(struct super_block *sb)
{
	struct hugetlbfs_sb_info *sbi = HUGETLBFS_SB(sb);
	struct inode *inode;

	inode = hugetlbfs_dir_inode(sb, &nop_mnt_idmap, NULL, sbi->mode);
	if (!inode)
		return NULL;

	inode->i_uid = sbi->uid;
	inode->i_gid = sbi->gid;
	return inode;
}

/**
 * hugetlbfs_file_inode() - make a regular file
 * @sb: the mount
 * @idmap: of the mount point
 * @dir: where it will be named, or NULL
 * @mode: permissions
 *
 * Context: may sleep.
 * Return: the inode with one link, or NULL without memory or inodes left.
 */
struct inode *hugetlbfs_file_inode(struct super_block *sb,
				   struct mnt_idmap *idmap, struct inode *dir,
				   umode_t mode)
{
	struct hugetlb_pool *pool = hstate_pool(HUGETLBFS_SB(sb)->hstate);
	struct resv_map *map = resv_map_alloc(pool);
	struct inode *inode;

	if (!map)
		return NULL;

	inode = hugetlbfs_bare_inode(sb, idmap, dir, S_IFREG | mode);
	if (!inode) {
		resv_map_put(map);
		return NULL;
	}
	inode->i_op = &hugetlbfs_file_inode_operations;
	inode->i_fop = &hugetlbfs_file_operations;
	inode->i_data.a_ops = &hugetlbfs_aops;
	inode->i_data.i_private_data = map;
	return inode;
}

/**
 * hugetlbfs_evict_inode() - the last reference and the last name are gone
 * @inode: no mapping and no open file left
 *
 * Context: may sleep.
 */
void hugetlbfs_evict_inode(struct inode *inode)
{
	struct resv_map *map = inode_resv_map(inode);

	if (map) {
		hugetlbfs_drop_tail(inode, 0);
		resv_map_put(map);
	}
	clear_inode(inode);
}

/* ---- names ---- */

/* The reference to the dentry is what keeps the file until it is unlinked. */
static int hugetlbfs_name_inode(struct inode *dir, struct dentry *dentry,
				struct inode *inode)
{
	if (!inode)
		return -ENOSPC;

	d_instantiate(dget(dentry), inode);
	inode_set_mtime_to_ts(dir, inode_set_ctime_current(dir));
	return 0;
}

static int hugetlbfs_create(struct mnt_idmap *idmap, struct inode *dir,
			    struct dentry *dentry, umode_t mode, bool excl)
{
	struct inode *inode;

	inode = hugetlbfs_file_inode(dir->i_sb, idmap, dir, mode);
	return hugetlbfs_name_inode(dir, dentry, inode);
}

static int hugetlbfs_mkdir(struct mnt_idmap *idmap, struct inode *dir,
			   struct dentry *dentry, umode_t mode)
{
	struct inode *inode;
	int err;

	inode = hugetlbfs_dir_inode(dir->i_sb, idmap, dir, mode);
	err = hugetlbfs_name_inode(dir, dentry, inode);
	if (!err)
		inc_nlink(dir);	/* the ".." of the new one */
	return err;
}

static int hugetlbfs_mknod(struct mnt_idmap *idmap, struct inode *dir,
			   struct dentry *dentry, umode_t mode, dev_t dev)
{
	struct inode *inode;

	if (S_ISREG(mode))
		return hugetlbfs_create(idmap, dir, dentry, mode, true);

	inode = hugetlbfs_bare_inode(dir->i_sb, idmap, dir, mode);
	if (inode)
		init_special_inode(inode, mode, dev);
	return hugetlbfs_name_inode(dir, dentry, inode);
}

static int hugetlbfs_symlink(struct mnt_idmap *idmap, struct inode *dir,
			     struct dentry *dentry, const char *target)
{
	struct inode *inode;

	inode = hugetlbfs_bare_inode(dir->i_sb, idmap, dir, S_IFLNK | 0777);
	if (!inode)
		return -ENOSPC;

	/* A huge page for a path would be a waste. */
	inode->i_op = &simple_symlink_inode_operations;
	inode->i_size = strlen(target);
	inode->i_link = kstrdup(target, GFP_KERNEL_ACCOUNT);
	if (!inode->i_link) {
		iput(inode);
		return -ENOMEM;
	}
	return hugetlbfs_name_inode(dir, dentry, inode);
}

static int hugetlbfs_tmpfile(struct mnt_idmap *idmap, struct inode *dir,
			     struct file *file, umode_t mode)
{
	struct inode *inode;

	inode = hugetlbfs_file_inode(dir->i_sb, idmap, dir, mode);
	if (!inode)
		return -ENOSPC;

	d_tmpfile(file, inode);
	inode_set_mtime_to_ts(dir, inode_set_ctime_current(dir));
	return finish_open_simple(file, 0);
}

/* ---- attributes ---- */

/* Does a seal forbid the change?  Seals change under the inode lock only. */
static bool hugetlbfs_is_sealed(struct inode *inode, const struct iattr *attr)
{
	unsigned int seals = HUGETLBFS_I(inode)->seals;
	unsigned int forbidden = 0;

	if ((attr->ia_valid & ATTR_MODE) &&
	    ((attr->ia_mode ^ inode->i_mode) & 0111))
		forbidden |= F_SEAL_EXEC;
	if ((attr->ia_valid & ATTR_SIZE) && attr->ia_size < inode->i_size)
		forbidden |= F_SEAL_SHRINK;
	if ((attr->ia_valid & ATTR_SIZE) && attr->ia_size > inode->i_size)
		forbidden |= F_SEAL_GROW;
	return seals & forbidden;
}

static int hugetlbfs_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
			     struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	bool resize = attr->ia_valid & ATTR_SIZE;
	int err;

	err = setattr_prepare(idmap, dentry, attr);
	if (err)
		return err;
	if (resize && (attr->ia_size & ~huge_page_mask(hstate_inode(inode))))
		return -EINVAL;
	if (hugetlbfs_is_sealed(inode, attr))
		return -EPERM;

	if (resize)
		hugetlbfs_truncate(inode, attr->ia_size);
	setattr_copy(idmap, inode, attr);
	mark_inode_dirty(inode);
	return 0;
}

static const struct inode_operations hugetlbfs_file_inode_operations = {
	.setattr	= hugetlbfs_setattr,
};

static const struct inode_operations hugetlbfs_dir_operations = {
	.lookup		= simple_lookup,
	.create		= hugetlbfs_create,
	.tmpfile	= hugetlbfs_tmpfile,
	.mkdir		= hugetlbfs_mkdir,
	.mknod		= hugetlbfs_mknod,
	.symlink	= hugetlbfs_symlink,
	.link		= simple_link,
	.unlink		= simple_unlink,
	.rmdir		= simple_rmdir,
	.rename		= simple_rename,
	.setattr	= hugetlbfs_setattr,
};
