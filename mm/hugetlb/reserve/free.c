// SPDX-License-Identifier: GPL-2.0
/*
 * The way back: huge folios without references return to their pool.
 *
 * They end charges and pay what is owed with them, many with one hold of
 * hugetlb_lock.  Knows units; knows neither slots nor how a folio is unmade.
 * Locks: quota->lock, hugetlb_lock, from any context.
 */
#include "reserve.h"
#include <linux/bitops.h>
#include <linux/cleanup.h>
#include <linux/list.h>
#include <linux/memcontrol.h>
#include <linux/minmax.h>
#include <linux/mmdebug.h>

/*
 * Folios that go with one hold of hugetlb_lock, with interrupts off: all that
 * core mm lets go of at once.
 */
#define FREE_BATCH	32U

/**
 * struct free_run - folios that follow each other and go together
 * @pool: of all of them
 * @quota: of all of them, may be NULL
 * @folios: refcount 0
 * @n: how many
 * @bad: bit i is set when page i has a memory error and shall leave the pool
 * @leaving: units that the mount does not keep
 * @gone: folios that leave the pool
 */
struct free_run {
	struct hugetlb_pool	*pool;
	struct hugetlb_quota	*quota;
	struct folio		**folios;
	unsigned int		n;
	unsigned long		bad;
	long			leaving;
	struct list_head	gone;
};

static void free_run_start(struct free_run *run, struct folio **folios,
			   unsigned int nr)
{
	unsigned int order = folio_order(folios[0]);

	run->pool = folio_pool(folios[0]);
	run->quota = hugetlb_folio_subpool(folios[0]);
	run->folios = folios;
	run->bad = 0;
	run->leaving = 0;
	INIT_LIST_HEAD(&run->gone);

	nr = min(nr, FREE_BATCH);
	for (run->n = 1; run->n < nr; run->n++) {
		if (folio_order(folios[run->n]) != order ||
		    hugetlb_folio_subpool(folios[run->n]) != run->quota)
			break;
	}
}

/*
 * A file kept the page so that nobody takes zeros for data.  One of a private
 * mapping is memory failure's own business, which frees it and looks for it in
 * the pool right away.
 */
static bool free_is_bad(struct folio *folio)
{
	return folio_test_hwpoison(folio) && !folio_test_anon(folio);
}

/* Nothing of what the folio was used for stays with it. */
static void free_forget_use(struct folio *folio)
{
	VM_WARN_ON_ONCE_FOLIO(folio_ref_count(folio), folio);
	VM_WARN_ON_ONCE_FOLIO(folio_mapcount(folio), folio);

	if (folio_test_anon(folio))
		__ClearPageAnonExclusive(&folio->page);
	folio->mapping = NULL;
	hugetlb_set_folio_subpool(folio, NULL);
	folio_clear_hugetlb_restore_reserve(folio);
	mem_cgroup_uncharge(folio);
}

static void free_run_forget_use(struct free_run *run)
{
	unsigned int i;

	for (i = 0; i < run->n; i++) {
		if (free_is_bad(run->folios[i]))
			__set_bit(i, &run->bad);
		free_forget_use(run->folios[i]);
	}
}

/*
 * The units of the pages become promises before the quota hears of it: once it
 * did, others may find them unused and look for their promises in the pool.
 */
static void free_run_put_quota(struct free_run *run)
{
	if (!run->quota)
		return;
	scoped_guard(spinlock_irqsave, &hugetlb_lock)
		pool_owe(run->pool, run->n);
	run->leaving = quota_put(run->quota, run->n);
}

/* Temporary pages have done their duty.  How many others are free now? */
static unsigned int free_run_shelve(struct free_run *run)
{
	unsigned int i, n = 0;
	struct folio *folio;

	lockdep_assert_held(&hugetlb_lock);
	for (i = 0; i < run->n; i++) {
		folio = run->folios[i];
		folio_clear_hugetlb_migratable(folio);
		if (folio_test_hugetlb_temporary(folio)) {
			pool_remove(run->pool, folio);
			list_add(&folio->lru, &run->gone);
		} else {
			pool_put(run->pool, folio);
			n++;
		}
	}
	return n;
}

/* @n pages became free: none may go before the last promise has its page. */
static void free_run_pay(struct free_run *run, unsigned int n)
{
	struct folio *folio;
	unsigned int i;

	lockdep_assert_held(&hugetlb_lock);
	pool_unreserve(run->pool, run->leaving);
	pool_repay(run->pool, n);
	for (i = 0; i < run->n; i++) {
		folio = pool_trim_one(run->pool, folio_nid(run->folios[0]));
		if (!folio)
			break;
		list_add(&folio->lru, &run->gone);
	}
}

/* Those that are not gone yet. */
static void free_run_dissolve_bad(struct free_run *run)
{
	struct folio *folio;
	unsigned int i;

	lockdep_assert_held(&hugetlb_lock);
	for_each_set_bit(i, &run->bad, run->n) {
		folio = run->folios[i];
		if (folio_test_hugetlb_freed(folio) &&
		    dissolve_bad(run->pool, folio))
			list_add(&folio->lru, &run->gone);
	}
}

static void free_run_finish(struct free_run *run)
{
	struct folio *folio, *next;

	list_for_each_entry_safe(folio, next, &run->gone, lru) {
		list_del_init(&folio->lru);
		source_free_any_context(run->pool, folio);
	}
	hugetlb_quota_leave(run->quota);
}

/**
 * free_huge_folios() - the last references to huge folios are gone
 * @folios: with refcount 0
 * @nr: how many
 *
 * Whatever the folios owe, or others that are still on their way, is paid with
 * them.  Surplus that is in excess then leaves the pool, and so do pages with a
 * memory error.
 *
 * Context: any; takes quota->lock, hugetlb_lock.
 */
void free_huge_folios(struct folio **folios, unsigned int nr)
{
	struct free_run run;

	for (; nr; folios += run.n, nr -= run.n) {
		free_run_start(&run, folios, nr);
		free_run_forget_use(&run);
		free_run_put_quota(&run);
		scoped_guard(spinlock_irqsave, &hugetlb_lock) {
			hugetlb_cgroup_detach(run.pool, run.folios, run.n);
			free_run_pay(&run, free_run_shelve(&run));
			free_run_dissolve_bad(&run);
		}
		free_run_finish(&run);
	}
}

/**
 * free_huge_folio() - the last reference to a huge folio is gone
 * @folio: with refcount 0
 *
 * Context: as for free_huge_folios().
 */
void free_huge_folio(struct folio *folio)
{
	free_huge_folios(&folio, 1);
}
