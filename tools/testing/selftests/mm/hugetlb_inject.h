/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every allocation of an operation fails once: what the hugetlb_inject* tests
 * share.
 *
 * An operation is run with fail-nth 1, 2, 3 and so on until it met no failure.
 * Each time it has either worked, or been refused with an errno it may have and
 * changed nothing; then it is repeated without a failure and must work.  All
 * counters are compared with those of a run in which nothing failed.
 *
 * The tests set the attributes in /sys/kernel/debug for the whole machine, and
 * need a kernel with CONFIG_FAILSLAB and CONFIG_FAIL_PAGE_ALLOC.
 */
#ifndef HUGETLB_INJECT_H
#define HUGETLB_INJECT_H

#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "hugetlb_test.h"
#include "hugetlb_inject_attr.h"
#include "hugetlb_inject_state.h"

#define INJECT_BUS	1000	/* in the place of an errno: the touch was refused */
#define INJECT_SETTLE	300	/* hundredths of a second */
#define INJECT_MOST	5000	/* no operation has so many allocations */
#define INJECT_SKIP	(-2)	/* from prepare(): not on this machine */

struct inject;

enum inject_flags {
	INJECT_PARTIAL	= 1,	/* what was done before the failure may stay */
	INJECT_SURE	= 2,	/* may not be refused */
	INJECT_CHILD	= 4,	/* run by a child that prepare() made */
	INJECT_OWN	= 8,	/* run() looks at nth and sets hit by itself */
	INJECT_HVO	= 16,	/* only where struct pages can be given back */
	INJECT_NUMA	= 32,	/* needs two nodes */
	INJECT_LATE	= 64,	/* a failure may show until undo() */
};

/**
 * struct inject_op - one operation
 * @name: of it
 * @pool: pages of 2M to begin with
 * @overcommit: nr_overcommit_hugepages
 * @mount: options of a hugetlbfs mount, or NULL for none
 * @prepare: what comes before; 0, INJECT_SKIP, or anything else
 * @run: the operation; 0, or why it was refused
 * @undo: what comes afterwards
 * @good: are contents right, after t->err? NULL: not looked at
 * @errors: allowed besides ENOMEM
 * @fired: so many allocations it has at least
 * @refused: so many of them are not to be done without
 * @most: look no further than this many, 0 for all
 * @flags: INJECT_*
 * @arg: for the operation
 */
struct inject_op {
	const char	*name;
	long		pool;
	long		overcommit;
	const char	*mount;
	int		(*prepare)(struct inject *t);
	int		(*run)(struct inject *t);
	void		(*undo)(struct inject *t);
	bool		(*good)(struct inject *t);
	int		errors[4];
	unsigned int	fired;
	unsigned int	refused;
	unsigned int	most;
	unsigned int	flags;
	unsigned long	arg;
};

/**
 * struct inject - an operation under test
 * @op: which
 * @list: what is looked at
 * @rest: before and after
 * @ready: prepared
 * @done: after the operation
 * @nth: the allocation that shall fail, 0 for none
 * @hit: it did
 * @err: what the operation answered
 * @verbose: say what came of each failure
 * @fired: how many did so far
 * @refused: how often the operation was refused so far
 * @fd_nth: fail-nth of this task
 * @hvo: vm.hugetlb_optimize_vmemmap before, -1 where there is none
 * @dir: the mount, or NULL
 * @cgroup_root: a mount of version 2
 * @cgroup: in it, empty if there is none
 * @to_child: pipe
 * @from_child: pipe
 * @child: of inject_child_start(), 0 if there is none
 * @p: from here on for the operations
 */
struct inject {
	const struct inject_op	*op;
	struct inject_list	list;
	struct inject_state	rest, ready, done;
	unsigned int		nth;
	bool			hit;
	int			err;
	bool			verbose;
	unsigned int		fired, refused;
	int			fd_nth;
	long			hvo;
	char			*dir;
	char			cgroup_root[32];
	char			cgroup[64];
	int			to_child[2];
	int			from_child[2];
	pid_t			child;

