// SPDX-License-Identifier: GPL-2.0
/*
 * Dissolve: take a certain free page out of its pool.
 *
 * For memory that goes offline or bad, and for compaction, which wants exactly
 * this range.  The caller has a page that may change under its hands, so its
 * state is looked at under hugetlb_lock, and again after every unlock.
 * Knows nothing of why.  Locks: hugetlb_lock.
 */
#include <linux/cleanup.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include "pool.h"

/**
 * enum dissolve_state - what became of a page
 * @DISSOLVE_GONE: it is no huge page any more
 * @DISSOLVE_USED: somebody has a reference, or it was demoted
 * @DISSOLVE_MOVING: on its way between user, pool and source; not for long
 * @DISSOLVE_FREE: on a free list
 */
enum dissolve_state {
	DISSOLVE_GONE,
	DISSOLVE_USED,
	DISSOLVE_MOVING,
	DISSOLVE_FREE,
};

static enum dissolve_state dissolve_look(struct folio *folio)
{
	lockdep_assert_held(&hugetlb_lock);
	if (!folio_test_hugetlb(folio))
		return DISSOLVE_GONE;
	if (folio_ref_count(folio))
		return DISSOLVE_USED;
	return folio_test_hugetlb_freed(folio) ? DISSOLVE_FREE :
						 DISSOLVE_MOVING;
}

/*
 * Make a folio that its pool counts no longer ready to be given back.  When that
 * is not possible the caller still has it: source_free() would hide that.
 */
static int dissolve_restore(struct hugetlb_pool *pool, struct folio *folio)
{
	if (!folio_test_hugetlb_vmemmap_optimized(folio))
		return 0;
	return vmemmap_restore(pool, folio);
}

/* ---- take away ---- */

/**
 * struct dissolve_victim - a folio out of its pool
 * @pool: where it was, NULL if nowhere
 * @surplus: the persistent size did not change
 */
struct dissolve_victim {
	struct hugetlb_pool	*pool;
	bool			surplus;
};

static void dissolve_count_out(struct folio *folio,
			       struct dissolve_victim *victim)
{
	struct hugetlb_pool *pool = folio_pool(folio);

	victim->pool = pool;
	victim->surplus = pool->node[folio_nid(folio)].surplus > 0;
	if (victim->surplus) {
		pool_remove_surplus(pool, folio);
		return;
	}
	pool_remove(pool, folio);
	/* Temporary pages may have been counted when it was set: be careful. */
	if (pool->persistent_target)
		pool_set_target(pool, pool->persistent_target - 1);
}

static int dissolve_detach(struct folio *folio, struct dissolve_victim *victim)
{
	struct hugetlb_pool *pool;

	guard(spinlock_irq)(&hugetlb_lock);
	switch (dissolve_look(folio)) {
	case DISSOLVE_GONE:
		return 0;
	case DISSOLVE_USED:
		return -EBUSY;
	case DISSOLVE_MOVING:
		return -EAGAIN;
	case DISSOLVE_FREE:
		break;
	}

	pool = folio_pool(folio);
	if (pool_is_fixed(pool) || !pool_available(pool))
		return -EBUSY;
	dissolve_count_out(folio, victim);
	return 0;
}

static void dissolve_reattach(struct folio *folio,
			      const struct dissolve_victim *victim)
{
	struct hugetlb_pool *pool = victim->pool;

	guard(spinlock_irq)(&hugetlb_lock);
	if (victim->surplus) {
		pool_add_surplus(pool, folio);
		return;
	}
	pool_add(pool, folio);
	pool_set_target(pool, pool->persistent_target + 1);
}

/**
 * dissolve_free_hugetlb_folio() - give a free huge page back to the system
 * @folio: what the caller takes for one; needs no reference
 *
 * Context: may sleep; takes hugetlb_lock.
 * Return: 0 when @folio is no huge page, now or already before; -EBUSY when it
 * is in use, promised, or of a size that cannot be unmade; -ENOMEM when there
 * is no memory for its struct pages: then it is a free huge page as before.
 */
int dissolve_free_hugetlb_folio(struct folio *folio)
{
	struct dissolve_victim victim = { };
	int err;

	/* Offlining asks for every page of a range: spare most the lock. */
	if (!folio_test_hugetlb(folio))
		return 0;

	for (;;) {
		err = dissolve_detach(folio, &victim);
		if (err != -EAGAIN)
			break;
		cond_resched();
	}
	if (!victim.pool)
		return err;

	err = dissolve_restore(victim.pool, folio);
	if (err)
		dissolve_reattach(folio, &victim);
	else
		source_release_whole(folio);
	return err;
}

/**
 * dissolve_free_hugetlb_folios() - free a range of memory from huge pages
 * @start_pfn: first base page, aligned to the smallest huge page
 * @end_pfn: the one behind the last
 *
 * A huge page that only partly lies in the range goes as a whole.  Those
 * dissolved before an error do not come back.
 *
 * Context: may sleep; takes hugetlb_lock.
 * Return: 0, or the first error of dissolve_free_hugetlb_folio().
 */
