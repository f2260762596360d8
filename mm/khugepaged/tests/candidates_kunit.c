// SPDX-License-Identifier: GPL-2.0
/*
 * Candidates: every map of a small window and random maps of a large one,
 * against a model that goes through slots one by one and halves by recursion.
 *
 * Built into the kernel and into tools/testing/hugepage.
 */
#include <kunit/test.h>
#include <linux/limits.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include "../candidates.h"

#ifndef HUGEPAGE_TEST_OPS
#define HUGEPAGE_TEST_OPS	2000UL
#define TEST_SMALL_ORDER	3	/* of the window all maps of which are tried */
#else
#define TEST_SMALL_ORDER	4
#endif

#define TEST_LARGE_ORDER	(COLLAPSE_MAX_SLOTS < 512 ? 8 : 9)
#define TEST_VISITS_MAX		(2U << TEST_LARGE_ORDER)

/* What becomes of a range that is worth a try. */
enum test_fate { TEST_DONE, TEST_HALVE, TEST_FORBID, TEST_FATES };

struct test_visit {
	unsigned int		offset;
	unsigned int		order;
	enum scan_result	verdict;
};

struct test_walk {
	const struct collapse_map *map;
	const struct collapse_limits *limits;
	unsigned long		orders;
	u32			fates;	/* by the number of the visit, base 3 */
	unsigned int		nr;
	struct test_visit	visit[TEST_VISITS_MAX];
};

static enum test_fate test_fate(const struct test_walk *w)
{
	u32 mixed = (w->fates + w->nr) * 2654435761U;

	return w->fates ? (mixed >> 16) % TEST_FATES : TEST_DONE;
}

/* ---- the model ---- */

static bool model_held(const struct collapse_map *map, unsigned int slot,
		       unsigned int order)
{
	unsigned int first;

	for (first = 0; first <= slot; first++) {
		if (map->held[first] && map->held[first] >= order &&
		    slot < first + (1U << map->held[first]))
			return true;
	}
	return false;
}

static enum scan_result model_judge(const struct test_walk *w,
				    unsigned int offset, unsigned int order)
{
	const struct collapse_limits *limits = w->limits;
	const struct collapse_map *map = w->map;
	unsigned int none = 0, swapped = 0, shared = 0, writable = 0, young = 0;
	unsigned int part = 1U << (map->order - order);
	unsigned int i, size = 1U << order;
	bool blocked = false;

	if (order != map->order && model_held(map, offset, order))
		return SCAN_HELD;
	for (i = offset; i < offset + size; i++) {
		blocked |= test_bit(i, map->blocked);
		none += !test_bit(i, map->present) && !test_bit(i, map->swapped);
		swapped += test_bit(i, map->swapped);
		shared += test_bit(i, map->shared);
		writable += test_bit(i, map->writable);
		young += test_bit(i, map->young);
	}
	if (blocked)
		return SCAN_FAIL;
	if (limits) {
		if (none > limits->max_none / part)
			return SCAN_EXCEED_NONE_PTE;
		if (swapped > (part == 1 ? limits->max_swap : 0))
			return SCAN_EXCEED_SWAP_PTE;
		if (shared > (part == 1 ? limits->max_shared : 0))
			return SCAN_EXCEED_SHARED_PTE;
	}
	if (!writable)
		return SCAN_PAGE_RO;
	if (limits && (!young || (swapped && 2 * young < size)))
		return SCAN_LACK_REFERENCED_PAGE;
	return SCAN_SUCCEED;
}

static void model_walk(struct test_walk *w, unsigned int offset,
		       unsigned int order)
{
	struct test_visit *v = &w->visit[w->nr];
	enum test_fate fate;

	if (w->orders & BIT(order)) {
		*v = (struct test_visit){ offset, order };
		v->verdict = model_judge(w, offset, order);
		fate = test_fate(w);
		w->nr++;
		if (v->verdict == SCAN_HELD)
			return;
		if (v->verdict == SCAN_SUCCEED && fate == TEST_DONE)
			return;
		if (v->verdict == SCAN_SUCCEED && fate == TEST_FORBID)
			w->orders &= ~(~0UL << order);
	}
	if (!order || !(w->orders & ~(~0UL << order)))
		return;
	model_walk(w, offset, order - 1);
	model_walk(w, offset + (1U << (order - 1)), order - 1);
}

/* ---- the same with the iterator ---- */

