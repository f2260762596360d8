// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings: what vm_private_data of a hugetlb VMA means.
 *
 *	shared	struct hugetlb_vma_lock, or NULL when there was no memory
 *	private	struct resv_map, or NULL; VMA_OWNER, VMA_ROBBED
 *
 * Nobody else looks inside.  Knows promises by range; knows no page tables.
 * Locks: mmap_lock for attach, open and close; H4 is defined here.
 */

#include "map.h"
#include <linux/slab.h>

/*
 * Low bits of vm_private_data of a private mapping.
 *
 * VMA_OWNER	made by mmap, not by fork: it has the promises of the map; a map
 *		without it is that of a mapping which mremap() moves or has moved
 * VMA_ROBBED	the owner took a page back from this child of a fork
 */
#define VMA_OWNER	BIT(0)
#define VMA_ROBBED	BIT(1)
#define VMA_TAGS	(VMA_OWNER | VMA_ROBBED)

static unsigned long hugetlb_vma_word(const struct vm_area_struct *vma)
{
	return (unsigned long)READ_ONCE(vma->vm_private_data);
}

static void hugetlb_vma_set_word(struct vm_area_struct *vma, unsigned long word)
{
	WRITE_ONCE(vma->vm_private_data, (void *)word);
}

static void hugetlb_vma_drop_tag(struct vm_area_struct *vma, unsigned long tag)
{
	hugetlb_vma_set_word(vma, hugetlb_vma_word(vma) & ~tag);
}

static bool hugetlb_vma_shared(const struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_MAYSHARE;
}

static struct hugetlb_vma_lock *
hugetlb_vma_lock_of(const struct vm_area_struct *vma)
{
	if (!hugetlb_vma_shared(vma))
		return NULL;
	return (struct hugetlb_vma_lock *)hugetlb_vma_word(vma);
}

/* The map that this private mapping has a reference to, or NULL. */
static struct resv_map *hugetlb_vma_held_map(const struct vm_area_struct *vma)
{
	if (hugetlb_vma_shared(vma))
		return NULL;
	return (struct resv_map *)(hugetlb_vma_word(vma) & ~VMA_TAGS);
}

/* The map whose promises belong to this private mapping, or NULL. */
static struct resv_map *hugetlb_vma_owned_map(const struct vm_area_struct *vma)
{
	if (!(hugetlb_vma_word(vma) & VMA_OWNER))
		return NULL;
	return hugetlb_vma_held_map(vma);
}

/* ---- the VMA lock ---- */

static struct rw_semaphore *hugetlb_vma_sema(const struct vm_area_struct *vma)
{
	struct hugetlb_vma_lock *lock = hugetlb_vma_lock_of(vma);
	struct resv_map *map = hugetlb_vma_held_map(vma);

	if (lock)
		return &lock->rw_sema;
	return map ? &map->rw_sema : NULL;
}

/**
 * hugetlb_vma_lock_read() - keep the page tables of a mapping in place
 * @vma: a hugetlb mapping
 *
 * Does nothing for a child of a fork and where the lock had no memory.
 *
 * Context: H4; takes the VMA lock, may sleep.
 */
void hugetlb_vma_lock_read(struct vm_area_struct *vma)
{
	struct rw_semaphore *sema = hugetlb_vma_sema(vma);

	if (sema)
		down_read(sema);
}

/**
 * hugetlb_vma_unlock_read() - undo hugetlb_vma_lock_read()
 * @vma: a hugetlb mapping
 *
 * Context: releases the VMA lock.
 */
void hugetlb_vma_unlock_read(struct vm_area_struct *vma)
{
	struct rw_semaphore *sema = hugetlb_vma_sema(vma);

	if (sema)
		up_read(sema);
}

/**
 * hugetlb_vma_lock_write() - keep faults and walks out of a mapping
 * @vma: a hugetlb mapping
 *
 * Context: H4, outside i_mmap_rwsem; takes the VMA lock, may sleep.
 */
void hugetlb_vma_lock_write(struct vm_area_struct *vma)
{
	struct rw_semaphore *sema = hugetlb_vma_sema(vma);

	if (sema)
		down_write(sema);
}

