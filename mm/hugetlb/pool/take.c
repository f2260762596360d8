// SPDX-License-Identifier: GPL-2.0
/*
 * Taking a free page near a node.
 *
 * Knows zonelists, cpusets and the task's wish for pages that can be pinned;
 * which folio of a node it will be is pool.c's choice, who may take one at all
 * the caller's.
 */
#include <linux/cpuset.h>
#include <linux/gfp.h>
#include <linux/mmzone.h>
#include <linux/sched.h>
#include <linux/topology.h>
#include "pool.h"

struct pool_search {
	struct hugetlb_pool	*pool;
	struct zonelist		*zonelist;	/* nearest node first */
	const nodemask_t	*nodes;		/* NULL: anywhere */
	gfp_t			gfp;
	bool			pinnable;
};

static struct folio *pool_search_once(const struct pool_search *search)
{
	int nid, last = NUMA_NO_NODE;
	struct folio *folio;
	struct zoneref *ref;
	struct zone *zone;

	for_each_zone_zonelist(zone, ref, search->zonelist,
			       gfp_zone(search->gfp)) {
		nid = zone_to_nid(zone);
		/* The zones of a node follow each other in a zonelist. */
		if (nid == last)
			continue;
		if (search->nodes && !node_isset(nid, *search->nodes))
			continue;
		if (!cpuset_zone_allowed(zone, search->gfp))
			continue;
		last = nid;
		folio = pool_take_node(search->pool, nid, search->pinnable);
		if (folio)
			return folio;
	}
	return NULL;
}

/**
 * pool_take() - put the nearest suitable free folio to use
 * @pool: the pool
 * @gfp: says which zones will do and whether to stay on the node
 * @nid: where to look first; NUMA_NO_NODE for the node of this CPU
 * @nodes: no others, or NULL for all
 *
 * Obeys the task's cpuset, and takes only what may be pinned for long when the
 * task said that it is about to pin.  Ask for the page first, see pool.c.
 *
 * Context: hugetlb_lock.
 * Return: the folio with one reference, or NULL when none of the allowed nodes
 * has one; after a pool_spend() that means pool_unspend().
 */
struct folio *pool_take(struct hugetlb_pool *pool, gfp_t gfp, int nid,
			const nodemask_t *nodes)
{
	struct pool_search search = {
		.pool	  = pool,
		.nodes	  = nodes,
		.gfp	  = gfp,
		.pinnable = current->flags & PF_MEMALLOC_PIN,
	};
	struct folio *folio;
	unsigned int cookie;

	lockdep_assert_held(&hugetlb_lock);
	if (!pool->free)
		return NULL;
	if (nid == NUMA_NO_NODE)
		nid = numa_node_id();
	search.zonelist = node_zonelist(nid, gfp);

	/* A miss counts only if the cpuset stayed what it was. */
	do {
		cookie = read_mems_allowed_begin();
		folio = pool_search_once(&search);
	} while (!folio && read_mems_allowed_retry(cookie));
	return folio;
}
