// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation fails once: the pool grows and shrinks, pages of 1G come,
 * go and are split, pages with bad memory leave.  Then what work items
 * allocate: memory for struct pages that come back, tables under them.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"
#include "hugetlb_inject_map.h"

#ifndef MADV_HWPOISON
#define MADV_HWPOISON		100
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

#define SZ_GIG		(1UL << 30)

/* Of the files that are written again and again, only the write may fail. */
static int open_knob(struct inject *t, const char *path)
{
	t->fd = open(path, O_RDWR);
	if (t->fd < 0)
		t->fd = open(path, O_WRONLY);
	return t->fd < 0 ? INJECT_SKIP : 0;
}

static int open_pool_knob(struct inject *t, size_t size, int node,
			  const char *file)
{
	char path[256];

	huge_path(path, sizeof(path), size, node, file);
	return open_knob(t, path);
}

/* The write says nothing of pages that there was no memory for. */
static int write_count(struct inject *t, long n)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld", n);

	if (pwrite(t->fd, text, len, 0) != len)
		return errno;
	return inject_number(t->fd) == n ? 0 : ENOMEM;
}

static void back_to(struct inject *t, long n)
{
	close(t->fd);
	huge_set(SZ_HUGE, "nr_hugepages", n);
}

static void back_to_pool(struct inject *t)
{
	back_to(t, t->op->pool);
}

/* ---- resize ---- */

static int with_pool_knob(struct inject *t)
{
	return open_pool_knob(t, SZ_HUGE, -1, "nr_hugepages");
}

static int run_grow(struct inject *t)
{
	return write_count(t, POOL + 4);
}

FIXTURE_VARIANT_ADD(inject, grow) { .op = {
	.name = "grow", .pool = POOL, .prepare = with_pool_knob,
	.run = run_grow, .undo = back_to_pool, .flags = INJECT_PARTIAL,
	.fired = 3, .refused = 1,
} };

static int run_shrink(struct inject *t)
{
	return write_count(t, 2);
}

FIXTURE_VARIANT_ADD(inject, shrink) { .op = {
	.name = "shrink", .pool = POOL, .prepare = with_pool_knob,
	.run = run_shrink, .undo = back_to_pool, .flags = INJECT_PARTIAL,
	.fired = 1, .refused = 1,
} };

static int with_node_knob(struct inject *t)
{
	return open_pool_knob(t, SZ_HUGE, 1, "nr_hugepages");
}

FIXTURE_VARIANT_ADD(inject, grow_node) { .op = {
	.name = "grow_node", .pool = POOL, .prepare = with_node_knob,
	.run = run_grow, .undo = back_to_pool,
	.flags = INJECT_PARTIAL | INJECT_NUMA, .fired = 3, .refused = 2,
} };

static int with_sysctl(struct inject *t)
{
	return open_knob(t, "/proc/sys/vm/nr_hugepages");
}

FIXTURE_VARIANT_ADD(inject, grow_sysctl) { .op = {
	.name = "grow_sysctl", .pool = POOL, .prepare = with_sysctl,
	.run = run_grow, .undo = back_to_pool, .flags = INJECT_PARTIAL,
	.fired = 3, .refused = 1,
} };

static int with_policy_knob(struct inject *t)
{
	return open_pool_knob(t, SZ_HUGE, -1, "nr_hugepages_mempolicy");
}

FIXTURE_VARIANT_ADD(inject, grow_mempolicy) { .op = {
	.name = "grow_mempolicy", .pool = POOL, .prepare = with_policy_knob,
	.run = run_grow, .undo = back_to_pool, .flags = INJECT_PARTIAL,
	.fired = 3, .refused = 1,
} };

/* Pages in use become surplus, and persistent again. */
static int with_used_pool(struct inject *t)
{
	return with_private(t) ?: with_pool_knob(t);
}

static void undo_used_pool(struct inject *t)
{
	unmap(t);
	back_to_pool(t);
}

