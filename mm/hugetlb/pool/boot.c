// SPDX-License-Identifier: GPL-2.0
/*
 * Boot: make the pages that the command line wants.
 *
 * Gigantic pages come from memblock as soon as they are asked for, because
 * memblock is gone later, and join their pool once every struct page exists.
 * All others come from the page allocator when it is there.
 * Knows nothing of command line syntax.
 */
#define pr_fmt(fmt) "HugeTLB: " fmt

#include <linux/atomic.h>
#include <linux/cleanup.h>
#include <linux/memblock.h>
#include <linux/padata.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string_helpers.h>
#include "../../internal.h"
#include "pool.h"

struct list_head huge_boot_pages[MAX_NUMNODES] __initdata;

static struct boot_request boot_requests[HUGE_MAX_HSTATE] __initdata;

/* Makes up to @n pages on a node, or anywhere, and says how many. */
typedef unsigned long boot_getter(struct hugetlb_pool *pool, int nid,
				  unsigned long n);

static struct boot_request * __init
boot_request_of(const struct hugetlb_pool *pool)
{
	return &boot_requests[pool - hugetlb_pools];
}

/* @one is storage for the answer. */
static const nodemask_t * __init boot_nodes(int nid, nodemask_t *one)
{
	if (nid == NUMA_NO_NODE)
		return &node_states[N_MEMORY];
	init_nodemask_of_node(one, nid);
	return one;
}

static void __init boot_warn_short(const struct hugetlb_pool *pool,
				   unsigned long got,
				   const nodemask_t *nodes)
{
	unsigned long wanted = boot_request_of(pool)->total;
	char size[16];

	string_get_size(huge_page_size(&pool->h), 1, STRING_UNITS_2, size,
			sizeof(size));
	if (nodes_empty(*nodes))
		pr_warn("allocating %lu of page size %s failed.  Only allocated %lu hugepages.\n",
			wanted, size, got);
	else
		pr_warn("allocating %lu of page size %s failed node%*pbl.  Only allocated %lu hugepages.\n",
			wanted, size, nodemask_pr_args(nodes), got);
}

static void __init boot_serve(struct hugetlb_pool *pool, boot_getter *get)
{
	const struct boot_request *request = boot_request_of(pool);
	nodemask_t failed = NODE_MASK_NONE;
	unsigned long here, got = 0;
	int nid;

	if (!request->per_node)
		got = get(pool, NUMA_NO_NODE, request->total);

	for_each_online_node(nid) {
		if (!request->node[nid])
			continue;
		here = get(pool, nid, request->node[nid]);
		if (here < request->node[nid])
			node_set(nid, failed);
		got += here;
	}
	if (got < request->total)
		boot_warn_short(pool, got, &failed);
}

/* ---- gigantic pages: from memblock ---- */

/**
 * hugetlb_node_alloc_supported() - can memblock be asked for a certain node?
 *
 * Weak: an architecture whose gigantic pages are handed out by firmware says
 * no.
 *
 * Return: whether hugepages= may name nodes.
 */
bool __init __weak hugetlb_node_alloc_supported(void)
{
	return true;
}

static struct huge_bootmem_page * __init boot_memblock_take(size_t size,
							    int nid)
{
	return memblock_alloc_exact_nid_raw(size, size, 0,
					    MEMBLOCK_ALLOC_ACCESSIBLE, nid);
}

/**
 * __alloc_bootmem_huge_page() - set one gigantic page aside
 * @h: its size
 * @nid: where, or NUMA_NO_NODE for the next node that has room
 *
 * Struct pages do not exist yet.  The head page's will be made by core mm, for
 * its node and zone; the tails' are left to hugetlb_bootmem_struct_page_init()
 * because most of them may never be needed.
 *
 * Context: boot, before memblock hands its memory over.
 * Return: 1, or 0 when there is no room.
 */
int __init __alloc_bootmem_huge_page(struct hstate *h, int nid)
{
	unsigned long size = huge_page_size(h);
	struct huge_bootmem_page *page = NULL;
	const nodemask_t *nodes;
	nodemask_t one;
	int node, left;

	nodes = boot_nodes(nid, &one);
	/* Nobody else moves the cursor this early. */
	for_each_node_from(node, left, &hstate_pool(h)->next_alloc, nodes) {
		page = boot_memblock_take(size, node);
		if (page)
			break;
	}
	if (!page)
		return 0;

	memblock_reserved_mark_noinit(__pa(page) + PAGE_SIZE, size - PAGE_SIZE);
	page->hstate = h;
	list_add(&page->list, &huge_boot_pages[node]);
	return 1;
}

