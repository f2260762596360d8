/* SPDX-License-Identifier: GPL-2.0 */
/* Files of one knob, which may say no, and files with a counter a line. */
#ifndef TEST_FILES_H
#define TEST_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * Seconds for a test that does not say.  The harness means 30; a kernel with
 * every check on is ten times slower, and the host may have more to do.
 */
#ifdef TEST_TIMEOUT_DEFAULT
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	300
#endif

/* 0, or the errno of the write */
static inline int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err = errno ? errno : EIO;
	close(fd);
	return err;
}

/* The number next to a name, or -1 */
static inline long file_counter(const char *path, const char *name)
{
	FILE *f = fopen(path, "r");
	long v = -1, found;
	char word[64];

	if (!f)
		return -1;
	while (fscanf(f, "%63s %ld", word, &found) == 2) {
		if (!strcmp(word, name))
			v = found;
	}
	fclose(f);
	return v;
}

/* Numbers of all lines like @format, which has one %ld, together */
static inline long file_sum(const char *path, const char *format)
{
	FILE *f = fopen(path, "r");
	long sum = 0, v;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, format, &v) == 1)
			sum += v;
	}
	if (f)
		fclose(f);
	return sum;
}

#endif /* TEST_FILES_H */
