// SPDX-License-Identifier: GPL-2.0
/*
 * Entries: one PMD slot that may map a huge page.
 *
 * The only file that writes such a slot and that deposits or withdraws the page
 * table which every anonymous entry keeps for the day it is split.  Knows what
 * an entry means, and which rmap, counters and table go with it; knows nothing
 * of faults, ranges or TLB batches.  Locks: T6, the slot's, for every verb.
 */
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/pgtable.h>
#include <linux/rmap.h>

#include <asm/pgalloc.h>

#include "../../internal.h"
#include "map.h"

static void thp_slot_assert_locked(const struct thp_slot *slot)
{
	lockdep_assert_held(pmd_lockptr(slot->vma->vm_mm, slot->pmd));
	VM_WARN_ON_ONCE(!IS_ALIGNED(slot->addr, HPAGE_PMD_SIZE));
}

/**
 * thp_entry_folio() - the folio that an entry maps, or stands for
 * @pmd: of kind THP_FOLIO, THP_MIGRATION or THP_ZERO; pmd_folio() does for what
 *	is known to be present
 *
 * Context: the slot's lock, or else nothing keeps the folio.
 * Return: the folio.
 */
struct folio *thp_entry_folio(pmd_t pmd)
{
	if (pmd_present(pmd))
		return pmd_folio(pmd);
	return pfn_swap_entry_folio(pmd_to_swp_entry(pmd));
}

/**
 * __pmd_trans_huge_lock() - lock a slot if it holds a huge entry
 * @pmd: the slot
 * @vma: the mapping it belongs to
 *
 * Context: mmap_lock or the rmap lock, so that the slot itself stays.
 * Return: the lock, taken, for the caller to release; or NULL, nothing locked,
 *	if the slot is empty or holds a page table.
 */
spinlock_t *__pmd_trans_huge_lock(pmd_t *pmd, struct vm_area_struct *vma)
{
	spinlock_t *ptl = pmd_lock(vma->vm_mm, pmd);

	if (!thp_pmd_is_huge(pmdp_get(pmd))) {
		spin_unlock(ptl);
		ptl = NULL;
	}
	return ptl;
}

/* ---- What goes with an entry: counters and a table ---- */

/* Count memory to the process, or with -1 as @sign, no longer. */
static void thp_entry_count(const struct thp_slot *slot, struct folio *folio,
			    int sign)
{
	add_mm_counter(slot->vma->vm_mm, mm_counter(folio),
		       sign * HPAGE_PMD_NR);
}

/* A table that the process did not have before. */
static void thp_table_give(const struct thp_slot *slot, pgtable_t table)
{
	pgtable_trans_huge_deposit(slot->vma->vm_mm, slot->pmd, table);
	mm_inc_nr_ptes(slot->vma->vm_mm);
}

/* After the entry is gone: some architectures keep notes on it in the table. */
static __always_inline void thp_table_drop(const struct thp_slot *slot)
{
	struct mm_struct *mm = slot->vma->vm_mm;

	pte_free(mm, pgtable_trans_huge_withdraw(mm, slot->pmd));
	mm_dec_nr_ptes(mm);
}

/**
 * thp_table_move() - let a deposited table follow its entry
 * @dst: where the entry goes, in the same mm
 * @src: where it was; cleared
 *
 * Context: the locks of both slots.
 */
void thp_table_move(const struct thp_slot *dst, const struct thp_slot *src)
{
	struct mm_struct *mm = src->vma->vm_mm;

	thp_slot_assert_locked(dst);
	thp_slot_assert_locked(src);
	pgtable_trans_huge_deposit(mm, dst->pmd,
				   pgtable_trans_huge_withdraw(mm, src->pmd));
}

/**
 * thp_table_attach() - have an empty slot point to a page table
 * @slot: the slot
 * @table: the table, which is counted already
 *
 * Context: the slot's lock.
 */