static int run_shrink_used(struct inject *t)
{
	char text[] = "0";

	if (pwrite(t->fd, text, 1, 0) != 1)
		return errno;
	return inject_number(t->fd) == 3 ? 0 : ENOMEM;
}

FIXTURE_VARIANT_ADD(inject, shrink_used) { .op = {
	.name = "shrink_used", .pool = POOL, .prepare = with_used_pool,
	.run = run_shrink_used, .undo = undo_used_pool,
	.flags = INJECT_PARTIAL, .fired = 1, .refused = 1,
} };

static int with_overcommit_knob(struct inject *t)
{
	return open_pool_knob(t, SZ_HUGE, -1, "nr_overcommit_hugepages");
}

static int run_overcommit(struct inject *t)
{
	return write_count(t, 7);
}

static void undo_overcommit(struct inject *t)
{
	close(t->fd);
	huge_set(SZ_HUGE, "nr_overcommit_hugepages", 0);
}

FIXTURE_VARIANT_ADD(inject, overcommit) { .op = {
	.name = "overcommit", .pool = POOL, .prepare = with_overcommit_knob,
	.run = run_overcommit, .undo = undo_overcommit,
	.fired = 1, .refused = 1,
} };

/*
 * ---- pages of 1G: few failures, as each round takes seconds ----
 *
 * One that is there goes and comes back, as its memory is the only one that is
 * sure to do.
 */
static int with_gig(struct inject *t)
{
	t->n = huge_get(SZ_GIG, "nr_hugepages");
	if (t->n < 1 || huge_get(SZ_GIG, "free_hugepages") < t->n)
		return INJECT_SKIP;
	return open_pool_knob(t, SZ_GIG, -1, "nr_hugepages");
}

static int run_shrink_gig(struct inject *t)
{
	return write_count(t, t->n - 1);
}

static int run_grow_gig(struct inject *t)
{
	return write_count(t, t->n);
}

static void undo_gig(struct inject *t)
{
	close(t->fd);
	huge_set(SZ_GIG, "nr_hugepages", t->n);
}

FIXTURE_VARIANT_ADD(inject, shrink_gig) { .op = {
	.name = "shrink_gig", .pool = 0, .prepare = with_gig,
	.run = run_shrink_gig, .undo = undo_gig, .flags = INJECT_PARTIAL,
	.most = 6, .fired = 1, .refused = 1,
} };

static int with_gig_gone(struct inject *t)
{
	return with_gig(t) ?: run_shrink_gig(t);
}

FIXTURE_VARIANT_ADD(inject, grow_gig) { .op = {
	.name = "grow_gig", .pool = 0, .prepare = with_gig_gone,
	.run = run_grow_gig, .undo = undo_gig, .flags = INJECT_PARTIAL,
	.most = 6, .fired = 1, .refused = 1,
} };

/* Smaller pages lie where it was, and have to be replaced. */
static int with_gig_in_use(struct inject *t)
{
	int err;

	huge_set(SZ_HUGE, "nr_hugepages", 0);
	err = with_gig_gone(t);
	huge_set(SZ_HUGE, "nr_hugepages", t->op->pool);
	return err;
}

FIXTURE_VARIANT_ADD(inject, grow_gig_replace) { .op = {
	.name = "grow_gig_replace", .pool = 4 * POOL,
	.prepare = with_gig_in_use, .run = run_grow_gig, .undo = undo_gig,
	.most = 12, .fired = 1, .refused = 1,
} };

/* ---- demotion, of the smallest size that can be demoted ---- */

static size_t demotable(void)
{
	static const size_t sizes[] = { 32UL << 20, SZ_GIG };
	char path[256];

	for (int i = 0; i < 2; i++) {
		huge_path(path, sizeof(path), sizes[i], -1, "demote_size");
		if (!access(path, R_OK))
			return sizes[i];
	}
	return 0;
}

