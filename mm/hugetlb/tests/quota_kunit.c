// SPDX-License-Identifier: GPL-2.0
/*
 * Quota of a mount: tables of its corners, every order in which a few takers
 * can come and go, and random ones, against plain integers.
 *
 * Built into the kernel and into tools/testing/hugepage.
 */
#include <kunit/test.h>
#include <linux/limits.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include "../reserve/reserve.h"

#ifndef HUGEPAGE_TEST_OPS
#define HUGEPAGE_TEST_OPS	20000UL
#define TEST_DEPTH		5
#else
#define TEST_DEPTH		7
#endif

#define TEST_TAKERS	6

/* quota_take() has answered, the pool not yet. */
struct quota_taker {
	long	n;		/* 0: nobody */
	long	need;
};

/*
 * The model: a mount owns units, and each is somebody's use, or spare because
 * of the minimum.  The pool counts what it gave to the mount.
 */
struct quota_mount {
	struct hugetlb_quota	quota;
	long			used;	/* takers on their way included */
	long			given;	/* by the pool, not returned */
	struct quota_taker	taker[TEST_TAKERS];
};

static void quota_mount_init(struct quota_mount *m, long max, long min)
{
	memset(m, 0, sizeof(*m));
	quota_init(&m->quota, NULL, max, min);
	m->given = min;
}

static long quota_mount_pending(const struct quota_mount *m)
{
	long n = 0;
	int i;

	for (i = 0; i < TEST_TAKERS; i++)
		n += m->taker[i].n;
	return n;
}

/* NULL, or what is wrong. */
static const char *quota_mount_wrong(struct quota_mount *m)
{
	const struct hugetlb_quota *quota = &m->quota;
	long settled = m->used - quota_mount_pending(m);

	if (quota_used(&m->quota) != m->used)
		return "used is not what was taken";
	if (quota->held != m->given)
		return "held is not what the pool gave";
	if (quota->max >= 0 && m->used > quota->max)
		return "more used than allowed";
	if (m->given < quota->min)
		return "less than the minimum";
	if (m->given < settled)
		return "a page in use that nobody gave";
	if (m->given > max(m->used, quota->min))
		return "units kept for nothing";
	if (settled == m->used && m->given != max(m->used, quota->min))
		return "at rest, but not exact";
	return NULL;
}

/* ---- the moves: false, with nothing changed, when not possible ---- */

static bool quota_mount_take(struct quota_mount *m, int i, long n)
{
	struct quota_taker *taker = &m->taker[i];
	long need;

	if (taker->n)
		return false;
	need = quota_take(&m->quota, n);
	if (need == -ENOSPC)
		return false;
	*taker = (struct quota_taker){ .n = n, .need = need };
	m->used += n;
	return true;
}

/* The pool gave what was needed. */
static bool quota_mount_settle(struct quota_mount *m, int i)
{
	struct quota_taker *taker = &m->taker[i];

	if (!taker->n)
		return false;
	m->given += taker->need;
	m->given -= quota_settle(&m->quota, taker->need);
	*taker = (struct quota_taker){};
	return true;
}

static bool quota_mount_put(struct quota_mount *m, long n)
{
	if (n > m->used - quota_mount_pending(m))
		return false;
	m->used -= n;
	m->given -= quota_put(&m->quota, n);
	quota_is_dead(&m->quota);
	return true;
}

/* The pool had too few: undo. */
static bool quota_mount_fail(struct quota_mount *m, int i)
{
	struct quota_taker *taker = &m->taker[i];
	long n = taker->n;

	*taker = (struct quota_taker){};
	return n && quota_mount_put(m, n);
}

/* The pool had some, and then no more: what came is settled, then undone. */
static bool quota_mount_fail_late(struct quota_mount *m, int i)
{
	struct quota_taker *taker = &m->taker[i];

	if (!taker->n)
		return false;
	m->given += taker->need / 2;
	m->given -= quota_settle(&m->quota, taker->need / 2);
	return quota_mount_fail(m, i);
}

