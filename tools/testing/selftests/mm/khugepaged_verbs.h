/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What stress tests do with an arena: verbs that change its contents, for the
 * one thread that knows them, and loops for others that only change where pages
 * are.
 */
#ifndef KHUGEPAGED_VERBS_H
#define KHUGEPAGED_VERBS_H

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include "khugepaged_arena.h"

#define WINDOWS		3

static time_t deadline;
static unsigned int seed;
static int nodes;

static inline bool running(void)
{
	return time(NULL) < deadline;
}

/* ---- verbs that change contents ---- */

static inline void do_write(struct arena *a)
{
	long n, first = any_range(a, &n);

	write_range(a, first, n);
}

static inline void do_check(struct arena *a)
{
	long n, first = any_range(a, &n);

	check_range(a, first, n);
}

/* Out of the process, or out of the file. */
static inline void drop_range(struct arena *a, long first, long n)
{
	if (madvise(a->base + first * psize(), n * psize(),
		    a->fd < 0 ? MADV_DONTNEED : MADV_REMOVE))
		fail(a, "cannot drop", first);
	forget_range(a, first, n);
}

static inline void do_drop(struct arena *a)
{
	long n, first = any_range(a, &n);

	drop_range(a, first, n);
}

static inline void do_truncate(struct arena *a)
{
	long first = any(a, a->pages);

	if (a->fd < 0)
		return do_drop(a);
	if (ftruncate(a->fd, first * psize()) || ftruncate(a->fd, a->len))
		fail(a, "cannot truncate", first);
	forget_range(a, first, a->pages - first);
}

/* Out of the middle, and back: three VMAs become one again, or not. */
static inline void renew(struct arena *a, long first, long n)
{
	int flags = a->fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	char *at = a->base + first * psize();

	/* What is beside must survive the split of the VMA. */
	if (mmap(at, n * psize(), PROT_READ | PROT_WRITE, flags | MAP_FIXED,
		 a->fd, first * psize()) != at)
		fail(a, "cannot map", first);
	if (a->fd < 0)
		forget_range(a, first, n);
	madvise(a->base, a->len, MADV_HUGEPAGE);
}

static inline void do_unmap(struct arena *a)
{
	long n, first = any_range(a, &n);

	renew(a, first, n);
}

/* One VMA at a time: halves, until that works. */
static inline bool move(char *from, char *to, size_t n)
{
	if (mremap(from, n * psize(), n * psize(),
		   MREMAP_MAYMOVE | MREMAP_FIXED, to) == to)
		return true;
	return n > 1 && move(from, to, n / 2) &&
	       move(from + n / 2 * psize(), to + n / 2 * psize(), n - n / 2);
}

/* Whole, or in two parts that are not VMAs of their own before. */
static inline void do_move(struct arena *a)
{
	long cut = any(a, 2) ? 0 : any(a, a->pages);
	char *from = a->base, *to = a->spare;

	if ((cut && !move(from, to, cut)) ||
	    !move(from + cut * psize(), to + cut * psize(), a->pages - cut))
		fail(a, "cannot move", cut);
	a->base = to;
	a->spare = from;
	/* or malloc() finds it */
	mmap(from, a->len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
	     MAP_NORESERVE | MAP_FIXED, -1, 0);
}

static inline void do_protect(struct arena *a)
{
	long n, first = any_range(a, &n);
	char *at = a->base + first * psize();

	mprotect(at, n * psize(), PROT_READ);
	check_range(a, first, n < 16 ? n : 16);
	if (mprotect(at, n * psize(), PROT_READ | PROT_WRITE))
		fail(a, "cannot unprotect", first);
}

/* ---- children ---- */

static inline void child(struct arena *a)
{
	a->rand += getpid();
	for (int i = 0; i < 4; i++) {
		check_range(a, 0, a->pages);
		if (a->fd < 0)
			do_write(a);
		madvise(a->base, a->len, MADV_COLLAPSE);
	}
	check_range(a, 0, a->pages);
	_exit(0);
}

