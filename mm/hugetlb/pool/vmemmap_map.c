// SPDX-License-Identifier: GPL-2.0
/*
 * Vmemmap map: what lies under the struct pages of a huge folio.
 *
 * Splits large mappings, moves pages of struct pages in and out, and writes
 * the struct pages that come back.  Does not know when any of this is safe, nor
 * why it is done; the caller forgets old translations with a span.
 * Locks: init_mm.page_table_lock, to split.
 */
#include <linux/bitops.h>
#include <linux/bootmem_info.h>
#include <linux/cleanup.h>
#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/page-flags.h>
#include <linux/page_owner.h>
#include <linux/page_ref.h>
#include <linux/pgalloc_tag.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <linux/vmstat.h>
#include <asm/pgalloc.h>
#include <asm/tlbflush.h>
#include "pool.h"

/* Behind what a folio keeps in its first struct pages: ordinary tails. */
static_assert(sizeof(struct folio) <= VMEMMAP_HEAD_TAIL * sizeof(struct page));

static unsigned long vmemmap_first(struct folio *folio)
{
	return (unsigned long)&folio->page;
}

static unsigned long vmemmap_end(struct folio *folio)
{
	return vmemmap_first(folio) + folio_nr_pages(folio) * sizeof(struct page);
}

/* ---- spans ---- */

static void vmemmap_span_add(struct vmemmap_span *span, unsigned long start,
			     unsigned long end)
{
	if (!span->end || start < span->start)
		span->start = start;
	span->end = max(span->end, end);
}

/**
 * vmemmap_span_flush() - no CPU uses what was mapped before any longer
 * @span: filled by the other functions of this file; empty afterwards
 *
 * One flush for all of it, which every architecture makes a full one where that
 * is cheaper.
 *
 * Context: interrupts enabled.
 */
void vmemmap_span_flush(struct vmemmap_span *span)
{
	if (span->end)
		flush_tlb_kernel_range(span->start, span->end);
	*span = (struct vmemmap_span) { };
}

/* ---- pages that hold struct pages ---- */

/* Adds up to @nr pages to @pages and says how many are missing. */
static unsigned long vmemmap_pages_alloc(gfp_t gfp, int nid, unsigned long nr,
					 struct list_head *pages)
{
	unsigned long got, left = nr;

	while (left) {
		got = __alloc_pages_bulk(gfp, nid, NULL, left, pages, NULL);
		if (!got)
			break;
		left -= got;
		cond_resched();
	}
	memmap_pages_add(nr - left);
	return left;
}

/*
 * A page of memblock, which the page allocator does not know yet, becomes one
 * that was allocated: what free_bootmem_page() does, but for counting it as
 * managed and freeing it.
 */
static void vmemmap_page_unreserve(struct page *page)
{
	/* Notes for memory hotplug. */
	page->index = 0;
	ClearPagePrivate(page);
	set_page_private(page, 0);

	kmemleak_free_part_phys(PFN_PHYS(page_to_pfn(page)), PAGE_SIZE);
	clear_page_tag_ref(page);
	ClearPageReserved(page);
	init_page_count(page);
}

#ifdef CONFIG_PAGE_OWNER
static bool vmemmap_owners_are_noted(void)
{
	return static_branch_unlikely(&page_owner_inited);
}
#else
static bool vmemmap_owners_are_noted(void)
{
	return false;
}
#endif

/**
 * struct vmemmap_block - pages that follow each other
 * @first: with one reference
 * @nr: how many; the others have no reference
 * @nr_boot: how many of them memblock had
 */
struct vmemmap_block {
	struct page	*first;
	unsigned long	nr;
	unsigned long	nr_boot;
};

/*
 * One reference and it is ours: then it can go as a part of a block.  Where notes
 * are made for every single page of who allocated it, each has to go on its own.
 */
static bool vmemmap_block_join(struct vmemmap_block *block, struct page *page)
{
	if (!block->nr || page != block->first + block->nr ||
	    page_zone(page) != page_zone(block->first))
		return false;
	if (mem_alloc_profiling_enabled() || vmemmap_owners_are_noted())
		return false;
	if (!page_ref_freeze(page, 1))
		return false;
	block->nr++;
	return true;
}

static void vmemmap_block_free(struct vmemmap_block *block)
{
	unsigned long pfn, left = block->nr;
	struct page *page = block->first;
	unsigned int order;

	if (block->nr_boot)
		adjust_managed_page_count(page, block->nr_boot);
	for (; left; left -= 1UL << order, page += 1UL << order) {
		pfn = page_to_pfn(page);
		order = min(__fls(left), __ffs(pfn | BIT(MAX_PAGE_ORDER)));
		if (page != block->first)
			page_ref_unfreeze(page, 1);
		__free_pages(page, order);
	}
	block->nr = 0;
}