	char			*p, *q, *r;
	int			fd, fd2;
	long			n;
	unsigned long		pfn;
	char			path[96];
};

/* ---- one failure ---- */

static inline void inject_arm(struct inject *t, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	if (write(t->fd_nth, text, len) != len)
		_exit(79);
}

/* Did the failure happen that was asked for? */
static inline bool inject_disarm(struct inject *t, unsigned int nth)
{
	long left = inject_number(t->fd_nth);

	inject_arm(t, 0);
	return nth && !left;
}

static inline void inject_open_nth(struct inject *t)
{
	t->fd_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
}

/* ---- a child that has the mappings, too, and may run the operation ---- */

struct inject_answer {
	int	err;
	bool	hit;
};

#define INJECT_QUIT	(~0U)

static inline void inject_child_main(struct inject *t)
{
	struct inject_answer answer;
	unsigned int nth;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(t->fd_nth);
	inject_open_nth(t);
	while (read(t->to_child[0], &nth, sizeof(nth)) == sizeof(nth)) {
		if (nth == INJECT_QUIT)
			_exit(0);
		inject_arm(t, nth);
		answer.err = t->op->run(t);
		answer.hit = inject_disarm(t, nth);
		if (write(t->from_child[1], &answer, sizeof(answer)) !=
		    sizeof(answer))
			_exit(77);
	}
	_exit(78);
}

static inline int inject_child_start(struct inject *t)
{
	t->child = fork();
	if (!t->child)
		inject_child_main(t);
	return t->child < 0 ? errno : 0;
}

static inline void inject_child_stop(struct inject *t)
{
	unsigned int nth = INJECT_QUIT;

	if (t->child <= 0)
		return;
	if (write(t->to_child[1], &nth, sizeof(nth)) != sizeof(nth))
		kill(t->child, SIGKILL);
	waitpid(t->child, NULL, 0);
	t->child = 0;
}

static inline int inject_child_run(struct inject *t)
{
	struct inject_answer answer = { .err = EPIPE };

	if (write(t->to_child[1], &t->nth, sizeof(t->nth)) != sizeof(t->nth) ||
	    read(t->from_child[0], &answer, sizeof(answer)) != sizeof(answer))
		answer.err = EPIPE;
	t->hit = answer.hit;
	return answer.err;
}

/* Run the operation; t->hit says whether one of its allocations failed. */
static inline int inject_try(struct inject *t, unsigned int nth)
{
	int err;

	t->nth = nth;
	if (t->op->flags & INJECT_CHILD)
		return inject_child_run(t);
	if (t->op->flags & INJECT_OWN)
		return t->op->run(t);
	inject_arm(t, nth);
	err = t->op->run(t);
	t->hit = inject_disarm(t, nth);
	return err;
}

/* ---- what it must look like ---- */

static inline void inject_complain(struct __test_metadata *_metadata,
				   struct inject *t, const char *when,
				   const struct inject_state *want,
				   const struct inject_state *now)
{
	for (int i = 0; i < t->list.n; i++) {
		if (now->v[i] == want->v[i])
			continue;
		EXPECT_EQ(want->v[i], now->v[i]) {
			TH_LOG("%s, failure %u, %s: %s", t->op->name, t->nth,
			       when, t->list.value[i].name);
		}
	}
}

/* Some pages come back by a work item, or with another CPU's batch. */
static inline void inject_expect(struct __test_metadata *_metadata,
				 struct inject *t, const char *when,
				 const struct inject_state *want)
{
	struct inject_state now;

	for (int i = 0; i < INJECT_SETTLE; i++) {
		inject_look(&t->list, &now);
		if (inject_same(&t->list, &now, want))
			return;
		usleep(10000);
	}
	inject_complain(_metadata, t, when, want, &now);
}

static inline void inject_expect_sums(struct __test_metadata *_metadata,
				      struct inject *t)
{
	struct inject_state now;
	bool good = false;

