// SPDX-License-Identifier: GPL-2.0
/*
 * Pool verbs and turns of nodes: tables of corner cases.
 */
#include "pool_kunit.h"

/* ---- corner cases of promises ---- */

enum pool_verb { RESERVE, UNRESERVE, SPEND, UNSPEND, OWE, REPAY };

static const struct pool_promise_row {
	const char	*name;
	unsigned long	free, reserved, owed;
	enum pool_verb	verb;
	long		n;
	long		answer;
	unsigned long	reserved_then, owed_then;
} pool_promise_rows[] = {
	{ "nothing of nothing",	  0, 0, 0, RESERVE,   0, 0,  0, 0 },
	{ "one of nothing",	  0, 0, 0, RESERVE,   1, 1,  0, 0 },
	{ "all that is free",	  3, 0, 0, RESERVE,   3, 0,  3, 0 },
	{ "one too many",	  3, 0, 0, RESERVE,   4, 1,  0, 0 },
	{ "beside a promise",	  3, 2, 0, RESERVE,   1, 0,  3, 0 },
	{ "promised already",	  3, 3, 0, RESERVE,   2, 2,  3, 0 },
	{ "owed is not there",	  1, 1, 5, RESERVE,   1, 1,  1, 5 },
	{ "owed takes no room",	  1, 0, 5, RESERVE,   1, 0,  1, 5 },
	{ "return none",	  2, 2, 1, UNRESERVE, 0, 0,  2, 1 },
	{ "return some",	  2, 2, 1, UNRESERVE, 1, 0,  1, 1 },
	{ "return the backed",	  2, 2, 1, UNRESERVE, 2, 0,  0, 1 },
	{ "return an owed too",	  2, 2, 1, UNRESERVE, 3, 0,  0, 0 },
	{ "return owed only",	  2, 0, 2, UNRESERVE, 1, 0,  0, 1 },
	{ "spend",		  2, 2, 0, SPEND,     0, 1,  1, 0 },
	{ "spend the last",	  1, 1, 1, SPEND,     0, 1,  0, 1 },
	{ "on its way",		  2, 0, 1, SPEND,     0, 0,  0, 1 },
	{ "nothing to spend",	  2, 0, 0, SPEND,     0, 0,  0, 0 },
	{ "unspend",		  2, 1, 1, UNSPEND,   0, 0,  2, 1 },
	{ "owe",		  0, 0, 0, OWE,	      0, 0,  0, 1 },
	{ "owe beside promises",  2, 2, 3, OWE,	      0, 0,  2, 4 },
	{ "repay",		  1, 0, 1, REPAY,     0, 0,  1, 0 },
	{ "repay one of two",	  2, 1, 2, REPAY,     0, 0,  2, 1 },
	{ "repay, forgotten",	  1, 0, 0, REPAY,     0, 0,  0, 0 },
};

static long pool_test_promise(struct hugetlb_pool *pool, enum pool_verb verb,
			      long n)
{
	switch (verb) {
	case RESERVE:
		return pool_reserve(pool, n);
	case UNRESERVE:
		pool_unreserve(pool, n);
		return 0;
	case SPEND:
		return pool_spend(pool);
	case UNSPEND:
		pool_unspend(pool);
		return 0;
	case OWE:
		pool_owe(pool, 1);
		return 0;
	case REPAY:
		pool_repay(pool, 1);
		return 0;
	}
	return -1;
}

static void pool_test_promises(struct kunit *test)
{
	const struct pool_promise_row *row;
	struct hugetlb_pool *pool;
	long answer, missing;
	struct pool_test t;
	bool consistent;
	int i, n;

	pool_test_create(test, &t);
	pool = t.pool;
	for (i = 0; i < ARRAY_SIZE(pool_promise_rows); i++) {
		row = &pool_promise_rows[i];
		pool_init(pool, POOL_TEST_ORDER);
		spin_lock_irq(&hugetlb_lock);
		for (n = 0; n < row->free; n++) {
			pool_test_folio_init(&t, n);
			pool_add(pool, &t.folio[n]);
		}
		for (n = 0; n < row->owed; n++)
			pool_owe(pool, 1);
		missing = pool_reserve(pool, row->reserved);
		answer = pool_test_promise(pool, row->verb, row->n);
		consistent = pool_consistent(pool);
		spin_unlock_irq(&hugetlb_lock);

		KUNIT_EXPECT_EQ_MSG(test, missing, 0, "%s", row->name);
		KUNIT_EXPECT_EQ_MSG(test, answer, row->answer, "%s", row->name);
		KUNIT_EXPECT_EQ_MSG(test, pool->reserved, row->reserved_then,
				    "%s", row->name);
		KUNIT_EXPECT_EQ_MSG(test, pool->owed, row->owed_then,
				    "%s", row->name);
		KUNIT_EXPECT_TRUE_MSG(test, consistent, "%s", row->name);
	}
}

