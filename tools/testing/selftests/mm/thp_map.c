// SPDX-License-Identifier: GPL-2.0
/*
 * Huge entries under the verbs of mm: what is taken away, what stays, what is
 * remembered, and whether a page table gets lost on the way.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "../kselftest_harness.h"
#include "vm_util.h"

#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define MAX_NONE "khugepaged/max_ptes_none"
#define SLOW	300		/* seconds for a test, on a debug kernel */
#define PART	5		/* the page that is treated otherwise */

/* The first bytes of a page: never those of another one, nor zeroes. */
static unsigned long mark(long page)
{
	return 0x1234567890abcdefUL * (page + 1) | 1;
}

static size_t size;		/* of a huge page */
static long nr;			/* pages in it */
static char *all;		/* memory for four of them and a bit */
static char *huge;		/* where the first one begins */
static int pagemap = -1;

FIXTURE(map) {
	char	enabled[64];
	char	zero[8];
	char	none[8];
};

static void knob(const char *path, char *old, size_t len, const char *new)
{
	int fd = open(path, O_RDWR);

	if (fd < 0)
		return;
	if (old && read(fd, old, len - 1) < 0)
		old[0] = 0;
	if (new && pwrite(fd, new, strlen(new), 0) < 0)
		perror(path);
	close(fd);
}

FIXTURE_SETUP(map)
{
	char *from;

	size = read_pmd_pagesize();
	if (geteuid() || !size)
		SKIP(return, "needs root and huge pages");
	nr = size / psize();
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	ASSERT_LE(0, pagemap);

	memset(self->enabled, 0, sizeof(self->enabled));
	memset(self->zero, 0, sizeof(self->zero));
	memset(self->none, 0, sizeof(self->none));
	/* No hole that a test makes is for khugepaged to fill. */
	knob(THP MAX_NONE, self->none, sizeof(self->none), "0");
	knob(THP "enabled", self->enabled, sizeof(self->enabled), "madvise");
	knob(THP "use_zero_page", self->zero, sizeof(self->zero), "1");
	from = strchr(self->enabled, '[');
	if (from) {
		memmove(self->enabled, from + 1, strlen(from));
		*strchrnul(self->enabled, ']') = 0;
	}

	all = mmap(NULL, 5 * size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, all);
	huge = (char *)(((unsigned long)all + size - 1) & -size);
	ASSERT_EQ(0, madvise(huge, 4 * size, MADV_HUGEPAGE));
}

FIXTURE_TEARDOWN(map)
{
	knob(THP "enabled", NULL, 0, self->enabled);
	knob(THP "use_zero_page", NULL, 0, self->zero);
	knob(THP MAX_NONE, NULL, 0, self->none);
	munmap(all, 5 * size);
	close(pagemap);
}

static bool is_huge(char *p)
{
	return check_huge_anon(p, 1, size);
}

static void fill(char *p)
{
	for (long i = 0; i < nr; i++)
		*(unsigned long *)(p + i * psize()) = mark(i);
}

static long pages_kept(char *p, long from)
{
	long kept = 0;

	for (long i = from; i < nr; i++)
		kept += *(unsigned long *)(p + i * psize()) == mark(i);
	return kept;
}

static long pages_with(char *p, uint64_t bits)
{
	long n = 0;

	for (long i = 0; i < nr; i++)
		n += (pagemap_get_entry(pagemap, p + i * psize()) &
		      bits) == bits;
	return n;
}

/* A huge page with marks, if there is one to be had. */
static bool make_huge(char *p)
{
	fill(p);
	return is_huge(p);
}

#define NO_HUGE	"no huge page to be had"

TEST_F_TIMEOUT(map, munmap_part, SLOW)
{
	if (!make_huge(huge))
		SKIP(return, NO_HUGE);
	ASSERT_EQ(0, munmap(huge, PART * psize()));
	EXPECT_EQ(nr - PART, pages_kept(huge, PART));
	EXPECT_EQ(nr - PART, pages_with(huge, PM_PRESENT));
}

