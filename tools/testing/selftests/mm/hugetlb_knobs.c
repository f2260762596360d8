// SPDX-License-Identifier: GPL-2.0
/*
 * Every file a user can write: what is wrong is refused and changes nothing;
 * every file a user can read: numbers that agree.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "../kselftest_harness.h"
#include "hugetlb_test.h"

#define POOL 6

FIXTURE(knobs) {
	int nodes;
};

FIXTURE_SETUP(knobs)
{
	ASSERT_EQ(0, huge_pool_exact(POOL));
	self->nodes = huge_nodes();
}

FIXTURE_TEARDOWN(knobs)
{
	EXPECT_COUNTS(SZ_HUGE, POOL, POOL, 0, 0);
	EXPECT_EQ(0, huge_get(SZ_HUGE, "nr_overcommit_hugepages"));
}

static const char * const not_numbers[] = {
	"-1", "-9223372036854775808", "18446744073709551616",
	"99999999999999999999999", "abc", "12abc", "0x", "", " ", "1 2",
	"1.5", "\n", "+", "--1",
};

#define NR_BAD ARRAY_SIZE(not_numbers)

static void refuse_all(struct __test_metadata *_metadata, int node,
		       const char *file)
{
	for (size_t i = 0; i < NR_BAD; i++) {
		int err;

		if (!*not_numbers[i])
			continue;	/* a write of nothing is no write */
		err = huge_write_node(SZ_HUGE, node, file, not_numbers[i]);
		EXPECT_EQ(EINVAL, err) {
			TH_LOG("%s <- '%s': %s", file, not_numbers[i],
			       strerror(err));
		}
	}
	EXPECT_EQ(POOL, huge_get(SZ_HUGE, "nr_hugepages"));
}

TEST_F(knobs, sysfs_refuses)
{
	refuse_all(_metadata, -1, "nr_hugepages");
	refuse_all(_metadata, -1, "nr_overcommit_hugepages");
	if (self->nodes > 1)
		refuse_all(_metadata, -1, "nr_hugepages_mempolicy");
}

TEST_F(knobs, node_files_refuse)
{
	for (int n = 0; n < self->nodes; n++)
		refuse_all(_metadata, n, "nr_hugepages");
}

TEST_F(knobs, read_only_files)
{
	static const char * const files[] = {
		"free_hugepages", "resv_hugepages", "surplus_hugepages",
	};
	char path[256];
	struct stat st;

	for (int i = 0; i < 3; i++) {
		huge_path(path, sizeof(path), SZ_HUGE, -1, files[i]);
		ASSERT_EQ(0, stat(path, &st));
		EXPECT_EQ(0444, st.st_mode & 0777);
	}
	huge_path(path, sizeof(path), SZ_HUGE, -1, "nr_hugepages");
	ASSERT_EQ(0, stat(path, &st));
	EXPECT_EQ(0644, st.st_mode & 0777);
}

TEST_F(knobs, sysctl_refuses)
{
	static const char * const files[] = {
		"/proc/sys/vm/nr_hugepages",
		"/proc/sys/vm/nr_overcommit_hugepages",
		"/proc/sys/vm/nr_hugepages_mempolicy",
	};

	for (int f = 0; f < 3; f++) {
		if (access(files[f], W_OK))
			continue;
		EXPECT_EQ(EINVAL, file_write(files[f], "-1"));
		EXPECT_EQ(EINVAL, file_write(files[f], "abc"));
		EXPECT_EQ(EINVAL, file_write(files[f], "12abc"));
		EXPECT_EQ(EINVAL, file_write(files[f],
					     "99999999999999999999999"));
		EXPECT_EQ(POOL, huge_get(SZ_HUGE, "nr_hugepages"));
	}
}

TEST_F(knobs, overcommit)
{
	EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_overcommit_hugepages", 12345));
	EXPECT_EQ(12345, huge_get(SZ_HUGE, "nr_overcommit_hugepages"));
	EXPECT_EQ(0, huge_set(SZ_HUGE, "nr_overcommit_hugepages", 0));
	/* pages that the page allocator cannot make on demand */
	if (huge_get(1UL << 30, "nr_hugepages") >= 0)
		EXPECT_EQ(EINVAL, huge_set(1UL << 30,
					   "nr_overcommit_hugepages", 1));
}

