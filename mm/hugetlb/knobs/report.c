// SPDX-License-Identifier: GPL-2.0
/*
 * Report: pools in numbers, for /proc, node devices and the kernel log.
 *
 * The formats are an interface: tools parse them.
 * Locks: hugetlb_lock where a reader compares several numbers; none where the
 * caller may be in any context or must be fast.
 */
#define pr_fmt(fmt) fmt

#include <linux/cleanup.h>
#include <linux/compiler.h>
#include <linux/printk.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/sysfs.h>
#include "knobs.h"

/**
 * knob_read() - look at a pool at one moment
 * @pool: the pool
 * @nid: a node, or NUMA_NO_NODE for the whole pool
 * @numbers: the result, in huge pages
 *
 * Context: any; takes hugetlb_lock.
 */
void knob_read(const struct hugetlb_pool *pool, int nid,
	       struct knob_numbers *numbers)
{
	/* Under resize_lock, which a writer may hold for minutes. */
	unsigned int demote_order = READ_ONCE(pool->demote_order);

	guard(spinlock_irqsave)(&hugetlb_lock);
	*numbers = (struct knob_numbers) {
		.total		= pool->total,
		.free		= pool->free,
		.reserved	= pool->reserved,
		.surplus	= pool->surplus,
		.overcommit	= pool->overcommit_max,
		.persistent	= pool->persistent_target,
		.demote_kb	= (PAGE_SIZE << demote_order) / SZ_1K,
	};
	if (nid == NUMA_NO_NODE)
		return;
	numbers->total = pool->node[nid].total;
	numbers->free = pool->node[nid].free;
	numbers->surplus = pool->node[nid].surplus;
}

static unsigned long report_total_kb(void)
{
	struct hugetlb_pool *pool;
	unsigned long kb = 0;

	guard(spinlock_irqsave)(&hugetlb_lock);
	for_each_hugetlb_pool(pool)
		kb += huge_page_size(&pool->h) / SZ_1K * pool->total;
	return kb;
}

/**
 * hugetlb_report_meminfo() - the huge page lines of /proc/meminfo
 * @m: where to print
 *
 * Counters are of the default size; the last line sums up all sizes.
 *
 * Context: any; takes hugetlb_lock.
 */
void hugetlb_report_meminfo(struct seq_file *m)
{
	const struct hugetlb_pool *pool = hugetlb_default_pool();
	struct knob_numbers n;

	if (!hugepages_supported())
		return;

	knob_read(pool, NUMA_NO_NODE, &n);
	seq_printf(m, "HugePages_Total:   %5lu\n", n.total);
	seq_printf(m, "HugePages_Free:    %5lu\n", n.free);
	seq_printf(m, "HugePages_Rsvd:    %5lu\n", n.reserved);
	seq_printf(m, "HugePages_Surp:    %5lu\n", n.surplus);
	seq_printf(m, "Hugepagesize:   %8lu kB\n",
		   huge_page_size(&pool->h) / SZ_1K);
	seq_printf(m, "Hugetlb:        %8lu kB\n", report_total_kb());
}

/**
 * hugetlb_report_node_meminfo() - the huge page lines of nodeN/meminfo
 * @buf: sysfs buffer
 * @len: how much of it is used
 * @nid: the node
 *
 * Context: any; takes hugetlb_lock.
 * Return: bytes printed.
 */
int hugetlb_report_node_meminfo(char *buf, int len, int nid)
{
	struct knob_numbers n;
	int at = len;

	if (!hugepages_supported())
		return 0;

	knob_read(hugetlb_default_pool(), nid, &n);
	at += sysfs_emit_at(buf, at, "Node %d HugePages_Total: %5lu\n", nid,
			    n.total);
	at += sysfs_emit_at(buf, at, "Node %d HugePages_Free:  %5lu\n", nid,
			    n.free);
	at += sysfs_emit_at(buf, at, "Node %d HugePages_Surp:  %5lu\n", nid,
			    n.surplus);
	return at - len;
}

/**
 * hugetlb_show_meminfo_node() - a node's huge pages to the kernel log
 * @nid: the node
 *
 * Context: any, NMI and panic included: that is why it takes no lock.
 */
void hugetlb_show_meminfo_node(int nid)
{
	const struct hugetlb_pool_node *node;
	struct hugetlb_pool *pool;

	if (!hugepages_supported())
		return;

	for_each_hugetlb_pool(pool) {
		node = &pool->node[nid];
		pr_warn("Node %d hugepages_total=%lu hugepages_free=%lu hugepages_surp=%lu hugepages_size=%lukB\n",
			nid, READ_ONCE(node->total), READ_ONCE(node->free),
			READ_ONCE(node->surplus),
			huge_page_size(&pool->h) / SZ_1K);
	}
}

/**
 * hugetlb_report_usage() - the huge page line of /proc/PID/status
 * @m: where to print
 * @mm: the address space
 *
 * Pages in a table that several processes share count for whoever touched them
 * first and are taken off whoever unmaps them last, who may have none left.
 *
 * Context: any.
 */
void hugetlb_report_usage(struct seq_file *m, struct mm_struct *mm)
{
	long nr = max(atomic_long_read(&mm->hugetlb_usage), 0L);

	seq_printf(m, "HugetlbPages:\t%8lu kB\n", nr << (PAGE_SHIFT - 10));
}

/**
 * hugetlb_total_pages() - memory that pools keep from others
 *
 * Context: any; on the path of every mmap(), hence without a lock.
 * Return: base pages.
 */
unsigned long hugetlb_total_pages(void)
{
	struct hugetlb_pool *pool;
	unsigned long nr = 0;

	for_each_hugetlb_pool(pool)
		nr += READ_ONCE(pool->total) << pool_order(pool);
	return nr;
}
