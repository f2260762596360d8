// SPDX-License-Identifier: GPL-2.0
/*
 * Programs and libraries, read-only files mapped for execution, become huge
 * folios; and whoever opens such a file for writing gets neither stuck nor
 * old data.
 *
 * Environment: KHUGEPAGED_DIR, a directory on the filesystem to test, default
 * is the current one; KHUGEPAGED_SECONDS, how long a race is run, default 5.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include "../kselftest_harness.h"
#include "khugepaged_test.h"

#define SEED	3
#define WINDOWS	4

FIXTURE(file) {
	char path[256];
	size_t pmd;		/* bytes of a window */
	long nr;		/* pages of a window */
	long pages;
	size_t len;
	int fd;
	char *p;
};

static long seconds(void)
{
	const char *text = getenv("KHUGEPAGED_SECONDS");

	return text ? atol(text) : 5;
}

static int write_file_pages(const char *path, long pages)
{
	char *buf = malloc(1 << 20);
	long per = (1 << 20) / psize();
	int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0755);
	int err = fd < 0;

	for (long i = 0; !err && i < pages; i += per) {
		for (long k = 0; k < per; k++)
			khp_fill_one(buf + k * psize(), SEED, i + k);
		err = write(fd, buf, 1 << 20) != 1 << 20;
	}
	close(fd);
	free(buf);
	return err;
}

static char *map_text(int fd, size_t len)
{
	char *at = khp_reserve(len);
	char *p = mmap(at, len, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED,
		       fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Can files of this filesystem have huge folios at all? */
static bool probe(const char *path, size_t pmd)
{
	char *p;
	int fd, err;

	if (write_file_pages(path, pmd / psize()))
		return false;
	sync();
	fd = open(path, O_RDONLY);
	p = map_text(fd, pmd);
	err = p ? khp_collapse_retry(p, pmd) : EINVAL;
	if (p)
		munmap(p, pmd);
	close(fd);
	return !err;
}

FIXTURE_SETUP(file)
{
	const char *dir = getenv("KHUGEPAGED_DIR") ?: ".";

	if (geteuid() || !read_pmd_pagesize())
		SKIP(return, "no huge pages, or not root");
	thp_save_settings();
	khp_all_off();
	file_write(KHP_ROOT "enabled", "madvise");
	self->pmd = read_pmd_pagesize();
	self->nr = self->pmd / psize();
	self->pages = WINDOWS * self->nr;
	self->len = WINDOWS * self->pmd;
	snprintf(self->path, sizeof(self->path), "%s/khugepaged.%d", dir,
		 getpid());
	if (!probe(self->path, self->pmd)) {
		/* There is no teardown then. */
		unlink(self->path);
		thp_restore_settings();
		SKIP(return, "not for files of this filesystem");
	}
	ASSERT_EQ(0, write_file_pages(self->path, self->pages));
	self->fd = open(self->path, O_RDONLY);
	ASSERT_LE(0, self->fd);
	self->p = map_text(self->fd, self->len);
	ASSERT_NE(NULL, self->p);
}

FIXTURE_TEARDOWN(file)
{
	if (self->path[0])
		unlink(self->path);
	if (self->pmd)
		thp_restore_settings();
	if (!self->p)
		return;
	munmap(self->p, self->len);
	close(self->fd);
}

/* How many of the windows are mapped by a PMD, and of a single folio? */
static bool all_huge(const char *p, size_t len)
{
	return check_huge_file((void *)p, len / read_pmd_pagesize(),
			       read_pmd_pagesize());
}

TEST_F(file, collapse)
{
	long before, during;

	sync();
	before = khp_meminfo("FileHugePages");
	ASSERT_EQ(0, khp_collapse_retry(self->p, self->len));
	EXPECT_TRUE(all_huge(self->p, self->len));
	EXPECT_TRUE(khp_holds(self->p, self->pages, SEED));
	during = khp_meminfo("FileHugePages");
	EXPECT_EQ(before + (self->len >> 10), during);
	munmap(self->p, self->len);
	ASSERT_EQ(0, truncate(self->path, 0));
	EXPECT_EQ(before, khp_meminfo("FileHugePages"));
	self->p = map_text(self->fd, self->len);
}

/* Just written, not yet on disk. */
TEST_F(file, dirty)
{
	EXPECT_EQ(0, khp_collapse_retry(self->p, self->len));
	EXPECT_TRUE(khp_holds(self->p, self->pages, SEED));
}

/* Not in memory at all. */
TEST_F(file, evicted)
{
	sync();
	munmap(self->p, self->len);
	ASSERT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_DONTNEED));
	self->p = map_text(self->fd, self->len);
	EXPECT_EQ(0, khp_collapse_retry(self->p, self->len));
	EXPECT_TRUE(all_huge(self->p, self->len));
	EXPECT_TRUE(khp_holds(self->p, self->pages, SEED));
}

