/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fault attributes in debugfs: which allocations may fail at all, and whose.
 *
 * fail-nth counts calls of one task.  Where the allocation is a work item's,
 * a range of the kernel's text says whose shall fail instead, if the kernel has
 * CONFIG_FAULT_INJECTION_STACKTRACE_FILTER.
 */
#ifndef HUGETLB_INJECT_ATTR_H
#define HUGETLB_INJECT_ATTR_H

#include "hugetlb_test.h"

#define INJECT_DEBUG	"/sys/kernel/debug"

/* Of these, each has a directory with the same files. */
static const char * const inject_attrs[] = { "failslab", "fail_page_alloc" };

static inline int inject_attr_path(char *buf, size_t len, int attr,
				   const char *file)
{
	return snprintf(buf, len, INJECT_DEBUG "/%s/%s", inject_attrs[attr],
			file);
}

static inline int inject_attr_set(int attr, const char *file, const char *text)
{
	char path[96];

	inject_attr_path(path, sizeof(path), attr, file);
	return file_write(path, text);
}

static inline long inject_attr_get(int attr, const char *file)
{
	char path[96], text[32] = "";
	int fd;

	inject_attr_path(path, sizeof(path), attr, file);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text) - 1) <= 0)
		text[0] = 0;
	close(fd);
	return strtol(text, NULL, 0);
}

/* ---- parts of the kernel's text ---- */

/**
 * struct inject_range - where a function lies
 * @name: of it, or the start of its name up to a dot
 * @start: its first byte, 0 if there is no such function
 * @end: where the next one starts
 */
struct inject_range {
	const char	*name;
	unsigned long	start;
	unsigned long	end;
};

enum inject_function {
	/* Left out: who does without, and what failslab stands for. */
	TEXT_KMEMLEAK,
	TEXT_KMEMLEAK_INLINED,
	TEXT_SLAB_REFILL,
	/* Where allocations are made for others. */
	TEXT_VMEMMAP_WORK,
	TEXT_VMEMMAP_SPLIT,
	TEXT_VMEMMAP_RESTORE,
	TEXT_FREE_WORK,
	TEXT_FUNCTIONS,
};

static struct inject_range inject_text[TEXT_FUNCTIONS] = {
	[TEXT_KMEMLEAK]		= { .name = "mem_pool_alloc" },
	[TEXT_KMEMLEAK_INLINED]	= { .name = "__alloc_object" },
	[TEXT_SLAB_REFILL]	= { .name = "___slab_alloc" },
	[TEXT_VMEMMAP_WORK]	= { .name = "vmemmap_work_func" },
	[TEXT_VMEMMAP_SPLIT]	= { .name = "vmemmap_split" },
	[TEXT_VMEMMAP_RESTORE]	= { .name = "vmemmap_unshare_tails" },
	[TEXT_FREE_WORK]	= { .name = "source_free_deferred" },
};

static inline bool inject_text_named(const char *symbol, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(symbol, name, len) &&
	       (!symbol[len] || symbol[len] == '.' || symbol[len] == '\n');
}

/* One pass over a file that takes seconds to read; it is in order. */
static inline void inject_text_find(void)
{
	unsigned long address;
	char line[256], symbol[200], type;
	FILE *f = fopen("/proc/kallsyms", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx %c %199s", &address, &type, symbol) != 3)
			continue;
		if (!strchr("tTwW", type) || !address)
			continue;
		for (int i = 0; i < TEXT_FUNCTIONS; i++) {
			struct inject_range *range = &inject_text[i];

			if (!range->start &&
			    inject_text_named(symbol, range->name))
				range->start = address;
			else if (range->start && !range->end &&
				 address > range->start)
				range->end = address;
		}
	}
	if (f)
		fclose(f);
}

static inline bool inject_text_has(enum inject_function function)
{
	return inject_text[function].end;
}

static inline int inject_attr_range(int attr, const char *which,
				    unsigned long start, unsigned long end)
{
	char file[32], text[32];
	int err;

	snprintf(file, sizeof(file), "%s-start", which);
	snprintf(text, sizeof(text), "0x%lx", start);
	err = inject_attr_set(attr, file, text);
	snprintf(file, sizeof(file), "%s-end", which);
	snprintf(text, sizeof(text), "0x%lx", end);
	return err ?: inject_attr_set(attr, file, text);
}

