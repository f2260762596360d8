// SPDX-License-Identifier: GPL-2.0
/*
 * The hugetlb controller: which cgroup pays for which huge page.
 *
 * Usage belongs to pages: they pass to the parent when a cgroup goes, so such a
 * charge holds no reference.  A reservation stays where it was charged, and
 * keeps a dead cgroup with a reference for each tag and each folio.
 * Locks: hugetlb_lock for what a folio says and for node_usage.
 */
#include "reserve.h"
#include <linux/cgroup.h>
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/hugetlb_cgroup.h>
#include <linux/math.h>
#include <linux/mmdebug.h>
#include <linux/mutex.h>
#include <linux/page_counter.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

/* ---- counters and limits, in base pages ---- */

static struct hugetlb_cgroup_size *
hugetlb_cgroup_share(struct hugetlb_cgroup *cgroup,
		     const struct hugetlb_pool *pool)
{
	return &cgroup->size[pool_index(pool)];
}

/**
 * hugetlb_cgroup_counter() - what a cgroup and those below it are charged
 * @cgroup: the cgroup
 * @pool: of which page size
 * @kind: for what
 *
 * Context: any that keeps @cgroup.
 * Return: the counter, in base pages.
 */
struct page_counter *hugetlb_cgroup_counter(struct hugetlb_cgroup *cgroup,
					    const struct hugetlb_pool *pool,
					    enum hugetlb_charge kind)
{
	struct hugetlb_cgroup_size *share = hugetlb_cgroup_share(cgroup, pool);

	return kind == HUGETLB_CHARGE_RSVD ? &share->rsvd : &share->usage;
}

/**
 * hugetlb_cgroup_no_limit() - the limit that is none
 * @pool: of which page size
 *
 * Context: any.
 * Return: base pages; like every limit, a whole number of huge pages.
 */
unsigned long hugetlb_cgroup_no_limit(const struct hugetlb_pool *pool)
{
	return round_down(PAGE_COUNTER_MAX, pool_nr_base(pool));
}

/* A counter wants one writer of its limit at a time. */
static DEFINE_MUTEX(hugetlb_cgroup_limit_lock);

/**
 * hugetlb_cgroup_set_limit() - limit what a cgroup may be charged from now on
 * @cgroup: the cgroup
 * @pool: of which page size
 * @kind: for what
 * @nr: base pages; a huge page begun does not count
 *
 * Context: may sleep.
 * Return: 0; -EINVAL for the root; -EBUSY when more is charged already.
 */
int hugetlb_cgroup_set_limit(struct hugetlb_cgroup *cgroup,
			     const struct hugetlb_pool *pool,
			     enum hugetlb_charge kind, unsigned long nr)
{
	if (!cgroup->css.parent)
		return -EINVAL;

	guard(mutex)(&hugetlb_cgroup_limit_lock);
	return page_counter_set_max(hugetlb_cgroup_counter(cgroup, pool, kind),
				    round_down(nr, pool_nr_base(pool)));
}

/* ---- charge ---- */

/*
 * While a task exits, or is just being moved, its cgroup may be dead: then it
 * is the parent who would inherit the charge anyway.
 */
static struct hugetlb_cgroup *hugetlb_cgroup_get_current(void)
{
	struct cgroup_subsys_state *css = task_css(current, hugetlb_cgrp_id);

	while (!css_tryget_online(css))
		css = css->parent;
	return hugetlb_cgroup_of(css);
}

/* The limit may be one of an ancestor: it is the payer who has the trouble. */
static void hugetlb_cgroup_refuse(struct hugetlb_cgroup *payer,
				  const struct hugetlb_pool *pool)
{
	struct hugetlb_cgroup_size *share = hugetlb_cgroup_share(payer, pool);
	struct cgroup_subsys_state *css;

	atomic_long_inc(&share->refused_local);
	cgroup_file_notify(&share->events_local);

	for (css = &payer->css; css; css = css->parent) {
		share = hugetlb_cgroup_share(hugetlb_cgroup_of(css), pool);
		atomic_long_inc(&share->refused);
		cgroup_file_notify(&share->events);
	}
}

