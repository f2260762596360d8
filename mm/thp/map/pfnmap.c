// SPDX-License-Identifier: GPL-2.0
/*
 * Device memory in huge entries: DAX and other drivers insert it, gup looks it
 * up.
 *
 * Knows which mappings may have it, and that nothing of it is counted; pud.c has
 * the same for PUDs.  Locks: T6.
 */
#include <linux/export.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/pfn_t.h>

#include <asm/pgalloc.h>

#include "../../internal.h"
#include "map.h"

/**
 * thp_pfn_fits() - may a mapping have an entry for device memory?
 * @vma: the mapping
 * @pfn: the memory
 *
 * A mapping is of memory with struct pages or without; and it never copies what
 * has none.  Device memory that knows its struct pages needs no such mapping.
 *
 * Context: any.
 * Return: true if it may.
 */
bool thp_pfn_fits(const struct vm_area_struct *vma, pfn_t pfn)
{
	switch (vma->vm_flags & (VM_PFNMAP | VM_MIXEDMAP)) {
	case 0:
		return pfn_t_devmap(pfn);
	case VM_PFNMAP:
		return !is_cow_mapping(vma->vm_flags);
	case VM_MIXEDMAP:
		return true;
	default:
		return false;
	}
}

static pmd_t thp_pfn_entry(const struct vm_fault *vmf, pfn_t pfn, bool write)
{
	pgprot_t prot = vmf->vma->vm_page_prot;
	pmd_t entry;

	/* Caching as the memory is known to need it. */
	track_pfn_insert(vmf->vma, &prot, pfn);
	entry = pmd_mkhuge(pfn_t_pmd(pfn, prot));
	entry = pfn_t_devmap(pfn) ? pmd_mkdevmap(entry) : pmd_mkspecial(entry);
	if (write)
		entry = maybe_pmd_mkwrite(pmd_mkyoung(pmd_mkdirty(entry)),
					  vmf->vma);
	return entry;
}

/*
 * Somebody else's fault was faster; all that may be left to do is to let this
 * one write.  Where a file has grown, its huge zero folio is in the way: the
 * caller takes it out and comes again.
 */
static void thp_pfn_again(const struct thp_slot *slot, pfn_t pfn, bool write)
{
	pmd_t old = pmdp_get(slot->pmd);

	if (!write || !pmd_leaf(old))
		return;
	if (pmd_pfn(old) == pfn_t_to_pfn(pfn))
		thp_entry_make_writable(slot);
	else
		WARN_ON_ONCE(!is_huge_zero_pmd(old));
}

/**
 * vmf_insert_pfn_pmd() - map device memory by one entry
 * @vmf: the fault
 * @pfn: first page, aligned to a PMD
 * @write: let it be written, if the mapping allows
 *
 * Context: mmap_lock or the VMA lock for reading; may sleep.
 * Return: VM_FAULT_NOPAGE: mapped, by this fault or another one;
 * VM_FAULT_SIGBUS: not within the mapping, or not of its kind; VM_FAULT_OOM.
 */
vm_fault_t vmf_insert_pfn_pmd(struct vm_fault *vmf, pfn_t pfn, bool write)
{
	const struct thp_slot slot = thp_slot_of_fault(vmf);
	pgtable_t table = NULL;
	spinlock_t *ptl;
	pmd_t entry;

	if (WARN_ON_ONCE(!thp_pfn_fits(slot.vma, pfn)))
		return VM_FAULT_SIGBUS;
	if (slot.addr < slot.vma->vm_start || slot.addr >= slot.vma->vm_end)
		return VM_FAULT_SIGBUS;

	if (arch_needs_pgtable_deposit()) {
		table = pte_alloc_one(slot.vma->vm_mm);
		if (!table)
			return VM_FAULT_OOM;
	}

	entry = thp_pfn_entry(vmf, pfn, write);
	ptl = thp_slot_lock(&slot);
	if (pmd_none(pmdp_get(slot.pmd))) {
		thp_entry_install(&slot, entry, table);
		thp_entry_preload(&slot);
		table = NULL;
	} else {
		thp_pfn_again(&slot, pfn, write);
	}
	spin_unlock(ptl);

	if (table)
		pte_free(slot.vma->vm_mm, table);
	return VM_FAULT_NOPAGE;
}
EXPORT_SYMBOL_GPL(vmf_insert_pfn_pmd);

/**
 * follow_devmap_pmd() - find the page of device memory behind an address
 * @vma: the mapping
 * @addr: the address
 * @pmd: the slot, locked
 * @flags: FOLL_*: FOLL_GET or FOLL_PIN to get the page; FOLL_WRITE to look for
 *	one that may be written; FOLL_TOUCH to note an access
 * @pgmap: the device's, or NULL; on return that of the page, for the caller to
 *	put, so that the next page of the same device costs less
 *
 * Context: the slot's lock.
 * Return: the page, with a reference or pinned; NULL if the slot does not hold
 * device memory with struct pages, or it may not be written; -EEXIST if it does,
 * but nobody would hold the page; -EFAULT if the device is going; -ENOMEM if the
 * page's references do not allow another one; -EREMOTEIO if it may not be used
 * here.
 */
struct page *follow_devmap_pmd(struct vm_area_struct *vma, unsigned long addr,
			       pmd_t *pmd, int flags,
			       struct dev_pagemap **pgmap)
{
	unsigned long offset = (addr & ~HPAGE_PMD_MASK) >> PAGE_SHIFT;
	pmd_t entry = pmdp_get(pmd);
	unsigned long pfn;
	int err;

	lockdep_assert_held(pmd_lockptr(vma->vm_mm, pmd));
	if (!pmd_present(entry) || !pmd_devmap(entry))
		return NULL;
	if ((flags & FOLL_WRITE) && !pmd_write(entry))
		return NULL;
	if (flags & FOLL_TOUCH)
		touch_pmd(vma, addr, pmd, flags & FOLL_WRITE);
	if (!(flags & (FOLL_GET | FOLL_PIN)))
		return ERR_PTR(-EEXIST);

	/* Without it the struct pages could go before they are held. */
	pfn = pmd_pfn(entry) + offset;
	*pgmap = get_dev_pagemap(pfn, *pgmap);
	if (!*pgmap)
		return ERR_PTR(-EFAULT);
	err = try_grab_folio(pfn_folio(pfn), 1, flags);
	return err ? ERR_PTR(err) : pfn_to_page(pfn);
}
