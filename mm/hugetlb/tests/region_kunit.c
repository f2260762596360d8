// SPDX-License-Identifier: GPL-2.0
/*
 * Range maps: tables and corners that have a story; the random operations are in
 * region_random_kunit.c.
 */
#include "region_kunit.h"

/* ---- ranges ---- */

enum region_verb { ADD, REMOVE, GIVE };

/*
 * One operation on a map.  Nodes are what it must bring; what it gives back
 * shows in the number of regions.
 */
static const struct region_row {
	enum region_verb	verb;
	char		letter;
	long		from, to;
	unsigned int	nodes;
	long		answer;
	const char	*before, *after;
} region_rows[] = {
	{ ADD, '#', 2, 5, 1, 3,	"........", "..###..." },
	{ ADD, '#', 0, 8, 1, 8,	"........", "########" },
	{ ADD, '#', 3, 3, 0, 0,	"........", "........" },
	{ ADD, '#', 0, 8, 0, 0,	"########", "########" },
	{ ADD, '#', 0, 2, 0, 2,	"..###...", "#####..." },
	{ ADD, '#', 5, 8, 0, 3,	"..###...", "..######" },
	{ ADD, '#', 6, 8, 1, 2,	"..###...", "..###.##" },
	{ ADD, '#', 0, 8, 0, 5,	"..###...", "########" },
	{ ADD, '#', 3, 4, 0, 0,	"..###...", "..###..." },
	{ ADD, '#', 2, 6, 0, 4,	"##....##", "########" },
	{ ADD, '#', 3, 5, 1, 2,	"##....##", "##.##.##" },
	{ ADD, '#', 0, 8, 0, 4,	"#.#.#.#.", "########" },
	{ ADD, 'a', 2, 5, 1, 3,	"........", "..aaa..." },
	{ ADD, 'a', 2, 5, 1, 3,	"##......", "##aaa..." },
	{ ADD, 'a', 5, 7, 0, 0,	"..aaa###", "..aaa###" },
	{ ADD, 'a', 0, 8, 2, 5,	"..bbb...", "aabbbaaa" },
	{ ADD, 'a', 0, 8, 1, 5,	"..bba...", "aabbaaaa" },
	{ ADD, 'b', 2, 4, 0, 2,	"bb..aaaa", "bbbbaaaa" },
	{ ADD, 'b', 2, 4, 0, 2,	"aa..bbbb", "aabbbbbb" },
	{ ADD, 'b', 2, 4, 0, 2,	"bb..bbbb", "bbbbbbbb" },
	{ ADD, 'b', 2, 4, 1, 2,	"aa..aaaa", "aabbaaaa" },
	{ REMOVE, 0, 0, 8, 0, 0,	"........", "........" },
	{ REMOVE, 0, 0, 8, 0, 8,	"########", "........" },
	{ REMOVE, 0, 3, 3, 0, 0,	"########", "########" },
	{ REMOVE, 0, 0, 3, 0, 3,	"########", "...#####" },
	{ REMOVE, 0, 5, 8, 0, 3,	"########", "#####..." },
	{ REMOVE, 0, 3, 5, 1, 2,	"########", "###..###" },
	{ REMOVE, 0, 1, 7, 0, 4,	"##.##.##", "#......#" },
	{ REMOVE, 0, 2, 6, 0, 2,	"##.##.##", "##....##" },
	{ REMOVE, 0, 3, 5, 0, 2,	"###aa###", "###..###" },
	{ REMOVE, 0, 3, 5, 1, 2,	"aaaaaaaa", "aaa..aaa" },
	{ REMOVE, 0, 2, 6, 0, 4,	"aaaabbbb", "aa....bb" },
	{ REMOVE, 0, 2, LONG_MAX, 0, 5, "##.##.###", "##......." },
	{ REMOVE, 0, 1, LONG_MAX, 0, 7, "########", "#......." },
	{ REMOVE, 0, 0, 1, 0, 1,	"aaaaaaaa", ".aaaaaaa" },
	{ REMOVE, 0, 7, 8, 0, 1,	"aaaaaaaa", "aaaaaaa." },
	{ REMOVE, 0, 3, 4, 0, 1,	"bbba####", "bbb.####" },
	{ REMOVE, 0, 3, 4, 1, 1,	"#aaaaaa#", "#aa.aaa#" },
	{ REMOVE, 0, 3, 4, 0, 0,	"###.####", "###.####" },
	{ GIVE, 'a', 3, 4, 0, 1,	"aaa.aaaa", "aaaaaaaa" },
	{ GIVE, 'a', 3, 4, 0, 1,	"aaa.bbbb", "aaaabbbb" },
	{ GIVE, 'b', 3, 4, 0, 1,	"aaa.bbbb", "aaabbbbb" },
	{ GIVE, '#', 3, 4, 1, 1,	"aaa.bbbb", "aaa#bbbb" },
	{ GIVE, 'a', 3, 4, 1, 1,	"........", "...a...." },
	{ GIVE, 'a', 3, 4, 0, 0,	"..bbbb..", "..bbbb.." },
	{ GIVE, 'a', 3, 4, 0, 0,	"..aaaa..", "..aaaa.." },
};

