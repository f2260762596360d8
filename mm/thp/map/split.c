// SPDX-License-Identifier: GPL-2.0
/*
 * Splits of a mapping: a page table takes the place of a huge entry.
 *
 * Only the entry of one process changes; the folio stays whole, and others may
 * still map it by one entry.  Knows what each kind of entry becomes: anonymous
 * memory stays mapped, page by page; that of files is forgotten, since a fault
 * finds it again.  Locks: T5 -> T6.
 */
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/vm_event_item.h>

#include "../../internal.h"
#include "map.h"

static void thp_split_forget(const struct thp_slot *slot, enum thp_entry kind)
{
	pmd_t old = pmdp_huge_clear_flush(slot->vma, slot->addr, slot->pmd);
	struct folio *folio = thp_entry_forget(slot, kind, old);

	if (folio)
		folio_put(folio);
}

/*
 * No CPU may use a small translation while another one has the huge one: some
 * raise a machine check.  So all TLBs lose it before there is anything else.
 * For a walk without the lock the entry is still huge, for it to come and wait;
 * an empty one it would pass by, and MADV_DONTNEED would leave the memory.
 */
static pmd_t thp_split_invalidate(const struct thp_slot *slot)
{
	return pmdp_invalidate(slot->vma, slot->addr, slot->pmd);
}

static void thp_split_zero(const struct thp_slot *slot)
{
	pmd_t old = thp_split_invalidate(slot);
	struct vm_area_struct *vma = slot->vma;
	struct thp_table table;
	unsigned long addr;
	pte_t *ptep, pte;
	unsigned int i;

	thp_table_open(slot, &table);
	ptep = pte_offset_map(&table.pmd, slot->addr);
	for (i = 0; i < HPAGE_PMD_NR; i++) {
		/* Some architectures have zero pages of several colours. */
		addr = slot->addr + i * PAGE_SIZE;
		pte = pfn_pte(my_zero_pfn(addr), vma->vm_page_prot);
		pte = pte_mkspecial(pte);
		if (pmd_soft_dirty(old))
			pte = pte_mksoft_dirty(pte);
		if (pmd_uffd_wp(old))
			pte = pte_mkuffd_wp(pte);
		set_pte_at(vma->vm_mm, addr, ptep + i, pte);
	}
	pte_unmap(ptep);
	thp_table_close(slot, &table);
}

/* Faults wait for each page on its own, as they did for all of them. */
static void thp_split_into_migration(const struct thp_slot *slot,
				     const struct thp_attrs *attrs)
{
	struct thp_table table;

	thp_table_open(slot, &table);
	thp_table_fill_migration(slot, &table, attrs);
	thp_table_close(slot, &table);
}

/* The one reference and the one rmap become one for each page. */
static void thp_split_into_present(const struct thp_slot *slot,
				   const struct thp_attrs *attrs)
{
	rmap_t flags = attrs->exclusive ? RMAP_EXCLUSIVE : RMAP_NONE;
	struct folio *folio = page_folio(attrs->page);
	struct thp_table table;
	pte_t *ptep;

	folio_ref_add(folio, HPAGE_PMD_NR - 1);
	folio_add_anon_rmap_ptes(folio, attrs->page, HPAGE_PMD_NR, slot->vma,
				 slot->addr, flags);
	folio_remove_rmap_pmd(folio, attrs->page, slot->vma);

	thp_table_open(slot, &table);
	ptep = pte_offset_map(&table.pmd, slot->addr);
	set_ptes(slot->vma->vm_mm, slot->addr, ptep,
		 thp_attrs_pte(attrs, slot->vma), HPAGE_PMD_NR);
	pte_unmap(ptep);
	thp_table_close(slot, &table);
}

/* Invalidates the entry; what it knew is in the attributes or the folio. */
static struct thp_attrs thp_split_take(const struct thp_slot *slot)
{
	struct thp_attrs attrs = thp_attrs_read(thp_split_invalidate(slot));
	struct folio *folio = page_folio(attrs.page);

	VM_WARN_ON_FOLIO(!folio_test_anon(folio), folio);
	if (attrs.dirty)
		folio_set_dirty(folio);
	return attrs;
}

static void thp_split_folio(const struct thp_slot *slot)
{
	struct thp_attrs attrs = thp_split_take(slot);

	thp_split_into_present(slot, &attrs);
}

/*
 * May the pages be unmapped and come back later?  Not while somebody does DMA to
 * them, who must find his pages, and not copies, when he is done.  Only after the
 * entry was made invalid, which keeps gup_fast from pinning more of them.
 */
static bool thp_split_can_freeze(const struct thp_attrs *attrs)
{
	struct folio *folio = page_folio(attrs->page);

	if (!attrs->exclusive)
		return true;
	return !folio_try_share_anon_rmap_pmd(folio, attrs->page);
}

static void thp_split_freeze(const struct thp_slot *slot)
{
	struct thp_attrs attrs = thp_split_take(slot);
	struct folio *folio = page_folio(attrs.page);

	/* Who asked for it then meets the pages one by one, and gives up. */
	if (!thp_split_can_freeze(&attrs)) {
		thp_split_into_present(slot, &attrs);
		return;
	}

	thp_split_into_migration(slot, &attrs);
	folio_remove_rmap_pmd(folio, attrs.page, slot->vma);
	folio_put(folio);
}

