// SPDX-License-Identifier: GPL-2.0
/*
 * Mounts: options, limits, statfs, and the inodes as memory.
 *
 * A mount has one page size, at most so many inodes, and a quota of pages that
 * mm/hugetlb/reserve/ keeps.  Knows nothing of what is in a file.
 * Locks: stat_lock, a leaf, for the inode count.
 */
#define pr_fmt(fmt) "hugetlbfs: " fmt

#include "internal.h"
#include <linux/ctype.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/statfs.h>

static struct kmem_cache *hugetlbfs_inode_cache;

/* ---- what a mount asks for ---- */

enum hugetlbfs_unit {
	UNIT_NONE,
	UNIT_BYTES,
	UNIT_PERCENT,
};

/* As written; in pages only once the page size is known. */
struct hugetlbfs_amount {
	u64			number;
	enum hugetlbfs_unit	unit;
};

struct hugetlbfs_request {
	struct hstate		*hstate;
	struct hugetlbfs_amount	size;
	struct hugetlbfs_amount	min_size;
	long			max_pages;	/* of size, -1: no limit */
	long			min_pages;	/* of min_size, -1: not given */
	long			max_inodes;	/* -1: no limit */
	kuid_t			uid;
	kgid_t			gid;
	umode_t			mode;
};

enum hugetlbfs_option {
	OPTION_PAGESIZE,
	OPTION_SIZE,
	OPTION_MIN_SIZE,
	OPTION_NR_INODES,
	OPTION_MODE,
	OPTION_UID,
	OPTION_GID,
};

static const struct fs_parameter_spec hugetlbfs_options[] = {
	fsparam_string("pagesize",	OPTION_PAGESIZE),
	fsparam_string("size",		OPTION_SIZE),
	fsparam_string("min_size",	OPTION_MIN_SIZE),
	fsparam_string("nr_inodes",	OPTION_NR_INODES),
	fsparam_u32oct("mode",		OPTION_MODE),
	fsparam_uid("uid",		OPTION_UID),
	fsparam_gid("gid",		OPTION_GID),
	{}
};

/* memparse() would take a bare "M" for a number; what follows it is ignored. */
static int hugetlbfs_parse_amount(struct fs_context *fc,
				  struct fs_parameter *param,
				  struct hugetlbfs_amount *amount)
{
	char *rest;

	if (!isdigit(*param->string))
		return invalfc(fc, "Bad value '%s' for mount option '%s'\n",
			       param->string, param->key);

	amount->number = memparse(param->string, &rest);
	amount->unit = *rest == '%' ? UNIT_PERCENT : UNIT_BYTES;
	return 0;
}

static int hugetlbfs_parse_pagesize(struct hugetlbfs_request *request,
				    const char *text)
{
	unsigned long size = memparse(text, NULL);
	struct hstate *h = size_to_hstate(size);

	if (!h) {
		pr_err("Unsupported page size %lu MB\n", size / SZ_1M);
		return -EINVAL;
	}
	request->hstate = h;
	return 0;
}

static int hugetlbfs_parse_param(struct fs_context *fc,
				 struct fs_parameter *param)
{
	struct hugetlbfs_request *request = fc->fs_private;
	struct hugetlbfs_amount inodes;
	struct fs_parse_result result;
	int option, err;

	option = fs_parse(fc, hugetlbfs_options, param, &result);
	if (option < 0)
		return option;

	switch ((enum hugetlbfs_option)option) {
	case OPTION_PAGESIZE:
		return hugetlbfs_parse_pagesize(request, param->string);
	case OPTION_SIZE:
		return hugetlbfs_parse_amount(fc, param, &request->size);
	case OPTION_MIN_SIZE:
		return hugetlbfs_parse_amount(fc, param, &request->min_size);
	case OPTION_NR_INODES:
		err = hugetlbfs_parse_amount(fc, param, &inodes);
		if (!err)
			request->max_inodes = inodes.number;
		return err;
	case OPTION_MODE:
		request->mode = result.uint_32 & 01777U;
		break;
	case OPTION_UID:
		request->uid = result.uid;
		break;
	case OPTION_GID:
		request->gid = result.gid;
		break;
	}
	return 0;
}

