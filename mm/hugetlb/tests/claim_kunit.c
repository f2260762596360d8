// SPDX-License-Identifier: GPL-2.0
/*
 * Claims against the default pool: whatever fails, all counters are as found.
 *
 * A few pages are added to the pool, and the kernel's own mount gets a quota
 * where one is wanted.  Runs at boot, when nobody else uses either.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/nodemask.h>
#include <linux/workqueue.h>
#include "../reserve/reserve.h"

#define TEST_PAGES	6
#define TEST_SLOTS	5
#define TEST_STEPS	6
/* In the middle: taking it splits the region of its neighbours. */
#define TEST_SLOT	2

struct claim_counts {
	unsigned long	total;
	unsigned long	free;
	unsigned long	reserved;
	unsigned long	owed;
	unsigned long	surplus;
	long		used;
	long		held;
	long		slots;
	bool		present;
};

struct claim_test {
	struct hugetlb_pool	*pool;
	unsigned long		persistent;	/* before the test */
	struct file		*file;
	struct inode		*inode;
	struct resv_map		*map;		/* that counts look at */
	struct claim_counts	found;
	unsigned int		failing;	/* step, TEST_STEPS for none */
};

static struct hugetlb_quota *claim_test_quota(struct claim_test *t)
{
	return inode_quota(t->inode);
}

static long claim_test_slots(struct resv_map *map, long from, long to)
{
	if (map->kind == RESV_SHARED)
		return region_count(map, from, to);
	return resv_spent(map, from, to);
}

static void claim_test_count(struct claim_test *t, struct claim_counts *c)
{
	struct hugetlb_quota *quota = claim_test_quota(t);

	memset(c, 0, sizeof(*c));
	if (t->map) {
		c->slots = claim_test_slots(t->map, 0, TEST_SLOTS);
		c->present = claim_test_slots(t->map, TEST_SLOT, TEST_SLOT + 1);
	}
	if (quota) {
		c->used = quota_used(quota);
		c->held = quota->held;
	}
	spin_lock_irq(&hugetlb_lock);
	c->total = t->pool->total;
	c->free = t->pool->free;
	c->reserved = t->pool->reserved;
	c->owed = t->pool->owed;
	c->surplus = t->pool->surplus;
	spin_unlock_irq(&hugetlb_lock);
}

static void claim_test_remember(struct claim_test *t)
{
	claim_test_count(t, &t->found);
}

