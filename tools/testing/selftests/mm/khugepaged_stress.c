// SPDX-License-Identifier: GPL-2.0
/*
 * Collapse against everything that changes memory at the same time: fork, exit,
 * mremap, munmap, truncate, hole punching, swapping out, migration, userfaultfd,
 * splitting and MADV_DONTNEED.
 *
 * Each worker is a process that owns some memory.  Its first thread alone
 * changes what is in it, and knows at any time what every page holds; its other
 * threads, and khugepaged, only change where that is.
 *
 * usage: khugepaged_stress [SECONDS [SEED]]
 * Environment: KHUGEPAGED_SECONDS; KHUGEPAGED_DIR, where files can be collapsed.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "../kselftest.h"
#include "khugepaged_verbs.h"

static long seconds = 30;

/* ---- userfaultfd ---- */

/*
 * Every page that was dropped under watch has to be asked for.  A folio of
 * shared memory that cannot be split keeps the page, all zeroes.
 */
static void do_watch_missing(struct arena *a)
{
	long n, first = any_range(a, &n), before;

	if (a->uffd < 0 || !watch(a, first, n, UFFDIO_REGISTER_MODE_MISSING))
		return;
	madvise(a->base + first * psize(), n * psize(),
		a->fd < 0 ? MADV_DONTNEED : MADV_REMOVE);
	for (long i = first; i < first + n; i++)
		a->seeds[i] = ++a->next_seed;
	before = a->missing;
	for (long i = first; i < first + n; i++) {
		if (a->fd >= 0 && khp_page_zero(a->base, i))
			a->seeds[i] = 0;
	}
	check_range(a, first, n);
	if (a->fd < 0 && a->missing < before + n)
		fail(a, "a missing page was not asked for", first);
	unwatch(a, first, n);
}

