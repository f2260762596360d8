// SPDX-License-Identifier: GPL-2.0
/*
 * Splits of folios and of huge entries, against what else is done to the same
 * memory at the same time: faults, zapping, fork and copies on write, migration,
 * reclaim, pins, collapse.  All that is written is there when it is looked for,
 * and no folio and no page table is left over.
 *
 * Environment: THP_STRESS_SECONDS, of each test; THP_STRESS_CYCLES, how often
 * the last one maps and unmaps, as far as it gets in six times as long.
 */
#define _GNU_SOURCE
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include "../kselftest_harness.h"
#include "../../../../mm/gup_test.h"
#include "khugepaged_verbs.h"
#include "thp_guard.h"
#include "thp_rest.h"

#define SECONDS		20
#define CYCLES		100000
#define WORKERS		3
#define PIN_MAX		64
#define GUP_TEST	"/sys/kernel/debug/gup_test"

static long of_environment(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text ? atol(text) : otherwise;
}

static long seconds(void)
{
	return of_environment("THP_STRESS_SECONDS", SECONDS);
}

/* ---- verbs ---- */

/*
 * A whole window is empty, its page table gone, and filled again from any place
 * on.
 */
static void do_fresh(struct arena *a)
{
	long window = read_pmd_pagesize() / psize();
	long first = window / 2 + any(a, WINDOWS - 1) * window;
	long at = first + any(a, window);

	if (a->fd >= 0 || any(a, 4) == 0)
		drop_range(a, first, window);
	else
		renew(a, first, window);
	/* zeroes, of one huge page that everybody has */
	if (any(a, 2))
		check_range(a, at, 1);
	write_range(a, at, first + window - at);
	check_range(a, first, at - first);
}

static int gup_fd = -1;

/*
 * What is written goes to the page that is pinned, wherever it is moved.  There
 * is one set of pins for all, and any process that exits ends it.
 */
static bool pins_agree(struct arena *a, long first, long n)
{
	char *copy = malloc(n * psize());
	__u64 to = (uintptr_t)copy;
	bool same = true;

	if (!ioctl(gup_fd, PIN_LONGTERM_TEST_READ, &to))
		same = !memcmp(copy, a->base + first * psize(), n * psize());
	else if (errno != EINVAL)
		fail(a, "pinned memory cannot be read", first);
	free(copy);
	return same;
}

static void do_pin(struct arena *a)
{
	struct pin_longterm_test pin = {
		.flags = PIN_LONGTERM_TEST_FLAG_USE_WRITE,
	};
	long n, first = any_range(a, &n);

	if (gup_fd < 0)
		gup_fd = open(GUP_TEST, O_RDWR | O_CLOEXEC);
	if (n > PIN_MAX)
		n = PIN_MAX;
	pin.addr = (uintptr_t)a->base + first * psize();
	pin.size = n * psize();
	if (ioctl(gup_fd, PIN_LONGTERM_TEST_START, &pin))
		return;
	if (!any(a, 4))
		do_fork(a);
	write_range(a, first, n);
	usleep(any(a, 3000));
	if (!pins_agree(a, first, n))
		fail(a, "a pinned page is no longer mapped", first);
	write_range(a, first, n);
	if (!pins_agree(a, first, n))
		fail(a, "a pinned page was copied", first);
	ioctl(gup_fd, PIN_LONGTERM_TEST_STOP);
	check_range(a, first, n);
}

/* ---- threads ---- */

#define SOME_MOST	256		/* pages */

/* Some of the memory; it may have moved away by the time it is used. */
static char *some(struct arena *a, unsigned int *r, long *n)
{
	long first = rand_r(r) % a->pages;

	*n = 1 + rand_r(r) % SOME_MOST;
	if (first + *n > a->pages)
		*n = a->pages - first;
	return a->base + first * psize();
}

typedef void (*deed)(struct arena *a, char *at, long n, unsigned int *r);

/* One deed to some of the memory after the other, with a pause of so many us. */
static void *keep_at(struct arena *a, unsigned int seed, unsigned int pause,
		     deed deed)
{
	unsigned int r = a->rand + seed;

	while (!a->stop) {
		long n;
		char *at = some(a, &r, &n);

		deed(a, at, n, &r);
		usleep(rand_r(&r) % pause);
	}
	return NULL;
}

/* What is reached in part is split. */
static void split_or_cool(struct arena *a, char *at, long n, unsigned int *r)
{
	if (rand_r(r) % 4)
		split_some(at, n, r);
	else
		madvise(at, n * psize(), MADV_COLD);
}

