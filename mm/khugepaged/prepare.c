// SPDX-License-Identifier: GPL-2.0
/*
 * Prepare: everything an attempt needs before entries are replaced.  A folio on
 * the right node, charged; the VMA and the page table as they are now; pages
 * back from swap.
 *
 * What is got here is given back by collapse_unprepare(), or installed.
 */
#include <linux/gfp.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/rmap.h>
#include <linux/sched/coredump.h>
#include <linux/shmem_fs.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/topology.h>
#include <linux/vmstat.h>
#include <trace/events/huge_memory.h>

#include "../internal.h"
#include "collapse.h"

/**
 * collapse_node_too_far() - would one folio be far from some of its pages?
 * @c: the attempt; node_load says where pages were found so far
 * @nid: node of the next page
 *
 * Asked only where the administrator prefers reclaim to distant memory
 * (vm.zone_reclaim_mode).
 *
 * Context: any.
 * Return: whether another page is too far from @nid.
 */
bool collapse_node_too_far(struct collapse *c, int nid)
{
	int other;

	if (!node_reclaim_enabled() || c->node_load[nid])
		return false;

	for_each_online_node(other) {
		if (c->node_load[other] &&
		    node_distance(nid, other) > node_reclaim_distance)
			return true;
	}
	return false;
}

/* The scan counted for the whole window; the range may lie elsewhere. */
static void prepare_node_load(struct collapse *c)
{
	unsigned int slot, end = c->offset + collapse_nr(c);

	memset(c->node_load, 0, sizeof(c->node_load));
	slot = c->offset;
	for_each_set_bit_from(slot, c->map.present, end)
		c->node_load[c->slot_node[slot]]++;
}

/* Where most pages are, and which nodes have as many. */
static int prepare_node(struct collapse *c)
{
	int nid, best = first_online_node;

	for_each_online_node(nid) {
		if (c->node_load[nid] > c->node_load[best])
			best = nid;
	}

	nodes_clear(c->alloc_nmask);
	for_each_online_node(nid) {
		if (c->node_load[nid] == c->node_load[best])
			node_set(nid, c->alloc_nmask);
	}
	return best;
}

static gfp_t prepare_gfp(const struct collapse *c)
{
	const unsigned long defrag =
		BIT(TRANSPARENT_HUGEPAGE_DEFRAG_KHUGEPAGED_FLAG);
	gfp_t gfp = GFP_TRANSHUGE;

	if (collapse_is_khugepaged(c) && !(transparent_hugepage_flags & defrag))
		gfp = GFP_TRANSHUGE_LIGHT;
	/*
	 * The allocator tries hard for orders as small as these, up to killing
	 * somebody.  This is not worth anybody's life.
	 */
	if (c->order <= PAGE_ALLOC_COSTLY_ORDER)
		gfp |= __GFP_NORETRY;
	return gfp;
}

static enum scan_result prepare_folio(struct collapse *c)
{
	bool whole = c->order == PMD_ORDER;
	int nid = prepare_node(c);
	gfp_t gfp = prepare_gfp(c);
	struct folio *folio;

	folio = __folio_alloc(gfp, c->order, nid, &c->alloc_nmask);
	if (!folio) {
		if (whole)
			count_vm_event(THP_COLLAPSE_ALLOC_FAILED);
		count_mthp_stat(c->order, MTHP_STAT_COLLAPSE_ALLOC_FAILED);
		return SCAN_ALLOC_HUGE_PAGE_FAIL;
	}

	if (whole)
		count_vm_event(THP_COLLAPSE_ALLOC);
	count_mthp_stat(c->order, MTHP_STAT_COLLAPSE_ALLOC);
	if (mem_cgroup_charge(folio, c->mm, gfp)) {
		folio_put(folio);
		return SCAN_CGROUP_CHARGE_FAIL;
	}
	if (whole)
		count_memcg_folio_events(folio, THP_COLLAPSE_ALLOC, 1);

	c->folio = folio;
	return SCAN_SUCCEED;
}

/* Where there is a folio, who collapses has the last word. */
static void prepare_trace_failure(const struct collapse *c,
				  enum scan_result result)
{
	if (!c->file) {
		trace_mm_collapse_huge_page(c->mm, false, result);
		return;
	}
	trace_mm_khugepaged_collapse_file(c->mm, -1UL, c->pgoff + c->offset,
					  collapse_address(c),
					  shmem_file(c->file), c->file,
					  collapse_nr(c), result);
}

/**
 * collapse_prepare() - get a folio for the range
 * @c: the attempt; range and map are set
 *
 * On the node where most of the pages are, charged to the memory controller of
 * the address space.
 *
 * Context: no locks held; sleeps.
 * Return: SCAN_SUCCEED: @c->folio is there, to be installed or given back with
 * collapse_unprepare(); else why not, and there is nothing to give back.
 */
enum scan_result collapse_prepare(struct collapse *c)
{
	enum scan_result result;

	if (!c->file && c->order < PMD_ORDER)
		prepare_node_load(c);

	result = prepare_folio(c);
	if (result != SCAN_SUCCEED)
		prepare_trace_failure(c, result);
	return result;
}

/**
 * collapse_unprepare() - give back what collapse_prepare() got
 * @c: the attempt; nothing happens if its folio was installed
 *
 * Context: any.
 */
void collapse_unprepare(struct collapse *c)
{
	if (c->folio)
		folio_put(c->folio);
	c->folio = NULL;
}

/**
 * collapse_mm_is_gone() - is there nothing more to do for an address space?
 * @mm: the address space
 *
 * Context: any.
 * Return: whether its last user has left, or prctl() forbids huge pages.
 */