static inline void inject_attr_reject(int attr, enum inject_function function)
{
	const struct inject_range *range = &inject_text[function];

	if (inject_text_has(function))
		inject_attr_range(attr, "reject", range->start, range->end);
}

/* ---- for everybody ---- */

/* True if fail-nth can do what it is for. */
static inline bool inject_supported(void)
{
	return !access("/proc/thread-self/fail-nth", W_OK) &&
	       !access(INJECT_DEBUG "/failslab/ignore-gfp-wait", W_OK) &&
	       !access(INJECT_DEBUG "/fail_page_alloc/min-order", W_OK);
}

/* Nothing fails by itself, and what fail-nth hits may be anything. */
static inline void inject_attr_calm(void)
{
	for (int attr = 0; attr < 2; attr++) {
		inject_attr_set(attr, "probability", "0");
		inject_attr_set(attr, "times", "-1");
		inject_attr_range(attr, "require", 0, ~0UL);
		inject_attr_range(attr, "reject", 0, 0);
	}
	inject_attr_reject(0, TEXT_KMEMLEAK);
	if (!inject_text_has(TEXT_KMEMLEAK))
		inject_attr_reject(0, TEXT_KMEMLEAK_INLINED);
	inject_attr_reject(1, TEXT_SLAB_REFILL);
}

/* HUGETLB_INJECT_VERBOSE=2 shows in the kernel's log what failed where. */
static inline bool inject_verbose(void)
{
	return getenv("HUGETLB_INJECT_VERBOSE");
}

static inline void inject_attr_begin(void)
{
	inject_text_find();
	for (int attr = 0; attr < 2; attr++) {
		inject_attr_set(attr, "verbose",
				getenv("HUGETLB_INJECT_VERBOSE") ?: "0");
		inject_attr_set(attr, "interval", "1");
		inject_attr_set(attr, "space", "0");
		inject_attr_set(attr, "task-filter", "N");
		inject_attr_set(attr, "ignore-gfp-wait", "N");
		inject_attr_set(attr, "stacktrace-depth", "32");
	}
	inject_attr_set(0, "cache-filter", "N");
	inject_attr_set(1, "ignore-gfp-highmem", "N");
	inject_attr_set(1, "min-order", "0");
	inject_attr_calm();
}

static pid_t inject_attr_of;

/* As the kernel has them after boot; not when a test of many exits. */
static inline void inject_attr_end(void)
{
	if (getpid() != inject_attr_of)
		return;
	inject_attr_calm();
	for (int attr = 0; attr < 2; attr++) {
		inject_attr_range(attr, "reject", 0, 0);
		inject_attr_set(attr, "verbose", "2");
		inject_attr_set(attr, "times", "1");
		inject_attr_set(attr, "ignore-gfp-wait", "Y");
	}
	inject_attr_set(1, "ignore-gfp-highmem", "Y");
	inject_attr_set(1, "min-order", "1");
}

/* ---- what a function and those below it allocate, in any task ---- */

#define INJECT_TIMES	10000L

/* The next @times allocations there fail; -1 where that is not possible. */
static inline int inject_in(enum inject_function function, long times)
{
	const struct inject_range *range = &inject_text[function];
	char text[32];

	if (!inject_text_has(function) ||
	    inject_attr_get(0, "require-end") == -1)
		return -1;
	snprintf(text, sizeof(text), "%ld", times);
	for (int attr = 0; attr < 2; attr++) {
		if (inject_attr_range(attr, "require", range->start,
				      range->end))
			return -1;
		inject_attr_set(attr, "times", text);
		inject_attr_set(attr, "probability", "100");
	}
	return 0;
}

/* No more of that; how many have failed. */
static inline long inject_in_end(long times)
{
	long fired = 0;

	for (int attr = 0; attr < 2; attr++) {
		inject_attr_set(attr, "probability", "0");
		fired += times - inject_attr_get(attr, "times");
	}
	inject_attr_calm();
	return fired;
}

/* Skips where the kernel cannot inject; leaves the attributes as they were. */
static inline int inject_main(int argc, char **argv)
{
	if (!inject_supported()) {
		ksft_print_header();
		ksft_exit_skip("no fault injection for memory\n");
	}
	inject_attr_of = getpid();
	inject_attr_begin();
	atexit(inject_attr_end);
	return test_harness_run(argc, argv);
}

#endif /* HUGETLB_INJECT_ATTR_H */
