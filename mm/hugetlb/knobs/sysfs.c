// SPDX-License-Identifier: GPL-2.0
/*
 * Sysfs: /sys/kernel/mm/hugepages/ and nodeN/hugepages/, a directory per size.
 *
 * One row of knob_rows[] is one file; a directory knows its pool and its node,
 * and shows the rows that fit it.  Numbers come from report.c, changes go to
 * change.c.  Directories come and go with node devices, which do so one at a
 * time.
 */
#define pr_fmt(fmt) "HugeTLB: " fmt

#include <linux/kobject.h>
#include <linux/node.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include "knobs.h"

/* The directory of a size: of the whole machine or of one node. */
struct knob_dir {
	struct kobject		kobj;
	struct hugetlb_pool	*pool;
	int			nid;		/* or NUMA_NO_NODE */
};

/* All directories of the machine or of one node. */
struct knob_tree {
	struct kobject		*root;
	struct knob_dir		*dir[HUGE_MAX_HSTATE];
};

/* where a file is to be seen */
#define KNOB_NODE	BIT(0)		/* also in the directories of nodes */
#define KNOB_DEMOTE	BIT(1)		/* only where pages can be split */
#define KNOB_NUMA	BIT(2)		/* only on machines with nodes */

/**
 * struct knob_row - one file
 * @attr: name and mode
 * @where: KNOB_*
 * @number: which field of struct knob_numbers a read shows
 * @unit: printed behind it
 * @parse: reads what was written
 * @write: acts on it
 */
struct knob_row {
	struct attribute	attr;
	unsigned int		where;
	size_t			number;
	const char		*unit;
	int			(*parse)(const char *text, unsigned long *n);
	knob_write		*write;
};

#define KNOB(_name, _mode)	.attr = { .name = #_name, .mode = (_mode) }
#define SHOWS(_field)		.number = offsetof(struct knob_numbers, _field)

static struct knob_row knob_rows[] = {
	{ KNOB(nr_hugepages, 0644), .where = KNOB_NODE, SHOWS(total),
	  .parse = knob_parse_count, .write = knob_resize },
	{ KNOB(nr_hugepages_mempolicy, 0644), .where = KNOB_NUMA, SHOWS(total),
	  .parse = knob_parse_count, .write = knob_resize_mempolicy },
	{ KNOB(nr_overcommit_hugepages, 0644), SHOWS(overcommit),
	  .parse = knob_parse_count, .write = knob_overcommit },
	{ KNOB(free_hugepages, 0444), .where = KNOB_NODE, SHOWS(free) },
	{ KNOB(resv_hugepages, 0444), SHOWS(reserved) },
	{ KNOB(surplus_hugepages, 0444), .where = KNOB_NODE, SHOWS(surplus) },
	{ KNOB(demote, 0200), .where = KNOB_NODE | KNOB_DEMOTE,
	  .parse = knob_parse_count, .write = knob_demote },
	{ KNOB(demote_size, 0644), .where = KNOB_NODE | KNOB_DEMOTE,
	  SHOWS(demote_kb), .unit = "kB",
	  .parse = knob_parse_size, .write = knob_demote_size },
};

static struct attribute *knob_attrs[ARRAY_SIZE(knob_rows) + 1] __ro_after_init;

static struct knob_dir *knob_dir_of(struct kobject *kobj)
{
	return container_of(kobj, struct knob_dir, kobj);
}

static const struct knob_row *knob_row_of(struct attribute *attr)
{
	return container_of(attr, struct knob_row, attr);
}

static ssize_t knob_show(struct kobject *kobj, struct attribute *attr,
			 char *buf)
{
	const struct knob_row *row = knob_row_of(attr);
	const struct knob_dir *dir = knob_dir_of(kobj);
	struct knob_numbers numbers;

	knob_read(dir->pool, dir->nid, &numbers);
	return sysfs_emit(buf, "%lu%s\n",
			  *(unsigned long *)((void *)&numbers + row->number),
			  row->unit ?: "");
}

static ssize_t knob_store(struct kobject *kobj, struct attribute *attr,
			  const char *buf, size_t len)
{
	const struct knob_row *row = knob_row_of(attr);
	const struct knob_dir *dir = knob_dir_of(kobj);
	unsigned long n;
	int err;

	err = row->parse(buf, &n);
	if (err)
		return err;
	err = row->write(dir->pool, dir->nid, n);
	return err ?: len;
}

