// SPDX-License-Identifier: GPL-2.0
/*
 * userfaultfd: a monitor fills the slots that faults found empty.
 *
 * UFFDIO_COPY brings a new page, UFFDIO_CONTINUE maps one that the file has,
 * UFFDIO_POISON leaves a memory error.  Knows these three; who waits for them
 * is known to fs/userfaultfd.c.  Locks: H3 and H4 by the caller, H8 in here.
 */

#include "map.h"
#include <linux/mempolicy.h>
#include <linux/rmap.h>
#include <linux/userfaultfd_k.h>

static unsigned int hugetlb_uffd_entry_flags(const struct hugetlb_walk *w,
					     uffd_flags_t flags)
{
	if (flags & MFILL_ATOMIC_WP)
		return ENTRY_WP;
	return w->vma->vm_flags & VM_WRITE ? ENTRY_WRITE : 0;
}

/*
 * Somebody wrote the page: where it may not be written here, which would make
 * the entry dirty, that is still to be remembered.
 */
static void hugetlb_uffd_install(struct hugetlb_walk *w, struct folio *folio,
				 unsigned int flags)
{
	hugetlb_entry_install(w, folio, flags);
	if (!(flags & ENTRY_WRITE))
		hugetlb_entry_set(w, huge_pte_mkdirty(hugetlb_walk_read(w)));
	if (flags & ENTRY_ANON)
		folio_set_hugetlb_migratable(folio);
	update_mmu_cache(w->vma, w->addr, w->ptep);
}

/*
 * Markers may be overwritten: they stand where no page was, and here is one.
 *
 * Return: 0, and the slot has the caller's reference; -EIO, -EEXIST.
 */
static int hugetlb_uffd_map(struct hugetlb_walk *w, struct folio *folio,
			    unsigned int flags)
{
	pte_t entry = hugetlb_walk_lock(w);
	int err = 0;

	if (folio_test_hwpoison(folio))
		err = -EIO;
	else if (!huge_pte_none_mostly(entry))
		err = -EEXIST;
	else
		hugetlb_uffd_install(w, folio, flags);
	hugetlb_walk_unlock(w);
	return err;
}

/* Map a page of the file.  Takes over its lock and reference. */
static int hugetlb_uffd_map_file(struct hugetlb_walk *w, struct folio *folio,
				 unsigned int flags)
{
	int err = hugetlb_uffd_map(w, folio, flags);

	folio_unlock(folio);
	if (err)
		folio_put(folio);
	return err;
}

static int hugetlb_uffd_poison(struct hugetlb_walk *w)
{
	pte_t entry = hugetlb_walk_lock(w);
	int err = -EEXIST;

	/* Not even over a marker: it may be the only note of something. */
	if (hugetlb_entry_kind(entry) == ENTRY_NONE) {
		hugetlb_entry_set(w, make_pte_marker(PTE_MARKER_POISONED));
		update_mmu_cache(w->vma, w->addr, w->ptep);
		err = 0;
	}
	hugetlb_walk_unlock(w);
	return err;
}

static int hugetlb_uffd_continue(struct hugetlb_walk *w, uffd_flags_t flags)
{
	struct address_space *mapping = w->vma->vm_file->f_mapping;
	unsigned int entry_flags = hugetlb_uffd_entry_flags(w, flags);
	pgoff_t hindex = hugetlb_linear_page_index(w->vma, w->addr);
	struct folio *folio;

	folio = filemap_lock_hugetlb_folio(w->h, mapping, hindex);
	if (IS_ERR(folio))
		return -EFAULT;
	WARN_ON_ONCE(!folio_test_uptodate(folio));

	/* A private mapping copies the file's page when it is written. */
	if (!(w->vma->vm_flags & VM_MAYSHARE))
		entry_flags &= ~ENTRY_WRITE;
	return hugetlb_uffd_map_file(w, folio, entry_flags);
}

/* -ENOENT: the source is not in memory, and no fault is allowed here. */
static int hugetlb_uffd_fill(struct hugetlb_walk *w, struct folio *folio,
			     unsigned long src_addr, struct folio *buffer)
{
	const void __user *src = (const void __user *)src_addr;
	int err = 0;

	if (buffer)
		err = copy_user_large_folio(folio, buffer, w->addr, w->vma);
	else if (copy_folio_from_user(folio, src, false))
		err = -ENOENT;
	if (!err)
		__folio_mark_uptodate(folio);
	return err;
}

