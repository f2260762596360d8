/* SPDX-License-Identifier: GPL-2.0 */
/* Memory of which one thread knows at any time what every page holds. */
#ifndef KHUGEPAGED_ARENA_H
#define KHUGEPAGED_ARENA_H

#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include "khugepaged_test.h"

#define CHILDREN	4

/*
 * What a worker owns.  It begins and ends in the middle of a window, and seeds
 * says what page i holds: 0 is zeroes.
 */
struct arena {
	const char	*name;
	char		*volatile base;
	char		*spare;		/* address space to move to */
	long		pages;
	size_t		len;
	uint32_t	*seeds;
	uint32_t	next_seed;
	int		fd;		/* -1: private memory */
	const char	*path;		/* of a file to open for writing */
	int		uffd;
	volatile long	missing, protected;	/* faults that were handled */
	unsigned int	rand;		/* of the first thread */
	pid_t		child[CHILDREN];
	volatile bool	stop;
};

static inline long any(struct arena *a, long n)
{
	return rand_r(&a->rand) % n;
}

static inline void fail(struct arena *a, const char *what, long page)
{
	printf("# %s: %s, page %ld of %ld at %p, seed %u, pid %d\n", a->name,
	       what, page, a->pages, a->base + page * psize(), a->seeds[page],
	       getpid());
	fflush(stdout);
	_exit(1);
}

/* ---- what the memory holds ---- */

static inline bool page_good(struct arena *a, long page)
{
	const uint64_t *word = (const uint64_t *)(a->base + page * psize());
	uint64_t want = a->seeds[page] ? khp_word(a->seeds[page], page) : 0;

	for (size_t i = 0; i < psize() / sizeof(*word); i++) {
		if (word[i] != want)
			return false;
	}
	return true;
}

static inline void check_range(struct arena *a, long first, long n)
{
	for (long i = first; i < first + n; i++) {
		if (!page_good(a, i))
			fail(a, "wrong contents", i);
	}
}

static inline void write_range(struct arena *a, long first, long n)
{
	for (long i = first; i < first + n; i++) {
		a->seeds[i] = ++a->next_seed;
		khp_fill_page(a->base, a->seeds[i], i);
	}
}

static inline void forget_range(struct arena *a, long first, long n)
{
	memset(a->seeds + first, 0, n * sizeof(*a->seeds));
}

/* A range of random place and size; mostly short. */
static inline long any_range(struct arena *a, long *n)
{
	long first = any(a, a->pages);
	long most = any(a, 4) ? 64 : a->pages;

	*n = 1 + any(a, most);
	if (first + *n > a->pages)
		*n = a->pages - first;
	return first;
}

/* ---- userfaultfd ---- */

static inline int open_uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline void handle(struct arena *a, struct uffd_msg *msg, char *page)
{
	unsigned long at = msg->arg.pagefault.address & ~(psize() - 1UL);
	long i = (at - (uintptr_t)a->base) / psize();

	if (msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) {
		struct uffdio_writeprotect wp = {
			.range = { .start = at, .len = psize() },
		};

		a->protected++;
		ioctl(a->uffd, UFFDIO_WRITEPROTECT, &wp);
	} else {
		struct uffdio_copy copy = {
			.dst = at, .src = (uintptr_t)page, .len = psize(),
		};

		khp_fill_one(page, a->seeds[i], i);
		a->missing++;
		ioctl(a->uffd, UFFDIO_COPY, &copy);
	}
}

static inline void *handler(void *arg)
{
	struct arena *a = arg;
	char *page = aligned_alloc(psize(), psize());
	struct pollfd pfd = { .fd = a->uffd, .events = POLLIN };
	struct uffd_msg msg;

	while (!a->stop) {
		if (poll(&pfd, 1, 100) <= 0)
			continue;
		if (read(a->uffd, &msg, sizeof(msg)) == sizeof(msg) &&
		    msg.event == UFFD_EVENT_PAGEFAULT)
			handle(a, &msg, page);
	}
	free(page);
	return NULL;
}

static inline bool watch(struct arena *a, long first, long n, int mode)
{
	struct uffdio_register reg = {
		.range = {
			.start = (uintptr_t)a->base + first * psize(),
			.len = n * psize(),
		},
		.mode = mode,
	};

	return !ioctl(a->uffd, UFFDIO_REGISTER, &reg);
}

static inline void unwatch(struct arena *a, long first, long n)
{
	struct uffdio_range range = {
		.start = (uintptr_t)a->base + first * psize(),
		.len = n * psize(),
	};

	ioctl(a->uffd, UFFDIO_UNREGISTER, &range);
}

#endif /* KHUGEPAGED_ARENA_H */
