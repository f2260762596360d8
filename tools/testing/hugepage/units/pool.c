// SPDX-License-Identifier: GPL-2.0
/* Counters and lists of a pool, and whose turn a node's is. */
#include "../../../../mm/hugetlb/pool/nodes.c"
#include "../../../../mm/hugetlb/pool/check.c"
#include "../../../../mm/hugetlb/pool/pool.c"
#include "../../../../mm/hugetlb/tests/pool_kunit.c"
