// SPDX-License-Identifier: GPL-2.0
/*
 * Folios for users who were promised nothing: surplus pages and migration.
 *
 * Knows how far a pool may grow beyond its persistent size on demand, and when
 * such pages go again.  Knows no files, no mappings and no quotas.
 * Locks: hugetlb_lock, a leaf.
 */
#include "reserve.h"
#include <linux/cleanup.h>
#include <linux/list.h>
#include <linux/page_owner.h>
#include <linux/page_ref.h>
#include <linux/sched.h>

/* ---- surplus ---- */

/* How many more pages may come into being on demand?  Gigantic ones never. */
static unsigned long surplus_room(const struct hugetlb_pool *pool)
{
	if (hstate_is_gigantic(&pool->h) || !pool_surplus_allowed(pool))
		return 0;
	return pool->overcommit_max - pool->surplus;
}

/**
 * hugetlb_surplus_alloc() - one page beyond the persistent size, to use at once
 * @pool: the pool
 * @gfp: as for source_alloc()
 * @nid: preferred node
 * @nodes: nodes to choose from, NULL for any
 *
 * Asks twice whether overcommit allows it: before, to spare the allocation, and
 * after, when others may have used up what was left.
 *
 * Context: may sleep; takes hugetlb_lock.
 * Return: the folio, in use with one reference; NULL when the pool may not grow
 * or no memory was found.
 */
struct folio *hugetlb_surplus_alloc(struct hugetlb_pool *pool, gfp_t gfp,
				    int nid, const nodemask_t *nodes)
{
	struct folio *folio;

	scoped_guard(spinlock_irq, &hugetlb_lock) {
		if (!surplus_room(pool))
			return NULL;
	}
	folio = source_alloc(pool, gfp, nid, nodes, NULL);
	if (!folio)
		return NULL;

	scoped_guard(spinlock_irq, &hugetlb_lock) {
		if (surplus_room(pool)) {
			pool_add_surplus(pool, folio);
			pool_take_folio(pool, folio);
			return folio;
		}
	}
	source_free(pool, folio);
	return NULL;
}

/*
 * Promises are counted for all nodes together, which says little to a task that
 * may use only some.  No more than the free pages there is the best that can be
 * asked for: cpusets and policies change.
 */
static bool surplus_within_nodes(const struct hugetlb_pool *pool, long n,
				 const nodemask_t *nodes)
{
	int nid;

	for_each_node_mask(nid, *nodes)
		n -= pool->node[nid].free;
	return n <= 0;
}

/**
 * struct surplus_batch - pages for promises that the pool cannot back
 * @pool: the pool
 * @nodes: where
 * @fresh: allocated so far, counted nowhere
 * @have: how many
 */
struct surplus_batch {
	struct hugetlb_pool	*pool;
	nodemask_t		nodes;
	struct list_head	fresh;
	long			have;
};

/*
 * Fresh pages join the pool and are promised in one section of the lock, so
 * that nobody can take them in between, and only when they are enough: a
 * promise for a part would turn others away for nothing.
 *
 * Return: 0, how many pages must be allocated first, or -ENOMEM.
 */
static long surplus_batch_reserve(struct surplus_batch *batch, long n)
{
	struct hugetlb_pool *pool = batch->pool;
	struct folio *folio;
	long missing;

	guard(spinlock_irq)(&hugetlb_lock);

	missing = pool_reserve(pool, n);
	if (missing > 0) {
		if (missing > surplus_room(pool))
			return -ENOMEM;
		if (missing > batch->have)
			return missing - batch->have;
		for (; missing; missing--) {
			folio = list_first_entry(&batch->fresh, struct folio,
						 lru);
			list_del_init(&folio->lru);
			pool_add_surplus(pool, folio);
		}
		pool_reserve(pool, n);
	}
	if (surplus_within_nodes(pool, n, &batch->nodes))
		return 0;
	pool_unreserve(pool, n);
	return -ENOMEM;
}

static bool surplus_batch_alloc(struct surplus_batch *batch, long n)
{
	gfp_t gfp = htlb_alloc_mask(&batch->pool->h);
	struct folio *folio;

	for (; n; n--) {
		folio = source_alloc(batch->pool, gfp, NUMA_NO_NODE,
				     &batch->nodes, NULL);
		if (!folio)
			return false;
		list_add(&folio->lru, &batch->fresh);
		batch->have++;
		cond_resched();
	}
	return true;
}

/**
 * hugetlb_surplus_gather() - have the pool promise pages
 * @pool: the pool
 * @n: units; all or none
 *
 * Grows the pool where its free pages are not enough, within overcommit and on
 * the nodes that cpuset and policy of the current task allow.
 *
 * Context: may sleep; takes hugetlb_lock.
 * Return: 0, or -ENOMEM with no promise made.
 */
long hugetlb_surplus_gather(struct hugetlb_pool *pool, long n)
{
	struct surplus_batch batch = {
		.pool  = pool,
		.fresh = LIST_HEAD_INIT(batch.fresh),
	};
	long more;

	if (n <= 0)
		return 0;

	hugetlb_place_task_nodes(pool, &batch.nodes);
	while ((more = surplus_batch_reserve(&batch, n)) > 0) {
		if (!surplus_batch_alloc(&batch, more)) {
			more = -ENOMEM;
			break;
		}
	}

	/* While we allocated, pages may have come back to the pool. */
	source_free_list(pool, &batch.fresh);
	if (more)
		hugetlb_surplus_trim(pool);
	return more;
}

