// SPDX-License-Identifier: GPL-2.0
/*
 * Mremap: a huge entry moves to another address of its mm.
 *
 * Locks: T1 for writing -> T6, old slot first; rmap walks that could meet both
 * slots are kept out by mm/mremap.c where that matters.
 */
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/userfaultfd_k.h>

#include "map.h"

/*
 * Tables are deposited per page of slots, which is what a split lock guards:
 * with another lock the table has to come along.  Some architectures keep more
 * in them, and decide for themselves.
 */
#ifndef pmd_move_must_withdraw
static int pmd_move_must_withdraw(spinlock_t *new_ptl, spinlock_t *old_ptl,
				  struct vm_area_struct *vma)
{
	return vma_is_anonymous(vma) && new_ptl != old_ptl;
}
#endif

/* As it is at the new address: written, as far as soft-dirty is concerned. */
static pmd_t thp_move_entry(struct vm_area_struct *vma, pmd_t entry)
{
	/* Who was told of writes does not know of the new address. */
	bool drop_wp = vma_has_uffd_without_event_remap(vma);

	if (pmd_present(entry)) {
		entry = pmd_mksoft_dirty(entry);
		return drop_wp ? pmd_clear_uffd_wp(entry) : entry;
	}
	entry = pmd_swp_mksoft_dirty(entry);
	return drop_wp ? pmd_swp_clear_uffd_wp(entry) : entry;
}

/**
 * move_huge_pmd() - move a huge entry
 * @vma: the mapping it is in
 * @old_addr: first address it translates now
 * @new_addr: first address it is going to translate
 * @old_pmd: the slot
 * @new_pmd: where it goes
 *
 * Context: mmap_lock for writing; notifier start and end are the caller's.
 * Return: true if it moved; false if the slot holds no huge entry, or the new
 *	one is taken: collapse of a file may have put a page table there.
 */
bool move_huge_pmd(struct vm_area_struct *vma, unsigned long old_addr,
		   unsigned long new_addr, pmd_t *old_pmd, pmd_t *new_pmd)
{
	struct thp_slot src = thp_slot_at(vma, old_pmd, old_addr);
	struct thp_slot dst = thp_slot_at(vma, new_pmd, new_addr);
	spinlock_t *old_ptl, *new_ptl;
	pmd_t entry;

	if (!pmd_none(pmdp_get(new_pmd)))
		return false;
	old_ptl = __pmd_trans_huge_lock(old_pmd, vma);
	if (!old_ptl)
		return false;
	/* Against the order of slots nobody is: mmap_lock is held. */
	new_ptl = pmd_lockptr(vma->vm_mm, new_pmd);
	if (new_ptl != old_ptl)
		spin_lock_nested(new_ptl, SINGLE_DEPTH_NESTING);

	entry = pmdp_huge_get_and_clear(vma->vm_mm, src.addr, old_pmd);
	if (pmd_move_must_withdraw(new_ptl, old_ptl, vma))
		thp_table_move(&dst, &src);
	thp_entry_set(&dst, thp_move_entry(vma, entry));
	/* Before the lock opens, or a write could still come in by the old. */
	if (pmd_present(entry))
		flush_pmd_tlb_range(vma, old_addr, old_addr + PMD_SIZE);

	if (new_ptl != old_ptl)
		spin_unlock(new_ptl);
	spin_unlock(old_ptl);
	return true;
}
