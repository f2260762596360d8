// SPDX-License-Identifier: GPL-2.0
/*
 * Open files: read, mmap, where to map, and the page cache's callbacks.
 *
 * There is no write(): data comes in through mappings.  Knows how bytes and
 * addresses relate to huge pages; promises are made by hugetlb_vma_attach().
 * Locks: i_rwsem inside mmap_lock.
 */
#include "internal.h"
#include <linux/migrate.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/security.h>
#include <linux/uio.h>

/* ---- read ---- */

/* How many of the bytes lie before the first base page with a memory error? */
static size_t hugetlbfs_sound_bytes(struct folio *folio, size_t offset,
				    size_t bytes)
{
	size_t at = offset;

	while (at < offset + bytes) {
		struct page *page = folio_page(folio, at >> PAGE_SHIFT);

		if (is_raw_hwpoison_page_in_hugepage(page))
			return at - offset;
		at = (at | ~PAGE_MASK) + 1;
	}
	return bytes;
}

/*
 * Copy @bytes of one huge page, or the part before a memory error or before
 * memory of the user that cannot be written.  A hole reads as zeros.
 */
static ssize_t hugetlbfs_read_page(struct inode *inode, loff_t pos,
				   size_t bytes, struct iov_iter *to)
{
	size_t offset = pos & ~huge_page_mask(hstate_inode(inode));
	struct folio *folio;
	size_t copied;

	folio = filemap_get_folio(inode->i_mapping,
				  (pos - offset) >> PAGE_SHIFT);
	if (IS_ERR(folio))
		return iov_iter_zero(bytes, to) ?: -EFAULT;

	if (unlikely(folio_test_hwpoison(folio)))
		bytes = hugetlbfs_sound_bytes(folio, offset, bytes);
	if (!bytes) {
		folio_put(folio);
		return -EIO;
	}
	copied = copy_folio_to_iter(folio, offset, bytes, to);
	folio_put(folio);
	return copied ?: -EFAULT;
}

static ssize_t hugetlbfs_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	size_t size = huge_page_size(hstate_inode(inode));
	ssize_t done = 0;

	while (iov_iter_count(to)) {
		loff_t left = i_size_read(inode) - iocb->ki_pos;
		size_t bytes = size - (iocb->ki_pos & (size - 1));
		ssize_t copied;

		if (left <= 0)
			break;
		bytes = min_t(loff_t, bytes, left);
		bytes = min(bytes, iov_iter_count(to));
		copied = hugetlbfs_read_page(inode, iocb->ki_pos, bytes, to);
		if (copied < 0)
			return done ?: copied;
		iocb->ki_pos += copied;
		done += copied;
	}
	return done;
}

/* ---- mmap ---- */

/* Mapping a file for write makes it as long as the mapping. */
static void hugetlbfs_extend(struct inode *inode, loff_t size)
{
	if (HUGETLBFS_I(inode)->seals & F_SEAL_GROW)
		return;
	if (i_size_read(inode) < size)
		i_size_write(inode, size);
}

/*
 * VM_HUGETLB comes before anything can fail: what undoes a failed mmap looks
 * at it.  Address and length were checked when the area was chosen.
 */
static int hugetlbfs_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct inode *inode = file_inode(file);
	struct hstate *h = hstate_inode(inode);
	vm_flags_t vm_flags;
	u64 end;
	int err;

	vm_flags_set(vma, VM_HUGETLB | VM_DONTEXPAND);
	vma->vm_ops = &hugetlb_vm_ops;

	if (vma->vm_pgoff & (pages_per_huge_page(h) - 1))
		return -EINVAL;
	if (vma->vm_pgoff > MAX_LFS_FILESIZE >> PAGE_SHIFT)
		return -EINVAL;
	end = ((u64)vma->vm_pgoff << PAGE_SHIFT) + vma->vm_end - vma->vm_start;
	if (end > MAX_LFS_FILESIZE)
		return -EINVAL;

	vm_flags = vma->vm_flags;
	/* System V shared memory: shmget() made the promises. */
	if (IS_PRIVATE(inode))
		vm_flags |= VM_NORESERVE;

	inode_lock(inode);
	file_accessed(file);
	err = hugetlb_vma_attach(vma, inode, vm_flags);
	if (!err && (vma->vm_flags & VM_WRITE))
		hugetlbfs_extend(inode, end);
	inode_unlock(inode);

	/* Whatever ran out, to mmap() it is memory. */
	return err ? -ENOMEM : 0;
}

/* ---- where to map ---- */

/* Room at @addr, and for the stack guard gaps on both sides? */
static bool hugetlbfs_area_is_free(unsigned long addr, unsigned long len,
				   unsigned long end)
{
	struct vm_area_struct *prev, *next;

	if (addr < mmap_min_addr || addr > end - len)
		return false;

	next = find_vma_prev(current->mm, addr, &prev);
	if (next && vm_start_gap(next) < addr + len)
		return false;
	return !prev || vm_end_gap(prev) <= addr;
}

