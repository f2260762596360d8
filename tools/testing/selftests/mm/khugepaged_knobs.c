// SPDX-License-Identifier: GPL-2.0
/*
 * Knobs and counters of khugepaged, when the thread runs, and what MADV_COLLAPSE
 * answers to requests that it cannot serve.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "../kselftest_harness.h"
#include "khugepaged_anon.h"

#define RESULTS	"/sys/kernel/debug/khugepaged/results"

/* ---- what can be written ---- */

FIXTURE(knob) {
	long before;
};

FIXTURE_VARIANT(knob) {
	const char	*name;
	long		min, max;
};

FIXTURE_VARIANT_ADD(knob, max_ptes_none) { "max_ptes_none", 0, 511 };
FIXTURE_VARIANT_ADD(knob, max_ptes_swap) { "max_ptes_swap", 0, 511 };
FIXTURE_VARIANT_ADD(knob, max_ptes_shared) { "max_ptes_shared", 0, 511 };
FIXTURE_VARIANT_ADD(knob, pages_to_scan) { "pages_to_scan", 1, UINT_MAX };
FIXTURE_VARIANT_ADD(knob, scan_sleep) { "scan_sleep_millisecs", 0, UINT_MAX };
FIXTURE_VARIANT_ADD(knob, alloc_sleep) { "alloc_sleep_millisecs", 0, UINT_MAX };
FIXTURE_VARIANT_ADD(knob, defrag) { "defrag", 0, 1 };

static long knob_get(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "khugepaged/%s", name);
	return thp_read_num(path);
}

static int knob_write(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), KHP_ROOT "khugepaged/%s", name);
	return file_write(path, text);
}

FIXTURE_SETUP(knob)
{
	if (psize() != 4096)
		SKIP(return, "for pages of 4K and 2M");
	khp_all_off();
	self->before = knob_get(variant->name);
}

FIXTURE_TEARDOWN(knob)
{
}

TEST_F(knob, bad_input)
{
	static const char * const bad[] = {
		"-1", "x", "5x", "5 6", "0x10", " ", "\n", "1.5",
		"4294967296",
	};

	/* too large for any number; one of the files has always said ERANGE */
	EXPECT_NE(0, knob_write(variant->name, "18446744073709551616"));

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(EINVAL, knob_write(variant->name, bad[i]))
			TH_LOG("%s", bad[i]);
		EXPECT_EQ(self->before, knob_get(variant->name));
	}
}

TEST_F(knob, limits)
{
	char text[32];

	EXPECT_EQ(0, khp_set(variant->name, variant->min));
	EXPECT_EQ(variant->min, knob_get(variant->name));
	EXPECT_EQ(EINVAL, khp_set(variant->name, variant->min - 1));
	EXPECT_EQ(variant->min, knob_get(variant->name));

	snprintf(text, sizeof(text), "%ld\n", variant->max);
	EXPECT_EQ(0, knob_write(variant->name, text));
	EXPECT_EQ(variant->max, knob_get(variant->name));
	EXPECT_EQ(EINVAL, khp_set(variant->name, variant->max + 1));
	EXPECT_EQ(variant->max, knob_get(variant->name));
	EXPECT_EQ(0, khp_set(variant->name, self->before));
}

TEST(read_only)
{
	EXPECT_NE(0, knob_write("pages_collapsed", "0"));
	EXPECT_NE(0, knob_write("full_scans", "0"));
}

static void read_order(int order, const char *file, char *text, size_t len)
{
	char path[128];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), KHP_ROOT "hugepages-%ukB/%s",
		 (psize() >> 10) << order, file);
	fd = open(path, O_RDONLY);
	got = read(fd, text, len - 1);
	text[got < 0 ? 0 : got] = 0;
	close(fd);
}