/* ---- corner cases of surplus, on one node and on two ---- */

enum pool_shift { ADOPT, MARK, TRIM, TRIM_ANY, REMOVE };

#define BOTH	(-1)

/* where is one of the two nodes, or both; TRIM takes it for the hint */
static const struct pool_surplus_row {
	const char	*name;
	struct {
		unsigned int	total, free, surplus;
	} node[2];
	long		reserved;
	enum pool_shift	shift;
	unsigned long	n;
	int		where;
	unsigned long	answer;
	unsigned long	surplus_then[2];
} pool_surplus_rows[] = {
	{ "adopt none",		{ { 3, 0, 2 } }, 0, ADOPT, 0, 0, 0, { 2 } },
	{ "adopt some",		{ { 3, 0, 2 } }, 0, ADOPT, 1, 0, 1, { 1 } },
	{ "adopt all",		{ { 3, 0, 2 } }, 0, ADOPT, 9, 0, 2, { 0 } },
	{ "adopt of none",	{ { 3, 0, 0 } }, 0, ADOPT, 1, 0, 0, { 0 } },
	{ "mark none",		{ { 3, 1, 1 } }, 0, MARK, 0, 0, 0, { 1 } },
	{ "mark all",		{ { 3, 1, 1 } }, 0, MARK, 9, 0, 2, { 3 } },
	{ "mark an empty node",	{ { 0, 0, 0 } }, 0, MARK, 1, 0, 0, { 0 } },
	{ "trim",		{ { 3, 2, 1 } }, 0, TRIM, 9, 0, 1, { 0 } },
	{ "trim while free",	{ { 3, 1, 2 } }, 0, TRIM, 9, 0, 1, { 1 } },
	{ "trim nothing free",	{ { 3, 0, 2 } }, 0, TRIM, 9, 0, 0, { 2 } },
	{ "trim no surplus",	{ { 3, 3, 0 } }, 0, TRIM, 9, 0, 0, { 0 } },
	{ "trim not promised",	{ { 3, 2, 2 } }, 1, TRIM, 9, 0, 1, { 1 } },
	{ "trim all promised",	{ { 3, 2, 2 } }, 2, TRIM, 9, 0, 0, { 2 } },
	{ "trim without hint",	{ { 3, 2, 1 } }, 0, TRIM_ANY, 9, 0, 1, { 0 } },
	{ "remove persistent",	{ { 3, 3, 1 } }, 0, REMOVE, 2, 0, 2, { 1 } },
	{ "remove the last",	{ { 3, 3, 1 } }, 0, REMOVE, 3, 0, 3, { 0 } },
	{ "adopt by turns",	{ { 3, 0, 3 }, { 3, 0, 3 } },
	  0, ADOPT, 4, BOTH, 4, { 1, 1 } },
	{ "adopt what is there", { { 3, 0, 1 }, { 3, 0, 3 } },
	  0, ADOPT, 4, BOTH, 4, { 0, 0 } },
	{ "adopt on one node",	{ { 3, 0, 2 }, { 3, 0, 2 } },
	  0, ADOPT, 9, 1, 2, { 2, 0 } },
	{ "mark by turns",	{ { 3, 0, 0 }, { 3, 0, 0 } },
	  0, MARK, 4, BOTH, 4, { 2, 2 } },
	{ "mark on one node",	{ { 3, 0, 0 }, { 3, 0, 0 } },
	  0, MARK, 9, 0, 3, { 3, 0 } },
	{ "trim the hint",	{ { 3, 2, 1 }, { 3, 2, 1 } },
	  0, TRIM, 1, 1, 1, { 1, 0 } },
	{ "trim the other",	{ { 3, 2, 2 }, { 3, 2, 0 } },
	  0, TRIM, 1, 1, 1, { 1, 0 } },
	{ "trim both",		{ { 3, 2, 1 }, { 3, 2, 1 } },
	  0, TRIM, 9, 0, 2, { 0, 0 } },
	{ "free and surplus apart", { { 3, 3, 0 }, { 3, 0, 3 } },
	  0, TRIM, 9, 0, 0, { 0, 3 } },
	{ "promised elsewhere",	{ { 3, 2, 2 }, { 3, 2, 0 } },
	  3, TRIM, 9, 0, 1, { 1, 0 } },
};

