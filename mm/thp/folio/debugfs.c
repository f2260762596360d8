// SPDX-License-Identifier: GPL-2.0
/*
 * split_huge_pages in debugfs: split what is asked for, for tests.
 *
 *	<pid>,0x<first address>,0x<end>[,<order>]	memory of a process
 *	<path>,0x<first page>,0x<end>[,<order>]		pages of a file
 *	1						everything
 *
 * Folios that are in use elsewhere, or already small enough, are left alone and
 * are no error.
 */
#define pr_fmt(fmt) "huge_memory: " fmt

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kstrtox.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/pagewalk.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "folio.h"
#include "../../internal.h"

/**
 * struct debug_split - a request
 * @start: first address, or first page of the file
 * @end: what follows the last one
 * @order: split to this, or to what the file needs if that is more
 * @seen: folios that could have been split
 * @split: folios that were
 */
struct debug_split {
	unsigned long	start;
	unsigned long	end;
	unsigned int	order;
	unsigned long	seen;
	unsigned long	split;
};

/* One at a time: it is hard enough to tell what a test has done. */
static DEFINE_MUTEX(debug_split_mutex);

static void debug_split_locked(struct debug_split *req, struct folio *folio)
{
	int min_order = min_order_for_split(folio);
	unsigned int order = req->order;

	if (min_order < 0)
		return;
	if (order < min_order)
		order = min_order;
	if (order < folio_order(folio) && !thp_split_drop_zeroes(folio, order))
		req->split++;
}

/* Returns the head of a large folio on the LRU list, with a reference. */
static struct folio *debug_get_folio(struct zone *zone, unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);
	struct folio *folio;

	if (!page || PageTail(page))
		return NULL;
	folio = page_folio(page);
	if (!folio_try_get(folio))
		return NULL;

	if (page_folio(page) == folio && folio_zone(folio) == zone &&
	    folio_test_large(folio) && !folio_test_hugetlb(folio) &&
	    folio_test_lru(folio))
		return folio;

	folio_put(folio);
	return NULL;
}

static void debug_split_zone(struct debug_split *req, struct zone *zone)
{
	unsigned long end = zone_end_pfn(zone);
	unsigned long pfn = zone->zone_start_pfn;
	struct folio *folio;

	while (pfn < end && !fatal_signal_pending(current)) {
		cond_resched();
		folio = debug_get_folio(zone, pfn);
		if (!folio) {
			pfn++;
			continue;
		}
		folio_lock(folio);
		pfn += folio_nr_pages(folio);
		req->seen++;
		debug_split_locked(req, folio);
		folio_unlock(folio);
		folio_put(folio);
	}
}

static int debug_split_all(void)
{
	struct debug_split req = {};
	struct zone *zone;

	pr_debug("Split all THPs\n");
	for_each_populated_zone(zone)
		debug_split_zone(&req, zone);
	pr_debug("%lu of %lu THP split\n", req.split, req.seen);
	return 0;
}

/*
 * Pinned ones are not even tried, so that no failure is counted; but what a
 * filesystem has attached, a split may yet get rid of.
 */
static bool debug_may_split(struct debug_split *req, struct folio *folio)
{
	if (!folio_test_large(folio) || !folio_test_large_rmappable(folio) ||
	    req->order >= folio_order(folio))
		return false;
	req->seen++;
	return folio_test_private(folio) || can_split_folio(folio, 0, NULL);
}

/* Returns how far the entry at @addr reaches. */
static unsigned long debug_split_address(struct debug_split *req,
					 struct vm_area_struct *vma,
					 unsigned long addr)
{
	unsigned long size = PAGE_SIZE;
	struct folio_walk fw;
	struct folio *folio;

	folio = folio_walk_start(&fw, vma, addr, 0);
	if (!folio)
		return size;
	if (fw.level == FW_LEVEL_PMD)
		size = PMD_SIZE - (addr & ~PMD_MASK);
	if (debug_may_split(req, folio) && folio_trylock(folio))
		folio_get(folio);
	else
		folio = NULL;
	folio_walk_end(&fw, vma);

	if (folio) {
		debug_split_locked(req, folio);
		folio_unlock(folio);
		folio_put(folio);
	}
	return size;
}

/* Each entry of a page table may map another large folio. */
static void debug_split_vma(struct debug_split *req, struct vm_area_struct *vma)
{
	unsigned long addr = max(req->start, vma->vm_start);
	unsigned long end = min(req->end, vma->vm_end);

	if (vma_is_special_huge(vma) || (vma->vm_flags & VM_IO) ||
	    is_vm_hugetlb_page(vma))
		return;
	while (addr < end) {
		addr += debug_split_address(req, vma, addr);
		cond_resched();
	}
}

