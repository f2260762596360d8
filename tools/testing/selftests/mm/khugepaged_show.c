// SPDX-License-Identifier: GPL-2.0
/*
 * Touch memory a small page at a time, then enable one size after the other and
 * say what khugepaged made of the memory.
 * Exit status 0: each time all of it ended in folios of that size; 1: it did
 * not within a minute; 2: data were lost.
 *
 * usage: khugepaged_show MIB KB...
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>
#include "khugepaged_test.h"

#define SEED		11
#define WAIT_MS		60000
#define POLL_MS		50

static char *mem;
static long nr;

static int order_of_kb(long kb)
{
	return __builtin_ctzl(kb / (psize() >> 10));
}

static long kb_of_order(int order)
{
	return (long)(psize() >> 10) << order;
}

static long collapsed(int order)
{
	char path[128];

	snprintf(path, sizeof(path), "hugepages-%ldkB/stats/collapse_alloc",
		 kb_of_order(order));
	return thp_read_num(path);
}

/* Folios of each size that the memory is in. */
static void show(const char *when)
{
	long count[KHP_MAX_ORDER + 1] = { 0 };
	int order;

	for (long i = 0; i < nr; i += 1L << (order > 0 ? order : 0)) {
		order = khp_order_at(mem + i * psize());
		if (order >= 0 && order <= KHP_MAX_ORDER)
			count[order]++;
	}
	printf("%-20s", when);
	for (order = 0; order <= KHP_MAX_ORDER; order++) {
		if (count[order])
			printf("  %ld x %ldK", count[order], kb_of_order(order));
	}
	printf("\n");
	fflush(stdout);
}

static void collapse_to(int order)
{
	long before = collapsed(order);
	char when[32];

	printf("echo madvise > hugepages-%ldkB/enabled\n", kb_of_order(order));
	if (khp_set_order(order, "enabled", "madvise"))
		exit(1);
	/* khugepaged hears of a process by advice, or at its next fault. */
	printf("madvise(MADV_HUGEPAGE)\n");
	if (madvise(mem, nr * psize(), MADV_HUGEPAGE))
		exit(1);
	for (int ms = 0; !khp_all_of_order(mem, nr, order); ms += POLL_MS) {
		if (ms > WAIT_MS) {
			show("still");
			exit(1);
		}
		usleep(POLL_MS * 1000);
	}
	snprintf(when, sizeof(when), "after khugepaged");
	show(when);
	printf("%-20s  +%ld\n", "collapse_alloc", collapsed(order) - before);
	for (long i = 0; i < nr; i++) {
		if (!khp_page_holds(mem, SEED, i)) {
			printf("page %ld lost its data\n", i);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct thp_settings saved;
	size_t align = 1UL << 21;
	char *area;

	if (argc < 3 || !thp_is_enabled())
		exit(1);
	thp_read_settings(&saved);
	khp_all_off();
	nr = atol(argv[1]) * (long)((1UL << 20) / psize());
	area = mmap(NULL, nr * psize() + align, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		exit(1);
	mem = (char *)(((uintptr_t)area + align - 1) & ~(align - 1));
	khp_fill(mem, nr, SEED);
	show("small pages");
	for (int i = 2; i < argc; i++)
		collapse_to(order_of_kb(atol(argv[i])));
	thp_write_settings(&saved);
	return 0;
}
