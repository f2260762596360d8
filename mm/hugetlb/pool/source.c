// SPDX-License-Identifier: GPL-2.0
/*
 * Sources: where huge folios come from and where they go.
 *
 * The page allocator for sizes it has; CMA areas and contiguous ranges for
 * gigantic ones.  A folio in here has no references and no pool counts it.
 * Knows no counters; a folio that cannot be unmade goes back as surplus.
 * Locks: hugetlb_lock, only to change the type of a page.
 */
#define pr_fmt(fmt) "HugeTLB: " fmt

#include <linux/cleanup.h>
#include <linux/gfp.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/page_owner.h>
#include <linux/page_ref.h>
#include <linux/pgalloc_tag.h>
#include <linux/sched.h>
#include <linux/topology.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>
#include "pool.h"

/* Somebody else held a reference: how often to try for another folio. */
#define SOURCE_TRIES	2

/* ---- the hugetlb type ---- */

/**
 * source_adopt() - a compound folio becomes a huge folio
 * @folio: refcount 0, on no list; of any origin
 *
 * Context: any; nobody else may use @folio.
 */
void source_adopt(struct folio *folio)
{
	INIT_LIST_HEAD(&folio->lru);
	folio->private = NULL;
	folio->_hugetlb_subpool = NULL;
	folio->_hugetlb_cgroup = NULL;
	folio->_hugetlb_cgroup_rsvd = NULL;
	__folio_set_hugetlb(folio);
}

/**
 * source_disown() - a huge folio becomes a compound folio again
 * @folio: refcount 0, with all its struct pages, in no pool
 *
 * pool_remove() did it already unless struct pages had to be restored first.
 *
 * Context: any; takes hugetlb_lock.
 */
void source_disown(struct folio *folio)
{
	if (!folio_test_hugetlb(folio))
		return;
	guard(spinlock_irqsave)(&hugetlb_lock);
	__folio_clear_hugetlb(folio);
}

/* ---- make ---- */

static void source_return(struct folio *folio)
{
	if (!cma_source_free(folio))
		folio_put(folio);
}

static struct folio *source_gigantic(struct hugetlb_pool *pool, gfp_t gfp,
				     int nid, const nodemask_t *nodes)
{
	struct folio *folio;

	if (!IS_ENABLED(CONFIG_ARCH_HAS_GIGANTIC_PAGE))
		return NULL;

	folio = cma_source_alloc(pool, gfp, nid, nodes);
	if (folio)
		return folio;
	return folio_alloc_gigantic(pool_order(pool), gfp, nid,
				    (nodemask_t *)nodes);
}

static struct folio *source_buddy(struct hugetlb_pool *pool, gfp_t gfp,
				  int nid, const nodemask_t *nodes)
{
	struct folio *folio;

	folio = __folio_alloc(gfp, pool_order(pool), nid, (nodemask_t *)nodes);
	/* The bit means that a folio may be split when partly unmapped. */
	if (folio)
		folio_clear_large_rmappable(folio);
	return folio;
}

/* A speculative reader may hold a reference to what was just allocated. */
static struct folio *source_alloc_frozen(struct hugetlb_pool *pool, gfp_t gfp,
					 int nid, const nodemask_t *nodes)
{
	struct folio *folio;
	int left;

	for (left = SOURCE_TRIES; left; left--) {
		folio = hstate_is_gigantic(&pool->h) ?
			source_gigantic(pool, gfp, nid, nodes) :
			source_buddy(pool, gfp, nid, nodes);
		if (!folio || folio_ref_freeze(folio, 1))
			return folio;
		source_return(folio);
	}
	pr_warn_ratelimited("a new huge page of order %u is already in use\n",
			    pool_order(pool));
	return NULL;
}

/**
 * source_alloc_bare() - make a huge folio, keep all its struct pages
 * @pool: whose size
 * @gfp: as for the page allocator; htlb_alloc_mask() and maybe __GFP_THISNODE
 * @nid: preferred node, or NUMA_NO_NODE for the nearest one
 * @nodes: nodes to choose from, NULL for any
 * @effort: nodes that are not worth reclaim and compaction, updated; or NULL
 *
 * For batches that call vmemmap_optimize_list() later.
 *
 * Context: may sleep as @gfp says; no locks.
 * Return: a folio with refcount 0 of type hugetlb that no pool counts, or NULL.
 */
struct folio *source_alloc_bare(struct hugetlb_pool *pool, gfp_t gfp, int nid,
				const nodemask_t *nodes,
				struct source_effort *effort)
{
	bool gigantic = hstate_is_gigantic(&pool->h);
	struct folio *folio;

