/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Maps: huge pages in page tables.
 *
 * walk.c finds a slot, entry.c is the only file that writes one; the other
 * files are mm verbs, loops over slots with a switch over what they hold.
 */
#ifndef MM_HUGETLB_MAP_H
#define MM_HUGETLB_MAP_H

#include "../reserve/reserve.h"
#include <linux/swap.h>
#include <linux/swapops.h>

/* ---- walk.c: find or build the slot of an address ---- */

/**
 * struct hugetlb_walk - a position in the page tables of one mapping
 * @vma: the mapping
 * @mm: its address space
 * @h: its page size
 * @size: the same in bytes
 * @addr: address of the current slot, aligned to @size
 * @end: where the walk stops
 * @ptep: the current slot
 * @ptl: its lock, while hugetlb_walk_lock() holds it
 */
struct hugetlb_walk {
	struct vm_area_struct	*vma;
	struct mm_struct	*mm;
	struct hstate		*h;
	unsigned long		size;
	unsigned long		addr;
	unsigned long		end;
	pte_t			*ptep;
	spinlock_t		*ptl;
};

void hugetlb_walk_start(struct hugetlb_walk *w, struct vm_area_struct *vma,
			unsigned long start, unsigned long end);
bool hugetlb_walk_search(struct hugetlb_walk *w);
void hugetlb_walk_skip_table(struct hugetlb_walk *w);
bool hugetlb_walk_build(struct hugetlb_walk *w, struct vm_area_struct *vma,
			unsigned long addr);
bool hugetlb_walk_follow(struct hugetlb_walk *w, unsigned long addr);
bool hugetlb_walk_find(struct hugetlb_walk *w, struct vm_area_struct *vma,
		       unsigned long addr);
pte_t hugetlb_walk_lock(struct hugetlb_walk *w);
pte_t hugetlb_walk_lock_both(struct hugetlb_walk *dst,
			     struct hugetlb_walk *src);
void hugetlb_walk_unlock_both(struct hugetlb_walk *dst,
			      struct hugetlb_walk *src);
bool hugetlb_walk_stable(struct hugetlb_walk *w, pte_t seen);
bool hugetlb_walk_build_range(struct vm_area_struct *vma, unsigned long start,
			      unsigned long end);

/*
 * Step to the slot behind the current one, if it is an entry of the same table:
 * nothing to search for.  An architecture may keep huge pages of PMD size
 * elsewhere than in PMD tables, but not where those can be shared.
 */
static inline bool hugetlb_walk_step(struct hugetlb_walk *w)
{
	if (!IS_ENABLED(CONFIG_ARCH_WANT_GENERAL_HUGETLB) &&
	    !IS_ENABLED(CONFIG_HUGETLB_PMD_PAGE_TABLE_SHARING))
		return false;
	if (w->size != PMD_SIZE || !(w->addr & ~PUD_MASK))
		return false;
	w->ptep = (pte_t *)((pmd_t *)w->ptep + 1);
	return true;
}

/**
 * hugetlb_walk_next() - go to the next slot that has a table
 * @w: the walk
 *
 * Context: the locks of hugetlb_walk(), held since the last step.
 * Return: false at the end of the range.
 */
static inline bool hugetlb_walk_next(struct hugetlb_walk *w)
{
	if (w->ptep) {
		w->addr += w->size;
		if (w->addr < w->end && hugetlb_walk_step(w))
			return true;
	}
	return hugetlb_walk_search(w);
}

/**
 * hugetlb_walk_same_table() - are two slots in one table?
 * @w: the walk, at the later slot
 * @earlier: slot of an earlier step of the same walk
 *
 * Context: any.
 * Return: true when they are, and so have one page-table lock.
 */
static inline bool hugetlb_walk_same_table(const struct hugetlb_walk *w,
					   const pte_t *earlier)
{
	return !(((unsigned long)w->ptep ^ (unsigned long)earlier) & PAGE_MASK);
}

/**
 * hugetlb_walk_read() - read the current slot
 * @w: the walk, at a slot
 *
 * Context: any that keeps the table; stale at once without the page-table lock.
 * Return: the entry.
 */
static inline pte_t hugetlb_walk_read(const struct hugetlb_walk *w)
{
	return huge_ptep_get(w->mm, w->addr, w->ptep);
}

/**
 * hugetlb_walk_unlock() - undo hugetlb_walk_lock()
 * @w: the walk
 *
 * Context: releases the page-table lock.
 */
static inline void hugetlb_walk_unlock(struct hugetlb_walk *w)
	__releases(w->ptl)
{
	spinlock_t *ptl = w->ptl;

	w->ptl = NULL;
	spin_unlock(ptl);
}

