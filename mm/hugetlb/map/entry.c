// SPDX-License-Identifier: GPL-2.0
/*
 * Entries: one slot of a page table that may hold a huge page.
 *
 * The only file of this room that writes a slot.  Knows what an entry means and
 * which rmap and counter belong to it; knows nothing of ranges, promises or TLB
 * batches.  Locks: H8, the page-table lock of every slot it is given.
 */

#include "map.h"
#include <linux/mm_inline.h>
#include <linux/pgtable.h>
#include <linux/rmap.h>

/* The lock that a slot's writer must hold; without lockdep nothing is left. */
static void hugetlb_entry_assert_locked(const struct hugetlb_walk *w)
{
	lockdep_assert_held(huge_pte_lockptr(w->h, w->mm, w->ptep));
}

static void hugetlb_entry_count(const struct hugetlb_walk *w, long n)
{
	hugetlb_count_add(n * pages_per_huge_page(w->h), w->mm);
}

/**
 * hugetlb_entry_absent_kind() - hugetlb_entry_kind() of an entry without a page
 * @entry: as read from a slot, neither empty nor present
 *
 * Context: any.
 * Return: its kind.
 */
enum hugetlb_entry hugetlb_entry_absent_kind(pte_t entry)
{
	swp_entry_t swp = pte_to_swp_entry(entry);

	if (is_migration_entry(swp))
		return ENTRY_MIGRATION;
	if (is_hwpoison_entry(swp))
		return ENTRY_HWPOISON;
	if (is_poisoned_swp_entry(swp))
		return ENTRY_POISON;
	if (pte_marker_entry_uffd_wp(swp))
		return ENTRY_UFFD_WP;

	/* Nobody writes anything else; an access to it must not find a page. */
	VM_WARN_ON_ONCE(1);
	return ENTRY_POISON;
}

/**
 * is_hugetlb_entry_migration() - does the entry stand for a page on the move?
 * @pte: as read from a slot of a hugetlb mapping
 *
 * Context: any.
 * Return: true when it does.
 */
bool is_hugetlb_entry_migration(pte_t pte)
{
	return is_swap_pte(pte) && !huge_pte_none(pte) &&
	       is_migration_entry(pte_to_swp_entry(pte));
}

/**
 * is_hugetlb_entry_hwpoisoned() - does the entry stand for a memory error?
 * @pte: as read from a slot of a hugetlb mapping
 *
 * Context: any.
 * Return: true when it does.  A UFFDIO_POISON marker is something else.
 */
bool is_hugetlb_entry_hwpoisoned(pte_t pte)
{
	return is_swap_pte(pte) && !huge_pte_none(pte) &&
	       is_hwpoison_entry(pte_to_swp_entry(pte));
}

/**
 * hugetlb_entry_make() - build an entry for a folio
 * @vma: the mapping it is for
 * @folio: the huge page
 * @flags: ENTRY_WRITE and ENTRY_WP count
 *
 * Context: any.
 * Return: the entry, young; writable and dirty only with ENTRY_WRITE.
 */
pte_t hugetlb_entry_make(struct vm_area_struct *vma, struct folio *folio,
			 unsigned int flags)
{
	pte_t entry = mk_huge_pte(&folio->page, vma->vm_page_prot);

	if (flags & ENTRY_WRITE)
		entry = huge_pte_mkwrite(huge_pte_mkdirty(entry));
	else
		entry = huge_pte_wrprotect(entry);
	entry = arch_make_huge_pte(pte_mkyoung(entry),
				   huge_page_shift(hstate_vma(vma)),
				   vma->vm_flags);
	/* Takes the write bit away again. */
	if (flags & ENTRY_WP)
		entry = huge_pte_mkuffd_wp(entry);
	return entry;
}

/**
 * hugetlb_entry_set() - write an entry that maps nothing new
 * @w: the slot, locked
 * @entry: a marker, or the same page with other bits
 *
 * Context: the slot's page-table lock.
 */
void hugetlb_entry_set(struct hugetlb_walk *w, pte_t entry)
{
	hugetlb_entry_assert_locked(w);
	set_huge_pte_at(w->mm, w->addr, w->ptep, entry, w->size);
}

/**
 * hugetlb_entry_clear() - empty a slot that maps no page
 * @w: the slot, locked
 *
 * For migration entries and markers: their page, if any, was unmapped when they
 * were written, so that there is no rmap or TLB entry to undo.  But a page on
 * the move is still counted, since it comes back without being counted again.
 *
 * Context: the slot's page-table lock.
 */
void hugetlb_entry_clear(struct hugetlb_walk *w)
{
	hugetlb_entry_assert_locked(w);
	if (is_hugetlb_entry_migration(hugetlb_walk_read(w)))
		hugetlb_entry_count(w, -1);
	huge_pte_clear(w->mm, w->addr, w->ptep, w->size);
}