static void real_step(struct test_walk *w, struct collapse_candidates *it)
{
	enum test_fate fate = test_fate(w);

	w->visit[w->nr++] = (struct test_visit){
		it->offset, it->order, it->verdict
	};
	if (it->verdict == SCAN_HELD ||
	    (it->verdict == SCAN_SUCCEED && fate == TEST_DONE)) {
		collapse_candidates_done(it);
		return;
	}
	if (it->verdict == SCAN_SUCCEED && fate == TEST_FORBID)
		collapse_candidates_forbid(it);
	collapse_candidates_halve(it);
}

static void real_walk(struct test_walk *w)
{
	struct collapse_candidates it;

	collapse_candidates_start(&it, w->map, w->limits, w->orders);
	while (w->nr < TEST_VISITS_MAX && collapse_candidates_next(&it))
		real_step(w, &it);
}

/* ---- both, compared ---- */

struct test_pair {
	struct collapse_map	map;
	struct collapse_limits	limits;
	struct test_walk	real, model;
};

static struct test_pair *test_pair(struct kunit *test, unsigned int order)
{
	struct test_pair *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	p->map.order = order;
	return p;
}

/* NULL, or what is wrong. */
static const char *test_pair_wrong(struct test_pair *p, bool limited,
				   unsigned long orders, u32 fates)
{
	struct test_walk *walks[] = { &p->real, &p->model };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(walks); i++) {
		walks[i]->map = &p->map;
		walks[i]->limits = limited ? &p->limits : NULL;
		walks[i]->orders = orders;
		walks[i]->fates = fates;
		walks[i]->nr = 0;
	}
	real_walk(&p->real);
	model_walk(&p->model, 0, p->map.order);
	if (p->real.nr != p->model.nr)
		return "more visits, or fewer";
	for (i = 0; i < p->real.nr; i++) {
		if (memcmp(&p->real.visit[i], &p->model.visit[i],
			   sizeof(p->real.visit[i])))
			return "another visit";
	}
	return NULL;
}

