// SPDX-License-Identifier: GPL-2.0
/*
 * Split: one large folio becomes smaller ones, and its pages stay where they
 * are.  The sequence; pieces.c and remap.c are two of its steps.
 *
 *	check	what can be seen without waiting; no side effects
 *	prepare	what may sleep or fail: data of the filesystem, nodes of i_pages
 *	unmap	nobody reaches the memory; anonymous entries wait for the remap
 *	commit	refuse while anybody else has a reference, else split
 *	remap	the entries that wait map the pieces, or the folio again
 *	release	all pieces but the caller's are unlocked and let go
 */
#define pr_fmt(fmt) "huge_memory: " fmt

#include <linux/backing-dev.h>
#include <linux/dax.h>
#include <linux/memcontrol.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/shmem_fs.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include "folio.h"
#include "../../internal.h"
#include "../../swap.h"

static int split_check_file(const struct folio_split *s)
{
	struct address_space *mapping = s->folio->mapping;

	/* Truncated; or of shmem, and in the swap cache. */
	if (!mapping)
		return -EBUSY;
	if (!s->new_order)
		return 0;

	/* khugepaged makes huge pages for filesystems that know no others. */
	if (!mapping_large_folio_support(mapping)) {
		VM_WARN_ONCE(1, "Cannot split file folio to non-0 order");
		return -EINVAL;
	}
	return 0;
}

static int split_check_anon(const struct folio_split *s)
{
	/* There is no room for a place in the queue in a folio of two pages. */
	if (s->new_order == 1) {
		VM_WARN_ONCE(1, "Cannot split to order-1 folio");
		return -EINVAL;
	}
	/* Swap slots are handed out and freed by page or by the whole folio. */
	if (s->new_order && folio_test_swapcache(s->folio))
		return -EINVAL;
	return 0;
}

/* Changes nothing; an error from here is not counted as a failed split. */
static int split_check(const struct folio_split *s)
{
	struct folio *folio = s->folio;
	int err;

	VM_WARN_ON_ONCE_FOLIO(!folio_test_locked(folio), folio);

	if (s->new_order >= s->old_order)
		return -EINVAL;
	if (is_huge_zero_folio(folio)) {
		pr_warn_ratelimited("Called split_huge_page for huge zero page\n");
		return -EBUSY;
	}

	err = folio_test_anon(folio) ? split_check_anon(s) : split_check_file(s);
	if (err)
		return err;
	return folio_test_writeback(folio) ? -EBUSY : 0;
}

/* Without mmap_lock only a reference keeps an anon_vma. */
static int split_prepare_anon(struct folio_split *s)
{
	struct folio *folio = s->folio;

	s->anon_vma = folio_get_anon_vma(folio);
	if (!s->anon_vma)
		return -EBUSY;

	if (folio_test_swapcache(folio)) {
		s->index = &swap_address_space(folio->swap)->i_pages;
		s->base = swap_cache_index(folio->swap);
	}
	return 0;
}

static int split_prepare_file(struct folio_split *s)
{
	struct address_space *mapping = s->folio->mapping;
	unsigned int min_order = mapping_min_folio_order(mapping);
	struct mem_cgroup *old_memcg;
	gfp_t gfp;

	if (s->new_order < min_order) {
		VM_WARN_ONCE(1, "Cannot split mapped folio below min-order: %u",
			     min_order);
		return -EINVAL;
	}

	gfp = mapping_gfp_mask(mapping) & GFP_RECLAIM_MASK;
	gfp = current_gfp_context(gfp);
	if (!filemap_release_folio(s->folio, gfp))
		return -EBUSY;

	s->index = &mapping->i_pages;
	s->base = s->folio->index;
	s->xas = (struct xa_state)__XA_STATE(s->index, 0, 0, 0);
	xas_set_order(&s->xas, s->base, s->new_order);
	mapping_set_update(&s->xas, mapping);

	/* The nodes belong to whom the folio belongs to. */
	old_memcg = set_active_memcg(folio_memcg(s->folio));
	xas_split_alloc(&s->xas, s->folio, s->old_order, gfp);
	set_active_memcg(old_memcg);
	if (xas_error(&s->xas))
		return xas_error(&s->xas);

	s->mapping = mapping;
	return 0;
}

