// SPDX-License-Identifier: GPL-2.0
/*
 * Use huge pages in one way and say what /proc/meminfo answers at each step.
 * Exit status 0: the counters moved as documented; 1: the kernel refused;
 * 2: it did something else.
 *
 * usage: hugetlb_show map|map1g|cow|shm|memfd N
 *	  hugetlb_show file PATH N
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include "hugetlb_test.h"

static struct huge_counts start;
static size_t size = SZ_HUGE;

/* Counters moved by these amounts since the program started? */
static void expect(const char *when, long free, long resv)
{
	struct huge_counts now = huge_counts(size);

	printf("%-28s free %3ld  reserved %3ld\n", when, now.free, now.resv);
	if (start.total != now.total)
		return;		/* surplus pages: the pool grew with demand */
	if (now.free - start.free == free && now.resv - start.resv == resv)
		return;
	printf("expected                     free %3ld  reserved %3ld\n",
	       start.free + free, start.resv + resv);
	exit(2);
}

static void refuse(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static void touch(char *p, long n)
{
	for (long i = 0; i < n; i++)
		p[i * size] = i + 1;
}

static void verify(const char *p, long n)
{
	for (long i = 0; i < n; i++) {
		if (p[i * size] == (char)(i + 1))
			continue;
		printf("page %ld lost its data\n", i);
		exit(2);
	}
}

static void show_mapping(char *p, long n)
{
	expect("after mmap", 0, n);
	touch(p, n);
	expect("after touching them", -n, 0);
	verify(p, n);
	munmap(p, n * size);
	expect("after munmap", 0, 0);
}

static void show_map(long n, int flags)
{
	char *p = mmap(NULL, n * size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | flags, -1, 0);

	if (p == MAP_FAILED)
		refuse("mmap");
	show_mapping(p, n);
}

static void show_cow(long n)
{
	char *p = mmap(NULL, n * size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	int status;

	if (p == MAP_FAILED)
		refuse("mmap");
	touch(p, n);
	expect("parent touched", -n, 0);
	fflush(stdout);
	if (fork() == 0) {
		verify(p, n);
		expect("child reads, nothing copied", -n, 0);
		p[0] = 99;
		expect("child wrote one page", -n - 1, 0);
		exit(0);
	}
	wait(&status);
	if (status)
		exit(2);
	verify(p, n);
	expect("child gone, data unchanged", -n, 0);
	munmap(p, n * size);
	expect("after munmap", 0, 0);
}

static void show_file(const char *path, long n)
{
	int fd = open(path, O_CREAT | O_RDWR, 0600);
	char *p;

	if (fd < 0)
		refuse(path);
	p = mmap(NULL, n * size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		refuse("mmap");
	touch(p, n);
	munmap(p, n * size);
	printf("%s holds %ld pages\n", path, n);
	close(fd);
}

static void show_shm(long n)
{
	int id = shmget(IPC_PRIVATE, n * size, SHM_HUGETLB | IPC_CREAT | 0600);
	char *p;

	if (id < 0)
		refuse("shmget");
	expect("after shmget", 0, n);
	p = shmat(id, NULL, 0);
	if (p == (char *)-1)
		refuse("shmat");
	touch(p, n);
	expect("after touching them", -n, 0);
	verify(p, n);
	shmdt(p);
	shmctl(id, IPC_RMID, NULL);
	expect("after IPC_RMID", 0, 0);
}

static void show_memfd(long n)
{
	int fd = memfd_create("show", MFD_HUGETLB);
	char *p;

	if (fd < 0)
		refuse("memfd_create");
	p = mmap(NULL, n * size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		refuse("mmap");
	expect("after mmap", 0, n);
	touch(p, n);
	expect("after touching them", -n, 0);
	munmap(p, n * size);
	expect("unmapped, the file has them", -n, 0);
	close(fd);
	expect("after close", 0, 0);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	long n = argc > 2 ? atol(argv[argc - 1]) : 0;

	if (n < 1) {
		fprintf(stderr, "usage: hugetlb_show WHAT [PATH] N\n");
		return 2;
	}
	if (!strcmp(what, "map1g"))
		size = 1UL << 30;
	start = huge_counts(size);
	if (!strcmp(what, "map"))
		show_map(n, 0);
	else if (!strcmp(what, "map1g"))
		show_map(n, 30 << MAP_HUGE_SHIFT);
	else if (!strcmp(what, "cow"))
		show_cow(n);
	else if (!strcmp(what, "file"))
		show_file(argv[2], n);
	else if (!strcmp(what, "shm"))
		show_shm(n);
	else if (!strcmp(what, "memfd"))
		show_memfd(n);
	else
		return 2;
	return 0;
}
