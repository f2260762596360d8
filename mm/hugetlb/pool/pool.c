// SPDX-License-Identifier: GPL-2.0
/*
 * Pool verbs: the only writer of a pool's counters and lists.
 *
 * Every verb needs hugetlb_lock and leaves the pool consistent.  Who takes a
 * folio asks first, in the same section of the lock: with a promise
 * pool_spend(), without one pool_available() > 0.  The verbs do not ask again.
 * Knows nothing of where folios come from and to whom promises were made.
 */
#include <linux/cache.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/page-flags.h>
#include <linux/string.h>
#include "pool.h"

/* Leaf: protects counters, lists and HPG_freed of every pool. */
__cacheline_aligned_in_smp DEFINE_SPINLOCK(hugetlb_lock);

/* ---- a sum and its node, never one without the other ---- */

static void pool_count_total(struct hugetlb_pool *pool, int nid, long n)
{
	pool->total += n;
	pool->node[nid].total += n;
}

static void pool_count_free(struct hugetlb_pool *pool, int nid, long n)
{
	pool->free += n;
	pool->node[nid].free += n;
}

static void pool_count_surplus(struct hugetlb_pool *pool, int nid, long n)
{
	pool->surplus += n;
	pool->node[nid].surplus += n;
}

/* Return: the free list that @folio goes to, where it is counted already. */
static struct list_head *pool_shelve(struct hugetlb_pool *pool,
				     struct folio *folio)
{
	int nid = folio_nid(folio);

	VM_WARN_ON_ONCE(folio_ref_count(folio));
	VM_WARN_ON_ONCE(folio_test_hugetlb_freed(folio));
	arch_clear_hugetlb_flags(folio);
	folio_set_hugetlb_freed(folio);
	pool_count_free(pool, nid, 1);
	return &pool->node[nid].free_list;
}

static int pool_next_node(struct hugetlb_pool *pool, const nodemask_t *nodes,
			  bool (*fits)(const struct hugetlb_pool_node *node))
{
	int nid, left;

	for_each_node_from(nid, left, &pool->next_free, nodes) {
		if (fits(&pool->node[nid]))
			return nid;
	}
	return NUMA_NO_NODE;
}

/**
 * pool_init() - make an empty pool
 * @pool: storage, overwritten
 * @order: of its pages
 *
 * Context: nobody else sees @pool yet.  Its name and resize lock come later.
 */
void pool_init(struct hugetlb_pool *pool, unsigned int order)
{
	int nid;

	memset(pool, 0, sizeof(*pool));
	pool->h.order = order;
	pool->h.mask = ~((PAGE_SIZE << order) - 1);
	INIT_LIST_HEAD(&pool->active);
	for (nid = 0; nid < MAX_NUMNODES; nid++)
		INIT_LIST_HEAD(&pool->node[nid].free_list);
}

/**
 * pool_set_target() - remember how many persistent pages the user asked for
 * @pool: the pool
 * @n: huge pages
 *
 * Context: hugetlb_lock.
 */
void pool_set_target(struct hugetlb_pool *pool, unsigned long n)
{
	lockdep_assert_held(&hugetlb_lock);
	pool->persistent_target = n;
}

/**
 * pool_set_overcommit() - limit the surplus from now on
 * @pool: the pool
 * @n: huge pages; surplus beyond it stays until it is free and unpromised
 *
 * Context: hugetlb_lock.
 */
void pool_set_overcommit(struct hugetlb_pool *pool, unsigned long n)
{
	lockdep_assert_held(&hugetlb_lock);
	pool->overcommit_max = n;
}

/* ---- folios come and go ---- */

/**
 * pool_add() - a fresh folio becomes a free page of the pool
 * @pool: the pool
 * @folio: on no list, refcount 0, of type hugetlb, not counted so far
 *
 * To replace a page add the new one before removing the old one: the other
 * way round a promise would be without its page.
 *
 * Context: hugetlb_lock.
 */
void pool_add(struct hugetlb_pool *pool, struct folio *folio)
{
	lockdep_assert_held(&hugetlb_lock);
	VM_WARN_ON_ONCE(!folio_test_hugetlb(folio));
	/* What could not be unmade comes back and may have been temporary. */
	folio_clear_hugetlb_temporary(folio);
	pool_count_total(pool, folio_nid(folio), 1);
	list_add(&folio->lru, pool_shelve(pool, folio));
	VM_WARN_ON_ONCE(!pool_sums_hold(pool));
}

/**
 * pool_add_surplus() - a fresh folio becomes a free page beyond the pool's size
 * @pool: the pool
 * @folio: as for pool_add()
 *
 * The caller asked pool_surplus_allowed() in the same section of the lock,
 * unless the folio comes back because it cannot be unmade.  A page neither
 * promised nor taken before the lock is dropped goes with the next trim.
 *
 * Context: hugetlb_lock.
 */
