// SPDX-License-Identifier: GPL-2.0
/*
 * Is a pool consistent?
 *
 * Reads what pool.c writes: the sums after every verb of a kernel with
 * CONFIG_DEBUG_VM, the lists too when a test asks.  Locks: hugetlb_lock.
 */
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include "pool.h"

/* A list is not followed further than this. */
#define POOL_LIST_SEEN_MAX	4096

/**
 * pool_sums_hold() - do the counters agree with each other?
 * @pool: the pool
 *
 * Context: hugetlb_lock.  Costs a visit to every possible node.
 * Return: true when totals are the sums over the nodes, no node has more free
 * or surplus pages than pages, and every promise has a free page.
 */
bool pool_sums_hold(const struct hugetlb_pool *pool)
{
	unsigned long total = 0, free = 0, surplus = 0;
	int nid;

	lockdep_assert_held(&hugetlb_lock);
	for_each_node(nid) {
		const struct hugetlb_pool_node *node = &pool->node[nid];

		if (node->free > node->total || node->surplus > node->total)
			return false;
		total += node->total;
		free += node->free;
		surplus += node->surplus;
	}
	return total == pool->total && free == pool->free &&
	       surplus == pool->surplus && pool->reserved <= free;
}

static bool pool_free_list_holds(const struct hugetlb_pool *pool, int nid)
{
	unsigned long seen = 0, free = pool->node[nid].free;
	struct folio *folio;

	list_for_each_entry(folio, &pool->node[nid].free_list, lru) {
		if (folio_nid(folio) != nid || !folio_test_hugetlb_freed(folio))
			return false;
		if (++seen == POOL_LIST_SEEN_MAX)
			return free >= seen;
	}
	return free == seen;
}

/* Isolated folios are in use too, but on a list of somebody else. */
static bool pool_active_list_holds(const struct hugetlb_pool *pool)
{
	unsigned long seen = 0;
	struct folio *folio;

	list_for_each_entry(folio, &pool->active, lru) {
		if (folio_test_hugetlb_freed(folio))
			return false;
		if (++seen == POOL_LIST_SEEN_MAX)
			break;
	}
	return seen <= pool->total - pool->free;
}

/**
 * pool_consistent() - do counters, nodes and lists agree?
 * @pool: the pool
 *
 * Lists are followed for a few thousand folios only.
 *
 * Context: hugetlb_lock.
 * Return: true when every invariant stated at struct hugetlb_pool holds.
 */
bool pool_consistent(const struct hugetlb_pool *pool)
{
	int nid;

	lockdep_assert_held(&hugetlb_lock);
	if (!pool_sums_hold(pool))
		return false;
	for_each_node(nid) {
		if (!pool_free_list_holds(pool, nid))
			return false;
	}
	return pool_active_list_holds(pool);
}
