/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Knobs: how users see pools and change them.
 *
 * Parsing and printing are here and nowhere else; what a change means is the
 * pool's business.
 */
#ifndef MM_HUGETLB_KNOBS_H
#define MM_HUGETLB_KNOBS_H

#include "../pool/pool.h"
#include "../reserve/reserve.h"

/* ---- cmdline.c: hugepagesz= hugepages= default_hugepagesz= ---- */

void __init hugetlb_cmdline_finish(void);
void __init hugetlb_cmdline_discard(void);

/* Which size hugepages= speaks of, where it is not the order of a size. */
#define CMDLINE_UNNAMED	(-1)	/* no size was named yet: the default one */
#define CMDLINE_NOBODY	(-2)	/* the last parameter that named one is void */

/**
 * struct cmdline_rules - what may still be said about which size
 * @current_order: what hugepages= speaks of
 * @default_order: chosen by default_hugepagesz=, or CMDLINE_UNNAMED
 * @named: bit mask of orders: chosen by hugepagesz=
 * @counted: bit mask of orders: a hugepages= was accepted
 * @implicit: a hugepages= was accepted for CMDLINE_UNNAMED
 */
struct cmdline_rules {
	int	current_order;
	int	default_order;
	u64	named;
	u64	counted;
	bool	implicit;
};

#if IS_ENABLED(CONFIG_KUNIT)
int __init cmdline_rule_size(struct cmdline_rules *rules, int order);
int __init cmdline_rule_default(struct cmdline_rules *rules, int order);
int __init cmdline_rule_count(struct cmdline_rules *rules);
bool __init cmdline_rule_settle(struct cmdline_rules *rules, int order);
#endif

/* ---- report.c: numbers for people ---- */

/**
 * struct knob_numbers - a pool, or its part on one node, at one moment
 * @total: every page
 * @free: of them, on a free list
 * @reserved: promised; of the whole pool also when a node was asked for
 * @surplus: beyond the persistent size
 * @overcommit: most surplus wanted; of the whole pool
 * @persistent: what the user asked for, as far as it was reached; of the whole
 *	pool
 * @demote_kb: what pages are split into, in KiB; of the whole pool
 */
struct knob_numbers {
	unsigned long	total;
	unsigned long	free;
	unsigned long	reserved;
	unsigned long	surplus;
	unsigned long	overcommit;
	unsigned long	persistent;
	unsigned long	demote_kb;
};

void knob_read(const struct hugetlb_pool *pool, int nid,
	       struct knob_numbers *numbers);

/* ---- change.c: what writing a number to a knob does ---- */

int knob_parse_count(const char *text, unsigned long *n);
int knob_parse_size(const char *text, unsigned long *bytes);

/* 0 or -errno; @nid is NUMA_NO_NODE for the whole pool. */
typedef int knob_write(struct hugetlb_pool *pool, int nid, unsigned long n);

knob_write knob_resize, knob_resize_mempolicy, knob_overcommit, knob_demote,
	   knob_demote_size;

/* ---- sysfs.c ---- */

void __init hugetlb_sysfs_init(void);

/* ---- sysctl.c ---- */

#ifdef CONFIG_SYSCTL
void __init hugetlb_sysctl_init(void);
#else
static inline void hugetlb_sysctl_init(void) { }
#endif

#endif /* MM_HUGETLB_KNOBS_H */
