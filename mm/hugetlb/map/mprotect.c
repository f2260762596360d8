// SPDX-License-Identifier: GPL-2.0
/*
 * Rights: mprotect() and userfaultfd write protection of a hugetlb mapping.
 *
 * Knows which entries of a range change and what must be flushed; the bits are
 * entry.c's.  Locks: mmap_lock; H4 and H5 for writing, then H8.
 */

#include "map.h"
#include <linux/mmu_notifier.h>
#include <linux/sched.h>
#include <asm/tlb.h>

/**
 * struct hugetlb_protect - one change of rights
 * @tlb: gathers what must be flushed
 * @prot: protection from now on
 * @cp_flags: MM_CP_UFFD_WP, MM_CP_UFFD_WP_RESOLVE, or neither of them
 * @changed: entries changed so far; an unshared table counts as one
 */
struct hugetlb_protect {
	struct mmu_gather	*tlb;
	pgprot_t		prot;
	unsigned long		cp_flags;
	long			changed;
};

/* The page must come back without the right to write, as it would be now. */
static swp_entry_t hugetlb_protect_migrating(swp_entry_t swp)
{
	if (PageAnon(pfn_swap_entry_to_page(swp)))
		return make_readable_exclusive_migration_entry(swp_offset(swp));
	return make_readable_migration_entry(swp_offset(swp));
}

static void hugetlb_protect_migration(struct hugetlb_protect *p,
				      struct hugetlb_walk *w, pte_t old)
{
	swp_entry_t swp = pte_to_swp_entry(old);
	pte_t entry = old;

	if (is_writable_migration_entry(swp)) {
		entry = swp_entry_to_pte(hugetlb_protect_migrating(swp));
		p->changed++;
	}

	if (p->cp_flags & MM_CP_UFFD_WP)
		entry = pte_swp_mkuffd_wp(entry);
	else if (p->cp_flags & MM_CP_UFFD_WP_RESOLVE)
		entry = pte_swp_clear_uffd_wp(entry);
	if (!pte_same(entry, old))
		hugetlb_entry_set(w, entry);
}

static void hugetlb_protect_slot(struct hugetlb_protect *p,
				 struct hugetlb_walk *w, pte_t entry)
{
	switch (hugetlb_entry_kind(entry)) {
	case ENTRY_NONE:
		if (p->cp_flags & MM_CP_UFFD_WP)
			hugetlb_entry_set(w,
					  make_pte_marker(PTE_MARKER_UFFD_WP));
		break;
	case ENTRY_UFFD_WP:
		if (p->cp_flags & MM_CP_UFFD_WP_RESOLVE)
			hugetlb_entry_clear(w);
		break;
	case ENTRY_POISON:
	case ENTRY_HWPOISON:
		/* No access is allowed, whatever the rights are. */
		break;
	case ENTRY_MIGRATION:
		hugetlb_protect_migration(p, w, entry);
		break;
	case ENTRY_PRESENT:
		hugetlb_entry_protect(w, p->prot, p->cp_flags);
		tlb_remove_huge_tlb_entry(w->h, p->tlb, w->ptep, w->addr);
		p->changed++;
		break;
	}
}

static void hugetlb_protect_range(struct hugetlb_protect *p,
				  struct vm_area_struct *vma,
				  unsigned long start, unsigned long end)
{
	struct hugetlb_walk w;
	pte_t entry;

	for_each_hugetlb_entry(&w, vma, start, end) {
		entry = hugetlb_walk_lock(&w);
		if (huge_pmd_unshare(p->tlb, vma, w.addr, w.ptep)) {
			/* A mapping watched by userfaultfd-wp never shares. */
			VM_WARN_ON_ONCE(p->cp_flags & MM_CP_UFFD_WP_ALL);
			p->changed++;
			hugetlb_walk_unlock(&w);
			hugetlb_walk_skip_table(&w);
			continue;
		}
		hugetlb_protect_slot(p, &w, entry);
		hugetlb_walk_unlock(&w);
		cond_resched();
	}
}

/* Secondary MMUs were told before the first entry: no page is a new one. */
static void hugetlb_protect_locked(struct hugetlb_protect *p,
				   struct vm_area_struct *vma,
				   unsigned long start, unsigned long end)
{
	struct address_space *mapping = vma->vm_file->f_mapping;

	i_mmap_lock_write(mapping);
	hugetlb_protect_range(p, vma, start, end);
	tlb_flush_mmu_tlbonly(p->tlb);
	huge_pmd_unshare_flush(p->tlb, vma);
	i_mmap_unlock_write(mapping);
}

/**
 * hugetlb_change_protection() - change the rights of a range
 * @vma: a hugetlb mapping
 * @address: first address, aligned to a huge page
 * @end: end address, above @address
 * @newprot: protection from now on
 * @cp_flags: MM_CP_UFFD_WP to write-protect for userfaultfd, also where no page
 *	is yet; MM_CP_UFFD_WP_RESOLVE to undo that; neither for mprotect()
 *
 * Context: mmap_lock; takes the VMA lock and i_mmap_rwsem for writing.
 * Return: how many base pages had their rights changed, or -ENOMEM without
 * memory for the tables that markers need; then nothing has changed.
 */
long hugetlb_change_protection(struct vm_area_struct *vma,
			       unsigned long address, unsigned long end,
			       pgprot_t newprot, unsigned long cp_flags)
{
	struct mmu_notifier_range range;
	struct hugetlb_protect p = {
		.prot		= newprot,
		.cp_flags	= cp_flags,
	};
	struct mmu_gather tlb;
	bool built = true;

	if (WARN_ON_ONCE(address >= end))
		return 0;

	mmu_notifier_range_init(&range, MMU_NOTIFY_PROTECTION_VMA, 0,
				vma->vm_mm, address, end);
	adjust_range_if_pmd_sharing_possible(vma, &range.start, &range.end);
	flush_cache_range(vma, range.start, range.end);
	tlb_gather_mmu_vma(&tlb, vma);
	p.tlb = &tlb;
	mmu_notifier_invalidate_range_start(&range);

	hugetlb_vma_lock_write(vma);
	if (cp_flags & MM_CP_UFFD_WP)
		built = hugetlb_walk_build_range(vma, address, end);
	if (built)
		hugetlb_protect_locked(&p, vma, address, end);
	hugetlb_vma_unlock_write(vma);

	mmu_notifier_invalidate_range_end(&range);
	tlb_finish_mmu(&tlb);
	return built ? p.changed << huge_page_order(hstate_vma(vma)) : -ENOMEM;
}
