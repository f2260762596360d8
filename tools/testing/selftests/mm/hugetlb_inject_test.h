/* SPDX-License-Identifier: GPL-2.0 */
/* The fixture of the hugetlb_inject* tests: a pool, a mount, a cgroup. */
#ifndef HUGETLB_INJECT_TEST_H
#define HUGETLB_INJECT_TEST_H

#include "hugetlb_inject.h"

#define INJECT_HVO_KNOB	"/proc/sys/vm/hugetlb_optimize_vmemmap"

static inline long inject_file_number(const char *path)
{
	int fd = open(path, O_RDONLY);
	long v = fd < 0 ? -1 : inject_number(fd);

	close(fd);
	return v;
}

FIXTURE_SETUP(inject)
{
	const struct inject_op *op = &variant->op;
	struct inject *t = &self->t;

	t->op = op;
	t->verbose = inject_verbose();
	t->hvo = inject_file_number(INJECT_HVO_KNOB);
	if ((op->flags & INJECT_HVO) && t->hvo < 0)
		SKIP(return, "struct pages are not given back here");
	if ((op->flags & INJECT_NUMA) && huge_nodes() < 2)
		SKIP(return, "one node");
	if (op->flags & INJECT_HVO)
		ASSERT_EQ(0, file_write(INJECT_HVO_KNOB, "1"));

	inject_stay();
	ASSERT_EQ(0, huge_pool_exact(op->pool));
	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_overcommit_hugepages",
			      op->overcommit));
	ASSERT_EQ(0, pipe(t->to_child));
	ASSERT_EQ(0, pipe(t->from_child));
	inject_cgroup_enter(t);
	if (op->mount) {
		t->dir = huge_mount(op->mount);
		ASSERT_NE(NULL, t->dir);
	}
	inject_open_nth(t);
	ASSERT_GE(t->fd_nth, 0);
	inject_add_all(&t->list, t->dir, t->cgroup[0] ? t->cgroup : NULL);
}

FIXTURE_TEARDOWN(inject)
{
	struct inject *t = &self->t;

	inject_child_stop(t);
	inject_forget_all(&t->list);
	if (t->dir)
		EXPECT_EQ(0, huge_umount(t->dir));
	EXPECT_EQ(0, inject_cgroup_leave(t));
	if (t->op->flags & INJECT_HVO)
		file_write(INJECT_HVO_KNOB, t->hvo ? "1" : "0");
	EXPECT_COUNTS(SZ_HUGE, t->op->pool, t->op->pool, 0, 0);
	EXPECT_EQ(0, huge_pool_exact(0));
}

TEST_F_TIMEOUT(inject, points, 3600)
{
	inject_every_point(_metadata, &self->t);
}

#endif /* HUGETLB_INJECT_TEST_H */
