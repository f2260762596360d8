// SPDX-License-Identifier: GPL-2.0
/*
 * What programs do with memory after it was collapsed, to a folio of each order:
 * fork, pin, protect, swap, move, merge, take apart.  It has to behave like the
 * small pages that it was.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <linux/userfaultfd.h>
#include "../../../../mm/gup_test.h"
#include "../kselftest_harness.h"
#include "khugepaged_anon.h"

#define KSM	"/sys/kernel/mm/ksm/"

/* Entries of a contiguous block of arm64 share what is noted of accesses. */
#if defined(__aarch64__)
#define BLOCK_ORDER	4
#else
#define BLOCK_ORDER	0
#endif

FIXTURE(after) {
	char	*p;
	long	n;		/* pages of a folio; two of them follow p */
};

FIXTURE_VARIANT(after) {
	int	order;
};

FIXTURE_VARIANT_ADD(after, o2) { .order = 2 };
FIXTURE_VARIANT_ADD(after, o3) { .order = 3 };
FIXTURE_VARIANT_ADD(after, o4) { .order = 4 };
FIXTURE_VARIANT_ADD(after, o5) { .order = 5 };
FIXTURE_VARIANT_ADD(after, o6) { .order = 6 };
FIXTURE_VARIANT_ADD(after, o7) { .order = 7 };
FIXTURE_VARIANT_ADD(after, o8) { .order = 8 };
FIXTURE_VARIANT_ADD(after, o9) { .order = 9 };

/* Two folios, full of what we wrote to small pages; the thread is off. */
FIXTURE_SETUP(after)
{
	int order = variant->order;
	struct layout l;

	if (psize() != 4096 || !khp_has_order(order, "enabled"))
		SKIP(return, "no such order");
	self->n = 1L << order;
	self->p = memory(1UL << order);
	ASSERT_NE(NULL, self->p);
	touch_small(self->p, 0, 2 * self->n);
	enable(1UL << order);
	/* A whole window would become one folio. */
	ASSERT_EQ(0, khp_collapse_retry(self->p, size(self->n)));
	ASSERT_EQ(0, khp_collapse_retry(self->p + size(self->n), size(self->n)));
	enable(0);
	look(self->p, &l);
	ASSERT_TRUE(whole(&l, 0, order));
	ASSERT_TRUE(whole(&l, self->n, order));
	ASSERT_EQ(2 * self->n, l.resident);
}

FIXTURE_TEARDOWN(after)
{
}

/* Do all pages hold what setup wrote, but for one that has another seed? */
static bool holds_but(const char *p, long n, long page, uint64_t seed)
{
	for (long i = 0; i < n; i++) {
		if (!khp_page_holds(p, i == page ? seed : SEED, i))
			return false;
	}
	return true;
}

/* ---- fork ---- */

/* Each sees its own. */
TEST_F_TIMEOUT(after, fork, SLOW)
{
	long n = 2 * self->n, at = self->n + 1;
	int status;
	pid_t child = fork();

	if (!child) {
		khp_fill_page(self->p, SEED + 1, at);
		usleep(20000);
		_exit(!holds_but(self->p, n, at, SEED + 1));
	}
	khp_fill_page(self->p, SEED + 2, 1);
	EXPECT_TRUE(holds_but(self->p, n, 1, SEED + 2));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(holds_but(self->p, n, 1, SEED + 2));
	/* The child is gone: nothing to copy any more. */
	khp_fill_page(self->p, SEED + 2, at);
	EXPECT_TRUE(khp_page_holds(self->p, SEED + 2, at));
}

/* What a child has in a pipe is not for the parent to change. */
TEST_F_TIMEOUT(after, fork_vmsplice, SLOW)
{
	int pipe_fd[2], done[2], status;
	uint64_t word = 0;
	pid_t child;
	char c;

	ASSERT_EQ(0, pipe(pipe_fd));
	ASSERT_EQ(0, pipe(done));
	child = fork();
	if (!child) {
		struct iovec iov = { self->p + size(1), psize() };

		if (vmsplice(pipe_fd[1], &iov, 1, 0) != psize() ||
		    munmap(self->p, size(ALL)))
			_exit(1);
		if (write(done[1], "x", 1) != 1)
			_exit(2);
		_exit(0);
	}
	ASSERT_EQ(1, read(done[0], &c, 1));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
	khp_fill_page(self->p, SEED + 1, 1);
	ASSERT_EQ(sizeof(word), read(pipe_fd[0], &word, sizeof(word)));
	EXPECT_EQ(khp_word(SEED, 1), word);
	EXPECT_TRUE(holds_but(self->p, 2 * self->n, 1, SEED + 1));
}