void pool_add_surplus(struct hugetlb_pool *pool, struct folio *folio)
{
	lockdep_assert_held(&hugetlb_lock);
	pool_add(pool, folio);
	pool_count_surplus(pool, folio_nid(folio), 1);
	VM_WARN_ON_ONCE(!pool_sums_hold(pool));
}

/**
 * pool_add_temporary() - count a folio that never becomes free
 * @pool: the pool
 * @folio: on no list, of type hugetlb; its references stay as they are
 *
 * Such a page stands in for another one, as in a migration.  When its last
 * reference goes, pool_remove() takes it out again.
 *
 * Context: hugetlb_lock.
 */
void pool_add_temporary(struct hugetlb_pool *pool, struct folio *folio)
{
	lockdep_assert_held(&hugetlb_lock);
	VM_WARN_ON_ONCE(!folio_test_hugetlb(folio));
	folio_set_hugetlb_temporary(folio);
	list_add(&folio->lru, &pool->active);
	pool_count_total(pool, folio_nid(folio), 1);
	VM_WARN_ON_ONCE(!pool_sums_hold(pool));
}

/**
 * pool_remove() - a folio leaves the pool for good
 * @pool: the pool
 * @folio: free or in use; ends up on no list
 *
 * For a free folio pool_available() must be positive.  The type stays hugetlb
 * while struct pages are optimised away: memory failure, which goes by the type
 * under hugetlb_lock, would write to them.
 *
 * Where every page of a node is surplus, so is the one removed: pages of a node
 * can become surplus while one of them is temporary.
 *
 * Context: hugetlb_lock.
 */
void pool_remove(struct hugetlb_pool *pool, struct folio *folio)
{
	int nid = folio_nid(folio);

	lockdep_assert_held(&hugetlb_lock);
	list_del(&folio->lru);
	if (folio_test_hugetlb_freed(folio)) {
		folio_clear_hugetlb_freed(folio);
		pool_count_free(pool, nid, -1);
	}
	pool_count_total(pool, nid, -1);
	if (pool->node[nid].surplus > pool->node[nid].total)
		pool_count_surplus(pool, nid, -1);
	if (!folio_test_hugetlb_vmemmap_optimized(folio))
		__folio_clear_hugetlb(folio);
	VM_WARN_ON_ONCE(!pool_sums_hold(pool));
}

/**
 * pool_remove_surplus() - a folio leaves the pool, the persistent size stays
 * @pool: the pool
 * @folio: as for pool_remove(), on a node that has surplus
 *
 * Context: hugetlb_lock.
 */
void pool_remove_surplus(struct hugetlb_pool *pool, struct folio *folio)
{
	int nid = folio_nid(folio);

	lockdep_assert_held(&hugetlb_lock);
	VM_WARN_ON_ONCE(!pool->node[nid].surplus);
	if (pool->node[nid].surplus)
		pool_count_surplus(pool, nid, -1);
	pool_remove(pool, folio);
}

/* ---- free, in use, free ---- */

/**
 * pool_take_folio() - a certain free folio is put to use
 * @pool: the pool
 * @folio: one of its free folios; afterwards with one reference
 *
 * Context: hugetlb_lock, and the page was asked for, see the top of this file.
 */
void pool_take_folio(struct hugetlb_pool *pool, struct folio *folio)
{
	lockdep_assert_held(&hugetlb_lock);
	VM_WARN_ON_ONCE(!folio_test_hugetlb_freed(folio));
	list_move(&folio->lru, &pool->active);
	folio_clear_hugetlb_freed(folio);
	folio_ref_unfreeze(folio, 1);
	pool_count_free(pool, folio_nid(folio), -1);
	VM_WARN_ON_ONCE(!pool_sums_hold(pool));
}

/**
 * pool_take_node() - some free folio of a node is put to use
 * @pool: the pool
 * @nid: the node
 * @pinnable: not one that a long-term pin would have to migrate first
 *
 * Poisoned folios stay where they are.
 *
 * Context: hugetlb_lock, and the page was asked for, see the top of this file.
 * Return: the folio with one reference, or NULL when none there will do; after
 * a pool_spend() that means pool_unspend().
 */
struct folio *pool_take_node(struct hugetlb_pool *pool, int nid, bool pinnable)
{
	struct folio *folio;

	lockdep_assert_held(&hugetlb_lock);
	list_for_each_entry(folio, &pool->node[nid].free_list, lru) {
		if (folio_test_hwpoison(folio))
			continue;
		if (pinnable && !folio_is_longterm_pinnable(folio))
			continue;
		pool_take_folio(pool, folio);
		return folio;
	}
	return NULL;
}