TEST_F_TIMEOUT(map, mprotect_part, SLOW)
{
	if (!make_huge(huge))
		SKIP(return, NO_HUGE);
	ASSERT_EQ(0, mprotect(huge + PART * psize(), psize(), PROT_READ));
	EXPECT_FALSE(is_huge(huge));
	EXPECT_EQ(nr, pages_kept(huge, 0));
	EXPECT_EQ(nr, pages_with(huge, PM_PRESENT | PM_MMAP_EXCLUSIVE));
}

TEST_F_TIMEOUT(map, dontneed_part, SLOW)
{
	char *part = huge + PART * psize();

	if (!make_huge(huge))
		SKIP(return, NO_HUGE);
	ASSERT_EQ(0, madvise(part, psize(), MADV_DONTNEED));
	EXPECT_EQ(nr - 1, pages_with(huge, PM_PRESENT));
	EXPECT_EQ(nr - 1, pages_kept(huge, 0));
	EXPECT_EQ(0, *(unsigned long *)part);
}

TEST_F_TIMEOUT(map, mremap_part, SLOW)
{
	char *to = huge + 2 * size;

	if (!make_huge(huge))
		SKIP(return, NO_HUGE);
	ASSERT_EQ(to, mremap(huge, PART * psize(), PART * psize(),
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_EQ(nr - PART, pages_kept(huge, PART));
	for (long i = 0; i < PART; i++)
		EXPECT_EQ(mark(i), *(unsigned long *)(to + i * psize()));
}

/* What a child does to its entry is nothing to its parent's. */
TEST_F_TIMEOUT(map, split_in_child, SLOW)
{
	int status;
	pid_t pid;

	if (!make_huge(huge))
		SKIP(return, NO_HUGE);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (munmap(huge, PART * psize()))
			_exit(1);
		*(huge + PART * psize() + 100) = 1;
		_exit(pages_kept(huge, PART) != nr - PART);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(is_huge(huge));
	EXPECT_EQ(nr, pages_kept(huge, 0));
	EXPECT_EQ(0, *(huge + PART * psize() + 100));
}

/* Whole, to read-only and back: the entry stays, and no write faults. */
TEST_F_TIMEOUT(map, mprotect_whole, SLOW)
{
	struct rusage before, after;

	if (!make_huge(huge))
		SKIP(return, NO_HUGE);
	ASSERT_EQ(0, mprotect(huge, size, PROT_READ));
	ASSERT_EQ(0, mprotect(huge, size, PROT_READ | PROT_WRITE));
	EXPECT_TRUE(is_huge(huge));
	getrusage(RUSAGE_SELF, &before);
	fill(huge);
	getrusage(RUSAGE_SELF, &after);
	EXPECT_EQ(before.ru_minflt, after.ru_minflt);
	EXPECT_EQ(nr, pages_kept(huge, 0));
}

TEST_F_TIMEOUT(map, split_keeps_clean, SLOW)
{
	if (!softdirty_supported())
		SKIP(return, "no soft-dirty");
	if (!make_huge(huge))
		SKIP(return, NO_HUGE);
	clear_softdirty();
	ASSERT_EQ(0, mprotect(huge + PART * psize(), psize(), PROT_READ));
	EXPECT_FALSE(is_huge(huge));
	EXPECT_EQ(0, pages_with(huge, PM_SOFT_DIRTY));
	*(huge + 2 * PART * psize() + 100) = 1;
	EXPECT_EQ(1, pages_with(huge, PM_SOFT_DIRTY));
}

TEST_F_TIMEOUT(map, split_keeps_soft_dirty, SLOW)
{
	if (!softdirty_supported())
		SKIP(return, "no soft-dirty");
	if (!make_huge(huge))
		SKIP(return, NO_HUGE);
	clear_softdirty();
	*(huge + 100) = 1;
	ASSERT_EQ(0, mprotect(huge + PART * psize(), psize(), PROT_READ));
	EXPECT_EQ(nr, pages_with(huge, PM_SOFT_DIRTY));
}

static void read_all(char *p)
{
	for (long i = 0; i < nr; i++)
		*(volatile char *)(p + i * psize());
}

TEST_F_TIMEOUT(map, split_zero, SLOW)
{
	read_all(huge);
	ASSERT_EQ(0, mprotect(huge + PART * psize(), psize(), PROT_READ));
	EXPECT_EQ(nr, pages_with(huge, PM_PRESENT));
	*huge = 1;
	*huge = 0;
	for (size_t i = 0; i < size; i += sizeof(long))
		ASSERT_EQ(0, *(unsigned long *)(huge + i));
}

/* ---- userfaultfd ---- */

static int uffd_open(__u64 features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int uffd_protect(int fd, char *p, size_t len, __u64 mode)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (unsigned long)p, .len = len },
		.mode = mode,
	};

	return ioctl(fd, UFFDIO_WRITEPROTECT, &wp);
}