/**
 * vmemmap_pages_free() - give pages that held struct pages to the system
 * @pages: mapped nowhere, no translation left; empty afterwards
 *
 * Pages that follow each other in memory as in the list go in blocks.
 *
 * Context: may sleep.
 */
void vmemmap_pages_free(struct list_head *pages)
{
	struct vmemmap_block block = { };
	struct page *page, *next;
	long nr = 0, nr_boot = 0;
	bool boot;

	list_for_each_entry_safe(page, next, pages, lru) {
		boot = PageReserved(page);
		if (boot)
			vmemmap_page_unreserve(page);
		if (!vmemmap_block_join(&block, page)) {
			vmemmap_block_free(&block);
			block = (struct vmemmap_block) { .first = page, .nr = 1 };
			cond_resched();
		}
		block.nr_boot += boot;
		nr_boot += boot;
		nr++;
	}
	vmemmap_block_free(&block);
	INIT_LIST_HEAD(pages);
	memmap_boot_pages_add(-nr_boot);
	memmap_pages_add(nr_boot - nr);
}

/* ---- split ---- */

static struct page *vmemmap_backing(unsigned long addr)
{
	pmd_t *pmd = pmd_off_k(addr);
	pmd_t val = pmdp_get(pmd);

	if (pmd_leaf(val))
		return pmd_page(val) + pte_index(addr);
	return pte_page(ptep_get(pte_offset_kernel(pmd, addr)));
}

static pte_t *vmemmap_table_alloc(struct page *first)
{
	pte_t *table = pte_alloc_one_kernel(&init_mm);
	pte_t val = mk_pte(first, PAGE_KERNEL);
	unsigned int i;

	for (i = 0; table && i < PTRS_PER_PTE; i++) {
		set_pte(table + i, val);
		val = pte_next_pfn(val);
	}
	return table;
}

/* False when somebody else was faster. */
static bool vmemmap_table_install(pmd_t *pmd, pte_t *table, struct page *first)
{
	guard(spinlock)(&init_mm.page_table_lock);
	if (!pmd_leaf(pmdp_get(pmd)))
		return false;

	/* From the page allocator it came in one piece; it returns in many. */
	if (!PageReserved(first))
		split_page(first, PMD_SHIFT - PAGE_SHIFT);
	/* Page table walkers take no lock: entries first, then the table. */
	smp_wmb();
	pmd_populate_kernel(&init_mm, pmd, table);
	return true;
}

static int vmemmap_split_pmd(unsigned long addr, struct vmemmap_span *span)
{
	pmd_t *pmd = pmd_off_k(addr);
	pmd_t val = pmdp_get(pmd);
	pte_t *table;

	if (!pmd_leaf(val))
		return 0;
	table = vmemmap_table_alloc(pmd_page(val));
	if (!table)
		return -ENOMEM;

	if (!vmemmap_table_install(pmd, table, pmd_page(val)))
		pte_free_kernel(&init_mm, table);
	addr &= PMD_MASK;
	vmemmap_span_add(span, addr, addr + PMD_SIZE);
	return 0;
}

/**
 * vmemmap_split() - map the struct pages of a folio page by page
 * @folio: with all its struct pages; may be in use
 * @span: extended when there was something to split; flush it before the next
 *	step
 *
 * Context: may sleep; takes page_table_lock.
 * Return: 0; -EOPNOTSUPP when its struct pages lie in the memory that was
 * hotplugged together with it, which comes and goes whole; -ENOMEM.
 */
int vmemmap_split(struct folio *folio, struct vmemmap_span *span)
{
	unsigned long addr = vmemmap_first(folio), end = vmemmap_end(folio);
	int err = 0;

	if (IS_ENABLED(CONFIG_MEMORY_HOTPLUG) &&
	    PageVmemmapSelfHosted(vmemmap_backing(addr)))
		return -EOPNOTSUPP;

	for (; addr < end && !err; addr = pmd_addr_end(addr, end))
		err = vmemmap_split_pmd(addr, span);
	return err;
}

/**
 * vmemmap_split_list() - vmemmap_split() for many folios, flushed
 * @folios: linked by lru; not in use
 * @split: where those go that are split now
 *
 * Context: may sleep; takes page_table_lock.
 * Return: 0, the folios that cannot be split at all are still on @folios;
 * -ENOMEM, some others are, too.
 */