/* ---- tables ---- */

enum quota_call { TAKE, SETTLE, PUT };

static const struct quota_row {
	const char	*name;
	long		max, min, used, held;
	enum quota_call	call;
	long		n, answer;
	long		used_then, held_then;
} quota_rows[] = {
	{ "no limits",		 -1, 0,  0, 0, TAKE,   3, 3,	   3, 0 },
	{ "take nothing",	 -1, 0,  0, 0, TAKE,   0, 0,	   0, 0 },
	{ "up to the maximum",	  4, 0,  1, 1, TAKE,   3, 3,	   4, 1 },
	{ "one too many",	  4, 0,  1, 1, TAKE,   4, -ENOSPC, 1, 1 },
	{ "none at the maximum",  4, 0,  4, 4, TAKE,   0, 0,	   4, 4 },
	{ "no room at all",	  0, 0,  0, 0, TAKE,   1, -ENOSPC, 0, 0 },
	{ "far too many",	  4, 0,  4, 4, TAKE, LONG_MAX, -ENOSPC, 4, 4 },
	{ "from the minimum",	 -1, 5,  0, 5, TAKE,   3, 0,	   3, 5 },
	{ "all of the minimum",	 -1, 5,  0, 5, TAKE,   5, 0,	   5, 5 },
	{ "beyond the minimum",	 -1, 5,  0, 5, TAKE,   7, 2,	   7, 5 },
	{ "above the minimum",	 -1, 5,  6, 6, TAKE,   2, 2,	   8, 6 },
	{ "behind a taker",	 -1, 5,  7, 5, TAKE,   2, 2,	   9, 5 },
	{ "minimum is maximum",	  5, 5,  0, 5, TAKE,   5, 0,	   5, 5 },
	{ "over min and max",	  5, 5,  5, 5, TAKE,   1, -ENOSPC, 5, 5 },
	{ "settle",		 -1, 0,  3, 0, SETTLE, 3, 0,	   3, 3 },
	{ "settle nothing",	 -1, 5,  3, 5, SETTLE, 0, 0,	   3, 5 },
	{ "settle beside one",	 -1, 5,  9, 5, SETTLE, 2, 0,	   9, 7 },
	{ "no longer needed",	 -1, 5,  4, 5, SETTLE, 2, 2,	   4, 5 },
	{ "half still needed",	 -1, 5,  6, 5, SETTLE, 2, 1,	   6, 6 },
	{ "put",		 -1, 0,  3, 3, PUT,    2, 2,	   1, 1 },
	{ "put nothing",	 -1, 0,  3, 3, PUT,    0, 0,	   3, 3 },
	{ "put the last",	 -1, 0,  3, 3, PUT,    3, 3,	   0, 0 },
	{ "into the minimum",	 -1, 5,  5, 5, PUT,    2, 0,	   3, 5 },
	{ "part of it",		 -1, 5,  7, 7, PUT,    4, 2,	   3, 5 },
	{ "above it",		 -1, 5,  9, 9, PUT,    2, 2,	   7, 7 },
	{ "undo, nothing came",	 -1, 0,  3, 0, PUT,    3, 0,	   0, 0 },
	{ "undo beside a taker", -1, 5,  9, 5, PUT,    7, 0,	   2, 5 },
	{ "undo frees a unit",	 -1, 5,  8, 6, PUT,    7, 1,	   1, 5 },
};

static long quota_row_call(struct hugetlb_quota *quota, enum quota_call call,
			   long n)
{
	switch (call) {
	case TAKE:
		return quota_take(quota, n);
	case SETTLE:
		return quota_settle(quota, n);
	case PUT:
		return quota_put(quota, n);
	}
	return -EINVAL;
}

