// SPDX-License-Identifier: GPL-2.0
/*
 * Orders: algebra on sets of them, a bit for each.
 *
 * A folio of order k lies at a multiple of 2^k pages.  So whether one fits is a
 * question about binary digits, and all orders are answered at once.
 * Pure: no mm, no locks, no memory.  Everything is counted in pages.
 */
#include <linux/bitops.h>
#include "policy.h"

/**
 * thp_orders_within() - orders of which a range holds a natural block somewhere
 * @start: first page of the range
 * @end: behind its last page
 *
 * The largest of them touches the roundest page number in the range.
 *
 * Context: any.
 * Return: set of orders, with each also the smaller ones.
 */
unsigned long thp_orders_within(unsigned long start, unsigned long end)
{
	unsigned long digit, round;

	if (start >= end)
		return 0;

	digit = BIT(fls_long((start - 1) ^ end) - 1);
	round = end & ~(digit - 1);
	return thp_orders_around(round, start, end) |
	       thp_orders_around(round - 1, start, end);
}

/**
 * thp_orders_aligned() - orders at which two numbers are equally aligned
 * @distance: one minus the other
 *
 * Context: any.
 * Return: set of orders, with each also the smaller ones.
 */
unsigned long thp_orders_aligned(unsigned long distance)
{
	/* Up to the lowest digit that is set; all if there is none. */
	return distance ^ (distance - 1);
}
