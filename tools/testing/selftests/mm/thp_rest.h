/* SPDX-License-Identifier: GPL-2.0 */
/* What has to come back: folios, page tables, free memory. */
#ifndef THP_REST_H
#define THP_REST_H

#include "../kselftest_harness.h"
#include "khugepaged_test.h"

struct rest {
	long anon;	/* large folios of any size */
	long partly;	/* of these, partly mapped */
	long thps;
	long shmem_thps;
	long tables;
	long free;	/* kB, with what is known to be something else */
};

static inline long sum_of_orders(const char *name)
{
	char path[128];
	long sum = 0;

	for (int order = 2; order <= khp_pmd_order(); order++) {
		snprintf(path, sizeof(path), "hugepages-%ukB/stats/%s",
			 (psize() >> 10) << order, name);
		sum += thp_read_num(path);
	}
	return sum;
}

/* kB that wait in lists of free pages of each CPU */
static inline long free_of_cpus(void)
{
	return file_sum("/proc/zoneinfo", " count: %ld") * (psize() >> 10);
}

static inline void rest_look(struct rest *r)
{
	char text[64];

	/* sums up what each CPU has counted */
	read_file("/proc/sys/vm/stat_refresh", text, sizeof(text));
	r->anon = sum_of_orders("nr_anon");
	r->partly = sum_of_orders("nr_anon_partially_mapped");
	r->thps = file_counter("/proc/vmstat", "nr_anon_transparent_hugepages");
	r->shmem_thps = file_counter("/proc/vmstat", "nr_shmem_hugepages");
	r->tables = file_counter("/proc/vmstat", "nr_page_table_pages");
	r->free = khp_meminfo("MemFree") + free_of_cpus() +
		  khp_meminfo("Slab") + khp_meminfo("Cached") +
		  khp_meminfo("Buffers");
}

static inline bool rest_same(const struct rest *before, const struct rest *now,
			     const struct rest *slack)
{
	return now->anon == before->anon && now->partly == before->partly &&
	       now->thps == before->thps &&
	       now->shmem_thps == before->shmem_thps &&
	       now->tables <= before->tables + slack->tables &&
	       now->free >= before->free - slack->free;
}

/*
 * Folios wait in lists of each CPU until somebody asks for them.  Others may
 * come to need page tables and memory meanwhile, as much as @slack says.
 */
static inline void rest_expect_within(struct __test_metadata *_metadata,
				      const struct rest *before,
				      const struct rest *slack)
{
	struct rest now;

	for (int i = 0; i < 20; i++) {
		file_write("/proc/sys/vm/drop_caches", "3");
		rest_look(&now);
		if (rest_same(before, &now, slack))
			break;
		usleep(500000);
	}
	TH_LOG("%+ld kB free, %+ld page tables", now.free - before->free,
	       now.tables - before->tables);
	EXPECT_EQ(before->anon, now.anon);
	EXPECT_EQ(before->partly, now.partly);
	EXPECT_EQ(before->thps, now.thps);
	EXPECT_EQ(before->shmem_thps, now.shmem_thps);
	EXPECT_GE(before->tables + slack->tables, now.tables);
	EXPECT_LE(before->free - slack->free, now.free);
}

static inline void rest_expect(struct __test_metadata *_metadata,
			       const struct rest *before)
{
	static const struct rest slack = { .tables = 64, .free = 4096 };

	rest_expect_within(_metadata, before, &slack);
}

#endif /* THP_REST_H */
