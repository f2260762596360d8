// SPDX-License-Identifier: GPL-2.0
/*
 * Sysctl: vm.nr_hugepages and its like, for the default size.
 *
 * Numbers come from report.c, changes go to change.c.  No locks of its own.
 */
#include <linux/init.h>
#include <linux/sysctl.h>
#include "knobs.h"

/**
 * struct knob_sysctl - one row
 * @number: which field of struct knob_numbers a read shows
 * @write: what a write does
 */
struct knob_sysctl {
	size_t		number;
	knob_write	*write;
};

/*
 * sysctl allows for blanks and 0x, and drops what is not written at the start
 * of the file; its own parser therefore.  It stops at the end of the number:
 * what is left over makes the whole line void.
 */
static int knob_sysctl_handler(const struct ctl_table *table, int write,
			       void *buffer, size_t *length, loff_t *ppos)
{
	struct hugetlb_pool *pool = hugetlb_default_pool();
	const struct knob_sysctl *row = table->extra1;
	bool continued = *ppos != 0;
	size_t written = *length;
	struct knob_numbers numbers;
	unsigned long n, before;
	struct ctl_table number = {
		.procname	= table->procname,
		.data		= &n,
		.maxlen		= sizeof(n),
		.mode		= table->mode,
	};
	int err;

	knob_read(pool, NUMA_NO_NODE, &numbers);
	before = *(unsigned long *)((void *)&numbers + row->number);
	n = before;

	err = proc_doulongvec_minmax(&number, write, buffer, length, ppos);
	if (err || !write)
		return err;
	if (*length != written)
		return -EINVAL;
	if (continued && n == before)
		return 0;
	return row->write(pool, NUMA_NO_NODE, n);
}

#define KNOB_SYSCTL(_name, _field, _write)				\
	{								\
		.procname	= #_name,				\
		.mode		= 0644,					\
		.proc_handler	= knob_sysctl_handler,			\
		.extra1		= &(struct knob_sysctl) {		\
			.number	= offsetof(struct knob_numbers, _field), \
			.write	= _write,				\
		},							\
	}

static struct ctl_table knob_sysctls[] = {
	KNOB_SYSCTL(nr_hugepages, persistent, knob_resize),
	KNOB_SYSCTL(nr_overcommit_hugepages, overcommit, knob_overcommit),
#ifdef CONFIG_NUMA
	KNOB_SYSCTL(nr_hugepages_mempolicy, persistent, knob_resize_mempolicy),
#endif
};

/**
 * hugetlb_sysctl_init() - create the files
 *
 * Context: boot; the default size is known.
 */
void __init hugetlb_sysctl_init(void)
{
	register_sysctl_init("vm", knob_sysctls);
}