/* A pin stays with the one who has it, over a fork and a write. */
static void pinned(struct __test_metadata *_metadata, char *p, long n, int flags)
{
	struct pin_longterm_test args = {
		.addr = (uintptr_t)p, .size = size(n), .flags = flags,
	};
	int fd = open("/sys/kernel/debug/gup_test", O_RDWR), status;
	char *seen = malloc(size(n));
	uint64_t to = (uintptr_t)seen;
	pid_t child;

	if (fd < 0)
		SKIP(return, "no gup_test");
	ASSERT_EQ(0, ioctl(fd, PIN_LONGTERM_TEST_START, &args));
	child = fork();
	if (!child)
		_exit(!khp_holds(p, n, SEED));
	khp_fill_page(p, SEED + 1, 1);
	ASSERT_EQ(0, ioctl(fd, PIN_LONGTERM_TEST_READ, &to));
	EXPECT_TRUE(holds_but(seen, n, 1, SEED + 1));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_NE(0, khp_collapse(p, read_pmd_pagesize()));
	ASSERT_EQ(0, ioctl(fd, PIN_LONGTERM_TEST_STOP));
	EXPECT_TRUE(holds_but(p, n, 1, SEED + 1));
	close(fd);
	free(seen);
}

TEST_F_TIMEOUT(after, pin_write, SLOW)
{
	pinned(_metadata, self->p, self->n, PIN_LONGTERM_TEST_FLAG_USE_WRITE);
}

TEST_F_TIMEOUT(after, pin_read_fast, SLOW)
{
	pinned(_metadata, self->p, self->n, PIN_LONGTERM_TEST_FLAG_USE_FAST);
}

/* ---- userfaultfd, soft-dirty ---- */

static void *write_page(void *p)
{
	khp_fill_page(p, SEED + 1, 1);
	return NULL;
}

/* The next message; its address without the offset in the page, 0: none came. */
static uint64_t next_fault(int fd, uint64_t *flags)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct uffd_msg msg;

	if (poll(&pfd, 1, 100000) != 1 ||
	    read(fd, &msg, sizeof(msg)) != sizeof(msg) ||
	    msg.event != UFFD_EVENT_PAGEFAULT)
		return 0;
	*flags = msg.arg.pagefault.flags;
	return msg.arg.pagefault.address & ~(psize() - 1UL);
}

/* One page is protected, a write to it is reported, the others are not. */
TEST_F_TIMEOUT(after, uffd_wp, SLOW)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)self->p + size(1), psize() },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	long protected = 0;
	pthread_t writer;
	uint64_t flags;
	int fd;

	fd = userfault(self->p, size(2 * self->n), UFFDIO_REGISTER_MODE_WP);
	if (fd < 0)
		SKIP(return, "no write-protection by userfaultfd");
	ASSERT_EQ(0, ioctl(fd, UFFDIO_WRITEPROTECT, &wp));
	for (long i = 0; i < 2 * self->n; i++)
		protected += !!(khp_pagemap(self->p + size(i)) & PM_UFFD_WP);
	EXPECT_EQ(1, protected);
	khp_fill_page(self->p, SEED, 0);
	khp_fill_page(self->p, SEED, 2);
	/* A protected page cannot vanish in a larger folio. */
	EXPECT_NE(0, khp_collapse(self->p, read_pmd_pagesize()));

	pthread_create(&writer, NULL, write_page, self->p);
	ASSERT_EQ((uintptr_t)self->p + size(1), next_fault(fd, &flags));
	EXPECT_TRUE(flags & UFFD_PAGEFAULT_FLAG_WP);
	EXPECT_TRUE(khp_holds(self->p, 2 * self->n, SEED));
	wp.mode = 0;
	ASSERT_EQ(0, ioctl(fd, UFFDIO_WRITEPROTECT, &wp));
	pthread_join(writer, NULL);
	EXPECT_TRUE(holds_but(self->p, 2 * self->n, 1, SEED + 1));
	close(fd);
}

