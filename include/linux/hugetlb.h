/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Huge pages with a pool of their own: what the rest of the kernel may use.
 *
 * The rooms behind these names are mm/hugetlb/ and fs/hugetlbfs/; the picture
 * is in Documentation/mm/hugepage/index.rst.  A struct hstate names one page
 * size and nothing more: its pool, counters and lists are private to
 * mm/hugetlb/pool/.
 */
#ifndef _LINUX_HUGETLB_H
#define _LINUX_HUGETLB_H

#include <linux/mm.h>
#include <linux/mm_types.h>
#include <linux/mmdebug.h>
#include <linux/fs.h>
#include <linux/hugetlb_inline.h>
#include <linux/cgroup.h>
#include <linux/page_ref.h>
#include <linux/list.h>
#include <linux/kref.h>
#include <linux/pgtable.h>
#include <linux/gfp.h>
#include <linux/userfaultfd_k.h>

struct ctl_table;
struct user_struct;
struct mmu_gather;
struct node;
struct hugetlb_quota;

/* ---- mm/swap.c hands over a huge folio whose last reference is gone ---- */
void free_huge_folio(struct folio *folio);
void free_huge_folios(struct folio **folios, unsigned int nr);

/* ---- How a hugetlbfs inode came to be ---- */

#define HUGETLB_ANON_FILE "anon_hugepage"

enum {
	HUGETLB_SHMFS_INODE	= 1,	/* System V shared memory, shm accounting */
	HUGETLB_ANONHUGE_INODE	= 2,	/* MAP_HUGETLB, MFD_HUGETLB */
};

#ifndef pgd_write
static inline int pgd_write(pgd_t pgd)
{
	BUG();
	return 0;
}
#endif

#ifdef CONFIG_HUGETLB_PAGE

#include <linux/pagemap.h>
#include <linux/shm.h>
#include <asm/tlbflush.h>

/* ================= page sizes ================= */

#ifndef HUGE_MAX_HSTATE
#define HUGE_MAX_HSTATE 1
#endif

#define HSTATE_NAME_LEN 32

/**
 * struct hstate - one huge page size
 * @order: log2 of the size in base pages
 * @mask: address bits above the page offset
 * @name: "hugepages-<size>kB", the directory name in sysfs
 *
 * All fields are constant once hugetlb_add_hstate() returns.
 */
struct hstate {
	unsigned int	order;
	unsigned long	mask;
	char		name[HSTATE_NAME_LEN];
};

/* A page set aside from memblock; lies at the start of that page. */
struct huge_bootmem_page {
	struct hstate *hstate;
	struct list_head list;
};

extern struct list_head huge_boot_pages[MAX_NUMNODES];

void __init hugetlb_add_hstate(unsigned int order);
bool __init arch_hugetlb_valid_size(unsigned long size);
bool __init hugetlb_node_alloc_supported(void);
int __init alloc_bootmem_huge_page(struct hstate *h, int nid);
int __init __alloc_bootmem_huge_page(struct hstate *h, int nid);
void hugetlb_bootmem_struct_page_init(void);

struct hstate *size_to_hstate(unsigned long size);
struct hstate *hstate_sizelog(int page_size_log);
int hstate_index(const struct hstate *h);
unsigned int hstate_index_to_shift(unsigned int index);

static inline unsigned int huge_page_order(const struct hstate *h)
{
	return h->order;
}

static inline unsigned int huge_page_shift(const struct hstate *h)
{
	return PAGE_SHIFT + h->order;
}

static inline unsigned long huge_page_size(const struct hstate *h)
{
	return PAGE_SIZE << h->order;
}

static inline unsigned long huge_page_mask(const struct hstate *h)
{
	return h->mask;
}

static inline unsigned int pages_per_huge_page(const struct hstate *h)
{
	return 1U << h->order;
}

/* i_blocks counts units of 512 bytes, stat(2). */
static inline unsigned int blocks_per_huge_page(const struct hstate *h)
{
	return huge_page_size(h) >> 9;
}

/* Larger than the page allocator hands out in one piece. */
static inline bool hstate_is_gigantic(const struct hstate *h)
{
	return h->order > MAX_PAGE_ORDER;
}

