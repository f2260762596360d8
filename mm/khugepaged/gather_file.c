// SPDX-License-Identifier: GPL-2.0
/*
 * Gather a range of a file: bring in what is not in memory, then lock every
 * folio, take it off the LRU and out of all page tables.  Afterwards nobody but
 * us can reach the pages without the lock of their folio.
 *
 * Bringing in sleeps, and is done before the first folio is locked: readahead
 * takes the invalidate_lock, which is outside of folio locks.
 */
#include <linux/backing-dev.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/swap.h>

#include "../internal.h"
#include "file_range.h"

/*
 * First index from @index on that has to be brought in, or the end.  Holes are
 * for readahead to fill, except in shared memory, where they stay holes.
 */
static pgoff_t file_range_next_absent(struct file_range *range, pgoff_t index)
{
	XA_STATE(xas, &range->mapping->i_pages, index);
	pgoff_t end = file_range_end(range);
	struct folio *folio;

	rcu_read_lock();
	xas_for_each(&xas, folio, end - 1) {
		if (xas_retry(&xas, folio))
			continue;
		if (!range->shmem && xas.xa_index > index)
			break;
		index = xas.xa_index;
		if (xa_is_value(folio) || !folio_test_uptodate(folio))
			break;
		index = round_down(index, 1UL << xas_get_order(&xas)) +
			(1UL << xas_get_order(&xas));
	}
	rcu_read_unlock();

	if (!folio && range->shmem)
		return end;
	return min(index, end);
}

/* From swap, or what fallocate() left to be cleared at the first use. */
static enum scan_result file_range_swap_in(struct file_range *range,
					   pgoff_t index)
{
	struct folio *folio;
	int err;

	err = shmem_get_folio(range->mapping->host, index, 0, &folio,
			      SGP_NOALLOC);
	/* truncated meanwhile: a hole now */
	if (err == -ENOENT)
		return SCAN_SUCCEED;
	if (err)
		return SCAN_FAIL;
	folio_unlock(folio);
	folio_put(folio);
	return SCAN_SUCCEED;
}

static enum scan_result file_range_read(struct file_range *range,
					pgoff_t index)
{
	struct file *file = range->collapse->file;
	enum scan_result result = SCAN_SUCCEED;
	struct folio *folio;

	page_cache_sync_readahead(range->mapping, &file->f_ra, file, index,
				  file_range_end(range) - index);
	folio = filemap_get_folio(range->mapping, index);
	if (IS_ERR(folio))
		return SCAN_FAIL;
	if (folio_wait_locked_killable(folio) || !folio_test_uptodate(folio))
		result = SCAN_FAIL;
	folio_put(folio);
	return result;
}

/**
 * file_range_bring_in() - read what is missing, from the file or from swap
 * @range: nothing of it is held
 *
 * What was brought in may be gone again when the range is gathered.
 *
 * Context: Process context, no locks held.  Sleeps.
 * Return: SCAN_SUCCEED; SCAN_FAIL: something cannot be had.
 */
enum scan_result file_range_bring_in(struct file_range *range)
{
	enum scan_result result = SCAN_SUCCEED;
	pgoff_t end = file_range_end(range);
	bool brought = false;
	pgoff_t index;

	for (index = file_range_next_absent(range, range->start); index < end;
	     index = file_range_next_absent(range, index + 1)) {
		range->index = index;
		if (range->shmem)
			result = file_range_swap_in(range, index);
		else
			result = file_range_read(range, index);
		if (result != SCAN_SUCCEED)
			break;
		brought = true;
		cond_resched();
	}
	/* What waits in the batches of this CPU cannot be isolated. */
	if (brought)
		lru_add_drain();
	return result;
}

/* May this folio, locked and in the page cache, become part of a larger one? */
static enum scan_result file_range_check(struct file_range *range,
					 struct folio *folio)
{
	unsigned int order = range->collapse->order;

	/*
	 * Folios of a file are aligned to their size, and so is the range: one
	 * that is not smaller covers all of it.
	 */
	if (folio_order(folio) >= order)
		return order == HPAGE_PMD_ORDER ? SCAN_PTE_MAPPED_HUGEPAGE :
						  SCAN_HELD;
	if (folio_contain_hwpoisoned_page(folio))
		return SCAN_COPY_MC;
	if (!folio_test_uptodate(folio))
		return SCAN_FAIL;
	if (range->shmem)
		return SCAN_SUCCEED;
	/* A folio that is being written to would need its private data. */
	if (folio_test_dirty(folio) || folio_test_writeback(folio))
		return SCAN_FAIL;
	return SCAN_SUCCEED;
}

/* Locks @folio and refers to it, or leaves it alone. */
static enum scan_result file_range_lock_folio(struct file_range *range,
					      struct folio *folio)
{
	enum scan_result result;

	lockdep_assert_held(&range->mapping->i_pages.xa_lock);

	/* in swap again, or evicted again */
	if (xa_is_value(folio))
		return SCAN_FAIL;
	if (!folio_trylock(folio))
		return SCAN_PAGE_LOCK;

	/* Neither its size nor its place changes while we hold both locks. */
	result = file_range_check(range, folio);
	if (result != SCAN_SUCCEED) {
		folio_unlock(folio);
		return result;
	}
	folio_get(folio);
	range->folios[range->nr_folios++] = folio;
	return SCAN_SUCCEED;
}

