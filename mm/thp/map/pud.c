// SPDX-License-Identifier: GPL-2.0
/*
 * PUDs: device memory mapped by entries as large as a table of PMDs.
 *
 * No folio is ever mapped like this: there is no rmap, counter, deposited table
 * or migration to think of, and whatever is taken away comes back by a fault.
 * One file is enough for all verbs.  Locks: T1 or T4 -> T6, the PUD's.
 */
#include <linux/export.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/pfn_t.h>
#include <linux/vmstat.h>

#include <asm/tlb.h>

#include "../../internal.h"
#include "map.h"

static pud_t thp_pud_mkwrite(pud_t entry, struct vm_area_struct *vma)
{
	entry = pud_mkyoung(pud_mkdirty(entry));
	return vma->vm_flags & VM_WRITE ? pud_mkwrite(entry) : entry;
}

/* Bits are added, none taken away: no flush. */
static void thp_pud_relax(struct vm_area_struct *vma, unsigned long addr,
			  pud_t *pud, pud_t entry, bool dirty)
{
	lockdep_assert_held(pud_lockptr(vma->vm_mm, pud));
	if (pudp_set_access_flags(vma, addr & HPAGE_PUD_MASK, pud, entry,
				  dirty))
		update_mmu_cache_pud(vma, addr, pud);
}

/**
 * __pud_trans_huge_lock() - lock a PUD if it is a huge entry
 * @pud: the slot
 * @vma: the mapping it belongs to
 *
 * Context: mmap_lock or the rmap lock.
 * Return: the lock, taken, for the caller to release; or NULL, nothing locked.
 */
spinlock_t *__pud_trans_huge_lock(pud_t *pud, struct vm_area_struct *vma)
{
	spinlock_t *ptl = pud_lock(vma->vm_mm, pud);

	if (!thp_pud_is_huge(READ_ONCE(*pud))) {
		spin_unlock(ptl);
		ptl = NULL;
	}
	return ptl;
}

/**
 * touch_pud() - note an access to a huge PUD
 * @vma: the mapping
 * @addr: the address accessed
 * @pud: the slot
 * @write: the access is a write, and the entry allows it
 *
 * Context: the slot's lock.
 */
void touch_pud(struct vm_area_struct *vma, unsigned long addr,
	       pud_t *pud, bool write)
{
	pud_t entry = pud_mkyoung(READ_ONCE(*pud));

	thp_pud_relax(vma, addr, pud, write ? pud_mkdirty(entry) : entry,
		      write);
}

/**
 * huge_pud_set_accessed() - note an access that the entry allows
 * @vmf: the fault
 * @orig_pud: the entry as the fault found it
 *
 * Context: mmap_lock or the VMA's.
 */
void huge_pud_set_accessed(struct vm_fault *vmf, pud_t orig_pud)
{
	spinlock_t *ptl = pud_lock(vmf->vma->vm_mm, vmf->pud);

	if (pud_same(READ_ONCE(*vmf->pud), orig_pud))
		touch_pud(vmf->vma, vmf->address, vmf->pud,
			  vmf->flags & FAULT_FLAG_WRITE);
	spin_unlock(ptl);
}

static pud_t thp_pud_make(struct vm_area_struct *vma, pfn_t pfn, bool write)
{
	pgprot_t prot = vma->vm_page_prot;
	pud_t entry;

	/* How the memory may be cached is for the architecture to say. */
	track_pfn_insert(vma, &prot, pfn);
	entry = pud_mkhuge(pfn_t_pud(pfn, prot));
	entry = pfn_t_devmap(pfn) ? pud_mkdevmap(entry) : pud_mkspecial(entry);
	return write ? thp_pud_mkwrite(entry, vma) : entry;
}

/**
 * vmf_insert_pfn_pud() - map device memory by a huge PUD
 * @vmf: the fault
 * @pfn: first page of the memory
 * @write: the fault is a write
 *
 * If the memory is mapped already, by another thread or read-only, a write makes
 * the entry writable.
 *
 * Context: mmap_lock or the VMA's.
 * Return: VM_FAULT_NOPAGE; VM_FAULT_SIGBUS outside of the mapping, or if it is
 *	not one for device memory.
 */
vm_fault_t vmf_insert_pfn_pud(struct vm_fault *vmf, pfn_t pfn, bool write)
{
	unsigned long addr = vmf->address & HPAGE_PUD_MASK;
	struct vm_area_struct *vma = vmf->vma;
	pud_t entry, old;
	spinlock_t *ptl;

	if (addr < vma->vm_start || addr >= vma->vm_end)
		return VM_FAULT_SIGBUS;
	if (WARN_ON_ONCE(!thp_pfn_fits(vma, pfn)))
		return VM_FAULT_SIGBUS;

	entry = thp_pud_make(vma, pfn, write);
	ptl = pud_lock(vma->vm_mm, vmf->pud);
	old = READ_ONCE(*vmf->pud);
	if (pud_none(old)) {
		set_pud_at(vma->vm_mm, addr, vmf->pud, entry);
		update_mmu_cache_pud(vma, addr, vmf->pud);
	} else if (write && thp_pud_is_huge(old) &&
		   !WARN_ON_ONCE(pud_pfn(old) != pfn_t_to_pfn(pfn))) {
		thp_pud_relax(vma, addr, vmf->pud, thp_pud_mkwrite(old, vma),
			      true);
	}
	spin_unlock(ptl);
	return VM_FAULT_NOPAGE;
}
EXPORT_SYMBOL_GPL(vmf_insert_pfn_pud);