static void claim_test_expect_found(struct kunit *test, struct claim_test *t,
				    const char *what)
{
	const struct claim_counts *found = &t->found;
	struct claim_counts now;
	bool consistent;

	claim_test_count(t, &now);
	KUNIT_EXPECT_EQ_MSG(test, now.total, found->total, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, now.free, found->free, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, now.reserved, found->reserved, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, now.owed, found->owed, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, now.surplus, found->surplus, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, now.used, found->used, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, now.held, found->held, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, now.slots, found->slots, "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, now.present, found->present, "%s", what);

	spin_lock_irq(&hugetlb_lock);
	consistent = pool_consistent(t->pool);
	spin_unlock_irq(&hugetlb_lock);
	KUNIT_EXPECT_TRUE_MSG(test, consistent, "%s", what);
}

static void claim_test_resize(struct claim_test *t, unsigned long n)
{
	hugetlb_pool_resize(t->pool, n, NUMA_NO_NODE, &node_states[N_MEMORY]);
}

static void claim_test_overcommit(struct claim_test *t, unsigned long n)
{
	spin_lock_irq(&hugetlb_lock);
	pool_set_overcommit(t->pool, n);
	spin_unlock_irq(&hugetlb_lock);
}

static int claim_test_init(struct kunit *test)
{
	struct claim_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	if (!hugepages_supported())
		kunit_skip(test, "no huge pages on this machine");

	t->pool = hugetlb_default_pool();
	t->persistent = t->pool->total - t->pool->surplus;
	if (t->pool->free || t->pool->surplus || t->pool->overcommit_max)
		kunit_skip(test, "the pool is used by somebody else");
	claim_test_resize(t, t->persistent + TEST_PAGES);
	if (t->pool->free < TEST_PAGES) {
		claim_test_resize(t, t->persistent);
		kunit_skip(test, "no memory for huge pages");
	}

	t->file = hugetlb_file_setup("claim_kunit",
				     TEST_SLOTS * huge_page_size(&t->pool->h),
				     VM_NORESERVE, HUGETLB_ANONHUGE_INODE, 0);
	if (IS_ERR(t->file)) {
		claim_test_resize(t, t->persistent);
		return PTR_ERR(t->file);
	}
	t->inode = file_inode(t->file);
	t->map = inode_resv_map(t->inode);
	test->priv = t;
	return 0;
}

static void claim_test_set_quota(struct kunit *test, long max, long min)
{
	struct claim_test *t = test->priv;
	struct hugetlb_quota *quota;

	quota = hugetlb_quota_create(t->pool, max, min);
	KUNIT_ASSERT_NOT_NULL(test, quota);
	HUGETLBFS_SB(t->inode->i_sb)->spool = quota;
}

/* Returns what is left of the file's promises, then the quota. */
static void claim_test_exit(struct kunit *test)
{
	struct claim_test *t = test->priv;
	struct hugetlbfs_sb_info *sbi;

	if (!t)
		return;
	sbi = HUGETLBFS_SB(t->inode->i_sb);
	hugetlb_return_file(t->inode, 0, LONG_MAX, 0);
	if (sbi->spool)
		hugetlb_quota_release(sbi->spool);
	sbi->spool = NULL;
	fput(t->file);
	flush_delayed_fput();

	claim_test_overcommit(t, 0);
	claim_test_resize(t, t->persistent);
	KUNIT_EXPECT_EQ(test, t->pool->total, t->persistent);
	KUNIT_EXPECT_EQ(test, t->pool->reserved, 0);
	KUNIT_EXPECT_EQ(test, t->pool->owed, 0);
	KUNIT_EXPECT_EQ(test, t->pool->surplus, 0);
}

/* The counts of the mapping instead of those of the file. */
static struct resv_map *claim_test_own_map(struct kunit *test)
{
	struct claim_test *t = test->priv;

	t->map = hugetlb_promise_private(t->inode, 0, TEST_SLOTS);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->map);
	return t->map;
}

static void claim_test_drop_map(struct claim_test *t)
{
	hugetlb_return_private(t->inode, t->map, 0, TEST_SLOTS);
	resv_map_put(t->map);
	t->map = inode_resv_map(t->inode);
}

static int claim_test_prepare(struct claim_test *t, struct hugetlb_claim *claim,
			      struct resv_map *map)
{
	hugetlb_claim_init(claim, t->inode, map, TEST_SLOT);
	return hugetlb_claim_prepare(claim);
}

/* A page that is in use by nobody in particular. */
static struct folio *claim_test_page(struct claim_test *t)
{
	struct hugetlb_claim claim;

	if (claim_test_prepare(t, &claim, NULL))
		return NULL;
	hugetlb_claim_commit(&claim);
	return claim.folio;
}

/* Take all that nobody was promised.  Return: how many that were. */
static int claim_test_drain(struct kunit *test, struct folio **pages)
{
	struct claim_test *t = test->priv;
	int n = 0;

	while (n < TEST_PAGES + 2 && (pages[n] = claim_test_page(t)))
		n++;
	KUNIT_EXPECT_EQ(test, t->pool->free, t->pool->reserved);
	return n;
}

/* The file's slot is promised a page, all others are taken: how many. */
static int claim_test_promise_and_drain(struct kunit *test,
					struct folio **pages)
{
	struct claim_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, hugetlb_promise_file(t->inode, TEST_SLOT,
						   TEST_SLOT + 1), 0);
	return claim_test_drain(test, pages);
}

static void claim_test_refill(struct folio **pages, int n)
{
	while (n--)
		folio_put(pages[n]);
}

/* ---- every step fails, for every kind of slot ---- */

enum claim_slot {
	SLOT_NOBODY,
	SLOT_FILE_BARE,
	SLOT_FILE_PROMISED,
	SLOT_OWNER_PROMISED,
	SLOT_OWNER_SPENT,
};

struct claim_row_case {
	const char	*name;
	enum claim_slot	slot;
	long		max;
	long		min;
};