void thp_table_attach(const struct thp_slot *slot, pgtable_t table)
{
	thp_slot_assert_locked(slot);
	pmd_populate(slot->vma->vm_mm, slot->pmd, table);
}

/**
 * thp_table_open() - withdraw the table of a slot, to be filled
 * @slot: its entry is invalid already, but may still be there
 * @table: on return the table, empty, where only the caller finds it:
 *	pte_offset_map(&table->pmd, ...) cannot fail
 *
 * To be followed by thp_table_close() under the same lock.
 *
 * Context: the slot's lock.
 */
void thp_table_open(const struct thp_slot *slot, struct thp_table *table)
{
	struct mm_struct *mm = slot->vma->vm_mm;

	thp_slot_assert_locked(slot);
	table->table = pgtable_trans_huge_withdraw(mm, slot->pmd);
	pmd_populate(mm, &table->pmd, table->table);
}

/**
 * thp_table_close() - replace the entry of a slot by the table just filled
 * @slot: the slot
 * @table: from thp_table_open()
 *
 * Context: the slot's lock.
 */
void thp_table_close(const struct thp_slot *slot,
		     const struct thp_table *table)
{
	/* A walk without locks that finds the table finds it filled. */
	smp_wmb();
	thp_table_attach(slot, table->table);
}

/* ---- Writing a slot ---- */

/**
 * thp_entry_set() - write an entry that maps nothing new
 * @slot: the slot
 * @entry: the same memory as before, or the same as another slot has lost
 *
 * Context: the slot's lock; flushing and secondary MMUs are the caller's.
 */
void thp_entry_set(const struct thp_slot *slot, pmd_t entry)
{
	thp_slot_assert_locked(slot);
	set_pmd_at(slot->vma->vm_mm, slot->addr, slot->pmd, entry);
}

/**
 * thp_entry_install() - write an entry into an empty slot
 * @slot: the slot
 * @entry: memory whose rmap and counters are the caller's, if it has any
 * @table: new; the table for a later split, or NULL if @entry needs none
 *
 * thp_entry_preload() is the caller's, if its own access is to follow.
 *
 * Context: the slot's lock.
 */
void thp_entry_install(const struct thp_slot *slot, pmd_t entry,
		       pgtable_t table)
{
	thp_slot_assert_locked(slot);
	VM_WARN_ON_ONCE(!pmd_none(pmdp_get(slot->pmd)));
	if (table)
		thp_table_give(slot, table);
	thp_entry_set(slot, entry);
}

/* A new folio, in a slot that is empty but for the table. */
static void thp_entry_add_anon(const struct thp_slot *slot,
			       struct folio *folio)
{
	struct vm_area_struct *vma = slot->vma;
	pmd_t entry = mk_huge_pmd(&folio->page, vma->vm_page_prot);

	folio_add_new_anon_rmap(folio, vma, slot->addr, RMAP_EXCLUSIVE);
	folio_add_lru_vma(folio, vma);
	thp_entry_install(slot, maybe_pmd_mkwrite(pmd_mkdirty(entry), vma),
			  NULL);
	thp_entry_preload(slot);
	/* Whether all of it is used shows later, if memory is short. */
	deferred_split_folio(folio, false);
}

/**
 * thp_entry_install_anon() - map a new folio where smaller pages were
 * @slot: an empty slot
 * @folio: charged, filled and up to date; the slot takes over the reference
 * @table: where the smaller pages were mapped; empty by now
 *
 * The process had memory and table counted before, and still has.
 *
 * Context: the slot's lock.
 */
void thp_entry_install_anon(const struct thp_slot *slot, struct folio *folio,
			    pgtable_t table)
{
	thp_slot_assert_locked(slot);
	pgtable_trans_huge_deposit(slot->vma->vm_mm, slot->pmd, table);
	thp_entry_add_anon(slot, folio);
}

