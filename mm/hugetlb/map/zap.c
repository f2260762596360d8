// SPDX-License-Identifier: GPL-2.0
/*
 * Zap: huge pages leave page tables.
 *
 * For munmap and exit through the hooks of core mm, for truncation by file and
 * by page, for a private owner that takes its page back.  Knows when a page
 * takes its promise along; does not decide which pages go.
 * Locks: H4 write, then H5 write, then H7 and H8 in here.
 */

#include "map.h"
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/userfaultfd_k.h>
#include <asm/tlb.h>

/* Next to ZAP_FLAG_*: nobody has the VMA lock, the pages keep their units. */
#define HUGETLB_ZAP_UNLOCKED	((__force zap_flags_t)BIT(31))

/* Pages that are unmapped with one hold of a page-table lock. */
#define ZAP_BATCH	32

/**
 * struct hugetlb_zap - pages on their way out of a mapping
 * @tlb: gathers what must be flushed and freed
 * @walk: the position in the mapping
 * @flags: ZAP_FLAG_*
 * @n: pages unmapped since the page-table lock was taken
 * @folio: these pages, each with the reference of its slot
 * @addr: where they were, ascending
 */
struct hugetlb_zap {
	struct mmu_gather	*tlb;
	struct hugetlb_walk	walk;
	zap_flags_t		flags;
	unsigned int		n;
	struct folio		*folio[ZAP_BATCH];
	unsigned long		addr[ZAP_BATCH];
};

static void hugetlb_zap_present(struct hugetlb_zap *zap, struct folio *folio,
				bool keep_wp)
{
	struct hugetlb_walk *w = &zap->walk;
	pte_t entry = hugetlb_entry_remove(w, folio);

	tlb_remove_huge_tlb_entry(w->h, zap->tlb, w->ptep, w->addr);
	if (keep_wp && huge_pte_uffd_wp(entry))
		hugetlb_entry_set(w, make_pte_marker(PTE_MARKER_UFFD_WP));
	zap->folio[zap->n] = folio;
	zap->addr[zap->n++] = w->addr;
}

/* Empty one locked slot, but for the note that writes are to be reported. */
static void hugetlb_zap_slot(struct hugetlb_zap *zap, pte_t entry)
{
	bool keep_wp = !(zap->flags & ZAP_FLAG_DROP_MARKER);
	struct hugetlb_walk *w = &zap->walk;

	switch (hugetlb_entry_kind(entry)) {
	case ENTRY_PRESENT:
		hugetlb_zap_present(zap, hugetlb_entry_folio(entry), keep_wp);
		break;
	case ENTRY_UFFD_WP:
		if (!keep_wp)
			hugetlb_entry_clear(w);
		break;
	case ENTRY_POISON:
	case ENTRY_MIGRATION:
	case ENTRY_HWPOISON:
		hugetlb_entry_clear(w);
		if (keep_wp && pte_swp_uffd_wp_any(entry))
			hugetlb_entry_set(w, make_pte_marker(PTE_MARKER_UFFD_WP));
		break;
	case ENTRY_NONE:
		break;
	}
}

/*
 * Empty slots of one table.  Others join or leave the table only with a lock
 * that is held all the time, so it is enough to ask once whether it is shared.
 *
 * Return: false at the end of the range.
 */
static bool hugetlb_zap_table(struct hugetlb_zap *zap)
{
	struct hugetlb_walk *w = &zap->walk;
	pte_t *first = w->ptep;
	bool more;

	hugetlb_walk_lock(w);
	if (huge_pmd_unshare(zap->tlb, w->vma, w->addr, w->ptep)) {
		hugetlb_walk_unlock(w);
		hugetlb_walk_skip_table(w);
		return hugetlb_walk_next(w);
	}
	do {
		hugetlb_zap_slot(zap, hugetlb_walk_read(w));
		more = hugetlb_walk_next(w);
	} while (more && zap->n < ZAP_BATCH &&
		 hugetlb_walk_same_table(w, first));
	hugetlb_walk_unlock(w);
	return more;
}

/*
 * The owner's last mapping of a page of its own is gone: the page pays for the
 * promise that the slot has again.  A page that somebody pinned, or maps in a
 * child, may stay for long and keeps what was paid for it.
 */
