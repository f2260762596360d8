/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Maps: large folios in page tables.
 *
 * entry.c is the only file that writes a PMD or PUD slot and the only one
 * that deposits and withdraws page tables; the other files are mm verbs.
 */
#ifndef MM_THP_MAP_H
#define MM_THP_MAP_H

#include "../policy/policy.h"
#include <linux/mm.h>
#include <linux/swap.h>
#include <linux/swapops.h>

/* ---- entry.c: what a PMD slot holds ---- */

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

enum thp_entry thp_entry_kind(struct vm_area_struct *vma, pmd_t pmd);
struct folio *thp_entry_folio(pmd_t pmd);

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
pte_t thp_attrs_migration_pte(const struct thp_attrs *attrs, unsigned long nr);

#endif /* MM_THP_MAP_H */