TEST_F(knobs, demote_refuses)
{
	size_t gig = 1UL << 30;
	long total = huge_get(gig, "nr_hugepages");
	char path[256];

	huge_path(path, sizeof(path), gig, -1, "demote_size");
	if (total < 0 || access(path, W_OK))
		SKIP(return, "1G pages cannot be demoted here");
	EXPECT_EQ(EINVAL, huge_write_node(gig, -1, "demote", "-1"));
	EXPECT_EQ(EINVAL, huge_write_node(gig, -1, "demote", "x"));
	EXPECT_EQ(EINVAL, huge_write_node(gig, -1, "demote_size", "1G"));
	EXPECT_EQ(EINVAL, huge_write_node(gig, -1, "demote_size", "4k"));
	EXPECT_EQ(EINVAL, huge_write_node(gig, -1, "demote_size", "3M"));
	EXPECT_EQ(EINVAL, huge_write_node(gig, -1, "demote_size", "x"));
	EXPECT_EQ(0, huge_write_node(gig, -1, "demote_size", "2M"));
	EXPECT_EQ(total, huge_get(gig, "nr_hugepages"));
}

TEST_F(knobs, meminfo_agrees)
{
	char line[128], name[64];
	long total = -1, free = -1, hugetlb = -1, kb = 0, v;
	static const size_t sizes[] = { 64 << 10, 2 << 20, 32 << 20, 1 << 30 };
	FILE *f = fopen("/proc/meminfo", "r");

	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63[^:]: %ld", name, &v) != 2)
			continue;
		if (!strcmp(name, "HugePages_Total"))
			total = v;
		else if (!strcmp(name, "HugePages_Free"))
			free = v;
		else if (!strcmp(name, "Hugetlb"))
			hugetlb = v;
	}
	fclose(f);
	EXPECT_EQ(POOL, total);
	EXPECT_EQ(POOL, free);
	for (int i = 0; i < 4; i++) {
		long n = huge_get(sizes[i], "nr_hugepages");

		if (n > 0)
			kb += n * (long)(sizes[i] >> 10);
	}
	EXPECT_EQ(kb, hugetlb);
}

TEST_F(knobs, node_meminfo_agrees)
{
	for (int n = 0; n < self->nodes; n++) {
		long total = -1, free = -1, surp = -1;
		char path[128], line[128];
		FILE *f;

		snprintf(path, sizeof(path),
			 "/sys/devices/system/node/node%d/meminfo", n);
		f = fopen(path, "r");
		ASSERT_NE(NULL, f);
		while (fgets(line, sizeof(line), f)) {
			sscanf(line, "Node %*d HugePages_Total: %ld", &total);
			sscanf(line, "Node %*d HugePages_Free: %ld", &free);
			sscanf(line, "Node %*d HugePages_Surp: %ld", &surp);
		}
		fclose(f);
		EXPECT_EQ(huge_get_node(SZ_HUGE, n, "nr_hugepages"), total);
		EXPECT_EQ(huge_get_node(SZ_HUGE, n, "free_hugepages"), free);
		EXPECT_EQ(0, surp);
	}
}

static long self_field(const char *file, const char *field)
{
	char line[256];
	long v = -1, sum = 0;
	bool any = false;
	FILE *f = fopen(file, "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, field, strlen(field)))
			continue;
		if (sscanf(line + strlen(field), "%ld", &v) == 1) {
			sum += v;
			any = true;
		}
	}
	if (f)
		fclose(f);
	return any ? sum : -1;
}

TEST_F(knobs, status_and_smaps)
{
	char *p = mmap(NULL, 3 * SZ_HUGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	char *q = mmap(NULL, 2 * SZ_HUGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	long kb = SZ_HUGE >> 10;

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_EQ(0, self_field("/proc/self/status", "HugetlbPages:"));
	p[0] = 1;
	p[SZ_HUGE] = 1;
	q[0] = 1;
	EXPECT_EQ(3 * kb, self_field("/proc/self/status", "HugetlbPages:"));
	EXPECT_EQ(3 * kb, self_field("/proc/self/smaps", "Private_Hugetlb:") +
			  self_field("/proc/self/smaps", "Shared_Hugetlb:"));
	munmap(p, 3 * SZ_HUGE);
	munmap(q, 2 * SZ_HUGE);
	EXPECT_EQ(0, self_field("/proc/self/status", "HugetlbPages:"));
}

/* Readers never see a sum that does not hold, whoever resizes. */
TEST_F(knobs, readers_see_consistent_numbers)
{
	pid_t pid = fork();

	ASSERT_GE(pid, 0);
	if (pid == 0) {
		for (int i = 0; i < 300; i++)
			huge_set(SZ_HUGE, "nr_hugepages", i % 23);
		_exit(0);
	}
	while (!waitpid(pid, NULL, WNOHANG)) {
		long free = huge_get(SZ_HUGE, "free_hugepages");
		long total = huge_get(SZ_HUGE, "nr_hugepages");

		EXPECT_GE(free, 0);
		EXPECT_LE(free, 23);
		EXPECT_GE(total, 0);
		EXPECT_LE(total, 23);
	}
	ASSERT_EQ(0, huge_set(SZ_HUGE, "nr_hugepages", POOL));
}

TEST_HARNESS_MAIN
