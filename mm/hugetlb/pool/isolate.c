// SPDX-License-Identifier: GPL-2.0
/*
 * Isolate: somebody outside holds on to a huge page in use.
 *
 * Migration takes it off the pool's list for a while; memory failure takes a
 * reference before it acts.  It stays counted as a page in use.
 * Locks: hugetlb_lock.
 */
#include <linux/cleanup.h>
#include <linux/mm.h>
#include "pool.h"

/**
 * isolate_hugetlb() - take a huge page in use for migration
 * @folio: what the caller takes for one; needs no reference
 * @list: where to put it
 *
 * Undone by folio_putback_active_hugetlb().
 *
 * Context: any that allows interrupts; takes hugetlb_lock.
 * Return: true when it is on @list, with a reference; false when it is free,
 * not to be migrated, or already taken by somebody else.
 */
bool isolate_hugetlb(struct folio *folio, struct list_head *list)
{
	guard(spinlock_irq)(&hugetlb_lock);
	if (!folio_test_hugetlb(folio) || !folio_test_hugetlb_migratable(folio))
		return false;
	if (!folio_try_get(folio))
		return false;
	pool_isolate(folio, list);
	return true;
}

/**
 * folio_putback_active_hugetlb() - end what isolate_hugetlb() began
 * @folio: isolated, or new and about to be seen; the reference goes
 *
 * Context: any that allows interrupts and freeing a huge page.
 */
void folio_putback_active_hugetlb(struct folio *folio)
{
	scoped_guard(spinlock_irq, &hugetlb_lock)
		pool_putback(folio_pool(folio), folio);
	folio_put(folio);
}

/**
 * get_hwpoison_hugetlb_folio() - pin a huge page for memory failure
 * @folio: a folio that may be huge
 * @hugetlb: set to whether it is
 * @unpoison: the caller clears poison, so the page need not be migratable
 *
 * Context: any that allows interrupts; takes hugetlb_lock.
 * Return: 1 with a reference; 0 when there is none to take, as @folio is not
 * huge, or free, or about to be; -EBUSY when it is between users.
 */
int get_hwpoison_hugetlb_folio(struct folio *folio, bool *hugetlb,
			       bool unpoison)
{
	guard(spinlock_irq)(&hugetlb_lock);
	*hugetlb = folio_test_hugetlb(folio);
	if (!*hugetlb || folio_test_hugetlb_freed(folio))
		return 0;
	if (!unpoison && !folio_test_hugetlb_migratable(folio))
		return -EBUSY;
	return folio_try_get(folio);
}
