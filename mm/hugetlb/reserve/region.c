// SPDX-License-Identifier: GPL-2.0
/*
 * Region maps: which slots of a file are marked.
 *
 * A red-black tree of ranges that never overlap and, where tags are equal,
 * never touch.  Knows nodes and cgroup tags; spent.c has the other kind of map.
 * Every function takes map->lock, a leaf, by itself: nodes come from the
 * caller's spares and unused ones go there, no allocator under the lock.
 */
#include "reserve.h"
#include <linux/minmax.h>
#include <linux/mmdebug.h>
#include <linux/slab.h>

/* ---- spare nodes ---- */

static void region_spare_push(struct region_spares *spares,
			      struct resv_region *region)
{
	list_add(&region->spare, &spares->nodes);
	spares->n++;
}

static struct resv_region *region_spare_pop(struct region_spares *spares)
{
	struct resv_region *region = list_first_entry_or_null(&spares->nodes,
					struct resv_region, spare);

	if (!region)
		return NULL;
	list_del(&region->spare);
	spares->n--;
	return region;
}

/**
 * region_spares_fill() - bring the spare nodes up to a number
 * @spares: of one operation
 * @n: how many there shall be at least
 * Context: no spinlock held, may sleep.
 * Return: 0, or -ENOMEM; what was allocated so far stays in @spares.
 */
int region_spares_fill(struct region_spares *spares, unsigned int n)
{
	while (spares->n < n) {
		struct resv_region *node = kmalloc(sizeof(*node), GFP_KERNEL);

		if (!node)
			return -ENOMEM;
		region_spare_push(spares, node);
	}
	return 0;
}

/* What region_spares_drop() does where there are some. */
void region_spares_free(struct region_spares *spares)
{
	struct resv_region *region;

	while ((region = region_spare_pop(spares)))
		kfree(region);
}

static struct resv_region *region_next(struct resv_region *region)
{
	return rb_entry_safe(rb_next(&region->rb), struct resv_region, rb);
}

/* The first region that ends behind @hindex: it holds it or comes after it. */
static struct resv_region *region_find(const struct resv_map *map, long hindex)
{
	struct rb_node *rb = map->regions.rb_node;
	struct resv_region *region, *found = NULL;

	lockdep_assert_held(&map->lock);

	while (rb) {
		region = rb_entry(rb, struct resv_region, rb);
		if (region->to > hindex) {
			found = region;
			rb = rb->rb_left;
		} else {
			rb = rb->rb_right;
		}
	}
	return found;
}

static struct resv_region *region_find_slot(const struct resv_map *map,
					    long hindex)
{
	struct resv_region *region = region_find(map, hindex);

	return region && region->from <= hindex ? region : NULL;
}

static long region_overlap(const struct resv_region *region, long from, long to)
{
	return min(to, region->to) - max(from, region->from);
}

/*
 * Put @region between two that follow each other.  Of two such nodes one lacks
 * the child on the side of the other, so there is nothing to search for.
 */
static void region_link(struct resv_map *map, struct resv_region *left,
			struct resv_region *region, struct resv_region *right)
{
	struct rb_node **link = &map->regions.rb_node;
	struct rb_node *parent = NULL;

	if (left && !left->rb.rb_right) {
		parent = &left->rb;
		link = &parent->rb_right;
	} else if (right) {
		parent = &right->rb;
		link = &parent->rb_left;
	}
	rb_link_node(&region->rb, parent, link);
	rb_insert_color(&region->rb, &map->regions);
}

static void region_unlink(struct resv_map *map, struct resv_region *region,
			  struct region_spares *spares)
{
	rb_erase(&region->rb, &map->regions);
	hugetlb_cgroup_tag_put(region->tag);
	region_spare_push(spares, region);
}

/* ---- holes: slots that are not in the map ---- */

/*
 * [from, to) is not in the map; left and right are the regions before and
 * after it, which need not touch it.
 */
struct region_hole {
	struct resv_region	*left;
	struct resv_region	*right;
	long			from;
	long			to;
};

static void region_hole_start(struct region_hole *hole,
			      const struct resv_map *map, long from)
{
	struct rb_node *left;

	hole->right = region_find(map, from);
	left = hole->right ? rb_prev(&hole->right->rb) : rb_last(&map->regions);
	hole->left = rb_entry_safe(left, struct resv_region, rb);
	hole->to = from;
}

static bool region_hole_next(struct region_hole *hole, long end)
{
	while (hole->right && hole->right->from <= hole->to) {
		hole->left = hole->right;
		hole->right = region_next(hole->left);
		hole->to = hole->left->to;
	}
	hole->from = hole->to;
	hole->to = hole->right ? min(hole->right->from, end) : end;
	return hole->from < hole->to;
}