/* A hole that is made in it is for the handler to fill. */
TEST_F_TIMEOUT(after, uffd_missing, SLOW)
{
	char *page = aligned_alloc(psize(), psize());
	struct uffdio_copy copy = {
		.dst = (uintptr_t)self->p + size(1),
		.src = (uintptr_t)page, .len = psize(),
	};
	pthread_t writer;
	uint64_t flags;
	int fd;

	fd = userfault(self->p, size(2 * self->n), UFFDIO_REGISTER_MODE_MISSING);
	if (fd < 0)
		SKIP(return, "no userfaultfd");
	ASSERT_EQ(0, madvise(self->p + size(1), psize(), MADV_DONTNEED));
	pthread_create(&writer, NULL, write_page, self->p);
	ASSERT_EQ((uintptr_t)self->p + size(1), next_fault(fd, &flags));
	khp_fill_one(page, SEED + 5, 1);
	ASSERT_EQ(0, ioctl(fd, UFFDIO_COPY, &copy));
	pthread_join(writer, NULL);
	EXPECT_TRUE(holds_but(self->p, 2 * self->n, 1, SEED + 1));
	close(fd);
}

TEST_F_TIMEOUT(after, soft_dirty, SLOW)
{
	long dirty = 0;

	if (!softdirty_supported())
		SKIP(return, "no soft-dirty bit");
	clear_softdirty();
	for (long i = 0; i < 2 * self->n; i++)
		dirty += !!(khp_pagemap(self->p + size(i)) & PM_SOFT_DIRTY);
	EXPECT_EQ(0, dirty);
	khp_fill_page(self->p, SEED, 1);
	for (long i = 0; i < 2 * self->n; i++)
		dirty += !!(khp_pagemap(self->p + size(i)) & PM_SOFT_DIRTY);
	/* A PMD has one bit for all. */
	EXPECT_EQ(variant->order == 9 ? self->n : 1, dirty);
	EXPECT_TRUE(khp_pagemap(self->p + size(1)) & PM_SOFT_DIRTY);
}

/* ---- accesses ---- */

/* What smaps says of the mapping that begins at p; in kB. */
static long referenced(const char *p)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	long kb = -1, found;
	bool here = false;
	char line[512];

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start == (uintptr_t)p;
		else if (here && sscanf(line, "Referenced: %ld", &found) == 1)
			kb = found;
	}
	fclose(f);
	return kb;
}

/* To unmap this much is to flush everything. */
static void flush_tlb(void)
{
	size_t len = 4 * read_pmd_pagesize();
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 1, len);
	munmap(p, len);
}

/*
 * One page is touched.  Where entries are a contiguous block it seems to have
 * been all pages of the block; a PMD has one bit for all of its.
 */
TEST_F_TIMEOUT(after, accessed, SLOW)
{
	int block = variant->order >= BLOCK_ORDER ? BLOCK_ORDER : 0;

	if (variant->order == 9)
		block = 9;
	ASSERT_EQ(0, file_write("/proc/self/clear_refs", "1"));
	flush_tlb();
	EXPECT_EQ(0, referenced(self->p));
	khp_touch(self->p + size(1), 1);
	EXPECT_EQ(size(1L << block) >> 10, referenced(self->p));
}

/* ---- taken apart, moved, merged ---- */

TEST_F_TIMEOUT(after, dontneed, SLOW)
{
	ASSERT_EQ(0, madvise(self->p + size(1), psize(), MADV_DONTNEED));
	EXPECT_FALSE(khp_mapped(self->p + size(1)));
	EXPECT_EQ(2 * self->n - 1, khp_count_mapped(self->p, 2 * self->n));
	EXPECT_TRUE(khp_page_zero(self->p, 1));
	khp_fill_page(self->p, SEED + 1, 1);
	EXPECT_TRUE(holds_but(self->p, 2 * self->n, 1, SEED + 1));
}

TEST_F_TIMEOUT(after, swap, SLOW)
{
	if (khp_meminfo("SwapFree") < 65536)
		SKIP(return, "no swap");
	ASSERT_EQ(2 * self->n, swap_out(self->p, 2 * self->n));
	EXPECT_TRUE(khp_holds(self->p, 2 * self->n, SEED));
	khp_fill_page(self->p, SEED + 1, 1);
	EXPECT_TRUE(holds_but(self->p, 2 * self->n, 1, SEED + 1));
}

