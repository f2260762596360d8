// SPDX-License-Identifier: GPL-2.0
/*
 * Rules: knobs that hold for single orders, as text and as sets.
 *
 * One table says which words a knob has and which set of orders each stands
 * for; sysfs and the command line read and write through it.
 * Pure: no mm, no locks, no memory; whoever owns the sets serializes writers.
 */
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/string.h>
#include "policy.h"

/* Words of a knob; no knob has more. */
#define RULES_MAX	8
/* Longer numbers with a suffix may overflow to a size that exists. */
#define SIZE_TEXT_MAX	15

/**
 * thp_rule_find() - the rule that a word names
 * @rules: words of the knob
 * @nr: how many
 * @word: text, not necessarily terminated
 * @len: its length
 *
 * Context: any.
 * Return: index of the rule, or -EINVAL.
 */
int thp_rule_find(const struct thp_order_rule *rules, unsigned int nr,
		  const char *word, size_t len)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (strlen(rules[i].word) == len &&
		    !memcmp(rules[i].word, word, len))
			return i;
	return -EINVAL;
}

/**
 * thp_rule_of() - the rule that holds for an order
 * @rules: words of the knob
 * @nr: how many; one of them has no set
 * @order: the order
 *
 * Context: any.
 * Return: index of the rule.
 */
unsigned int thp_rule_of(const struct thp_order_rule *rules, unsigned int nr,
			 int order)
{
	unsigned int i, rest = 0;

	for (i = 0; i < nr; i++) {
		if (!rules[i].orders)
			rest = i;
		else if (READ_ONCE(*rules[i].orders) & BIT(order))
			return i;
	}
	return rest;
}

/**
 * thp_rule_move() - another rule holds for some orders
 * @rules: words of the knob
 * @nr: how many
 * @orders: which orders
 * @to: index of their rule
 *
 * Readers without the lock may see an order in no set for a moment, never in
 * two.
 *
 * Context: the caller serializes writers of the sets.
 */
void thp_rule_move(const struct thp_order_rule *rules, unsigned int nr,
		   unsigned long orders, unsigned int to)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (rules[i].orders && i != to)
			WRITE_ONCE(*rules[i].orders,
				   *rules[i].orders & ~orders);
	if (rules[to].orders)
		WRITE_ONCE(*rules[to].orders, *rules[to].orders | orders);
}

/* SIZE: a power of two with K, M or G.  Return: its order, or -EINVAL. */
static int __init rule_parse_size(const char *s, size_t len)
{
	char text[SIZE_TEXT_MAX + 1], *end;
	unsigned long long size;

	if (!len || len > SIZE_TEXT_MAX)
		return -EINVAL;
	memcpy(text, s, len);
	text[len] = '\0';

	size = memparse(text, &end);
	if (*end || size < PAGE_SIZE || size > ULONG_MAX ||
	    !is_power_of_2(size))
		return -EINVAL;
	return ilog2(size) - PAGE_SHIFT;
}

/* SIZE or SIZE-SIZE.  Return: the orders, or none. */
static unsigned long __init rule_parse_range(const char *s, size_t len)
{
	const char *dash = memchr(s, '-', len);
	int first, last;

	first = rule_parse_size(s, dash ? dash - s : len);
	last = dash ? rule_parse_size(dash + 1, s + len - dash - 1) : first;
	if (first < 0 || last < first)
		return 0;
	return BIT(last + 1) - BIT(first);
}

/* RANGE,RANGE...  Return: the orders; none if a range is not @supported. */
static unsigned long __init rule_parse_ranges(const char *s, size_t len,
					      unsigned long supported)
{
	const char *end = s + len;
	unsigned long orders = 0;

	for (;;) {
		const char *comma = memchr(s, ',', end - s);
		const char *stop = comma ?: end;
		unsigned long range = rule_parse_range(s, stop - s);

		if (!range || (range & ~supported))
			return 0;
		orders |= range;
		if (!comma)
			return orders;
		s = comma + 1;
	}
}

/**
 * thp_parse_order_rules() - RANGES:WORD;RANGES:WORD...
 * @s: text; RANGES is a list with commas of SIZE or SIZE-SIZE
 * @supported: orders that the knob knows
 * @rules: words of the knob, and where their sets are; at most 8
 * @nr: how many
 *
 * What stands further right wins.  Orders that are not named stay as they are,
 * and if anything cannot be understood all of them do.
 *
 * Context: boot, which has one thread.
 * Return: 0 or -EINVAL.
 */
int __init thp_parse_order_rules(const char *s, unsigned long supported,
				 const struct thp_order_rule *rules,
				 unsigned int nr)
{
	struct thp_order_rule scratch[RULES_MAX];
	unsigned long sets[RULES_MAX];
	unsigned int i;

	if (WARN_ON_ONCE(nr > RULES_MAX))
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		scratch[i] = rules[i];
		if (!rules[i].orders)
			continue;
		sets[i] = *rules[i].orders;
		scratch[i].orders = &sets[i];
	}

	for (;;) {
		const char *next = strchr(s, ';');
		const char *stop = next ?: s + strlen(s);
		const char *colon = memchr(s, ':', stop - s);
		unsigned long orders;
		int to;

		if (!colon)
			return -EINVAL;
		orders = rule_parse_ranges(s, colon - s, supported);
		to = thp_rule_find(rules, nr, colon + 1, stop - colon - 1);
		if (!orders || to < 0)
			return -EINVAL;
		thp_rule_move(scratch, nr, orders, to);
		if (!next)
			break;
		s = next + 1;
	}

	for (i = 0; i < nr; i++)
		if (rules[i].orders)
			WRITE_ONCE(*rules[i].orders, sets[i]);
	return 0;
}