/**
 * hugetlb_vma_unlock_write() - undo hugetlb_vma_lock_write()
 * @vma: a hugetlb mapping
 *
 * Context: releases the VMA lock.
 */
void hugetlb_vma_unlock_write(struct vm_area_struct *vma)
{
	struct rw_semaphore *sema = hugetlb_vma_sema(vma);

	if (sema)
		up_write(sema);
}

/**
 * hugetlb_vma_trylock_write() - hugetlb_vma_lock_write() where waiting is wrong
 * @vma: a hugetlb mapping
 *
 * For those who found @vma through i_mmap and so hold i_mmap_rwsem already.
 *
 * Context: takes the VMA lock or does not; never sleeps.
 * Return: 0 when somebody else holds it, else 1.
 */
int hugetlb_vma_trylock_write(struct vm_area_struct *vma)
{
	struct rw_semaphore *sema = hugetlb_vma_sema(vma);

	return sema ? down_write_trylock(sema) : 1;
}

/**
 * hugetlb_vma_assert_locked() - complain when the VMA lock is not held
 * @vma: a hugetlb mapping
 *
 * Context: VMA lock, read or write.
 */
void hugetlb_vma_assert_locked(struct vm_area_struct *vma)
{
	struct rw_semaphore *sema = hugetlb_vma_sema(vma);

	if (sema)
		lockdep_assert_held(sema);
}

#if defined(CONFIG_HUGETLB_PMD_PAGE_TABLE_SHARING) && defined(CONFIG_LOCKDEP)
/**
 * hugetlb_walk_assert_locked() - complain when a walk could lose its table
 * @vma: a hugetlb mapping
 *
 * Context: for a mapping that may share PMD tables, VMA lock or i_mmap_rwsem.
 */
void hugetlb_walk_assert_locked(struct vm_area_struct *vma)
{
	struct hugetlb_vma_lock *lock = hugetlb_vma_lock_of(vma);
	struct address_space *mapping = vma->vm_file->f_mapping;

	if (lock)
		WARN_ON_ONCE(!lockdep_is_held(&lock->rw_sema) &&
			     !lockdep_is_held(&mapping->i_mmap_rwsem));
}
#endif

/* Without a lock the mapping never shares tables: slower, not wrong. */
static void hugetlb_vma_lock_create(struct vm_area_struct *vma, gfp_t gfp)
{
	struct hugetlb_vma_lock *lock = kmalloc(sizeof(*lock), gfp);

	if (!lock)
		return;

	kref_init(&lock->refs);
	init_rwsem(&lock->rw_sema);
	lock->vma = vma;
	hugetlb_vma_set_word(vma, (unsigned long)lock);
}

static void hugetlb_vma_lock_release(struct kref *refs)
{
	kfree(container_of(refs, struct hugetlb_vma_lock, refs));
}

/**
 * hugetlb_vma_lock_get() - keep a mapping's lock object, to wait for it
 * @vma: a mapping whose lock could not be had at once
 *
 * The VMA may be gone when the wait is over; lock->vma tells.
 *
 * Context: any that keeps @vma, such as i_mmap_rwsem.
 * Return: the object, to be given back with hugetlb_vma_lock_put(); NULL for a
 * private mapping, whose tables nobody else shares, so that i_mmap_rwsem is
 * enough to unmap a page of the file from it.
 */
struct hugetlb_vma_lock *hugetlb_vma_lock_get(struct vm_area_struct *vma)
{
	struct hugetlb_vma_lock *lock = hugetlb_vma_lock_of(vma);

	if (lock)
		kref_get(&lock->refs);
	return lock;
}

/**
 * hugetlb_vma_lock_put() - drop a reference to a lock object
 * @lock: from hugetlb_vma_lock_get(), not held by the caller
 *
 * Context: any.
 */
void hugetlb_vma_lock_put(struct hugetlb_vma_lock *lock)
{
	kref_put(&lock->refs, hugetlb_vma_lock_release);
}