/**
 * alloc_bootmem_huge_page() - set one gigantic page aside
 * @h: its size
 * @nid: where, or NUMA_NO_NODE
 *
 * Weak: an architecture may know of pages that memblock does not.
 *
 * Context: boot, before memblock hands its memory over.
 * Return: 1, or 0 when there is none.
 */
int __init __weak alloc_bootmem_huge_page(struct hstate *h, int nid)
{
	return __alloc_bootmem_huge_page(h, nid);
}

static unsigned long __init boot_get_memblock(struct hugetlb_pool *pool,
					      int nid, unsigned long n)
{
	unsigned long got;

	for (got = 0; got < n; got++) {
		if (!alloc_bootmem_huge_page(&pool->h, nid))
			break;
		cond_resched();
	}
	return got;
}

static void __init boot_alloc_gigantic(struct hugetlb_pool *pool)
{
	int nid;

	if (cma_source_exists()) {
		pr_warn_once("hugetlb_cma is enabled, skip boot time allocation\n");
		return;
	}
	if (slab_is_available()) {
		pr_warn("%s: too late in boot to set pages aside\n",
			pool->h.name);
		return;
	}

	for (nid = 0; nid < MAX_NUMNODES; nid++) {
		if (!huge_boot_pages[nid].next)
			INIT_LIST_HEAD(&huge_boot_pages[nid]);
	}
	boot_serve(pool, boot_get_memblock);
}

/**
 * boot_request_pages() - note what the command line wants of one size
 * @pool: the size
 * @request: how many pages, and where; replaces an earlier request, but not
 *	for a gigantic size: its pages are taken at once
 *
 * Context: boot, while the command line is parsed.
 */
void __init boot_request_pages(struct hugetlb_pool *pool,
			       const struct boot_request *request)
{
	*boot_request_of(pool) = *request;
	if (request->total && hstate_is_gigantic(&pool->h))
		boot_alloc_gigantic(pool);
}

/**
 * boot_requested() - how many pages does the command line want of one size?
 * @pool: the size
 *
 * Context: boot.
 * Return: huge pages.
 */
unsigned long __init boot_requested(const struct hugetlb_pool *pool)
{
	return boot_request_of(pool)->total;
}

/* ---- gigantic pages: into their pools ---- */

static void __init boot_pool_add(struct hugetlb_pool *pool,
				 struct list_head *folios)
{
	struct folio *folio, *next;

	/* Lock one by one: other nodes' threads want to get in. */
	list_for_each_entry_safe(folio, next, folios, lru) {
		list_del(&folio->lru);
		guard(spinlock_irqsave)(&hugetlb_lock);
		pool_add(pool, folio);
	}
}

static void __init boot_init_tails(struct folio *folio, unsigned long from,
				   unsigned long to)
{
	enum zone_type zone = folio_zonenum(folio);
	unsigned long nr, pfn = folio_pfn(folio);
	int nid = folio_nid(folio);
	struct page *page;

	for (nr = from; nr < to; nr++) {
		page = folio_page(folio, nr);
		__init_single_page(page, pfn + nr, zone, nid);
		prep_compound_tail(&folio->page, nr);
		set_page_count(page, 0);
	}
}

/*
 * Only the tails that stay even where vmemmap_optimize_list() succeeds: struct
 * pages that are given back need not be written first.
 */
static struct folio * __init boot_make_folio(struct hugetlb_pool *pool,
					     struct huge_bootmem_page *boot)
{
	struct folio *folio = page_folio(virt_to_page(boot));

	VM_WARN_ON_ONCE(folio_ref_count(folio) != 1);
	__folio_clear_reserved(folio);
	__folio_set_head(folio);
	folio_set_count(folio, 0);
	boot_init_tails(folio, 1, VMEMMAP_KEPT_PAGES);
	prep_compound_head(&folio->page, pool_order(pool));
	source_adopt(folio);

	/* It was taken off the zone's books like memory the kernel uses. */
	adjust_managed_page_count(&folio->page, pool_nr_base(pool));
	return folio;
}

