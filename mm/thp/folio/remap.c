// SPDX-License-Identifier: GPL-2.0
/*
 * Remap: the processes that had the folio get its pieces.
 *
 * The entries that wait are where the folio was mapped, next to each other.  So
 * the mappings are looked up once for the folio, not once for each piece, a page
 * table is locked once, and entries that say the same are changed in one go.
 *
 * Knows migration entries of anonymous memory; finds them by the reverse map and
 * takes the lock of one page table at a time.
 */
#include <linux/highmem.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/rmap.h>
#include <linux/string.h>
#include <linux/swapops.h>
#include <trace/events/migrate.h>

#include "folio.h"
#include "../../internal.h"

/**
 * thp_page_is_zero() - is a page all zeroes?
 * @page: the page
 *
 * Context: any, also atomic.
 * Return: whether no bit is set.
 */
bool thp_page_is_zero(struct page *page)
{
	void *data = kmap_local_page(page);
	bool zero = !memchr_inv(data, 0, PAGE_SIZE);

	kunmap_local(data);
	return zero;
}

/**
 * struct remap_run - entries that wait for pages next to each other
 * @vma: the mapping
 * @address: of the first entry
 * @ptep: the first entry
 * @nr: how many
 * @attrs: what they say, and of which page the first one says it
 * @zero: what to map in place of a page of zeroes; none: the page
 */
struct remap_run {
	struct vm_area_struct	*vma;
	unsigned long		address;
	pte_t			*ptep;
	unsigned int		nr;
	struct thp_attrs	attrs;
	pte_t			zero;
};

static struct thp_attrs remap_attrs(const struct folio_split *s, pte_t pte)
{
	swp_entry_t swp = pte_to_swp_entry(pte);

	return (struct thp_attrs) {
		.page = pfn_swap_entry_to_page(swp),
		.write = is_writable_migration_entry(swp),
		.young = is_migration_entry_young(swp),
		/* All pieces are locked and as dirty as the first one. */
		.dirty = is_migration_entry_dirty(swp) &&
			 folio_test_dirty(s->folio),
		.exclusive = !is_readable_migration_entry(swp),
		.soft_dirty = pte_swp_soft_dirty(pte),
		.uffd_wp = pte_swp_uffd_wp(pte),
	};
}

static pte_t remap_zero_pte(const struct remap_run *run)
{
	pte_t pte = pfn_pte(my_zero_pfn(run->address), run->vma->vm_page_prot);

	pte = pte_mkspecial(pte);
	if (run->attrs.soft_dirty)
		pte = pte_mksoft_dirty(pte);
	return run->attrs.uffd_wp ? pte_mkuffd_wp(pte) : pte;
}

/* Memory that is locked is there to be there. */
static bool remap_may_be_zero(const struct folio_split *s,
			      struct vm_area_struct *vma)
{
	return s->drop_zeroes && !s->new_order && !(vma->vm_flags & VM_LOCKED) &&
	       !mm_forbids_zeropage(vma->vm_mm);
}

static struct remap_run remap_run_start(const struct folio_split *s,
					struct page_vma_mapped_walk *pvmw)
{
	unsigned long end = pmd_addr_end(pvmw->address, vma_address_end(pvmw));
	pte_t first = ptep_get(pvmw->pte);
	struct remap_run run = {
		.vma = pvmw->vma,
		.address = pvmw->address,
		.ptep = pvmw->pte,
		.nr = 1,
		.attrs = remap_attrs(s, first),
	};
	unsigned int max = (end - run.address) >> PAGE_SHIFT;
	pte_t next = pte_next_swp_offset(first);

	/* A migration entry counts its pages as a swap entry its slots. */
	while (run.nr < max && pte_same(ptep_get(run.ptep + run.nr), next)) {
		next = pte_next_swp_offset(next);
		run.nr++;
	}

	run.zero = remap_may_be_zero(s, run.vma) ? remap_zero_pte(&run) :
						   __pte(0);
	return run;
}

static void remap_trace(unsigned long address, pte_t pte, struct folio *piece,
			unsigned int nr)
{
	unsigned int i;

	if (!trace_remove_migration_pte_enabled())
		return;
	for (i = 0; i < nr; i++)
		trace_remove_migration_pte(address + i * PAGE_SIZE,
					   pte_val(pte_advance_pfn(pte, i)),
					   folio_order(piece));
}

/* From the @nth entry of the run @nr entries, all with pages of one piece. */
static void remap_piece(const struct remap_run *run, unsigned int nth,
			unsigned int nr, pte_t pte)
{
	unsigned long address = run->address + nth * PAGE_SIZE;
	struct page *page = nth_page(run->attrs.page, nth);
	struct vm_area_struct *vma = run->vma;
	struct folio *piece = page_folio(page);
	pte_t *ptep = run->ptep + nth;

	folio_ref_add(piece, nr);
	folio_add_anon_rmap_ptes(piece, page, nr, vma, address,
				 run->attrs.exclusive ? RMAP_EXCLUSIVE :
							RMAP_NONE);
	set_ptes(vma->vm_mm, address, ptep, pte, nr);
	remap_trace(address, pte, piece, nr);
	/* Nothing was there that a TLB could have kept. */
	update_mmu_cache_range(NULL, vma, address, ptep, nr);
}

