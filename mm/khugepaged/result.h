/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What can come of looking at a range, or of trying to collapse it.
 *
 * One row per outcome: its name, what the trace events print, what
 * MADV_COLLAPSE answers when it was the last failure (madvise(2), ERRORS),
 * whether MADV_COLLAPSE goes on with the next window after it, and whether
 * parts of the range are worth a try.  Everything that depends on the outcome
 * is made from these rows.
 *
 * Names and texts are read by people and scripts through the trace events of
 * <trace/events/huge_memory.h>, which includes this file.  The numbers are not.
 */
#ifndef _MM_KHUGEPAGED_RESULT_H
#define _MM_KHUGEPAGED_RESULT_H

#include <linux/types.h>

/* MADV_COLLAPSE: go on with the next window, or stop? */
#define COLLAPSE_GO_ON		1
#define COLLAPSE_STOP		0
/* Try smaller parts of the range, or leave the window? */
#define COLLAPSE_SMALLER	1
#define COLLAPSE_LEAVE		0

/* LAST is a row as well; it stands where no comma may follow. */
#define COLLAPSE_RESULTS(ROW, LAST)					\
	ROW(SCAN_FAIL,			"failed",			\
	    EINVAL,	COLLAPSE_STOP,	COLLAPSE_SMALLER)		\
	ROW(SCAN_SUCCEED,		"succeeded",			\
	    0,		COLLAPSE_GO_ON,	COLLAPSE_LEAVE)			\
	ROW(SCAN_PMD_NULL,		"pmd_null",			\
	    EINVAL,	COLLAPSE_GO_ON,	COLLAPSE_LEAVE)			\
	ROW(SCAN_PMD_NONE,		"pmd_none",			\
	    EINVAL,	COLLAPSE_STOP,	COLLAPSE_LEAVE)			\
	ROW(SCAN_PMD_MAPPED,		"page_pmd_mapped",		\
	    0,		COLLAPSE_GO_ON,	COLLAPSE_LEAVE)			\
	ROW(SCAN_EXCEED_NONE_PTE,	"exceed_none_pte",		\
	    EBUSY,	COLLAPSE_STOP,	COLLAPSE_SMALLER)		\
	ROW(SCAN_EXCEED_SWAP_PTE,	"exceed_swap_pte",		\
	    EINVAL,	COLLAPSE_STOP,	COLLAPSE_SMALLER)		\
	ROW(SCAN_EXCEED_SHARED_PTE,	"exceed_shared_pte",		\
	    EINVAL,	COLLAPSE_STOP,	COLLAPSE_SMALLER)		\
	ROW(SCAN_PTE_NON_PRESENT,	"pte_non_present",		\
	    EINVAL,	COLLAPSE_GO_ON,	COLLAPSE_SMALLER)		\
	ROW(SCAN_PTE_UFFD_WP,		"pte_uffd_wp",			\
	    EINVAL,	COLLAPSE_GO_ON,	COLLAPSE_SMALLER)		\
	ROW(SCAN_PTE_MAPPED_HUGEPAGE,	"pte_mapped_hugepage",		\
	    EINVAL,	COLLAPSE_STOP,	COLLAPSE_LEAVE)			\
	ROW(SCAN_PAGE_RO,		"no_writable_page",		\
	    EINVAL,	COLLAPSE_GO_ON,	COLLAPSE_SMALLER)		\
	ROW(SCAN_LACK_REFERENCED_PAGE,	"lack_referenced_page",		\
	    EINVAL,	COLLAPSE_GO_ON,	COLLAPSE_SMALLER)		\
	ROW(SCAN_PAGE_NULL,		"page_null",			\
	    EINVAL,	COLLAPSE_GO_ON,	COLLAPSE_SMALLER)		\
	ROW(SCAN_SCAN_ABORT,		"scan_aborted",			\
	    EINVAL,	COLLAPSE_STOP,	COLLAPSE_LEAVE)			\
	ROW(SCAN_PAGE_COUNT,		"not_suitable_page_count",	\
	    EAGAIN,	COLLAPSE_GO_ON,	COLLAPSE_SMALLER)		\
	ROW(SCAN_PAGE_LRU,		"page_not_in_lru",		\
	    EAGAIN,	COLLAPSE_GO_ON,	COLLAPSE_SMALLER)		\
	ROW(SCAN_PAGE_LOCK,		"page_locked",			\
	    EAGAIN,	COLLAPSE_GO_ON,	COLLAPSE_SMALLER)		\
	ROW(SCAN_PAGE_ANON,		"page_not_anon",		\
	    EINVAL,	COLLAPSE_STOP,	COLLAPSE_LEAVE)			\
	ROW(SCAN_PAGE_COMPOUND,		"page_compound",		\
	    EINVAL,	COLLAPSE_GO_ON,	COLLAPSE_SMALLER)		\
	ROW(SCAN_ANY_PROCESS,		"no_process_for_page",		\
	    EINVAL,	COLLAPSE_STOP,	COLLAPSE_LEAVE)			\
	ROW(SCAN_VMA_NULL,		"vma_null",			\
	    EINVAL,	COLLAPSE_STOP,	COLLAPSE_LEAVE)			\
	ROW(SCAN_VMA_CHECK,		"vma_check_failed",		\
	    EINVAL,	COLLAPSE_STOP,	COLLAPSE_LEAVE)			\
	ROW(SCAN_ADDRESS_RANGE,		"not_suitable_address_range",	\
	    EINVAL,	COLLAPSE_STOP,	COLLAPSE_LEAVE)			\
	ROW(SCAN_DEL_PAGE_LRU,		"could_not_delete_page_from_lru", \
	    EAGAIN,	COLLAPSE_GO_ON,	COLLAPSE_SMALLER)		\
	ROW(SCAN_ALLOC_HUGE_PAGE_FAIL,	"alloc_huge_page_failed",	\
	    ENOMEM,	COLLAPSE_STOP,	COLLAPSE_SMALLER)		\
	ROW(SCAN_CGROUP_CHARGE_FAIL,	"ccgroup_charge_failed",	\
	    EBUSY,	COLLAPSE_STOP,	COLLAPSE_SMALLER)		\
	ROW(SCAN_TRUNCATED,		"truncated",			\
	    EINVAL,	COLLAPSE_STOP,	COLLAPSE_SMALLER)		\
	ROW(SCAN_PAGE_HAS_PRIVATE,	"page_has_private",		\
	    EINVAL,	COLLAPSE_STOP,	COLLAPSE_SMALLER)		\
	ROW(SCAN_STORE_FAILED,		"store_failed",			\
	    EINVAL,	COLLAPSE_STOP,	COLLAPSE_LEAVE)			\
	ROW(SCAN_COPY_MC,		"copy_poisoned_page",		\
	    EINVAL,	COLLAPSE_STOP,	COLLAPSE_SMALLER)		\
	ROW(SCAN_PAGE_FILLED,		"page_filled",			\
	    EAGAIN,	COLLAPSE_STOP,	COLLAPSE_SMALLER)		\
	LAST(SCAN_HELD,			"already_held",			\
	     0,		COLLAPSE_GO_ON,	COLLAPSE_LEAVE)

#define COLLAPSE_RESULT_NAME(name, text, err, on, part)	name,
enum scan_result {
	COLLAPSE_RESULTS(COLLAPSE_RESULT_NAME, COLLAPSE_RESULT_NAME)
	NR_SCAN_RESULTS
};

#undef COLLAPSE_RESULT_NAME

/* ---- result.c: the rows as functions ---- */
const char *collapse_result_text(enum scan_result result);
int collapse_errno(enum scan_result result);
bool collapse_goes_on(enum scan_result result);
bool collapse_goes_smaller(enum scan_result result);

#endif /* _MM_KHUGEPAGED_RESULT_H */
