/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Transparent huge pages: what the rest of the kernel may use.
 *
 * The rooms behind these names are mm/thp/; the picture is in
 * Documentation/mm/hugepage/thp.rst.  A kernel without them gets its answers
 * from huge_mm_off.h.
 */
#ifndef _LINUX_HUGE_MM_H
#define _LINUX_HUGE_MM_H

#include <linux/bits.h>
#include <linux/fs.h>		/* vma_is_dax() */
#include <linux/kobject.h>
#include <linux/mm_types.h>
#include <linux/sched/coredump.h>

/* ---- sizes ---- */

/*
 * The size of a leaf at each level; unknown where no level has leaves.  Numbers
 * of pages are signed: counters are changed by them in both directions.
 */
#ifdef CONFIG_PGTABLE_HAS_HUGE_LEAVES
#define HPAGE_PMD_SHIFT	PMD_SHIFT
#define HPAGE_PUD_SHIFT	PUD_SHIFT
#else
#define HPAGE_PMD_SHIFT	({ BUILD_BUG(); 0; })
#define HPAGE_PUD_SHIFT	({ BUILD_BUG(); 0; })
#endif

#define HPAGE_PMD_ORDER	(HPAGE_PMD_SHIFT - PAGE_SHIFT)
#define HPAGE_PMD_NR	((int)BIT(HPAGE_PMD_ORDER))
#define HPAGE_PMD_SIZE	BIT(HPAGE_PMD_SHIFT)
#define HPAGE_PMD_MASK	(~(HPAGE_PMD_SIZE - 1))

#define HPAGE_PUD_ORDER	(HPAGE_PUD_SHIFT - PAGE_SHIFT)
#define HPAGE_PUD_NR	((int)BIT(HPAGE_PUD_ORDER))
#define HPAGE_PUD_SIZE	BIT(HPAGE_PUD_SHIFT)
#define HPAGE_PUD_MASK	(~(HPAGE_PUD_SIZE - 1))

/*
 * Sets of orders are masks with bit N for order N.  Order 0 is not huge, and
 * a folio of two pages has no room for the list head of the deferred queue,
 * which anonymous folios need.
 */
#define THP_ORDERS_ALL_ANON		(BIT(PMD_ORDER + 1) - BIT(2))
/* DAX and mappings of device memory: no folio, so only what a table can map. */
#define THP_ORDERS_ALL_SPECIAL		(BIT(PMD_ORDER) | BIT(PUD_ORDER))
#define THP_ORDERS_ALL_FILE_DEFAULT	(BIT(MAX_PAGECACHE_ORDER + 1) - BIT(1))
#define THP_ORDERS_ALL							\
	(THP_ORDERS_ALL_ANON | THP_ORDERS_ALL_SPECIAL |			\
	 THP_ORDERS_ALL_FILE_DEFAULT)

/* Who asks which orders a VMA may have, for thp_vma_allowable_orders(). */
#define TVA_SMAPS		BIT(0)	/* /proc: would a fault get one? */
#define TVA_IN_PF		BIT(1)	/* a page fault */
#define TVA_ENFORCE_SYSFS	BIT(2)	/* somebody whom knobs restrict */

#define thp_vma_allowable_order(vma, vm_flags, tva_flags, order)	\
	(!!thp_vma_allowable_orders(vma, vm_flags, tva_flags, BIT(order)))

/* ---- knobs ---- */

/* Bits of transparent_hugepage_flags; a group of them makes up one knob. */
enum transparent_hugepage_flag {
	TRANSPARENT_HUGEPAGE_UNSUPPORTED,	/* the machine has none */
	TRANSPARENT_HUGEPAGE_FLAG,		/* enabled: always */
	TRANSPARENT_HUGEPAGE_REQ_MADV_FLAG,	/* enabled: madvise */
	TRANSPARENT_HUGEPAGE_DEFRAG_DIRECT_FLAG,	/* defrag: always */
	TRANSPARENT_HUGEPAGE_DEFRAG_KSWAPD_FLAG,	/* defrag: defer */
	TRANSPARENT_HUGEPAGE_DEFRAG_KSWAPD_OR_MADV_FLAG, /* defer+madvise */
	TRANSPARENT_HUGEPAGE_DEFRAG_REQ_MADV_FLAG,	/* defrag: madvise */
	TRANSPARENT_HUGEPAGE_DEFRAG_KHUGEPAGED_FLAG,	/* khugepaged/defrag */
	TRANSPARENT_HUGEPAGE_USE_ZERO_PAGE_FLAG,	/* use_zero_page */
};