/* Every page that is written to under protection has to be reported. */
static void do_watch_writes(struct arena *a)
{
	long n, first = any_range(a, &n), before;
	struct uffdio_writeprotect wp = {
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	if (a->uffd < 0 || !watch(a, first, n, UFFDIO_REGISTER_MODE_WP))
		return;
	/* Without a page there may be nothing to protect. */
	check_range(a, first, n);
	wp.range.start = (uintptr_t)a->base + first * psize();
	wp.range.len = n * psize();
	if (ioctl(a->uffd, UFFDIO_WRITEPROTECT, &wp)) {
		unwatch(a, first, n);
		return;
	}
	before = a->protected;
	write_range(a, first, n);
	if (a->protected < before + n)
		fail(a, "a write was not reported", first);
	unwatch(a, first, n);
}

/* ---- threads that only change where pages are ---- */

/* Addresses may be out of date: nothing here does harm to other memory. */
static void *mover(void *arg)
{
	struct arena *a = arg;
	unsigned int r = a->rand + 1;

	while (!a->stop) {
		long first = rand_r(&r) % a->pages;
		long n = 1 + rand_r(&r) % 128;
		char *at = a->base + first * psize();

		if (first + n > a->pages)
			n = a->pages - first;
		switch (rand_r(&r) % 3) {
		case 0:
			madvise(at, n * psize(), MADV_PAGEOUT);
			break;
		case 1:
			move_some(a, at, n, &r);
			break;
		default:
			split_some(at, n, &r);
		}
		usleep(rand_r(&r) % 2000);
	}
	return NULL;
}

/* ---- workers ---- */

static void (*const verbs[])(struct arena *) = {
	do_write, do_write, do_write, do_check, do_check, do_check, do_drop,
	do_truncate, do_unmap, do_move, do_protect, do_fork, do_watch_missing,
	do_watch_writes,
};

static void worker(const char *name, int fd)
{
	pthread_t thread[3];
	struct arena a;
	long steps = 0;

	arena_init(&a, name, fd);
	if (fd >= 0 && ftruncate(fd, a.len))
		_exit(2);
	arena_map(&a);
	a.uffd = open_uffd();
	pthread_create(&thread[0], NULL, collapser, &a);
	pthread_create(&thread[1], NULL, mover, &a);
	pthread_create(&thread[2], NULL, handler, &a);
	while (running()) {
		verbs[any(&a, ARRAY_SIZE(verbs))](&a);
		steps++;
	}
	check_range(&a, 0, a.pages);
	for (int i = 0; i < CHILDREN; i++)
		reap(&a, i);
	a.stop = true;
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	check_range(&a, 0, a.pages);
	printf("# %s: %ld steps, %ld missing, %ld protected\n", name, steps,
	       a.missing, a.protected);
	fflush(stdout);
	_exit(0);
}

/* A file that is collapsed while mapped for execution, and then written to. */
static void do_write_file(struct arena *a)
{
	int fd = open(a->path, O_RDWR);
	char *page = malloc(psize());
	long n, first = any_range(a, &n);

	if (fd < 0)
		fail(a, "cannot open", first);
	for (long i = first; i < first + n; i++) {
		a->seeds[i] = ++a->next_seed;
		khp_fill_one(page, a->seeds[i], i);
		if (pwrite(fd, page, psize(), i * psize()) != psize())
			fail(a, "cannot write", i);
	}
	if (any(a, 2))
		fdatasync(fd);
	close(fd);
	free(page);
}

static void file_worker(const char *dir)
{
	char path[256];
	pthread_t thread[2];
	struct arena a;
	long steps = 0;

	snprintf(path, sizeof(path), "%s/khugepaged.%d", dir, getpid());
	arena_init(&a, "file", open(path, O_CREAT | O_RDWR, 0755));
	a.path = path;
	if (a.fd < 0 || ftruncate(a.fd, a.len))
		_exit(2);
	close(a.fd);
	a.fd = open(path, O_RDONLY);
	a.base = mmap(khp_reserve(a.len), a.len, PROT_READ | PROT_EXEC,
		      MAP_SHARED | MAP_FIXED, a.fd, 0);
	madvise(a.base, a.len, MADV_HUGEPAGE);
	pthread_create(&thread[0], NULL, collapser, &a);
	pthread_create(&thread[1], NULL, mover, &a);
	while (running()) {
		if (any(&a, 8)) {
			do_check(&a);
			usleep(any(&a, 20000));
		} else {
			do_write_file(&a);
		}
		steps++;
	}
	a.stop = true;
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	check_range(&a, 0, a.pages);
	unlink(path);
	printf("# file: %ld steps\n", steps);
	fflush(stdout);
	_exit(0);
}

static void enable_all(void)
{
	khp_all_off();
	file_write(KHP_ROOT "enabled", "always");
	file_write(KHP_ROOT "shmem_enabled", "advise");
	for (int order = 2; order <= khp_pmd_order(); order++) {
		khp_set_order(order, "enabled", "always");
		khp_set_order(order, "shmem_enabled", "always");
	}
	khp_set("scan_sleep_millisecs", 0);
	khp_set("max_ptes_none", 1 << (khp_pmd_order() - 1));
	khp_set("max_ptes_swap", 1 << (khp_pmd_order() - 1));
	khp_set("max_ptes_shared", 1 << (khp_pmd_order() - 1));
}

static long collapsed(void)
{
	return thp_read_num("khugepaged/pages_collapsed");
}

int main(int argc, char **argv)
{
	const char *dir = getenv("KHUGEPAGED_DIR") ?: ".";
	const char *text = argc > 1 ? argv[1] : getenv("KHUGEPAGED_SECONDS");
	int status, n = 0, bad = 0;
	long before;

	ksft_print_header();
	if (geteuid() || !read_pmd_pagesize())
		ksft_exit_skip("no huge pages, or not root\n");
	if (text)
		seconds = atol(text);
	seed = argc > 2 ? atol(argv[2]) : time(NULL);
	ksft_set_plan(2);
	ksft_print_msg("%ld seconds, seed %u\n", seconds, seed);
	fflush(stdout);

	nodes = count_nodes();
	thp_save_settings();
	enable_all();
	before = collapsed();
	deadline = time(NULL) + seconds;
	for (int i = 0; i < 2; i++, n++) {
		if (!fork())
			worker("private", -1);
	}
	if (!fork())
		worker("shared", memfd_create("khugepaged", 0));
	n++;
	if (!fork())
		file_worker(dir);
	n++;
	while (n--) {
		wait(&status);
		bad += !!status;
	}
	ksft_test_result(!bad, "contents\n");
	ksft_test_result(collapsed() > before, "khugepaged took part, %ld times\n",
			 collapsed() - before);
	thp_restore_settings();
	ksft_finished();
}
