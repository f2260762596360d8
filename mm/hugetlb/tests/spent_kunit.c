// SPDX-License-Identifier: GPL-2.0
/*
 * Maps of private mappings, and the promise table, which is about both kinds.
 */
#include "region_kunit.h"

/* ---- the promise table ---- */

enum spent_map_kind { NONE, SHARED, PRIVATE };
enum spent_in_map { NO, YES };

static const struct spent_promise_row {
	enum spent_map_kind	map;
	enum spent_in_map	slot;
	enum promise		promise;
} spent_promise_rows[] = {
	{ NONE,		NO,	NO_PROMISE },
	{ SHARED,	NO,	NO_PROMISE },
	{ SHARED,	YES,	PROMISED },
	{ PRIVATE,	NO,	PROMISED },
	{ PRIVATE,	YES,	SPENT },
};

static void spent_test_promises(struct kunit *test)
{
	const struct spent_promise_row *row;
	struct resv_key key = { .hindex = 7 };
	struct region_spares spares;
	size_t i;

	region_spares_init(&spares);
	for (i = 0; i < ARRAY_SIZE(spent_promise_rows); i++) {
		row = &spent_promise_rows[i];
		key.map = NULL;
		if (row->map == SHARED)
			key.map = resv_map_alloc(NULL);
		else if (row->map == PRIVATE)
			key.map = resv_map_alloc_private(NULL, 5, 8);
		if (row->map != NONE)
			KUNIT_ASSERT_NOT_NULL(test, key.map);
		KUNIT_ASSERT_EQ(test, region_spares_fill(&spares, 1), 0);
		if (row->slot == YES && row->map == SHARED)
			KUNIT_EXPECT_EQ(test, region_add(key.map, 7, 8, NULL,
							 &spares), 1);
		if (row->slot == YES && row->map == PRIVATE)
			KUNIT_EXPECT_TRUE(test, resv_spend(key.map, 7));
		KUNIT_EXPECT_EQ_MSG(test, resv_slot(&key), row->promise,
				    "row %zu", i);
		if (key.map)
			resv_map_put(key.map);
	}
	region_spares_drop(&spares);
}

/* ---- random operations, each compared with one byte per slot ---- */

#define SPENT_SLOTS	150		/* more than two words */

struct spent_test {
	struct resv_map	*map;
	struct rnd_state rnd;
	long		base;		/* index of slot 0 */
	bool		spent[SPENT_SLOTS];
};

static unsigned int spent_random(struct spent_test *t, unsigned int below)
{
	return prandom_u32_state(&t->rnd) % below;
}

static long spent_model_count(const struct spent_test *t, long from, long to)
{
	long n = 0;

	for (; from < to; from++)
		n += t->spent[from];
	return n;
}

/* Slots are spent in runs, or long ranges would never be. */
static void spent_step_spend(struct kunit *test, struct spent_test *t,
			     long from, long to)
{
	for (; from < to; from++) {
		KUNIT_EXPECT_EQ(test, resv_spend(t->map, t->base + from),
				!t->spent[from]);
		t->spent[from] = true;
	}
}

static void spent_step_unspend(struct kunit *test, struct spent_test *t,
			       long from, long to)
{
	bool all = spent_model_count(t, from, to) == to - from;

	KUNIT_EXPECT_EQ(test, resv_unspend(t->map, t->base + from,
					   t->base + to), all);
	if (all)
		memset(t->spent + from, 0, to - from);
}

static void spent_check(struct kunit *test, struct spent_test *t)
{
	struct resv_key key = { .map = t->map };
	long i;

	for (i = 0; i < SPENT_SLOTS; i++) {
		key.hindex = t->base + i;
		KUNIT_EXPECT_EQ(test, resv_slot(&key),
				t->spent[i] ? SPENT : PROMISED);
	}
}

static void spent_step(struct kunit *test, struct spent_test *t)
{
	long from = spent_random(t, SPENT_SLOTS);
	long to = from + spent_random(t, 1 + spent_random(t, SPENT_SLOTS -
							  from + 1));

	switch (spent_random(t, 4)) {
	case 0:
		spent_step_spend(test, t, from, to);
		break;
	case 1:
		spent_step_unspend(test, t, from, to);
		break;
	case 2:
		spent_step_unspend(test, t, from, min(from + 2, to));
		break;
	default:
		KUNIT_EXPECT_EQ(test, resv_spent(t->map, t->base + from,
						 t->base + to),
				spent_model_count(t, from, to));
	}
}

static void spent_test_random(struct kunit *test)
{
	static const long base[] = { 0, 1, 4711, LONG_MAX - SPENT_SLOTS };
	struct spent_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	u64 seed = get_random_u64();
	unsigned long n;

	KUNIT_ASSERT_NOT_NULL(test, t);
	kunit_info(test, "random seed %llu\n", (unsigned long long)seed);
	prandom_seed_state(&t->rnd, seed);
	t->base = base[spent_random(t, ARRAY_SIZE(base))];
	t->map = resv_map_alloc_private(NULL, t->base, t->base + SPENT_SLOTS);
	KUNIT_ASSERT_NOT_NULL(test, t->map);
	for (n = 0; n < HUGEPAGE_TEST_OPS; n++) {
		spent_step(test, t);
		if (n % 64 == 0)
			spent_check(test, t);
	}
	spent_check(test, t);
	resv_map_put(t->map);
}

/* ---- the end of a map ---- */

static void spent_test_charge(struct kunit *test)
{
	struct resv_map *map = resv_map_alloc_private(NULL, 0, 1);

	KUNIT_ASSERT_NOT_NULL(test, map);
	if (region_letters_known("a"))
		map->charged = region_tag('a');
	hugetlb_cgroup_tag_get(map->charged);
	resv_map_put(map);
	if (region_letters_known("a"))
		region_expect_tag(test, 'a', 0, 0);
}

/* ---- no memory ---- */

/* The map is all that is ever allocated. */
static int spent_unlucky(struct kunit *test)
{
	struct resv_map *map = resv_map_alloc_private(NULL, 0, 8);
	long i;

	if (!map)
		return -ENOMEM;
	KUNIT_EXPECT_TRUE(test, HUGEPAGE_FAIL_ALLOC(1));
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_TRUE(test, resv_spend(map, i));
	for (i = 1; i < 8; i += 2)
		KUNIT_EXPECT_TRUE(test, resv_unspend(map, i, i + 1));
	for (i = 0; i < 8; i += 2)
		KUNIT_EXPECT_TRUE(test, resv_unspend(map, i, i + 1));
	KUNIT_EXPECT_EQ(test, resv_spent(map, 0, 8), 0);
	HUGEPAGE_FAIL_ALLOC(0);
	resv_map_put(map);
	return 0;
}

static void spent_test_no_memory(struct kunit *test)
{
	if (!HUGEPAGE_FAIL_ALLOC(1))
		kunit_skip(test, "memory does not run out on demand");
	KUNIT_EXPECT_EQ(test, spent_unlucky(test), -ENOMEM);
	KUNIT_EXPECT_EQ(test, spent_unlucky(test), 0);
}

static struct kunit_case spent_test_cases[] = {
	KUNIT_CASE(spent_test_promises),
	KUNIT_CASE(spent_test_charge),
	KUNIT_CASE(spent_test_no_memory),
	KUNIT_CASE_SLOW(spent_test_random),
	{}
};

static struct kunit_suite spent_test_suite = {
	.name = "hugetlb_spent",
	.test_cases = spent_test_cases,
};

kunit_test_suite(spent_test_suite);