/* max 0 here: no quota at all. */
static const struct claim_row_case claim_row_cases[] = {
	{ "nobody's",				SLOT_NOBODY,	      0, 0 },
	{ "nobody's, maximum",			SLOT_NOBODY,	      8, 0 },
	{ "nobody's, minimum",			SLOT_NOBODY,	     -1, 2 },
	{ "file, bare",				SLOT_FILE_BARE,	      0, 0 },
	{ "file, bare, maximum",		SLOT_FILE_BARE,	      8, 0 },
	{ "file, bare, minimum",		SLOT_FILE_BARE,	      8, 2 },
	{ "file, promised",			SLOT_FILE_PROMISED,   0, 0 },
	{ "file, promised, maximum",		SLOT_FILE_PROMISED,   8, 0 },
	{ "file, promised, minimum",		SLOT_FILE_PROMISED,  -1, 2 },
	{ "owner, promised",			SLOT_OWNER_PROMISED,  0, 0 },
	{ "owner, promised, maximum",		SLOT_OWNER_PROMISED,  8, 0 },
	{ "owner, promised, minimum",		SLOT_OWNER_PROMISED,  8, 2 },
	{ "owner, spent",			SLOT_OWNER_SPENT,     0, 0 },
	{ "owner, spent, maximum",		SLOT_OWNER_SPENT,     8, 0 },
	{ "owner, spent, minimum",		SLOT_OWNER_SPENT,    -1, 2 },
};