static inline void reap(struct arena *a, int slot)
{
	int status;

	if (!a->child[slot])
		return;
	if (!any(a, 3))
		kill(a->child[slot], SIGKILL);
	waitpid(a->child[slot], &status, 0);
	a->child[slot] = 0;
	if (WIFEXITED(status) ? WEXITSTATUS(status) :
				WTERMSIG(status) != SIGKILL)
		fail(a, "child failed", 0);
}

/* Private memory is the child's own; shared memory must not change meanwhile. */
static inline void do_fork(struct arena *a)
{
	int slot = any(a, CHILDREN);
	pid_t pid;

	reap(a, slot);
	pid = fork();
	if (!pid)
		child(a);
	if (pid < 0)
		return;
	a->child[slot] = pid;
	if (a->fd >= 0)
		reap(a, slot);
}

/* ---- threads that only change where pages are ---- */

static inline void move_some(struct arena *a, char *at, long n, unsigned int *r)
{
	void *page[64];
	int node[64], status[64];
	int to = rand_r(r) % (nodes ?: 1);

	if (n > 64)
		n = 64;
	for (long i = 0; i < n; i++) {
		page[i] = at + i * psize();
		node[i] = to;
	}
	syscall(__NR_move_pages, 0, n, page, node, status, 2 /* MPOL_MF_MOVE */);
}

static inline void split_to(char *at, long n, int order)
{
	char text[128];

	snprintf(text, sizeof(text), "%d,0x%lx,0x%lx,%d", getpid(),
		 (unsigned long)at, (unsigned long)at + n * psize(), order);
	file_write("/sys/kernel/debug/split_huge_pages", text);
}

static inline void split_some(char *at, long n, unsigned int *r)
{
	split_to(at, n, rand_r(r) % 2 ? 0 : rand_r(r) % 5);
}

static inline void *collapser(void *arg)
{
	struct arena *a = arg;
	unsigned int r = a->rand + 2;

	while (!a->stop) {
		long first = rand_r(&r) % a->pages;
		long n = 1L << (2 + rand_r(&r) % 9);

		first &= ~(n - 1);
		if (rand_r(&r) % 4 == 0 || first + n > a->pages) {
			first = 0;
			n = a->pages;
		}
		madvise(a->base + first * psize(), n * psize(), MADV_COLLAPSE);
	}
	return NULL;
}

/* ---- what a worker begins with ---- */

static inline void arena_map(struct arena *a)
{
	size_t half = read_pmd_pagesize() / 2;
	int flags = a->fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	char *at = khp_reserve(a->len + 2 * half) + half;

	a->spare = khp_reserve(a->len + 2 * half) + half;
	a->base = mmap(at, a->len, PROT_READ | PROT_WRITE, flags | MAP_FIXED,
		       a->fd, 0);
	if (a->base != at)
		fail(a, "cannot map", 0);
	madvise(a->base, a->len, MADV_HUGEPAGE);
}

static inline void arena_init(struct arena *a, const char *name, int fd)
{
	memset(a, 0, sizeof(*a));
	a->name = name;
	a->fd = fd;
	a->uffd = -1;
	a->len = WINDOWS * read_pmd_pagesize();
	a->pages = a->len / psize();
	a->rand = seed ^ getpid() * 7919;
	a->seeds = calloc(a->pages, sizeof(*a->seeds));
	/* never the same contents in two workers */
	a->next_seed = (uint32_t)getpid() << 20;
}

static inline int count_nodes(void)
{
	char path[64];
	int n = 0;

	do {
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d",
			 n);
	} while (!access(path, F_OK) && ++n);
	return n;
}

/* Of advised memory, so that nobody else's folios are counted. */
static inline void enable_advised(bool khugepaged)
{
	khp_all_off();
	khp_set("scan_sleep_millisecs", khugepaged ? 0 : 3600000);
	file_write(KHP_ROOT "enabled", "madvise");
	for (int order = 2; order <= khp_pmd_order(); order++) {
		khp_set_order(order, "enabled", "madvise");
		khp_set_order(order, "shmem_enabled", "advise");
	}
	khp_set("max_ptes_none", 1 << (khp_pmd_order() - 1));
	khp_set("max_ptes_swap", 1 << (khp_pmd_order() - 1));
}

#endif /* KHUGEPAGED_VERBS_H */
