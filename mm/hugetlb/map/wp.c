// SPDX-License-Identifier: GPL-2.0
/*
 * Write protection: a write, or a wish for a page of one's own, meets an entry
 * that is read-only.
 *
 * A private page is taken over where nobody else maps it, else copied.  Knows
 * who may take a page back when the pool is dry; knows nothing of userfaultfd,
 * which was asked before.  Locks: H3 and H4 are held throughout, H5 inside.
 */

#include "map.h"
#include "../../internal.h"
#include <linux/delayacct.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>

static vm_fault_t hugetlb_wp_shared(struct hugetlb_fault_ctx *ctx)
{
	if (pte_same(hugetlb_walk_lock(&ctx->walk), ctx->entry))
		hugetlb_entry_make_writable(&ctx->walk);
	hugetlb_walk_unlock(&ctx->walk);
	return 0;
}

/*
 * With folio lock and page-table lock.  Only now the number of mappings counts:
 * migration, which holds the folio lock, puts them back one by one.
 *
 * Return: false when somebody else maps the folio, too.
 */
static bool hugetlb_wp_take_over(struct hugetlb_fault_ctx *ctx,
				 struct folio *folio)
{
	if (folio_mapcount(folio) > 1)
		return false;
	if (!PageAnonExclusive(&folio->page)) {
		folio_move_anon_rmap(folio, ctx->vmf->vma);
		SetPageAnonExclusive(&folio->page);
	}
	if (!(ctx->vmf->flags & FAULT_FLAG_UNSHARE))
		hugetlb_entry_make_writable(&ctx->walk);
	return true;
}

/*
 * Make the page ours where it lies, or say which one must be copied.  Only the
 * number of mappings counts, not that of references: to copy for the sake of a
 * passing reference would kill tasks when the pool is dry.
 *
 * Return: the page to copy, with a reference; NULL when this look at the slot
 *	has done what it could.
 */
static struct folio *hugetlb_wp_reuse(struct hugetlb_fault_ctx *ctx)
{
	struct hugetlb_walk *w = &ctx->walk;
	struct folio *folio = NULL;
	bool ours;

	if (!pte_same(hugetlb_walk_lock(w), ctx->entry))
		goto unlock;

	folio = hugetlb_entry_folio(ctx->entry);
	folio_get(folio);
	if (!folio_test_anon(folio) || folio_mapcount(folio) > 1)
		goto unlock;
	if (!folio_trylock(folio)) {
		ctx->busy = folio;
		folio = NULL;
		goto unlock;
	}
	ours = hugetlb_wp_take_over(ctx, folio);
	folio_unlock(folio);
	if (ours) {
		folio_put(folio);
		folio = NULL;
	}
unlock:
	hugetlb_walk_unlock(w);
	return folio;
}

/* -EAGAIN when the slot changed, else 0 and @old's reference is ours. */
static int hugetlb_wp_exchange(struct hugetlb_fault_ctx *ctx,
			       struct folio *old_folio,
			       struct folio *new_folio)
{
	bool unshare = ctx->vmf->flags & FAULT_FLAG_UNSHARE;
	unsigned int flags = unshare ? 0 : ENTRY_WRITE;
	struct hugetlb_walk *w = &ctx->walk;
	struct mmu_notifier_range range;
	int err = -EAGAIN;

	/* A write has been reported and resolved before it came here. */
	if (unshare && huge_pte_uffd_wp(ctx->entry))
		flags |= ENTRY_WP;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, w->mm, w->addr,
				w->addr + w->size);
	mmu_notifier_invalidate_range_start(&range);
	if (pte_same(hugetlb_walk_lock(w), ctx->entry)) {
		hugetlb_entry_exchange(w, old_folio, new_folio, flags);
		folio_set_hugetlb_migratable(new_folio);
		err = 0;
	}
	hugetlb_walk_unlock(w);
	mmu_notifier_invalidate_range_end(&range);
	return err;
}

/*
 * Where the owner has to copy a page of its own, the promise of this slot went
 * into that page: the slot says so, and the claim is one without a promise.
 */