bool collapse_mm_is_gone(struct mm_struct *mm)
{
	return !atomic_read(&mm->mm_users) ||
	       test_bit(MMF_DISABLE_THP, &mm->flags);
}

/**
 * collapse_revalidate() - look up the VMA of the range again
 * @c: the attempt
 *
 * To be called by whoever took mmap_lock again.  Sets @c->vma.
 *
 * Context: mmap_lock held.
 * Return: SCAN_SUCCEED, if a folio of this order may be mapped there; and into
 * memory of the same kind, anonymous or not, as the attempt began with.
 */
enum scan_result collapse_revalidate(struct collapse *c)
{
	unsigned long tva_flags = collapse_is_khugepaged(c) ? TVA_ENFORCE_SYSFS : 0;
	unsigned long address = collapse_address(c);
	struct vm_area_struct *vma;

	mmap_assert_locked(c->mm);
	c->vma = NULL;
	if (collapse_mm_is_gone(c->mm))
		return SCAN_ANY_PROCESS;

	vma = find_vma(c->mm, address);
	if (!vma)
		return SCAN_VMA_NULL;
	if (!thp_vma_suitable_order(vma, address, c->order))
		return SCAN_ADDRESS_RANGE;
	if (!thp_vma_allowable_order(vma, vma->vm_flags, tva_flags, c->order))
		return SCAN_VMA_CHECK;
	/* Without file, with anon_vma: nothing else has pages to collapse. */
	if (!c->file && (!vma_is_anonymous(vma) || !vma->anon_vma))
		return SCAN_PAGE_ANON;

	c->vma = vma;
	return SCAN_SUCCEED;
}

/**
 * collapse_find_pmd() - find the page table of an address
 * @mm: address space
 * @address: in the window
 * @pmd: where to put its position
 *
 * Context: mmap_lock held.
 * Return: SCAN_SUCCEED: *@pmd points to a page table.  SCAN_PMD_NONE: to
 * nothing.  SCAN_PMD_MAPPED: to a huge page.  SCAN_PMD_NULL: there is no *@pmd,
 * or something else in it.
 */
enum scan_result collapse_find_pmd(struct mm_struct *mm, unsigned long address,
				   pmd_t **pmd)
{
	pmd_t value;

	*pmd = mm_find_pmd(mm, address);
	if (!*pmd)
		return SCAN_PMD_NULL;

	value = pmdp_get_lockless(*pmd);
	if (pmd_none(value))
		return SCAN_PMD_NONE;
	if (pmd_present(value) && pmd_trans_huge(value))
		return SCAN_PMD_MAPPED;
	if (!pmd_present(value) || pmd_devmap(value) || pmd_bad(value))
		return SCAN_PMD_NULL;
	return SCAN_SUCCEED;
}

/*
 * Bring back one page.
 *
 * Return: SCAN_SUCCEED also if there was nothing to do; else why there is no
 * page.  SCAN_PAGE_LOCK: mmap_lock was released on the way.
 */
static enum scan_result swap_in_slot(struct collapse *c, pmd_t *pmd,
				     unsigned long address,
				     unsigned int *swapped_in)
{
	struct vm_fault vmf = {
		.vma = c->vma,
		.address = address,
		.real_address = address,
		.pgoff = linear_page_index(c->vma, address),
		.flags = FAULT_FLAG_ALLOW_RETRY,
		.pmd = pmd,
	};
	vm_fault_t ret;

	vmf.pte = pte_offset_map_nolock(c->mm, pmd, address, &vmf.ptl);
	if (!vmf.pte)
		return SCAN_PMD_NULL;
	vmf.orig_pte = ptep_get_lockless(vmf.pte);
	if (!is_swap_pte(vmf.orig_pte)) {
		pte_unmap(vmf.pte);
		return SCAN_SUCCEED;
	}

	ret = do_swap_page(&vmf);
	/* It has waited for the page; what the VMA is now is anybody's guess. */
	if (ret & VM_FAULT_RETRY)
		return SCAN_PAGE_LOCK;
	if (ret & VM_FAULT_ERROR)
		return SCAN_FAIL;
	(*swapped_in)++;
	return SCAN_SUCCEED;
}

/**
 * collapse_swap_in() - bring the pages of the range back from swap
 * @c: the attempt; nothing happens if the scan saw no such page
 *
 * Context: no locks held; takes and drops mmap_lock for reading, sleeps.
 * Return: SCAN_SUCCEED, or why a page is not there.
 */
enum scan_result collapse_swap_in(struct collapse *c)
{
	unsigned int slot, end = c->offset + collapse_nr(c), swapped_in = 0;
	enum scan_result result;
	pmd_t *pmd;

	if (find_next_bit(c->map.swapped, end, c->offset) >= end)
		return SCAN_SUCCEED;

	mmap_read_lock(c->mm);
	result = collapse_revalidate(c);
	if (result == SCAN_SUCCEED)
		result = collapse_find_pmd(c->mm, collapse_address(c), &pmd);
	if (result != SCAN_SUCCEED) {
		mmap_read_unlock(c->mm);
		return result;
	}

	for (slot = c->offset; slot < end && result == SCAN_SUCCEED; slot++)
		result = swap_in_slot(c, pmd, c->window + slot * PAGE_SIZE,
				      &swapped_in);
	/* do_swap_page() waits for a folio without the lock, and leaves it so. */
	if (result != SCAN_PAGE_LOCK)
		mmap_read_unlock(c->mm);
	c->vma = NULL;

	/* Pages on their way to the LRU have a reference too many. */
	if (swapped_in)
		lru_add_drain();
	trace_mm_collapse_huge_page_swapin(c->mm, swapped_in, c->referenced,
					   result);
	return result;
}
