/* SPDX-License-Identifier: GPL-2.0 */
/* Writing to a knob that may say no. */
#ifndef FILE_WRITE_H
#define FILE_WRITE_H

#include <errno.h>
#include <fcntl.h>
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

#endif /* FILE_WRITE_H */
