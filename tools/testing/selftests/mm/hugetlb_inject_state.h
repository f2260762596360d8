/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All counters that user space can read, for the hugetlb_inject* tests: of
 * every pool and its nodes, of this process, of a mount and of a cgroup.
 */
#ifndef HUGETLB_INJECT_STATE_H
#define HUGETLB_INJECT_STATE_H

#include <dirent.h>
#include <sys/vfs.h>
#include "hugetlb_test.h"

#define INJECT_VALUES	48
#define INJECT_NODES	8

enum inject_kind {
	VALUE_FILE,	/* the first number in a file */
	VALUE_SUMS,	/* of a pool, less that of its nodes: 0 */
	VALUE_NAMED,	/* the number next to its name */
	VALUE_VMSTAT,	/* the same, of /proc/vmstat once all CPUs told theirs */
	VALUE_BLOCKS,	/* free pages of a mount */
	VALUE_INODES,	/* free inodes of a mount */
	VALUE_MEMORY,	/* charged to a cgroup since, in pages of 2M, rounded */
};

struct inject_value {
	char			name[64];
	enum inject_kind	kind;
	int			fds;
	int			fd[1 + INJECT_NODES];
	long			start;
};

/* What is looked at; the files stay open. */
struct inject_list {
	int			n;
	struct inject_value	value[INJECT_VALUES];
};

struct inject_state {
	long	v[INJECT_VALUES];
};

static inline long inject_number(int fd)
{
	char text[32] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return -1;
	return strtol(text, NULL, 10);
}

/* A whole file, which may take several reads; until the next one. */
static inline const char *inject_contents(int fd)
{
	static char text[32768];
	size_t len = 0;
	ssize_t got;

	while ((got = pread(fd, text + len, sizeof(text) - 1 - len, len)) > 0)
		len += got;
	text[len] = 0;
	return text;
}

/* The number next to a name */
static inline long inject_named(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = text; at && *at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (!strncmp(at, name, n) && (at[n] == ':' || at[n] == ' '))
			return strtol(at + n + 1, NULL, 10);
	}
	return -1;
}

/* Sums of what each CPU has counted, or they may lag behind. */
static inline void inject_refresh(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_RDONLY);
	char text[8];

	while (read(fd, text, sizeof(text)) > 0)
		;
	close(fd);
}

/* Never below zero before the division, which would round the other way. */
static inline long inject_huge_pages(long bytes)
{
	const long size = SZ_HUGE, offset = 512;

	return (bytes + offset * size + size / 2) / size - offset;
}

static inline long inject_read(struct inject_value *value)
{
	struct statfs sf;
	long v;

	switch (value->kind) {
	case VALUE_NAMED:
		return inject_named(inject_contents(value->fd[0]), value->name);
	case VALUE_BLOCKS:
		return fstatfs(value->fd[0], &sf) ? -1 : (long)sf.f_bfree;
	case VALUE_INODES:
		return fstatfs(value->fd[0], &sf) ? -1 : (long)sf.f_ffree;
	default:
		break;
	}
	v = inject_number(value->fd[0]);
	if (value->kind == VALUE_MEMORY)
		return inject_huge_pages(v - value->start);
	for (int i = 1; i < value->fds; i++)
		v -= inject_number(value->fd[i]);
	return v;
}

/* Those of /proc/vmstat are next to each other: it is read once. */
static inline void inject_look(struct inject_list *list,
			       struct inject_state *state)
{
	const char *vmstat = NULL;

	for (int i = 0; i < list->n; i++) {
		struct inject_value *value = &list->value[i];

		if (value->kind != VALUE_VMSTAT) {
			state->v[i] = inject_read(value);
			vmstat = NULL;
			continue;
		}
		if (!vmstat) {
			inject_refresh();
			vmstat = inject_contents(value->fd[0]);
		}
		state->v[i] = inject_named(vmstat, value->name);
	}
}

static inline bool inject_same(const struct inject_list *list,
			       const struct inject_state *a,
			       const struct inject_state *b)
{
	return !memcmp(a->v, b->v, list->n * sizeof(a->v[0]));
}

static inline bool inject_adds_up(const struct inject_list *list,
				  const struct inject_state *state)
{
	for (int i = 0; i < list->n; i++) {
		if (list->value[i].kind == VALUE_SUMS && state->v[i])
			return false;
	}
	return true;
}

