// SPDX-License-Identifier: GPL-2.0
/*
 * Faults: a touch of a hugetlb mapping finds, or gets, its page.
 *
 * hugetlb_fault() takes and releases the fault mutex (H3) and the VMA lock (H4,
 * read); nothing below it does.  Whoever must wait, or hand the fault over to
 * userfaultfd, notes that in the context and returns.  Knows what a slot can
 * hold and what comes next; pages come from claims, entries from entry.c.
 */
#define pr_fmt(fmt) "HugeTLB: " fmt

#include "map.h"
#include "../../internal.h"
#include <linux/delayacct.h>
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/mutex.h>
#include <linux/rmap.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/userfaultfd_k.h>

struct mutex *hugetlb_fault_mutex_table __ro_after_init;
static unsigned int hugetlb_fault_mutex_bits __ro_after_init;

/* Slow, but enough to run with, should there be no memory for more. */
static struct mutex hugetlb_fault_mutex_spare[2];

/**
 * hugetlb_fault_init() - create the fault mutexes
 *
 * Eight for each CPU, so that unrelated faults seldom meet.
 *
 * Context: boot.
 */
void __init hugetlb_fault_init(void)
{
	unsigned int bits = order_base_2(8 * num_possible_cpus());
	struct mutex *table = kmalloc_array(1U << bits, sizeof(*table),
					    GFP_KERNEL);
	unsigned int i;

	if (!table) {
		table = hugetlb_fault_mutex_spare;
		bits = ilog2(ARRAY_SIZE(hugetlb_fault_mutex_spare));
	}
	for (i = 0; i < 1U << bits; i++)
		mutex_init(&table[i]);

	hugetlb_fault_mutex_bits = bits;
	hugetlb_fault_mutex_table = table;
}

/**
 * hugetlb_fault_mutex_hash() - which fault mutex belongs to a page of a file?
 * @mapping: the file's pages
 * @hindex: index in it, in huge pages
 *
 * Context: any, after hugetlb_fault_init().
 * Return: index into hugetlb_fault_mutex_table.
 */
u32 hugetlb_fault_mutex_hash(struct address_space *mapping, pgoff_t hindex)
{
	unsigned long key = hash_long(hindex, BITS_PER_LONG);

	return hash_long(key ^ (unsigned long)mapping,
			 hugetlb_fault_mutex_bits);
}

static struct mutex *hugetlb_fault_mutex(const struct hugetlb_fault_ctx *ctx)
{
	u32 hash = hugetlb_fault_mutex_hash(ctx->mapping, ctx->hindex);

	return &hugetlb_fault_mutex_table[hash];
}

static vm_fault_t hugetlb_fault_poisoned(const struct hugetlb_fault_ctx *ctx)
{
	struct hstate *h = hstate_vma(ctx->vmf->vma);

	return VM_FAULT_HWPOISON_LARGE | VM_FAULT_SET_HINDEX(hstate_index(h));
}

static bool hugetlb_fault_beyond_eof(struct address_space *mapping,
				     pgoff_t hindex)
{
	struct hstate *h = hstate_inode(mapping->host);

	return hindex >= i_size_read(mapping->host) >> huge_page_shift(h);
}

/**
 * hugetlb_fault_error() - what a fault returns when no page could be had
 * @ctx: the fault
 * @err: why; -EAGAIN when the page is on its way back to the pool
 *
 * Migration empties and refills slots without the fault mutex, and a fault may
 * have looked in between: the error counts only if the slot is as it was seen.
 *
 * Context: fault mutex and VMA lock.
 * Return: 0 to have the fault repeated, else VM_FAULT_OOM, VM_FAULT_SIGBUS or
 *	VM_FAULT_HWPOISON_LARGE.
 */
vm_fault_t hugetlb_fault_error(struct hugetlb_fault_ctx *ctx, int err)
{
	if (!hugetlb_walk_stable(&ctx->walk, ctx->entry))
		return 0;
	if (err == -EAGAIN) {
		ctx->early = true;
		return 0;
	}
	if (err == -EHWPOISON)
		return hugetlb_fault_poisoned(ctx);
	return vmf_error(err);
}

/*
 * Only an event that really happened may be reported: a slot that is just
 * being filled looks empty for a moment.
 */
static vm_fault_t hugetlb_fault_hand_over(struct hugetlb_fault_ctx *ctx,
					  unsigned long reason)
{
	if (hugetlb_walk_stable(&ctx->walk, ctx->entry))
		ctx->uffd_reason = reason;
	return 0;
}

/*
 * Truncation may have passed the slot since the fault looked at the file: a page
 * of the file it would find again, but not ours.
 */
