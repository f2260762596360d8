/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of KUnit as the tests of the pure rooms use.  Suites register
 * themselves before main() runs; main.c runs them.
 */
#ifndef HUGEPAGE_SHIM_KUNIT_TEST_H
#define HUGEPAGE_SHIM_KUNIT_TEST_H

#include <linux/list.h>
#include <linux/types.h>
#include <setjmp.h>
#include <stdio.h>

#define KUNIT_PARAM_DESC_SIZE	128

struct kunit {
	const char		*name;
	void			*priv;
	const void		*param_value;
	bool			failed;
	bool			skipped;
	jmp_buf			leave;
	struct list_head	actions;	/* run backwards at the end */
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
	const void *(*generate_params)(const void *prev, char *desc);
};

struct kunit_suite {
	const char name[256];
	int (*suite_init)(struct kunit_suite *suite);
	void (*suite_exit)(struct kunit_suite *suite);
	int (*init)(struct kunit *test);
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases;
};

void harness_add_suite(struct kunit_suite *suite);
void __printf(5, 6) harness_fail(struct kunit *test, bool leave,
				 const char *file, int line,
				 const char *fmt, ...);
void __noreturn harness_leave(struct kunit *test);

#define KUNIT_CASE(fn)			{ .run_case = (fn), .name = #fn }
#define KUNIT_CASE_SLOW(fn)		KUNIT_CASE(fn)
#define KUNIT_CASE_PARAM(fn, gen)					\
	{ .run_case = (fn), .name = #fn, .generate_params = (gen) }

#define KUNIT_ARRAY_PARAM(name, array, get_desc)			\
static const void *name##_gen_params(const void *prev, char *desc)	\
{									\
	void (*tell)(typeof(&(array)[0]) row, char *text) = (get_desc);	\
	typeof(&(array)[0]) next = prev;				\
									\
	next = next ? next + 1 : (array);				\
	if (next - (array) >= (long)ARRAY_SIZE(array))			\
		return NULL;						\
	if (tell)							\
		tell(next, desc);					\
	return next;							\
}

#define kunit_test_suites(suites...)					\
static void __attribute__((constructor)) harness_register_suites(void)	\
{									\
	struct kunit_suite *const list[] = { suites };			\
									\
	for (size_t i = 0; i < ARRAY_SIZE(list); i++)			\
		harness_add_suite(list[i]);				\
}

#define kunit_test_init_section_suites(suites...)			\
	kunit_test_suites(suites)
#define kunit_test_suite(suite)		kunit_test_suites(&(suite))

/* ---- expectations go on, assertions end the test case ---- */

#define HARNESS_BINARY(test, leave, left, op, right, note, ...)		\
do {									\
	const typeof(left) left_ = (left);				\
	const typeof(right) right_ = (right);				\
									\
	if (!(left_ op right_))						\
		harness_fail(test, leave, __FILE__, __LINE__,		\
			     "%s " #op " %s, but %lld, %lld. " note,	\
			     #left, #right,				\
			     (long long)(intptr_t)left_,		\
			     (long long)(intptr_t)right_, ##__VA_ARGS__); \
} while (0)

#define HARNESS_UNARY(test, leave, cond, text, note, ...)		\
do {									\
	if (!(cond))							\
		harness_fail(test, leave, __FILE__, __LINE__,		\
			     "%s. " note, text, ##__VA_ARGS__);		\
} while (0)

#define KUNIT_EXPECT_EQ(t, l, r)	HARNESS_BINARY(t, false, l, ==, r, "")
#define KUNIT_EXPECT_NE(t, l, r)	HARNESS_BINARY(t, false, l, !=, r, "")
#define KUNIT_EXPECT_LT(t, l, r)	HARNESS_BINARY(t, false, l, <, r, "")
#define KUNIT_EXPECT_LE(t, l, r)	HARNESS_BINARY(t, false, l, <=, r, "")
#define KUNIT_EXPECT_GT(t, l, r)	HARNESS_BINARY(t, false, l, >, r, "")
#define KUNIT_EXPECT_GE(t, l, r)	HARNESS_BINARY(t, false, l, >=, r, "")
#define KUNIT_EXPECT_PTR_EQ(t, l, r)	HARNESS_BINARY(t, false, l, ==, r, "")
#define KUNIT_EXPECT_PTR_NE(t, l, r)	HARNESS_BINARY(t, false, l, !=, r, "")
#define KUNIT_EXPECT_TRUE(t, c)		HARNESS_UNARY(t, false, c, #c, "")
#define KUNIT_EXPECT_FALSE(t, c)	HARNESS_UNARY(t, false, !(c), "!" #c, "")
#define KUNIT_EXPECT_NULL(t, p)		HARNESS_UNARY(t, false, !(p), "!" #p, "")
#define KUNIT_EXPECT_NOT_NULL(t, p)	HARNESS_UNARY(t, false, p, #p, "")
#define KUNIT_EXPECT_NOT_ERR_OR_NULL(t, p)				\
	HARNESS_UNARY(t, false, !IS_ERR_OR_NULL(p), #p, "")
#define KUNIT_EXPECT_STREQ(t, l, r)					\
	HARNESS_UNARY(t, false, !strcmp(l, r), #l " is " #r,		\
		      "\"%s\", \"%s\"", l, r)
#define KUNIT_EXPECT_MEMEQ(t, l, r, n)					\
	HARNESS_UNARY(t, false, !memcmp(l, r, n), #l " is " #r, "")

#define KUNIT_EXPECT_EQ_MSG(t, l, r, msg...)				\
	HARNESS_BINARY(t, false, l, ==, r, msg)
#define KUNIT_EXPECT_NE_MSG(t, l, r, msg...)				\
	HARNESS_BINARY(t, false, l, !=, r, msg)
#define KUNIT_EXPECT_LE_MSG(t, l, r, msg...)				\
	HARNESS_BINARY(t, false, l, <=, r, msg)
#define KUNIT_EXPECT_GE_MSG(t, l, r, msg...)				\
	HARNESS_BINARY(t, false, l, >=, r, msg)
#define KUNIT_EXPECT_PTR_EQ_MSG(t, l, r, msg...)			\
	HARNESS_BINARY(t, false, l, ==, r, msg)
#define KUNIT_EXPECT_TRUE_MSG(t, c, msg...)				\
	HARNESS_UNARY(t, false, c, #c, msg)
#define KUNIT_EXPECT_FALSE_MSG(t, c, msg...)				\
	HARNESS_UNARY(t, false, !(c), "!" #c, msg)
#define KUNIT_EXPECT_STREQ_MSG(t, l, r, msg...)				\
	HARNESS_UNARY(t, false, !strcmp(l, r), #l " is " #r, msg)

#define KUNIT_ASSERT_EQ(t, l, r)	HARNESS_BINARY(t, true, l, ==, r, "")
#define KUNIT_ASSERT_NE(t, l, r)	HARNESS_BINARY(t, true, l, !=, r, "")
#define KUNIT_ASSERT_LT(t, l, r)	HARNESS_BINARY(t, true, l, <, r, "")
#define KUNIT_ASSERT_LE(t, l, r)	HARNESS_BINARY(t, true, l, <=, r, "")
#define KUNIT_ASSERT_GT(t, l, r)	HARNESS_BINARY(t, true, l, >, r, "")
#define KUNIT_ASSERT_GE(t, l, r)	HARNESS_BINARY(t, true, l, >=, r, "")
#define KUNIT_ASSERT_PTR_EQ(t, l, r)	HARNESS_BINARY(t, true, l, ==, r, "")
#define KUNIT_ASSERT_PTR_NE(t, l, r)	HARNESS_BINARY(t, true, l, !=, r, "")
#define KUNIT_ASSERT_TRUE(t, c)		HARNESS_UNARY(t, true, c, #c, "")
#define KUNIT_ASSERT_FALSE(t, c)	HARNESS_UNARY(t, true, !(c), "!" #c, "")
#define KUNIT_ASSERT_NULL(t, p)		HARNESS_UNARY(t, true, !(p), "!" #p, "")
#define KUNIT_ASSERT_NOT_NULL(t, p)	HARNESS_UNARY(t, true, p, #p, "")
#define KUNIT_ASSERT_NOT_ERR_OR_NULL(t, p)				\
	HARNESS_UNARY(t, true, !IS_ERR_OR_NULL(p), #p, "")
#define KUNIT_ASSERT_EQ_MSG(t, l, r, msg...)				\
	HARNESS_BINARY(t, true, l, ==, r, msg)
#define KUNIT_ASSERT_TRUE_MSG(t, c, msg...)				\
	HARNESS_UNARY(t, true, c, #c, msg)
#define KUNIT_ASSERT_FALSE_MSG(t, c, msg...)				\
	HARNESS_UNARY(t, true, !(c), "!" #c, msg)
#define KUNIT_ASSERT_NOT_NULL_MSG(t, p, msg...)				\
	HARNESS_UNARY(t, true, p, #p, msg)

#define KUNIT_SUCCEED(t)		((void)(t))
#define KUNIT_FAIL(t, msg...)		HARNESS_UNARY(t, false, false, "", msg)
#define KUNIT_FAIL_AND_ABORT(t, msg...)	HARNESS_UNARY(t, true, false, "", msg)

#define kunit_info(t, fmt, args...)	printf("# %s: " fmt, (t)->name, ##args)
#define kunit_warn(t, fmt, args...)	kunit_info(t, fmt, ##args)
#define kunit_err(t, fmt, args...)	kunit_info(t, fmt, ##args)

#define kunit_mark_skipped(t, fmt, args...)				\
do {									\
	kunit_info(t, fmt "\n", ##args);				\
	(t)->skipped = true;						\
} while (0)
#define kunit_skip(t, fmt, args...)					\
do {									\
	kunit_mark_skipped(t, fmt, ##args);				\
	harness_leave(t);						\
} while (0)

/* ---- undone at the end of the test case ---- */

typedef void (kunit_action_t)(void *context);

int kunit_add_action(struct kunit *test, kunit_action_t *action,
		     void *context);
int kunit_add_action_or_reset(struct kunit *test, kunit_action_t *action,
			      void *context);
void kunit_release_action(struct kunit *test, kunit_action_t *action,
			  void *context);
void kunit_remove_action(struct kunit *test, kunit_action_t *action,
			 void *context);

void *kunit_kzalloc(struct kunit *test, size_t size, gfp_t gfp);
#define kunit_kmalloc(t, size, gfp)	kunit_kzalloc((t), (size), (gfp))
#define kunit_kmalloc_array(t, n, size, gfp)				\
	kunit_kzalloc((t), (n) * (size), (gfp))
#define kunit_kcalloc(t, n, size, gfp)	kunit_kzalloc((t), (n) * (size), (gfp))

#endif
