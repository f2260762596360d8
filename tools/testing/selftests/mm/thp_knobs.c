// SPDX-License-Identifier: GPL-2.0
/*
 * Knobs of transparent huge pages: every word reads back, what is none changes
 * nothing, and memory gets the sizes that knobs, advice and prctl() allow.
 */
#define _GNU_SOURCE
#include <sys/prctl.h>
#include <sys/wait.h>
#include "../kselftest_harness.h"
#include "thp_guard.h"

#ifndef PR_THP_DISABLE_EXCEPT_ADVISED
#define PR_THP_DISABLE_EXCEPT_ADVISED	(1 << 1)
#endif

#define TEXT_MAX	256

FIXTURE(knobs) {
	int pmd_order;
	size_t size;		/* of a huge page */
};

/* khugepaged must not be in the way. */
FIXTURE_SETUP(knobs)
{
	if (geteuid() || !khp_has_order(khp_pmd_order(), "enabled"))
		SKIP(return, "no huge pages, or not root");

	self->pmd_order = khp_pmd_order();
	self->size = read_pmd_pagesize();
	thp_save_settings();
	khp_all_off();
	khp_set("scan_sleep_millisecs", 3600000);
	/* It looks around once whenever a size is enabled. */
	khp_set("max_ptes_none", 0);
	ASSERT_EQ(0, file_write(KHP_ROOT "use_zero_page", "1"));
}

FIXTURE_TEARDOWN(knobs)
{
	if (!self->size)
		return;
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	thp_restore_settings();
}

static bool knob_read(const char *path, char *text)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, TEXT_MAX - 1);

	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return n > 0;
}

/* Does the file show just this word in brackets? */
static bool knob_shows(const char *path, const char *word)
{
	char text[TEXT_MAX], want[64];

	snprintf(want, sizeof(want), "[%s]", word);
	return knob_read(path, text) && strstr(text, want) &&
	       strchr(text, '[') == strrchr(text, '[');
}

static const char *size_path(int order, const char *file)
{
	static char path[128];

	snprintf(path, sizeof(path), KHP_ROOT "hugepages-%ukB/%s",
		 (psize() >> 10) << order, file);
	return path;
}

/* ---- text ---- */

static const char * const enabled_words[] = { "always", "madvise", "never" };
static const char * const defrag_words[] = {
	"always", "defer", "defer+madvise", "madvise", "never",
};

static const char * const size_words[] = {
	"always", "inherit", "madvise", "never",
};

static const char * const no_words[] = {
	"Always", "ALWAYS", "alway", "alwayss", "always ", " always",
	"[always]", "always\n\n", "always\nnever", "always madvise", "1", "0",
	"\n", " ", "defer ", "madvise+defer", "deny", "force",
};

