/* SPDX-License-Identifier: GPL-2.0 */
/* What mm/thp/policy/policy.h needs to be read; the rest is not called. */
#ifndef HUGEPAGE_SHIM_HUGE_MM_H
#define HUGEPAGE_SHIM_HUGE_MM_H

#include <linux/types.h>

#define PAGE_SHIFT	12
#define PAGE_SIZE	(1UL << PAGE_SHIFT)

struct thp_order_rule {
	const char	*word;
	unsigned long	*orders;
};

int thp_parse_order_rules(const char *s, unsigned long supported,
			  const struct thp_order_rule *rules, unsigned int nr);

enum transparent_hugepage_flag { TRANSPARENT_HUGEPAGE_USE_ZERO_PAGE_FLAG };

static inline bool thp_flag(enum transparent_hugepage_flag flag)
{
	return false;
}

#endif
