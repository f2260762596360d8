/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the thp_inject* tests share: counters of huge pages for the engine of
 * hugetlb_inject.h, memory to begin with, operations for memory of any kind.
 */
#ifndef THP_INJECT_H
#define THP_INJECT_H

#include "hugetlb_inject.h"
#include "thp_guard.h"
#include "thp_rest.h"

#define SEED		31
#define PAGES		512L	/* of a huge page */
#define HUGE		(PAGES * psize())
#define MOST		30	/* of hundreds of allocations that are alike */
#define ORDER(n)	(1UL << (n))
#define PMD		ORDER(9)
#define ORDERS		0x3fcUL	/* all of these */
#define SPLIT_FILE	"/sys/kernel/debug/split_huge_pages"

/* ---- what to look at ---- */

static inline void add_stats(struct inject_list *list, const char *file)
{
	char path[128], name[64];

	for (int order = 2; order <= khp_pmd_order(); order++) {
		snprintf(name, sizeof(name), "hugepages-%ukB/stats/%s",
			 (psize() >> 10) << order, file);
		snprintf(path, sizeof(path), KHP_ROOT "%s", name);
		inject_add(list, VALUE_FILE, path, name);
	}
}

static inline void add_thp(struct inject_list *list, const char *mount)
{
	static const char * const counted[] = {
		"nr_anon_transparent_hugepages", "nr_shmem_hugepages",
		"nr_shmem_pmdmapped", "nr_shmem", "nr_page_table_pages",
		"nr_dirty",
	};

	add_stats(list, "nr_anon");
	add_stats(list, "nr_anon_partially_mapped");
	inject_add(list, VALUE_NAMED, "/proc/self/status", "VmPTE");
	for (size_t i = 0; i < ARRAY_SIZE(counted); i++)
		inject_add(list, VALUE_VMSTAT, "/proc/vmstat", counted[i]);
	if (mount) {
		inject_add(list, VALUE_BLOCKS, mount, "free pages of the mount");
		inject_add(list, VALUE_INODES, mount, "free inodes of the mount");
	}
}

/* ---- memory to begin with ---- */

/* Only what is advised has huge pages, not the heap and the stack. */
static inline int map_fresh(struct inject *t, long n, int flags, int fd)
{
	char *at = alone();

	t->n = n;
	t->p = mmap(at, n * psize(), PROT_READ | PROT_WRITE, flags | MAP_FIXED,
		    fd, 0);
	if (!at || t->p != at)
		return -1;
	return madvise(t->p, n * psize(), MADV_HUGEPAGE);
}