static void check_words(struct __test_metadata *_metadata, const char *path,
			const char * const *words, int nr)
{
	char before[TEXT_MAX], after[TEXT_MAX], line[64];

	for (int i = 0; i < nr; i++) {
		EXPECT_EQ(0, file_write(path, words[i]));
		EXPECT_TRUE(knob_shows(path, words[i]))
			TH_LOG("%s: %s", path, words[i]);
		snprintf(line, sizeof(line), "%s\n", words[nr - 1 - i]);
		EXPECT_EQ(0, file_write(path, line));
		EXPECT_TRUE(knob_shows(path, words[nr - 1 - i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(no_words); i++) {
		EXPECT_TRUE(knob_read(path, before));
		EXPECT_EQ(EINVAL, file_write(path, no_words[i]))
			TH_LOG("%s takes '%s'", path, no_words[i]);
		EXPECT_TRUE(knob_read(path, after));
		EXPECT_STREQ(before, after);
	}
}

TEST_F_TIMEOUT(knobs, words, SLOW)
{
	check_words(_metadata, KHP_ROOT "enabled", enabled_words,
		    ARRAY_SIZE(enabled_words));
	check_words(_metadata, KHP_ROOT "defrag", defrag_words,
		    ARRAY_SIZE(defrag_words));
	for (int order = 2; order <= self->pmd_order; order++) {
		ASSERT_TRUE(khp_has_order(order, "enabled"));
		check_words(_metadata, size_path(order, "enabled"), size_words,
			    ARRAY_SIZE(size_words));
	}
	EXPECT_FALSE(khp_has_order(0, "enabled"));
	EXPECT_FALSE(khp_has_order(1, "enabled"));
	EXPECT_FALSE(khp_has_order(self->pmd_order + 1, "enabled"));
}

static void check_number(struct __test_metadata *_metadata, const char *file,
			 const char *text, long want)
{
	char path[128], after[TEXT_MAX];
	int err;

	snprintf(path, sizeof(path), KHP_ROOT "%s", file);
	if (want >= 0) {
		EXPECT_EQ(0, file_write(path, text))
			TH_LOG("%s refuses '%s'", file, text);
		EXPECT_EQ(want, (long)thp_read_num(file));
		return;
	}

	char before[TEXT_MAX];

	EXPECT_TRUE(knob_read(path, before));
	err = file_write(path, text);
	EXPECT_TRUE(err == EINVAL || err == ERANGE)
		TH_LOG("%s says %d to '%s'", file, err, text);
	EXPECT_TRUE(knob_read(path, after));
	EXPECT_STREQ(before, after);
}

TEST_F_TIMEOUT(knobs, numbers, SLOW)
{
	static const char * const bad[] = {
		"2", "-1", "x", "1x", "1 0", " 1", "99999999999999999999",
	};
	long saved = thp_read_num("shrink_underused_max_zero");
	long pages = 1L << self->pmd_order;
	char text[32];

	check_number(_metadata, "use_zero_page", "0", 0);
	check_number(_metadata, "use_zero_page", "1\n", 1);
	check_number(_metadata, "shrink_underused", "0", 0);
	check_number(_metadata, "shrink_underused", "y", 1);
	check_number(_metadata, "shrink_underused", "off", 0);
	check_number(_metadata, "shrink_underused", "1\n", 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		check_number(_metadata, "use_zero_page", bad[i], -1);
		if (i)
			check_number(_metadata, "shrink_underused_max_zero",
				     bad[i], -1);
	}
	check_number(_metadata, "shrink_underused", "2", -1);
	check_number(_metadata, "shrink_underused", "x", -1);
	check_number(_metadata, "shrink_underused", "-1", -1);

	check_number(_metadata, "shrink_underused_max_zero", "0", 0);
	snprintf(text, sizeof(text), "%ld", pages - 1);
	check_number(_metadata, "shrink_underused_max_zero", text, pages - 1);
	snprintf(text, sizeof(text), "%ld", pages);
	check_number(_metadata, "shrink_underused_max_zero", text, -1);
	snprintf(text, sizeof(text), "%ld", saved);
	check_number(_metadata, "shrink_underused_max_zero", text, saved);

	EXPECT_EQ(self->size, thp_read_num("hpage_pmd_size"));
}

/* ---- what memory gets ---- */

/* Of the VMA that begins at p; -1: there is none. */
static int thp_eligible(const char *p)
{
	unsigned long start, end;
	FILE *f = fopen("/proc/self/smaps", "r");
	bool found = false;
	char line[512], mode[8];
	int v = -1;

	while (f && v < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %4[-rwxps]", &start, &end, mode) == 3)
			found = start == (unsigned long)p;
		else if (found)
			sscanf(line, "THPeligible: %d", &v);
	}
	if (f)
		fclose(f);
	return v;
}

/*
 * Touch an aligned huge page's worth of fresh memory in one place: is it called
 * eligible, and which order does it get?
 */
static int fault_order(size_t size, int advice, int *eligible)
{
	char *area, *p;
	int order;

	area = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return -1;
	p = (char *)(((uintptr_t)area + size - 1) & ~(size - 1));
	/* A VMA of its own, from the aligned address on. */
	if (p != area)
		munmap(area, p - area);
	munmap(p + size, area + size - p);
	if (advice)
		madvise(p, size, advice);
	*eligible = thp_eligible(p);
	p[size / 2] = 1;
	order = khp_order_at(p + size / 2);
	munmap(p, size);
	return order;
}

struct rule {
	const char *global, *size;
	int advice;
};

static bool rule_allows(const struct rule *r)
{
	bool advised = r->advice == MADV_HUGEPAGE;
	const char *word = r->size;

	if (r->advice == MADV_NOHUGEPAGE)
		return false;
	if (!strcmp(word, "inherit"))
		word = r->global;
	return !strcmp(word, "always") || (!strcmp(word, "madvise") && advised);
}

TEST_F_TIMEOUT(knobs, each_size, SLOW)
{
	static const int advice[] = { 0, MADV_HUGEPAGE, MADV_NOHUGEPAGE };

	for (int order = 2; order <= self->pmd_order; order++) {
		for (int i = 0; i < 3 * 4 * 3; i++) {
			const struct rule r = {
				.global = enabled_words[i % 3],
				.size = size_words[i / 3 % 4],
				.advice = advice[i / 12],
			};
			int eligible, got;

			ASSERT_EQ(0, file_write(KHP_ROOT "enabled", r.global));
			ASSERT_EQ(0, khp_set_order(order, "enabled", r.size));
			got = fault_order(self->size, r.advice, &eligible);
			EXPECT_EQ(rule_allows(&r), eligible)
				TH_LOG("order %d %s %s advice %d", order,
				       r.global, r.size, r.advice);
			EXPECT_EQ(rule_allows(&r) ? order : 0, got)
				TH_LOG("order %d %s %s advice %d", order,
				       r.global, r.size, r.advice);
		}
		ASSERT_EQ(0, khp_set_order(order, "enabled", "never"));
	}
}

/* The largest enabled order that fits, and the next one where it does not. */
TEST_F_TIMEOUT(knobs, largest_that_fits, SLOW)
{
	char *area, *p;
	int order;

	for (order = 2; order < self->pmd_order; order++)
		ASSERT_EQ(0, khp_set_order(order, "enabled", "always"));
	area = mmap(NULL, 2 * self->size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, area);
	p = (char *)(((uintptr_t)area + self->size - 1) & ~(self->size - 1));
	/* Nothing but a huge page, without its first base page. */
	if (p != area)
		munmap(area, p - area);
	munmap(p, psize());
	munmap(p + self->size, area + self->size - p);

	/* From the end of memory to its beginning, halves get smaller. */
	for (order = self->pmd_order - 1; order >= 2; order--) {
		p[(psize() << order)] = 1;
		EXPECT_EQ(order, khp_order_at(p + (psize() << order)));
	}
	p[3 * psize()] = 1;
	EXPECT_EQ(0, khp_order_at(p + 3 * psize()));

	/* Around a page that is there already. */
	munmap(p + psize(), self->size - psize());
	p = mmap(p, self->size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	for (order = 2; order < self->pmd_order; order++)
		ASSERT_EQ(0, khp_set_order(order, "enabled", "never"));
	p[0] = 1;
	EXPECT_EQ(0, khp_order_at(p));
	for (order = 2; order < self->pmd_order; order++)
		ASSERT_EQ(0, khp_set_order(order, "enabled", "always"));
	for (order = self->pmd_order - 1; order >= 2; order--) {
		p[(psize() << order)] = 1;
		EXPECT_EQ(order, khp_order_at(p + (psize() << order)));
	}
	munmap(p, self->size);
}

TEST_F_TIMEOUT(knobs, addresses_are_aligned, SLOW)
{
	for (int n = 1; n <= 4; n++) {
		void *p = mmap(NULL, n * self->size, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		ASSERT_NE(MAP_FAILED, p);
		EXPECT_EQ(0UL, (uintptr_t)p & (self->size - 1))
			TH_LOG("%d huge pages at %p", n, p);
	}
}

/* ---- prctl ---- */

static long thp_enabled_status(void)
{
	char line[256];
	long v = -1;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "THP_enabled:", 12))
			v = atol(line + 12);
	if (f)
		fclose(f);
	return v;
}

static int set_disable(unsigned long disable, unsigned long flags)
{
	return prctl(PR_SET_THP_DISABLE, disable, flags, 0, 0) ? errno : 0;
}

static int get_disable(void)
{
	return prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
}

TEST_F_TIMEOUT(knobs, prctl_arguments, SLOW)
{
	const unsigned long except = PR_THP_DISABLE_EXCEPT_ADVISED;

	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(0, set_disable(0, 0));
		EXPECT_EQ(0, get_disable());
		EXPECT_EQ(1, thp_enabled_status());
		EXPECT_EQ(0, set_disable(1, except));
		EXPECT_EQ(3, get_disable());
		EXPECT_EQ(1, thp_enabled_status());
		EXPECT_EQ(0, set_disable(1, 0));
		EXPECT_EQ(1, get_disable());
		EXPECT_EQ(0, thp_enabled_status());
		EXPECT_EQ(0, set_disable(1, except));
		EXPECT_EQ(3, get_disable());
	}

	/* Whatever is wrong, nothing changes. */
	EXPECT_EQ(EINVAL, set_disable(0, except));
	EXPECT_EQ(EINVAL, set_disable(0, 1));
	EXPECT_EQ(EINVAL, set_disable(1, 1));
	EXPECT_EQ(EINVAL, set_disable(1, 4));
	EXPECT_EQ(EINVAL, set_disable(1, except | 1));
	EXPECT_EQ(EINVAL, set_disable(1, -1UL));
	EXPECT_EQ(-1, prctl(PR_SET_THP_DISABLE, 1, 0, 1, 0));
	EXPECT_EQ(-1, prctl(PR_SET_THP_DISABLE, 1, except, 0, 1));
	EXPECT_EQ(-1, prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0));
	EXPECT_EQ(-1, prctl(PR_GET_THP_DISABLE, 0, except, 0, 0));
	EXPECT_EQ(3, get_disable());
}

/* What MADV_COLLAPSE makes of small pages, which ignores knobs but not this. */
static const char *collapse(size_t size, int advice)
{
	char *area = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *p = (char *)(((uintptr_t)area + size - 1) & ~(size - 1));
	const char *what = "refused";
	int err;

	if (area == MAP_FAILED)
		return "no memory";
	file_write(KHP_ROOT "enabled", "never");
	for (size_t i = 0; i < size; i += psize())
		p[i] = 1;
	file_write(KHP_ROOT "enabled", "always");
	if (advice)
		madvise(area, 2 * size, advice);
	/* khugepaged may be at it, too. */
	err = khp_collapse_retry(p, size);
	if (!err)
		what = khp_order_at(p) > 0 ? "huge" : "small";
	else if (err != EINVAL)
		what = "fails";
	munmap(area, 2 * size);
	return what;
}

TEST_F_TIMEOUT(knobs, prctl_is_obeyed, SLOW)
{
	static const struct {
		unsigned long disable, flags;
		int advice;
		bool huge;
		const char *collapse;
	} row[] = {
		{ 0, 0, 0, true, "huge" },
		{ 0, 0, MADV_HUGEPAGE, true, "huge" },
		{ 0, 0, MADV_NOHUGEPAGE, false, "refused" },
		{ 1, 0, 0, false, "refused" },
		{ 1, 0, MADV_HUGEPAGE, false, "refused" },
		{ 1, 0, MADV_NOHUGEPAGE, false, "refused" },
		{ 1, PR_THP_DISABLE_EXCEPT_ADVISED, 0, false, "huge" },
		{ 1, PR_THP_DISABLE_EXCEPT_ADVISED, MADV_HUGEPAGE, true,
		  "huge" },
		{ 1, PR_THP_DISABLE_EXCEPT_ADVISED, MADV_NOHUGEPAGE, false,
		  "refused" },
	};

	ASSERT_EQ(0, file_write(KHP_ROOT "enabled", "always"));
	for (int order = 4; order <= self->pmd_order;
	     order += self->pmd_order - 4) {
		ASSERT_EQ(0, khp_set_order(order, "enabled", "inherit"));
		for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
			int eligible, got;

			ASSERT_EQ(0, set_disable(row[i].disable, row[i].flags));
			got = fault_order(self->size, row[i].advice, &eligible);
			EXPECT_EQ(row[i].huge, eligible) TH_LOG("row %zu", i);
			EXPECT_EQ(row[i].huge ? order : 0, got)
				TH_LOG("row %zu, order %d", i, order);
			EXPECT_STREQ(row[i].collapse,
				     collapse(self->size, row[i].advice))
				TH_LOG("row %zu", i);
		}
		ASSERT_EQ(0, khp_set_order(order, "enabled", "never"));
	}
}

/* Memory of a child is as restricted as that of its parent. */
TEST_F_TIMEOUT(knobs, prctl_is_inherited, SLOW)
{
	static const unsigned long flags[] = { 0, PR_THP_DISABLE_EXCEPT_ADVISED };

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		int status;
		pid_t pid;

		ASSERT_EQ(0, set_disable(1, flags[i]));
		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid)
			_exit(get_disable() != (int)(1 | flags[i]));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
	}
}

int main(int argc, char **argv)
{
	thp_guard_begin();
	return test_harness_run(argc, argv);
}
