// SPDX-License-Identifier: GPL-2.0
/*
 * Pieces: the pages of one folio that nobody can get hold of become several
 * folios.  What each of them inherits, and how it becomes visible.
 *
 * Knows struct page; knows nothing about page tables or caches.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/page_idle.h>
#include <linux/page_owner.h>
#include <linux/swap.h>

#include "folio.h"
#include "../../internal.h"

#ifdef CONFIG_ARCH_USES_PG_ARCH_2
#define PIECE_ARCH_2	BIT(PG_arch_2)
#else
#define PIECE_ARCH_2	0
#endif

#ifdef CONFIG_ARCH_USES_PG_ARCH_3
#define PIECE_ARCH_3	BIT(PG_arch_3)
#else
#define PIECE_ARCH_3	0
#endif

/* What was true of the folio and is true of each piece. */
#define PIECE_CONTENT	(BIT(PG_uptodate) | BIT(PG_dirty) | \
			 BIT(PG_swapbacked) | BIT(PG_swapcache) | \
			 PIECE_ARCH_2 | PIECE_ARCH_3)
#define PIECE_USE	(BIT(PG_referenced) | BIT(PG_active) | \
			 BIT(PG_workingset) | BIT(PG_unevictable) | \
			 BIT(PG_mlocked) | LRU_GEN_MASK | LRU_REFS_MASK)
#define PIECE_INHERITS	(PIECE_CONTENT | PIECE_USE | BIT(PG_locked))

/**
 * struct piece_traits - what is noted of the folio before its pages change
 * @flags: flags that every piece gets
 * @nr: pages of a piece
 * @refs: references of a piece
 * @cpupid: who used it last
 * @young: was accessed
 * @idle: is being watched for accesses
 * @swapcache: is in the swap cache
 * @poisoned: some page is bad, and a piece may have more than one page
 */
struct piece_traits {
	unsigned long	flags;
	unsigned int	nr;
	int		refs;
	int		cpupid;
	bool		young : 1;
	bool		idle : 1;
	bool		swapcache : 1;
	bool		poisoned : 1;
};

static struct piece_traits piece_traits_note(const struct folio_split *s)
{
	struct folio *folio = s->folio;
	unsigned int nr = 1U << s->new_order;

	return (struct piece_traits) {
		.flags = folio->flags & PIECE_INHERITS,
		.nr = nr,
		.refs = 1 + (s->index ? nr : 0),
		.cpupid = folio_last_cpupid(folio),
		.young = folio_test_young(folio),
		.idle = folio_test_idle(folio),
		.swapcache = folio_test_swapcache(folio),
		.poisoned = s->new_order && folio_test_has_hwpoisoned(folio),
	};
}

static void piece_check_poison(struct folio *piece, unsigned int nr)
{
	struct page *page = &piece->page;

	for (; nr; nr--, page++) {
		if (PageHWPoison(page)) {
			folio_set_has_hwpoisoned(piece);
			return;
		}
	}
}

/*
 * From tail of a folio to folio.  Nobody has a reference, but who found the page
 * by its number may try for one at any time: so flags first, then what makes it
 * a page of its own, and the references last.
 *
 * PG_anon_exclusive goes with the other flags.  For mapped pages the migration
 * entry knows it; the others have no use for it.
 */
static void piece_make(const struct folio_split *s, unsigned int nth,
		       const struct piece_traits *t)
{
	struct folio *folio = s->folio;
	struct page *page = folio_page(folio, nth);
	struct folio *piece = (struct folio *)page;

	VM_WARN_ON_ONCE_PAGE(atomic_read(&page->_mapcount) != -1, page);
	VM_WARN_ON_ONCE_PAGE(nth > 2 && page->mapping != TAIL_MAPPING, page);
	VM_WARN_ON_ONCE_PAGE(page->private, page);

	page->flags &= ~PAGE_FLAGS_CHECK_AT_PREP;
	page->flags |= t->flags;
	page->mapping = folio->mapping;
	page->index = folio->index + nth;
	page->private = 0;
	if (t->swapcache)
		piece->swap.val = folio->swap.val + nth;

	/* Pairs with who sees no PageTail and goes on to the flags. */
	smp_wmb();
	clear_compound_head(page);
	if (s->new_order) {
		prep_compound_page(page, s->new_order);
		folio_set_large_rmappable(piece);
	}
	if (t->poisoned)
		piece_check_poison(piece, t->nr);
	if (t->young)
		folio_set_young(piece);
	if (t->idle)
		folio_set_idle(piece);
	folio_xchg_last_cpupid(piece, t->cpupid);

	folio_ref_unfreeze(piece, t->refs);
}

