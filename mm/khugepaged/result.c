// SPDX-License-Identifier: GPL-2.0
/*
 * Outcomes: answers from the rows of result.h.  Pure: also built as a user
 * program, tools/testing/hugepage.
 */
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/bug.h>

#include "result.h"

static const struct collapse_result_row {
	const char	*text;
	int		err;
	bool		goes_on;
	bool		goes_smaller;
} collapse_result_rows[] = {
#define COLLAPSE_RESULT_ROW(name, words, code, on, part)		\
	[name] = { .text = words, .err = -(code),			\
		   .goes_on = (on), .goes_smaller = (part) },
	COLLAPSE_RESULTS(COLLAPSE_RESULT_ROW, COLLAPSE_RESULT_ROW)
#undef COLLAPSE_RESULT_ROW
};

static const struct collapse_result_row *collapse_result_row(enum scan_result result)
{
	static_assert(ARRAY_SIZE(collapse_result_rows) == NR_SCAN_RESULTS);

	if (WARN_ON_ONCE(result >= NR_SCAN_RESULTS))
		result = SCAN_FAIL;
	return &collapse_result_rows[result];
}

/**
 * collapse_result_text() - what people call an outcome
 * @result: of scanning or collapsing
 *
 * Context: any.
 * Return: the word that trace events print.
 */
const char *collapse_result_text(enum scan_result result)
{
	return collapse_result_row(result)->text;
}

/**
 * collapse_errno() - what MADV_COLLAPSE answers
 * @result: of the last range that could not be collapsed
 *
 * Context: any.
 * Return: negative error number; 0 for outcomes that are as good as a collapse.
 */
int collapse_errno(enum scan_result result)
{
	return collapse_result_row(result)->err;
}

/**
 * collapse_goes_on() - may the next window fare better?
 * @result: of a window
 *
 * Context: any.
 * Return: whether MADV_COLLAPSE goes on with the next window.
 */
bool collapse_goes_on(enum scan_result result)
{
	return collapse_result_row(result)->goes_on;
}

/**
 * collapse_goes_smaller() - may a part of the range fare better?
 * @result: of a range that was judged, or tried and given up
 *
 * Context: any.
 * Return: whether smaller orders are worth a try in the same window.
 */
bool collapse_goes_smaller(enum scan_result result)
{
	return collapse_result_row(result)->goes_smaller;
}