ssize_t single_hugepage_flag_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf,
				  enum transparent_hugepage_flag flag);
ssize_t single_hugepage_flag_store(struct kobject *kobj,
				   struct kobj_attribute *attr,
				   const char *buf, size_t count,
				   enum transparent_hugepage_flag flag);

/**
 * struct thp_order_rule - a word of a knob, and the orders it holds for
 * @word: what users write, "always"
 * @orders: their set; NULL for the word that takes orders out of all sets
 *
 * A knob is a table of these; each order is in one set at most.
 */
struct thp_order_rule {
	const char	*word;
	unsigned long	*orders;
};

/* thp_anon= and its like; see mm/thp/policy/rules.c. */
int __init thp_parse_order_rules(const char *s, unsigned long supported,
				 const struct thp_order_rule *rules,
				 unsigned int nr);

/* Knobs of mm/shmem.c that lie in directories of ours. */
extern struct kobj_attribute shmem_enabled_attr;
extern struct kobj_attribute thpsize_shmem_enabled_attr;

/* The directory of one size, hugepages-<size>kB. */
struct thpsize {
	struct kobject		kobj;
	struct list_head	node;
	int			order;
};

#define to_thpsize(_kobj)	container_of(_kobj, struct thpsize, kobj)

/* ---- statistics of each size, hugepages-<size>kB/stats/ ---- */

enum mthp_stat_item {
	MTHP_STAT_ANON_FAULT_ALLOC,
	MTHP_STAT_ANON_FAULT_FALLBACK,
	MTHP_STAT_ANON_FAULT_FALLBACK_CHARGE,
	MTHP_STAT_SWPOUT,
	MTHP_STAT_SWPOUT_FALLBACK,
	MTHP_STAT_SHMEM_ALLOC,
	MTHP_STAT_SHMEM_FALLBACK,
	MTHP_STAT_SHMEM_FALLBACK_CHARGE,
	MTHP_STAT_SPLIT,
	MTHP_STAT_SPLIT_FAILED,
	MTHP_STAT_SPLIT_DEFERRED,
	MTHP_STAT_NR_ANON,
	MTHP_STAT_NR_ANON_PARTIALLY_MAPPED,
	MTHP_STAT_COLLAPSE_ALLOC,
	MTHP_STAT_COLLAPSE_ALLOC_FAILED,
	MTHP_STAT_COLLAPSE_EXCEED_NONE,
	MTHP_STAT_COLLAPSE_EXCEED_SWAP,
	MTHP_STAT_COLLAPSE_EXCEED_SHARED,
	__MTHP_STAT_COUNT
};

#if defined(CONFIG_TRANSPARENT_HUGEPAGE) && defined(CONFIG_SYSFS)
struct mthp_stat {
	unsigned long stats[ilog2(MAX_PTRS_PER_PTE) + 1][__MTHP_STAT_COUNT];
};

DECLARE_PER_CPU(struct mthp_stat, mthp_stats);

/* Other orders than those of anonymous folios have no statistics. */
static inline void mod_mthp_stat(int order, enum mthp_stat_item item, int delta)
{
	if (order > 0 && order <= PMD_ORDER)
		this_cpu_add(mthp_stats.stats[order][item], delta);
}
#else
static inline void mod_mthp_stat(int order, enum mthp_stat_item item, int delta)
{
}
#endif

static inline void count_mthp_stat(int order, enum mthp_stat_item item)
{
	mod_mthp_stat(order, item, 1);
}

/*
 * ---- verbs on huge entries ----
 *
 * Declared in every kernel: one without huge entries drops the calls together
 * with the branches around them.
 */
vm_fault_t do_huge_pmd_anonymous_page(struct vm_fault *vmf);
vm_fault_t do_huge_pmd_wp_page(struct vm_fault *vmf);
void huge_pmd_set_accessed(struct vm_fault *vmf);

int copy_huge_pmd(struct mm_struct *dst_mm, struct mm_struct *src_mm,
		  pmd_t *dst_pmd, pmd_t *src_pmd, unsigned long addr,
		  struct vm_area_struct *dst_vma,
		  struct vm_area_struct *src_vma);
int copy_huge_pud(struct mm_struct *dst_mm, struct mm_struct *src_mm,
		  pud_t *dst_pud, pud_t *src_pud, unsigned long addr,
		  struct vm_area_struct *vma);

int zap_huge_pmd(struct mmu_gather *tlb, struct vm_area_struct *vma,
		 pmd_t *pmd, unsigned long addr);
int zap_huge_pud(struct mmu_gather *tlb, struct vm_area_struct *vma,
		 pud_t *pud, unsigned long addr);