static umode_t knob_visible(struct kobject *kobj, struct attribute *attr,
			    int index)
{
	const struct knob_row *row = knob_row_of(attr);
	const struct knob_dir *dir = knob_dir_of(kobj);

	if (dir->nid != NUMA_NO_NODE && !(row->where & KNOB_NODE))
		return 0;
	/* Whether a size can be split never changes after boot. */
	if ((row->where & KNOB_DEMOTE) && !READ_ONCE(dir->pool->demote_order))
		return 0;
	if ((row->where & KNOB_NUMA) && !IS_ENABLED(CONFIG_NUMA))
		return 0;
	return attr->mode;
}

static void knob_dir_release(struct kobject *kobj)
{
	kfree(knob_dir_of(kobj));
}

static const struct attribute_group knob_group = {
	.attrs		= knob_attrs,
	.is_visible	= knob_visible,
};
__ATTRIBUTE_GROUPS(knob);

static const struct sysfs_ops knob_sysfs_ops = {
	.show		= knob_show,
	.store		= knob_store,
};

static const struct kobj_type knob_dir_type = {
	.release	= knob_dir_release,
	.sysfs_ops	= &knob_sysfs_ops,
	.default_groups	= knob_groups,
};

static struct knob_dir *knob_dir_create(struct kobject *root,
					struct hugetlb_pool *pool, int nid)
{
	struct knob_dir *dir = kzalloc(sizeof(*dir), GFP_KERNEL);

	if (!dir)
		return NULL;
	dir->pool = pool;
	dir->nid = nid;
	if (!kobject_init_and_add(&dir->kobj, &knob_dir_type, root, "%s",
				  pool->h.name))
		return dir;
	kobject_put(&dir->kobj);
	return NULL;
}

/* A size without a directory is reported and does not keep others from one. */
static int knob_tree_fill(struct knob_tree *tree, struct kobject *parent,
			  int nid)
{
	struct hugetlb_pool *pool;
	struct knob_dir *dir;

	tree->root = kobject_create_and_add("hugepages", parent);
	if (!tree->root)
		return -ENOMEM;

	for_each_hugetlb_pool(pool) {
		dir = knob_dir_create(tree->root, pool, nid);
		if (!dir)
			pr_err("no directory for %s in %s\n", pool->h.name,
			       kobject_name(parent));
		tree->dir[hstate_index(&pool->h)] = dir;
	}
	return 0;
}

#ifdef CONFIG_NUMA
static struct knob_tree *knob_tree_of_node[MAX_NUMNODES];
static bool knob_nodes_wanted __ro_after_init;

/**
 * hugetlb_register_node() - a node gets its huge page directories
 * @node: its device, just registered
 *
 * Does nothing before hugetlb_sysfs_init(), which calls it again, and for a
 * node that has them.
 *
 * Context: may sleep; node devices do not come and go meanwhile.
 */
void hugetlb_register_node(struct node *node)
{
	int nid = node->dev.id;
	struct knob_tree *tree;

	if (!knob_nodes_wanted || knob_tree_of_node[nid])
		return;
	tree = kzalloc(sizeof(*tree), GFP_KERNEL);
	if (!tree)
		return;
	if (knob_tree_fill(tree, &node->dev.kobj, nid))
		kfree(tree);
	else
		knob_tree_of_node[nid] = tree;
}

/**
 * hugetlb_unregister_node() - a node loses its huge page directories
 * @node: its device, about to go
 *
 * Context: may sleep, also until readers and writers are through; node devices
 * do not come and go meanwhile.
 */
void hugetlb_unregister_node(struct node *node)
{
	struct knob_tree *tree = knob_tree_of_node[node->dev.id];
	int i;

	if (!tree)
		return;
	knob_tree_of_node[node->dev.id] = NULL;
	for (i = 0; i < HUGE_MAX_HSTATE; i++) {
		if (tree->dir[i])
			kobject_put(&tree->dir[i]->kobj);
	}
	kobject_put(tree->root);
	kfree(tree);
}

static void __init knob_register_nodes(void)
{
	int nid;

	knob_nodes_wanted = true;
	for_each_online_node(nid) {
		if (node_devices[nid])
			hugetlb_register_node(node_devices[nid]);
	}
}
#else
static void __init knob_register_nodes(void) { }
#endif

/**
 * hugetlb_sysfs_init() - create the directories of the machine and its nodes
 *
 * Context: boot, all sizes are known.
 */
void __init hugetlb_sysfs_init(void)
{
	/* Nobody ever takes it down. */
	struct knob_tree machine;
	int i;

	for (i = 0; i < ARRAY_SIZE(knob_rows); i++)
		knob_attrs[i] = &knob_rows[i].attr;

	if (!knob_tree_fill(&machine, mm_kobj, NUMA_NO_NODE))
		knob_register_nodes();
}
