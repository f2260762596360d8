// SPDX-License-Identifier: GPL-2.0
/*
 * NUMA hints: an access to a folio whose entry was made inaccessible, to learn
 * which node uses it.
 *
 * Knows how to take the hint back and when to move the folio first; where it
 * should be is told by the scheduler and the memory policy.  Locks: T6, which is
 * not held while the folio moves.
 */
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/sched/numa_balancing.h>

#include "../../internal.h"
#include "map.h"

/**
 * struct thp_hint - what the scheduler is told about one access
 * @nid: where the folio is; NUMA_NO_NODE: there is nothing to tell
 * @last_cpupid: who had the access before this one
 * @flags: TNF_*
 */
struct thp_hint {
	int	nid;
	int	last_cpupid;
	int	flags;
};

/* The entry without the hint; the slot's lock keeps it true. */
static pmd_t thp_hint_entry(const struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	pmd_t pmd = pmd_modify(pmdp_get(vmf->pmd), vma->vm_page_prot);

	if (!pmd_write(pmd) && vma_wants_manual_pte_write_upgrade(vma) &&
	    thp_may_write(vma, vmf->address & HPAGE_PMD_MASK, pmd))
		pmd = pmd_mkwrite(pmd, vma);
	return pmd;
}

static void thp_hint_take_back(const struct vm_fault *vmf)
{
	const struct thp_slot slot = thp_slot_of_fault(vmf);

	thp_entry_set(&slot, pmd_mkyoung(thp_hint_entry(vmf)));
	thp_entry_preload(&slot);
}

/*
 * Should the folio be elsewhere, and can it?
 *
 * Return: the node; the folio is isolated from its LRU then, which keeps a
 * reference to it.  Else NUMA_NO_NODE.
 */
static int thp_hint_target(struct vm_fault *vmf, struct folio *folio,
			   struct thp_hint *hint)
{
	bool writable = pmd_write(thp_hint_entry(vmf));
	int nid;

	hint->nid = folio_nid(folio);
	nid = numa_migrate_check(folio, vmf, vmf->address & HPAGE_PMD_MASK,
				 &hint->flags, writable, &hint->last_cpupid);
	if (nid == NUMA_NO_NODE ||
	    !migrate_misplaced_folio_prepare(folio, vmf->vma, nid))
		return nid;

	hint->flags |= TNF_MIGRATE_FAIL;
	return NUMA_NO_NODE;
}

/* On arrival the folio is mapped with the rights of the mapping: no hint. */
static bool thp_hint_move(struct vm_fault *vmf, struct folio *folio, int nid,
			  struct thp_hint *hint)
{
	if (migrate_misplaced_folio(folio, vmf->vma, nid)) {
		hint->flags |= TNF_MIGRATE_FAIL;
		return false;
	}
	hint->flags |= TNF_MIGRATED;
	hint->nid = nid;
	return true;
}

/* Locks the slot, if it still holds what the fault met. */
static bool thp_hint_lock(struct vm_fault *vmf)
{
	vmf->ptl = pmd_lock(vmf->vma->vm_mm, vmf->pmd);
	if (pmd_same(pmdp_get(vmf->pmd), vmf->orig_pmd))
		return true;
	spin_unlock(vmf->ptl);
	return false;
}

/**
 * do_huge_pmd_numa_page() - handle an access to a huge entry with a NUMA hint
 * @vmf: the fault; @vmf->orig_pmd is the entry it met
 *
 * Context: mmap_lock or the VMA lock for reading; may sleep.
 * Return: 0: the access is to be tried again.
 */
vm_fault_t do_huge_pmd_numa_page(struct vm_fault *vmf)
{
	struct thp_hint hint = { .nid = NUMA_NO_NODE };
	int target = NUMA_NO_NODE;
	struct folio *folio;

	if (!thp_hint_lock(vmf))
		return 0;
	folio = vm_normal_folio_pmd(vmf->vma, vmf->address & HPAGE_PMD_MASK,
				    vmf->orig_pmd);
	if (folio)
		target = thp_hint_target(vmf, folio, &hint);
	if (target == NUMA_NO_NODE)
		thp_hint_take_back(vmf);
	spin_unlock(vmf->ptl);

	if (target != NUMA_NO_NODE &&
	    !thp_hint_move(vmf, folio, target, &hint)) {
		/* Whoever changed the entry meanwhile has dealt with it. */
		if (!thp_hint_lock(vmf))
			return 0;
		thp_hint_take_back(vmf);
		spin_unlock(vmf->ptl);
	}

	if (hint.nid != NUMA_NO_NODE)
		task_numa_fault(hint.last_cpupid, hint.nid, HPAGE_PMD_NR,
				hint.flags);
	return 0;
}