/* Pages that hold struct pages; none of the values, as it takes its time. */
static inline long inject_memmap(void)
{
	return file_sum("/proc/vmstat", "nr_memmap_pages %ld") +
	       file_sum("/proc/vmstat", "nr_memmap_boot_pages %ld");
}

/* Wait until a work item has given back what it will. */
static inline void inject_memmap_settle(void)
{
	long last = -1, now;

	for (int same = 0, i = 0; same < 4 && i < 100; i++) {
		now = inject_memmap();
		same = now == last ? same + 1 : 0;
		last = now;
		usleep(50000);
	}
}

/* ---- what to look at ---- */

static inline struct inject_value *inject_add(struct inject_list *list,
					      enum inject_kind kind,
					      const char *path,
					      const char *name)
{
	struct inject_value *value = &list->value[list->n];
	int fd;

	if (list->n == INJECT_VALUES)
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	*value = (struct inject_value) { .kind = kind, .fds = 1, .fd = { fd } };
	snprintf(value->name, sizeof(value->name), "%s", name);
	list->n++;
	return value;
}

static inline void inject_add_sums(struct inject_list *list, size_t size,
				   const char *file)
{
	struct inject_value *sums;
	char path[256], name[64];

	huge_path(path, sizeof(path), size, -1, file);
	snprintf(name, sizeof(name), "%zuK %s less nodes", size >> 10, file);
	sums = inject_add(list, VALUE_SUMS, path, name);
	for (int n = 0; sums && n < huge_nodes() && n < INJECT_NODES; n++) {
		huge_path(path, sizeof(path), size, n, file);
		sums->fd[sums->fds++] = open(path, O_RDONLY | O_CLOEXEC);
	}
}

static inline void inject_add_pool(struct inject_list *list, size_t size)
{
	static const char * const files[] = {
		"nr_hugepages", "free_hugepages", "surplus_hugepages",
		"resv_hugepages",
	};
	char path[256], name[64];

	for (int f = 0; f < 4; f++) {
		huge_path(path, sizeof(path), size, -1, files[f]);
		snprintf(name, sizeof(name), "%zuK %s", size >> 10, files[f]);
		inject_add(list, VALUE_FILE, path, name);
		/* Promises are of no node. */
		if (f < 3)
			inject_add_sums(list, size, files[f]);
	}
}

static inline void inject_add_charges(struct inject_list *list, size_t size,
				      const char *cgroup)
{
	static const char * const files[] = { "current", "rsvd.current" };
	const char *unit = "KB";
	char path[192], name[64];

	size >>= 10;
	if (size >= 1 << 20) {
		size >>= 20;
		unit = "GB";
	} else if (size >= 1 << 10) {
		size >>= 10;
		unit = "MB";
	}
	for (int f = 0; f < 2; f++) {
		snprintf(name, sizeof(name), "hugetlb.%zu%s.%s", size, unit,
			 files[f]);
		snprintf(path, sizeof(path), "%s/%s", cgroup, name);
		inject_add(list, VALUE_FILE, path, name);
	}
}

static inline void inject_add_memory(struct inject_list *list,
				     const char *cgroup)
{
	struct inject_value *memory;
	char path[192];

	snprintf(path, sizeof(path), "%s/memory.current", cgroup);
	memory = inject_add(list, VALUE_MEMORY, path, "memory.current in 2M");
	if (memory)
		memory->start = inject_number(memory->fd[0]);
}

/* @mount and @cgroup are directories, or NULL. */
static inline void inject_add_all(struct inject_list *list, const char *mount,
				  const char *cgroup)
{
	struct dirent *entry;
	size_t kib;
	DIR *dir;

	dir = opendir(POOL_ROOT);
	while (dir && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "hugepages-%zukB", &kib) != 1)
			continue;
		inject_add_pool(list, kib << 10);
		if (cgroup)
			inject_add_charges(list, kib << 10, cgroup);
	}
	if (dir)
		closedir(dir);
	inject_add(list, VALUE_NAMED, "/proc/self/status", "HugetlbPages");
	if (mount) {
		inject_add(list, VALUE_BLOCKS, mount, "free pages of the mount");
		inject_add(list, VALUE_INODES, mount, "free inodes of the mount");
	}
	if (cgroup)
		inject_add_memory(list, cgroup);
}

static inline void inject_forget_all(struct inject_list *list)
{
	for (int i = 0; i < list->n; i++) {
		for (int f = 0; f < list->value[i].fds; f++)
			close(list->value[i].fd[f]);
	}
	list->n = 0;
}

#endif /* HUGETLB_INJECT_STATE_H */
