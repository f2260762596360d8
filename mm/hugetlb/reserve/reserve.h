/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Promises: who was told that a huge page will be there when it is touched.
 *
 * A promise is one unit of three things at once: a slot in a resv_map, a page
 * of the mount's quota, and a page in pool->reserved.  A page in use owns the
 * same unit instead.  Every function here moves whole units.
 *
 * Indices and counts are in huge pages.
 */
#ifndef MM_HUGETLB_RESERVE_H
#define MM_HUGETLB_RESERVE_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include "../pool/pool.h"

struct hugetlb_cgroup;
struct inode;
struct mempolicy;
struct page_counter;
struct vm_area_struct;

/* ---- what both kinds of map are ---- */

/*
 * What a slot that lies in the map means:
 *	RESV_SHARED	the file's slot has a promise, or a page
 *	RESV_PRIVATE	the owner's promise for the slot is spent
 */
enum resv_kind {
	RESV_SHARED,
	RESV_PRIVATE,
};

/*
 * Field locks: (c) constant, (l) lock, (m) mmap_lock.
 *
 * The slots of a private map belong to one mapping each, but for those in
 * twins, which is a shared map.
 */
struct resv_map {
	struct kref		refs;
	enum resv_kind		kind;		/* (c) */
	spinlock_t		lock;
	struct rb_root		regions;	/* (l) shared */
	struct rw_semaphore	rw_sema;	/* private: VMA lock; shared: claims read */
	struct hugetlb_pool	*pool;		/* (c) whose pages are counted */
	struct hugetlb_cgroup	*charged;	/* (c) private: charged for all slots */
	struct resv_map		*twins;		/* (m) private: slots with two owners */
	long			first;		/* (c) private: the first slot */
	long			slots;		/* (c) private: how many there are */
	unsigned long		spent[];	/* (l) private: a bit for each */
};

void resv_map_init(struct resv_map *map, struct hugetlb_pool *pool,
		   enum resv_kind kind);
void resv_map_get(struct resv_map *map);
void resv_map_put(struct resv_map *map);

/* ---- region.c: shared maps, sorted and disjoint ranges of slots ---- */

/* [from, to) of a map, or a spare node waiting to become one */
struct resv_region {
	union {
		struct rb_node	 rb;
		struct list_head spare;
	};
	long			from;
	long			to;
	struct hugetlb_cgroup	*tag;	/* charged for it, with a reference */
};

/* Nodes that one operation brought along, so that it cannot fail half-way. */
struct region_spares {
	struct list_head nodes;
	unsigned int	 n;
};

/**
 * region_spares_init() - start with no spare nodes
 * @spares: of one operation
 */
static inline void region_spares_init(struct region_spares *spares)
{
	INIT_LIST_HEAD(&spares->nodes);
	spares->n = 0;
}

int region_spares_fill(struct region_spares *spares, unsigned int n);
void region_spares_free(struct region_spares *spares);

/**
 * region_spares_drop() - free the spare nodes that were not used
 * @spares: of one operation; empty afterwards and fit for use again
 * Context: map->lock not held.
 */
static inline void region_spares_drop(struct region_spares *spares)
{
	if (spares->n)
		region_spares_free(spares);
}

struct resv_map *resv_map_alloc(struct hugetlb_pool *pool);
long region_missing(struct resv_map *map, long from, long to,
		    unsigned int *nodes);
long region_add(struct resv_map *map, long from, long to,
		struct hugetlb_cgroup *tag, struct region_spares *spares);
long region_remove(struct resv_map *map, long from, long to,
		   struct region_spares *spares);
bool region_give(struct resv_map *map, long hindex, struct hugetlb_cgroup *tag,
		 struct region_spares *spares);
long region_count(struct resv_map *map, long from, long to);
bool region_present(struct resv_map *map, long hindex);

/* ---- spent.c: private maps, a bit for each slot ---- */

struct resv_map *resv_map_alloc_private(struct hugetlb_pool *pool, long from,
					long to);
bool resv_spend(struct resv_map *map, long hindex);
bool resv_unspend(struct resv_map *map, long from, long to);
long resv_spent(struct resv_map *map, long from, long to);

/* ---- the promise table ---- */

/*
 * map	      slot in the map	promise
 * none		-		NO_PROMISE	child of a fork, MAP_NORESERVE
 * shared	no		NO_PROMISE	hole punched, or never promised
 * shared	yes		PROMISED
 * private	no		PROMISED	only the owner has the map
 * private	yes		SPENT
 *
 * Taking a promise removes the slot from a shared map and adds it to a private
 * one, so that nobody else can return or take it while the page is on its way.
 */
enum promise {
	NO_PROMISE,
	PROMISED,
	SPENT,
};

struct resv_key {
	struct resv_map	*map;
	long		hindex;
};

enum promise resv_slot(const struct resv_key *key);

/* ---- quota.c: min and max size of one mount ---- */

/*
 * Field locks: (c) constant, (q) lock.
 *
 * held is what the pool really gave: promises and pages.  At rest it is
 * max(used, min); while a taker waits for the pool it may be less than used.
 *
 * Whoever called quota_put() still has to return what it answered, so the
 * quota stays until quota_is_dead() was asked once after each put.
 */