/* Takes the object from its VMA; a waiter then finds lock->vma empty. */
static void hugetlb_vma_lock_detach(struct hugetlb_vma_lock *lock)
{
	lockdep_assert_held_write(&lock->rw_sema);
	hugetlb_vma_set_word(lock->vma, 0);
	lock->vma = NULL;
}

/**
 * hugetlb_vma_unlock_write_detach() - the VMA lock's last unlock
 * @vma: a mapping whose last page was just unmapped
 *
 * Without the object @vma can no longer share tables.  Its own ones are freed
 * soon, without any lock of ours: from here on nobody may borrow them.
 *
 * Context: VMA lock for writing and i_mmap_rwsem for writing; releases the
 * former.
 */
void hugetlb_vma_unlock_write_detach(struct vm_area_struct *vma)
{
	struct hugetlb_vma_lock *lock = hugetlb_vma_lock_of(vma);

	if (!lock) {
		hugetlb_vma_unlock_write(vma);
		return;
	}
	hugetlb_vma_lock_detach(lock);
	up_write(&lock->rw_sema);
	hugetlb_vma_lock_put(lock);
}

static void hugetlb_vma_lock_destroy(struct vm_area_struct *vma)
{
	hugetlb_vma_lock_write(vma);
	hugetlb_vma_unlock_write_detach(vma);
}

/* ---- whose promises ---- */

/**
 * hugetlb_vma_resv_map() - the map that says what a mapping was promised
 * @vma: a hugetlb mapping
 *
 * Context: any that keeps @vma.
 * Return: the file's map for a shared mapping, the owner's for a private one;
 * NULL for a child of a fork and for a private mapping without promises.
 */
struct resv_map *hugetlb_vma_resv_map(struct vm_area_struct *vma)
{
	if (hugetlb_vma_shared(vma))
		return inode_resv_map(file_inode(vma->vm_file));
	return hugetlb_vma_owned_map(vma);
}

/**
 * hugetlb_vma_is_owner() - do private promises belong to this mapping?
 * @vma: a hugetlb mapping
 *
 * Context: any that keeps @vma.
 * Return: false for a shared mapping.
 */
bool hugetlb_vma_is_owner(struct vm_area_struct *vma)
{
	return hugetlb_vma_owned_map(vma);
}

/**
 * hugetlb_vma_has_lock() - do the VMA lock functions do anything?
 * @vma: a hugetlb mapping
 *
 * Context: any that keeps @vma.
 * Return: true when they do.
 */
bool hugetlb_vma_has_lock(struct vm_area_struct *vma)
{
	return hugetlb_vma_sema(vma);
}

/**
 * hugetlb_vma_set_robbed() - the owner takes a page back from this child
 * @vma: a private mapping that is not the owner
 *
 * The child must never see a zeroed page where its data was: from now on a
 * missing page is an error.
 *
 * Context: i_mmap_rwsem for writing, fault mutex of the page; before the page is
 *	unmapped, so that who copies tables finds the page or the mark.
 */
void hugetlb_vma_set_robbed(struct vm_area_struct *vma)
{
	if (WARN_ON_ONCE(hugetlb_vma_shared(vma)))
		return;
	hugetlb_vma_set_word(vma, hugetlb_vma_word(vma) | VMA_ROBBED);
}

/**
 * hugetlb_vma_is_robbed() - must a missing page be an error?
 * @vma: a hugetlb mapping
 *
 * Context: any that keeps @vma.
 * Return: true after hugetlb_vma_set_robbed().
 */
bool hugetlb_vma_is_robbed(struct vm_area_struct *vma)
{
	return !hugetlb_vma_shared(vma) && (hugetlb_vma_word(vma) & VMA_ROBBED);
}

/**
 * hugetlb_vma_attach() - set up a new mapping of a hugetlbfs file
 * @vma: the mapping, with its final flags and file
 * @inode: the file
 * @vm_flags: the same flags, plus VM_NORESERVE where the pages were promised
 *	when the file was made
 *
 * Context: mmap_lock for writing, inode lock; may sleep.
 * Return: 0, or -ENOMEM when the pages cannot be promised; then nothing stays.
 */
