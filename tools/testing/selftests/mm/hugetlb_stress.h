/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What both stress tests need: jobs that run against each other for a bounded
 * time on files of one mount, and a look at the counters afterwards.
 */
#ifndef HUGETLB_STRESS_H
#define HUGETLB_STRESS_H

#include <sys/time.h>
#include "../kselftest.h"
#include "hugetlb_test.h"

#define FILES	3
#define SLOTS	4

static long seconds;
static char *dir;
static struct timeval began;

static inline bool running(void)
{
	struct timeval now;

	gettimeofday(&now, NULL);
	return now.tv_sec - began.tv_sec < seconds;
}

static inline void stress_path(char *path, size_t len, int i)
{
	snprintf(path, len, "%s/%d", dir, i);
}

static inline int open_file(int i)
{
	char path[64];

	stress_path(path, sizeof(path), i);
	return open(path, O_CREAT | O_RDWR, 0600);
}

/* Change the size of a pool and what may be borrowed beyond it. */
static inline void stress_resize(int seed, int pool)
{
	int nodes = huge_nodes();

	srand(seed);
	while (running()) {
		huge_set(SZ_HUGE, "nr_overcommit_hugepages", rand() % 8);
		if (rand() % 2)
			huge_set(SZ_HUGE, "nr_hugepages", rand() % (2 * pool));
		else
			huge_set_node(SZ_HUGE, rand() % nodes, "nr_hugepages",
				      rand() % pool);
		usleep(rand() % 4000);
	}
	_exit(0);
}

static inline void stress_remove_files(void)
{
	char path[64];

	for (int i = 0; i < FILES; i++) {
		stress_path(path, sizeof(path), i);
		unlink(path);
	}
	huge_umount(dir);
}

/* With all jobs gone, is every page of a pool free and nobody's? */
static inline bool stress_counters_rest(int pool)
{
	const struct huge_counts want = { .total = pool, .free = pool };
	struct huge_counts c;

	huge_set(SZ_HUGE, "nr_overcommit_hugepages", 0);
	huge_set(SZ_HUGE, "nr_hugepages", pool);
	c = huge_counts_awaited(SZ_HUGE, want);
	ksft_print_msg("total %ld free %ld reserved %ld surplus %ld\n",
		       c.total, c.free, c.resv, c.surplus);
	return c.total == pool && c.free == pool && !c.resv && !c.surplus;
}

#endif /* HUGETLB_STRESS_H */
