/* SPDX-License-Identifier: Apache-2.0 */
#include "common/pages.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Less is not worth a call. */
#define BYTES_MIN (1u << 20)

/* Linux 5.14; older ones refuse. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* A list of before has all of its pages, so a look at the first of so many bytes is enough. */
#define WINDOW_BYTES (2u << 20)

static bool is_there(char *page, size_t page_size)
{
	unsigned char state;

	return !mincore(page, page_size, &state) && state & 1;
}

void nd_pages_populate(void *at, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), window;
	char *from, *end;

	if (!at || size < BYTES_MIN)
		return;
	end = (char *)at + size;
	/* What is before the first whole page may be there for another reason. */
	from = (char *)at + (page - ((uintptr_t)at & (page - 1)));
	for (; from < end; from += window) {
		window = (size_t)(end - from) < WINDOW_BYTES ? (size_t)(end - from) : WINDOW_BYTES;
		if (!is_there(from, page))
			madvise(from, window, MADV_POPULATE_WRITE);
	}
}

void nd_pages_keep(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, -1);
#endif
}
