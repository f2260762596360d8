// SPDX-License-Identifier: GPL-2.0
/*
 * Pieces of a split, on a folio that nobody else knows: what each of them
 * inherits, for every order; where poison is afterwards.
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/page_idle.h>

#include "../folio/folio.h"
#include "../../internal.h"

#define TEST_ORDER	9
#define TEST_NR		BIT(TEST_ORDER)
#define TEST_INDEX	0x12345000UL

/* Looks like memory of a process, as far as flags of a page go. */
static struct anon_vma *test_anon_vma = (void *)0x10000;

struct split_test {
	struct folio_split	s;
	struct list_head	list;
	unsigned long		pfn;
	int			cpupid;
};

static struct folio *test_folio(struct split_test *t, unsigned int i)
{
	return pfn_folio(t->pfn + i);
}

static void test_start(struct kunit *test, struct split_test *t,
		       unsigned int order)
{
	struct folio *folio = folio_alloc(GFP_KERNEL, TEST_ORDER);

	KUNIT_ASSERT_NOT_NULL(test, folio);
	INIT_LIST_HEAD(&t->list);
	t->pfn = folio_pfn(folio);
	t->s = (struct folio_split) {
		.folio = folio,
		.keep = &folio->page,
		.list = &t->list,
		.old_order = TEST_ORDER,
		.new_order = order,
	};

	__folio_set_locked(folio);
	__folio_mark_uptodate(folio);
	__folio_set_swapbacked(folio);
	folio->mapping = (void *)((unsigned long)test_anon_vma |
				  PAGE_MAPPING_ANON);
	folio->index = TEST_INDEX;
	folio_set_dirty(folio);
	folio_set_referenced(folio);
	folio_set_workingset(folio);
	folio_set_collapse_holes(folio);
	folio_xchg_last_cpupid(folio, 3);
	t->cpupid = folio_last_cpupid(folio);
	KUNIT_ASSERT_TRUE(test, folio_ref_freeze(folio, 1));
}

static void test_run(struct split_test *t)
{
	local_irq_disable();
	split_pieces(&t->s);
	folio_ref_unfreeze(t->s.folio, 1);
	local_irq_enable();
}

/* The pieces go back to where pages come from, which checks them once more. */
static void test_end(struct kunit *test, struct split_test *t)
{
	unsigned int step = 1U << t->s.new_order;
	struct folio *piece, *next;
	unsigned int i;

	list_for_each_entry_safe(piece, next, &t->list, lru) {
		list_del(&piece->lru);
		folio_put(piece);
	}
	for (i = 0; i < TEST_NR; i += step) {
		piece = test_folio(t, i);
		folio_clear_dirty(piece);
		__folio_clear_locked(piece);
		piece->mapping = NULL;
		KUNIT_EXPECT_EQ(test, 1, folio_ref_count(piece));
		folio_put(piece);
	}
}

