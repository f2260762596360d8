// SPDX-License-Identifier: GPL-2.0
/*
 * UFFDIO_MOVE: a huge page goes to another address of the same process.
 *
 * Knows one slot to one slot; ranges, holes and small pages are known to
 * mm/userfaultfd.c.  Unlike mremap() it moves the page under readers that hold
 * mmap_lock, too, so that the folio is locked and rmap walks are kept out.
 * Locks: T5 -> T3 -> T4 -> T6 of both slots.
 */
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/userfaultfd_k.h>

#include "map.h"

/**
 * struct thp_move - one entry on its way
 * @src: where it is
 * @dst: where it goes
 * @src_entry: what @src held when it was looked at first
 * @dst_entry: likewise @dst: nothing
 * @folio: what it maps, with a reference; NULL: the huge zero folio
 */
struct thp_move {
	struct thp_slot	src;
	struct thp_slot	dst;
	pmd_t		src_entry;
	pmd_t		dst_entry;
	struct folio	*folio;
};

/* Entries of folios that somebody else could reach are not for moving. */
static bool thp_move_is_ours(struct folio *folio)
{
	return PageAnonExclusive(&folio->page) &&
	       !folio_maybe_dma_pinned(folio);
}

/*
 * Takes the entry from its slot, unless gup_fast pinned the folio meanwhile: it
 * reads the entry again after pinning, so that one of both notices the other.
 */
static int thp_move_take(struct thp_move *move)
{
	const struct thp_slot *src = &move->src;
	pmd_t old;

	if (move->folio && !thp_move_is_ours(move->folio))
		return -EBUSY;

	old = pmdp_huge_clear_flush(src->vma, src->addr, src->pmd);
	if (!move->folio || !folio_maybe_dma_pinned(move->folio))
		return 0;

	thp_entry_set(src, old);
	return -EBUSY;
}

/* The same folio with the rights of its new place; written, as by mremap(). */
static pmd_t thp_move_entry(const struct thp_move *move)
{
	bool written = move->folio;
	struct thp_attrs attrs = {
		.page		= pmd_page(move->src_entry),
		.young		= true,
		.write		= written,
		.dirty		= written,
		.soft_dirty	= written,
	};

	return thp_attrs_pmd(&attrs, move->dst.vma);
}

static int thp_move_slot_locked(struct thp_move *move)
{
	struct vm_area_struct *vma = move->dst.vma;
	int err;

	if (!pmd_same(pmdp_get(move->src.pmd), move->src_entry) ||
	    !pmd_same(pmdp_get(move->dst.pmd), move->dst_entry))
		return -EAGAIN;

	err = thp_move_take(move);
	if (err)
		return err;

	if (move->folio) {
		folio_move_anon_rmap(move->folio, vma);
		move->folio->index = linear_page_index(vma, move->dst.addr);
	}
	thp_table_move(&move->dst, &move->src);
	thp_entry_set(&move->dst, thp_move_entry(move));
	return 0;
}

static int thp_move_slot(struct thp_move *move)
{
	struct mm_struct *mm = move->src.vma->vm_mm;
	spinlock_t *src_ptl = pmd_lockptr(mm, move->src.pmd);
	spinlock_t *dst_ptl = pmd_lockptr(mm, move->dst.pmd);
	int err;

	double_pt_lock(src_ptl, dst_ptl);
	err = thp_move_slot_locked(move);
	double_pt_unlock(src_ptl, dst_ptl);
	return err;
}

/*
 * The folio lock keeps out migration and reuse; the rmap lock those who walk
 * without it, who would find the folio at neither of its addresses.
 */
static int thp_move_folio(struct thp_move *move)
{
	struct anon_vma *anon_vma;
	int err = -EAGAIN;

	folio_lock(move->folio);
	anon_vma = folio_get_anon_vma(move->folio);
	if (anon_vma) {
		anon_vma_lock_write(anon_vma);
		err = thp_move_slot(move);
		anon_vma_unlock_write(anon_vma);
		put_anon_vma(anon_vma);
	}
	folio_unlock(move->folio);
	return err;
}

