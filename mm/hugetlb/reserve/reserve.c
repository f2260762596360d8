// SPDX-License-Identifier: GPL-2.0
/*
 * Promises for ranges: mmap() and shmget() make them; truncation, unmapping and
 * unmounting return them.
 *
 * Moves units between controller, quota, pool and map, in this order, and back
 * in the other.  Single pages on their way in are claim.c's.
 * Locks: rw_sema of a shared map for writing, so that no claim is under way
 * while a range of it changes.
 */
#include "reserve.h"
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/mmdebug.h>
#include <linux/slab.h>

/* ---- the quota of a mount ---- */

/**
 * hugetlb_quota_create() - a mount gets its quota
 * @pool: whose pages
 * @max: most units, -1 for no limit
 * @min: units the mount owns from now on, 0 for none
 *
 * Context: may sleep.
 * Return: the quota, or NULL without memory or without @min pages.
 */
struct hugetlb_quota *hugetlb_quota_create(struct hugetlb_pool *pool, long max,
					   long min)
{
	struct hugetlb_quota *quota = kmalloc(sizeof(*quota), GFP_KERNEL);

	if (!quota)
		return NULL;

	if (hugetlb_surplus_gather(pool, min)) {
		kfree(quota);
		return NULL;
	}
	quota_init(quota, pool, max, min);
	return quota;
}

/* Nothing is used, so all that the mount owned is promised, not in use. */
static void hugetlb_quota_bury(struct hugetlb_quota *quota)
{
	struct hugetlb_pool *pool = quota->pool;
	long n = quota->held;

	scoped_guard(spinlock_irqsave, &hugetlb_lock)
		pool_unreserve(pool, n);
	kfree(quota);
	/* No more than that: pages that cannot be unmade come back. */
	while (n-- > 0 && hugetlb_surplus_trim_one(pool, NUMA_NO_NODE))
		;
}

/**
 * hugetlb_quota_release() - the super block lets go of its quota
 * @quota: not used by the caller any more
 *
 * The minimum goes back to the pool and the quota goes away with the last page,
 * which may be pinned for longer than its file exists.
 *
 * Context: takes quota->lock, hugetlb_lock.
 */
void hugetlb_quota_release(struct hugetlb_quota *quota)
{
	if (quota_unmount(quota))
		hugetlb_quota_bury(quota);
}

/**
 * hugetlb_quota_leave() - what follows each quota_put(), at last
 * @quota: of the mount, or NULL; not used by the caller any more
 *
 * Context: any; takes quota->lock, hugetlb_lock.
 */
void hugetlb_quota_leave(struct hugetlb_quota *quota)
{
	if (quota_is_dead(quota))
		hugetlb_quota_bury(quota);
}

/**
 * hugetlb_return_units() - promises end
 * @pool: the pool
 * @quota: of the mount, or NULL
 * @n: units that nobody can take any more, as they are in no map
 *
 * Context: may sleep; takes quota->lock, hugetlb_lock.
 */
void hugetlb_return_units(struct hugetlb_pool *pool,
			  struct hugetlb_quota *quota, long n)
{
	if (!n)
		return;
	hugetlb_surplus_return(pool, quota_put(quota, n));
	hugetlb_quota_leave(quota);
}

/**
 * hugetlb_return_untaken() - undo quota_take(): the pool has too few
 * @pool: the pool
 * @quota: of the mount, or NULL
 * @n: units as in quota_take()
 *
 * Without a quota nothing was taken.  With one, units that others put meanwhile
 * were kept for us, and go back to the pool.
 *
 * Context: may sleep; takes quota->lock, hugetlb_lock.
 */
void hugetlb_return_untaken(struct hugetlb_pool *pool,
			    struct hugetlb_quota *quota, long n)
{
	if (quota)
		hugetlb_return_units(pool, quota, n);
}

/* ---- units for a range, before a map has them ---- */

/* Return: 0, and @tag is charged for the units; -ENOMEM or -ENOSPC. */
static int reserve_units_take(struct inode *inode, long n,
			      struct hugetlb_cgroup **tag)
{
	struct hugetlb_quota *quota = inode_quota(inode);
	struct hugetlb_pool *pool = inode_pool(inode);
	long need;
	int err;

	if (hugetlb_cgroup_charge(pool, n, HUGETLB_CHARGE_RSVD, tag))
		return -ENOMEM;

	need = quota_take(quota, n);
	if (need < 0) {
		err = need;
		goto uncharge;
	}
	err = hugetlb_surplus_gather(pool, need);
	if (err) {
		hugetlb_return_untaken(pool, quota, n);
		goto uncharge;
	}
	hugetlb_surplus_return(pool, quota_settle(quota, need));
	return 0;
uncharge:
	hugetlb_cgroup_uncharge(pool, n, HUGETLB_CHARGE_RSVD, *tag);
	return err;
}

