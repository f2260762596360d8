// SPDX-License-Identifier: GPL-2.0
/*
 * Vmemmap: which huge folios give back most of their struct pages, and when.
 *
 * The tails of a huge folio all say the same: one page of struct pages will do.
 * A folio counts as optimised once it is queued for that; a work item does it,
 * also under a folio in use, and waits for the RCU grace period that it takes.
 * Restoring takes a folio out again.  Knows no page tables.
 * Locks: vmemmap_mutex, in it vmemmap_lock, a leaf.  cpu_hotplug_lock (static
 * keys) is not taken under them.
 */
#include <linux/atomic.h>
#include <linux/cleanup.h>
#include <linux/jump_label.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/sysctl.h>
#include <linux/workqueue.h>
#include "pool.h"

/* The mutex is held, and one flush is made, for folios of so many base pages. */
#define VMEMMAP_BATCH_NR	(64UL << HUGETLB_PAGE_ORDER)

/* Folios that are prepared with one hold of the mutex. */
#define VMEMMAP_PREPARE_BATCH	32

static bool vmemmap_wanted =
	IS_ENABLED(CONFIG_HUGETLB_PAGE_OPTIMIZE_VMEMMAP_DEFAULT_ON);
core_param(hugetlb_free_vmemmap, vmemmap_wanted, bool, 0);

/**
 * vmemmap_optimizable() - is there anything to gain for pages of this size?
 * @pool: the size
 *
 * Context: any.
 * Return: whether the struct pages of one need more than one page, and no
 * struct page lies across the border of two.
 */
bool vmemmap_optimizable(const struct hugetlb_pool *pool)
{
	return is_power_of_2(sizeof(struct page)) &&
	       pool_nr_base(pool) > VMEMMAP_KEPT_PAGES;
}

static bool vmemmap_wants(const struct hugetlb_pool *pool, struct folio *folio)
{
	VM_WARN_ON_ONCE_FOLIO(!folio_test_hugetlb(folio), folio);
	VM_WARN_ON_ONCE_FOLIO(folio_ref_count(folio), folio);
	return READ_ONCE(vmemmap_wanted) && vmemmap_optimizable(pool) &&
	       !folio_test_hugetlb_vmemmap_optimized(folio);
}

/* ---- the key ---- */

/* Folios with fake heads.  compound_head() looks out for them with the key on. */
static atomic_long_t vmemmap_faked;

DEFINE_STATIC_KEY_FALSE(hugetlb_optimize_vmemmap_key);
EXPORT_SYMBOL(hugetlb_optimize_vmemmap_key);

/*
 * Folios with all their struct pages that shall be optimised.  They enter
 * vmemmap_fresh under the spinlock alone: this may be a page fault.  Moving on
 * and leaving needs the mutex, too.
 */
static LIST_HEAD(vmemmap_fresh);	/* nothing was done yet */
static LIST_HEAD(vmemmap_waiting);	/* faked, wait for a grace period */
static DEFINE_SPINLOCK(vmemmap_lock);
static DEFINE_MUTEX(vmemmap_mutex);

static void vmemmap_work_func(struct work_struct *work);
static DECLARE_WORK(vmemmap_work, vmemmap_work_func);

static void vmemmap_kick(void)
{
	queue_work(system_unbound_wq, &vmemmap_work);
}

/*
 * Only for the work item.  Restoring may run with cpu_hotplug_lock held, from
 * memory offlining, and must not touch the key itself.
 */
static bool vmemmap_key_settle(void)
{
	static bool on;
	bool needed;

	/* Who is waiting is faked. */
	needed = atomic_long_read(&vmemmap_faked) ||
		 !list_empty_careful(&vmemmap_fresh);
	if (needed && !on)
		static_branch_inc(&hugetlb_optimize_vmemmap_key);
	if (!needed && on)
		static_branch_dec(&hugetlb_optimize_vmemmap_key);
	on = needed;
	return on;
}

/* The key must be on. */
static void vmemmap_fake(struct folio *folio)
{
	atomic_long_inc(&vmemmap_faked);
	vmemmap_fake_heads(folio);
}

