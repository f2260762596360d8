/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Knobs: sysfs, the command line, and statistics per size.
 *
 * All state is written through ../policy/; khugepaged is told when something
 * was enabled or disabled.  The knobs of shared memory are those of mm/shmem.c.
 */
#ifndef MM_THP_KNOBS_H
#define MM_THP_KNOBS_H

#include <linux/kobject.h>

#include "../policy/policy.h"

/* ---- choices.c: knobs that are one word of several ---- */

/**
 * struct thp_choices - the words of a knob and what they stand for
 * @words: in the order they are shown
 * @flags: for each word, the bits of transparent_hugepage_flags it sets
 * @mask: the bits that belong to the knob
 * @nr: how many words
 */
struct thp_choices {
	const char * const	*words;
	const unsigned long	*flags;
	unsigned long		mask;
	unsigned int		nr;
};

extern const struct thp_choices thp_enabled_choices;
extern const struct thp_choices thp_defrag_choices;

unsigned int thp_chosen(const struct thp_choices *choices);
void thp_choose(const struct thp_choices *choices, unsigned int i);

/* ---- cmdline.c ---- */

void __init thp_cmdline_finish(void);

/* ---- sysfs.c: transparent_hugepage/; size.c: hugepages-<size>kB/ in it ---- */

#ifdef CONFIG_SYSFS
ssize_t thp_emit_word(char *buf, ssize_t at, const char *word, bool chosen);
int __init thp_sysfs_init(void);
void __init thp_sysfs_exit(void);

int __init thp_sizes_init(struct kobject *dir);
void __init thp_sizes_exit(void);
#else
static inline int thp_sysfs_init(void) { return 0; }
static inline void thp_sysfs_exit(void) { }
#endif

#endif /* MM_THP_KNOBS_H */
