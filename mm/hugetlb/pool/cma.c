// SPDX-License-Identifier: GPL-2.0
/*
 * CMA source: gigantic folios from areas set aside with hugetlb_cma=.
 *
 * An area is reserved whole at boot and serves movable allocations until a
 * gigantic folio is made from it.  Knows nothing of pools' counters.
 * No locks of ours: the areas are constant after boot.
 */
#define pr_fmt(fmt) "hugetlb_cma: " fmt

#include <linux/cache.h>
#include <linux/cma.h>
#include <linux/init.h>
#include <linux/limits.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/sizes.h>
#include <linux/topology.h>
#include "pool.h"

static struct cma *cma_areas_of_node[MAX_NUMNODES] __ro_after_init;
static bool cma_any_area __ro_after_init;

/* In bytes. */
static struct boot_request cma_request __initdata;
static bool cma_arch_asked __initdata;

static int __init cma_request_setup(char *s)
{
	/* Too large for the stack; which nodes are online is not known yet. */
	static struct boot_request request __initdata;
	int err;

	/* A bare "hugetlb_cma" has no value. */
	s = s ?: "";
	err = request_parse(s, request_size, &node_possible_map, &request);
	/* Leaves room to round up. */
	if (!err && request.total > LONG_MAX)
		err = -ERANGE;
	if (err)
		pr_warn("hugetlb_cma=%s ignored: %s\n", s, request_reason(err));
	else
		cma_request = request;
	return 0;
}
early_param("hugetlb_cma", cma_request_setup);

/* An amount of nothing is fine: no area. */
static bool __init cma_request_valid(unsigned long unit)
{
	unsigned long bytes = cma_request.total;
	int nid;

	if (bytes && bytes < unit) {
		pr_warn("cma area should be at least %lu MiB, %lu bytes ignored\n",
			unit / SZ_1M, bytes);
		return false;
	}
	for (nid = 0; nid < MAX_NUMNODES; nid++) {
		bytes = cma_request.node[nid];
		if (bytes && !node_online(nid)) {
			pr_warn("invalid node %d specified, all nodes ignored\n",
				nid);
			return false;
		}
		if (bytes && bytes < unit) {
			pr_warn("cma area of node %d should be at least %lu MiB, %lu bytes and all other nodes ignored\n",
				nid, unit / SZ_1M, bytes);
			return false;
		}
	}
	return true;
}

/* The area of a node; its pages can be given back in parts after a demotion. */
static unsigned long __init cma_area_declare(int nid, unsigned long bytes,
					     unsigned long unit)
{
	char name[CMA_MAX_NAME];
	int err;

	bytes = round_up(bytes, unit);
	snprintf(name, sizeof(name), "hugetlb%d", nid);
	err = cma_declare_contiguous_nid(0, bytes, 0, unit, HUGETLB_PAGE_ORDER,
					 false, name, &cma_areas_of_node[nid],
					 nid);
	if (err) {
		pr_warn("reservation failed: err %d, node %d\n", err, nid);
		return 0;
	}
	pr_info("reserved %lu MiB on node %d\n", bytes / SZ_1M, nid);
	cma_any_area = true;
	return bytes;
}

/**
 * hugetlb_cma_reserve() - set the areas aside that hugetlb_cma= asks for
 * @order: of the largest page the architecture knows, in base pages
 *
 * A plain size is shared out in whole pages of @order, node by node until it is
 * used up.
 *
 * Context: boot, memblock knows all memory and its nodes; before the page
 * allocator.
 */
void __init hugetlb_cma_reserve(int order)
{
	unsigned long total = cma_request.total, share, done = 0;
	const unsigned long unit = PAGE_SIZE << order;
	int nid;

	VM_WARN_ON(order <= MAX_PAGE_ORDER);
	cma_arch_asked = true;
	if (!total || !cma_request_valid(unit))
		return;

	share = round_up(DIV_ROUND_UP(total, nr_online_nodes), unit);
	if (!cma_request.per_node)
		pr_info("reserve %lu MiB, up to %lu MiB per node\n",
			total / SZ_1M, share / SZ_1M);

	for_each_online_node(nid) {
		unsigned long bytes = cma_request.node[nid];

		if (!cma_request.per_node && done < total)
			bytes = min(share, total - done);
		if (bytes)
			done += cma_area_declare(nid, bytes, unit);
	}
}

/**
 * cma_source_check() - was hugetlb_cma= in vain?
 *
 * Context: boot.
 */
void __init cma_source_check(void)
{
	if (cma_request.total && !cma_arch_asked)
		pr_warn("the option isn't supported by current arch\n");
}

/**
 * cma_source_exists() - may gigantic folios come from CMA?
 *
 * Context: any, after hugetlb_cma_reserve().
 * Return: whether there is an area on some node.
 */
bool cma_source_exists(void)
{
	return cma_any_area;
}

static struct folio *cma_source_alloc_node(struct hugetlb_pool *pool,
					   gfp_t gfp, int nid)
{
	if (!cma_areas_of_node[nid])
		return NULL;
	return cma_alloc_folio(cma_areas_of_node[nid], pool_order(pool), gfp);
}

/**
 * cma_source_alloc() - make a gigantic folio from an area
 * @pool: whose size
 * @gfp: with __GFP_COMP; __GFP_THISNODE for @nid and no other node
 * @nid: preferred node, or NUMA_NO_NODE for the nearest one
 * @nodes: other nodes to try, NULL for all with memory
 *
 * Context: may sleep; no locks.
 * Return: a compound folio with one reference, or NULL.
 */
struct folio *cma_source_alloc(struct hugetlb_pool *pool, gfp_t gfp, int nid,
			       const nodemask_t *nodes)
{
	struct folio *folio;
	int other;

	if (!cma_any_area)
		return NULL;
	if (nid == NUMA_NO_NODE)
		nid = numa_mem_id();
	if (!nodes)
		nodes = &node_states[N_MEMORY];

	folio = cma_source_alloc_node(pool, gfp, nid);
	if (folio || (gfp & __GFP_THISNODE))
		return folio;

	for_each_node_mask(other, *nodes) {
		if (other == nid)
			continue;
		folio = cma_source_alloc_node(pool, gfp, other);
		if (folio)
			return folio;
	}
	return NULL;
}

/**
 * cma_source_free() - give a folio back to its area
 * @folio: any compound folio with one reference, the caller's
 *
 * Context: as for freeing pages.
 * Return: false, and nothing done, when it does not come from an area.
 */
bool cma_source_free(struct folio *folio)
{
	return cma_free_folio(cma_areas_of_node[folio_nid(folio)], folio);
}
