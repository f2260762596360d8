/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What callers of <linux/hugetlb.h> get in a kernel without hugetlb.
 *
 * Included by that header only.  A function that can be reached answers that
 * there is no such page; one that only a hugetlb mapping can reach says BUG(),
 * so that the compiler drops the call together with the branch around it.
 */
#ifndef _LINUX_HUGETLB_OFF_H
#define _LINUX_HUGETLB_OFF_H

struct hstate { };

/* ---- page sizes, files ---- */

static inline bool is_file_hugepages(const struct file *file) { return false; }

static inline struct file *
hugetlb_file_setup(const char *name, size_t size, vm_flags_t acct,
		   int creat_flags, int page_size_log)
{
	return ERR_PTR(-ENOSYS);
}

static inline struct hstate *hstate_inode(struct inode *inode) { return NULL; }
static inline struct hstate *hstate_file(struct file *file) { return NULL; }
static inline struct hstate *hstate_vma(struct vm_area_struct *vma)
{
	return NULL;
}

static inline struct hstate *folio_hstate(struct folio *folio) { return NULL; }
static inline struct hstate *size_to_hstate(unsigned long size) { return NULL; }
static inline struct hstate *hstate_sizelog(int size_log) { return NULL; }
static inline int hstate_index(const struct hstate *h) { return 0; }
static inline unsigned int hstate_index_to_shift(unsigned int index)
{
	return 0;
}

static inline unsigned int huge_page_order(const struct hstate *h) { return 0; }
static inline unsigned int huge_page_shift(const struct hstate *h)
{
	return PAGE_SHIFT;
}

static inline unsigned long huge_page_size(const struct hstate *h)
{
	return PAGE_SIZE;
}

static inline unsigned long huge_page_mask(const struct hstate *h)
{
	return PAGE_MASK;
}

static inline unsigned int pages_per_huge_page(const struct hstate *h)
{
	return 1;
}

static inline bool hstate_is_gigantic(const struct hstate *h) { return false; }

static inline unsigned long vma_kernel_pagesize(struct vm_area_struct *vma)
{
	return PAGE_SIZE;
}

static inline unsigned long vma_mmu_pagesize(struct vm_area_struct *vma)
{
	return PAGE_SIZE;
}

static inline int prepare_hugepage_range(struct file *file, unsigned long addr,
					 unsigned long len)
{
	return -EINVAL;
}

static inline int is_hugepage_only_range(struct mm_struct *mm,
					 unsigned long addr, unsigned long len)
{
	return 0;
}

static inline struct folio *
filemap_lock_hugetlb_folio(struct hstate *h, struct address_space *mapping,
			   pgoff_t hindex)
{
	return NULL;
}

/* ---- folio state ---- */

#define HUGETLB_FOLIO_FLAG_OFF(name)					\
static inline bool							\
folio_test_hugetlb_##name(struct folio *folio) { return false; }	\
static inline void							\
folio_set_hugetlb_##name(struct folio *folio) { }			\
static inline void							\
folio_clear_hugetlb_##name(struct folio *folio) { }

HUGETLB_FOLIO_FLAG_OFF(restore_reserve)
HUGETLB_FOLIO_FLAG_OFF(migratable)
HUGETLB_FOLIO_FLAG_OFF(temporary)
HUGETLB_FOLIO_FLAG_OFF(freed)
HUGETLB_FOLIO_FLAG_OFF(vmemmap_optimized)
HUGETLB_FOLIO_FLAG_OFF(raw_hwp_unreliable)
#undef HUGETLB_FOLIO_FLAG_OFF

static inline struct hugetlb_quota *hugetlb_folio_subpool(struct folio *folio)
{
	return NULL;
}

/* ---- pool ---- */

static inline int isolate_or_dissolve_huge_page(struct page *page,
						struct list_head *list)
{
	return -ENOMEM;
}

static inline int dissolve_free_hugetlb_folio(struct folio *folio) { return 0; }
static inline int dissolve_free_hugetlb_folios(unsigned long start_pfn,
					       unsigned long end_pfn)
{
	return 0;
}

static inline void wait_for_freed_hugetlb_folios(void) { }

static inline bool isolate_hugetlb(struct folio *folio, struct list_head *list)
{
	return false;
}

static inline void folio_putback_active_hugetlb(struct folio *folio) { }

static inline int get_hwpoison_hugetlb_folio(struct folio *folio, bool *hugetlb,
					     bool unpoison)
{
	return 0;
}

static inline void hugetlb_register_node(struct node *node) { }
static inline void hugetlb_unregister_node(struct node *node) { }
static inline void hugetlb_bootmem_struct_page_init(void) { }

static inline unsigned long hugetlb_total_pages(void) { return 0; }
static inline void hugetlb_report_meminfo(struct seq_file *m) { }
static inline int hugetlb_report_node_meminfo(char *buf, int len, int nid)
{
	return 0;
}

static inline void hugetlb_show_meminfo_node(int nid) { }
static inline void hugetlb_report_usage(struct seq_file *m,
					struct mm_struct *mm) { }

/* ---- allocation ---- */

static inline struct folio *
alloc_hugetlb_folio_nodemask(struct hstate *h, int preferred_nid,
			     nodemask_t *nmask, gfp_t gfp_mask,
			     bool allow_alloc_fallback)
{
	return NULL;
}

static inline struct folio *
alloc_hugetlb_folio_reserve(struct hstate *h, int preferred_nid,
			    nodemask_t *nmask, gfp_t gfp_mask)
{
	return NULL;
}