	for (int i = 0; i < INJECT_SETTLE && !good; i++) {
		inject_look(&t->list, &now);
		good = inject_adds_up(&t->list, &now);
		if (!good)
			usleep(10000);
	}
	EXPECT_TRUE(good) {
		TH_LOG("%s, failure %u: the nodes do not add up", t->op->name,
		       t->nth);
	}
}

static inline void inject_note(struct inject *t, struct inject_state *state)
{
	usleep(30000);
	inject_look(&t->list, state);
}

/* ---- rounds ---- */

static inline bool inject_may_fail(const struct inject_op *op, int err)
{
	bool may = err == ENOMEM;

	for (int i = 0; i < 4 && op->errors[i]; i++)
		may |= err == op->errors[i];
	return may && !(op->flags & INJECT_SURE);
}

static inline void inject_was_refused(struct __test_metadata *_metadata,
				      struct inject *t, int err)
{
	EXPECT_TRUE(t->hit) {
		TH_LOG("%s: refused with %d, and nothing failed", t->op->name,
		       err);
	}
	EXPECT_TRUE(inject_may_fail(t->op, err)) {
		TH_LOG("%s, failure %u: %d (%s)", t->op->name, t->nth, err,
		       err == INJECT_BUS ? "SIGBUS" : strerror(err));
	}
	if (t->op->flags & INJECT_PARTIAL)
		inject_expect_sums(_metadata, t);
	else
		inject_expect(_metadata, t, "refused", &t->ready);
}

/* Pages that wait to be optimised are not what is to be tested. */
static inline int inject_prepare(struct inject *t)
{
	int err = t->op->prepare ? t->op->prepare(t) : 0;

	if (!err && (t->op->flags & INJECT_HVO))
		inject_memmap_settle();
	return err;
}

static inline void inject_expect_good(struct __test_metadata *_metadata,
				      struct inject *t, int err)
{
	t->err = err;
	if (!t->op->good)
		return;
	EXPECT_TRUE(t->op->good(t)) {
		TH_LOG("%s, failure %u: wrong contents after %s", t->op->name,
		       t->nth, err ? "a refusal" : "success");
	}
}

/* True when the failure asked for has happened. */
static inline bool inject_round(struct __test_metadata *_metadata,
				struct inject *t, unsigned int nth)
{
	const struct inject_op *op = t->op;
	bool hit;
	int err;

	t->nth = nth;
	err = inject_prepare(t);
	EXPECT_EQ(0, err) {
		TH_LOG("%s: cannot be prepared any more", op->name);
	}
	inject_expect(_metadata, t, "prepared", &t->ready);
	err = inject_try(t, nth);
	hit = t->hit;
	t->fired += hit;
	if (hit && t->verbose)
		TH_LOG("%s, failure %u: %s", op->name, nth,
		       err ? "refused" : "done without it");
	if (err) {
		t->refused++;
		inject_was_refused(_metadata, t, err);
		inject_expect_good(_metadata, t, err);
		err = inject_try(t, 0);
		t->nth = nth;
		EXPECT_EQ(0, err) {
			TH_LOG("%s: refused again after failure %u", op->name,
			       nth);
		}
	}
	inject_expect_good(_metadata, t, err);
	if (op->flags & INJECT_LATE)
		inject_expect_sums(_metadata, t);
	else
		inject_expect(_metadata, t, "done", &t->done);
	if (op->undo)
		op->undo(t);
	inject_expect(_metadata, t, "undone", &t->rest);
	return hit;
}

/* What it looks like when nothing fails; 0, or what prepare() said. */
static inline int inject_reference(struct __test_metadata *_metadata,
				   struct inject *t)
{
	const struct inject_op *op = t->op;
	int err;

	err = inject_prepare(t);
	if (err)
		return err;
	inject_note(t, &t->ready);
	err = inject_try(t, 0);
	EXPECT_EQ(0, err) {
		TH_LOG("%s: does not work: %s", op->name, strerror(err));
	}
	inject_note(t, &t->done);
	if (op->undo)
		op->undo(t);
	return 0;
}

/*
 * A slab is refilled or is not, so two runs may differ by an allocation: only
 * two in a row without a failure are the end.
 */
