// SPDX-License-Identifier: GPL-2.0
/*
 * Policy: which orders a VMA may use, and how hard to try for a folio.
 *
 * The only writer of what is enabled.  Flags change in one step, so readers
 * need no lock; the sets of orders change under huge_anon_orders_lock, and
 * readers of several may see a change halfway.
 */
#include <linux/dax.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/khugepaged.h>
#include <linux/mm.h>
#include <linux/secretmem.h>
#include <linux/shmem_fs.h>

#include "../../internal.h"
#include "policy.h"

#define DEFRAG_ALWAYS	BIT(TRANSPARENT_HUGEPAGE_DEFRAG_DIRECT_FLAG)
#define DEFRAG_DEFER	BIT(TRANSPARENT_HUGEPAGE_DEFRAG_KSWAPD_FLAG)
#define DEFRAG_BOTH	BIT(TRANSPARENT_HUGEPAGE_DEFRAG_KSWAPD_OR_MADV_FLAG)
#define DEFRAG_MADVISE	BIT(TRANSPARENT_HUGEPAGE_DEFRAG_REQ_MADV_FLAG)

unsigned long transparent_hugepage_flags __read_mostly =
	IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE_ALWAYS) <<
		TRANSPARENT_HUGEPAGE_FLAG |
	IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE_MADVISE) <<
		TRANSPARENT_HUGEPAGE_REQ_MADV_FLAG |
	DEFRAG_MADVISE |
	BIT(TRANSPARENT_HUGEPAGE_DEFRAG_KHUGEPAGED_FLAG) |
	BIT(TRANSPARENT_HUGEPAGE_USE_ZERO_PAGE_FLAG);

static DEFINE_SPINLOCK(huge_anon_orders_lock);
unsigned long huge_anon_orders_always __read_mostly;
unsigned long huge_anon_orders_madvise __read_mostly;
unsigned long huge_anon_orders_inherit __read_mostly;

const struct thp_order_rule thp_anon_rules[THP_ANON_RULES] = {
	[THP_ANON_ALWAYS]	= { "always", &huge_anon_orders_always },
	[THP_ANON_INHERIT]	= { "inherit", &huge_anon_orders_inherit },
	[THP_ANON_MADVISE]	= { "madvise", &huge_anon_orders_madvise },
	[THP_ANON_NEVER]	= { "never", NULL },
};

/**
 * thp_set_flags() - change some flags in one step
 * @mask: which
 * @flags: those of them that are to be set
 *
 * Context: any.
 */
void thp_set_flags(unsigned long mask, unsigned long flags)
{
	unsigned long old = READ_ONCE(transparent_hugepage_flags);

	while (!try_cmpxchg(&transparent_hugepage_flags, &old,
			    (old & ~mask) | flags))
		;
}

/**
 * thp_set_anon_rule() - another rule holds for some orders of anonymous memory
 * @orders: which orders
 * @rule: the rule
 *
 * Context: any; khugepaged is to be told by start_stop_khugepaged().
 */
void thp_set_anon_rule(unsigned long orders, enum thp_anon_rule rule)
{
	guard(spinlock)(&huge_anon_orders_lock);
	thp_rule_move(thp_anon_rules, THP_ANON_RULES, orders, rule);
}

/* ---- which orders ---- */

/* Kinds of memory differ in the orders that they can have at all. */
static unsigned long thp_orders_of_kind(struct vm_area_struct *vma)
{
	if (vma_is_anonymous(vma))
		return THP_ORDERS_ALL_ANON;
	if (vma_is_special_huge(vma))
		return THP_ORDERS_ALL_SPECIAL;
	return THP_ORDERS_ALL_FILE_DEFAULT;
}

/* MADV_COLLAPSE is advice, too, as long as it lasts. */
static bool thp_opted_out(struct vm_area_struct *vma, unsigned long vm_flags,
			  unsigned long tva_flags)
{
	if (!(tva_flags & TVA_ENFORCE_SYSFS))
		vm_flags |= VM_HUGEPAGE;
	/* The vdso has no mm. */
	return !vma->vm_mm || thp_disabled_by_hw() ||
	       vma_thp_disabled(vma, vm_flags);
}

static unsigned long vma_file_distance(struct vm_area_struct *vma)
{
	if (vma_is_anonymous(vma))
		return 0;
	return (vma->vm_start >> PAGE_SHIFT) - vma->vm_pgoff;
}

unsigned long thp_vma_suitable_orders(struct vm_area_struct *vma,
				      unsigned long addr, unsigned long orders)
{
	if (addr < vma->vm_start || addr >= vma->vm_end)
		return 0;

	if (!vma_is_anonymous(vma))
		orders &= thp_orders_aligned(vma_file_distance(vma));
	return orders & thp_orders_around(addr >> PAGE_SHIFT,
					  vma->vm_start >> PAGE_SHIFT,
					  vma->vm_end >> PAGE_SHIFT);
}

/* Orders of which a folio fits somewhere. */
static unsigned long thp_vma_roomy_orders(struct vm_area_struct *vma)
{
	return thp_orders_aligned(vma_file_distance(vma)) &
	       thp_orders_within(vma->vm_start >> PAGE_SHIFT,
				 vma->vm_end >> PAGE_SHIFT);
}

static bool thp_anon_allowed(struct vm_area_struct *vma,
			     unsigned long tva_flags)
{
	/* exec moves it to its place page by page. */
	if (vma_is_temporary_stack(vma))
		return false;
	/* Without an anon_vma there was no fault yet: nothing to collapse. */
	return vma->anon_vma || (tva_flags & (TVA_IN_PF | TVA_SMAPS));
}