/* Put a picture into the empty map. */
static void region_map_draw(struct kunit *test, struct region_test *t,
			    const char *slots)
{
	long i;

	for (i = 0; slots[i]; i++) {
		t->slot[i] = slots[i];
		if (slots[i] == TEST_ABSENT)
			continue;
		region_spares_set(test, t, 1);
		region_charge(slots[i], 1);
		KUNIT_EXPECT_EQ(test, region_add(t->map, t->base + i,
						 t->base + i + 1,
						 region_tag(slots[i]),
						 &t->spares), 1);
	}
	region_map_check(test, t);
}

static long region_try_give(struct region_test *t, long slot, char letter)
{
	struct hugetlb_cgroup *tag = region_tag(letter);

	region_charge(letter, 1);
	hugetlb_cgroup_tag_get(tag);
	if (region_give(t->map, t->base + slot, tag, &t->spares))
		return 1;
	hugetlb_cgroup_tag_uncharge(NULL, tag, 1);
	hugetlb_cgroup_tag_put(tag);
	return 0;
}

static long region_row_run(struct region_test *t, const struct region_row *row)
{
	long to = row->to == LONG_MAX ? LONG_MAX : t->base + row->to;
	long n;

	switch (row->verb) {
	case ADD:
		n = region_add(t->map, t->base + row->from, to,
			       region_tag(row->letter), &t->spares);
		if (n > 0)
			region_charge(row->letter, n);
		return n;
	case REMOVE:
		return region_remove(t->map, t->base + row->from, to,
				     &t->spares);
	case GIVE:
		return region_try_give(t, row->from, row->letter);
	}
	return -EINVAL;
}

static void region_test_ranges(struct kunit *test)
{
	struct region_test *t = region_map_create(test);
	const struct region_row *row;
	char letter[2] = "";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(region_rows); i++) {
		row = &region_rows[i];
		letter[0] = row->letter;
		if (!region_letters_known(row->before) ||
		    !region_letters_known(letter))
			continue;
		t->base = i % 2 ? 0 : LONG_MAX - TEST_SLOTS;
		region_map_draw(test, t, row->before);
		if (row->nodes && (row->verb == ADD || row->verb == REMOVE)) {
			region_spares_set(test, t, row->nodes - 1);
			KUNIT_EXPECT_EQ_MSG(test, region_row_run(t, row),
					    -ENOSPC,
					    "row %zu, without a node", i);
			region_map_check(test, t);
		}
		region_spares_set(test, t, row->nodes);
		KUNIT_EXPECT_EQ_MSG(test, region_row_run(t, row),
				    row->answer, "row %zu", i);
		memcpy(t->slot, row->after, strlen(row->after));
		region_map_check(test, t);
		region_spares_set(test, t, 0);
		resv_map_put(t->map);
		region_map_reset(test, t);
	}
	region_map_destroy(test, t);
}

/* ---- the end of a map ---- */

