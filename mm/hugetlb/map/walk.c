// SPDX-License-Identifier: GPL-2.0
/*
 * Walks: find or build the page-table slot of an address.
 *
 * Knows levels, tables and their locks; does not know what a slot means and
 * never writes one.  Locks: H4 or H5 around every walk of a shared mapping,
 * or another process takes the table away; H8 is taken here on request.
 */

#include "map.h"
#include <linux/pgtable.h>
#include <asm/pgalloc.h>

static void hugetlb_walk_init(struct hugetlb_walk *w,
			      struct vm_area_struct *vma, unsigned long addr)
{
	struct hstate *h = hstate_vma(vma);

	*w = (struct hugetlb_walk) {
		.vma	= vma,
		.mm	= vma->vm_mm,
		.h	= h,
		.size	= huge_page_size(h),
		.addr	= addr & huge_page_mask(h),
	};
}

/*
 * First address that the table of @addr does not reach, where it is skipped.
 * No table of huge pages reaches further than a PUD table does: arm64 with five
 * levels answers for a PGD entry, which is more than one table.
 */
static unsigned long hugetlb_walk_table_end(const struct hugetlb_walk *w,
					    unsigned long addr)
{
	unsigned long mask = hugetlb_mask_last_page(w->h) & (P4D_SIZE - 1);

	return (addr | mask) + w->size;
}

/**
 * hugetlb_walk_start() - prepare to visit the slots of a range
 * @w: the walk
 * @vma: the mapping
 * @start: first address, aligned to a huge page
 * @end: where to stop
 *
 * Context: any; see hugetlb_walk_next() for the locks.
 */
void hugetlb_walk_start(struct hugetlb_walk *w, struct vm_area_struct *vma,
			unsigned long start, unsigned long end)
{
	hugetlb_walk_init(w, vma, start);
	w->end = end;
}

/**
 * hugetlb_walk_search() - look for the first slot from here on
 * @w: the walk; its address may be that of a slot without a table
 *
 * Context: as hugetlb_walk_next().
 * Return: false at the end of the range.
 */
bool hugetlb_walk_search(struct hugetlb_walk *w)
{
	while (w->addr < w->end) {
		w->ptep = hugetlb_walk(w->vma, w->addr, w->size);
		if (w->ptep)
			return true;
		w->addr = hugetlb_walk_table_end(w, w->addr);
	}
	return false;
}

/**
 * hugetlb_walk_skip_table() - let the next step leave the current table
 * @w: the walk, at a slot
 *
 * For a table that was just unshared, or that another process looks after.
 *
 * Context: any.
 */
void hugetlb_walk_skip_table(struct hugetlb_walk *w)
{
	w->addr = hugetlb_walk_table_end(w, w->addr);
	w->ptep = NULL;
}

/**
 * hugetlb_walk_find() - find the slot of one address
 * @w: the walk
 * @vma: the mapping
 * @addr: any address in it
 *
 * Context: the locks of hugetlb_walk().
 * Return: false where no table exists.
 */
bool hugetlb_walk_find(struct hugetlb_walk *w, struct vm_area_struct *vma,
		       unsigned long addr)
{
	hugetlb_walk_init(w, vma, addr);
	w->end = w->addr + w->size;
	w->ptep = hugetlb_walk(vma, w->addr, w->size);
	return w->ptep;
}

/**
 * hugetlb_walk_build() - find the slot of one address, with tables as needed
 * @w: the walk
 * @vma: the mapping
 * @addr: any address in it
 *
 * Context: mmap_lock or the per-VMA lock, and the VMA lock of a shared mapping
 * to keep what is returned.  Not under i_mmap_rwsem: a table to share is
 * searched under it.  May sleep.
 * Return: false when there is no memory for a table.
 */
bool hugetlb_walk_build(struct hugetlb_walk *w, struct vm_area_struct *vma,
			unsigned long addr)
{
	hugetlb_walk_init(w, vma, addr);
	w->end = w->addr + w->size;
	w->ptep = huge_pte_alloc(w->mm, vma, w->addr, w->size);
	return w->ptep;
}

