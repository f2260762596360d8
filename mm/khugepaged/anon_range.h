/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A range of anonymous memory on its way into one folio.
 *
 *	take		every folio is off the LRU and locked, no entry is left,
 *			nobody else can get at the memory; or nothing changed
 *	retire		the old folios are no longer mapped here
 *	put_back	instead of retire: the entries are what they were
 *	release		after either: lets go of the folios
 *
 * Only take can fail.
 */
#ifndef _MM_KHUGEPAGED_ANON_RANGE_H
#define _MM_KHUGEPAGED_ANON_RANGE_H

#include <linux/bitmap.h>
#include <linux/list.h>
#include <linux/pgtable.h>
#include <linux/spinlock.h>

#include "collapse.h"

/**
 * struct anon_range - what an attempt holds of a range of anonymous memory
 * @c: whose attempt it is; its saved[] has the entries while they are out
 * @pmd: position of the page table
 * @table: the page table, for the time it is not at @pmd; or none
 * @ptep: the first entry, while it is mapped
 * @ptl: protects the entries
 * @folios: what the entries map; off the LRU, locked, a reference to each
 * @last: the one that was added last
 * @nr_empty: entries that stood for zeroes without memory
 * @nr_filled: pages that only a collapse before this one needed
 * @nr_shared: pages that others map, too
 * @nr_young: pages in use lately, without filled ones
 * @writable: whether the program can write to any of them
 * @filled: where there are zeroes that the program did not ask for
 *
 * The owner of the attempt is the only one to use it.
 */
struct anon_range {
	struct collapse		*c;
	pmd_t			*pmd;
	pmd_t			table;
	pte_t			*ptep;
	spinlock_t		*ptl;
	struct list_head	folios;
	struct folio		*last;
	unsigned int		nr_empty;
	unsigned int		nr_filled;
	unsigned int		nr_shared;
	unsigned int		nr_young;
	bool			writable;
	DECLARE_BITMAP(filled, MAX_PTRS_PER_PTE);
};

/* The page table cannot stay when one PMD is to map the range. */
static inline bool anon_range_is_window(const struct anon_range *range)
{
	return range->c->order == PMD_ORDER;
}

static inline unsigned long anon_range_address(const struct anon_range *range,
					       unsigned int i)
{
	return collapse_address(range->c) + ((unsigned long)i << PAGE_SHIFT);
}

/* ---- isolate_anon.c ---- */
enum scan_result anon_range_take(struct anon_range *range);
void anon_range_retire(struct anon_range *range);
void anon_range_put_back(struct anon_range *range);
void anon_range_release(struct anon_range *range);

#endif /* _MM_KHUGEPAGED_ANON_RANGE_H */