int hugetlb_vma_attach(struct vm_area_struct *vma, struct inode *inode,
		       vm_flags_t vm_flags)
{
	long from = hugetlb_linear_page_index(vma, vma->vm_start);
	long to = hugetlb_linear_page_index(vma, vma->vm_end);
	bool promise = !(vm_flags & VM_NORESERVE);
	struct resv_map *map;

	if (hugetlb_vma_shared(vma)) {
		hugetlb_vma_lock_create(vma, GFP_KERNEL);
		if (!promise || !hugetlb_promise_file(inode, from, to))
			return 0;
		hugetlb_vma_lock_destroy(vma);
		return -ENOMEM;
	}

	if (!promise)
		return 0;
	map = hugetlb_promise_private(inode, from, to);
	if (IS_ERR(map))
		return -ENOMEM;
	hugetlb_vma_set_word(vma, (unsigned long)map | VMA_OWNER);
	return 0;
}

/**
 * hugetlb_dup_vma_private() - a VMA was copied for a child of a fork
 * @vma: the child's copy, not yet in any tree
 *
 * Promises stay with the parent, and a lock belongs to one VMA only; open()
 * gives the copy of a shared mapping its own.  What the parent was robbed of
 * the child never had.
 *
 * Context: mmap_lock of both, for writing.
 */
void hugetlb_dup_vma_private(struct vm_area_struct *vma)
{
	struct hugetlb_vma_lock *lock = hugetlb_vma_lock_of(vma);

	if (!hugetlb_vma_shared(vma))
		hugetlb_vma_set_word(vma, hugetlb_vma_word(vma) & VMA_ROBBED);
	else if (!lock || lock->vma != vma)
		hugetlb_vma_set_word(vma, 0);
}

/* ---- mremap(): the promises of a range change hands ---- */

/**
 * hugetlb_vma_hand_over() - a range is about to be moved to another mapping
 * @vma: where it is
 * @new_vma: a copy of @vma or of a part of it, which owns nothing so far
 * @start: first address in @vma
 * @end: end address in @vma
 *
 * If it is not all of @vma, @vma owns the range, too, until it is closed or cut
 * short: whether that succeeds is not known yet.
 *
 * Context: mmap_lock for writing and the VMA lock, which both have in common.
 * Return: false without memory; then nothing changed.
 */
bool hugetlb_vma_hand_over(struct vm_area_struct *vma,
			   struct vm_area_struct *new_vma,
			   unsigned long start, unsigned long end)
{
	struct resv_map *map = hugetlb_vma_owned_map(vma);

	if (!map)
		return true;

	if (start == vma->vm_start && end == vma->vm_end)
		hugetlb_vma_drop_tag(vma, VMA_OWNER);
	else if (hugetlb_promise_twin(map,
				      hugetlb_linear_page_index(vma, start),
				      hugetlb_linear_page_index(vma, end)))
		return false;
	hugetlb_vma_set_word(new_vma, (unsigned long)map | VMA_OWNER);
	return true;
}

/**
 * clear_vma_resv_huge_pages() - mremap() has moved a mapping, or failed to
 * @vma: the VMA that is left behind and about to be unmapped
 *
 * Unless only a part was moved it owns nothing, and it shall not wait for those
 * who use the map.
 *
 * Context: mmap_lock for writing; takes i_mmap_rwsem.
 */
void clear_vma_resv_huge_pages(struct vm_area_struct *vma)
{
	struct address_space *mapping = vma->vm_file->f_mapping;
	struct resv_map *map = hugetlb_vma_held_map(vma);

	if (!map || hugetlb_vma_is_owner(vma))
		return;
	/* Who came by i_mmap and has the VMA lock finds it again to unlock. */
	i_mmap_lock_write(mapping);
	hugetlb_vma_set_word(vma, 0);
	i_mmap_unlock_write(mapping);
	resv_map_put(map);
}

/* ---- vm_operations: shm_vm_ops of ipc/shm.c passes all of them on ---- */

/*
 * What covers the address of @vma, which was copied from it: the mapping that
 * is being cut in two.  NULL for a child's copy, which is in its tree, and for
 * mremap()'s, which has an address of its own.
 */
