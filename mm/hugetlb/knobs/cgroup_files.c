// SPDX-License-Identifier: GPL-2.0
/*
 * Control files of the hugetlb controller: hugetlb.<size>.[rsvd.]<name>.
 *
 * One row of knob_cgroup_rows[] is one name; knob_cgroup_add() makes of it a
 * file for each page size and each kind of charge.  Users see bytes, counters
 * have base pages.  What may be charged and who pays is reserve/cgroup.c's.
 * Locks: none; a number may be old when it is printed.
 */
#include <linux/cgroup.h>
#include <linux/cleanup.h>
#include <linux/hugetlb_cgroup.h>
#include <linux/init.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/nodemask.h>
#include <linux/page_counter.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "knobs.h"

/* ---- what a file is about: cft->private has pool and kind ---- */

static unsigned long __init knob_cgroup_pack(const struct hugetlb_pool *pool,
					     enum hugetlb_charge kind)
{
	return hstate_index(&pool->h) * HUGETLB_CHARGE_KINDS + kind;
}

static unsigned int knob_cgroup_index(const struct cftype *cft)
{
	return cft->private / HUGETLB_CHARGE_KINDS;
}

static const struct hugetlb_pool *knob_cgroup_pool(const struct cftype *cft)
{
	return &hugetlb_pools[knob_cgroup_index(cft)];
}

static enum hugetlb_charge knob_cgroup_kind(const struct cftype *cft)
{
	return cft->private % HUGETLB_CHARGE_KINDS;
}

static struct page_counter *knob_cgroup_counter(struct cgroup_subsys_state *css,
						const struct cftype *cft)
{
	return hugetlb_cgroup_counter(hugetlb_cgroup_of(css),
				      knob_cgroup_pool(cft),
				      knob_cgroup_kind(cft));
}

/* ---- usage, its peak, and how often it was refused ---- */

static u64 knob_cgroup_usage(struct cgroup_subsys_state *css,
			     struct cftype *cft)
{
	return (u64)page_counter_read(knob_cgroup_counter(css, cft)) * PAGE_SIZE;
}

static u64 knob_cgroup_peak(struct cgroup_subsys_state *css,
			    struct cftype *cft)
{
	return (u64)READ_ONCE(knob_cgroup_counter(css, cft)->watermark) *
	       PAGE_SIZE;
}

static u64 knob_cgroup_failures(struct cgroup_subsys_state *css,
				struct cftype *cft)
{
	return READ_ONCE(knob_cgroup_counter(css, cft)->failcnt);
}

/* To start again whatever is written will do. */
static ssize_t knob_cgroup_reset_peak(struct kernfs_open_file *of, char *buf,
				      size_t len, loff_t off)
{
	page_counter_reset_watermark(knob_cgroup_counter(of_css(of),
							 of_cft(of)));
	return len;
}

static ssize_t knob_cgroup_reset_failures(struct kernfs_open_file *of,
					  char *buf, size_t len, loff_t off)
{
	WRITE_ONCE(knob_cgroup_counter(of_css(of), of_cft(of))->failcnt, 0);
	return len;
}

static int knob_cgroup_show_events(struct seq_file *seq, void *v)
{
	struct hugetlb_cgroup *cgroup = hugetlb_cgroup_of(seq_css(seq));
	unsigned int index = knob_cgroup_index(seq_cft(seq));

	seq_printf(seq, "max %lu\n",
		   atomic_long_read(&cgroup->size[index].refused));
	return 0;
}

static int knob_cgroup_show_events_local(struct seq_file *seq, void *v)
{
	struct hugetlb_cgroup *cgroup = hugetlb_cgroup_of(seq_css(seq));
	unsigned int index = knob_cgroup_index(seq_cft(seq));

	seq_printf(seq, "max %lu\n",
		   atomic_long_read(&cgroup->size[index].refused_local));
	return 0;
}

/* ---- limits ---- */

/* The versions differ in how they say that there is no limit. */
static const char *knob_cgroup_no_limit(void)
{
	return cgroup_subsys_on_dfl(hugetlb_cgrp_subsys) ? "max" : "-1";
}

static u64 knob_cgroup_limit(struct cgroup_subsys_state *css,
			     struct cftype *cft)
{
	return (u64)READ_ONCE(knob_cgroup_counter(css, cft)->max) * PAGE_SIZE;
}

static int knob_cgroup_show_max(struct seq_file *seq, void *v)
{
	u64 limit = knob_cgroup_limit(seq_css(seq), seq_cft(seq));
	u64 none = hugetlb_cgroup_no_limit(knob_cgroup_pool(seq_cft(seq)));

	if (limit == none * PAGE_SIZE)
		seq_printf(seq, "%s\n", knob_cgroup_no_limit());
	else
		seq_printf(seq, "%llu\n", limit);
	return 0;
}

