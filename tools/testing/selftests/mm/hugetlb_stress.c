// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once, for a bounded time: map, unmap, fork, copy on write,
 * truncate, punch, move to another node, resize, read the counters.  At the
 * end every counter is where it was and the pool shrinks to nothing.
 *
 * usage: hugetlb_stress [SECONDS]
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "hugetlb_stress.h"

#define POOL	24

static void worker_touch(char *p, long n)
{
	char v;

	for (long i = 0; i < n; i++) {
		if (rand() % 3)
			huge_store(p + i * SZ_HUGE, i);
		else
			huge_load(p + i * SZ_HUGE, &v);
	}
}

static void worker_child(char **p, const long *n)
{
	for (int i = 0; i < SLOTS; i++) {
		if (p[i])
			worker_touch(p[i], n[i]);
	}
	_exit(0);
}

static void worker_advise(char *p, long n)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK,
	};

	madvise(p + rand() % n * SZ_HUGE, SZ_HUGE, advice[rand() % 4]);
	if (rand() % 2)
		mprotect(p, n * SZ_HUGE, PROT_READ);
	mprotect(p, n * SZ_HUGE, PROT_READ | PROT_WRITE);
}

/* Map, touch, fork and unmap at random. */
static void worker(int seed)
{
	char *p[SLOTS] = { };
	long n[SLOTS];
	int fd[FILES];

	srand(seed);
	for (int i = 0; i < FILES; i++)
		fd[i] = open_file(i);
	while (running()) {
		int i = rand() % SLOTS;
		int flags = rand() % 2 ? MAP_SHARED : MAP_PRIVATE;

		if (!p[i]) {
			n[i] = 1 + rand() % 4;
			p[i] = mmap(NULL, n[i] * SZ_HUGE,
				    PROT_READ | PROT_WRITE, flags,
				    fd[rand() % FILES],
				    rand() % 4 * SZ_HUGE);
			if (p[i] == MAP_FAILED)
				p[i] = NULL;
			continue;
		}
		switch (rand() % 6) {
		case 0:
			munmap(p[i], n[i] * SZ_HUGE);
			p[i] = NULL;
			break;
		case 1:
			if (fork() == 0)
				worker_child(p, n);
			worker_touch(p[i], n[i]);
			while (wait(NULL) > 0)
				;
			break;
		case 2:
			worker_advise(p[i], n[i]);
			break;
		default:
			worker_touch(p[i], n[i]);
		}
	}
	_exit(0);
}

static void shrinker(int seed)
{
	int fd[FILES];

	srand(seed);
	for (int i = 0; i < FILES; i++)
		fd[i] = open_file(i);
	while (running()) {
		int f = fd[rand() % FILES];
		long at = rand() % 6 * SZ_HUGE;

		switch (rand() % 3) {
		case 0:
			if (ftruncate(f, at))
				_exit(1);
			break;
		case 1:
			fallocate(f, 0, at, SZ_HUGE);
			break;
		default:
			fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				  at, 2 * SZ_HUGE);
		}
		usleep(rand() % 2000);
	}
	_exit(0);
}

static void resizer(int seed)
{
	stress_resize(seed, POOL);
}

/* Move pages of a mapping between nodes under its feet. */
static void mover(int seed)
{
	char *p = mmap(NULL, 4 * SZ_HUGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	void *pages[4];
	int node[4], status[4];

	if (p == MAP_FAILED)
		_exit(0);
	srand(seed);
	while (running()) {
		for (int i = 0; i < 4; i++) {
			pages[i] = p + i * SZ_HUGE;
			node[i] = rand() % 2;
			if (!huge_store(pages[i], i + 1))
				_exit(1);
		}
		syscall(SYS_move_pages, 0, 4, pages, node, status, 2 /* MOVE */);
		for (int i = 0; i < 4; i++) {
			if (p[i * SZ_HUGE] != i + 1)
				_exit(2);
		}
	}
	munmap(p, 4 * SZ_HUGE);
	_exit(0);
}

static void (* const jobs[])(int) = {
	worker, worker, worker, shrinker, resizer, mover,
};

#define NR_JOBS ARRAY_SIZE(jobs)

int main(int argc, char **argv)
{
	int failed = 0, status;

	seconds = argc > 1 ? atol(argv[1]) : 30;
	ksft_print_header();
	ksft_set_plan(3);
	if (huge_pool_exact(POOL))
		ksft_exit_skip("no pool of %d pages\n", POOL);
	dir = huge_mount("pagesize=2M,size=40M,min_size=4M");
	if (!dir)
		ksft_exit_skip("no hugetlbfs\n");
	gettimeofday(&began, NULL);
	fflush(stdout);
	for (size_t i = 0; i < NR_JOBS; i++) {
		if (fork() == 0)
			jobs[i](i + 1);
	}
	while (wait(&status) > 0) {
		if (status) {
			ksft_print_msg("a job ended with %#x\n", status);
			failed++;
		}
	}
	ksft_test_result(!failed, "jobs\n");
	stress_remove_files();
	ksft_test_result(stress_counters_rest(POOL), "counters\n");
	ksft_test_result(!huge_pool_exact(0), "pool shrinks to nothing\n");
	ksft_finished();
}
