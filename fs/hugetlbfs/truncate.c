// SPDX-License-Identifier: GPL-2.0
/*
 * Pages leave a file: truncation, hole punching, eviction.
 *
 * A unit of quota and pool stays with its folio until that is freed; here only
 * the slot goes, and slots without a folio go with their unit.
 * Locks: i_rwsem by the caller, except at eviction.  For each folio its fault
 * mutex, and inside it either what zapping takes or the folio lock.
 */
#include "internal.h"
#include <linux/highmem.h>
#include <linux/pagevec.h>
#include <linux/sched.h>

/* Truncation cannot fail, so it waits for the memory it needs. */
static void hugetlbfs_bring_spare(struct region_spares *spares)
{
	while (region_spares_fill(spares, 1))
		schedule_timeout_uninterruptible(1);
}

/*
 * Return: false when the folio is mapped, then nothing has happened.  A folio
 * that left the file by another way, a fault that took it back, is done.
 */
static bool hugetlbfs_try_drop_folio(struct inode *inode, struct folio *folio,
				     struct region_spares *spares)
{
	unsigned int order = folio_order(folio);
	bool mapped;

	folio_lock(folio);
	mapped = folio_mapped(folio);
	if (!mapped && folio->mapping == &inode->i_data) {
		long hindex = folio->index >> order;

		hugetlb_cache_remove(folio);
		hugetlb_return_slot(inode, hindex, spares);
	}
	folio_unlock(folio);
	return !mapped;
}

/*
 * With the fault mutex held nobody maps the folio any more, but a migration
 * under way may put back entries that were not there when the range was zapped.
 */
static void hugetlbfs_drop_folio(struct inode *inode, struct folio *folio,
				 struct region_spares *spares,
				 zap_flags_t zap_flags)
{
	pgoff_t hindex = folio->index >> folio_order(folio);

	guard(mutex)(hugetlbfs_fault_mutex(inode, hindex));

	while (!hugetlbfs_try_drop_folio(inode, folio, spares))
		hugetlb_zap_folio(inode->i_mapping, folio, zap_flags);
}

/* Take the folios of base pages [next, last] out of the file. */
static void hugetlbfs_drop_range(struct inode *inode, pgoff_t next,
				 pgoff_t last, zap_flags_t zap_flags)
{
	struct region_spares spares;
	struct folio_batch batch;
	unsigned int i;

	region_spares_init(&spares);
	folio_batch_init(&batch);
	while (filemap_get_folios(&inode->i_data, &next, last, &batch)) {
		for (i = 0; i < folio_batch_count(&batch); i++) {
			hugetlbfs_bring_spare(&spares);
			hugetlbfs_drop_folio(inode, batch.folios[i], &spares,
					     zap_flags);
		}
		folio_batch_release(&batch);
		cond_resched();
	}
	region_spares_drop(&spares);
}

/**
 * hugetlbfs_drop_tail() - nothing stays from a huge page on
 * @inode: a regular file
 * @hindex: the first to go
 *
 * Context: i_rwsem, or nobody else has the inode; may sleep.
 */
void hugetlbfs_drop_tail(struct inode *inode, long hindex)
{
	unsigned int order = huge_page_order(hstate_inode(inode));

	hugetlbfs_drop_range(inode, (pgoff_t)hindex << order, ULONG_MAX,
			     ZAP_FLAG_DROP_MARKER);
	hugetlb_return_file(inode, hindex, LONG_MAX, 0);
}

/**
 * hugetlbfs_truncate() - set the size of a file
 * @inode: a regular file
 * @size: in bytes, whole huge pages
 *
 * The size comes first: a fault looks at it again after it put its page into
 * the page cache, so either it sees the new size or the scan sees the page.
 * Pages and promises beyond @size go even where the file grows: fallocate()
 * and read-only mappings leave some beyond its end.
 *
 * Context: i_rwsem; may sleep.
 */
void hugetlbfs_truncate(struct inode *inode, loff_t size)
{
	i_size_write(inode, size);
	/* Pairs with hugetlb_cache_insert() and hugetlb_fault_cut_off(). */
	smp_mb();
	hugetlb_zap_file(inode->i_mapping, size >> PAGE_SHIFT, 0,
			 ZAP_FLAG_DROP_MARKER);
	hugetlbfs_drop_tail(inode, size >> huge_page_shift(hstate_inode(inode)));
}

/* Zero bytes [from, to), which lie in one huge page; a hole is zero already. */
static void hugetlbfs_zero_part(struct inode *inode, u64 from, u64 to)
{
	struct hstate *h = hstate_inode(inode);
	size_t start = from & ~huge_page_mask(h);
	struct folio *folio;

	if (from == to)
		return;

	folio = filemap_lock_hugetlb_folio(h, inode->i_mapping,
					   from >> huge_page_shift(h));
	if (IS_ERR(folio))
		return;

	folio_zero_segment(folio, start, start + (to - from));
	folio_unlock(folio);
	folio_put(folio);
}

/* Markers of userfaultfd stay: the user did not unmap anything. */
static void hugetlbfs_punch_pages(struct inode *inode, pgoff_t start,
				  pgoff_t end)
{
	if (start == end)
		return;

	hugetlb_zap_file(inode->i_mapping, start, end, 0);
	hugetlbfs_drop_range(inode, start, end - 1, 0);
}

/* The seals are read under the same lock that adding one takes. */
static void hugetlbfs_punch_locked(struct inode *inode, u64 from, u64 to)
{
	u64 size = huge_page_size(hstate_inode(inode));
	u64 start = round_up(from, size);
	u64 end = round_down(to, size);

	if (start > end) {
		hugetlbfs_zero_part(inode, from, to);
		return;
	}
	hugetlbfs_zero_part(inode, from, start);
	hugetlbfs_zero_part(inode, end, to);
	hugetlbfs_punch_pages(inode, start >> PAGE_SHIFT, end >> PAGE_SHIFT);
}

/**
 * hugetlbfs_punch_hole() - FALLOC_FL_PUNCH_HOLE
 * @inode: a regular file
 * @offset: in bytes
 * @len: in bytes
 *
 * Whole huge pages leave the file, parts of them are zeroed.  Promises for
 * slots without a page stay.
 *
 * Context: may sleep.
 * Return: 0, or -EPERM when the file is sealed against writing.
 */
long hugetlbfs_punch_hole(struct inode *inode, loff_t offset, loff_t len)
{
	long err = -EPERM;

	inode_lock(inode);
	if (!(HUGETLBFS_I(inode)->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))) {
		hugetlbfs_punch_locked(inode, offset, (u64)offset + len);
		err = 0;
	}
	inode_unlock(inode);
	return err;
}
