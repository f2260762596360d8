// SPDX-License-Identifier: GPL-2.0
/*
 * Faults: a touch of anonymous memory that nothing was mapped at yet, where a
 * whole huge page fits.
 *
 * Folio and page table are prepared without locks, since that may fail or
 * sleep; then, under the slot's lock, they go in if it is still empty.  What is
 * not used goes back.  A "no" from anyone is VM_FAULT_FALLBACK: mm/memory.c
 * tries smaller folios.  Locks: T1 -> T6.
 */
#include <linux/khugepaged.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/oom.h>
#include <linux/pagemap.h>
#include <linux/swap.h>
#include <linux/userfaultfd_k.h>

#include <asm/pgalloc.h>

#include "../../internal.h"
#include "map.h"

/**
 * struct thp_fresh - what a fault is going to map
 * @folio: charged and zeroed, or the huge zero folio
 * @table: goes with it
 * @hand_over: userfaultfd has to provide the memory instead
 *
 * What the slot has taken is NULL afterwards.
 */
struct thp_fresh {
	struct folio	*folio;
	pgtable_t	table;
	bool		hand_over;
};

/**
 * thp_fault_alloc() - a folio for a fault, if one can be had
 * @vmf: the fault
 * @order: its order; it goes to the aligned range around the fault
 *
 * Context: mmap_lock or the VMA's; sleeps as long as the knobs allow.
 * Return: the folio, charged, its contents undefined; or NULL, and counted why.
 */
struct folio *thp_fault_alloc(struct vm_fault *vmf, unsigned int order)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	gfp_t gfp = vma_thp_gfp_mask(vmf->vma);
	struct folio *folio;

	folio = vma_alloc_folio(gfp, order, vmf->vma,
				ALIGN_DOWN(vmf->address, PAGE_SIZE << order),
				true);
	if (!folio) {
		thp_count(THP_COUNT_FAULT_FALLBACK, order, NULL);
		return NULL;
	}
	if (mem_cgroup_charge(folio, mm, gfp)) {
		folio_put(folio);
		thp_count(THP_COUNT_FAULT_CHARGE, order, NULL);
		return NULL;
	}
	folio_throttle_swaprate(folio, gfp);
	return folio;
}

/**
 * thp_fault_clear() - zero a folio, last what the fault is about
 * @vmf: the fault
 * @folio: new, and nobody else's
 *
 * Context: may sleep.
 */
void thp_fault_clear(struct vm_fault *vmf, struct folio *folio)
{
	folio_zero_user(folio, vmf->address);
	/* Has the barrier that lets nobody see the entry before the zeroes. */
	__folio_mark_uptodate(folio);
}

/* Will zeroes that nobody can change do? */
static bool thp_fault_takes_zero(const struct vm_fault *vmf)
{
	return !(vmf->flags & FAULT_FLAG_WRITE) &&
	       transparent_hugepage_use_zero_page() &&
	       !mm_forbids_zeropage(vmf->vma->vm_mm);
}

static struct folio *thp_fault_folio(struct vm_fault *vmf)
{
	struct folio *folio;

	if (!thp_fault_takes_zero(vmf))
		return thp_fault_alloc(vmf, HPAGE_PMD_ORDER);

	folio = mm_get_huge_zero_folio(vmf->vma->vm_mm);
	if (!folio)
		count_vm_event(THP_FAULT_FALLBACK);
	return folio;
}

static vm_fault_t thp_fault_prepare(struct vm_fault *vmf,
				    struct thp_fresh *fresh)
{
	fresh->folio = thp_fault_folio(vmf);
	if (!fresh->folio)
		return VM_FAULT_FALLBACK;

	fresh->table = pte_alloc_one(vmf->vma->vm_mm);
	if (!fresh->table)
		return VM_FAULT_OOM;

	if (!is_huge_zero_folio(fresh->folio))
		thp_fault_clear(vmf, fresh->folio);
	return 0;
}

/* Give back what was prepared and not used. */
static void thp_fault_cancel(struct vm_fault *vmf, struct thp_fresh *fresh)
{
	if (fresh->table)
		pte_free(vmf->vma->vm_mm, fresh->table);
	/* The mm keeps its reference to the zero folio for the next time. */
	if (fresh->folio && !is_huge_zero_folio(fresh->folio))
		folio_put(fresh->folio);
}

static void thp_fault_map(const struct thp_slot *slot, struct thp_fresh *fresh)
{
	if (is_huge_zero_folio(fresh->folio)) {
		thp_map_zero(slot, fresh->folio, fresh->table);
	} else {
		thp_map_anon(slot, fresh->folio, fresh->table);
		thp_count(THP_COUNT_FAULT_ALLOC, HPAGE_PMD_ORDER,
			  fresh->folio);
	}
	fresh->folio = NULL;
	fresh->table = NULL;
}

/* Everything that depends on the slot still being empty. */
static vm_fault_t thp_fault_commit(struct vm_fault *vmf,
				   struct thp_fresh *fresh)
{
	struct thp_slot slot = thp_slot_of_fault(vmf);
	spinlock_t *ptl = thp_slot_lock(&slot);
	vm_fault_t ret = 0;

	if (pmd_none(pmdp_get(slot.pmd))) {
		/* The OOM reaper must not find new memory behind its back. */
		ret = check_stable_address_space(slot.vma->vm_mm);
		if (!ret && userfaultfd_missing(slot.vma))
			fresh->hand_over = true;
		else if (!ret)
			thp_fault_map(&slot, fresh);
	}
	spin_unlock(ptl);
	return ret;
}

/**
 * do_huge_pmd_anonymous_page() - map a huge page where nothing is mapped
 * @vmf: a fault on anonymous memory; its PMD was seen empty
 *
 * A read gets the shared huge zero folio, if that is not turned off; all else
 * a new folio.
 *
 * Context: mmap_lock for reading or the VMA's lock; released when
 *	VM_FAULT_RETRY is returned, as by every fault handler.  May sleep.
 * Return: 0 if there is something now, VM_FAULT_FALLBACK to try smaller pages,
 *	VM_FAULT_OOM, VM_FAULT_SIGBUS if the mm is being reaped, or what
 *	userfaultfd says.
 */
vm_fault_t do_huge_pmd_anonymous_page(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct thp_fresh fresh = {};
	vm_fault_t ret;

	if (!thp_vma_suitable_order(vma, vmf->address, PMD_ORDER))
		return VM_FAULT_FALLBACK;
	ret = vmf_anon_prepare(vmf);
	if (ret)
		return ret;
	khugepaged_enter_vma(vma, vma->vm_flags);

	ret = thp_fault_prepare(vmf, &fresh);
	if (!ret)
		ret = thp_fault_commit(vmf, &fresh);
	thp_fault_cancel(vmf, &fresh);

	/* Sleeps without the mmap_lock; nothing may be held for the slot. */
	if (fresh.hand_over)
		ret = handle_userfault(vmf, VM_UFFD_MISSING);
	return ret;
}