static void *splitter(void *arg)
{
	return keep_at(arg, 3, 500, split_or_cool);
}

/* A VMA for a part of a huge page; what is locked cannot be dropped. */
static void lock_unlock(struct arena *a, char *at, long n, unsigned int *r)
{
	mlock2(at, n * psize(), MLOCK_ONFAULT);
	munlock(a->base, a->len);
}

static void *locker(void *arg)
{
	return keep_at(arg, 4, 500, lock_unlock);
}

static void migrate(struct arena *a, char *at, long n, unsigned int *r)
{
	unsigned long from = 1UL << rand_r(r) % (nodes ?: 1);
	unsigned long to = 1UL << rand_r(r) % (nodes ?: 1);

	if (rand_r(r) % 16)
		move_some(a, at, n, r);
	else
		syscall(__NR_migrate_pages, 0, 8 * sizeof(from), &from, &to);
}

static void *migrator(void *arg)
{
	return keep_at(arg, 5, 1000, migrate);
}

static void page_out(struct arena *a, char *at, long n, unsigned int *r)
{
	madvise(at, n * psize(), MADV_PAGEOUT);
}

static void *pager(void *arg)
{
	return keep_at(arg, 6, 1000, page_out);
}

/*
 * Takes a reference for a moment, as direct I/O does.  No malloc() here: its
 * memory could come to lie where another thread has just moved a part away.
 */
static void read_remote(struct arena *a, char *at, long n, unsigned int *r)
{
	static char sink[SOME_MOST << 16];
	struct iovec remote = { .iov_base = at, .iov_len = n * psize() };
	struct iovec local = { .iov_base = sink, .iov_len = n * psize() };

	process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
}

static void *reader(void *arg)
{
	return keep_at(arg, 7, 500, read_remote);
}

/*
 * ---- less memory than is used ----
 *
 * memory.high: what is pinned can be more than the limit, and memory.max would
 * have somebody killed for it.
 */

struct limit {
	char root[32];	/* empty: there is none */
	char dir[64];
};

static int limit_write(const char *dir, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return file_write(path, text);
}

static void limit_end(struct limit *l)
{
	if (!l->root[0])
		return;
	for (int i = 0; l->dir[0] && rmdir(l->dir) && i < 100; i++)
		usleep(10000);
	limit_write(l->root, "cgroup.subtree_control", "-memory");
	umount2(l->root, MNT_DETACH);
	rmdir(l->root);
	l->root[0] = '\0';
}

static bool limit_begin(struct limit *l, size_t bytes)
{
	char text[32];

	strcpy(l->root, "/tmp/thp_stress.XXXXXX");
	l->dir[0] = '\0';
	if (!mkdtemp(l->root)) {
		l->root[0] = '\0';
		return false;
	}
	snprintf(text, sizeof(text), "%zu", bytes);
	if (!mount("none", l->root, "cgroup2", 0, NULL) &&
	    !limit_write(l->root, "cgroup.subtree_control", "+memory")) {
		snprintf(l->dir, sizeof(l->dir), "%s/%d", l->root, getpid());
		if (!mkdir(l->dir, 0755) &&
		    !limit_write(l->dir, "memory.high", text))
			return true;
	}
	limit_end(l);
	return false;
}

/* ---- each against splits ---- */

FIXTURE(stress) {
	struct rest before;
	struct limit limit;
	long *steps;		/* of each worker */
	long events[5];
};

/**
 * struct job - what is done at the same time
 * @verbs: by the first thread of each worker, in any order
 * @threads: by its others
 * @events: of /proc/vmstat, that have to happen
 * @khugepaged: it may help
 * @limit: there is less memory than is used
 */
struct job {
	void (*verbs[16])(struct arena *a);
	void *(*threads[6])(void *arg);
	const char *events[5];
	bool khugepaged;
	bool limit;
};

FIXTURE_VARIANT(stress) {
	struct job job;
};

FIXTURE_VARIANT_ADD(stress, fault) { .job = {
	.verbs = { do_fresh, do_fresh, do_check },
	.threads = { splitter },
	.events = { "thp_fault_alloc", "thp_split_page" },
} };

FIXTURE_VARIANT_ADD(stress, zap) { .job = {
	.verbs = { do_fresh, do_write, do_check, do_drop, do_truncate, do_unmap,
		   do_move, do_protect },
	.threads = { splitter },
	.events = { "thp_split_pmd", "thp_split_page" },
} };

