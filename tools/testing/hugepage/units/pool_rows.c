// SPDX-License-Identifier: GPL-2.0
/* Corners of a pool; the pool itself is in pool.c beside this file. */
#include "../../../../mm/hugetlb/tests/pool_rows_kunit.c"
