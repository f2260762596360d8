/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Maps: large folios in page tables.
 *
 * entry.c is the only file that writes a PMD slot and the only one that
 * deposits and withdraws page tables; the other files are mm verbs.  pud.c has
 * the whole column of PUD mappings, which only devices make.
 */
#ifndef MM_THP_MAP_H
#define MM_THP_MAP_H

#include "../policy/policy.h"
#include <linux/mm.h>
#include <linux/swap.h>
#include <linux/swapops.h>

/* ---- entry.c: what a PMD slot holds, and how that changes ---- */

/**
 * struct thp_slot - one PMD of one mapping
 * @vma: the mapping
 * @pmd: the slot
 * @addr: first address it translates
 */
struct thp_slot {
	struct vm_area_struct	*vma;
	pmd_t			*pmd;
	unsigned long		addr;
};

static inline struct thp_slot thp_slot_at(struct vm_area_struct *vma,
					  pmd_t *pmd, unsigned long addr)
{
	return (struct thp_slot) {
		.vma = vma,
		.pmd = pmd,
		.addr = addr & HPAGE_PMD_MASK,
	};
}

static inline struct thp_slot thp_slot_of_fault(const struct vm_fault *vmf)
{
	return thp_slot_at(vmf->vma, vmf->pmd, vmf->address);
}

/* Returns the lock, for the caller to release. */
static inline spinlock_t *thp_slot_lock(const struct thp_slot *slot)
{
	return pmd_lock(slot->vma->vm_mm, slot->pmd);
}

/**
 * enum thp_entry - kinds of PMD entry
 * @THP_NONE: nothing
 * @THP_TABLE: a page table
 * @THP_ZERO: the shared huge zero folio
 * @THP_PFN: device or special memory; nothing to count or to put
 * @THP_MIGRATION: the folio is on its way elsewhere
 * @THP_FOLIO: a folio, anonymous or of a file
 */
enum thp_entry {
	THP_NONE,
	THP_TABLE,
	THP_ZERO,
	THP_PFN,
	THP_MIGRATION,
	THP_FOLIO,
};

/* Kinds other than these are huge, and stay what they are under the lock. */
static inline bool thp_kind_is_huge(enum thp_entry kind)
{
	return kind != THP_NONE && kind != THP_TABLE;
}

/**
 * thp_entry_kind() - what does an entry hold?
 * @vma: the mapping it is from
 * @pmd: as read from a slot
 *
 * Where the whole mapping is special, so is all that it maps: even the huge zero
 * folio, which DAX maps for holes of files, is then nobody's to count.
 *
 * Here, and beginning with what it is most often, since every verb asks.
 *
 * Context: any; the answer is as old as @pmd.
 * Return: its kind.
 */
static __always_inline enum thp_entry
thp_entry_kind(struct vm_area_struct *vma, pmd_t pmd)
{
	if (pmd_trans_huge(pmd)) {
		VM_WARN_ON_ONCE(!pmd_present(pmd));
		/* No device maps anything into anonymous memory. */
		if (!vma_is_anonymous(vma) &&
		    (pmd_devmap(pmd) || pmd_special(pmd) ||
		     vma_is_special_huge(vma)))
			return THP_PFN;
		return pmd_pfn(pmd) == READ_ONCE(huge_zero_pfn) ? THP_ZERO :
								  THP_FOLIO;
	}
	if (pmd_none(pmd))
		return THP_NONE;
	if (is_pmd_migration_entry(pmd))
		return THP_MIGRATION;

	/* Nobody writes any other entry that is not present. */
	VM_WARN_ON_ONCE(!pmd_present(pmd));
	if (!pmd_present(pmd) || pmd_devmap(pmd))
		return THP_PFN;
	return THP_TABLE;
}

struct folio *thp_entry_folio(pmd_t pmd);

/*
 * Writing a slot.  The slot's lock is held throughout.
 *
 *  set       same memory, other bits or another form: nothing is counted
 *  install   into an empty slot; the table for a later split goes with it
 *  map_*     install of a folio, with all that goes with it
 *  relax     more rights, young, dirty: no flush needed
 *  forget    the slot is empty: undo what its entry stood for
 */
void thp_entry_set(const struct thp_slot *slot, pmd_t entry);
void thp_entry_install(const struct thp_slot *slot, pmd_t entry,
		       pgtable_t table);
void thp_entry_install_anon(const struct thp_slot *slot, struct folio *folio,
			    pgtable_t table);