static void vmemmap_unfake(struct folio *folio)
{
	vmemmap_unfake_heads(folio);
	if (atomic_long_dec_and_test(&vmemmap_faked))
		vmemmap_kick();
}

/* ---- the queue ---- */

/*
 * The place of a folio in the queue: two words of a plain tail in the page that
 * it keeps.  They are zero in every other tail.
 */
static struct list_head *vmemmap_link(struct folio *folio)
{
	struct page *tail = folio_page(folio, VMEMMAP_LINK_TAIL);

	static_assert(offsetof(struct page, private) ==
		      offsetof(struct page, index) + sizeof(void *));
	return (struct list_head *)&tail->index;
}

static struct folio *vmemmap_link_folio(struct list_head *link)
{
	struct page *tail = container_of((pgoff_t *)link, struct page, index);

	return (struct folio *)(tail - VMEMMAP_LINK_TAIL);
}

/* ->index may be left over from another life of the page, ->private is not. */
static bool vmemmap_is_queued(struct folio *folio)
{
	lockdep_assert_held(&vmemmap_mutex);
	return page_private(folio_page(folio, VMEMMAP_LINK_TAIL));
}

/* Nobody else knows @folio. */
static void vmemmap_queue_add(struct folio *folio)
{
	folio_set_hugetlb_vmemmap_optimized(folio);
	guard(spinlock)(&vmemmap_lock);
	list_add_tail(vmemmap_link(folio), &vmemmap_fresh);
}

static void vmemmap_queue_leave(struct folio *folio)
{
	struct list_head *link = vmemmap_link(folio);

	lockdep_assert_held(&vmemmap_mutex);
	scoped_guard(spinlock, &vmemmap_lock)
		__list_del_entry(link);
	*link = (struct list_head) { };
}

/* Somebody else may free @folio as soon as the flag is gone. */
static void vmemmap_queue_drop(struct folio *folio)
{
	vmemmap_queue_leave(folio);
	vmemmap_forget_head(folio);
	folio_clear_hugetlb_vmemmap_optimized(folio);
}

/* True when @folio was queued only: it has all its struct pages. */
static bool vmemmap_queue_cancel(struct folio *folio)
{
	guard(mutex)(&vmemmap_mutex);
	/* Shared, or given up by the work item since the caller looked. */
	if (!vmemmap_is_queued(folio))
		return !folio_test_hugetlb_vmemmap_optimized(folio);
	if (vmemmap_has_fake_heads(folio))
		vmemmap_unfake(folio);
	vmemmap_queue_drop(folio);
	return true;
}

/* ---- the work item ---- */

static struct folio *vmemmap_queue_first(struct list_head *queue)
{
	struct list_head *link;

	lockdep_assert_held(&vmemmap_mutex);
	guard(spinlock)(&vmemmap_lock);
	link = READ_ONCE(queue->next);
	return link == queue ? NULL : vmemmap_link_folio(link);
}

static void vmemmap_prepare(struct folio *folio, struct vmemmap_span *span)
{
	if (vmemmap_split(folio, span)) {
		vmemmap_queue_drop(folio);
		return;
	}
	vmemmap_fake(folio);
	guard(spinlock)(&vmemmap_lock);
	list_move_tail(vmemmap_link(folio), &vmemmap_waiting);
}

/* False when no folio was left to prepare. */
static bool vmemmap_prepare_some(struct vmemmap_span *span)
{
	struct folio *folio;
	unsigned long n;

	guard(mutex)(&vmemmap_mutex);
	for (n = 0; n < VMEMMAP_PREPARE_BATCH; n++) {
		folio = vmemmap_queue_first(&vmemmap_fresh);
		if (!folio)
			return false;
		vmemmap_prepare(folio, span);
	}
	return true;
}

/* True when folios need a grace period now. */
static bool vmemmap_prepare_queued(void)
{
	struct vmemmap_span span = { };

	while (vmemmap_prepare_some(&span))
		cond_resched();
	vmemmap_span_flush(&span);
	return !list_empty_careful(&vmemmap_waiting);
}

