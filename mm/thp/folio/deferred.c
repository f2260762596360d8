// SPDX-License-Identifier: GPL-2.0
/*
 * Deferred: large folios with memory in them that nobody uses, to be split when
 * memory is short.  Either part of the folio is no longer mapped, or most of its
 * pages are zeroes.
 *
 * There is a queue for each node and cgroup.  Membership (folio->_deferred_list)
 * and the flag "partially mapped" change only under the lock of the queue, each
 * together with its counter.  What the shrinker looks at is in no queue, but
 * locked and referenced, and goes back before either is given up; so a folio
 * without references that is partially mapped is in its queue.
 *
 * Locks: split_queue_lock, taken under page-table locks and under i_pages;
 * interrupts off.  Nothing is taken inside.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/vmstat.h>

#include "folio.h"
#include "../../internal.h"

static struct shrinker *deferred_shrinker;

#ifdef CONFIG_MEMCG
static struct deferred_split *deferred_queue_memcg(struct mem_cgroup *memcg,
						   int nid)
{
	return &memcg->nodeinfo[nid]->deferred_split_queue;
}

/* Reclaim of a cgroup asks only shrinkers that have something. */
static void deferred_tell(struct mem_cgroup *memcg, int nid)
{
	set_shrinker_bit(memcg, nid, deferred_shrinker->id);
}
#else
static struct deferred_split *deferred_queue_memcg(struct mem_cgroup *memcg,
						   int nid)
{
	return NULL;
}

static void deferred_tell(struct mem_cgroup *memcg, int nid)
{
}
#endif

static struct deferred_split *deferred_queue(struct mem_cgroup *memcg, int nid)
{
	return memcg ? deferred_queue_memcg(memcg, nid) :
		       &NODE_DATA(nid)->deferred_split_queue;
}

static struct deferred_split *deferred_queue_of(struct folio *folio)
{
	return deferred_queue(folio_memcg(folio), folio_nid(folio));
}

static void deferred_add(struct deferred_split *queue, struct folio *folio)
{
	struct mem_cgroup *memcg = folio_memcg(folio);

	lockdep_assert_held(&queue->split_queue_lock);

	if (!list_empty(&folio->_deferred_list))
		return;
	list_add_tail(&folio->_deferred_list, &queue->split_queue);
	WRITE_ONCE(queue->split_queue_len, queue->split_queue_len + 1);
	if (memcg)
		deferred_tell(memcg, folio_nid(folio));
}

static bool deferred_del(struct deferred_split *queue, struct folio *folio)
{
	lockdep_assert_held(&queue->split_queue_lock);

	if (list_empty(&folio->_deferred_list))
		return false;
	list_del_init(&folio->_deferred_list);
	WRITE_ONCE(queue->split_queue_len, queue->split_queue_len - 1);
	return true;
}

static void deferred_mark(struct deferred_split *queue, struct folio *folio)
{
	unsigned int order = folio_order(folio);

	lockdep_assert_held(&queue->split_queue_lock);

	if (folio_test_partially_mapped(folio))
		return;
	folio_set_partially_mapped(folio);
	mod_mthp_stat(order, MTHP_STAT_NR_ANON_PARTIALLY_MAPPED, 1);
	thp_count(THP_COUNT_SPLIT_DEFERRED, order, NULL);
}

static void deferred_unmark(struct deferred_split *queue, struct folio *folio)
{
	lockdep_assert_held(&queue->split_queue_lock);

	if (!folio_test_partially_mapped(folio))
		return;
	folio_clear_partially_mapped(folio);
	mod_mthp_stat(folio_order(folio), MTHP_STAT_NR_ANON_PARTIALLY_MAPPED,
		      -1);
}

/**
 * deferred_split_folio() - split a folio when memory is short
 * @folio: an anonymous folio; not in the swap cache, or reclaim has it already
 * @partially_mapped: some of its pages are not mapped any more; else it is new,
 *	and what it holds shall be looked at, if transparent_hugepage/
 *	shrink_underused allows
 *
 * Once a folio is partially mapped it stays so.  Folios of two pages have no
 * room for a place in the queue, and little to gain.
 *
 * Context: any, page-table lock held or not; the folio mapped or referenced.
 */
void deferred_split_folio(struct folio *folio, bool partially_mapped)
{
	struct deferred_split *queue = deferred_queue_of(folio);
	unsigned long flags;

	if (folio_order(folio) <= 1 || folio_test_swapcache(folio))
		return;
	if (!partially_mapped && !thp_underused_enabled())
		return;

	spin_lock_irqsave(&queue->split_queue_lock, flags);
	VM_WARN_ON_FOLIO(!partially_mapped &&
			 folio_test_partially_mapped(folio), folio);
	if (partially_mapped)
		deferred_mark(queue, folio);
	deferred_add(queue, folio);
	spin_unlock_irqrestore(&queue->split_queue_lock, flags);
}

/**
 * deferred_forget() - a folio will not be split later
 * @folio: the folio, of more than two pages
 *
 * Context: any.  Nobody can queue the folio meanwhile: no references.
 * Return: whether it was in the queue.
 */
bool deferred_forget(struct folio *folio)
{
	struct deferred_split *queue = deferred_queue_of(folio);
	unsigned long flags;
	bool queued;

	/* The shrinker may move it inside the queue, but not into one. */
	if (data_race(list_empty(&folio->_deferred_list)) &&
	    !folio_test_partially_mapped(folio))
		return false;

	spin_lock_irqsave(&queue->split_queue_lock, flags);
	queued = deferred_del(queue, folio);
	deferred_unmark(queue, folio);
	spin_unlock_irqrestore(&queue->split_queue_lock, flags);
	return queued;
}