TEST_F_TIMEOUT(map, split_keeps_uffd_wp, SLOW)
{
	int fd = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP);

	if (fd < 0 || uffd_register(fd, huge, 2 * size, false, true,
				    false))
		SKIP(return, "no write protection by userfaultfd");
	if (!make_huge(huge))
		SKIP(return, NO_HUGE);
	read_all(huge + size);
	ASSERT_EQ(0, uffd_protect(fd, huge, 2 * size,
				  UFFDIO_WRITEPROTECT_MODE_WP));
	EXPECT_TRUE(is_huge(huge));
	EXPECT_EQ(nr, pages_with(huge, PM_UFFD_WP));

	for (char *p = huge; p <= huge + size; p += size) {
		ASSERT_EQ(0, madvise(p, psize(), MADV_DONTNEED));
		EXPECT_EQ(nr - 1,
			  pages_with(p, PM_PRESENT | PM_UFFD_WP));
		ASSERT_EQ(0, uffd_protect(fd, p, size, 0));
		EXPECT_EQ(0, pages_with(p, PM_UFFD_WP));
	}
	EXPECT_EQ(nr - 1, pages_kept(huge, 1));
	close(fd);
}

#ifdef UFFDIO_MOVE
static int uffd_move(int fd, char *to, char *from, size_t len)
{
	struct uffdio_move move = {
		.dst = (unsigned long)to,
		.src = (unsigned long)from,
		.len = len,
	};

	if (!ioctl(fd, UFFDIO_MOVE, &move))
		return 0;
	return -errno;
}

