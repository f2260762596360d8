// SPDX-License-Identifier: GPL-2.0
/*
 * Collapse of anonymous memory: a range of entries, and one folio in their
 * place.
 *
 * A whole window loses its page table to a PMD, so the table is out of reach for
 * the time of the copy.  A smaller range keeps it: its entries are taken out one
 * by one, and the neighbours, of the same VMA or not, are none the wiser.
 * Locks: mmap_lock and VMA for writing -> anon_vma for writing -> PMD lock,
 * page-table lock.  Where nobody can find the pages any more, the anon_vma is
 * let go, before they are copied.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mmu_notifier.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/swap.h>
#include <trace/events/huge_memory.h>

#include <asm/pgalloc.h>
#include <asm/tlb.h>

#include "../internal.h"
#include "../thp/map/map.h"
#include "anon_range.h"

/* No CPU walks the table from now on; gup_fast may not be through with it. */
static void anon_detach_table(struct anon_range *range)
{
	struct collapse *c = range->c;
	spinlock_t *ptl = pmd_lock(c->mm, range->pmd);

	range->table = pmdp_collapse_flush(c->vma, c->window, range->pmd);
	spin_unlock(ptl);
	tlb_remove_table_sync_one();
}

/* The PMD of the window. */
static struct thp_slot anon_slot(const struct anon_range *range)
{
	return thp_slot_at(range->c->vma, range->pmd, range->c->window);
}

static void anon_attach_table(struct anon_range *range)
{
	struct thp_slot slot = anon_slot(range);
	spinlock_t *ptl = thp_slot_lock(&slot);

	VM_WARN_ON_ONCE(!pmd_none(pmdp_get(range->pmd)));
	thp_table_attach(&slot, pmd_pgtable(range->table));
	spin_unlock(ptl);
}

/* Holes become zeroes; and what was filled before may have been written to. */
static enum scan_result anon_copy(struct anon_range *range)
{
	struct collapse *c = range->c;
	unsigned int i;

	for (i = 0; i < collapse_nr(c); i++) {
		unsigned long address = anon_range_address(range, i);
		struct page *page = folio_page(c->folio, i);
		pte_t pte = c->saved[i];

		if (collapse_pte_empty(pte)) {
			clear_user_highpage(page, address);
			__set_bit(i, range->filled);
			continue;
		}
		if (copy_mc_user_highpage(page, pte_page(pte), address, c->vma))
			return SCAN_COPY_MC;
		if (test_bit(i, range->filled) && !collapse_page_is_zero(page))
			__clear_bit(i, range->filled);
	}
	return SCAN_SUCCEED;
}

/*
 * The entry of a page in the new folio.  The folio is nobody else's, so rights
 * are the VMA's whatever the old entry had.  One exception: where writes are
 * tracked (soft-dirty), pages without a write stay write-protected, so that the
 * next one is noted.
 *
 * Filled pages begin old and clean, which is how they are told from pages that
 * the program did touch.
 */
static pte_t anon_entry(const struct anon_range *range, unsigned int i)
{
	struct vm_area_struct *vma = range->c->vma;
	pte_t old = range->c->saved[i];
	bool filled = test_bit(i, range->filled);
	pte_t pte;

	pte = mk_pte(folio_page(range->c->folio, i), vma->vm_page_prot);
	if (filled || !pte_young(old))
		pte = pte_mkold(pte);
	if (!filled)
		pte = pte_mkdirty(pte);
	if (vma_soft_dirty_enabled(vma) && (filled || !pte_soft_dirty(old)))
		return pte_clear_soft_dirty(pte);
	return maybe_mkwrite(pte, vma);
}

static void anon_set_entries(struct anon_range *range)
{
	struct collapse *c = range->c;
	unsigned int i, nr = collapse_nr(c);
	bool same = true;

	/* The old ones have done their duty. */
	for (i = 0; i < nr; i++) {
		c->saved[i] = anon_entry(range, i);
		same &= pte_same(c->saved[i], pte_advance_pfn(c->saved[0], i));
	}

	if (same) {
		set_ptes(c->mm, collapse_address(c), range->ptep, c->saved[0],
			 nr);
		return;
	}
	/* One by one; the last one of a block can make it one, if they agree. */
	for (i = 0; i < nr; i++)
		set_pte_at(c->mm, anon_range_address(range, i), range->ptep + i,
			   c->saved[i]);
}

