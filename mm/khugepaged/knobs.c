// SPDX-License-Identifier: GPL-2.0
/*
 * Knobs: /sys/kernel/mm/transparent_hugepage/khugepaged/.
 *
 * A row for each file: its variable, and which values it may have.  What cannot
 * be a value is refused and changes nothing.  The files are described in
 * Documentation/admin-guide/mm/transhuge.rst.
 */
#include <linux/mm.h>
#include <linux/khugepaged.h>
#include <linux/kobject.h>
#include <linux/kstrtox.h>
#include <linux/limits.h>
#include <linux/sysfs.h>

#include "collapse.h"
#include "../thp/policy/policy.h"

unsigned int khugepaged_pages_to_scan __read_mostly;
unsigned int khugepaged_scan_sleep_millisecs __read_mostly = 10 * MSEC_PER_SEC;
unsigned int khugepaged_alloc_sleep_millisecs __read_mostly = 60 * MSEC_PER_SEC;
unsigned int khugepaged_pages_collapsed;
unsigned int khugepaged_full_scans;

unsigned int khugepaged_max_ptes_none __read_mostly;
static unsigned int khugepaged_max_ptes_swap __read_mostly;
static unsigned int khugepaged_max_ptes_shared __read_mostly;

/**
 * khugepaged_get_limits() - what khugepaged may collapse at this moment
 * @limits: filled in
 *
 * Context: any.
 */
void khugepaged_get_limits(struct collapse_limits *limits)
{
	limits->max_none = READ_ONCE(khugepaged_max_ptes_none);
	limits->max_swap = READ_ONCE(khugepaged_max_ptes_swap);
	limits->max_shared = READ_ONCE(khugepaged_max_ptes_shared);
	limits->max_zero = thp_underused_enabled() ?
			   thp_underused_limit(PMD_ORDER) : UINT_MAX;
}

/**
 * knobs_init() - defaults that depend on how large a PMD is
 *
 * Context: boot.
 */
void __init knobs_init(void)
{
	khugepaged_pages_to_scan = 8 * HPAGE_PMD_NR;
	khugepaged_max_ptes_none = HPAGE_PMD_NR - 1;
	khugepaged_max_ptes_swap = HPAGE_PMD_NR / 8;
	khugepaged_max_ptes_shared = HPAGE_PMD_NR / 2;
}

#ifdef CONFIG_SYSFS
/* A file with a limit: all pages of a PMD but one. */
#define KNOB_ALL_BUT_ONE	0

/**
 * struct khugepaged_knob - one file
 * @attr: name and mode; only files that can be written have the rest
 * @value: its variable
 * @min: smallest value
 * @max: largest value, or KNOB_ALL_BUT_ONE
 * @wakes: the thread looks at it only before it sleeps
 */
struct khugepaged_knob {
	struct kobj_attribute	attr;
	unsigned int		*value;
	unsigned int		min, max;
	bool			wakes;
};

static struct khugepaged_knob *khugepaged_knob_of(struct kobj_attribute *attr)
{
	return container_of(attr, struct khugepaged_knob, attr);
}

static ssize_t khugepaged_knob_show(struct kobject *kobj,
				    struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n",
			  READ_ONCE(*khugepaged_knob_of(attr)->value));
}

static ssize_t khugepaged_knob_store(struct kobject *kobj,
				     struct kobj_attribute *attr,
				     const char *buf, size_t len)
{
	const struct khugepaged_knob *knob = khugepaged_knob_of(attr);
	unsigned int n, max = knob->max;

	if (max == KNOB_ALL_BUT_ONE)
		max = HPAGE_PMD_NR - 1;
	if (kstrtouint(buf, 10, &n) || n < knob->min || n > max)
		return -EINVAL;

	WRITE_ONCE(*knob->value, n);
	if (knob->wakes)
		khugepaged_wake();
	return len;
}

#define KNOB_RW(_name)							\
	.attr = __ATTR(_name, 0644, khugepaged_knob_show,		\
		       khugepaged_knob_store),				\
	.value = &khugepaged_##_name
#define KNOB_RO(_name)							\
	.attr = __ATTR(_name, 0444, khugepaged_knob_show, NULL),	\
	.value = &khugepaged_##_name

static struct khugepaged_knob khugepaged_knobs[] = {
	{ KNOB_RW(max_ptes_none), .max = KNOB_ALL_BUT_ONE },
	{ KNOB_RW(max_ptes_swap), .max = KNOB_ALL_BUT_ONE },
	{ KNOB_RW(max_ptes_shared), .max = KNOB_ALL_BUT_ONE },
	{ KNOB_RW(pages_to_scan), .min = 1, .max = UINT_MAX },
	{ KNOB_RW(scan_sleep_millisecs), .max = UINT_MAX, .wakes = true },
	{ KNOB_RW(alloc_sleep_millisecs), .max = UINT_MAX, .wakes = true },
	{ KNOB_RO(pages_collapsed) },
	{ KNOB_RO(full_scans) },
};

/* The one that is a flag of all transparent huge pages. */
static ssize_t khugepaged_defrag_show(struct kobject *kobj,
				      struct kobj_attribute *attr, char *buf)
{
	return single_hugepage_flag_show(kobj, attr, buf,
					 TRANSPARENT_HUGEPAGE_DEFRAG_KHUGEPAGED_FLAG);
}

static ssize_t khugepaged_defrag_store(struct kobject *kobj,
				       struct kobj_attribute *attr,
				       const char *buf, size_t len)
{
	return single_hugepage_flag_store(kobj, attr, buf, len,
					  TRANSPARENT_HUGEPAGE_DEFRAG_KHUGEPAGED_FLAG);
}

static struct kobj_attribute khugepaged_defrag =
	__ATTR(defrag, 0644, khugepaged_defrag_show, khugepaged_defrag_store);

static struct attribute *khugepaged_attrs[] = {
	&khugepaged_defrag.attr,
	&khugepaged_knobs[0].attr.attr,
	&khugepaged_knobs[1].attr.attr,
	&khugepaged_knobs[2].attr.attr,
	&khugepaged_knobs[3].attr.attr,
	&khugepaged_knobs[4].attr.attr,
	&khugepaged_knobs[5].attr.attr,
	&khugepaged_knobs[6].attr.attr,
	&khugepaged_knobs[7].attr.attr,
	NULL,
};

static_assert(ARRAY_SIZE(khugepaged_attrs) == ARRAY_SIZE(khugepaged_knobs) + 2);

struct attribute_group khugepaged_attr_group = {
	.name	= "khugepaged",
	.attrs	= khugepaged_attrs,
};
#endif /* CONFIG_SYSFS */
