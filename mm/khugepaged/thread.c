// SPDX-License-Identifier: GPL-2.0
/*
 * The thread: when it runs, how much it scans at a time, when it sleeps.
 *
 * There is one while any size is enabled for any kind of memory.  It looks at a
 * budget of pages, sleeps, and goes on where it left off.
 * Locks: khugepaged_mutex around starting and stopping.
 */
#define pr_fmt(fmt) "khugepaged: " fmt

#include <linux/freezer.h>
#include <linux/mm.h>
#include <linux/khugepaged.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/printk.h>
#include <linux/shmem_fs.h>
#include <linux/swap.h>

#include "../internal.h"
#include "collapse.h"

static DEFINE_MUTEX(khugepaged_mutex);
static struct task_struct *khugepaged_thread;	/* under khugepaged_mutex */

static DECLARE_WAIT_QUEUE_HEAD(khugepaged_wait);
static bool khugepaged_woken;		/* a sleep for some time ends now */

/* As the knobs were when the thread began with the window; its own. */
static struct collapse_limits khugepaged_limits;

/**
 * khugepaged_orders() - sizes that some memory may have
 *
 * Context: any.
 * Return: orders that are enabled for anonymous memory, for shared memory or
 * for files, whatever the VMA; a bit for each.
 */
unsigned long khugepaged_orders(void)
{
	unsigned long orders = READ_ONCE(huge_anon_orders_always) |
			       READ_ONCE(huge_anon_orders_madvise);

	if (hugepage_global_enabled()) {
		orders |= READ_ONCE(huge_anon_orders_inherit);
		if (IS_ENABLED(CONFIG_READ_ONLY_THP_FOR_FS))
			orders |= BIT(PMD_ORDER);
	}
	if (IS_ENABLED(CONFIG_SHMEM))
		orders |= shmem_huge_orders_enabled();
	return orders & THP_ORDERS_ALL_ANON;
}

static bool khugepaged_has_work(void)
{
	return !registry_empty() && khugepaged_orders();
}

/**
 * khugepaged_wake() - there is something to do, or a setting of sleeps changed
 *
 * Context: any.
 */
void khugepaged_wake(void)
{
	WRITE_ONCE(khugepaged_woken, true);
	wake_up_interruptible(&khugepaged_wait);
}

/* ---- sleeping ---- */

static void khugepaged_sleep(unsigned int msecs)
{
	wait_event_freezable_timeout(khugepaged_wait,
				     kthread_should_stop() ||
				     READ_ONCE(khugepaged_woken),
				     msecs_to_jiffies(msecs));
}

/* A change that comes after the flag is cleared is seen, or ends the sleep. */
static void khugepaged_sleep_after_pass(void)
{
	unsigned int msecs;

	if (!khugepaged_has_work()) {
		wait_event_freezable(khugepaged_wait, kthread_should_stop() ||
				     khugepaged_has_work());
		return;
	}
	WRITE_ONCE(khugepaged_woken, false);
	msecs = READ_ONCE(khugepaged_scan_sleep_millisecs);
	if (msecs)
		khugepaged_sleep(msecs);
}

static void khugepaged_sleep_for_memory(void)
{
	WRITE_ONCE(khugepaged_woken, false);
	khugepaged_sleep(READ_ONCE(khugepaged_alloc_sleep_millisecs));
}

/* ---- scanning ---- */

/*
 * Scan as many pages as the budget has, but nothing twice: the pass ends when
 * it would begin a second round.  The first time that memory is short it waits,
 * then it gives up.
 */
static void khugepaged_pass(struct collapse *c)
{
	unsigned int budget = READ_ONCE(khugepaged_pages_to_scan);
	unsigned int scanned = 0, rounds = 0;
	enum scan_result result;
	bool waited = false;

	lru_add_drain_all();

	while (scanned < budget && !kthread_should_stop()) {
		cond_resched();

		rounds += registry_at_head();
		if (rounds > 1 || !khugepaged_has_work())
			break;

		khugepaged_get_limits(&khugepaged_limits);
		scanned += khugepaged_scan_mm(c, budget - scanned, &result);
		if (result != SCAN_ALLOC_HUGE_PAGE_FAIL || scanned >= budget)
			continue;
		if (waited)
			break;
		khugepaged_sleep_for_memory();
		waited = true;
	}
}

