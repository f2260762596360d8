// SPDX-License-Identifier: GPL-2.0
/*
 * Underused: how many pages of a huge page may be all zeroes before it is better
 * split when memory is short.
 *
 * It is a limit of its own, not khugepaged's max_ptes_none: that one says how
 * much memory a huge page may cost when there is plenty, this one what is worth
 * having back when there is not.  What keeps the two from undoing each other is
 * what a split leaves behind: shared zero pages, which a process that never
 * touched the range does not have.  khugepaged leaves ranges alone that have more
 * of them than the limit here, until the process has written to some.
 *
 * Knows numbers only.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/limits.h>

#include "policy.h"

/* Some architectures learn at boot how large a PMD is. */
#define UNDERUSED_DEFAULT	UINT_MAX

static unsigned int underused_limit = UNDERUSED_DEFAULT;
static bool underused_enabled = true;

/**
 * thp_underused_limit() - how many pages of zeroes are still no reason to split?
 * @order: order of the folio, at most that of a PMD
 *
 * Context: any.
 * Return: pages of a folio of that order.
 */
unsigned int thp_underused_limit(unsigned int order)
{
	unsigned int limit = READ_ONCE(underused_limit);

	/* Four of five: a split gives back most of the memory. */
	if (limit == UNDERUSED_DEFAULT)
		limit = HPAGE_PMD_NR * 4 / 5;
	return limit >> (HPAGE_PMD_ORDER - order);
}

/**
 * thp_set_underused_limit() - change the limit
 * @nr: pages of zeroes in a folio of the size of a PMD
 *
 * Context: any.
 * Return: 0; -EINVAL: a folio does not have more pages than that.
 */
int thp_set_underused_limit(unsigned long nr)
{
	if (nr >= HPAGE_PMD_NR)
		return -EINVAL;
	WRITE_ONCE(underused_limit, nr);
	return 0;
}

/**
 * thp_underused_enabled() - are new folios queued to be looked at later?
 *
 * Context: any.
 * Return: what thp_set_underused_enabled() said; at first: yes.
 */
bool thp_underused_enabled(void)
{
	return READ_ONCE(underused_enabled);
}

/**
 * thp_set_underused_enabled() - queue new folios, or do not
 * @enabled: which of both
 *
 * What is in the queue stays there.
 *
 * Context: any.
 */
void thp_set_underused_enabled(bool enabled)
{
	WRITE_ONCE(underused_enabled, enabled);
}
