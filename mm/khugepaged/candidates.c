// SPDX-License-Identifier: GPL-2.0
/*
 * Candidates: the ranges of a window, largest first, and whether each is worth
 * a try.
 *
 * Knows the map of a scan and the limits; knows neither page tables nor locks.
 * Pure: also built as a user program, tools/testing/hugepage.
 */
#include <linux/bitops.h>
#include <linux/mmdebug.h>

#include "candidates.h"

/* Bits set in a range.  It is aligned: one word, or whole words. */
static unsigned int slots_count(const unsigned long *bits, unsigned int offset,
				unsigned int order)
{
	const unsigned long *word = bits + offset / BITS_PER_LONG;
	unsigned int nr = 1U << order;

	if (nr >= BITS_PER_LONG)
		return bitmap_weight(word, nr);
	return hweight_long((*word >> offset % BITS_PER_LONG) &
			    BITMAP_LAST_WORD_MASK(nr));
}

/* Is a folio of at least this order mapped whole over the range? */
static bool slots_held(const struct collapse_map *map, unsigned int offset,
		       unsigned int order)
{
	unsigned int size;

	for (size = order; size <= map->order; size++) {
		if (size && map->held[round_down(offset, 1U << size)] == size)
			return true;
	}
	return false;
}

/**
 * collapse_limits_of_order() - limits for ranges of one order
 * @it: the walk; it has limits
 * @order: of the ranges
 *
 * Scaled to the order; all pages but one means just that for every order.
 *
 * Swapped and shared pages are only for the window as a whole.  In a smaller
 * range they would be brought in, or copied, and no longer count when the next
 * pass judges a range around it: which would then be taken, step by step,
 * although it exceeded the limit.  That the larger order is not enabled now says
 * nothing: madvise() may enable it between two passes.  Empty pages still count
 * when they are filled in.
 *
 * Only a huge page may be split again for its zeroes, and what that leaves are
 * zero pages: more of them than would have it split speak against a new one.
 *
 * Context: any.
 * Return: how many pages of a range may be of each kind.
 */
struct collapse_limits
collapse_limits_of_order(const struct collapse_candidates *it,
			 unsigned int order)
{
	unsigned int shift = it->map->order - order;
	struct collapse_limits limits = {
		.max_none = it->limits->max_none >> shift,
	};

	if (order == it->map->order) {
		limits.max_swap = it->limits->max_swap;
		limits.max_shared = it->limits->max_shared;
		limits.max_zero = it->limits->max_zero;
	}
	return limits;
}

/**
 * collapse_range_in_use() - is there anything in a range?
 * @map: what the scan found
 * @offset: of the range, in slots; a multiple of its size
 * @order: of the range
 *
 * Context: any.
 * Return: whether the program has a page there, in memory or in swap.
 */
bool collapse_range_in_use(const struct collapse_map *map, unsigned int offset,
			   unsigned int order)
{
	return slots_count(map->present, offset, order) ||
	       slots_count(map->swapped, offset, order);
}

static enum scan_result slots_exceed(const struct collapse_candidates *it,
				     unsigned int offset, unsigned int order)
{
	struct collapse_limits limits = collapse_limits_of_order(it, order);
	const struct collapse_map *map = it->map;
	unsigned int swapped = slots_count(map->swapped, offset, order);
	unsigned int used = slots_count(map->present, offset, order) + swapped;
	unsigned int none = (1U << order) - used;

	if (none > limits.max_none)
		return SCAN_EXCEED_NONE_PTE;
	if (order == map->order && map->nr_zero > limits.max_zero)
		return SCAN_EXCEED_NONE_PTE;
	if (swapped > limits.max_swap)
		return SCAN_EXCEED_SWAP_PTE;
	if (slots_count(map->shared, offset, order) > limits.max_shared)
		return SCAN_EXCEED_SHARED_PTE;
	return SCAN_SUCCEED;
}

/* Swapping in for a page that few look at is not worth it. */
static bool slots_too_old(const struct collapse_map *map, unsigned int offset,
			  unsigned int order)
{
	unsigned int young = slots_count(map->young, offset, order);

	if (slots_count(map->swapped, offset, order))
		return young < (1U << order) / 2;
	return !young;
}

