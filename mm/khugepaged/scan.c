// SPDX-License-Identifier: GPL-2.0
/*
 * Scan: windows one after the other, and what becomes of each.
 *
 * A window is looked at under mmap_lock.  Only if there is something to do the
 * lock is dropped, and the ranges are tried; since then the VMA may be gone, so
 * whoever goes through an address space looks it up again.
 * Locks: mmap_lock for reading.
 */
#include <linux/file.h>
#include <linux/khugepaged.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/shmem_fs.h>

#include <trace/events/huge_memory.h>

#include "collapse.h"

/* ---- a window ---- */

/**
 * collapse_fitting_orders() - sizes that the kind and the place of a VMA permit
 * @vma: any
 * @orders: that settings permit
 *
 * A folio of a file lies at a multiple of its size in the file; where the VMA
 * maps it elsewhere, it cannot be mapped as a whole.
 *
 * Context: mmap_lock is held.
 * Return: those of @orders that a range of it may have.
 */
unsigned long collapse_fitting_orders(struct vm_area_struct *vma,
				      unsigned long orders)
{
	unsigned long shift = (vma->vm_start >> PAGE_SHIFT) - vma->vm_pgoff;

	orders &= THP_ORDERS_ALL_ANON;
	if (vma_is_anonymous(vma))
		return orders;
	if (!IS_ENABLED(CONFIG_SHMEM))
		return 0;
	if (!shmem_file(vma->vm_file))
		orders &= BIT(PMD_ORDER);
	if (shift)
		orders &= BITMAP_LAST_WORD_MASK(__ffs(shift) + 1);
	return orders;
}

/*
 * Orders that shared memory may have only within its size.  The VMA was judged
 * by its first page; a page that no file reaches is permitted all the others.
 */
static unsigned long window_bounded_orders(const struct collapse *c,
					   struct vm_area_struct *vma)
{
	const pgoff_t beyond = LONG_MAX;

	if (!collapse_is_khugepaged(c) || vma_is_anonymous(vma) ||
	    !shmem_file(vma->vm_file))
		return 0;
	return ~shmem_allowable_huge_orders(file_inode(vma->vm_file), vma,
					    beyond, 0, false);
}

/**
 * collapse_window_start() - begin with a window
 * @c: the attempt; mm and limits are set
 * @vma: has a part in the window
 * @window: its first address
 * @orders: permitted for @vma, see collapse_fitting_orders()
 *
 * The caller may narrow start and end down before the scan.
 *
 * Context: mmap_lock is held.
 */
void collapse_window_start(struct collapse *c, struct vm_area_struct *vma,
			   unsigned long window, unsigned long orders)
{
	mmap_assert_locked(c->mm);

	c->vma = vma;
	c->file = NULL;
	c->window = window;
	c->start = max(window, vma->vm_start);
	c->end = min(window + PMD_SIZE, vma->vm_end);
	/* Below zero where the window begins before the file; it wraps. */
	c->pgoff = vma->vm_pgoff +
		   (window >> PAGE_SHIFT) - (vma->vm_start >> PAGE_SHIFT);
	c->orders = orders;
	if (c->end - c->start < PMD_SIZE)
		c->orders &= ~BIT(PMD_ORDER);
	c->bounded = c->orders & window_bounded_orders(c, vma);

	c->blocked_by = SCAN_FAIL;
	c->referenced = 0;
	c->none_or_zero = 0;
	c->swapped = 0;
	c->writable = false;
	c->scan_pfn = -1UL;
	c->collapsed = 0;
	c->failed = SCAN_SUCCEED;
	c->memory_short = false;
}

/* What to say of a window when all is done in it. */
static enum scan_result window_result(const struct collapse *c)
{
	if (c->collapsed && (collapse_is_khugepaged(c) ||
			     c->failed == SCAN_SUCCEED))
		return SCAN_SUCCEED;
	return c->failed == SCAN_SUCCEED ? SCAN_HELD : c->failed;
}

static void window_trace(const struct collapse *c, enum scan_result result)
{
	unsigned int present;

	if (c->file) {
		present = bitmap_weight(c->map.present, 1U << c->map.order);
		trace_mm_khugepaged_scan_file(c->mm, c->scan_pfn, c->file,
					      present, c->swapped, result);
		return;
	}
	trace_mm_khugepaged_scan_pmd(c->mm, c->scan_pfn == -1UL ? NULL :
				     pfn_to_page(c->scan_pfn), c->writable,
				     c->referenced, c->none_or_zero, result,
				     c->swapped);
}

/* ---- the ranges of a window ---- */

/*
 * Where the walk goes after a range, and what is remembered of it.  @tried: the
 * range was more than looked at.
 */
