/* SPDX-License-Identifier: Apache-2.0 */
#include "common/pages.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Less is not worth a call. */
#define BYTES_MIN (1u << 20)

/* Linux 5.14; older ones refuse. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

void nd_pages_populate(void *at, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)at & ~(page - 1);

	if (at && size >= BYTES_MIN)
		madvise((char *)at - ((uintptr_t)at - start), size + ((uintptr_t)at - start),
			MADV_POPULATE_WRITE);
}