/**
 * hugetlb_cgroup_charge() - the cgroup of the current task pays
 * @pool: of which page size
 * @n: huge pages
 * @kind: for what
 * @cgroup: who paid, or NULL when nobody has to
 *
 * A usage charge goes to a folio, see hugetlb_cgroup_attach(), or back, both
 * soon: a cgroup cannot be removed in between.  A charge of the other kind has
 * one reference to the cgroup, whatever @n.
 *
 * Context: any task context.
 * Return: 0; -ENOMEM when a limit forbids it, then @cgroup is NULL.
 */
int hugetlb_cgroup_charge(struct hugetlb_pool *pool, long n,
			  enum hugetlb_charge kind,
			  struct hugetlb_cgroup **cgroup)
{
	struct hugetlb_cgroup *payer;
	struct page_counter *full;
	bool paid;

	*cgroup = NULL;
	if (!cgroup_subsys_enabled(hugetlb_cgrp_subsys))
		return 0;

	/* A grace period lies between death and css_offline: it sees this. */
	rcu_read_lock();
	payer = hugetlb_cgroup_get_current();
	paid = page_counter_try_charge(hugetlb_cgroup_counter(payer, pool, kind),
				       n * pool_nr_base(pool), &full);
	rcu_read_unlock();

	if (paid)
		*cgroup = payer;
	else
		hugetlb_cgroup_refuse(payer, pool);
	if (!paid || kind == HUGETLB_CHARGE_USAGE)
		css_put(&payer->css);
	return paid ? 0 : -ENOMEM;
}

/**
 * hugetlb_cgroup_uncharge() - undo hugetlb_cgroup_charge()
 * @pool: of which page size
 * @n: huge pages, all that one charge was for
 * @kind: for what
 * @cgroup: who paid, or NULL
 *
 * Context: any.
 */
void hugetlb_cgroup_uncharge(struct hugetlb_pool *pool, long n,
			     enum hugetlb_charge kind,
			     struct hugetlb_cgroup *cgroup)
{
	if (!cgroup)
		return;

	/* With its last usage a dead cgroup may go, before its parents' turn. */
	scoped_guard(rcu)
		page_counter_uncharge(hugetlb_cgroup_counter(cgroup, pool, kind),
				      n * pool_nr_base(pool));
	if (kind == HUGETLB_CHARGE_RSVD)
		css_put(&cgroup->css);
}

/* ---- charges of folios ---- */

static void **hugetlb_cgroup_payer(struct folio *folio,
				   enum hugetlb_charge kind)
{
	lockdep_assert_held(&hugetlb_lock);
	VM_WARN_ON_ONCE_FOLIO(!folio_test_hugetlb(folio), folio);

	return kind == HUGETLB_CHARGE_RSVD ? &folio->_hugetlb_cgroup_rsvd :
					     &folio->_hugetlb_cgroup;
}

static void hugetlb_cgroup_node_add(struct hugetlb_cgroup *cgroup,
				    const struct hugetlb_pool *pool,
				    int nid, long nr)
{
	unsigned long *usage = &cgroup->node_usage[nid][pool_index(pool)];

	lockdep_assert_held(&hugetlb_lock);
	VM_WARN_ON_ONCE(nr < 0 && *usage < -nr);
	WRITE_ONCE(*usage, *usage + nr);
}

/**
 * hugetlb_cgroup_attach() - a folio carries a charge from now on
 * @pool: of the folio
 * @kind: for what
 * @cgroup: charged for one huge page, or NULL
 * @folio: without such a charge
 *
 * With HUGETLB_CHARGE_RSVD the reference becomes the folio's.
 *
 * Context: hugetlb_lock.
 */
void hugetlb_cgroup_attach(struct hugetlb_pool *pool, enum hugetlb_charge kind,
			   struct hugetlb_cgroup *cgroup, struct folio *folio)
{
	void **payer = hugetlb_cgroup_payer(folio, kind);

	if (!cgroup)
		return;
	VM_WARN_ON_ONCE_FOLIO(*payer, folio);
	*payer = cgroup;
	if (kind == HUGETLB_CHARGE_USAGE)
		hugetlb_cgroup_node_add(cgroup, pool, folio_nid(folio),
					pool_nr_base(pool));
}

/* The inverse: somebody else has to care for the charge. */
static struct hugetlb_cgroup *hugetlb_cgroup_take(struct hugetlb_pool *pool,
						  enum hugetlb_charge kind,
						  struct folio *folio)
{
	void **payer = hugetlb_cgroup_payer(folio, kind);
	struct hugetlb_cgroup *cgroup = *payer;