/* Give @n of the units back; the reference to @tag stays. */
static void reserve_units_return(struct inode *inode, long n,
				 struct hugetlb_cgroup *tag)
{
	struct hugetlb_pool *pool = inode_pool(inode);

	hugetlb_return_units(pool, inode_quota(inode), n);
	hugetlb_cgroup_tag_uncharge(pool, tag, n);
}

/* ---- shared: the file's map ---- */

/**
 * struct reserve_range - promises on their way into a file's map
 * @inode: the file
 * @map: of the file
 * @from: first slot
 * @to: the slot after the last
 * @n: units taken for it
 * @tag: charged for them
 */
struct reserve_range {
	struct inode		*inode;
	struct resv_map		*map;
	long			from;
	long			to;
	long			n;
	struct hugetlb_cgroup	*tag;
};

/*
 * Slots without promise or page.  One whose promise was taken by a claim under
 * way is not in the map for that time, and would count as one of them.
 */
static long reserve_range_missing(struct reserve_range *range)
{
	unsigned int nodes;
	long missing;

	down_write(&range->map->rw_sema);
	missing = region_missing(range->map, range->from, range->to, &nodes);
	up_write(&range->map->rw_sema);
	return missing;
}

static int reserve_range_pay(struct reserve_range *range, long n)
{
	int err = reserve_units_take(range->inode, n, &range->tag);

	range->n = err ? 0 : n;
	return err;
}

static void reserve_range_refund(struct reserve_range *range)
{
	if (!range->n)
		return;
	reserve_units_return(range->inode, range->n, range->tag);
	hugetlb_cgroup_tag_put(range->tag);
	range->n = 0;
}

/* At least as many units as slots are there; those left over go back. */
static int reserve_range_mark(struct reserve_range *range, unsigned int nodes)
{
	struct region_spares spares;
	long added = -ENOMEM;

	region_spares_init(&spares);
	if (!region_spares_fill(&spares, nodes))
		added = region_add(range->map, range->from, range->to,
				   range->tag, &spares);
	region_spares_drop(&spares);
	if (added < 0) {
		reserve_range_refund(range);
		return -ENOMEM;
	}
	reserve_units_return(range->inode, range->n - added, range->tag);
	hugetlb_cgroup_tag_put(range->tag);
	return 0;
}

/*
 * @n slots were missing when units were taken for them, with @err.  Meanwhile
 * others may have got a page or a promise, so that less is needed.
 */
static int reserve_range_finish(struct reserve_range *range, long n, int err)
{
	unsigned int nodes;
	long missing;

	lockdep_assert_held_write(&range->map->rw_sema);

	missing = region_missing(range->map, range->from, range->to, &nodes);
	if (err && missing >= n)
		return err;
	if (err || missing > n) {
		reserve_range_refund(range);
		err = missing ? reserve_range_pay(range, missing) : 0;
	}
	if (err || !range->n)
		return err;
	return reserve_range_mark(range, nodes);
}

/**
 * hugetlb_promise_file() - promise pages for a range of a file
 * @inode: the file
 * @from: first slot
 * @to: the slot after the last
 *
 * Slots that have a promise or a page already cost nothing.  Claims may go on
 * while units are taken for the others: to make surplus pages may take long.
 *
 * Context: inode lock, or nobody else has the inode; no fault mutex.  May sleep.
 * Return: 0; -ENOMEM when pool, controller or memory have too little, -ENOSPC
 * when the mount's maximum would be exceeded.  Then nothing was promised.
 */
int hugetlb_promise_file(struct inode *inode, long from, long to)
{
	struct reserve_range range = {
		.inode	= inode,
		.map	= inode_resv_map(inode),
		.from	= from,
		.to	= to,
	};
	long n;
	int err;

	if (region_count(range.map, from, to) == to - from)
		return 0;
	n = reserve_range_missing(&range);
	if (!n)
		return 0;

	err = reserve_range_pay(&range, n);
	down_write(&range.map->rw_sema);
	err = reserve_range_finish(&range, n, err);
	up_write(&range.map->rw_sema);
	return err;
}

/**
 * hugetlb_return_file() - end what was promised to a range of a file
 * @inode: the file
 * @from: first slot
 * @to: the slot after the last, or LONG_MAX for all that follow
 * @freed: slots of the range whose page has left the file; its unit stays with
 *	the page
 *
 * A claim that was under way while the pages were dropped is over by the time
 * this has rw_sema, and its unit is a promise again.
 *
 * Context: inode lock, or nobody else has the inode; no fault mutex.  May sleep.
 */