/**
 * thp_map_anon() - map a new folio where nothing was
 * @slot: an empty slot
 * @folio: charged, filled and up to date; the slot takes over the reference
 * @table: new; the table for a later split
 *
 * Context: the slot's lock.
 */
void thp_map_anon(const struct thp_slot *slot, struct folio *folio,
		  pgtable_t table)
{
	thp_slot_assert_locked(slot);
	thp_table_give(slot, table);
	thp_entry_add_anon(slot, folio);
	thp_entry_count(slot, folio, 1);
}

/**
 * thp_map_anon_over_zero() - map a new folio where the huge zero folio was
 * @slot: maps the huge zero folio
 * @folio: charged, filled and up to date; the slot takes over the reference
 *
 * The table is there already.  Nobody reads zeroes from a TLB any more when the
 * folio can first be written to.
 *
 * Context: the slot's lock, between mmu notifier start and end.
 */
void thp_map_anon_over_zero(const struct thp_slot *slot, struct folio *folio)
{
	thp_slot_assert_locked(slot);
	pmdp_huge_clear_flush(slot->vma, slot->addr, slot->pmd);
	thp_entry_add_anon(slot, folio);
	thp_entry_count(slot, folio, 1);
}

/**
 * thp_entry_relax() - give a present entry rights, or note an access
 * @slot: the slot
 * @entry: what it holds, with bits added and none taken away
 * @dirty: the access is a write
 *
 * Context: the slot's lock.
 */
void thp_entry_relax(const struct thp_slot *slot, pmd_t entry, bool dirty)
{
	thp_slot_assert_locked(slot);
	if (pmdp_set_access_flags(slot->vma, slot->addr, slot->pmd, entry,
				  dirty))
		update_mmu_cache_pmd(slot->vma, slot->addr, slot->pmd);
}

/**
 * thp_entry_make_writable() - let an entry be written, if its mapping may
 * @slot: the slot; maps memory that nobody needs a copy of
 *
 * Context: the slot's lock.
 */
void thp_entry_make_writable(const struct thp_slot *slot)
{
	pmd_t entry = pmd_mkyoung(pmd_mkdirty(pmdp_get(slot->pmd)));

	thp_entry_relax(slot, maybe_pmd_mkwrite(entry, slot->vma), true);
}

/**
 * touch_pmd() - note an access to a present entry
 * @vma: the mapping
 * @addr: the address accessed
 * @pmd: the slot
 * @write: the access is a write, and the entry allows it
 *
 * Context: the slot's lock.
 */
void touch_pmd(struct vm_area_struct *vma, unsigned long addr,
	       pmd_t *pmd, bool write)
{
	struct thp_slot slot = thp_slot_at(vma, pmd, addr);
	pmd_t entry = pmd_mkyoung(pmdp_get(pmd));

	thp_entry_relax(&slot, write ? pmd_mkdirty(entry) : entry, write);
}

/**
 * maybe_pmd_mkwrite() - make an entry writable if its mapping is
 * @pmd: the entry
 * @vma: the mapping
 *
 * Context: any.
 * Return: the entry.
 */
pmd_t maybe_pmd_mkwrite(pmd_t pmd, struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_WRITE ? pmd_mkwrite(pmd, vma) : pmd;
}

/* What the entry knows of the use of a file's folio would be lost with it. */
static void thp_entry_pass_on(const struct thp_slot *slot, struct folio *folio,
			      pmd_t entry)
{
	if (pmd_dirty(entry))
		folio_mark_dirty(folio);
	if (pmd_young(entry) && vma_has_recency(slot->vma))
		folio_mark_accessed(folio);
}

/**
 * thp_forget_folio() - thp_entry_forget() of what is mapped
 * @slot: the slot, cleared
 * @entry: of kind THP_FOLIO
 *
 * Context: the slot's lock.
 * Return: the folio, its reference now the caller's.
 */
struct folio *thp_forget_folio(const struct thp_slot *slot, pmd_t entry)
{
	struct mm_struct *mm = slot->vma->vm_mm;
	struct page *page = pmd_page(entry);
	struct folio *folio = page_folio(page);