static int khugepaged(void *unused)
{
	/* Too large for a stack; there is one thread at a time. */
	static struct collapse c = { .limits = &khugepaged_limits };

	set_freezable();
	set_user_nice(current, MAX_NICE);

	while (!kthread_should_stop()) {
		khugepaged_pass(&c);
		khugepaged_sleep_after_pass();
	}
	registry_drop_cursor();
	return 0;
}

/**
 * current_is_khugepaged() - is this the thread?
 *
 * Context: any task.
 * Return: whether reclaim is on behalf of khugepaged.
 */
bool current_is_khugepaged(void)
{
	return kthread_func(current) == khugepaged;
}

/* ---- min_free_kbytes ---- */

/*
 * Pages to keep free in zones that may get pages which cannot move.  Two
 * pageblocks of each zone, so that there is one to compact into; and on average
 * two for each pair of migrate types, so that a type that runs out takes a block
 * of another instead of mixing with it.  No more than 5 % of memory.
 */
static unsigned long khugepaged_pages_to_keep(void)
{
	unsigned long blocks = 2 + MIGRATE_PCPTYPES * MIGRATE_PCPTYPES;
	unsigned long zones = 0;
	struct zone *zone;

	for_each_populated_zone(zone)
		zones += zone_idx(zone) <= gfp_zone(GFP_USER);

	return min(zones * blocks * pageblock_nr_pages,
		   nr_free_buffer_pages() / 20);
}

static void khugepaged_raise_min_free(void)
{
	unsigned long kbytes = khugepaged_pages_to_keep() << (PAGE_SHIFT - 10);

	if ((long)kbytes <= min_free_kbytes)
		return;
	/* Nobody is told who did not ask for another value. */
	if (user_min_free_kbytes >= 0)
		pr_info("raising min_free_kbytes from %d to %lu to help transparent hugepage allocations\n",
			min_free_kbytes, kbytes);
	min_free_kbytes = kbytes;
}

static void khugepaged_set_min_free(void)
{
	lockdep_assert_held(&khugepaged_mutex);

	if (khugepaged_orders())
		khugepaged_raise_min_free();
	else
		calculate_min_free_kbytes();
	setup_per_zone_wmarks();
}

/**
 * khugepaged_min_free_kbytes_update() - the amount of memory changed
 *
 * Context: process context, may sleep.  Takes khugepaged_mutex.
 */
void khugepaged_min_free_kbytes_update(void)
{
	guard(mutex)(&khugepaged_mutex);

	if (khugepaged_thread && khugepaged_orders())
		khugepaged_set_min_free();
}

/* ---- starting and stopping ---- */

static int khugepaged_start(void)
{
	struct task_struct *task;

	lockdep_assert_held(&khugepaged_mutex);

	if (!khugepaged_thread) {
		task = kthread_run(khugepaged, NULL, "khugepaged");
		if (IS_ERR(task)) {
			pr_err("the thread does not start: %pe\n", task);
			return PTR_ERR(task);
		}
		khugepaged_thread = task;
	}
	/* It may wait for a size to be enabled. */
	wake_up_interruptible(&khugepaged_wait);
	return 0;
}

static void khugepaged_stop(void)
{
	lockdep_assert_held(&khugepaged_mutex);

	if (khugepaged_thread)
		kthread_stop(khugepaged_thread);
	khugepaged_thread = NULL;
}

/**
 * start_stop_khugepaged() - some size was enabled or disabled
 *
 * Context: process context, may sleep; also until the thread ends, which may be
 * in the middle of a collapse.  Takes khugepaged_mutex.
 * Return: 0, or why the thread cannot be started.
 */
int start_stop_khugepaged(void)
{
	int err = 0;

	guard(mutex)(&khugepaged_mutex);

	if (khugepaged_orders())
		err = khugepaged_start();
	else
		khugepaged_stop();
	if (!err)
		khugepaged_set_min_free();
	return err;
}

/**
 * khugepaged_init() - get ready to register address spaces
 *
 * Context: boot.
 * Return: 0 or a negative error number.
 */
int __init khugepaged_init(void)
{
	knobs_init();
	return registry_init();
}

/**
 * khugepaged_destroy() - undo khugepaged_init()
 *
 * Context: boot; the thread was not started.
 */
void __init khugepaged_destroy(void)
{
	registry_destroy();
}