static int hugetlb_wp_copy(struct hugetlb_fault_ctx *ctx,
			   struct folio *old_folio)
{
	struct vm_area_struct *vma = ctx->vmf->vma;
	struct hugetlb_claim claim;
	int err;

	hugetlb_claim_init(&claim, ctx->mapping->host,
			   hugetlb_vma_resv_map(vma), ctx->hindex);
	hugetlb_claim_place(&claim, vma, ctx->vmf->address);
	err = hugetlb_claim_prepare(&claim);
	if (err)
		return err;

	err = copy_user_large_folio(claim.folio, old_folio,
				    ctx->vmf->real_address, vma);
	if (!err) {
		__folio_mark_uptodate(claim.folio);
		err = hugetlb_wp_exchange(ctx, old_folio, claim.folio);
	}
	if (err) {
		hugetlb_claim_cancel(&claim);
		return err;
	}
	hugetlb_claim_commit(&claim);
	folio_put(old_folio);
	return 0;
}

/*
 * The pool is dry.  The task that was promised this page must not suffer for
 * having forked: take the page out of its children, which get SIGBUS when they
 * touch it again.  Faults of theirs on this page wait for our fault mutex.
 *
 * Return: whether another look at the slot may find the page ours.
 */
static bool hugetlb_wp_rob_children(struct hugetlb_fault_ctx *ctx,
				    struct folio *folio)
{
	struct address_space *mapping = ctx->mapping;
	struct vm_area_struct *vma;
	bool robbed = false;
	unsigned long addr;
	pgoff_t pgoff;

	pgoff = ctx->hindex << huge_page_order(ctx->walk.h);
	i_mmap_lock_write(mapping);
	vma_interval_tree_foreach(vma, &mapping->i_mmap, pgoff, pgoff) {
		if (vma->vm_flags & VM_MAYSHARE || hugetlb_vma_is_owner(vma))
			continue;
		addr = vma->vm_start + ((pgoff - vma->vm_pgoff) << PAGE_SHIFT);
		if (!hugetlb_zap_finds(vma, addr, folio))
			continue;
		hugetlb_vma_set_robbed(vma);
		hugetlb_zap_range(vma, addr, addr + ctx->walk.size, 0);
		robbed = true;
	}
	i_mmap_unlock_write(mapping);

	return robbed || folio_mapcount(folio) <= 1;
}

static bool hugetlb_wp_may_rob(struct hugetlb_fault_ctx *ctx,
			       struct folio *folio, int err)
{
	if (err != -ENOMEM && err != -ENOSPC)
		return false;
	return folio_test_anon(folio) && hugetlb_vma_is_owner(ctx->vmf->vma);
}

static vm_fault_t hugetlb_wp_private(struct hugetlb_fault_ctx *ctx)
{
	struct folio *folio;
	vm_fault_t ret;
	bool again;
	int err;

	/* A page of the file may be the first that needs one. */
	ret = __vmf_anon_prepare(ctx->vmf);
	if (ret)
		return ret;

	do {
		folio = hugetlb_wp_reuse(ctx);
		if (!folio)
			return 0;
		err = hugetlb_wp_copy(ctx, folio);
		again = hugetlb_wp_may_rob(ctx, folio, err) &&
			hugetlb_wp_rob_children(ctx, folio);
		folio_put(folio);
	} while (again);

	return err ? hugetlb_fault_error(ctx, err) : 0;
}

/**
 * hugetlb_wp() - write to, or unshare, a page that is mapped read-only
 * @ctx: a fault that found a present entry without write permission
 *
 * Context: fault mutex and VMA lock for reading, kept throughout.  May sleep.
 * Return: 0 when done, when the slot changed, or when @ctx->busy must be waited
 *	for; VM_FAULT_RETRY, VM_FAULT_OOM, VM_FAULT_SIGBUS or
 *	VM_FAULT_HWPOISON_LARGE.
 */
vm_fault_t hugetlb_wp(struct hugetlb_fault_ctx *ctx)
{
	vm_fault_t ret;

	if (ctx->vmf->vma->vm_flags & VM_MAYSHARE)
		return hugetlb_wp_shared(ctx);

	delayacct_wpcopy_start();
	ret = hugetlb_wp_private(ctx);
	delayacct_wpcopy_end();
	return ret;
}
