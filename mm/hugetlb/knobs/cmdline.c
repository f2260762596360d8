// SPDX-License-Identifier: GPL-2.0
/*
 * Command line: hugepagesz= hugepages= default_hugepagesz=
 *
 * A parameter is taken as a whole or reported and ignored as a whole.  What a
 * hugepages= means depends on the parameters before it; cmdline_rule_*() say
 * so and know no pools, so that KUnit can try every order.
 * No locks: boot has one thread.
 */
#define pr_fmt(fmt) "HugeTLB: " fmt

#include <kunit/visibility.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/log2.h>
#include <linux/printk.h>
#include <linux/string_helpers.h>
#include "knobs.h"

static struct cmdline_rules cmdline_rules __initdata = {
	.current_order	= CMDLINE_UNNAMED,
	.default_order	= CMDLINE_UNNAMED,
};

/* Pages of a default size that is not known yet. */
static struct boot_request cmdline_implicit __initdata;

/* ---- the rules ---- */

/**
 * cmdline_rule_size() - may this hugepagesz= stand here?
 * @rules: state, updated
 * @order: of the size, negative for a size that does not exist
 *
 * A size may be named once, and not at all when its pages were counted after
 * default_hugepagesz=.
 *
 * Return: 0; -EINVAL or -EEXIST, and hugepages= parameters are ignored until
 * the next size.
 */
VISIBLE_IF_KUNIT int __init cmdline_rule_size(struct cmdline_rules *rules,
					      int order)
{
	rules->current_order = CMDLINE_NOBODY;
	if (order < 0)
		return -EINVAL;
	if ((rules->named | rules->counted) & BIT_ULL(order))
		return -EEXIST;

	rules->named |= BIT_ULL(order);
	rules->current_order = order;
	return 0;
}

/**
 * cmdline_rule_default() - may this default_hugepagesz= stand here?
 * @rules: state, updated
 * @order: of the size, negative for a size that does not exist
 *
 * Return: 0; -EINVAL or -EEXIST, and hugepages= parameters are ignored until
 * the next size.
 */
VISIBLE_IF_KUNIT int __init cmdline_rule_default(struct cmdline_rules *rules,
						 int order)
{
	rules->current_order = CMDLINE_NOBODY;
	if (rules->default_order != CMDLINE_UNNAMED)
		return -EEXIST;
	if (order < 0)
		return -EINVAL;

	rules->default_order = order;
	rules->current_order = order;
	return 0;
}

/**
 * cmdline_rule_count() - may a valid hugepages= stand here?
 * @rules: state, updated; its current_order says of which size it speaks
 *
 * Return: 0; -ENOENT when the size before it is void; -EEXIST when the size has
 * its pages already.
 */
VISIBLE_IF_KUNIT int __init cmdline_rule_count(struct cmdline_rules *rules)
{
	u64 bit;

	if (rules->current_order == CMDLINE_NOBODY)
		return -ENOENT;
	if (rules->current_order == CMDLINE_UNNAMED) {
		if (rules->implicit)
			return -EEXIST;
		rules->implicit = true;
		return 0;
	}

	bit = BIT_ULL(rules->current_order);
	if (rules->counted & bit)
		return -EEXIST;
	rules->counted |= bit;
	return 0;
}

/**
 * cmdline_rule_settle() - pages of the default size get to know their size
 * @rules: state, updated; with implicit set
 * @order: of the default size
 *
 * Return: whether the size was also counted by name.
 */
VISIBLE_IF_KUNIT bool __init cmdline_rule_settle(struct cmdline_rules *rules,
						 int order)
{
	bool twice = rules->counted & BIT_ULL(order);

	rules->implicit = false;
	rules->counted |= BIT_ULL(order);
	return twice;
}

/* ---- the parameters ---- */

/**
 * arch_hugetlb_valid_size() - can this machine map pages of a size?
 * @size: in bytes
 *
 * Weak: most architectures know more than one size.
 *
 * Return: whether it can.
 */