/**
 * collapse_judge() - is a range worth a try?
 * @it: the walk
 * @offset: of the range, in slots; a multiple of its size
 * @order: of the range
 *
 * Context: any.
 * Return: SCAN_SUCCEED: yes.  SCAN_HELD: there is a folio as large already.
 * SCAN_FAIL: a slot is blocked, the scan knows why.  Else which rule says no.
 */
enum scan_result collapse_judge(const struct collapse_candidates *it,
				unsigned int offset, unsigned int order)
{
	enum scan_result verdict = SCAN_SUCCEED;
	const struct collapse_map *map = it->map;

	/* Over a folio as large as the window a PMD is still missing. */
	if (order < map->order && slots_held(map, offset, order))
		return SCAN_HELD;
	if (slots_count(map->blocked, offset, order))
		return SCAN_FAIL;
	if (it->limits)
		verdict = slots_exceed(it, offset, order);
	if (verdict != SCAN_SUCCEED)
		return verdict;
	if (!slots_count(map->writable, offset, order))
		return SCAN_PAGE_RO;
	if (it->limits && slots_too_old(map, offset, order))
		return SCAN_LACK_REFERENCED_PAGE;
	return SCAN_SUCCEED;
}

/*
 * The largest order for a range at the offset.  The walk comes to a multiple
 * of a size first with ranges of that size, so none of them is skipped.
 */
static void candidates_fit(struct collapse_candidates *it)
{
	unsigned long fit = it->orders;

	if (it->offset)
		fit &= BITMAP_LAST_WORD_MASK(__ffs(it->offset) + 1);
	if (fit)
		it->order = __fls(fit);
}

/**
 * collapse_candidates_start() - a walk over the ranges of a window
 * @it: the walk
 * @map: of the window; both it and @limits stay as they are during the walk
 * @limits: of khugepaged; NULL: nothing is too much or too old
 * @orders: to visit, a bit for each
 *
 * Context: any.
 */
void collapse_candidates_start(struct collapse_candidates *it,
			       const struct collapse_map *map,
			       const struct collapse_limits *limits,
			       unsigned long orders)
{
	it->map = map;
	it->limits = limits;
	it->orders = orders & BITMAP_LAST_WORD_MASK(map->order + 1);
	it->offset = 0;
	it->order = 0;
	it->verdict = SCAN_FAIL;
	candidates_fit(it);
}

/**
 * collapse_candidates_next() - judge the next range
 * @it: the walk; after each range collapse_candidates_done() or
 * collapse_candidates_halve() says where it goes from there
 *
 * Context: any.
 * Return: false when there is none.  Else @it says which, and its verdict.
 */
bool collapse_candidates_next(struct collapse_candidates *it)
{
	if (!it->orders || it->offset >> it->map->order)
		return false;
	it->verdict = collapse_judge(it, it->offset, it->order);
	return true;
}

/**
 * collapse_candidates_done() - nothing more to do in this range
 * @it: the walk, at a range
 *
 * Context: any.
 */
void collapse_candidates_done(struct collapse_candidates *it)
{
	it->offset += 1U << it->order;
	candidates_fit(it);
}

/**
 * collapse_candidates_halve() - this range is not to be had; smaller ones in it?
 * @it: the walk, at a range
 *
 * Context: any.
 * Return: whether the walk goes into the range; else past it.
 */
bool collapse_candidates_halve(struct collapse_candidates *it)
{
	unsigned long smaller = it->orders & (BIT(it->order) - 1);

	if (!smaller) {
		collapse_candidates_done(it);
		return false;
	}
	it->order = __fls(smaller);
	return true;
}

/**
 * collapse_candidates_forbid() - no range as large as this one any more
 * @it: the walk, at a range
 *
 * For when there are no folios of that order to be had.  To be followed by
 * collapse_candidates_halve().
 *
 * Context: any.
 */
void collapse_candidates_forbid(struct collapse_candidates *it)
{
	it->orders &= BIT(it->order) - 1;
}