static ssize_t knob_cgroup_write_limit(struct kernfs_open_file *of, char *buf,
				       size_t len, loff_t off)
{
	const struct cftype *cft = of_cft(of);
	unsigned long nr;
	int err;

	err = page_counter_memparse(strstrip(buf), knob_cgroup_no_limit(), &nr);
	if (!err)
		err = hugetlb_cgroup_set_limit(hugetlb_cgroup_of(of_css(of)),
					       knob_cgroup_pool(cft),
					       knob_cgroup_kind(cft), nr);
	return err ?: len;
}

/* ---- usage by node ---- */

/* Base pages in use on a node. */
typedef unsigned long knob_cgroup_node(struct hugetlb_cgroup *cgroup, int nid,
				       unsigned int index);

static unsigned long knob_cgroup_node_own(struct hugetlb_cgroup *cgroup,
					  int nid, unsigned int index)
{
	return READ_ONCE(cgroup->node_usage[nid][index]);
}

/* With all that is below. */
static unsigned long knob_cgroup_node_tree(struct hugetlb_cgroup *cgroup,
					   int nid, unsigned int index)
{
	struct cgroup_subsys_state *css;
	unsigned long nr = 0;

	guard(rcu)();
	css_for_each_descendant_pre(css, &cgroup->css)
		nr += knob_cgroup_node_own(hugetlb_cgroup_of(css), nid, index);
	return nr;
}

static void knob_cgroup_print_nodes(struct seq_file *seq,
				    knob_cgroup_node *node)
{
	struct hugetlb_cgroup *cgroup = hugetlb_cgroup_of(seq_css(seq));
	unsigned int index = knob_cgroup_index(seq_cft(seq));
	int nid;

	for_each_node_state(nid, N_MEMORY)
		seq_printf(seq, " N%d=%lu", nid,
			   node(cgroup, nid, index) * PAGE_SIZE);
	seq_putc(seq, '\n');
}

/* Version 1 alone shows what is without those below, and before it. */
static void knob_cgroup_print_own_nodes(struct seq_file *seq)
{
	struct hugetlb_cgroup *cgroup = hugetlb_cgroup_of(seq_css(seq));
	unsigned int index = knob_cgroup_index(seq_cft(seq));
	unsigned long nr = 0;
	int nid;

	for_each_node_state(nid, N_MEMORY)
		nr += knob_cgroup_node_own(cgroup, nid, index);

	seq_printf(seq, "total=%lu", nr * PAGE_SIZE);
	knob_cgroup_print_nodes(seq, knob_cgroup_node_own);
}

static int knob_cgroup_show_tree_nodes(struct seq_file *seq, void *v)
{
	seq_printf(seq, "total=%llu",
		   knob_cgroup_usage(seq_css(seq), seq_cft(seq)));
	knob_cgroup_print_nodes(seq, knob_cgroup_node_tree);
	return 0;
}

static int knob_cgroup_show_both_nodes(struct seq_file *seq, void *v)
{
	knob_cgroup_print_own_nodes(seq);
	seq_puts(seq, "hierarchical_");
	return knob_cgroup_show_tree_nodes(seq, v);
}

/* ---- the files ---- */

/* where a name is to be seen */
#define KNOB_V1		BIT(0)		/* version 1 of the interface */
#define KNOB_V2		BIT(1)		/* version 2, not in the root */
#define KNOB_RSVD	BIT(2)		/* for reservations as well */

/**
 * struct knob_cgroup_row - one name
 * @name: what stands behind the size and the kind
 * @where: KNOB_*
 * @read: shows one number
 * @show: shows anything else
 * @write: acts on what was written, NULL where nothing can be
 * @notify: offset of the handle in struct hugetlb_cgroup_size, 0 for none
 */
struct knob_cgroup_row {
	const char	*name;
	unsigned int	where;
	u64		(*read)(struct cgroup_subsys_state *css,
				struct cftype *cft);
	int		(*show)(struct seq_file *seq, void *v);
	ssize_t		(*write)(struct kernfs_open_file *of, char *buf,
				 size_t len, loff_t off);
	size_t		notify;
};

#define NOTIFIES(_field) .notify = offsetof(struct hugetlb_cgroup_size, _field)