static unsigned long hugetlbfs_area_find(const struct hstate *h,
					 unsigned long hint, unsigned long len,
					 unsigned long end)
{
	struct vm_unmapped_area_info info = {
		.length = len,
		.align_mask = PAGE_MASK & ~huge_page_mask(h),
	};
	unsigned long base = current->mm->mmap_base;
	unsigned long addr;

	if (test_bit(MMF_TOPDOWN, &current->mm->flags)) {
		info.flags = VM_UNMAPPED_AREA_TOPDOWN;
		info.low_limit = PAGE_SIZE;
		info.high_limit = arch_get_mmap_base(hint, base);
		addr = vm_unmapped_area(&info);
		if (!IS_ERR_VALUE(addr))
			return addr;
	}

	/* Also when there is no room below the base: better than to fail. */
	info.flags = 0;
	info.low_limit = base;
	info.high_limit = end;
	return vm_unmapped_area(&info);
}

/**
 * generic_hugetlb_get_unmapped_area() - choose an address for a mapping
 * @file: a hugetlbfs file
 * @addr: the caller's wish, binding with MAP_FIXED
 * @len: bytes
 * @pgoff: where in the file, does not matter here
 * @flags: MAP_*
 *
 * Context: mmap_lock held for write.
 * Return: the address, -EINVAL when address or length are not whole huge
 * pages, or -ENOMEM when there is no room.
 */
unsigned long
generic_hugetlb_get_unmapped_area(struct file *file, unsigned long addr,
				  unsigned long len, unsigned long pgoff,
				  unsigned long flags)
{
	const unsigned long end = arch_get_mmap_end(addr, len, flags);
	struct hstate *h = hstate_file(file);

	if (len & ~huge_page_mask(h))
		return -EINVAL;
	if (len > end - mmap_min_addr)
		return -ENOMEM;
	if (flags & MAP_FIXED)
		return prepare_hugepage_range(file, addr, len) ? -EINVAL : addr;

	if (addr) {
		addr = ALIGN(addr, huge_page_size(h));
		if (hugetlbfs_area_is_free(addr, len, end))
			return addr;
	}
	return hugetlbfs_area_find(h, addr, len, end);
}

#ifndef HAVE_ARCH_HUGETLB_UNMAPPED_AREA
/**
 * hugetlb_get_unmapped_area() - the same where the architecture has no own
 * @file: a hugetlbfs file
 * @addr: the caller's wish, binding with MAP_FIXED
 * @len: bytes
 * @pgoff: where in the file, does not matter here
 * @flags: MAP_*
 *
 * Context: mmap_lock held for write.
 * Return: see generic_hugetlb_get_unmapped_area().
 */
unsigned long hugetlb_get_unmapped_area(struct file *file, unsigned long addr,
					unsigned long len, unsigned long pgoff,
					unsigned long flags)
{
	return generic_hugetlb_get_unmapped_area(file, addr, len, pgoff, flags);
}
#endif

/* ---- the page cache's callbacks ---- */

#ifdef CONFIG_MIGRATION
/* The quota follows the data; the rest is move_hugetlb_state()'s business. */
static int hugetlbfs_migrate_folio(struct address_space *mapping,
				   struct folio *dst, struct folio *src,
				   enum migrate_mode mode)
{
	int err = migrate_huge_page_move_mapping(mapping, dst, src);

	if (err != MIGRATEPAGE_SUCCESS)
		return err;

	hugetlb_set_folio_subpool(dst, hugetlb_folio_subpool(src));
	hugetlb_set_folio_subpool(src, NULL);
	folio_migrate_flags(dst, src);
	return MIGRATEPAGE_SUCCESS;
}
#else
#define hugetlbfs_migrate_folio NULL
#endif

/* A page with a memory error stays, so that nobody reads zeros in its place. */
static int hugetlbfs_error_remove_folio(struct address_space *mapping,
					struct folio *folio)
{
	return 0;
}

const struct address_space_operations hugetlbfs_aops = {
	.dirty_folio		= noop_dirty_folio,
	.migrate_folio		= hugetlbfs_migrate_folio,
	.error_remove_folio	= hugetlbfs_error_remove_folio,
};

const struct file_operations hugetlbfs_file_operations = {
	.llseek			= default_llseek,
	.read_iter		= hugetlbfs_read_iter,
	.mmap			= hugetlbfs_mmap,
	.get_unmapped_area	= hugetlb_get_unmapped_area,
	.fallocate		= hugetlbfs_fallocate,
	.fsync			= noop_fsync,
	.fop_flags		= FOP_HUGE_PAGES,
};
