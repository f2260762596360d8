/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the rest of the kernel tells khugepaged: an address space is born,
 * worth looking at, or dies; settings changed.  See mm/khugepaged/.
 */
#ifndef _LINUX_KHUGEPAGED_H
#define _LINUX_KHUGEPAGED_H

#include <linux/sched/coredump.h>

/* Empty pages that a huge page may contain; also judges which to split. */
extern unsigned int khugepaged_max_ptes_none;

#ifdef CONFIG_TRANSPARENT_HUGEPAGE

extern struct attribute_group khugepaged_attr_group;

int khugepaged_init(void);
void khugepaged_destroy(void);
int start_stop_khugepaged(void);
void khugepaged_min_free_kbytes_update(void);
bool current_is_khugepaged(void);

void __khugepaged_enter(struct mm_struct *mm);
void __khugepaged_exit(struct mm_struct *mm);
void khugepaged_enter_vma(struct vm_area_struct *vma, unsigned long vm_flags);

/* A child is looked at if its parent is: it has the same VMAs. */
static inline void khugepaged_fork(struct mm_struct *mm,
				   struct mm_struct *oldmm)
{
	if (test_bit(MMF_VM_HUGEPAGE, &oldmm->flags))
		__khugepaged_enter(mm);
}

/* Before page tables go: afterwards no scan of @mm is under way. */
static inline void khugepaged_exit(struct mm_struct *mm)
{
	if (test_bit(MMF_VM_HUGEPAGE, &mm->flags))
		__khugepaged_exit(mm);
}

#else

static inline void khugepaged_min_free_kbytes_update(void)
{
}

static inline bool current_is_khugepaged(void)
{
	return false;
}

static inline void khugepaged_enter_vma(struct vm_area_struct *vma,
					unsigned long vm_flags)
{
}

static inline void khugepaged_fork(struct mm_struct *mm,
				   struct mm_struct *oldmm)
{
}

static inline void khugepaged_exit(struct mm_struct *mm)
{
}

#endif /* CONFIG_TRANSPARENT_HUGEPAGE */

#if defined(CONFIG_TRANSPARENT_HUGEPAGE) && defined(CONFIG_SHMEM)
int collapse_pte_mapped_thp(struct mm_struct *mm, unsigned long addr,
			    bool install_pmd);
#else
static inline int collapse_pte_mapped_thp(struct mm_struct *mm,
					  unsigned long addr, bool install_pmd)
{
	return 0;
}
#endif

#endif /* _LINUX_KHUGEPAGED_H */