/* Fill the first nodes as the row says. */
static void pool_test_fill(struct pool_test *t,
			   const struct pool_surplus_row *row)
{
	struct hugetlb_pool *pool = t->pool;
	int nodes = min(t->nodes, 2);
	int node, i, left;

	pool_init(pool, POOL_TEST_ORDER);
	for (node = 0; node < nodes; node++) {
		nodemask_t here = nodemask_of_node(t->nid[node]);

		i = node;
		for (left = row->node[node].total; left > 0; left--) {
			pool_test_folio_init(t, i);
			pool_add(pool, &t->folio[i]);
			if (left > row->node[node].free)
				pool_take_folio(pool, &t->folio[i]);
			i += t->nodes;
		}
		pool_mark_surplus(pool, row->node[node].surplus, &here);
	}
	pool_reserve(pool, row->reserved);
}

static unsigned long pool_test_shift(struct pool_test *t,
				     const struct pool_surplus_row *row)
{
	int nid = t->nid[max(row->where, 0)];
	struct hugetlb_pool *pool = t->pool;
	struct folio *folio;
	nodemask_t nodes;
	unsigned long n;

	nodes = row->where == BOTH ? node_states[N_MEMORY] :
				     nodemask_of_node(nid);
	if (row->shift == ADOPT)
		return pool_adopt_surplus(pool, row->n, &nodes);
	if (row->shift == MARK)
		return pool_mark_surplus(pool, row->n, &nodes);
	if (row->shift == TRIM_ANY)
		nid = NUMA_NO_NODE;
	for (n = 0; n < row->n; n++) {
		if (row->shift == REMOVE)
			pool_remove(pool, folio = &t->folio[n * t->nodes]);
		else
			folio = pool_trim_one(pool, nid);
		if (!folio)
			break;
	}
	return n;
}

static void pool_test_surplus(struct kunit *test)
{
	const struct pool_surplus_row *row;
	unsigned long answer;
	struct pool_test t;
	bool consistent;
	int i, node;

	pool_test_create(test, &t);
	for (i = 0; i < ARRAY_SIZE(pool_surplus_rows); i++) {
		row = &pool_surplus_rows[i];
		if (row->node[1].total && t.nodes < 2)
			continue;
		spin_lock_irq(&hugetlb_lock);
		pool_test_fill(&t, row);
		answer = pool_test_shift(&t, row);
		consistent = pool_consistent(t.pool);
		spin_unlock_irq(&hugetlb_lock);

		KUNIT_EXPECT_EQ_MSG(test, answer, row->answer, "%s", row->name);
		for (node = 0; node < min(t.nodes, 2); node++)
			KUNIT_EXPECT_EQ_MSG(test, row->surplus_then[node],
					    t.pool->node[t.nid[node]].surplus,
					    "%s", row->name);
		KUNIT_EXPECT_TRUE_MSG(test, consistent, "%s", row->name);
	}
}

/* ---- does pool_consistent() notice? ---- */

#define POOL_FIELD(field)	{ #field, offsetof(struct hugetlb_pool, field) }

static const struct {
	const char	*name;
	size_t		offset;
} pool_fields[] = {
	POOL_FIELD(total),
	POOL_FIELD(free),
	POOL_FIELD(reserved),
	POOL_FIELD(surplus),
};

static bool pool_test_holds(struct hugetlb_pool *pool)
{
	bool holds;

	spin_lock_irq(&hugetlb_lock);
	holds = pool_consistent(pool);
	spin_unlock_irq(&hugetlb_lock);
	return holds;
}

