/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which ranges of a window to try, from what a scan found in it.  Pure: also
 * built as a user program, tools/testing/hugepage.
 */
#ifndef _MM_KHUGEPAGED_CANDIDATES_H
#define _MM_KHUGEPAGED_CANDIDATES_H

#include <linux/bitmap.h>
#include <linux/pgtable.h>
#include <linux/types.h>

#include "result.h"

#define COLLAPSE_MAX_SLOTS	MAX_PTRS_PER_PTE

/* How many pages may be of a kind: under a PMD, or in a range of some order. */
struct collapse_limits {
	unsigned int	max_none;
	unsigned int	max_swap;
	unsigned int	max_shared;
	unsigned int	max_zero;	/* for the window as a whole only */
};

/*
 * What a scan found, a bit for each base page.  A slot is present, swapped, or
 * neither: empty, or filled by khugepaged before and not touched since; then it
 * counts against max_none.
 */
struct collapse_map {
	unsigned int	order;		/* the window has 1 << order slots */
	unsigned int	nr_zero;	/* empty ones that have the zero page */
	DECLARE_BITMAP(present, COLLAPSE_MAX_SLOTS);
	DECLARE_BITMAP(swapped, COLLAPSE_MAX_SLOTS);
	DECLARE_BITMAP(shared, COLLAPSE_MAX_SLOTS);
	DECLARE_BITMAP(writable, COLLAPSE_MAX_SLOTS);
	DECLARE_BITMAP(young, COLLAPSE_MAX_SLOTS);
	DECLARE_BITMAP(blocked, COLLAPSE_MAX_SLOTS);
	/* at its first slot: order of a folio that is mapped whole, aligned */
	u8		held[COLLAPSE_MAX_SLOTS];
};

/**
 * struct collapse_candidates - a walk over the ranges of a window
 * @map: of the window
 * @limits: of khugepaged; NULL: nothing is too much
 * @orders: of ranges to visit, a bit for each
 * @offset: of the range to judge next, then of the judged one; in slots
 * @order: of that range
 * @verdict: SCAN_SUCCEED: worth a try
 *
 * Largest ranges first, and after a miss the halves of it, down to the next
 * enabled order; in the order of addresses otherwise.
 */
struct collapse_candidates {
	const struct collapse_map *map;
	const struct collapse_limits *limits;
	unsigned long	orders;
	unsigned int	offset;
	unsigned int	order;
	enum scan_result verdict;
};

void collapse_candidates_start(struct collapse_candidates *it,
			       const struct collapse_map *map,
			       const struct collapse_limits *limits,
			       unsigned long orders);
bool collapse_candidates_next(struct collapse_candidates *it);
void collapse_candidates_done(struct collapse_candidates *it);
bool collapse_candidates_halve(struct collapse_candidates *it);
void collapse_candidates_forbid(struct collapse_candidates *it);

enum scan_result collapse_judge(const struct collapse_candidates *it,
				unsigned int offset, unsigned int order);
struct collapse_limits
collapse_limits_of_order(const struct collapse_candidates *it,
			 unsigned int order);
bool collapse_range_in_use(const struct collapse_map *map, unsigned int offset,
			   unsigned int order);

#endif /* _MM_KHUGEPAGED_CANDIDATES_H */
