// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables over a file whose pages became one folio: let go of those that a
 * PMD can replace, and map the folio.
 *
 * Nobody can fault pages of the folio in while it is locked; what else may be
 * in such a table (copies of a private mapping, markers of userfaultfd) keeps
 * the table alive.
 *
 * Locks, outer first: mmap_lock for reading or i_mmap_rwsem for reading, folio,
 * mmu notifier, pmd lock, page-table lock.
 */
#include <linux/fs.h>
#include <linux/khugepaged.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/page_table_check.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/userfaultfd_k.h>

#include <asm/pgalloc.h>
#include <asm/tlb.h>

#include "../internal.h"
#include "collapse.h"

/*
 * A page table of @vma that maps the window at @address, between table_begin()
 * and table_end().
 */
struct file_table {
	struct vm_area_struct	*vma;
	unsigned long		address;
	/* NULL: an empty table is wanted, else what it may map */
	struct folio		*folio;
	pmd_t			*pmd;
	unsigned int		nr;	/* entries that map @folio */
};

/*
 * What does the table hold besides pages of the folio, each in its place?  With
 * no folio given, anything is too much.
 */
static enum scan_result file_table_check(struct file_table *t, pte_t *ptep)
{
	unsigned long address = t->address;
	struct page *page;
	unsigned int i;
	pte_t pte;

	t->nr = 0;
	for (i = 0; i < HPAGE_PMD_NR; i++, address += PAGE_SIZE) {
		pte = ptep_get(ptep + i);
		if (pte_none(pte))
			continue;
		if (!pte_present(pte))
			return SCAN_PTE_NON_PRESENT;
		/* a breakpoint, a debugger, a write to a private mapping */
		page = vm_normal_page(t->vma, address, pte);
		if (!t->folio || page != folio_page(t->folio, i))
			return SCAN_FAIL;
		t->nr++;
	}
	return SCAN_SUCCEED;
}

/* As above, without keeping anybody out for longer than that takes. */
static enum scan_result file_table_glance(struct file_table *t)
{
	enum scan_result result;
	spinlock_t *ptl;	/* of the table */
	pte_t *ptep;

	ptep = pte_offset_map_lock(t->vma->vm_mm, t->pmd, t->address, &ptl);
	if (!ptep)
		return SCAN_PMD_NULL;
	result = file_table_check(t, ptep);
	pte_unmap_unlock(ptep, ptl);
	return result;
}

/* Take the entries out, in runs. */
static void file_table_clear(struct file_table *t, pte_t *ptep)
{
	struct mm_struct *mm = t->vma->vm_mm;
	unsigned int i, run;

	for (i = 0; i < HPAGE_PMD_NR; i += run) {
		for (run = 0; i + run < HPAGE_PMD_NR; run++) {
			if (pte_none(ptep_get(ptep + i + run)))
				break;
		}
		if (!run) {
			run = 1;
			continue;
		}
		/*
		 * Flushed with the table.  Dirty or not says nothing: shared
		 * memory is always dirty, and other folios are before their
		 * entries are.
		 */
		clear_full_ptes(mm, t->address + i * PAGE_SIZE, ptep + i, run,
				0);
		folio_remove_rmap_ptes(t->folio, folio_page(t->folio, i), run,
				       t->vma);
	}
	if (t->nr)
		add_mm_counter(mm, mm_counter_file(t->folio), -(long)t->nr);
}

/*
 * With both locks held, nothing comes in between the last look and the removal:
 * either the whole table goes, or it stays as it is.
 */
static enum scan_result file_table_detach(struct file_table *t, pmd_t *detached)
{
	struct mm_struct *mm = t->vma->vm_mm;
	enum scan_result result = SCAN_PMD_NULL;
	spinlock_t *pml, *ptl;
	pte_t *ptep;

	pml = pmd_lock(mm, t->pmd);
	ptep = pte_offset_map_nolock(mm, t->pmd, t->address, &ptl);
	if (!ptep)
		goto unlock;
	if (ptl != pml)
		spin_lock_nested(ptl, SINGLE_DEPTH_NESTING);

	result = file_table_check(t, ptep);
	/* Markers may be anywhere, at any time from now on. */
	if (result == SCAN_SUCCEED && userfaultfd_wp(t->vma))
		result = SCAN_PTE_UFFD_WP;
	if (result == SCAN_SUCCEED) {
		if (t->nr)
			file_table_clear(t, ptep);
		*detached = pmdp_collapse_flush(t->vma, t->address, t->pmd);
		pmdp_get_lockless_sync();
	}

	if (ptl != pml)
		spin_unlock(ptl);
	pte_unmap(ptep);
unlock:
	spin_unlock(pml);
	return result;
}

/* Remove the table, or leave all as it was. */
static enum scan_result file_table_drop(struct file_table *t)
{
	struct mm_struct *mm = t->vma->vm_mm;
	struct mmu_notifier_range notifier;
	enum scan_result result;
	pmd_t detached;

	result = file_table_glance(t);
	if (result != SCAN_SUCCEED)
		return result;

	mmu_notifier_range_init(&notifier, MMU_NOTIFY_CLEAR, 0, mm, t->address,
				t->address + HPAGE_PMD_SIZE);
	mmu_notifier_invalidate_range_start(&notifier);
	result = file_table_detach(t, &detached);
	mmu_notifier_invalidate_range_end(&notifier);
	if (result != SCAN_SUCCEED)
		return result;

