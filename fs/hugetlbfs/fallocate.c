// SPDX-License-Identifier: GPL-2.0
/*
 * Pages enter a file without a fault: fallocate().
 *
 * A page comes by a claim for (file, slot), the same way as in a fault; there
 * is no mapping and so no address.
 * Locks: i_rwsem, in it the fault mutex of one slot.
 */
#include "internal.h"
#include <linux/falloc.h>
#include <linux/sched/signal.h>

/* A page for a slot that has none; the fault mutex is held. */
static int hugetlbfs_fill_slot_locked(struct inode *inode, long hindex)
{
	struct hugetlb_claim claim;
	struct folio *folio;
	int err;

	hugetlb_claim_init(&claim, inode, inode_resv_map(inode), hindex);
	err = hugetlb_claim_prepare(&claim);
	if (err)
		return err;

	folio = claim.folio;
	folio_zero_user(folio, 0);
	__folio_mark_uptodate(folio);
	err = hugetlb_cache_insert(folio, inode->i_mapping, hindex);
	if (err) {
		hugetlb_claim_cancel(&claim);
		return err;
	}
	hugetlb_claim_commit(&claim);
	folio_set_hugetlb_migratable(folio);
	folio_unlock(folio);
	folio_put(folio);
	return 0;
}

static int hugetlbfs_fill_slot(struct inode *inode, long hindex)
{
	unsigned int order = huge_page_order(hstate_inode(inode));
	struct folio *folio;

	guard(mutex)(hugetlbfs_fault_mutex(inode, hindex));

	folio = filemap_get_folio(inode->i_mapping, (pgoff_t)hindex << order);
	if (IS_ERR(folio))
		return hugetlbfs_fill_slot_locked(inode, hindex);
	folio_put(folio);
	return 0;
}

/* -EAGAIN: the promised page is on its way back to the pool right now. */
static int hugetlbfs_fill_range(struct inode *inode, long hindex, long end)
{
	int err;

	while (hindex < end) {
		cond_resched();
		if (signal_pending(current))
			return -EINTR;

		err = hugetlbfs_fill_slot(inode, hindex);
		if (err == -EAGAIN) {
			schedule_timeout_interruptible(1);
			continue;
		}
		if (err)
			return err;
		hindex++;
	}
	return 0;
}

static int hugetlbfs_preallocate(struct inode *inode, int mode, u64 offset,
				 u64 end)
{
	unsigned int shift = huge_page_shift(hstate_inode(inode));
	u64 last = end - 1;
	int err;

	/* Also with FALLOC_FL_KEEP_SIZE, as the pages are used all the same. */
	err = inode_newsize_ok(inode, end);
	if (err)
		return err;
	if (end > inode->i_size && (HUGETLBFS_I(inode)->seals & F_SEAL_GROW))
		return -EPERM;

	err = hugetlbfs_fill_range(inode, offset >> shift, (last >> shift) + 1);
	if (err)
		return err;

	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > inode->i_size)
		i_size_write(inode, end);
	inode_set_ctime_current(inode);
	return 0;
}

/**
 * hugetlbfs_fallocate() - fallocate(2)
 * @file: a hugetlbfs file
 * @mode: 0, FALLOC_FL_KEEP_SIZE, or FALLOC_FL_PUNCH_HOLE with it
 * @offset: in bytes
 * @len: in bytes, not 0
 *
 * Rounds the range out to whole huge pages.  Pages that were there before an
 * error stay, the size of the file does not change then.
 *
 * Context: may sleep.
 * Return: 0, -EOPNOTSUPP for other modes, -EPERM where a seal forbids it,
 * -EFBIG beyond RLIMIT_FSIZE, -EINTR, -ENOSPC or -ENOMEM without pages.
 */
long hugetlbfs_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	struct inode *inode = file_inode(file);
	long err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if (mode & FALLOC_FL_PUNCH_HOLE)
		return hugetlbfs_punch_hole(inode, offset, len);

	inode_lock(inode);
	err = hugetlbfs_preallocate(inode, mode, offset, offset + len);
	inode_unlock(inode);
	return err;
}
