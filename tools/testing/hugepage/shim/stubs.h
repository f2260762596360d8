/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel names that do nothing here, or that are only declared because a real
 * header mentions them: calling one of those does not link.
 */
#ifndef HUGEPAGE_SHIM_STUBS_H
#define HUGEPAGE_SHIM_STUBS_H

#include <linux/compiler.h>
#include <linux/init.h>
#include <linux/types.h>

/* Attributes and annotations */
#define __cleanup(fn)			__attribute__((__cleanup__(fn)))
#undef __must_check
#define __must_check			__attribute__((__warn_unused_result__))
#define __cacheline_aligned_in_smp

#ifndef __UNIQUE_ID
#define __UNIQUE_ID(prefix) \
	__PASTE(__PASTE(__UNIQUE_ID_, prefix), __COUNTER__)
#endif

/* Types that are only pointed to, or have nothing in them */
struct lock_class_key { };
struct mem_cgroup;

/* For <linux/kref.h> */
struct refcount_struct;
bool refcount_dec_and_lock(struct refcount_struct *refs, void *lock);
bool refcount_dec_and_mutex_lock(struct refcount_struct *refs, void *lock);

/* For <linux/nodemask.h> */
#define HUGEPAGE_BITMAP_STUB(name)					\
	void bitmap_##name(unsigned long *dst, ...)
HUGEPAGE_BITMAP_STUB(complement);
HUGEPAGE_BITMAP_STUB(fold);
HUGEPAGE_BITMAP_STUB(onto);
HUGEPAGE_BITMAP_STUB(remap);
HUGEPAGE_BITMAP_STUB(shift_left);
HUGEPAGE_BITMAP_STUB(shift_right);
HUGEPAGE_BITMAP_STUB(xor);
int bitmap_andnot(unsigned long *dst, ...);
int bitmap_subset(const unsigned long *bits, ...);
int bitmap_bitremap(int bit, ...);
int bitmap_parse_user(const char *text, ...);
int bitmap_parselist(const char *text, ...);

#endif
