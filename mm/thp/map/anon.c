// SPDX-License-Identifier: GPL-2.0
/*
 * Anonymous memory in folios smaller than a PMD: which one a fault gets.
 *
 * An order will do if the knobs allow it, if a folio of it fits the VMA, and if
 * nothing is mapped yet where it would go.  The largest that can be had is
 * taken.  mm/memory.c maps it, and looks again under the page-table lock.
 * Locks: T1 or T2 is held; reads a page table without its lock.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/userfaultfd_k.h>

#include "../../internal.h"
#include "map.h"

/* Orders for which the table is empty around the fault, at this moment. */
static unsigned long anon_empty_orders(pte_t *table, unsigned long address,
				       int largest)
{
	unsigned long at = pte_index(address);
	unsigned long start = round_down(at, BIT(largest));
	unsigned long end = start + BIT(largest);
	unsigned long first = at, last = at;

	if (pte_range_none(table + start, BIT(largest)))
		return BIT(largest + 1) - 1;
	if (!pte_none(ptep_get_lockless(table + at)))
		return 0;
	while (first > start && pte_none(ptep_get_lockless(table + first - 1)))
		first--;
	while (last + 1 < end && pte_none(ptep_get_lockless(table + last + 1)))
		last++;
	return thp_orders_around(at, first, last + 1);
}

/* Orders that the VMA may have and has room for, around the fault. */
static unsigned long anon_orders(const struct vm_fault *vmf,
				 unsigned long orders)
{
	struct vm_area_struct *vma = vmf->vma;

	/* Whoever reads faults from a userfaultfd wants each of them. */
	if (userfaultfd_armed(vma))
		return 0;
	orders = __thp_vma_allowable_orders(vma, vma->vm_flags,
					    TVA_IN_PF | TVA_ENFORCE_SYSFS,
					    orders);
	/* No file whose pages would have to be aligned as well. */
	return orders & thp_orders_around(vmf->address >> PAGE_SHIFT,
					  vma->vm_start >> PAGE_SHIFT,
					  vma->vm_end >> PAGE_SHIFT);
}

/**
 * thp_alloc_anon_folio() - a folio for an anonymous fault, of the best order
 * @vmf: a write fault; the page table is there, nothing of it is locked
 *
 * Context: mmap_lock or the lock of the VMA is held; may sleep.
 * Return: a large folio, zeroed and charged; NULL if a single page must do;
 * -EAGAIN as a pointer if the page table is gone.
 */
struct folio *thp_alloc_anon_folio(struct vm_fault *vmf)
{
	unsigned long orders = thp_anon_orders_enabled(vmf->vma->vm_flags);
	struct folio *folio;
	pte_t *table;
	int order;

	/* Where no size is enabled, that is all a fault pays. */
	orders &= BIT(PMD_ORDER) - 1;
	if (orders)
		orders = anon_orders(vmf, orders);
	if (!orders)
		return NULL;

	table = pte_offset_map(vmf->pmd, vmf->address & PMD_MASK);
	if (!table)
		return ERR_PTR(-EAGAIN);
	orders &= anon_empty_orders(table, vmf->address, highest_order(orders));
	pte_unmap(table);

	for (order = highest_order(orders); orders;
	     order = next_order(&orders, order)) {
		folio = thp_fault_alloc(vmf, order);
		if (!folio)
			continue;
		folio_zero_user(folio, vmf->address);
		return folio;
	}
	return NULL;
}