bool madvise_free_huge_pmd(struct mmu_gather *tlb, struct vm_area_struct *vma,
			   pmd_t *pmd, unsigned long addr, unsigned long next);
bool move_huge_pmd(struct vm_area_struct *vma, unsigned long old_addr,
		   unsigned long new_addr, pmd_t *old_pmd, pmd_t *new_pmd);
int change_huge_pmd(struct mmu_gather *tlb, struct vm_area_struct *vma,
		    pmd_t *pmd, unsigned long addr, pgprot_t newprot,
		    unsigned long cp_flags);

vm_fault_t vmf_insert_pfn_pmd(struct vm_fault *vmf, pfn_t pfn, bool write);
vm_fault_t vmf_insert_pfn_pud(struct vm_fault *vmf, pfn_t pfn, bool write);

#ifdef CONFIG_HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD
void huge_pud_set_accessed(struct vm_fault *vmf, pud_t orig_pud);
#else
static inline void huge_pud_set_accessed(struct vm_fault *vmf, pud_t orig_pud)
{
}
#endif

/* mm/mprotect.c calls them in every kernel. */
#if defined(CONFIG_TRANSPARENT_HUGEPAGE) && \
	defined(CONFIG_HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD)
int change_huge_pud(struct mmu_gather *tlb, struct vm_area_struct *vma,
		    pud_t *pudp, unsigned long addr, pgprot_t newprot,
		    unsigned long cp_flags);
void __split_huge_pud(struct vm_area_struct *vma, pud_t *pud,
		      unsigned long address);
#else
static inline int change_huge_pud(struct mmu_gather *tlb,
				  struct vm_area_struct *vma, pud_t *pudp,
				  unsigned long addr, pgprot_t newprot,
				  unsigned long cp_flags)
{
	return 0;
}

static inline void __split_huge_pud(struct vm_area_struct *vma, pud_t *pud,
				    unsigned long address)
{
}
#endif

#ifdef CONFIG_TRANSPARENT_HUGEPAGE

/* ---- policy: what is enabled ---- */

/* Written by mm/thp/policy/policy.c. */
extern unsigned long transparent_hugepage_flags;
extern unsigned long huge_anon_orders_always;
extern unsigned long huge_anon_orders_madvise;
extern unsigned long huge_anon_orders_inherit;

static inline bool thp_flag(enum transparent_hugepage_flag flag)
{
	return READ_ONCE(transparent_hugepage_flags) & BIT(flag);
}

static inline bool thp_disabled_by_hw(void)
{
	return thp_flag(TRANSPARENT_HUGEPAGE_UNSUPPORTED);
}

static inline bool hugepage_global_always(void)
{
	return thp_flag(TRANSPARENT_HUGEPAGE_FLAG);
}

static inline bool hugepage_global_enabled(void)
{
	return READ_ONCE(transparent_hugepage_flags) &
	       (BIT(TRANSPARENT_HUGEPAGE_FLAG) |
		BIT(TRANSPARENT_HUGEPAGE_REQ_MADV_FLAG));
}

/**
 * vma_thp_disabled() - did somebody opt out for this VMA?
 * @vma: where
 * @vm_flags: its flags, or what they are going to be
 *
 * By MADV_NOHUGEPAGE or prctl(PR_SET_THP_DISABLE), or the architecture, as
 * s390 does for guests.  With PR_THP_DISABLE_EXCEPT_ADVISED advice prevails.
 *
 * Context: any.
 * Return: whether it must get no huge pages.
 */
static inline bool vma_thp_disabled(struct vm_area_struct *vma,
				    unsigned long vm_flags)
{
	const unsigned long *flags = &vma->vm_mm->flags;

	if ((vm_flags & VM_NOHUGEPAGE) || test_bit(MMF_DISABLE_THP, flags))
		return true;
	return !(vm_flags & VM_HUGEPAGE) &&
	       test_bit(MMF_DISABLE_THP_EXCEPT_ADVISED, flags);
}

/**
 * thp_anon_orders_enabled() - what the knobs allow anonymous memory
 * @vm_flags: of the VMA: was it advised?
 *
 * Context: any.
 * Return: set of orders.
 */
static inline unsigned long thp_anon_orders_enabled(unsigned long vm_flags)
{
	bool advised = vm_flags & VM_HUGEPAGE, inherit;
	unsigned long orders = READ_ONCE(huge_anon_orders_always);

	inherit = advised ? hugepage_global_enabled() : hugepage_global_always();
	if (inherit)
		orders |= READ_ONCE(huge_anon_orders_inherit);
	if (advised)
		orders |= READ_ONCE(huge_anon_orders_madvise);
	return orders;
}

