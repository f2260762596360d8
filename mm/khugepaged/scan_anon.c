// SPDX-License-Identifier: GPL-2.0
/*
 * Scan of anonymous memory: read one page table into the map of a window.
 *
 * A folio is looked at once for all of its pages that lie in a row, and hardly
 * at all where it is as large as can be had.  Knows what check.c says of an
 * entry; what the map is good for is for candidates.c to say.
 * Locks: mmap_lock held for reading or writing, takes the page-table lock.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/string.h>

#include "../internal.h"
#include "collapse.h"

/**
 * struct anon_scan - how far the scan of a page table got
 * @c: the attempt, whose map it fills
 * @ptep: the entry of @slot
 * @slot: the next one to look at
 * @end: the first one behind the VMA, or behind the window
 * @best: the largest order that a page table can have entries of, and that may
 *	be had here
 * @shared: slots with pages that others map, too
 * @stop: why a folio for the whole window is out of the question, or
 *	SCAN_SUCCEED
 */
struct anon_scan {
	struct collapse		*c;
	pte_t			*ptep;
	unsigned int		slot;
	unsigned int		end;
	unsigned int		best;
	unsigned int		shared;
	enum scan_result	stop;
};

/**
 * struct anon_run - slots that map pages of one folio in a row
 * @folio: the folio
 * @page: of the first slot
 * @pte: its entry
 * @address: of the first slot
 * @nr: how many slots
 * @writable: any of the entries
 * @young: any of the pages
 */
struct anon_run {
	struct folio	*folio;
	struct page	*page;
	pte_t		pte;
	unsigned long	address;
	unsigned int	nr;
	bool		writable;
	bool		young;
};

static unsigned long anon_scan_address(const struct anon_scan *s)
{
	return s->c->window + ((unsigned long)s->slot << PAGE_SHIFT);
}

static void anon_scan_stop(struct anon_scan *s, enum scan_result why)
{
	if (s->stop == SCAN_SUCCEED)
		s->stop = why;
}

/* The first reason is what is said of every range that has a slot like this. */
static void anon_scan_block(struct anon_scan *s, unsigned int nr,
			    enum scan_result why)
{
	struct collapse *c = s->c;

	if (c->blocked_by == SCAN_SUCCEED)
		c->blocked_by = why;
	bitmap_set(c->map.blocked, s->slot, nr);
	anon_scan_stop(s, why);
}

static void anon_scan_limit(struct anon_scan *s, unsigned int count,
			    unsigned int max, enum scan_result why)
{
	if (count > max)
		anon_scan_stop(s, why);
}

static void anon_scan_empty(struct anon_scan *s)
{
	const struct collapse_limits *limits = s->c->limits;

	s->c->none_or_zero++;
	if (limits)
		anon_scan_limit(s, s->c->none_or_zero, limits->max_none,
				SCAN_EXCEED_NONE_PTE);
}

/* What reclaim leaves of a huge page that was split for its zeroes. */
static void anon_scan_zero(struct anon_scan *s)
{
	const struct collapse_limits *limits = s->c->limits;

	s->c->map.nr_zero++;
	if (limits)
		anon_scan_limit(s, s->c->map.nr_zero, limits->max_zero,
				SCAN_EXCEED_NONE_PTE);
}

static void anon_scan_swapped(struct anon_scan *s)
{
	const struct collapse_limits *limits = s->c->limits;

	__set_bit(s->slot, s->c->map.swapped);
	s->c->swapped++;
	if (limits)
		anon_scan_limit(s, s->c->swapped, limits->max_swap,
				SCAN_EXCEED_SWAP_PTE);
}

static void anon_scan_shared(struct anon_scan *s, unsigned int nr)
{
	const struct collapse_limits *limits = s->c->limits;

	bitmap_set(s->c->map.shared, s->slot, nr);
	s->shared += nr;
	if (limits)
		anon_scan_limit(s, s->shared, limits->max_shared,
				SCAN_EXCEED_SHARED_PTE);
}

static bool anon_run_goes_on(const struct anon_run *run, pte_t pte)
{
	return pte_present(pte) && !pte_uffd_wp(pte) &&
	       pte_pfn(pte) == page_to_pfn(run->page) + run->nr;
}

/*
 * How far do entries map the next page of the folio?  They may differ in rights,
 * for instance where NUMA balancing is halfway through.
 */