static bool hugetlb_zap_may_pay(const struct folio *folio)
{
	return folio_test_anon(folio) && !folio_mapped(folio) &&
	       folio_ref_count(folio) == 1;
}

/* How many pages from the one at @from on may pay, in slots without a gap? */
static unsigned int hugetlb_zap_paying(const struct hugetlb_zap *zap,
				       unsigned int from)
{
	unsigned long addr = zap->addr[from];
	unsigned int i = from;

	while (i < zap->n && zap->addr[i] == addr &&
	       hugetlb_zap_may_pay(zap->folio[i])) {
		addr += zap->walk.size;
		i++;
	}
	return i - from;
}

static void hugetlb_zap_restore_promises(struct hugetlb_zap *zap)
{
	struct vm_area_struct *vma = zap->walk.vma;
	unsigned int i, n;

	if (!hugetlb_vma_is_owner(vma))
		return;
	for (i = 0; i < zap->n; i += max(n, 1U)) {
		n = hugetlb_zap_paying(zap, i);
		if (!n)
			continue;
		hugetlb_promise_restore(hugetlb_vma_resv_map(vma),
					hugetlb_linear_page_index(vma, zap->addr[i]),
					zap->folio + i, n);
	}
}

/* No page-table lock is held: the pages may be freed right now. */
static void hugetlb_zap_settle(struct hugetlb_zap *zap)
{
	unsigned int i;

	if (!(zap->flags & HUGETLB_ZAP_UNLOCKED))
		hugetlb_zap_restore_promises(zap);
	for (i = 0; i < zap->n; i++)
		tlb_remove_page_size(zap->tlb, &zap->folio[i]->page,
				     zap->walk.size);
	zap->n = 0;
}

/**
 * __unmap_hugepage_range() - unmap the huge pages of a range
 * @tlb: gathers what must be flushed and freed
 * @vma: a hugetlb mapping
 * @start: first address, aligned to a huge page
 * @end: where to stop, aligned likewise
 * @ref_page: always NULL; hugetlb_zap_folio() is for one page
 * @zap_flags: ZAP_FLAG_DROP_MARKER to drop userfaultfd-wp markers, too
 *
 * Where the table is shared with another process, only this mapping's hold on
 * the table goes away.
 *
 * Context: VMA lock for writing if the mapping has one, i_mmap_rwsem for
 *	writing, between mmu notifier start and end.
 */
void __unmap_hugepage_range(struct mmu_gather *tlb, struct vm_area_struct *vma,
			    unsigned long start, unsigned long end,
			    struct page *ref_page, zap_flags_t zap_flags)
{
	struct hstate *h = hstate_vma(vma);
	struct hugetlb_zap zap = {
		.tlb	= tlb,
		.flags	= zap_flags,
	};
	bool more;

	i_mmap_assert_write_locked(vma->vm_file->f_mapping);
	if (WARN_ON_ONCE(ref_page || ((start | end) & ~huge_page_mask(h))))
		return;

	tlb_change_page_size(tlb, huge_page_size(h));
	tlb_start_vma(tlb, vma);
	hugetlb_walk_start(&zap.walk, vma, start, end);
	for (more = hugetlb_walk_next(&zap.walk); more; ) {
		more = hugetlb_zap_table(&zap);
		hugetlb_zap_settle(&zap);
	}
	tlb_end_vma(tlb, vma);

	huge_pmd_unshare_flush(tlb, vma);
}

/**
 * hugetlb_zap_range() - unmap a range outside of core mm's unmapping
 * @vma: a hugetlb mapping
 * @start: first address, aligned to a huge page
 * @end: where to stop, aligned likewise
 * @zap_flags: as for __unmap_hugepage_range()
 *
 * Context: VMA lock for writing if the mapping has one, i_mmap_rwsem for
 *	writing.  May sleep.
 */
void hugetlb_zap_range(struct vm_area_struct *vma, unsigned long start,
		       unsigned long end, zap_flags_t zap_flags)
{
	struct mmu_notifier_range range;
	struct mmu_gather tlb;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma->vm_mm, start,
				end);
	adjust_range_if_pmd_sharing_possible(vma, &range.start, &range.end);

	tlb_gather_mmu(&tlb, vma->vm_mm);
	mmu_notifier_invalidate_range_start(&range);
	__unmap_hugepage_range(&tlb, vma, start, end, NULL, zap_flags);
	mmu_notifier_invalidate_range_end(&range);
	tlb_finish_mmu(&tlb);
}