/**
 * pool_put() - a folio in use becomes free
 * @pool: the pool
 * @folio: counted, refcount 0, not temporary; on the active list or isolated
 *
 * What the folio brings along is settled next, before the lock is dropped:
 * pool_repay() when it was owed, pool_reserve() when the mount's minimum keeps
 * it; then pool_trim_one().
 *
 * Context: hugetlb_lock.
 */
void pool_put(struct hugetlb_pool *pool, struct folio *folio)
{
	lockdep_assert_held(&hugetlb_lock);
	VM_WARN_ON_ONCE(folio_test_hugetlb_temporary(folio));
	list_move(&folio->lru, pool_shelve(pool, folio));
	VM_WARN_ON_ONCE(!pool_sums_hold(pool));
}

/**
 * pool_isolate() - a folio in use leaves the active list for a while
 * @folio: migratable until now, so that nobody else takes it; stays counted
 * @list: of the caller, who adds at its end
 *
 * Context: hugetlb_lock; the caller has a reference.
 */
void pool_isolate(struct folio *folio, struct list_head *list)
{
	lockdep_assert_held(&hugetlb_lock);
	VM_WARN_ON_ONCE(folio_test_hugetlb_freed(folio));
	folio_clear_hugetlb_migratable(folio);
	list_move_tail(&folio->lru, list);
}

/**
 * pool_putback() - a folio in use goes to the active list and is migratable
 * @pool: the pool
 * @folio: isolated, or just taken and about to be seen
 *
 * Context: hugetlb_lock; the caller has a reference.
 */
void pool_putback(struct hugetlb_pool *pool, struct folio *folio)
{
	lockdep_assert_held(&hugetlb_lock);
	VM_WARN_ON_ONCE(folio_test_hugetlb_freed(folio));
	folio_set_hugetlb_migratable(folio);
	list_move_tail(&folio->lru, &pool->active);
}

/* ---- promises ---- */

/**
 * pool_reserve() - promise free pages
 * @pool: the pool
 * @n: huge pages, all or none
 *
 * Context: hugetlb_lock.
 * Return: 0, or how many pages are missing; then nothing was promised.
 */
long pool_reserve(struct hugetlb_pool *pool, long n)
{
	long available;

	lockdep_assert_held(&hugetlb_lock);
	VM_WARN_ON_ONCE(n < 0);
	available = pool_available(pool);
	if (n > available)
		return n - available;
	pool->reserved += max(n, 0L);
	VM_WARN_ON_ONCE(!pool_sums_hold(pool));
	return 0;
}

/**
 * pool_unreserve() - take promises back
 * @pool: the pool
 * @n: huge pages
 *
 * Owed promises go last; their folios will repay nothing.  pool_trim_one()
 * may have something to return afterwards.
 *
 * Context: hugetlb_lock.
 */
void pool_unreserve(struct hugetlb_pool *pool, long n)
{
	unsigned long backed, forgotten;

	lockdep_assert_held(&hugetlb_lock);
	VM_WARN_ON_ONCE(n < 0);
	if (n <= 0)
		return;
	backed = min_t(unsigned long, n, pool->reserved);
	forgotten = min_t(unsigned long, n - backed, pool->owed);
	VM_WARN_ON_ONCE(backed + forgotten != n);
	pool->reserved -= backed;
	pool->owed -= forgotten;
	VM_WARN_ON_ONCE(!pool_sums_hold(pool));
}

/**
 * pool_spend() - a page with a promise is about to be taken
 * @pool: the pool
 *
 * Context: hugetlb_lock, held until the page is taken or pool_unspend().
 * Return: false when no promise is backed by a free page; nothing changed.
 * With pool->owed > 0 a folio is on its way: try again later.
 */
bool pool_spend(struct hugetlb_pool *pool)
{
	lockdep_assert_held(&hugetlb_lock);
	if (!pool->reserved)
		return false;
	pool->reserved--;
	VM_WARN_ON_ONCE(!pool_sums_hold(pool));
	return true;
}

/**
 * pool_unspend() - no page was found for the promise just spent
 * @pool: the pool
 *
 * Context: hugetlb_lock, not dropped since pool_spend().
 */
void pool_unspend(struct hugetlb_pool *pool)
{
	lockdep_assert_held(&hugetlb_lock);
	pool->reserved++;
	VM_WARN_ON_ONCE(!pool_sums_hold(pool));
}

/**
 * pool_owe() - promises come back, their folios follow
 * @pool: the pool
 * @n: huge pages
 *
 * The folios carry HPG_restore_reserve from now on.
 *
 * Context: hugetlb_lock.
 */
