// SPDX-License-Identifier: GPL-2.0
/*
 * Scan what lies in the page cache of a file where a window maps it.
 *
 * Reads the page cache, not page tables: other address spaces may have more of
 * the file mapped.  Nothing says whether a page was used lately, or whether it
 * was written to: all pages count as young and writable.
 */
#include <linux/bitmap.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/rcupdate_wait.h>
#include <linux/shmem_fs.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "../internal.h"
#include "collapse.h"

/* Part of the window that one entry of the page cache fills. */
struct scan_span {
	unsigned int	slot;
	unsigned int	nr;
	pgoff_t		index;	/* of @slot */
};

/*
 * What the entry at the cursor fills of the part of the window that the VMA
 * shows.  Taken from the tree: it is what the index says, whatever becomes of
 * the folio.
 */
static struct scan_span scan_file_span(const struct collapse *c,
				       struct xa_state *xas)
{
	pgoff_t first = c->pgoff + ((c->start - c->window) >> PAGE_SHIFT);
	pgoff_t last = c->pgoff + ((c->end - c->window) >> PAGE_SHIFT);
	unsigned long nr = 1UL << xas_get_order(xas);
	pgoff_t index = round_down(xas->xa_index, nr);
	struct scan_span span;

	span.index = max(index, first);
	span.slot = span.index - c->pgoff;
	span.nr = min(index + nr, last) - span.index;
	return span;
}

static void scan_file_block(struct collapse *c, const struct scan_span *span,
			    enum scan_result why)
{
	if (c->blocked_by == SCAN_SUCCEED)
		c->blocked_by = why;
	bitmap_set(c->map.blocked, span->slot, span->nr);
}

/* Whatever is wrong here is wrong for every range that holds the folio. */
static enum scan_result scan_file_check(const struct folio *folio)
{
	if (!folio_test_lru(folio))
		return SCAN_PAGE_LRU;
	if (!collapse_refs_suitable(folio, 1))
		return SCAN_PAGE_COUNT;
	return SCAN_SUCCEED;
}

/*
 * A folio fills the span: say so for every aligned part of it.  Where the VMA
 * ends inside the folio, or maps it at an odd offset, those are smaller than
 * the folio, and yet nothing to collapse.
 */
static void scan_file_hold(struct collapse *c, const struct folio *folio,
			   struct scan_span span)
{
	unsigned int order;

	while (span.nr) {
		order = min_t(unsigned int, folio_order(folio),
			      __fls(span.nr));
		if (span.slot)
			order = min_t(unsigned int, order, __ffs(span.slot));
		if (order)
			c->map.held[span.slot] = order;
		span.slot += 1U << order;
		span.nr -= 1U << order;
	}
}

/*
 * Pages that a collapse filled in, and nobody wrote to since, count as holes.
 * The content is looked at only where there are such pages.
 */
static void scan_file_present(struct collapse *c, struct folio *folio,
			      const struct scan_span *span)
{
	bool filled = folio_test_large(folio) &&
		      folio_test_collapse_holes(folio);
	struct page *page;
	unsigned int i;

	for (i = 0; i < span->nr; i++) {
		page = folio_file_page(folio, span->index + i);
		if (filled && collapse_page_is_zero(page))
			continue;
		__set_bit(span->slot + i, c->map.present);
	}
}

/* With a reference to the folio, which keeps its size and its place. */
static enum scan_result scan_file_folio(struct collapse *c, struct folio *folio,
					const struct scan_span *span)
{
	int nid = folio_nid(folio);
	enum scan_result why;

	c->scan_pfn = folio_pfn(folio);
	/* Nothing of the page cache will be touched: no more questions. */
	if (folio_order(folio) == HPAGE_PMD_ORDER && folio->index == c->pgoff &&
	    span->nr == HPAGE_PMD_NR)
		return SCAN_PTE_MAPPED_HUGEPAGE;
	if (collapse_node_too_far(c, nid))
		return SCAN_SCAN_ABORT;
	c->node_load[nid] += span->nr;

	why = scan_file_check(folio);
	if (why != SCAN_SUCCEED) {
		scan_file_block(c, span, why);
		if (c->orders == BIT(PMD_ORDER))
			return why;
	}
	if (folio_test_large(folio))
		scan_file_hold(c, folio, *span);
	scan_file_present(c, folio, span);
	return SCAN_SUCCEED;
}