/* Undoes prepare, after a split or without one. */
static void split_finish(struct folio_split *s)
{
	if (s->anon_vma)
		put_anon_vma(s->anon_vma);
	if (s->mapping)
		xas_destroy(&s->xas);
}

/*
 * Where the file ends for the whole split: the folio lock keeps truncation away,
 * and i_size cannot be read under i_pages on 32 bits.
 */
static pgoff_t split_file_end(struct address_space *mapping)
{
	pgoff_t end = DIV_ROUND_UP(i_size_read(mapping->host), PAGE_SIZE);

	return shmem_mapping(mapping) ?
	       shmem_fallocend(mapping->host, end) : end;
}

/*
 * Entries of anonymous memory have to be kept, as migration entries; those of
 * files come back by faults.
 */
static void split_unmap(const struct folio_split *s)
{
	enum ttu_flags ttu = TTU_RMAP_LOCKED | TTU_SYNC | TTU_BATCH_FLUSH;

	if (folio_test_pmd_mappable(s->folio))
		ttu |= TTU_SPLIT_HUGE_PMD;

	if (s->anon_vma)
		try_to_migrate(s->folio, ttu);
	else
		try_to_unmap(s->folio, ttu | TTU_IGNORE_MLOCK);
	try_to_unmap_flush();
}

/* The slots of the page cache, still all with the first page. */
static void split_file_slots(struct folio_split *s)
{
	struct folio *folio = s->folio;
	long nr = folio_nr_pages(folio);

	xas_split(&s->xas, folio, s->old_order);

	if (!folio_test_pmd_mappable(folio) || s->new_order >= HPAGE_PMD_ORDER)
		return;
	if (folio_test_swapbacked(folio)) {
		__lruvec_stat_mod_folio(folio, NR_SHMEM_THPS, -nr);
		return;
	}
	__lruvec_stat_mod_folio(folio, NR_FILE_THPS, -nr);
	filemap_nr_thps_dec(s->mapping);
}

/* Behind the end of the file: as truncation would have it. */
static void split_drop_piece(struct folio_split *s, struct folio *piece)
{
	long nr = folio_nr_pages(piece);

	if (shmem_mapping(s->mapping))
		s->dropped += nr;
	else if (folio_test_clear_dirty(piece))
		folio_account_cleaned(piece, inode_to_wb(s->mapping->host));

	__filemap_remove_folio(piece, NULL);
	folio_put_refs(piece, nr);
}

/*
 * Until the first piece gets its references back, whoever finds it in the slot
 * of another one has to look again.
 */
static void split_fill_slots(struct folio_split *s)
{
	unsigned long nr = 1UL << s->old_order;
	unsigned long step = 1UL << s->new_order;
	struct folio *piece;
	unsigned long i;

	for (i = step; i < nr; i += step) {
		piece = page_folio(folio_page(s->folio, i));
		if (s->mapping && s->base + i >= s->end)
			split_drop_piece(s, piece);
		else
			__xa_store(s->index, s->base + i, piece, 0);
	}
}

