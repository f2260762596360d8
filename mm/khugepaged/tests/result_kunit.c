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

/* Those that MADV_COLLAPSE tells apart, madvise(2); all others are EINVAL. */
static int result_errno_expected(enum scan_result result)
{
	switch (result) {
	case SCAN_SUCCEED:
	case SCAN_PMD_MAPPED:
	case SCAN_HELD:
		return 0;
	case SCAN_ALLOC_HUGE_PAGE_FAIL:
		return -ENOMEM;
	case SCAN_CGROUP_CHARGE_FAIL:
	case SCAN_EXCEED_NONE_PTE:
		return -EBUSY;
	case SCAN_PAGE_COUNT:
	case SCAN_PAGE_LOCK:
	case SCAN_PAGE_LRU:
	case SCAN_DEL_PAGE_LRU:
	case SCAN_PAGE_FILLED:
		return -EAGAIN;
	default:
		return -EINVAL;
	}
}

static void result_errnos(struct kunit *test)
{
	enum scan_result r;

	for (r = 0; r < NR_SCAN_RESULTS; r++)
		KUNIT_EXPECT_EQ_MSG(test, result_errno_expected(r),
				    collapse_errno(r), "%s",
				    collapse_result_text(r));
}

/* MADV_COLLAPSE goes on after these, and ends after all others. */
static bool result_goes_on_expected(enum scan_result result)
{
	switch (result) {
	case SCAN_SUCCEED:
	case SCAN_HELD:
	case SCAN_PMD_MAPPED:
	case SCAN_PMD_NULL:
	case SCAN_PTE_NON_PRESENT:
	case SCAN_PTE_UFFD_WP:
	case SCAN_PAGE_RO:
	case SCAN_LACK_REFERENCED_PAGE:
	case SCAN_PAGE_NULL:
	case SCAN_PAGE_COUNT:
	case SCAN_PAGE_LOCK:
	case SCAN_PAGE_COMPOUND:
	case SCAN_PAGE_LRU:
	case SCAN_DEL_PAGE_LRU:
		return true;
	default:
		return false;
	}
}

static void result_goes_on(struct kunit *test)
{
	enum scan_result r;

	for (r = 0; r < NR_SCAN_RESULTS; r++)
		KUNIT_EXPECT_EQ_MSG(test, result_goes_on_expected(r),
				    collapse_goes_on(r), "%s",
				    collapse_result_text(r));
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
	KUNIT_CASE(result_errnos),
	KUNIT_CASE(result_goes_on),
	KUNIT_CASE(result_goes_smaller),
	{}
};

static struct kunit_suite result_suite = {
	.name		= "khugepaged_result",
	.test_cases	= result_cases,
};

kunit_test_suite(result_suite);