static void quota_test_corners(struct kunit *test)
{
	const struct quota_row *row;
	struct hugetlb_quota quota;
	long answer;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(quota_rows); i++) {
		row = &quota_rows[i];
		quota_init(&quota, NULL, row->max, row->min);
		KUNIT_EXPECT_EQ(test, quota.held, row->min);
		quota.used = row->used;
		quota.held = row->held;
		answer = quota_row_call(&quota, row->call, row->n);
		KUNIT_EXPECT_EQ_MSG(test, answer, row->answer, "%s", row->name);
		KUNIT_EXPECT_EQ_MSG(test, quota_used(&quota), row->used_then,
				    "%s", row->name);
		KUNIT_EXPECT_EQ_MSG(test, quota.held, row->held_then,
				    "%s", row->name);
	}
}

static void quota_test_none(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, quota_take(NULL, 3), 3);
	KUNIT_EXPECT_EQ(test, quota_settle(NULL, 3), 0);
	KUNIT_EXPECT_EQ(test, quota_put(NULL, 3), 3);
	KUNIT_EXPECT_EQ(test, quota_used(NULL), 0);
	KUNIT_EXPECT_FALSE(test, quota_is_dead(NULL));
	KUNIT_EXPECT_FALSE(test, quota_unmount(NULL));
}

/* ---- who frees it ---- */

/*
 * A quota with two users: each puts and asks, in every order in which a mount
 * and two users can leave.  '1' and '2' put, then ask; 'u' unmounts.
 */
static const char * const quota_orders[] = {
	"1122u", "112u2", "11u22", "1u122", "u1122",
	"1212u", "121u2", "12u12", "1u212", "u1212",
	"1221u", "122u1", "12u21", "1u221", "u1221",
};

static void quota_test_last_one(struct kunit *test)
{
	struct hugetlb_quota quota;
	const char *step;
	bool asked[2];
	int dead;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(quota_orders); i++) {
		quota_init(&quota, NULL, 5, 2);
		asked[0] = false;
		asked[1] = false;
		KUNIT_EXPECT_EQ(test, quota_take(&quota, 2), 0);
		KUNIT_EXPECT_EQ(test, quota_settle(&quota, 0), 0);
		for (step = quota_orders[i]; *step; step++) {
			if (*step == 'u') {
				dead = quota_unmount(&quota);
			} else if (asked[*step - '1']) {
				dead = quota_is_dead(&quota);
			} else {
				KUNIT_EXPECT_EQ(test, quota_put(&quota, 1), 0);
				asked[*step - '1'] = true;
				dead = 0;
			}
			KUNIT_EXPECT_EQ_MSG(test, dead, !step[1], "order %s",
					    quota_orders[i]);
		}
		KUNIT_EXPECT_EQ(test, quota.held, 2);
	}
}

/* A mount that lives on: nobody frees its quota. */
static void quota_test_mounted(struct kunit *test)
{
	struct hugetlb_quota quota;

	quota_init(&quota, NULL, -1, 0);
	KUNIT_EXPECT_EQ(test, quota_take(&quota, 1), 1);
	KUNIT_EXPECT_EQ(test, quota_settle(&quota, 1), 0);
	KUNIT_EXPECT_EQ(test, quota_put(&quota, 1), 1);
	KUNIT_EXPECT_FALSE(test, quota_is_dead(&quota));
	KUNIT_EXPECT_EQ(test, quota_take(&quota, 1), 1);
	KUNIT_EXPECT_FALSE(test, quota_unmount(&quota));
	KUNIT_EXPECT_EQ(test, quota_put(&quota, 1), 0);
	KUNIT_EXPECT_TRUE(test, quota_is_dead(&quota));
}

/* ---- every order of a few moves ---- */

#define TEST_ACTORS	3
#define TEST_AMOUNTS	3
#define TEST_MOVES	(TEST_ACTORS * (TEST_AMOUNTS + 3) + TEST_AMOUNTS)