static void region_test_references(struct kunit *test)
{
	struct region_test *t = region_map_create(test);
	const char *slots = region_letters_known("ab") ? "#aa.ab.bbb" :
						       "###.##.###";

	region_map_draw(test, t, slots);
	resv_map_get(t->map);
	resv_map_put(t->map);
	region_map_check(test, t);
	/* Uncharges what is left; region_map_destroy() looks. */
	region_map_destroy(test, t);
}

/* ---- as many regions as a file can have ---- */

static void region_test_many(struct kunit *test)
{
	long n = HUGEPAGE_TEST_OPS / 8 | 1, i, slot = 0;
	struct resv_map *map = resv_map_alloc(NULL);
	struct region_spares spares;
	unsigned int nodes;

	KUNIT_ASSERT_NOT_NULL(test, map);
	region_spares_init(&spares);
	KUNIT_ASSERT_EQ(test, region_spares_fill(&spares, n), 0);
	/* Scattered first, then what that did not meet. */
	for (i = 0; i < n; i++) {
		slot = (slot * 5 + 3) % n;
		region_add(map, 2 * slot, 2 * slot + 1, NULL, &spares);
	}
	for (i = 0; i < n; i++)
		region_add(map, 2 * i, 2 * i + 1, NULL, &spares);

	KUNIT_EXPECT_EQ(test, spares.n, 0);
	KUNIT_EXPECT_EQ(test, region_count(map, 0, LONG_MAX), n);
	KUNIT_EXPECT_EQ(test, region_missing(map, 0, 2 * n, &nodes), n);
	KUNIT_EXPECT_EQ(test, nodes, n);
	KUNIT_EXPECT_EQ(test, region_add(map, 0, 2 * n, NULL, &spares), n);
	KUNIT_EXPECT_EQ(test, spares.n, n - 1);
	KUNIT_EXPECT_EQ(test, region_count(map, 1, 2 * n), 2 * n - 1);
	KUNIT_EXPECT_EQ(test, region_remove(map, 0, LONG_MAX, &spares), 2 * n);
	KUNIT_EXPECT_EQ(test, spares.n, n);
	region_spares_drop(&spares);
	resv_map_put(map);
}

/* ---- no memory ---- */

static int region_unlucky(struct kunit *test)
{
	struct resv_map *map = resv_map_alloc(NULL);
	struct region_spares spares;
	int err;

	if (!map)
		return -ENOMEM;
	region_spares_init(&spares);
	err = region_spares_fill(&spares, 3);
	if (!err) {
		KUNIT_EXPECT_EQ(test, region_add(map, 0, 9, NULL, &spares), 9);
		KUNIT_EXPECT_EQ(test, region_remove(map, 4, 5, &spares), 1);
		KUNIT_EXPECT_EQ(test, spares.n, 1);
		err = region_spares_fill(&spares, 4);
	}
	if (!err) {
		KUNIT_EXPECT_EQ(test, region_remove(map, 2, 3, &spares), 1);
		KUNIT_EXPECT_TRUE(test, region_give(map, 2, NULL, &spares));
		KUNIT_EXPECT_EQ(test, region_count(map, 0, LONG_MAX), 8);
	}
	region_spares_drop(&spares);
	resv_map_put(map);
	return err;
}

static void region_test_no_memory(struct kunit *test)
{
	unsigned long k, allocations = 1 + 3 + 3;
	int err;

	for (k = 1; k <= allocations + 1; k++) {
		if (!HUGEPAGE_FAIL_ALLOC(k))
			kunit_skip(test, "memory does not run out on demand");
		err = region_unlucky(test);
		KUNIT_EXPECT_EQ(test, err, k <= allocations ? -ENOMEM : 0);
	}
}

static struct kunit_case region_test_cases[] = {
	KUNIT_CASE(region_test_ranges),
	KUNIT_CASE(region_test_references),
	KUNIT_CASE(region_test_no_memory),
	KUNIT_CASE_SLOW(region_test_many),
	{}
};

static struct kunit_suite region_test_suite = {
	.name = "hugetlb_region",
	.test_cases = region_test_cases,
};

kunit_test_suite(region_test_suite);