/* One entry: a folio, or a place in swap. */
static enum scan_result scan_file_entry(struct collapse *c,
					struct xa_state *xas, void *entry)
{
	struct scan_span span = scan_file_span(c, xas);
	struct folio *folio = entry;
	enum scan_result result;

	if (xa_is_value(entry)) {
		/* Elsewhere it only remembers a page that was evicted. */
		if (shmem_file(c->file)) {
			bitmap_set(c->map.swapped, span.slot, span.nr);
			c->swapped += span.nr;
		}
		return SCAN_SUCCEED;
	}

	if (!folio_try_get(folio)) {
		xas_reset(xas);
		return SCAN_SUCCEED;
	}
	if (folio == xas_reload(xas)) {
		result = scan_file_folio(c, folio, &span);
	} else {
		result = SCAN_SUCCEED;
		xas_reset(xas);
	}
	folio_put(folio);
	return result;
}

/*
 * Slots outside the VMA belong to no range.  No entries are looked at, so
 * nothing is known to be old or read-only, not even what is to be read in.
 */
static void scan_file_start(struct collapse *c)
{
	unsigned int first = (c->start - c->window) >> PAGE_SHIFT;
	unsigned int end = (c->end - c->window) >> PAGE_SHIFT;

	memset(&c->map, 0, sizeof(c->map));
	c->map.order = PMD_ORDER;
	bitmap_set(c->map.blocked, 0, first);
	bitmap_set(c->map.blocked, end, PTRS_PER_PTE - end);
	bitmap_fill(c->map.writable, PTRS_PER_PTE);
	bitmap_fill(c->map.young, PTRS_PER_PTE);

	memset(c->node_load, 0, sizeof(c->node_load));
	nodes_clear(c->alloc_nmask);
	c->blocked_by = SCAN_SUCCEED;
}

/**
 * hpage_collapse_scan_file() - what is in the page cache for a window of a file?
 * @c: the attempt: window, file and orders are set
 *
 * Fills the map.  If nothing less than the whole window is asked for, it stops
 * at the first folio that makes that impossible.
 *
 * Context: Process context, no locks held, a reference to the file is.
 * Return: SCAN_SUCCEED: the map is complete.  SCAN_PTE_MAPPED_HUGEPAGE: one
 * folio fills the window.  Else what to say of the window, and there is nothing
 * to choose from.
 */
enum scan_result hpage_collapse_scan_file(struct collapse *c)
{
	pgoff_t first = c->pgoff + ((c->start - c->window) >> PAGE_SHIFT);
	pgoff_t last = c->pgoff + ((c->end - 1 - c->window) >> PAGE_SHIFT);
	XA_STATE(xas, &c->file->f_mapping->i_pages, first);
	enum scan_result result = SCAN_SUCCEED;
	void *entry;

	scan_file_start(c);
	rcu_read_lock();
	xas_for_each(&xas, entry, last) {
		if (xas_retry(&xas, entry))
			continue;
		result = scan_file_entry(c, &xas, entry);
		if (result != SCAN_SUCCEED)
			break;
		if (need_resched()) {
			xas_pause(&xas);
			cond_resched_rcu();
		}
	}
	rcu_read_unlock();

	/* Of ranges that lie across the edge of the VMA, if nothing else. */
	if (c->blocked_by == SCAN_SUCCEED)
		c->blocked_by = SCAN_ADDRESS_RANGE;
	return result;
}