static inline void move_hugetlb_state(struct folio *old_folio,
				      struct folio *new_folio, int reason) { }

static inline bool hugepage_migration_supported(struct hstate *h)
{
	return false;
}

static inline bool hugepage_movable_supported(struct hstate *h)
{
	return false;
}

static inline gfp_t htlb_alloc_mask(struct hstate *h) { return 0; }
static inline gfp_t htlb_modify_alloc_mask(struct hstate *h, gfp_t gfp_mask)
{
	return 0;
}

static inline bool htlb_allow_alloc_fallback(int reason) { return false; }

/* ---- page tables ---- */

pte_t huge_ptep_get(struct mm_struct *mm, unsigned long addr, pte_t *ptep);

static inline pte_t *huge_pte_offset(struct mm_struct *mm, unsigned long addr,
				     unsigned long sz)
{
	return NULL;
}

#ifdef CONFIG_MMU
static inline pte_t huge_ptep_clear_flush(struct vm_area_struct *vma,
					  unsigned long addr, pte_t *ptep)
{
	return ptep_get(ptep);
}
#else
static inline pte_t huge_ptep_clear_flush(struct vm_area_struct *vma,
					  unsigned long addr, pte_t *ptep)
{
	return *ptep;
}
#endif

static inline void set_huge_pte_at(struct mm_struct *mm, unsigned long addr,
				   pte_t *ptep, pte_t pte, unsigned long sz) { }

static inline spinlock_t *huge_pte_lockptr(struct hstate *h,
					   struct mm_struct *mm, pte_t *pte)
{
	return &mm->page_table_lock;
}

static inline void hugetlb_count_init(struct mm_struct *mm) { }
static inline void hugetlb_count_sub(long nr, struct mm_struct *mm) { }

static inline vm_fault_t hugetlb_fault(struct mm_struct *mm,
				       struct vm_area_struct *vma,
				       unsigned long address,
				       unsigned int flags)
{
	BUG();
	return 0;
}

static inline int copy_hugetlb_page_range(struct mm_struct *dst,
					  struct mm_struct *src,
					  struct vm_area_struct *dst_vma,
					  struct vm_area_struct *src_vma)
{
	BUG();
	return 0;
}

static inline int move_hugetlb_page_tables(struct vm_area_struct *vma,
					   struct vm_area_struct *new_vma,
					   unsigned long old_addr,
					   unsigned long new_addr,
					   unsigned long len)
{
	BUG();
	return 0;
}

static inline void __unmap_hugepage_range(struct mmu_gather *tlb,
					  struct vm_area_struct *vma,
					  unsigned long start,
					  unsigned long end,
					  struct page *ref_page,
					  zap_flags_t zap_flags)
{
	BUG();
}

#ifdef CONFIG_USERFAULTFD
static inline int hugetlb_mfill_atomic_pte(pte_t *dst_pte,
					   struct vm_area_struct *dst_vma,
					   unsigned long dst_addr,
					   unsigned long src_addr,
					   uffd_flags_t flags,
					   struct folio **foliop)
{
	BUG();
	return 0;
}
#endif

static inline void hugetlb_free_pgd_range(struct mmu_gather *tlb,
					  unsigned long addr, unsigned long end,
					  unsigned long floor,
					  unsigned long ceiling)
{
	BUG();
}

static inline long hugetlb_change_protection(struct vm_area_struct *vma,
					     unsigned long address,
					     unsigned long end,
					     pgprot_t newprot,
					     unsigned long cp_flags)
{
	return 0;
}

static inline void hugetlb_zap_begin(struct vm_area_struct *vma,
				     unsigned long *start,
				     unsigned long *end) { }
static inline void hugetlb_zap_end(struct vm_area_struct *vma,
				   struct zap_details *details) { }

static inline bool hugetlbfs_pagecache_present(struct hstate *h,
					       struct vm_area_struct *vma,
					       unsigned long address)
{
	return false;
}

/* ---- VMA state and PMD sharing ---- */

static inline void hugetlb_dup_vma_private(struct vm_area_struct *vma) { }
static inline void clear_vma_resv_huge_pages(struct vm_area_struct *vma) { }
static inline void hugetlb_split(struct vm_area_struct *vma,
				 unsigned long addr) { }
static inline void hugetlb_vma_lock_read(struct vm_area_struct *vma) { }
static inline void hugetlb_vma_unlock_read(struct vm_area_struct *vma) { }
static inline void hugetlb_vma_lock_write(struct vm_area_struct *vma) { }
static inline void hugetlb_vma_unlock_write(struct vm_area_struct *vma) { }
static inline void hugetlb_vma_assert_locked(struct vm_area_struct *vma) { }
static inline int hugetlb_vma_trylock_write(struct vm_area_struct *vma)
{
	return 1;
}

static inline struct address_space *
hugetlb_folio_mapping_lock_write(struct folio *folio)
{
	return NULL;
}

static inline int huge_pmd_unshare(struct mmu_gather *tlb,
				   struct vm_area_struct *vma,
				   unsigned long addr, pte_t *ptep)
{
	return 0;
}

static inline void huge_pmd_unshare_flush(struct mmu_gather *tlb,
					  struct vm_area_struct *vma) { }
static inline void hugetlb_unshare_all_pmds(struct vm_area_struct *vma) { }
static inline void
adjust_range_if_pmd_sharing_possible(struct vm_area_struct *vma,
				     unsigned long *start,
				     unsigned long *end) { }

#endif /* _LINUX_HUGETLB_OFF_H */