void hugetlb_return_file(struct inode *inode, long from, long to, long freed)
{
	struct resv_map *map = inode_resv_map(inode);
	struct region_spares spares;
	long removed;

	/* Up to the end no region is split; else one node is all it takes. */
	region_spares_init(&spares);
	while (to != LONG_MAX && region_spares_fill(&spares, 1))
		cond_resched();

	down_write(&map->rw_sema);
	removed = region_remove(map, from, to, &spares);
	up_write(&map->rw_sema);
	region_spares_drop(&spares);

	if (WARN_ON_ONCE(removed < freed))
		return;
	hugetlb_return_units(inode_pool(inode), inode_quota(inode),
			     removed - freed);
}

/**
 * hugetlb_return_slots() - pages are about to leave their file
 * @inode: the file
 * @from: the slot of the first page
 * @to: the slot after the last; all slots have a page
 * @spares: at least one node
 *
 * Only the slots and their charges go.  The units stay with the folios and go
 * when these are freed: they may be pinned.
 *
 * Context: inode lock and the folio locks of the pages; takes map->lock.
 */
void hugetlb_return_slots(struct inode *inode, long from, long to,
			  struct region_spares *spares)
{
	long removed = region_remove(inode_resv_map(inode), from, to, spares);

	VM_WARN_ON_ONCE(removed != to - from);
}

/* ---- private: a map for each mapping ---- */

/**
 * hugetlb_promise_private() - promise a new private mapping all its pages
 * @inode: the file mapped
 * @from: first slot
 * @to: the slot after the last
 *
 * The map comes last: how large it is was the user's wish before there were
 * pages for it.
 *
 * Context: may sleep.
 * Return: the owner's map with no promise spent; or an error pointer, -ENOMEM
 * or -ENOSPC as for hugetlb_promise_file().
 */
struct resv_map *hugetlb_promise_private(struct inode *inode, long from,
					 long to)
{
	struct hugetlb_cgroup *tag;
	struct resv_map *map;
	int err;

	err = reserve_units_take(inode, to - from, &tag);
	if (err)
		return ERR_PTR(err);

	map = resv_map_alloc_private(inode_pool(inode), from, to);
	if (!map) {
		reserve_units_return(inode, to - from, tag);
		hugetlb_cgroup_tag_put(tag);
		return ERR_PTR(-ENOMEM);
	}
	map->charged = tag;
	return map;
}

/**
 * hugetlb_promise_twin() - a second mapping is to own a range, too
 * @map: of the owner
 * @from: first slot
 * @to: the slot after the last
 *
 * mremap() of a part of a mapping makes the mapping at the new address before
 * the part at the old one goes, which may fail.  Until one of both is closed
 * the slots are noted as twins, and whichever is closed first returns nothing.
 *
 * Context: mmap_lock for writing; may sleep.
 * Return: 0; -ENOMEM, also where a slot is a twin already.
 */
int hugetlb_promise_twin(struct resv_map *map, long from, long to)
{
	struct region_spares spares;
	unsigned int nodes;
	long added = -ENOMEM;

	if (!map->twins)
		map->twins = resv_map_alloc(map->pool);
	if (!map->twins ||
	    region_missing(map->twins, from, to, &nodes) < to - from)
		return -ENOMEM;

	region_spares_init(&spares);
	if (!region_spares_fill(&spares, nodes))
		added = region_add(map->twins, from, to, NULL, &spares);
	region_spares_drop(&spares);
	return added < 0 ? -ENOMEM : 0;
}

/*
 * The charge was for the range as a whole, what became of it does not matter.
 * Spent units are in pages and go with them.
 */
static void reserve_return_sole(struct inode *inode, struct resv_map *map,
				long from, long to)
{
	long unspent = to - from - resv_spent(map, from, to);

	hugetlb_cgroup_tag_uncharge(map->pool, map->charged, to - from);
	hugetlb_return_units(map->pool, inode_quota(inode), unspent);
}

/* Some slots of the range stay with their twin, whose only owner that is now. */
static void reserve_return_twins(struct inode *inode, struct resv_map *map,
				 long from, long to)
{
	struct region_spares spares;
	long hindex;

	region_spares_init(&spares);
	while (region_spares_fill(&spares, 1))
		cond_resched();

	for (hindex = from; hindex < to; hindex++) {
		if (!region_present(map->twins, hindex))
			reserve_return_sole(inode, map, hindex, hindex + 1);
		cond_resched();
	}
	region_remove(map->twins, from, to, &spares);
	region_spares_drop(&spares);
}

/**
 * hugetlb_return_private() - an owner unmaps a range
 * @inode: the file mapped
 * @map: the owner's
 * @from: first slot
 * @to: the slot after the last
 *
 * Context: mmap_lock, and nobody else who closes a mapping of @map: nobody can
 * spend a promise of the range any more.  May sleep.
 */
void hugetlb_return_private(struct inode *inode, struct resv_map *map,
			    long from, long to)
{
	if (map->twins && region_count(map->twins, from, to))
		reserve_return_twins(inode, map, from, to);
	else
		reserve_return_sole(inode, map, from, to);
}