static u64 hugetlbfs_percent(u64 percent, u64 whole)
{
	u64 product;

	if (check_mul_overflow(percent, whole, &product))
		return U64_MAX;
	return div_u64(product, 100);
}

/* Huge pages, rounded down; -1 where nothing was asked for. */
static long hugetlbfs_amount_pages(const struct hugetlbfs_amount *amount,
				   const struct hstate *h)
{
	struct hugetlb_pool *pool = hstate_pool(h);
	u64 n = amount->number >> huge_page_shift(h);

	if (amount->unit == UNIT_NONE)
		return -1;
	if (amount->unit == UNIT_PERCENT)
		n = hugetlbfs_percent(amount->number,
				      READ_ONCE(pool->persistent_target));
	return min_t(u64, n, LONG_MAX);
}

/* ---- inodes as memory ---- */

/* Take one inode of the limit, or give one back with -1. */
static bool hugetlbfs_inode_take(struct hugetlbfs_sb_info *sbi, int n)
{
	bool enough = true;

	if (sbi->max_inodes < 0)
		return true;

	spin_lock(&sbi->stat_lock);
	if (sbi->free_inodes < n)
		enough = false;
	else
		WRITE_ONCE(sbi->free_inodes, sbi->free_inodes - n);
	spin_unlock(&sbi->stat_lock);
	return enough;
}

static struct inode *hugetlbfs_alloc_inode(struct super_block *sb)
{
	struct hugetlbfs_sb_info *sbi = HUGETLBFS_SB(sb);
	struct hugetlbfs_inode_info *info;

	if (!hugetlbfs_inode_take(sbi, 1))
		return NULL;

	info = alloc_inode_sb(sb, hugetlbfs_inode_cache, GFP_KERNEL);
	if (info)
		return &info->vfs_inode;

	hugetlbfs_inode_take(sbi, -1);
	return NULL;
}

static void hugetlbfs_destroy_inode(struct inode *inode)
{
	hugetlbfs_inode_take(HUGETLBFS_SB(inode->i_sb), -1);
}

/* After a grace period: path lookup may read i_link without a reference. */
static void hugetlbfs_free_inode(struct inode *inode)
{
	if (S_ISLNK(inode->i_mode))
		kfree(inode->i_link);
	kmem_cache_free(hugetlbfs_inode_cache, HUGETLBFS_I(inode));
}

static void hugetlbfs_construct_inode(void *object)
{
	struct hugetlbfs_inode_info *info = object;

	inode_init_once(&info->vfs_inode);
}

/* ---- what a mount tells ---- */

static void hugetlbfs_show_pagesize(struct seq_file *m, const struct hstate *h)
{
	unsigned long kib = huge_page_size(h) / SZ_1K;

	if (kib < 1024)
		seq_printf(m, ",pagesize=%luK", kib);
	else
		seq_printf(m, ",pagesize=%luM", kib / 1024);
}

static void hugetlbfs_show_quota(struct seq_file *m,
				 const struct hugetlb_quota *quota,
				 unsigned int shift)
{
	if (quota->max >= 0)
		seq_printf(m, ",size=%llu", (u64)quota->max << shift);
	if (quota->min > 0)
		seq_printf(m, ",min_size=%llu", (u64)quota->min << shift);
}

