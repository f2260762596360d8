// SPDX-License-Identifier: GPL-2.0
/*
 * Init: brings the rooms up in order.
 *
 * Page sizes and gigantic pages are there already, from the command line and
 * the architecture; memory and node devices are up.
 */
#define pr_fmt(fmt) "HugeTLB: " fmt

#include <linux/init.h>
#include <linux/printk.h>
#include <linux/sizes.h>
#include <linux/string_helpers.h>
#include "knobs/knobs.h"
#include "map/map.h"

static unsigned long __init hugetlb_vmemmap_gain(const struct hugetlb_pool *pool)
{
	if (!vmemmap_optimizable(pool))
		return 0;
	return pool_nr_base(pool) * sizeof(struct page) - PAGE_SIZE;
}

static void __init hugetlb_report_pools(void)
{
	struct hugetlb_pool *pool;
	struct knob_numbers n;
	char size[16];

	for_each_hugetlb_pool(pool) {
		knob_read(pool, NUMA_NO_NODE, &n);
		string_get_size(huge_page_size(&pool->h), 1, STRING_UNITS_2,
				size, sizeof(size));
		pr_info("registered %s page size, pre-allocated %lu pages\n",
			size, n.free);
		pr_info("%lu KiB vmemmap can be freed for a %s page\n",
			hugetlb_vmemmap_gain(pool) / SZ_1K, size);
	}
}

static int __init hugetlb_init(void)
{
	/* The flags live in the private word of the head page. */
	BUILD_BUG_ON(BITS_PER_TYPE(typeof_member(struct page, private)) <
		     __NR_HPAGEFLAGS);

	if (!hugepages_supported()) {
		hugetlb_cmdline_discard();
		return 0;
	}

	hugetlb_add_boot_sizes();
	hugetlb_cmdline_finish();
	cma_source_check();
	hugetlb_fault_init();

	boot_fill_pools();
	hugetlb_pool_default_demote();
	hugetlb_report_pools();

	hugetlb_sysfs_init();
	hugetlb_cgroup_file_init();
	hugetlb_sysctl_init();
	return 0;
}
subsys_initcall(hugetlb_init);
