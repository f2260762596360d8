// SPDX-License-Identifier: GPL-2.0
/*
 * Statistics: what happened, counted everywhere it is counted.
 *
 * An event has a counter for each size in sysfs, one in /proc/vmstat that is
 * for sizes of a PMD and up, and some have one of the cgroup.
 */
#include <linux/memcontrol.h>
#include <linux/vmstat.h>

#include "knobs.h"

static const struct {
	enum vm_event_item	event;
	enum mthp_stat_item	stat;
	bool			memcg;
} thp_counters[NR_THP_EVENTS] = {
	[THP_COUNT_FAULT_ALLOC] = {
		THP_FAULT_ALLOC, MTHP_STAT_ANON_FAULT_ALLOC, true,
	},
	[THP_COUNT_FAULT_FALLBACK] = {
		THP_FAULT_FALLBACK, MTHP_STAT_ANON_FAULT_FALLBACK,
	},
	[THP_COUNT_FAULT_CHARGE] = {
		THP_FAULT_FALLBACK_CHARGE,
		MTHP_STAT_ANON_FAULT_FALLBACK_CHARGE,
	},
	[THP_COUNT_SPLIT] = {
		THP_SPLIT_PAGE, MTHP_STAT_SPLIT,
	},
	[THP_COUNT_SPLIT_FAILED] = {
		THP_SPLIT_PAGE_FAILED, MTHP_STAT_SPLIT_FAILED,
	},
	[THP_COUNT_SPLIT_DEFERRED] = {
		THP_DEFERRED_SPLIT_PAGE, MTHP_STAT_SPLIT_DEFERRED,
	},
	[THP_COUNT_COLLAPSE_ALLOC] = {
		THP_COLLAPSE_ALLOC, MTHP_STAT_COLLAPSE_ALLOC, true,
	},
	[THP_COUNT_COLLAPSE_ALLOC_FAILED] = {
		THP_COLLAPSE_ALLOC_FAILED, MTHP_STAT_COLLAPSE_ALLOC_FAILED,
	},
	[THP_COUNT_COLLAPSE_NONE] = {
		THP_SCAN_EXCEED_NONE_PTE, MTHP_STAT_COLLAPSE_EXCEED_NONE,
	},
	[THP_COUNT_COLLAPSE_SWAP] = {
		THP_SCAN_EXCEED_SWAP_PTE, MTHP_STAT_COLLAPSE_EXCEED_SWAP,
	},
	[THP_COUNT_COLLAPSE_SHARED] = {
		THP_SCAN_EXCEED_SHARED_PTE, MTHP_STAT_COLLAPSE_EXCEED_SHARED,
	},
};

/**
 * thp_count() - count an event everywhere it is counted
 * @event: what happened; a refused charge is also a fallback
 * @order: of the folio, or of what was asked for
 * @folio: the folio, charged to who shall have the event; NULL if there is none
 *
 * Context: any.
 */
void thp_count(enum thp_event event, unsigned int order, struct folio *folio)
{
	if (event == THP_COUNT_FAULT_CHARGE)
		thp_count(THP_COUNT_FAULT_FALLBACK, order, NULL);

	count_mthp_stat(order, thp_counters[event].stat);
	if (order < PMD_ORDER)
		return;
	count_vm_event(thp_counters[event].event);
	if (folio && thp_counters[event].memcg)
		count_memcg_folio_events(folio, thp_counters[event].event, 1);
}