/**
 * hugetlb_walk_follow() - go to the slot of an address if it is the next one
 * @w: a walk, at a slot or still all zero
 * @addr: aligned to a huge page
 *
 * Context: as for the last step, and nothing was released since.
 * Return: false when it has to be searched for; then @w is of no use.
 */
bool hugetlb_walk_follow(struct hugetlb_walk *w, unsigned long addr)
{
	if (!w->ptep || addr != w->addr + w->size)
		return false;
	w->addr = addr;
	w->end = addr + w->size;
	return hugetlb_walk_step(w);
}

/**
 * hugetlb_walk_build_range() - give every slot of a range a table
 * @vma: the mapping
 * @start: first address, aligned to a huge page
 * @end: where to stop
 *
 * Context: as hugetlb_walk_build().
 * Return: false when memory ran out; tables built so far stay.
 */
bool hugetlb_walk_build_range(struct vm_area_struct *vma, unsigned long start,
			      unsigned long end)
{
	struct hugetlb_walk w;

	while (start < end) {
		if (!hugetlb_walk_build(&w, vma, start))
			return false;
		start = hugetlb_walk_table_end(&w, w.addr);
	}
	return true;
}

/**
 * hugetlb_walk_lock() - lock the current slot
 * @w: the walk, at a slot
 *
 * Context: takes the page-table lock.
 * Return: the entry, which stays until hugetlb_walk_unlock().
 */
pte_t hugetlb_walk_lock(struct hugetlb_walk *w)
	__acquires(w->ptl)
{
	w->ptl = huge_pte_lock(w->h, w->mm, w->ptep);
	return hugetlb_walk_read(w);
}

/**
 * hugetlb_walk_lock_both() - lock two slots, such as a parent's and a child's
 * @dst: a walk, at the slot to be written
 * @src: a walk, at the slot to be read
 *
 * Tables of one mm may share a lock, which is then taken once.
 *
 * Context: takes both page-table locks.  mmap_lock is held for writing, so that
 * nobody locks the two the other way round.
 * Return: the entry of @src, until hugetlb_walk_unlock_both().
 */
pte_t hugetlb_walk_lock_both(struct hugetlb_walk *dst,
			     struct hugetlb_walk *src)
	__acquires(dst->ptl) __acquires(src->ptl)
{
	spinlock_t *ptl = huge_pte_lockptr(src->h, src->mm, src->ptep);

	dst->ptl = huge_pte_lock(dst->h, dst->mm, dst->ptep);
	if (ptl == dst->ptl) {
		src->ptl = NULL;
		__acquire(src->ptl);
	} else {
		spin_lock_nested(ptl, SINGLE_DEPTH_NESTING);
		src->ptl = ptl;
	}
	return hugetlb_walk_read(src);
}

/**
 * hugetlb_walk_unlock_both() - undo hugetlb_walk_lock_both()
 * @dst: the walk that was locked first
 * @src: the other one
 *
 * Context: releases both page-table locks.
 */
void hugetlb_walk_unlock_both(struct hugetlb_walk *dst,
			      struct hugetlb_walk *src)
	__releases(src->ptl) __releases(dst->ptl)
{
	if (src->ptl)
		hugetlb_walk_unlock(src);
	else
		__release(src->ptl);
	hugetlb_walk_unlock(dst);
}

/**
 * hugetlb_walk_stable() - does the slot still hold what was read without lock?
 * @w: the walk, at a slot
 * @seen: what was read
 *
 * Context: takes and releases the page-table lock.
 * Return: true when it does; a change in progress was waited for.
 */
bool hugetlb_walk_stable(struct hugetlb_walk *w, pte_t seen)
{
	pte_t now = hugetlb_walk_lock(w);

	hugetlb_walk_unlock(w);
	return pte_same(now, seen);
}