#define EXPECT_SAME(test, p, limited, orders, fates, fmt, args...)	\
do {									\
	const char *wrong_ = test_pair_wrong(p, limited, orders, fates); \
									\
	KUNIT_ASSERT_TRUE_MSG(test, !wrong_,				\
			      "%s: orders %lx, limits %u %u %u, fates %u, " fmt, \
			      wrong_, (unsigned long)(orders),		\
			      (p)->limits.max_none, (p)->limits.max_swap, \
			      (p)->limits.max_shared, (u32)(fates), ##args); \
} while (0)

/* Every set of pages present, every set of orders, every max_ptes_none. */
static void candidates_every_map(struct kunit *test)
{
	struct test_pair *p = test_pair(test, TEST_SMALL_ORDER);
	unsigned int slots = 1U << TEST_SMALL_ORDER;
	unsigned long present, orders;

	bitmap_fill(p->map.young, slots);
	for (present = 0; present < BIT(slots); present++) {
		p->map.present[0] = present;
		p->map.writable[0] = present;
		for (orders = 0; orders < BIT(TEST_SMALL_ORDER + 1); orders += 4) {
			for (p->limits.max_none = 0; p->limits.max_none < slots;
			     p->limits.max_none++)
				EXPECT_SAME(test, p, true, orders, 0,
					    "present %lx", present);
			EXPECT_SAME(test, p, false, orders, 0,
				    "present %lx, no limits", present);
		}
	}
}

/* What a slot can be. */
enum test_slot {
	SLOT_NONE, SLOT_PLAIN, SLOT_OLD, SLOT_READ_ONLY, SLOT_SHARED,
	SLOT_SWAPPED, SLOT_BLOCKED, SLOT_KINDS
};

static void test_bit_put(unsigned int i, unsigned long *bits, bool on)
{
	if (on)
		__set_bit(i, bits);
	else
		__clear_bit(i, bits);
}

static void test_slot_set(struct collapse_map *map, unsigned int i,
			  enum test_slot kind)
{
	bool mapped = kind != SLOT_NONE && kind != SLOT_SWAPPED;

	test_bit_put(i, map->present, mapped);
	test_bit_put(i, map->swapped, kind == SLOT_SWAPPED);
	test_bit_put(i, map->shared, kind == SLOT_SHARED);
	test_bit_put(i, map->writable, mapped && kind != SLOT_READ_ONLY);
	test_bit_put(i, map->young, mapped && kind != SLOT_OLD);
	test_bit_put(i, map->blocked, kind == SLOT_BLOCKED);
}

/* Eight slots, each of every kind. */
static void candidates_every_kind(struct kunit *test)
{
	struct test_pair *p = test_pair(test, 3);
	unsigned int i, left, all = 1;
	unsigned int number, step = TEST_SMALL_ORDER < 4 ? 97 : 1;
	u32 mixed;

	for (i = 0; i < 8; i++)
		all *= SLOT_KINDS;
	for (number = 0; number < all; number += step) {
		for (i = 0, left = number; i < 8; i++, left /= SLOT_KINDS)
			test_slot_set(&p->map, i, left % SLOT_KINDS);
		mixed = number * 2654435761U;
		p->limits.max_none = mixed % 8;
		p->limits.max_swap = mixed / 8 % 8;
		p->limits.max_shared = mixed / 64 % 8;
		EXPECT_SAME(test, p, mixed / 512 % 4, mixed / 2048 % 16,
			    mixed >> 15, "kinds %u", number);
	}
}

/* ---- large windows ---- */

static void test_folio_lay(struct collapse_map *map, unsigned int offset,
			   unsigned int order)
{
	unsigned int i, size = 1U << order;

	offset = round_down(offset, size);
	for (i = offset; i < offset + size; i++) {
		if (model_held(map, i, 0))
			return;
	}
	map->held[offset] = order;
}

static void test_map_random(struct collapse_map *map, struct rnd_state *rnd)
{
	unsigned int slots = 1U << map->order;
	u32 odds = prandom_u32_state(rnd) % 101, dull = prandom_u32_state(rnd) % 4;
	unsigned int i, folios = prandom_u32_state(rnd) % 12;
	enum test_slot kind;

	for (i = 0; i < slots; i++) {
		kind = SLOT_PLAIN;
		if (prandom_u32_state(rnd) % 100 >= odds)
			kind = SLOT_NONE;
		else if (dull && !(prandom_u32_state(rnd) % (64 * dull)))
			kind = prandom_u32_state(rnd) % SLOT_KINDS;
		test_slot_set(map, i, kind);
	}
	memset(map->held, 0, sizeof(map->held));
	for (i = 0; i < folios; i++)
		test_folio_lay(map, prandom_u32_state(rnd) % slots,
			       2 + prandom_u32_state(rnd) % (map->order - 1));
}

static void test_limits_random(struct collapse_limits *limits,
			       struct rnd_state *rnd)
{
	unsigned int *limit[] = {
		&limits->max_none, &limits->max_swap, &limits->max_shared
	};
	unsigned int i, all = (1U << TEST_LARGE_ORDER) - 1;

	for (i = 0; i < ARRAY_SIZE(limit); i++) {
		switch (prandom_u32_state(rnd) % 4) {
		case 0:
			*limit[i] = 0;
			break;
		case 1:
			*limit[i] = all;
			break;
		default:
			*limit[i] = prandom_u32_state(rnd) % (all + 1);
		}
	}
}

static void candidates_random(struct kunit *test)
{
	struct test_pair *p = test_pair(test, TEST_LARGE_ORDER);
	unsigned long n, ops = HUGEPAGE_TEST_OPS / 20 + 1;
	u64 seed = get_random_u64();
	struct rnd_state rnd;
	u32 orders, fates;

	kunit_info(test, "seed %llx\n", (unsigned long long)seed);
	prandom_seed_state(&rnd, seed);
	for (n = 0; n < ops; n++) {
		test_map_random(&p->map, &rnd);
		test_limits_random(&p->limits, &rnd);
		orders = prandom_u32_state(&rnd) % (2U << TEST_LARGE_ORDER);
		fates = prandom_u32_state(&rnd) % 5;
		EXPECT_SAME(test, p, prandom_u32_state(&rnd) % 8, orders & ~3U,
			    fates, "seed %llx, map %lu",
			    (unsigned long long)seed, n);
	}
}

/* ---- no creep ---- */

/* Pages are brought in and are nobody else's any more; rights are the VMA's. */
static void creep_collapse(struct collapse_map *map, unsigned int offset,
			   unsigned int order, bool filled_counts)
{
	unsigned int i;

	memset(&map->held[offset], 0, 1U << order);
	map->held[offset] = order;
	for (i = offset; i < offset + (1U << order); i++) {
		if (test_bit(i, map->swapped))
			test_slot_set(map, i, SLOT_PLAIN);
		if (filled_counts)
			__set_bit(i, map->present);
		if (test_bit(i, map->present))
			__set_bit(i, map->writable);
		__clear_bit(i, map->shared);
	}
}

/* One pass of khugepaged: every range that is worth a try is collapsed. */
static unsigned int creep_pass(struct collapse_map *map,
			       const struct collapse_limits *limits,
			       unsigned long orders, bool filled_counts)
{
	struct collapse_candidates it;
	unsigned int collapsed = 0;

	/* Mapped by a PMD. */
	if (map->held[0] == map->order)
		return 0;
	collapse_candidates_start(&it, map, limits, orders);
	while (collapse_candidates_next(&it)) {
		if (it.verdict == SCAN_SUCCEED) {
			collapsed++;
			creep_collapse(map, it.offset, it.order, filled_counts);
		}
		if (it.verdict == SCAN_SUCCEED || it.verdict == SCAN_HELD)
			collapse_candidates_done(&it);
		else
			collapse_candidates_halve(&it);
	}
	return collapsed;
}

/*
 * Where filled pages do not count, the second pass finds nothing; where they
 * do, it often finds much.
 */
static void candidates_no_creep(struct kunit *test)
{
	struct collapse_limits limits = {};
	struct test_pair *p = test_pair(test, TEST_LARGE_ORDER);
	unsigned long n, ops = HUGEPAGE_TEST_OPS / 20 + 1;
	unsigned int crept = 0;
	u64 seed = get_random_u64();
	struct collapse_map naive;
	struct rnd_state rnd;
	u32 orders;

	kunit_info(test, "seed %llx\n", (unsigned long long)seed);
	prandom_seed_state(&rnd, seed);
	for (n = 0; n < ops; n++) {
		test_map_random(&p->map, &rnd);
		test_limits_random(&limits, &rnd);
		orders = prandom_u32_state(&rnd) % (2U << TEST_LARGE_ORDER) & ~3U;
		naive = p->map;
		creep_pass(&naive, &limits, orders, true);
		crept += creep_pass(&naive, &limits, orders, true);
		creep_pass(&p->map, &limits, orders, false);
		KUNIT_ASSERT_EQ_MSG(test, 0U, creep_pass(&p->map, &limits, orders, false),
				    "seed %llx, map %lu", (unsigned long long)seed, n);
	}
	KUNIT_EXPECT_GT(test, crept, 0U);
}

/* ---- tables ---- */

static void candidates_limits(struct kunit *test)
{
	struct collapse_map map = { .order = 9 };
	struct collapse_limits limits, scaled;
	struct collapse_candidates it;
	static const struct {
		unsigned int limit, order, scaled;
	} rows[] = {
		{ 511, 9, 511 }, { 511, 8, 255 }, { 511, 4, 15 }, { 511, 2, 3 },
		{ 0, 9, 0 }, { 0, 2, 0 },
		{ 256, 9, 256 }, { 256, 4, 8 }, { 256, 2, 2 },
		{ 64, 4, 2 }, { 64, 3, 1 }, { 64, 2, 0 },
		{ 1, 9, 1 }, { 1, 8, 0 },
	};
	unsigned int i, order, expected;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		order = rows[i].order;
		expected = order == map.order ? rows[i].limit : 0;
		limits.max_none = rows[i].limit;
		limits.max_swap = rows[i].limit;
		limits.max_shared = rows[i].limit;
		limits.max_zero = rows[i].limit;
		collapse_candidates_start(&it, &map, &limits, BIT(order));
		scaled = collapse_limits_of_order(&it, order);
		KUNIT_EXPECT_EQ(test, rows[i].scaled, scaled.max_none);
		KUNIT_EXPECT_EQ(test, expected, scaled.max_swap);
		KUNIT_EXPECT_EQ(test, expected, scaled.max_shared);
		KUNIT_EXPECT_EQ(test, expected, scaled.max_zero);
	}
}

