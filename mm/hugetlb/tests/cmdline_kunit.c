// SPDX-License-Identifier: GPL-2.0
/*
 * Tests of text: boot parameters, their order, and what users write to knobs.
 *
 * Nothing here touches a pool, so a wrong answer cannot hurt the machine.
 */
#include <kunit/test.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/limits.h>
#include <linux/sizes.h>
#include "../knobs/knobs.h"

/* ---- hugepages= ---- */

struct text_case {
	const char	*text;
	int		err;
	unsigned long	total;
	long		node[3];	/* of online nodes 0 and 2; [1] is not */
};

static const struct text_case count_cases[] __initconst = {
	{ "0", 0, 0 },
	{ "1", 0, 1 },
	{ "512", 0, 512 },
	{ "0016", 0, 16 },
	{ "2147483648", 0, 2147483648UL },
	{ "", -EINVAL },
	{ " 5", -EINVAL },
	{ "5 ", -EINVAL },
	{ "5\n", -EINVAL },
	{ "-1", -EINVAL },
	{ "+1", -EINVAL },
	{ "x", -EINVAL },
	{ "5x", -EINVAL },
	{ "0x10", -EINVAL },
	{ "5K", -EINVAL },
	{ "5.0", -EINVAL },
	{ "5,", -EINVAL },
	{ "5,6", -EINVAL },
	{ ",5", -EINVAL },
	{ "\"5\"", -EINVAL },
	{ "18446744073709551616", -ERANGE },
	{ "99999999999999999999999999", -ERANGE },
};

static const struct text_case node_cases[] __initconst = {
	{ "0:1", 0, 1, { 1 } },
	{ "2:7", 0, 7, { 0, 0, 7 } },
	{ "0:1,2:2", 0, 3, { 1, 0, 2 } },
	{ "2:2,0:1", 0, 3, { 1, 0, 2 } },
	{ "0:0,2:5", 0, 5, { 0, 0, 5 } },
	{ "00:1", 0, 1, { 1 } },
	{ ":", -EINVAL },
	{ ":5", -EINVAL },
	{ "0:", -EINVAL },
	{ "0:,2:1", -EINVAL },
	{ "0:1,", -EINVAL },
	{ ",0:1", -EINVAL },
	{ "0:1,,2:1", -EINVAL },
	{ "0:1,2", -EINVAL },
	{ "0:1,2:", -EINVAL },
	{ "5,0:1", -EINVAL },
	{ "0:1,5", -EINVAL },
	{ "0:1;2:1", -EINVAL },
	{ "0:1 2:1", -EINVAL },
	{ "0:1,2:1x", -EINVAL },
	{ "0:1x,2:1", -EINVAL },
	{ "0:1,2:-1", -EINVAL },
	{ "-1:5", -EINVAL },
	{ "a:5", -EINVAL },
	{ "0:1:2", -EINVAL },
	{ "0x0:1", -EINVAL },
	{ "0:1,0:2", -EINVAL },
	{ "0:0,0:0", -EINVAL },
	{ "1:5", -ENODEV },
	{ "0:1,1:5", -ENODEV },
	{ "0:1,3:5", -ENODEV },
	{ "4096:1", -ENODEV },
	{ "4294967296:1", -ENODEV },
	{ "18446744073709551616:1", -ERANGE },
	{ "0:18446744073709551616", -ERANGE },
	{ "0:18446744073709551615,2:1", -ERANGE },
};

static const struct text_case area_cases[] __initconst = {
	{ "0", 0, 0 },
	{ "0G", 0, 0 },
	{ "4096", 0, 4096 },
	{ "1G", 0, SZ_1G },
	{ "512m", 0, SZ_512M },
	{ "1g", 0, SZ_1G },
	{ "0x40000000", 0, SZ_1G },
	{ "G", -EINVAL },
	{ "1GB", -EINVAL },
	{ "1G,", -EINVAL },
	{ "1G 2G", -EINVAL },
	{ "-1G", -EINVAL },
	{ "1.5G", -EINVAL },
};