FIXTURE_VARIANT_ADD(stress, fork) { .job = {
	.verbs = { do_fork, do_fork, do_fork, do_write, do_check, do_fresh },
	.threads = { splitter },
	.events = { "thp_split_pmd", "thp_split_page" },
} };

FIXTURE_VARIANT_ADD(stress, locked) { .job = {
	.verbs = { do_write, do_check, do_fork },
	.threads = { splitter, locker, collapser },
	.events = { "thp_split_pmd", "unevictable_pgs_mlocked" },
} };

FIXTURE_VARIANT_ADD(stress, migration) { .job = {
	.verbs = { do_write, do_check, do_check, do_fresh, do_drop, do_move },
	.threads = { splitter, migrator, migrator },
	.events = { "pgmigrate_success", "thp_migration_success",
		    "thp_split_page" },
} };

FIXTURE_VARIANT_ADD(stress, reclaim) { .job = {
	.verbs = { do_write, do_check, do_check, do_fresh, do_drop, do_fork },
	.threads = { splitter, pager },
	.events = { "pswpout", "pswpin", "thp_split_page" },
	.limit = true,
} };

FIXTURE_VARIANT_ADD(stress, pin) { .job = {
	.verbs = { do_pin, do_pin, do_pin, do_write, do_check, do_fresh,
		   do_fork },
	.threads = { splitter, reader, migrator, pager },
	.events = { "nr_foll_pin_acquired", "thp_split_page" },
} };

FIXTURE_VARIANT_ADD(stress, collapse) { .job = {
	.verbs = { do_write, do_check, do_fresh, do_drop, do_unmap, do_fork },
	.threads = { splitter, splitter, collapser },
	.events = { "thp_collapse_alloc", "thp_split_page" },
	.khugepaged = true,
} };

FIXTURE_VARIANT_ADD(stress, everything) { .job = {
	.verbs = { do_fresh, do_write, do_write, do_check, do_check, do_drop,
		   do_truncate, do_unmap, do_move, do_protect, do_fork,
		   do_pin },
	.threads = { splitter, reader, migrator, pager, collapser },
	.events = { "pgmigrate_success", "pswpout", "thp_split_page" },
	.khugepaged = true,
	.limit = true,
} };

FIXTURE_SETUP(stress)
{
	if (geteuid() || !read_pmd_pagesize())
		SKIP(return, "no huge pages, or not root");
	if (variant->job.verbs[0] == do_pin && access(GUP_TEST, R_OK))
		SKIP(return, "nothing that pins");
	nodes = count_nodes();
	seed = time(NULL);
	self->steps = mmap(NULL, psize(), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->steps);
	if (variant->job.limit &&
	    !limit_begin(&self->limit, (WINDOWS * WORKERS / 2 + 2) *
			 read_pmd_pagesize()))
		TH_LOG("without a limit");
	enable_advised(variant->job.khugepaged);
	file_write("/proc/sys/vm/drop_caches", "3");
	rest_look(&self->before);
}

FIXTURE_TEARDOWN(stress)
{
	limit_end(&self->limit);
}

static void worker(const struct job *job, const char *name, int fd, long *steps)
{
	int verbs = 0, threads = 0;
	pthread_t thread[6];
	struct arena a;

	arena_init(&a, name, fd);
	if (fd >= 0 && ftruncate(fd, a.len))
		_exit(2);
	arena_map(&a);
	while (job->verbs[verbs])
		verbs++;
	for (; job->threads[threads]; threads++) {
		if (pthread_create(&thread[threads], NULL, job->threads[threads],
				   &a))
			_exit(3);
	}
	while (running()) {
		job->verbs[any(&a, verbs)](&a);
		(*steps)++;
	}
	for (int i = 0; i < CHILDREN; i++)
		reap(&a, i);
	a.stop = true;
	while (threads--)
		pthread_join(thread[threads], NULL);
	check_range(&a, 0, a.pages);
	_exit(0);
}

/* All but the last have private memory. */
static bool start_workers(const struct job *job, const char *limit, long *steps)
{
	fflush(NULL);
	for (int i = 0; i < WORKERS; i++) {
		bool shared = i == WORKERS - 1;
		pid_t pid = fork();

		if (pid < 0)
			return false;
		if (pid)
			continue;
		if (limit[0])
			limit_write(limit, "cgroup.procs", "0");
		worker(job, shared ? "shared" : "private",
		       shared ? memfd_create("thp_stress", 0) : -1, &steps[i]);
	}
	return true;
}

