/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the program in the guest share. */
#ifndef HUGEPAGE_BENCH_H
#define HUGEPAGE_BENCH_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define SZ_4K	(4UL << 10)
#define SZ_2M	(2UL << 20)
#define SZ_1G	(1UL << 30)

/* What of a path the bound is for. */
enum path_cost {
	COST_OVERHEAD,	/* executed, without clearing, copying and user space */
	COST_UNCOPIED,	/* with clearing: nothing on the path needs zeroes */
	COST_ELAPSED,	/* until the caller goes on, waiting included */
};

/*
 * One path, one row of the results.
 *
 * @run sets things up, opens and closes windows, and cleans up.  It runs twice,
 * and is measured the second time, unless the guest is one where things must
 * not be done twice.
 */
struct bench_path {
	const char	*name;
	const char	*title;		/* names the unit */
	void		(*run)(const struct bench_path *path);
	unsigned int	n;		/* units in one window */
	unsigned long	arg;		/* what @run makes of it */
	enum path_cost	cost;
	unsigned int	bound;		/* percent of stock; 0: to be known */
	const char	*against;	/* the bound is of this path of ours */
	const char	*minus;		/* a window costs so much anyway */
};

/* ---- main.c ---- */

/* Say why there are no results, and end the guest. */
#define die(...)				\
	do {					\
		int error_ = errno;		\
						\
		printf("@error|" __VA_ARGS__);	\
		die_of(error_);			\
	} while (0)
void die_of(int error);

void window_open(void);
void window_lap(void);
void window_close(void);

/* Sleep until the kernel has nothing left to do. */
void settle(void);

/* Stops everything if it cannot. */
void write_file(const char *path, const char *text);
long read_number(const char *path);

/* One write system call, opened before. */
int open_file(const char *path);
void write_number(int fd, unsigned long n);

/* ---- memory.c ---- */

char *map_anon(size_t size, int flags);
char *map_fd(int fd, size_t size);

/* Private, and as a THP wants it. */
char *map_aligned(size_t size);

void unmap(void *p, size_t size);

/* Write to the first byte of every @step bytes. */
void touch(char *p, size_t size, size_t step);

/* ---- fork.c: fork, and exit of the child, with @arg mapped ---- */

enum mapped {
	MAPPED_NOTHING,
	MAPPED_HUGETLB_PRIVATE,
	MAPPED_HUGETLB_SHARED,
	MAPPED_THP,
	MAPPED_4K,
};

void run_fork(const struct bench_path *path);
void run_exit(const struct bench_path *path);

/* Higher priority than any child, until be_normal(). */
void be_first(void);
void be_normal(void);

/* ---- hugetlb.c ---- */

/* Pages of 2M, checked. */
void pool_resize(unsigned long n);

/* ---- tables, the last row has no name ---- */

extern const struct bench_path paths_plain[];
extern const struct bench_path paths_hvo[];
extern const struct bench_path paths_hvo_surplus[];
extern const struct bench_path paths_regions[];
extern const struct bench_path paths_thp[];

#endif