int dissolve_free_hugetlb_folios(unsigned long start_pfn,
				 unsigned long end_pfn)
{
	struct hugetlb_pool *pool;
	unsigned int order = UINT_MAX;
	unsigned long pfn;
	int err = 0;

	for_each_hugetlb_pool(pool)
		order = min(order, pool_order(pool));
	if (order == UINT_MAX)
		return 0;

	for (pfn = start_pfn; pfn < end_pfn && !err; pfn += 1UL << order)
		err = dissolve_free_hugetlb_folio(pfn_folio(pfn));
	return err;
}

/**
 * dissolve_bad() - a free page with a memory error leaves its pool
 * @pool: the pool
 * @folio: one of its free folios
 *
 * Nobody would get the page, so nobody may be promised it.
 *
 * Context: hugetlb_lock.  The caller frees the folio after dropping it.
 * Return: true; false when there is a promise for every free page of the pool.
 */
bool dissolve_bad(struct hugetlb_pool *pool, struct folio *folio)
{
	struct dissolve_victim victim;

	lockdep_assert_held(&hugetlb_lock);
	if (pool_is_fixed(pool) || !pool_available(pool))
		return false;
	dissolve_count_out(folio, &victim);
	return true;
}

/* ---- replace ---- */

/* With @fresh, a free @folio leaves the pool and @fresh takes its place. */
static enum dissolve_state dissolve_swap(struct hugetlb_pool *pool,
					 struct folio *folio,
					 struct folio *fresh)
{
	enum dissolve_state state;

	guard(spinlock_irq)(&hugetlb_lock);
	state = dissolve_look(folio);
	if (state != DISSOLVE_FREE)
		return state;
	if (folio_pool(folio) != pool)
		return DISSOLVE_USED;
	if (fresh) {
		/* In this order there is a page for every promise all along. */
		pool_add(pool, fresh);
		pool_remove(pool, folio);
	}
	return DISSOLVE_FREE;
}

static enum dissolve_state dissolve_swap_settled(struct hugetlb_pool *pool,
						 struct folio *folio,
						 struct folio *fresh)
{
	enum dissolve_state state;

	for (;;) {
		state = dissolve_swap(pool, folio, fresh);
		if (state != DISSOLVE_MOVING)
			return state;
		cond_resched();
	}
}

/* Compaction takes a page that is still huge after a 0 for one on its list. */
static int dissolve_replaced(struct hugetlb_pool *pool, struct folio *folio)
{
	int err = dissolve_restore(pool, folio);

	if (!err) {
		source_free(pool, folio);
		return 0;
	}
	guard(spinlock_irq)(&hugetlb_lock);
	pool_add_surplus(pool, folio);
	return err;
}

static int dissolve_replace(struct hugetlb_pool *pool, struct folio *folio,
			    struct list_head *list)
{
	gfp_t gfp = htlb_alloc_mask(&pool->h) | __GFP_THISNODE;
	enum dissolve_state state;
	struct folio *fresh;

	state = dissolve_swap_settled(pool, folio, NULL);
	if (state == DISSOLVE_FREE) {
		fresh = source_alloc(pool, gfp, folio_nid(folio), NULL, NULL);
		if (!fresh)
			return -ENOMEM;
		state = dissolve_swap_settled(pool, folio, fresh);
		if (state == DISSOLVE_FREE)
			return dissolve_replaced(pool, folio);
		source_free(pool, fresh);
	}
	if (state == DISSOLVE_USED)
		return isolate_hugetlb(folio, list) ? 0 : -EBUSY;
	return 0;
}

/**
 * isolate_or_dissolve_huge_page() - clear a huge page out of the way
 * @page: a page of what looked like a huge page; needs no reference
 * @list: where the folio goes, with a reference, when it is in use
 *
 * A free page is replaced in the pool by a new one on the same node, so that
 * promises hold.  A gigantic one is refused: making another could end up here.
 *
 * Context: may sleep; takes hugetlb_lock.
 * Return: 0 when it is no huge page (any more) or is on @list; -EBUSY when it
 * is in use and cannot be isolated; -ENOMEM when it is gigantic or cannot be
 * replaced.
 */
int isolate_or_dissolve_huge_page(struct page *page, struct list_head *list)
{
	struct folio *folio = page_folio(page);
	struct hugetlb_pool *pool = NULL;

	scoped_guard(spinlock_irq, &hugetlb_lock) {
		if (folio_test_hugetlb(folio))
			pool = folio_pool(folio);
	}
	if (!pool)
		return 0;
	if (hstate_is_gigantic(&pool->h))
		return -ENOMEM;

	if (folio_ref_count(folio) && isolate_hugetlb(folio, list))
		return 0;
	if (folio_ref_count(folio))
		return -EBUSY;
	return dissolve_replace(pool, folio, list);
}