static int with_page_to_demote(struct inject *t)
{
	size_t size = demotable();

	if (size && huge_get(size, "nr_hugepages") < 1)
		huge_set(size, "nr_hugepages", 1);
	t->n = huge_get(size, "nr_hugepages");
	if (t->n < 1)
		return INJECT_SKIP;
	return open_pool_knob(t, size, -1, "demote");
}

static int run_demote(struct inject *t)
{
	char text[] = "1";

	return pwrite(t->fd, text, 1, 0) == 1 ? 0 : errno;
}

static void undo_demote(struct inject *t)
{
	back_to_pool(t);
	huge_set(demotable(), "nr_hugepages", t->n);
}

FIXTURE_VARIANT_ADD(inject, demote) { .op = {
	.name = "demote", .pool = 0, .prepare = with_page_to_demote,
	.run = run_demote, .undo = undo_demote, .most = 8,
	.fired = 1, .refused = 1,
} };

/* Some of its struct pages come back, others are given back anew. */
FIXTURE_VARIANT_ADD(inject, demote_hvo) { .op = {
	.name = "demote_hvo", .pool = 0, .prepare = with_page_to_demote,
	.run = run_demote, .undo = undo_demote, .flags = INJECT_HVO,
	.most = 8, .fired = 1, .refused = 1,
} };

/* ---- bad memory ---- */

static unsigned long frame_of(char *p)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (pread(fd, &entry, 8, (unsigned long)p / getpagesize() * 8) != 8)
		entry = 0;
	close(fd);
	return entry & ((1UL << 55) - 1);
}

/* What was poisoned is good memory in truth, and is wanted again. */
static void undo_bad(struct inject *t)
{
	char text[32];

	unmap(t);
	snprintf(text, sizeof(text), "%lu", t->pfn);
	file_write("/sys/kernel/debug/hwpoison/unpoison-pfn", text);
	huge_set(SZ_HUGE, "nr_hugepages", t->op->pool);
}

static int with_page_to_lose(struct inject *t)
{
	int err = with_private_touched(t);

	if (access("/sys/kernel/debug/hwpoison/unpoison-pfn", W_OK))
		return INJECT_SKIP;
	t->pfn = frame_of(t->p);
	return err;
}

static int run_soft_offline(struct inject *t)
{
	return madvise(t->p, getpagesize(), MADV_SOFT_OFFLINE) ? errno : 0;
}

FIXTURE_VARIANT_ADD(inject, soft_offline) { .op = {
	.name = "soft_offline", .pool = POOL, .prepare = with_page_to_lose,
	.run = run_soft_offline, .undo = undo_bad,
	.errors = { EBUSY, EIO }, .flags = INJECT_PARTIAL,
} };

FIXTURE_VARIANT_ADD(inject, soft_offline_hvo) { .op = {
	.name = "soft_offline_hvo", .pool = POOL, .prepare = with_page_to_lose,
	.run = run_soft_offline, .undo = undo_bad, .errors = { EBUSY, EIO },
	.flags = INJECT_PARTIAL | INJECT_HVO, .fired = 1,
} };

/* No page is free to migrate to. */
FIXTURE_VARIANT_ADD(inject, soft_offline_dry) { .op = {
	.name = "soft_offline_dry", .pool = 2, .prepare = with_page_to_lose,
	.run = run_soft_offline, .undo = undo_bad, .errors = { EBUSY, EIO },
	.flags = INJECT_PARTIAL, .fired = 1, .refused = 1,
} };

/* The signal comes before madvise() returns. */
static void was_told(int sig)
{
}

/* Once it is poisoned there is nothing to repeat. */
static int run_poison(struct inject *t)
{
	signal(SIGBUS, was_told);
	if (!madvise(t->p, getpagesize(), MADV_HWPOISON))
		return 0;
	return errno == EHWPOISON || errno == EFAULT ? 0 : errno;
}

FIXTURE_VARIANT_ADD(inject, hwpoison) { .op = {
	.name = "hwpoison", .pool = POOL, .prepare = with_page_to_lose,
	.run = run_poison, .undo = undo_bad, .errors = { EBUSY, EIO },
	.flags = INJECT_PARTIAL,
} };

