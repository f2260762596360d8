// SPDX-License-Identifier: GPL-2.0
/*
 * Collapse a range of a file into one folio: of any order in shared memory, of
 * PMD order elsewhere.
 *
 * Locks, outer first: invalidate_lock (files that cannot have large folios),
 * folios of the range, i_mmap_rwsem, i_pages.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <trace/events/huge_memory.h>

#include "../internal.h"
#include "file_range.h"

/* The new folio as the page cache wants it: locked, at its place. */
static void collapse_file_bind(struct file_range *range)
{
	struct folio *new = range->collapse->folio;

	__folio_set_locked(new);
	if (range->shmem)
		__folio_set_swapbacked(new);
	new->index = range->start;
	new->mapping = range->mapping;
}

static void collapse_file_unbind(struct file_range *range)
{
	struct folio *new = range->collapse->folio;

	new->mapping = NULL;
	if (range->shmem)
		__folio_clear_swapbacked(new);
	folio_unlock(new);
}

/* Replace what lies in the range, or leave everything as it was. */
static enum scan_result collapse_file_replace(struct file_range *range)
{
	struct folio *new = range->collapse->folio;
	enum scan_result result;

	result = file_range_gather(range);
	if (result != SCAN_SUCCEED)
		return result;

	collapse_file_bind(range);
	result = file_range_fill(range);
	if (result == SCAN_SUCCEED)
		result = file_range_install(range);
	if (result != SCAN_SUCCEED) {
		collapse_file_unbind(range);
		file_range_release(range);
		return result;
	}

	range->collapse->folio = NULL;
	/* Empty now.  Without them the next fault maps a PMD. */
	if (range->collapse->order == HPAGE_PMD_ORDER)
		collapse_retract_page_tables(range->mapping, range->start);
	folio_unlock(new);
	file_range_dispose(range);
	return SCAN_SUCCEED;
}

/*
 * A filesystem that does not know large folios: its file may have them as long
 * as nobody writes.  Whoever opens it for writing counts himself, then looks at
 * nr_thps, and drops the page cache under the invalidate_lock; we count first,
 * then look for writers.  The barrier here and the one in get_write_access()
 * see to it that one of us notices.
 *
 * The lock is held until the folio is in place or forgotten: who drops the page
 * cache sees either all of it or nothing.
 */
static enum scan_result collapse_file_read_only(struct file_range *range)
{
	struct address_space *mapping = range->mapping;
	enum scan_result result = SCAN_FAIL;

	filemap_invalidate_lock_shared(mapping);
	filemap_nr_thps_inc(mapping);
	/* Pairs with get_write_access() of do_dentry_open(). */
	smp_mb();
	/* What is dirty anywhere in the file would be lost if it is dropped. */
	if (!inode_is_open_for_write(mapping->host) &&
	    !filemap_write_and_wait(mapping))
		result = collapse_file_replace(range);
	if (result != SCAN_SUCCEED)
		filemap_nr_thps_dec(mapping);
	filemap_invalidate_unlock_shared(mapping);
	return result;
}

/*
 * Only clean pages are replaced.  MADV_COLLAPSE waits for that; khugepaged gets
 * it under way and comes back.
 */
static enum scan_result collapse_file_clean(struct file_range *range)
{
	loff_t from = (loff_t)range->start << PAGE_SHIFT;
	loff_t to = ((loff_t)file_range_end(range) << PAGE_SHIFT) - 1;

	if (!filemap_range_needs_writeback(range->mapping, from, to))
		return SCAN_SUCCEED;
	if (collapse_is_khugepaged(range->collapse)) {
		filemap_flush(range->mapping);
		return SCAN_FAIL;
	}
	if (filemap_write_and_wait_range(range->mapping, from, to))
		return SCAN_FAIL;
	return SCAN_SUCCEED;
}

static enum scan_result collapse_file_replace_in(struct file_range *range)
{
	struct address_space *mapping = range->mapping;

	if (range->shmem || mapping_large_folio_support(mapping))
		return collapse_file_replace(range);
	return collapse_file_read_only(range);
}

/*
 * What sleeps longest comes first, as long as nothing is held.  A glance at who
 * has the file open is worth it: counting huge pages, if only for a moment,
 * would make the next writer drop the page cache.
 */
static enum scan_result collapse_file_range(struct file_range *range)
{
	enum scan_result result;

	if (!IS_ALIGNED(range->start, range->nr))
		return SCAN_ADDRESS_RANGE;
	if (!range->shmem && !mapping_large_folio_support(range->mapping) &&
	    inode_is_open_for_write(range->mapping->host))
		return SCAN_FAIL;

	result = file_range_bring_in(range);
	if (result == SCAN_SUCCEED && !range->shmem)
		result = collapse_file_clean(range);
	if (result == SCAN_SUCCEED)
		result = collapse_file_replace_in(range);
	return result;
}

/**
 * collapse_file() - replace a range of a file by one folio
 * @c: the attempt, with a folio; of PMD order, unless the file is shared memory
 *
 * Mappings of the range are removed, whoever has them, and page tables that
 * become empty; faults map the folio.  What MADV_COLLAPSE made is mapped here,
 * unless a PMD can do that.
 *
 * Context: Process context, no locks held, a reference to the file is.  Sleeps.
 * Return: SCAN_SUCCEED; SCAN_PTE_MAPPED_HUGEPAGE: there is a folio of PMD order
 * now, for collapse_map_huge(), the attempt's or another; else why not, and
 * nothing was changed.
 */
enum scan_result collapse_file(struct collapse *c)
{
	unsigned long pfn = folio_pfn(c->folio);
	struct file_range range = {
		.collapse = c,
		.mapping = c->file->f_mapping,
		.start = c->pgoff + c->offset,
		.nr = collapse_nr(c),
		.shmem = shmem_file(c->file),
		.folios = c->gathered,
	};
	enum scan_result result;

	range.index = range.start;
	result = collapse_file_range(&range);
	if (result == SCAN_SUCCEED && !collapse_is_khugepaged(c)) {
		if (c->order == HPAGE_PMD_ORDER)
			result = SCAN_PTE_MAPPED_HUGEPAGE;
		else
			collapse_map_range(c);
	}
	trace_mm_khugepaged_collapse_file(c->mm, pfn, range.index,
					  collapse_address(c), range.shmem,
					  c->file, range.nr, result);
	return result;
}
