// SPDX-License-Identifier: GPL-2.0
/*
 * Init: brings the rooms up in order.
 *
 * Whatever fails, large folios are then off for good: nothing that is missing
 * can be reached.
 */
#include <linux/init.h>
#include <linux/khugepaged.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "folio/folio.h"
#include "knobs/knobs.h"
#include "map/map.h"

#define CREATE_TRACE_POINTS
#include <trace/events/thp.h>

/* Below this, memory wasted by large folios hurts more than they help. */
#define THP_SMALL_MACHINE	SZ_512M

static int __init thp_rooms_init(void)
{
	int err;

	err = thp_sysfs_init();
	if (err)
		return err;
	err = khugepaged_init();
	if (err)
		goto sysfs;
	err = thp_zero_init();
	if (err)
		goto khugepaged;
	err = deferred_init();
	if (err)
		goto zero;

	/* The administrator can still say otherwise. */
	if (totalram_pages() < THP_SMALL_MACHINE >> PAGE_SHIFT)
		thp_set_flags(~0UL, 0);
	err = start_stop_khugepaged();
	if (err)
		goto deferred;
	return 0;

deferred:
	deferred_exit();
zero:
	thp_zero_exit();
khugepaged:
	khugepaged_destroy();
sysfs:
	thp_sysfs_exit();
	return err;
}

static int __init thp_init(void)
{
	int err = -EINVAL;

	/* The page allocator has to have them. */
	MAYBE_BUILD_BUG_ON(HPAGE_PMD_ORDER > MAX_PAGE_ORDER);

	if (has_transparent_hugepage()) {
		thp_cmdline_finish();
		err = thp_rooms_init();
	}
	if (err)
		thp_set_flags(~0UL, BIT(TRANSPARENT_HUGEPAGE_UNSUPPORTED));
	return err;
}
subsys_initcall(thp_init);
