// SPDX-License-Identifier: GPL-2.0
/*
 * Map what MADV_COLLAPSE made of a range of a file, where the folio is smaller
 * than a PMD maps.  Best effort: what is not mapped here, a fault maps.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/userfaultfd_k.h>

#include "../internal.h"
#include "collapse.h"

/* Does @vma, looked up anew, still map the range of the attempt there? */
static bool collapse_vma_maps_range(struct vm_area_struct *vma,
				    const struct collapse *c)
{
	unsigned long start = collapse_address(c);

	if (!vma || vma->vm_file != c->file ||
	    !range_in_vma(vma, start, start + collapse_nr(c) * PAGE_SIZE))
		return false;
	if (linear_page_index(vma, start) != c->pgoff + c->offset)
		return false;
	/* Who watches minor faults wants to see them. */
	return vma_is_accessible(vma) && !userfaultfd_armed(vma);
}

/* Map @nr pages of @folio from @first on, where there are no entries. */
static void collapse_map_run(struct vm_fault *vmf, struct folio *folio,
			     unsigned int first, unsigned int nr)
{
	folio_ref_add(folio, nr);
	set_pte_range(vmf, folio, folio_page(folio, first), nr, vmf->address);
	add_mm_counter(vmf->vma->vm_mm, mm_counter_file(folio), nr);
}

/* Map the pages of @folio where there is no entry. */
static void collapse_map_folio_at(struct vm_area_struct *vma,
				  unsigned long address, struct folio *folio)
{
	unsigned int i, run, nr = folio_nr_pages(folio);
	spinlock_t *ptl;	/* of the table */
	pte_t *ptep;

	/* No PMD maps this window: part of its file is this folio. */
	ptep = get_locked_pte(vma->vm_mm, address, &ptl);
	if (!ptep)
		return;
	for (i = 0; i < nr; i += run + 1) {
		struct vm_fault vmf = {
			.vma = vma,
			.address = address + i * PAGE_SIZE,
			.pte = ptep + i,
			.ptl = ptl,
		};

		for (run = 0; i + run < nr; run++) {
			if (!pte_none(ptep_get(ptep + i + run)))
				break;
		}
		if (run)
			collapse_map_run(&vmf, folio, i, run);
	}
	pte_unmap_unlock(ptep, ptl);
}

/**
 * collapse_map_range() - map the folio that a range of a file became
 * @c: the attempt; its range was collapsed, to an order below that of a PMD
 *
 * Context: Process context, no locks held.  Takes mmap_lock for reading, and a
 * folio lock.  Sleeps.
 */
void collapse_map_range(struct collapse *c)
{
	pgoff_t index = c->pgoff + c->offset;
	struct vm_area_struct *vma;
	struct folio *folio;

	mmap_read_lock(c->mm);
	vma = vma_lookup(c->mm, collapse_address(c));
	if (!collapse_vma_maps_range(vma, c))
		goto unlock;
	folio = filemap_lock_folio(c->file->f_mapping, index);
	if (IS_ERR(folio))
		goto unlock;
	/* It may have been split or collapsed again. */
	if (folio->index == index && folio_order(folio) == c->order &&
	    folio_test_uptodate(folio))
		collapse_map_folio_at(vma, collapse_address(c), folio);
	folio_unlock(folio);
	folio_put(folio);
unlock:
	mmap_read_unlock(c->mm);
}
