// SPDX-License-Identifier: GPL-2.0
/*
 * Outcomes: what scripts and programs read, row by row as Linux 6.12 has it,
 * and what has to hold for every row.
 *
 * Built into the kernel and into tools/testing/hugepage.
 */
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/string.h>
#include "../result.h"

/* Every outcome has a word of its own. */
static void result_texts(struct kunit *test)
{
	enum scan_result a, b;

	for (a = 0; a < NR_SCAN_RESULTS; a++) {
		KUNIT_ASSERT_NOT_NULL(test, collapse_result_text(a));
		KUNIT_EXPECT_FALSE(test, strpbrk(collapse_result_text(a), " \t\n"));
		for (b = 0; b < a; b++)
			KUNIT_EXPECT_TRUE_MSG(test, strcmp(collapse_result_text(a),
							   collapse_result_text(b)),
					      "%u and %u are %s", a, b,
					      collapse_result_text(a));
	}
}

/*
 * Outcomes with an answer of their own from MADV_COLLAPSE, madvise(2), or after
 * which it goes on.  Of all others it makes EINVAL, and stops.
 */
static const struct result_row {
	const char	*text;
	int		err;
	bool		goes_on;
} result_rows[] = {
	{ "already_held", 0, true },
	{ "page_pmd_mapped", 0, true },
	{ "succeeded", 0, true },
	{ "alloc_huge_page_failed", -ENOMEM },
	{ "ccgroup_charge_failed", -EBUSY },
	{ "exceed_none_pte", -EBUSY },
	{ "page_filled", -EAGAIN },
	{ "could_not_delete_page_from_lru", -EAGAIN, true },
	{ "not_suitable_page_count", -EAGAIN, true },
	{ "page_locked", -EAGAIN, true },
	{ "page_not_in_lru", -EAGAIN, true },
	{ "lack_referenced_page", -EINVAL, true },
	{ "no_writable_page", -EINVAL, true },
	{ "page_compound", -EINVAL, true },
	{ "page_null", -EINVAL, true },
	{ "pmd_null", -EINVAL, true },
	{ "pte_non_present", -EINVAL, true },
	{ "pte_uffd_wp", -EINVAL, true },
};

static const struct result_row *result_row(const char *text)
{
	static const struct result_row other = { NULL, -EINVAL };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(result_rows); i++) {
		if (!strcmp(result_rows[i].text, text))
			return &result_rows[i];
	}
	return &other;
}

static void result_answers(struct kunit *test)
{
	const struct result_row *row;
	unsigned int special = 0;
	enum scan_result r;

	for (r = 0; r < NR_SCAN_RESULTS; r++) {
		row = result_row(collapse_result_text(r));
		special += !!row->text;
		KUNIT_EXPECT_EQ_MSG(test, row->err, collapse_errno(r), "%s",
				    collapse_result_text(r));
		KUNIT_EXPECT_EQ_MSG(test, row->goes_on, collapse_goes_on(r),
				    "%s", collapse_result_text(r));
	}
	/* No word of the table is one that nobody says. */
	KUNIT_EXPECT_EQ(test, special, (unsigned int)ARRAY_SIZE(result_rows));
}

/* What does not depend on the size of the range is not tried again, smaller. */
static void result_goes_smaller(struct kunit *test)
{
	static const enum scan_result leave[] = {
		SCAN_SUCCEED, SCAN_HELD, SCAN_PMD_MAPPED, SCAN_PMD_NULL,
		SCAN_PMD_NONE, SCAN_ANY_PROCESS, SCAN_VMA_NULL, SCAN_VMA_CHECK,
		SCAN_ADDRESS_RANGE, SCAN_PTE_MAPPED_HUGEPAGE,
	};
	static const enum scan_result smaller[] = {
		SCAN_FAIL, SCAN_EXCEED_NONE_PTE, SCAN_EXCEED_SWAP_PTE,
		SCAN_EXCEED_SHARED_PTE, SCAN_PAGE_RO, SCAN_LACK_REFERENCED_PAGE,
		SCAN_PAGE_COUNT, SCAN_PAGE_LOCK, SCAN_ALLOC_HUGE_PAGE_FAIL,
		SCAN_CGROUP_CHARGE_FAIL, SCAN_COPY_MC,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(leave); i++)
		KUNIT_EXPECT_FALSE(test, collapse_goes_smaller(leave[i]));
	for (i = 0; i < ARRAY_SIZE(smaller); i++)
		KUNIT_EXPECT_TRUE(test, collapse_goes_smaller(smaller[i]));
}

static struct kunit_case result_cases[] = {
	KUNIT_CASE(result_texts),
	KUNIT_CASE(result_answers),
	KUNIT_CASE(result_goes_smaller),
	{}
};

static struct kunit_suite result_suite = {
	.name		= "khugepaged_result",
	.test_cases	= result_cases,
};

kunit_test_suite(result_suite);