/* Files have no knob of their own; device memory is not for knobs to judge. */
static bool thp_file_enabled(const struct vm_area_struct *vma,
			     unsigned long vm_flags, unsigned long tva_flags)
{
	if (!(tva_flags & TVA_ENFORCE_SYSFS))
		return true;
	if (vma->vm_ops->huge_fault && (vma->vm_flags & VM_PFNMAP))
		return true;
	return vm_flags & VM_HUGEPAGE ? hugepage_global_enabled() :
					hugepage_global_always();
}

/* CONFIG_READ_ONLY_THP_FOR_FS: files that nobody can write at the moment. */
static bool thp_file_collapsible(const struct vm_area_struct *vma)
{
	struct inode *inode;

	if (!IS_ENABLED(CONFIG_READ_ONLY_THP_FOR_FS) || !vma->vm_file)
		return false;
	inode = file_inode(vma->vm_file);
	return S_ISREG(inode->i_mode) && !inode_is_open_for_write(inode) &&
	       !secretmem_mapping(inode->i_mapping);
}

static bool thp_file_allowed(const struct vm_area_struct *vma,
			     unsigned long vm_flags, unsigned long tva_flags)
{
	if (!thp_file_enabled(vma, vm_flags, tva_flags))
		return false;

	/* A file system that handles huge faults knows what it can map. */
	if (tva_flags & TVA_IN_PF)
		return vma->vm_ops->huge_fault;
	if ((tva_flags & TVA_SMAPS) && vma->vm_ops->huge_fault)
		return true;
	return thp_file_collapsible(vma);
}

/* By knobs and mount options of its own, or by force. */
static unsigned long thp_shmem_orders(struct vm_area_struct *vma,
				      unsigned long tva_flags)
{
	bool force = !(tva_flags & TVA_ENFORCE_SYSFS);

	return shmem_allowable_huge_orders(file_inode(vma->vm_file), vma,
					   vma->vm_pgoff, 0, force);
}

/* Rules for whoever is not an anonymous fault; nobody has opted out. */
static noinline unsigned long
thp_orders_by_rule(struct vm_area_struct *vma, unsigned long vm_flags,
		   unsigned long tva_flags, unsigned long orders)
{
	bool fault = tva_flags & TVA_IN_PF;

	/* Before VM_MIXEDMAP is looked at, which some DAX mappings have. */
	if (vma_is_dax(vma))
		return fault ? orders : 0;

	if (!fault) {
		if (!(tva_flags & TVA_SMAPS) && (vm_flags & VM_NO_KHUGEPAGED))
			return 0;
		orders &= thp_vma_roomy_orders(vma);
		if (!orders)
			return 0;
		if (shmem_file(vma->vm_file))
			return orders & thp_shmem_orders(vma, tva_flags);
	}

	if (vma_is_anonymous(vma) ? thp_anon_allowed(vma, tva_flags) :
				    thp_file_allowed(vma, vm_flags, tva_flags))
		return orders;
	return 0;
}

/**
 * __thp_vma_allowable_orders() - thp_vma_allowable_orders() without the test
 * that ends most calls
 * @vma: where
 * @vm_flags: its flags, or what they are going to be
 * @tva_flags: who asks, TVA_*
 * @orders: those of interest; for anonymous memory only such as are enabled
 *
 * Context: mmap_lock or the lock of the VMA is held.
 * Return: set of orders, some of @orders.
 */
unsigned long __thp_vma_allowable_orders(struct vm_area_struct *vma,
					 unsigned long vm_flags,
					 unsigned long tva_flags,
					 unsigned long orders)
{
	orders &= thp_orders_of_kind(vma);
	if (!orders || thp_opted_out(vma, vm_flags, tva_flags))
		return 0;
	/* Who is here most often does not pay for the rest. */
	if ((tva_flags & TVA_IN_PF) && vma_is_anonymous(vma))
		return thp_anon_allowed(vma, tva_flags) ? orders : 0;
	return thp_orders_by_rule(vma, vm_flags, tva_flags, orders);
}

/* ---- how hard to try ---- */

/**
 * vma_thp_gfp_mask() - how to allocate a large folio
 * @vma: for whom; NULL for nobody in particular
 *
 * By the knob defrag:
 *
 *	always		compact memory, and wait for it
 *	defer		take what there is, and wake those who make more
 *	defer+madvise	wait where it was advised; else wake them
 *	madvise		wait where it was advised; else take what there is
 *	never		take what there is
 *
 * Context: any.
 * Return: flags for the page allocator.
 */
gfp_t vma_thp_gfp_mask(struct vm_area_struct *vma)
{
	unsigned long defrag = READ_ONCE(transparent_hugepage_flags);
	bool advised = vma && (vma->vm_flags & VM_HUGEPAGE);

	if (defrag & DEFRAG_ALWAYS)
		return GFP_TRANSHUGE | (advised ? 0 : __GFP_NORETRY);
	if (defrag & DEFRAG_DEFER)
		return GFP_TRANSHUGE_LIGHT | __GFP_KSWAPD_RECLAIM;
	if (advised && (defrag & (DEFRAG_BOTH | DEFRAG_MADVISE)))
		return GFP_TRANSHUGE_LIGHT | __GFP_DIRECT_RECLAIM;
	if (defrag & DEFRAG_BOTH)
		return GFP_TRANSHUGE_LIGHT | __GFP_KSWAPD_RECLAIM;
	return GFP_TRANSHUGE_LIGHT;
}
