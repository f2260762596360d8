/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A range map and one byte per slot that says what should be in it, for
 * region_kunit.c and region_random_kunit.c; spent_kunit.c needs only the rest.
 *
 * Only tools/testing/hugepage has cgroups that count, and memory that runs out
 * when told to; in the kernel no region has a tag.
 */
#ifndef MM_HUGETLB_REGION_KUNIT_H
#define MM_HUGETLB_REGION_KUNIT_H

#include <kunit/test.h>
#include <linux/limits.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/slab.h>
#include "../reserve/reserve.h"

#ifndef HUGEPAGE_TEST_OPS
#define HUGEPAGE_TEST_OPS	20000UL
#endif

#ifndef HUGEPAGE_FAIL_ALLOC
static inline bool region_fail_alloc(unsigned long k)
{
	return false;
}

#define HUGEPAGE_FAIL_ALLOC(k)	region_fail_alloc(k)
#endif

#define TEST_SLOTS	48

/* A slot of the model: '.' is not in the map, a letter is and says its tag. */
#define TEST_ABSENT	'.'
#define TEST_UNTAGGED	'#'

#ifdef HUGEPAGE_HARNESS

static struct hugetlb_cgroup region_cgroups[2];

static inline struct hugetlb_cgroup *region_tag(char letter)
{
	return letter == TEST_UNTAGGED ? NULL : &region_cgroups[letter - 'a'];
}

static inline char region_letter(const struct hugetlb_cgroup *tag)
{
	return tag ? 'a' + (tag - region_cgroups) : TEST_UNTAGGED;
}

static inline bool region_letters_known(const char *slots)
{
	return true;
}

static inline void region_charge(char letter, long n)
{
	if (letter != TEST_UNTAGGED)
		region_tag(letter)->charged += n;
}

static inline void region_expect_tag(struct kunit *test, char letter,
				     long refs, long charged)
{
	KUNIT_EXPECT_EQ(test, region_tag(letter)->refs, refs);
	KUNIT_EXPECT_EQ(test, region_tag(letter)->charged, charged);
}

#else

static inline struct hugetlb_cgroup *region_tag(char letter)
{
	return NULL;
}

static inline char region_letter(const struct hugetlb_cgroup *tag)
{
	return TEST_UNTAGGED;
}

static inline bool region_letters_known(const char *slots)
{
	return !strpbrk(slots, "ab");
}

static inline void region_charge(char letter, long n)
{
}

static inline void region_expect_tag(struct kunit *test, char letter,
				     long refs, long charged)
{
}

#endif

/* A map, and what it should look like. */
struct region_test {
	struct resv_map		*map;
	struct region_spares	spares;
	struct rnd_state	rnd;
	long			base;	/* index of slot 0 */
	long			nodes;	/* that the map owns */
	char			slot[TEST_SLOTS + 1];
};

/* ---- model and map, side by side ---- */

static inline long region_model_regions(const char *slot, char letter)
{
	long n = 0;
	int i;

	for (i = 0; i < TEST_SLOTS; i++)
		n += slot[i] == letter && (!i || slot[i - 1] != letter);
	return n;
}

static inline long region_model_count(const char *slot, long from, long to,
				      char letter)
{
	long n = 0;

	for (; from < to && from < TEST_SLOTS; from++)
		n += slot[from] == letter;
	return n;
}

static inline long region_map_read(struct kunit *test, struct region_test *t,
				   char *seen)
{
	struct resv_region *region, *last = NULL;
	long i, regions = 0;
	struct rb_node *rb;

	memset(seen, TEST_ABSENT, TEST_SLOTS);
	for (rb = rb_first(&t->map->regions); rb; rb = rb_next(rb)) {
		region = rb_entry(rb, struct resv_region, rb);
		KUNIT_ASSERT_GE(test, region->from, t->base);
		KUNIT_ASSERT_LT(test, region->from, region->to);
		KUNIT_ASSERT_LE(test, region->to, t->base + TEST_SLOTS);
		if (last) {
			KUNIT_ASSERT_LE(test, last->to, region->from);
			if (last->to == region->from)
				KUNIT_EXPECT_PTR_NE(test, last->tag,
						    region->tag);
		}
		for (i = region->from; i < region->to; i++)
			seen[i - t->base] = region_letter(region->tag);
		last = region;
		regions++;
	}
	return regions;
}

static inline void region_map_check_tag(struct kunit *test,
					struct region_test *t, char letter)
{
	long refs = region_model_regions(t->slot, letter);
	long charged = region_model_count(t->slot, 0, TEST_SLOTS, letter);

	region_expect_tag(test, letter, refs, charged);
}

/* Slots, tags, merging, and that no node was lost or made up. */
static inline void region_map_check(struct kunit *test, struct region_test *t)
{
	char seen[TEST_SLOTS + 1] = "";
	long regions = region_map_read(test, t, seen);

	KUNIT_EXPECT_STREQ(test, seen, t->slot);
	KUNIT_EXPECT_EQ(test, regions + t->spares.n, t->nodes);
	if (region_letters_known("ab")) {
		region_map_check_tag(test, t, 'a');
		region_map_check_tag(test, t, 'b');
	}
}

/* Bring exactly @n spare nodes to the next operation. */
static inline void region_spares_set(struct kunit *test, struct region_test *t,
				     unsigned int n)
{
	t->nodes -= t->spares.n;
	region_spares_drop(&t->spares);
	KUNIT_ASSERT_EQ(test, region_spares_fill(&t->spares, n), 0);
	KUNIT_ASSERT_EQ(test, t->spares.n, n);
	t->nodes += n;
}

static inline void region_map_reset(struct kunit *test, struct region_test *t)
{
	t->map = resv_map_alloc(NULL);
	KUNIT_ASSERT_NOT_NULL(test, t->map);
	t->nodes = t->spares.n;
	memset(t->slot, TEST_ABSENT, TEST_SLOTS);
}

static inline struct region_test *region_map_create(struct kunit *test)
{
	struct region_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	u64 seed = get_random_u64();

	KUNIT_ASSERT_NOT_NULL(test, t);
	kunit_info(test, "random seed %llu\n", (unsigned long long)seed);
	prandom_seed_state(&t->rnd, seed);
	region_spares_init(&t->spares);
	region_map_reset(test, t);
	return t;
}

static inline void region_map_destroy(struct kunit *test,
				      struct region_test *t)
{
	region_spares_drop(&t->spares);
	resv_map_put(t->map);
	if (region_letters_known("ab")) {
		region_expect_tag(test, 'a', 0, 0);
		region_expect_tag(test, 'b', 0, 0);
	}
}

#endif /* MM_HUGETLB_REGION_KUNIT_H */