static void test_piece(struct kunit *test, struct split_test *t, unsigned int i)
{
	unsigned int order = t->s.new_order;
	struct folio *piece = test_folio(t, i);
	unsigned int k;

	KUNIT_ASSERT_FALSE(test, PageTail(&piece->page));
	KUNIT_EXPECT_EQ(test, order, folio_order(piece));
	KUNIT_EXPECT_EQ(test, 1L << order, folio_nr_pages(piece));
	KUNIT_EXPECT_EQ(test, TEST_INDEX + i, piece->index);
	KUNIT_EXPECT_PTR_EQ(test, test_folio(t, 0)->mapping, piece->mapping);
	KUNIT_EXPECT_TRUE(test, folio_test_anon(piece));
	/* The list has its own. */
	KUNIT_EXPECT_EQ(test, i ? 2 : 1, folio_ref_count(piece));
	KUNIT_EXPECT_EQ(test, 0, folio_mapcount(piece));
	KUNIT_EXPECT_EQ(test, t->cpupid, folio_last_cpupid(piece));
	KUNIT_EXPECT_PTR_EQ(test, NULL, folio_get_private(piece));

	KUNIT_EXPECT_TRUE(test, folio_test_locked(piece));
	KUNIT_EXPECT_TRUE(test, folio_test_uptodate(piece));
	KUNIT_EXPECT_TRUE(test, folio_test_swapbacked(piece));
	KUNIT_EXPECT_TRUE(test, folio_test_dirty(piece));
	KUNIT_EXPECT_TRUE(test, folio_test_referenced(piece));
	KUNIT_EXPECT_TRUE(test, folio_test_workingset(piece));
	KUNIT_EXPECT_FALSE(test, folio_test_active(piece));
	KUNIT_EXPECT_FALSE(test, folio_test_mlocked(piece));
	KUNIT_EXPECT_FALSE(test, folio_test_unevictable(piece));
	KUNIT_EXPECT_FALSE(test, folio_test_lru(piece));
	KUNIT_EXPECT_FALSE(test, folio_test_swapcache(piece));

	KUNIT_EXPECT_EQ(test, order > 0, folio_test_large(piece));
	if (!order)
		return;
	KUNIT_EXPECT_TRUE(test, folio_test_large_rmappable(piece));
	KUNIT_EXPECT_FALSE(test, folio_test_collapse_holes(piece));
	KUNIT_EXPECT_FALSE(test, folio_test_partially_mapped(piece));
	if (order > 1)
		KUNIT_EXPECT_TRUE(test, list_empty(&piece->_deferred_list));
	for (k = 1; k < 1U << order; k++)
		KUNIT_ASSERT_PTR_EQ(test, piece,
				    page_folio(pfn_to_page(t->pfn + i + k)));
}

/* Every order, also the one that only files may have. */
static void split_inherits(struct kunit *test)
{
	struct split_test t;
	unsigned int order, i;

	for (order = 0; order < TEST_ORDER; order++) {
		test_start(test, &t, order);
		test_run(&t);
		for (i = 0; i < TEST_NR; i += 1U << order)
			test_piece(test, &t, i);
		test_end(test, &t);
	}
}

/* Whoever takes the pieces from a list meets them from first to last. */
static void split_list_order(struct kunit *test)
{
	unsigned long expected;
	struct split_test t;
	struct folio *piece;

	test_start(test, &t, 3);
	test_run(&t);
	expected = t.pfn;
	list_for_each_entry(piece, &t.list, lru) {
		expected += 8;
		KUNIT_EXPECT_EQ(test, expected, folio_pfn(piece));
	}
	KUNIT_EXPECT_EQ(test, t.pfn + TEST_NR - 8, expected);
	test_end(test, &t);
}

/* The flag of a page stays with the page, that of the folio with its piece. */
static void split_poison(struct kunit *test)
{
	static const unsigned int bad[] = { 0, 1, 17, 511 };
	struct split_test t;
	unsigned int order, b, i;
	bool expected;

	if (!IS_ENABLED(CONFIG_MEMORY_FAILURE))
		kunit_skip(test, "no memory failure");

	for (order = 0; order < TEST_ORDER; order++) {
		for (b = 0; b < ARRAY_SIZE(bad); b++) {
			struct page *page;

			test_start(test, &t, order);
			page = pfn_to_page(t.pfn + bad[b]);
			SetPageHWPoison(page);
			folio_set_has_hwpoisoned(t.s.folio);
			test_run(&t);

			KUNIT_EXPECT_TRUE(test, PageHWPoison(page));
			for (i = 0; order && i < TEST_NR; i += 1U << order) {
				expected = i == round_down(bad[b], 1U << order);
				KUNIT_EXPECT_EQ(test, expected,
						folio_test_has_hwpoisoned(test_folio(&t, i)));
			}
			ClearPageHWPoison(page);
			test_end(test, &t);
		}
	}
}

static struct kunit_case split_cases[] = {
	KUNIT_CASE(split_inherits),
	KUNIT_CASE(split_list_order),
	KUNIT_CASE(split_poison),
	{}
};

static struct kunit_suite split_suite = {
	.name = "thp_split",
	.test_cases = split_cases,
};

kunit_test_suite(split_suite);