static void claim_row_name(const struct claim_row_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(claim_row, claim_row_cases, claim_row_name);

static int claim_step_error(unsigned int step)
{
	struct kunit *test = kunit_get_current_test();
	struct claim_test *t = test->priv;

	return step == t->failing ? -ENOMEM : 0;
}

static struct resv_map *claim_row_map(struct kunit *test, enum claim_slot slot)
{
	struct claim_test *t = test->priv;

	switch (slot) {
	case SLOT_NOBODY:
		return NULL;
	case SLOT_FILE_PROMISED:
		KUNIT_ASSERT_EQ(test, hugetlb_promise_file(t->inode, 0,
							   TEST_SLOTS - 1), 0);
		fallthrough;
	case SLOT_FILE_BARE:
		return t->map;
	case SLOT_OWNER_PROMISED:
	case SLOT_OWNER_SPENT:
		return claim_test_own_map(test);
	}
	return NULL;
}

static void claim_row_run(struct kunit *test, struct resv_map *map)
{
	struct claim_test *t = test->priv;
	struct hugetlb_claim claim;

	kunit_activate_static_stub(test, hugetlb_claim_step_error,
				   claim_step_error);
	claim_test_remember(t);
	for (t->failing = 0; t->failing < TEST_STEPS; t->failing++) {
		KUNIT_EXPECT_EQ(test, claim_test_prepare(t, &claim, map),
				-ENOMEM);
		claim_test_expect_found(test, t, "after a step failed");
	}
	KUNIT_ASSERT_EQ(test, claim_test_prepare(t, &claim, map), 0);
	/* Who copies a page that is the owner's anyway asks for no memory. */
	if (claim.promise == SPENT)
		KUNIT_EXPECT_EQ(test, claim.spares.n, 0);
	hugetlb_claim_cancel(&claim);
	claim_test_expect_found(test, t, "after cancel");
	kunit_deactivate_static_stub(test, hugetlb_claim_step_error);
}

static void claim_steps_undone(struct kunit *test)
{
	const struct claim_row_case *c = test->param_value;
	struct claim_test *t = test->priv;
	struct folio *spent = NULL;
	struct hugetlb_claim claim;
	struct resv_map *map;

	if (c->max)
		claim_test_set_quota(test, c->max, c->min);
	map = claim_row_map(test, c->slot);
	if (c->slot == SLOT_OWNER_SPENT) {
		KUNIT_ASSERT_EQ(test, claim_test_prepare(t, &claim, map), 0);
		hugetlb_claim_commit(&claim);
		spent = claim.folio;
	}

	if (!map)
		t->map = NULL;
	claim_row_run(test, map);
	t->map = t->map ?: inode_resv_map(t->inode);

	if (spent)
		folio_put(spent);
	if (t->map != inode_resv_map(t->inode))
		claim_test_drop_map(t);
}

/* ---- what a committed claim leaves behind ---- */

/* A page enters its file and leaves it again, by hole punching. */
static void claim_file_round(struct kunit *test)
{
	struct claim_test *t = test->priv;
	struct region_spares spares;
	struct hugetlb_claim claim;

	claim_test_set_quota(test, 3, 1);
	claim_test_remember(t);
	region_spares_init(&spares);
	KUNIT_ASSERT_EQ(test, region_spares_fill(&spares, 1), 0);

	KUNIT_ASSERT_EQ(test, claim_test_prepare(t, &claim, t->map), 0);
	hugetlb_claim_commit(&claim);
	KUNIT_EXPECT_TRUE(test, region_present(t->map, TEST_SLOT));
	KUNIT_EXPECT_EQ(test, quota_used(claim_test_quota(t)), 1);

	hugetlb_return_slots(t->inode, TEST_SLOT, TEST_SLOT + 1, &spares);
	region_spares_drop(&spares);
	KUNIT_EXPECT_EQ(test, quota_used(claim_test_quota(t)), 1);
	folio_put(claim.folio);
	claim_test_expect_found(test, t, "after the hole was punched");
}

/* The owner's page goes, the owner's promise is back. */
static void claim_owner_round(struct kunit *test)
{
	struct claim_test *t = test->priv;
	struct hugetlb_claim claim;
	struct resv_map *map;

	claim_test_set_quota(test, TEST_SLOTS, 0);
	map = claim_test_own_map(test);
	claim_test_remember(t);

	KUNIT_ASSERT_EQ(test, claim_test_prepare(t, &claim, map), 0);
	hugetlb_claim_commit(&claim);
	KUNIT_EXPECT_EQ(test, resv_spent(map, TEST_SLOT, TEST_SLOT + 1), 1);

	KUNIT_EXPECT_EQ(test, hugetlb_promise_restore(map, TEST_SLOT,
						      &claim.folio, 1), 1);
	KUNIT_EXPECT_EQ(test, hugetlb_promise_restore(map, TEST_SLOT,
						      &claim.folio, 1), 0);
	KUNIT_EXPECT_EQ(test, t->pool->owed, 1);
	folio_put(claim.folio);
	claim_test_expect_found(test, t, "after unmapping");
	claim_test_drop_map(t);
}

/* ---- pools that run dry ---- */

static void claim_pool_dry(struct kunit *test)
{
	struct claim_test *t = test->priv;
	struct folio *pages[TEST_PAGES + 2];
	struct hugetlb_claim claim;
	int n;

	claim_test_remember(t);
	n = claim_test_drain(test, pages);
	KUNIT_EXPECT_GE(test, n, TEST_PAGES);
	KUNIT_EXPECT_EQ(test, claim_test_prepare(t, &claim, t->map), -ENOSPC);
	KUNIT_EXPECT_EQ(test, hugetlb_promise_file(t->inode, 0, 1), -ENOMEM);
	claim_test_refill(pages, n);
	claim_test_expect_found(test, t, "after all pages came back");
}

/* Two pages beyond the size, and they go when nobody needs them. */
static void claim_pool_overcommit(struct kunit *test)
{
	struct claim_test *t = test->priv;
	struct folio *pages[TEST_PAGES + 2], *extra;
	struct hugetlb_claim claim;
	int n;

	claim_test_remember(t);
	n = claim_test_drain(test, pages);
	claim_test_overcommit(t, 2);
	extra = claim_test_page(t);
	KUNIT_ASSERT_NOT_NULL(test, extra);
	KUNIT_EXPECT_EQ(test, hugetlb_promise_file(t->inode, 0, 2), -ENOMEM);
	KUNIT_EXPECT_EQ(test, hugetlb_promise_file(t->inode, TEST_SLOT,
						   TEST_SLOT + 1), 0);
	KUNIT_EXPECT_EQ(test, t->pool->surplus, 2);

	KUNIT_EXPECT_EQ(test, claim_test_prepare(t, &claim, NULL), -ENOSPC);
	KUNIT_ASSERT_EQ(test, claim_test_prepare(t, &claim, t->map), 0);
	hugetlb_claim_cancel(&claim);
	KUNIT_EXPECT_EQ(test, t->pool->surplus, 2);

	hugetlb_return_file(t->inode, 0, LONG_MAX, 0);
	KUNIT_EXPECT_EQ(test, t->pool->surplus, 1);
	folio_put(extra);
	claim_test_refill(pages, n);
	claim_test_expect_found(test, t, "after the surplus was returned");
}

/* A claim is cancelled whose page has a reader.  Return: the page. */
static struct folio *claim_test_owe(struct kunit *test)
{
	struct claim_test *t = test->priv;
	struct hugetlb_claim claim;
	struct folio *held;

	KUNIT_ASSERT_EQ(test, claim_test_prepare(t, &claim, t->map), 0);
	held = claim.folio;
	folio_get(held);
	hugetlb_claim_cancel(&claim);
	KUNIT_EXPECT_EQ(test, t->pool->owed, 1);
	return held;
}

/* The promised page is held by a reader: try again until it is back. */
static void claim_page_owed(struct kunit *test)
{
	struct claim_test *t = test->priv;
	struct folio *pages[TEST_PAGES + 2];
	struct hugetlb_claim claim;
	struct folio *held;
	int n;

	n = claim_test_promise_and_drain(test, pages);
	claim_test_remember(t);

	held = claim_test_owe(test);
	KUNIT_EXPECT_EQ(test, claim_test_prepare(t, &claim, t->map), -EAGAIN);
	KUNIT_EXPECT_EQ(test, claim_test_prepare(t, &claim, NULL), -ENOSPC);
	folio_put(held);
	claim_test_expect_found(test, t, "after the reader was done");

	KUNIT_ASSERT_EQ(test, claim_test_prepare(t, &claim, t->map), 0);
	hugetlb_claim_cancel(&claim);
	claim_test_refill(pages, n);
}

/* ---- pages that are freed together ---- */

/* The last references of all of them go at once. */
static void claim_test_free(struct kunit *test, struct folio **pages,
			    unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		KUNIT_EXPECT_TRUE(test, folio_ref_freeze(pages[i], 1));
	free_huge_folios(pages, n);
}

static void claim_free_many(struct kunit *test)
{
	struct claim_test *t = test->priv;
	struct folio *pages[TEST_PAGES + 2];

	claim_test_remember(t);
	claim_test_free(test, pages, claim_test_drain(test, pages));
	claim_test_expect_found(test, t, "after all were freed at once");

	/* One unit stays with the mount. */
	claim_test_set_quota(test, -1, 1);
	claim_test_remember(t);
	claim_test_free(test, pages, claim_test_drain(test, pages));
	claim_test_expect_found(test, t, "after the mount's pages were freed");
}

/* A page of the mount between others, and one that is temporary. */
static void claim_free_mixed(struct kunit *test)
{
	struct hugetlbfs_sb_info *sbi;
	struct claim_test *t = test->priv;
	struct folio *pages[4];
	unsigned int i;

	sbi = HUGETLBFS_SB(t->inode->i_sb);
	claim_test_remember(t);
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		if (i == 1)
			claim_test_set_quota(test, 2, 0);
		pages[i] = claim_test_page(t);
		KUNIT_ASSERT_NOT_NULL(test, pages[i]);
		if (i == 2) {
			hugetlb_quota_release(sbi->spool);
			sbi->spool = NULL;
		}
	}
	folio_set_hugetlb_temporary(pages[0]);
	claim_test_free(test, pages, ARRAY_SIZE(pages));
	t->found.total--;
	t->found.free--;
	claim_test_expect_found(test, t, "after a mixed lot was freed");
}