/**
 * __folio_unqueue_deferred_split() - a folio is freed, moved or swapped out
 * @folio: the folio; callers use folio_unqueue_deferred_split()
 *
 * Which queue it is in goes by its cgroup: so before that changes.
 *
 * Context: any; the folio has no references.
 * Return: whether it was in the queue.
 */
bool __folio_unqueue_deferred_split(struct folio *folio)
{
	WARN_ON_ONCE(folio_ref_count(folio));
	WARN_ON_ONCE(!mem_cgroup_disabled() && !folio_memcg(folio));

	return deferred_forget(folio);
}

/*
 * The first folio that has references.  The others are being freed, or moved to
 * other memory: who does that takes them out of the queue or lets them stay.
 *
 * Returns it with a reference.  @locked: it is locked, too, and in no queue; else
 * somebody works with it, and it is last in the queue now.
 */
static struct folio *deferred_next(struct deferred_split *queue, bool *locked)
{
	struct folio *folio, *next = NULL;
	unsigned long flags;

	spin_lock_irqsave(&queue->split_queue_lock, flags);
	list_for_each_entry(folio, &queue->split_queue, _deferred_list) {
		if (folio_try_get(folio)) {
			next = folio;
			break;
		}
	}
	*locked = next && folio_trylock(next);
	if (*locked)
		deferred_del(queue, next);
	else if (next)
		list_move_tail(&next->_deferred_list, &queue->split_queue);
	spin_unlock_irqrestore(&queue->split_queue_lock, flags);
	return next;
}

static void deferred_put_back(struct folio *folio)
{
	struct deferred_split *queue = deferred_queue_of(folio);
	unsigned long flags;

	spin_lock_irqsave(&queue->split_queue_lock, flags);
	deferred_add(queue, folio);
	spin_unlock_irqrestore(&queue->split_queue_lock, flags);
}

/*
 * Are so many pages all zeroes that splitting gives back most of the folio?
 * Reads no further than it takes to know.
 */
static bool deferred_underused(struct folio *folio)
{
	unsigned int nr = folio_nr_pages(folio);
	unsigned int max = thp_underused_limit(folio_order(folio));
	unsigned int i, zeroes = 0;

	if (folio_contain_hwpoisoned_page(folio))
		return false;

	for (i = 0; i < nr; i++) {
		zeroes += thp_page_is_zero(folio_page(folio, i));
		if (zeroes > max)
			return true;
		/* Not even if all that follow were zeroes. */
		if (zeroes + (nr - 1 - i) <= max)
			return false;
	}
	return false;
}

/*
 * A folio that turns out to be in use is not looked at again.  One that is to be
 * split and cannot be, as somebody has a reference, waits for the next time.
 */
static bool deferred_split_one(struct folio *folio)
{
	bool partially_mapped = folio_test_partially_mapped(folio);

	if (!can_split_folio(folio, 1, NULL)) {
		deferred_put_back(folio);
		return false;
	}
	if (!partially_mapped && !deferred_underused(folio)) {
		/* Part of it may have been unmapped while we were reading. */
		if (folio_test_partially_mapped(folio))
			deferred_put_back(folio);
		return false;
	}
	if (thp_split_drop_zeroes(folio, 0)) {
		deferred_put_back(folio);
		return false;
	}
	if (!partially_mapped)
		count_vm_event(THP_UNDERUSED_SPLIT_PAGE);
	return true;
}

static unsigned long deferred_count(struct shrinker *shrinker,
				    struct shrink_control *sc)
{
	struct deferred_split *queue = deferred_queue(sc->memcg, sc->nid);

	return READ_ONCE(queue->split_queue_len) ?: SHRINK_EMPTY;
}

/* Once through the queue at most: what was put back is last. */
static unsigned long deferred_scan(struct shrinker *shrinker,
				   struct shrink_control *sc)
{
	struct deferred_split *queue = deferred_queue(sc->memcg, sc->nid);
	unsigned long left = min(sc->nr_to_scan,
				 READ_ONCE(queue->split_queue_len));
	unsigned long split = 0;
	struct folio *folio;
	bool locked;

	for (; left; left--) {
		folio = deferred_next(queue, &locked);
		if (!folio)
			break;
		if (locked) {
			split += deferred_split_one(folio);
			folio_unlock(folio);
		}
		folio_put(folio);
		cond_resched();
	}

	/* Nothing came of it and nothing is left: do not ask again. */
	if (!split && !READ_ONCE(queue->split_queue_len))
		return SHRINK_STOP;
	return split;
}

/**
 * deferred_init() - let reclaim split folios
 *
 * Context: process context, at boot.
 * Return: 0 or -ENOMEM.
 */
int __init deferred_init(void)
{
	deferred_shrinker = shrinker_alloc(SHRINKER_NUMA_AWARE |
					   SHRINKER_MEMCG_AWARE |
					   SHRINKER_NONSLAB,
					   "thp-deferred_split");
	if (!deferred_shrinker)
		return -ENOMEM;

	deferred_shrinker->count_objects = deferred_count;
	deferred_shrinker->scan_objects = deferred_scan;
	shrinker_register(deferred_shrinker);
	return 0;
}

/**
 * deferred_exit() - undo deferred_init()
 *
 * Context: process context, at boot.
 */
void __init deferred_exit(void)
{
	shrinker_free(deferred_shrinker);
}
