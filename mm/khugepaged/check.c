// SPDX-License-Identifier: GPL-2.0
/*
 * Check: what an entry of anonymous memory counts as, and whether its page can
 * be replaced at all.  Scanning asks first, collapsing asks again.
 *
 * Knows entries and folios; takes no locks and changes nothing.
 */
#include <linux/highmem.h>
#include <linux/ksm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/page_idle.h>
#include <linux/string.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/userfaultfd_k.h>

#include "collapse.h"

/**
 * collapse_pte_empty() - does an entry stand for zeroes without memory?
 * @pte: the entry
 *
 * Context: any.
 * Return: whether there is nothing, or the shared zero page.
 */
bool collapse_pte_empty(pte_t pte)
{
	return pte_none(pte) ||
	       (pte_present(pte) && is_zero_pfn(pte_pfn(pte)));
}

static enum collapse_slot check_swap_pte(pte_t pte, enum scan_result *why)
{
	swp_entry_t entry = pte_to_swp_entry(pte);

	if (pte_swp_uffd_wp_any(pte)) {
		*why = SCAN_PTE_UFFD_WP;
		return SLOT_BLOCKS;
	}
	/* Swapping in will fail; so do not go as far as that. */
	if (is_hwpoison_entry(entry) || is_poisoned_swp_entry(entry)) {
		*why = SCAN_FAIL;
		return SLOT_BLOCKS;
	}
	return SLOT_SWAPPED;
}

/**
 * collapse_check_pte() - what does an entry count as?
 * @c: the attempt, with its VMA; anonymous memory
 * @address: where the entry is
 * @pte: the entry
 * @why: for SLOT_BLOCKS: set to what to say about it
 *
 * With a userfault handler a hole is the handler's to fill: it blocks.  So does
 * a write-protected page, as one entry for many pages could not say which of
 * them the handler asked about.
 *
 * Context: page-table lock held.
 * Return: its kind.  SLOT_PRESENT: pte_page() is a page of an anonymous folio.
 */
enum collapse_slot collapse_check_pte(const struct collapse *c,
				      unsigned long address, pte_t pte,
				      enum scan_result *why)
{
	struct page *page;

	if (collapse_pte_empty(pte)) {
		*why = SCAN_EXCEED_NONE_PTE;
		return userfaultfd_armed(c->vma) ? SLOT_BLOCKS : SLOT_EMPTY;
	}
	if (!pte_present(pte))
		return check_swap_pte(pte, why);

	*why = SCAN_PTE_UFFD_WP;
	if (pte_uffd_wp(pte))
		return SLOT_BLOCKS;

	*why = SCAN_PAGE_NULL;
	page = vm_normal_page(c->vma, address, pte);
	if (!page || is_zone_device_page(page))
		return SLOT_BLOCKS;

	*why = SCAN_PAGE_ANON;
	return folio_test_anon(page_folio(page)) ? SLOT_PRESENT : SLOT_BLOCKS;
}

/**
 * collapse_page_is_zero() - is a page all zeroes?
 * @page: the page
 *
 * Context: any, also atomic.
 * Return: whether every byte is 0.
 */
bool collapse_page_is_zero(struct page *page)
{
	void *data = kmap_local_page(page);
	bool zero = !memchr_inv(data, 0, PAGE_SIZE);

	kunmap_local(data);
	return zero;
}

/*
 * Do several entries share what the CPU notes about accesses?  The last entry of
 * such a block sees nothing ahead of it, so ask from the one before as well:
 * only the position matters, it is not read.
 */
static bool check_pte_in_block(pte_t *ptep, pte_t pte)
{
	return pte_batch_hint(ptep, pte) > 1 || pte_batch_hint(ptep - 1, pte) > 1;
}

/* Has the program accessed the page since it was mapped old and clean? */
static bool check_pte_touched(const struct collapse *c, pte_t *ptep, pte_t pte)
{
	/* Whoever touched the block need not have touched this page. */
	if (check_pte_in_block(ptep, pte))
		return false;
	if (pte_young(pte))
		return true;
	/* There, an entry that is not dirty would not be a shadow stack's. */
	return pte_dirty(pte) && !(c->vma->vm_flags & VM_SHADOW_STACK);
}

/**
 * collapse_pte_filled() - is the page there only because a collapse needed it?
 * @c: the attempt, with its VMA; anonymous memory
 * @ptep: the entry
 * @pte: its value; SLOT_PRESENT by collapse_check_pte()
 *
 * A page like this counts as a hole.  That it is all zeroes is read from its
 * memory, but only in folios that were filled up at some time, and only if the
 * entry does not say that somebody was there.
 *
 * Context: page-table lock held.
 * Return: whether nobody has touched it since.
 */
bool collapse_pte_filled(const struct collapse *c, pte_t *ptep, pte_t pte)
{
	struct folio *folio = page_folio(pte_page(pte));

	if (!folio_test_large(folio) || !folio_test_collapse_holes(folio))
		return false;
	return !check_pte_touched(c, ptep, pte) &&
	       collapse_page_is_zero(pte_page(pte));
}

/**
 * collapse_page_young() - has the page been in use lately?
 * @c: the attempt
 * @address: where it is mapped
 * @pte: its entry; SLOT_PRESENT
 *
 * Context: page-table lock held.
 * Return: whether it has; false if it does not matter, for MADV_COLLAPSE.
 */
bool collapse_page_young(const struct collapse *c, unsigned long address,
			 pte_t pte)
{
	const struct folio *folio = page_folio(pte_page(pte));

	return collapse_is_khugepaged(c) &&
	       (pte_young(pte) || folio_test_young(folio) ||
		folio_test_referenced(folio) ||
		mmu_notifier_test_young(c->mm, address));
}

/**
 * collapse_refs_suitable() - is the folio used by page tables only?
 * @folio: the folio
 * @extra: references of the caller's own
 *
 * Anybody else who has a reference may read and write the memory at any time, so
 * the folio cannot be replaced.  A guess, unless the caller made sure that no
 * new references come from here.
 *
 * Context: any.
 * Return: whether all references are accounted for.
 */
bool collapse_refs_suitable(const struct folio *folio, int extra)
{
	int mapcount = folio_mapcount(folio);
	int refs = extra;

	/* The page cache and the swap cache have one for each page. */
	if (!folio_test_anon(folio) || folio_test_swapcache(folio))
		refs += folio_nr_pages(folio);
	if (folio_test_private(folio))
		refs++;

	/*
	 * Another process may unmap a page between the two counts, and what was
	 * one reference too many would seem to be the page table's.  Mappings go
	 * first, then references; so read mappings before and after.
	 */
	smp_rmb();
	if (folio_ref_count(folio) != mapcount + refs)
		return false;
	/* The other half of it. */
	smp_rmb();
	return folio_mapcount(folio) == mapcount;
}
