// SPDX-License-Identifier: GPL-2.0
/*
 * Migration: a huge entry gives way to a note that its folio is moving, and
 * back.
 *
 * Knows the steps; the form of the note is entry.c's.  Called from rmap walks
 * (mm/rmap.c, mm/migrate.c), which found the slot.  Locks: T3, T4 -> T6.
 */
#include <linux/mm.h>
#include <linux/rmap.h>
#include <trace/events/thp.h>

#include "map.h"

static bool thp_migrate_slot(struct page_vma_mapped_walk *pvmw,
			     struct thp_slot *slot)
{
	*slot = thp_slot_at(pvmw->vma, pvmw->pmd, pvmw->address);
	return pvmw->pmd && !pvmw->pte;
}

/**
 * set_pmd_migration_entry() - have accesses wait for a folio that moves
 * @pvmw: the walk that found the mapping, its slot locked
 * @page: first page that the slot maps
 *
 * The rmap and the reference of the mapping are gone then; it stays counted.
 *
 * Context: folio lock, rmap lock, the slot's lock; between start and end of an
 * mmu notifier.
 * Return: 0, also where a page table maps the page; or -EBUSY, and nothing has
 * changed, if the folio is pinned.
 */
int set_pmd_migration_entry(struct page_vma_mapped_walk *pvmw,
			    struct page *page)
{
	struct folio *folio = page_folio(page);
	struct thp_attrs attrs;
	struct thp_slot slot;
	pmd_t old, entry;

	if (!thp_migrate_slot(pvmw, &slot))
		return 0;

	flush_cache_range(slot.vma, slot.addr, slot.addr + HPAGE_PMD_SIZE);
	/* First, so that gup_fast pins nothing behind the next question. */
	old = pmdp_invalidate(slot.vma, slot.addr, slot.pmd);
	attrs = thp_attrs_read(old);
	if (attrs.exclusive && folio_try_share_anon_rmap_pmd(folio, page)) {
		thp_entry_set(&slot, old);
		return -EBUSY;
	}

	if (attrs.dirty)
		folio_mark_dirty(folio);
	entry = thp_attrs_migration_pmd(&attrs);
	thp_entry_set(&slot, entry);
	folio_remove_rmap_pmd(folio, page, slot.vma);
	folio_put(folio);
	trace_set_migration_pmd(slot.addr, pmd_val(entry));
	return 0;
}

static void thp_migrate_add_rmap(const struct thp_slot *slot,
				 const struct thp_attrs *attrs)
{
	struct folio *folio = page_folio(attrs->page);
	rmap_t flags = attrs->exclusive ? RMAP_EXCLUSIVE : RMAP_NONE;

	if (folio_test_anon(folio))
		folio_add_anon_rmap_pmd(folio, attrs->page, slot->vma,
					slot->addr, flags);
	else
		folio_add_file_rmap_pmd(folio, attrs->page, slot->vma);
}

/**
 * remove_migration_pmd() - map the folio that has arrived, or stayed
 * @pvmw: the walk that found the migration entry, its slot locked
 * @new: first page to map
 *
 * Context: the locks of the old and the new folio, rmap lock, the slot's lock.
 */
void remove_migration_pmd(struct page_vma_mapped_walk *pvmw, struct page *new)
{
	struct folio *folio = page_folio(new);
	struct thp_attrs attrs;
	struct thp_slot slot;
	pmd_t entry;

	if (!thp_migrate_slot(pvmw, &slot))
		return;

	attrs = thp_attrs_read(pmdp_get(slot.pmd));
	attrs.page = new;
	/* Written back on its way: dirty would mean that it is to be again. */
	attrs.dirty &= folio_test_dirty(folio);
	VM_WARN_ON_ONCE(attrs.write && folio_test_anon(folio) &&
			!attrs.exclusive);

	entry = thp_attrs_pmd(&attrs, slot.vma);
	folio_get(folio);
	thp_migrate_add_rmap(&slot, &attrs);
	thp_entry_set(&slot, entry);
	/* Nothing to flush: no TLB has an entry that was not present. */
	thp_entry_preload(&slot);
	trace_remove_migration_pmd(slot.addr, pmd_val(entry));
}
