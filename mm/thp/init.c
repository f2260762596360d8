// SPDX-License-Identifier: GPL-2.0
/*
 * Init: brings the rooms up in order.
 *
 * Whatever fails, large folios are then off for good: nothing that is missing
 * can be reached.
 */
#define pr_fmt(fmt) "huge_memory: " fmt

#include <linux/err.h>
#include <linux/init.h>
#include <linux/khugepaged.h>
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/sysfs.h>

#include "folio/folio.h"
#include "knobs/knobs.h"
#include "map/map.h"

#define CREATE_TRACE_POINTS
#include <trace/events/thp.h>

/* What the huge folios save does not make up for what they waste. */
#define THP_SMALL_MACHINE	SZ_512M

static int __init thp_knobs_init(struct kobject **dir)
{
	int err;

	*dir = thp_sysfs_init();
	if (IS_ERR(*dir))
		return PTR_ERR(*dir);
	if (!IS_ENABLED(CONFIG_SYSFS))
		return 0;

	err = sysfs_create_group(*dir, &deferred_attr_group);
	if (err)
		thp_sysfs_exit(*dir);
	return err;
}

static void __init thp_knobs_exit(struct kobject *dir)
{
	if (!IS_ENABLED(CONFIG_SYSFS))
		return;
	sysfs_remove_group(dir, &deferred_attr_group);
	thp_sysfs_exit(dir);
}

static int __init thp_rooms_init(void)
{
	struct kobject *dir;
	int err;

	err = thp_knobs_init(&dir);
	if (err)
		return err;
	err = khugepaged_init();
	if (err)
		goto knobs;
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
knobs:
	thp_knobs_exit(dir);
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