TEST(bad_words)
{
	static const char * const file[] = { "enabled", "shmem_enabled" };
	static const char * const bad[] = { "maybe", "alway", "alwaysx", "1", "\n" };
	char before[128], after[128];

	for (int order = 2; order <= 9; order++) {
		for (int f = 0; f < 2; f++) {
			if (!khp_has_order(order, file[f]))
				continue;
			read_order(order, file[f], before, sizeof(before));
			for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
				EXPECT_EQ(EINVAL, khp_set_order(order, file[f],
								bad[i]));
			read_order(order, file[f], after, sizeof(after));
			EXPECT_STREQ(before, after);
		}
	}
}

/* ---- the thread ---- */

static bool thread_runs(void)
{
	DIR *proc = opendir("/proc");
	char path[300], comm[64];
	bool found = false;
	struct dirent *d;
	FILE *f;

	while (!found && (d = readdir(proc))) {
		if (!isdigit(d->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", d->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		found = fscanf(f, "%63s", comm) == 1 &&
			!strcmp(comm, "khugepaged");
		fclose(f);
	}
	closedir(proc);
	return found;
}

/* What stops it does not wait until nothing is seen of it in /proc. */
static bool thread_ends(void)
{
	for (int i = 0; i < 1000 && thread_runs(); i++)
		usleep(10000);
	return !thread_runs();
}

/* One while any size is enabled for any memory, none when none is. */
TEST(thread)
{
	static const char * const file[] = { "enabled", "shmem_enabled" };

	khp_all_off();
	EXPECT_TRUE(thread_ends());
	for (int order = 2; order <= 9; order++) {
		for (int f = 0; f < 2; f++) {
			if (khp_set_order(order, file[f], "always"))
				continue;
			EXPECT_TRUE(thread_runs())
				TH_LOG("order %d, %s", order, file[f]);
			/* What it inherits is off. */
			khp_set_order(order, file[f], "inherit");
			EXPECT_TRUE(thread_ends());
			khp_set_order(order, file[f], "never");
			EXPECT_TRUE(thread_ends());
		}
	}
}

/* ---- counters ---- */

TEST(counters)
{
	static const char * const name[] = {
		"collapse_alloc", "collapse_alloc_failed",
		"collapse_exceed_none_pte", "collapse_exceed_swap_pte",
		"collapse_exceed_shared_pte",
	};

	for (int order = 2; order <= 9; order++) {
		for (size_t i = 0; i < ARRAY_SIZE(name); i++)
			EXPECT_LE(0, stat_of(order, name[i]));
	}
}

static long result(const char *want)
{
	return file_counter(RESULTS, want);
}

TEST(results)
{
	char *p = memory(0);
	long before;

	if (result("succeeded") < 0)
		SKIP(return, "no debugfs");
	touch_small(p, 0, NP);
	before = result("succeeded");
	EXPECT_EQ(0, khp_collapse_retry(p, size(NP)));
	EXPECT_EQ(before + 1, result("succeeded"));
	before = result("page_pmd_mapped");
	EXPECT_EQ(0, khp_collapse(p, size(NP)));
	EXPECT_EQ(before + 1, result("page_pmd_mapped"));
}

/* ---- what MADV_COLLAPSE answers ---- */

FIXTURE(answer) {
	char *p;
};

FIXTURE_SETUP(answer)
{
	if (psize() != 4096)
		SKIP(return, "for pages of 4K and 2M");
	self->p = memory(0);
	ASSERT_NE(NULL, self->p);
}

FIXTURE_TEARDOWN(answer)
{
}

TEST_F_TIMEOUT(answer, done, SLOW)
{
	touch_small(self->p, 0, ALL);
	EXPECT_EQ(0, khp_collapse(self->p, 0));
	EXPECT_EQ(0, khp_collapse_retry(self->p, size(ALL)));
	EXPECT_EQ(0, khp_collapse(self->p, size(ALL)));
	EXPECT_TRUE(khp_holds(self->p, ALL, SEED));
}

TEST_F_TIMEOUT(answer, not_a_range, SLOW)
{
	touch_small(self->p, 0, NP);
	EXPECT_EQ(EINVAL, khp_collapse(self->p + 1, size(NP)));
	EXPECT_EQ(EINVAL, khp_collapse(self->p, -size(1)));
	ASSERT_EQ(0, munmap(self->p + size(NP), size(NP)));
	EXPECT_EQ(ENOMEM, khp_collapse(self->p, size(ALL)));
}

/* There is nothing; nothing that may be written; nothing that may be huge. */
TEST_F_TIMEOUT(answer, not_eligible, SLOW)
{
	EXPECT_EQ(EINVAL, khp_collapse(self->p, size(NP)));
	touch_small(self->p, 0, NP);
	ASSERT_EQ(0, mprotect(self->p, size(ALL), PROT_READ));
	EXPECT_EQ(EINVAL, khp_collapse(self->p, size(NP)));
	ASSERT_EQ(0, mprotect(self->p, size(ALL), PROT_READ | PROT_WRITE));
	ASSERT_EQ(0, madvise(self->p, size(ALL), MADV_NOHUGEPAGE));
	EXPECT_EQ(EINVAL, khp_collapse(self->p, size(NP)));
	ASSERT_EQ(0, madvise(self->p, size(ALL), MADV_HUGEPAGE));
	ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	EXPECT_EQ(EINVAL, khp_collapse(self->p, size(NP)));
	ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	EXPECT_EQ(0, khp_order_at(self->p));
	EXPECT_EQ(0, khp_collapse_retry(self->p, size(NP)));
	EXPECT_EQ(9, khp_order_at(self->p));
}

/* The other window is done all the same; the answer tells of the one. */
TEST_F_TIMEOUT(answer, busy, SLOW)
{
	struct iovec iov = { self->p, psize() };
	int fd[2];

	touch_small(self->p, 0, ALL);
	ASSERT_EQ(0, pipe(fd));
	ASSERT_EQ(psize(), vmsplice(fd[1], &iov, 1, 0));
	/* A page of the other may be busy, too, for a moment. */
	for (int i = 0; i < 100 && khp_order_at(self->p + size(NP)) != 9; i++)
		EXPECT_EQ(EAGAIN, khp_collapse(self->p, size(ALL)));
	EXPECT_EQ(0, khp_order_at(self->p));
	EXPECT_EQ(9, khp_order_at(self->p + size(NP)));
	close(fd[0]);
	close(fd[1]);
	EXPECT_EQ(0, khp_collapse_retry(self->p, size(ALL)));
}

TEST_F_TIMEOUT(answer, write_protected, SLOW)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)self->p, psize() },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int fd;

	touch_small(self->p, 0, NP);
	fd = userfault(self->p, size(NP), UFFDIO_REGISTER_MODE_WP);
	if (fd < 0)
		SKIP(return, "no write-protection by userfaultfd");
	ASSERT_EQ(0, ioctl(fd, UFFDIO_WRITEPROTECT, &wp));
	EXPECT_EQ(EINVAL, khp_collapse(self->p, size(NP)));
	close(fd);
}

static int limited(const char *group, char *p)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	if (file_write(path, "0"))
		return 255;
	touch_small(p, 0, 16);
	return khp_collapse(p, size(NP));
}

/* A limit of the control group, and the pages there cannot be swapped out. */
TEST_F_TIMEOUT(answer, control_group, SLOW)
{
	char root[] = "/tmp/khp.XXXXXX", path[64], group[32];
	int status = -1;

	ASSERT_NE(NULL, mkdtemp(root));
	if (mount("none", root, "cgroup2", 0, NULL)) {
		rmdir(root);
		SKIP(return, "no control groups");
	}
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", root);
	file_write(path, "+memory");
	snprintf(group, sizeof(group), "%s/g", root);
	mkdir(group, 0700);
	snprintf(path, sizeof(path), "%s/memory.swap.max", group);
	file_write(path, "0");
	snprintf(path, sizeof(path), "%s/memory.max", group);
	if (file_write(path, "1M"))
		SKIP(goto out, "no memory controller");
	if (fork() == 0)
		_exit(limited(group, self->p));
	wait(&status);
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(EBUSY, WEXITSTATUS(status));
out:
	rmdir(group);
	umount(root);
	rmdir(root);
}

TEST_HARNESS_MAIN
