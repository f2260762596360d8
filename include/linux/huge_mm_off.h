/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What callers of <linux/huge_mm.h> get in a kernel without transparent huge
 * pages: no entry is huge, no folio can be taken apart, no order is allowed.
 *
 * Included by that header only.
 */
#ifndef _LINUX_HUGE_MM_OFF_H
#define _LINUX_HUGE_MM_OFF_H

/* ---- policy ---- */

static inline int highest_order(unsigned long orders) { return 0; }
static inline int next_order(unsigned long *orders, int prev) { return 0; }

static inline unsigned long
thp_vma_allowable_orders(struct vm_area_struct *vma, unsigned long vm_flags,
			 unsigned long tva_flags, unsigned long orders)
{
	return 0;
}

static inline unsigned long
thp_vma_suitable_orders(struct vm_area_struct *vma, unsigned long addr,
			unsigned long orders)
{
	return 0;
}

static inline bool thp_vma_suitable_order(struct vm_area_struct *vma,
					  unsigned long addr, int order)
{
	return false;
}

/* A file operation: without it mmap() looks for addresses itself. */
#define thp_get_unmapped_area	NULL

static inline unsigned long
thp_get_unmapped_area_vmflags(struct file *filp, unsigned long addr,
			      unsigned long len, unsigned long pgoff,
			      unsigned long flags, vm_flags_t vm_flags)
{
	return 0;
}

/* ---- map ---- */

static inline int is_swap_pmd(pmd_t pmd) { return 0; }
static inline bool is_huge_zero_pmd(pmd_t pmd) { return false; }
static inline bool thp_migration_supported(void) { return false; }
static inline void mm_put_huge_zero_folio(struct mm_struct *mm) { }

static inline bool is_huge_zero_folio(const struct folio *folio)
{
	return false;
}

static inline spinlock_t *pmd_trans_huge_lock(pmd_t *pmd,
					      struct vm_area_struct *vma)
{
	return NULL;
}

static inline spinlock_t *pud_trans_huge_lock(pud_t *pud,
					      struct vm_area_struct *vma)
{
	return NULL;
}

static inline vm_fault_t do_huge_pmd_numa_page(struct vm_fault *vmf)
{
	return 0;
}

static inline struct folio *thp_alloc_anon_folio(struct vm_fault *vmf)
{
	return NULL;
}

static inline struct page *
follow_devmap_pmd(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd,
		  int flags, struct dev_pagemap **pgmap)
{
	return NULL;
}

static inline bool
unmap_huge_pmd_locked(struct vm_area_struct *vma, unsigned long addr,
		      pmd_t *pmdp, struct folio *folio)
{
	return false;
}

#define split_huge_pmd(_vma, _pmd, _address)	do { } while (0)
#define split_huge_pud(_vma, _pud, _address)	do { } while (0)

static inline void
__split_huge_pmd(struct vm_area_struct *vma, pmd_t *pmd, unsigned long address,
		 bool freeze, struct folio *folio)
{
}

static inline void
split_huge_pmd_address(struct vm_area_struct *vma, unsigned long address,
		       bool freeze, struct folio *folio)
{
}

static inline void
split_huge_pmd_locked(struct vm_area_struct *vma, unsigned long address,
		      pmd_t *pmd, bool freeze, struct folio *folio)
{
}

static inline void
vma_adjust_trans_huge(struct vm_area_struct *vma, unsigned long start,
		      unsigned long end, long adjust_next)
{
}

/* ---- folio: the page cache may have large ones; nobody maps them ---- */

static inline bool folio_test_pmd_mappable(struct folio *folio)
{
	return false;
}

static inline bool can_split_folio(struct folio *folio, int caller_pins,
				   int *pextra_pins)
{
	return false;
}

static inline int min_order_for_split(struct folio *folio)
{
	VM_WARN_ON_ONCE_FOLIO(1, folio);
	return -EINVAL;
}

static inline int split_huge_page(struct page *page) { return 0; }

static inline int
split_huge_page_to_list_to_order(struct page *page, struct list_head *list,
				 unsigned int new_order)
{
	return 0;
}

static inline int split_folio_to_list(struct folio *folio,
				      struct list_head *list)
{
	return 0;
}

static inline void deferred_split_folio(struct folio *folio,
					bool partially_mapped)
{
}

/* ---- khugepaged ---- */

static inline int hugepage_madvise(struct vm_area_struct *vma,
				   unsigned long *vm_flags, int advice)
{
	return -EINVAL;
}

static inline int madvise_collapse(struct vm_area_struct *vma,
				   struct vm_area_struct **prev,
				   unsigned long start, unsigned long end)
{
	return -EINVAL;
}

#endif /* _LINUX_HUGE_MM_OFF_H */
