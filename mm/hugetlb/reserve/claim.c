// SPDX-License-Identifier: GPL-2.0
/*
 * Claims: one huge page on its way to a slot.
 *
 * prepare takes all that can run out, in the order of claim_steps[]; commit and
 * cancel cannot fail.  free_huge_folios() is what undoes a commit in the end.
 * Knows units and slots; knows no page tables and no page cache.
 * Locks: a claim for a slot of a file holds the map's rw_sema for reading.
 */
#include "reserve.h"
#include <kunit/static_stub.h>
#include <kunit/visibility.h>
#include <linux/cleanup.h>
#include <linux/memcontrol.h>
#include <linux/mmdebug.h>

/* Bits of claim->taken, in the order they are taken. */
enum claim_row {
	CLAIM_MEMCG,
	CLAIM_SLOT,
	CLAIM_QUOTA,
	CLAIM_RSVD,
	CLAIM_USAGE,
	CLAIM_FOLIO,
};

static bool claim_took(const struct hugetlb_claim *claim, enum claim_row row)
{
	return claim->taken & BIT(row);
}

static void claim_note(struct hugetlb_claim *claim, enum claim_row row)
{
	claim->taken |= BIT(row);
}

/* ---- memcg: what memory_hugetlb_accounting counts ---- */

static int claim_take_memcg(struct hugetlb_claim *claim)
{
	gfp_t gfp = htlb_alloc_mask(&claim->pool->h) | __GFP_RETRY_MAYFAIL;
	struct mem_cgroup *memcg = get_mem_cgroup_from_current();
	int err;

	err = mem_cgroup_hugetlb_try_charge(memcg, gfp,
					    pool_nr_base(claim->pool));
	if (!err) {
		claim->memcg = memcg;
		claim_note(claim, CLAIM_MEMCG);
		return 0;
	}
	/* Any other error means that huge pages are not counted. */
	mem_cgroup_put(memcg);
	return err == -ENOMEM ? err : 0;
}

static void claim_undo_memcg(struct hugetlb_claim *claim)
{
	mem_cgroup_cancel_charge(claim->memcg, pool_nr_base(claim->pool));
	mem_cgroup_put(claim->memcg);
}

/* ---- slot: whose promise it is ---- */

/*
 * Nobody else claims the slot while the fault mutex is held, so a promise can
 * stay in the map.  But until the claim ends hugetlb_promise_file() must wait, or
 * it would pay for a slot without a promise, too; hugetlb_return_file() must, or
 * it would return a unit that is with the claim.
 */
static int claim_take_shared(struct hugetlb_claim *claim)
{
	struct resv_map *map = claim->key.map;

	down_read(&map->rw_sema);
	if (region_present(map, claim->key.hindex)) {
		claim->promise = PROMISED;
	} else if (region_spares_fill(&claim->spares, 1)) {
		up_read(&map->rw_sema);
		return -ENOMEM;
	}
	claim_note(claim, CLAIM_SLOT);
	return 0;
}

/*
 * Nobody gives the slot back while the VMA lock is held.  Where it is spent the
 * owner copies its own page.
 */
static void claim_take_private(struct hugetlb_claim *claim)
{
	claim->promise = SPENT;
	if (resv_spend(claim->key.map, claim->key.hindex)) {
		claim->promise = PROMISED;
		claim_note(claim, CLAIM_SLOT);
	}
}

static int claim_take_slot(struct hugetlb_claim *claim)
{
	int err = 0;

	if (!claim->key.map)
		return 0;
	if (claim->key.map->kind == RESV_SHARED)
		err = claim_take_shared(claim);
	else
		claim_take_private(claim);
	claim->backed = claim->promise == PROMISED;
	return err;
}

static void claim_undo_slot(struct hugetlb_claim *claim)
{
	struct resv_map *map = claim->key.map;

	if (map->kind == RESV_PRIVATE)
		resv_unspend(map, claim->key.hindex, claim->key.hindex + 1);
	else
		up_read(&map->rw_sema);
}

