// SPDX-License-Identifier: GPL-2.0
/* Minimum and maximum of a mount. */
#include "../../../../mm/hugetlb/reserve/quota.c"
#include "../../../../mm/hugetlb/tests/quota_kunit.c"