TEST_F(file, khugepaged)
{
	sync();
	khp_touch(self->p, self->pages);
	ASSERT_EQ(0, madvise(self->p, self->len, MADV_HUGEPAGE));
	for (int i = 0; i < 50 && !all_huge(self->p, self->len); i++) {
		ASSERT_TRUE(khp_passes(1));
		khp_touch(self->p, self->pages);
	}
	EXPECT_TRUE(all_huge(self->p, self->len));
	EXPECT_TRUE(khp_holds(self->p, self->pages, SEED));
}

TEST_F(file, open_for_writing)
{
	int fd = open(self->path, O_RDWR);

	ASSERT_LE(0, fd);
	sync();
	EXPECT_EQ(EINVAL, khp_collapse_retry(self->p, self->len));
	close(fd);
	EXPECT_EQ(0, khp_collapse_retry(self->p, self->len));
}

/* A file that ends in the middle of the window. */
TEST_F(file, too_short)
{
	ASSERT_EQ(0, truncate(self->path, self->pmd / 2));
	sync();
	EXPECT_EQ(EINVAL, khp_collapse_retry(self->p, self->pmd));
	EXPECT_TRUE(khp_holds(self->p, self->nr / 2, SEED));
}

/* A writer comes, writes, and everybody sees what it wrote. */
TEST_F(file, writer)
{
	char *page = malloc(psize());
	int fd;

	memset(page, 0x5a, psize());
	sync();
	ASSERT_EQ(0, khp_collapse_retry(self->p, self->len));
	fd = open(self->path, O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_TRUE(khp_holds(self->p, self->pages, SEED));
	ASSERT_EQ(psize(), pwrite(fd, page, psize(), psize()));
	EXPECT_EQ(0, memcmp(self->p + psize(), page, psize()));
	ASSERT_EQ(0, fsync(fd));
	close(fd);
	EXPECT_EQ(0, khp_collapse_retry(self->p, self->len));
	EXPECT_EQ(0, memcmp(self->p + psize(), page, psize()));
	EXPECT_TRUE(khp_page_holds(self->p, SEED, 0));
	EXPECT_TRUE(khp_page_holds(self->p, SEED, 2));
	free(page);
}

/* ---- races ---- */

static void *race_open(void *arg)
{
	struct race *r = arg;

	while (!r->stop) {
		int fd = open(r->path, O_RDWR);

		r->rounds++;
		close(fd);
		/* Let some windows become huge. */
		usleep(rand() % 30000);
	}
	return NULL;
}

static void say_where(pid_t pid)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd),
		 "for t in /proc/%d/task/*; do sed 's/^/# /' $t/stack; echo '#'; done",
		 pid);
	if (system(cmd))
		return;
}

/* Wait for a child that may hang for ever; whether it ended well. */
static bool ends_well(pid_t pid, long limit)
{
	int status;

	for (long i = 0; i < limit * 10; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) && !WEXITSTATUS(status);
		usleep(100000);
	}
	say_where(pid);
	kill(pid, SIGKILL);
	return false;
}

static void race_open_child(struct race *r)
{
	pthread_t a, b;
	struct race opener = *r;

	pthread_create(&a, NULL, race_collapse, r);
	pthread_create(&b, NULL, race_open, &opener);
	sleep(seconds());
	r->stop = true;
	opener.stop = true;
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	_exit(r->rounds && opener.rounds ? 0 : 1);
}