bool __init __weak arch_hugetlb_valid_size(unsigned long size)
{
	return size == HPAGE_SIZE;
}

/* The order, or negative when @s is not a size of this machine. */
static int __init cmdline_parse_order(const char *s)
{
	unsigned long size;

	if (request_size(&s, &size) || *s)
		return -EINVAL;
	if (size <= PAGE_SIZE || !is_power_of_2(size) ||
	    !arch_hugetlb_valid_size(size))
		return -EINVAL;
	return ilog2(size) - PAGE_SHIFT;
}

static void __init cmdline_refuse(const char *name, const char *value, int err)
{
	pr_warn("%s=%s ignored: %s\n", name, value, request_reason(err));
}

/* A size counted by name and, before, as the default one: the first counts. */
static void __init cmdline_settle(struct hugetlb_pool *pool)
{
	unsigned long by_name = boot_requested(pool);
	char size[16];
	bool twice;

	if (!cmdline_rules.implicit)
		return;
	twice = cmdline_rule_settle(&cmdline_rules, pool_order(pool));
	string_get_size(huge_page_size(&pool->h), 1, STRING_UNITS_2, size,
			sizeof(size));

	/* Pages taken from memblock are not given back. */
	if (twice && hstate_is_gigantic(&pool->h)) {
		pr_warn("hugepages=%lu ignored: of the default size %s there were hugepages=%lu by name\n",
			cmdline_implicit.total, size, by_name);
		return;
	}
	if (twice)
		pr_warn("hugepages=%lu associated with %s page size ignored: hugepages=%lu came first for the default size\n",
			by_name, size, cmdline_implicit.total);
	boot_request_pages(pool, &cmdline_implicit);
}

static int __init cmdline_hugepagesz(char *s)
{
	int order = cmdline_parse_order(s);
	int err = cmdline_rule_size(&cmdline_rules, order);

	if (err)
		cmdline_refuse("hugepagesz", s, err);
	else
		hugetlb_add_hstate(order);
	return 1;
}
__setup("hugepagesz=", cmdline_hugepagesz);

static int __init cmdline_default_hugepagesz(char *s)
{
	int order = cmdline_parse_order(s);
	int err = cmdline_rule_default(&cmdline_rules, order);
	struct hugetlb_pool *pool;

	if (err) {
		cmdline_refuse("default_hugepagesz", s, err);
		return 1;
	}
	hugetlb_add_hstate(order);
	pool = hugetlb_pool_by_order(order);
	if (pool) {
		hugetlb_set_default_pool(pool);
		cmdline_settle(pool);
	}
	return 1;
}
__setup("default_hugepagesz=", cmdline_default_hugepagesz);

static int __init cmdline_hugepages(char *s)
{
	/* Too large for the stack. */
	static struct boot_request request __initdata;
	struct hugetlb_pool *pool;
	int err;

	err = request_parse(s, request_count, &node_online_map, &request);
	if (!err && request.per_node && !hugetlb_node_alloc_supported())
		err = -EOPNOTSUPP;
	if (!err)
		err = cmdline_rule_count(&cmdline_rules);
	if (err) {
		cmdline_refuse("hugepages", s, err);
		return 1;
	}

	if (cmdline_rules.current_order == CMDLINE_UNNAMED) {
		cmdline_implicit = request;
		return 1;
	}
	pool = hugetlb_pool_by_order(cmdline_rules.current_order);
	if (pool)
		boot_request_pages(pool, &request);
	return 1;
}
__setup("hugepages=", cmdline_hugepages);

/**
 * hugetlb_cmdline_finish() - request the pages of the default size
 *
 * Context: boot; the default size is known.
 */
void __init hugetlb_cmdline_finish(void)
{
	cmdline_settle(hugetlb_default_pool());
}

/**
 * hugetlb_cmdline_discard() - the machine turned out to have no huge pages
 *
 * Context: boot.
 */
void __init hugetlb_cmdline_discard(void)
{
	if (hugetlb_pool_count || cmdline_rules.implicit)
		pr_warn("huge pages not supported, ignoring associated command-line parameters\n");
}