/* False when no folio was left that had its grace period. */
static bool vmemmap_share_some(void)
{
	struct vmemmap_span span = { };
	unsigned long nr = 0;
	struct folio *folio;
	LIST_HEAD(pages);

	scoped_guard(mutex, &vmemmap_mutex) {
		while (nr < VMEMMAP_BATCH_NR) {
			folio = vmemmap_queue_first(&vmemmap_waiting);
			if (!folio)
				break;
			vmemmap_queue_leave(folio);
			vmemmap_share_tails(folio, &pages, &span);
			nr += folio_nr_pages(folio);
		}
		vmemmap_span_flush(&span);
	}
	vmemmap_pages_free(&pages);
	return nr;
}

/*
 * page_ref_add_unless() may have seen a tail's refcount when the page was still
 * another's, or the tail when it was no fake head, and then write to what is
 * read-only meanwhile.  The refcount is 0 since the folio was made, and fake
 * heads are shown before they are real: a grace period later nobody remembers
 * anything else, and the memory can go even while the folio is in use.
 */
static void vmemmap_work_func(struct work_struct *work)
{
	while (vmemmap_key_settle() && vmemmap_prepare_queued()) {
		synchronize_rcu();
		while (vmemmap_share_some())
			cond_resched();
	}
	vmemmap_key_settle();
}

/* ---- optimise ---- */

/* Some of @folios are optimised and go to @done; true if that helps the rest. */
static bool vmemmap_share_list(struct list_head *folios, struct list_head *done)
{
	struct vmemmap_span span = { };
	struct folio *folio;
	LIST_HEAD(pages);
	LIST_HEAD(split);
	int err;

	err = vmemmap_split_list(folios, &split);
	if (list_empty(&split))
		return false;
	vmemmap_move_heads(&split);

	list_for_each_entry(folio, &split, lru)
		vmemmap_fake(folio);
	synchronize_rcu();
	list_for_each_entry(folio, &split, lru)
		vmemmap_share_tails(folio, &pages, &span);
	vmemmap_span_flush(&span);
	vmemmap_pages_free(&pages);

	list_for_each_entry(folio, &split, lru)
		folio_set_hugetlb_vmemmap_optimized(folio);
	list_splice(&split, done);
	return err;
}

/*
 * At boot.  The later struct pages of a gigantic folio were never written: it
 * cannot be used like that while it waits in a queue.  Nobody looks at them, so
 * what is around the fake heads shown there does not matter.
 */
static void vmemmap_optimize_now(struct list_head *folios)
{
	LIST_HEAD(done);

	static_branch_inc(&hugetlb_optimize_vmemmap_key);
	while (vmemmap_share_list(folios, &done))
		cond_resched();
	list_splice(&done, folios);

	/* The work item knows how long the key must stay on. */
	vmemmap_kick();
	flush_work(&vmemmap_work);
	static_branch_dec(&hugetlb_optimize_vmemmap_key);
}

static void vmemmap_optimize_later(struct list_head *folios)
{
	struct folio *folio;
	LIST_HEAD(split);

	/* What cannot be split now may be split by the work item. */
	vmemmap_split_list(folios, &split);
	vmemmap_move_heads(&split);
	list_splice(&split, folios);

	list_for_each_entry(folio, folios, lru)
		vmemmap_queue_add(folio);
	vmemmap_kick();
}

/**
 * vmemmap_optimize() - give back most struct pages of a folio
 * @pool: its size
 * @folio: of type hugetlb, refcount 0, in no pool yet
 *
 * When that is on, and not at once.  The flag says that the tails must not be
 * written to any more and that only vmemmap_restore() makes them whole; it goes
 * away on its own if optimising fails.
 *
 * Context: may sleep for memory, not for an RCU grace period.
 */
void vmemmap_optimize(struct hugetlb_pool *pool, struct folio *folio)
{
	if (!vmemmap_wants(pool, folio))
		return;
	vmemmap_queue_add(folio);
	vmemmap_kick();
}

/**
 * vmemmap_optimize_list() - give back most struct pages of many folios
 * @pool: their size
 * @folios: as for vmemmap_optimize(), linked by lru; the order may change
 *
 * At boot the flag is final on return, and folios may have only their first
 * VMEMMAP_KEPT_PAGES struct pages initialised: without the flag the caller must
 * do the others.
 *
 * Context: may sleep; for an RCU grace period only at boot.
 */