/* The slot of a file has a page now, whether there was a promise or not. */
static void claim_fill_shared(struct hugetlb_claim *claim)
{
	struct resv_map *map = claim->key.map;
	bool given = claim->promise == PROMISED ||
		     region_give(map, claim->key.hindex, NULL, &claim->spares);

	VM_WARN_ON_ONCE(!given);
	up_read(&map->rw_sema);
}

/* ---- quota and controller: paid already where there is a promise ---- */

static int claim_take_quota(struct hugetlb_claim *claim)
{
	long need;

	if (claim->promise == PROMISED)
		return 0;
	need = quota_take(claim->quota, 1);
	if (need < 0)
		return need;
	/* If the mount owns a unit that nobody uses, the pool promised it. */
	claim->backed = !need;
	claim_note(claim, CLAIM_QUOTA);
	return 0;
}

static void claim_undo_quota(struct hugetlb_claim *claim)
{
	hugetlb_return_untaken(claim->pool, claim->quota, 1);
}

static int claim_take_rsvd(struct hugetlb_claim *claim)
{
	if (claim->promise == PROMISED)
		return 0;
	if (hugetlb_cgroup_charge(claim->pool, 1, HUGETLB_CHARGE_RSVD,
				  &claim->cgroup_rsvd))
		return -ENOSPC;
	claim_note(claim, CLAIM_RSVD);
	return 0;
}

static void claim_undo_rsvd(struct hugetlb_claim *claim)
{
	hugetlb_cgroup_uncharge(claim->pool, 1, HUGETLB_CHARGE_RSVD,
				claim->cgroup_rsvd);
}

static int claim_take_usage(struct hugetlb_claim *claim)
{
	if (hugetlb_cgroup_charge(claim->pool, 1, HUGETLB_CHARGE_USAGE,
				  &claim->cgroup))
		return -ENOSPC;
	claim_note(claim, CLAIM_USAGE);
	return 0;
}

static void claim_undo_usage(struct hugetlb_claim *claim)
{
	hugetlb_cgroup_uncharge(claim->pool, 1, HUGETLB_CHARGE_USAGE,
				claim->cgroup);
}

/* ---- folio ---- */

/*
 * Which free page stands for which promise is written nowhere, so one that is
 * owed can be spent as soon as any free page is left over.
 */
static bool claim_spend(struct hugetlb_pool *pool)
{
	if (!pool->reserved && pool_available(pool))
		pool_repay(pool, 1);
	return pool_spend(pool);
}

/**
 * hugetlb_promise_drop() - a page not taken for it serves a promise
 * @pool: has one promise less from now on
 *
 * The free page that stood for it may stand for one whose own is on its way.
 *
 * Context: hugetlb_lock; hugetlb_surplus_trim() is due afterwards.
 */
void hugetlb_promise_drop(struct hugetlb_pool *pool)
{
	pool_unreserve(pool, 1);
	if (pool_available(pool))
		pool_repay(pool, 1);
}

/* Under the lock that put it into use, or a dying cgroup could miss it. */
static void claim_attach(struct hugetlb_claim *claim)
{
	lockdep_assert_held(&hugetlb_lock);

	hugetlb_cgroup_attach(claim->pool, HUGETLB_CHARGE_USAGE, claim->cgroup,
			      claim->folio);
	if (claim_took(claim, CLAIM_RSVD))
		hugetlb_cgroup_attach(claim->pool, HUGETLB_CHARGE_RSVD,
				      claim->cgroup_rsvd, claim->folio);
}

static int claim_folio_from_pool(struct hugetlb_claim *claim,
				 const struct hugetlb_place *place)
{
	struct hugetlb_pool *pool = claim->pool;

	guard(spinlock_irq)(&hugetlb_lock);

	if (!claim->backed && !pool_available(pool))
		return -ENOSPC;
	if (claim->backed && !claim_spend(pool))
		return pool->owed ? -EAGAIN : -ENOSPC;

	claim->folio = hugetlb_place_take(place);
	if (claim->folio) {
		claim_attach(claim);
		return 0;
	}
	if (claim->backed)
		pool_unspend(pool);
	return -ENOSPC;
}

