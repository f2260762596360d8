// SPDX-License-Identifier: GPL-2.0
/*
 * Demote: free pages of one size become pages of a smaller one.
 *
 * Only pages that nobody was promised.  Both pools keep the persistent size
 * the user gave them, less what left and plus what arrived.
 * Locks: resize_lock of the larger size, of the smaller size, hugetlb_lock.
 */
#include <linux/cleanup.h>
#include <linux/mm.h>
#include <linux/page_owner.h>
#include "../../internal.h"
#include "pool.h"

/* Pages split at a time; each may become thousands. */
#define DEMOTE_BATCH	16UL

static bool demote_fits(struct folio *folio)
{
	return !folio_test_hwpoison(folio);
}

/* Nothing will do: because nothing is free, or because it is all poisoned? */
static long demote_nothing(const struct hugetlb_pool *pool,
			   const nodemask_t *nodes)
{
	int nid;

	if (!pool_available(pool))
		return 0;
	for_each_node_mask(nid, *nodes) {
		if (pool->node[nid].free)
			return -EBUSY;
	}
	return 0;
}

/* How many pages are on @folios now, or why there are none. */
static long demote_collect(struct hugetlb_pool *pool, unsigned long n,
			   const nodemask_t *nodes, struct list_head *folios)
{
	struct folio *folio;
	unsigned long done;

	guard(spinlock_irq)(&hugetlb_lock);
	for (done = 0; done < n && pool_available(pool); done++) {
		folio = resize_pick(pool, nodes, demote_fits);
		if (!folio)
			break;
		pool_remove(pool, folio);
		list_add(&folio->lru, folios);
	}
	if (!done)
		return demote_nothing(pool, nodes);
	/* At once, so that the target never counts pages that are not there. */
	pool_set_target(pool, pool->persistent_target -
			min(done, pool->persistent_target));
	return done;
}

static struct folio *demote_carve(struct page *head, unsigned int order)
{
	struct folio *piece = (struct folio *)head;

	/* It was a tail page, but for the first one of the old folio. */
	clear_compound_head(head);
	piece->mapping = NULL;
	prep_compound_page(head, order);
	source_adopt(piece);
	return piece;
}

static void demote_split(struct folio *folio, unsigned int from,
			 unsigned int to, struct list_head *pieces)
{
	unsigned long at = 1UL << from;

	source_disown(folio);
	split_page_owner(&folio->page, from, to);
	pgalloc_tag_split(folio, from, to);

	/* From the end, so that the old head stays what it is until last. */
	while (at) {
		at -= 1UL << to;
		list_add(&demote_carve(folio_page(folio, at), to)->lru, pieces);
		cond_resched();
	}
}

static int demote_batch(struct hugetlb_pool *from, struct hugetlb_pool *to,
			struct list_head *folios)
{
	struct folio *folio, *next;
	LIST_HEAD(pieces);
	LIST_HEAD(whole);
	long ret;

	ret = source_restore_list(from, folios, &whole);
	list_for_each_entry_safe(folio, next, &whole, lru) {
		list_del_init(&folio->lru);
		demote_split(folio, pool_order(from), pool_order(to), &pieces);
	}
	resize_admit(to, &pieces);
	resize_admit(from, folios);
	return min(ret, 0L);
}

/**
 * hugetlb_pool_demote() - split free pages into pages of the demotion size
 * @pool: the larger size
 * @n: huge pages to split; fewer if not so many are free and unpromised
 * @nodes: where; they take turns
 *
 * Context: may sleep; takes both resize_locks and hugetlb_lock.
 * Return: 0; -EINVAL when the pool has no demotion size; -EBUSY when only
 * poisoned pages are left; -ENOMEM when struct pages could not be restored.
 * What was split before an error stays split.
 */
int hugetlb_pool_demote(struct hugetlb_pool *pool, unsigned long n,
			const nodemask_t *nodes)
{
	struct hugetlb_pool *target;
	LIST_HEAD(folios);
	int err = 0;
	long got;

	guard(mutex)(&pool->resize_lock);
	if (!pool->demote_order)
		return -EINVAL;
	target = hugetlb_pool_by_order(pool->demote_order);
	guard(mutex)(&target->resize_lock);

	for (; n && !err; n -= got) {
		got = demote_collect(pool, min(n, DEMOTE_BATCH), nodes,
				     &folios);
		if (got <= 0)
			return got;
		err = demote_batch(pool, target, &folios);
		cond_resched();
	}
	return err;
}

/* A CMA area counts its pages in units of HUGETLB_PAGE_ORDER. */
static bool demote_is_possible(const struct hugetlb_pool *pool)
{
	if (pool_is_fixed(pool))
		return false;
	return pool_order(pool) > HUGETLB_PAGE_ORDER || !cma_source_exists();
}

/**
 * hugetlb_pool_set_demote_size() - choose the size that pages are split into
 * @pool: the larger size
 * @size: the smaller one in bytes
 *
 * Context: may sleep; takes resize_lock.
 * Return: 0; -EINVAL when there is no such size, or it is not smaller, or it is
 * below HUGETLB_PAGE_ORDER, or pages of @pool cannot be split at all.
 */
int hugetlb_pool_set_demote_size(struct hugetlb_pool *pool, unsigned long size)
{
	struct hstate *h = size_to_hstate(size);

	if (!h || h->order < HUGETLB_PAGE_ORDER || h->order >= pool_order(pool))
		return -EINVAL;
	if (!demote_is_possible(pool))
		return -EINVAL;

	guard(mutex)(&pool->resize_lock);
	pool->demote_order = h->order;
	return 0;
}

/**
 * hugetlb_pool_default_demote() - every pool demotes to the next smaller size
 *
 * Context: boot, all sizes are known.
 */
void __init hugetlb_pool_default_demote(void)
{
	struct hugetlb_pool *pool, *other;
	unsigned int order;

	for_each_hugetlb_pool(pool) {
		if (!demote_is_possible(pool))
			continue;
		for_each_hugetlb_pool(other) {
			order = pool_order(other);
			if (order < pool_order(pool))
				pool->demote_order = max(pool->demote_order,
							 order);
		}
	}
}
