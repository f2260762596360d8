// SPDX-License-Identifier: GPL-2.0
/*
 * The only program of a guest: walks through a table of paths, and marks for
 * the plugin where each begins and ends.
 *
 * Kernel command line: bench=NAME, which table.  Results go to the console, one
 * line each, fields separated by "|"; see print_path().  The last is "@done".
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>

#include "bench.h"
#include "marks.h"

#define SETTLE_MS	300
#define IDLE_WINDOWS	4

static void leave(void)
{
	fflush(stdout);
	tcdrain(1);
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

void die_of(int error)
{
	printf("|%s\n", strerror(error));
	leave();
}

/* ---- files ---- */

int open_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("open %s", path);
	return fd;
}

void write_file(const char *path, const char *text)
{
	int fd = open_file(path);

	if (write(fd, text, strlen(text)) < 0)
		die("write %s to %s", text, path);
	close(fd);
}

long read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	long n;

	if (!f || fscanf(f, "%ld", &n) != 1)
		die("read %s", path);
	fclose(f);
	return n;
}

/* Nothing but the system call and what is needed for it. */
void write_number(int fd, unsigned long n)
{
	char text[24];
	int length = snprintf(text, sizeof(text), "%lu", n);

	if (pwrite(fd, text, length, 0) != length)
		die("write of %lu", n);
}

/* ---- windows ---- */

/* Shared, because a child may open what its parent closes. */
struct window_state {
	unsigned int	windows;
	unsigned int	lap;
	bool		muted;		/* rehearsal */
	uint64_t	since;
	uint64_t	elapsed[2];	/* before and after a lap */
};

static struct window_state *state;

static uint64_t now(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a" (low), "=d" (high) :: "memory");
	return (uint64_t)high << 32 | low;
}

void window_open(void)
{
	if (state->muted)
		return;
	state->lap = 0;
	state->since = now();
	asm volatile("nopl %c0(%%rax)" :: "i" (MARK_OPEN) : "memory");
}

void window_lap(void)
{
	if (state->muted)
		return;
	asm volatile("nopl %c0(%%rax)" :: "i" (MARK_LAP) : "memory");
	state->elapsed[state->lap++] += now() - state->since;
	state->since = now();
}

void window_close(void)
{
	if (state->muted)
		return;
	asm volatile("nopl %c0(%%rax)" :: "i" (MARK_CLOSE) : "memory");
	state->elapsed[state->lap] += now() - state->since;
	state->windows++;
}

void settle(void)
{
	struct timespec t = { .tv_nsec = SETTLE_MS * 1000000L };

	nanosleep(&t, NULL);
}

/* What settle() costs when there is nothing to wait for. */
static void run_idle(const struct bench_path *path)
{
	unsigned int i;

	for (i = 0; i < IDLE_WINDOWS; i++) {
		window_open();
		settle();
		window_close();
	}
}

/* ---- paths ---- */

static void print_path(const struct bench_path *path)
{
	static const char * const cost[] = {
		[COST_OVERHEAD] = "overhead",
		[COST_UNCOPIED] = "uncopied",
		[COST_ELAPSED] = "elapsed",
	};

	printf("@path|%s|%s|%u|%u|%llu|%llu|%s|%u|%s|%s\n",
	       path->name, path->title, path->n, state->windows,
	       (unsigned long long)state->elapsed[0],
	       (unsigned long long)state->elapsed[1],
	       cost[path->cost], path->bound,
	       path->against ?: "", path->minus ?: "");
	fflush(stdout);
	tcdrain(1);
}

static void measure(const struct bench_path *path, bool twice)
{
	memset(state, 0, sizeof(*state));
	if (twice) {
		state->muted = true;
		path->run(path);
		state->muted = false;
	}
	settle();
	path->run(path);
	print_path(path);
}

static const struct bench_path path_idle = {
	.name = "idle", .title = "sleep of 300 ms", .run = run_idle, .n = 1,
};

static const struct table {
	const char *name;
	const struct bench_path *paths;
	bool twice;
} tables[] = {
	{ "plain", paths_plain, true },
	{ "hvo", paths_hvo, false },
	{ "surplus", paths_hvo_surplus, false },
	{ "regions", paths_regions, true },
	{ "thp", paths_thp, true },
	{ }
};

static const struct table *table_wanted(void)
{
	char line[4096] = "", *word, *rest = line;
	FILE *f = fopen("/proc/cmdline", "r");
	const struct table *table;

	if (!f || !fgets(line, sizeof(line), f))
		die("read /proc/cmdline");
	fclose(f);
	while ((word = strsep(&rest, "\n "))) {
		if (strncmp(word, "bench=", 6))
			continue;
		for (table = tables; table->name; table++) {
			if (!strcmp(table->name, word + 6))
				return table;
		}
	}
	die("no such table");
	return NULL;
}

static void mount_all(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/tmp", 0755);
	if (mount("proc", "/proc", "proc", 0, NULL) ||
	    mount("sys", "/sys", "sysfs", 0, NULL) ||
	    mount("debug", "/sys/kernel/debug", "debugfs", 0, NULL))
		die("mount");
}

int main(void)
{
	const struct bench_path *path;
	const struct table *table;

	setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
	mount_all();
	table = table_wanted();
	state = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (state == MAP_FAILED)
		die("mmap");

	measure(&path_idle, true);
	for (path = table->paths; path->name; path++)
		measure(path, table->twice);
	printf("@done\n");
	leave();
}