/**
 * hugetlb_zap_finds() - does a mapping have a page where it would be?
 * @vma: a hugetlb mapping
 * @addr: where the page would be, aligned to a huge page
 * @folio: the page
 *
 * Context: i_mmap_rwsem.  With the fault mutex of the page for writing nothing
 *	else can come to lie at @addr, but migration takes it away and back.
 * Return: true if it is there.
 */
bool hugetlb_zap_finds(struct vm_area_struct *vma, unsigned long addr,
		       struct folio *folio)
{
	struct hugetlb_walk w;
	pte_t entry;

	if (!hugetlb_walk_find(&w, vma, addr))
		return false;
	entry = hugetlb_walk_read(&w);
	return hugetlb_entry_kind(entry) == ENTRY_PRESENT &&
	       hugetlb_entry_folio(entry) == folio;
}

/* A migration that starts between the look and the unmapping loses its entry. */
static void hugetlb_zap_exact(struct vm_area_struct *vma, unsigned long addr,
			      struct folio *folio, zap_flags_t zap_flags)
{
	if (hugetlb_zap_finds(vma, addr, folio))
		hugetlb_zap_range(vma, addr, addr + folio_size(folio),
				  zap_flags);
}

/* Addresses at which a mapping shows base pages [start, end) of its file. */
static void hugetlb_zap_file_vma(struct vm_area_struct *vma, pgoff_t start,
				 pgoff_t end, zap_flags_t zap_flags)
{
	pgoff_t first = max(start, vma->vm_pgoff) - vma->vm_pgoff;
	pgoff_t last = min(end - vma->vm_pgoff, vma_pages(vma));

	hugetlb_zap_range(vma, vma->vm_start + (first << PAGE_SHIFT),
			  vma->vm_start + (last << PAGE_SHIFT), zap_flags);
}

/**
 * hugetlb_zap_file() - unmap a range of a file from every mapping
 * @mapping: the file's pages
 * @start: first page, in base pages, aligned to a huge page
 * @end: where to stop, in base pages, aligned likewise; 0 for the whole rest
 * @zap_flags: as for __unmap_hugepage_range()
 *
 * The quick pass of truncation.  A shared mapping whose lock is taken is left
 * out: waiting here would turn the lock order around, and hugetlb_zap_folio()
 * finds what stays mapped.  It does not find the pages of a private mapping that
 * are its own.  So those go without the lock, which such tables can do without,
 * but not the books: somebody may be about to spend the promise of the slot.
 *
 * Context: takes i_mmap_rwsem.  May sleep.
 */
void hugetlb_zap_file(struct address_space *mapping, pgoff_t start,
		      pgoff_t end, zap_flags_t zap_flags)
{
	pgoff_t last = end ? end - 1 : ULONG_MAX;
	struct vm_area_struct *vma;

	i_mmap_lock_write(mapping);
	vma_interval_tree_foreach(vma, &mapping->i_mmap, start, last) {
		bool locked = hugetlb_vma_trylock_write(vma);

		if (!locked && (vma->vm_flags & VM_MAYSHARE))
			continue;
		hugetlb_zap_file_vma(vma, start, end ? end : ULONG_MAX,
				     locked ? zap_flags :
				     zap_flags | HUGETLB_ZAP_UNLOCKED);
		if (locked)
			hugetlb_vma_unlock_write(vma);
	}
	i_mmap_unlock_write(mapping);
}

static unsigned long hugetlb_zap_folio_addr(const struct vm_area_struct *vma,
					    const struct folio *folio)
{
	return vma->vm_start + ((folio->index - vma->vm_pgoff) << PAGE_SHIFT);
}

/*
 * Unmap the folio wherever no lock has to be waited for.  The tables of a
 * private mapping belong to it alone, and no page of a file takes a promise
 * along: there i_mmap_rwsem is enough.
 *
 * Return: a lock object to wait for, or NULL when all mappings were seen.
 */
