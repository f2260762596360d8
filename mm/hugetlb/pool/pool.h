/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pools: which huge pages exist, where they are, how many are promised.
 *
 * Includes no other header of mm/hugetlb/.  One section per file.  A count of
 * huge pages is called n or total, a count of base pages nr.
 */
#ifndef MM_HUGETLB_POOL_H
#define MM_HUGETLB_POOL_H

#include <linux/hugetlb.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/spinlock.h>

struct attribute_group;
struct kobject;

/*
 * Field locks: (c) constant after boot, (p) hugetlb_lock, (r) resize_lock.
 *
 * Invariants, checked by pool_consistent():
 *	total, free, surplus are the sums over the nodes
 *	free >= reserved, surplus <= total, free <= total
 *	the free list of a node has as many folios as its free counter says
 */
struct hugetlb_pool_node {
	struct list_head	free_list;	/* (p) */
	unsigned long		total;		/* (p) */
	unsigned long		free;		/* (p) */
	unsigned long		surplus;	/* (p) */
};

struct hugetlb_pool {
	struct hstate		h;		/* (c) all that others see */
	struct mutex		resize_lock;
	struct lock_class_key	resize_key;	/* (c) */
	unsigned int		demote_order;	/* (r) 0: cannot be demoted */
	int			next_alloc;	/* (r) round robin cursors */
	int			next_free;	/* (p) */

	unsigned long		total;		/* (p) every page of the pool */
	unsigned long		free;		/* (p) of them, on a free list */
	unsigned long		reserved;	/* (p) promised, backed by free */
	unsigned long		owed;		/* (p) promised, folio on its way back */
	unsigned long		surplus;	/* (p) beyond the persistent size */
	unsigned long		overcommit_max;	/* (p) most surplus wanted */
	unsigned long		persistent_target; /* (p) what the user asked for */
	struct list_head	active;		/* (p) folios in use */
	struct hugetlb_pool_node node[MAX_NUMNODES];
};

/* ---- hstate.c ---- */

extern struct hugetlb_pool hugetlb_pools[HUGE_MAX_HSTATE];
extern unsigned int hugetlb_pool_count;

#define for_each_hugetlb_pool(pool)					\
	for ((pool) = hugetlb_pools;					\
	     (pool) < hugetlb_pools + hugetlb_pool_count; (pool)++)

static inline struct hugetlb_pool *hstate_pool(const struct hstate *h)
{
	return container_of((struct hstate *)h, struct hugetlb_pool, h);
}

struct hugetlb_pool *hugetlb_default_pool(void);
void __init hugetlb_set_default_pool(struct hugetlb_pool *pool);
struct hugetlb_pool *hugetlb_pool_by_order(unsigned int order);
void __init hugetlb_add_boot_sizes(void);
struct hugetlb_pool *folio_pool(struct folio *folio);

/* Number of the page size, see hstate_index(). */
static inline int pool_index(const struct hugetlb_pool *pool)
{
	return pool - hugetlb_pools;
}

static inline unsigned int pool_order(const struct hugetlb_pool *pool)
{
	return pool->h.order;
}

static inline unsigned long pool_nr_base(const struct hugetlb_pool *pool)
{
	return 1UL << pool->h.order;
}

/* Can pages of this size be made or unmade after boot? */
static inline bool pool_is_fixed(const struct hugetlb_pool *pool)
{
	return hstate_is_gigantic(&pool->h) && !gigantic_page_runtime_supported();
}

/* ---- pool.c: the only writer of the (p) counters and lists ---- */

void pool_init(struct hugetlb_pool *pool, unsigned int order);

void pool_add(struct hugetlb_pool *pool, struct folio *folio);
void pool_add_surplus(struct hugetlb_pool *pool, struct folio *folio);
void pool_add_temporary(struct hugetlb_pool *pool, struct folio *folio);
void pool_remove(struct hugetlb_pool *pool, struct folio *folio);
void pool_remove_surplus(struct hugetlb_pool *pool, struct folio *folio);

struct folio *pool_take_node(struct hugetlb_pool *pool, int nid, bool pinnable);
void pool_take_folio(struct hugetlb_pool *pool, struct folio *folio);
void pool_put(struct hugetlb_pool *pool, struct folio *folio);
void pool_isolate(struct folio *folio, struct list_head *list);
void pool_putback(struct hugetlb_pool *pool, struct folio *folio);