static struct vm_area_struct *hugetlb_vma_other_half(struct vm_area_struct *vma)
{
	struct vm_area_struct *other = vma_lookup(vma->vm_mm, vma->vm_start);

	return other == vma ? NULL : other;
}

static void hugetlb_vma_open_private(struct vm_area_struct *vma)
{
	struct resv_map *map = hugetlb_vma_held_map(vma);

	if (!map)
		return;
	resv_map_get(map);
	/* Until hugetlb_vma_hand_over(): mremap() may still fail. */
	if (!hugetlb_vma_other_half(vma))
		hugetlb_vma_drop_tag(vma, VMA_OWNER);
}

/*
 * A lock that was copied stays with the VMA it came from.  What is cut in two
 * may share tables already, which the new half must not use without a lock.
 */
static void hugetlb_vma_open_shared(struct vm_area_struct *vma)
{
	struct hugetlb_vma_lock *lock = hugetlb_vma_lock_of(vma);
	gfp_t gfp = GFP_KERNEL;

	if (WARN_ON_ONCE(lock && lock->vma == vma))
		return;
	if (lock && hugetlb_vma_other_half(vma))
		gfp |= __GFP_NOFAIL;
	hugetlb_vma_set_word(vma, 0);
	hugetlb_vma_lock_create(vma, gfp);
}

/* A VMA was copied: the second half of a split, a child's, or mremap's. */
static void hugetlb_vma_open(struct vm_area_struct *vma)
{
	if (hugetlb_vma_shared(vma))
		hugetlb_vma_open_shared(vma);
	else
		hugetlb_vma_open_private(vma);
}

static void hugetlb_vma_close(struct vm_area_struct *vma)
{
	long from = hugetlb_linear_page_index(vma, vma->vm_start);
	long to = hugetlb_linear_page_index(vma, vma->vm_end);
	struct resv_map *map = hugetlb_vma_held_map(vma);

	if (hugetlb_vma_lock_of(vma))
		hugetlb_vma_lock_destroy(vma);
	if (!map)
		return;

	if (hugetlb_vma_is_owner(vma))
		hugetlb_return_private(file_inode(vma->vm_file), map, from, to);
	hugetlb_vma_set_word(vma, 0);
	resv_map_put(map);
}

static int hugetlb_vma_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return addr & ~huge_page_mask(hstate_vma(vma)) ? -EINVAL : 0;
}

static unsigned long hugetlb_vma_pagesize(struct vm_area_struct *vma)
{
	return huge_page_size(hstate_vma(vma));
}

/* handle_mm_fault() asks hugetlb_fault() first; this keeps base pages out. */
static vm_fault_t hugetlb_vma_fault(struct vm_fault *vmf)
{
	WARN_ON_ONCE(1);
	return VM_FAULT_SIGBUS;
}

const struct vm_operations_struct hugetlb_vm_ops = {
	.open		= hugetlb_vma_open,
	.close		= hugetlb_vma_close,
	.may_split	= hugetlb_vma_may_split,
	.pagesize	= hugetlb_vma_pagesize,
	.fault		= hugetlb_vma_fault,
};

/* ---- page size of any mapping ---- */

/**
 * vma_kernel_pagesize() - unit in which the kernel fills a mapping
 * @vma: any mapping
 *
 * Context: any that keeps @vma.
 * Return: bytes; PAGE_SIZE unless the mapping says otherwise.
 */
unsigned long vma_kernel_pagesize(struct vm_area_struct *vma)
{
	const struct vm_operations_struct *ops = vma->vm_ops;

	return ops && ops->pagesize ? ops->pagesize(vma) : PAGE_SIZE;
}
EXPORT_SYMBOL_GPL(vma_kernel_pagesize);

/**
 * vma_mmu_pagesize() - unit in which the hardware maps a mapping
 * @vma: any mapping
 *
 * Architectures where this differs from vma_kernel_pagesize() have their own.
 *
 * Context: any that keeps @vma.
 * Return: bytes.
 */
__weak unsigned long vma_mmu_pagesize(struct vm_area_struct *vma)
{
	return vma_kernel_pagesize(vma);
}
