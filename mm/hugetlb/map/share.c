// SPDX-License-Identifier: GPL-2.0
/*
 * Sharing: one PMD table for all processes that map the same 1 GiB of a file.
 *
 * Knows which mappings may share and how to join and leave a table; does not
 * look at entries.  Joining needs i_mmap_rwsem for reading; leaving needs the
 * VMA lock and i_mmap_rwsem, both for writing, and the page-table lock (H4, H5,
 * H8), so that either of the first two keeps a walker's table in place.
 */

#include "map.h"
#include <linux/mmu_notifier.h>
#include <linux/pgtable.h>
#include <asm/pgalloc.h>
#include <asm/tlb.h>

#ifdef CONFIG_HUGETLB_PMD_PAGE_TABLE_SHARING

/* A table serves the whole of its range, so the mapping must have it all. */
static bool hugetlb_share_fits(struct vm_area_struct *vma, unsigned long addr)
{
	unsigned long base = ALIGN_DOWN(addr, PUD_SIZE);

	return base >= vma->vm_start && base + PUD_SIZE <= vma->vm_end;
}

/**
 * want_pmd_share() - may a mapping use another one's PMD table?
 * @vma: a hugetlb mapping with pages of PMD size
 * @addr: an address in it
 *
 * userfaultfd write protection is a bit in the entry, and minor faults rely on
 * the entry being absent: such mappings need a table of their own.
 *
 * Context: mmap_lock or the per-VMA lock.
 * Return: true when it may.
 */
bool want_pmd_share(struct vm_area_struct *vma, unsigned long addr)
{
	if (userfaultfd_wp(vma) || userfaultfd_minor(vma))
		return false;
	return (vma->vm_flags & VM_MAYSHARE) && hugetlb_vma_has_lock(vma) &&
	       hugetlb_share_fits(vma, addr);
}

/**
 * adjust_range_if_pmd_sharing_possible() - what a change of a range may touch
 * @vma: a hugetlb mapping
 * @start: first address; lowered to that of a table which may be shared
 * @end: end address; raised likewise
 *
 * Unsharing takes the whole table away: caches, TLBs and secondary MMUs must
 * hear of all of it.
 *
 * Context: any that keeps @vma.
 */
void adjust_range_if_pmd_sharing_possible(struct vm_area_struct *vma,
					  unsigned long *start,
					  unsigned long *end)
{
	unsigned long first = ALIGN(vma->vm_start, PUD_SIZE);
	unsigned long last = ALIGN_DOWN(vma->vm_end, PUD_SIZE);

	if (!(vma->vm_flags & VM_MAYSHARE) || first >= last)
		return;
	if (*start > first && *start < last)
		*start = ALIGN_DOWN(*start, PUD_SIZE);
	if (*end > first && *end < last)
		*end = ALIGN(*end, PUD_SIZE);
}

/*
 * Where @other has the page that @vma has at @addr, if its table there can
 * serve both: same place in the table, same rights, and a lock to leave it by.
 */
static bool hugetlb_share_match(struct vm_area_struct *vma, unsigned long addr,
				struct vm_area_struct *other,
				unsigned long *there)
{
	pgoff_t pgoff = linear_page_index(vma, addr) - other->vm_pgoff;
	vm_flags_t differ = vma->vm_flags ^ other->vm_flags;

	*there = other->vm_start + (pgoff << PAGE_SHIFT);
	if ((differ & ~VM_LOCKED_MASK) || ((*there ^ addr) & ~PUD_MASK))
		return false;
	return hugetlb_vma_has_lock(other) && hugetlb_share_fits(other, *there);
}

/* A slot in another mapping's table, with a share of that table taken. */
static pte_t *hugetlb_share_find(struct vm_area_struct *vma, unsigned long addr)
{
	struct rb_root_cached *maps = &vma->vm_file->f_mapping->i_mmap;
	pgoff_t pgoff = linear_page_index(vma, addr);
	struct vm_area_struct *other;
	unsigned long there;
	pte_t *ptep;

	vma_interval_tree_foreach(other, maps, pgoff, pgoff) {
		if (other == vma ||
		    !hugetlb_share_match(vma, addr, other, &there))
			continue;
		ptep = hugetlb_walk(other, there, PMD_SIZE);
		if (ptep) {
			ptdesc_pmd_pts_inc(virt_to_ptdesc(ptep));
			return ptep;
		}
	}
	return NULL;
}

/* Hang the table of @ptep below @pud, unless a racing fault was faster. */
static void hugetlb_share_join(struct mm_struct *mm, pud_t *pud, pte_t *ptep)
{
	pmd_t *table = (pmd_t *)((unsigned long)ptep & PAGE_MASK);

	spin_lock(&mm->page_table_lock);
	if (pud_none(*pud)) {
		pud_populate(mm, pud, table);
		mm_inc_nr_pmds(mm);
	} else {
		ptdesc_pmd_pts_dec(virt_to_ptdesc(ptep));
	}
	spin_unlock(&mm->page_table_lock);
}

