// SPDX-License-Identifier: GPL-2.0
/*
 * What custom.h promises: allocations that are counted and fail on demand, and
 * a hugetlb controller that only counts.
 */
#include <linux/hugetlb.h>
#include <linux/nodemask.h>
#include "../../../../mm/hugetlb/reserve/reserve.h"

unsigned int harness_locks_held;
unsigned long harness_ops = 1000000;
unsigned long harness_seed;

/* Numbers with gaps, as machines have them. */
#define HARNESS_NODES	{ { BIT(0) | BIT(1) | BIT(3) | BIT(6) } }

nodemask_t node_states[NR_NODE_STATES] = {
	[N_POSSIBLE]	= NODE_MASK_ALL,
	[N_ONLINE]	= HARNESS_NODES,
	[N_MEMORY]	= HARNESS_NODES,
};

static struct rnd_state harness_rnd;
static unsigned long harness_fail_in;
static unsigned long harness_alive;

bool harness_fail_alloc(unsigned long k)
{
	harness_fail_in = k;
	return true;
}

unsigned long harness_allocs_alive(void)
{
	return harness_alive;
}

void harness_reseed(void)
{
	/* Neighbouring seeds shall not begin with similar numbers. */
	prandom_seed_state(&harness_rnd, (harness_seed + 1) * 2654435761ULL);
}

u64 harness_random(void)
{
	u64 high;

	high = prandom_u32_state(&harness_rnd);
	return high << 32 | prandom_u32_state(&harness_rnd);
}

void *harness_alloc(size_t size, gfp_t gfp, const char *file, int line)
{
	void *p;

	if (gfpflags_allow_blocking(gfp) && harness_locks_held)
		harness_broken(file, line, "sleeps under a spinlock");
	if (harness_fail_in && !--harness_fail_in)
		return NULL;
	p = malloc(size);
	if (!p)
		abort();
	/* What kmalloc() leaves in fresh memory is anything but zero. */
	memset(p, gfp & __GFP_ZERO ? 0 : 0x5a, size);
	harness_alive++;
	return p;
}

void harness_free(const void *p, const char *file, int line)
{
	if (harness_locks_held)
		harness_broken(file, line, "frees under a spinlock");
	if (p)
		harness_alive--;
	free((void *)p);
}

void hugetlb_cgroup_tag_get(struct hugetlb_cgroup *tag)
{
	if (tag)
		tag->refs++;
}

void hugetlb_cgroup_tag_put(struct hugetlb_cgroup *tag)
{
	if (!tag)
		return;
	tag->refs--;
	harness_check(tag->refs >= 0, "cgroup: put without a reference");
}

void hugetlb_cgroup_tag_uncharge(struct hugetlb_pool *pool,
				 struct hugetlb_cgroup *tag, long n)
{
	if (!tag)
		return;
	harness_check(tag->refs > 0, "cgroup: uncharged without a reference");
	tag->charged -= n;
	harness_check(tag->charged >= 0, "cgroup: uncharged twice");
}

/* A number in any base that C has, then K, M, G...; no blanks, no sign. */
unsigned long long memparse(const char *s, char **end)
{
	static const char suffix[] = "KMGTPE";
	const char *unit;
	unsigned long long n;

	*end = (char *)s;
	if (*s < '0' || *s > '9')
		return 0;
	n = strtoull(s, end, 0);
	unit = **end < 'A' ? NULL : strchr(suffix, **end & ~0x20);
	if (!unit)
		return n;
	(*end)++;
	return n << 10 * (unit - suffix + 1);
}