/**
 * hugetlb_entry_install() - map a folio into an empty slot
 * @w: the slot, locked; holds nothing or a marker
 * @folio: the huge page; the slot takes over the caller's reference
 * @flags: ENTRY_ANON for a new anonymous folio, else a page of the file;
 *	ENTRY_WRITE, ENTRY_WP as in hugetlb_entry_make()
 *
 * Context: the slot's page-table lock.
 */
void hugetlb_entry_install(struct hugetlb_walk *w, struct folio *folio,
			   unsigned int flags)
{
	if (flags & ENTRY_ANON)
		hugetlb_add_new_anon_rmap(folio, w->vma, w->addr);
	else
		hugetlb_add_file_rmap(folio);
	hugetlb_entry_count(w, 1);
	hugetlb_entry_set(w, hugetlb_entry_make(w->vma, folio, flags));
}

/**
 * hugetlb_entry_exchange() - map a private copy instead of what was there
 * @w: the slot, locked; maps @old_folio
 * @old_folio: its rmap goes away, its reference passes to the caller
 * @new_folio: new and anonymous; the slot takes over the caller's reference
 * @flags: ENTRY_WRITE, ENTRY_WP as in hugetlb_entry_make()
 *
 * The old translation is flushed before the new one can be seen, or two threads
 * could use different pages at one address.
 *
 * Context: the slot's page-table lock, between mmu notifier start and end.
 */
void hugetlb_entry_exchange(struct hugetlb_walk *w, struct folio *old_folio,
			    struct folio *new_folio, unsigned int flags)
{
	pte_t entry = hugetlb_entry_make(w->vma, new_folio, flags);

	hugetlb_entry_assert_locked(w);
	huge_ptep_clear_flush(w->vma, w->addr, w->ptep);
	hugetlb_add_new_anon_rmap(new_folio, w->vma, w->addr);
	hugetlb_entry_set(w, entry);
	hugetlb_remove_rmap(old_folio);
}

static bool hugetlb_entry_relax(struct hugetlb_walk *w, pte_t entry, int dirty)
{
	hugetlb_entry_assert_locked(w);
	if (!huge_ptep_set_access_flags(w->vma, w->addr, w->ptep, entry, dirty))
		return false;
	update_mmu_cache(w->vma, w->addr, w->ptep);
	return true;
}

/**
 * hugetlb_entry_make_writable() - let a present entry be written
 * @w: the slot, locked; maps a page that nobody needs a copy of
 *
 * Context: the slot's page-table lock.
 */
void hugetlb_entry_make_writable(struct hugetlb_walk *w)
{
	pte_t entry = hugetlb_walk_read(w);

	hugetlb_entry_relax(w, huge_pte_mkwrite(huge_pte_mkdirty(entry)), 1);
}

/**
 * hugetlb_entry_set_young() - record an access to a present entry
 * @w: the slot, locked
 * @entry: what it holds
 * @write: the access was a write and @entry allows it
 *
 * Context: the slot's page-table lock.
 * Return: false when hardware had recorded it already.
 */
bool hugetlb_entry_set_young(struct hugetlb_walk *w, pte_t entry, bool write)
{
	if (write)
		entry = huge_pte_mkdirty(entry);
	return hugetlb_entry_relax(w, pte_mkyoung(entry), write);
}

/**
 * hugetlb_entry_remove() - unmap the page of a present entry
 * @w: the slot, locked; empty afterwards
 * @folio: the page it maps, see hugetlb_entry_folio()
 *
 * Undoes hugetlb_entry_install(): counter and rmap, with the dirty bit passed
 * on to the folio.  The TLB still knows the page: the caller gathers the slot
 * and its reference, and writes a userfaultfd-wp marker if one must stay.
 *
 * Context: the slot's page-table lock.
 * Return: what the slot held.
 */
pte_t hugetlb_entry_remove(struct hugetlb_walk *w, struct folio *folio)
{
	pte_t entry;

	hugetlb_entry_assert_locked(w);
	entry = huge_ptep_get_and_clear(w->mm, w->addr, w->ptep, w->size);
	if (huge_pte_dirty(entry) && !folio_test_dirty(folio))
		folio_mark_dirty(folio);
	hugetlb_entry_count(w, -1);
	hugetlb_remove_rmap(folio);
	return entry;
}

/*
 * A page on the move has no reader yet: the parent's entry is made read-only
 * here, so that whichever of both writes first finds a page to copy.
 */
