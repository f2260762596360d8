/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the hugetlb controller knows of a cgroup.
 *
 * mm/hugetlb/reserve/cgroup.c counts, mm/hugetlb/knobs/cgroup_files.c shows;
 * nobody else looks inside.
 */
#ifndef _LINUX_HUGETLB_CGROUP_H
#define _LINUX_HUGETLB_CGROUP_H

#ifdef CONFIG_CGROUP_HUGETLB

#include <linux/atomic.h>
#include <linux/cgroup.h>
#include <linux/hugetlb.h>
#include <linux/page_counter.h>

/**
 * struct hugetlb_cgroup_size - a cgroup's share of one page size
 * @usage: base pages in use
 * @rsvd: base pages promised, or in use without an earlier promise
 * @refused: charges that a limit forbade to the cgroup and those below it
 * @refused_local: charges that a limit forbade to the cgroup's own tasks
 * @events: the file that shows @refused
 * @events_local: the file that shows @refused_local
 */
struct hugetlb_cgroup_size {
	struct page_counter	usage;
	struct page_counter	rsvd;
	atomic_long_t		refused;
	atomic_long_t		refused_local;
	struct cgroup_file	events;
	struct cgroup_file	events_local;
};

/**
 * struct hugetlb_cgroup - a cgroup in the eyes of the controller
 * @css: its part in the hierarchy
 * @size: by hstate_index(), also for sizes that do not exist
 * @node_usage: base pages in use, by node and hstate_index(), of this cgroup
 *	alone; under hugetlb_lock, read without it
 */
struct hugetlb_cgroup {
	struct cgroup_subsys_state	css;
	struct hugetlb_cgroup_size	size[HUGE_MAX_HSTATE];
	unsigned long			node_usage[][HUGE_MAX_HSTATE];
};

static inline struct hugetlb_cgroup *
hugetlb_cgroup_of(struct cgroup_subsys_state *css)
{
	return container_of(css, struct hugetlb_cgroup, css);
}

#endif /* CONFIG_CGROUP_HUGETLB */

#endif /* _LINUX_HUGETLB_CGROUP_H */
