// SPDX-License-Identifier: GPL-2.0
/*
 * Page sizes: the table of pools, one per size, and every way to look one up.
 *
 * The table grows at boot and never changes afterwards, so readers need no
 * lock.  What lies in a pool is pool.c's.
 */
#define pr_fmt(fmt) "HugeTLB: " fmt

#include <linux/cache.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/printk.h>
#include <linux/sizes.h>
#include "pool.h"

struct hugetlb_pool hugetlb_pools[HUGE_MAX_HSTATE];
unsigned int hugetlb_pool_count __ro_after_init;

static struct hugetlb_pool *hugetlb_default __ro_after_init;

/* The fields of a struct folio lie in that many struct pages. */
#define HSTATE_FOLIO_PAGES	DIV_ROUND_UP(sizeof(struct folio),	\
					     sizeof(struct page))

static bool __init hstate_order_valid(unsigned int order)
{
	return order >= order_base_2(HSTATE_FOLIO_PAGES) &&
	       order < BITS_PER_LONG - PAGE_SHIFT;
}

/**
 * hugetlb_add_hstate() - make a page size known
 * @order: log2 of the size in base pages
 *
 * The command line and the architecture may both ask for a size: the second
 * time is no news.  What cannot be is reported and ignored.
 *
 * Context: boot, one CPU.
 */
void __init hugetlb_add_hstate(unsigned int order)
{
	struct hugetlb_pool *pool;

	if (hugetlb_pool_by_order(order))
		return;
	if (!hstate_order_valid(order)) {
		pr_err("no pool of order %u is possible, ignored\n", order);
		return;
	}
	if (hugetlb_pool_count == HUGE_MAX_HSTATE) {
		pr_err("too many page sizes, order %u is ignored\n", order);
		return;
	}

	pool = &hugetlb_pools[hugetlb_pool_count];
	pool_init(pool, order);
	snprintf(pool->h.name, HSTATE_NAME_LEN, "hugepages-%lukB",
		 huge_page_size(&pool->h) / SZ_1K);

	/* Demotion holds the lock of a larger pool outside a smaller one's. */
	mutex_init(&pool->resize_lock);
	lockdep_set_class_and_name(&pool->resize_lock, &pool->resize_key,
				   pool->h.name);
	hugetlb_pool_count++;
}

/**
 * hugetlb_add_boot_sizes() - add the size that the kernel itself needs
 *
 * Page tables know HPAGE_SIZE with or without a command line.  It is also the
 * default, unless hugetlb_set_default_pool() was called before.
 *
 * Context: boot, after the command line.
 */
void __init hugetlb_add_boot_sizes(void)
{
	if (!hugepages_supported())
		return;
	hugetlb_add_hstate(HUGETLB_PAGE_ORDER);
	if (!hugetlb_default)
		hugetlb_default = hugetlb_pool_by_order(HUGETLB_PAGE_ORDER);
}

/**
 * hugetlb_set_default_pool() - choose the size of those who do not name one
 * @pool: its pool
 *
 * Context: boot.
 */
void __init hugetlb_set_default_pool(struct hugetlb_pool *pool)
{
	hugetlb_default = pool;
}

/**
 * hugetlb_default_pool() - the pool of those who do not name a size
 *
 * Context: any.
 * Return: never NULL.  Where huge pages are not supported it may be an empty slot
 * of order 0; hugepages_supported() says so.
 */
struct hugetlb_pool *hugetlb_default_pool(void)
{
	return hugetlb_default ?: &hugetlb_pools[0];
}

/**
 * hugetlb_pool_by_order() - the pool of an order
 * @order: log2 of the page size in base pages
 *
 * Context: any.
 * Return: the pool, or NULL when there is no such size.
 */
struct hugetlb_pool *hugetlb_pool_by_order(unsigned int order)
{
	struct hugetlb_pool *pool;

	for_each_hugetlb_pool(pool) {
		if (pool_order(pool) == order)
			return pool;
	}
	return NULL;
}

/**
 * folio_pool() - the pool a folio belongs to by its size
 * @folio: a hugetlb folio, or one whose type was cleared on its way out
 *
 * Context: any; @folio stays a folio of this size.
 * Return: the pool, or NULL when there is no such size.
 */
struct hugetlb_pool *folio_pool(struct folio *folio)
{
	return hugetlb_pool_by_order(folio_order(folio));
}

/**
 * size_to_hstate() - look a page size up
 * @size: in bytes
 *
 * Context: any.
 * Return: the hstate, or NULL when there is no such size.
 */
struct hstate *size_to_hstate(unsigned long size)
{
	struct hugetlb_pool *pool = NULL;

	if (size > PAGE_SIZE && is_power_of_2(size))
		pool = hugetlb_pool_by_order(ilog2(size) - PAGE_SHIFT);
	return pool ? &pool->h : NULL;
}

/**
 * hstate_sizelog() - look up the size given in mmap(), shmget() and memfd flags
 * @page_size_log: log2 of the size in bytes, 0 for the default
 *
 * Context: any.
 * Return: the hstate, or NULL when there is no such size.
 */
struct hstate *hstate_sizelog(int page_size_log)
{
	if (page_size_log == 0)
		return &hugetlb_default_pool()->h;
	if (page_size_log < 0 || page_size_log >= BITS_PER_LONG)
		return NULL;
	return size_to_hstate(1UL << page_size_log);
}

/**
 * hstate_index() - number of a page size
 * @h: the size
 *
 * Sizes are numbered in the order they became known.
 *
 * Context: any.
 * Return: below HUGE_MAX_HSTATE.
 */
int hstate_index(const struct hstate *h)
{
	return pool_index(hstate_pool(h));
}

/**
 * hstate_index_to_shift() - a page size by its number
 * @index: as told by hstate_index()
 *
 * Context: any.
 * Return: log2 of the size in bytes.
 */
unsigned int hstate_index_to_shift(unsigned int index)
{
	return huge_page_shift(&hugetlb_pools[index].h);
}