	thp_slot_assert_locked(slot);
	if (folio_test_anon(folio)) {
		add_mm_counter(mm, MM_ANONPAGES, -HPAGE_PMD_NR);
		thp_table_drop(slot);
	} else {
		add_mm_counter(mm, mm_counter_file(folio), -HPAGE_PMD_NR);
		if (arch_needs_pgtable_deposit())
			thp_table_drop(slot);
		thp_entry_pass_on(slot, folio, entry);
	}
	folio_remove_rmap_pmd(folio, page, slot->vma);
	return folio;
}

/**
 * thp_forget_other() - thp_entry_forget() of what has neither rmap nor reference
 * @slot: the slot, cleared
 * @kind: what it held
 * @entry: the same
 *
 * Context: the slot's lock.
 */
void thp_forget_other(const struct thp_slot *slot, enum thp_entry kind,
		      pmd_t entry)
{
	struct folio *folio;

	thp_slot_assert_locked(slot);
	switch (kind) {
	case THP_MIGRATION:
		folio = thp_entry_folio(entry);
		thp_entry_count(slot, folio, -1);
		if (folio_test_anon(folio) || arch_needs_pgtable_deposit())
			thp_table_drop(slot);
		return;
	case THP_ZERO:
		thp_table_drop(slot);
		return;
	case THP_PFN:
		if (arch_needs_pgtable_deposit())
			thp_table_drop(slot);
		return;
	case THP_FOLIO:
	case THP_NONE:
	case THP_TABLE:
		VM_WARN_ON_ONCE(1);
		return;
	}
}

/* ---- The same facts in another form ---- */

static struct thp_attrs thp_attrs_read_migration(pmd_t pmd)
{
	swp_entry_t swp = pmd_to_swp_entry(pmd);
	struct page *page = pfn_swap_entry_to_page(swp);

	return (struct thp_attrs) {
		.page = page,
		.write = is_writable_migration_entry(swp),
		.young = is_migration_entry_young(swp),
		.dirty = is_migration_entry_dirty(swp),
		.exclusive = PageAnon(page) &&
			     !is_readable_migration_entry(swp),
		.soft_dirty = pmd_swp_soft_dirty(pmd),
		.uffd_wp = pmd_swp_uffd_wp(pmd),
	};
}

/**
 * thp_attrs_read() - what an entry says of its page
 * @pmd: of kind THP_FOLIO or THP_MIGRATION
 *
 * Context: the slot's lock.
 * Return: its attributes.
 */
struct thp_attrs thp_attrs_read(pmd_t pmd)
{
	struct page *page;

	if (!pmd_present(pmd))
		return thp_attrs_read_migration(pmd);

	page = pmd_page(pmd);
	return (struct thp_attrs) {
		.page = page,
		.write = pmd_write(pmd),
		.young = pmd_young(pmd),
		.dirty = pmd_dirty(pmd),
		.exclusive = PageAnon(page) && PageAnonExclusive(page),
		.soft_dirty = pmd_soft_dirty(pmd),
		.uffd_wp = pmd_uffd_wp(pmd),
	};
}

/* In both that follow the order counts: some bits change others. */

/**
 * thp_attrs_pmd() - attributes as an entry that maps the page whole
 * @attrs: the attributes
 * @vma: the mapping
 *
 * Context: any.
 * Return: the entry.
 */
pmd_t thp_attrs_pmd(const struct thp_attrs *attrs, struct vm_area_struct *vma)
{
	pmd_t pmd = mk_huge_pmd(attrs->page, READ_ONCE(vma->vm_page_prot));

	pmd = attrs->young ? pmd_mkyoung(pmd) : pmd_mkold(pmd);
	if (attrs->write)
		pmd = pmd_mkwrite(pmd, vma);
	/* On some architectures this sets soft-dirty, too. */
	if (attrs->dirty)
		pmd = pmd_mkdirty(pmd);
	if (attrs->soft_dirty)
		pmd = pmd_mksoft_dirty(pmd);
	else
		pmd = pmd_clear_soft_dirty(pmd);
	/* Takes the right to write away again. */
	return attrs->uffd_wp ? pmd_mkuffd_wp(pmd) : pmd;
}