void pool_owe(struct hugetlb_pool *pool, unsigned long n)
{
	lockdep_assert_held(&hugetlb_lock);
	pool->owed += n;
	VM_WARN_ON_ONCE(!pool_sums_hold(pool));
}

/**
 * pool_repay() - owed promises are backed by free pages again
 * @pool: the pool
 * @n: huge pages, or as many of them as are owed: promises may have been taken
 *	back meanwhile
 *
 * Context: hugetlb_lock, and pool_available() is at least @n, as it is right
 * after pool_put() of @n folios.
 */
void pool_repay(struct hugetlb_pool *pool, unsigned long n)
{
	lockdep_assert_held(&hugetlb_lock);
	n = min(n, pool->owed);
	pool->owed -= n;
	pool->reserved += n;
	VM_WARN_ON_ONCE(!pool_sums_hold(pool));
}

/* ---- surplus ---- */

/**
 * pool_surplus_allowed() - may the pool grow by one page on demand?
 * @pool: the pool
 *
 * The answer is void once the lock is dropped: ask before the allocation to
 * spare it, and again before pool_add_surplus().
 *
 * Context: hugetlb_lock.
 * Return: true while the surplus is below what the user allows.
 */
bool pool_surplus_allowed(const struct hugetlb_pool *pool)
{
	lockdep_assert_held(&hugetlb_lock);
	return pool->surplus < pool->overcommit_max;
}

static bool pool_node_has_surplus(const struct hugetlb_pool_node *node)
{
	return node->surplus > 0;
}

static bool pool_node_has_persistent(const struct hugetlb_pool_node *node)
{
	return node->surplus < node->total;
}

static bool pool_node_has_excess(const struct hugetlb_pool_node *node)
{
	return node->surplus > 0 && node->free > 0;
}

/**
 * pool_trim_one() - take out one surplus page that nobody was promised
 * @pool: the pool
 * @nid_hint: node to look at first, or NUMA_NO_NODE
 *
 * Due after every pool_put() and pool_unreserve(): until it returns NULL, or as
 * often as pages or promises came back.
 *
 * Context: hugetlb_lock.  The caller frees the folio after dropping it.
 * Return: the folio, removed from the pool; NULL when no surplus is in excess.
 */
struct folio *pool_trim_one(struct hugetlb_pool *pool, int nid_hint)
{
	struct folio *folio;
	int nid = nid_hint;

	lockdep_assert_held(&hugetlb_lock);
	if (!pool->surplus || !pool_available(pool))
		return NULL;

	if (nid == NUMA_NO_NODE || !pool_node_has_excess(&pool->node[nid]))
		nid = pool_next_node(pool, &node_states[N_MEMORY],
				     pool_node_has_excess);
	if (nid == NUMA_NO_NODE)
		return NULL;
	folio = list_first_entry(&pool->node[nid].free_list, struct folio, lru);
	pool_remove_surplus(pool, folio);
	return folio;
}

/**
 * pool_adopt_surplus() - make surplus pages persistent
 * @pool: the pool
 * @n: how many at most
 * @nodes: where, taking turns
 *
 * Context: hugetlb_lock.
 * Return: how many pages are no longer surplus.
 */
unsigned long pool_adopt_surplus(struct hugetlb_pool *pool, unsigned long n,
				 const nodemask_t *nodes)
{
	unsigned long done;
	int nid;

	lockdep_assert_held(&hugetlb_lock);
	for (done = 0; done < n && pool->surplus; done++) {
		nid = pool_next_node(pool, nodes, pool_node_has_surplus);
		if (nid == NUMA_NO_NODE)
			break;
		pool_count_surplus(pool, nid, -1);
	}
	VM_WARN_ON_ONCE(!pool_sums_hold(pool));
	return done;
}

/**
 * pool_mark_surplus() - make persistent pages surplus
 * @pool: the pool
 * @n: how many at most
 * @nodes: where, taking turns
 *
 * For pages beyond the wished size that cannot go yet; the limit on overcommit
 * does not count here.  The caller trims afterwards.
 *
 * Context: hugetlb_lock.
 * Return: how many pages are surplus now that were not before.
 */
unsigned long pool_mark_surplus(struct hugetlb_pool *pool, unsigned long n,
				const nodemask_t *nodes)
{
	unsigned long done;
	int nid;

	lockdep_assert_held(&hugetlb_lock);
	for (done = 0; done < n && pool->surplus < pool->total; done++) {
		nid = pool_next_node(pool, nodes, pool_node_has_persistent);
		if (nid == NUMA_NO_NODE)
			break;
		pool_count_surplus(pool, nid, 1);
	}
	VM_WARN_ON_ONCE(!pool_sums_hold(pool));
	return done;
}