/* Called with interrupts off and, if the folio is in a cache, its lock. */
static int split_commit_locked(struct folio_split *s)
{
	struct folio *folio = s->folio;
	bool anon = s->anon_vma;

	lockdep_assert_irqs_disabled();

	/* All slots have it, or none: so look at the first one. */
	if (s->mapping) {
		xas_reset(&s->xas);
		if (xas_load(&s->xas) != folio)
			return -EAGAIN;
	}
	if (!folio_ref_freeze(folio, 1 + s->cache_refs))
		return -EAGAIN;

	if (s->old_order > 1)
		deferred_forget(folio);
	if (anon) {
		mod_mthp_stat(s->old_order, MTHP_STAT_NR_ANON, -1);
		mod_mthp_stat(s->new_order, MTHP_STAT_NR_ANON,
			      1 << (s->old_order - s->new_order));
	}
	if (s->mapping)
		split_file_slots(s);
	split_pieces(s);
	if (s->index)
		split_fill_slots(s);

	folio_ref_unfreeze(folio, 1 + (s->index ? 1 << s->new_order : 0));
	return 0;
}

static int split_commit(struct folio_split *s)
{
	int err;

	if (s->index) {
		xa_lock_irq(s->index);
		err = split_commit_locked(s);
		xa_unlock_irq(s->index);
	} else {
		local_irq_disable();
		err = split_commit_locked(s);
		local_irq_enable();
	}
	if (s->dropped)
		shmem_uncharge(s->mapping->host, s->dropped);
	return err;
}

/* Called with anon_vma or i_mmap locked. */
static int split_under_rmap(struct folio_split *s)
{
	struct folio *folio = s->folio;
	bool mapped = folio_mapped(folio);
	int err;

	/* Look before the mappings are taken apart for nothing. */
	if (!can_split_folio(folio, 1, &s->cache_refs))
		return -EAGAIN;

	if (mapped)
		split_unmap(s);
	err = split_commit(s);
	if (!mapped || !s->anon_vma)
		return err;

	if (err)
		remove_migration_ptes(folio, folio, RMP_LOCKED);
	else
		split_remap(s);
	return err;
}

static int split_anon(struct folio_split *s)
{
	int err;

	/* For write: not beside another split, nor beside khugepaged. */
	anon_vma_lock_write(s->anon_vma);
	err = split_under_rmap(s);
	anon_vma_unlock_write(s->anon_vma);
	return err;
}

static int split_file(struct folio_split *s)
{
	int err;

	i_mmap_lock_read(s->mapping);
	s->end = split_file_end(s->mapping);
	err = split_under_rmap(s);
	/* Before the pieces go, one of which may be what keeps the inode. */
	i_mmap_unlock_read(s->mapping);
	return err;
}

/* A piece that nobody maps and no cache has is freed here. */
static void split_release(const struct folio_split *s)
{
	struct folio *keep = page_folio(s->keep);
	struct page *first = &s->folio->page;
	struct folio *piece;
	unsigned long i;

	for (i = 0; i < 1UL << s->old_order; i += 1UL << s->new_order) {
		piece = page_folio(nth_page(first, i));
		if (piece == keep)
			continue;
		folio_unlock(piece);
		free_page_and_swap_cache(&piece->page);
	}
}

static int split_run(struct folio_split *s)
{
	int err;

	s->old_order = folio_order(s->folio);
	err = split_check(s);
	if (err)
		return err;

	if (folio_test_anon(s->folio)) {
		err = split_prepare_anon(s);
		if (!err)
			err = split_anon(s);
	} else {
		err = split_prepare_file(s);
		if (!err)
			err = split_file(s);
	}

	if (!err)
		split_release(s);
	split_finish(s);
	thp_count(err ? THP_COUNT_SPLIT_FAILED : THP_COUNT_SPLIT,
		  s->old_order, NULL);
	return err;
}