	if (t->nr)
		folio_ref_sub(t->folio, t->nr);
	mm_dec_nr_ptes(mm);
	page_table_check_pte_clear_range(mm, t->address, detached);
	pte_free_defer(mm, pmd_pgtable(detached));
	return SCAN_SUCCEED;
}

static void collapse_retract_vma(struct vm_area_struct *vma, pgoff_t pgoff)
{
	struct file_table t = {
		.vma = vma,
		.address = vma->vm_start +
			   ((pgoff - vma->vm_pgoff) << PAGE_SHIFT),
	};

	/*
	 * A private mapping that was written to has copies here or beside; a
	 * PMD would soon be split again.
	 */
	if (READ_ONCE(vma->anon_vma) || userfaultfd_wp(vma))
		return;
	if (!IS_ALIGNED(t.address, HPAGE_PMD_SIZE) ||
	    vma->vm_end < t.address + HPAGE_PMD_SIZE)
		return;
	if (collapse_find_pmd(vma->vm_mm, t.address, &t.pmd) != SCAN_SUCCEED)
		return;
	/* Being torn down: whoever does that frees the table. */
	if (!atomic_read(&vma->vm_mm->mm_users))
		return;
	file_table_drop(&t);
}

/**
 * collapse_retract_page_tables() - free page tables that a PMD can replace
 * @mapping: of a file
 * @pgoff: first index of a folio of PMD order, locked, mapped nowhere
 *
 * Those that are not empty stay, and so does where an address space maps the
 * folio by its pages.
 *
 * Context: Process context, folio locked.  Takes i_mmap_rwsem for reading.
 */
void collapse_retract_page_tables(struct address_space *mapping, pgoff_t pgoff)
{
	struct vm_area_struct *vma;

	i_mmap_lock_read(mapping);
	vma_interval_tree_foreach(vma, &mapping->i_mmap, pgoff, pgoff)
		collapse_retract_vma(vma, pgoff);
	i_mmap_unlock_read(mapping);
}

static enum scan_result collapse_install_pmd(struct file_table *t)
{
	struct mm_struct *mm = t->vma->vm_mm;
	struct vm_fault vmf = {
		.vma = t->vma,
		.address = t->address,
		.pmd = t->pmd,
	};
	vm_fault_t fault;

	folio_get(t->folio);
	fault = do_set_pmd(&vmf, &t->folio->page);
	if (vmf.prealloc_pte)
		pte_free(mm, vmf.prealloc_pte);
	if (!fault)
		return SCAN_SUCCEED;
	folio_put(t->folio);
	return SCAN_FAIL;
}

/* With the folio locked: first the table away, then maybe a PMD. */
static enum scan_result collapse_map_folio(struct file_table *t,
					   bool install_pmd)
{
	enum scan_result result;

	if (folio_order(t->folio) != HPAGE_PMD_ORDER)
		return SCAN_PAGE_COMPOUND;
	result = collapse_find_pmd(t->vma->vm_mm, t->address, &t->pmd);
	if (result == SCAN_SUCCEED)
		result = file_table_drop(t);
	else if (result == SCAN_PMD_NONE)
		result = SCAN_SUCCEED;
	if (result != SCAN_SUCCEED || !install_pmd)
		return result;
	return collapse_install_pmd(t);
}

/**
 * collapse_map_huge() - let a folio of PMD order be mapped by a PMD
 * @mm: an address space that maps the folio by its pages
 * @address: anywhere in the window
 * @install_pmd: map it now; else the next fault does
 *
 * Context: mmap_lock of @mm held for reading or writing.  Sleeps.
 * Return: SCAN_SUCCEED; SCAN_PMD_MAPPED: it was already; or what is in the way.
 */
enum scan_result collapse_map_huge(struct mm_struct *mm, unsigned long address,
				   bool install_pmd)
{
	struct file_table t = { .address = address & HPAGE_PMD_MASK };
	enum scan_result result;

	mmap_assert_locked(mm);

	t.vma = vma_lookup(mm, t.address);
	if (!t.vma || !t.vma->vm_file ||
	    !range_in_vma(t.vma, t.address, t.address + HPAGE_PMD_SIZE))
		return SCAN_VMA_CHECK;
	if (collapse_find_pmd(mm, t.address, &t.pmd) == SCAN_PMD_MAPPED)
		return SCAN_PMD_MAPPED;
	/* As for a fault: the folio is huge, whatever sysfs says of new ones. */
	if (!thp_vma_allowable_order(t.vma, t.vma->vm_flags, 0, PMD_ORDER))
		return SCAN_VMA_CHECK;
	if (userfaultfd_wp(t.vma))
		return SCAN_PTE_UFFD_WP;

	t.folio = filemap_lock_folio(t.vma->vm_file->f_mapping,
				     linear_page_index(t.vma, t.address));
	if (IS_ERR(t.folio))
		return SCAN_PAGE_NULL;
	result = collapse_map_folio(&t, install_pmd);
	folio_unlock(t.folio);
	folio_put(t.folio);
	return result;
}

/**
 * collapse_pte_mapped_thp() - collapse_map_huge() for the rest of the kernel
 * @mm: an address space that maps the folio by its pages
 * @addr: anywhere in the window
 * @install_pmd: map it now; else the next fault does
 *
 * Context: mmap_lock of @mm held for reading or writing.  Sleeps.
 * Return: enum scan_result.
 */
int collapse_pte_mapped_thp(struct mm_struct *mm, unsigned long addr,
			    bool install_pmd)
{
	return collapse_map_huge(mm, addr, install_pmd);
}
