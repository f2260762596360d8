// SPDX-License-Identifier: GPL-2.0
/* Boot parameters that enable sizes. */
#include "../../../../mm/thp/tests/cmdline_kunit.c"