static pte_t hugetlb_entry_copy_migration(struct hugetlb_walk *src, pte_t entry,
					  bool cow)
{
	swp_entry_t swp = pte_to_swp_entry(entry);
	pte_t readable;

	if (!cow || is_readable_migration_entry(swp))
		return entry;

	swp = make_readable_migration_entry(swp_offset(swp));
	readable = swp_entry_to_pte(swp);
	if (pte_swp_uffd_wp(entry))
		readable = pte_swp_mkuffd_wp(readable);
	hugetlb_entry_set(src, readable);
	return readable;
}

static pte_t hugetlb_entry_copy_present(struct hugetlb_walk *src, pte_t entry,
					bool cow)
{
	if (!cow)
		return entry;

	/* No notifier: secondary MMUs keep the page, they only lose writing. */
	huge_ptep_set_wrprotect(src->mm, src->addr, src->ptep);
	return huge_pte_wrprotect(entry);
}

/**
 * hugetlb_entry_copy() - give a child what its parent's slot holds
 * @dst: the child's slot, locked and empty
 * @src: the parent's slot, locked
 * @entry: what @src holds, any kind
 * @cow: both may write one day, so neither may now
 *
 * The userfaultfd-wp bit survives only if the child's mapping is registered for
 * it.  For ENTRY_PRESENT the caller has taken rmap and reference for the child.
 *
 * Context: the page-table locks of both slots.
 */
void hugetlb_entry_copy(struct hugetlb_walk *dst, struct hugetlb_walk *src,
			pte_t entry, bool cow)
{
	bool keep_wp = userfaultfd_wp(dst->vma);

	switch (hugetlb_entry_kind(entry)) {
	case ENTRY_NONE:
		return;
	case ENTRY_UFFD_WP:
		if (!keep_wp)
			return;
		break;
	case ENTRY_POISON:
	case ENTRY_HWPOISON:
		break;
	case ENTRY_MIGRATION:
		entry = hugetlb_entry_copy_migration(src, entry, cow);
		if (!keep_wp)
			entry = pte_swp_clear_uffd_wp(entry);
		hugetlb_entry_count(dst, 1);
		break;
	case ENTRY_PRESENT:
		entry = hugetlb_entry_copy_present(src, entry, cow);
		if (!keep_wp)
			entry = huge_pte_clear_uffd_wp(entry);
		hugetlb_entry_count(dst, 1);
		break;
	}
	hugetlb_entry_set(dst, entry);
}

/**
 * hugetlb_entry_move() - move what a slot holds to another address of its mm
 * @dst: the new slot, locked and empty
 * @src: the old slot, locked; empty afterwards
 * @entry: what @src holds, any kind
 *
 * Where userfaultfd does not follow the move, nobody is left to resolve its
 * write protection at the new address, so that it is dropped on the way.  The
 * caller flushes the old address before anyone may use the page elsewhere.
 *
 * Context: the page-table locks of both slots.
 */
void hugetlb_entry_move(struct hugetlb_walk *dst, struct hugetlb_walk *src,
			pte_t entry)
{
	bool drop_wp = vma_has_uffd_without_event_remap(src->vma);
	enum hugetlb_entry kind = hugetlb_entry_kind(entry);

	if (kind == ENTRY_NONE)
		return;

	/* Hardware may have added young and dirty since @entry was read. */
	hugetlb_entry_assert_locked(src);
	entry = huge_ptep_get_and_clear(src->mm, src->addr, src->ptep,
					src->size);
	if (drop_wp) {
		if (kind == ENTRY_UFFD_WP)
			return;
		if (kind == ENTRY_PRESENT)
			entry = huge_pte_clear_uffd_wp(entry);
		else
			entry = pte_swp_clear_uffd_wp(entry);
	}
	hugetlb_entry_set(dst, entry);
}

/**
 * hugetlb_entry_protect() - change the rights of a present entry
 * @w: the slot, locked
 * @prot: protection of the mapping from now on
 * @cp_flags: MM_CP_UFFD_WP or MM_CP_UFFD_WP_RESOLVE, or neither
 *
 * Context: the slot's page-table lock; the caller flushes the TLB.
 */
void hugetlb_entry_protect(struct hugetlb_walk *w, pgprot_t prot,
			   unsigned long cp_flags)
{
	pte_t old, entry;

	hugetlb_entry_assert_locked(w);
	old = huge_ptep_modify_prot_start(w->vma, w->addr, w->ptep);
	entry = arch_make_huge_pte(huge_pte_modify(old, prot),
				   huge_page_shift(w->h), w->vma->vm_flags);
	if (cp_flags & MM_CP_UFFD_WP)
		entry = huge_pte_mkuffd_wp(entry);
	else if (cp_flags & MM_CP_UFFD_WP_RESOLVE)
		entry = huge_pte_clear_uffd_wp(entry);
	huge_ptep_modify_prot_commit(w->vma, w->addr, w->ptep, old, entry);
}
