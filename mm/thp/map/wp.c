// SPDX-License-Identifier: GPL-2.0
/*
 * Write-protect faults: a write to a huge entry that is read-only.
 *
 * The folio is the writer's own, or becomes it when nobody else is left; then
 * the entry is made writable.  Zeroes are replaced by a new folio.  In all other
 * cases the mapping is split, and copying is done page by page, since most
 * programs that share memory with a child write to little of it.
 * Locks: T1 -> T3 -> T6.
 */
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/oom.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/swap.h>

#include "../../internal.h"
#include "../../swap.h"
#include "map.h"

/**
 * huge_pmd_set_accessed() - note an access that the entry allows
 * @vmf: the fault; hardware of some architectures leaves this to the kernel
 *
 * Context: mmap_lock or the VMA's.
 */
void huge_pmd_set_accessed(struct vm_fault *vmf)
{
	struct thp_slot slot = thp_slot_of_fault(vmf);
	spinlock_t *ptl = thp_slot_lock(&slot);

	if (pmd_same(pmdp_get(slot.pmd), vmf->orig_pmd))
		touch_pmd(slot.vma, vmf->address, slot.pmd,
			  vmf->flags & FAULT_FLAG_WRITE);
	spin_unlock(ptl);
}

/* The mapping or the knobs may have changed since the zeroes were mapped. */
static bool thp_wp_wants_folio(const struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;

	/* A reader that wants pages of its own may want only few. */
	if (vmf->flags & FAULT_FLAG_UNSHARE)
		return false;
	return thp_vma_allowable_order(vma, vma->vm_flags,
				       TVA_IN_PF | TVA_ENFORCE_SYSFS,
				       PMD_ORDER);
}

/* Takes over the reference to the folio, if it returns true. */
static vm_fault_t thp_wp_replace_zero(struct vm_fault *vmf,
				      struct folio **folio)
{
	struct thp_slot slot = thp_slot_of_fault(vmf);
	struct mm_struct *mm = slot.vma->vm_mm;
	struct mmu_notifier_range range;
	vm_fault_t ret = 0;
	spinlock_t *ptl;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, slot.addr,
				slot.addr + HPAGE_PMD_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptl = thp_slot_lock(&slot);
	if (pmd_same(pmdp_get(slot.pmd), vmf->orig_pmd)) {
		ret = check_stable_address_space(mm);
		if (!ret) {
			thp_map_anon_over_zero(&slot, *folio);
			thp_count(THP_COUNT_FAULT_ALLOC, HPAGE_PMD_ORDER,
				  *folio);
			*folio = NULL;
		}
	}
	spin_unlock(ptl);
	mmu_notifier_invalidate_range_end(&range);
	return ret;
}

/* A write to the huge zero folio is a fault like the first one, but later. */
static vm_fault_t thp_wp_zero(struct vm_fault *vmf)
{
	struct folio *folio;
	vm_fault_t ret;

	if (!thp_wp_wants_folio(vmf))
		return VM_FAULT_FALLBACK;
	folio = thp_fault_alloc(vmf, HPAGE_PMD_ORDER);
	if (!folio)
		return VM_FAULT_FALLBACK;

	thp_fault_clear(vmf, folio);
	ret = thp_wp_replace_zero(vmf, &folio);
	if (folio)
		folio_put(folio);
	return ret;
}

/*
 * Is the folio the writer's own, or can it become so?  References that explain
 * themselves: the entry's, ours, and one for each page in the swap cache.  No
 * large folio waits in a batch for the LRU, which would have another one.
 */
static bool thp_wp_own(struct vm_area_struct *vma, struct folio *folio)
{
	struct page *page = folio_page(folio, 0);
	int refs = 2;

	if (PageAnonExclusive(page))
		return true;
	if (folio_test_swapcache(folio)) {
		if (folio_ref_count(folio) > refs + folio_nr_pages(folio))
			return false;
		folio_free_swap(folio);
	}
	if (folio_ref_count(folio) != refs)
		return false;

	folio_move_anon_rmap(folio, vma);
	SetPageAnonExclusive(page);
	return true;
}

/* The folio is the writer's own.  A reader needed no more than that. */
static void thp_wp_reuse(const struct vm_fault *vmf,
			 const struct thp_slot *slot)
{
	if (!(vmf->flags & FAULT_FLAG_UNSHARE))
		thp_entry_make_writable(slot);
}

/*
 * Returns the folio, with a reference, if more than a look at it is needed to
 * know whose it is.
 */
static struct folio *thp_wp_try_reuse(struct vm_fault *vmf,
				      const struct thp_slot *slot)
{
	spinlock_t *ptl = thp_slot_lock(slot);
	struct folio *folio = NULL;

	if (pmd_same(pmdp_get(slot->pmd), vmf->orig_pmd)) {
		folio = thp_entry_folio(vmf->orig_pmd);
		if (PageAnonExclusive(folio_page(folio, 0))) {
			thp_wp_reuse(vmf, slot);
			folio = NULL;
		} else {
			folio_get(folio);
		}
	}
	spin_unlock(ptl);
	return folio;
}

static vm_fault_t thp_wp_folio(struct vm_fault *vmf)
{
	struct thp_slot slot = thp_slot_of_fault(vmf);
	struct folio *folio = thp_wp_try_reuse(vmf, &slot);
	vm_fault_t ret = 0;
	spinlock_t *ptl;

	if (!folio)
		return 0;

	/* The folio's lock keeps others from taking it over, or swapping it. */
	folio_lock(folio);
	ptl = thp_slot_lock(&slot);
	if (pmd_same(pmdp_get(slot.pmd), vmf->orig_pmd)) {
		if (thp_wp_own(slot.vma, folio))
			thp_wp_reuse(vmf, &slot);
		else
			ret = VM_FAULT_FALLBACK;
	}
	spin_unlock(ptl);
	folio_unlock(folio);
	folio_put(folio);
	return ret;
}

/**
 * do_huge_pmd_wp_page() - resolve a write to a read-only huge entry
 * @vmf: a fault on anonymous memory; with FAULT_FLAG_UNSHARE a read that wants
 *	pages nobody else has
 *
 * Context: mmap_lock or the VMA's; may sleep.
 * Return: 0 if the access can be tried again, VM_FAULT_FALLBACK if the mapping
 *	was split and the fault is now one of a small page, VM_FAULT_SIGBUS if
 *	the mm is being reaped.
 */
vm_fault_t do_huge_pmd_wp_page(struct vm_fault *vmf)
{
	vm_fault_t ret;

	if (is_huge_zero_pmd(vmf->orig_pmd))
		ret = thp_wp_zero(vmf);
	else
		ret = thp_wp_folio(vmf);
	if (ret & VM_FAULT_FALLBACK)
		__split_huge_pmd(vmf->vma, vmf->pmd, vmf->address, false, NULL);
	return ret;
}
