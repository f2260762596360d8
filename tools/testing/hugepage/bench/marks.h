/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How the program in the guest speaks to the plugin in the emulator: an
 * instruction that does nothing but has a number in it, "nopl N(%rax)".
 */
#ifndef HUGEPAGE_BENCH_MARKS_H
#define HUGEPAGE_BENCH_MARKS_H

#define MARK_SIZE	7		/* bytes: 0f 1f 80, and N */
#define MARK_OPEN	0x68700001	/* counting starts */
#define MARK_LAP	0x68700002	/* report, and count on from zero */
#define MARK_CLOSE	0x68700003	/* report and stop */

#endif
