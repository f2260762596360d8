// SPDX-License-Identifier: GPL-2.0
/*
 * Registry: the address spaces to look at, and where the thread is in them.
 *
 * An entry holds mm_count, so that the mm_struct stays; not mm_users, so that
 * the address space may go at any time.  The entry at the cursor belongs to the
 * thread: an exit leaves it to registry_leave().
 * Locks: registry_lock, a leaf, from process context.
 */
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/khugepaged.h>
#include <linux/mmap_lock.h>
#include <linux/mmdebug.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "../mm_slot.h"
#include "collapse.h"

#define REGISTRY_HASH_BITS	10

static DEFINE_SPINLOCK(registry_lock);
/* (r): registry_lock.  In the order of scanning, new ones at the end. */
static DEFINE_READ_MOSTLY_HASHTABLE(registry_hash, REGISTRY_HASH_BITS);	/* (r) */
static LIST_HEAD(registry_list);					/* (r) */
static struct mm_slot *registry_cursor;		/* (r) NULL: before the first */
static unsigned long registry_address;		/* (r) in the mm of the cursor */

static struct kmem_cache *registry_cache __ro_after_init;

/* Nobody runs in it any more; exit_mmap() has begun or will soon. */
static bool registry_mm_exits(struct mm_struct *mm)
{
	return !atomic_read(&mm->mm_users);
}

static void registry_unlink(struct mm_slot *slot)
{
	lockdep_assert_held(&registry_lock);

	hash_del(&slot->hash);
	list_del(&slot->mm_node);
}

static void registry_free(struct mm_slot *slot)
{
	struct mm_struct *mm = slot->mm;

	mm_slot_free(registry_cache, slot);
	mmdrop(mm);
}

/**
 * registry_init() - get ready for entries
 *
 * Context: boot.
 * Return: 0 or -ENOMEM.
 */
int __init registry_init(void)
{
	registry_cache = kmem_cache_create("khugepaged_mm_slot",
					   sizeof(struct mm_slot),
					   __alignof__(struct mm_slot), 0, NULL);
	return registry_cache ? 0 : -ENOMEM;
}

/**
 * registry_destroy() - undo registry_init()
 *
 * Context: boot; nothing was entered.
 */
void __init registry_destroy(void)
{
	kmem_cache_destroy(registry_cache);
	registry_cache = NULL;
}

/**
 * registry_empty() - is there nothing to scan?
 *
 * Context: any.  Without the lock the answer may be old.
 * Return: whether no address space is registered.
 */
bool registry_empty(void)
{
	return list_empty(&registry_list);
}

/**
 * __khugepaged_enter() - register an address space
 * @mm: that somebody runs in, or will
 *
 * Without memory for the entry nothing happens; the next fault or advice tries
 * again.
 *
 * Context: process context, may sleep.  Takes registry_lock.
 */
void __khugepaged_enter(struct mm_struct *mm)
{
	struct mm_slot *slot;
	bool first;

	VM_WARN_ON_ONCE(registry_mm_exits(mm));
	if (test_bit(MMF_VM_HUGEPAGE, &mm->flags))
		return;
	slot = mm_slot_alloc(registry_cache);
	if (!slot)
		return;
	if (test_and_set_bit(MMF_VM_HUGEPAGE, &mm->flags)) {
		mm_slot_free(registry_cache, slot);
		return;
	}

	mmgrab(mm);
	scoped_guard(spinlock, &registry_lock) {
		first = registry_empty();
		mm_slot_insert(registry_hash, mm, slot);
		/* Scanned last, to let it settle down. */
		list_add_tail(&slot->mm_node, &registry_list);
	}
	if (first)
		khugepaged_wake();
}

/**
 * khugepaged_enter_vma() - register an address space if one VMA is worth it
 * @vma: that appeared, grew, was touched or was advised about
 * @vm_flags: of it, maybe those it will have soon
 *
 * Context: process context, may sleep; mmap_lock or the VMA's lock is held.
 */
