// SPDX-License-Identifier: GPL-2.0
/*
 * Write to all of some fresh memory and say how many page faults that took, and
 * of which size the folios are that it got.
 * Exit status 0: done; 1: refused; 2: what was written is not there.
 *
 * usage: thp_show [-a] [-d] anon MIB		memory of this process
 *	  thp_show [-a] [-d] memfd MIB		of a memfd
 *	  thp_show [-a] [-d] NAME MIB		POSIX shared memory: a file in
 *						/dev/shm, removed again
 * -a: advised, by madvise(MADV_HUGEPAGE)
 * -d: after prctl(PR_SET_THP_DISABLE, 1, PR_THP_DISABLE_EXCEPT_ADVISED)
 */
#define _GNU_SOURCE
#include <sys/prctl.h>
#include <sys/resource.h>
#include "khugepaged_test.h"

#ifndef PR_THP_DISABLE_EXCEPT_ADVISED
#define PR_THP_DISABLE_EXCEPT_ADVISED	2
#endif

#define VALUE	0x42

static void refused(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

/* -1 for memory without a file */
static int file_of(const char *kind, size_t len)
{
	int fd;

	if (!strcmp(kind, "anon"))
		return -1;
	if (!strcmp(kind, "memfd")) {
		fd = memfd_create("thp_show", 0);
	} else {
		fd = shm_open(kind, O_RDWR | O_CREAT, 0600);
		shm_unlink(kind);
	}
	if (fd < 0 || ftruncate(fd, len))
		refused(kind);
	return fd;
}

/* The place is aligned, so that the whole of it can be huge pages. */
static char *map(int fd, size_t len)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	char *at = khp_reserve(len);
	char *p = mmap(at, len, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd,
		       0);

	if (!at || p == MAP_FAILED)
		refused("mmap");
	return p;
}

static long wrong_pages(const char *p, size_t len)
{
	long wrong = 0;

	for (size_t i = 0; i < len; i += psize())
		wrong += p[i] != VALUE || p[i + psize() - 1] != VALUE;
	return wrong;
}

int main(int argc, char **argv)
{
	bool advise = false, disable = false;
	size_t len;
	long n, wrong;
	int option;
	char *p;

	while ((option = getopt(argc, argv, "ad")) != -1) {
		advise |= option == 'a';
		disable |= option == 'd';
	}
	if (argc != optind + 2)
		return 1;
	len = strtoul(argv[optind + 1], NULL, 10) << 20;
	if (disable && prctl(PR_SET_THP_DISABLE, 1,
			     PR_THP_DISABLE_EXCEPT_ADVISED, 0, 0))
		refused("prctl");
	p = map(file_of(argv[optind], len), len);
	if (advise && madvise(p, len, MADV_HUGEPAGE))
		refused("madvise");
	n = faults();
	memset(p, VALUE, len);
	n = faults() - n;
	printf("%zu MB written: %ld page faults, folios of %u kB\n", len >> 20,
	       n, (psize() >> 10) << khp_order_at(p));
	wrong = wrong_pages(p, len);
	if (wrong)
		printf("%ld pages are not what was written\n", wrong);
	return wrong ? 2 : 0;
}
