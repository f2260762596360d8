// SPDX-License-Identifier: GPL-2.0
/*
 * Spent maps: which promises of a private mapping are spent.
 *
 * All slots were promised at once and most will be spent, so a map has one bit
 * for each from the beginning: nothing that happens later can lack memory.
 * Every function takes map->lock, a leaf, by itself.
 */
#include "reserve.h"
#include <linux/bitmap.h>
#include <linux/mmdebug.h>
#include <linux/overflow.h>
#include <linux/slab.h>

/**
 * resv_map_alloc_private() - make a map with no promise spent
 * @pool: whose pages it counts
 * @from: first slot of the mapping
 * @to: the slot after the last; no more slots than the pool has pages
 * Context: may sleep.
 * Return: the map with one reference, or NULL when memory is short.
 */
struct resv_map *resv_map_alloc_private(struct hugetlb_pool *pool, long from,
					long to)
{
	size_t words = BITS_TO_LONGS(to - from);
	struct resv_map *map;

	map = kvzalloc(struct_size(map, spent, words), GFP_KERNEL);
	if (!map)
		return NULL;
	resv_map_init(map, pool, RESV_PRIVATE);
	map->first = from;
	map->slots = to - from;
	return map;
}

/* The bit of a slot; slots that the mapping never had belong to no promise. */
static unsigned long spent_bit(const struct resv_map *map, long hindex)
{
	VM_WARN_ON_ONCE(map->kind != RESV_PRIVATE);
	VM_WARN_ON_ONCE(hindex < map->first ||
			hindex - map->first > map->slots);
	return hindex - map->first;
}

/**
 * resv_spend() - the owner's promise for a slot is used
 * @map: private
 * @hindex: the slot
 * Context: takes map->lock.
 * Return: true, or false when the promise was spent before.
 */
bool resv_spend(struct resv_map *map, long hindex)
{
	guard(spinlock)(&map->lock);
	return !__test_and_set_bit(spent_bit(map, hindex), map->spent);
}

/**
 * resv_unspend() - the owner gets the promises for a range back
 * @map: private
 * @from: first slot
 * @to: the slot after the last
 * Context: takes map->lock.
 * Return: true, or false with nothing changed when some were not spent.
 */
bool resv_unspend(struct resv_map *map, long from, long to)
{
	unsigned long bit = spent_bit(map, from), end = spent_bit(map, to);

	guard(spinlock)(&map->lock);
	if (find_next_zero_bit(map->spent, end, bit) < end)
		return false;
	bitmap_clear(map->spent, bit, end - bit);
	return true;
}

/**
 * resv_spent() - how many promises of a range are spent
 * @map: private
 * @from: first slot
 * @to: the slot after the last
 * Context: takes map->lock.
 * Return: slots.
 */
long resv_spent(struct resv_map *map, long from, long to)
{
	unsigned long bit = spent_bit(map, from), end = spent_bit(map, to);
	unsigned long start;
	long n = 0;

	guard(spinlock)(&map->lock);
	while ((start = find_next_bit(map->spent, end, bit)) < end) {
		bit = find_next_zero_bit(map->spent, end, start);
		n += bit - start;
	}
	return n;
}

/**
 * resv_slot() - what was promised to a slot
 * @key: the slot; without a map there is no promise
 * Context: takes map->lock.
 * Return: see the table in reserve.h.
 */
enum promise resv_slot(const struct resv_key *key)
{
	struct resv_map *map = key->map;
	long hindex = key->hindex;

	if (!map)
		return NO_PROMISE;
	if (map->kind == RESV_SHARED)
		return region_present(map, hindex) ? PROMISED : NO_PROMISE;
	return resv_spent(map, hindex, hindex + 1) ? SPENT : PROMISED;
}