/*
 * Whoever walks a list from its tail and is at the first piece is to meet the
 * others after it.
 */
static void piece_to_lru(struct folio *piece, struct folio *before)
{
	VM_WARN_ON_ONCE_FOLIO(folio_test_lru(piece), piece);

	if (folio_test_unevictable(piece))
		piece->mlock_count = 0;
	else
		list_add_tail(&piece->lru, &before->lru);
	folio_set_lru(piece);
}

static void piece_to_list(struct folio *piece, struct list_head *list)
{
	VM_WARN_ON_ONCE_FOLIO(folio_test_lru(piece), piece);

	folio_get(piece);
	list_add_tail(&piece->lru, list);
}

/*
 * The first piece; its references stay frozen.  In a larger piece the second
 * page stays what it was, with the flags that are kept there.
 */
static void piece_make_first(struct folio_split *s,
			     const struct piece_traits *t)
{
	struct folio *folio = s->folio;

	if (!s->new_order) {
		ClearPageCompound(&folio->page);
		return;
	}
	folio_clear_has_hwpoisoned(folio);
	folio_clear_collapse_holes(folio);
	folio_set_order(folio, s->new_order);
	if (t->poisoned)
		piece_check_poison(folio, t->nr);
}

static void split_pieces_to_list(struct folio_split *s,
				 const struct piece_traits *t)
{
	unsigned int nr = 1U << s->old_order;
	unsigned int i;

	for (i = t->nr; i < nr; i += t->nr) {
		piece_make(s, i, t);
		piece_to_list(page_folio(folio_page(s->folio, i)), s->list);
	}
	piece_make_first(s, t);
}

/*
 * Under the lock of the list: a multi-generational LRU moves folios that it has
 * no reference to and counts their pages.
 */
static void split_pieces_to_lru(struct folio_split *s,
				const struct piece_traits *t)
{
	unsigned int nr = 1U << s->old_order;
	struct folio *before = s->folio;
	struct folio *piece;
	unsigned int i;

	VM_WARN_ON_ONCE_FOLIO(!folio_test_lru(s->folio), s->folio);

	for (i = t->nr; i < nr; i += t->nr) {
		piece_make(s, i, t);
		piece = page_folio(folio_page(s->folio, i));
		piece_to_lru(piece, before);
		before = piece;
	}
	piece_make_first(s, t);
}

/**
 * split_pieces() - make folios of order @s->new_order of a frozen folio
 * @s: the split
 *
 * The pieces are locked; each but the first has its references: one, and those
 * of the cache if @s->index says that there is one.  The references of the first
 * one stay frozen: when they come back, the whole split is seen.
 *
 * Context: interrupts off.  References of the folio frozen, nothing mapped, not
 *	in the deferred queue.
 */
void split_pieces(struct folio_split *s)
{
	struct folio *folio = s->folio;
	struct piece_traits traits;
	struct lruvec *lruvec;

	/* Statistics of the LRU list go by the cgroup of each piece. */
	split_page_memcg(&folio->page, s->old_order, s->new_order);

	if (s->list) {
		VM_WARN_ON_ONCE_FOLIO(folio_test_lru(folio), folio);
		traits = piece_traits_note(s);
		split_pieces_to_list(s, &traits);
	} else {
		lruvec = folio_lruvec_lock(folio);
		traits = piece_traits_note(s);
		split_pieces_to_lru(s, &traits);
		unlock_page_lruvec(lruvec);
	}

	split_page_owner(&folio->page, s->old_order, s->new_order);
	pgalloc_tag_split(folio, s->old_order, s->new_order);
}