/* Every slot of the range that has a table; holes without one are skipped. */
#define for_each_hugetlb_entry(w, vma, start, end)			\
	for (hugetlb_walk_start((w), (vma), (start), (end));		\
	     hugetlb_walk_next(w);)

/* ---- entry.c: what a slot holds ---- */

/**
 * enum hugetlb_entry - kinds of page-table entry
 * @ENTRY_NONE: nothing
 * @ENTRY_UFFD_WP: no page, but a note that writes are to be reported
 * @ENTRY_POISON: UFFDIO_POISON, every access is a memory error
 * @ENTRY_MIGRATION: the page is on its way elsewhere
 * @ENTRY_HWPOISON: the page had a memory error
 * @ENTRY_PRESENT: a huge page
 */
enum hugetlb_entry {
	ENTRY_NONE,
	ENTRY_UFFD_WP,
	ENTRY_POISON,
	ENTRY_MIGRATION,
	ENTRY_HWPOISON,
	ENTRY_PRESENT,
};

enum hugetlb_entry hugetlb_entry_absent_kind(pte_t entry);

/**
 * hugetlb_entry_kind() - what does an entry hold?
 * @entry: as read from a slot
 *
 * Context: any; the answer is as old as @entry.
 * Return: its kind.
 */
static inline enum hugetlb_entry hugetlb_entry_kind(pte_t entry)
{
	if (huge_pte_none(entry))
		return ENTRY_NONE;
	if (pte_present(entry))
		return ENTRY_PRESENT;
	return hugetlb_entry_absent_kind(entry);
}

static inline struct folio *hugetlb_entry_folio(pte_t entry)
{
	return page_folio(pte_page(entry));
}

/* flags of hugetlb_entry_install() */
#define ENTRY_WRITE	BIT(0)		/* writable and dirty */
#define ENTRY_ANON	BIT(1)		/* new anonymous folio of this mapping */
#define ENTRY_WP	BIT(2)		/* keep userfaultfd write-protection */

/*
 * Everything below writes under the page-table lock of its slots.  install and
 * remove carry rmap and the mm's counter with them, the folio reference they
 * leave to the caller.  copy takes any kind; of ENTRY_PRESENT the caller has
 * already duplicated rmap and reference.
 */
pte_t hugetlb_entry_make(struct vm_area_struct *vma, struct folio *folio,
			 unsigned int flags);
void hugetlb_entry_install(struct hugetlb_walk *w, struct folio *folio,
			   unsigned int flags);
void hugetlb_entry_exchange(struct hugetlb_walk *w, struct folio *old_folio,
			    struct folio *new_folio, unsigned int flags);
void hugetlb_entry_make_writable(struct hugetlb_walk *w);
bool hugetlb_entry_set_young(struct hugetlb_walk *w, pte_t entry, bool write);
void hugetlb_entry_set(struct hugetlb_walk *w, pte_t entry);
void hugetlb_entry_clear(struct hugetlb_walk *w);
pte_t hugetlb_entry_remove(struct hugetlb_walk *w, struct folio *folio);
void hugetlb_entry_copy(struct hugetlb_walk *dst, struct hugetlb_walk *src,
			pte_t entry, bool cow);
void hugetlb_entry_move(struct hugetlb_walk *dst, struct hugetlb_walk *src,
			pte_t entry);
void hugetlb_entry_protect(struct hugetlb_walk *w, pgprot_t prot,
			   unsigned long cp_flags);

/* ---- vma.c: what vm_private_data means ---- */

/**
 * struct hugetlb_vma_lock - lock of a shared mapping
 * @refs: the VMA, and truncation while it waits for @rw_sema
 * @rw_sema: read to walk the tables, write to unshare or zap
 * @vma: whose lock it is, NULL once the VMA is gone; under @rw_sema
 *
 * Private owners use resv_map.rw_sema instead; other private VMAs need none.
 */
struct hugetlb_vma_lock {
	struct kref		refs;
	struct rw_semaphore	rw_sema;
	struct vm_area_struct	*vma;
};

extern const struct vm_operations_struct hugetlb_vm_ops;

int hugetlb_vma_attach(struct vm_area_struct *vma, struct inode *inode,
		       vm_flags_t vm_flags);
struct resv_map *hugetlb_vma_resv_map(struct vm_area_struct *vma);
bool hugetlb_vma_is_owner(struct vm_area_struct *vma);
bool hugetlb_vma_has_lock(struct vm_area_struct *vma);
bool hugetlb_vma_hand_over(struct vm_area_struct *vma,
			   struct vm_area_struct *new_vma,
			   unsigned long start, unsigned long end);