static inline int fresh(struct inject *t)
{
	return map_fresh(t, PAGES, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static inline int with_huge(struct inject *t)
{
	if (fresh(t))
		return -1;
	khp_fill(t->p, PAGES, SEED);
	return khp_order_at(t->p) != khp_pmd_order();
}

/* For four folios of the one size that is enabled; no more than a huge page. */
static inline int fresh_few(struct inject *t)
{
	long n = 4 * t->op->arg;

	return map_fresh(t, n < PAGES ? n : PAGES, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1);
}

static inline int with_few(struct inject *t)
{
	if (fresh_few(t))
		return -1;
	khp_fill(t->p, t->n, SEED);
	return khp_order_at(t->p) != __builtin_ctzl(t->op->arg);
}

/* Zeroes for reading */
static inline int with_zeroes(struct inject *t)
{
	if (fresh(t))
		return -1;
	khp_touch(t->p, 1);
	return 0;
}

static inline void undo_map(struct inject *t)
{
	munmap(t->p, t->n * psize());
}

static inline void undo_child(struct inject *t)
{
	inject_child_stop(t);
	undo_map(t);
}

static inline bool good_filled(struct inject *t)
{
	return khp_holds(t->p, t->n, SEED);
}

static inline bool all_zero(const char *p, long n)
{
	for (long i = 0; i < n; i++) {
		if (!khp_page_zero(p, i))
			return false;
	}
	return true;
}

static inline bool good_zero(struct inject *t)
{
	return all_zero(t->p, t->n);
}

static inline int done_or_errno(int ret)
{
	return ret < 0 ? errno : 0;
}

/* ---- operations ---- */

static inline int run_populate(struct inject *t)
{
	return done_or_errno(madvise(t->p, t->n * psize(),
				     MADV_POPULATE_WRITE));
}

static inline int run_touch(struct inject *t)
{
	khp_fill(t->p, t->n, SEED);
	return 0;
}

static inline int run_fork(struct inject *t)
{
	return inject_child_start(t) ? errno : 0;
}

/* Where nothing can be swapped out nothing is tested. */
static inline int or_no_swap(int err)
{
	return err ?: khp_meminfo("SwapTotal") > 0 ? 0 : INJECT_SKIP;
}

static inline int run_pageout(struct inject *t)
{
	return done_or_errno(madvise(t->p, t->n * psize(), MADV_PAGEOUT));
}

/*
 * In place of the one allocation that fail-nth counts, the first t->nth of pages
 * fail: who comes down from one size to the next finds nothing there either.
 */
static inline int run_row(struct inject *t, int (*run)(struct inject *t))
{
	static const char mine[] = "/proc/thread-self/make-it-fail";
	char times[16];
	int err;

	snprintf(times, sizeof(times), "%u", t->nth);
	inject_attr_set(1, "times", times);
	inject_attr_set(1, "task-filter", "Y");
	inject_attr_set(1, "probability", "100");
	file_write(mine, "1");
	err = run(t);
	file_write(mine, "0");
	t->hit = inject_attr_get(1, "times") < t->nth;
	inject_attr_set(1, "task-filter", "N");
	inject_attr_calm();
	return err;
}

static inline int run_populate_row(struct inject *t)
{
	return run_row(t, run_populate);
}

/* The middle of it */
static inline int run_unmap(struct inject *t)
{
	return done_or_errno(munmap(t->p + HUGE / 4, HUGE / 2));
}

static inline bool good_outside(struct inject *t)
{
	for (long i = 0; i < PAGES; i++) {
		if (i == PAGES / 4 && !t->err)
			i = PAGES * 3 / 4;
		if (!khp_page_holds(t->p, SEED, i))
			return false;
	}
	return true;
}

/*
 * Nothing else is to fail: whoever looks what came of it must see it.
 * For INJECT_OWN.
 */
static inline int split(struct inject *t, const char *what, unsigned long from,
			unsigned long to, int order)
{
	char text[192];
	int err;

	snprintf(text, sizeof(text), "%s,0x%lx,0x%lx,%d", what, from, to,
		 order);
	inject_arm(t, t->nth);
	err = file_write(SPLIT_FILE, text);
	t->hit = inject_disarm(t, t->nth);
	return err;
}

/* ---- the test ---- */

static inline bool mount_tmpfs(struct inject *t)
{
	static char dir[32];

	strcpy(dir, "/tmp/thp_inject.XXXXXX");
	if (!mkdtemp(dir) || mount("thp_inject", dir, "tmpfs", 0, t->op->mount))
		return false;
	t->dir = dir;
	return true;
}

/*
 * What may be freed is.  Who had zeroes once keeps the huge zero page; a child
 * has to ask for it by itself.
 */
static inline void thp_calm(struct inject *t)
{
	if ((t->op->arg & PMD) && !(t->op->flags & INJECT_CHILD)) {
		with_zeroes(t);
		undo_map(t);
	}
	sync();
	file_write("/proc/sys/vm/drop_caches", "3");
}

FIXTURE_SETUP(inject)
{
	struct inject *t = &self->t;

	t->op = &variant->op;
	if (psize() != 4096 || khp_pmd_order() != 9)
		SKIP(return, "for pages of 4K");
	if ((t->op->flags & INJECT_NUMA) && huge_nodes() < 2)
		SKIP(return, "one node");
	t->verbose = inject_verbose();
	inject_stay();
	khp_all_off();
	/* What is in small pages stays in small pages. */
	khp_set("scan_sleep_millisecs", 3600000);
	khp_set("max_ptes_none", 0);
	for (int order = 2; order <= 9; order++) {
		if (!(t->op->arg & ORDER(order)))
			continue;
		khp_set_order(order, "enabled", "madvise");
		khp_set_order(order, "shmem_enabled", "advise");
	}
	ASSERT_EQ(0, pipe(t->to_child));
	ASSERT_EQ(0, pipe(t->from_child));
	if (t->op->mount)
		ASSERT_TRUE(mount_tmpfs(t));
	inject_open_nth(t);
	ASSERT_GE(t->fd_nth, 0);
	add_thp(&t->list, t->dir);
}

FIXTURE_TEARDOWN(inject)
{
	struct inject *t = &self->t;

	if (!t->list.n)
		return;
	inject_child_stop(t);
	inject_forget_all(&t->list);
	if (t->dir) {
		EXPECT_EQ(0, umount(t->dir));
		rmdir(t->dir);
	}
}

/* What is lost every time, or is large, is more than the slack. */
TEST_F_TIMEOUT(inject, points, 3600)
{
	static const struct rest slack = { .tables = 2, .free = 1024 };
	struct rest before;

	thp_calm(&self->t);
	rest_look(&before);
	inject_every_point(_metadata, &self->t);
	rest_expect_within(_metadata, &before, &slack);
}

static inline int thp_inject_main(int argc, char **argv)
{
	thp_guard_begin();
	return inject_main(argc, argv);
}

#endif /* THP_INJECT_H */