long pool_reserve(struct hugetlb_pool *pool, long n);
void pool_unreserve(struct hugetlb_pool *pool, long n);
bool pool_spend(struct hugetlb_pool *pool);
void pool_unspend(struct hugetlb_pool *pool);
void pool_owe(struct hugetlb_pool *pool, unsigned long n);
void pool_repay(struct hugetlb_pool *pool, unsigned long n);

struct folio *pool_trim_one(struct hugetlb_pool *pool, int nid_hint);
bool pool_surplus_allowed(const struct hugetlb_pool *pool);
unsigned long pool_adopt_surplus(struct hugetlb_pool *pool, unsigned long n,
				 const nodemask_t *nodes);
unsigned long pool_mark_surplus(struct hugetlb_pool *pool, unsigned long n,
				const nodemask_t *nodes);
void pool_set_target(struct hugetlb_pool *pool, unsigned long n);
void pool_set_overcommit(struct hugetlb_pool *pool, unsigned long n);

/* Pages a newcomer without a promise may take. */
static inline unsigned long pool_available(const struct hugetlb_pool *pool)
{
	lockdep_assert_held(&hugetlb_lock);
	return pool->free - pool->reserved;
}

/* ---- check.c: reads what pool.c writes ---- */

bool pool_sums_hold(const struct hugetlb_pool *pool);
bool pool_consistent(const struct hugetlb_pool *pool);

/* ---- take.c: from the free lists, near a node, within mask and cpuset ---- */

struct folio *pool_take(struct hugetlb_pool *pool, gfp_t gfp, int nid,
			const nodemask_t *nodes);

/* ---- nodes.c: round robin over nodes ---- */

int nodes_next(int *cursor, const nodemask_t *allowed);

/* Visit every node of @allowed once, starting at *@cursor and moving it. */
#define for_each_node_from(nid, left, cursor, allowed)			\
	for ((left) = nodes_weight(*(allowed));				\
	     (left) > 0 && ((nid) = nodes_next((cursor), (allowed)), 1); \
	     (left)--)

/* ---- source.c: make and unmake huge folios, no counters ---- */

/**
 * struct source_effort - nodes not worth trying hard again in this resize
 * @tired: the last hard try on these nodes failed
 */
struct source_effort {
	nodemask_t	tired;
};

struct folio *source_alloc(struct hugetlb_pool *pool, gfp_t gfp, int nid,
			   const nodemask_t *nodes,
			   struct source_effort *effort);
struct folio *source_alloc_bare(struct hugetlb_pool *pool, gfp_t gfp, int nid,
				const nodemask_t *nodes,
				struct source_effort *effort);
void source_adopt(struct folio *folio);
void source_disown(struct folio *folio);
long source_restore_list(struct hugetlb_pool *pool, struct list_head *folios,
			 struct list_head *whole);
void source_release_whole(struct folio *folio);
void source_free(struct hugetlb_pool *pool, struct folio *folio);
bool source_free_list(struct hugetlb_pool *pool, struct list_head *folios);
void source_free_any_context(struct hugetlb_pool *pool, struct folio *folio);
void source_flush(struct hugetlb_pool *pool);

/* ---- vmemmap.c: give back struct pages that say nothing new ---- */

#ifdef CONFIG_HUGETLB_PAGE_OPTIMIZE_VMEMMAP
bool vmemmap_optimizable(const struct hugetlb_pool *pool);
void vmemmap_optimize(struct hugetlb_pool *pool, struct folio *folio);
void vmemmap_optimize_list(struct hugetlb_pool *pool, struct list_head *folios);
int vmemmap_restore(struct hugetlb_pool *pool, struct folio *folio);
long vmemmap_restore_list(struct hugetlb_pool *pool, struct list_head *folios,
			  struct list_head *restored);
#else
static inline bool vmemmap_optimizable(const struct hugetlb_pool *pool)
{
	return false;
}

static inline void vmemmap_optimize(struct hugetlb_pool *pool,
				    struct folio *folio) { }
static inline void vmemmap_optimize_list(struct hugetlb_pool *pool,
					 struct list_head *folios) { }
static inline int vmemmap_restore(struct hugetlb_pool *pool,
				  struct folio *folio)
{
	return 0;
}

static inline long vmemmap_restore_list(struct hugetlb_pool *pool,
					struct list_head *folios,
					struct list_head *restored)
{
	list_splice_init(folios, restored);
	return 0;
}
#endif