/*
 * The collapser has the folios locked and wants the invalidate_lock, the opener
 * has the invalidate_lock and wants the folios: neither ever ends.
 */
TEST_F(file, against_open)
{
	struct race r = {
		.path = self->path, .p = self->p, .len = self->len,
	};
	pid_t pid;

	sync();
	ASSERT_EQ(0, khp_collapse_retry(self->p, self->len));
	pid = fork();
	if (!pid)
		race_open_child(&r);
	EXPECT_TRUE(ends_well(pid, seconds() + 60));
}

struct writer {
	const char *path;
	long page;
	pthread_barrier_t *start;
	bool lost;
};

static void *writer_open_and_write(void *arg)
{
	struct writer *w = arg;
	char *page = malloc(psize()), *back = malloc(psize());
	int fd;

	memset(page, 'A' + w->page, psize());
	pthread_barrier_wait(w->start);
	fd = open(w->path, O_RDWR);
	if (pwrite(fd, page, psize(), w->page * psize()) != psize())
		w->lost = true;
	/* both are through open() now */
	pthread_barrier_wait(w->start);
	if (pread(fd, back, psize(), w->page * psize()) != psize() ||
	    memcmp(page, back, psize()))
		w->lost = true;
	close(fd);
	free(page);
	free(back);
	return NULL;
}

static bool two_writers(const char *path)
{
	pthread_barrier_t start;
	struct writer w[2];
	pthread_t t[2];

	pthread_barrier_init(&start, NULL, 2);
	for (int i = 0; i < 2; i++) {
		w[i] = (struct writer) {
			.path = path, .page = i, .start = &start,
		};
		pthread_create(&t[i], NULL, writer_open_and_write, &w[i]);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	pthread_barrier_destroy(&start);
	return !w[0].lost && !w[1].lost;
}

/* Both find huge pages; what the first one writes is not for the second to drop. */
TEST_F(file, two_writers)
{
	time_t end = time(NULL) + seconds();
	long lost = 0, rounds = 0;

	sync();
	ASSERT_EQ(0, khp_collapse_retry(self->p, self->len));
	while (time(NULL) < end || (!rounds && time(NULL) < end + 100)) {
		/* put back what differs, so that what is lost is noticed */
		ASSERT_EQ(0, write_file_pages(self->path, self->pages));
		sync();
		if (khp_collapse_retry(self->p, self->len))
			continue;
		rounds++;
		lost += !two_writers(self->path);
	}
	EXPECT_LT(0, rounds);
	EXPECT_EQ(0, lost);
}

static void *race_truncate(void *arg)
{
	struct race *r = arg;

	while (!r->stop) {
		/* whole words are lost, or none of it */
		if (truncate(r->path, rand() % r->len & ~7UL) ||
		    truncate(r->path, r->len))
			break;
		usleep(rand() % 20000);
		r->rounds++;
	}
	return NULL;
}

/* What is read is what was written, or zeroes where the file was cut off. */
TEST_F(file, against_truncate)
{
	struct race r = {
		.path = self->path, .p = self->p, .len = self->len,
	};
	time_t end = time(NULL) + seconds();
	struct race cut = r;
	char *buf = malloc(psize());
	pthread_t a, b;

	sync();
	pthread_create(&a, NULL, race_collapse, &r);
	pthread_create(&b, NULL, race_truncate, &cut);
	while (time(NULL) < end || (!cut.rounds && time(NULL) < end + 100)) {
		long i = rand() % self->pages;
		ssize_t got = pread(self->fd, buf, psize(), i * psize());
		size_t good = 0;

		while (good < (size_t)got / 8 &&
		       ((uint64_t *)buf)[good] == khp_word(SEED, i))
			good++;
		for (; good < (size_t)got / 8; good++)
			ASSERT_EQ(0, ((uint64_t *)buf)[good]);
	}
	r.stop = true;
	cut.stop = true;
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	EXPECT_LT(0, cut.rounds);
	free(buf);
}

TEST_HARNESS_MAIN
