// SPDX-License-Identifier: GPL-2.0
/* Which ranges khugepaged tries. */
#include "../../../../mm/khugepaged/candidates.c"
#include "../../../../mm/khugepaged/tests/candidates_kunit.c"