/* Struct pages of an optimised folio that stay its own: one page of them. */
#define VMEMMAP_KEPT_PAGES	(PAGE_SIZE / sizeof(struct page))

/*
 * Of these, the last three are tails of which nobody uses ->index and ->private.
 */
#define VMEMMAP_HEAD_TAIL	(VMEMMAP_KEPT_PAGES - 3)	/* page moved out of */
#define VMEMMAP_LINK_TAIL	(VMEMMAP_KEPT_PAGES - 2)	/* place in the queue */
#define VMEMMAP_PLAIN_TAIL	(VMEMMAP_KEPT_PAGES - 1)	/* like all others */

/* ---- vmemmap_map.c: page tables under struct pages, for vmemmap.c ---- */

/**
 * struct vmemmap_span - addresses that were mapped otherwise before
 * @start: lowest of them
 * @end: behind the highest, 0 if there are none
 */
struct vmemmap_span {
	unsigned long	start;
	unsigned long	end;
};

void vmemmap_span_flush(struct vmemmap_span *span);
void vmemmap_pages_free(struct list_head *pages);
int vmemmap_split(struct folio *folio, struct vmemmap_span *span);
int vmemmap_split_list(struct list_head *folios, struct list_head *split);
void vmemmap_move_heads(struct list_head *folios);
void vmemmap_forget_head(struct folio *folio);
bool vmemmap_has_fake_heads(struct folio *folio);
void vmemmap_fake_heads(struct folio *folio);
void vmemmap_unfake_heads(struct folio *folio);
void vmemmap_share_tails(struct folio *folio, struct list_head *old,
			 struct vmemmap_span *span);
int vmemmap_unshare_tails(struct folio *folio, struct vmemmap_span *span);

/* ---- cma.c: gigantic folios from areas set aside with hugetlb_cma= ---- */

#ifdef CONFIG_CMA
struct folio *cma_source_alloc(struct hugetlb_pool *pool, gfp_t gfp, int nid,
			       const nodemask_t *nodes);
bool cma_source_free(struct folio *folio);
bool cma_source_exists(void);
void __init cma_source_check(void);
#else
static inline struct folio *cma_source_alloc(struct hugetlb_pool *pool,
					     gfp_t gfp, int nid,
					     const nodemask_t *nodes)
{
	return NULL;
}

static inline bool cma_source_free(struct folio *folio) { return false; }
static inline bool cma_source_exists(void) { return false; }
static inline void cma_source_check(void) { }
#endif

/* ---- request.c: what the text of a boot parameter asks for ---- */

/**
 * struct boot_request - so many pages, or bytes, of one size
 * @total: wanted in all
 * @node: how many of them on a node; set with @per_node
 * @per_node: the node:amount form was used
 */
struct boot_request {
	unsigned long	total;
	unsigned long	node[MAX_NUMNODES];
	bool		per_node;
};

/* Reads one amount and moves *@text behind it; 0, -EINVAL or -ERANGE. */
typedef int request_amount(const char **text, unsigned long *amount);

request_amount request_count, request_size;
int __init request_parse(const char *s, request_amount *amount,
			 const nodemask_t *online,
			 struct boot_request *request);
const char * __init request_reason(int err);

/* ---- boot.c: make the pages that the command line wants ---- */

void __init boot_request_pages(struct hugetlb_pool *pool,
			       const struct boot_request *request);
unsigned long __init boot_requested(const struct hugetlb_pool *pool);
void __init boot_fill_pools(void);

/* ---- resize.c: change the persistent size ---- */

int hugetlb_pool_resize(struct hugetlb_pool *pool, unsigned long want, int nid,
			const nodemask_t *nodes);
void resize_admit(struct hugetlb_pool *pool, struct list_head *folios);
struct folio *resize_pick(struct hugetlb_pool *pool, const nodemask_t *nodes,
			  bool (*fits)(struct folio *folio));

/* ---- dissolve.c: certain pages leave, for the rest see linux/hugetlb.h ---- */

bool dissolve_bad(struct hugetlb_pool *pool, struct folio *folio);

/* ---- demote.c: big free pages become smaller ones ---- */

int hugetlb_pool_demote(struct hugetlb_pool *pool, unsigned long n,
			const nodemask_t *nodes);
int hugetlb_pool_set_demote_size(struct hugetlb_pool *pool, unsigned long size);
void __init hugetlb_pool_default_demote(void);

#endif /* MM_HUGETLB_POOL_H */
