// SPDX-License-Identifier: GPL-2.0
/* Fork and exit: what mappings of so many times 2M add to them. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "bench.h"

#define FORKS		4	/* windows */
#define MAPPINGS	16	/* each of them has as many pages as the others */

void be_first(void)
{
	struct sched_param param = { .sched_priority = 1 };

	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param))
		die("sched_setscheduler");
}

void be_normal(void)
{
	struct sched_param param = { };

	if (sched_setscheduler(0, SCHED_OTHER, &param))
		die("sched_setscheduler");
}

static char *map_ordinary(size_t size, int advice)
{
	char *p = map_aligned(size);

	if (madvise(p, size, advice))
		die("madvise");
	return p;
}

static char *map_kind(enum mapped kind, size_t size)
{
	switch (kind) {
	case MAPPED_HUGETLB_PRIVATE:
		return map_anon(size, MAP_PRIVATE | MAP_HUGETLB);
	case MAPPED_HUGETLB_SHARED:
		return map_anon(size, MAP_SHARED | MAP_HUGETLB);
	case MAPPED_THP:
		return map_ordinary(size, MADV_HUGEPAGE);
	case MAPPED_4K:
		return map_ordinary(size, MADV_NOHUGEPAGE);
	case MAPPED_NOTHING:
		break;
	}
	return NULL;
}

static char *mapped[MAPPINGS];

static void fork_setup(const struct bench_path *path)
{
	unsigned int i;

	if (path->arg == MAPPED_HUGETLB_PRIVATE ||
	    path->arg == MAPPED_HUGETLB_SHARED)
		pool_resize(path->n);
	be_first();
	for (i = 0; i < MAPPINGS; i++)
		mapped[i] = map_kind(path->arg, path->n * SZ_2M / MAPPINGS);
}

static void fork_cleanup(const struct bench_path *path)
{
	unsigned int i;

	for (i = 0; i < MAPPINGS && mapped[i]; i++)
		unmap(mapped[i], path->n * SZ_2M / MAPPINGS);
	be_normal();
}

/* Before each fork, because a child leaves pages write-protected. */
static void fork_touch(const struct bench_path *path)
{
	unsigned int i;

	for (i = 0; i < MAPPINGS && mapped[i]; i++)
		touch(mapped[i], path->n * SZ_2M / MAPPINGS, SZ_4K);
}

static void wait_for(pid_t pid)
{
	if (waitpid(pid, NULL, 0) != pid)
		die("waitpid");
}

void run_fork(const struct bench_path *path)
{
	unsigned int i;
	pid_t pid;

	fork_setup(path);
	for (i = 0; i < FORKS; i++) {
		fork_touch(path);
		window_open();
		pid = fork();
		if (!pid)
			_exit(0);
		window_close();
		if (pid < 0)
			die("fork");
		wait_for(pid);
	}
	fork_cleanup(path);
}

void run_exit(const struct bench_path *path)
{
	unsigned int i;
	pid_t pid;

	fork_setup(path);
	for (i = 0; i < FORKS; i++) {
		fork_touch(path);
		pid = fork();
		if (!pid) {
			window_open();
			_exit(0);
		}
		if (pid < 0)
			die("fork");
		wait_for(pid);
		window_close();
	}
	fork_cleanup(path);
}