static const struct text_case node_area_cases[] __initconst = {
	{ "0:1G", 0, SZ_1G, { SZ_1G } },
	{ "0:512M,2:512M", 0, SZ_1G, { SZ_512M, 0, SZ_512M } },
	{ "0:1G,2:", -EINVAL },
	{ "0:1G,2:x", -EINVAL },
	{ "0:1G2:1G", -EINVAL },
	{ "0:1G,1:1G", -ENODEV },
	{ "1G,2:1G", -EINVAL },
	{ "0:99999999999999999999G", -ERANGE },
};

static void __init text_check(struct kunit *test, const struct text_case *c,
			      request_amount *amount, bool per_node)
{
	struct boot_request *request;
	nodemask_t online = NODE_MASK_NONE;
	int nid;

	request = kunit_kzalloc(test, sizeof(*request), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, request);
	node_set(0, online);
	if (per_node)
		node_set(2, online);

	KUNIT_EXPECT_EQ_MSG(test, request_parse(c->text, amount, &online,
						request),
			    c->err, "\"%s\"", c->text);
	if (!c->err) {
		KUNIT_EXPECT_EQ_MSG(test, request->total, c->total, "\"%s\"",
				    c->text);
		KUNIT_EXPECT_EQ_MSG(test, request->per_node, per_node, "\"%s\"",
				    c->text);
		for (nid = 0; per_node && nid < MAX_NUMNODES; nid++)
			KUNIT_EXPECT_EQ_MSG(test, request->node[nid],
					    nid < 3 ? c->node[nid] : 0,
					    "\"%s\" node %d", c->text, nid);
	}
	kunit_kfree(test, request);
}

static void __init cmdline_counts(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(count_cases); i++)
		text_check(test, &count_cases[i], request_count, false);
}

static void __init cmdline_counts_of_nodes(struct kunit *test)
{
	int i;

	if (MAX_NUMNODES < 4)
		kunit_skip(test, "needs node numbers up to 3");
	for (i = 0; i < ARRAY_SIZE(node_cases); i++)
		text_check(test, &node_cases[i], request_count, true);
}

static void __init cmdline_areas(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(area_cases); i++)
		text_check(test, &area_cases[i], request_size, false);
}

static void __init cmdline_areas_of_nodes(struct kunit *test)
{
	int i;

	if (MAX_NUMNODES < 4)
		kunit_skip(test, "needs node numbers up to 3");
	for (i = 0; i < ARRAY_SIZE(node_area_cases); i++)
		text_check(test, &node_area_cases[i], request_size, true);
}

/* ---- hugepagesz= and what sysfs takes ---- */

struct number_case {
	const char	*text;
	int		err;
	unsigned long	value;
};

static const struct number_case size_cases[] = {
	{ "2097152", 0, SZ_2M },
	{ "2048k", 0, SZ_2M },
	{ "2048K", 0, SZ_2M },
	{ "2M", 0, SZ_2M },
	{ "2m", 0, SZ_2M },
	{ "2M\n", 0, SZ_2M },
	{ "1G", 0, SZ_1G },
	{ "0x200000", 0, SZ_2M },
	{ "0X2M", 0, SZ_2M },
	{ "0x800k", 0, SZ_2M },
	{ "010M", 0, SZ_8M },
	{ "0x1e", 0, 0x1e },
	{ "", -EINVAL },
	{ "\n", -EINVAL },
	{ "M", -EINVAL },
	{ "0x", -EINVAL },
	{ "0xg", -EINVAL },
	{ "08M", -EINVAL },
	{ "2MB", -EINVAL },
	{ "2M ", -EINVAL },
	{ "2M\n\n", -EINVAL },
	{ " 2M", -EINVAL },
	{ "-2M", -EINVAL },
	{ "+2M", -EINVAL },
	{ "2M4K", -EINVAL },
	{ "2.0M", -EINVAL },
	{ "two", -EINVAL },
	{ "17179869184G", -EINVAL },
	{ "16E", -EINVAL },
	{ "18446744073709551616", -EINVAL },
};

static const struct number_case number_cases[] = {
	{ "0", 0, 0 },
	{ "5", 0, 5 },
	{ "5\n", 0, 5 },
	{ "010", 0, 10 },
	{ "", -EINVAL },
	{ "\n", -EINVAL },
	{ "-1", -EINVAL },
	{ "-1\n", -EINVAL },
	{ "x", -EINVAL },
	{ "5x", -EINVAL },
	{ "5 6", -EINVAL },
	{ "5\n6", -EINVAL },
	{ "0x5", -EINVAL },
	{ "5k", -EINVAL },
	{ "18446744073709551616", -EINVAL },
};