static bool hugetlb_fault_cut_off(const struct hugetlb_fault_ctx *ctx)
{
	/* The table may be new.  Pairs with hugetlbfs_truncate(). */
	smp_mb();
	if (ctx->inside)
		return hugetlb_fault_beyond_eof(ctx->mapping, ctx->hindex);

	/* What fallocate() left beyond the end may be copied while it stays. */
	if (inode_is_locked(ctx->mapping->host))
		return true;
	/* Pairs with inode_unlock(). */
	smp_rmb();
	return READ_ONCE(ctx->from->mapping) != ctx->mapping;
}

/* The slot takes over the reference, unless it changed meanwhile. */
static bool hugetlb_fault_map(struct hugetlb_fault_ctx *ctx,
			      struct folio *folio, unsigned int flags)
{
	bool same = pte_same(hugetlb_walk_lock(&ctx->walk), ctx->entry);

	if (flags & ENTRY_ANON)
		same = same && !hugetlb_fault_cut_off(ctx);
	if (hugetlb_entry_kind(ctx->entry) == ENTRY_UFFD_WP)
		flags |= ENTRY_WP;
	if (same)
		hugetlb_entry_install(&ctx->walk, folio, flags);
	if (same && (flags & ENTRY_ANON))
		folio_set_hugetlb_migratable(folio);
	hugetlb_walk_unlock(&ctx->walk);
	return same;
}

/* A claim for the page of this fault. */
static int hugetlb_fault_claim(struct hugetlb_fault_ctx *ctx,
			       struct hugetlb_claim *claim)
{
	struct vm_area_struct *vma = ctx->vmf->vma;

	hugetlb_claim_init(claim, ctx->mapping->host,
			   hugetlb_vma_resv_map(vma), ctx->hindex);
	hugetlb_claim_place(claim, vma, ctx->vmf->address);
	return hugetlb_claim_prepare(claim);
}

/* @from is what a write changes: a page of the file, or NULL for zeroes. */
static int hugetlb_fault_fill(struct hugetlb_fault_ctx *ctx,
			      struct folio *folio, struct folio *from)
{
	unsigned long hint = ctx->vmf->real_address;
	int err = 0;

	if (from)
		err = copy_user_large_folio(folio, from, hint, ctx->vmf->vma);
	else
		folio_zero_user(folio, hint);
	if (!err)
		__folio_mark_uptodate(folio);
	return err;
}

/* A page of its own for a private mapping, see hugetlb_fault_fill(). */
static vm_fault_t hugetlb_fault_anon(struct hugetlb_fault_ctx *ctx,
				     struct folio *from)
{
	unsigned int flags = ENTRY_ANON;
	struct hugetlb_claim claim;
	vm_fault_t ret;
	int err;

	ret = __vmf_anon_prepare(ctx->vmf);
	if (ret)
		return ret;
	err = hugetlb_fault_claim(ctx, &claim);
	if (err)
		return hugetlb_fault_error(ctx, err);

	if (ctx->vmf->flags & FAULT_FLAG_WRITE)
		flags |= ENTRY_WRITE;
	ctx->from = from;
	err = hugetlb_fault_fill(ctx, claim.folio, from);
	if (!err && !hugetlb_fault_map(ctx, claim.folio, flags))
		err = -EAGAIN;
	if (err) {
		hugetlb_claim_cancel(&claim);
		return hugetlb_fault_error(ctx, err);
	}
	hugetlb_claim_commit(&claim);
	return 0;
}

/* Map a page of the file.  Takes over its lock and reference. */
static vm_fault_t hugetlb_fault_file(struct hugetlb_fault_ctx *ctx,
				     struct folio *folio)
{
	vm_flags_t vm_flags = ctx->vmf->vma->vm_flags;
	unsigned int flags = 0;
	bool mapped;

	if ((vm_flags & VM_SHARED) && (vm_flags & VM_WRITE))
		flags = ENTRY_WRITE;
	mapped = hugetlb_fault_map(ctx, folio, flags);
	folio_unlock(folio);
	if (!mapped)
		folio_put(folio);
	return 0;
}

/**
 * hugetlb_fault_publish() - turn a claimed page into a page of its file
 * @claim: prepared, the page filled and up to date
 * @mapping: the file's pages
 *
 * The end of the file is looked at after the page can be found: truncation
 * moves the end first and searches for pages then, so that one of both sees
 * the other.
 *
 * Context: fault mutex.  May sleep.
 * Return: 0, the claim committed and its folio locked, the caller still with
 *	its own reference; or, the claim cancelled, -EFAULT beyond the end of
 *	the file, -ENOMEM or -EEXIST.
 */
int hugetlb_fault_publish(struct hugetlb_claim *claim,
			  struct address_space *mapping)
{
	struct folio *folio = claim->folio;
	int err;

