// SPDX-License-Identifier: GPL-2.0
/*
 * A program that knows nothing of huge pages: fills a shared memory segment, or
 * memory from malloc(), and says how many huge pages that took.
 *
 * usage: client shm|heap [AT-LEAST]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#define BYTES	(8UL << 20)

static long free_pages(void)
{
	char line[128];
	long n = -1;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "HugePages_Free: %ld", &n) == 1)
			break;
	}
	if (f)
		fclose(f);
	return n;
}

static char *segment(void)
{
	int id = shmget(IPC_PRIVATE, BYTES, IPC_CREAT | 0600);
	char *p = id < 0 ? NULL : shmat(id, NULL, 0);

	if (id >= 0)
		shmctl(id, IPC_RMID, NULL);
	return p == (char *)-1 ? NULL : p;
}

int main(int argc, char **argv)
{
	long before = free_pages(), used;
	char *p;

	if (argc < 2)
		return 2;
	p = strcmp(argv[1], "shm") ? malloc(BYTES) : segment();
	if (!p) {
		perror(argv[1]);
		return 1;
	}
	for (size_t i = 0; i < BYTES; i++)
		p[i] = i * 7 >> 3;
	used = before - free_pages();
	printf("%s: %ld huge pages\n", argv[1], used);
	for (size_t i = 0; i < BYTES; i++) {
		if (p[i] != (char)(i * 7 >> 3))
			return 1;
	}
	return argc > 2 && used < atol(argv[2]);
}
