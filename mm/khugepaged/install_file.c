// SPDX-License-Identifier: GPL-2.0
/*
 * Fill a new folio from a gathered range of a file, and put it into the page
 * cache in place of what was there.
 *
 * Holes are closed under the i_pages lock, in the moment of replacing: until
 * then anybody may fill one, and then the attempt is over.
 */
#include <linux/dax.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/userfaultfd_k.h>

#include "../internal.h"
#include "file_range.h"

/*
 * A failed attempt frees what it allocated for the tree, so that an empty range
 * leaves nothing behind.  Each next one has a node more to begin with.
 */
#define FILE_RANGE_STORE_TRIES	8

static enum scan_result file_range_copy_folio(struct file_range *range,
					      struct folio *folio)
{
	unsigned long offset = folio->index - range->start;
	struct folio *new = range->collapse->folio;
	unsigned int i;

	for (i = 0; i < folio_nr_pages(folio); i++) {
		if (copy_mc_highpage(folio_page(new, offset + i),
				     folio_page(folio, i)) > 0)
			return SCAN_COPY_MC;
	}
	return SCAN_SUCCEED;
}

static enum scan_result file_range_copy(struct file_range *range)
{
	struct folio *new = range->collapse->folio;
	pgoff_t end = file_range_end(range);
	enum scan_result result;
	struct folio *folio;
	unsigned int i;
	pgoff_t next;

	range->index = range->start;
	for (i = 0; i <= range->nr_folios; i++) {
		folio = i < range->nr_folios ? range->folios[i] : NULL;
		next = folio ? folio->index : end;
		for (; range->index < next; range->index++)
			clear_highpage(folio_page(new,
						  range->index - range->start));
		if (!folio)
			break;
		result = file_range_copy_folio(range, folio);
		if (result != SCAN_SUCCEED)
			return result;
		range->index = folio_next_index(folio);
		cond_resched();
	}
	return SCAN_SUCCEED;
}

/**
 * file_range_fill() - make the new folio what the range is
 * @range: gathered
 *
 * Holes are charged to the inode and become zeroes.
 *
 * Context: Process context, folios of the range locked.  Sleeps.
 * Return: SCAN_SUCCEED; SCAN_FAIL: a limit of the filesystem is reached;
 * SCAN_COPY_MC: a page cannot be read.
 */
enum scan_result file_range_fill(struct file_range *range)
{
	if (range->nr_holes) {
		if (!shmem_charge(range->mapping->host, range->nr_holes))
			return SCAN_FAIL;
		range->nr_charged = range->nr_holes;
	}
	return file_range_copy(range);
}

/* Would somebody who waits for a fault on a hole wait in vain? */
static bool file_range_is_watched(const struct file_range *range)
{
	struct address_space *mapping = range->mapping;
	struct vm_area_struct *vma;

	i_mmap_assert_locked(mapping);

	vma_interval_tree_foreach(vma, &mapping->i_mmap, range->start,
				  file_range_end(range) - 1) {
		if (userfaultfd_missing(vma))
			return true;
	}
	return false;
}

/* Take the marks of close_holes() out again. */
static void file_range_open_holes(struct file_range *range)
{
	XA_STATE(xas, &range->mapping->i_pages, range->start);
	unsigned int i;

	lockdep_assert_held(&range->mapping->i_pages.xa_lock);

	mapping_set_update(&xas, range->mapping);
	for (i = 0; i < range->nr; i++) {
		if (xas_next(&xas) == XA_RETRY_ENTRY)
			xas_store(&xas, NULL);
	}
}

/*
 * Put an entry into every hole, so that lockless readers try again until the
 * new folio is there.  All holes of the gathered range must still be holes, and
 * no more: a page that comes or goes needs the lock that we hold.
 */
static enum scan_result file_range_close_holes(struct file_range *range,
					       struct xa_state *xas)
{
	enum scan_result result = SCAN_SUCCEED;
	unsigned int nr_closed = 0;
	unsigned int i;

	lockdep_assert_held(&range->mapping->i_pages.xa_lock);

	if (!range->nr_holes)
		return SCAN_SUCCEED;

	xas_set(xas, range->start);
	for (i = 0; i < range->nr; i++) {
		if (xas_next(xas))
			continue;
		xas_store(xas, XA_RETRY_ENTRY);
		if (xas_error(xas)) {
			result = SCAN_STORE_FAILED;
			break;
		}
		nr_closed++;
	}

	/*
	 * A registration with userfaultfd that is not seen here is made after
	 * the holes are gone.  Write protection and minor faults do not promise
	 * anything about holes.
	 */
	if (result == SCAN_SUCCEED && nr_closed != range->nr_holes)
		result = SCAN_PAGE_FILLED;
	else if (result == SCAN_SUCCEED && file_range_is_watched(range))
		result = SCAN_EXCEED_NONE_PTE;
	if (result != SCAN_SUCCEED)
		file_range_open_holes(range);
	return result;
}