/* The promised page lies where policy or cpuset forbid: another serves it. */
static int claim_folio_from_surplus(struct hugetlb_claim *claim,
				    const struct hugetlb_place *place)
{
	claim->folio = hugetlb_place_grow(place);
	if (!claim->folio)
		return -ENOSPC;

	scoped_guard(spinlock_irq, &hugetlb_lock) {
		if (claim->backed)
			hugetlb_promise_drop(claim->pool);
		claim_attach(claim);
	}
	if (claim->backed)
		hugetlb_surplus_trim(claim->pool);
	return 0;
}

/* All that was paid is the folio's now, and goes when it is freed. */
static void claim_hand_over(struct hugetlb_claim *claim)
{
	hugetlb_set_folio_subpool(claim->folio, claim->quota);
	if (!claim->backed)
		hugetlb_surplus_return(claim->pool,
				       quota_settle(claim->quota, 1));
	if (claim_took(claim, CLAIM_MEMCG)) {
		mem_cgroup_commit_charge(claim->folio, claim->memcg);
		mem_cgroup_put(claim->memcg);
	}
	claim->taken &= BIT(CLAIM_SLOT);
	claim_note(claim, CLAIM_FOLIO);
}

static int claim_take_folio(struct hugetlb_claim *claim)
{
	struct hugetlb_place place;
	int err;

	hugetlb_place_get(&place, claim->pool, claim->vma, claim->address);
	err = claim_folio_from_pool(claim, &place);
	if (err == -ENOSPC)
		err = claim_folio_from_surplus(claim, &place);
	hugetlb_place_put(&place);

	if (!err)
		claim_hand_over(claim);
	return err;
}

/*
 * What was taken for promises becomes promises again: first in the pool, where
 * the folios owe them, and only then in the map, for others to claim them.
 */
static void claim_folios_owe(struct hugetlb_pool *pool, struct folio **folios,
			     unsigned int n)
{
	unsigned int i;

	scoped_guard(spinlock_irq, &hugetlb_lock)
		pool_owe(pool, n);
	for (i = 0; i < n; i++) {
		hugetlb_set_folio_subpool(folios[i], NULL);
		folio_set_hugetlb_restore_reserve(folios[i]);
	}
}

static void claim_undo_folio(struct hugetlb_claim *claim)
{
	if (claim->promise == PROMISED)
		claim_folios_owe(claim->pool, &claim->folio, 1);
	folio_put(claim->folio);
	claim->folio = NULL;
}

/* ---- the claim ---- */

static const struct claim_step {
	int	(*take)(struct hugetlb_claim *claim);
	void	(*undo)(struct hugetlb_claim *claim);
} claim_steps[] = {
	[CLAIM_MEMCG]	= { claim_take_memcg,	claim_undo_memcg },
	[CLAIM_SLOT]	= { claim_take_slot,	claim_undo_slot },
	[CLAIM_QUOTA]	= { claim_take_quota,	claim_undo_quota },
	[CLAIM_RSVD]	= { claim_take_rsvd,	claim_undo_rsvd },
	[CLAIM_USAGE]	= { claim_take_usage,	claim_undo_usage },
	[CLAIM_FOLIO]	= { claim_take_folio,	claim_undo_folio },
};

/* A test makes single steps fail here. */
VISIBLE_IF_KUNIT int hugetlb_claim_step_error(unsigned int step)
{
	KUNIT_STATIC_STUB_REDIRECT(hugetlb_claim_step_error, step);
	return 0;
}

/**
 * hugetlb_claim_init() - begin a claim
 * @claim: on the stack of one task until commit or cancel
 * @inode: the file the page is for, or whose private mapping
 * @map: of the file, or of the owner of a private mapping; NULL where nobody
 *	was promised the page
 * @hindex: the slot
 *
 * Context: any.
 */