/* ================= files and mappings ================= */

#ifdef CONFIG_HUGETLBFS
/**
 * struct hugetlbfs_sb_info - one hugetlbfs mount
 * @hstate: the size of its pages, constant
 * @spool: page quota of the mount, or NULL when it has neither limit
 * @stat_lock: protects @free_inodes
 * @max_inodes: most inodes allowed, -1 for no limit
 * @free_inodes: how many of them are left
 * @mode: permissions of the root directory
 * @uid: owner of the root directory
 * @gid: group of the root directory
 */
struct hugetlbfs_sb_info {
	struct hstate		*hstate;
	struct hugetlb_quota	*spool;
	spinlock_t		stat_lock;
	long			max_inodes;
	long			free_inodes;
	umode_t			mode;
	kuid_t			uid;
	kgid_t			gid;
};

/**
 * struct hugetlbfs_inode_info - one hugetlbfs file
 * @seals: F_SEAL_* bits, protected by the inode lock
 * @vfs_inode: the inode
 */
struct hugetlbfs_inode_info {
	unsigned int	seals;
	struct inode	vfs_inode;
};

static inline struct hugetlbfs_sb_info *HUGETLBFS_SB(struct super_block *sb)
{
	return sb->s_fs_info;
}

static inline struct hugetlbfs_inode_info *HUGETLBFS_I(struct inode *inode)
{
	return container_of(inode, struct hugetlbfs_inode_info, vfs_inode);
}

struct file *hugetlb_file_setup(const char *name, size_t size, vm_flags_t acct,
				int creat_flags, int page_size_log);

static inline bool is_file_hugepages(const struct file *file)
{
	return file->f_op->fop_flags & FOP_HUGE_PAGES;
}

static inline struct hstate *hstate_inode(struct inode *inode)
{
	return HUGETLBFS_SB(inode->i_sb)->hstate;
}
#endif /* CONFIG_HUGETLBFS */

static inline struct hstate *hstate_file(struct file *file)
{
	return hstate_inode(file_inode(file));
}

static inline struct hstate *hstate_vma(struct vm_area_struct *vma)
{
	return hstate_file(vma->vm_file);
}

unsigned long vma_kernel_pagesize(struct vm_area_struct *vma);
unsigned long vma_mmu_pagesize(struct vm_area_struct *vma);

/**
 * hugetlb_linear_page_index() - where in its file an address lies
 * @vma: a hugetlb mapping
 * @address: an address in it
 *
 * Return: the index in huge pages (linear_page_index() counts base pages).
 */
static inline pgoff_t hugetlb_linear_page_index(struct vm_area_struct *vma,
						unsigned long address)
{
	return linear_page_index(vma, address) >> hstate_vma(vma)->order;
}

static inline struct folio *
filemap_lock_hugetlb_folio(struct hstate *h, struct address_space *mapping,
			   pgoff_t hindex)
{
	return filemap_lock_folio(mapping, hindex << h->order);
}

unsigned long hugetlb_get_unmapped_area(struct file *file, unsigned long addr,
					unsigned long len, unsigned long pgoff,
					unsigned long flags);
unsigned long
generic_hugetlb_get_unmapped_area(struct file *file, unsigned long addr,
				  unsigned long len, unsigned long pgoff,
				  unsigned long flags);

/* ================= state of a huge folio ================= */

/**
 * enum hugetlb_page_flags - bits in the private word of the head page
 * @HPG_restore_reserve: a promise comes back with this folio when it is freed.
 *	Touched only by whoever holds the only reference.
 * @HPG_migratable: in the page cache or mapped, so migration may take it; under
 *	hugetlb_lock except when set on a folio nobody else has seen.
 * @HPG_temporary: belongs to no pool size, goes back to the page allocator when
 *	freed; under hugetlb_lock after the allocation.
 * @HPG_freed: on a free list; under hugetlb_lock.
 * @HPG_vmemmap_optimized: most of its struct pages are one shared page.
 * @HPG_raw_hwp_unreliable: has a poisoned base page that no list records.
 * @__NR_HPAGEFLAGS: how many there are
 */