/* Did khugepaged put zeroes into this folio, or into a part of it before? */
static bool file_range_has_filled(const struct file_range *range)
{
	unsigned int i;

	if (range->nr_holes)
		return true;
	for (i = 0; i < range->nr_folios; i++) {
		if (folio_test_large(range->folios[i]) &&
		    folio_test_collapse_holes(range->folios[i]))
			return true;
	}
	return false;
}

/* Counters of the new folio; those of the old ones go down in dispose. */
static void file_range_count(const struct file_range *range)
{
	struct folio *new = range->collapse->folio;
	bool huge = folio_test_pmd_mappable(new);

	__lruvec_stat_mod_folio(new, NR_FILE_PAGES, range->nr);
	if (range->shmem)
		__lruvec_stat_mod_folio(new, NR_SHMEM, range->nr);
	if (huge)
		__lruvec_stat_mod_folio(new, range->shmem ? NR_SHMEM_THPS :
							    NR_FILE_THPS,
					range->nr);
}

/*
 * Every index of the range has an entry.  Still the tree may have to grow by a
 * level to hold one entry for all of them, so this comes before what could not
 * be undone.
 */
static enum scan_result file_range_store(struct file_range *range,
					 struct xa_state *xas)
{
	struct folio *new = range->collapse->folio;

	lockdep_assert_held(&range->mapping->i_pages.xa_lock);

	if (range->collapse->order < HPAGE_PMD_ORDER &&
	    file_range_has_filled(range))
		folio_set_collapse_holes(new);
	/* Before it is found: else it counts as fallocated, not written. */
	folio_mark_uptodate(new);
	if (range->shmem)
		folio_mark_dirty(new);

	xas_set_order(xas, range->start, range->collapse->order);
	xas_store(xas, new);
	if (xas_error(xas)) {
		file_range_open_holes(range);
		return SCAN_STORE_FAILED;
	}

	folio_ref_add(new, range->nr - 1);
	file_range_count(range);
	return SCAN_SUCCEED;
}

/**
 * file_range_install() - put the new folio into the page cache
 * @range: filled; the new folio is locked and knows its place
 *
 * Context: Process context, folios of the range locked.  Takes i_mmap_rwsem for
 * reading and the i_pages lock.  Sleeps.
 * Return: SCAN_SUCCEED: the reference to the new folio is the page cache's;
 * anything else: nothing was changed.
 */
enum scan_result file_range_install(struct file_range *range)
{
	struct address_space *mapping = range->mapping;
	XA_STATE(xas, &mapping->i_pages, range->start);
	unsigned int tries = FILE_RANGE_STORE_TRIES;
	enum scan_result result;

	mapping_set_update(&xas, mapping);
	do {
		i_mmap_lock_read(mapping);
		xas_lock_irq(&xas);
		result = file_range_close_holes(range, &xas);
		if (result == SCAN_SUCCEED)
			result = file_range_store(range, &xas);
		xas_unlock_irq(&xas);
		i_mmap_unlock_read(mapping);
	} while (--tries && xas_nomem(&xas, GFP_KERNEL));
	xas_destroy(&xas);

	if (result == SCAN_SUCCEED) {
		range->nr_charged = 0;
		folio_add_lru(range->collapse->folio);
	}
	return result;
}

static bool file_range_counted_alike(struct folio *a, struct folio *b)
{
	return folio_nid(a) == folio_nid(b) && folio_memcg(a) == folio_memcg(b);
}

/*
 * The pages are not in the page cache any more.  They may have been counted on
 * another node, and for another control group, than the new folio.
 */
static void file_range_uncount(const struct file_range *range)
{
	unsigned int i, first = 0;
	long nr = 0;

	for (i = 0; i < range->nr_folios; i++) {
		nr += folio_nr_pages(range->folios[i]);
		if (i + 1 < range->nr_folios &&
		    file_range_counted_alike(range->folios[first],
					     range->folios[i + 1]))
			continue;
		lruvec_stat_mod_folio(range->folios[first], NR_FILE_PAGES, -nr);
		if (range->shmem)
			lruvec_stat_mod_folio(range->folios[first], NR_SHMEM,
					      -nr);
		first = i + 1;
		nr = 0;
	}
}

/**
 * file_range_dispose() - let go of the folios that were replaced
 * @range: installed
 *
 * Context: Process context, old folios locked.  Unlocks them.
 */
void file_range_dispose(struct file_range *range)
{
	struct folio *folio;
	unsigned int i;

	file_range_uncount(range);
	for (i = 0; i < range->nr_folios; i++) {
		folio = range->folios[i];
		/* Who waits for the lock sees that it is gone. */
		folio->mapping = NULL;
		folio_clear_active(folio);
		folio_clear_unevictable(folio);
		folio_unlock(folio);
		folio_put_refs(folio, 2 + folio_nr_pages(folio));
	}
	range->nr_folios = 0;
	range->nr_isolated = 0;
}
