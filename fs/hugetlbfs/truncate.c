// SPDX-License-Identifier: GPL-2.0
/*
 * Pages leave a file: truncation, hole punching, eviction.
 *
 * A unit of quota and pool stays with its folio until that is freed; here only
 * the slot goes, and slots without a folio go with their unit.
 * Locks: i_rwsem by the caller, except at eviction.  The folio lock of pages that
 * nobody maps, tried for many at a time; for each other one its fault mutex, and
 * inside it either what zapping takes or the folio lock.
 */
#include "internal.h"
#include <linux/highmem.h>
#include <linux/math.h>
#include <linux/pagevec.h>
#include <linux/sched.h>

/* Truncation cannot fail, so it waits for the memory it needs. */
static void hugetlbfs_bring_spare(struct region_spares *spares)
{
	while (region_spares_fill(spares, 1))
		schedule_timeout_uninterruptible(1);
}

/**
 * struct hugetlbfs_drop - pages are leaving a file
 * @inode: the file
 * @zap_flags: how those that are still mapped are unmapped
 * @spares: a node for the map of the file
 * @loose: locked pages that nobody maps, ascending
 */
struct hugetlbfs_drop {
	struct inode		*inode;
	zap_flags_t		zap_flags;
	struct region_spares	spares;
	struct folio_batch	loose;
};

static bool hugetlbfs_drop_has(const struct hugetlbfs_drop *drop,
			       const struct folio *folio)
{
	return READ_ONCE(folio->mapping) == &drop->inode->i_data;
}

static long hugetlbfs_folio_hindex(const struct folio *folio)
{
	return folio->index >> folio_order(folio);
}

/* How many of the pages from @first on lie in slots that follow each other? */
static unsigned int hugetlbfs_drop_run(struct hugetlbfs_drop *drop,
				       unsigned int first)
{
	long hindex = hugetlbfs_folio_hindex(drop->loose.folios[first]);
	unsigned int n = 1;

	while (first + n < folio_batch_count(&drop->loose) &&
	       hugetlbfs_folio_hindex(drop->loose.folios[first + n]) ==
	       hindex + n)
		n++;
	return n;
}

/*
 * The folio locks keep everybody from mapping the pages and from taking them for
 * absent.  So the slots go first: who finds no page must find no promise, either,
 * for the unit is the page's.
 */
static void hugetlbfs_drop_loose(struct hugetlbfs_drop *drop)
{
	unsigned int i, n;
	long hindex;

	for (i = 0; i < folio_batch_count(&drop->loose); i += n) {
		n = hugetlbfs_drop_run(drop, i);
		hindex = hugetlbfs_folio_hindex(drop->loose.folios[i]);
		hugetlbfs_bring_spare(&drop->spares);
		hugetlb_return_slots(drop->inode, hindex, hindex + n,
				     &drop->spares);
	}
	hugetlb_cache_remove_batch(drop->inode, &drop->loose);
	for (i = 0; i < folio_batch_count(&drop->loose); i++)
		folio_unlock(drop->loose.folios[i]);
	folio_batch_reinit(&drop->loose);
}

static bool hugetlbfs_drop_is_loose(const struct hugetlbfs_drop *drop,
				    struct folio *folio)
{
	if (!folio_trylock(folio))
		return false;
	if (!folio_mapped(folio) && hugetlbfs_drop_has(drop, folio))
		return true;
	folio_unlock(folio);
	return false;
}

/*
 * Return: false when the folio is mapped, then nothing has happened.  A folio
 * that left the file by another way, a fault that took it back, is done.
 */
static bool hugetlbfs_try_drop_folio(struct hugetlbfs_drop *drop,
				     struct folio *folio)
{
	bool mapped;

	folio_lock(folio);
	mapped = folio_mapped(folio);
	if (!mapped && hugetlbfs_drop_has(drop, folio)) {
		folio_batch_add(&drop->loose, folio);
		hugetlbfs_drop_loose(drop);
	} else {
		folio_unlock(folio);
	}
	return !mapped;
}

/*
 * With the fault mutex held nobody maps the folio any more, but a migration
 * under way may put back entries that were not there when the range was zapped.
 */
static void hugetlbfs_drop_folio(struct hugetlbfs_drop *drop,
				 struct folio *folio)
{
	struct address_space *mapping = drop->inode->i_mapping;
	long hindex = hugetlbfs_folio_hindex(folio);

	guard(mutex)(hugetlbfs_fault_mutex(drop->inode, hindex));

	while (!hugetlbfs_try_drop_folio(drop, folio))
		hugetlb_zap_folio(mapping, folio, drop->zap_flags);
}

/* As a rule nothing is mapped any more, and nobody else wants a page. */
static void hugetlbfs_drop_batch(struct hugetlbfs_drop *drop,
				 struct folio_batch *batch)
{
	unsigned int i;

	for (i = 0; i < folio_batch_count(batch); i++) {
		if (hugetlbfs_drop_is_loose(drop, batch->folios[i]))
			folio_batch_add(&drop->loose, batch->folios[i]);
	}
	hugetlbfs_drop_loose(drop);

	for (i = 0; i < folio_batch_count(batch); i++) {
		if (hugetlbfs_drop_has(drop, batch->folios[i]))
			hugetlbfs_drop_folio(drop, batch->folios[i]);
	}
}

/*
 * The page cache lets go of a whole node of its tree at once where pages fill it.
 * So what a full batch has of one more node is left to the next batch, which
 * begins at @next.
 */
static void hugetlbfs_trim_batch(struct folio_batch *batch, pgoff_t *next)
{
	unsigned int order = folio_order(batch->folios[0]);
	pgoff_t node = 1UL << (rounddown(order, XA_CHUNK_SHIFT) + XA_CHUNK_SHIFT);
	pgoff_t border = round_down(*next, node);

	if (folio_batch_space(batch) || border <= batch->folios[0]->index)
		return;
	while (batch->folios[batch->nr - 1]->index >= border) {
		batch->nr--;
		folio_put(batch->folios[batch->nr]);
	}
	*next = border;
}

/* Take the folios of base pages [next, last] out of the file. */
static void hugetlbfs_drop_range(struct inode *inode, pgoff_t next,
				 pgoff_t last, zap_flags_t zap_flags)
{
	struct hugetlbfs_drop drop = {
		.inode		= inode,
		.zap_flags	= zap_flags,
	};
	struct folio_batch batch;

	region_spares_init(&drop.spares);
	folio_batch_init(&drop.loose);
	folio_batch_init(&batch);
	while (filemap_get_folios(&inode->i_data, &next, last, &batch)) {
		hugetlbfs_trim_batch(&batch, &next);
		hugetlbfs_drop_batch(&drop, &batch);
		folio_batch_release(&batch);
		cond_resched();
	}
	region_spares_drop(&drop.spares);
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
