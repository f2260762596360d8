// SPDX-License-Identifier: GPL-2.0
/* Range maps and the promise table. */
#include "../../../../mm/hugetlb/reserve/region.c"
#include "../../../../mm/hugetlb/tests/region_kunit.c"
