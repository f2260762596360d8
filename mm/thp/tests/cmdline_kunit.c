// SPDX-License-Identifier: GPL-2.0
/*
 * Boot parameters with rules for orders: every spelling that is understood,
 * every one that is not, and random text.
 *
 * Knobs are sets of the test, so nothing here changes the machine.  Built into
 * the kernel and into tools/testing/hugepage.
 */
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/string.h>
#include "../policy/policy.h"

#ifndef HUGEPAGE_TEST_OPS
#define HUGEPAGE_TEST_OPS	2000UL
#endif

/* 16K to 2M with pages of 4K. */
#define TEST_SUPPORTED	(BIT(10) - BIT(2))
/* What was said before: 1M always, 512K madvise. */
#define OLD_ALWAYS	BIT(8)
#define OLD_MADVISE	BIT(7)

struct test_knob {
	unsigned long		always, inherit, madvise;
	struct thp_order_rule	rules[4];
};

static void __init knob_reset(struct test_knob *knob)
{
	*knob = (struct test_knob) {
		.always		= OLD_ALWAYS,
		.madvise	= OLD_MADVISE,
		.rules		= {
			{ "always", &knob->always },
			{ "inherit", &knob->inherit },
			{ "madvise", &knob->madvise },
			{ "never", NULL },
		},
	};
}

static int __init knob_parse(struct test_knob *knob, const char *text)
{
	return thp_parse_order_rules(text, TEST_SUPPORTED, knob->rules, 4);
}

struct rule_case {
	const char	*text;
	unsigned long	always, inherit, madvise;
};

static const struct rule_case valid[] __initconst = {
	/* a size, however it is written */
	{ "16K:always", OLD_ALWAYS | BIT(2), 0, OLD_MADVISE },
	{ "16k:always", OLD_ALWAYS | BIT(2), 0, OLD_MADVISE },
	{ "16384:always", OLD_ALWAYS | BIT(2), 0, OLD_MADVISE },
	{ "0x4000:always", OLD_ALWAYS | BIT(2), 0, OLD_MADVISE },
	{ "0X10K:always", OLD_ALWAYS | BIT(2), 0, OLD_MADVISE },
	{ "040000:always", OLD_ALWAYS | BIT(2), 0, OLD_MADVISE },
	{ "2M:always", OLD_ALWAYS | BIT(9), 0, OLD_MADVISE },
	{ "2m:always", OLD_ALWAYS | BIT(9), 0, OLD_MADVISE },
	{ "2048K:always", OLD_ALWAYS | BIT(9), 0, OLD_MADVISE },
	/* words */
	{ "64K:inherit", OLD_ALWAYS, BIT(4), OLD_MADVISE },
	{ "64K:madvise", OLD_ALWAYS, 0, OLD_MADVISE | BIT(4) },
	{ "64K:never", OLD_ALWAYS, 0, OLD_MADVISE },
	/* what was said before is overruled where it is named */
	{ "1M:never", 0, 0, OLD_MADVISE },
	{ "1M:madvise", 0, 0, OLD_MADVISE | BIT(8) },
	{ "512K:inherit", OLD_ALWAYS, BIT(7), 0 },
	/* lists and ranges */
	{ "16K,64K:inherit", OLD_ALWAYS, BIT(2) | BIT(4), OLD_MADVISE },
	{ "64K,16K:inherit", OLD_ALWAYS, BIT(2) | BIT(4), OLD_MADVISE },
	{ "16K,16K:inherit", OLD_ALWAYS, BIT(2), OLD_MADVISE },
	{ "16K-64K:inherit", OLD_ALWAYS, BIT(2) | BIT(3) | BIT(4),
	  OLD_MADVISE },
	{ "16K-16K:inherit", OLD_ALWAYS, BIT(2), OLD_MADVISE },
	{ "16384-64k:inherit", OLD_ALWAYS, BIT(2) | BIT(3) | BIT(4),
	  OLD_MADVISE },
	{ "16K-32K,2M:inherit", OLD_ALWAYS, BIT(2) | BIT(3) | BIT(9),
	  OLD_MADVISE },
	{ "16K-2M:never", 0, 0, 0 },
	{ "16K-2M:inherit", 0, TEST_SUPPORTED, 0 },
	/* several rules, of which the last wins */
	{ "16K:always;64K:inherit;2M:madvise", OLD_ALWAYS | BIT(2), BIT(4),
	  OLD_MADVISE | BIT(9) },
	{ "16K-2M:never;64K:always", BIT(4), 0, 0 },
	{ "64K:always;16K-2M:never", 0, 0, 0 },
	{ "64K:always;64K:inherit", OLD_ALWAYS, BIT(4), OLD_MADVISE },
	{ "16K-64K,128K,512K:always;256K:inherit;1M-2M:madvise;32K:never",
	  BIT(2) | BIT(4) | BIT(5) | BIT(7), BIT(6), BIT(8) | BIT(9) },
};