static void pool_test_notices(struct kunit *test)
{
	struct hugetlb_pool_node *node;
	unsigned long *field;
	struct pool_test t;
	int i;

	pool_test_create(test, &t);
	node = &t.pool->node[t.nid[0]];
	spin_lock_irq(&hugetlb_lock);
	pool_add(t.pool, &t.folio[0]);
	pool_add(t.pool, &t.folio[t.nodes]);
	spin_unlock_irq(&hugetlb_lock);
	KUNIT_EXPECT_TRUE(test, pool_test_holds(t.pool));
	for (i = 0; i < ARRAY_SIZE(pool_fields); i++) {
		field = (void *)t.pool + pool_fields[i].offset;
		/* Nobody else sees this pool: no lock for a lie. */
		*field += 3;
		KUNIT_EXPECT_FALSE_MSG(test, pool_test_holds(t.pool), "%s",
				       pool_fields[i].name);
		*field -= 3;
	}

	node->surplus = 3;
	t.pool->surplus = 3;
	KUNIT_EXPECT_FALSE(test, pool_test_holds(t.pool));
	node->surplus = 0;
	t.pool->surplus = 0;

	folio_clear_hugetlb_freed(&t.folio[0]);
	KUNIT_EXPECT_FALSE(test, pool_test_holds(t.pool));
	folio_set_hugetlb_freed(&t.folio[0]);

	list_move(&t.folio[0].lru, &t.pool->active);
	KUNIT_EXPECT_FALSE(test, pool_test_holds(t.pool));
	list_del(&t.folio[0].lru);
	KUNIT_EXPECT_FALSE(test, pool_test_holds(t.pool));
	list_add(&t.folio[0].lru, &node->free_list);
	KUNIT_EXPECT_TRUE(test, pool_test_holds(t.pool));
}

/* ---- round robin ---- */

static int pool_test_first_from(int from, const nodemask_t *allowed)
{
	int i, nid;

	for (i = 0; i < MAX_NUMNODES; i++) {
		nid = (max(from, 0) + i) % MAX_NUMNODES;
		if (node_isset(nid, *allowed))
			return nid;
	}
	return NUMA_NO_NODE;
}

static void pool_test_turns(struct kunit *test)
{
	int cursor, before, want, nid, i, round;
	struct pool_test t;
	nodemask_t allowed;

	pool_test_create(test, &t);
	for (round = 0; round < 200; round++) {
		nodes_clear(allowed);
		for (i = pool_test_random(&t, 6); i > 0; i--)
			node_set(pool_test_random(&t, MAX_NUMNODES), allowed);
		cursor = (int)pool_test_random(&t, MAX_NUMNODES + 2) - 1;
		for (i = 0; i < 20; i++) {
			before = cursor;
			want = pool_test_first_from(cursor, &allowed);
			nid = nodes_next(&cursor, &allowed);
			KUNIT_EXPECT_EQ(test, nid, want);
			if (want == NUMA_NO_NODE)
				KUNIT_EXPECT_EQ(test, cursor, before);
			else
				KUNIT_EXPECT_EQ(test, cursor,
						pool_test_first_from(nid + 1,
								     &allowed));
		}
	}
}

static void pool_test_each_node_once(struct kunit *test)
{
	nodemask_t allowed = node_states[N_MEMORY], seen;
	int nid, left, cursor = NUMA_NO_NODE;

	nodes_clear(seen);
	for_each_node_from(nid, left, &cursor, &allowed) {
		KUNIT_EXPECT_TRUE(test, node_isset(nid, allowed));
		KUNIT_EXPECT_FALSE(test, node_isset(nid, seen));
		node_set(nid, seen);
	}
	KUNIT_EXPECT_TRUE(test, nodes_equal(seen, allowed));

	nodes_clear(allowed);
	for_each_node_from(nid, left, &cursor, &allowed)
		KUNIT_FAIL(test, "visited a node of none");
}

static struct kunit_case pool_rows_cases[] = {
	KUNIT_CASE(pool_test_turns),
	KUNIT_CASE(pool_test_each_node_once),
	KUNIT_CASE(pool_test_promises),
	KUNIT_CASE(pool_test_surplus),
	KUNIT_CASE(pool_test_notices),
	{}
};

static struct kunit_suite pool_rows_suite = {
	.name = "hugetlb_pool_rows",
	.test_cases = pool_rows_cases,
};

kunit_test_suite(pool_rows_suite);