static struct hugetlb_vma_lock *
hugetlb_zap_folio_pass(struct address_space *mapping, struct folio *folio,
		       zap_flags_t zap_flags)
{
	pgoff_t last = folio->index + folio_nr_pages(folio) - 1;
	struct vm_area_struct *vma;
	unsigned long addr;

	vma_interval_tree_foreach(vma, &mapping->i_mmap, folio->index, last) {
		addr = hugetlb_zap_folio_addr(vma, folio);
		if (!hugetlb_zap_finds(vma, addr, folio))
			continue;
		if (!(vma->vm_flags & VM_MAYSHARE)) {
			hugetlb_zap_exact(vma, addr, folio, zap_flags);
			continue;
		}
		if (!hugetlb_vma_trylock_write(vma))
			return hugetlb_vma_lock_get(vma);
		hugetlb_zap_exact(vma, addr, folio, zap_flags);
		hugetlb_vma_unlock_write(vma);
	}
	return NULL;
}

/* The mapping may have been split, moved or closed while nothing was held. */
static void hugetlb_zap_folio_locked(struct hugetlb_vma_lock *lock,
				     struct folio *folio, zap_flags_t zap_flags)
{
	struct vm_area_struct *vma = lock->vma;

	if (!vma || folio->index < vma->vm_pgoff ||
	    folio->index - vma->vm_pgoff >= vma_pages(vma))
		return;
	hugetlb_zap_exact(vma, hugetlb_zap_folio_addr(vma, folio), folio,
			  zap_flags);
}

/**
 * hugetlb_zap_folio() - unmap one page of a file from every mapping
 * @mapping: the file's pages
 * @folio: one of them
 * @zap_flags: as for __unmap_hugepage_range()
 *
 * The VMA lock comes before i_mmap_rwsem, but i_mmap is the way to the VMA: to
 * wait for a lock, keep its object, let go of everything, take both in order
 * and look again whose lock it is.
 *
 * Migration is not locked out and may put entries back: the page is unmapped
 * for good when the caller has locked it and finds it so.
 *
 * Context: fault mutex of the page, not its folio lock; takes VMA locks and
 *	i_mmap_rwsem.  May sleep.
 */
void hugetlb_zap_folio(struct address_space *mapping, struct folio *folio,
		       zap_flags_t zap_flags)
{
	struct hugetlb_vma_lock *lock;

	for (;;) {
		i_mmap_lock_write(mapping);
		lock = hugetlb_zap_folio_pass(mapping, folio, zap_flags);
		i_mmap_unlock_write(mapping);
		if (!lock)
			return;

		down_write(&lock->rw_sema);
		i_mmap_lock_write(mapping);
		hugetlb_zap_folio_locked(lock, folio, zap_flags);
		i_mmap_unlock_write(mapping);
		up_write(&lock->rw_sema);
		hugetlb_vma_lock_put(lock);
	}
}

/**
 * __hugetlb_zap_begin() - core mm is about to unmap a range of a hugetlb VMA
 * @vma: the mapping
 * @start: first address; moved down where a shared table is affected
 * @end: where to stop; moved up likewise
 *
 * Context: mmap_lock; takes VMA lock and i_mmap_rwsem, both for writing, until
 *	__hugetlb_zap_end().
 */
void __hugetlb_zap_begin(struct vm_area_struct *vma, unsigned long *start,
			 unsigned long *end)
{
	/* mmap() failed before the file was attached: nothing is mapped. */
	if (!vma->vm_file)
		return;

	adjust_range_if_pmd_sharing_possible(vma, start, end);
	hugetlb_vma_lock_write(vma);
	i_mmap_lock_write(vma->vm_file->f_mapping);
}

/**
 * __hugetlb_zap_end() - core mm has unmapped a range of a hugetlb VMA
 * @vma: the mapping
 * @details: ZAP_FLAG_UNMAP in its flags says that the VMA goes away; or NULL
 *
 * Context: releases what __hugetlb_zap_begin() took.  At the end of a VMA its
 *	lock object goes while i_mmap_rwsem still keeps others from sharing
 *	tables that are about to be freed.
 */
void __hugetlb_zap_end(struct vm_area_struct *vma, struct zap_details *details)
{
	if (!vma->vm_file)
		return;

	if (details && (details->zap_flags & ZAP_FLAG_UNMAP))
		hugetlb_vma_unlock_write_detach(vma);
	else
		hugetlb_vma_unlock_write(vma);
	i_mmap_unlock_write(vma->vm_file->f_mapping);
}