static bool region_hole_at(struct region_hole *hole,
			   const struct resv_map *map, long hindex)
{
	region_hole_start(hole, map, hindex);
	return region_hole_next(hole, hindex + 1);
}

static bool region_joins_left(const struct region_hole *hole,
			      const struct hugetlb_cgroup *tag)
{
	return hole->left && hole->left->to == hole->from &&
	       hole->left->tag == tag;
}

static bool region_joins_right(const struct region_hole *hole,
			       const struct hugetlb_cgroup *tag)
{
	return hole->right && hole->right->from == hole->to &&
	       hole->right->tag == tag;
}

static unsigned int region_hole_nodes(const struct region_hole *hole,
				      const struct hugetlb_cgroup *tag)
{
	return !region_joins_left(hole, tag) && !region_joins_right(hole, tag);
}

/*
 * Add the hole to the map; the caller made sure of region_hole_nodes().  One
 * reference to @tag comes along and is dropped where a neighbour has its own.
 */
static void region_hole_fill(struct resv_map *map, struct region_hole *hole,
			     struct hugetlb_cgroup *tag,
			     struct region_spares *spares)
{
	bool left = region_joins_left(hole, tag);
	bool right = region_joins_right(hole, tag);
	struct resv_region *region = left ? hole->left : hole->right;

	if (!left && !right) {
		region = region_spare_pop(spares);
		region->from = hole->from;
		region->to = hole->to;
		region->tag = tag;
		region_link(map, hole->left, region, hole->right);
	} else {
		region->from = min(region->from, hole->from);
		region->to = max(region->to, hole->to);
		hugetlb_cgroup_tag_put(tag);
	}
	if (left && right) {
		region->to = hole->right->to;
		region_unlink(map, hole->right, spares);
	}
	hole->left = region;
	hole->right = region_next(region);
	hole->to = region->to;
}

/* ---- cuts: slots that leave the map ---- */

static bool region_cut_splits(const struct resv_region *region, long from,
			      long to)
{
	return region->from < from && to < region->to;
}

/* Take [from, to), not empty, out of @region; a split needs a spare node. */
static void region_cut(struct resv_map *map, struct resv_region *region,
		       long from, long to, struct region_spares *spares)
{
	struct resv_region *tail;

	if (region_cut_splits(region, from, to)) {
		tail = region_spare_pop(spares);
		tail->from = to;
		tail->to = region->to;
		tail->tag = region->tag;
		hugetlb_cgroup_tag_get(tail->tag);
		region->to = from;
		region_link(map, region, tail, region_next(region));
	} else if (region->from < from) {
		region->to = from;
	} else if (to < region->to) {
		region->from = to;
	} else {
		region_unlink(map, region, spares);
	}
}

/* ---- maps ---- */

/**
 * resv_map_init() - what maps of both kinds begin with
 * @map: zeroed
 * @pool: whose pages it counts
 * @kind: what a slot in it means
 *
 * The map has one reference afterwards.
 */
void resv_map_init(struct resv_map *map, struct hugetlb_pool *pool,
		   enum resv_kind kind)
{
	kref_init(&map->refs);
	spin_lock_init(&map->lock);
	init_rwsem(&map->rw_sema);
	map->kind = kind;
	map->pool = pool;
}

/**
 * resv_map_alloc() - make an empty shared map
 * @pool: whose pages it counts
 * Context: may sleep.
 * Return: the map with one reference, or NULL when memory is short.
 */
struct resv_map *resv_map_alloc(struct hugetlb_pool *pool)
{
	struct resv_map *map = kzalloc(sizeof(*map), GFP_KERNEL);

	if (map)
		resv_map_init(map, pool, RESV_SHARED);
	return map;
}

/**
 * resv_map_get() - take another reference
 * @map: the caller has one already
 */
void resv_map_get(struct resv_map *map)
{
	kref_get(&map->refs);
}

/* Nobody can see the map any more: no lock, and no order to keep. */
static void resv_map_free(struct kref *refs)
{
	struct resv_map *map = container_of(refs, struct resv_map, refs);
	struct resv_region *region, *next;

	rbtree_postorder_for_each_entry_safe(region, next, &map->regions, rb) {
		hugetlb_cgroup_tag_uncharge(map->pool, region->tag,
					    region->to - region->from);
		hugetlb_cgroup_tag_put(region->tag);
		kfree(region);
	}
	hugetlb_cgroup_tag_put(map->charged);
	if (map->twins)
		resv_map_put(map->twins);
	/* A private map may be large. */
	kvfree(map);
}

/**
 * resv_map_put() - drop a reference
 * @map: gone with the last one
 *
 * Slots left in a shared map are uncharged from their cgroups.  A private map
 * only drops its reference to map->charged: closing the mapping uncharges.
 * Context: map->lock not held.
 */
