// SPDX-License-Identifier: GPL-2.0
/*
 * Pool verbs at random against a model that keeps a state per folio and adds
 * up whenever it is asked.  The pool must say the same after every verb.
 */
#include "pool_kunit.h"

enum pool_model_state {
	MODEL_OUT,
	MODEL_FREE,
	MODEL_BUSY,
	MODEL_TEMPORARY,
};

/* What every folio is, and what no folio tells. */
struct pool_model {
	struct pool_test	t;
	struct hugetlb_pool	*pool;
	struct list_head	isolated;
	enum pool_model_state	state[POOL_TEST_FOLIOS];
	bool			owing[POOL_TEST_FOLIOS];
	unsigned long		surplus[POOL_TEST_NODES];
	unsigned long		reserved;
	unsigned long		owed;
	unsigned long		overcommit;
	unsigned long		target;
};

static struct folio *pool_model_folio(struct pool_model *m, int i)
{
	return &m->t.folio[i];
}

static int pool_model_node(struct pool_model *m, int i)
{
	return i % m->t.nodes;
}

static unsigned int pool_model_random(struct pool_model *m, unsigned int below)
{
	return pool_test_random(&m->t, below);
}

/* Some folio in the given state, -1 when there is none. */
static int pool_model_pick(struct pool_model *m, enum pool_model_state state)
{
	int start = pool_model_random(m, POOL_TEST_FOLIOS);
	int i, at;

	for (i = 0; i < POOL_TEST_FOLIOS; i++) {
		at = (start + i) % POOL_TEST_FOLIOS;
		if (m->state[at] == state)
			return at;
	}
	return -1;
}

static unsigned long pool_model_total(struct pool_model *m, int node)
{
	unsigned long n = 0;
	int i;

	for (i = 0; i < POOL_TEST_FOLIOS; i++)
		n += pool_model_node(m, i) == node && m->state[i] != MODEL_OUT;
	return n;
}

static unsigned long pool_model_free(struct pool_model *m, int node)
{
	unsigned long n = 0;
	int i;

	for (i = 0; i < POOL_TEST_FOLIOS; i++)
		n += pool_model_node(m, i) == node && m->state[i] == MODEL_FREE;
	return n;
}

static unsigned long pool_model_available(struct pool_model *m)
{
	unsigned long n = 0;
	int node;

	for (node = 0; node < m->t.nodes; node++)
		n += pool_model_free(m, node);
	return n - m->reserved;
}

/* ---- model and pool, side by side ---- */

static const char *pool_model_compare_folio(struct pool_model *m, int i)
{
	struct folio *folio = pool_model_folio(m, i);
	bool temporary = m->state[i] == MODEL_TEMPORARY;
	bool free = m->state[i] == MODEL_FREE;
	bool out = m->state[i] == MODEL_OUT;

	if (folio_test_hugetlb_freed(folio) != free)
		return "HPG_freed";
	if (folio_ref_count(folio) != !(free || out))
		return "reference count";
	if (!out && !folio_test_hugetlb(folio))
		return "folio type";
	if (!out && folio_test_hugetlb_temporary(folio) != temporary)
		return "HPG_temporary";
	return NULL;
}

static const char *pool_model_compare_node(struct pool_model *m, int node)
{
	struct hugetlb_pool_node *have = &m->pool->node[m->t.nid[node]];

	if (have->total != pool_model_total(m, node))
		return "total of a node";
	if (have->free != pool_model_free(m, node))
		return "free of a node";
	if (have->surplus != m->surplus[node])
		return "surplus of a node";
	return NULL;
}

static const char *pool_model_compare(struct pool_model *m)
{
	const char *wrong = NULL;
	int i;

	for (i = 0; i < m->t.nodes && !wrong; i++)
		wrong = pool_model_compare_node(m, i);
	for (i = 0; i < POOL_TEST_FOLIOS && !wrong; i++)
		wrong = pool_model_compare_folio(m, i);
	if (wrong)
		return wrong;
	if (m->pool->reserved != m->reserved || m->pool->owed != m->owed)
		return "promises";
	if (m->pool->overcommit_max != m->overcommit ||
	    m->pool->persistent_target != m->target)
		return "wishes";
	if (pool_available(m->pool) != pool_model_available(m))
		return "pool_available()";
	if (!pool_consistent(m->pool))
		return "pool_consistent()";
	return NULL;
}

/* ---- one random verb each: NULL, or what went wrong ---- */