int vmemmap_split_list(struct list_head *folios, struct list_head *split)
{
	struct vmemmap_span span = { };
	struct folio *folio, *next;
	int err = 0;

	list_for_each_entry_safe(folio, next, folios, lru) {
		err = vmemmap_split(folio, &span);
		if (err == -ENOMEM)
			break;
		if (!err)
			list_move_tail(&folio->lru, split);
		cond_resched();
	}
	vmemmap_span_flush(&span);
	return err == -ENOMEM ? err : 0;
}

/* ---- exchange ---- */

static pte_t *vmemmap_slot(unsigned long addr)
{
	return pte_offset_kernel(pmd_off_k(addr), addr);
}

/* The slot behind @pte, whose page table may end there; it is for @addr. */
static pte_t *vmemmap_next_slot(pte_t *pte, unsigned long addr)
{
	return addr & ~PMD_MASK ? pte + 1 : vmemmap_slot(addr);
}

static struct page *vmemmap_exchange(pte_t *pte, unsigned long addr, pte_t val)
{
	struct page *old = pte_page(ptep_get(pte));

	/* Who reaches the new page must find it filled. */
	smp_wmb();
	set_pte_at(&init_mm, addr, pte, val);
	return old;
}

/* The page goes together with those around it, vmemmap_share_tails(). */
static void vmemmap_move_head(struct folio *folio, struct page *page,
			      struct vmemmap_span *span)
{
	unsigned long addr = vmemmap_first(folio);
	struct page *to = page_address(page);
	struct page *old;

	copy_page(to, (void *)addr);
	old = vmemmap_exchange(vmemmap_slot(addr), addr,
			       mk_pte(page, PAGE_KERNEL));
	vmemmap_span_add(span, addr, addr + PAGE_SIZE);
	/* Not by the address of the struct page: it may still be the old one. */
	set_page_private(to + VMEMMAP_HEAD_TAIL, (unsigned long)old);
}

static void vmemmap_move_heads_node(struct list_head *folios, int nid,
				    struct vmemmap_span *span)
{
	gfp_t gfp = GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN;
	struct folio *folio;
	unsigned long n = 0;
	struct page *page;
	LIST_HEAD(pages);

	list_for_each_entry(folio, folios, lru)
		n += folio_nid(folio) == nid;
	vmemmap_pages_alloc(gfp, nid, n, &pages);

	list_for_each_entry(folio, folios, lru) {
		if (folio_nid(folio) != nid)
			continue;
		page = list_first_entry_or_null(&pages, struct page, lru);
		if (!page)
			return;
		list_del(&page->lru);
		vmemmap_move_head(folio, page, span);
	}
}

/**
 * vmemmap_move_heads() - exchange the pages that folios are going to keep
 * @folios: linked by lru; split and flushed, with all their struct pages, and
 *	nobody else knows them
 *
 * What is freed later lies around the page that a folio keeps.  If it keeps a
 * page from elsewhere, large blocks become free.  For folios that come in
 * numbers and stay; no harm is done where memory is short and they are not
 * moved.
 *
 * Context: may sleep.
 */
void vmemmap_move_heads(struct list_head *folios)
{
	struct vmemmap_span span = { };
	int nid;

	for_each_online_node(nid)
		vmemmap_move_heads_node(folios, nid, &span);
	vmemmap_span_flush(&span);
}

/* The page that held the first struct pages of a folio before, or NULL. */
static struct page *vmemmap_take_old_head(struct folio *folio)
{
	struct page *tail = folio_page(folio, VMEMMAP_HEAD_TAIL);
	struct page *old = (struct page *)page_private(tail);

	set_page_private(tail, 0);
	return old;
}

/**
 * vmemmap_forget_head() - a folio with another first page is not shared after all
 * @folio: after vmemmap_move_heads(), or not
 *
 * Context: may sleep.
 */
void vmemmap_forget_head(struct folio *folio)
{
	struct page *old = vmemmap_take_old_head(folio);
	LIST_HEAD(pages);

	if (!old)
		return;
	list_add(&old->lru, &pages);
	vmemmap_pages_free(&pages);
}

/**
 * vmemmap_share_tails() - map all struct pages of a folio to those it keeps
 * @folio: split and flushed, may be in use; its later struct pages have looked
 *	like fake heads for an RCU grace period
 * @old: list for the pages that are no longer needed
 * @span: extended; flush it before freeing @old
 *
 * Read-only, so that a write to a tail is noticed.
 *
 * Context: any.
 */
void vmemmap_share_tails(struct folio *folio, struct list_head *old,
			 struct vmemmap_span *span)
{
	unsigned long addr = vmemmap_first(folio), end = vmemmap_end(folio);
	struct page *page = vmemmap_take_old_head(folio);
	pte_t *pte = vmemmap_slot(addr);
	pte_t shared;