/* What the judge says where the order is the only one that is enabled. */
static enum scan_result judge(const struct test_pair *p, bool limited,
			      unsigned int offset, unsigned int order)
{
	struct collapse_candidates it;

	collapse_candidates_start(&it, &p->map, limited ? &p->limits : NULL,
				  BIT(order));
	return collapse_judge(&it, offset, order);
}

/* No limit lets an empty range through; without limits it is the rule of writing. */
static void candidates_empty(struct kunit *test)
{
	struct test_pair *p = test_pair(test, TEST_LARGE_ORDER);
	unsigned int order, all = (1U << TEST_LARGE_ORDER) - 1;

	p->limits = (struct collapse_limits){ all, all, all };
	for (order = 2; order <= TEST_LARGE_ORDER; order++) {
		KUNIT_EXPECT_EQ(test, SCAN_EXCEED_NONE_PTE,
				judge(p, true, 0, order));
		KUNIT_EXPECT_EQ(test, SCAN_PAGE_RO,
				judge(p, false, 0, order));
	}
	test_slot_set(&p->map, 0, SLOT_PLAIN);
	for (order = 2; order <= TEST_LARGE_ORDER; order++)
		KUNIT_EXPECT_EQ(test, SCAN_SUCCEED,
				judge(p, true, 0, order));
}