	err = hugetlb_cache_insert(folio, mapping, claim->key.hindex);
	if (!err && hugetlb_fault_beyond_eof(mapping, claim->key.hindex)) {
		hugetlb_cache_remove(folio);
		folio_unlock(folio);
		err = -EFAULT;
	}
	if (err) {
		hugetlb_claim_cancel(claim);
		return err;
	}
	hugetlb_claim_commit(claim);
	folio_set_hugetlb_migratable(folio);
	return 0;
}

/* A page that the file does not have yet. */
static vm_fault_t hugetlb_fault_new(struct hugetlb_fault_ctx *ctx)
{
	struct hugetlb_claim claim;
	int err;

	err = hugetlb_fault_claim(ctx, &claim);
	if (err)
		return hugetlb_fault_error(ctx, err);

	hugetlb_fault_fill(ctx, claim.folio, NULL);
	err = hugetlb_fault_publish(&claim, ctx->mapping);
	if (err)
		return hugetlb_fault_error(ctx, err);
	return hugetlb_fault_file(ctx, claim.folio);
}

/* Does the fault write to a page of the file that only this task may see? */
static bool hugetlb_fault_wants_copy(const struct hugetlb_fault_ctx *ctx)
{
	if (!(ctx->vmf->flags & FAULT_FLAG_WRITE) ||
	    (ctx->vmf->vma->vm_flags & VM_MAYSHARE))
		return false;
	/* Mapped read-only first, so that userfaultfd hears of the write. */
	return hugetlb_entry_kind(ctx->entry) != ENTRY_UFFD_WP;
}

static vm_fault_t hugetlb_fault_copy(struct hugetlb_fault_ctx *ctx,
				     struct folio *from)
{
	vm_fault_t ret;

	delayacct_wpcopy_start();
	ret = hugetlb_fault_anon(ctx, from);
	delayacct_wpcopy_end();
	return ret;
}

/* The file has the page.  Takes over its lock and reference. */
static vm_fault_t hugetlb_fault_cached(struct hugetlb_fault_ctx *ctx,
				       struct folio *folio)
{
	bool poisoned = folio_test_hwpoison(folio);
	vm_fault_t ret;

	if (!poisoned && !userfaultfd_minor(ctx->vmf->vma) &&
	    !hugetlb_fault_wants_copy(ctx))
		return hugetlb_fault_file(ctx, folio);

	/* A mapping made after the error has no entry that would tell of it. */
	folio_unlock(folio);
	if (poisoned)
		ret = hugetlb_fault_poisoned(ctx);
	else if (userfaultfd_minor(ctx->vmf->vma))
		ret = hugetlb_fault_hand_over(ctx, VM_UFFD_MINOR);
	else
		ret = hugetlb_fault_copy(ctx, folio);
	folio_put(folio);
	return ret;
}

/* The slot is empty, or holds a marker that stands for an empty slot. */
static vm_fault_t hugetlb_fault_missing(struct hugetlb_fault_ctx *ctx)
{
	struct vm_area_struct *vma = ctx->vmf->vma;
	struct folio *folio;

	/* A zeroed page would look like data that was lost. */
	if (hugetlb_vma_is_robbed(vma)) {
		pr_warn_ratelimited("PID %d killed due to inadequate hugepage pool\n",
				    current->pid);
		return VM_FAULT_SIGBUS;
	}

	ctx->inside = !hugetlb_fault_beyond_eof(ctx->mapping, ctx->hindex);
	folio = filemap_lock_hugetlb_folio(hstate_vma(vma), ctx->mapping,
					   ctx->hindex);
	if (!IS_ERR(folio))
		return hugetlb_fault_cached(ctx, folio);
	if (!ctx->inside)
		return VM_FAULT_SIGBUS;
	if (userfaultfd_missing(vma))
		return hugetlb_fault_hand_over(ctx, VM_UFFD_MISSING);
	if (vma->vm_flags & VM_MAYSHARE)
		return hugetlb_fault_new(ctx);
	return hugetlb_fault_anon(ctx, NULL);
}

/*
 * Write to an entry that userfaultfd protects.  In asynchronous mode the bit
 * was only there to record the write: drop it and go on.
 *
 * Return: false when userfaultfd has to hear of it first.
 */
static bool hugetlb_fault_unprotect(struct hugetlb_fault_ctx *ctx)
{
	struct vm_area_struct *vma = ctx->vmf->vma;

	if (!userfaultfd_wp(vma) || !huge_pte_uffd_wp(ctx->entry))
		return true;
	if (!userfaultfd_wp_async(vma))
		return false;

	ctx->entry = huge_pte_clear_uffd_wp(ctx->entry);
	hugetlb_entry_set(&ctx->walk, ctx->entry);
	return true;
}