static int debug_get_mm(pid_t pid, struct mm_struct **mm)
{
	struct task_struct *task = find_get_task_by_vpid(pid);

	if (!task)
		return -ESRCH;
	*mm = get_task_mm(task);
	put_task_struct(task);
	return *mm ? 0 : -EINVAL;
}

static int debug_split_pid(struct debug_split *req, pid_t pid)
{
	struct vm_area_struct *vma;
	struct mm_struct *mm;
	int err;

	req->start &= PAGE_MASK;
	req->end &= PAGE_MASK;
	err = debug_get_mm(pid, &mm);
	if (err)
		return err;

	pr_debug("Split huge pages in pid: %d, vaddr: [0x%lx - 0x%lx]\n",
		 pid, req->start, req->end);
	if (req->start < req->end) {
		VMA_ITERATOR(vmi, mm, req->start);

		mmap_read_lock(mm);
		for_each_vma_range(vmi, vma, req->end)
			debug_split_vma(req, vma);
		mmap_read_unlock(mm);
	}
	pr_debug("%lu of %lu THP split\n", req->split, req->seen);

	mmput(mm);
	return 0;
}

static void debug_split_file_folio(struct debug_split *req,
				   struct address_space *mapping,
				   struct folio *folio)
{
	if (!folio_test_large(folio))
		return;
	req->seen++;
	if (!folio_trylock(folio))
		return;
	if (folio->mapping == mapping)
		debug_split_locked(req, folio);
	folio_unlock(folio);
}

static int debug_split_file(struct debug_split *req, const char *path)
{
	struct address_space *mapping;
	struct folio_batch batch;
	pgoff_t index = req->start;
	struct file *file;
	unsigned int i;

	file = filp_open(path, O_RDONLY, 0);
	if (IS_ERR(file))
		return PTR_ERR(file);

	pr_debug("split file-backed THPs in file: %s, page offset: [0x%lx - 0x%lx]\n",
		 path, req->start, req->end);
	mapping = file->f_mapping;
	folio_batch_init(&batch);
	while (index < req->end &&
	       filemap_get_folios(mapping, &index, req->end - 1, &batch)) {
		for (i = 0; i < folio_batch_count(&batch); i++)
			debug_split_file_folio(req, mapping, batch.folios[i]);
		folio_batch_release(&batch);
		cond_resched();
	}
	pr_debug("%lu of %lu file-backed THP split\n", req->split, req->seen);

	filp_close(file, NULL);
	return 0;
}

static int debug_parse_range(struct debug_split *req, const char *text)
{
	int order = 0;
	int n = sscanf(text, "0x%lx,0x%lx,%d", &req->start, &req->end, &order);

	if (n < 2 || order < 0)
		return -EINVAL;
	req->order = order;
	return 0;
}

static int debug_split_run(char *text)
{
	char *range = strchr(text, ',');
	struct debug_split req = {};
	int err, pid = 0;

	if (range) {
		*range++ = '\0';
		err = debug_parse_range(&req, range);
		if (err)
			return err;
	}
	if (text[0] == '/')
		return range ? debug_split_file(&req, text) : -EINVAL;

	err = kstrtoint(strim(text), 10, &pid);
	if (err)
		return err;
	if (range)
		return debug_split_pid(&req, pid);
	return pid == 1 ? debug_split_all() : -EINVAL;
}

static ssize_t debug_split_write(struct file *file, const char __user *buf,
				 size_t count, loff_t *ppos)
{
	char *text;
	int err;

	/* A path, and numbers. */
	if (count > PATH_MAX + 64)
		return -EINVAL;
	text = memdup_user_nul(buf, count);
	if (IS_ERR(text))
		return PTR_ERR(text);

	err = mutex_lock_interruptible(&debug_split_mutex);
	if (!err) {
		err = debug_split_run(text);
		mutex_unlock(&debug_split_mutex);
	}
	kfree(text);
	return err ? err : count;
}

static const struct file_operations debug_split_fops = {
	.owner	= THIS_MODULE,
	.write	= debug_split_write,
};

static int __init debug_split_init(void)
{
	debugfs_create_file("split_huge_pages", 0200, NULL, NULL,
			    &debug_split_fops);
	return 0;
}
late_initcall(debug_split_init);