static void anon_run_measure(const struct anon_scan *s, struct anon_run *run)
{
	const fpb_t flags = FPB_IGNORE_DIRTY | FPB_IGNORE_SOFT_DIRTY;
	unsigned long left = min_t(unsigned long, s->end - s->slot,
				   folio_pfn(run->folio) +
				   folio_nr_pages(run->folio) -
				   page_to_pfn(run->page));
	bool writable, young;
	pte_t pte = run->pte;

	run->nr = 0;
	do {
		run->writable |= pte_write(pte);
		run->young |= pte_young(pte);
		run->nr += folio_pte_batch(run->folio,
					   run->address + run->nr * PAGE_SIZE,
					   s->ptep + run->nr, pte,
					   left - run->nr, flags, &writable,
					   &young, NULL);
		run->writable |= writable;
		run->young |= young;
		if (run->nr < left)
			pte = ptep_get(s->ptep + run->nr);
	} while (run->nr < left && anon_run_goes_on(run, pte));
}

static void anon_run_start(const struct anon_scan *s, struct anon_run *run,
			   pte_t pte)
{
	run->page = pte_page(pte);
	run->folio = page_folio(run->page);
	run->pte = pte;
	run->address = anon_scan_address(s);
	run->nr = 1;
	run->writable = pte_write(pte);
	run->young = pte_young(pte);
	if (folio_test_large(run->folio))
		anon_run_measure(s, run);
}

/*
 * Note where the folio lies like a folio of some order would, which is as good.
 * Its pages may be fewer than it has: what is not mapped is for reclaim to free.
 * Whether a whole window is mapped by a PMD, these entries cannot say.
 *
 * Return: whether nothing in the run can be had larger than it is.
 */
static bool anon_run_note_held(struct anon_scan *s, const struct anon_run *run)
{
	unsigned int index = folio_page_idx(run->folio, run->page);
	unsigned int i, order, least = PMD_ORDER;

	if (run->nr == 1)
		return false;

	for (i = 0; i < run->nr; i += 1U << order) {
		order = min_t(unsigned int, ilog2(run->nr - i), PMD_ORDER - 1);
		if (s->slot + i)
			order = min_t(unsigned int, order, __ffs(s->slot + i));
		if (index + i)
			order = min_t(unsigned int, order, __ffs(index + i));
		s->c->map.held[s->slot + i] = order;
		least = min(least, order);
	}
	return least >= s->best;
}

/* What is wrong with the folio?  SCAN_SUCCEED: nothing. */
static enum scan_result anon_run_check(struct anon_scan *s,
				       const struct anon_run *run)
{
	struct collapse *c = s->c;
	int nid = folio_nid(run->folio);

	if (collapse_node_too_far(c, nid))
		return SCAN_SCAN_ABORT;
	c->node_load[nid] += run->nr;
	memset16(&c->slot_node[s->slot], nid, run->nr);

	if (!folio_test_lru(run->folio))
		return SCAN_PAGE_LRU;
	if (folio_test_locked(run->folio))
		return SCAN_PAGE_LOCK;
	/* May be wrong at times; collapsing checks it under locks. */
	if (!collapse_refs_suitable(run->folio, 0))
		return SCAN_PAGE_COUNT;
	return SCAN_SUCCEED;
}

/* One page of it in use means all of it; that is how reclaim sees it, too. */
static bool anon_run_young(const struct collapse *c, const struct anon_run *run)
{
	unsigned int i;

	if (!collapse_is_khugepaged(c))
		return false;
	if (run->young || collapse_page_young(c, run->address, run->pte))
		return true;
	for (i = 1; i < run->nr; i++) {
		if (mmu_notifier_test_young(c->mm, run->address + i * PAGE_SIZE))
			return true;
	}
	return false;
}

static void anon_run_fill_map(const struct anon_scan *s,
			      const struct anon_run *run)
{
	struct collapse *c = s->c;

	bitmap_set(c->map.present, s->slot, run->nr);
	if (run->writable)
		bitmap_set(c->map.writable, s->slot, run->nr);
	if (anon_run_young(c, run)) {
		bitmap_set(c->map.young, s->slot, run->nr);
		c->referenced += run->nr;
	}
}

/* Pages that khugepaged put there are holes, until somebody touches them. */
static void anon_run_skip_filled(struct anon_scan *s, const struct anon_run *run)
{
	struct collapse_map *map = &s->c->map;
	unsigned int i;

	for (i = 0; i < run->nr; i++) {
		pte_t pte = ptep_get(s->ptep + i);

		if (!collapse_pte_filled(s->c, s->ptep + i, pte))
			continue;
		__clear_bit(s->slot + i, map->present);
		__clear_bit(s->slot + i, map->writable);
		__clear_bit(s->slot + i, map->shared);
		if (__test_and_clear_bit(s->slot + i, map->young))
			s->c->referenced--;
		anon_scan_empty(s);
	}
}