struct hugetlb_quota {
	spinlock_t		lock;
	struct hugetlb_pool	*pool;		/* (c) */
	long			max;		/* (c) -1: no maximum */
	long			min;		/* (c) 0: no minimum */
	long			used;		/* (q) promised or in use */
	long			held;		/* (q) units owned by this mount */
	unsigned int		leaving;	/* (q) puts not yet followed up */
	bool			mounted;	/* (q) the super block has it */
};

void quota_init(struct hugetlb_quota *quota, struct hugetlb_pool *pool,
		long max, long min);
long quota_take(struct hugetlb_quota *quota, long n);
long quota_settle(struct hugetlb_quota *quota, long got);
long quota_put(struct hugetlb_quota *quota, long n);
bool quota_unmount(struct hugetlb_quota *quota);
bool quota_is_dead(struct hugetlb_quota *quota);
long quota_used(struct hugetlb_quota *quota);

/* ---- reserve.c: promises for ranges ---- */

struct hugetlb_quota *hugetlb_quota_create(struct hugetlb_pool *pool, long max,
					   long min);
void hugetlb_quota_release(struct hugetlb_quota *quota);
void hugetlb_quota_leave(struct hugetlb_quota *quota);

int hugetlb_promise_file(struct inode *inode, long from, long to);
struct resv_map *hugetlb_promise_private(struct inode *inode, long from,
					 long to);
int hugetlb_promise_twin(struct resv_map *map, long from, long to);
void hugetlb_return_private(struct inode *inode, struct resv_map *map,
			    long from, long to);
void hugetlb_return_file(struct inode *inode, long from, long to, long freed);
void hugetlb_return_slots(struct inode *inode, long from, long to,
			  struct region_spares *spares);
void hugetlb_return_units(struct hugetlb_pool *pool,
			  struct hugetlb_quota *quota, long n);
void hugetlb_return_untaken(struct hugetlb_pool *pool,
			    struct hugetlb_quota *quota, long n);

static inline struct resv_map *inode_resv_map(struct inode *inode)
{
	/* Of the inode itself: i_mapping of a device node lies elsewhere. */
	return inode->i_data.i_private_data;
}

static inline struct hugetlb_quota *inode_quota(struct inode *inode)
{
	return HUGETLBFS_SB(inode->i_sb)->spool;
}

static inline struct hugetlb_pool *inode_pool(struct inode *inode)
{
	return hstate_pool(hstate_inode(inode));
}

/* ---- claim.c: one page on its way into a mapping or a file ---- */

/*
 * While a claim for a slot of a file is under way it holds rw_sema of the
 * file's map for reading, as the unit of a promised slot is with the claim: who
 * changes a range of the map waits for claims.
 * (The same field of a private map is the mapping's VMA lock.)
 */

/**
 * struct hugetlb_claim - one page for one slot
 * @pool: whose page
 * @quota: of the mount, may be NULL
 * @key: the slot; key.map is NULL where no promise can cover it
 * @vma: where memory policy comes from, NULL for the task's
 * @address: in @vma
 * @folio: after prepare, the page: one reference, in nobody's sight
 * @promise: what the slot said when prepare looked
 * @backed: the pool promised the unit, to the slot or to the mount
 * @taken: what prepare took so far; cancel undoes exactly this
 * @spares: region nodes that commit may need for a slot of a file
 * @memcg: charged for the page
 * @cgroup: charged for usage
 * @cgroup_rsvd: charged for a reservation nobody made before
 */
struct hugetlb_claim {
	struct hugetlb_pool	*pool;
	struct hugetlb_quota	*quota;
	struct resv_key		key;
	struct vm_area_struct	*vma;
	unsigned long		address;
	struct folio		*folio;
	enum promise		promise;
	bool			backed;
	unsigned int		taken;
	struct region_spares	spares;
	struct mem_cgroup	*memcg;
	struct hugetlb_cgroup	*cgroup;
	struct hugetlb_cgroup	*cgroup_rsvd;
};

void hugetlb_claim_init(struct hugetlb_claim *claim, struct inode *inode,
			struct resv_map *map, long hindex);

/**
 * hugetlb_claim_place() - where memory policy comes from
 * @claim: begun; without this the task's policy counts
 * @vma: the mapping
 * @address: in it
 *
 * Context: any that keeps @vma.
 */
static inline void hugetlb_claim_place(struct hugetlb_claim *claim,
				       struct vm_area_struct *vma,
				       unsigned long address)
{
	claim->vma = vma;
	claim->address = address;
}

int __must_check hugetlb_claim_prepare(struct hugetlb_claim *claim);
void hugetlb_claim_commit(struct hugetlb_claim *claim);
void hugetlb_claim_cancel(struct hugetlb_claim *claim);

unsigned int hugetlb_promise_restore(struct resv_map *map, long from,
				     struct folio **folios, unsigned int n);
void hugetlb_promise_drop(struct hugetlb_pool *pool);

