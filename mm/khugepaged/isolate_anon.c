// SPDX-License-Identifier: GPL-2.0
/*
 * Isolate: take the pages of a range away from everybody, and let go of them.
 *
 * Three kinds of others may be at a page.  Programs, through its entries: the
 * entries are taken out.  The kernel on its own account, as reclaim, migration
 * or a split: the folio is locked and off the LRU.  Whoever has a reference:
 * then it stays.
 * Locks: mmap_lock and VMA for writing, anon_vma for writing; the page-table
 * lock inside.  Folio locks are taken here and held until release.
 */
#include <linux/hugetlb.h>	/* flush_tlb_range() of some architectures */
#include <linux/ksm.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>
#include <linux/rmap.h>
#include <linux/swap.h>
#include <linux/vmstat.h>
#include <trace/events/huge_memory.h>

#include "../internal.h"
#include "../swap.h"
#include "anon_range.h"

static bool anon_range_has(const struct anon_range *range,
			   const struct folio *folio)
{
	const struct folio *other;

	list_for_each_entry(other, &range->folios, lru) {
		if (other == folio)
			return true;
	}
	return false;
}

static int isolated_stat(struct folio *folio)
{
	return NR_ISOLATED_ANON + folio_is_file_lru(folio);
}

/* Entries of one folio lie in a row as a rule; but it may be in pieces. */
static enum scan_result anon_range_add(struct anon_range *range,
				       struct folio *folio)
{
	if (folio == range->last)
		return SCAN_SUCCEED;
	if (!folio_trylock(folio))
		return anon_range_has(range, folio) ? SCAN_SUCCEED :
						      SCAN_PAGE_LOCK;
	/* Counted again when nobody can get another reference. */
	if (!collapse_refs_suitable(folio, 0)) {
		folio_unlock(folio);
		return SCAN_PAGE_COUNT;
	}
	if (!folio_isolate_lru(folio)) {
		folio_unlock(folio);
		return SCAN_DEL_PAGE_LRU;
	}

	node_stat_mod_folio(folio, isolated_stat(folio), folio_nr_pages(folio));
	list_add_tail(&folio->lru, &range->folios);
	range->last = folio;
	return SCAN_SUCCEED;
}

static enum scan_result anon_range_limit(const struct anon_range *range,
					 enum scan_result exceeded)
{
	const struct collapse *c = range->c;
	struct collapse_limits limits;
	bool exceeds;

	if (!c->limits)
		return SCAN_SUCCEED;
	limits = collapse_limits_of_order(&c->candidates, c->order);
	if (exceeded == SCAN_EXCEED_NONE_PTE)
		exceeds = range->nr_empty + range->nr_filled > limits.max_none;
	else
		exceeds = range->nr_shared > limits.max_shared;
	return exceeds ? exceeded : SCAN_SUCCEED;
}

static enum scan_result anon_range_add_page(struct anon_range *range,
					    unsigned int i, pte_t pte)
{
	struct folio *folio = page_folio(pte_page(pte));
	enum scan_result result = SCAN_SUCCEED;

	if (collapse_pte_filled(range->c, range->ptep + i, pte)) {
		__set_bit(i, range->filled);
		range->nr_filled++;
		result = anon_range_limit(range, SCAN_EXCEED_NONE_PTE);
	} else if (folio_likely_mapped_shared(folio)) {
		range->nr_shared++;
		result = anon_range_limit(range, SCAN_EXCEED_SHARED_PTE);
	}
	if (result == SCAN_SUCCEED)
		result = anon_range_add(range, folio);
	if (result != SCAN_SUCCEED || test_bit(i, range->filled))
		return result;

	range->nr_young += collapse_page_young(range->c,
					       anon_range_address(range, i), pte);
	range->writable |= pte_write(pte);
	return SCAN_SUCCEED;
}

static enum scan_result anon_range_add_slot(struct anon_range *range,
					    unsigned int i)
{
	pte_t pte = ptep_get(range->ptep + i);
	enum scan_result why;

	switch (collapse_check_pte(range->c, anon_range_address(range, i), pte,
				   &why)) {
	case SLOT_EMPTY:
		range->nr_empty++;
		return anon_range_limit(range, SCAN_EXCEED_NONE_PTE);
	case SLOT_SWAPPED:
		return SCAN_PTE_NON_PRESENT;
	case SLOT_PRESENT:
		return anon_range_add_page(range, i, pte);
	case SLOT_BLOCKS:
		break;
	}
	return why;
}

static enum scan_result anon_range_isolate(struct anon_range *range)
{
	enum scan_result result;
	unsigned int i;

	for (i = 0; i < collapse_nr(range->c); i++) {
		result = anon_range_add_slot(range, i);
		if (result != SCAN_SUCCEED)
			return result;
	}
	if (!range->writable)
		return SCAN_PAGE_RO;
	if (collapse_is_khugepaged(range->c) && !range->nr_young)
		return SCAN_LACK_REFERENCED_PAGE;
	return SCAN_SUCCEED;
}

/* Out of the table and out of every TLB; saved, with what the CPU noted last. */
static void anon_range_clear_entries(struct anon_range *range)
{
	struct collapse *c = range->c;
	unsigned int i, j, n, nr = collapse_nr(c);
	unsigned long start = collapse_address(c);

	if (!anon_range_is_window(range))
		flush_cache_range(c->vma, start, anon_range_address(range, nr));
	for (i = 0; i < nr; i += n) {
		pte_t pte = ptep_get(range->ptep + i);

		n = 1;
		if (!pte_none(pte)) {
			/* One block, one note for all: do not take it apart. */
			n = min(pte_batch_hint(range->ptep + i, pte), nr - i);
			pte = get_and_clear_full_ptes(c->mm,
						      anon_range_address(range, i),
						      range->ptep + i, n, 0);
		}
		c->saved[i] = pte;
		for (j = 1; j < n; j++)
			c->saved[i + j] = pte_advance_pfn(pte, j);
	}
	/* Without its page table the range was flushed already. */
	if (!anon_range_is_window(range))
		flush_tlb_range(c->vma, start, anon_range_address(range, nr));
}