enum hugetlb_page_flags {
	HPG_restore_reserve,
	HPG_migratable,
	HPG_temporary,
	HPG_freed,
	HPG_vmemmap_optimized,
	HPG_raw_hwp_unreliable,
	__NR_HPAGEFLAGS,
};

#define HUGETLB_FOLIO_FLAG(name)					\
static __always_inline bool						\
folio_test_hugetlb_##name(struct folio *folio)				\
{									\
	return test_bit(HPG_##name, (unsigned long *)&folio->private);	\
}									\
static __always_inline void						\
folio_set_hugetlb_##name(struct folio *folio)				\
{									\
	set_bit(HPG_##name, (unsigned long *)&folio->private);		\
}									\
static __always_inline void						\
folio_clear_hugetlb_##name(struct folio *folio)				\
{									\
	clear_bit(HPG_##name, (unsigned long *)&folio->private);	\
}

HUGETLB_FOLIO_FLAG(restore_reserve)
HUGETLB_FOLIO_FLAG(migratable)
HUGETLB_FOLIO_FLAG(temporary)
HUGETLB_FOLIO_FLAG(freed)
HUGETLB_FOLIO_FLAG(vmemmap_optimized)
HUGETLB_FOLIO_FLAG(raw_hwp_unreliable)
#undef HUGETLB_FOLIO_FLAG

static inline struct hugetlb_quota *hugetlb_folio_subpool(struct folio *folio)
{
	return folio->_hugetlb_subpool;
}

static inline void hugetlb_set_folio_subpool(struct folio *folio,
					     struct hugetlb_quota *quota)
{
	folio->_hugetlb_subpool = quota;
}

static inline struct hstate *folio_hstate(struct folio *folio)
{
	VM_WARN_ON_ONCE_FOLIO(!folio_test_hugetlb(folio), folio);
	return size_to_hstate(folio_size(folio));
}

/* ================= pool: mm/hugetlb/pool/ ================= */

/* Outside mm/hugetlb/ only memory-failure.c takes it. */
extern spinlock_t hugetlb_lock;

int isolate_or_dissolve_huge_page(struct page *page, struct list_head *list);
int dissolve_free_hugetlb_folio(struct folio *folio);
int dissolve_free_hugetlb_folios(unsigned long start_pfn,
				 unsigned long end_pfn);
void wait_for_freed_hugetlb_folios(void);

bool isolate_hugetlb(struct folio *folio, struct list_head *list);
void folio_putback_active_hugetlb(struct folio *folio);
int get_hwpoison_hugetlb_folio(struct folio *folio, bool *hugetlb,
			       bool unpoison);
bool is_raw_hwpoison_page_in_hugepage(struct page *page);

#ifdef CONFIG_NUMA
void hugetlb_register_node(struct node *node);
void hugetlb_unregister_node(struct node *node);
#endif

unsigned long hugetlb_total_pages(void);
void hugetlb_report_meminfo(struct seq_file *m);
int hugetlb_report_node_meminfo(char *buf, int len, int nid);
void hugetlb_show_meminfo_node(int nid);
void hugetlb_report_usage(struct seq_file *m, struct mm_struct *mm);

/* ================= folios: mm/hugetlb/reserve/alloc.c ================= */

struct folio *alloc_hugetlb_folio_nodemask(struct hstate *h, int preferred_nid,
					   nodemask_t *nmask, gfp_t gfp_mask,
					   bool allow_alloc_fallback);
struct folio *alloc_hugetlb_folio_reserve(struct hstate *h, int preferred_nid,
					  nodemask_t *nmask, gfp_t gfp_mask);
void move_hugetlb_state(struct folio *old_folio, struct folio *new_folio,
			int reason);

/* ================= page tables: mm/hugetlb/map/ ================= */

/*
 * One mutex per hash of (mapping, index in huge pages): two tasks that fault
 * the same page must not both take one from a pool with a single page left.
 */
extern struct mutex *hugetlb_fault_mutex_table;
u32 hugetlb_fault_mutex_hash(struct address_space *mapping, pgoff_t hindex);

vm_fault_t hugetlb_fault(struct mm_struct *mm, struct vm_area_struct *vma,
			 unsigned long address, unsigned int flags);
int copy_hugetlb_page_range(struct mm_struct *dst, struct mm_struct *src,
			    struct vm_area_struct *dst_vma,
			    struct vm_area_struct *src_vma);
int move_hugetlb_page_tables(struct vm_area_struct *vma,
			     struct vm_area_struct *new_vma,
			     unsigned long old_addr, unsigned long new_addr,
			     unsigned long len);
long hugetlb_change_protection(struct vm_area_struct *vma,
			       unsigned long address, unsigned long end,
			       pgprot_t newprot, unsigned long cp_flags);
void __unmap_hugepage_range(struct mmu_gather *tlb, struct vm_area_struct *vma,
			    unsigned long start, unsigned long end,
			    struct page *ref_page, zap_flags_t zap_flags);
#ifdef CONFIG_USERFAULTFD
int hugetlb_mfill_atomic_pte(pte_t *dst_pte, struct vm_area_struct *dst_vma,
			     unsigned long dst_addr, unsigned long src_addr,
			     uffd_flags_t flags, struct folio **foliop);
#endif

void __hugetlb_zap_begin(struct vm_area_struct *vma, unsigned long *start,
			 unsigned long *end);
void __hugetlb_zap_end(struct vm_area_struct *vma, struct zap_details *details);

static inline void hugetlb_zap_begin(struct vm_area_struct *vma,
				     unsigned long *start, unsigned long *end)
{
	if (is_vm_hugetlb_page(vma))
		__hugetlb_zap_begin(vma, start, end);
}

static inline void hugetlb_zap_end(struct vm_area_struct *vma,
				   struct zap_details *details)
{
	if (is_vm_hugetlb_page(vma))
		__hugetlb_zap_end(vma, details);
}

bool is_hugetlb_entry_migration(pte_t pte);
bool is_hugetlb_entry_hwpoisoned(pte_t pte);

/* What vm_private_data holds, and the lock found through it: map/vma.c. */
void hugetlb_dup_vma_private(struct vm_area_struct *vma);
void clear_vma_resv_huge_pages(struct vm_area_struct *vma);
void hugetlb_split(struct vm_area_struct *vma, unsigned long addr);
void hugetlb_vma_lock_read(struct vm_area_struct *vma);
void hugetlb_vma_unlock_read(struct vm_area_struct *vma);
void hugetlb_vma_lock_write(struct vm_area_struct *vma);
void hugetlb_vma_unlock_write(struct vm_area_struct *vma);
int hugetlb_vma_trylock_write(struct vm_area_struct *vma);
void hugetlb_vma_assert_locked(struct vm_area_struct *vma);

/* Page cache in huge page units: map/cache.c. */
bool hugetlbfs_pagecache_present(struct hstate *h, struct vm_area_struct *vma,
				 unsigned long address);
int hugetlb_add_to_page_cache(struct folio *folio,
			      struct address_space *mapping, pgoff_t hindex);

/* PMD tables shared between processes: map/share.c. */
pte_t *huge_pmd_share(struct mm_struct *mm, struct vm_area_struct *vma,
		      unsigned long addr, pud_t *pud);
int huge_pmd_unshare(struct mmu_gather *tlb, struct vm_area_struct *vma,
		     unsigned long addr, pte_t *ptep);
void huge_pmd_unshare_flush(struct mmu_gather *tlb, struct vm_area_struct *vma);
void hugetlb_unshare_all_pmds(struct vm_area_struct *vma);
void adjust_range_if_pmd_sharing_possible(struct vm_area_struct *vma,
					  unsigned long *start,
					  unsigned long *end);
struct address_space *hugetlb_folio_mapping_lock_write(struct folio *folio);

/* Generic or of the architecture: map/walk.c. */
pte_t *huge_pte_alloc(struct mm_struct *mm, struct vm_area_struct *vma,
		      unsigned long addr, unsigned long sz);
pte_t *huge_pte_offset(struct mm_struct *mm, unsigned long addr,
		       unsigned long sz);
unsigned long hugetlb_mask_last_page(struct hstate *h);

#ifndef CONFIG_HIGHPTE
/* For architectures whose huge page entries may sit in a PTE table. */
static inline pte_t *pte_offset_huge(pmd_t *pmd, unsigned long address)
{
	return pte_offset_kernel(pmd, address);
}

static inline pte_t *pte_alloc_huge(struct mm_struct *mm, pmd_t *pmd,
				    unsigned long address)
{
	if (pte_alloc(mm, pmd))
		return NULL;
	return pte_offset_huge(pmd, address);
}
#endif

/* ================= architecture hooks ================= */

#include <asm/hugetlb.h>

#ifndef is_hugepage_only_range
#define is_hugepage_only_range is_hugepage_only_range
static inline int is_hugepage_only_range(struct mm_struct *mm,
					 unsigned long addr, unsigned long len)
{
	return 0;
}
#endif

#ifndef arch_clear_hugetlb_flags
#define arch_clear_hugetlb_flags arch_clear_hugetlb_flags
static inline void arch_clear_hugetlb_flags(struct folio *folio) { }
#endif

#ifndef arch_make_huge_pte
static inline pte_t arch_make_huge_pte(pte_t entry, unsigned int shift,
				       vm_flags_t flags)
{
	return pte_mkhuge(entry);
}
#endif

/* PowerPC sets HPAGE_SHIFT to 0 at boot where the MMU has no huge pages. */
#ifndef hugepages_supported
#define hugepages_supported() (HPAGE_SHIFT != 0)
#endif

#ifndef huge_ptep_modify_prot_start
#define huge_ptep_modify_prot_start huge_ptep_modify_prot_start
static inline pte_t huge_ptep_modify_prot_start(struct vm_area_struct *vma,
						unsigned long addr, pte_t *ptep)
{
	return huge_ptep_get_and_clear(vma->vm_mm, addr, ptep,
				       huge_page_size(hstate_vma(vma)));
}
#endif

#ifndef huge_ptep_modify_prot_commit
#define huge_ptep_modify_prot_commit huge_ptep_modify_prot_commit
static inline void huge_ptep_modify_prot_commit(struct vm_area_struct *vma,
						unsigned long addr, pte_t *ptep,
						pte_t old_pte, pte_t pte)
{
	set_huge_pte_at(vma->vm_mm, addr, ptep, pte,
			huge_page_size(hstate_vma(vma)));
}
#endif

/* ================= migration and allocation policy ================= */

#ifdef CONFIG_ARCH_ENABLE_HUGEPAGE_MIGRATION
#ifndef arch_hugetlb_migration_supported
static inline bool arch_hugetlb_migration_supported(struct hstate *h)
{
	unsigned int shift = huge_page_shift(h);

	return shift == PMD_SHIFT || shift == PUD_SHIFT || shift == PGDIR_SHIFT;
}
#endif
#else
static inline bool arch_hugetlb_migration_supported(struct hstate *h)
{
	return false;
}
#endif

static inline bool hugepage_migration_supported(struct hstate *h)
{
	return arch_hugetlb_migration_supported(h);
}

/*
 * May pages of this size live in ZONE_MOVABLE?  Only where they can be migrated
 * in practice: no gigantic page finds a second range to move to.
 */
static inline bool hugepage_movable_supported(struct hstate *h)
{
	return hugepage_migration_supported(h) && !hstate_is_gigantic(h);
}

static inline gfp_t htlb_alloc_mask(struct hstate *h)
{
	gfp_t zone = hugepage_movable_supported(h) ? GFP_HIGHUSER_MOVABLE :
						     GFP_HIGHUSER;

	return zone | __GFP_COMP | __GFP_NOWARN;
}

/* The pool's own mask, with the caller's wish to stay on a node. */
static inline gfp_t htlb_modify_alloc_mask(struct hstate *h, gfp_t gfp_mask)
{
	return htlb_alloc_mask(h) | (gfp_mask & (__GFP_THISNODE | __GFP_NOWARN));
}

/*
 * May a page leave its node for this reason?  A move to another node unbalances
 * the pool, so only where staying is impossible or the user asked for it.
 */
static inline bool htlb_allow_alloc_fallback(int reason)
{
	return reason == MR_MEMORY_HOTPLUG || reason == MR_MEMORY_FAILURE ||
	       reason == MR_SYSCALL || reason == MR_MEMPOLICY_MBIND;
}

#ifdef CONFIG_MEMORY_FAILURE
void folio_clear_hugetlb_hwpoison(struct folio *folio);
#else
static inline void folio_clear_hugetlb_hwpoison(struct folio *folio) { }
#endif

/* ================= locks and counters of a page table ================= */

/*
 * The lock core mm would take for the table that @pte sits in: a huge page
 * smaller than a PMD lies in one PTE table, smaller than a PUD in one PMD
 * table, else in a PUD table.
 */
static inline spinlock_t *huge_pte_lockptr(struct hstate *h,
					   struct mm_struct *mm, pte_t *pte)
{
	unsigned long size = huge_page_size(h);

	if (size >= PUD_SIZE)
		return pud_lockptr(mm, (pud_t *)pte);
	if (size < PMD_SIZE && !IS_ENABLED(CONFIG_HIGHPTE))
		return ptep_lockptr(mm, pte);
	return pmd_lockptr(mm, (pmd_t *)pte);
}

static inline void hugetlb_count_init(struct mm_struct *mm)
{
	atomic_long_set(&mm->hugetlb_usage, 0);
}

/* In base pages, like every counter of an mm. */
static inline void hugetlb_count_add(long nr, struct mm_struct *mm)
{
	atomic_long_add(nr, &mm->hugetlb_usage);
}

static inline void hugetlb_count_sub(long nr, struct mm_struct *mm)
{
	atomic_long_sub(nr, &mm->hugetlb_usage);
}

#else /* !CONFIG_HUGETLB_PAGE */
#include <linux/hugetlb_off.h>
#endif /* CONFIG_HUGETLB_PAGE */

static inline spinlock_t *huge_pte_lock(struct hstate *h, struct mm_struct *mm,
					pte_t *pte)
{
	spinlock_t *ptl = huge_pte_lockptr(h, mm, pte);

	spin_lock(ptl);
	return ptl;
}

#if defined(CONFIG_HUGETLB_PAGE) && defined(CONFIG_CMA)
void __init hugetlb_cma_reserve(int order);
#else
static inline __init void hugetlb_cma_reserve(int order) { }
#endif

#ifdef CONFIG_HUGETLB_PMD_PAGE_TABLE_SHARING
static inline bool hugetlb_pmd_shared(pte_t *pte)
{
	return ptdesc_pmd_is_shared(virt_to_ptdesc(pte));
}
#else
static inline bool hugetlb_pmd_shared(pte_t *pte)
{
	return false;
}
#endif

bool want_pmd_share(struct vm_area_struct *vma, unsigned long addr);

#ifndef __HAVE_ARCH_FLUSH_HUGETLB_TLB_RANGE
#define flush_hugetlb_tlb_range(vma, addr, end)	flush_tlb_range(vma, addr, end)
#endif

#if defined(CONFIG_HUGETLB_PMD_PAGE_TABLE_SHARING) && defined(CONFIG_LOCKDEP)
void hugetlb_walk_assert_locked(struct vm_area_struct *vma);
#else
static inline void hugetlb_walk_assert_locked(struct vm_area_struct *vma) { }
#endif

/**
 * hugetlb_walk() - find the page-table entry of a huge page
 * @vma: a hugetlb mapping
 * @addr: an address in it
 * @sz: its page size in bytes
 *
 * A private mapping's tables stay while mmap_lock is held.  A shared mapping's
 * PMD table can be unshared by another process at any time: the VMA lock, held
 * read or write, keeps the entry valid; i_mmap_rwsem keeps only the memory of
 * the table from being freed.  Never call huge_pte_offset() directly.
 *
 * Context: mmap_lock; for shared mappings also one of the two above.
 * Return: the entry, or NULL where no table exists.
 */
static inline pte_t *hugetlb_walk(struct vm_area_struct *vma,
				  unsigned long addr, unsigned long sz)
{
	hugetlb_walk_assert_locked(vma);
	return huge_pte_offset(vma->vm_mm, addr, sz);
}

#endif /* _LINUX_HUGETLB_H */
