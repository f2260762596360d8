// SPDX-License-Identifier: GPL-2.0
/*
 * Advice: MADV_HUGEPAGE and MADV_NOHUGEPAGE, which khugepaged follows, and
 * MADV_COLLAPSE, which goes through the same stages without limits.
 *
 * Locks: mmap_lock for reading, the caller's; dropped while a window is tried.
 */
#include <linux/khugepaged.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include "collapse.h"

/*
 * QEMU on s390 gives MADV_HUGEPAGE for all of a guest's memory and takes an
 * error as fatal; but with page tables for guests there are no huge pages.
 */
#ifdef CONFIG_S390
static bool advice_is_ignored(struct vm_area_struct *vma)
{
	return mm_has_pgste(vma->vm_mm);
}
#else
static bool advice_is_ignored(struct vm_area_struct *vma)
{
	return false;
}
#endif

/**
 * hugepage_madvise() - flags of a VMA after MADV_HUGEPAGE or MADV_NOHUGEPAGE
 * @vma: advised about
 * @vm_flags: as they will be
 * @advice: one of the two
 *
 * An address space stays registered; khugepaged looks at the flags.
 *
 * Context: mmap_lock is held for writing.
 * Return: 0
 */
int hugepage_madvise(struct vm_area_struct *vma, unsigned long *vm_flags,
		     int advice)
{
	unsigned long flags = *vm_flags & ~(VM_HUGEPAGE | VM_NOHUGEPAGE);

	if (advice == MADV_NOHUGEPAGE)
		*vm_flags = flags | VM_NOHUGEPAGE;
	else if (advice == MADV_HUGEPAGE && !advice_is_ignored(vma))
		*vm_flags = flags | VM_HUGEPAGE;
	return 0;
}

/* ---- MADV_COLLAPSE ---- */

/**
 * struct advice - one MADV_COLLAPSE
 * @c: the window it is at
 * @vma: it is in, while mmap_lock is held
 * @start: first address
 * @end: behind the last
 * @pmd: permitted where a whole PMD is asked for: that order, or nothing
 * @small: permitted everywhere else: smaller orders that are enabled
 * @whole: windows that are asked for as a whole; if there are any, only these
 *	decide about the answer
 * @huge: of these, how many are huge now
 * @failed: what happened last to one that is not
 * @dropped: mmap_lock was dropped on the way
 */
struct advice {
	struct collapse		*c;
	struct vm_area_struct	*vma;
	unsigned long		start, end;
	unsigned long		pmd, small;
	unsigned long		whole, huge;
	enum scan_result	failed;
	bool			dropped;
};

/* As often a window is tried whose pages somebody has for a moment. */
#define ADVICE_TRIES	3

/* Smaller orders that somebody enabled, for this kind of memory. */
static unsigned long advice_small_orders(struct vm_area_struct *vma)
{
	unsigned long orders;

	if (vma_is_anonymous(vma)) {
		orders = READ_ONCE(huge_anon_orders_always) |
			 READ_ONCE(huge_anon_orders_madvise);
		if (hugepage_global_enabled())
			orders |= READ_ONCE(huge_anon_orders_inherit);
	} else if (IS_ENABLED(CONFIG_SHMEM) && vma_is_anon_shmem(vma)) {
		orders = shmem_huge_orders_enabled();
	} else {
		orders = 0;
	}
	orders &= THP_ORDERS_ALL_ANON & ~BIT(PMD_ORDER);
	/* For shared memory the answer does not depend on the order. */
	if (!orders || !thp_vma_allowable_orders(vma, vma->vm_flags, 0, orders))
		return 0;
	return collapse_fitting_orders(vma, orders);
}

/* What may be done in a VMA; false: nothing. */
static bool advice_enter_vma(struct advice *a, struct vm_area_struct *vma)
{
	a->vma = vma;
	a->pmd = 0;
	if (thp_vma_allowable_order(vma, vma->vm_flags, 0, PMD_ORDER))
		a->pmd = collapse_fitting_orders(vma, BIT(PMD_ORDER));
	a->small = advice_small_orders(vma);
	return a->pmd || a->small;
}

/* mmap_lock was dropped; is there still something to do at the address? */
static enum scan_result advice_find_vma(struct advice *a, unsigned long address)
{
	struct mm_struct *mm = a->c->mm;
	struct vm_area_struct *vma;

	mmap_assert_locked(mm);

	if (collapse_mm_is_gone(mm))
		return SCAN_ANY_PROCESS;
	vma = vma_lookup(mm, address);
	if (!vma)
		return SCAN_VMA_NULL;
	return advice_enter_vma(a, vma) ? SCAN_SUCCEED : SCAN_VMA_CHECK;
}