/* Page by page to another place, every other one. */
TEST_F_TIMEOUT(after, mremap, SLOW)
{
	char *q = khp_reserve(size(ALL));

	ASSERT_NE(NULL, q);
	for (long i = 0; i < self->n; i += 2)
		ASSERT_EQ(q + size(i), mremap(self->p + size(i), psize(), psize(),
					      MREMAP_MAYMOVE | MREMAP_FIXED,
					      q + size(i)));
	for (long i = 0; i < self->n; i++)
		EXPECT_TRUE(khp_page_holds(i % 2 ? self->p : q, SEED, i));
}

TEST_F_TIMEOUT(after, mprotect, SLOW)
{
	ASSERT_EQ(0, mprotect(self->p + size(1), psize(), PROT_READ));
	khp_fill_page(self->p, SEED, 0);
	khp_fill_page(self->p, SEED, 2);
	ASSERT_EQ(0, mprotect(self->p + size(1), psize(),
			      PROT_READ | PROT_WRITE));
	khp_fill_page(self->p, SEED + 1, 1);
	EXPECT_TRUE(holds_but(self->p, 2 * self->n, 1, SEED + 1));
}

TEST_F_TIMEOUT(after, split, SLOW)
{
	char text[128];
	struct layout l;

	snprintf(text, sizeof(text), "%d,0x%lx,0x%lx,0", getpid(),
		 (unsigned long)self->p,
		 (unsigned long)self->p + size(2 * self->n));
	if (file_write("/sys/kernel/debug/split_huge_pages", text))
		SKIP(return, "no debugfs");
	look(self->p, &l);
	for (long i = 0; i < 2 * self->n; i++)
		EXPECT_EQ(0, l.order[i]);
	EXPECT_TRUE(khp_holds(self->p, 2 * self->n, SEED));
	/* And back again. */
	enable(1UL << variant->order);
	EXPECT_EQ(0, khp_collapse_retry(self->p, size(self->n)));
	look(self->p, &l);
	EXPECT_TRUE(whole(&l, 0, variant->order));
	EXPECT_TRUE(khp_holds(self->p, 2 * self->n, SEED));
}

/* It may be taken apart on the way. */
TEST_F_TIMEOUT(after, migrate, SLOW)
{
	void *page = self->p + size(1);
	int status = -1, node[2] = { 1, 0 };
	struct layout l;

	for (int i = 0; i < 2; i++) {
		if (syscall(__NR_move_pages, 0, 1, &page, &node[i], &status, 2) ||
		    status != node[i])
			SKIP(return, "one node");
		EXPECT_TRUE(khp_holds(self->p, 2 * self->n, SEED));
	}
	look(self->p, &l);
	EXPECT_EQ(2 * self->n, l.resident);
	khp_fill_page(self->p, SEED + 1, 1);
	EXPECT_TRUE(holds_but(self->p, 2 * self->n, 1, SEED + 1));
}

/* Pages of two folios that are alike become one page, until a write. */
TEST_F_TIMEOUT(after, ksm, SLOW)
{
	char *twin = self->p + size(self->n + 1);
	bool merged = false;

	if (access(KSM "run", W_OK))
		SKIP(return, "no KSM");
	khp_fill_one(self->p + size(1), SEED + 1, 1);
	khp_fill_one(twin, SEED + 1, 1);
	ASSERT_EQ(0, madvise(self->p, size(2 * self->n), MADV_MERGEABLE));
	file_write(KSM "pages_to_scan", "10000");
	file_write(KSM "sleep_millisecs", "0");
	ASSERT_EQ(0, file_write(KSM "run", "1"));
	for (int i = 0; i < 6000 && !merged; i++) {
		usleep(10000);
		merged = PAGEMAP_PFN(khp_pagemap(self->p + size(1))) ==
			 PAGEMAP_PFN(khp_pagemap(twin));
	}
	file_write(KSM "run", "0");
	EXPECT_TRUE(merged);
	khp_fill_one(twin, SEED + 2, 1);
	EXPECT_TRUE(khp_page_holds(self->p, SEED + 1, 1));
	EXPECT_TRUE(khp_page_holds(twin - size(1), SEED + 2, 1));
	EXPECT_TRUE(khp_page_holds(self->p, SEED, 0));
	EXPECT_TRUE(khp_page_holds(self->p, SEED, 2));
}

TEST_HARNESS_MAIN