/* A promise that waits for a page gets one before surplus goes. */
static void claim_free_surplus(struct kunit *test)
{
	struct claim_test *t = test->priv;
	struct folio *pages[TEST_PAGES + 2], *extra[2], *held;
	int n;

	KUNIT_ASSERT_EQ(test, hugetlb_promise_file(t->inode, TEST_SLOT,
						   TEST_SLOT + 1), 0);
	claim_test_remember(t);
	n = claim_test_drain(test, pages);
	held = claim_test_owe(test);
	claim_test_overcommit(t, 2);
	extra[0] = claim_test_page(t);
	extra[1] = claim_test_page(t);
	KUNIT_ASSERT_NOT_NULL(test, extra[0]);
	KUNIT_ASSERT_NOT_NULL(test, extra[1]);
	KUNIT_EXPECT_EQ(test, t->pool->surplus, 2);

	claim_test_free(test, extra, 2);
	KUNIT_EXPECT_EQ(test, t->pool->owed, 0);
	KUNIT_EXPECT_EQ(test, t->pool->reserved, 1);
	KUNIT_EXPECT_EQ(test, t->pool->surplus, 1);
	folio_put(held);
	KUNIT_EXPECT_EQ(test, t->pool->surplus, 0);
	claim_test_refill(pages, n);
	claim_test_expect_found(test, t, "after all pages came back");
}