static void advice_window_start(struct advice *a, unsigned long address)
{
	unsigned long window = address & PMD_MASK;
	unsigned long start, end, orders;

	start = max3(window, a->start, a->vma->vm_start);
	end = min3(window + PMD_SIZE, a->end, a->vma->vm_end);
	orders = end - start == PMD_SIZE ? a->pmd : 0;

	collapse_window_start(a->c, a->vma, window, orders ?: a->small);
	a->c->start = start;
	a->c->end = end;
}

/* Note what became of a window.  Return: whether to go on. */
static bool advice_window_end(struct advice *a, enum scan_result result)
{
	const struct collapse *c = a->c;
	bool whole = c->orders == BIT(PMD_ORDER);

	/* The rest is done for good measure. */
	if (a->whole && !whole)
		return true;

	if (collapse_errno(result))
		a->failed = result;
	else
		a->huge += whole;
	return collapse_goes_on(result);
}

/* Is there a range for a folio of the smallest order in what is asked for? */
static bool advice_has_range(const struct advice *a)
{
	unsigned long size;

	if (!a->small)
		return false;
	size = PAGE_SIZE << __ffs(a->small);
	return round_up(a->start, size) + size <= a->end;
}

/* Return: what came of the window.  mmap_lock is held again. */
static enum scan_result advice_try_window(struct advice *a)
{
	struct collapse *c = a->c;
	enum scan_result result;

	if (!c->orders)
		return SCAN_SUCCEED;
	if (!collapse_window_scan(c))
		return c->failed;

	a->dropped = true;
	mmap_read_unlock(c->mm);
	result = collapse_window(c);
	cond_resched();
	mmap_read_lock(c->mm);
	return result;
}

/*
 * Is it worth trying at once again?  Reclaim and the batches of other CPUs have
 * pages for a moment only; the batches are what can be waited for.
 */
static bool advice_again(enum scan_result result)
{
	if (collapse_errno(result) != -EAGAIN)
		return false;
	lru_add_drain_all();
	return true;
}

/* All windows, until one says that the others will not fare better. */
static void advice_run(struct advice *a)
{
	struct collapse *c = a->c;
	enum scan_result result;
	unsigned long address;
	unsigned int tries;

	mmap_assert_locked(c->mm);

	for (address = a->start; address < a->end; address = c->end) {
		tries = ADVICE_TRIES;
		do {
			result = a->dropped ? advice_find_vma(a, address) :
					      SCAN_SUCCEED;
			if (result != SCAN_SUCCEED) {
				a->failed = result;
				return;
			}
			advice_window_start(a, address);
			result = advice_try_window(a);
		} while (--tries && advice_again(result));

		if (!advice_window_end(a, result))
			return;
	}
}

/* Nothing between two PMDs was always as good as done. */
static int advice_answer(const struct advice *a)
{
	if (a->whole)
		return a->huge == a->whole ? 0 : collapse_errno(a->failed);
	if (advice_has_range(a))
		return collapse_errno(a->failed);
	return round_up(a->start, PMD_SIZE) == (a->end & PMD_MASK) ? 0 : -EINVAL;
}

/**
 * madvise_collapse() - MADV_COLLAPSE
 * @vma: in which the range lies
 * @prev: for the caller: @vma, or NULL because mmap_lock was dropped
 * @start: first address
 * @end: behind the last
 *
 * Whole PMDs become huge, whatever sysfs says.  Ranges without one get the
 * largest folios that sysfs permits to anybody; if there are whole PMDs as well
 * that is done at their edges, and does not count.
 *
 * Context: mmap_lock is held for reading; it may be dropped and taken again.
 * Return: 0, or an error number that says whether trying again helps, see
 * madvise(2).
 */
int madvise_collapse(struct vm_area_struct *vma, struct vm_area_struct **prev,
		     unsigned long start, unsigned long end)
{
	struct advice a = { .start = start, .end = end };
	struct mm_struct *mm = vma->vm_mm;
	int err;

	*prev = vma;
	if (!advice_enter_vma(&a, vma))
		return -EINVAL;

	a.c = kvzalloc(sizeof(*a.c), GFP_KERNEL);
	if (!a.c)
		return -ENOMEM;
	a.c->mm = mm;
	if (a.pmd && round_up(start, PMD_SIZE) < (end & PMD_MASK))
		a.whole = ((end & PMD_MASK) - round_up(start, PMD_SIZE)) / PMD_SIZE;
	a.failed = a.whole ? SCAN_FAIL : SCAN_SUCCEED;

	mmgrab(mm);
	lru_add_drain_all();
	advice_run(&a);
	if (a.dropped)
		*prev = NULL;
	mmdrop(mm);

	err = advice_answer(&a);
	kvfree(a.c);
	return err;
}