static int hugetlbfs_show_options(struct seq_file *m, struct dentry *root)
{
	struct hugetlbfs_sb_info *sbi = HUGETLBFS_SB(root->d_sb);
	uid_t uid = from_kuid_munged(&init_user_ns, sbi->uid);
	gid_t gid = from_kgid_munged(&init_user_ns, sbi->gid);

	if (uid)
		seq_printf(m, ",uid=%u", uid);
	if (gid)
		seq_printf(m, ",gid=%u", gid);
	if (sbi->mode != 0755)
		seq_printf(m, ",mode=%o", sbi->mode);
	if (sbi->max_inodes != -1)
		seq_printf(m, ",nr_inodes=%lu", sbi->max_inodes);
	hugetlbfs_show_pagesize(m, sbi->hstate);
	if (sbi->spool)
		hugetlbfs_show_quota(m, sbi->spool,
				     huge_page_shift(sbi->hstate));
	return 0;
}

/*
 * Without limits there is nothing to say about space.  With a minimum alone,
 * the size is all ones, and what is used is still the difference.
 */
static int hugetlbfs_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct super_block *sb = dentry->d_sb;
	struct hugetlbfs_sb_info *sbi = HUGETLBFS_SB(sb);
	struct hugetlb_quota *quota = sbi->spool;

	buf->f_type = HUGETLBFS_MAGIC;
	buf->f_bsize = huge_page_size(sbi->hstate);
	buf->f_namelen = NAME_MAX;
	buf->f_fsid = u64_to_fsid(huge_encode_dev(sb->s_dev));
	if (quota) {
		buf->f_blocks = quota->max;
		buf->f_bfree = quota->max - quota_used(quota);
		buf->f_bavail = buf->f_bfree;
	}
	if (quota || sbi->max_inodes >= 0) {
		buf->f_files = sbi->max_inodes;
		buf->f_ffree = READ_ONCE(sbi->free_inodes);
	}
	return 0;
}

/* ---- mount and unmount ---- */

static void hugetlbfs_put_super(struct super_block *sb)
{
	struct hugetlbfs_sb_info *sbi = HUGETLBFS_SB(sb);

	if (sbi->spool)
		hugetlb_quota_release(sbi->spool);
	sb->s_fs_info = NULL;
	kfree(sbi);
}

static const struct super_operations hugetlbfs_super_operations = {
	.alloc_inode	= hugetlbfs_alloc_inode,
	.destroy_inode	= hugetlbfs_destroy_inode,
	.free_inode	= hugetlbfs_free_inode,
	.evict_inode	= hugetlbfs_evict_inode,
	.put_super	= hugetlbfs_put_super,
	.statfs		= hugetlbfs_statfs,
	.show_options	= hugetlbfs_show_options,
};

static struct hugetlbfs_sb_info *
hugetlbfs_sb_info_new(const struct hugetlbfs_request *request)
{
	struct hugetlbfs_sb_info *sbi = kzalloc(sizeof(*sbi), GFP_KERNEL);

	if (!sbi)
		return NULL;
	spin_lock_init(&sbi->stat_lock);
	sbi->hstate = request->hstate;
	sbi->max_inodes = request->max_inodes;
	sbi->free_inodes = request->max_inodes;
	sbi->mode = request->mode;
	sbi->uid = request->uid;
	sbi->gid = request->gid;
	if (request->max_pages < 0 && request->min_pages <= 0)
		return sbi;

	sbi->spool = hugetlb_quota_create(hstate_pool(request->hstate),
					  request->max_pages,
					  max(request->min_pages, 0L));
	if (sbi->spool)
		return sbi;

	kfree(sbi);
	return NULL;
}

static int hugetlbfs_fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct hugetlbfs_sb_info *sbi = hugetlbfs_sb_info_new(fc->fs_private);

	if (!sbi)
		return -ENOMEM;

	sb->s_fs_info = sbi;
	sb->s_op = &hugetlbfs_super_operations;
	sb->s_magic = HUGETLBFS_MAGIC;
	sb->s_time_gran = 1;
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_blocksize = huge_page_size(sbi->hstate);
	sb->s_blocksize_bits = huge_page_shift(sbi->hstate);
	/* Nothing can be stacked on files that cannot be written to. */
	sb->s_stack_depth = FILESYSTEM_MAX_STACK_DEPTH;

	sb->s_root = d_make_root(hugetlbfs_root_inode(sb));
	if (sb->s_root)
		return 0;

	hugetlbfs_put_super(sb);
	return -ENOMEM;
}

