// SPDX-License-Identifier: GPL-2.0
/*
 * Areas: addresses for mappings that can have PMD-sized folios.
 *
 * An address is good if it is as far from a PMD boundary as its offset in the
 * file is.  The search is left to mm; it is asked for a PMD more than needed,
 * and the mapping is moved inside what was found.
 */
#include <linux/compat.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

#include "policy.h"

/* Is there a whole naturally aligned PMD among the pages of the file? */
static bool area_has_pmd(unsigned long pgoff, unsigned long nr)
{
	return thp_orders_within(pgoff, pgoff + nr) & BIT(PMD_ORDER);
}

/* How far behind @addr the next address that suits @pgoff is. */
static unsigned long area_shift(unsigned long addr, unsigned long pgoff)
{
	return ((pgoff << PAGE_SHIFT) - addr) & (PMD_SIZE - 1);
}

/**
 * thp_get_unmapped_area_vmflags() - find an address, aligned if that helps
 * @filp: file, or NULL
 * @addr: hint, or 0
 * @len: bytes
 * @pgoff: offset in the file
 * @flags: of mmap()
 * @vm_flags: of the new VMA
 *
 * Without room for the larger search, or where no PMD fits anyway, it is any
 * address.
 *
 * Context: mmap_lock is held for write.
 * Return: the address, or a negative error number as mm_get_unmapped_area().
 */
unsigned long thp_get_unmapped_area_vmflags(struct file *filp,
					    unsigned long addr,
					    unsigned long len,
					    unsigned long pgoff,
					    unsigned long flags,
					    vm_flags_t vm_flags)
{
	unsigned long padded = len + PMD_SIZE, found, shift;
	struct mm_struct *mm = current->mm;

	/* 32 bits have no room to be generous with. */
	if (!IS_ENABLED(CONFIG_64BIT) || in_compat_syscall())
		goto plain;
	if (padded < len || pgoff + (padded >> PAGE_SHIFT) < pgoff)
		goto plain;
	if (!area_has_pmd(pgoff, len >> PAGE_SHIFT))
		goto plain;

	found = mm_get_unmapped_area_vmflags(mm, filp, addr, padded, pgoff,
					     flags, vm_flags);
	if (IS_ERR_VALUE(found))
		goto plain;
	/* The hint was free: whoever gave it wants it as it is. */
	if (found == addr)
		return addr;

	/* Top down, the padding belongs below the mapping, next to nothing. */
	shift = area_shift(found, pgoff);
	if (!shift && test_bit(MMF_TOPDOWN, &mm->flags))
		shift = PMD_SIZE;
	return found + shift;

plain:
	return mm_get_unmapped_area_vmflags(mm, filp, addr, len, pgoff, flags,
					    vm_flags);
}

/**
 * thp_get_unmapped_area() - the same, as a file operation
 * @filp: file
 * @addr: hint, or 0
 * @len: bytes
 * @pgoff: offset in the file
 * @flags: of mmap()
 *
 * Context: mmap_lock is held for write.
 * Return: the address, or a negative error number.
 */
unsigned long thp_get_unmapped_area(struct file *filp, unsigned long addr,
				    unsigned long len, unsigned long pgoff,
				    unsigned long flags)
{
	return thp_get_unmapped_area_vmflags(filp, addr, len, pgoff, flags, 0);
}
EXPORT_SYMBOL_GPL(thp_get_unmapped_area);
