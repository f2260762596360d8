// SPDX-License-Identifier: GPL-2.0
/* Which orders fit where, and sets of orders as words. */
#include "../../../../mm/thp/policy/order.c"
#include "../../../../mm/thp/policy/rules.c"
#include "../../../../mm/thp/tests/order_kunit.c"
