// SPDX-License-Identifier: GPL-2.0
/*
 * Fork: a child gets what its parent's page tables hold.
 *
 * Knows which pages a child may share and which it needs a copy of; what an
 * entry of each kind becomes is in entry.c.  Promises stay with the parent.
 * Locks: mmap_lock of both mms for writing; H4 of both if shared; H8 of both.
 */

#include "map.h"
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/sched/signal.h>
#include <linux/seqlock.h>
#include <linux/userfaultfd_k.h>

/* A copy of @folio for the child, which no promise of its parent pays for. */
static int hugetlb_fork_claim(struct hugetlb_claim *claim,
			      const struct hugetlb_walk *to,
			      struct folio *folio)
{
	struct vm_area_struct *vma = to->vma;
	int err;

	hugetlb_claim_init(claim, file_inode(vma->vm_file), NULL,
			   hugetlb_linear_page_index(vma, to->addr));
	hugetlb_claim_place(claim, vma, to->addr);
	err = hugetlb_claim_prepare(claim);
	if (err)
		return err;

	err = copy_user_large_folio(claim->folio, folio, to->addr, vma);
	if (err) {
		hugetlb_claim_cancel(claim);
		return err;
	}
	__folio_mark_uptodate(claim->folio);
	return 0;
}

/*
 * Somebody has pinned the parent's page and must go on seeing the parent's
 * writes: the page stays the parent's alone, the child is given a copy now.
 *
 * Return: 0; -EAGAIN when the parent's slot changed during the copy, or a page
 *	is on its way back to the pool; else why there is no copy.
 */
static int hugetlb_fork_early_copy(struct hugetlb_walk *to,
				   struct hugetlb_walk *from, pte_t entry)
{
	unsigned int flags = ENTRY_ANON;
	struct hugetlb_claim claim;
	int err;

	/* The page may have been pinned before mprotect() took this right. */
	if (to->vma->vm_flags & VM_WRITE)
		flags |= ENTRY_WRITE;
	if (userfaultfd_wp(to->vma) && huge_pte_uffd_wp(entry))
		flags |= ENTRY_WP;

	err = hugetlb_fork_claim(&claim, to, hugetlb_entry_folio(entry));
	if (err)
		return err;

	err = -EAGAIN;
	if (pte_same(hugetlb_walk_lock_both(to, from), entry)) {
		hugetlb_entry_install(to, claim.folio, flags);
		folio_set_hugetlb_migratable(claim.folio);
		err = 0;
	}
	hugetlb_walk_unlock_both(to, from);

	if (err)
		hugetlb_claim_cancel(&claim);
	else
		hugetlb_claim_commit(&claim);
	return err;
}

/* May the child map the page, too?  Takes rmap and reference for it. */
static bool hugetlb_fork_share(struct hugetlb_walk *from, struct folio *folio)
{
	if (!folio_test_anon(folio))
		hugetlb_add_file_rmap(folio);
	else if (hugetlb_try_dup_anon_rmap(folio, from->vma))
		return false;
	folio_get(folio);
	return true;
}

/* Return: as hugetlb_fork_early_copy(), -EAGAIN to look at the slot again. */
static int hugetlb_fork_look(struct hugetlb_walk *to,
			     struct hugetlb_walk *from, bool cow)
{
	pte_t entry = hugetlb_walk_lock_both(to, from);
	struct folio *pinned = NULL;
	int err;

	if (hugetlb_entry_kind(entry) == ENTRY_PRESENT &&
	    !hugetlb_fork_share(from, hugetlb_entry_folio(entry))) {
		pinned = hugetlb_entry_folio(entry);
		folio_get(pinned);
	} else {
		hugetlb_entry_copy(to, from, entry, cow);
	}
	hugetlb_walk_unlock_both(to, from);

	if (!pinned)
		return 0;
	err = hugetlb_fork_early_copy(to, from, entry);
	folio_put(pinned);
	return err;
}

/* Sleeps: whoever brings the page back may be of lower priority. */
static int hugetlb_fork_slot(struct hugetlb_walk *to,
			     struct hugetlb_walk *from, bool cow)
{
	int err = hugetlb_fork_look(to, from, cow);

	while (err == -EAGAIN) {
		if (fatal_signal_pending(current))
			return -EINTR;
		schedule_timeout_killable(1);
		err = hugetlb_fork_look(to, from, cow);
	}
	return err;
}

static int hugetlb_fork_range(struct vm_area_struct *dst_vma,
			      struct vm_area_struct *src_vma, bool cow)
{
	struct hugetlb_walk from, to = { };
	int err;

	for_each_hugetlb_entry(&from, src_vma, src_vma->vm_start,
			       src_vma->vm_end) {
		if (!hugetlb_walk_follow(&to, from.addr) &&
		    !hugetlb_walk_build(&to, dst_vma, from.addr))
			return -ENOMEM;
		/* The child found a table that others fill, too. */
		if (hugetlb_walk_is_shared(&to)) {
			hugetlb_walk_skip_table(&from);
			continue;
		}
		err = hugetlb_fork_slot(&to, &from, cow);
		if (err)
			return err;
	}
	return 0;
}

static int hugetlb_fork_private(struct vm_area_struct *dst_vma,
				struct vm_area_struct *src_vma)
{
	struct mm_struct *mm = src_vma->vm_mm;
	struct mmu_notifier_range range;
	int err;

	vma_assert_write_locked(src_vma);
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm,
				src_vma->vm_start, src_vma->vm_end);
	mmu_notifier_invalidate_range_start(&range);
	/* Lockless pinning must not slip in between test and write-protect. */
	raw_write_seqcount_begin(&mm->write_protect_seq);

	err = hugetlb_fork_range(dst_vma, src_vma, true);

	raw_write_seqcount_end(&mm->write_protect_seq);
	mmu_notifier_invalidate_range_end(&range);

	/* A page that an owner took away meanwhile has left no other trace. */
	hugetlb_vma_pass_robbed(src_vma, dst_vma);
	return err;
}

/**
 * copy_hugetlb_page_range() - fork a hugetlb mapping
 * @dst: address space of the child
 * @src: that of the parent
 * @dst_vma: the child's mapping
 * @src_vma: the parent's
 *
 * Context: mmap_lock of both for writing; the child is not yet running.  Takes
 *	the VMA locks of shared mappings.  May sleep.
 * Return: 0; -ENOMEM or -ENOSPC without a table or a page, -EHWPOISON when a
 *	page could not be read, -EINTR when the task is killed while it waits
 *	for one.  What was copied so far is the child's to unmap.
 */
int copy_hugetlb_page_range(struct mm_struct *dst, struct mm_struct *src,
			    struct vm_area_struct *dst_vma,
			    struct vm_area_struct *src_vma)
{
	struct hugetlb_vma_lock *lock;
	int err;

	if (is_cow_mapping(src_vma->vm_flags))
		return hugetlb_fork_private(dst_vma, src_vma);

	hugetlb_vma_lock_read(src_vma);
	lock = hugetlb_vma_lock_read_copy(dst_vma);
	err = hugetlb_fork_range(dst_vma, src_vma, false);
	hugetlb_vma_unlock_read_copy(lock);
	hugetlb_vma_unlock_read(src_vma);
	return err;
}
