// SPDX-License-Identifier: GPL-2.0
/*
 * Page cache: the pages of a hugetlbfs file, in units of huge pages.
 *
 * Knows i_blocks and the end of the file; promises come and go with claims, but
 * for the pages that memfd allocates.  Locks: H3 by the caller of anything that
 * inserts, H6 on the page; i_lock is a leaf.
 */

#include "map.h"
#include <linux/pagemap.h>
#include <linux/pagevec.h>

/**
 * hugetlbfs_pagecache_present() - does the file of a mapping have a page?
 * @h: the mapping's page size
 * @vma: a hugetlb mapping
 * @address: an address in it
 *
 * Context: any that keeps @vma.
 * Return: true when it has one now.
 */
bool hugetlbfs_pagecache_present(struct hstate *h, struct vm_area_struct *vma,
				 unsigned long address)
{
	loff_t pos = (loff_t)linear_page_index(vma, address) << PAGE_SHIFT;

	return filemap_range_has_page(vma->vm_file->f_mapping, pos, pos);
}

/**
 * hugetlb_cache_insert() - make a page one of its file
 * @folio: up to date, in nobody's sight; the page cache takes references of its
 *	own
 * @mapping: the file's pages
 * @hindex: where, in huge pages
 *
 * The page is dirty from the start: code that knows nothing of hugetlbfs would
 * drop a clean one.
 *
 * Context: fault mutex.  May sleep.
 * Return: 0 with @folio locked; -EEXIST or -ENOMEM with nothing changed.
 */
int hugetlb_cache_insert(struct folio *folio, struct address_space *mapping,
			 pgoff_t hindex)
{
	pgoff_t pgoff = hindex << folio_order(folio);
	int err;

	__folio_set_locked(folio);
	err = __filemap_add_folio(mapping, folio, pgoff, GFP_KERNEL, NULL);
	if (err) {
		__folio_clear_locked(folio);
		return err;
	}
	folio_mark_dirty(folio);
	inode_add_bytes(mapping->host, folio_size(folio));
	/* The caller looks at i_size now.  Pairs with hugetlbfs_truncate(). */
	smp_mb();
	return 0;
}

/**
 * hugetlb_cache_remove() - take a page out of its file
 * @folio: a locked page of the file, not mapped
 *
 * Drops the page cache's references; the caller still has one.  The slot of the
 * reservation map is not touched.
 *
 * Context: folio lock, fault mutex.
 */
void hugetlb_cache_remove(struct folio *folio)
{
	struct inode *inode = folio->mapping->host;

	folio_clear_dirty(folio);
	folio_clear_uptodate(folio);
	filemap_remove_folio(folio);
	inode_sub_bytes(inode, folio_size(folio));
}

/**
 * hugetlb_cache_remove_batch() - hugetlb_cache_remove() for many pages
 * @inode: the file
 * @batch: locked pages of the file, ascending, not mapped; may be empty
 *
 * Context: folio locks.
 */
void hugetlb_cache_remove_batch(struct inode *inode, struct folio_batch *batch)
{
	loff_t bytes = 0;
	unsigned int i;

	for (i = 0; i < folio_batch_count(batch); i++) {
		folio_clear_dirty(batch->folios[i]);
		folio_clear_uptodate(batch->folios[i]);
		bytes += folio_size(batch->folios[i]);
	}
	delete_from_page_cache_batch(&inode->i_data, batch);
	if (bytes)
		inode_sub_bytes(inode, bytes);
}

/* Truncation moves the end first and looks for pages then. */
static int hugetlb_cache_settle(struct folio *folio, struct inode *inode,
				pgoff_t hindex)
{
	if (hindex >= i_size_read(inode) >> folio_shift(folio))
		return -EINVAL;
	return hugetlb_adopt_reserved(inode, hindex, folio);
}

/**
 * hugetlb_add_to_page_cache() - make a page that has no claim one of its file
 * @folio: from alloc_hugetlb_folio_reserve(), up to date, in nobody's sight
 * @mapping: the file's pages
 * @hindex: where, in huge pages
 *
 * Such a page was taken without saying whose promise it is for; here it becomes
 * that of the slot it goes to.
 *
 * Context: fault mutex.  May sleep.
 * Return: 0 with @folio locked; else with nothing changed: -EEXIST, -ENOMEM,
 * -EINVAL beyond the end of the file, or an error of hugetlb_adopt_reserved().
 */
int hugetlb_add_to_page_cache(struct folio *folio,
			      struct address_space *mapping, pgoff_t hindex)
{
	int err;

	err = hugetlb_cache_insert(folio, mapping, hindex);
	if (err)
		return err;

	err = hugetlb_cache_settle(folio, mapping->host, hindex);
	if (err) {
		hugetlb_cache_remove(folio);
		folio_unlock(folio);
	}
	return err;
}
