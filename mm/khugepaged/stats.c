// SPDX-License-Identifier: GPL-2.0
/*
 * Counters: how often each outcome and each limit was met, by the thread and by
 * MADV_COLLAPSE together.
 *
 * Outcomes are in khugepaged/results under debugfs, "name count" a line.  Limits
 * are in /proc/vmstat for PMDs and under hugepages-<size>kB/stats/ for each size.
 */
#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/init.h>
#include <linux/seq_file.h>
#include <linux/vmstat.h>

#include "collapse.h"

#define CREATE_TRACE_POINTS
#include <trace/events/huge_memory.h>

static atomic_long_t collapse_results[NR_SCAN_RESULTS];

/* What it counts as when a limit was the reason to leave a range alone. */
static const struct {
	enum scan_result	result;
	enum vm_event_item	event;
	enum mthp_stat_item	stat;
} collapse_exceeded[] = {
	{ SCAN_EXCEED_NONE_PTE, THP_SCAN_EXCEED_NONE_PTE,
	  MTHP_STAT_COLLAPSE_EXCEED_NONE },
	{ SCAN_EXCEED_SWAP_PTE, THP_SCAN_EXCEED_SWAP_PTE,
	  MTHP_STAT_COLLAPSE_EXCEED_SWAP },
	{ SCAN_EXCEED_SHARED_PTE, THP_SCAN_EXCEED_SHARED_PTE,
	  MTHP_STAT_COLLAPSE_EXCEED_SHARED },
};

/**
 * collapse_count_result() - count an outcome
 * @result: of trying a range; or of a window without a range to try
 *
 * Context: any.
 */
void collapse_count_result(enum scan_result result)
{
	if (!WARN_ON_ONCE(result >= NR_SCAN_RESULTS))
		atomic_long_inc(&collapse_results[result]);
}

/**
 * collapse_count_exceeded() - count a limit that left a range alone
 * @result: of judging or trying the range; what is no limit is not counted
 * @order: of the range
 *
 * Context: any.
 */
void collapse_count_exceeded(enum scan_result result, unsigned int order)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(collapse_exceeded); i++) {
		if (collapse_exceeded[i].result != result)
			continue;
		if (order == PMD_ORDER)
			count_vm_event(collapse_exceeded[i].event);
		count_mthp_stat(order, collapse_exceeded[i].stat);
	}
}

static int collapse_results_show(struct seq_file *m, void *unused)
{
	unsigned int i;

	for (i = 0; i < NR_SCAN_RESULTS; i++)
		seq_printf(m, "%s %ld\n", collapse_result_text(i),
			   atomic_long_read(&collapse_results[i]));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(collapse_results);

static int __init collapse_debugfs_init(void)
{
	struct dentry *dir = debugfs_create_dir("khugepaged", NULL);

	debugfs_create_file("results", 0444, dir, NULL, &collapse_results_fops);
	return 0;
}
late_initcall(collapse_debugfs_init);