	if (!cgroup)
		return NULL;
	*payer = NULL;
	if (kind == HUGETLB_CHARGE_USAGE)
		hugetlb_cgroup_node_add(cgroup, pool, folio_nid(folio),
					-(long)pool_nr_base(pool));
	return cgroup;
}

/*
 * From the first folio on, those of its node for which the same cgroups pay, if
 * any do.
 */
static unsigned int hugetlb_cgroup_take_run(struct folio **folios,
					    unsigned int n,
					    struct hugetlb_cgroup **payers)
{
	int nid = folio_nid(folios[0]);
	void **usage, **rsvd;
	unsigned int i;

	payers[HUGETLB_CHARGE_USAGE] = folios[0]->_hugetlb_cgroup;
	payers[HUGETLB_CHARGE_RSVD] = folios[0]->_hugetlb_cgroup_rsvd;
	for (i = 0; i < n; i++) {
		usage = hugetlb_cgroup_payer(folios[i], HUGETLB_CHARGE_USAGE);
		rsvd = hugetlb_cgroup_payer(folios[i], HUGETLB_CHARGE_RSVD);
		if (*usage != payers[HUGETLB_CHARGE_USAGE] ||
		    *rsvd != payers[HUGETLB_CHARGE_RSVD] ||
		    folio_nid(folios[i]) != nid)
			break;
		*usage = NULL;
		*rsvd = NULL;
	}
	return i;
}

/* What hugetlb_cgroup_attach() wrote down, @n times on the node @nid. */
static void hugetlb_cgroup_forget(struct hugetlb_pool *pool,
				  enum hugetlb_charge kind,
				  struct hugetlb_cgroup *cgroup, int nid, long n)
{
	/* Each charge had a reference; the last one goes with uncharging. */
	if (kind == HUGETLB_CHARGE_RSVD)
		css_put_many(&cgroup->css, n - 1);
	else
		hugetlb_cgroup_node_add(cgroup, pool, nid,
					-n * (long)pool_nr_base(pool));
	hugetlb_cgroup_uncharge(pool, n, kind, cgroup);
}

/**
 * hugetlb_cgroup_detach() - folios are not used any more: undo their charges
 * @pool: of all of them
 * @folios: with or without charges, of any kind
 * @n: how many
 *
 * Context: hugetlb_lock.
 */
void hugetlb_cgroup_detach(struct hugetlb_pool *pool, struct folio **folios,
			   unsigned int n)
{
	struct hugetlb_cgroup *payers[HUGETLB_CHARGE_KINDS];
	enum hugetlb_charge kind;
	unsigned int run;

	for (; n; folios += run, n -= run) {
		run = hugetlb_cgroup_take_run(folios, n, payers);
		for (kind = 0; kind < HUGETLB_CHARGE_KINDS; kind++) {
			if (payers[kind])
				hugetlb_cgroup_forget(pool, kind, payers[kind],
						      folio_nid(folios[0]),
						      run);
		}
	}
}

/**
 * hugetlb_cgroup_migrate() - one folio is used in the place of another
 * @old_folio: loses its charges
 * @new_folio: gets them; of the same size, without charges
 *
 * Context: takes hugetlb_lock; interrupts enabled.
 */
void hugetlb_cgroup_migrate(struct folio *old_folio, struct folio *new_folio)
{
	struct hugetlb_pool *pool = folio_pool(old_folio);
	enum hugetlb_charge kind;

	guard(spinlock_irq)(&hugetlb_lock);

	for (kind = 0; kind < HUGETLB_CHARGE_KINDS; kind++)
		hugetlb_cgroup_attach(pool, kind,
				      hugetlb_cgroup_take(pool, kind, old_folio),
				      new_folio);
}

/* ---- charges of region maps ---- */

/**
 * hugetlb_cgroup_tag_get() - another region is charged to the same cgroup
 * @tag: charged for reservations, with a reference; or NULL
 *
 * Context: any.
 */
void hugetlb_cgroup_tag_get(struct hugetlb_cgroup *tag)
{
	if (tag)
		css_get(&tag->css);
}

/**
 * hugetlb_cgroup_tag_put() - drop a reference
 * @tag: charged for reservations, or NULL
 *
 * Context: any.
 */
