// SPDX-License-Identifier: GPL-2.0
/*
 * Resize: change how many persistent pages a pool has.
 *
 * Pages are made and unmade in small batches, outside hugetlb_lock; what is
 * left to do is worked out anew for each, so pages may come and go meanwhile.
 * Knows nothing of who asks (sysfs, sysctl) and how nodes were chosen.
 * Locks: resize_lock, then hugetlb_lock.
 */
#include <linux/cleanup.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include "pool.h"

/* Huge pages handled in one section of hugetlb_lock. */
#define RESIZE_BATCH	64UL

static unsigned long resize_persistent(const struct hugetlb_pool *pool)
{
	lockdep_assert_held(&hugetlb_lock);
	return pool->total - pool->surplus;
}

/* ---- shared with demotion ---- */

/**
 * resize_pick() - choose a free page to take out of the persistent pool
 * @pool: the pool
 * @nodes: nodes to choose from; they take turns
 * @fits: which folios will do
 *
 * Context: hugetlb_lock.  Ask for pool_available() first.
 * Return: a folio on a free list, or NULL.
 */
struct folio *resize_pick(struct hugetlb_pool *pool, const nodemask_t *nodes,
			  bool (*fits)(struct folio *folio))
{
	struct hugetlb_pool_node *node;
	struct folio *folio;
	int nid, left;

	lockdep_assert_held(&hugetlb_lock);
	for_each_node_from(nid, left, &pool->next_free, nodes) {
		node = &pool->node[nid];
		if (node->total == node->surplus)
			continue;
		list_for_each_entry(folio, &node->free_list, lru) {
			if (fits(folio))
				return folio;
		}
	}
	return NULL;
}

static void resize_admit_some(struct hugetlb_pool *pool,
			      struct list_head *folios,
			      struct list_head *excess)
{
	struct folio *folio, *next, *trimmed;
	unsigned long n = 0;

	guard(spinlock_irq)(&hugetlb_lock);
	list_for_each_entry_safe(folio, next, folios, lru) {
		list_del_init(&folio->lru);
		pool_add(pool, folio);
		trimmed = pool_trim_one(pool, folio_nid(folio));
		if (trimmed)
			list_add(&trimmed->lru, excess);
		if (++n == RESIZE_BATCH)
			break;
	}
	pool_set_target(pool, pool->persistent_target + n);
}

/**
 * resize_admit() - add folios to the persistent size of a pool
 * @pool: the pool
 * @folios: from source_alloc_bare() or alike, linked by lru; empty afterwards
 *
 * Surplus pages that they make unnecessary are given back.
 *
 * Context: may sleep; resize_lock.
 */
void resize_admit(struct hugetlb_pool *pool, struct list_head *folios)
{
	LIST_HEAD(excess);

	lockdep_assert_held(&pool->resize_lock);
	vmemmap_optimize_list(pool, folios);
	while (!list_empty(folios)) {
		resize_admit_some(pool, folios, &excess);
		cond_resched();
	}
	source_free_list(pool, &excess);
}

/* ---- grow ---- */

/*
 * The persistent size of the whole pool that is wanted.  For one node it is
 * that of the other nodes and @want; more than can be counted means all there
 * is.
 */
static unsigned long resize_goal(const struct hugetlb_pool *pool,
				 unsigned long want, int nid)
{
	const struct hugetlb_pool_node *node;
	unsigned long elsewhere, goal;

	if (nid == NUMA_NO_NODE)
		return want;
	node = &pool->node[nid];
	elsewhere = resize_persistent(pool) - (node->total - node->surplus);
	if (check_add_overflow(want, elsewhere, &goal))
		return ULONG_MAX;
	return goal;
}

static int resize_check(const struct hugetlb_pool *pool, unsigned long want,
			int nid, unsigned long *goal)
{
	guard(spinlock_irq)(&hugetlb_lock);
	*goal = resize_goal(pool, want, nid);
	if (hstate_is_gigantic(&pool->h) && !IS_ENABLED(CONFIG_CONTIG_ALLOC) &&
	    *goal > resize_persistent(pool))
		return -EINVAL;
	return 0;
}

/* Pages still to be made once surplus has been taken over. */
static unsigned long resize_missing(struct hugetlb_pool *pool,
				    unsigned long goal,
				    const nodemask_t *nodes)
{
	unsigned long missing, adopted;

	guard(spinlock_irq)(&hugetlb_lock);
	if (goal <= resize_persistent(pool))
		return 0;
	missing = goal - resize_persistent(pool);
	adopted = pool_adopt_surplus(pool, missing, nodes);
	pool_set_target(pool, pool->persistent_target + adopted);
	return missing - adopted;
}

static struct folio *resize_alloc_one(struct hugetlb_pool *pool,
				      const nodemask_t *nodes,
				      struct source_effort *effort)
{
	gfp_t gfp = htlb_alloc_mask(&pool->h) | __GFP_THISNODE;
	struct folio *folio;
	int nid, left;