/* Did all happen?  More of each than before. */
static bool events_seen(struct __test_metadata *_metadata,
			const char * const *event, const long *before)
{
	bool all = true;

	for (int i = 0; event[i]; i++) {
		long more = file_counter("/proc/vmstat", event[i]) - before[i];

		TH_LOG("%s %+ld", event[i], more);
		all &= more > 0;
	}
	return all;
}

static void run_workers(struct __test_metadata *_metadata,
			const struct job *job, const char *limit, long *steps)
{
	int status, n = 0;

	deadline = time(NULL) + seconds();
	EXPECT_TRUE(start_workers(job, limit, steps));
	while (wait(&status) > 0) {
		EXPECT_EQ(0, status);
		n++;
	}
	EXPECT_EQ(WORKERS, n);
	TH_LOG("%ld, %ld and %ld steps", steps[0], steps[1], steps[2]);
}

/* Again where a slow machine did not get to everything. */
TEST_F_TIMEOUT(stress, contents, 3600)
{
	const char * const *event = variant->job.events;
	bool seen = false;

	for (int i = 0; event[i]; i++)
		self->events[i] = file_counter("/proc/vmstat", event[i]);
	TH_LOG("%ld seconds, seed %u", seconds(), seed);
	for (int i = 0; i < 5 && !seen && !_metadata->exit_code; i++) {
		run_workers(_metadata, &variant->job, self->limit.dir,
			    self->steps);
		seen = events_seen(_metadata, event, self->events) &&
		       self->steps[0] && self->steps[1] && self->steps[2];
	}
	EXPECT_TRUE(seen);
	rest_expect(_metadata, &self->before);
}

/* ---- again and again ---- */

FIXTURE(cycles) {
	struct rest before;
	long *done;
};

FIXTURE_SETUP(cycles)
{
	if (geteuid() || !read_pmd_pagesize())
		SKIP(return, "no huge pages, or not root");
	self->done = mmap(NULL, psize(), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->done);
	enable_advised(false);
	file_write("/proc/sys/vm/drop_caches", "3");
	rest_look(&self->before);
}

FIXTURE_TEARDOWN(cycles)
{
}

/* The first and the last quarter of a huge page stay. */
static void take_apart(char *p, size_t len, unsigned int how)
{
	long pages = len / psize();
	char *moved;

	switch (how % 8) {
	case 1:
		mprotect(p + len / 2, psize(), PROT_READ);
		break;
	case 2:
		split_to(p, pages, 0);
		break;
	case 3:
		split_to(p, pages, 4);
		break;
	case 4:
		munmap(p + len / 4, len / 2);
		break;
	case 5:
		madvise(p + len / 4, len / 2, MADV_DONTNEED);
		break;
	case 6:
		if (!fork())
			_exit(p[0] != (char)how);
		p[psize()] = how;
		break;
	case 7:
		moved = mremap(p + len / 4, len / 2, len / 2, MREMAP_MAYMOVE |
			       MREMAP_FIXED, p + len);
		if (moved != MAP_FAILED)
			munmap(moved, len / 2);
		break;
	}
}

static bool cycle(char *p, size_t len, unsigned int i)
{
	int status;
	bool good;

	if (mmap(p, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_FIXED, -1, 0) != p || madvise(p, len, MADV_HUGEPAGE))
		return false;
	p[0] = i;
	p[len - psize()] = i + 1;
	take_apart(p, len, i);
	good = p[0] == (char)i && p[len - psize()] == (char)(i + 1);
	while (wait(&status) > 0)
		good &= !status;
	return good && !munmap(p, len);
}

static void cycler(long n, long *done)
{
	size_t len = read_pmd_pagesize();
	char *p = khp_reserve(2 * len);

	for (; *done < n && running(); (*done)++) {
		if (!cycle(p, len, *done))
			_exit(1);
	}
	_exit(0);
}

/* Two processes, as many as there are CPUs. */
TEST_F_TIMEOUT(cycles, nothing_lost, 3600)
{
	long n = of_environment("THP_STRESS_CYCLES", CYCLES);
	int status;

	deadline = time(NULL) + 6 * seconds();
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid)
			cycler((n + i) / 2, &self->done[i]);
	}
	while (wait(&status) > 0)
		EXPECT_EQ(0, status);
	TH_LOG("%ld of %ld cycles", self->done[0] + self->done[1], n);
	EXPECT_LT(0, self->done[0]);
	EXPECT_LT(0, self->done[1]);
	rest_expect(_metadata, &self->before);
}

int main(int argc, char **argv)
{
	thp_guard_begin();
	return test_harness_run(argc, argv);
}