/* ---- quotas ---- */

static void claim_quota_full(struct kunit *test)
{
	struct claim_test *t = test->priv;
	struct hugetlb_claim claim;
	struct folio *page;

	claim_test_set_quota(test, 1, 0);
	claim_test_remember(t);
	KUNIT_EXPECT_EQ(test, hugetlb_promise_file(t->inode, 0, 2), -ENOSPC);
	claim_test_expect_found(test, t, "after too much was asked for");

	page = claim_test_page(t);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, claim_test_prepare(t, &claim, t->map), -ENOSPC);
	KUNIT_EXPECT_EQ(test, hugetlb_promise_file(t->inode, 0, 1), -ENOSPC);
	folio_put(page);
	claim_test_expect_found(test, t, "after the page was freed");
}

/* The second taker gets nothing, and takes nothing from the minimum. */
static void claim_quota_minimum(struct kunit *test)
{
	struct claim_test *t = test->priv;
	struct folio *pages[TEST_PAGES + 2];
	struct hugetlb_claim first, second;
	int n;

	claim_test_set_quota(test, -1, 1);
	hugetlb_claim_init(&first, t->inode, NULL, 0);
	KUNIT_ASSERT_EQ(test, hugetlb_claim_prepare(&first), 0);
	KUNIT_EXPECT_EQ(test, t->pool->reserved, 0);
	n = claim_test_drain(test, pages);
	claim_test_remember(t);

	hugetlb_claim_init(&second, t->inode, NULL, 1);
	KUNIT_EXPECT_EQ(test, hugetlb_claim_prepare(&second), -ENOSPC);
	KUNIT_EXPECT_EQ(test, hugetlb_promise_file(t->inode, 0, 1), -ENOMEM);
	claim_test_expect_found(test, t, "after the second taker failed");

	claim_test_refill(pages, n);
	hugetlb_claim_cancel(&first);
	KUNIT_EXPECT_EQ(test, t->pool->reserved, 1);
	KUNIT_EXPECT_EQ(test, quota_used(claim_test_quota(t)), 0);
}

/* Unmounted while two pages are pinned: the second one ends it. */
static void claim_quota_outlives_mount(struct kunit *test)
{
	struct claim_test *t = test->priv;
	struct hugetlbfs_sb_info *sbi = HUGETLBFS_SB(t->inode->i_sb);
	struct folio *page[2];

	claim_test_remember(t);
	claim_test_set_quota(test, -1, 3);
	page[0] = claim_test_page(t);
	page[1] = claim_test_page(t);
	KUNIT_ASSERT_NOT_NULL(test, page[0]);
	KUNIT_ASSERT_NOT_NULL(test, page[1]);

	hugetlb_quota_release(sbi->spool);
	sbi->spool = NULL;
	KUNIT_EXPECT_EQ(test, t->pool->reserved, 1);
	folio_put(page[0]);
	KUNIT_EXPECT_EQ(test, t->pool->reserved, 2);
	folio_put(page[1]);
	claim_test_expect_found(test, t, "after the last page was freed");
}

/* ---- pages of memfd files ---- */

static struct folio *claim_test_memfd_page(struct claim_test *t)
{
	gfp_t gfp = htlb_alloc_mask(&t->pool->h);

	return alloc_hugetlb_folio_reserve(&t->pool->h, NUMA_NO_NODE, NULL,
					   gfp & ~__GFP_MOVABLE);
}

