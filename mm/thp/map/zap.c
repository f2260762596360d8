// SPDX-License-Identifier: GPL-2.0
/*
 * Unmap: a huge entry goes away, or its memory may.
 *
 * Knows TLB batches and what a folio must look like to be dropped; what goes
 * with an entry is undone by entry.c.  Locks: T1 or T4 -> T6; folio locks (T3)
 * only by trylock.
 */
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/swap.h>

#include <asm/tlb.h>

#include "../../internal.h"
#include "map.h"

/* Returns the folio, if there is one to be put. */
static struct folio *thp_zap(struct mmu_gather *tlb,
			     const struct thp_slot *slot, enum thp_entry kind)
{
	pmd_t entry = pmdp_huge_get_and_clear_full(slot->vma, slot->addr,
						   slot->pmd, tlb->fullmm);

	arch_check_zapped_pmd(slot->vma, entry);
	tlb_remove_pmd_tlb_entry(tlb, slot->pmd, slot->addr);
	return thp_entry_forget(slot, kind, entry);
}

/**
 * zap_huge_pmd() - unmap what a huge entry maps
 * @tlb: gathers the translation, and the folio
 * @vma: the mapping
 * @pmd: the slot
 * @addr: first address it translates; all of it is to go
 *
 * Context: mmap_lock, or the rmap lock of the file; notifier start and end are
 *	the caller's.
 * Return: 1, or 0 if the slot holds no huge entry any more.
 */
int zap_huge_pmd(struct mmu_gather *tlb, struct vm_area_struct *vma,
		 pmd_t *pmd, unsigned long addr)
{
	struct thp_slot slot = thp_slot_at(vma, pmd, addr);
	struct folio *folio = NULL;
	enum thp_entry kind;
	spinlock_t *ptl;

	tlb_change_page_size(tlb, HPAGE_PMD_SIZE);
	ptl = thp_slot_lock(&slot);
	kind = thp_entry_kind(vma, pmdp_get(pmd));
	if (thp_kind_is_huge(kind))
		folio = thp_zap(tlb, &slot, kind);
	spin_unlock(ptl);

	if (folio)
		tlb_remove_page_size(tlb, &folio->page, HPAGE_PMD_SIZE);
	return thp_kind_is_huge(kind);
}

/* What others use, too, is not this process's to give away. */
static struct folio *thp_lazyfree_folio(const struct thp_slot *slot)
{
	pmd_t entry = pmdp_get(slot->pmd);
	struct folio *folio;

	if (thp_entry_kind(slot->vma, entry) != THP_FOLIO)
		return NULL;
	folio = pmd_folio(entry);
	return folio_likely_mapped_shared(folio) ? NULL : folio;
}

/* From now on, a write is what keeps the folio. */
static void thp_lazyfree(struct mmu_gather *tlb, const struct thp_slot *slot,
			 struct folio *folio)
{
	pmd_t entry = pmdp_get(slot->pmd);

	folio_clear_dirty(folio);
	if (pmd_young(entry) || pmd_dirty(entry)) {
		/* Hardware sets no bit between the look and the change. */
		entry = pmdp_invalidate(slot->vma, slot->addr, slot->pmd);
		thp_entry_set(slot, pmd_mkclean(pmd_mkold(entry)));
		tlb_remove_pmd_tlb_entry(tlb, slot->pmd, slot->addr);
	}
	folio_mark_lazyfree(folio);
}

/**
 * madvise_free_huge_pmd() - MADV_FREE of a huge page, or of a part of it
 * @tlb: gathers the translation
 * @vma: the mapping, anonymous
 * @pmd: the slot
 * @addr: first address advised
 * @next: first address no longer advised, or of the next slot
 *
 * If only a part is advised, the folio is split, so that only that part goes.
 *
 * Context: mmap_lock for reading.  May sleep.
 * Return: true if all is done; false if the slot has to be looked at again, for
 *	it may hold a page table now.
 */
bool madvise_free_huge_pmd(struct mmu_gather *tlb, struct vm_area_struct *vma,
			   pmd_t *pmd, unsigned long addr, unsigned long next)
{
	struct thp_slot slot = thp_slot_at(vma, pmd, addr);
	bool whole = next - addr == HPAGE_PMD_SIZE;
	struct folio *folio;
	spinlock_t *ptl;

	tlb_change_page_size(tlb, HPAGE_PMD_SIZE);
	ptl = pmd_trans_huge_lock(pmd, vma);
	if (!ptl)
		return false;

	folio = thp_lazyfree_folio(&slot);
	if (folio && !folio_trylock(folio))
		folio = NULL;
	if (folio) {
		folio_get(folio);
		if (whole)
			thp_lazyfree(tlb, &slot, folio);
	}
	spin_unlock(ptl);
	if (!folio)
		return false;

	if (!whole)
		split_folio(folio);
	folio_unlock(folio);
	folio_put(folio);
	return whole;
}

/*
 * With the entry gone, did nobody write to the folio before, and will nobody
 * who got hold of it?  gup_fast takes its reference and looks at the entry then;
 * here it is the other way round, and one of both sees the other.
 */
static bool thp_folio_unused(struct folio *folio, pmd_t entry)
{
	int refs, maps;

	/* Orders the clearing of the entry before the reads; see above. */
	smp_mb();
	refs = folio_ref_count(folio);
	maps = folio_mapcount(folio);
	/* Who sets the dirty flag holds a reference meanwhile. */
	smp_rmb();

	/* One reference is that of the isolation from the LRU. */
	return refs == maps + 1 && !pmd_dirty(entry) &&
	       !folio_test_dirty(folio);
}

/**
 * unmap_huge_pmd_locked() - unmap a folio that nobody needs any more
 * @vma: the mapping
 * @addr: first address of the folio
 * @pmdp: the slot
 * @folio: what it maps; locked, and isolated from the LRU
 *
 * For memory given away by MADV_FREE and not written to since.
 *
 * Context: the slot's lock, the folio's, and that of its rmap.
 * Return: true if the folio is unmapped here; false, nothing changed, if it has
 *	to be kept.
 */
bool unmap_huge_pmd_locked(struct vm_area_struct *vma, unsigned long addr,
			   pmd_t *pmdp, struct folio *folio)
{
	struct thp_slot slot = thp_slot_at(vma, pmdp, addr);
	pmd_t entry = pmdp_get(pmdp);

	VM_WARN_ON_FOLIO(!folio_test_pmd_mappable(folio), folio);
	VM_WARN_ON_FOLIO(!folio_test_locked(folio), folio);
	if (!folio_test_anon(folio) || folio_test_swapbacked(folio))
		return false;
	/* Spares the flush. */
	if (pmd_dirty(entry) || folio_test_dirty(folio))
		return false;

	entry = pmdp_huge_clear_flush(vma, slot.addr, pmdp);
	if (!thp_folio_unused(folio, entry)) {
		thp_entry_set(&slot, entry);
		return false;
	}

	thp_entry_forget(&slot, THP_FOLIO, entry);
	if (vma->vm_flags & VM_LOCKED)
		mlock_drain_local();
	folio_put(folio);
	return true;
}
