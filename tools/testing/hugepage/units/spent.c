// SPDX-License-Identifier: GPL-2.0
/* Maps of private mappings and the promise table; the other maps are region.c. */
#include "../../../../mm/hugetlb/reserve/spent.c"
#include "../../../../mm/hugetlb/tests/spent_kunit.c"