/*
 * Looks at the entry, and takes a reference to its folio.
 *
 * Return: 0; -EAGAIN if the folio is moving elsewhere; -EBUSY if it is shared;
 * -ENOENT if there is nothing to move; -EINVAL for a slot that is in use, or an
 * address within a huge page.
 */
static int thp_move_begin(struct thp_move *move, unsigned long addrs)
{
	lockdep_assert_held(pmd_lockptr(move->src.vma->vm_mm, move->src.pmd));

	if (WARN_ON_ONCE(!pmd_none(move->dst_entry)) ||
	    WARN_ON_ONCE(!IS_ALIGNED(addrs, HPAGE_PMD_SIZE)))
		return -EINVAL;

	switch (thp_entry_kind(move->src.vma, move->src_entry)) {
	case THP_ZERO:
		return 0;
	case THP_MIGRATION:
		return -EAGAIN;
	case THP_FOLIO:
		break;
	case THP_PFN:
	case THP_TABLE:
	case THP_NONE:
		return -ENOENT;
	}

	if (!PageAnonExclusive(pmd_page(move->src_entry)))
		return -EBUSY;
	move->folio = pmd_folio(move->src_entry);
	folio_get(move->folio);
	return 0;
}

/* No lock is held; the slots are looked at again when theirs are. */
static int thp_move_finish(struct thp_move *move)
{
	const struct thp_slot *src = &move->src;
	struct mmu_notifier_range range;
	int err;

	flush_cache_range(src->vma, src->addr, src->addr + HPAGE_PMD_SIZE);
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, src->vma->vm_mm,
				src->addr, src->addr + HPAGE_PMD_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	err = move->folio ? thp_move_folio(move) : thp_move_slot(move);
	mmu_notifier_invalidate_range_end(&range);

	if (move->folio)
		folio_put(move->folio);
	return err;
}

/**
 * move_pages_huge_pmd() - move one huge entry of anonymous memory
 * @mm: the process
 * @dst_pmd: where it goes; empty
 * @src_pmd: where it is, its lock held by the caller and released here
 * @dst_pmdval: what @dst_pmd held when the caller looked at it
 * @dst_vma: the mapping of @dst_addr: anonymous, private, writable
 * @src_vma: the mapping of @src_addr, likewise
 * @dst_addr: first address that @dst_pmd translates
 * @src_addr: first address that @src_pmd translates
 *
 * Context: both mappings locked for reading, and the lock of @src_pmd, which is
 * not held any more on return; sleeps.
 * Return: 0; -EAGAIN if the entries changed meanwhile, after waiting for a
 * folio that was moving elsewhere; -EBUSY if the folio is shared or pinned;
 * -ENOENT if @src_pmd holds no huge page; -EINVAL for bad arguments.
 */
int move_pages_huge_pmd(struct mm_struct *mm, pmd_t *dst_pmd, pmd_t *src_pmd,
			pmd_t dst_pmdval, struct vm_area_struct *dst_vma,
			struct vm_area_struct *src_vma,
			unsigned long dst_addr, unsigned long src_addr)
{
	struct thp_move move = {
		.src		= thp_slot_at(src_vma, src_pmd, src_addr),
		.dst		= thp_slot_at(dst_vma, dst_pmd, dst_addr),
		.src_entry	= pmdp_get(src_pmd),
		.dst_entry	= dst_pmdval,
	};
	int err;

	vma_assert_locked(src_vma);
	vma_assert_locked(dst_vma);

	err = thp_move_begin(&move, dst_addr | src_addr);
	spin_unlock(pmd_lockptr(mm, src_pmd));
	if (!err)
		return thp_move_finish(&move);
	if (err == -EAGAIN)
		pmd_migration_entry_wait(mm, src_pmd);
	return err;
}