#ifdef CONFIG_ARCH_WANT_GENERAL_HUGETLB

static pud_t *hugetlb_walk_pud_alloc(struct mm_struct *mm, unsigned long addr)
{
	p4d_t *p4d = p4d_alloc(mm, pgd_offset(mm, addr), addr);

	return p4d ? pud_alloc(mm, p4d, addr) : NULL;
}

static pud_t *hugetlb_walk_pud(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d = pgd_present(*pgd) ? p4d_offset(pgd, addr) : NULL;

	return p4d && p4d_present(*p4d) ? pud_offset(p4d, addr) : NULL;
}

/* A table of base pages must not be taken for a huge page. */
static pte_t *hugetlb_walk_checked(pmd_t *pmd)
{
	pte_t entry;

	if (!pmd)
		return NULL;
	entry = ptep_get_lockless((pte_t *)pmd);
	if (WARN_ON_ONCE(pte_present(entry) && !pte_huge(entry)))
		return NULL;
	return (pte_t *)pmd;
}

/**
 * huge_pte_alloc() - find or make the slot of a huge page
 * @mm: the address space
 * @vma: a hugetlb mapping in it
 * @addr: aligned to @sz
 * @sz: PMD_SIZE or PUD_SIZE
 *
 * Context: as hugetlb_walk_build().
 * Return: the slot, or NULL when there is no memory for a table.
 */
pte_t *huge_pte_alloc(struct mm_struct *mm, struct vm_area_struct *vma,
		      unsigned long addr, unsigned long sz)
{
	pud_t *pud = hugetlb_walk_pud_alloc(mm, addr);

	if (!pud || sz == PUD_SIZE)
		return (pte_t *)pud;
	if (WARN_ON_ONCE(sz != PMD_SIZE))
		return NULL;

	if (pud_none(*pud) && want_pmd_share(vma, addr))
		return huge_pmd_share(mm, vma, addr, pud);
	return hugetlb_walk_checked(pmd_alloc(mm, pud, addr));
}

/**
 * huge_pte_offset() - find the slot of a huge page
 * @mm: the address space
 * @addr: an address
 * @sz: PMD_SIZE or PUD_SIZE
 *
 * Context: the locks of hugetlb_walk(), which is the way to call this.
 * Return: the slot, or NULL where its table does not exist.
 */
pte_t *huge_pte_offset(struct mm_struct *mm, unsigned long addr,
		       unsigned long sz)
{
	pud_t *pud = hugetlb_walk_pud(mm, addr);

	if (!pud || sz == PUD_SIZE)
		return (pte_t *)pud;
	return pud_present(*pud) ? (pte_t *)pmd_offset(pud, addr) : NULL;
}

/**
 * hugetlb_mask_last_page() - how far does a page table reach?
 * @h: the size of its pages
 *
 * Context: any.
 * Return: the address bits that select a slot in its table, so that address |
 * mask is the last slot of the table; 0 when tables are not to be skipped.
 */
unsigned long hugetlb_mask_last_page(struct hstate *h)
{
	unsigned long size = huge_page_size(h);

	/* Not a switch: without a PMD level both names are the same number. */
	if (size == PUD_SIZE)
		return P4D_SIZE - PUD_SIZE;
	return size == PMD_SIZE ? PUD_SIZE - PMD_SIZE : 0;
}

#else /* !CONFIG_ARCH_WANT_GENERAL_HUGETLB */

/* Of the architectures that have no answer, those that share PMD tables do. */
__weak unsigned long hugetlb_mask_last_page(struct hstate *h)
{
	if (IS_ENABLED(CONFIG_HUGETLB_PMD_PAGE_TABLE_SHARING) &&
	    huge_page_size(h) == PMD_SIZE)
		return PUD_SIZE - PMD_SIZE;
	return 0;
}

#endif /* CONFIG_ARCH_WANT_GENERAL_HUGETLB */