/**
 * huge_pmd_share() - find a table to share, or make one
 * @mm: the address space
 * @vma: a mapping in it for which want_pmd_share() says yes
 * @addr: an address in @vma, aligned to PMD_SIZE
 * @pud: where the table goes, empty when last seen
 *
 * A table made here is in place before i_mmap_rwsem is released: two tasks that
 * come at the same time then cannot both miss the other's.
 *
 * Context: mmap_lock or the per-VMA lock, and the VMA lock; takes i_mmap_rwsem.
 * Return: the slot, or NULL when there is no memory for a table.
 */
pte_t *huge_pmd_share(struct mm_struct *mm, struct vm_area_struct *vma,
		      unsigned long addr, pud_t *pud)
{
	struct address_space *mapping = vma->vm_file->f_mapping;
	pte_t *ptep;

	i_mmap_lock_read(mapping);
	ptep = hugetlb_share_find(vma, addr);
	if (ptep)
		hugetlb_share_join(mm, pud, ptep);
	ptep = (pte_t *)pmd_alloc(mm, pud, addr);
	i_mmap_unlock_read(mapping);
	return ptep;
}

/* Leave the table of @ptep, which stays as it is for its other users. */
static void hugetlb_share_leave(struct mmu_gather *tlb,
				struct vm_area_struct *vma, unsigned long addr,
				pte_t *ptep)
{
	struct mm_struct *mm = vma->vm_mm;
	p4d_t *p4d;

	i_mmap_assert_write_locked(vma->vm_file->f_mapping);
	p4d = p4d_offset(pgd_offset(mm, addr), addr);
	pud_clear(pud_offset(p4d, addr));
	tlb_unshare_pmd_ptdesc(tlb, virt_to_ptdesc(ptep), addr);
	mm_dec_nr_pmds(mm);
}

static bool hugetlb_share_in_use(struct vm_area_struct *vma, pte_t *ptep)
{
	return huge_page_size(hstate_vma(vma)) == PMD_SIZE &&
	       hugetlb_pmd_shared(ptep);
}

/**
 * huge_pmd_unshare() - leave a PMD table that other mappings use too
 * @tlb: gathers what must be flushed
 * @vma: a hugetlb mapping
 * @addr: an address in it
 * @ptep: its slot
 *
 * All pages of the table are unmapped from @vma with it.
 *
 * Context: VMA lock and i_mmap_rwsem for writing, page-table lock.  Before
 * i_mmap_rwsem is released the caller calls huge_pmd_unshare_flush().
 * Return: 1 when the table was left, 0 when @vma is its only user.
 */
int huge_pmd_unshare(struct mmu_gather *tlb, struct vm_area_struct *vma,
		     unsigned long addr, pte_t *ptep)
{
	if (!hugetlb_share_in_use(vma, ptep))
		return 0;
	hugetlb_vma_assert_locked(vma);
	hugetlb_share_leave(tlb, vma, addr, ptep);
	return 1;
}

/**
 * huge_pmd_unshare_flush() - finish after calls of huge_pmd_unshare()
 * @tlb: the same
 * @vma: the same
 *
 * The last user of a table may reuse it as soon as i_mmap_rwsem is free, so by
 * then no CPU may walk it for those who left.
 *
 * Context: i_mmap_rwsem for writing.
 */
void huge_pmd_unshare_flush(struct mmu_gather *tlb, struct vm_area_struct *vma)
{
	i_mmap_assert_write_locked(vma->vm_file->f_mapping);
	tlb_flush_unshared_tables(tlb);
}

/* Leave every shared table whose range starts in [start, end). */
static void hugetlb_unshare_tables(struct mmu_gather *tlb,
				   struct vm_area_struct *vma,
				   unsigned long start, unsigned long end)
{
	struct hugetlb_walk w;

	for_each_hugetlb_entry(&w, vma, start, end) {
		hugetlb_walk_lock(&w);
		if (hugetlb_walk_is_shared(&w))
			hugetlb_share_leave(tlb, vma, w.addr, w.ptep);
		hugetlb_walk_unlock(&w);
		hugetlb_walk_skip_table(&w);
	}
	huge_pmd_unshare_flush(tlb, vma);
}

static bool hugetlb_unshare_possible(struct vm_area_struct *vma,
				     unsigned long start, unsigned long end)
{
	return (vma->vm_flags & VM_MAYSHARE) && start < end &&
	       huge_page_size(hstate_vma(vma)) == PMD_SIZE;
}

/**
 * hugetlb_unshare_range_locked() - give a range page tables of its own
 * @vma: a hugetlb mapping
 * @start: first address, aligned to PUD_SIZE
 * @end: end address, aligned to PUD_SIZE
 *
 * For callers who keep every walker out with other locks than the VMA lock,
 * which cannot be had inside i_mmap_rwsem.
 *
 * Context: mmap_lock and i_mmap_rwsem for writing, @vma write-locked; sleeps.
 */
