/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A pool with made-up folios for pool_kunit.c and pool_rows_kunit.c.
 *
 * A folio here is memory that names a node but no page frame, so nothing may
 * look for the frame.  In tools/testing/hugepage a folio says itself whether
 * it is pinnable; in the kernel that lies with the frame and is not tested.
 */
#ifndef MM_HUGETLB_POOL_KUNIT_H
#define MM_HUGETLB_POOL_KUNIT_H

#include <kunit/test.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/spinlock.h>
#include "../pool/pool.h"

#ifndef POOL_TEST_STEPS
#define POOL_TEST_STEPS	20000
#endif

#ifndef POOL_TEST_SEED
#define POOL_TEST_SEED	0x9e3779b97f4a7c15ULL
#endif

#define POOL_TEST_ORDER		9
#define POOL_TEST_FOLIOS	48
#define POOL_TEST_NODES		4

#ifdef pool_test_set_pinnable
#define pool_test_can_pin	true
#else
#define pool_test_can_pin	false
static inline void pool_test_set_pinnable(struct folio *folio, bool yes) { }
#endif

/* Folio i lies on node number i % nodes, of which nid[] holds the real one. */
struct pool_test {
	struct hugetlb_pool	*pool;
	struct folio		*folio;
	u64			random;
	int			nodes;
	int			nid[POOL_TEST_NODES];
};

/* Into the state that pool_add() wants. */
static inline void pool_test_folio_init(struct pool_test *t, int i)
{
	struct folio *folio = &t->folio[i];

	memset(folio, 0, sizeof(*folio));
	folio->page.page_type = UINT_MAX;
	set_page_node(&folio->page, t->nid[i % t->nodes]);
	__folio_set_hugetlb(folio);
}

static inline void pool_test_create(struct kunit *test, struct pool_test *t)
{
	int nid, i;

	t->pool = kunit_kzalloc(test, sizeof(*t->pool), GFP_KERNEL);
	t->folio = kunit_kzalloc(test, POOL_TEST_FOLIOS * sizeof(*t->folio),
				 GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->pool);
	KUNIT_ASSERT_NOT_NULL(test, t->folio);

	t->nodes = 0;
	for_each_node_state(nid, N_MEMORY) {
		if (t->nodes < POOL_TEST_NODES)
			t->nid[t->nodes++] = nid;
	}
	KUNIT_ASSERT_GT(test, t->nodes, 0);
	for (i = 0; i < POOL_TEST_FOLIOS; i++) {
		pool_test_folio_init(t, i);
		KUNIT_ASSERT_EQ(test, folio_nid(&t->folio[i]),
				t->nid[i % t->nodes]);
	}
	pool_init(t->pool, POOL_TEST_ORDER);
	/* Zero is the one state that the generator never leaves. */
	t->random = POOL_TEST_SEED ?: 1;
}

/* xorshift64: the same steps in every run and on every machine. */
static inline unsigned int pool_test_random(struct pool_test *t,
					    unsigned int below)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return (u32)(t->random >> 16) % below;
}

#endif /* MM_HUGETLB_POOL_KUNIT_H */
