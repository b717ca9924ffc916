/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/statm.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

uint64_t nd_statm_read(enum nd_statm field)
{
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC), i;
	char text[256], *rest = text;
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	for (i = 0; i < (int)field; i++)
		strtoul(rest, &rest, 10);
	return strtoul(rest, NULL, 10) * (uint64_t)getpagesize();
}