static void window_settle(struct collapse *c, enum scan_result result,
			  bool tried)
{
	struct collapse_candidates *it = &c->candidates;

	switch (result) {
	case SCAN_SUCCEED:
		c->collapsed++;
		fallthrough;
	case SCAN_PMD_MAPPED:
	case SCAN_HELD:
		collapse_candidates_done(it);
		return;
	case SCAN_ALLOC_HUGE_PAGE_FAIL:
		c->memory_short = true;
		collapse_candidates_forbid(it);
		break;
	default:
		/* That nothing is in most parts of a window says nothing. */
		if (it->order == PMD_ORDER ||
		    collapse_range_in_use(&c->map, it->offset, it->order))
			collapse_count_exceeded(result, it->order);
	}
	/* What was seen during a trial is true of the whole window. */
	if (tried && !collapse_goes_smaller(result))
		it->orders = 0;
	if (collapse_candidates_halve(it))
		return;
	/* It might have been part of a larger range. */
	c->failed = c->memory_short ? SCAN_ALLOC_HUGE_PAGE_FAIL : result;
}

/* Does the range reach beyond the end of a file that has to hold all of it? */
static bool window_exceeds_file(const struct collapse *c)
{
	const struct collapse_candidates *it = &c->candidates;
	loff_t end = (loff_t)(c->pgoff + it->offset + (1UL << it->order));

	if (!(c->bounded & BIT(it->order)))
		return false;
	return end > DIV_ROUND_UP_ULL(i_size_read(file_inode(c->file)),
				      PAGE_SIZE);
}

/*
 * Parts outside the VMA, or the file, are not there to be collapsed; that is no
 * failure.
 */
static bool window_outside(struct collapse *c)
{
	struct collapse_candidates *it = &c->candidates;
	unsigned long first = c->window + ((unsigned long)it->offset << PAGE_SHIFT);
	unsigned long last = first + (PAGE_SIZE << it->order) - 1;

	if (first >= c->start && last < c->end && !window_exceeds_file(c))
		return false;
	if (last < c->start || first >= c->end)
		collapse_candidates_done(it);
	else
		collapse_candidates_halve(it);
	return true;
}

/* The next range that is worth a try: c->offset, c->order. */
static bool window_next(struct collapse *c)
{
	struct collapse_candidates *it = &c->candidates;

	while (collapse_candidates_next(it)) {
		if (window_outside(c))
			continue;
		if (it->verdict == SCAN_SUCCEED) {
			c->offset = it->offset;
			c->order = it->order;
			return true;
		}
		window_settle(c, it->verdict == SCAN_FAIL ? c->blocked_by :
			      it->verdict, false);
	}
	return false;
}

static bool window_first(struct collapse *c)
{
	collapse_candidates_start(&c->candidates, &c->map, c->limits,
				  c->orders);
	return window_next(c);
}

/* A folio as large as a PMD is in the file: away with the page table over it. */
static enum scan_result window_map_huge(struct collapse *c)
{
	enum scan_result result = SCAN_ANY_PROCESS;

	mmap_read_lock(c->mm);
	if (!collapse_mm_is_gone(c->mm))
		result = collapse_map_huge(c->mm, c->window,
					   !collapse_is_khugepaged(c));
	mmap_read_unlock(c->mm);
	return result;
}

static enum scan_result window_try(struct collapse *c)
{
	bool file = IS_ENABLED(CONFIG_SHMEM) && c->file;
	enum scan_result result;

	result = collapse_prepare(c);
	if (result != SCAN_SUCCEED)
		return result;
	result = file ? collapse_file(c) : collapse_anon(c);
	collapse_unprepare(c);

	if (file && result == SCAN_PTE_MAPPED_HUGEPAGE)
		result = window_map_huge(c);
	return result;
}

static void window_try_all(struct collapse *c)
{
	enum scan_result result;

	do {
		cond_resched();
		result = window_try(c);
		collapse_count_result(result);
		window_settle(c, result, true);
	} while (window_next(c));
}

static void window_file(struct collapse *c)
{
	enum scan_result result;

	result = hpage_collapse_scan_file(c);
	if (result == SCAN_PTE_MAPPED_HUGEPAGE)
		result = window_map_huge(c);
	else if (result == SCAN_SUCCEED && window_first(c))
		return window_try_all(c);
	else if (result == SCAN_SUCCEED)
		result = window_result(c);

	collapse_count_result(result);
	c->collapsed = result == SCAN_SUCCEED;
	if (collapse_errno(result))
		c->failed = result;
}

/**
 * collapse_window_scan() - look at a window
 * @c: after collapse_window_start()
 *
 * Of a file a reference is taken, collapse_window() looks at it.
 *
 * Context: mmap_lock is held for reading.
 * Return: whether there is something to do: drop mmap_lock and call
 * collapse_window().  If not, c->failed says why.
 */