void hugetlb_vma_set_robbed(struct vm_area_struct *vma);
bool hugetlb_vma_is_robbed(struct vm_area_struct *vma);
void hugetlb_vma_unlock_write_detach(struct vm_area_struct *vma);
struct hugetlb_vma_lock *hugetlb_vma_lock_get(struct vm_area_struct *vma);
void hugetlb_vma_lock_put(struct hugetlb_vma_lock *lock);

/*
 * Keep the tables of a VMA that was just copied.  Its task does not run, or does
 * not know the address, but others find it in i_mmap, may share its tables, and
 * then take them away.  The copy of a private mapping has no lock of its own.
 */
static inline struct hugetlb_vma_lock *
hugetlb_vma_lock_read_copy(struct vm_area_struct *vma)
{
	struct hugetlb_vma_lock *lock = hugetlb_vma_lock_get(vma);

	/* Inside the lock of the original. */
	if (lock)
		down_read_nested(&lock->rw_sema, SINGLE_DEPTH_NESTING);
	return lock;
}

static inline void hugetlb_vma_unlock_read_copy(struct hugetlb_vma_lock *lock)
{
	if (!lock)
		return;
	up_read(&lock->rw_sema);
	hugetlb_vma_lock_put(lock);
}

/* Where pages go from @vma to @copy, which may be older than the robbery. */
static inline void hugetlb_vma_pass_robbed(struct vm_area_struct *vma,
					   struct vm_area_struct *copy)
{
	if (hugetlb_vma_is_robbed(vma))
		hugetlb_vma_set_robbed(copy);
}

/* ---- share.c: one PMD table for many processes ---- */

/* Tables of other levels keep something else where PMD tables count users. */
static inline bool hugetlb_walk_is_shared(const struct hugetlb_walk *w)
{
	return w->size == PMD_SIZE && hugetlb_pmd_shared(w->ptep);
}

void hugetlb_unshare_range(struct vm_area_struct *vma, unsigned long start,
			   unsigned long end);
void hugetlb_unshare_range_locked(struct vm_area_struct *vma,
				  unsigned long start, unsigned long end);

/* ---- fault.c ---- */

/**
 * struct hugetlb_fault_ctx - one fault on a hugetlb mapping
 * @walk: the slot
 * @vmf: the same for functions outside this room
 * @mapping: the file's pages
 * @hindex: index in it, in huge pages
 * @entry: what the slot held when the fault looked, without the page-table lock
 * @uffd_reason: VM_UFFD_* to hand over once nothing is locked, or 0
 * @busy: folio to wait for once nothing is locked, with a reference, or NULL
 * @early: the promised page is not back in the pool yet
 * @inside: the file reached that far when the fault looked
 * @from: page of the file that a page of the mapping's own is a copy of, or NULL
 */
struct hugetlb_fault_ctx {
	struct hugetlb_walk	walk;
	struct vm_fault		*vmf;
	struct address_space	*mapping;
	pgoff_t			hindex;
	pte_t			entry;
	unsigned long		uffd_reason;
	struct folio		*busy;
	bool			early;
	bool			inside;
	struct folio		*from;
};

vm_fault_t hugetlb_fault_error(struct hugetlb_fault_ctx *ctx, int err);
int hugetlb_fault_publish(struct hugetlb_claim *claim,
			  struct address_space *mapping);
void __init hugetlb_fault_init(void);

/* ---- wp.c ---- */

vm_fault_t hugetlb_wp(struct hugetlb_fault_ctx *ctx);

/* ---- zap.c ---- */

void hugetlb_zap_range(struct vm_area_struct *vma, unsigned long start,
		       unsigned long end, zap_flags_t zap_flags);
bool hugetlb_zap_finds(struct vm_area_struct *vma, unsigned long addr,
		       struct folio *folio);
void hugetlb_zap_file(struct address_space *mapping, pgoff_t start,
		      pgoff_t end, zap_flags_t zap_flags);
void hugetlb_zap_folio(struct address_space *mapping, struct folio *folio,
		       zap_flags_t zap_flags);

/* ---- cache.c ---- */

int hugetlb_cache_insert(struct folio *folio, struct address_space *mapping,
			 pgoff_t hindex);
void hugetlb_cache_remove(struct folio *folio);
void hugetlb_cache_remove_batch(struct inode *inode, struct folio_batch *batch);

#endif /* MM_HUGETLB_MAP_H */