static bool remap_zero(const struct remap_run *run, unsigned int nth)
{
	struct page *page = nth_page(run->attrs.page, nth);
	struct mm_struct *mm = run->vma->vm_mm;

	if (pte_none(run->zero) || PageHWPoison(page))
		return false;
	/* Another process may have locked the page in memory. */
	if (folio_test_mlocked(page_folio(page)) || !thp_page_is_zero(page))
		return false;

	set_pte_at(mm, run->address + nth * PAGE_SIZE, run->ptep + nth,
		   run->zero);
	dec_mm_counter(mm, MM_ANONPAGES);
	return true;
}

static void remap_large_pieces(const struct folio_split *s,
			       const struct remap_run *run, pte_t pte)
{
	unsigned long first = page_to_pfn(run->attrs.page);
	unsigned long step = 1UL << s->new_order;
	unsigned int nth, nr;

	for (nth = 0; nth < run->nr; nth += nr) {
		/* Folios are aligned to their size: up to the next piece. */
		nr = step - ((first + nth) & (step - 1));
		nr = min(nr, run->nr - nth);
		remap_piece(run, nth, nr, pte_advance_pfn(pte, nth));
	}
}

/* From the @nth entry of the run @nr entries, each with a piece of its own. */
static void remap_row(const struct remap_run *run, unsigned int nth,
		      unsigned int nr, pte_t pte)
{
	unsigned long address = run->address + nth * PAGE_SIZE;
	struct page *page = nth_page(run->attrs.page, nth);
	struct vm_area_struct *vma = run->vma;
	pte_t *ptep = run->ptep + nth;
	unsigned int i;

	for (i = 0; i < nr; i++)
		get_page(nth_page(page, i));
	folios_add_anon_rmap_ptes(page, nr, vma, address,
				  run->attrs.exclusive ? RMAP_EXCLUSIVE :
							 RMAP_NONE);
	/* Not set_ptes(): what it writes in a row is of one folio. */
	for (i = 0; i < nr; i++)
		set_pte_at(vma->vm_mm, address + i * PAGE_SIZE, ptep + i,
			   pte_advance_pfn(pte, i));
	remap_trace(address, pte, page_folio(page), nr);
	/* Nothing was there that a TLB could have kept. */
	update_mmu_cache_range(NULL, vma, address, ptep, nr);
}

static void remap_single_pages(const struct remap_run *run, pte_t pte)
{
	unsigned int nth = 0, from;

	while (nth < run->nr) {
		for (from = nth; nth < run->nr && !remap_zero(run, nth); nth++)
			;
		if (nth > from)
			remap_row(run, from, nth - from,
				  pte_advance_pfn(pte, from));
		/* Where a row ends, the shared zero page is mapped by now. */
		nth++;
	}
}

static void remap_one_run(const struct folio_split *s,
			  const struct remap_run *run)
{
	pte_t pte = thp_attrs_pte(&run->attrs, run->vma);

	if (s->new_order)
		remap_large_pieces(s, run, pte);
	else
		remap_single_pages(run, pte);
}

static void remap_vma(const struct folio_split *s, struct vm_area_struct *vma)
{
	struct page_vma_mapped_walk pvmw = {
		.pfn = folio_pfn(s->folio),
		.nr_pages = 1UL << s->old_order,
		.pgoff = folio_pgoff(s->folio),
		.vma = vma,
		.flags = PVMW_SYNC | PVMW_MIGRATION,
	};
	struct remap_run run;

	pvmw.address = vma_address(vma, pvmw.pgoff, pvmw.nr_pages);
	while (page_vma_mapped_walk(&pvmw)) {
		/* Unmapping for a split leaves no huge entries. */
		if (WARN_ON_ONCE(!pvmw.pte)) {
			page_vma_mapped_walk_done(&pvmw);
			return;
		}
		run = remap_run_start(s, &pvmw);
		remap_one_run(s, &run);
		/* Go on from the last one that is done. */
		pvmw.pte += run.nr - 1;
		pvmw.address += (run.nr - 1) * PAGE_SIZE;
	}
	if (vma->vm_flags & VM_LOCKED)
		mlock_drain_local();
}

/**
 * split_remap() - map the pieces where the folio was mapped
 * @s: the split, committed; anonymous memory
 *
 * The range of the old folio is walked once in each mapping.
 *
 * Context: process context, may sleep.  All pieces locked, anon_vma locked for
 *	write.
 */
void split_remap(const struct folio_split *s)
{
	pgoff_t first = folio_pgoff(s->folio);
	pgoff_t last = first + (1UL << s->old_order) - 1;
	struct anon_vma_chain *avc;

	/* Pages have it from the folio; its root's lock is what the caller has. */
	anon_vma_interval_tree_foreach(avc, &s->anon_vma->rb_root, first, last) {
		cond_resched();
		remap_vma(s, avc->vma);
	}
}
