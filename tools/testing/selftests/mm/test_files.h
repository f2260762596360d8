/* SPDX-License-Identifier: GPL-2.0 */
/* Files of one knob, which may say no, and files with a counter a line. */
#ifndef TEST_FILES_H
#define TEST_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

#endif /* TEST_FILES_H */