unsigned long __thp_vma_allowable_orders(struct vm_area_struct *vma,
					 unsigned long vm_flags,
					 unsigned long tva_flags,
					 unsigned long orders);

/**
 * thp_vma_allowable_orders() - which orders may this VMA have?
 * @vma: where
 * @vm_flags: its flags, or what they are going to be
 * @tva_flags: who asks, TVA_*
 * @orders: those of interest
 *
 * In a fault, whether a folio fits at the address is for the caller to find
 * out; for others the VMA has room for one somewhere.
 *
 * Context: mmap_lock or the lock of the VMA is held.
 * Return: set of orders, some of @orders.
 */
static inline unsigned long
thp_vma_allowable_orders(struct vm_area_struct *vma, unsigned long vm_flags,
			 unsigned long tva_flags, unsigned long orders)
{
	/* Most faults end here: nothing is enabled for them. */
	if (vma_is_anonymous(vma) && (tva_flags & TVA_ENFORCE_SYSFS))
		orders &= thp_anon_orders_enabled(vm_flags);
	if (!orders)
		return 0;
	return __thp_vma_allowable_orders(vma, vm_flags, tva_flags, orders);
}

/* ---- policy: what fits ---- */

/* The largest of a set, -1 of none. */
static inline int highest_order(unsigned long orders)
{
	return fls_long(orders) - 1;
}

/* Take @prev, the largest, out of a set: the next largest, -1 for none. */
static inline int next_order(unsigned long *orders, int prev)
{
	*orders &= ~BIT(prev);
	return highest_order(*orders);
}

/**
 * thp_vma_suitable_orders() - which orders fit a VMA at an address?
 * @vma: where
 * @addr: address in it
 * @orders: those of interest
 *
 * A folio fits if the naturally aligned range around @addr lies in the VMA
 * and, in a mapping of a file, is as aligned there as it is in the file.
 *
 * Context: mmap_lock or the lock of the VMA is held.
 * Return: set of orders, the small ones of @orders.
 */
unsigned long thp_vma_suitable_orders(struct vm_area_struct *vma,
				      unsigned long addr, unsigned long orders);

/* The same of one order. */
static inline bool thp_vma_suitable_order(struct vm_area_struct *vma,
					  unsigned long addr, int order)
{
	return thp_vma_suitable_orders(vma, addr, BIT(order));
}

unsigned long thp_get_unmapped_area(struct file *filp, unsigned long addr,
				    unsigned long len, unsigned long pgoff,
				    unsigned long flags);
unsigned long thp_get_unmapped_area_vmflags(struct file *filp,
					    unsigned long addr,
					    unsigned long len,
					    unsigned long pgoff,
					    unsigned long flags,
					    vm_flags_t vm_flags);

/* ---- map: entries and their locks ---- */

/* A PMD that is neither empty nor present: a migration entry. */
static inline int is_swap_pmd(pmd_t pmd)
{
	return !pmd_present(pmd) && !pmd_none(pmd);
}

static inline bool thp_pmd_is_huge(pmd_t pmd)
{
	return is_swap_pmd(pmd) || pmd_trans_huge(pmd) || pmd_devmap(pmd);
}

static inline bool thp_pud_is_huge(pud_t pud)
{
	return pud_trans_huge(pud) || pud_devmap(pud);
}

spinlock_t *__pmd_trans_huge_lock(pmd_t *pmd, struct vm_area_struct *vma);
spinlock_t *__pud_trans_huge_lock(pud_t *pud, struct vm_area_struct *vma);

/**
 * pmd_trans_huge_lock() - lock an entry if it is huge
 * @pmd: entry
 * @vma: its VMA
 *
 * Context: mmap_lock or the lock of the VMA or of the rmap is held.
 * Return: the lock, held; NULL and nothing is held if the entry is not huge.
 */
static inline spinlock_t *pmd_trans_huge_lock(pmd_t *pmd,
					      struct vm_area_struct *vma)
{
	return thp_pmd_is_huge(*pmd) ? __pmd_trans_huge_lock(pmd, vma) : NULL;
}

/**
 * pud_trans_huge_lock() - lock an entry if it is huge
 * @pud: entry
 * @vma: its VMA
 *
 * Context: as pmd_trans_huge_lock().
 * Return: the lock, held; NULL and nothing is held if the entry is not huge.
 */
static inline spinlock_t *pud_trans_huge_lock(pud_t *pud,
					      struct vm_area_struct *vma)
{
	return thp_pud_is_huge(*pud) ? __pud_trans_huge_lock(pud, vma) : NULL;
}

