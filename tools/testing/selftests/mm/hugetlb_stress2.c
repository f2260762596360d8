// SPDX-License-Identifier: GPL-2.0
/*
 * What hugetlb_stress does, with data that are checked, and against what comes
 * from outside: moves of pages and of whole processes, soft offline, control
 * groups that come and go with charges, demotion, gigantic pages that are made
 * where huge pages lie.
 *
 * Every byte that is looked at says which page it is of, or nothing yet.  Who
 * was promised a page must get it.  At the end every counter is where it was
 * and the pool shrinks to nothing.
 *
 * usage: hugetlb_stress2 [SECONDS [JOB...]]
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/falloc.h>
#include "hugetlb_stress.h"

#define POOL	32
#define LENGTH	6	/* of a file, in huge pages */

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif
#define UNPOISON "/sys/kernel/debug/hwpoison/unpoison-pfn"

/* How a job ends that saw something it must not see. */
enum {
	JOB_FILE_DATA = 1,	/* a file's page with other data */
	JOB_OWN_DATA,		/* a private page with other data */
	JOB_PROMISE,		/* no page where one was promised */
	JOB_SYSTEM,		/* a system call that cannot fail did */
};

static char cgroup_dir[32];
static volatile pid_t *workers;	/* shared, for those who move processes */

/* ---- data ---- */

static const size_t places[] = { 0, 4096 * 255 + 9, SZ_HUGE / 2, SZ_HUGE - 1 };

/* False when there was no page. */
static bool stamp(char *page, char value)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (!huge_store(page + places[i], value))
			return false;
	}
	return true;
}

/* Does every place that can be read show one of these? */
static bool shows(char *page, char one, char other, char third)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char v;

		if (!huge_load(page + places[i], &v))
			continue;
		if (v != one && v != other && v != third)
			return false;
	}
	return true;
}

static char file_value(int file, long page)
{
	return 1 + file * LENGTH + page;
}

/* ---- workers ---- */

struct slot {
	char	*p;
	long	n;
	int	file;		/* -1: private and anonymous */
	long	at;		/* in the file */
	bool	shared;
	bool	promised;	/* every page of it, to this process */
	bool	own[LENGTH];	/* private pages that were written */
};

/*
 * A page of a file may be a hole at any moment, and takes what a private
 * mapping wrote instead of it along when it goes.
 */
static void slot_check(struct slot *s, char mine)
{
	for (long i = 0; i < s->n; i++) {
		char *page = s->p + i * SZ_HUGE;
		char own = s->own[i] ? mine : 0, file;

		if (s->file < 0) {
			if (!shows(page, own, own, own))
				_exit(JOB_OWN_DATA);
			continue;
		}
		file = file_value(s->file, s->at + i);
		if (!shows(page, file, 0, own))
			_exit(JOB_FILE_DATA);
	}
}

static void slot_write(struct slot *s, char mine)
{
	for (long i = 0; i < s->n; i++) {
		char value = s->shared ? file_value(s->file, s->at + i) : mine;

		if (stamp(s->p + i * SZ_HUGE, value))
			s->own[i] = !s->shared;
		else if (s->promised)
			_exit(JOB_PROMISE);
	}
}

static void slot_map(struct slot *s, const int *fd)
{
	int flags = 0;

	*s = (struct slot) { .file = rand() % (FILES + 1) - 1 };
	if (s->file < 0) {
		s->n = 1 + rand() % 3;
		flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;
	} else {
		s->at = rand() % LENGTH;
		s->n = 1 + rand() % (LENGTH - s->at);
		s->shared = rand() % 2;
		flags = s->shared ? MAP_SHARED : MAP_PRIVATE;
	}
	s->p = mmap(NULL, s->n * SZ_HUGE, PROT_READ | PROT_WRITE, flags,
		    s->file < 0 ? -1 : fd[s->file], s->at * SZ_HUGE);
	if (s->p == MAP_FAILED)
		s->p = NULL;
	/* beyond the end of a file there is none */
	s->promised = s->file < 0;
}

static void slot_unmap(struct slot *s)
{
	munmap(s->p, s->n * SZ_HUGE);
	s->p = NULL;
}

/* A page that is being moved right now takes its promise along. */
static void slot_forget(struct slot *s)
{
	madvise(s->p, s->n * SZ_HUGE, MADV_DONTNEED);
	s->promised = false;
	for (long i = 0; i < s->n; i++)
		s->own[i] = false;
}