/*
 * Lock whatever lies in the range, all in one go: what is not there now stays a
 * hole, or install notices.
 */
static enum scan_result file_range_lock(struct file_range *range)
{
	XA_STATE(xas, &range->mapping->i_pages, range->start);
	enum scan_result result = SCAN_SUCCEED;
	unsigned int nr_present = 0;
	struct folio *folio;

	xas_lock_irq(&xas);
	xas_for_each(&xas, folio, file_range_end(range) - 1) {
		range->index = xas.xa_index;
		result = file_range_lock_folio(range, folio);
		if (result != SCAN_SUCCEED)
			break;
		nr_present += folio_nr_pages(folio);
	}
	xas_unlock_irq(&xas);
	if (result != SCAN_SUCCEED)
		return result;

	range->nr_holes = range->nr - nr_present;
	if (!nr_present)
		return SCAN_TRUNCATED;
	if (range->nr_holes && !range->shmem)
		return SCAN_FAIL;
	return SCAN_SUCCEED;
}

/* Were there fewer holes when the range was chosen? */
static enum scan_result file_range_check_limit(const struct file_range *range)
{
	const struct collapse *c = range->collapse;
	struct collapse_limits limits;

	if (!c->limits)
		return SCAN_SUCCEED;
	limits = collapse_limits_of_order(&c->candidates, c->order);
	return range->nr_holes > limits.max_none ? SCAN_EXCEED_NONE_PTE :
						   SCAN_SUCCEED;
}

static enum scan_result file_range_isolate(struct file_range *range)
{
	struct folio *folio;

	while (range->nr_isolated < range->nr_folios) {
		folio = range->folios[range->nr_isolated];
		range->index = folio->index;
		if (!filemap_release_folio(folio, GFP_KERNEL))
			return SCAN_PAGE_HAS_PRIVATE;
		if (!folio_isolate_lru(folio))
			return SCAN_DEL_PAGE_LRU;
		range->nr_isolated++;
	}
	return SCAN_SUCCEED;
}

/*
 * One walk over the mappings of the file, not one for each page: pages that a
 * private mapping has copied stay, and so do markers.  New entries for the
 * range need a folio lock that we hold.
 */
static void file_range_unmap(struct file_range *range)
{
	unsigned int i;

	for (i = 0; i < range->nr_folios; i++) {
		if (!folio_mapped(range->folios[i]))
			continue;
		unmap_mapping_pages(range->mapping, range->start, range->nr,
				    false);
		/* Pages that were mlocked wait in a batch, referenced. */
		mlock_drain_local();
		return;
	}
}

/*
 * References: ours, that of isolation, and one of the page cache for each page.
 * Whoever has another may write to the old page after it was copied.
 */
static enum scan_result file_range_check_unused(struct file_range *range)
{
	struct folio *folio;
	unsigned int i;

	for (i = 0; i < range->nr_folios; i++) {
		folio = range->folios[i];
		range->index = folio->index;
		if (folio_ref_count(folio) != 2 + folio_nr_pages(folio))
			return SCAN_PAGE_COUNT;
		/* page tables may have known more than the folio */
		if (!range->shmem && folio_test_dirty(folio))
			return SCAN_FAIL;
	}
	range->index = file_range_end(range);
	return SCAN_SUCCEED;
}

/**
 * file_range_gather() - take all folios of a range
 * @range: nothing of it is held
 *
 * Afterwards each is locked, off the LRU and not mapped, and nobody else has a
 * reference.  If that cannot be had, nothing is held.
 *
 * Context: Process context; the invalidate_lock of a file that cannot have
 * large folios is held for reading.  Sleeps.
 * Return: SCAN_SUCCEED, or what was in the way.
 */
enum scan_result file_range_gather(struct file_range *range)
{
	enum scan_result result;

	result = file_range_lock(range);
	if (result == SCAN_SUCCEED)
		result = file_range_check_limit(range);
	if (result == SCAN_SUCCEED)
		result = file_range_isolate(range);
	if (result == SCAN_SUCCEED) {
		file_range_unmap(range);
		result = file_range_check_unused(range);
	}
	if (result != SCAN_SUCCEED)
		file_range_release(range);
	return result;
}

/**
 * file_range_release() - put everything back as it was
 * @range: in any state between gather and install
 *
 * Context: Process context, folios locked.  Unlocks them.
 */
void file_range_release(struct file_range *range)
{
	struct address_space *mapping = range->mapping;
	struct folio *folio;
	bool put_back = range->nr_isolated;

	if (range->nr_charged) {
		xa_lock_irq(&mapping->i_pages);
		mapping->nrpages -= range->nr_charged;
		xa_unlock_irq(&mapping->i_pages);
		shmem_uncharge(mapping->host, range->nr_charged);
		range->nr_charged = 0;
	}
	while (range->nr_folios) {
		folio = range->folios[--range->nr_folios];
		folio_unlock(folio);
		if (range->nr_folios < range->nr_isolated)
			folio_putback_lru(folio);
		folio_put(folio);
	}
	range->nr_isolated = 0;
	/* This CPU's batch holds a reference, which the next attempt counts. */
	if (put_back)
		lru_add_drain();
}