/* The last page but none: it was promised to the slot, or to another one. */
static void claim_adopt_promised(struct kunit *test)
{
	struct claim_test *t = test->priv;
	struct folio *pages[TEST_PAGES + 2];
	struct folio *page;
	int n;

	n = claim_test_promise_and_drain(test, pages);
	claim_test_remember(t);

	page = claim_test_memfd_page(t);
	if (!page) {
		claim_test_refill(pages, n);
		kunit_skip(test, "the pool has movable pages only");
	}
	KUNIT_EXPECT_EQ(test, hugetlb_adopt_reserved(t->inode, 0, page),
			-ENOMEM);
	folio_put(page);
	claim_test_expect_found(test, t, "after a slot without a promise");

	page = claim_test_memfd_page(t);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, hugetlb_adopt_reserved(t->inode, TEST_SLOT,
						     page), 0);
	KUNIT_EXPECT_EQ(test, t->pool->reserved, 0);
	KUNIT_EXPECT_EQ(test, t->pool->owed, 0);
	KUNIT_EXPECT_TRUE(test, region_present(t->map, TEST_SLOT));

	hugetlb_return_file(t->inode, 0, LONG_MAX, 1);
	folio_put(page);
	claim_test_refill(pages, n);
}

static void claim_adopt_unpromised(struct kunit *test)
{
	struct claim_test *t = test->priv;
	struct folio *page;

	claim_test_set_quota(test, 1, 0);
	claim_test_remember(t);
	page = claim_test_memfd_page(t);
	if (!page)
		kunit_skip(test, "the pool has movable pages only");
	KUNIT_EXPECT_EQ(test, hugetlb_adopt_reserved(t->inode, TEST_SLOT,
						     page), 0);
	KUNIT_EXPECT_EQ(test, quota_used(claim_test_quota(t)), 1);
	KUNIT_EXPECT_EQ(test, t->pool->reserved, t->found.reserved);

	hugetlb_return_file(t->inode, 0, LONG_MAX, 1);
	folio_put(page);
	claim_test_expect_found(test, t, "after truncation");
}

/* Without a promise, with a page of nobody's, while another is on its way. */
static void claim_adopt_while_owed(struct kunit *test)
{
	struct claim_test *t = test->priv;
	struct folio *pages[TEST_PAGES + 2];
	struct folio *held, *page;
	int n;

	n = claim_test_promise_and_drain(test, pages);
	folio_put(pages[--n]);
	held = claim_test_owe(test);
	page = claim_test_memfd_page(t);
	if (page) {
		KUNIT_EXPECT_EQ(test,
				hugetlb_adopt_reserved(t->inode, 0, page), 0);
		KUNIT_EXPECT_EQ(test, t->pool->owed, 1);
		folio_put(page);
	}
	folio_put(held);
	KUNIT_EXPECT_EQ(test, t->pool->reserved, 1);
	hugetlb_return_file(t->inode, 0, LONG_MAX, page ? 1 : 0);
	claim_test_refill(pages, n);
}

struct claim_test_late {
	struct delayed_work	work;
	struct folio		*folio;
};

static void claim_test_put_late(struct work_struct *work)
{
	folio_put(container_of(to_delayed_work(work), struct claim_test_late,
			       work)->folio);
}

/* The promised page is not there yet. */
static void claim_adopt_waits(struct kunit *test)
{
	struct claim_test *t = test->priv;
	struct folio *pages[TEST_PAGES + 2];
	struct claim_test_late late;
	struct folio *page;
	int n;

	n = claim_test_promise_and_drain(test, pages);
	late.folio = claim_test_owe(test);
	INIT_DELAYED_WORK_ONSTACK(&late.work, claim_test_put_late);
	schedule_delayed_work(&late.work, HZ / 20);
	page = claim_test_memfd_page(t);
	flush_delayed_work(&late.work);
	destroy_delayed_work_on_stack(&late.work);

	KUNIT_EXPECT_NOT_NULL(test, page);
	if (page) {
		KUNIT_EXPECT_EQ(test,
				hugetlb_adopt_reserved(t->inode, TEST_SLOT,
						       page), 0);
		KUNIT_EXPECT_EQ(test, t->pool->reserved, 0);
		KUNIT_EXPECT_EQ(test, t->pool->owed, 0);
		folio_put(page);
	}
	hugetlb_return_file(t->inode, 0, LONG_MAX, page ? 1 : 0);
	claim_test_refill(pages, n);
}