void hugetlb_unshare_range_locked(struct vm_area_struct *vma,
				  unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;
	struct mmu_gather tlb;

	if (!hugetlb_unshare_possible(vma, start, end))
		return;

	flush_cache_range(vma, start, end);
	tlb_gather_mmu_vma(&tlb, vma);
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma->vm_mm, start,
				end);
	mmu_notifier_invalidate_range_start(&range);
	hugetlb_unshare_tables(&tlb, vma, start, end);
	mmu_notifier_invalidate_range_end(&range);
	tlb_finish_mmu(&tlb);
}

/**
 * hugetlb_unshare_range() - give a range page tables of its own
 * @vma: a hugetlb mapping
 * @start: first address, aligned to PUD_SIZE
 * @end: end address, aligned to PUD_SIZE
 *
 * The pages come back with the next faults.
 *
 * Context: mmap_lock; takes the VMA lock and i_mmap_rwsem for writing.
 */
void hugetlb_unshare_range(struct vm_area_struct *vma, unsigned long start,
			   unsigned long end)
{
	struct address_space *mapping = vma->vm_file->f_mapping;

	hugetlb_vma_lock_write(vma);
	i_mmap_lock_write(mapping);
	hugetlb_unshare_range_locked(vma, start, end);
	i_mmap_unlock_write(mapping);
	hugetlb_vma_unlock_write(vma);
}

#else /* !CONFIG_HUGETLB_PMD_PAGE_TABLE_SHARING */

bool want_pmd_share(struct vm_area_struct *vma, unsigned long addr)
{
	return false;
}

void adjust_range_if_pmd_sharing_possible(struct vm_area_struct *vma,
					  unsigned long *start,
					  unsigned long *end)
{
}

pte_t *huge_pmd_share(struct mm_struct *mm, struct vm_area_struct *vma,
		      unsigned long addr, pud_t *pud)
{
	return NULL;
}

int huge_pmd_unshare(struct mmu_gather *tlb, struct vm_area_struct *vma,
		     unsigned long addr, pte_t *ptep)
{
	return 0;
}

void huge_pmd_unshare_flush(struct mmu_gather *tlb, struct vm_area_struct *vma)
{
}

void hugetlb_unshare_range_locked(struct vm_area_struct *vma,
				  unsigned long start, unsigned long end)
{
}

void hugetlb_unshare_range(struct vm_area_struct *vma, unsigned long start,
			   unsigned long end)
{
}

#endif /* CONFIG_HUGETLB_PMD_PAGE_TABLE_SHARING */

/**
 * hugetlb_unshare_all_pmds() - give a mapping page tables of its own
 * @vma: a hugetlb mapping that userfaultfd is about to watch
 *
 * Context: mmap_lock for writing; takes the VMA lock and i_mmap_rwsem.
 */
void hugetlb_unshare_all_pmds(struct vm_area_struct *vma)
{
	hugetlb_unshare_range(vma, ALIGN(vma->vm_start, PUD_SIZE),
			      ALIGN_DOWN(vma->vm_end, PUD_SIZE));
}

/* The new half is in i_mmap already. */
static void hugetlb_split_robbed(struct vm_area_struct *vma)
{
	struct rb_root_cached *maps = &vma->vm_file->f_mapping->i_mmap;
	pgoff_t last = vma->vm_pgoff + vma_pages(vma) - 1;
	struct vm_area_struct *half;

	if (!hugetlb_vma_is_robbed(vma))
		return;
	vma_interval_tree_foreach(half, maps, vma->vm_pgoff, last) {
		if (half->vm_mm == vma->vm_mm &&
		    half->vm_start >= vma->vm_start &&
		    half->vm_end <= vma->vm_end)
			hugetlb_vma_pass_robbed(vma, half);
	}
}

/**
 * hugetlb_split() - a mapping is about to be cut in two
 * @vma: a hugetlb mapping, still whole
 * @addr: where
 *
 * Neither half may share the table that the cut goes through, and both are
 * robbed of what the whole was.
 *
 * Context: mmap_lock and i_mmap_rwsem for writing, @vma write-locked: only
 * hardware and GUP-fast still look at the tables.
 */
void hugetlb_split(struct vm_area_struct *vma, unsigned long addr)
{
	unsigned long start = ALIGN_DOWN(addr, PUD_SIZE);

	vma_assert_write_locked(vma);
	i_mmap_assert_write_locked(vma->vm_file->f_mapping);

	hugetlb_split_robbed(vma);
	if (start == addr || start < vma->vm_start ||
	    start + PUD_SIZE > vma->vm_end)
		return;
	hugetlb_unshare_range_locked(vma, start, start + PUD_SIZE);
}

/**
 * hugetlb_folio_mapping_lock_write() - lock a folio's file against walks
 * @folio: a locked folio
 *
 * The order is the other way round, i_mmap_rwsem before folio lock: this tries.
 *
 * Context: folio lock; takes i_mmap_rwsem for writing if it is free.
 * Return: the mapping, or NULL when the folio has none or it was not free.
 */
struct address_space *hugetlb_folio_mapping_lock_write(struct folio *folio)
{
	struct address_space *mapping = folio_mapping(folio);

	return mapping && i_mmap_trylock_write(mapping) ? mapping : NULL;
}
