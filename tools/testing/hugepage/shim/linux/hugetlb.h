/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Of the public header only what pool.h and reserve.h name: two page sizes, the
 * flags of a folio, and the way from an inode to its map and its quota.
 */
#ifndef HUGEPAGE_SHIM_LINUX_HUGETLB_H
#define HUGEPAGE_SHIM_LINUX_HUGETLB_H

#include "../custom.h"

#define PAGE_SHIFT		12
#define PAGE_SIZE		(1UL << PAGE_SHIFT)
#define MAX_PAGE_ORDER		10
#define HUGE_MAX_HSTATE		2
#define HSTATE_NAME_LEN		32
#define PMD_ORDER		9
#define PUD_ORDER		18

struct hstate {
	unsigned int	order;
	unsigned long	mask;
	char		name[HSTATE_NAME_LEN];
};

struct hugetlbfs_sb_info {
	struct hstate		*hstate;
	struct hugetlb_quota	*spool;
};

struct super_block {
	void *s_fs_info;
};

struct address_space {
	void *i_private_data;
};

struct inode {
	struct super_block	*i_sb;
	struct address_space	i_data;
};

#define HUGETLBFS_SB(sb)	((struct hugetlbfs_sb_info *)(sb)->s_fs_info)
#define hstate_inode(inode)	(HUGETLBFS_SB((inode)->i_sb)->hstate)
#define hstate_is_gigantic(h)	((h)->order > MAX_PAGE_ORDER)
#define gigantic_page_runtime_supported() true
#define arch_clear_hugetlb_flags(folio)	((void)(folio))

enum hugetlb_page_flags {
	HPG_restore_reserve,
	HPG_migratable,
	HPG_temporary,
	HPG_freed,
	HPG_vmemmap_optimized,
	HPG_raw_hwp_unreliable,
	__NR_HPAGEFLAGS,
};

#define HUGEPAGE_FOLIO_FLAG(name)					\
static inline bool folio_test_hugetlb_##name(const struct folio *folio)	\
{									\
	return folio->private & BIT(HPG_##name);			\
}									\
static inline void folio_set_hugetlb_##name(struct folio *folio)	\
{									\
	folio->private |= BIT(HPG_##name);				\
}									\
static inline void folio_clear_hugetlb_##name(struct folio *folio)	\
{									\
	folio->private &= ~BIT(HPG_##name);				\
}

HUGEPAGE_FOLIO_FLAG(restore_reserve)
HUGEPAGE_FOLIO_FLAG(migratable)
HUGEPAGE_FOLIO_FLAG(temporary)
HUGEPAGE_FOLIO_FLAG(freed)
HUGEPAGE_FOLIO_FLAG(vmemmap_optimized)
HUGEPAGE_FOLIO_FLAG(raw_hwp_unreliable)

#define hugetlb_folio_subpool(folio)	((folio)->_hugetlb_subpool)
#define hugetlb_set_folio_subpool(folio, quota)				\
	((void)((folio)->_hugetlb_subpool = (quota)))

extern spinlock_t hugetlb_lock;

#endif