/* What a split of an underused huge page leaves is not made huge again. */
static void candidates_zero(struct kunit *test)
{
	struct test_pair *p = test_pair(test, TEST_LARGE_ORDER);
	unsigned int order, all = (1U << TEST_LARGE_ORDER) - 1;

	p->limits = (struct collapse_limits){ all, all, all, all / 2 };
	test_slot_set(&p->map, 0, SLOT_PLAIN);
	p->map.nr_zero = all / 2;
	KUNIT_EXPECT_EQ(test, SCAN_SUCCEED,
			judge(p, true, 0, TEST_LARGE_ORDER));
	p->map.nr_zero++;
	KUNIT_EXPECT_EQ(test, SCAN_EXCEED_NONE_PTE,
			judge(p, true, 0, TEST_LARGE_ORDER));
	KUNIT_EXPECT_EQ(test, SCAN_SUCCEED,
			judge(p, false, 0, TEST_LARGE_ORDER));
	for (order = 2; order < TEST_LARGE_ORDER; order++)
		KUNIT_EXPECT_EQ(test, SCAN_SUCCEED, judge(p, true, 0, order));
}

/* One page, and one in swap; every range there is. */
static void candidates_in_use(struct kunit *test)
{
	struct test_pair *p = test_pair(test, TEST_LARGE_ORDER);
	unsigned int offset, order, size;

	test_slot_set(&p->map, 5, SLOT_OLD);
	test_slot_set(&p->map, 127, SLOT_SWAPPED);
	for (order = 0; order <= TEST_LARGE_ORDER; order++) {
		size = 1U << order;
		for (offset = 0; offset >> TEST_LARGE_ORDER == 0; offset += size)
			KUNIT_EXPECT_EQ_MSG(test, 5 / size * size == offset ||
					    127 / size * size == offset,
					    collapse_range_in_use(&p->map, offset, order),
					    "offset %u, order %u", offset, order);
	}
}

/* A folio keeps ranges of its size and of smaller sizes, not larger ones. */
static void candidates_held(struct kunit *test)
{
	struct test_pair *p = test_pair(test, TEST_LARGE_ORDER);
	unsigned int i, order;

	for (i = 0; i < 1U << TEST_LARGE_ORDER; i++)
		test_slot_set(&p->map, i, SLOT_PLAIN);
	test_folio_lay(&p->map, 32, 4);
	for (order = 2; order <= 4; order++) {
		KUNIT_EXPECT_EQ(test, SCAN_HELD,
				judge(p, false, 32, order));
		KUNIT_EXPECT_EQ(test, SCAN_HELD,
				judge(p, false, 48 - (1U << order), order));
		KUNIT_EXPECT_EQ(test, SCAN_SUCCEED,
				judge(p, false, 48, order));
	}
	KUNIT_EXPECT_EQ(test, SCAN_SUCCEED, judge(p, false, 32, 5));
	KUNIT_EXPECT_EQ(test, SCAN_SUCCEED,
			judge(p, false, 0, TEST_LARGE_ORDER));
	/* Mapped by a page table, where a PMD could be. */
	memset(p->map.held, 0, sizeof(p->map.held));
	test_folio_lay(&p->map, 0, TEST_LARGE_ORDER);
	KUNIT_EXPECT_EQ(test, SCAN_SUCCEED,
			judge(p, false, 0, TEST_LARGE_ORDER));
	KUNIT_EXPECT_EQ(test, SCAN_HELD, judge(p, false, 64, 6));
}

static struct kunit_case candidates_cases[] = {
	KUNIT_CASE(candidates_limits),
	KUNIT_CASE(candidates_empty),
	KUNIT_CASE(candidates_zero),
	KUNIT_CASE(candidates_in_use),
	KUNIT_CASE(candidates_held),
	KUNIT_CASE_SLOW(candidates_every_map),
	KUNIT_CASE_SLOW(candidates_every_kind),
	KUNIT_CASE_SLOW(candidates_random),
	KUNIT_CASE_SLOW(candidates_no_creep),
	{}
};

static struct kunit_suite candidates_suite = {
	.name		= "khugepaged_candidates",
	.test_cases	= candidates_cases,
};

kunit_test_suite(candidates_suite);