static int thp_pud_fork(struct vm_area_struct *vma, unsigned long addr,
			pud_t *src, pud_t *copy)
{
	pud_t entry = READ_ONCE(*src);

	if (!thp_pud_is_huge(entry))
		return -EAGAIN;
	/* A private mapping must not write to the device behind its back. */
	if (is_cow_mapping(vma->vm_flags) && pud_write(entry)) {
		pudp_set_wrprotect(vma->vm_mm, addr, src);
		entry = pud_wrprotect(entry);
	}
	*copy = pud_mkold(entry);
	return 0;
}

/**
 * copy_huge_pud() - give a child what its parent's huge PUD maps
 * @dst_mm: the child
 * @src_mm: the parent
 * @dst_pud: the child's slot, empty
 * @src_pud: the parent's slot
 * @addr: first address both translate
 * @vma: the parent's mapping
 *
 * Context: mmap_lock of both for writing.
 * Return: 0, or -EAGAIN if the slot holds no huge entry.
 */
int copy_huge_pud(struct mm_struct *dst_mm, struct mm_struct *src_mm,
		  pud_t *dst_pud, pud_t *src_pud, unsigned long addr,
		  struct vm_area_struct *vma)
{
	spinlock_t *dst_ptl = pud_lock(dst_mm, dst_pud);
	spinlock_t *src_ptl = pud_lockptr(src_mm, src_pud);
	pud_t entry;
	int err;

	spin_lock_nested(src_ptl, SINGLE_DEPTH_NESTING);
	err = thp_pud_fork(vma, addr, src_pud, &entry);
	/* Both locks: truncation, done with the parent, looks at the child. */
	if (!err)
		set_pud_at(dst_mm, addr, dst_pud, entry);
	spin_unlock(src_ptl);
	spin_unlock(dst_ptl);
	return err;
}

/**
 * zap_huge_pud() - unmap what a huge PUD maps
 * @tlb: gathers the translation
 * @vma: the mapping
 * @pud: the slot
 * @addr: first address it translates; all of it is to go
 *
 * Context: mmap_lock, or the rmap lock of the file; notifier start and end are
 *	the caller's.
 * Return: 1, or 0 if the slot holds no huge entry any more.
 */
int zap_huge_pud(struct mmu_gather *tlb, struct vm_area_struct *vma,
		 pud_t *pud, unsigned long addr)
{
	spinlock_t *ptl = __pud_trans_huge_lock(pud, vma);
	pud_t entry;

	if (!ptl)
		return 0;
	entry = pudp_huge_get_and_clear_full(vma, addr, pud, tlb->fullmm);
	arch_check_zapped_pud(vma, entry);
	tlb_remove_pud_tlb_entry(tlb, pud, addr);
	spin_unlock(ptl);

	/* Only device memory is mapped so: nothing to put. */
	WARN_ON_ONCE(!vma_is_special_huge(vma));
	return 1;
}

/**
 * __split_huge_pud() - have a huge PUD mapped by smaller entries
 * @vma: the mapping
 * @pud: the slot
 * @address: an address it translates
 *
 * The entry goes away; faults bring smaller ones.
 *
 * Context: mmap_lock or the rmap lock of the file; may sleep in notifiers.
 */
void __split_huge_pud(struct vm_area_struct *vma, pud_t *pud,
		      unsigned long address)
{
	unsigned long addr = address & HPAGE_PUD_MASK;
	struct mmu_notifier_range range;
	spinlock_t *ptl;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma->vm_mm, addr,
				addr + HPAGE_PUD_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptl = __pud_trans_huge_lock(pud, vma);
	if (ptl) {
		count_vm_event(THP_SPLIT_PUD);
		pudp_huge_clear_flush(vma, addr, pud);
		spin_unlock(ptl);
	}
	mmu_notifier_invalidate_range_end(&range);
}

/**
 * change_huge_pud() - change the rights of a huge PUD
 * @tlb: gathers the translation
 * @vma: the mapping
 * @pudp: the slot
 * @addr: first address it translates; all of it changes
 * @newprot: what it may be used for from now on
 * @cp_flags: MM_CP_*; there are neither NUMA hints nor write protection by
 *	userfaultfd for device memory
 *
 * Context: mmap_lock; notifier start and end are the caller's.
 * Return: 0 if the slot holds no huge entry any more, 1 if nothing is to be
 *	done, else the number of pages changed.
 */
int change_huge_pud(struct mmu_gather *tlb, struct vm_area_struct *vma,
		    pud_t *pudp, unsigned long addr, pgprot_t newprot,
		    unsigned long cp_flags)
{
	spinlock_t *ptl;
	pud_t old;

	if ((cp_flags & MM_CP_PROT_NUMA) ||
	    WARN_ON_ONCE(cp_flags & MM_CP_UFFD_WP_ALL))
		return 1;

	tlb_change_page_size(tlb, HPAGE_PUD_SIZE);
	ptl = __pud_trans_huge_lock(pudp, vma);
	if (!ptl)
		return 0;
	/* Never empty: who unmaps would take it for nothing, and go on. */
	old = pudp_invalidate(vma, addr, pudp);
	set_pud_at(vma->vm_mm, addr, pudp, pud_modify(old, newprot));
	tlb_flush_pud_range(tlb, addr, HPAGE_PUD_SIZE);
	spin_unlock(ptl);
	return HPAGE_PUD_NR;
}