void hugetlb_cgroup_tag_put(struct hugetlb_cgroup *tag)
{
	if (tag)
		css_put(&tag->css);
}

/**
 * hugetlb_cgroup_tag_uncharge() - a part of what was reserved is no more
 * @pool: of which page size
 * @tag: charged for it, or NULL; the caller keeps the reference
 * @n: huge pages
 *
 * Context: any.
 */
void hugetlb_cgroup_tag_uncharge(struct hugetlb_pool *pool,
				 struct hugetlb_cgroup *tag, long n)
{
	if (tag && n)
		page_counter_uncharge(&hugetlb_cgroup_share(tag, pool)->rsvd,
				      n * pool_nr_base(pool));
}

/* ---- cgroups come and go ---- */

static void hugetlb_cgroup_counter_init(struct page_counter *counter,
					struct page_counter *parent,
					unsigned long limit)
{
	page_counter_init(counter, parent, false);
	page_counter_set_max(counter, limit);
}

/* The root comes before the command line and the architecture name sizes. */
static struct cgroup_subsys_state *
hugetlb_cgroup_css_alloc(struct cgroup_subsys_state *parent_css)
{
	struct hugetlb_cgroup_size *share, *above = NULL;
	struct hugetlb_cgroup *cgroup;
	unsigned long limit;
	unsigned int i;

	cgroup = kvzalloc(struct_size(cgroup, node_usage, nr_node_ids),
			  GFP_KERNEL);
	if (!cgroup)
		return ERR_PTR(-ENOMEM);

	for (i = 0; i < HUGE_MAX_HSTATE; i++) {
		limit = hugetlb_cgroup_no_limit(&hugetlb_pools[i]);
		share = &cgroup->size[i];
		if (parent_css)
			above = &hugetlb_cgroup_of(parent_css)->size[i];
		hugetlb_cgroup_counter_init(&share->usage,
					    above ? &above->usage : NULL,
					    limit);
		hugetlb_cgroup_counter_init(&share->rsvd,
					    above ? &above->rsvd : NULL, limit);
	}
	return &cgroup->css;
}

static void hugetlb_cgroup_css_free(struct cgroup_subsys_state *css)
{
	kvfree(hugetlb_cgroup_of(css));
}

/*
 * The parent inherits pages in use.  Its counter has them already, so they only
 * have to leave the one below.
 *
 * Return: true while charges are left: of claims under way, and of pages that
 * migration has taken off the list.
 */
static bool hugetlb_cgroup_reparent(struct hugetlb_cgroup *cgroup,
				    struct hugetlb_pool *pool)
{
	struct page_counter *left = &hugetlb_cgroup_share(cgroup, pool)->usage;
	struct hugetlb_cgroup *parent = hugetlb_cgroup_of(cgroup->css.parent);
	const enum hugetlb_charge kind = HUGETLB_CHARGE_USAGE;
	struct folio *folio;

	guard(spinlock_irq)(&hugetlb_lock);

	list_for_each_entry(folio, &pool->active, lru) {
		if (!page_counter_read(left))
			break;
		if (*hugetlb_cgroup_payer(folio, kind) != cgroup)
			continue;
		hugetlb_cgroup_take(pool, kind, folio);
		hugetlb_cgroup_attach(pool, kind, parent, folio);
		page_counter_cancel(left, pool_nr_base(pool));
	}
	return page_counter_read(left);
}

/* Nobody is charged any more, those below are gone: usage can only shrink. */
static void hugetlb_cgroup_css_offline(struct cgroup_subsys_state *css)
{
	struct hugetlb_pool *pool;

	for_each_hugetlb_pool(pool) {
		while (hugetlb_cgroup_reparent(hugetlb_cgroup_of(css), pool))
			schedule_timeout_uninterruptible(1);
	}
}

/* Files follow when page sizes are known; v2 needs a list to begin with. */
static struct cftype hugetlb_cgroup_no_files[1];

struct cgroup_subsys hugetlb_cgrp_subsys = {
	.css_alloc	= hugetlb_cgroup_css_alloc,
	.css_offline	= hugetlb_cgroup_css_offline,
	.css_free	= hugetlb_cgroup_css_free,
	.dfl_cftypes	= hugetlb_cgroup_no_files,
	.legacy_cftypes	= hugetlb_cgroup_no_files,
};
