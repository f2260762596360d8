// SPDX-License-Identifier: GPL-2.0
/*
 * Adoption: pages of memfd files, which come before their slot is known.
 *
 * memfd_alloc_folio() takes a page, fills it and puts it into the page cache,
 * where it finds the promise that it is for, or pays for one.
 * Locks: rw_sema of the file's map for reading, as for a claim.
 */
#include "reserve.h"
#include <linux/cleanup.h>
#include <linux/jiffies.h>
#include <linux/sched/signal.h>

/* How long to wait for pages that are on their way back to the pool. */
#define ADOPT_PATIENCE	HZ

/* Nobody's page, or else one that was promised: its promise is owed then. */
static struct folio *adopt_take(struct hugetlb_pool *pool, int nid,
				const nodemask_t *nodes, gfp_t gfp)
{
	struct folio *folio;
	bool spent;

	guard(spinlock_irq)(&hugetlb_lock);

	spent = !pool_available(pool) && pool_spend(pool);
	folio = pool_take(pool, gfp, nid, nodes);
	if (!spent)
		return folio;
	if (!folio) {
		pool_unspend(pool);
		return NULL;
	}
	pool_owe(pool, 1);
	folio_set_hugetlb_restore_reserve(folio);
	return folio;
}

/* The page that somebody was promised, maybe our slot, will be there soon. */
static bool adopt_wait(struct hugetlb_pool *pool, unsigned long deadline)
{
	bool owed;

	scoped_guard(spinlock_irq, &hugetlb_lock)
		owed = pool->owed;
	if (!owed || time_after(jiffies, deadline))
		return false;
	schedule_timeout_killable(1);
	return !fatal_signal_pending(current);
}

/**
 * alloc_hugetlb_folio_reserve() - a page for a file that will say which promise
 * @h: its size
 * @preferred_nid: preferred node
 * @nmask: nodes to choose from, NULL for any
 * @gfp_mask: zones
 *
 * The caller has no map of promises, and puts the folio into the page cache
 * next: there hugetlb_adopt_reserved() finds the promise that it is for.  Until
 * then a page that was promised to somebody is owed to them, which
 * HPG_restore_reserve says.
 *
 * Context: may sleep; takes hugetlb_lock.
 * Return: the folio with one reference; NULL when the pool has none and may not
 * grow.
 */
struct folio *alloc_hugetlb_folio_reserve(struct hstate *h, int preferred_nid,
					  nodemask_t *nmask, gfp_t gfp_mask)
{
	unsigned long deadline = jiffies + ADOPT_PATIENCE;
	struct hugetlb_pool *pool = hstate_pool(h);
	struct folio *folio;

	do {
		folio = adopt_take(pool, preferred_nid, nmask, gfp_mask);
		if (!folio)
			folio = hugetlb_surplus_alloc(pool, gfp_mask,
						      preferred_nid, nmask);
	} while (!folio && adopt_wait(pool, deadline));
	return folio;
}

/*
 * The folio was promised to somebody, not to this slot.  So another page must be
 * there for every promise, or has to be made.
 */
static int adopt_replace(struct hugetlb_pool *pool)
{
	int err;

	scoped_guard(spinlock_irq, &hugetlb_lock) {
		if (!pool->owed)
			return 0;
		if (pool_available(pool)) {
			pool_repay(pool, 1);
			return 0;
		}
	}
	err = hugetlb_surplus_gather(pool, 1);
	if (err)
		return err;
	scoped_guard(spinlock_irq, &hugetlb_lock)
		hugetlb_promise_drop(pool);
	/* Not needed after all, if the owed one came back meanwhile. */
	hugetlb_surplus_trim(pool);
	return 0;
}

/*
 * One unit, and a slot in the map that has it.
 *
 * Return: 1 when the page is the unit, 0 when the unit came with a promise that
 * the page is to serve; -ENOMEM or -ENOSPC.
 */
static int adopt_slot(struct inode *inode, long hindex, struct folio *folio,
		      struct region_spares *spares)
{
	struct hugetlb_quota *quota = inode_quota(inode);
	struct hugetlb_pool *pool = inode_pool(inode);
	struct hugetlb_cgroup *tag;
	long need;
	int err;

	if (hugetlb_cgroup_charge(pool, 1, HUGETLB_CHARGE_RSVD, &tag))
		return -ENOMEM;
	need = quota_take(quota, 1);
	if (need < 0) {
		err = need;
		goto uncharge;
	}
	err = 0;
	if (need && folio_test_hugetlb_restore_reserve(folio))
		err = adopt_replace(pool);
	if (err) {
		hugetlb_return_untaken(pool, quota, 1);
		goto uncharge;
	}
	hugetlb_surplus_return(pool, quota_settle(quota, need));
	region_give(inode_resv_map(inode), hindex, tag, spares);
	return need;
uncharge:
	hugetlb_cgroup_uncharge(pool, 1, HUGETLB_CHARGE_RSVD, tag);
	return err;
}

/**
 * hugetlb_adopt_reserved() - a page finds the promise that it is for
 * @inode: the file
 * @hindex: the slot
 * @folio: from alloc_hugetlb_folio_reserve()
 *
 * If the slot has a promise, this is its page.  Otherwise a unit is taken for
 * it, as for a promise made now, and whoever was promised the page gets another
 * one.  Controllers count no usage for such pages.
 *
 * Context: fault mutex of the slot.  May sleep.
 * Return: 0; -ENOMEM or -ENOSPC with nothing changed.
 */
int hugetlb_adopt_reserved(struct inode *inode, long hindex,
			   struct folio *folio)
{
	struct resv_map *map = inode_resv_map(inode);
	struct hugetlb_pool *pool = inode_pool(inode);
	struct region_spares spares;
	int need = 0;

	region_spares_init(&spares);
	if (region_spares_fill(&spares, 1))
		return -ENOMEM;

	down_read(&map->rw_sema);
	if (!region_present(map, hindex))
		need = adopt_slot(inode, hindex, folio, &spares);
	up_read(&map->rw_sema);
	region_spares_drop(&spares);
	if (need < 0)
		return need;

	hugetlb_set_folio_subpool(folio, inode_quota(inode));
	folio_clear_hugetlb_restore_reserve(folio);
	if (!need) {
		scoped_guard(spinlock_irq, &hugetlb_lock)
			hugetlb_promise_drop(pool);
		hugetlb_surplus_trim(pool);
	}
	return 0;
}
