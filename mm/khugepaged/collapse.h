/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Collapse: many small pages become one large folio.
 *
 * The unit of scanning is a window: the memory that one page table maps, as
 * large as a PMD maps.  The unit of collapsing is a range in it, naturally
 * aligned, of any order that is enabled.  One struct collapse carries an
 * attempt from stage to stage:
 *
 *	scan		mmap_lock held for reading throughout (anonymous
 *			memory), no locks (files).  Fills the map.
 *	candidates	no locks; pure.  Map and limits say which range is next.
 *	prepare		no locks; sleeps.  A folio, charged.
 *	collapse	no locks; takes and drops mmap_lock, reading to swap in,
 *			writing to replace the entries.  Copies, installs; or
 *			leaves everything as it was.
 *
 * Every stage returns with the locks it was called with.  Between stages the
 * address space may change, so whoever takes mmap_lock again looks up the VMA
 * again, and collapsing counts again what scanning counted before.
 */
#ifndef _MM_KHUGEPAGED_COLLAPSE_H
#define _MM_KHUGEPAGED_COLLAPSE_H

#include <linux/bitmap.h>
#include <linux/nodemask.h>
#include <linux/pgtable.h>
#include <linux/types.h>

#include "candidates.h"
#include "result.h"

struct file;
struct folio;
struct mm_struct;
struct vm_area_struct;

/*
 * One attempt at one window.  Lives in the thread, or for the time of one
 * madvise(MADV_COLLAPSE); its owner is the only one to use it.
 */
struct collapse {
	struct mm_struct	*mm;
	/* valid only while mmap_lock is held; who takes the lock sets it */
	struct vm_area_struct	*vma;
	/* NULL: anonymous memory.  Else the caller holds a reference. */
	struct file		*file;
	/* limits of khugepaged; NULL: MADV_COLLAPSE, nothing is too much */
	const struct collapse_limits *limits;

	unsigned long		window;	/* first address, aligned to a PMD */
	unsigned long		start, end; /* part of the window inside the VMA */
	pgoff_t			pgoff;	/* of @window in @file, base pages */
	unsigned long		orders;	/* enabled and allowed for the VMA */
	unsigned long		bounded; /* of these, not beyond the end of @file */

	/* ---- found by the scan ---- */
	struct collapse_map	map;
	enum scan_result	blocked_by; /* of the first page that blocks */
	unsigned int		referenced, none_or_zero, swapped;
	bool			writable;
	unsigned long		scan_pfn; /* last page looked at, for tracing */
	u32			node_load[MAX_NUMNODES];
	u16			slot_node[MAX_PTRS_PER_PTE]; /* anonymous, present */
	nodemask_t		alloc_nmask;

	/* ---- what became of the window so far ---- */
	unsigned int		collapsed; /* ranges */
	enum scan_result	failed;	/* last range given up; none: SUCCEED */
	bool			memory_short; /* for a range of some order */

	/* ---- the range being tried ---- */
	struct collapse_candidates candidates;
	unsigned int		offset;	/* in base pages from @window */
	unsigned int		order;
	struct folio		*folio;	/* from prepare until it is installed */
	union {
		/* entries of the range while they are out of the page table */
		pte_t		saved[MAX_PTRS_PER_PTE];
		/* folios of the range of a file that are locked */
		struct folio	*gathered[MAX_PTRS_PER_PTE];
	};
};

static inline unsigned long collapse_address(const struct collapse *c)
{
	return c->window + ((unsigned long)c->offset << PAGE_SHIFT);
}

static inline unsigned int collapse_nr(const struct collapse *c)
{
	return 1U << c->order;
}

static inline bool collapse_is_khugepaged(const struct collapse *c)
{
	return c->limits;
}

/* ---- knobs.c: what an administrator may change; READ_ONCE() ---- */
extern unsigned int khugepaged_pages_to_scan;
extern unsigned int khugepaged_scan_sleep_millisecs;
extern unsigned int khugepaged_alloc_sleep_millisecs;
extern unsigned int khugepaged_pages_collapsed;
extern unsigned int khugepaged_full_scans;
void khugepaged_get_limits(struct collapse_limits *limits);
void knobs_init(void);

/* ---- stats.c: every outcome and every limit, counted in one place ---- */
void collapse_count_result(enum scan_result result);
void collapse_count_exceeded(enum scan_result result, unsigned int order);

/* ---- registry.c: which address spaces to look at ---- */
struct mm_struct *registry_current(unsigned long *address);
void registry_leave(struct mm_struct *mm, unsigned long address, bool finished);
bool registry_empty(void);
bool registry_at_head(void);
void registry_drop_cursor(void);
int registry_init(void);
void registry_destroy(void);

/* ---- thread.c ---- */
unsigned long khugepaged_orders(void);
void khugepaged_wake(void);

/*
 * ---- scan.c: one address space from the cursor on ----
 *
 * The trace events of a scan, mm_khugepaged_scan_pmd and _file, and the counters
 * of results and of limits are scan.c's, when the attempt is over; not those of
 * who scans or collapses.
 */
unsigned int khugepaged_scan_mm(struct collapse *c, unsigned int budget,
				enum scan_result *result);
unsigned long collapse_fitting_orders(struct vm_area_struct *vma,
				      unsigned long orders);
void collapse_window_start(struct collapse *c, struct vm_area_struct *vma,
			   unsigned long window, unsigned long orders);
bool collapse_window_scan(struct collapse *c);
enum scan_result collapse_window(struct collapse *c);

/* ---- check.c: may this page be collapsed, and what does it count as? ---- */
enum collapse_slot {
	SLOT_EMPTY,		/* nothing, or the zero page */
	SLOT_SWAPPED,
	SLOT_PRESENT,
	SLOT_BLOCKS,		/* nothing that holds it can be collapsed */
};

enum collapse_slot collapse_check_pte(const struct collapse *c,
				      unsigned long address, pte_t pte,
				      enum scan_result *why);
bool collapse_pte_empty(pte_t pte);
bool collapse_pte_filled(const struct collapse *c, pte_t *ptep, pte_t pte);
bool collapse_page_is_zero(struct page *page);
bool collapse_page_young(const struct collapse *c, unsigned long address,
			 pte_t pte);
bool collapse_refs_suitable(const struct folio *folio, int extra);

/* ---- scan_anon.c, scan_file.c ---- */
enum scan_result hpage_collapse_scan_pmd(struct collapse *c);
enum scan_result hpage_collapse_scan_file(struct collapse *c);

/* ---- prepare.c ---- */
bool collapse_node_too_far(struct collapse *c, int nid);
enum scan_result collapse_prepare(struct collapse *c);
void collapse_unprepare(struct collapse *c);
bool collapse_mm_is_gone(struct mm_struct *mm);
enum scan_result collapse_revalidate(struct collapse *c);
enum scan_result collapse_find_pmd(struct mm_struct *mm, unsigned long address,
				   pmd_t **pmd);
enum scan_result collapse_swap_in(struct collapse *c);

/* ---- collapse_anon.c, collapse_file.c ---- */
enum scan_result collapse_anon(struct collapse *c);
enum scan_result collapse_file(struct collapse *c);

/* ---- map_file.c: what MADV_COLLAPSE made of a range of a file ---- */
void collapse_map_range(struct collapse *c);

/* ---- retract.c: page tables over a file that became huge ---- */
void collapse_retract_page_tables(struct address_space *mapping, pgoff_t pgoff);
enum scan_result collapse_map_huge(struct mm_struct *mm, unsigned long address,
				   bool install_pmd);

#endif /* _MM_KHUGEPAGED_COLLAPSE_H */