FIXTURE_VARIANT_ADD(inject, hwpoison_hvo) { .op = {
	.name = "hwpoison_hvo", .pool = POOL, .prepare = with_page_to_lose,
	.run = run_poison, .undo = undo_bad, .errors = { EBUSY, EIO },
	.flags = INJECT_PARTIAL | INJECT_LATE | INJECT_HVO,
} };

/* A free page, by its number. */
static int with_free_page_to_lose(struct inject *t)
{
	int err = with_page_to_lose(t);

	if (err)
		return err;
	unmap(t);
	return open_knob(t, "/sys/devices/system/memory/soft_offline_page");
}

static int run_dissolve(struct inject *t)
{
	char text[32];
	int len;

	len = snprintf(text, sizeof(text), "%#lx", t->pfn * getpagesize());
	return write(t->fd, text, len) == len ? 0 : errno;
}

static void undo_dissolve(struct inject *t)
{
	close(t->fd);
	undo_bad(t);
}

FIXTURE_VARIANT_ADD(inject, dissolve) { .op = {
	.name = "dissolve", .pool = POOL, .prepare = with_free_page_to_lose,
	.run = run_dissolve, .undo = undo_dissolve,
	.errors = { EBUSY, EIO }, .fired = 1, .refused = 1,
} };

FIXTURE_VARIANT_ADD(inject, dissolve_hvo) { .op = {
	.name = "dissolve_hvo", .pool = POOL,
	.prepare = with_free_page_to_lose, .run = run_dissolve,
	.undo = undo_dissolve, .errors = { EBUSY, EIO },
	.flags = INJECT_HVO, .fired = 1, .refused = 1,
} };

/* ---- struct pages are given back and come back ---- */

FIXTURE_VARIANT_ADD(inject, grow_hvo) { .op = {
	.name = "grow_hvo", .pool = POOL, .prepare = with_pool_knob,
	.run = run_grow, .undo = back_to_pool,
	.flags = INJECT_PARTIAL | INJECT_HVO, .fired = 3, .refused = 1,
} };

FIXTURE_VARIANT_ADD(inject, shrink_hvo) { .op = {
	.name = "shrink_hvo", .pool = POOL, .prepare = with_pool_knob,
	.run = run_shrink, .undo = back_to_pool,
	.flags = INJECT_PARTIAL | INJECT_HVO, .fired = 1, .refused = 1,
} };

static int with_surplus_promised(struct inject *t)
{
	return map_anon(t, 2, MAP_PRIVATE | MAP_NORESERVE);
}

FIXTURE_VARIANT_ADD(inject, fault_surplus_hvo) { .op = {
	.name = "fault_surplus_hvo", .pool = 0, .overcommit = 4,
	.prepare = with_surplus_promised, .run = touch_all, .undo = unmap,
	.errors = { INJECT_BUS }, .flags = INJECT_PARTIAL | INJECT_HVO,
	.fired = 2, .refused = 1,
} };

/*
 * Closing gives back the promises, and with them the surplus: what cannot be
 * unmade goes when the size is written.
 */
static int with_surplus_mapped(struct inject *t)
{
	return map_anon(t, 3, MAP_PRIVATE);
}

static int run_unmap(struct inject *t)
{
	return munmap(t->p, t->n * SZ_HUGE) ? errno : 0;
}

static void undo_surplus(struct inject *t)
{
	huge_set(SZ_HUGE, "nr_hugepages", t->op->pool);
}

FIXTURE_VARIANT_ADD(inject, unmap_surplus_hvo) { .op = {
	.name = "unmap_surplus_hvo", .pool = 0, .overcommit = 4,
	.prepare = with_surplus_mapped, .run = run_unmap, .undo = undo_surplus,
	.flags = INJECT_HVO | INJECT_LATE,
} };

int main(int argc, char **argv)
{
	return inject_main(argc, argv);
}