static void slot_move(struct slot *s)
{
	char *to = mmap(NULL, (LENGTH + 1) * SZ_HUGE, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *p;

	if (to == MAP_FAILED)
		return;
	p = (char *)(((uintptr_t)to + SZ_HUGE - 1) & ~(SZ_HUGE - 1));
	p = mremap(s->p, s->n * SZ_HUGE, s->n * SZ_HUGE,
		   MREMAP_MAYMOVE | MREMAP_FIXED, p);
	if (p != MAP_FAILED)
		s->p = p;
}

static void worker_child(struct slot *slots, char parent)
{
	for (int i = 0; i < SLOTS; i++) {
		struct slot *s = &slots[i];

		if (!s->p)
			continue;
		slot_check(s, parent);
		/* promises are the parent's, who may also take a page away */
		s->promised = false;
		if (rand() % 2)
			slot_write(s, parent ^ 0x40);
	}
	_exit(0);
}

static void worker_fork(struct slot *slots, struct slot *s, char mine)
{
	int status;
	pid_t pid;

	srand(rand());
	pid = fork();
	if (pid == 0)
		worker_child(slots, mine);
	if (pid < 0)
		return;
	slot_write(s, mine);
	waitpid(pid, &status, 0);
	if (status)
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : JOB_SYSTEM);
	slot_check(s, mine);
}

static void worker(int seed)
{
	struct slot slots[SLOTS] = { };
	char mine = 100 + seed;
	int fd[FILES];

	srand(seed);
	workers[seed] = getpid();
	for (int i = 0; i < FILES; i++)
		fd[i] = open_file(i);
	while (running()) {
		struct slot *s = &slots[rand() % SLOTS];

		if (!s->p) {
			slot_map(s, fd);
			continue;
		}
		switch (rand() % 8) {
		case 0:
			slot_unmap(s);
			break;
		case 1:
			worker_fork(slots, s, mine);
			break;
		case 2:
			slot_forget(s);
			break;
		case 3:
			slot_move(s);
			break;
		case 4:
			slot_check(s, mine);
			break;
		default:
			slot_write(s, mine);
		}
	}
	_exit(0);
}

/* ---- files ---- */

static void shrinker(int seed)
{
	int fd[FILES];

	srand(seed);
	for (int i = 0; i < FILES; i++)
		fd[i] = open_file(i);
	while (running()) {
		int f = fd[rand() % FILES];
		long at = rand() % LENGTH * SZ_HUGE;

		switch (rand() % 3) {
		case 0:
			if (ftruncate(f, at) || ftruncate(f, LENGTH * SZ_HUGE))
				_exit(JOB_SYSTEM);
			break;
		case 1:
			fallocate(f, FALLOC_FL_KEEP_SIZE, at, SZ_HUGE);
			break;
		default:
			fallocate(f, FALLOC_FL_PUNCH_HOLE |
				  FALLOC_FL_KEEP_SIZE, at, 2 * SZ_HUGE);
		}
		usleep(rand() % 3000);
	}
	_exit(0);
}

/* ---- pools ---- */

static void resizer(int seed)
{
	stress_resize(seed, POOL);
}

/* Large pages are split, and made again out of whatever lies there. */
static void demoter(int seed)
{
	static const size_t sizes[] = { 1UL << 30, 32UL << 20 };
	size_t size = sizes[seed & 1];
	long n = huge_get(size, "nr_hugepages");

	if (n < 0) {
		size = sizes[0];
		n = huge_get(size, "nr_hugepages");
	}
	if (n < 0)
		_exit(0);
	while (running()) {
		huge_set(size, "nr_hugepages", n ? n : 1);
		usleep(300000);
		huge_set(size, "demote", 1);
		usleep(300000);
	}
	huge_set(size, "nr_hugepages", n);
	_exit(0);
}

/* ---- pages and processes move ---- */

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
		unsigned long from = 1 + rand() % 2, to = 3 - from;

		for (int i = 0; i < 4; i++) {
			pages[i] = p + i * SZ_HUGE;
			node[i] = rand() % 2;
			if (!stamp(pages[i], i + 1))
				_exit(JOB_PROMISE);
		}
		syscall(SYS_move_pages, 0, 4, pages, node, status, 2 /* MOVE */);
		for (int i = 0; i < 4; i++) {
			if (!shows(p + i * SZ_HUGE, i + 1, i + 1, i + 1))
				_exit(JOB_OWN_DATA);
		}
		syscall(SYS_migrate_pages, workers[1 + rand() % 3], 8, &from,
			&to);
		usleep(rand() % 10000);
	}
	munmap(p, 4 * SZ_HUGE);
	_exit(0);
}