static void claim_adopt_surplus(struct kunit *test)
{
	struct claim_test *t = test->priv;
	struct folio *pages[TEST_PAGES + 2];
	struct folio *page;
	int n;

	claim_test_remember(t);
	n = claim_test_drain(test, pages);
	KUNIT_EXPECT_NULL(test, claim_test_memfd_page(t));
	claim_test_overcommit(t, 1);
	page = claim_test_memfd_page(t);
	KUNIT_EXPECT_NOT_NULL(test, page);
	if (page) {
		KUNIT_EXPECT_EQ(test, t->pool->surplus, 1);
		KUNIT_EXPECT_EQ(test,
				hugetlb_adopt_reserved(t->inode, 0, page), 0);
		hugetlb_return_file(t->inode, 0, LONG_MAX, 1);
		folio_put(page);
	}
	claim_test_refill(pages, n);
	claim_test_expect_found(test, t, "after truncation");
}

/* ---- slots that two mappings own after mremap() could not unmap one ---- */

static void claim_twin_round(struct kunit *test, long from, long to,
			     long then_from, long then_to)
{
	struct claim_test *t = test->priv;
	struct hugetlb_claim claim;
	struct resv_map *map;

	claim_test_remember(t);
	map = hugetlb_promise_private(t->inode, 0, TEST_SLOTS);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, map);
	KUNIT_EXPECT_EQ(test, claim_test_prepare(t, &claim, map), 0);
	hugetlb_claim_commit(&claim);

	KUNIT_EXPECT_EQ(test, hugetlb_promise_twin(map, 1, 3), 0);
	KUNIT_EXPECT_EQ(test, hugetlb_promise_twin(map, 0, 2), -ENOMEM);
	hugetlb_return_private(t->inode, map, from, to);
	hugetlb_return_private(t->inode, map, then_from, then_to);
	resv_map_put(map);
	folio_put(claim.folio);
	claim_test_expect_found(test, t, "after both owners were closed");
}

/* Slot 2 is spent, 0, 3 and 4 have one owner. */
static void claim_twins(struct kunit *test)
{
	struct claim_test *t = test->priv;
	struct resv_map *map;

	claim_twin_round(test, 1, 3, 0, TEST_SLOTS);
	claim_twin_round(test, 0, TEST_SLOTS, 1, 3);

	map = hugetlb_promise_private(t->inode, 0, TEST_SLOTS);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, map);
	KUNIT_EXPECT_EQ(test, hugetlb_promise_twin(map, 1, 3), 0);
	hugetlb_return_private(t->inode, map, 2, 4);
	KUNIT_EXPECT_EQ(test, t->pool->reserved, TEST_SLOTS - 1);
	hugetlb_return_private(t->inode, map, 1, 3);
	KUNIT_EXPECT_EQ(test, t->pool->reserved, TEST_SLOTS - 2);
	hugetlb_return_private(t->inode, map, 0, 2);
	hugetlb_return_private(t->inode, map, 4, 5);
	KUNIT_EXPECT_EQ(test, t->pool->reserved, 0);
	resv_map_put(map);
}

static struct kunit_case claim_cases[] = {
	KUNIT_CASE_PARAM(claim_steps_undone, claim_row_gen_params),
	KUNIT_CASE(claim_file_round),
	KUNIT_CASE(claim_owner_round),
	KUNIT_CASE(claim_pool_dry),
	KUNIT_CASE(claim_pool_overcommit),
	KUNIT_CASE(claim_page_owed),
	KUNIT_CASE(claim_free_many),
	KUNIT_CASE(claim_free_mixed),
	KUNIT_CASE(claim_free_surplus),
	KUNIT_CASE(claim_quota_full),
	KUNIT_CASE(claim_quota_minimum),
	KUNIT_CASE(claim_quota_outlives_mount),
	KUNIT_CASE(claim_adopt_promised),
	KUNIT_CASE(claim_adopt_unpromised),
	KUNIT_CASE(claim_adopt_while_owed),
	KUNIT_CASE(claim_adopt_waits),
	KUNIT_CASE(claim_adopt_surplus),
	KUNIT_CASE(claim_twins),
	{}
};

static struct kunit_suite claim_suite = {
	.name = "hugetlb_claim",
	.init = claim_test_init,
	.exit = claim_test_exit,
	.test_cases = claim_cases,
};

kunit_test_suite(claim_suite);