static const char *pool_step_add(struct pool_model *m)
{
	int i = pool_model_pick(m, MODEL_OUT);

	if (i < 0)
		return NULL;
	pool_add(m->pool, pool_model_folio(m, i));
	m->state[i] = MODEL_FREE;
	return NULL;
}

static const char *pool_step_add_surplus(struct pool_model *m)
{
	int i = pool_model_pick(m, MODEL_OUT);

	if (i < 0)
		return NULL;
	pool_add_surplus(m->pool, pool_model_folio(m, i));
	m->state[i] = MODEL_FREE;
	m->surplus[pool_model_node(m, i)]++;
	return NULL;
}

static const char *pool_step_add_temporary(struct pool_model *m)
{
	int i = pool_model_pick(m, MODEL_OUT);

	if (i < 0)
		return NULL;
	folio_ref_unfreeze(pool_model_folio(m, i), 1);
	pool_add_temporary(m->pool, pool_model_folio(m, i));
	m->state[i] = MODEL_TEMPORARY;
	return NULL;
}

/* Bring a removed folio into the state that pool_add() wants. */
static const char *pool_model_left(struct pool_model *m, int i)
{
	struct folio *folio = pool_model_folio(m, i);
	bool bare = folio_test_hugetlb_vmemmap_optimized(folio);

	if (m->state[i] != MODEL_FREE && !folio_ref_freeze(folio, 1))
		return "reference of a removed folio";
	m->state[i] = MODEL_OUT;
	m->owing[i] = false;
	if (folio_test_hugetlb(folio) != bare)
		return "type of a removed folio";
	/* Half of those that are not restored come back as they are. */
	if (!bare || pool_model_random(m, 2))
		pool_test_folio_init(&m->t, i);
	if (!pool_model_random(m, 4))
		folio_set_hugetlb_vmemmap_optimized(folio);
	if (!pool_model_random(m, 8))
		folio_set_hwpoison(folio);
	pool_test_set_pinnable(folio, pool_model_random(m, 4));
	return NULL;
}

static const char *pool_step_remove(struct pool_model *m)
{
	int i = pool_model_random(m, POOL_TEST_FOLIOS);
	int node = pool_model_node(m, i);

	if (m->state[i] == MODEL_OUT)
		return NULL;
	if (m->state[i] == MODEL_FREE && !pool_model_available(m))
		return NULL;
	if (m->surplus[node] && pool_model_random(m, 2)) {
		pool_remove_surplus(m->pool, pool_model_folio(m, i));
		m->surplus[node]--;
	} else {
		pool_remove(m->pool, pool_model_folio(m, i));
		if (m->surplus[node] == pool_model_total(m, node))
			m->surplus[node]--;
	}
	return pool_model_left(m, i);
}

/* Ask for a page the way a fault does; says whether a promise was spent. */
static bool pool_model_ask(struct pool_model *m, bool *spent)
{
	*spent = pool_model_random(m, 2);
	if (*spent)
		return pool_spend(m->pool);
	return pool_available(m->pool);
}

static bool pool_model_fits(struct pool_model *m, int i, bool pin)
{
	struct folio *folio = pool_model_folio(m, i);

	if (m->state[i] != MODEL_FREE || folio_test_hwpoison(folio))
		return false;
	return !pin || folio_is_longterm_pinnable(folio);
}

static const char *pool_step_take_node(struct pool_model *m)
{
	bool pin = pool_test_can_pin && pool_model_random(m, 2);
	int node = pool_model_random(m, m->t.nodes);
	struct folio *folio;
	int i, fit = 0;
	bool spent;

	for (i = node; i < POOL_TEST_FOLIOS; i += m->t.nodes)
		fit += pool_model_fits(m, i, pin);
	if (!pool_model_ask(m, &spent))
		return NULL;

	folio = pool_take_node(m->pool, m->t.nid[node], pin);
	if (!folio && spent)
		pool_unspend(m->pool);
	if (!folio)
		return fit ? "a good folio was not taken" : NULL;
	i = folio - m->t.folio;
	if (pool_model_node(m, i) != node || !pool_model_fits(m, i, pin))
		return "took a wrong folio";
	m->state[i] = MODEL_BUSY;
	m->reserved -= spent;
	return NULL;
}

static const char *pool_step_take_folio(struct pool_model *m)
{
	int i = pool_model_pick(m, MODEL_FREE);
	bool spent;

	if (i < 0 || !pool_model_ask(m, &spent))
		return NULL;
	pool_take_folio(m->pool, pool_model_folio(m, i));
	m->state[i] = MODEL_BUSY;
	m->reserved -= spent;
	return NULL;
}

