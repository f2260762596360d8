// SPDX-License-Identifier: GPL-2.0
/*
 * Choices: knobs that are one word of several.
 *
 * A word sets some flags of its knob and clears the others in one step.
 */
#include <linux/array_size.h>
#include <linux/bits.h>
#include "knobs.h"

#define ALWAYS		BIT(TRANSPARENT_HUGEPAGE_FLAG)
#define MADVISE		BIT(TRANSPARENT_HUGEPAGE_REQ_MADV_FLAG)
#define DEFRAG_ALWAYS	BIT(TRANSPARENT_HUGEPAGE_DEFRAG_DIRECT_FLAG)
#define DEFRAG_DEFER	BIT(TRANSPARENT_HUGEPAGE_DEFRAG_KSWAPD_FLAG)
#define DEFRAG_BOTH	BIT(TRANSPARENT_HUGEPAGE_DEFRAG_KSWAPD_OR_MADV_FLAG)
#define DEFRAG_MADVISE	BIT(TRANSPARENT_HUGEPAGE_DEFRAG_REQ_MADV_FLAG)

static const char * const enabled_words[] = { "always", "madvise", "never" };
static const unsigned long enabled_flags[] = { ALWAYS, MADVISE, 0 };

static_assert(ARRAY_SIZE(enabled_words) == ARRAY_SIZE(enabled_flags));

const struct thp_choices thp_enabled_choices = {
	.words	= enabled_words,
	.flags	= enabled_flags,
	.mask	= ALWAYS | MADVISE,
	.nr	= ARRAY_SIZE(enabled_words),
};

static const char * const defrag_words[] = {
	"always", "defer", "defer+madvise", "madvise", "never",
};

static const unsigned long defrag_flags[] = {
	DEFRAG_ALWAYS, DEFRAG_DEFER, DEFRAG_BOTH, DEFRAG_MADVISE, 0,
};

static_assert(ARRAY_SIZE(defrag_words) == ARRAY_SIZE(defrag_flags));

const struct thp_choices thp_defrag_choices = {
	.words	= defrag_words,
	.flags	= defrag_flags,
	.mask	= DEFRAG_ALWAYS | DEFRAG_DEFER | DEFRAG_BOTH | DEFRAG_MADVISE,
	.nr	= ARRAY_SIZE(defrag_words),
};

/**
 * thp_chosen() - which word holds at present
 * @choices: the knob
 *
 * Context: any.
 * Return: index of the word.
 */
unsigned int thp_chosen(const struct thp_choices *choices)
{
	unsigned long flags = READ_ONCE(transparent_hugepage_flags);
	unsigned int i;

	for (i = 0; i < choices->nr - 1; i++)
		if ((flags & choices->mask) == choices->flags[i])
			break;
	return i;
}

/**
 * thp_choose() - another word holds
 * @choices: the knob
 * @i: index of the word
 *
 * Context: any.
 */
void thp_choose(const struct thp_choices *choices, unsigned int i)
{
	thp_set_flags(choices->mask, choices->flags[i]);
}