static const struct knob_cgroup_row knob_cgroup_rows[] __initconst = {
	{ "limit_in_bytes", KNOB_V1 | KNOB_RSVD,
	  .read = knob_cgroup_limit, .write = knob_cgroup_write_limit },
	{ "usage_in_bytes", KNOB_V1 | KNOB_RSVD, .read = knob_cgroup_usage },
	{ "max_usage_in_bytes", KNOB_V1 | KNOB_RSVD,
	  .read = knob_cgroup_peak, .write = knob_cgroup_reset_peak },
	{ "failcnt", KNOB_V1 | KNOB_RSVD,
	  .read = knob_cgroup_failures, .write = knob_cgroup_reset_failures },
	{ "numa_stat", KNOB_V1, .show = knob_cgroup_show_both_nodes },

	{ "max", KNOB_V2 | KNOB_RSVD,
	  .show = knob_cgroup_show_max, .write = knob_cgroup_write_limit },
	{ "current", KNOB_V2 | KNOB_RSVD, .read = knob_cgroup_usage },
	{ "events", KNOB_V2,
	  .show = knob_cgroup_show_events, NOTIFIES(events) },
	{ "events.local", KNOB_V2,
	  .show = knob_cgroup_show_events_local, NOTIFIES(events_local) },
	{ "numa_stat", KNOB_V2, .show = knob_cgroup_show_tree_nodes },
};

/* How many files a row makes for each page size: one for each kind. */
static unsigned int __init knob_cgroup_kinds(const struct knob_cgroup_row *row,
					     unsigned int version)
{
	if (!(row->where & version))
		return 0;
	return row->where & KNOB_RSVD ? HUGETLB_CHARGE_RSVD + 1 :
					HUGETLB_CHARGE_USAGE + 1;
}

/* Numbers up to 1023, as far as there are units: 64KB, 2MB, 16GB. */
static void __init knob_cgroup_name(struct cftype *cft,
				    const struct knob_cgroup_row *row)
{
	unsigned long size = huge_page_size(&knob_cgroup_pool(cft)->h);
	unsigned int unit = min(ilog2(size) / 10, 3);
	bool rsvd = knob_cgroup_kind(cft) == HUGETLB_CHARGE_RSVD;

	snprintf(cft->name, sizeof(cft->name), "%lu%cB.%s%s",
		 size >> (10 * unit), " KMG"[unit], rsvd ? "rsvd." : "",
		 row->name);
}

static void __init knob_cgroup_fill(struct cftype *cft,
				    const struct knob_cgroup_row *row,
				    const struct hugetlb_pool *pool,
				    enum hugetlb_charge kind)
{
	cft->private = knob_cgroup_pack(pool, kind);
	cft->read_u64 = row->read;
	cft->seq_show = row->show;
	cft->write = row->write;
	cft->flags = row->where & KNOB_V2 ? CFTYPE_NOT_ON_ROOT : 0;
	if (row->notify)
		cft->file_offset = row->notify +
			offsetof(struct hugetlb_cgroup, size) +
			hstate_index(&pool->h) *
			sizeof(struct hugetlb_cgroup_size);
	knob_cgroup_name(cft, row);
	lockdep_register_key(&cft->lockdep_key);
}

static unsigned int __init knob_cgroup_count(unsigned int version)
{
	unsigned int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(knob_cgroup_rows); i++)
		n += knob_cgroup_kinds(&knob_cgroup_rows[i], version);
	return n * hugetlb_pool_count;
}

static struct cftype * __init
knob_cgroup_fill_pool(struct cftype *cft, const struct hugetlb_pool *pool,
		      unsigned int version)
{
	const struct knob_cgroup_row *row;
	unsigned int i, kind;

	for (i = 0; i < ARRAY_SIZE(knob_cgroup_rows); i++) {
		row = &knob_cgroup_rows[i];
		for (kind = 0; kind < knob_cgroup_kinds(row, version); kind++)
			knob_cgroup_fill(cft++, row, pool, kind);
	}
	return cft;
}

/* All files of a version and the empty one that ends the list, for good. */
static struct cftype * __init knob_cgroup_make(unsigned int version)
{
	struct cftype *files, *cft;
	struct hugetlb_pool *pool;

	files = kcalloc(knob_cgroup_count(version) + 1, sizeof(*files),
			GFP_KERNEL);
	if (!files)
		return NULL;

	cft = files;
	for_each_hugetlb_pool(pool)
		cft = knob_cgroup_fill_pool(cft, pool, version);
	return files;
}

/**
 * hugetlb_cgroup_file_init() - add the control files of all page sizes
 *
 * Context: boot, after the last page size was added.  May sleep.
 */
void __init hugetlb_cgroup_file_init(void)
{
	if (!cgroup_subsys_enabled(hugetlb_cgrp_subsys))
		return;
	WARN_ON(cgroup_add_legacy_cftypes(&hugetlb_cgrp_subsys,
					  knob_cgroup_make(KNOB_V1)));
	WARN_ON(cgroup_add_dfl_cftypes(&hugetlb_cgrp_subsys,
				       knob_cgroup_make(KNOB_V2)));
}
