/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Knobs: sysfs, the command line, and statistics per size.
 */
#ifndef MM_THP_KNOBS_H
#define MM_THP_KNOBS_H

#include "../policy/policy.h"

#endif /* MM_THP_KNOBS_H */
