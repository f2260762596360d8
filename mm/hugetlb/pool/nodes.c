// SPDX-License-Identifier: GPL-2.0
/*
 * Nodes: whose turn is it?
 *
 * Pure: knows node masks, no pools and no locks.
 */
#include "pool.h"

/**
 * nodes_next() - the node whose turn it is
 * @cursor: where the round stands; any value will do, NUMA_NO_NODE and nodes
 *	that left @allowed included
 * @allowed: nodes that take part
 *
 * Visits the allowed nodes in ascending order, over and over.  Afterwards
 * @cursor holds the allowed node that comes next.
 *
 * Context: whatever protects @cursor.
 * Return: the first allowed node at or behind @cursor, NUMA_NO_NODE (and
 * @cursor as it was) when no node is allowed.
 */
int nodes_next(int *cursor, const nodemask_t *allowed)
{
	/* next_node_in() begins behind the node it is told, and wraps. */
	unsigned int nid = next_node_in(max(*cursor, 0) - 1, *allowed);

	if (nid >= MAX_NUMNODES)
		return NUMA_NO_NODE;
	*cursor = next_node_in(nid, *allowed);
	return nid;
}
