/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What khugepaged_anon and khugepaged_orders share: two windows of anonymous
 * memory, and what is mapped at each page of them.
 */
#ifndef KHUGEPAGED_ANON_H
#define KHUGEPAGED_ANON_H

#include "khugepaged_test.h"

#define NP		512L		/* pages in a window */
#define WINDOWS		2L
#define ALL		(NP * WINDOWS)
#define SEED		7
#define KPF_ZERO_PAGE	24
#define LIMIT_ALL	511

/* What is mapped at each page of the two windows. */
struct layout {
	signed char	order[ALL];	/* of its folio; -1: nothing */
	uint64_t	pfn[ALL];
	long		resident;	/* without the zero page */
};

/* Settings are as before when the test ends. */
static struct thp_settings saved;
static pid_t saved_by;

static void restore(void)
{
	if (getpid() == saved_by)
		thp_write_settings(&saved);
}

__attribute__((constructor)) static void save(void)
{
	if (geteuid() || !thp_is_enabled())
		ksft_exit_skip("needs root and huge pages\n");
	thp_read_settings(&saved);
	saved_by = getpid();
	atexit(restore);
}

static inline size_t size(long n)
{
	return n * psize();
}

/* Only for memory that asks for it, so that all results are ours. */
static inline void enable(unsigned long orders)
{
	for (int order = 2; order <= 9; order++)
		khp_set_order(order, "enabled",
			      orders >> order & 1 ? "madvise" : "never");
}

static inline long stat_of(int order, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "hugepages-%ukB/stats/%s",
		 (psize() >> 10) << order, name);
	return thp_read_num(path);
}

static inline long limit_of(long max, int order)
{
	return max >> (9 - order);
}

/* Small pages, whatever is enabled now. */
static inline void touch_small(char *p, unsigned long orders, long from, long n)
{
	enable(0);
	for (long i = from; i < from + n; i++)
		khp_fill_page(p, SEED, i);
	enable(orders);
}

static inline void look(const char *p, struct layout *l)
{
	uint64_t entry, flags, last = 0;

	memset(l, 0, sizeof(*l));
	for (long i = 0; i < ALL; i++) {
		entry = khp_pagemap(p + size(i));
		l->order[i] = -1;
		if (!(entry & PM_PRESENT))
			continue;
		l->pfn[i] = PAGEMAP_PFN(entry);
		flags = khp_kpageflags(l->pfn[i]);
		if (flags & BIT_ULL(KPF_ZERO_PAGE))
			continue;
		l->resident++;
		/* Behind a page of the same folio there is nothing to ask. */
		if (i && l->order[i - 1] > 0 && l->pfn[i] == last + 1 &&
		    flags & BIT_ULL(KPF_COMPOUND_TAIL))
			l->order[i] = l->order[i - 1];
		else
			l->order[i] = khp_order_at(p + size(i));
		last = l->pfn[i];
	}
}

/* Is the range one folio of just this order, in place? */
static inline bool whole(const struct layout *l, long from, int order)
{
	for (long i = 0; i < 1L << order; i++) {
		if (l->order[from + i] != order ||
		    l->pfn[from + i] != l->pfn[from] + i)
			return false;
	}
	return !(l->pfn[from] & ((1UL << order) - 1));
}

static inline bool same_orders(const struct layout *a, const struct layout *b)
{
	return !memcmp(a->order, b->order, sizeof(a->order)) &&
	       a->resident == b->resident;
}

static inline bool same_pages(const struct layout *a, const struct layout *b)
{
	return same_orders(a, b) && !memcmp(a->pfn, b->pfn, sizeof(a->pfn));
}

/* Two windows that may have folios of these orders; nothing is there yet. */
static inline char *memory(unsigned long orders)
{
	char *p = khp_reserve(size(ALL));

	khp_all_off();
	enable(orders);
	if (!p || mprotect(p, size(ALL), PROT_READ | PROT_WRITE) ||
	    madvise(p, size(ALL), MADV_HUGEPAGE))
		return NULL;
	return p;
}

#endif /* KHUGEPAGED_ANON_H */