/* For moves to the third huge page. */
static int uffd_for_move(void)
{
	int fd = uffd_open(UFFD_FEATURE_MOVE);

	if (fd >= 0 && uffd_register(fd, huge + 2 * size, 2 * size, true,
				     false, false)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

#define NO_MOVE	"no UFFDIO_MOVE"

TEST_F_TIMEOUT(map, move_huge, SLOW)
{
	char *to = huge + 2 * size;
	int fd = uffd_for_move();

	if (fd < 0)
		SKIP(return, NO_MOVE);
	if (!make_huge(huge))
		SKIP(return, NO_HUGE);
	ASSERT_EQ(0, uffd_move(fd, to, huge, size));
	EXPECT_EQ(0, pages_with(huge, PM_PRESENT));
	EXPECT_TRUE(is_huge(to));
	EXPECT_EQ(nr, pages_kept(to, 0));
	EXPECT_EQ(-EEXIST, uffd_move(fd, to, huge + size, size));
	/* The rmap of the new place has to be right to find it. */
	ASSERT_EQ(0, madvise(to, size, MADV_PAGEOUT));
	EXPECT_EQ(nr, pages_kept(to, 0));
	close(fd);
}

TEST_F_TIMEOUT(map, move_zero, SLOW)
{
	char *to = huge + 2 * size;
	int fd = uffd_for_move();

	if (fd < 0)
		SKIP(return, NO_MOVE);
	read_all(huge);
	ASSERT_EQ(0, uffd_move(fd, to, huge, size));
	EXPECT_EQ(0, pages_with(huge, PM_PRESENT));
	EXPECT_EQ(nr, pages_with(to, PM_PRESENT));
	*to = 1;
	EXPECT_EQ(0, *(to + psize()));
	close(fd);
}

TEST_F_TIMEOUT(map, move_shared, SLOW)
{
	char *to = huge + 2 * size;
	int fd = uffd_for_move();
	int status;
	pid_t pid;

	if (fd < 0)
		SKIP(return, NO_MOVE);
	if (!make_huge(huge))
		SKIP(return, NO_HUGE);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		pause();
		_exit(0);
	}
	EXPECT_EQ(-EBUSY, uffd_move(fd, to, huge, size));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(nr, pages_kept(huge, 0));
	EXPECT_EQ(0, pages_with(to, PM_PRESENT));
	close(fd);
}
#endif

/* ---- Migration: between two nodes, if there are ---- */

static int node_of(void *p)
{
	int status = -1;

	syscall(__NR_move_pages, 0, 1, &p, NULL, &status, 0);
	return status;
}

static int node_move(void *p, int node)
{
	int status = -1;

	if (syscall(__NR_move_pages, 0, 1, &p, &node, &status, 2 /* MOVE */))
		return -errno;
	return status;
}

TEST_F_TIMEOUT(map, migrate, SLOW)
{
	int other;

	if (!make_huge(huge))
		SKIP(return, NO_HUGE);
	other = !node_of(huge);
	if (node_move(huge, other) < 0)
		SKIP(return, "one node only, or no memory on the other one");
	EXPECT_EQ(other, node_of(huge));
	EXPECT_TRUE(is_huge(huge));
	EXPECT_EQ(nr, pages_kept(huge, 0));
	EXPECT_EQ(nr, pages_with(huge, PM_MMAP_EXCLUSIVE));
}

TEST_F_TIMEOUT(map, migrate_clean, SLOW)
{
	if (!softdirty_supported())
		SKIP(return, "no soft-dirty");
	if (!make_huge(huge))
		SKIP(return, NO_HUGE);
	clear_softdirty();
	if (node_move(huge, !node_of(huge)) < 0)
		SKIP(return, "one node only, or no memory on the other one");
	EXPECT_TRUE(is_huge(huge));
	EXPECT_EQ(0, pages_with(huge, PM_SOFT_DIRTY));
	*(huge + 100) = 1;
	EXPECT_EQ(nr, pages_with(huge, PM_SOFT_DIRTY));
}

/* ---- Nothing is lost ---- */

static long status_kb(const char *field)
{
	FILE *f = fopen("/proc/self/status", "r");
	size_t len = strlen(field);
	char line[128];
	long kb = -1;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, field, len))
			kb = atol(line + len);
	if (f)
		fclose(f);
	return kb;
}

/* Maps, splits and unmaps; the zero folio, because it takes no clearing. */
static void cycle(bool write)
{
	if (write)
		*huge = 1;
	else
		*(volatile char *)huge;
	madvise(huge + PART * psize(), psize(), MADV_DONTNEED);
	/* A new mapping: with the old one its page tables go. */
	mmap(huge, size, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	madvise(huge, size, MADV_HUGEPAGE);
}

TEST_F_TIMEOUT(map, cycles, SLOW)
{
	const char *text = getenv("THP_MAP_CYCLES");
	long cycles = text ? atol(text) : 100000;
	time_t end = time(NULL) + 60;
	long tables, anon, i;

	cycle(true);
	cycle(false);
	tables = status_kb("VmPTE:");
	anon = status_kb("RssAnon:");
	ASSERT_LT(0, tables);

	for (i = 0; i < cycles && (text || i < 1000 || time(NULL) < end); i++)
		cycle(i % 100 == 0);
	TH_LOG("%ld rounds", i);
	EXPECT_EQ(tables, status_kb("VmPTE:"));
	/* Counters of a process are exact to a batch per CPU. */
	EXPECT_GE(anon + 4096, status_kb("RssAnon:"));
}

TEST_HARNESS_MAIN
