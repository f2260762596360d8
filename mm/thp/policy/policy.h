/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Policy: which orders a mapping may use, and how hard to try for one.
 *
 * order.c is algebra on masks of orders and knows no mm; policy.c asks the
 * mapping, its file and the knobs; area.c finds aligned addresses.  Nothing
 * here looks into a page table.
 */
#ifndef MM_THP_POLICY_H
#define MM_THP_POLICY_H

#include <linux/huge_mm.h>
#include <linux/mm_types.h>
#include <linux/types.h>

#endif /* MM_THP_POLICY_H */
