// SPDX-License-Identifier: GPL-2.0
/*
 * Change: what writing a number to a knob does, for sysfs and sysctl alike.
 *
 * Chooses the nodes; all the rest is the pool's.  Locks: hugetlb_lock for a
 * counter, the pool takes its own.
 */
#include <linux/cleanup.h>
#include <linux/errno.h>
#include <linux/kstrtox.h>
#include <linux/mempolicy.h>
#include <linux/nodemask.h>
#include <linux/string.h>
#include "knobs.h"

/* @one is storage for the answer. */
static const nodemask_t *knob_nodes(int nid, nodemask_t *one)
{
	if (nid == NUMA_NO_NODE)
		return &node_states[N_MEMORY];
	init_nodemask_of_node(one, nid);
	return one;
}

/**
 * knob_parse_count() - read what a user wrote as a decimal number
 * @text: all that was written
 * @n: the number
 *
 * Return: 0, or -EINVAL for everything else, numbers that do not fit included.
 */
int knob_parse_count(const char *text, unsigned long *n)
{
	return kstrtoul(text, 10, n) ? -EINVAL : 0;
}

/**
 * knob_parse_size() - read what a user wrote as a size
 * @text: all that was written
 * @bytes: the size
 *
 * Return: 0, or -EINVAL for everything else, sizes that do not fit included.
 */
int knob_parse_size(const char *text, unsigned long *bytes)
{
	if (request_size(&text, bytes))
		return -EINVAL;
	return *text && strcmp(text, "\n") ? -EINVAL : 0;
}

/*
 * A page that could not be unmade for lack of memory is surplus since then, and
 * nothing else may come along that trims it: this is a good moment.
 */
static int knob_resize_nodes(struct hugetlb_pool *pool, int nid,
			     unsigned long n, const nodemask_t *nodes)
{
	int err = hugetlb_pool_resize(pool, n, nid, nodes);

	if (!err)
		hugetlb_surplus_trim(pool);
	return err;
}

/**
 * knob_resize() - set the persistent size
 * @pool: the pool
 * @nid: a node, or NUMA_NO_NODE for all with memory
 * @n: huge pages
 *
 * Context: may sleep.
 * Return: 0; -EINVAL when the size cannot be changed that way.
 */
int knob_resize(struct hugetlb_pool *pool, int nid, unsigned long n)
{
	nodemask_t one;

	return knob_resize_nodes(pool, nid, n, knob_nodes(nid, &one));
}

/**
 * knob_resize_mempolicy() - set the persistent size on the writer's nodes
 * @pool: the pool
 * @nid: NUMA_NO_NODE
 * @n: huge pages, of the whole pool
 *
 * Context: may sleep.
 * Return: as for knob_resize().
 */
int knob_resize_mempolicy(struct hugetlb_pool *pool, int nid, unsigned long n)
{
	nodemask_t nodes;

	if (!init_nodemask_of_mempolicy(&nodes))
		return knob_resize(pool, nid, n);
	return knob_resize_nodes(pool, nid, n, &nodes);
}

/**
 * knob_overcommit() - limit the surplus
 * @pool: the pool
 * @nid: not looked at
 * @n: huge pages
 *
 * Context: any; takes hugetlb_lock.
 * Return: 0; -EINVAL for gigantic pages, which are never made on demand.
 */
int knob_overcommit(struct hugetlb_pool *pool, int nid, unsigned long n)
{
	if (hstate_is_gigantic(&pool->h))
		return -EINVAL;

	guard(spinlock_irqsave)(&hugetlb_lock);
	pool_set_overcommit(pool, n);
	return 0;
}

/**
 * knob_demote() - split free pages
 * @pool: the pool
 * @nid: a node, or NUMA_NO_NODE for all with memory
 * @n: huge pages
 *
 * Context: may sleep.
 * Return: 0 or an error of hugetlb_pool_demote().
 */
int knob_demote(struct hugetlb_pool *pool, int nid, unsigned long n)
{
	nodemask_t one;

	return hugetlb_pool_demote(pool, n, knob_nodes(nid, &one));
}

/**
 * knob_demote_size() - choose what pages are split into
 * @pool: the pool
 * @nid: not looked at
 * @bytes: the size
 *
 * Context: may sleep.
 * Return: 0; -EINVAL when that is not a smaller size.
 */
int knob_demote_size(struct hugetlb_pool *pool, int nid, unsigned long bytes)
{
	return hugetlb_pool_set_demote_size(pool, bytes);
}