void vmemmap_optimize_list(struct hugetlb_pool *pool, struct list_head *folios)
{
	struct folio *folio, *next;
	LIST_HEAD(todo);

	list_for_each_entry_safe(folio, next, folios, lru) {
		if (vmemmap_wants(pool, folio))
			list_move_tail(&folio->lru, &todo);
	}
	if (list_empty(&todo))
		return;

	if (system_state < SYSTEM_RUNNING)
		vmemmap_optimize_now(&todo);
	else
		vmemmap_optimize_later(&todo);
	list_splice(&todo, folios);
}

/* ---- restore ---- */

static bool vmemmap_is_whole(struct folio *folio)
{
	VM_WARN_ON_ONCE_FOLIO(folio_ref_count(folio), folio);
	return !folio_test_hugetlb_vmemmap_optimized(folio) ||
	       vmemmap_queue_cancel(folio);
}

/* The span was flushed. */
static void vmemmap_made_whole(struct folio *folio)
{
	vmemmap_unfake(folio);
	folio_clear_hugetlb_vmemmap_optimized(folio);
}

/**
 * vmemmap_restore() - get the struct pages of a folio back
 * @pool: its size
 * @folio: refcount 0, in no pool; optimised or not
 *
 * Without an RCU grace period: nothing becomes read-only or goes away, and until
 * @folio is freed every refcount that a reader may find in it is 0.
 *
 * Context: may sleep; cpu_hotplug_lock may be held.
 * Return: 0; -ENOMEM, and nothing changed.
 */
int vmemmap_restore(struct hugetlb_pool *pool, struct folio *folio)
{
	struct vmemmap_span span = { };
	int err;

	if (vmemmap_is_whole(folio))
		return 0;
	err = vmemmap_unshare_tails(folio, &span);
	if (err)
		return err;
	vmemmap_span_flush(&span);
	vmemmap_made_whole(folio);
	return 0;
}

/**
 * vmemmap_restore_list() - get the struct pages of many folios back
 * @pool: their size
 * @folios: as for vmemmap_restore(), linked by lru
 * @restored: where those go that have all their struct pages
 *
 * Context: may sleep; cpu_hotplug_lock may be held.
 * Return: how many were optimised and are not any more; -ENOMEM when some are
 * still optimised and left on @folios, all others are on @restored.
 */
long vmemmap_restore_list(struct hugetlb_pool *pool, struct list_head *folios,
			  struct list_head *restored)
{
	struct vmemmap_span span = { };
	struct folio *folio, *next;
	LIST_HEAD(done);
	long n = 0;
	int err = 0;

	list_for_each_entry_safe(folio, next, folios, lru) {
		n += folio_test_hugetlb_vmemmap_optimized(folio);
		if (vmemmap_is_whole(folio))
			list_move_tail(&folio->lru, restored);
	}
	list_for_each_entry_safe(folio, next, folios, lru) {
		err = vmemmap_unshare_tails(folio, &span);
		if (err)
			break;
		list_move_tail(&folio->lru, &done);
		cond_resched();
	}

	vmemmap_span_flush(&span);
	list_for_each_entry(folio, &done, lru)
		vmemmap_made_whole(folio);
	list_splice_tail(&done, restored);
	return err ?: n;
}

/* ---- vm.hugetlb_optimize_vmemmap ---- */

static struct ctl_table vmemmap_sysctls[] = {
	{
		.procname	= "hugetlb_optimize_vmemmap",
		.data		= &vmemmap_wanted,
		.maxlen		= sizeof(vmemmap_wanted),
		.mode		= 0644,
		.proc_handler	= proc_dobool,
	},
};

static int __init vmemmap_sysctl_init(void)
{
	struct hugetlb_pool *pool;

	for_each_hugetlb_pool(pool) {
		if (!vmemmap_optimizable(pool))
			continue;
		register_sysctl_init("vm", vmemmap_sysctls);
		break;
	}
	return 0;
}
late_initcall(vmemmap_sysctl_init);
