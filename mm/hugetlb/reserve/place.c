// SPDX-License-Identifier: GPL-2.0
/*
 * Places: on which nodes a task, or a mapping, wants its huge pages.
 *
 * Knows memory policies and cpusets; who may take a page at all was decided
 * before.
 */
#include "reserve.h"
#include <linux/cpuset.h>
#include <linux/mempolicy.h>
#include <linux/sched.h>

#ifdef CONFIG_NUMA
/*
 * Only a strict policy restricts, and only where it leaves something of the
 * cpuset.  Valid as long as the task runs this system call.
 */
static const nodemask_t *place_bind_nodes(struct hugetlb_pool *pool)
{
	struct mempolicy *policy = get_task_policy(current);

	if (policy->mode != MPOL_BIND)
		return NULL;
	if (!apply_policy_zone(policy, gfp_zone(htlb_alloc_mask(&pool->h))))
		return NULL;
	if (!cpuset_nodemask_valid_mems_allowed(&policy->nodes))
		return NULL;
	return &policy->nodes;
}

/* The policy of a task has no reference to put, which mpol_cond_put() knows. */
static void place_get_task(struct hugetlb_place *place)
{
	place->policy = get_task_policy(current);
	place->nid = mempolicy_slab_node();
	if (place->policy->mode == MPOL_PREFERRED_MANY)
		place->nodes = &place->policy->nodes;
	else
		place->nodes = place_bind_nodes(place->pool);
}
#else
static const nodemask_t *place_bind_nodes(struct hugetlb_pool *pool)
{
	return NULL;
}

static void place_get_task(struct hugetlb_place *place)
{
	place->nid = NUMA_NO_NODE;
	place->nodes = NULL;
	place->policy = NULL;
}
#endif

/**
 * hugetlb_place_task_nodes() - nodes that the current task may use
 * @pool: says which zones matter
 * @nodes: the answer: those of its cpuset, less what its policy forbids
 *
 * Context: any of a task.
 */
void hugetlb_place_task_nodes(struct hugetlb_pool *pool, nodemask_t *nodes)
{
	const nodemask_t *bind = place_bind_nodes(pool);
	unsigned int cookie;

	do {
		cookie = read_mems_allowed_begin();
		*nodes = cpuset_current_mems_allowed;
	} while (read_mems_allowed_retry(cookie));

	if (bind)
		nodes_and(*nodes, *nodes, *bind);
}

/**
 * hugetlb_place_get() - ask memory policy for a place
 * @place: the answer
 * @pool: for a page of this pool
 * @vma: the mapping whose policy counts, NULL for the task's
 * @address: in @vma
 *
 * Context: any that keeps @vma; hugetlb_place_put() before the task returns to
 * user space.
 */
void hugetlb_place_get(struct hugetlb_place *place, struct hugetlb_pool *pool,
		       struct vm_area_struct *vma, unsigned long address)
{
	nodemask_t *nodes;

	place->pool = pool;
	place->gfp = htlb_alloc_mask(&pool->h);
	if (vma) {
		place->nid = huge_node(vma, address, place->gfp,
				       &place->policy, &nodes);
		place->nodes = nodes;
	} else {
		place_get_task(place);
	}
	place->prefer = mpol_is_preferred_many(place->policy);
}

/**
 * hugetlb_place_put() - the place is not needed any more
 * @place: from hugetlb_place_get()
 *
 * Context: any.
 */
void hugetlb_place_put(const struct hugetlb_place *place)
{
	mpol_cond_put(place->policy);
}

/**
 * hugetlb_place_take() - take a free page of the pool there
 * @place: where
 *
 * Context: hugetlb_lock; the page was asked for, see pool.c.
 * Return: the folio with one reference, or NULL.
 */
struct folio *hugetlb_place_take(const struct hugetlb_place *place)
{
	struct folio *folio;

	folio = pool_take(place->pool, place->gfp, place->nid, place->nodes);
	if (!folio && place->prefer)
		folio = pool_take(place->pool, place->gfp, place->nid, NULL);
	return folio;
}

/**
 * hugetlb_place_grow() - make a surplus page there
 * @place: where; no reclaim for the sake of a mere preference
 *
 * Context: may sleep; takes hugetlb_lock.
 * Return: the folio with one reference, or NULL.
 */
struct folio *hugetlb_place_grow(const struct hugetlb_place *place)
{
	gfp_t gfp = place->gfp;
	struct folio *folio;

	if (!place->prefer)
		return hugetlb_surplus_alloc(place->pool, gfp, place->nid,
					     place->nodes);

	folio = hugetlb_surplus_alloc(place->pool, gfp & ~__GFP_DIRECT_RECLAIM,
				      place->nid, place->nodes);
	if (!folio)
		folio = hugetlb_surplus_alloc(place->pool, gfp, place->nid,
					      NULL);
	return folio;
}
