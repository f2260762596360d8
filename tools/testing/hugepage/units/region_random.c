// SPDX-License-Identifier: GPL-2.0
/* Random operations on range maps; the maps are in region.c beside this file. */
#include "../../../../mm/hugetlb/tests/region_random_kunit.c"