/* Sometimes the pool loses a page; the resizer makes up for it. */
static void offliner(int seed)
{
	char *p, *at, text[32];
	long pfn;

	if (access(UNPOISON, W_OK))
		_exit(0);
	srand(seed);
	while (running()) {
		usleep(50000);
		p = mmap(NULL, SZ_HUGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
		if (p == MAP_FAILED)
			continue;
		if (!stamp(p, seed))
			_exit(JOB_PROMISE);
		at = p + rand() % 512 * 4096;
		pfn = huge_pfn(at);
		if (!madvise(at, 4096, MADV_SOFT_OFFLINE)) {
			snprintf(text, sizeof(text), "%ld", pfn);
			file_write(UNPOISON, text);
		}
		if (!shows(p, seed, seed, seed))
			_exit(JOB_OWN_DATA);
		munmap(p, SZ_HUGE);
	}
	_exit(0);
}

/* ---- control groups ---- */

static int cgroup_write(const char *group, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s%s", cgroup_dir, group, file);
	return file_write(path, text);
}

static bool cgroup_begin(void)
{
	strcpy(cgroup_dir, "/tmp/cgroup.XXXXXX");
	if (!mkdtemp(cgroup_dir))
		return false;
	if (!mount("none", cgroup_dir, "cgroup2", 0, NULL)) {
		if (!cgroup_write("", "cgroup.subtree_control", "+hugetlb"))
			return true;
		umount(cgroup_dir);
	}
	rmdir(cgroup_dir);
	cgroup_dir[0] = '\0';
	return false;
}

/* Pages of files stay behind, charged to a group that goes away. */
static void cgroup_member(int seed, const char *group)
{
	char text[32];
	struct slot s;
	int fd[FILES];

	snprintf(text, sizeof(text), "%d", getpid());
	if (cgroup_write(group, "/cgroup.procs", text))
		_exit(JOB_SYSTEM);
	srand(seed);
	for (int i = 0; i < FILES; i++)
		fd[i] = open_file(i);
	for (int i = 0; i < 6; i++) {
		slot_map(&s, fd);
		if (!s.p)
			continue;
		/* a limit is stronger than a promise */
		s.promised = false;
		slot_write(&s, 90);
		slot_check(&s, 90);
		if (rand() % 2)
			slot_unmap(&s);
	}
	_exit(0);
}

static void grouper(int seed)
{
	char group[16], path[64];
	int status;

	if (!cgroup_dir[0])
		_exit(0);
	for (int k = 0; running(); k++) {
		snprintf(group, sizeof(group), "/g%d-%d", seed, k % 4);
		snprintf(path, sizeof(path), "%s%s", cgroup_dir, group);
		if (mkdir(path, 0755) && errno != EEXIST)
			_exit(JOB_SYSTEM);
		cgroup_write(group, "/hugetlb.2MB.max", k % 2 ? "8M" : "max");
		cgroup_write(group, "/hugetlb.2MB.rsvd.max",
			     k % 3 ? "max" : "12M");
		if (fork() == 0)
			cgroup_member(k + seed, group);
		wait(&status);
		if (status)
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) :
						  JOB_SYSTEM);
		/* a task that just died may still be in it */
		for (int i = 0; rmdir(path) && i < 100; i++)
			usleep(10000);
	}
	_exit(0);
}

static long cgroups_left(void)
{
	DIR *d = opendir(cgroup_dir);
	struct dirent *e;
	long left = 0;

	while (d && (e = readdir(d)))
		left += e->d_type == DT_DIR && e->d_name[0] == 'g';
	if (d)
		closedir(d);
	return left;
}

static void cgroup_end(void)
{
	cgroup_write("", "cgroup.subtree_control", "-hugetlb");
	umount(cgroup_dir);
	rmdir(cgroup_dir);
}

/* ---- all of it ---- */

static const struct job {
	const char *name;
	void (*run)(int seed);
} jobs[] = {
	{ "worker", worker }, { "worker", worker }, { "worker", worker },
	{ "shrinker", shrinker }, { "resizer", resizer }, { "mover", mover },
	{ "offliner", offliner }, { "grouper", grouper },
	{ "demoter", demoter },
};

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		if (!strcmp(argv[i], name))
			return true;
	}
	return argc <= 2;
}

static int run_all(int argc, char **argv)
{
	static const char * const why[] = {
		"", "a file's page had other data", "a page had other data",
		"no page where one was promised", "a system call failed",
	};
	int failed = 0, status;

	gettimeofday(&began, NULL);
	fflush(stdout);
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		if (wanted(jobs[i].name, argc, argv) && fork() == 0)
			jobs[i].run(i + 1);
	}
	while (wait(&status) > 0) {
		unsigned int code = WEXITSTATUS(status);

		if (!status)
			continue;
		ksft_print_msg("a job ended with %#x: %s\n", status,
			       code < ARRAY_SIZE(why) ? why[code] : "?");
		failed++;
	}
	return failed;
}

int main(int argc, char **argv)
{
	bool groups;

	seconds = argc > 1 ? atol(argv[1]) : 40;
	ksft_print_header();
	ksft_set_plan(4);
	if (huge_pool_exact(POOL))
		ksft_exit_skip("no pool of %d pages\n", POOL);
	dir = huge_mount("pagesize=2M,min_size=4M");
	if (!dir)
		ksft_exit_skip("no hugetlbfs\n");
	workers = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	groups = cgroup_begin();

	ksft_test_result(!run_all(argc, argv), "jobs\n");
	ksft_test_result(!groups || !cgroups_left(),
			 "control groups go with their charges\n");
	stress_remove_files();
	if (groups)
		cgroup_end();
	ksft_test_result(stress_counters_rest(POOL), "counters\n");
	ksft_test_result(!huge_pool_exact(0), "pool shrinks to nothing\n");
	ksft_finished();
}