/* Commits or cancels the claim, whose page is filled. */
static int hugetlb_uffd_place(struct hugetlb_walk *w,
			      struct hugetlb_claim *claim, unsigned int flags)
{
	int err;

	if (w->vma->vm_flags & VM_MAYSHARE) {
		err = hugetlb_fault_publish(claim, w->vma->vm_file->f_mapping);
		if (err)
			return err;
		return hugetlb_uffd_map_file(w, claim->folio, flags);
	}

	err = hugetlb_uffd_map(w, claim->folio, flags | ENTRY_ANON);
	if (err)
		hugetlb_claim_cancel(claim);
	else
		hugetlb_claim_commit(claim);
	return err;
}

/* @buffer has the data if a first attempt could not read @src_addr. */
static int hugetlb_uffd_copy(struct hugetlb_walk *w, unsigned long src_addr,
			     uffd_flags_t flags, struct folio *buffer)
{
	struct vm_area_struct *vma = w->vma;
	struct hugetlb_claim claim;
	int err;

	if ((vma->vm_flags & VM_MAYSHARE) &&
	    hugetlbfs_pagecache_present(w->h, vma, w->addr))
		return -EEXIST;

	hugetlb_claim_init(&claim, file_inode(vma->vm_file),
			   hugetlb_vma_resv_map(vma),
			   hugetlb_linear_page_index(vma, w->addr));
	hugetlb_claim_place(&claim, vma, w->addr);
	err = hugetlb_claim_prepare(&claim);
	if (err)
		return err == -EAGAIN ? -EAGAIN : -ENOMEM;

	err = hugetlb_uffd_fill(w, claim.folio, src_addr, buffer);
	if (err) {
		hugetlb_claim_cancel(&claim);
		return err;
	}
	return hugetlb_uffd_place(w, &claim, hugetlb_uffd_entry_flags(w, flags));
}

/*
 * A page to keep the data in until the locks are taken again.  It belongs to no
 * slot and takes nothing that was promised; what the slot had went back.
 */
static struct folio *hugetlb_uffd_buffer(struct hugetlb_walk *w)
{
	gfp_t gfp = htlb_alloc_mask(w->h);
	struct mempolicy *policy;
	struct folio *folio;
	nodemask_t *nodes;
	int nid;

	nid = huge_node(w->vma, w->addr, gfp, &policy, &nodes);
	folio = alloc_hugetlb_folio_nodemask(w->h, nid, nodes, gfp, false);
	mpol_cond_put(policy);
	return folio;
}

/**
 * hugetlb_mfill_atomic_pte() - one huge page of a UFFDIO_* request
 * @dst_pte: the slot
 * @dst_vma: the mapping
 * @dst_addr: address of the slot
 * @src_addr: UFFDIO_COPY: where the data is in the monitor
 * @flags: MFILL_ATOMIC_*
 * @foliop: UFFDIO_COPY: NULL at first; the folio that came back with -ENOENT,
 *	once the caller has filled it, which is then used up
 *
 * Context: fault mutex and VMA lock for reading; anon_vma of a private mapping
 *	prepared.  May sleep, does not fault.
 * Return: 0; -ENOENT and a folio to fill from @src_addr without locks; without
 *	a folio -EEXIST where something is mapped or cached, -EFAULT where the
 *	file has no page, -EIO or -EHWPOISON on a memory error, -ENOMEM, or
 *	-EAGAIN while the promised page is on its way back to the pool.
 */
int hugetlb_mfill_atomic_pte(pte_t *dst_pte, struct vm_area_struct *dst_vma,
			     unsigned long dst_addr, unsigned long src_addr,
			     uffd_flags_t flags, struct folio **foliop)
{
	struct folio *buffer = *foliop;
	struct hugetlb_walk w;
	int err;

	*foliop = NULL;
	if (!hugetlb_walk_find(&w, dst_vma, dst_addr))
		err = -ENOMEM;
	else if (uffd_flags_mode_is(flags, MFILL_ATOMIC_POISON))
		err = hugetlb_uffd_poison(&w);
	else if (uffd_flags_mode_is(flags, MFILL_ATOMIC_CONTINUE))
		err = hugetlb_uffd_continue(&w, flags);
	else
		err = hugetlb_uffd_copy(&w, src_addr, flags, buffer);

	if (buffer) {
		folio_put(buffer);
	} else if (err == -ENOENT) {
		*foliop = hugetlb_uffd_buffer(&w);
		if (!*foliop)
			err = -ENOMEM;
	}
	return err;
}
