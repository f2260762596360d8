// SPDX-License-Identifier: GPL-2.0
/*
 * Fork: a child gets the huge entries of its parent.
 *
 * Only anonymous memory has to be copied, and device memory that no fault could
 * bring back; the rest a child finds in the file.  Both lose the right to write,
 * so that the first of them who does gets a copy.
 * Locks: T1 for writing, of both -> T6, the child's slot first.
 */
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/rmap.h>
#include <linux/userfaultfd_k.h>

#include <asm/pgalloc.h>

#include "map.h"

/*
 * The slot of the child comes with a table of its own, or NULL.  Others get copies
 * of the slots, so that the compiler may keep all of this in registers.
 */
struct thp_fork {
	struct thp_slot	dst;
	struct thp_slot	src;
	pgtable_t	table;
};

/* What ends well ends here: the child has the table then, if there is one. */
static void thp_fork_install(struct thp_fork *fork, pmd_t entry)
{
	struct thp_slot dst = fork->dst;

	thp_entry_install(&dst, entry, fork->table);
}

/* Such an entry changes only under the mmap_lock, which is held. */
static bool thp_fork_is_special(pmd_t entry)
{
	return pmd_present(entry) && pmd_special(entry);
}

/* Device memory: nothing is counted, and the parent's entry stays as it is. */
static int thp_fork_special(struct thp_fork *fork, pmd_t entry)
{
	VM_WARN_ON_ONCE(is_cow_mapping(fork->src.vma->vm_flags) &&
			pmd_write(entry));
	thp_fork_install(fork, pmd_mkold(entry));
	return 0;
}

/* Memory that both may read from now on; its rmap has been seen to. */
static __always_inline int thp_fork_share(struct thp_fork *fork, pmd_t entry)
{
	struct thp_slot *src = &fork->src;

	/* No notifier: a secondary MMU that wants to write asks for a fault. */
	pmdp_set_wrprotect(src->vma->vm_mm, src->addr, src->pmd);
	entry = pmd_mkold(pmd_wrprotect(entry));
	if (!userfaultfd_wp(fork->dst.vma))
		entry = pmd_clear_uffd_wp(entry);
	thp_fork_install(fork, entry);
	return 0;
}

/* Of files no folio comes here. */
static void thp_fork_count(const struct thp_fork *fork)
{
	add_mm_counter(fork->dst.vma->vm_mm, MM_ANONPAGES, HPAGE_PMD_NR);
}

static int thp_fork_folio(struct thp_fork *fork, pmd_t entry)
{
	struct folio *folio = pmd_folio(entry);

	/* A device may be writing to it on behalf of the parent. */
	if (folio_try_dup_anon_rmap_pmd(folio, pmd_page(entry),
					fork->src.vma))
		return -EBUSY;
	folio_get(folio);
	thp_fork_count(fork);
	return thp_fork_share(fork, entry);
}

/* When it arrives, it finds two readers. */
static int thp_fork_migration(struct thp_fork *fork, pmd_t entry)
{
	struct thp_attrs attrs = thp_attrs_read(entry);
	struct thp_slot src = fork->src;

	if (attrs.write || attrs.exclusive) {
		attrs.write = false;
		attrs.exclusive = false;
		thp_entry_set(&src, thp_attrs_migration_pmd(&attrs));
	}
	thp_fork_count(fork);
	if (!userfaultfd_wp(fork->dst.vma))
		attrs.uffd_wp = false;
	thp_fork_install(fork, thp_attrs_migration_pmd(&attrs));
	return 0;
}

/* Returns -EAGAIN if small pages are to be copied, -EBUSY if pinned. */
static int thp_fork_entry(struct thp_fork *fork, pmd_t entry)
{
	struct thp_slot *src = &fork->src;

	switch (thp_entry_kind(src->vma, entry)) {
	case THP_ZERO:
		/* The parent has it, so that this cannot fail. */
		mm_get_huge_zero_folio(fork->dst.vma->vm_mm);
		return thp_fork_share(fork, entry);
	case THP_FOLIO:
		return thp_fork_folio(fork, entry);
	case THP_MIGRATION:
		return thp_fork_migration(fork, entry);
	case THP_PFN:
		return thp_fork_special(fork, entry);
	case THP_NONE:
	case THP_TABLE:
		break;
	}
	return -EAGAIN;
}

static int thp_fork_locked(struct thp_fork *fork)
{
	struct thp_slot *src = &fork->src;
	spinlock_t *dst_ptl, *src_ptl;
	int err;

	dst_ptl = thp_slot_lock(&fork->dst);
	src_ptl = pmd_lockptr(src->vma->vm_mm, src->pmd);
	spin_lock_nested(src_ptl, SINGLE_DEPTH_NESTING);
	err = thp_fork_entry(fork, pmdp_get(src->pmd));
	spin_unlock(src_ptl);
	spin_unlock(dst_ptl);
	return err;
}

/**
 * copy_huge_pmd() - give a child what its parent's huge entry maps
 * @dst_mm: the child
 * @src_mm: the parent
 * @dst_pmd: the child's slot, empty
 * @src_pmd: the parent's slot, seen to hold a huge entry
 * @addr: the first address that both translate
 * @dst_vma: the child's mapping
 * @src_vma: the parent's mapping
 *
 * A pinned folio has to stay with the parent, page by page: its mapping is
 * split.
 *
 * Context: mmap_lock of both for writing.  May sleep.
 * Return: 0 if the child has it or will find it when it faults, -EAGAIN if the
 *	slot holds a page table to be copied, or nothing; -ENOMEM.
 */
int copy_huge_pmd(struct mm_struct *dst_mm, struct mm_struct *src_mm,
		  pmd_t *dst_pmd, pmd_t *src_pmd, unsigned long addr,
		  struct vm_area_struct *dst_vma,
		  struct vm_area_struct *src_vma)
{
	struct thp_fork fork = {
		.dst = { .vma = dst_vma, .pmd = dst_pmd, .addr = addr },
		.src = { .vma = src_vma, .pmd = src_pmd, .addr = addr },
	};
	int err;

	if (vma_is_anonymous(dst_vma)) {
		fork.table = pte_alloc_one(dst_mm);
		if (!fork.table)
			return -ENOMEM;
	} else if (!thp_fork_is_special(pmdp_get_lockless(src_pmd))) {
		return 0;
	}

	err = thp_fork_locked(&fork);
	if (!err)
		return 0;
	if (fork.table)
		pte_free(dst_mm, fork.table);
	if (err == -EBUSY)
		__split_huge_pmd(src_vma, src_pmd, addr, false, NULL);
	return -EAGAIN;
}