	if (nid == NUMA_NO_NODE)
		nid = numa_mem_id();
	if (!gigantic && !(effort && node_isset(nid, effort->tired)))
		gfp |= __GFP_RETRY_MAYFAIL;

	folio = source_alloc_frozen(pool, gfp, nid, nodes);
	if (!gigantic)
		count_vm_event(folio ? HTLB_BUDDY_PGALLOC :
				       HTLB_BUDDY_PGALLOC_FAIL);
	if (effort && folio)
		node_clear(nid, effort->tired);
	else if (effort)
		node_set(nid, effort->tired);
	if (folio)
		source_adopt(folio);
	return folio;
}

/**
 * source_alloc() - make a huge folio
 * @pool: whose size
 * @gfp: as for source_alloc_bare()
 * @nid: preferred node, or NUMA_NO_NODE for the nearest one
 * @nodes: nodes to choose from, NULL for any
 * @effort: as for source_alloc_bare()
 *
 * Context: may sleep; no locks.
 * Return: a folio with refcount 0 of type hugetlb that no pool counts and whose
 * struct pages are optimised where that is on, or NULL.
 */
struct folio *source_alloc(struct hugetlb_pool *pool, gfp_t gfp, int nid,
			   const nodemask_t *nodes,
			   struct source_effort *effort)
{
	struct folio *folio;

	folio = source_alloc_bare(pool, gfp, nid, nodes, effort);
	if (folio)
		vmemmap_optimize(pool, folio);
	return folio;
}

/* ---- unmake ---- */

/**
 * source_release_whole() - give a folio back in one piece, bad memory and all
 * @folio: refcount 0, in no pool, with all its struct pages
 *
 * For memory failure, which takes the bad page out of the page allocator next,
 * and for memory that goes offline.
 *
 * Context: any, without hugetlb_lock.
 */
void source_release_whole(struct folio *folio)
{
	source_disown(folio);

	/* Bad memory in it, and nobody knows where: never use it again. */
	if (folio_test_hugetlb_raw_hwp_unreliable(folio))
		return;
	if (folio_test_hwpoison(folio))
		folio_clear_hugetlb_hwpoison(folio);

	folio_ref_unfreeze(folio, 1);
	source_return(folio);
}

/* A bad page keeps its reference, as if memory failure had taken it away. */
static void source_scatter_one(struct page *page)
{
	clear_compound_head(page);
	page->mapping = NULL;
	set_page_private(page, 0);
	set_page_count(page, 1);
	if (!PageHWPoison(page))
		__free_page(page);
}

/*
 * The page allocator does not look at what is inside a folio that comes back:
 * give it only base pages that are sound.  A CMA area gets nothing back, as no
 * huge page would fit there again.
 */
static void source_scatter(struct folio *folio)
{
	unsigned int order = folio_order(folio);
	unsigned long left = folio_nr_pages(folio);

	folio_clear_hugetlb_hwpoison(folio);
	split_page_owner(&folio->page, order, 0);
	pgalloc_tag_split(folio, order, 0);
	__folio_clear_head(folio);
	folio_page(folio, 1)->flags &= ~PAGE_FLAGS_SECOND;
	while (left--)
		source_scatter_one(folio_page(folio, left));
}

/* @folio has all its struct pages. */
static void source_release(struct folio *folio)
{
	if (!folio_test_hwpoison(folio) ||
	    folio_test_hugetlb_raw_hwp_unreliable(folio)) {
		source_release_whole(folio);
		return;
	}
	source_disown(folio);
	source_scatter(folio);
}

static void source_release_list(struct list_head *folios)
{
	struct folio *folio, *next;

	list_for_each_entry_safe(folio, next, folios, lru) {
		list_del_init(&folio->lru);
		source_release(folio);
		cond_resched();
	}
}

/**
 * source_restore_list() - get struct pages back, as many as possible
 * @pool: whose size
 * @folios: refcount 0, counted nowhere; linked by lru
 * @whole: where those go that have all their struct pages
 *
 * Context: may sleep.
 * Return: 0 or more when @folios is empty now, -ENOMEM when not.
 */
long source_restore_list(struct hugetlb_pool *pool, struct list_head *folios,
			 struct list_head *whole)
{
	long ret = vmemmap_restore_list(pool, folios, whole);
	struct folio *folio, *next;

	/* A failure also stops short of those with nothing to restore. */
	list_for_each_entry_safe(folio, next, folios, lru) {
		if (!folio_test_hugetlb_vmemmap_optimized(folio))
			list_move(&folio->lru, whole);
	}
	return list_empty(folios) ? 0 : ret;
}