void resv_map_put(struct resv_map *map)
{
	kref_put(&map->refs, resv_map_free);
}

/* ---- ranges of a shared map ---- */

/**
 * region_missing() - how much of a range is not in the map
 * @map: shared
 * @from: first slot
 * @to: the slot after the last
 * @nodes: how many nodes region_add() needs at most, as the map is now
 * Context: takes map->lock.
 * Return: slots of the range that are not in the map.
 */
long region_missing(struct resv_map *map, long from, long to,
		    unsigned int *nodes)
{
	struct region_hole hole;
	long n = 0;

	*nodes = 0;
	guard(spinlock)(&map->lock);
	region_hole_start(&hole, map, from);
	while (region_hole_next(&hole, to)) {
		n += hole.to - hole.from;
		++*nodes;
	}
	return n;
}

/**
 * region_add() - put a range into the map
 * @map: shared
 * @from: first slot
 * @to: the slot after the last
 * @tag: charged for the slots that are new, or NULL; each region made here
 *	takes a reference of its own
 * @spares: nodes to use
 *
 * Slots that were there before keep their tag.
 * Context: takes map->lock.
 * Return: slots added, or -ENOSPC with nothing changed for lack of spares.
 */
long region_add(struct resv_map *map, long from, long to,
		struct hugetlb_cgroup *tag, struct region_spares *spares)
{
	struct region_hole hole;
	unsigned int nodes = 0;
	long n = 0;

	guard(spinlock)(&map->lock);
	region_hole_start(&hole, map, from);
	while (region_hole_next(&hole, to))
		nodes += region_hole_nodes(&hole, tag);
	if (nodes > spares->n)
		return -ENOSPC;

	region_hole_start(&hole, map, from);
	while (region_hole_next(&hole, to)) {
		n += hole.to - hole.from;
		hugetlb_cgroup_tag_get(tag);
		region_hole_fill(map, &hole, tag, spares);
	}
	return n;
}

/**
 * region_remove() - take a range out of the map and uncharge it
 * @map: shared
 * @from: first slot
 * @to: the slot after the last, or LONG_MAX
 * @spares: one node, unless the range ends where a region does
 * Context: takes map->lock.
 * Return: slots removed, or -ENOSPC with nothing changed when a region has to
 * be split and there is no spare node.
 */
long region_remove(struct resv_map *map, long from, long to,
		   struct region_spares *spares)
{
	struct resv_region *region, *next;
	long n = 0;

	if (from >= to)
		return 0;
	guard(spinlock)(&map->lock);
	region = region_find(map, from);
	if (region && region_cut_splits(region, from, to) && !spares->n)
		return -ENOSPC;

	for (; region && region->from < to; region = next) {
		long overlap = region_overlap(region, from, to);

		next = region_next(region);
		hugetlb_cgroup_tag_uncharge(map->pool, region->tag, overlap);
		region_cut(map, region, from, to, spares);
		n += overlap;
	}
	return n;
}

/* ---- one slot of a shared map ---- */

/**
 * region_give() - put one slot into the map, charge and all
 * @map: shared
 * @hindex: the slot
 * @tag: charged for it, with a reference that becomes the map's; or NULL
 * @spares: one node
 * Context: takes map->lock.
 * Return: true, or false when the slot is in the map already: charge and
 * reference stay the caller's.
 */
bool region_give(struct resv_map *map, long hindex, struct hugetlb_cgroup *tag,
		 struct region_spares *spares)
{
	struct region_hole hole;

	guard(spinlock)(&map->lock);
	if (!region_hole_at(&hole, map, hindex))
		return false;
	if (region_hole_nodes(&hole, tag) > spares->n) {
		VM_WARN_ON_ONCE(1);
		return false;
	}
	region_hole_fill(map, &hole, tag, spares);
	return true;
}

/**
 * region_count() - how many slots of a range are in the map
 * @map: shared
 * @from: first slot
 * @to: the slot after the last
 * Context: takes map->lock.
 * Return: slots.
 */
long region_count(struct resv_map *map, long from, long to)
{
	struct resv_region *region;
	long n = 0;

	guard(spinlock)(&map->lock);
	for (region = region_find(map, from); region && region->from < to;
	     region = region_next(region))
		n += region_overlap(region, from, to);
	return n;
}

/**
 * region_present() - is a slot in the map?
 * @map: shared
 * @hindex: the slot
 * Context: takes map->lock.
 * Return: true if it is.
 */
bool region_present(struct resv_map *map, long hindex)
{
	guard(spinlock)(&map->lock);
	return region_find_slot(map, hindex);
}
