// SPDX-License-Identifier: GPL-2.0
/*
 * Quota: how many huge pages one mount may use, and is sure to get.
 *
 * Only plain counting.  The answers say how many units the caller has to get
 * from the pool or to give back to it; no pool is touched here.  A mount
 * without limits has no quota: every function takes NULL for that.
 * Locks: quota->lock, a leaf, from any context.
 */
#include "reserve.h"
#include <linux/minmax.h>
#include <linux/mmdebug.h>

/* What the mount should own: what is used, and the minimum in any case. */
static long quota_target(const struct hugetlb_quota *quota)
{
	return max(quota->used, quota->min);
}

/* Own no more than that; the surplus is the caller's to return. */
static long quota_trim(struct hugetlb_quota *quota)
{
	long excess;

	lockdep_assert_held(&quota->lock);

	excess = max(quota->held - quota_target(quota), 0L);
	quota->held -= excess;
	return excess;
}

/* Nobody uses the quota, and nobody who did will look at it again. */
static bool quota_unused(const struct hugetlb_quota *quota)
{
	return !quota->mounted && !quota->used && !quota->leaving;
}

/**
 * quota_init() - start the quota of a mount
 * @quota: fresh
 * @pool: whose pages it counts
 * @max: most units the mount may use, -1 for no limit
 * @min: units the mount always owns; the caller got them from the pool before
 *
 * Context: any.
 */
void quota_init(struct hugetlb_quota *quota, struct hugetlb_pool *pool,
		long max, long min)
{
	spin_lock_init(&quota->lock);
	quota->pool = pool;
	quota->max = max;
	quota->min = min;
	quota->used = 0;
	quota->held = min;
	quota->leaving = 0;
	quota->mounted = true;
}

/**
 * quota_take() - use n more units
 * @quota: of the mount, or NULL
 * @n: units
 *
 * The caller now gets the units of the answer from the pool and then calls
 * quota_settle(); or, if the pool has too few, quota_put() with @n.  Either may
 * find that another task's units became free meanwhile.
 *
 * Context: takes quota->lock.
 * Return: how many of the units must come from the pool, or -ENOSPC with
 * nothing changed when the mount's maximum would be exceeded.
 */
long quota_take(struct hugetlb_quota *quota, long n)
{
	if (!quota)
		return n;

	guard(spinlock_irqsave)(&quota->lock);

	if (quota->max >= 0 && n > quota->max - quota->used)
		return -ENOSPC;
	quota->used += n;
	return clamp(quota_target(quota) - quota->held, 0L, n);
}

/**
 * quota_settle() - the pool gave what quota_take() asked for
 * @quota: of the mount, or NULL
 * @got: units from the pool
 *
 * Context: takes quota->lock.
 * Return: units the mount turned out not to need; back to the pool with them.
 */
long quota_settle(struct hugetlb_quota *quota, long got)
{
	if (!quota)
		return 0;

	guard(spinlock_irqsave)(&quota->lock);

	quota->held += got;
	return quota_trim(quota);
}

/**
 * quota_put() - use n units less
 * @quota: of the mount, or NULL
 * @n: units
 *
 * The caller returns the units of the answer to the pool and then asks
 * quota_is_dead(), once: until then the quota cannot go away.
 *
 * Context: takes quota->lock; any context.
 * Return: units that leave the mount; the rest stays for its minimum.
 */
long quota_put(struct hugetlb_quota *quota, long n)
{
	if (!quota)
		return n;

	guard(spinlock_irqsave)(&quota->lock);

	VM_WARN_ON_ONCE(n > quota->used);
	quota->used -= min(n, quota->used);
	quota->leaving++;
	return quota_trim(quota);
}

/**
 * quota_is_dead() - was this the end of the quota?
 * @quota: after quota_put() on it, or NULL
 *
 * Context: takes quota->lock; any context.
 * Return: true exactly once in the life of a quota, see quota_unmount(): then
 * the caller returns its minimum to the pool and frees it.
 */
bool quota_is_dead(struct hugetlb_quota *quota)
{
	if (!quota)
		return false;

	guard(spinlock_irqsave)(&quota->lock);

	VM_WARN_ON_ONCE(!quota->leaving);
	if (quota->leaving)
		quota->leaving--;
	return quota_unused(quota);
}

/**
 * quota_unmount() - the super block lets go of its quota
 * @quota: of the mount, or NULL
 *
 * Pages of deleted files may outlive the mount, and the quota with them.
 *
 * Context: takes quota->lock.
 * Return: true if the quota has no other user: the caller returns its minimum
 * to the pool and frees it.  False if the last quota_put() will find that.
 */
bool quota_unmount(struct hugetlb_quota *quota)
{
	if (!quota)
		return false;

	guard(spinlock_irqsave)(&quota->lock);

	quota->mounted = false;
	return quota_unused(quota);
}

/**
 * quota_used() - how much of the quota is in use
 * @quota: of the mount, or NULL
 *
 * Context: takes quota->lock.
 * Return: units that are promised or in use.
 */
long quota_used(struct hugetlb_quota *quota)
{
	if (!quota)
		return 0;

	guard(spinlock_irqsave)(&quota->lock);

	return quota->used;
}
