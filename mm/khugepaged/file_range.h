/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A range of a file on its way into one folio.
 *
 *	gather		takes every folio of the range; sleeps
 *	fill		charges for the holes, copies; sleeps
 *	install		puts the new folio in their place; all or nothing
 *	dispose		after install: lets go of what was replaced
 *	release		instead of install: puts everything back
 *
 * release undoes whatever was done and cannot fail.
 */
#ifndef _MM_KHUGEPAGED_FILE_RANGE_H
#define _MM_KHUGEPAGED_FILE_RANGE_H

#include <linux/types.h>

#include "collapse.h"

/**
 * struct file_range - what an attempt holds of a range of a file
 * @collapse: whose attempt it is
 * @mapping: of the file
 * @start: first index of the range
 * @nr: its length in base pages
 * @shmem: shared memory: may have holes, and pages in swap
 * @folios: what lies in the range, by index; locked, a reference to each
 * @nr_folios: how many
 * @nr_isolated: the first so many of them are off the LRU
 * @nr_holes: indices without a page
 * @nr_charged: pages charged to the inode to fill holes
 * @index: how far it got, for tracing
 *
 * The owner of the attempt is the only one to use it.
 */
struct file_range {
	struct collapse		*collapse;
	struct address_space	*mapping;
	pgoff_t			start;
	unsigned int		nr;
	bool			shmem;

	struct folio		**folios;
	unsigned int		nr_folios;
	unsigned int		nr_isolated;
	unsigned int		nr_holes;
	unsigned int		nr_charged;
	pgoff_t			index;
};

static inline pgoff_t file_range_end(const struct file_range *range)
{
	return range->start + range->nr;
}

/* ---- gather_file.c ---- */
enum scan_result file_range_bring_in(struct file_range *range);
enum scan_result file_range_gather(struct file_range *range);
void file_range_release(struct file_range *range);

/* ---- install_file.c ---- */
enum scan_result file_range_fill(struct file_range *range);
enum scan_result file_range_install(struct file_range *range);
void file_range_dispose(struct file_range *range);

#endif /* _MM_KHUGEPAGED_FILE_RANGE_H */