/**
 * split_huge_page_to_list_to_order() - split a folio
 * @page: any page of the folio
 * @list: where the other pieces go, each with a reference of its own, for a
 *	caller that took the folio off the LRU list; NULL: they go to the LRU
 *	list, next to the first piece
 * @new_order: order of the pieces, less than that of the folio.  Anonymous
 *	folios: not 1, and 0 if they are in the swap cache.  shmem and
 *	filesystems without large folios: 0.  Files: not less than what the
 *	mapping needs.
 *
 * The pieces take over mapping, position, cgroup and the flags of the folio;
 * processes that have it mapped map the pieces, files by faults.  Pieces behind
 * the end of a file leave the page cache.  The reference and the lock of the
 * caller end up at the piece that has @page; all others are unlocked, and freed
 * if nobody has them.
 *
 * Pages that are all zeroes stay: whoever splits to migrate, to truncate, to
 * swap out or to be rid of bad memory gains nothing from reading 2 MB.  See
 * thp_split_drop_zeroes().
 *
 * Context: process context, may sleep.  Folio locked, with one reference of the
 *	caller and no other than those of mappings and caches.
 * Return: 0; or an error, with the folio as it was.  -EINVAL: @new_order does
 *	not go with the folio; 0 always does, but for files that need more.
 *	-EBUSY: the huge zero folio, writeback, data that the filesystem cannot
 *	let go of, or a folio that was truncated or has lost its anon_vma.
 *	-EAGAIN: somebody else has a reference (as by get_user_pages()), or it
 *	was taken out of the page cache meanwhile.  -ENOMEM: no nodes for the
 *	page cache.
 */
int split_huge_page_to_list_to_order(struct page *page, struct list_head *list,
				     unsigned int new_order)
{
	struct folio_split s = {
		.folio = page_folio(page),
		.keep = page,
		.list = list,
		.new_order = new_order,
	};

	return split_run(&s);
}

/**
 * thp_split_drop_zeroes() - split a folio to have less memory in use
 * @folio: the folio
 * @new_order: order of the pieces
 *
 * As split_huge_page_to_list_to_order(), the first piece stays with the caller.
 * Anonymous pages without a set bit are not mapped again, the shared zero page
 * is, wherever that may be: pieces are single pages, neither the VMA nor the
 * page is locked in memory, and the architecture allows it.
 *
 * Context: process context, may sleep.  Folio locked and referenced once.
 * Return: as split_huge_page_to_list_to_order().
 */
int thp_split_drop_zeroes(struct folio *folio, unsigned int new_order)
{
	struct folio_split s = {
		.folio = folio,
		.keep = &folio->page,
		.new_order = new_order,
		.drop_zeroes = true,
	};

	return split_run(&s);
}

/**
 * split_folio_to_list() - split a folio to single pages
 * @folio: the folio
 * @list: as split_huge_page_to_list_to_order()
 *
 * Context: process context, may sleep.  Folio locked and referenced once.
 * Return: as split_huge_page_to_list_to_order().
 */
int split_folio_to_list(struct folio *folio, struct list_head *list)
{
	return split_huge_page_to_list_to_order(&folio->page, list, 0);
}

/**
 * min_order_for_split() - how small may the pieces of a folio be?
 * @folio: the folio
 *
 * Context: folio locked.
 * Return: an order; -EBUSY if the folio has been truncated.
 */
int min_order_for_split(struct folio *folio)
{
	if (folio_test_anon(folio))
		return 0;
	if (folio->mapping)
		return mapping_min_folio_order(folio->mapping);

	if (folio_test_pmd_mappable(folio))
		count_vm_event(THP_SPLIT_PAGE_FAILED);
	return -EBUSY;
}

/**
 * can_split_folio() - would a split find only references it knows?
 * @folio: the folio
 * @caller_pins: references of the caller
 * @pextra_pins: set to the references of page cache or swap cache; or NULL
 *
 * Context: any.  Without the page-table locks the answer may be outdated.
 * Return: whether mappings, caches and the caller have all references.
 */
bool can_split_folio(struct folio *folio, int caller_pins, int *pextra_pins)
{
	bool cached = !folio_test_anon(folio) || folio_test_swapcache(folio);
	int cache_pins = cached ? folio_nr_pages(folio) : 0;

	if (pextra_pins)
		*pextra_pins = cache_pins;
	return folio_ref_count(folio) ==
	       folio_mapcount(folio) + cache_pins + caller_pins;
}