static void thp_split_anon(const struct thp_slot *slot, enum thp_entry kind)
{
	struct thp_attrs attrs;

	switch (kind) {
	case THP_ZERO:
		thp_split_zero(slot);
		break;
	case THP_MIGRATION:
		attrs = thp_attrs_read(pmdp_get(slot->pmd));
		thp_split_into_migration(slot, &attrs);
		break;
	case THP_FOLIO:
		thp_split_folio(slot);
		break;
	case THP_PFN:
	case THP_TABLE:
	case THP_NONE:
		/* No device maps anything into anonymous memory. */
		VM_WARN_ON_ONCE(1);
		break;
	}
}

/* A folio that is locked here cannot be on its way elsewhere. */
static bool thp_split_meets(enum thp_entry kind, pmd_t entry,
			    struct folio *folio)
{
	VM_WARN_ON_FOLIO(!folio_test_locked(folio), folio);
	VM_WARN_ON_FOLIO(!folio_test_pmd_mappable(folio), folio);
	return kind == THP_FOLIO && thp_entry_folio(entry) == folio;
}

/**
 * split_huge_pmd_locked() - replace a huge entry, if there is one
 * @vma: the mapping
 * @address: first address that the slot translates
 * @pmd: the slot
 * @freeze: put migration entries in its place, and drop the reference that the
 *	mapping has to @folio.  A pinned folio is mapped by pages all the same.
 * @folio: leave entries alone that map anything else, or nothing at present;
 *	NULL to split whatever there is.  Locked; needed to freeze.
 *
 * Context: the slot's lock; between start and end of an mmu notifier.
 */
void split_huge_pmd_locked(struct vm_area_struct *vma, unsigned long address,
			   pmd_t *pmd, bool freeze, struct folio *folio)
{
	struct thp_slot slot = thp_slot_at(vma, pmd, address);
	pmd_t entry = pmdp_get(pmd);
	enum thp_entry kind = thp_entry_kind(vma, entry);

	VM_WARN_ON_ONCE(!IS_ALIGNED(address, HPAGE_PMD_SIZE));
	VM_WARN_ON_ONCE(freeze && !folio);
	if (!thp_kind_is_huge(kind))
		return;
	if (folio && !thp_split_meets(kind, entry, folio))
		return;

	VM_WARN_ON_ONCE(!range_in_vma(vma, slot.addr,
				      slot.addr + HPAGE_PMD_SIZE));
	count_vm_event(THP_SPLIT_PMD);
	/* Files have no table deposited to put in its place. */
	if (!vma_is_anonymous(vma))
		thp_split_forget(&slot, kind);
	else if (freeze && kind == THP_FOLIO)
		thp_split_freeze(&slot);
	else
		thp_split_anon(&slot, kind);
}

/**
 * __split_huge_pmd() - lock a slot and replace its huge entry, if there is one
 * @vma: the mapping
 * @pmd: the slot
 * @address: an address that it translates
 * @freeze: see split_huge_pmd_locked()
 * @folio: see split_huge_pmd_locked()
 *
 * On return the slot holds a page table, or nothing where a file is mapped; by
 * then others may have changed that again, up to mapping a huge page.
 *
 * Context: mmap_lock or the rmap lock, so that the slot stays; may sleep.
 */
void __split_huge_pmd(struct vm_area_struct *vma, pmd_t *pmd,
		      unsigned long address, bool freeze, struct folio *folio)
{
	unsigned long start = address & HPAGE_PMD_MASK;
	struct mmu_notifier_range range;
	spinlock_t *ptl;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma->vm_mm, start,
				start + HPAGE_PMD_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptl = pmd_lock(vma->vm_mm, pmd);
	split_huge_pmd_locked(vma, start, pmd, freeze, folio);
	spin_unlock(ptl);
	mmu_notifier_invalidate_range_end(&range);
}

/**
 * split_huge_pmd_address() - replace the huge entry of an address, if there is
 *	one
 * @vma: the mapping
 * @address: the address
 * @freeze: see split_huge_pmd_locked()
 * @folio: see split_huge_pmd_locked()
 *
 * Context: as __split_huge_pmd().
 */
void split_huge_pmd_address(struct vm_area_struct *vma, unsigned long address,
			    bool freeze, struct folio *folio)
{
	pmd_t *pmd = mm_find_pmd(vma->vm_mm, address);

	if (pmd)
		__split_huge_pmd(vma, pmd, address, freeze, folio);
}

/*
 * Most mappings that change have no huge pages, and no new ones can come: a look
 * without the lock is enough to leave them alone.
 */
static __always_inline void thp_split_at(struct vm_area_struct *vma,
					 unsigned long addr)
{
	unsigned long start = ALIGN_DOWN(addr, HPAGE_PMD_SIZE);
	pmd_t *pmd;

	if (start == addr || !range_in_vma(vma, start, start + HPAGE_PMD_SIZE))
		return;

	pmd = mm_find_pmd(vma->vm_mm, addr);
	if (pmd)
		split_huge_pmd(vma, pmd, addr);
}

/**
 * vma_adjust_trans_huge() - no huge entry may cross the new ends of a mapping
 * @vma: the mapping, with the ends that it still has
 * @start: first address from now on
 * @end: end address from now on
 * @adjust_next: how many bytes the next mapping loses to @vma; negative or zero
 *	if none
 *
 * Context: mmap_lock for writing; @vma and the next one locked for writing.
 */
void vma_adjust_trans_huge(struct vm_area_struct *vma, unsigned long start,
			   unsigned long end, long adjust_next)
{
	thp_split_at(vma, start);
	thp_split_at(vma, end);

	if (adjust_next > 0) {
		struct vm_area_struct *next;

		next = find_vma(vma->vm_mm, vma->vm_end);
		thp_split_at(next, next->vm_start + adjust_next);
	}
}
