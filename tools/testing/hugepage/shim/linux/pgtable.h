/* SPDX-License-Identifier: GPL-2.0 */
#define MAX_PTRS_PER_PTE	512
