// SPDX-License-Identifier: GPL-2.0
/*
 * Orders and rules: every small range and random large ones, against a model
 * that tries one order after the other; words of a knob and their sets.
 *
 * Built into the kernel and into tools/testing/hugepage.
 */
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/string.h>
#include "../policy/policy.h"

#ifndef HUGEPAGE_TEST_OPS
#define HUGEPAGE_TEST_OPS	2000UL
#endif

#define TEST_ORDERS	20	/* of the model */
#define TEST_PAGES	40	/* in which all ranges are tried */

static bool model_around(unsigned long at, unsigned long start,
			 unsigned long end, int order)
{
	unsigned long block = at / BIT(order) * BIT(order);

	return block >= start && block + BIT(order) <= end;
}

static bool model_within(unsigned long start, unsigned long end, int order)
{
	unsigned long block = DIV_ROUND_UP(start, BIT(order)) * BIT(order);

	return block + BIT(order) <= end;
}

static void order_check_around(struct kunit *test, unsigned long at,
			       unsigned long start, unsigned long end)
{
	unsigned long orders = thp_orders_around(at, start, end);
	int order;

	for (order = 0; order < TEST_ORDERS; order++)
		KUNIT_EXPECT_EQ_MSG(test, !!(orders & BIT(order)),
				    model_around(at, start, end, order),
				    "order %d around %lu in %lu to %lu", order,
				    at, start, end);
}

static void order_check_within(struct kunit *test, unsigned long start,
			       unsigned long end)
{
	unsigned long orders = thp_orders_within(start, end);
	int order;

	for (order = 0; order < TEST_ORDERS; order++)
		KUNIT_EXPECT_EQ_MSG(test, !!(orders & BIT(order)),
				    model_within(start, end, order),
				    "order %d in %lu to %lu", order, start,
				    end);
}

static void order_small_ranges(struct kunit *test)
{
	unsigned long start, end, at;

	for (start = 0; start < TEST_PAGES; start++) {
		for (end = start; end <= TEST_PAGES; end++) {
			order_check_within(test, start, end);
			for (at = start; at < end; at++)
				order_check_around(test, at, start, end);
		}
	}
}

/* Near a round number, where digits change. */
static unsigned long order_random_page(struct rnd_state *rnd)
{
	unsigned long round = BIT(prandom_u32_state(rnd) % TEST_ORDERS);

	round *= 1 + prandom_u32_state(rnd) % 8;
	return round + prandom_u32_state(rnd) % 8 - min(round, 4UL);
}

static void order_large_ranges(struct kunit *test)
{
	struct rnd_state rnd;
	unsigned long i;

	prandom_seed_state(&rnd, get_random_u64());
	for (i = 0; i < HUGEPAGE_TEST_OPS; i++) {
		unsigned long one = order_random_page(&rnd);
		unsigned long other = order_random_page(&rnd);
		unsigned long start = min(one, other);
		unsigned long end = max(one, other);

		order_check_within(test, start, end);
		if (start == end)
			continue;
		order_check_around(test, start, start, end);
		order_check_around(test, end - 1, start, end);
		order_check_around(test, start + prandom_u32_state(&rnd) %
				   (end - start), start, end);
	}
}

/* Beside a range there is no order: what thp_orders_within() relies on. */
static void order_beside_ranges(struct kunit *test)
{
	unsigned long start, end;

	for (start = 0; start < TEST_PAGES; start++) {
		for (end = start; end <= TEST_PAGES; end++) {
			KUNIT_EXPECT_EQ(test, 0UL,
					thp_orders_around(start - 1, start, end));
			KUNIT_EXPECT_EQ(test, 0UL,
					thp_orders_around(end, start, end));
		}
	}
}

static void order_alignment(struct kunit *test)
{
	unsigned long distance;
	int order;

	for (distance = 0; distance < 5000; distance++) {
		unsigned long up = thp_orders_aligned(distance);
		unsigned long down = thp_orders_aligned(-distance);

		for (order = 0; order < TEST_ORDERS; order++) {
			bool aligned = distance % BIT(order) == 0;

			KUNIT_EXPECT_EQ(test, !!(up & BIT(order)), aligned);
			KUNIT_EXPECT_EQ(test, !!(down & BIT(order)), aligned);
		}
	}
}

/* ---- words ---- */

static void rule_words(struct kunit *test)
{
	unsigned long one = 0, two = 0;
	const struct thp_order_rule rules[] = {
		{ "one", &one }, { "oneness", &two }, { "none", NULL },
	};

	KUNIT_EXPECT_EQ(test, 0, thp_rule_find(rules, 3, "one", 3));
	KUNIT_EXPECT_EQ(test, 0, thp_rule_find(rules, 3, "oneness", 3));
	KUNIT_EXPECT_EQ(test, 1, thp_rule_find(rules, 3, "oneness", 7));
	KUNIT_EXPECT_EQ(test, 2, thp_rule_find(rules, 3, "none", 4));
	KUNIT_EXPECT_EQ(test, -EINVAL, thp_rule_find(rules, 2, "none", 4));
	KUNIT_EXPECT_EQ(test, -EINVAL, thp_rule_find(rules, 3, "one\n", 4));
	KUNIT_EXPECT_EQ(test, -EINVAL, thp_rule_find(rules, 3, "oneness", 4));
	KUNIT_EXPECT_EQ(test, -EINVAL, thp_rule_find(rules, 3, "One", 3));
	KUNIT_EXPECT_EQ(test, -EINVAL, thp_rule_find(rules, 3, "", 0));
}

/* An order is in one set at most, whatever it was in before. */
static void rule_moves(struct kunit *test)
{
	unsigned long set[2];
	const struct thp_order_rule rules[] = {
		{ "a", &set[0] }, { "none", NULL }, { "b", &set[1] },
	};
	unsigned int from, to, order;

	for (from = 0; from < 3; from++) {
		for (to = 0; to < 3; to++) {
			set[0] = BIT(2);
			set[1] = BIT(3);
			thp_rule_move(rules, 3, BIT(5) | BIT(7), from);
			thp_rule_move(rules, 3, BIT(5), to);

			KUNIT_EXPECT_EQ(test, 0UL, set[0] & set[1]);
			KUNIT_EXPECT_EQ(test, to, thp_rule_of(rules, 3, 5));
			KUNIT_EXPECT_EQ(test, from, thp_rule_of(rules, 3, 7));
			KUNIT_EXPECT_EQ(test, 0U, thp_rule_of(rules, 3, 2));
			KUNIT_EXPECT_EQ(test, 2U, thp_rule_of(rules, 3, 3));
			for (order = 8; order < 12; order++)
				KUNIT_EXPECT_EQ(test, 1U,
						thp_rule_of(rules, 3, order));
		}
	}
}

static struct kunit_case order_cases[] = {
	KUNIT_CASE(order_small_ranges),
	KUNIT_CASE(order_large_ranges),
	KUNIT_CASE(order_beside_ranges),
	KUNIT_CASE(order_alignment),
	KUNIT_CASE(rule_words),
	KUNIT_CASE(rule_moves),
	{}
};

static struct kunit_suite order_suite = {
	.name		= "thp_order",
	.test_cases	= order_cases,
};

kunit_test_suite(order_suite);