/* The last moment to turn sizes into pages: pagesize= may come after size=. */
static int hugetlbfs_get_tree(struct fs_context *fc)
{
	struct hugetlbfs_request *request = fc->fs_private;
	struct hstate *h = request->hstate;

	request->max_pages = hugetlbfs_amount_pages(&request->size, h);
	request->min_pages = hugetlbfs_amount_pages(&request->min_size, h);
	if (request->max_pages >= 0 &&
	    request->min_pages > request->max_pages) {
		pr_err("Minimum size can not be greater than maximum size\n");
		return -EINVAL;
	}
	return get_tree_nodev(fc, hugetlbfs_fill_super);
}

static void hugetlbfs_free_request(struct fs_context *fc)
{
	kfree(fc->fs_private);
}

/*
 * Without .reconfigure a remount still checks the spelling of the options, and
 * changes none: page size and quota of a mount are fixed.
 */
static const struct fs_context_operations hugetlbfs_context_operations = {
	.parse_param	= hugetlbfs_parse_param,
	.get_tree	= hugetlbfs_get_tree,
	.free		= hugetlbfs_free_request,
};

static int hugetlbfs_init_fs_context(struct fs_context *fc)
{
	struct hugetlbfs_request *request;

	request = kzalloc(sizeof(*request), GFP_KERNEL);
	if (!request)
		return -ENOMEM;

	request->hstate = &hugetlb_default_pool()->h;
	request->max_inodes = -1;
	request->mode = 0755;
	request->uid = current_fsuid();
	request->gid = current_fsgid();
	fc->fs_private = request;
	fc->ops = &hugetlbfs_context_operations;
	return 0;
}

static struct file_system_type hugetlbfs_fs_type = {
	.name			= "hugetlbfs",
	.init_fs_context	= hugetlbfs_init_fs_context,
	.parameters		= hugetlbfs_options,
	.kill_sb		= kill_litter_super,
	.fs_flags		= FS_ALLOW_IDMAP,
};

/**
 * hugetlbfs_mount_internal() - mount one page size where no path leads to
 * @h: the page size
 *
 * Context: boot; may sleep.
 * Return: the mount, or an error pointer.
 */
struct vfsmount * __init hugetlbfs_mount_internal(struct hstate *h)
{
	struct hugetlbfs_request *request;
	struct fs_context *fc;
	struct vfsmount *mnt;

	fc = fs_context_for_mount(&hugetlbfs_fs_type, SB_KERNMOUNT);
	if (IS_ERR(fc))
		return ERR_CAST(fc);

	request = fc->fs_private;
	request->hstate = h;
	mnt = fc_mount(fc);
	put_fs_context(fc);
	return mnt;
}

/**
 * hugetlbfs_register() - make the filesystem type known
 *
 * Context: boot; may sleep.
 * Return: 0, -ENOMEM, or what register_filesystem() says.
 */
int __init hugetlbfs_register(void)
{
	int err;

	hugetlbfs_inode_cache =
		kmem_cache_create("hugetlbfs_inode_cache",
				  sizeof(struct hugetlbfs_inode_info), 0,
				  SLAB_ACCOUNT, hugetlbfs_construct_inode);
	if (!hugetlbfs_inode_cache)
		return -ENOMEM;

	err = register_filesystem(&hugetlbfs_fs_type);
	if (err)
		kmem_cache_destroy(hugetlbfs_inode_cache);
	return err;
}

/**
 * hugetlbfs_unregister() - undo hugetlbfs_register()
 *
 * Context: boot, nothing mounted; may sleep.
 */
void __init hugetlbfs_unregister(void)
{
	unregister_filesystem(&hugetlbfs_fs_type);
	rcu_barrier();
	kmem_cache_destroy(hugetlbfs_inode_cache);
}