	for_each_node_from(nid, left, &pool->next_alloc, nodes) {
		folio = source_alloc_bare(pool, gfp, nid, nodes, effort);
		if (folio)
			return folio;
	}
	return NULL;
}

/* False when it is no use, or no longer wanted, to go on. */
static bool resize_grow_some(struct hugetlb_pool *pool, unsigned long n,
			     const nodemask_t *nodes,
			     struct source_effort *effort)
{
	struct folio *folio;
	LIST_HEAD(fresh);
	bool more = true;

	for (; n && more; n--) {
		folio = resize_alloc_one(pool, nodes, effort);
		/* By address, as a rule: so what HVO frees lies in one block. */
		if (folio)
			list_add_tail(&folio->lru, &fresh);
		more = folio && !signal_pending(current);
		cond_resched();
	}
	resize_admit(pool, &fresh);
	return more;
}

static void resize_grow(struct hugetlb_pool *pool, unsigned long goal,
			const nodemask_t *nodes)
{
	struct source_effort effort = { .tired = NODE_MASK_NONE };
	unsigned long missing;
	bool more = true;

	while (more) {
		missing = resize_missing(pool, goal, nodes);
		if (!missing)
			return;
		more = resize_grow_some(pool, min(missing, RESIZE_BATCH), nodes,
					&effort);
	}
}

/* ---- shrink ---- */

static bool resize_fits_low(struct folio *folio)
{
	return !folio_test_highmem(folio);
}

static bool resize_fits_any(struct folio *folio)
{
	return true;
}

/* Low memory is scarcer where there is high memory. */
static struct folio *resize_pick_victim(struct hugetlb_pool *pool,
					const nodemask_t *nodes)
{
	struct folio *folio = NULL;

	if (IS_ENABLED(CONFIG_HIGHMEM))
		folio = resize_pick(pool, nodes, resize_fits_low);
	return folio ?: resize_pick(pool, nodes, resize_fits_any);
}

static void resize_collect(struct hugetlb_pool *pool, unsigned long goal,
			   const nodemask_t *nodes, struct list_head *victims)
{
	struct folio *folio;
	unsigned long n;

	for (n = 0; n < RESIZE_BATCH; n++) {
		if (!pool_available(pool) || resize_persistent(pool) <= goal)
			return;
		folio = resize_pick_victim(pool, nodes);
		if (!folio)
			return;
		pool_remove(pool, folio);
		list_add(&folio->lru, victims);
	}
}

/* What is above @goal now is in use or promised: it goes when that ends. */
static void resize_settle(struct hugetlb_pool *pool, unsigned long goal,
			  const nodemask_t *nodes)
{
	unsigned long persistent = resize_persistent(pool);

	if (persistent > goal)
		pool_mark_surplus(pool, persistent - goal, nodes);
	pool_set_target(pool, resize_persistent(pool));
}

/*
 * Settling needs the lock under which nothing was found to collect: a page that
 * became free in between would be surplus that nobody trims.
 */
static bool resize_shrink_some(struct hugetlb_pool *pool, unsigned long goal,
			       const nodemask_t *nodes)
{
	LIST_HEAD(victims);

	scoped_guard(spinlock_irq, &hugetlb_lock) {
		resize_collect(pool, goal, nodes, &victims);
		if (list_empty(&victims)) {
			resize_settle(pool, goal, nodes);
			return false;
		}
	}
	source_free_list(pool, &victims);
	cond_resched();
	return true;
}

/**
 * hugetlb_pool_resize() - change the persistent size of a pool
 * @pool: the pool
 * @want: huge pages; in the whole pool, or on @nid
 * @nid: the node that @want is about, or NUMA_NO_NODE
 * @nodes: where pages may be made and unmade; just @nid if that is a node
 *
 * Grows as far as memory and signals allow.  Shrinks by the pages that are
 * neither in use nor promised; the others beyond @want become surplus and go as
 * soon as they are free.  pool->persistent_target says what was reached.
 *
 * Context: may sleep; takes resize_lock and hugetlb_lock.
 * Return: 0, also when only a part was reached; -EINVAL for gigantic pages that
 * this kernel cannot make (when growing) or can neither make nor unmake.
 */
int hugetlb_pool_resize(struct hugetlb_pool *pool, unsigned long want, int nid,
			const nodemask_t *nodes)
{
	unsigned long goal;
	int err;

	if (pool_is_fixed(pool))
		return -EINVAL;

	guard(mutex)(&pool->resize_lock);
	source_flush(pool);
	err = resize_check(pool, want, nid, &goal);
	if (err)
		return err;

	resize_grow(pool, goal, nodes);
	while (resize_shrink_some(pool, goal, nodes))
		;
	source_flush(pool);
	return 0;
}