static const char * const invalid[] __initconst = {
	/* parts that are missing, and separators too many */
	"", ":", ";", ",", "-", "::", "always", "16K", "16K:", ":always",
	"16K;always", "16K,always", "16K=always", "16K always", "16K:;",
	"16K:always;", ";16K:always", "16K:always;;64K:always",
	",16K:always", "16K,:always", "16K,,64K:always", "16K:always,",
	"-16K:always", "16K-:always", "16K--64K:always", "-:always",
	"16K-64K-2M:always", "16K-,64K:always", "16K:always:never",
	"64K-16K:always", "always:16K",
	/* words */
	"16K:Always", "16K:ALWAYS", "16K:alway", "16K:alwayss", "16K:always ",
	"16K: always", "16K:always\n", "16K:within_size", "16K:advise",
	"16K:madvise,always", "16K:1", "16K:deny", "16K:force",
	/* numbers that are no sizes */
	"K:always", "x:always", "16KB:always", "16KiB:always", "16KK:always",
	"16.0K:always", "+16K:always", " 16K:always", "16K :always",
	"16 K:always", "0x:always", "0xK:always", "1e4:always", "\"16K\":always",
	"17K:always", "48K:always", "16385:always", "0:always", "0K:always",
	"-1:always",
	/* sizes that no folio of the knob has */
	"1:always", "2K:always", "4K:always", "8K:always", "4M:always",
	"1G:always", "1T:always", "1P:always", "1E:always", "8E:always",
	"8K-16K:always", "4K-2M:always", "16K-4M:always", "2M-4M:always",
	"8K,16K:always", "16K,4M:always",
	/* numbers too large for anything */
	"16E:always", "18446744073709551616:always",
	"18446744073709568000:always", "18014398509482000K:always",
	"99999999999999999999999999999999:always",
	/* right at first, wrong later: nothing of it holds */
	"16K:always;64K", "16K:always;64K:", "16K:always;64K:x",
	"16K:always;17K:always", "16K-2M:never;4K:always",
	"16K:always;64K:inherit;2M:madvise;",
};

static void __init cmdline_valid(struct kunit *test)
{
	struct test_knob knob;
	int i;

	if (PAGE_SHIFT != 12)
		kunit_skip(test, "sizes are those of pages of 4K");
	for (i = 0; i < ARRAY_SIZE(valid); i++) {
		const struct rule_case *c = &valid[i];

		knob_reset(&knob);
		KUNIT_EXPECT_EQ_MSG(test, knob_parse(&knob, c->text), 0,
				    "\"%s\"", c->text);
		KUNIT_EXPECT_EQ_MSG(test, knob.always, c->always, "\"%s\"",
				    c->text);
		KUNIT_EXPECT_EQ_MSG(test, knob.inherit, c->inherit, "\"%s\"",
				    c->text);
		KUNIT_EXPECT_EQ_MSG(test, knob.madvise, c->madvise, "\"%s\"",
				    c->text);
	}
}

static void __init cmdline_check_unchanged(struct kunit *test,
					   const struct test_knob *knob,
					   const char *text)
{
	KUNIT_EXPECT_EQ_MSG(test, knob->always, OLD_ALWAYS, "\"%s\"", text);
	KUNIT_EXPECT_EQ_MSG(test, knob->inherit, 0UL, "\"%s\"", text);
	KUNIT_EXPECT_EQ_MSG(test, knob->madvise, OLD_MADVISE, "\"%s\"", text);
}

static void __init cmdline_invalid(struct kunit *test)
{
	struct test_knob knob;
	int i;

	for (i = 0; i < ARRAY_SIZE(invalid); i++) {
		knob_reset(&knob);
		KUNIT_EXPECT_EQ_MSG(test, knob_parse(&knob, invalid[i]),
				    -EINVAL, "\"%s\"", invalid[i]);
		cmdline_check_unchanged(test, &knob, invalid[i]);
	}
}

/* Pieces that may meet in any order. */
static const char * const pieces[] __initconst = {
	"16K", "64K", "2M", "4K", "4M", "1", "K", "-", ",", ":", ";", ":always",
	":never", ":inherit", ":madvise", "16K:always", ";", "16K-2M",
};

static void __init cmdline_random(struct kunit *test)
{
	struct test_knob knob;
	struct rnd_state rnd;
	unsigned long n;
	char text[96];

	prandom_seed_state(&rnd, get_random_u64());
	for (n = 0; n < HUGEPAGE_TEST_OPS; n++) {
		u32 left = prandom_u32_state(&rnd) % 8;

		for (text[0] = '\0'; left; left--)
			strcat(text, pieces[prandom_u32_state(&rnd) %
					    ARRAY_SIZE(pieces)]);
		knob_reset(&knob);
		if (knob_parse(&knob, text)) {
			cmdline_check_unchanged(test, &knob, text);
			continue;
		}
		KUNIT_EXPECT_EQ_MSG(test, 0UL, knob.always & knob.inherit,
				    "\"%s\"", text);
		KUNIT_EXPECT_EQ_MSG(test, 0UL, knob.always & knob.madvise,
				    "\"%s\"", text);
		KUNIT_EXPECT_EQ_MSG(test, 0UL, knob.inherit & knob.madvise,
				    "\"%s\"", text);
		KUNIT_EXPECT_EQ_MSG(test, 0UL, ~TEST_SUPPORTED &
				    (knob.always | knob.inherit | knob.madvise),
				    "\"%s\"", text);
	}
}

static struct kunit_case __refdata cmdline_cases[] = {
	KUNIT_CASE(cmdline_valid),
	KUNIT_CASE(cmdline_invalid),
	KUNIT_CASE(cmdline_random),
	{}
};

static struct kunit_suite cmdline_suite = {
	.name		= "thp_cmdline",
	.test_cases	= cmdline_cases,
};

kunit_test_init_section_suites(&cmdline_suite);