void hugetlb_claim_init(struct hugetlb_claim *claim, struct inode *inode,
			struct resv_map *map, long hindex)
{
	*claim = (struct hugetlb_claim) {
		.pool	 = inode_pool(inode),
		.quota	 = inode_quota(inode),
		.key	 = { .map = map, .hindex = hindex },
		.promise = NO_PROMISE,
	};
	region_spares_init(&claim->spares);
}

/**
 * hugetlb_claim_prepare() - take everything a page needs that can run out
 * @claim: begun
 *
 * Afterwards @claim->folio is there for the caller alone, with one reference.
 * It may become migratable only after commit.
 *
 * Context: fault mutex of the slot, unless the map is NULL; until commit or
 * cancel also rw_sema of a shared map, so no second claim before that.  May
 * sleep.
 * Return: 0; or, with nothing changed, -EAGAIN when the promised page is on its
 * way back to the pool right now, -ENOSPC when there is no page or a limit of
 * the mount or of the controller is reached, -ENOMEM for memcg or memory.
 */
int hugetlb_claim_prepare(struct hugetlb_claim *claim)
{
	unsigned int step;
	int err;

	for (step = 0; step < ARRAY_SIZE(claim_steps); step++) {
		err = hugetlb_claim_step_error(step);
		if (!err)
			err = claim_steps[step].take(claim);
		if (err) {
			hugetlb_claim_cancel(claim);
			return err;
		}
	}
	return 0;
}

/**
 * hugetlb_claim_commit() - the page is in a page table or in the page cache
 * @claim: prepared; its reference has gone where the page is
 *
 * Context: as for prepare, no spinlock held: the page cannot leave yet.
 */
void hugetlb_claim_commit(struct hugetlb_claim *claim)
{
	if (claim_took(claim, CLAIM_SLOT) &&
	    claim->key.map->kind == RESV_SHARED)
		claim_fill_shared(claim);
	region_spares_drop(&claim->spares);
	claim->taken = 0;
}

/**
 * hugetlb_claim_cancel() - undo prepare
 * @claim: prepared, its folio unlocked and in no page table or page cache (any
 *	more)
 *
 * Allocates nothing.
 *
 * Context: as for prepare, no spinlock held.  May sleep.
 */
void hugetlb_claim_cancel(struct hugetlb_claim *claim)
{
	unsigned int step;

	for (step = ARRAY_SIZE(claim_steps); step--; ) {
		if (claim_took(claim, step))
			claim_steps[step].undo(claim);
	}
	region_spares_drop(&claim->spares);
	claim->taken = 0;
}

/* ---- back to the slot ---- */

/* All slots of the range are spent, and the caller keeps it so. */
static void claim_restore_range(struct resv_map *map, long from,
				struct folio **folios, unsigned int n)
{
	claim_folios_owe(map->pool, folios, n);
	resv_unspend(map, from, from + n);
}

/**
 * hugetlb_promise_restore() - the owner's pages pay for the owner's promises
 * @map: of the owner of a private mapping
 * @from: the first slot
 * @folios: were in it and those that follow, are mapped nowhere and have no
 *	reference but the caller's, who is about to drop it
 * @n: how many, may be 0
 *
 * A slot that is not spent stays as it is, and so does its folio.
 *
 * Context: VMA lock for writing, or nobody else can use the mapping; takes
 * hugetlb_lock, map->lock.
 * Return: how many slots have their promise again.
 */
unsigned int hugetlb_promise_restore(struct resv_map *map, long from,
				     struct folio **folios, unsigned int n)
{
	unsigned int i, done = 0;

	if (resv_spent(map, from, from + n) == n) {
		claim_restore_range(map, from, folios, n);
		return n;
	}
	for (i = 0; i < n; i++) {
		if (!resv_spent(map, from + i, from + i + 1))
			continue;
		claim_restore_range(map, from + i, folios + i, 1);
		done++;
	}
	return done;
}