/* No memory for its struct pages: better one page too many than a lost one. */
static void source_keep_list(struct hugetlb_pool *pool,
			     struct list_head *folios)
{
	struct folio *folio, *next;

	list_for_each_entry_safe(folio, next, folios, lru) {
		list_del_init(&folio->lru);
		scoped_guard(spinlock_irq, &hugetlb_lock)
			pool_add_surplus(pool, folio);
		cond_resched();
	}
}

/**
 * source_free_list() - unmake huge folios
 * @pool: whose size, not a fixed one
 * @folios: refcount 0, counted nowhere; linked by lru.  Empty afterwards
 *
 * Folios whose struct pages cannot be restored are in @pool again afterwards,
 * as surplus.  Every folio given back is memory for the next restore, so it
 * goes on as long as a round restores at least one.
 *
 * Context: may sleep; takes hugetlb_lock.
 * Return: false when some are in @pool again: there is no memory now, so to take
 * them out once more is of no use.
 */
bool source_free_list(struct hugetlb_pool *pool, struct list_head *folios)
{
	LIST_HEAD(whole);
	bool progress;
	long ret;

	if (list_empty(folios))
		return true;
	if (WARN_ON_ONCE(pool_is_fixed(pool)))
		return false;

	do {
		ret = source_restore_list(pool, folios, &whole);
		progress = !list_empty(&whole);
		source_release_list(&whole);
	} while (ret < 0 && progress);

	if (list_empty(folios))
		return true;
	source_keep_list(pool, folios);
	return false;
}

/**
 * source_free() - unmake a huge folio
 * @pool: whose size, not a fixed one
 * @folio: refcount 0, counted nowhere
 *
 * When its struct pages cannot be restored it is in @pool again, as surplus.
 *
 * Context: may sleep; takes hugetlb_lock.
 */
void source_free(struct hugetlb_pool *pool, struct folio *folio)
{
	LIST_HEAD(single);

	list_add(&folio->lru, &single);
	source_free_list(pool, &single);
}

/* ---- unmake later ---- */

/*
 * Restoring struct pages sleeps, the last reference may go in an interrupt.
 * A folio on its way out is on no list, so its list head carries the node.
 */
static LLIST_HEAD(source_deferred);
static_assert(sizeof(struct llist_node) <= sizeof(struct list_head));

static void source_free_deferred(struct work_struct *work)
{
	struct llist_node *node = llist_del_all(&source_deferred);
	struct hugetlb_pool *pool = NULL, *owner;
	struct folio *folio;
	LIST_HEAD(batch);

	while (node) {
		folio = list_entry((struct list_head *)node, struct folio, lru);
		node = node->next;
		owner = hugetlb_pool_by_order(folio_order(folio));
		if (owner != pool)
			source_free_list(pool, &batch);
		pool = owner;
		list_add(&folio->lru, &batch);
	}
	source_free_list(pool, &batch);
}

static DECLARE_WORK(source_work, source_free_deferred);

/**
 * source_free_any_context() - unmake a huge folio where sleeping is not allowed
 * @pool: whose size, not a fixed one
 * @folio: refcount 0, counted nowhere, on no list
 *
 * At once when all its struct pages are there, otherwise by a work item;
 * source_flush() waits for that.
 *
 * Context: any, without hugetlb_lock.
 */
void source_free_any_context(struct hugetlb_pool *pool, struct folio *folio)
{
	if (WARN_ON_ONCE(pool_is_fixed(pool)))
		return;

	if (!folio_test_hugetlb_vmemmap_optimized(folio)) {
		source_release(folio);
		return;
	}
	if (llist_add((struct llist_node *)&folio->lru, &source_deferred))
		schedule_work(&source_work);
}

/**
 * wait_for_freed_hugetlb_folios() - wait until deferred frees are done
 *
 * Cheap when there are none.
 *
 * Context: may sleep; no locks that restoring struct pages might need.
 */
void wait_for_freed_hugetlb_folios(void)
{
	/* The work item empties the list first: ask for it second. */
	if (!llist_empty(&source_deferred) || work_busy(&source_work))
		flush_work(&source_work);
}

/**
 * source_flush() - wait until no deferred free can bring a folio back to a pool
 * @pool: the pool
 *
 * Context: may sleep; resize_lock may be held.
 */
void source_flush(struct hugetlb_pool *pool)
{
	if (vmemmap_optimizable(pool))
		wait_for_freed_hugetlb_folios();
}