static void number_check(struct kunit *test, const struct number_case *c, int n,
			 int (*parse)(const char *text, unsigned long *n))
{
	unsigned long value;
	int err;

	for (; n--; c++) {
		err = parse(c->text, &value);
		KUNIT_EXPECT_EQ_MSG(test, err, c->err, "\"%s\"", c->text);
		if (!err)
			KUNIT_EXPECT_EQ_MSG(test, value, c->value, "\"%s\"",
					    c->text);
	}
}

static void knob_sizes(struct kunit *test)
{
	number_check(test, size_cases, ARRAY_SIZE(size_cases), knob_parse_size);
}

static void knob_counts(struct kunit *test)
{
	number_check(test, number_cases, ARRAY_SIZE(number_cases),
		     knob_parse_count);
}

static void request_size_stops(struct kunit *test)
{
	const char *s = "1G,1:2G";
	unsigned long bytes;

	KUNIT_EXPECT_EQ(test, request_size(&s, &bytes), 0);
	KUNIT_EXPECT_EQ(test, bytes, SZ_1G);
	KUNIT_EXPECT_STREQ(test, s, ",1:2G");
}

/* ---- in which order parameters may come ---- */

enum rule {
	END,
	SIZE,		/* hugepagesz= */
	DEFAULT,	/* default_hugepagesz= */
	COUNT,		/* hugepages= */
	SETTLE,		/* the default size becomes known; err: counted twice */
};

struct rule_step {
	enum rule	rule;
	int		order;		/* -1 for a size that does not exist */
	int		err;
};

#define SMALL	9
#define BIG	18

static const struct rule_step rule_stories[][10] __initconst = {
	/* the pairs of the manual */
	{ { SIZE, SMALL }, { COUNT }, { SIZE, BIG }, { COUNT } },
	{ { COUNT }, { SETTLE, SMALL } },
	{ { DEFAULT, SMALL }, { COUNT } },
	{ { COUNT }, { DEFAULT, SMALL }, { SETTLE, SMALL } },
	/* counted as the default size and by name */
	{ { COUNT }, { SIZE, SMALL }, { COUNT }, { SETTLE, SMALL, 1 } },
	{ { COUNT }, { SIZE, BIG }, { COUNT }, { SETTLE, SMALL } },
	{ { COUNT }, { DEFAULT, SMALL }, { SETTLE, SMALL },
	  { COUNT, 0, -EEXIST }, { SIZE, SMALL, -EEXIST },
	  { COUNT, 0, -ENOENT } },
	/* two counts for one size */
	{ { COUNT }, { COUNT, 0, -EEXIST } },
	{ { SIZE, SMALL }, { COUNT }, { COUNT, 0, -EEXIST } },
	{ { SIZE, SMALL }, { COUNT }, { SIZE, BIG }, { COUNT },
	  { DEFAULT, SMALL }, { COUNT, 0, -EEXIST } },
	/* default_hugepagesz= moves back to a size that has no pages yet */
	{ { SIZE, SMALL }, { SIZE, BIG }, { COUNT }, { DEFAULT, SMALL },
	  { COUNT } },
	/* a size named twice */
	{ { SIZE, SMALL }, { COUNT }, { SIZE, SMALL, -EEXIST },
	  { COUNT, 0, -ENOENT } },
	{ { SIZE, SMALL }, { SIZE, SMALL, -EEXIST }, { COUNT, 0, -ENOENT } },
	{ { DEFAULT, SMALL }, { SIZE, SMALL }, { COUNT } },
	{ { DEFAULT, SMALL }, { COUNT }, { SIZE, SMALL, -EEXIST },
	  { COUNT, 0, -ENOENT } },
	/* a size that does not exist */
	{ { SIZE, -1, -EINVAL }, { COUNT, 0, -ENOENT }, { COUNT, 0, -ENOENT },
	  { SIZE, SMALL }, { COUNT } },
	{ { DEFAULT, -1, -EINVAL }, { COUNT, 0, -ENOENT }, { DEFAULT, BIG },
	  { COUNT } },
	{ { SIZE, SMALL }, { SIZE, -1, -EINVAL }, { COUNT, 0, -ENOENT } },
	{ { COUNT }, { SIZE, -1, -EINVAL }, { COUNT, 0, -ENOENT },
	  { SETTLE, SMALL } },
	/* two defaults */
	{ { DEFAULT, SMALL }, { DEFAULT, BIG, -EEXIST }, { COUNT, 0, -ENOENT } },
	{ { DEFAULT, SMALL }, { DEFAULT, -1, -EEXIST }, { COUNT, 0, -ENOENT } },
	{ { DEFAULT, SMALL }, { DEFAULT, SMALL, -EEXIST }, { SIZE, SMALL },
	  { COUNT } },
};