static void __init boot_adopt_node(struct hugetlb_pool *pool, int nid)
{
	struct huge_bootmem_page *boot, *next;
	struct folio *folio;
	LIST_HEAD(folios);

	list_for_each_entry_safe(boot, next, &huge_boot_pages[nid], list) {
		if (boot->hstate != &pool->h)
			continue;
		list_del(&boot->list);
		folio = boot_make_folio(pool, boot);
		list_add(&folio->lru, &folios);
		cond_resched();
	}

	if (list_empty(&folios))
		return;
	vmemmap_optimize_list(pool, &folios);
	list_for_each_entry(folio, &folios, lru) {
		if (!folio_test_hugetlb_vmemmap_optimized(folio))
			boot_init_tails(folio, VMEMMAP_KEPT_PAGES,
					pool_nr_base(pool));
	}
	boot_pool_add(pool, &folios);
}

static void __init boot_adopt_nodes(unsigned long start, unsigned long end,
				    void *unused)
{
	struct hugetlb_pool *pool;
	int nid;

	for (nid = start; nid < end; nid++) {
		/* Nobody asked for a gigantic page. */
		if (!huge_boot_pages[nid].next)
			return;
		for_each_hugetlb_pool(pool)
			boot_adopt_node(pool, nid);
	}
}

/**
 * hugetlb_bootmem_struct_page_init() - put gigantic boot pages in their pools
 *
 * Makes their struct pages, a thread for each node with memory.
 *
 * Context: boot, once all other struct pages exist; may sleep.
 */
void __init hugetlb_bootmem_struct_page_init(void)
{
	struct padata_mt_job job = {
		.size		= nr_node_ids,
		.min_chunk	= 1,
		.align		= 1,
		.numa_aware	= true,
		.max_threads	= num_node_state(N_MEMORY),
		.thread_fn	= boot_adopt_nodes,
	};

	padata_do_multithreaded(&job);
}

/* ---- all other sizes: from the page allocator ---- */

/**
 * struct boot_fill - one job for all threads
 * @pool: to be filled
 * @nodes: where, taking turns
 * @got: pages made so far
 */
struct boot_fill {
	struct hugetlb_pool	*pool;
	const nodemask_t	*nodes;
	atomic_long_t		got;
};

static struct folio * __init boot_fill_one(const struct boot_fill *fill,
					   int *cursor,
					   struct source_effort *effort)
{
	gfp_t gfp = htlb_alloc_mask(&fill->pool->h) | __GFP_THISNODE;
	struct folio *folio;
	int nid, left;

	for_each_node_from(nid, left, cursor, fill->nodes) {
		folio = source_alloc_bare(fill->pool, gfp, nid, fill->nodes,
					  effort);
		if (folio)
			return folio;
	}
	return NULL;
}

/* Pages [start, end) of the job; page i is due on node i modulo their number. */
static void __init boot_fill_chunk(unsigned long start, unsigned long end,
				   void *arg)
{
	unsigned long i, turn = start;
	struct source_effort effort = {};
	struct boot_fill *fill = arg;
	struct folio *folio;
	LIST_HEAD(folios);
	int cursor = 0;

	for (turn %= nodes_weight(*fill->nodes); turn; turn--)
		nodes_next(&cursor, fill->nodes);

	for (i = start; i < end; i++) {
		folio = boot_fill_one(fill, &cursor, &effort);
		if (!folio)
			break;
		list_add(&folio->lru, &folios);
		cond_resched();
	}
	atomic_long_add(i - start, &fill->got);

	vmemmap_optimize_list(fill->pool, &folios);
	boot_pool_add(fill->pool, &folios);
}

/* Two threads a node: one alone does not keep a node's memory busy. */
static unsigned long __init boot_get_buddy(struct hugetlb_pool *pool, int nid,
					   unsigned long n)
{
	nodemask_t one;
	struct boot_fill fill = {
		.pool	= pool,
		.nodes	= boot_nodes(nid, &one),
	};
	int threads = 2 * nodes_weight(*fill.nodes);
	struct padata_mt_job job = {
		.thread_fn	= boot_fill_chunk,
		.fn_arg		= &fill,
		.size		= n,
		.align		= 1,
		.min_chunk	= max(n / threads, 1UL),
		.max_threads	= threads,
		.numa_aware	= true,
	};

	padata_do_multithreaded(&job);
	return atomic_long_read(&fill.got);
}

/**
 * boot_fill_pools() - make the pages the command line wants and none made yet
 *
 * Afterwards every pool's persistent size is what it really has.
 *
 * Context: initcall; may sleep.
 */
void __init boot_fill_pools(void)
{
	struct hugetlb_pool *pool;

	for_each_hugetlb_pool(pool) {
		if (!hstate_is_gigantic(&pool->h))
			boot_serve(pool, boot_get_buddy);
		guard(spinlock_irq)(&hugetlb_lock);
		pool_set_target(pool, pool->total - pool->surplus);
	}
}