bool collapse_window_scan(struct collapse *c)
{
	enum scan_result result;

	mmap_assert_locked(c->mm);

	if (IS_ENABLED(CONFIG_SHMEM) && !vma_is_anonymous(c->vma)) {
		c->file = get_file(c->vma->vm_file);
		return true;
	}

	result = hpage_collapse_scan_pmd(c);
	if (result == SCAN_SUCCEED) {
		if (window_first(c))
			return true;
		result = window_result(c);
	} else if (c->orders & BIT(PMD_ORDER)) {
		collapse_count_exceeded(result, PMD_ORDER);
	}
	c->failed = result;
	collapse_count_result(result);
	window_trace(c, result);
	return false;
}

/**
 * collapse_window() - try the ranges of a window
 * @c: after collapse_window_scan() found something
 *
 * Context: process context, may sleep; no locks.
 * Return: SCAN_SUCCEED; SCAN_HELD if there was nothing left to do; else why the
 * last of the ranges that failed did so.  For khugepaged one success will do.
 */
enum scan_result collapse_window(struct collapse *c)
{
	enum scan_result result;

	c->vma = NULL;
	if (IS_ENABLED(CONFIG_SHMEM) && c->file)
		window_file(c);
	else
		window_try_all(c);

	result = window_result(c);
	window_trace(c, result);
	if (c->file)
		fput(c->file);
	c->file = NULL;
	return result;
}

/* ---- an address space ---- */

/**
 * struct scan_visit - one visit of the thread to an address space
 * @c: the window it is at
 * @address: the cursor
 * @budget: pages to scan
 * @scanned: pages so far; a VMA that is passed over counts as one
 * @found: @c is to be collapsed
 * @finished: nothing is left behind the cursor
 */
struct scan_visit {
	struct collapse		*c;
	unsigned long		address;
	unsigned int		budget;
	unsigned int		scanned;
	bool			found;
	bool			finished;
};

static unsigned long scan_orders(struct vm_area_struct *vma)
{
	unsigned long orders;

	orders = thp_vma_allowable_orders(vma, vma->vm_flags,
					  TVA_ENFORCE_SYSFS,
					  THP_ORDERS_ALL_ANON);
	return collapse_fitting_orders(vma, orders);
}

/*
 * From the cursor to the end of a VMA.  Return: whether that is all for this
 * visit.
 */
static bool scan_vma(struct scan_visit *visit, struct vm_area_struct *vma)
{
	unsigned long orders = scan_orders(vma);
	unsigned long start, end, size;
	struct collapse *c = visit->c;

	/* No range begins before start or ends behind end. */
	size = orders ? PAGE_SIZE << __ffs(orders) : 0;
	start = size ? round_up(vma->vm_start, size) : vma->vm_end;
	end = size ? round_down(vma->vm_end, size) : vma->vm_end;
	if (max(start, visit->address) >= end) {
		visit->scanned++;
		return false;
	}

	visit->address = max(start, visit->address);
	while (visit->address < end) {
		cond_resched();
		visit->finished = collapse_mm_is_gone(c->mm);
		if (visit->finished)
			return true;
		collapse_window_start(c, vma, visit->address & PMD_MASK, orders);
		visit->address = c->end;
		visit->scanned += (c->end - c->start) >> PAGE_SHIFT;
		visit->found = collapse_window_scan(c);
		if (visit->found || visit->scanned >= visit->budget)
			return true;
	}
	return false;
}

/* From the cursor to a window with something to do, or as far as it goes. */
static void scan_on(struct scan_visit *visit)
{
	struct mm_struct *mm = visit->c->mm;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;

	mmap_assert_locked(mm);

	visit->scanned++;
	visit->finished = collapse_mm_is_gone(mm);
	if (visit->finished)
		return;
	vma_iter_init(&vmi, mm, visit->address);
	for_each_vma(vmi, vma) {
		cond_resched();
		if (scan_vma(visit, vma))
			return;
	}
	visit->finished = true;
}

/**
 * khugepaged_scan_mm() - go on from the cursor, in one address space
 * @c: the thread's
 * @budget: pages to scan; a window is finished in any case
 * @result: of the last window that was tried, else SCAN_FAIL
 *
 * Ends after a window that was tried, at the end of the address space, or with
 * the budget.  An address space that is busy is left for the next round.
 *
 * Context: the thread; may sleep.
 * Return: pages scanned.
 */
unsigned int khugepaged_scan_mm(struct collapse *c, unsigned int budget,
				enum scan_result *result)
{
	struct scan_visit visit = { .c = c, .budget = budget };
	struct mm_struct *mm = registry_current(&visit.address);

	*result = SCAN_FAIL;
	if (!mm)
		return budget;

	c->mm = mm;
	if (mmap_read_trylock(mm)) {
		scan_on(&visit);
		mmap_read_unlock(mm);
	} else {
		visit.finished = true;
	}

	if (visit.found) {
		*result = collapse_window(c);
		WRITE_ONCE(khugepaged_pages_collapsed,
			   khugepaged_pages_collapsed + c->collapsed);
	}
	registry_leave(mm, visit.address, visit.finished);
	return visit.scanned;
}