static inline void inject_all_points(struct __test_metadata *_metadata,
				     struct inject *t)
{
	unsigned int most = t->op->most ?: INJECT_MOST, misses = 0, nth;

	for (nth = 1; nth <= most && misses < 2 && !_metadata->exit_code; nth++)
		misses = inject_round(_metadata, t, nth) ? 0 : misses + 1;

	TH_LOG("%s: %u allocations failed, %u times it was refused%s",
	       t->op->name, t->fired, t->refused,
	       misses < 2 ? ", there are more" : "");
	EXPECT_GE(t->fired, t->op->fired);
	EXPECT_GE(t->refused, t->op->refused);
	if (!t->op->most)
		EXPECT_EQ(2, misses);
}

/* The first round also brings what is only made once. */
static inline void inject_every_point(struct __test_metadata *_metadata,
				      struct inject *t)
{
	int err;

	for (int i = 0; i < 2; i++) {
		err = inject_reference(_metadata, t);
		if (err == INJECT_SKIP)
			SKIP(return, "%s: not on this machine", t->op->name);
		ASSERT_EQ(0, err) {
			TH_LOG("%s: cannot be prepared", t->op->name);
		}
		if (!i)
			inject_note(t, &t->rest);
		else
			inject_expect(_metadata, t, "undone", &t->rest);
	}
	inject_all_points(_metadata, t);
}

/* ---- surroundings ---- */

static inline int inject_write_in(const char *dir, const char *file,
				  const char *text)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return file_write(path, text);
}

static inline bool inject_cgroup_mount(struct inject *t)
{
	strcpy(t->cgroup_root, "/tmp/cgroup.XXXXXX");
	if (!mkdtemp(t->cgroup_root))
		return false;
	if (!mount("none", t->cgroup_root, "cgroup2", 0,
		   "memory_hugetlb_accounting") ||
	    !mount("none", t->cgroup_root, "cgroup2", 0, NULL))
		return true;
	rmdir(t->cgroup_root);
	return false;
}

static inline void inject_cgroup_umount(struct inject *t)
{
	umount2(t->cgroup_root, MNT_DETACH);
	rmdir(t->cgroup_root);
}

/* A cgroup of our own, unless version 1 has the controllers. */
static inline void inject_cgroup_enter(struct inject *t)
{
	if (!inject_cgroup_mount(t))
		return;
	inject_write_in(t->cgroup_root, "cgroup.subtree_control", "+memory");
	snprintf(t->cgroup, sizeof(t->cgroup), "%s/inject.%d", t->cgroup_root,
		 getpid());
	if (!inject_write_in(t->cgroup_root, "cgroup.subtree_control",
			     "+hugetlb") &&
	    !mkdir(t->cgroup, 0755) &&
	    !inject_write_in(t->cgroup, "cgroup.procs", "0"))
		return;
	rmdir(t->cgroup);
	inject_cgroup_umount(t);
	t->cgroup[0] = 0;
}

/* 0, or why the cgroup could not be removed. */
static inline int inject_cgroup_leave(struct inject *t)
{
	int err;

	if (!t->cgroup[0])
		return 0;
	err = inject_write_in(t->cgroup_root, "cgroup.procs", "0");
	for (int i = 0; !err && rmdir(t->cgroup); i++) {
		if (i == INJECT_SETTLE)
			err = errno;
		usleep(10000);
	}
	inject_cgroup_umount(t);
	return err;
}

/* On one CPU pages come from the same node each time. */
static inline void inject_stay(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* An address in a page table that nothing else needs. */
static inline char *alone(void)
{
	unsigned long gig = 1UL << 30, at;
	char *p = mmap(NULL, 2 * gig, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	munmap(p, 2 * gig);
	at = ((unsigned long)p + gig - 1) & ~(gig - 1);
	return (char *)at;
}

/* ---- the fixture; each program sets it up for what it tests ---- */

FIXTURE(inject) {
	struct inject t;
};

FIXTURE_VARIANT(inject) {
	struct inject_op op;
};

#endif /* HUGETLB_INJECT_H */
