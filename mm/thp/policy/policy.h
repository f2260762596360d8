/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Policy: which orders a mapping may use, and how hard to try for one.
 *
 * order.c is algebra on sets of orders, rules.c gives them words; both know no
 * mm.  policy.c asks the mapping, its file and the knobs; area.c finds aligned
 * addresses.  Nothing here looks into a page table.
 *
 * What other parts of mm ask is in <linux/huge_mm.h>; vma_thp_gfp_mask() is in
 * <linux/gfp.h>.
 */
#ifndef MM_THP_POLICY_H
#define MM_THP_POLICY_H

#include <linux/mm.h>
#include <linux/huge_mm.h>
#include <linux/types.h>

/* ---- order.c: sets of orders, a bit for each ---- */

/**
 * thp_orders_around() - orders whose natural block around a page is in a range
 * @at: the page, start <= @at < @end; beside the range no order fits
 * @start: first page of the range
 * @end: behind its last page
 *
 * The block of order k ends at or before @end if @at and @end differ in a digit
 * above the lowest k, and begins at or after @start if @at and the page before
 * @start do.
 *
 * Context: any.
 * Return: set of orders, with each also the smaller ones.
 */
static inline unsigned long
thp_orders_around(unsigned long at, unsigned long start, unsigned long end)
{
	int below = fls_long(at ^ (start - 1));
	int above = fls_long(at ^ end);

	return BIT(min(below, above)) - 1;
}

unsigned long thp_orders_within(unsigned long start, unsigned long end);
unsigned long thp_orders_aligned(unsigned long distance);

/* ---- rules.c: sets of orders as words; parsing is in <linux/huge_mm.h> ---- */

int thp_rule_find(const struct thp_order_rule *rules, unsigned int nr,
		  const char *word, size_t len);
unsigned int thp_rule_of(const struct thp_order_rule *rules, unsigned int nr,
			 int order);
void thp_rule_move(const struct thp_order_rule *rules, unsigned int nr,
		   unsigned long orders, unsigned int to);

/* ---- policy.c: the only writer of what is enabled ---- */

/* Words of hugepages-<size>kB/enabled, in the order they are shown. */
enum thp_anon_rule {
	THP_ANON_ALWAYS,
	THP_ANON_INHERIT,
	THP_ANON_MADVISE,
	THP_ANON_NEVER,
	THP_ANON_RULES
};

extern const struct thp_order_rule thp_anon_rules[THP_ANON_RULES];

void thp_set_flags(unsigned long mask, unsigned long flags);
void thp_set_anon_rule(unsigned long orders, enum thp_anon_rule rule);

/* A read fault maps the shared huge zero folio. */
static inline bool transparent_hugepage_use_zero_page(void)
{
	return thp_flag(TRANSPARENT_HUGEPAGE_USE_ZERO_PAGE_FLAG);
}

/* ---- ../knobs/stats.c: each event is counted in one place ---- */

/**
 * enum thp_event - what is counted for each size, and of PMDs in vmstat
 * @THP_COUNT_FAULT_ALLOC: a fault got a folio; also for its cgroup
 * @THP_COUNT_FAULT_FALLBACK: a fault did not get one of this order
 * @THP_COUNT_FAULT_CHARGE: the same, because the cgroup has no room
 * @THP_COUNT_SPLIT: a folio was split
 * @THP_COUNT_SPLIT_FAILED: a folio could not be split
 * @THP_COUNT_SPLIT_DEFERRED: a folio is to be split when memory is short
 * @THP_COUNT_COLLAPSE_ALLOC: a collapse got a folio; also for its cgroup
 * @THP_COUNT_COLLAPSE_ALLOC_FAILED: a collapse did not get one
 * @THP_COUNT_COLLAPSE_NONE: a range has too many holes
 * @THP_COUNT_COLLAPSE_SWAP: a range has too many swapped pages
 * @THP_COUNT_COLLAPSE_SHARED: a range has too many shared pages
 * @NR_THP_EVENTS: how many there are
 */
enum thp_event {
	THP_COUNT_FAULT_ALLOC,
	THP_COUNT_FAULT_FALLBACK,
	THP_COUNT_FAULT_CHARGE,
	THP_COUNT_SPLIT,
	THP_COUNT_SPLIT_FAILED,
	THP_COUNT_SPLIT_DEFERRED,
	THP_COUNT_COLLAPSE_ALLOC,
	THP_COUNT_COLLAPSE_ALLOC_FAILED,
	THP_COUNT_COLLAPSE_NONE,
	THP_COUNT_COLLAPSE_SWAP,
	THP_COUNT_COLLAPSE_SHARED,
	NR_THP_EVENTS
};

void thp_count(enum thp_event event, unsigned int order, struct folio *folio);

/* ---- underused.c: which huge pages are split when memory is short ---- */

unsigned int thp_underused_limit(unsigned int order);
int thp_set_underused_limit(unsigned long nr);
bool thp_underused_enabled(void);
void thp_set_underused_enabled(bool enabled);

#endif /* MM_THP_POLICY_H */
