/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Folios: taking large ones apart.
 *
 * split.c is the sequence, pieces.c makes the smaller folios, remap.c gives
 * them back to the processes; deferred.c keeps the folios that should be split
 * when memory is short, debugfs.c splits on request.
 *
 * The locks, outer first, and where they are taken:
 *
 *	folio			caller
 *	anon_vma | i_mmap	split.c, for write | for read
 *	page table		remap.c; nothing of the list is taken under it
 *	i_pages			split.c, interrupts off
 *	split queue		deferred.c
 *	lru_lock		pieces.c
 */
#ifndef MM_THP_FOLIO_H
#define MM_THP_FOLIO_H

#include <linux/mm_types.h>
#include <linux/xarray.h>

#include "../map/map.h"

struct anon_vma;

/* ---- split.c: the sequence ---- */

/**
 * struct folio_split - one large folio on its way to smaller ones
 * @folio: the folio; once it is split, the first of the pieces
 * @keep: page of the piece that stays locked and referenced for the caller
 * @list: where the other pieces go; or NULL: to the LRU list
 * @old_order: order before
 * @new_order: order of each piece
 * @drop_zeroes: a page that is all zeroes makes way for the shared zero page
 * @cache_refs: references that the page cache or the swap cache has
 * @anon_vma: anonymous memory: pinned, and locked while page tables change
 * @mapping: file: its page cache; i_mmap is locked while page tables change
 * @index: page cache or swap cache, or NULL if the folio is in neither
 * @base: position of the folio in @index
 * @end: file: first position that the file does not have
 * @dropped: file: pages that were behind its end
 * @xas: file: the split of the slots, with the nodes it needs
 */
struct folio_split {
	struct folio		*folio;
	struct page		*keep;
	struct list_head	*list;
	unsigned int		old_order;
	unsigned int		new_order;
	bool			drop_zeroes;
	int			cache_refs;
	struct anon_vma		*anon_vma;
	struct address_space	*mapping;
	struct xarray		*index;
	unsigned long		base;
	pgoff_t			end;
	unsigned long		dropped;
	struct xa_state		xas;
};

int thp_split_drop_zeroes(struct folio *folio, unsigned int new_order);

/* ---- pieces.c: frozen pages of one folio become several folios ---- */

void split_pieces(struct folio_split *s);

/* ---- remap.c: migration entries become mappings of the pieces ---- */

bool thp_page_is_zero(struct page *page);
void split_remap(const struct folio_split *s);

/* ---- deferred.c: folios to be split when memory is short ---- */

bool deferred_forget(struct folio *folio);
int __init deferred_init(void);
void __init deferred_exit(void);

#endif /* MM_THP_FOLIO_H */