/**
 * thp_attrs_pte() - attributes as an entry for the first page
 * @attrs: the attributes
 * @vma: the mapping
 *
 * Context: any.
 * Return: the entry; set_ptes() makes those of the other pages from it.
 */
pte_t thp_attrs_pte(const struct thp_attrs *attrs, struct vm_area_struct *vma)
{
	pte_t pte = mk_pte(attrs->page, READ_ONCE(vma->vm_page_prot));

	pte = attrs->young ? pte_mkyoung(pte) : pte_mkold(pte);
	if (attrs->write)
		pte = pte_mkwrite(pte, vma);
	if (attrs->dirty)
		pte = pte_mkdirty(pte);
	if (attrs->soft_dirty)
		pte = pte_mksoft_dirty(pte);
	else
		pte = pte_clear_soft_dirty(pte);
	return attrs->uffd_wp ? pte_mkuffd_wp(pte) : pte;
}

static swp_entry_t thp_attrs_swp(const struct thp_attrs *attrs)
{
	unsigned long pfn = page_to_pfn(attrs->page);
	swp_entry_t swp;

	if (attrs->write)
		swp = make_writable_migration_entry(pfn);
	else if (attrs->exclusive)
		swp = make_readable_exclusive_migration_entry(pfn);
	else
		swp = make_readable_migration_entry(pfn);
	if (attrs->young)
		swp = make_migration_entry_young(swp);
	return attrs->dirty ? make_migration_entry_dirty(swp) : swp;
}

/**
 * thp_attrs_migration_pmd() - attributes as a migration entry of the whole page
 * @attrs: the attributes
 *
 * Context: any.
 * Return: the entry.
 */
pmd_t thp_attrs_migration_pmd(const struct thp_attrs *attrs)
{
	pmd_t pmd = swp_entry_to_pmd(thp_attrs_swp(attrs));

	if (attrs->soft_dirty)
		pmd = pmd_swp_mksoft_dirty(pmd);
	return attrs->uffd_wp ? pmd_swp_mkuffd_wp(pmd) : pmd;
}

static swp_entry_t thp_swp_next(swp_entry_t swp)
{
	/* The page is counted in the lowest bits, young and dirty are above. */
	return swp_entry(swp_type(swp), swp_offset(swp) + 1);
}

/**
 * thp_table_fill_migration() - attributes as migration entries of all the pages
 * @slot: whose table it is
 * @table: from thp_table_open(); empty
 * @attrs: the attributes
 *
 * Context: the slot's lock.
 */
void thp_table_fill_migration(const struct thp_slot *slot,
			      struct thp_table *table,
			      const struct thp_attrs *attrs)
{
	const bool soft_dirty = attrs->soft_dirty, uffd_wp = attrs->uffd_wp;
	pte_t *start = pte_offset_map(&table->pmd, slot->addr);
	struct mm_struct *mm = slot->vma->vm_mm;
	swp_entry_t swp = thp_attrs_swp(attrs);
	pte_t *ptep = start;
	unsigned long i;
	pte_t pte;

	for (i = 0; i < HPAGE_PMD_NR; i++, ptep++) {
		pte = swp_entry_to_pte(swp);
		if (soft_dirty)
			pte = pte_swp_mksoft_dirty(pte);
		if (uffd_wp)
			pte = pte_swp_mkuffd_wp(pte);
		set_pte_at(mm, slot->addr + i * PAGE_SIZE, ptep, pte);
		swp = thp_swp_next(swp);
	}
	pte_unmap(start);
}
