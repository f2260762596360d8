// SPDX-License-Identifier: GPL-2.0
/* What can come of a collapse. */
#include "../../../../mm/khugepaged/result.c"
#include "../../../../mm/khugepaged/tests/result_kunit.c"
