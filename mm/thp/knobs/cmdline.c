// SPDX-License-Identifier: GPL-2.0
/*
 * Command line: transparent_hugepage= thp_anon=
 *
 * A parameter is taken as a whole or reported and ignored as a whole.  What is
 * written in it is for ../policy/rules.c to understand; mm/shmem.c has
 * parameters of the same grammar.
 * No locks: boot has one thread.
 */
#define pr_fmt(fmt) "huge_memory: " fmt

#include <linux/init.h>
#include <linux/printk.h>
#include <linux/string.h>
#include "knobs.h"

static bool thp_anon_named __initdata;

static int __init thp_cmdline_enabled(char *s)
{
	const struct thp_choices *choices = &thp_enabled_choices;
	int i = match_string(choices->words, choices->nr, s);

	if (i < 0) {
		pr_warn("transparent_hugepage= cannot parse, ignored\n");
		return 0;
	}
	thp_choose(choices, i);
	return 1;
}
__setup("transparent_hugepage=", thp_cmdline_enabled);

static int __init thp_cmdline_anon(char *s)
{
	if (thp_parse_order_rules(s, THP_ORDERS_ALL_ANON, thp_anon_rules,
				  THP_ANON_RULES)) {
		pr_warn("thp_anon=%s: error parsing string, ignoring setting\n",
			s);
		return 0;
	}
	thp_anon_named = true;
	return 1;
}
__setup("thp_anon=", thp_cmdline_anon);

/**
 * thp_cmdline_finish() - what holds for sizes that nobody named
 *
 * Folios of a PMD do as the knob for all sizes says, unless thp_anon= named
 * any size; others are off.
 *
 * Context: boot.
 */
void __init thp_cmdline_finish(void)
{
	if (!thp_anon_named)
		thp_set_anon_rule(BIT(PMD_ORDER), THP_ANON_INHERIT);
}