#if IS_ENABLED(CONFIG_KUNIT)
int hugetlb_claim_step_error(unsigned int step);
#endif

/* ---- alloc.c: folios for users without a promise ---- */

struct folio *hugetlb_surplus_alloc(struct hugetlb_pool *pool, gfp_t gfp,
				    int nid, const nodemask_t *nodes);
long hugetlb_surplus_gather(struct hugetlb_pool *pool, long n);
void hugetlb_surplus_trim(struct hugetlb_pool *pool);
bool hugetlb_surplus_trim_one(struct hugetlb_pool *pool, int nid);
void hugetlb_surplus_return(struct hugetlb_pool *pool, long n);

/* ---- adopt.c: pages of memfd files ---- */

int hugetlb_adopt_reserved(struct inode *inode, long hindex,
			   struct folio *folio);

/* ---- place.c: on which nodes ---- */

/**
 * struct hugetlb_place - where a page may come from
 * @pool: whose page
 * @gfp: zones
 * @nid: preferred node
 * @nodes: nodes to choose from, NULL for any
 * @policy: that said so
 * @prefer: other nodes than @nodes will do as well
 */
struct hugetlb_place {
	struct hugetlb_pool	*pool;
	gfp_t			gfp;
	int			nid;
	const nodemask_t	*nodes;
	struct mempolicy	*policy;
	bool			prefer;
};

void hugetlb_place_task_nodes(struct hugetlb_pool *pool, nodemask_t *nodes);
void hugetlb_place_get(struct hugetlb_place *place, struct hugetlb_pool *pool,
		       struct vm_area_struct *vma, unsigned long address);
void hugetlb_place_put(const struct hugetlb_place *place);
struct folio *hugetlb_place_take(const struct hugetlb_place *place);
struct folio *hugetlb_place_grow(const struct hugetlb_place *place);

/* ---- cgroup.c: the hugetlb controller ---- */

enum hugetlb_charge {
	HUGETLB_CHARGE_USAGE,
	HUGETLB_CHARGE_RSVD,
	HUGETLB_CHARGE_KINDS,
};

#ifdef CONFIG_CGROUP_HUGETLB
int hugetlb_cgroup_charge(struct hugetlb_pool *pool, long n,
			  enum hugetlb_charge kind,
			  struct hugetlb_cgroup **cgroup);
void hugetlb_cgroup_uncharge(struct hugetlb_pool *pool, long n,
			     enum hugetlb_charge kind,
			     struct hugetlb_cgroup *cgroup);
void hugetlb_cgroup_attach(struct hugetlb_pool *pool, enum hugetlb_charge kind,
			   struct hugetlb_cgroup *cgroup, struct folio *folio);
void hugetlb_cgroup_detach(struct hugetlb_pool *pool, struct folio **folios,
			   unsigned int n);
void hugetlb_cgroup_migrate(struct folio *old_folio, struct folio *new_folio);
void hugetlb_cgroup_tag_get(struct hugetlb_cgroup *tag);
void hugetlb_cgroup_tag_put(struct hugetlb_cgroup *tag);
void hugetlb_cgroup_tag_uncharge(struct hugetlb_pool *pool,
				 struct hugetlb_cgroup *tag, long n);
struct page_counter *hugetlb_cgroup_counter(struct hugetlb_cgroup *cgroup,
					    const struct hugetlb_pool *pool,
					    enum hugetlb_charge kind);
unsigned long hugetlb_cgroup_no_limit(const struct hugetlb_pool *pool);
int hugetlb_cgroup_set_limit(struct hugetlb_cgroup *cgroup,
			     const struct hugetlb_pool *pool,
			     enum hugetlb_charge kind, unsigned long nr);
void __init hugetlb_cgroup_file_init(void);
#else
static inline int hugetlb_cgroup_charge(struct hugetlb_pool *pool, long n,
					enum hugetlb_charge kind,
					struct hugetlb_cgroup **cgroup)
{
	*cgroup = NULL;
	return 0;
}

static inline void hugetlb_cgroup_uncharge(struct hugetlb_pool *pool, long n,
					   enum hugetlb_charge kind,
					   struct hugetlb_cgroup *cgroup) { }
static inline void hugetlb_cgroup_attach(struct hugetlb_pool *pool,
					 enum hugetlb_charge kind,
					 struct hugetlb_cgroup *cgroup,
					 struct folio *folio) { }
static inline void hugetlb_cgroup_detach(struct hugetlb_pool *pool,
					 struct folio **folios,
					 unsigned int n) { }
static inline void hugetlb_cgroup_migrate(struct folio *old_folio,
					  struct folio *new_folio) { }
static inline void hugetlb_cgroup_tag_get(struct hugetlb_cgroup *tag) { }
static inline void hugetlb_cgroup_tag_put(struct hugetlb_cgroup *tag) { }
static inline void hugetlb_cgroup_tag_uncharge(struct hugetlb_pool *pool,
					       struct hugetlb_cgroup *tag,
					       long n) { }
static inline void hugetlb_cgroup_file_init(void) { }
#endif

#endif /* MM_HUGETLB_RESERVE_H */