/* Each actor takes 1..3, is served, fails early or late; or pages are freed. */
static bool quota_mount_move(struct quota_mount *m, int move)
{
	int actor = move / (TEST_AMOUNTS + 3);
	int what = move % (TEST_AMOUNTS + 3);

	if (actor == TEST_ACTORS)
		return quota_mount_put(m, what + 1);
	if (what < TEST_AMOUNTS)
		return quota_mount_take(m, actor, what + 1);
	if (what == TEST_AMOUNTS)
		return quota_mount_settle(m, actor);
	return what == TEST_AMOUNTS + 1 ? quota_mount_fail(m, actor) :
					  quota_mount_fail_late(m, actor);
}

/* Depth first, without recursion: one mount per step of the path. */
static void quota_test_every_order(struct kunit *test)
{
	static const long limits[][2] = { { -1, 0 }, { -1, 2 }, { 4, 3 } };
	struct quota_mount *path;
	int move[TEST_DEPTH], at;
	const char *wrong;
	size_t i;

	path = kunit_kcalloc(test, TEST_DEPTH + 1, sizeof(*path), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, path);
	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		quota_mount_init(&path[0], limits[i][0], limits[i][1]);
		at = 0;
		move[0] = 0;
		while (at >= 0) {
			if (at == TEST_DEPTH || move[at] == TEST_MOVES) {
				at--;
				continue;
			}
			path[at + 1] = path[at];
			if (!quota_mount_move(&path[at + 1], move[at]++))
				continue;
			wrong = quota_mount_wrong(&path[at + 1]);
			if (wrong)
				KUNIT_FAIL_AND_ABORT(test, "%s", wrong);
			if (++at < TEST_DEPTH)
				move[at] = 0;
		}
	}
}

/* ---- random ones ---- */

static const char *quota_mount_step(struct quota_mount *m,
				    struct rnd_state *rnd)
{
	int i = prandom_u32_state(rnd) % TEST_TAKERS;
	long n = prandom_u32_state(rnd) % 9;
	long max = m->quota.max;

	switch (prandom_u32_state(rnd) % 8) {
	case 0:
	case 1:
	case 2:
		if (m->taker[i].n || quota_mount_take(m, i, n))
			break;
		if (max < 0 || m->used + n <= max)
			return "no space, but there is";
		break;
	case 3:
	case 4:
		quota_mount_settle(m, i);
		break;
	case 5:
		quota_mount_fail(m, i);
		break;
	case 6:
		quota_mount_fail_late(m, i);
		break;
	default:
		quota_mount_put(m, n);
	}
	if (m->taker[i].need < 0 || m->taker[i].need > m->taker[i].n)
		return "needs more than it takes";
	return quota_mount_wrong(m);
}

static void quota_test_random(struct kunit *test)
{
	struct quota_mount *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	u64 seed = get_random_u64();
	struct rnd_state rnd;
	const char *wrong;
	unsigned long n;
	long max, min;

	KUNIT_ASSERT_NOT_NULL(test, m);
	kunit_info(test, "random seed %llu\n", (unsigned long long)seed);
	prandom_seed_state(&rnd, seed);
	for (n = 0; n < HUGEPAGE_TEST_OPS; n++) {
		if (n % 500 == 0) {
			min = prandom_u32_state(&rnd) % 16;
			max = prandom_u32_state(&rnd) % 3 ?
				      min + prandom_u32_state(&rnd) % 16 : -1;
			quota_mount_init(m, max, min);
		}
		wrong = quota_mount_step(m, &rnd);
		if (wrong) {
			KUNIT_FAIL(test, "step %lu: %s", n, wrong);
			return;
		}
	}
}

static struct kunit_case quota_test_cases[] = {
	KUNIT_CASE(quota_test_corners),
	KUNIT_CASE(quota_test_none),
	KUNIT_CASE(quota_test_last_one),
	KUNIT_CASE(quota_test_mounted),
	KUNIT_CASE_SLOW(quota_test_every_order),
	KUNIT_CASE_SLOW(quota_test_random),
	{}
};

static struct kunit_suite quota_test_suite = {
	.name = "hugetlb_quota",
	.test_cases = quota_test_cases,
};

kunit_test_suite(quota_test_suite);