static const char *pool_step_put(struct pool_model *m)
{
	int i = pool_model_pick(m, MODEL_BUSY);

	if (i < 0)
		return NULL;
	if (!folio_ref_freeze(pool_model_folio(m, i), 1))
		return "reference of a folio in use";
	pool_put(m->pool, pool_model_folio(m, i));
	m->state[i] = MODEL_FREE;
	if (m->owing[i]) {
		pool_repay(m->pool, 1);
		m->reserved += m->owed > 0;
		m->owed -= m->owed > 0;
		m->owing[i] = false;
		return NULL;
	}
	/* The minimum of a mount keeps the page. */
	if (pool_model_random(m, 4))
		return NULL;
	m->reserved++;
	return pool_reserve(m->pool, 1) ? "a page put was not there" : NULL;
}

static const char *pool_step_isolate(struct pool_model *m)
{
	int i = pool_model_pick(m, MODEL_BUSY);
	struct folio *folio;

	if (i < 0)
		return NULL;
	folio = pool_model_folio(m, i);
	if (folio_test_hugetlb_migratable(folio)) {
		pool_isolate(folio, &m->isolated);
		return m->isolated.prev == &folio->lru ? NULL : "not isolated";
	}
	pool_putback(m->pool, folio);
	return m->pool->active.prev == &folio->lru ? NULL : "not put back";
}

static const char *pool_step_reserve(struct pool_model *m)
{
	long n = pool_model_random(m, POOL_TEST_FOLIOS / 4);
	long missing = max(n - (long)pool_model_available(m), 0L);

	if (pool_reserve(m->pool, n) != missing)
		return "pool_reserve() miscounts what is missing";
	if (!missing)
		m->reserved += n;
	return NULL;
}

static const char *pool_step_unreserve(struct pool_model *m)
{
	long n = pool_model_random(m, m->reserved + m->owed + 1);
	long backed = min_t(long, n, m->reserved);

	pool_unreserve(m->pool, n);
	m->reserved -= backed;
	m->owed -= n - backed;
	return NULL;
}

static const char *pool_step_spend(struct pool_model *m)
{
	bool backed = m->reserved > 0;

	if (pool_spend(m->pool) != backed)
		return "pool_spend()";
	if (backed)
		pool_unspend(m->pool);
	return NULL;
}

static const char *pool_step_owe(struct pool_model *m)
{
	int i = pool_model_pick(m, MODEL_BUSY);

	if (i < 0 || m->owing[i])
		return NULL;
	pool_owe(m->pool, 1);
	m->owing[i] = true;
	m->owed++;
	return NULL;
}

static const char *pool_step_trim(struct pool_model *m)
{
	int hint = (int)pool_model_random(m, m->t.nodes + 1) - 1;
	int nid = hint < 0 ? NUMA_NO_NODE : m->t.nid[hint];
	struct folio *folio;
	int i, node, fit = 0;
	bool hint_fits = false;

	for (node = 0; node < m->t.nodes && pool_model_available(m); node++) {
		if (!m->surplus[node] || !pool_model_free(m, node))
			continue;
		fit++;
		hint_fits |= node == hint;
	}
	folio = pool_trim_one(m->pool, nid);
	if (!folio)
		return fit ? "an excess page was not trimmed" : NULL;
	i = folio - m->t.folio;
	node = pool_model_node(m, i);
	if (!fit || m->state[i] != MODEL_FREE || !m->surplus[node])
		return "trimmed a wrong page";
	if (hint_fits && node != hint)
		return "trimmed in spite of the hint";
	m->surplus[node]--;
	return pool_model_left(m, i);
}

/* How much a node can give to, or take from, the surplus. */
static unsigned long pool_model_room(struct pool_model *m, int node, bool adopt)
{
	if (adopt)
		return m->surplus[node];
	return pool_model_total(m, node) - m->surplus[node];
}

static unsigned long pool_model_moved(struct pool_model *m, int node)
{
	unsigned long now = m->pool->node[m->t.nid[node]].surplus;

	return max(now, m->surplus[node]) - min(now, m->surplus[node]);
}

