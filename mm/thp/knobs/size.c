// SPDX-License-Identifier: GPL-2.0
/*
 * Sizes: a directory hugepages-<size>kB for each order, its knobs, its stats/.
 *
 * All directories have the same files; a file is hidden where the order is not
 * one of the memory it is about.  Counters are sums over CPUs.
 */
#define pr_fmt(fmt) "huge_memory: " fmt

#include <linux/khugepaged.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "knobs.h"

static LIST_HEAD(thpsize_list);	/* boot writes it, nobody reads it later */

/* ---- knobs ---- */

static ssize_t enabled_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	unsigned int i, rule;
	ssize_t len = 0;

	rule = thp_rule_of(thp_anon_rules, THP_ANON_RULES,
			   to_thpsize(kobj)->order);
	for (i = 0; i < THP_ANON_RULES; i++)
		len = thp_emit_word(buf, len, thp_anon_rules[i].word,
				    i == rule);
	return len + sysfs_emit_at(buf, len, "\n");
}

static ssize_t enabled_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t len)
{
	size_t text = len && buf[len - 1] == '\n' ? len - 1 : len;
	int rule = thp_rule_find(thp_anon_rules, THP_ANON_RULES, buf, text);

	if (rule < 0)
		return rule;
	thp_set_anon_rule(BIT(to_thpsize(kobj)->order), rule);
	return start_stop_khugepaged() ?: len;
}

static struct kobj_attribute size_anon_enabled = __ATTR_RW(enabled);

static struct attribute *size_attrs[] = {
	&size_anon_enabled.attr,
#ifdef CONFIG_SHMEM
	&thpsize_shmem_enabled_attr.attr,
#endif
	NULL,
};

static umode_t size_attr_mode(struct kobject *kobj, struct attribute *attr,
			      int i)
{
	unsigned long orders = THP_ORDERS_ALL_FILE_DEFAULT;

	if (attr == &size_anon_enabled.attr)
		orders = THP_ORDERS_ALL_ANON;
	return orders & BIT(to_thpsize(kobj)->order) ? attr->mode : 0;
}

static const struct attribute_group size_attr_group = {
	.attrs		= size_attrs,
	.is_visible	= size_attr_mode,
};

/* ---- statistics ---- */

DEFINE_PER_CPU(struct mthp_stat, mthp_stats);

/* Whose folios a counter is about. */
enum stat_memory {
	STAT_ANON,
	STAT_SHMEM,
	STAT_BOTH,
	/* Only anonymous memory is swapped if there is no shared memory. */
	STAT_SWAP = IS_ENABLED(CONFIG_SHMEM) ? STAT_BOTH : STAT_ANON,
};

struct stat_file {
	struct kobj_attribute	attr;
	enum mthp_stat_item	item;
	enum stat_memory	memory;
};

static ssize_t size_stat_show(struct kobject *kobj, struct kobj_attribute *attr,
			      char *buf)
{
	enum mthp_stat_item item = container_of(attr, struct stat_file,
						attr)->item;
	int cpu, order = to_thpsize(kobj)->order;
	unsigned long sum = 0;

	for_each_possible_cpu(cpu)
		sum += per_cpu(mthp_stats, cpu).stats[order][item];
	return sysfs_emit(buf, "%lu\n", sum);
}

#define STAT_FILE(_name, _item, _memory) {				\
	.attr = __ATTR(_name, 0444, size_stat_show, NULL),		\
	.item = MTHP_STAT_##_item,					\
	.memory = STAT_##_memory,					\
}

