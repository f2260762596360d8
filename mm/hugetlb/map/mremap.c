// SPDX-License-Identifier: GPL-2.0
/*
 * Moving: mremap() of a hugetlb mapping.
 *
 * Brings all memory first, then moves entries, which cannot fail.  Knows ranges
 * and TLB batches; what an entry is, entry.c knows.
 * Locks: mmap_lock for writing; H4, H5 and anon_vma for writing, then H8.
 */

#include "map.h"
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <asm/tlb.h>

/**
 * struct hugetlb_move - one call of mremap()
 * @vma: where the pages are
 * @new_vma: where they go
 * @start: first address in @vma
 * @end: end address in @vma
 * @offset: from an address in @vma to that in @new_vma, may wrap around
 */
struct hugetlb_move {
	struct vm_area_struct	*vma;
	struct vm_area_struct	*new_vma;
	unsigned long		start;
	unsigned long		end;
	unsigned long		offset;
};

/*
 * Outside i_mmap_rwsem, under which building looks for a table to share.
 * mmap_lock keeps faults away: no slot of a private mapping fills up later.
 */
static bool hugetlb_move_build(const struct hugetlb_move *move)
{
	struct hugetlb_vma_lock *lock;
	struct hugetlb_walk src, dst;
	bool built = true;

	lock = hugetlb_vma_lock_read_copy(move->new_vma);
	for_each_hugetlb_entry(&src, move->vma, move->start, move->end) {
		if (huge_pte_none(hugetlb_walk_read(&src)))
			continue;
		built = hugetlb_walk_build(&dst, move->new_vma,
					   src.addr + move->offset);
		if (!built)
			break;
	}
	hugetlb_vma_unlock_read_copy(lock);
	return built;
}

/* i_mmap_rwsem keeps others from joining the table and from leaving it. */
static bool hugetlb_move_unshare(struct mmu_gather *tlb,
				 struct hugetlb_walk *src)
{
	if (!hugetlb_walk_is_shared(src))
		return false;

	hugetlb_walk_lock(src);
	huge_pmd_unshare(tlb, src->vma, src->addr, src->ptep);
	hugetlb_walk_unlock(src);
	return true;
}

static void hugetlb_move_slot(struct mmu_gather *tlb, struct hugetlb_walk *dst,
			      struct hugetlb_walk *src)
{
	pte_t entry = hugetlb_walk_lock_both(dst, src);

	if (!huge_pte_none(entry)) {
		hugetlb_entry_move(dst, src, entry);
		tlb_remove_huge_tlb_entry(src->h, tlb, src->ptep, src->addr);
	}
	hugetlb_walk_unlock_both(dst, src);
}

/*
 * May the slot be moved to this one?  The new table may serve other processes,
 * or have served one since it was built, which left pages of the file in it.
 * Nobody adds any now: i_mmap_rwsem is held.
 */
static bool hugetlb_move_is_free(const struct hugetlb_walk *dst)
{
	return !hugetlb_walk_is_shared(dst) &&
	       huge_pte_none(hugetlb_walk_read(dst));
}

/*
 * The new address uses another process's table, or had one and lost it: the
 * page is found in the file when it is touched there.
 */
static void hugetlb_move_drop(struct mmu_gather *tlb, struct hugetlb_walk *src)
{
	pte_t entry = hugetlb_walk_lock(src);
	struct folio *folio = NULL;

	VM_WARN_ON_ONCE(!huge_pte_none(entry) &&
			!(src->vma->vm_flags & VM_MAYSHARE));

	switch (hugetlb_entry_kind(entry)) {
	case ENTRY_NONE:
		break;
	case ENTRY_PRESENT:
		folio = hugetlb_entry_folio(entry);
		hugetlb_entry_remove(src, folio);
		tlb_remove_huge_tlb_entry(src->h, tlb, src->ptep, src->addr);
		break;
	default:
		hugetlb_entry_clear(src);
		break;
	}
	hugetlb_walk_unlock(src);
	if (folio)
		tlb_remove_page_size(tlb, &folio->page, src->size);
}

static void hugetlb_move_range(struct mmu_gather *tlb,
			       const struct hugetlb_move *move)
{
	struct hugetlb_walk src, dst;

	for_each_hugetlb_entry(&src, move->vma, move->start, move->end) {
		if (hugetlb_move_unshare(tlb, &src))
			hugetlb_walk_skip_table(&src);
		else if (hugetlb_walk_find(&dst, move->new_vma,
					   src.addr + move->offset) &&
			 hugetlb_move_is_free(&dst))
			hugetlb_move_slot(tlb, &dst, &src);
		else
			hugetlb_move_drop(tlb, &src);
	}
}

/*
 * A stale TLB entry of the old address must not outlive these locks: migration
 * and truncation find the page at its new address and flush only that.
 */
static void hugetlb_move_locked(struct mmu_gather *tlb,
				const struct hugetlb_move *move)
{
	struct address_space *mapping = move->vma->vm_file->f_mapping;
	struct anon_vma *anon_vma = move->vma->anon_vma;

	i_mmap_lock_write(mapping);
	if (anon_vma)
		anon_vma_lock_write(anon_vma);

	hugetlb_move_range(tlb, move);
	hugetlb_vma_pass_robbed(move->vma, move->new_vma);
	tlb_flush_mmu_tlbonly(tlb);
	huge_pmd_unshare_flush(tlb, move->vma);

	if (anon_vma)
		anon_vma_unlock_write(anon_vma);
	i_mmap_unlock_write(mapping);
}

/**
 * move_hugetlb_page_tables() - move the entries of a range to another address
 * @vma: where they are
 * @new_vma: where they go, a copy of @vma or of a part of it
 * @old_addr: first address in @vma, aligned to a huge page
 * @new_addr: first address in @new_vma, aligned alike
 * @len: bytes
 *
 * Pages in a table that other processes use are not moved: they come back with
 * the next faults.
 *
 * Context: mmap_lock for writing; takes the VMA lock of @vma, i_mmap_rwsem and
 * the anon_vma lock.
 * Return: the bytes moved: all, or 0 when there is no memory for a table or the
 * notes about promises.
 * The caller widens this int to unsigned long: a length that does not fit is
 * reported as -1, which it reads as "no less than asked for".
 */
int move_hugetlb_page_tables(struct vm_area_struct *vma,
			     struct vm_area_struct *new_vma,
			     unsigned long old_addr, unsigned long new_addr,
			     unsigned long len)
{
	const struct hugetlb_move move = {
		.vma		= vma,
		.new_vma	= new_vma,
		.start		= old_addr,
		.end		= old_addr + len,
		.offset		= new_addr - old_addr,
	};
	struct mmu_notifier_range range;
	struct mmu_gather tlb;
	bool built;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma->vm_mm,
				move.start, move.end);
	adjust_range_if_pmd_sharing_possible(vma, &range.start, &range.end);
	flush_cache_range(vma, range.start, range.end);
	tlb_gather_mmu_vma(&tlb, vma);
	mmu_notifier_invalidate_range_start(&range);

	hugetlb_vma_lock_write(vma);
	built = hugetlb_move_build(&move) &&
		hugetlb_vma_hand_over(vma, new_vma, move.start, move.end);
	if (built)
		hugetlb_move_locked(&tlb, &move);
	hugetlb_vma_unlock_write(vma);

	mmu_notifier_invalidate_range_end(&range);
	tlb_finish_mmu(&tlb);

	if (!built)
		return 0;
	return len > INT_MAX ? -1 : len;
}
