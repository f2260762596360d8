// SPDX-License-Identifier: GPL-2.0
/*
 * Requests: what the text of a boot parameter asks for.
 *
 *	amount				wherever there is room
 *	node:amount[,node:amount...]	on these nodes, each named once
 *
 * Pure: the whole text is valid or nothing of it counts.  No locks.
 */
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/hex.h>
#include <linux/nodemask.h>
#include <linux/overflow.h>
#include <linux/string.h>
#include "pool.h"

static int request_number(const char **text, int base, unsigned long *n)
{
	const char *s = *text;
	int digit;

	*n = 0;
	for (digit = hex_to_bin(*s); digit >= 0 && digit < base;
	     digit = hex_to_bin(*++s)) {
		if (check_mul_overflow(*n, (unsigned long)base, n) ||
		    check_add_overflow(*n, (unsigned long)digit, n))
			return -ERANGE;
	}
	if (s == *text)
		return -EINVAL;
	*text = s;
	return 0;
}

/**
 * request_count() - read a decimal number
 * @text: where it begins; moved behind it
 * @n: the number
 *
 * Return: 0; -EINVAL when no digit is there, -ERANGE when it does not fit.
 */
int request_count(const char **text, unsigned long *n)
{
	return request_number(text, 10, n);
}

/**
 * request_size() - read a size in bytes
 * @text: where it begins; moved behind it
 * @bytes: the size
 *
 * Decimal, octal (0...) or hexadecimal (0x...), then perhaps one of the letters
 * K, M, G, T, P, E, small or capital, for a power of 1024.
 *
 * Return: 0; -EINVAL when no digit is there, -ERANGE when it does not fit.
 */
int request_size(const char **text, unsigned long *bytes)
{
	static const char units[] = "kmgtpe";
	const char *s = *text, *unit;
	unsigned long n;
	int base = 10;
	int err;

	if (s[0] == '0' && tolower(s[1]) == 'x') {
		base = 16;
		s += 2;
	} else if (s[0] == '0') {
		base = 8;
	}

	err = request_number(&s, base, &n);
	if (err)
		return err;
	unit = *s ? strchr(units, tolower(*s)) : NULL;
	if (unit) {
		if (check_shl_overflow(n, 10 * (unit - units + 1), &n))
			return -ERANGE;
		s++;
	}
	*bytes = n;
	*text = s;
	return 0;
}

static int __init request_parse_nodes(const char *s, request_amount *amount,
				      const nodemask_t *online,
				      struct boot_request *request)
{
	nodemask_t named = NODE_MASK_NONE;
	unsigned long nid;
	int err;

	do {
		err = request_count(&s, &nid);
		if (err)
			return err;
		if (*s++ != ':')
			return -EINVAL;
		if (nid >= MAX_NUMNODES || !node_isset(nid, *online))
			return -ENODEV;
		if (node_test_and_set(nid, named))
			return -EINVAL;
		err = amount(&s, &request->node[nid]);
		if (err)
			return err;
		if (check_add_overflow(request->total, request->node[nid],
				       &request->total))
			return -ERANGE;
	} while (*s++ == ',');

	return s[-1] ? -EINVAL : 0;
}

/**
 * request_parse() - read what a boot parameter asks for
 * @s: its value, all of it
 * @amount: request_count() for pages, request_size() for bytes
 * @online: nodes that may be named
 * @request: the result; on error of no meaning
 *
 * Return: 0; -EINVAL when the form is wrong or a node is named twice, -ERANGE
 * when a number or the sum of the amounts does not fit, -ENODEV when a node is
 * not in @online.
 */
int __init request_parse(const char *s, request_amount *amount,
			 const nodemask_t *online, struct boot_request *request)
{
	int err;

	memset(request, 0, sizeof(*request));
	request->per_node = strchr(s, ':');
	if (request->per_node)
		return request_parse_nodes(s, amount, online, request);

	err = amount(&s, &request->total);
	if (err)
		return err;
	return *s ? -EINVAL : 0;
}

/**
 * request_reason() - why is a parameter ignored?
 * @err: from request_parse() or from rules of the parameter's own
 *
 * Return: words for the kernel log.
 */
const char * __init request_reason(int err)
{
	switch (err) {
	case -ERANGE:
		return "the number is too large";
	case -ENODEV:
		return "there is no such node";
	case -EOPNOTSUPP:
		return "nodes cannot be chosen on this architecture";
	case -EEXIST:
		return "it was given before";
	case -ENOENT:
		return "it does not follow a valid page size";
	default:
		return "the value is invalid";
	}
}