static bool anon_range_is_ours(const struct anon_range *range)
{
	const struct folio *folio;

	/*
	 * Somebody without locks (gup_fast) takes a reference first and then
	 * looks whether the entry is still there.  Here the entry went first,
	 * then references are counted: either we see theirs, or they see that
	 * the entry is gone.
	 */
	smp_mb();
	list_for_each_entry(folio, &range->folios, lru) {
		if (!collapse_refs_suitable(folio, 1))
			return false;
	}
	return true;
}

/**
 * anon_range_take() - take pages and entries of a range away from everybody
 * @range: with @ptep mapped
 *
 * Context: page-table lock held, and what keeps faults and rmap walks out.
 * Return: SCAN_SUCCEED: there are no entries, and nobody else can read or write
 * the memory, or map it here; anon_range_retire() or anon_range_put_back() is
 * next.  Else why not; entries are as before.  anon_range_release() follows in
 * any case.
 */
enum scan_result anon_range_take(struct anon_range *range)
{
	enum scan_result result;

	lockdep_assert_held(range->ptl);
	result = anon_range_isolate(range);
	if (result == SCAN_SUCCEED) {
		anon_range_clear_entries(range);
		if (!anon_range_is_ours(range)) {
			anon_range_put_back(range);
			result = SCAN_PAGE_COUNT;
		}
	}
	trace_mm_collapse_huge_page_isolate(range->last ? &range->last->page : NULL,
					    range->nr_empty + range->nr_filled,
					    range->nr_young, range->writable,
					    result);
	return result;
}

/**
 * anon_range_put_back() - everything as it was
 * @range: taken
 *
 * Context: page-table lock held.
 */
void anon_range_put_back(struct anon_range *range)
{
	struct collapse *c = range->c;
	unsigned int i, nr = collapse_nr(c);

	lockdep_assert_held(range->ptl);
	for (i = 0; i < nr; i++) {
		if (!pte_none(c->saved[i]))
			set_pte_at(c->mm, anon_range_address(range, i),
				   range->ptep + i, c->saved[i]);
	}
	if (!anon_range_is_window(range))
		update_mmu_cache_range(NULL, c->vma, collapse_address(c),
				       range->ptep, nr);
}

/* How many saved entries, from @i on, mapped one folio's pages in a row? */
static unsigned int anon_range_run(const struct anon_range *range,
				   unsigned int i)
{
	const pte_t *saved = range->c->saved;
	unsigned int n, nr = collapse_nr(range->c);
	struct folio *folio = page_folio(pte_page(saved[i]));
	unsigned long pfn = pte_pfn(saved[i]);
	unsigned long end = folio_pfn(folio) + folio_nr_pages(folio);

	for (n = 1; i + n < nr && pfn + n < end; n++) {
		if (!pte_present(saved[i + n]) ||
		    pte_pfn(saved[i + n]) != pfn + n)
			break;
	}
	return n;
}

/**
 * anon_range_retire() - the old folios are no longer mapped here
 * @range: taken; its contents are in the new folio, which is about to be
 * installed
 *
 * Counts the memory that holes take from now on.
 *
 * Context: page-table lock held.
 */
void anon_range_retire(struct anon_range *range)
{
	struct collapse *c = range->c;
	unsigned int i, n;

	lockdep_assert_held(range->ptl);
	for (i = 0; i < collapse_nr(c); i += n) {
		pte_t pte = c->saved[i];
		struct folio *folio;

		n = 1;
		if (collapse_pte_empty(pte)) {
			ksm_might_unmap_zero_page(c->mm, pte);
			continue;
		}
		n = anon_range_run(range, i);
		folio = page_folio(pte_page(pte));
		folio_remove_rmap_ptes(folio, pte_page(pte), n, c->vma);
		/* Never the last one: that is the range's own. */
		folio_put_refs(folio, n);
	}
	add_mm_counter(c->mm, MM_ANONPAGES, range->nr_empty);
}

/**
 * anon_range_release() - let go of the folios
 * @range: retired, or put back, or not taken at all
 *
 * Folios that nobody else has are freed, others go back to the LRU.
 *
 * Context: no spinlocks held.
 */
void anon_range_release(struct anon_range *range)
{
	struct folio *folio, *next;
	struct folio_batch unused;
	bool put_back = false;

	folio_batch_init(&unused);
	list_for_each_entry_safe(folio, next, &range->folios, lru) {
		list_del(&folio->lru);
		node_stat_sub_folio(folio, isolated_stat(folio));
		if (folio_test_swapcache(folio) && !folio_mapped(folio))
			folio_free_swap(folio);

		if (folio_ref_count(folio) > 1) {
			folio_unlock(folio);
			folio_putback_lru(folio);
			put_back = true;
			continue;
		}
		/* It will not see the LRU again, which would clear these. */
		folio_clear_active(folio);
		folio_clear_unevictable(folio);
		folio_unlock(folio);
		if (!folio_batch_add(&unused, folio))
			folios_put(&unused);
	}
	if (folio_batch_count(&unused))
		folios_put(&unused);
	/* This CPU's batch holds a reference, which the next attempt counts. */
	if (put_back)
		lru_add_drain();
}