void khugepaged_enter_vma(struct vm_area_struct *vma, unsigned long vm_flags)
{
	unsigned long orders;

	if (test_bit(MMF_VM_HUGEPAGE, &vma->vm_mm->flags))
		return;
	/* Most VMAs are too small for anything; say so at once. */
	orders = khugepaged_orders();
	if (!orders || vma->vm_end - vma->vm_start < PAGE_SIZE << __ffs(orders))
		return;
	if (thp_vma_allowable_orders(vma, vm_flags, TVA_ENFORCE_SYSFS, orders))
		__khugepaged_enter(vma->vm_mm);
}

/**
 * __khugepaged_exit() - the last user of an address space is gone
 * @mm: registered or not, about to lose its page tables
 *
 * On return the thread does not look at page tables of @mm and will not: it
 * does so only under mmap_lock, after making sure that there is a user.
 *
 * Context: process context, may sleep.  Takes registry_lock, and mmap_lock for
 * writing if the cursor is in @mm.
 */
void __khugepaged_exit(struct mm_struct *mm)
{
	struct mm_slot *slot;
	bool scanned;

	scoped_guard(spinlock, &registry_lock) {
		slot = mm_slot_lookup(registry_hash, mm);
		scanned = slot && slot == registry_cursor;
		if (slot && !scanned)
			registry_unlink(slot);
	}

	if (scanned) {
		mmap_write_lock(mm);
		mmap_write_unlock(mm);
	} else if (slot) {
		clear_bit(MMF_VM_HUGEPAGE, &mm->flags);
		registry_free(slot);
	}
}

/**
 * registry_current() - the address space at the cursor
 * @address: where to go on in it
 *
 * Context: the thread.  Takes registry_lock.
 * Return: an mm that stays allocated until registry_leave(); NULL if no address
 * space is registered.
 */
struct mm_struct *registry_current(unsigned long *address)
{
	guard(spinlock)(&registry_lock);

	if (!registry_cursor) {
		registry_cursor = list_first_entry_or_null(&registry_list,
							   struct mm_slot,
							   mm_node);
		registry_address = 0;
	}
	*address = registry_address;
	return registry_cursor ? registry_cursor->mm : NULL;
}

/* The cursor goes to the next mm, or to before the first. */
static void registry_advance(void)
{
	struct mm_slot *slot = registry_cursor;

	lockdep_assert_held(&registry_lock);

	registry_address = 0;
	if (list_is_last(&slot->mm_node, &registry_list)) {
		registry_cursor = NULL;
		WRITE_ONCE(khugepaged_full_scans, khugepaged_full_scans + 1);
	} else {
		registry_cursor = list_next_entry(slot, mm_node);
	}
}

/**
 * registry_leave() - done with an address space for now
 * @mm: from registry_current()
 * @address: where to go on next time
 * @finished: there is nothing left; go on with the next mm
 *
 * Context: the thread.  Takes registry_lock.  @mm may be freed.
 */
void registry_leave(struct mm_struct *mm, unsigned long address, bool finished)
{
	struct mm_slot *slot, *dead = NULL;

	scoped_guard(spinlock, &registry_lock) {
		slot = registry_cursor;
		registry_address = address;
		/* An exit under way has left the entry to us. */
		if (registry_mm_exits(mm))
			dead = slot;
		if (dead || finished)
			registry_advance();
		if (dead)
			registry_unlink(dead);
	}
	if (dead)
		registry_free(dead);
}

/**
 * registry_at_head() - does the next mm begin a round?
 *
 * Context: the thread.  Takes registry_lock.
 * Return: whether all address spaces have been left.
 */
bool registry_at_head(void)
{
	guard(spinlock)(&registry_lock);

	return !registry_cursor;
}

/**
 * registry_drop_cursor() - nobody scans from now on
 *
 * Context: the thread, at its end.  Takes registry_lock.
 */
void registry_drop_cursor(void)
{
	struct mm_slot *dead = NULL;

	scoped_guard(spinlock, &registry_lock) {
		if (registry_cursor && registry_mm_exits(registry_cursor->mm)) {
			dead = registry_cursor;
			registry_unlink(dead);
		}
		registry_cursor = NULL;
	}
	if (dead)
		registry_free(dead);
}