	shared = mk_pte(pte_page(ptep_get(pte)), PAGE_KERNEL_RO);
	vmemmap_span_add(span, addr + PAGE_SIZE, end);
	if (page)
		list_add_tail(&page->lru, old);

	for (addr += PAGE_SIZE; addr < end; addr += PAGE_SIZE) {
		pte = vmemmap_next_slot(pte, addr);
		page = vmemmap_exchange(pte, addr, shared);
		list_add_tail(&page->lru, old);
	}
}

/* ---- contents ---- */

/**
 * vmemmap_has_fake_heads() - is vmemmap_fake_heads() in effect?
 * @folio: of type hugetlb, of a size that can be optimised
 *
 * Context: any that keeps it from changing.
 * Return: true when it is, shared or not.
 */
bool vmemmap_has_fake_heads(struct folio *folio)
{
	return test_bit(PG_head, &folio_page(folio, VMEMMAP_KEPT_PAGES)->flags);
}

/**
 * vmemmap_fake_heads() - make struct pages look as if they were shared already
 * @folio: with all its struct pages; its tails have refcount 0
 *
 * The first struct page of each page of them but the first gets PG_head, while
 * it still points to the head like every tail: whichever of the two a reader
 * looks at, before and after sharing, it finds the head.
 *
 * Context: any; hugetlb_optimize_vmemmap_key is on.
 */
void vmemmap_fake_heads(struct folio *folio)
{
	unsigned long nr;

	for (nr = VMEMMAP_KEPT_PAGES; nr < folio_nr_pages(folio);
	     nr += VMEMMAP_KEPT_PAGES)
		set_bit(PG_head, &folio_page(folio, nr)->flags);
}

/**
 * vmemmap_unfake_heads() - the inverse of vmemmap_fake_heads()
 * @folio: as there, with all its struct pages
 *
 * Context: any.
 */
void vmemmap_unfake_heads(struct folio *folio)
{
	unsigned long nr;

	for (nr = VMEMMAP_KEPT_PAGES; nr < folio_nr_pages(folio);
	     nr += VMEMMAP_KEPT_PAGES)
		clear_bit(PG_head, &folio_page(folio, nr)->flags);
}

/*
 * A page of nothing but tails of @folio.  The kept page is no model: it starts
 * with a head and with tails that hold what belongs to the whole folio.  Node,
 * zone and section are in the upper flags and alike in all of them.  The first
 * tail looks like a fake head, as before the memory was given away.
 */
static void vmemmap_fill_tails(struct folio *folio, struct page *page)
{
	struct page tail = *folio_page(folio, VMEMMAP_PLAIN_TAIL);
	struct page *to = page_address(page);
	unsigned long nr;

	tail.flags &= ~PAGEFLAGS_MASK;
	tail.mapping = TAIL_MAPPING;
	set_compound_head(&tail, &folio->page);
	set_page_private(&tail, 0);
	atomic_set(&tail._mapcount, -1);
	atomic_set(&tail._refcount, 0);

	for (nr = 0; nr < VMEMMAP_KEPT_PAGES; nr++)
		to[nr] = tail;
	__set_bit(PG_head, &to[0].flags);
}

/**
 * vmemmap_unshare_tails() - give all its struct pages back to a folio
 * @folio: refcount 0, shared with vmemmap_share_tails()
 * @span: extended; flush it before the next step
 *
 * The inverse of vmemmap_share_tails(): after vmemmap_unfake_heads() every tail
 * is as the page allocator made it.
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM, and nothing changed.
 */
int vmemmap_unshare_tails(struct folio *folio, struct vmemmap_span *span)
{
	unsigned long addr = vmemmap_first(folio), end = vmemmap_end(folio);
	unsigned long nr = (end - addr) / PAGE_SIZE - 1;
	struct page *page, *model = NULL;
	LIST_HEAD(pages);
	pte_t *pte;

	if (vmemmap_pages_alloc(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN,
				folio_nid(folio), nr, &pages)) {
		vmemmap_pages_free(&pages);
		return -ENOMEM;
	}

	pte = vmemmap_slot(addr);
	vmemmap_span_add(span, addr + PAGE_SIZE, end);
	for (addr += PAGE_SIZE; addr < end; addr += PAGE_SIZE) {
		/* In the order of their addresses, as a rule. */
		page = list_last_entry(&pages, struct page, lru);
		list_del(&page->lru);
		if (model)
			copy_page(page_address(page), page_address(model));
		else
			vmemmap_fill_tails(folio, page);
		model = page;
		pte = vmemmap_next_slot(pte, addr);
		vmemmap_exchange(pte, addr, mk_pte(page, PAGE_KERNEL));
	}
	return 0;
}