/* Return: how many slots are done. */
static unsigned int anon_scan_run(struct anon_scan *s, pte_t pte)
{
	enum scan_result wrong;
	struct anon_run run;

	anon_run_start(s, &run, pte);
	s->c->scan_pfn = folio_pfn(run.folio);
	s->c->writable |= run.writable;
	if (anon_run_note_held(s, &run)) {
		bitmap_set(s->c->map.present, s->slot, run.nr);
		return run.nr;
	}

	if (folio_likely_mapped_shared(run.folio))
		anon_scan_shared(s, run.nr);
	wrong = anon_run_check(s, &run);
	if (wrong != SCAN_SUCCEED) {
		anon_scan_block(s, run.nr, wrong);
		return run.nr;
	}

	anon_run_fill_map(s, &run);
	if (run.nr > 1 && folio_test_collapse_holes(run.folio))
		anon_run_skip_filled(s, &run);
	return run.nr;
}

static unsigned int anon_scan_slot(struct anon_scan *s)
{
	pte_t pte = ptep_get(s->ptep);
	enum scan_result why;

	switch (collapse_check_pte(s->c, anon_scan_address(s), pte, &why)) {
	case SLOT_EMPTY:
		anon_scan_empty(s);
		if (!pte_none(pte))
			anon_scan_zero(s);
		break;
	case SLOT_SWAPPED:
		anon_scan_swapped(s);
		break;
	case SLOT_PRESENT:
		return anon_scan_run(s, pte);
	case SLOT_BLOCKS:
		anon_scan_block(s, 1, why);
		break;
	}
	return 1;
}

/* Slots outside the VMA belong to no range. */
static void anon_scan_start(struct anon_scan *s)
{
	struct collapse *c = s->c;
	unsigned long orders = c->orders & ~BIT(PMD_ORDER);

	s->slot = (c->start - c->window) >> PAGE_SHIFT;
	s->end = (c->end - c->window) >> PAGE_SHIFT;
	s->best = orders ? highest_order(orders) : PMD_ORDER;
	if (c->orders & BIT(PMD_ORDER))
		s->best = PMD_ORDER;

	memset(&c->map, 0, sizeof(c->map));
	c->map.order = PMD_ORDER;
	bitmap_set(c->map.blocked, 0, s->slot);
	bitmap_set(c->map.blocked, s->end, PTRS_PER_PTE - s->end);

	memset(c->node_load, 0, sizeof(c->node_load));
	nodes_clear(c->alloc_nmask);
	c->blocked_by = SCAN_SUCCEED;
}

/**
 * hpage_collapse_scan_pmd() - find out what a window of anonymous memory holds
 * @c: the attempt: window, VMA and orders are set
 *
 * Fills the map.  If nothing less than the whole window is asked for, it stops
 * at the first slot that makes that impossible.
 *
 * Context: mmap_lock held; takes the page-table lock.
 * Return: SCAN_SUCCEED: the map is complete.  Else what to say of the window,
 * and there is nothing to choose from.
 */
enum scan_result hpage_collapse_scan_pmd(struct collapse *c)
{
	struct anon_scan s = { .c = c, .stop = SCAN_SUCCEED };
	unsigned int done;
	enum scan_result result;
	spinlock_t *ptl;
	pte_t *start;
	pmd_t *pmd;

	mmap_assert_locked(c->mm);
	c->referenced = 0;
	c->none_or_zero = 0;
	c->swapped = 0;
	c->writable = false;

	result = collapse_find_pmd(c->mm, c->window, &pmd);
	if (result != SCAN_SUCCEED)
		return result;

	anon_scan_start(&s);
	start = pte_offset_map_lock(c->mm, pmd, c->start, &ptl);
	if (!start)
		return SCAN_PMD_NULL;

	for (s.ptep = start; s.slot < s.end; s.slot += done, s.ptep += done) {
		done = anon_scan_slot(&s);
		if (s.stop != SCAN_SUCCEED && c->orders == BIT(PMD_ORDER)) {
			result = s.stop;
			break;
		}
	}
	pte_unmap_unlock(start, ptl);

	/* Of ranges that lie across the edge of the VMA, if nothing else. */
	if (c->blocked_by == SCAN_SUCCEED)
		c->blocked_by = SCAN_ADDRESS_RANGE;
	return result;
}