/* Pages freed with one hold of the lock. */
#define SURPLUS_TRIM_BATCH	64

/* Return: true if the batch was full, so that there may be more. */
static bool surplus_trim_batch(struct hugetlb_pool *pool,
			       struct list_head *gone)
{
	struct folio *folio;
	int left;

	guard(spinlock_irq)(&hugetlb_lock);

	for (left = SURPLUS_TRIM_BATCH; left; left--) {
		folio = pool_trim_one(pool, NUMA_NO_NODE);
		if (!folio)
			return false;
		list_add(&folio->lru, gone);
	}
	return true;
}

/**
 * hugetlb_surplus_trim() - free surplus pages that nobody was promised
 * @pool: the pool, after promises were returned to it
 *
 * Context: may sleep; takes hugetlb_lock.
 */
void hugetlb_surplus_trim(struct hugetlb_pool *pool)
{
	LIST_HEAD(gone);
	bool more;

	do {
		more = surplus_trim_batch(pool, &gone);
		more &= source_free_list(pool, &gone);
		cond_resched();
	} while (more);
}

/**
 * hugetlb_surplus_trim_one() - the same for one page where sleeping is forbidden
 * @pool: the pool
 * @nid: node to look at first, or NUMA_NO_NODE
 *
 * Context: any; takes hugetlb_lock.
 * Return: false when there was none.
 */
bool hugetlb_surplus_trim_one(struct hugetlb_pool *pool, int nid)
{
	struct folio *folio;

	scoped_guard(spinlock_irqsave, &hugetlb_lock)
		folio = pool_trim_one(pool, nid);
	if (folio)
		source_free_any_context(pool, folio);
	return folio;
}

/**
 * hugetlb_surplus_return() - units leave a mount: the pool's promises end
 * @pool: the pool
 * @n: units, may be 0
 *
 * Context: may sleep; takes hugetlb_lock.
 */
void hugetlb_surplus_return(struct hugetlb_pool *pool, long n)
{
	if (!n)
		return;
	scoped_guard(spinlock_irq, &hugetlb_lock)
		pool_unreserve(pool, n);
	hugetlb_surplus_trim(pool);
}

/* ---- migration ---- */

/**
 * alloc_hugetlb_folio_nodemask() - a page to migrate another one to
 * @h: its size
 * @preferred_nid: preferred node
 * @nmask: nodes to choose from, NULL for any
 * @gfp_mask: htlb_modify_alloc_mask()
 * @allow_alloc_fallback: a new page may lie on another node than the preferred
 *
 * A free page that was promised to nobody, else a temporary one: it lives until
 * one of the two pages is freed, see move_hugetlb_state().
 *
 * Context: may sleep; takes hugetlb_lock.
 * Return: the folio with one reference, or NULL.
 */
struct folio *alloc_hugetlb_folio_nodemask(struct hstate *h, int preferred_nid,
					   nodemask_t *nmask, gfp_t gfp_mask,
					   bool allow_alloc_fallback)
{
	struct hugetlb_pool *pool = hstate_pool(h);
	struct folio *folio = NULL;

	scoped_guard(spinlock_irq, &hugetlb_lock) {
		if (pool_available(pool))
			folio = pool_take(pool, gfp_mask, preferred_nid, nmask);
	}
	if (folio || hstate_is_gigantic(h))
		return folio;

	/* The size of the pool on each node is what the user asked for. */
	if (!allow_alloc_fallback)
		gfp_mask |= __GFP_THISNODE;
	folio = source_alloc(pool, gfp_mask, preferred_nid, nmask, NULL);
	if (!folio)
		return NULL;

	folio_ref_unfreeze(folio, 1);
	scoped_guard(spinlock_irq, &hugetlb_lock)
		pool_add_temporary(pool, folio);
	return folio;
}

/*
 * Surplus is counted by node.  Where the page that stays in use changed nodes,
 * a surplus one went along, or the old node could have more surplus than pages.
 */
static bool alloc_move_surplus(struct hugetlb_pool *pool, int from, int to)
{
	nodemask_t old_node = nodemask_of_node(from);
	nodemask_t new_node = nodemask_of_node(to);

	if (from == to || !pool_adopt_surplus(pool, 1, &old_node))
		return false;
	pool_mark_surplus(pool, 1, &new_node);
	return true;
}

/**
 * move_hugetlb_state() - one huge page has taken the place of another
 * @old_folio: isolated, unmapped, about to be freed
 * @new_folio: in its place
 * @reason: MR_*
 *
 * If one of the two had to be made for the move, it is the old one that leaves
 * the pool with its last reference: the temporary state changes sides.
 *
 * Context: both folios have a reference, @old_folio is locked.  May sleep;
 * takes hugetlb_lock.
 */
void move_hugetlb_state(struct folio *old_folio, struct folio *new_folio,
			int reason)
{
	struct hugetlb_pool *pool = folio_pool(old_folio);
	bool moved;

	hugetlb_cgroup_migrate(old_folio, new_folio);
	set_page_owner_migrate_reason(&new_folio->page, reason);
	if (!folio_test_hugetlb_temporary(new_folio))
		return;

	scoped_guard(spinlock_irq, &hugetlb_lock) {
		folio_clear_hugetlb_temporary(new_folio);
		folio_set_hugetlb_temporary(old_folio);
		moved = alloc_move_surplus(pool, folio_nid(old_folio),
					   folio_nid(new_folio));
	}
	if (moved)
		hugetlb_surplus_trim(pool);
}