static int __init rule_apply(struct cmdline_rules *rules,
			     const struct rule_step *step)
{
	switch (step->rule) {
	case SIZE:
		return cmdline_rule_size(rules, step->order);
	case DEFAULT:
		return cmdline_rule_default(rules, step->order);
	case COUNT:
		return cmdline_rule_count(rules);
	case SETTLE:
		return cmdline_rule_settle(rules, step->order);
	default:
		return 0;
	}
}

static void __init cmdline_order(struct kunit *test)
{
	const struct rule_step *step;
	struct cmdline_rules rules;
	int i;

	for (i = 0; i < ARRAY_SIZE(rule_stories); i++) {
		rules = (struct cmdline_rules) {
			.current_order = CMDLINE_UNNAMED,
			.default_order = CMDLINE_UNNAMED,
		};
		for (step = rule_stories[i]; step->rule != END; step++)
			KUNIT_EXPECT_EQ_MSG(test, rule_apply(&rules, step),
					    step->err, "story %d step %td", i,
					    step - rule_stories[i]);
	}
}

/* A parameter that is ignored leaves nothing behind. */
static void __init cmdline_refusal_is_complete(struct kunit *test)
{
	struct cmdline_rules rules = {
		.current_order = CMDLINE_UNNAMED,
		.default_order = CMDLINE_UNNAMED,
	};

	KUNIT_EXPECT_EQ(test, cmdline_rule_size(&rules, -1), -EINVAL);
	KUNIT_EXPECT_EQ(test, cmdline_rule_count(&rules), -ENOENT);
	KUNIT_EXPECT_EQ(test, cmdline_rule_default(&rules, -1), -EINVAL);
	KUNIT_EXPECT_EQ(test, rules.default_order, CMDLINE_UNNAMED);
	KUNIT_EXPECT_EQ(test, rules.named, 0);
	KUNIT_EXPECT_EQ(test, rules.counted, 0);
	KUNIT_EXPECT_FALSE(test, rules.implicit);

	KUNIT_EXPECT_EQ(test, cmdline_rule_default(&rules, SMALL), 0);
	KUNIT_EXPECT_EQ(test, cmdline_rule_default(&rules, BIG), -EEXIST);
	KUNIT_EXPECT_EQ(test, rules.default_order, SMALL);
	KUNIT_EXPECT_EQ(test, cmdline_rule_count(&rules), -ENOENT);
	KUNIT_EXPECT_EQ(test, rules.counted, 0);
}

static struct kunit_case __refdata cmdline_cases[] = {
	KUNIT_CASE(cmdline_counts),
	KUNIT_CASE(cmdline_counts_of_nodes),
	KUNIT_CASE(cmdline_areas),
	KUNIT_CASE(cmdline_areas_of_nodes),
	KUNIT_CASE(cmdline_order),
	KUNIT_CASE(cmdline_refusal_is_complete),
	{}
};

static struct kunit_suite cmdline_suite = {
	.name = "hugetlb_cmdline",
	.test_cases = cmdline_cases,
};

kunit_test_init_section_suites(&cmdline_suite);

static struct kunit_case knob_cases[] = {
	KUNIT_CASE(knob_sizes),
	KUNIT_CASE(knob_counts),
	KUNIT_CASE(request_size_stops),
	{}
};

static struct kunit_suite knob_suite = {
	.name = "hugetlb_knob_text",
	.test_cases = knob_cases,
};

kunit_test_suites(&knob_suite);

MODULE_DESCRIPTION("KUnit tests of hugetlb boot parameters and knobs");
MODULE_LICENSE("GPL");
