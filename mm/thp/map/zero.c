// SPDX-License-Identifier: GPL-2.0
/*
 * The huge zero folio: one, read-only, for all who read what they never wrote.
 *
 * Allocated when first needed.  Each mm that has ever mapped it holds one
 * reference until it exits, told by MMF_HUGE_ZERO_PAGE, so that entries need
 * none.  One more is the shrinker's, who alone may drop the last.
 */
#include <linux/mm.h>
#include <linux/sched/coredump.h>
#include <linux/shrinker.h>
#include <linux/spinlock.h>
#include <linux/vmstat.h>

#include "map.h"

/* Written under thp_zero_lock; read without it by who holds a reference. */
struct folio *huge_zero_folio __read_mostly;
unsigned long huge_zero_pfn __read_mostly = ~0UL;

/* Users + 1 for the shrinker; 0 if there is no folio. */
static atomic_t thp_zero_refs;
static DEFINE_SPINLOCK(thp_zero_lock);
static struct shrinker *thp_zero_shrinker;

static struct folio *thp_zero_alloc(void)
{
	gfp_t gfp = (GFP_TRANSHUGE | __GFP_ZERO) & ~__GFP_MOVABLE;
	struct folio *folio = folio_alloc(gfp, HPAGE_PMD_ORDER);

	if (!folio) {
		count_vm_event(THP_ZERO_PAGE_ALLOC_FAILED);
		return NULL;
	}
	/* Has no rmap, and must never be queued for a split. */
	folio_clear_large_rmappable(folio);
	return folio;
}

/* The caller becomes the first user, unless there is a folio by now. */
static bool thp_zero_publish(struct folio *folio)
{
	guard(spinlock)(&thp_zero_lock);
	if (huge_zero_folio) {
		/* Not 0: that changes together with huge_zero_folio. */
		atomic_inc(&thp_zero_refs);
		return false;
	}
	WRITE_ONCE(huge_zero_folio, folio);
	WRITE_ONCE(huge_zero_pfn, folio_pfn(folio));
	/* Whoever gets a reference without the lock sees both. */
	atomic_set_release(&thp_zero_refs, 2);
	return true;
}

/* Returns with a reference, or false. */
static bool thp_zero_get(void)
{
	struct folio *folio;

	if (atomic_inc_not_zero(&thp_zero_refs))
		return true;

	folio = thp_zero_alloc();
	if (!folio)
		return false;
	if (thp_zero_publish(folio))
		count_vm_event(THP_ZERO_PAGE_ALLOC);
	else
		folio_put(folio);
	return true;
}

static void thp_zero_put(void)
{
	int refs = atomic_dec_return(&thp_zero_refs);

	/* The last one is the shrinker's. */
	WARN_ON_ONCE(refs < 1);
}

/**
 * mm_get_huge_zero_folio() - the huge zero folio, for as long as an mm lives
 * @mm: whose entries are going to map it
 *
 * Context: may sleep, unless @mm or another one is known to have it already.
 * Return: the folio, without a reference for the caller; or NULL.
 */
struct folio *mm_get_huge_zero_folio(struct mm_struct *mm)
{
	if (!test_bit(MMF_HUGE_ZERO_PAGE, &mm->flags)) {
		if (!thp_zero_get())
			return NULL;
		/* Two threads may have come here; one reference is enough. */
		if (test_and_set_bit(MMF_HUGE_ZERO_PAGE, &mm->flags))
			thp_zero_put();
	}
	return READ_ONCE(huge_zero_folio);
}

/**
 * mm_put_huge_zero_folio() - drop the reference of an mm, if it has one
 * @mm: nobody uses it any more, and it has no entries left
 *
 * Context: any.
 */
void mm_put_huge_zero_folio(struct mm_struct *mm)
{
	if (test_bit(MMF_HUGE_ZERO_PAGE, &mm->flags))
		thp_zero_put();
}

/**
 * thp_map_zero() - map the huge zero folio where nothing was
 * @slot: an empty slot, of an mm that has a reference
 * @folio: the huge zero folio
 * @table: new; the table for a later split
 *
 * Context: the slot's lock.
 */
void thp_map_zero(const struct thp_slot *slot, struct folio *folio,
		  pgtable_t table)
{
	thp_entry_install(slot, mk_huge_pmd(&folio->page,
					    slot->vma->vm_page_prot), table);
	thp_entry_preload(slot);
}

/* Nobody but the shrinker has a reference: take it, and with it the folio. */
static struct folio *thp_zero_retire(void)
{
	struct folio *folio;

	guard(spinlock)(&thp_zero_lock);
	if (atomic_cmpxchg(&thp_zero_refs, 1, 0) != 1)
		return NULL;

	folio = huge_zero_folio;
	WRITE_ONCE(huge_zero_folio, NULL);
	WRITE_ONCE(huge_zero_pfn, ~0UL);
	return folio;
}

static unsigned long thp_zero_count(struct shrinker *shrink,
				    struct shrink_control *sc)
{
	return atomic_read(&thp_zero_refs) == 1 ? HPAGE_PMD_NR : 0;
}

static unsigned long thp_zero_scan(struct shrinker *shrink,
				   struct shrink_control *sc)
{
	struct folio *folio = thp_zero_retire();

	if (!folio)
		return 0;
	folio_put(folio);
	return HPAGE_PMD_NR;
}

/**
 * thp_zero_init() - have the huge zero folio freed when memory is short
 *
 * Context: boot.
 * Return: 0, or -ENOMEM.
 */
int __init thp_zero_init(void)
{
	thp_zero_shrinker = shrinker_alloc(0, "thp-zero");
	if (!thp_zero_shrinker)
		return -ENOMEM;

	thp_zero_shrinker->count_objects = thp_zero_count;
	thp_zero_shrinker->scan_objects = thp_zero_scan;
	shrinker_register(thp_zero_shrinker);
	return 0;
}

/**
 * thp_zero_exit() - undo thp_zero_init()
 *
 * Context: boot, when another part could not be set up.
 */
void __init thp_zero_exit(void)
{
	shrinker_free(thp_zero_shrinker);
}
