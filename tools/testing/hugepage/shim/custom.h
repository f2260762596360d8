/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel names that differ here on purpose: memory runs out when told to, a
 * lock knows whether it is held, a warning fails the test, a folio is a small
 * struct of its own.  Included before everything else.
 */
#ifndef HUGEPAGE_SHIM_CUSTOM_H
#define HUGEPAGE_SHIM_CUSTOM_H

#define CONFIG_NUMA			1
#define CONFIG_NODES_SHIFT		3
#define CONFIG_DEBUG_VM			1
#define CONFIG_CMA			1
#define CONFIG_CGROUP_HUGETLB		1
#define CONFIG_HUGETLB_PAGE		1
#define CONFIG_HUGETLBFS		1
#define CONFIG_HUGETLB_PAGE_OPTIMIZE_VMEMMAP 1
#define CONFIG_HUGETLB_KUNIT_TEST	1

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "stubs.h"
#include <linux/kconfig.h>
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/list.h>

/* ---- what the harness watches, custom.c ---- */

/* The running test fails; without one the program ends. */
void harness_broken(const char *file, int line, const char *what);

extern unsigned int harness_locks_held;
extern unsigned long harness_ops;
extern unsigned long harness_seed;

/* The k-th allocation from now on fails, then none; 0: none. */
bool harness_fail_alloc(unsigned long k);
unsigned long harness_allocs_alive(void);
void harness_reseed(void);
u64 harness_random(void);

#define HUGEPAGE_TEST_OPS		harness_ops
#define POOL_TEST_STEPS			harness_ops
#define POOL_TEST_SEED			harness_random()
#define HUGEPAGE_FAIL_ALLOC(k)		harness_fail_alloc(k)

#define harness_check(cond, what)					\
	do {								\
		if (!(cond))						\
			harness_broken(__FILE__, __LINE__, (what));	\
	} while (0)

/* ---- warnings ---- */

#undef WARN_ON
#undef WARN_ON_ONCE
#define WARN_ON(cond) ({						\
	bool warned_ = !!(cond);					\
									\
	harness_check(!warned_, "warning: " #cond);			\
	warned_;							\
})
#define WARN_ON_ONCE(cond)		WARN_ON(cond)
#define VM_WARN_ON(cond)		((void)WARN_ON(cond))
#define VM_WARN_ON_ONCE(cond)		((void)WARN_ON(cond))

/* ---- memory ---- */

void *harness_alloc(size_t size, gfp_t gfp, const char *file, int line);
void harness_free(const void *p, const char *file, int line);

#define kmalloc(size, gfp)	harness_alloc((size), (gfp), __FILE__, __LINE__)
#define kzalloc(size, gfp)	kmalloc((size), (gfp) | __GFP_ZERO)
#define kfree(p)		harness_free((p), __FILE__, __LINE__)
#define kvzalloc(size, gfp)	kzalloc(size, gfp)
#define kvfree(p)		kfree(p)

/* ---- locks: leaves, so never two at once ---- */

typedef struct { bool held; } spinlock_t;
struct mutex { bool held; };
struct rw_semaphore { bool held; };

#define DEFINE_SPINLOCK(name)		spinlock_t name = { false }
#define DEFINE_MUTEX(name)		struct mutex name = { false }
#define spin_lock_init(lock)		((lock)->held = false)
#define mutex_init(lock)		((lock)->held = false)
#define init_rwsem(lock)		((lock)->held = false)

static inline void spin_lock(spinlock_t *lock)
{
	harness_check(!lock->held, "taken while held");
	harness_check(!harness_locks_held, "taken inside another leaf");
	lock->held = true;
	harness_locks_held++;
}

static inline void spin_unlock(spinlock_t *lock)
{
	harness_check(lock->held, "dropped but not held");
	lock->held = false;
	harness_locks_held--;
}

#define spin_lock_irq(lock)		spin_lock(lock)
#define spin_unlock_irq(lock)		spin_unlock(lock)
#define spin_lock_irqsave(lock, flags)	((flags) = 1, spin_lock(lock))
#define spin_unlock_irqrestore(lock, flags)				\
	do {								\
		harness_check((flags) == 1, "irqrestore: not saved");	\
		spin_unlock(lock);					\
	} while (0)

#define lockdep_assert_held(lock)					\
	harness_check((lock)->held, "not held: " #lock)
#define lockdep_assert_not_held(lock)					\
	harness_check(!(lock)->held, "held: " #lock)

#include <linux/cleanup.h>

DEFINE_LOCK_GUARD_1(spinlock, spinlock_t, spin_lock(_T->lock),
		    spin_unlock(_T->lock))
DEFINE_LOCK_GUARD_1(spinlock_irq, spinlock_t, spin_lock_irq(_T->lock),
		    spin_unlock_irq(_T->lock))
DEFINE_LOCK_GUARD_1(spinlock_irqsave, spinlock_t,
		    spin_lock_irqsave(_T->lock, _T->flags),
		    spin_unlock_irqrestore(_T->lock, _T->flags),
		    unsigned long flags)

/* ---- random numbers: the same again for the same seed ---- */

struct rnd_state {
	u64 state;
};

static inline void prandom_seed_state(struct rnd_state *rnd, u64 seed)
{
	/* Zero is the one state this generator never leaves. */
	rnd->state = seed ?: 1;
}

static inline u32 prandom_u32_state(struct rnd_state *rnd)
{
	rnd->state ^= rnd->state << 13;
	rnd->state ^= rnd->state >> 7;
	rnd->state ^= rnd->state << 17;
	return rnd->state >> 32;
}

#define get_random_u64()		harness_random()
#define get_random_u32()		((u32)(harness_random() >> 32))

/* ---- folios: what a pool looks at, nothing else ---- */

struct page {
	unsigned int	page_type;
	int		nid;
};

struct folio {
	struct page		page;
	struct list_head	lru;
	int			refcount;
	unsigned long		private;	/* HPG_* bits */
	struct hugetlb_quota	*_hugetlb_subpool;
	bool			hugetlb;	/* page type */
	bool			hwpoison;
	bool			movable_zone;	/* not for long-term pins */
};

#define set_page_node(page, node)	((void)((page)->nid = (node)))
#define folio_nid(folio)		((folio)->page.nid)
#define folio_ref_count(folio)		((folio)->refcount)
#define folio_test_hugetlb(folio)	((folio)->hugetlb)
#define __folio_set_hugetlb(folio)	((void)((folio)->hugetlb = true))
#define __folio_clear_hugetlb(folio)	((void)((folio)->hugetlb = false))
#define folio_test_hwpoison(folio)	((folio)->hwpoison)
#define folio_set_hwpoison(folio)	((void)((folio)->hwpoison = true))
#define folio_is_longterm_pinnable(folio) (!(folio)->movable_zone)
#define pool_test_set_pinnable(folio, yes)				\
	((void)((folio)->movable_zone = !(yes)))

static inline void folio_ref_unfreeze(struct folio *folio, int n)
{
	harness_check(!folio->refcount, "unfreeze: not frozen");
	folio->refcount = n;
}

static inline bool folio_ref_freeze(struct folio *folio, int n)
{
	if (folio->refcount != n)
		return false;
	folio->refcount = 0;
	return true;
}

/* ---- the hugetlb controller: two counts per group ---- */

struct hugetlb_cgroup {
	long refs;
	long charged;
};

#endif