static vm_fault_t hugetlb_fault_present(struct hugetlb_fault_ctx *ctx)
{
	bool unshare = ctx->vmf->flags & FAULT_FLAG_UNSHARE;
	bool write = ctx->vmf->flags & FAULT_FLAG_WRITE;
	struct hugetlb_walk *w = &ctx->walk;
	bool protected;

	if (!pte_same(hugetlb_walk_lock(w), ctx->entry)) {
		hugetlb_walk_unlock(w);
		return 0;
	}
	protected = !huge_pte_write(ctx->entry) && (write || unshare);
	if (protected && write && !hugetlb_fault_unprotect(ctx))
		ctx->uffd_reason = VM_UFFD_WP;
	else if (!protected)
		hugetlb_entry_set_young(w, ctx->entry, write);
	hugetlb_walk_unlock(w);

	if (!protected || ctx->uffd_reason)
		return 0;
	return hugetlb_wp(ctx);
}

/* Everything that needs the slot to stay where it is. */
static vm_fault_t hugetlb_fault_locked(struct hugetlb_fault_ctx *ctx)
{
	if (!hugetlb_walk_build(&ctx->walk, ctx->vmf->vma, ctx->vmf->address))
		return VM_FAULT_OOM;

	ctx->entry = hugetlb_walk_read(&ctx->walk);
	switch (hugetlb_entry_kind(ctx->entry)) {
	case ENTRY_NONE:
	case ENTRY_UFFD_WP:
		return hugetlb_fault_missing(ctx);
	case ENTRY_POISON:
	case ENTRY_HWPOISON:
		return hugetlb_fault_poisoned(ctx);
	case ENTRY_PRESENT:
		return hugetlb_fault_present(ctx);
	case ENTRY_MIGRATION:
		break;
	}
	return 0;
}

/*
 * Sleep until the page has arrived.  The VMA lock keeps the slot in place until
 * its page-table lock is held; migration_entry_wait_huge() releases it once it
 * knows which folio to wait for.
 */
static void hugetlb_fault_wait_migration(struct hugetlb_fault_ctx *ctx)
{
	struct vm_area_struct *vma = ctx->vmf->vma;

	hugetlb_vma_lock_read(vma);
	if (hugetlb_walk_find(&ctx->walk, vma, ctx->vmf->address))
		migration_entry_wait_huge(vma, ctx->vmf->address,
					  ctx->walk.ptep);
	else
		hugetlb_vma_unlock_read(vma);
}

/* Nothing of this room is locked any more: what takes time happens here. */
static vm_fault_t hugetlb_fault_finish(struct hugetlb_fault_ctx *ctx,
				       vm_fault_t ret)
{
	if (ctx->uffd_reason)
		return handle_userfault(ctx->vmf, ctx->uffd_reason);

	if (ctx->busy) {
		folio_wait_locked(ctx->busy);
		folio_put(ctx->busy);
	} else if (!ret && is_hugetlb_entry_migration(ctx->entry)) {
		hugetlb_fault_wait_migration(ctx);
	} else if (ctx->early) {
		/* Whoever brings the page may be of lower priority. */
		schedule_timeout_killable(1);
	}

	/* From __vmf_anon_prepare(), which wants mmap_lock next time. */
	if (ret & VM_FAULT_RETRY)
		vma_end_read(ctx->vmf->vma);
	return ret;
}

/**
 * hugetlb_fault() - resolve a fault on a hugetlb mapping
 * @mm: its address space
 * @vma: the mapping
 * @address: what was touched
 * @flags: FAULT_FLAG_*
 *
 * Locks: H3 H4, both taken and released here.
 *
 * Context: mmap_lock for reading, or with FAULT_FLAG_VMA_LOCK the VMA's own;
 *	released when VM_FAULT_RETRY is returned, as by every fault handler.
 *	May sleep.
 * Return: VM_FAULT_*; 0 also when the task should just try again.
 */
vm_fault_t hugetlb_fault(struct mm_struct *mm, struct vm_area_struct *vma,
			 unsigned long address, unsigned int flags)
{
	struct vm_fault vmf = {
		.vma = vma,
		.address = address & huge_page_mask(hstate_vma(vma)),
		.real_address = address,
		.flags = flags,
	};
	struct hugetlb_fault_ctx ctx = {
		.vmf = &vmf,
		.mapping = vma->vm_file->f_mapping,
		.hindex = hugetlb_linear_page_index(vma, address),
	};
	struct mutex *mutex = hugetlb_fault_mutex(&ctx);
	vm_fault_t ret;

	/* The mm refuses such writes: there is no FOLL_FORCE for huge pages. */
	if (WARN_ON_ONCE((flags & FAULT_FLAG_WRITE) &&
			 !(vma->vm_flags & VM_WRITE)))
		return VM_FAULT_SIGSEGV;

	mutex_lock(mutex);
	hugetlb_vma_lock_read(vma);
	ret = hugetlb_fault_locked(&ctx);
	hugetlb_vma_unlock_read(vma);
	mutex_unlock(mutex);

	return hugetlb_fault_finish(&ctx, ret);
}
