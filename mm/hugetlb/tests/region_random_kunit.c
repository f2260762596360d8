// SPDX-License-Identifier: GPL-2.0
/*
 * Range maps: random operations, each compared with one byte per slot.
 */
#include "region_kunit.h"

static unsigned int region_random(struct region_test *t, unsigned int below)
{
	return prandom_u32_state(&t->rnd) % below;
}

static char region_random_letter(struct region_test *t)
{
	return region_letters_known("ab") ? "#ab"[region_random(t, 3)] : '#';
}

/* Nodes that region_add() needs at least, and at most whatever the tag. */
static long region_model_nodes(const char *slot, long from, long to,
			       char letter)
{
	long n = 0, start;

	while (from < to) {
		start = from;
		while (from < to && slot[from] == TEST_ABSENT)
			from++;
		if (from > start && !(start && slot[start - 1] == letter) &&
		    !(from < TEST_SLOTS && slot[from] == letter))
			n++;
		while (from < to && slot[from] != TEST_ABSENT)
			from++;
	}
	return n;
}

static void region_step_add(struct kunit *test, struct region_test *t,
			    long from, long to)
{
	char letter = region_random_letter(t);
	struct hugetlb_cgroup *tag = region_tag(letter);
	long missing, need;
	unsigned int most;

	missing = region_model_count(t->slot, from, to, TEST_ABSENT);
	need = region_model_nodes(t->slot, from, to, letter);
	KUNIT_EXPECT_EQ(test, region_missing(t->map, t->base + from,
					     t->base + to, &most), missing);
	KUNIT_EXPECT_EQ(test, most, region_model_nodes(t->slot, from, to, '?'));

	if (need && region_random(t, 2)) {
		region_spares_set(test, t, need - 1);
		KUNIT_EXPECT_EQ(test, region_add(t->map, t->base + from,
						 t->base + to, tag, &t->spares),
				-ENOSPC);
		return;
	}
	region_spares_set(test, t, need);
	KUNIT_EXPECT_EQ(test, region_add(t->map, t->base + from, t->base + to,
					 tag, &t->spares), missing);
	region_charge(letter, missing);
	for (; from < to; from++)
		if (t->slot[from] == TEST_ABSENT)
			t->slot[from] = letter;
}

/* Does a removal leave two parts of one region behind? */
static bool region_model_splits(const char *slot, long from, long to)
{
	long i;

	if (!from || from == to || to >= TEST_SLOTS ||
	    slot[from] == TEST_ABSENT)
		return false;
	for (i = from - 1; i <= to; i++)
		if (slot[i] != slot[from])
			return false;
	return true;
}

static void region_step_remove(struct kunit *test, struct region_test *t,
			       long from, long to)
{
	long end = to == TEST_SLOTS ? LONG_MAX : t->base + to;
	bool splits = region_model_splits(t->slot, from, to);
	long n = to - from - region_model_count(t->slot, from, to, TEST_ABSENT);

	if (splits && region_random(t, 2)) {
		region_spares_set(test, t, 0);
		KUNIT_EXPECT_EQ(test, region_remove(t->map, t->base + from, end,
						    &t->spares), -ENOSPC);
		return;
	}
	region_spares_set(test, t, splits);
	KUNIT_EXPECT_EQ(test, region_remove(t->map, t->base + from, end,
					    &t->spares), n);
	memset(t->slot + from, TEST_ABSENT, to - from);
}

/* A slot gets a page that nobody was promised, unless it has one. */
static void region_step_give(struct kunit *test, struct region_test *t,
			     long slot)
{
	bool present = t->slot[slot] != TEST_ABSENT;
	char letter = region_random_letter(t);
	struct hugetlb_cgroup *tag = region_tag(letter);

	region_spares_set(test, t, region_model_nodes(t->slot, slot, slot + 1,
						      letter));
	region_charge(letter, 1);
	hugetlb_cgroup_tag_get(tag);
	KUNIT_EXPECT_EQ(test, region_give(t->map, t->base + slot, tag,
					  &t->spares), !present);
	if (present) {
		hugetlb_cgroup_tag_uncharge(NULL, tag, 1);
		hugetlb_cgroup_tag_put(tag);
	} else {
		t->slot[slot] = letter;
	}
}

static void region_step_ask(struct kunit *test, struct region_test *t,
			    long from, long to)
{
	struct resv_key key = { .map = t->map, .hindex = t->base + from };
	bool present = t->slot[from] != TEST_ABSENT;

	KUNIT_EXPECT_EQ(test, region_count(t->map, t->base + from,
					   t->base + to),
			to - from - region_model_count(t->slot, from, to,
						       TEST_ABSENT));
	KUNIT_EXPECT_EQ(test, region_present(t->map, t->base + from), present);
	KUNIT_EXPECT_EQ(test, resv_slot(&key), present ? PROMISED : NO_PROMISE);
}

static void region_step(struct kunit *test, struct region_test *t)
{
	long from = region_random(t, TEST_SLOTS);
	long to = from + region_random(t, 2 + region_random(t, TEST_SLOTS));

	to = min_t(long, to, TEST_SLOTS);
	switch (region_random(t, 8)) {
	case 0:
	case 1:
		region_step_add(test, t, from, to);
		break;
	case 2:
	case 3:
		region_step_remove(test, t, from, to);
		break;
	case 4:
	case 5:
	case 6:
		region_step_give(test, t, from);
		break;
	default:
		region_step_ask(test, t, from, to);
	}
}

static void region_test_random(struct kunit *test)
{
	static const long base[] = { 0, 1, 4711, LONG_MAX - TEST_SLOTS };
	struct region_test *t = region_map_create(test);
	unsigned long n;

	t->base = base[region_random(t, ARRAY_SIZE(base))];
	for (n = 0; n < HUGEPAGE_TEST_OPS; n++) {
		region_step(test, t);
		region_map_check(test, t);
	}
	region_map_destroy(test, t);
}

static struct kunit_case region_random_cases[] = {
	KUNIT_CASE_SLOW(region_test_random),
	{}
};

static struct kunit_suite region_random_suite = {
	.name = "hugetlb_region_random",
	.test_cases = region_random_cases,
};

kunit_test_suite(region_random_suite);
