// SPDX-License-Identifier: GPL-2.0
/*
 * Rights: mprotect(), userfaultfd write protection and NUMA hints on a huge
 * entry.
 *
 * Knows which entries change and what must be flushed.  The entry is never
 * empty in between: NUMA hints come with mmap_lock for reading, and beside them
 * MADV_DONTNEED would pass by an empty slot and leave its memory.
 * Locks: T1 -> T6.
 */
#include <linux/memory-tiers.h>
#include <linux/mm.h>
#include <linux/sched/sysctl.h>
#include <linux/userfaultfd_k.h>

#include <asm/tlb.h>

#include "../../internal.h"
#include "map.h"

/**
 * thp_may_write() - would a write fault do nothing but make the entry writable?
 * @vma: a mapping that may be written
 * @addr: first address that the entry translates
 * @pmd: the entry: present, and not writable
 *
 * Then it can be made so before, and the fault is saved.
 *
 * Context: the slot's lock, whose release makes the answer void.
 * Return: true if it would.
 */
bool thp_may_write(struct vm_area_struct *vma, unsigned long addr, pmd_t pmd)
{
	struct page *page;

	if (WARN_ON_ONCE(!(vma->vm_flags & VM_WRITE)))
		return false;
	/* Faults that somebody waits for: hints, soft-dirty, userfaultfd. */
	if (pmd_protnone(pmd) || pmd_needs_soft_dirty_wp(vma, pmd) ||
	    userfaultfd_huge_pmd_wp(vma, pmd))
		return false;

	/* The filesystem has been told of a write if the entry is dirty. */
	if (vma->vm_flags & VM_SHARED)
		return pmd_dirty(pmd);

	page = vm_normal_page_pmd(vma, addr, pmd);
	return page && PageAnon(page) && PageAnonExclusive(page);
}

/*
 * The rights to write are found out by a fault later, if at all.  A hint would
 * tell nothing of a folio that is on its way already.
 */
static void thp_protect_migration(const struct thp_slot *slot,
				  unsigned long cp_flags)
{
	pmd_t old = pmdp_get(slot->pmd);
	struct thp_attrs attrs;
	pmd_t entry;

	if (cp_flags & MM_CP_PROT_NUMA)
		return;

	attrs = thp_attrs_read(old);
	attrs.write = false;
	if (cp_flags & MM_CP_UFFD_WP)
		attrs.uffd_wp = true;
	else if (cp_flags & MM_CP_UFFD_WP_RESOLVE)
		attrs.uffd_wp = false;

	entry = thp_attrs_migration_pmd(&attrs);
	if (!pmd_same(old, entry))
		thp_entry_set(slot, entry);
}

/* Is it worth a fault to learn who uses the folio? */
static bool thp_protect_hint(struct folio *folio, pmd_t pmd)
{
	if (pmd_protnone(pmd))
		return false;
	/* Only demoted memory is looked for: this is not. */
	if (!(sysctl_numa_balancing_mode & NUMA_BALANCING_NORMAL) &&
	    node_is_toptier(folio_nid(folio)))
		return false;

	/* Between now and the fault: how hot it is. */
	if (folio_use_access_time(folio))
		folio_xchg_access_time(folio, jiffies_to_msecs(jiffies));
	return true;
}

static pmd_t thp_protect_entry(const struct thp_slot *slot, pmd_t old,
			       pgprot_t prot, unsigned long cp_flags)
{
	struct vm_area_struct *vma = slot->vma;
	pmd_t entry = pmd_modify(old, prot);

	/* Resolved is not yet writable: a fault may have to copy first. */
	if (cp_flags & MM_CP_UFFD_WP)
		entry = pmd_mkuffd_wp(entry);
	else if (cp_flags & MM_CP_UFFD_WP_RESOLVE)
		entry = pmd_clear_uffd_wp(entry);

	if ((cp_flags & MM_CP_TRY_CHANGE_WRITABLE) && !pmd_write(entry) &&
	    thp_may_write(vma, slot->addr, entry))
		entry = pmd_mkwrite(entry, vma);
	return entry;
}

static void thp_protect_present(struct mmu_gather *tlb,
				const struct thp_slot *slot, pgprot_t prot,
				unsigned long cp_flags)
{
	/* With the young and dirty bits that hardware sets until then. */
	pmd_t old = pmdp_invalidate_ad(slot->vma, slot->addr, slot->pmd);
	pmd_t entry = thp_protect_entry(slot, old, prot, cp_flags);

	thp_entry_set(slot, entry);
	if (huge_pmd_needs_flush(old, entry))
		tlb_flush_pmd_range(tlb, slot->addr, HPAGE_PMD_SIZE);
}

/**
 * change_huge_pmd() - change the rights of a huge entry
 * @tlb: gathers what must be flushed
 * @vma: the mapping
 * @pmd: the slot, all of which changes
 * @addr: first address that it translates
 * @newprot: protection from now on
 * @cp_flags: MM_CP_*
 *
 * Context: mmap_lock, for reading if MM_CP_PROT_NUMA; between start and end of
 * an mmu notifier.
 * Return: HPAGE_PMD_NR if the rights have changed; 1 if they did not have to; 0,
 * and nothing is done, if the slot holds no huge entry any more.
 */
int change_huge_pmd(struct mmu_gather *tlb, struct vm_area_struct *vma,
		    pmd_t *pmd, unsigned long addr, pgprot_t newprot,
		    unsigned long cp_flags)
{
	const struct thp_slot slot = thp_slot_at(vma, pmd, addr);
	const bool hint = cp_flags & MM_CP_PROT_NUMA;
	bool change = false;
	spinlock_t *ptl;

	tlb_change_page_size(tlb, HPAGE_PMD_SIZE);
	/* Hints are for migration. */
	if (hint && !thp_migration_supported())
		return 1;

	ptl = __pmd_trans_huge_lock(pmd, vma);
	if (!ptl)
		return 0;

	switch (thp_entry_kind(vma, pmdp_get(pmd))) {
	case THP_MIGRATION:
		thp_protect_migration(&slot, cp_flags);
		break;
	case THP_FOLIO:
		change = !hint || thp_protect_hint(pmd_folio(*pmd), *pmd);
		break;
	case THP_ZERO:
	case THP_PFN:
		/* Read from each CPU's cache, or fixed where it is. */
		change = !hint;
		break;
	case THP_TABLE:
	case THP_NONE:
		break;
	}
	if (change)
		thp_protect_present(tlb, &slot, newprot, cp_flags);
	spin_unlock(ptl);
	return change ? HPAGE_PMD_NR : 1;
}