#define mk_huge_pmd(page, prot)	pmd_mkhuge(mk_pmd(page, prot))

/* Migration entries exist at PMD level. */
static inline bool thp_migration_supported(void)
{
	return IS_ENABLED(CONFIG_ARCH_ENABLE_THP_MIGRATION);
}

vm_fault_t do_huge_pmd_numa_page(struct vm_fault *vmf);
struct page *follow_devmap_pmd(struct vm_area_struct *vma, unsigned long addr,
			       pmd_t *pmd, int flags,
			       struct dev_pagemap **pgmap);
bool unmap_huge_pmd_locked(struct vm_area_struct *vma, unsigned long addr,
			   pmd_t *pmdp, struct folio *folio);

struct folio *thp_alloc_anon_folio(struct vm_fault *vmf);

/* ---- map: the shared huge zero folio ---- */

extern struct folio *huge_zero_folio;
extern unsigned long huge_zero_pfn;

static inline bool is_huge_zero_folio(const struct folio *folio)
{
	return folio == READ_ONCE(huge_zero_folio);
}

static inline bool is_huge_zero_pmd(pmd_t pmd)
{
	return pmd_present(pmd) && pmd_pfn(pmd) == READ_ONCE(huge_zero_pfn);
}

struct folio *mm_get_huge_zero_folio(struct mm_struct *mm);
void mm_put_huge_zero_folio(struct mm_struct *mm);

/* ---- map: from a huge entry to a page table; the folio stays whole ---- */

void __split_huge_pmd(struct vm_area_struct *vma, pmd_t *pmd,
		      unsigned long address, bool freeze, struct folio *folio);
void split_huge_pmd_address(struct vm_area_struct *vma, unsigned long address,
			    bool freeze, struct folio *folio);
void split_huge_pmd_locked(struct vm_area_struct *vma, unsigned long address,
			   pmd_t *pmd, bool freeze, struct folio *folio);
void vma_adjust_trans_huge(struct vm_area_struct *vma, unsigned long start,
			   unsigned long end, long adjust_next);

/* Macros: kernels without huge pages do not even look at the arguments. */
#define split_huge_pmd(_vma, _pmd, _address)				\
do {									\
	pmd_t *_split_pmd = (_pmd);					\
									\
	if (thp_pmd_is_huge(*_split_pmd))				\
		__split_huge_pmd(_vma, _split_pmd, _address, false, NULL); \
} while (0)

#define split_huge_pud(_vma, _pud, _address)				\
do {									\
	pud_t *_split_pud = (_pud);					\
									\
	if (thp_pud_is_huge(*_split_pud))				\
		__split_huge_pud(_vma, _split_pud, _address);		\
} while (0)

/* ---- folio: from a large folio to smaller ones ---- */

/**
 * folio_test_pmd_mappable() - can one PMD map this folio?
 * @folio: of any order
 *
 * Context: any; a reference keeps the answer true.
 * Return: whether it is as large as what a PMD maps, or larger.
 */
static inline bool folio_test_pmd_mappable(struct folio *folio)
{
	return folio_order(folio) >= HPAGE_PMD_ORDER;
}

bool can_split_folio(struct folio *folio, int caller_pins, int *pextra_pins);
int min_order_for_split(struct folio *folio);
int split_huge_page_to_list_to_order(struct page *page, struct list_head *list,
				     unsigned int new_order);
int split_folio_to_list(struct folio *folio, struct list_head *list);
void deferred_split_folio(struct folio *folio, bool partially_mapped);

static inline int split_huge_page(struct page *page)
{
	return split_huge_page_to_list_to_order(page, NULL, 0);
}

/* ---- khugepaged ---- */

int hugepage_madvise(struct vm_area_struct *vma, unsigned long *vm_flags,
		     int advice);
int madvise_collapse(struct vm_area_struct *vma, struct vm_area_struct **prev,
		     unsigned long start, unsigned long end);

#else
#include <linux/huge_mm_off.h>
#endif /* CONFIG_TRANSPARENT_HUGEPAGE */

#define split_folio(folio)	split_folio_to_list(folio, NULL)

static inline int split_folio_to_list_to_order(struct folio *folio,
					       struct list_head *list,
					       int new_order)
{
	return split_huge_page_to_list_to_order(&folio->page, list, new_order);
}

static inline int split_folio_to_order(struct folio *folio, int new_order)
{
	return split_folio_to_list_to_order(folio, NULL, new_order);
}

#endif /* _LINUX_HUGE_MM_H */