/* Map the folio by entries of the page table that is there. */
static void anon_install_ptes(struct anon_range *range)
{
	struct collapse *c = range->c;
	unsigned int nr = collapse_nr(c);

	lockdep_assert_held(range->ptl);
	if (!bitmap_empty(range->filled, nr))
		folio_set_collapse_holes(c->folio);
	folio_ref_add(c->folio, nr - 1);
	folio_add_new_anon_rmap(c->folio, c->vma, collapse_address(c),
				RMAP_EXCLUSIVE);
	folio_add_lru_vma(c->folio, c->vma);
	anon_set_entries(range);
	update_mmu_cache_range(NULL, c->vma, collapse_address(c), range->ptep,
			       nr);
}

/* Map the folio by a PMD, and keep the page table for when it is split. */
static void anon_install_pmd(struct anon_range *range)
{
	struct thp_slot slot = anon_slot(range);
	spinlock_t *ptl = thp_slot_lock(&slot);

	thp_entry_install_anon(&slot, range->c->folio,
			       pmd_pgtable(range->table));
	spin_unlock(ptl);
}

/* Everything is taken: copy, and install the new folio; or put all back. */
static enum scan_result anon_exchange(struct anon_range *range)
{
	bool window = anon_range_is_window(range);
	enum scan_result result = anon_copy(range);

	/* Whoever sees an entry sees the contents, too. */
	if (result == SCAN_SUCCEED)
		__folio_mark_uptodate(range->c->folio);

	spin_lock(range->ptl);
	if (result != SCAN_SUCCEED) {
		anon_range_put_back(range);
	} else {
		anon_range_retire(range);
		if (!window)
			anon_install_ptes(range);
	}
	spin_unlock(range->ptl);

	if (window && result == SCAN_SUCCEED)
		anon_install_pmd(range);
	else if (window)
		anon_attach_table(range);
	if (result == SCAN_SUCCEED)
		range->c->folio = NULL;
	return result;
}

/*
 * The anon_vma keeps rmap walks out until it is sure that the entries are gone
 * and the folios locked; faults are kept out to the end, by the lock of the VMA.
 */
static enum scan_result anon_replace(struct anon_range *range)
{
	struct collapse *c = range->c;
	bool window = anon_range_is_window(range);
	struct anon_vma *anon_vma = c->vma->anon_vma;
	enum scan_result result = SCAN_PMD_NULL;
	struct mmu_notifier_range notify;

	mmu_notifier_range_init(&notify, MMU_NOTIFY_CLEAR, 0, c->mm,
				collapse_address(c),
				anon_range_address(range, collapse_nr(c)));
	anon_vma_lock_write(anon_vma);
	mmu_notifier_invalidate_range_start(&notify);
	if (window)
		anon_detach_table(range);

	range->ptep = pte_offset_map_lock(c->mm, window ? &range->table : range->pmd,
					  collapse_address(c), &range->ptl);
	if (range->ptep) {
		result = anon_range_take(range);
		spin_unlock(range->ptl);
	}
	if (window && result != SCAN_SUCCEED)
		anon_attach_table(range);
	anon_vma_unlock_write(anon_vma);

	if (result == SCAN_SUCCEED)
		result = anon_exchange(range);
	if (range->ptep)
		pte_unmap(range->ptep);
	mmu_notifier_invalidate_range_end(&notify);
	return result;
}

static enum scan_result anon_collapse_locked(struct collapse *c)
{
	struct anon_range range = {
		.c = c,
		.folios = LIST_HEAD_INIT(range.folios),
	};
	enum scan_result result;

	mmap_assert_write_locked(c->mm);
	result = collapse_revalidate(c);
	if (result == SCAN_SUCCEED)
		result = collapse_find_pmd(c->mm, collapse_address(c),
					   &range.pmd);
	if (result != SCAN_SUCCEED)
		return result;

	vma_start_write(c->vma);
	result = anon_replace(&range);
	anon_range_release(&range);
	return result;
}

/**
 * collapse_anon() - replace a range of anonymous memory by one folio
 * @c: the attempt; the range was chosen, collapse_prepare() got a folio
 *
 * Looks at everything again that was found without locks.  Either the new folio
 * has the contents and is mapped, and @c->folio is gone; or nothing changed, but
 * that pages may be back from swap.
 *
 * Context: no locks held; takes and drops mmap_lock; sleeps.
 * Return: SCAN_SUCCEED, or why not.
 */
enum scan_result collapse_anon(struct collapse *c)
{
	enum scan_result result = collapse_swap_in(c);

	if (result == SCAN_SUCCEED) {
		mmap_write_lock(c->mm);
		result = anon_collapse_locked(c);
		mmap_write_unlock(c->mm);
		c->vma = NULL;
	}
	trace_mm_collapse_huge_page(c->mm, result == SCAN_SUCCEED, result);
	return result;
}