/* Round robin: nobody is more than one turn ahead of a node that had room. */
static bool pool_model_fair(struct pool_model *m, const nodemask_t *nodes,
			    bool adopt)
{
	unsigned long most = 0;
	int node;

	for (node = 0; node < m->t.nodes; node++)
		most = max(most, pool_model_moved(m, node));
	for (node = 0; node < m->t.nodes; node++) {
		if (!node_isset(m->t.nid[node], *nodes))
			continue;
		if (pool_model_moved(m, node) + 1 < most &&
		    pool_model_moved(m, node) < pool_model_room(m, node, adopt))
			return false;
	}
	return true;
}

static const char *pool_step_shift(struct pool_model *m)
{
	unsigned long n = pool_model_random(m, POOL_TEST_FOLIOS / 4);
	bool adopt = pool_model_random(m, 2);
	unsigned long room = 0, moved;
	nodemask_t nodes;
	int node;

	nodes_clear(nodes);
	for (node = 0; node < m->t.nodes; node++) {
		if (!pool_model_random(m, 2))
			continue;
		node_set(m->t.nid[node], nodes);
		room += pool_model_room(m, node, adopt);
	}
	moved = adopt ? pool_adopt_surplus(m->pool, n, &nodes) :
			pool_mark_surplus(m->pool, n, &nodes);
	if (moved != min(n, room))
		return "surplus moved too little or too much";
	if (!pool_model_fair(m, &nodes, adopt))
		return "nodes did not take turns";

	for (node = 0; node < m->t.nodes; node++) {
		if (pool_model_moved(m, node) &&
		    !node_isset(m->t.nid[node], nodes))
			return "surplus moved on a node not asked for";
		moved -= pool_model_moved(m, node);
		m->surplus[node] = m->pool->node[m->t.nid[node]].surplus;
	}
	return moved ? "surplus moved is not what was told" : NULL;
}

static const char *pool_step_wish(struct pool_model *m)
{
	unsigned long surplus = 0;
	bool allowed;
	int node;

	m->overcommit = pool_model_random(m, POOL_TEST_FOLIOS);
	m->target = pool_model_random(m, POOL_TEST_FOLIOS);
	pool_set_overcommit(m->pool, m->overcommit);
	pool_set_target(m->pool, m->target);
	for (node = 0; node < m->t.nodes; node++)
		surplus += m->surplus[node];
	allowed = surplus < m->overcommit;
	return pool_surplus_allowed(m->pool) != allowed ?
	       "pool_surplus_allowed()" : NULL;
}

static const struct pool_step {
	const char	*name;
	const char	*(*run)(struct pool_model *m);
} pool_steps[] = {
	{ "add",		pool_step_add },
	{ "add",		pool_step_add },
	{ "add surplus",	pool_step_add_surplus },
	{ "add temporary",	pool_step_add_temporary },
	{ "remove",		pool_step_remove },
	{ "take from node",	pool_step_take_node },
	{ "take from node",	pool_step_take_node },
	{ "take folio",		pool_step_take_folio },
	{ "put",		pool_step_put },
	{ "put",		pool_step_put },
	{ "isolate, put back",	pool_step_isolate },
	{ "isolate, put back",	pool_step_isolate },
	{ "reserve",		pool_step_reserve },
	{ "unreserve",		pool_step_unreserve },
	{ "spend, unspend",	pool_step_spend },
	{ "owe",		pool_step_owe },
	{ "trim",		pool_step_trim },
	{ "adopt or mark",	pool_step_shift },
	{ "wish",		pool_step_wish },
};

static void pool_model_random_verbs(struct kunit *test)
{
	struct pool_model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	const struct pool_step *step;
	const char *wrong;
	unsigned long n;

	KUNIT_ASSERT_NOT_NULL(test, m);
	pool_test_create(test, &m->t);
	m->pool = m->t.pool;
	INIT_LIST_HEAD(&m->isolated);
	for (n = 0; n < POOL_TEST_STEPS; n++) {
		step = &pool_steps[pool_model_random(m, ARRAY_SIZE(pool_steps))];
		spin_lock_irq(&hugetlb_lock);
		wrong = step->run(m);
		if (!wrong)
			wrong = pool_model_compare(m);
		spin_unlock_irq(&hugetlb_lock);
		if (wrong) {
			KUNIT_FAIL(test, "step %lu, %s: %s", n, step->name,
				   wrong);
			return;
		}
	}
}

static struct kunit_case pool_model_cases[] = {
	KUNIT_CASE(pool_model_random_verbs),
	{}
};

static struct kunit_suite pool_model_suite = {
	.name = "hugetlb_pool",
	.test_cases = pool_model_cases,
};

kunit_test_suite(pool_model_suite);