void thp_map_anon(const struct thp_slot *slot, struct folio *folio,
		  pgtable_t table);
void thp_map_anon_over_zero(const struct thp_slot *slot, struct folio *folio);
void thp_entry_relax(const struct thp_slot *slot, pmd_t entry, bool dirty);
void thp_entry_make_writable(const struct thp_slot *slot);
struct folio *thp_forget_folio(const struct thp_slot *slot, pmd_t entry);
void thp_forget_other(const struct thp_slot *slot, enum thp_entry kind,
		      pmd_t entry);

/**
 * thp_entry_forget() - undo what an entry stood for, after it is gone
 * @slot: the slot, cleared
 * @kind: what it held
 * @entry: the same, with the bits that hardware set last
 *
 * Uncounts the memory, takes its rmap back and frees the deposited table.  Not
 * for a split in place, where memory and table stay.
 *
 * Context: the slot's lock.
 * Return: the folio that was mapped, its reference now the caller's to put once
 *	no TLB has the entry; or NULL, if there is none to put.
 */
static inline struct folio *thp_entry_forget(const struct thp_slot *slot,
					     enum thp_entry kind, pmd_t entry)
{
	if (kind == THP_FOLIO)
		return thp_forget_folio(slot, entry);
	thp_forget_other(slot, kind, entry);
	return NULL;
}

/*
 * Page tables.  One is deposited with every entry of anonymous memory, and on
 * architectures where arch_needs_pgtable_deposit() with all others as well.
 */
void thp_table_move(const struct thp_slot *dst, const struct thp_slot *src);
void thp_table_attach(const struct thp_slot *slot, pgtable_t table);

/**
 * struct thp_table - the deposited table of a slot, being filled
 * @table: the table
 * @pmd: points to it, as the slot will once it is filled
 */
struct thp_table {
	pgtable_t	table;
	pmd_t		pmd;
};

void thp_table_open(const struct thp_slot *slot, struct thp_table *table);
void thp_table_close(const struct thp_slot *slot,
		     const struct thp_table *table);

/**
 * struct thp_attrs - what a mapping says of the page, in whatever form
 * @page: first page mapped
 * @write: may be written without a fault
 * @young: was accessed
 * @dirty: was written
 * @exclusive: anonymous, and no other process has it
 * @soft_dirty: written since the last clear_refs
 * @uffd_wp: writes are to be reported to userfaultfd
 *
 * The same facts are bits of a PMD, of a PTE, or of a migration entry in
 * either; changing the form goes through here, so that none is lost.
 */
struct thp_attrs {
	struct page	*page;
	bool		write : 1;
	bool		young : 1;
	bool		dirty : 1;
	bool		exclusive : 1;
	bool		soft_dirty : 1;
	bool		uffd_wp : 1;
};

struct thp_attrs thp_attrs_read(pmd_t pmd);
pmd_t thp_attrs_pmd(const struct thp_attrs *attrs, struct vm_area_struct *vma);
pmd_t thp_attrs_migration_pmd(const struct thp_attrs *attrs);
pte_t thp_attrs_pte(const struct thp_attrs *attrs, struct vm_area_struct *vma);
void thp_table_fill_migration(const struct thp_slot *slot,
			      struct thp_table *table,
			      const struct thp_attrs *attrs);

/* A new present entry, for the process that runs, and is going to use it. */
static inline void thp_entry_preload(const struct thp_slot *slot)
{
	update_mmu_cache_pmd(slot->vma, slot->addr, slot->pmd);
}

/* ---- zero.c: the shared huge zero folio ---- */

void thp_map_zero(const struct thp_slot *slot, struct folio *folio,
		  pgtable_t table);
int __init thp_zero_init(void);
void __init thp_zero_exit(void);

/* ---- fault.c: memory for a fault ---- */

struct folio *thp_fault_alloc(struct vm_fault *vmf, unsigned int order);
void thp_fault_clear(struct vm_fault *vmf, struct folio *folio);

/* ---- mprotect.c: rights ---- */

bool thp_may_write(struct vm_area_struct *vma, unsigned long addr, pmd_t pmd);

/* ---- pfnmap.c: device memory ---- */

bool thp_pfn_fits(const struct vm_area_struct *vma, pfn_t pfn);

/* ---- pud.c: fault, fork, zap, split, mprotect, insertion of PUDs ---- */
/* All its verbs are in the public headers. */

#endif /* MM_THP_MAP_H */