static struct stat_file stat_files[] = {
	STAT_FILE(anon_fault_alloc, ANON_FAULT_ALLOC, ANON),
	STAT_FILE(anon_fault_fallback, ANON_FAULT_FALLBACK, ANON),
	STAT_FILE(anon_fault_fallback_charge, ANON_FAULT_FALLBACK_CHARGE, ANON),
	STAT_FILE(split_deferred, SPLIT_DEFERRED, ANON),
	STAT_FILE(nr_anon, NR_ANON, ANON),
	STAT_FILE(nr_anon_partially_mapped, NR_ANON_PARTIALLY_MAPPED, ANON),
	STAT_FILE(shmem_alloc, SHMEM_ALLOC, SHMEM),
	STAT_FILE(shmem_fallback, SHMEM_FALLBACK, SHMEM),
	STAT_FILE(shmem_fallback_charge, SHMEM_FALLBACK_CHARGE, SHMEM),
	STAT_FILE(swpout, SWPOUT, SWAP),
	STAT_FILE(swpout_fallback, SWPOUT_FALLBACK, SWAP),
	STAT_FILE(split, SPLIT, BOTH),
	STAT_FILE(split_failed, SPLIT_FAILED, BOTH),
	STAT_FILE(collapse_alloc, COLLAPSE_ALLOC, BOTH),
	STAT_FILE(collapse_alloc_failed, COLLAPSE_ALLOC_FAILED, BOTH),
	STAT_FILE(collapse_exceed_none_pte, COLLAPSE_EXCEED_NONE, BOTH),
	STAT_FILE(collapse_exceed_swap_pte, COLLAPSE_EXCEED_SWAP, BOTH),
	STAT_FILE(collapse_exceed_shared_pte, COLLAPSE_EXCEED_SHARED, BOTH),
};

static_assert(ARRAY_SIZE(stat_files) == __MTHP_STAT_COUNT);

static struct attribute *stat_attrs[ARRAY_SIZE(stat_files) + 1];

static umode_t size_stat_mode(struct kobject *kobj, struct attribute *attr,
			      int i)
{
	unsigned long order = BIT(to_thpsize(kobj)->order);

	if (stat_files[i].memory == STAT_SHMEM && !IS_ENABLED(CONFIG_SHMEM))
		return 0;
	if (stat_files[i].memory == STAT_ANON && !(order & THP_ORDERS_ALL_ANON))
		return 0;
	if (stat_files[i].memory == STAT_SHMEM &&
	    !(order & THP_ORDERS_ALL_FILE_DEFAULT))
		return 0;
	return attr->mode;
}

static const struct attribute_group stat_attr_group = {
	.name		= "stats",
	.attrs		= stat_attrs,
	.is_visible	= size_stat_mode,
};

/* ---- directories ---- */

static const struct attribute_group *size_groups[] = {
	&size_attr_group,
	&stat_attr_group,
	NULL,
};

static void thpsize_release(struct kobject *kobj)
{
	kfree(to_thpsize(kobj));
}

static const struct kobj_type thpsize_ktype = {
	.release	= thpsize_release,
	.sysfs_ops	= &kobj_sysfs_ops,
	.default_groups	= size_groups,
};

static int __init thpsize_create(int order, struct kobject *dir)
{
	struct thpsize *size = kzalloc(sizeof(*size), GFP_KERNEL);
	int err;

	if (!size)
		return -ENOMEM;

	size->order = order;
	err = kobject_init_and_add(&size->kobj, &thpsize_ktype, dir,
				   "hugepages-%lukB",
				   (PAGE_SIZE << order) / SZ_1K);
	if (err) {
		kobject_put(&size->kobj);
		return err;
	}
	list_add(&size->node, &thpsize_list);
	return 0;
}

/**
 * thp_sizes_init() - make the directories of all sizes
 * @dir: where
 *
 * Context: boot.
 * Return: 0, or a negative error number and nothing is left behind.
 */
int __init thp_sizes_init(struct kobject *dir)
{
	unsigned long orders = THP_ORDERS_ALL_ANON |
			       THP_ORDERS_ALL_FILE_DEFAULT;
	int order, err;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(stat_files); i++)
		stat_attrs[i] = &stat_files[i].attr.attr;

	for_each_set_bit(order, &orders, BITS_PER_LONG) {
		err = thpsize_create(order, dir);
		if (!err)
			continue;
		pr_err("failed to create thpsize for order %d\n", order);
		thp_sizes_exit();
		return err;
	}
	return 0;
}

/**
 * thp_sizes_exit() - undo thp_sizes_init()
 *
 * Context: boot.
 */
void __init thp_sizes_exit(void)
{
	struct thpsize *size, *next;

	list_for_each_entry_safe(size, next, &thpsize_list, node) {
		list_del(&size->node);
		kobject_put(&size->kobj);
	}
}
