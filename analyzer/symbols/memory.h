/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_MEMORY_H
#define NODIAG_ANALYZER_SYMBOLS_MEMORY_H

/*
 * The one way to read another process's memory.
 *
 * Behind it is a live process (process_vm_readv(2): it is not stopped, and nothing is written), or
 * an image: pages of memory stored earlier. Whole pages are read and kept for one batch of
 * samples, since the objects of one stack lie close together; nd_memory_forget() ends the batch.
 *
 * What is read may be torn, stale or hostile: callers check types and bounds. Not thread-safe.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct nd_buf;
struct nd_memory;

struct nd_memory_stats {
	uint64_t reads;	 /* nd_memory_read() calls */
	uint64_t misses; /* of these, those that went to the process */
};

/* The memory of a process. NULL when out of memory. */
struct nd_memory *nd_memory_new_process(pid_t pid);

/* Whether this user may read a process's memory: 0, -EPERM, -ESRCH, or -ENOSYS in a sandbox. */
int nd_memory_check(pid_t pid);

/*
 * The memory in an image that nd_memory_save() made, which must outlive it. What is there of a page
 * that was cut off at the end is not there; of a page stored twice the first counts. NULL when out
 * of memory.
 */
struct nd_memory *nd_memory_new_image(const void *image, size_t size);
void nd_memory_free(struct nd_memory *memory);

/* Read `len` bytes at `addr`. 0, -EFAULT when they are not all there, -ESRCH, -EPERM. */
int nd_memory_read(struct nd_memory *memory, uint64_t addr, void *buf, size_t len);

/* Read one word, 0 when it is not there. */
uint64_t nd_memory_read_u64(struct nd_memory *memory, uint64_t addr);

/* Drop the pages read so far: what comes next is another moment. */
void nd_memory_forget(struct nd_memory *memory);

/*
 * Let reads within [addr, addr + len) see `data`, the copy of a stack, in place of the process;
 * NULL ends it. The data must live as long.
 */
void nd_memory_set_overlay(struct nd_memory *memory, uint64_t addr, const void *data, size_t len);

/* Whether the process was found gone by a read. */
bool nd_memory_is_gone(const struct nd_memory *memory);

/*
 * From now on append each page that is read to `image`, for nd_memory_new_image(): its address, 8
 * bytes in host order, and its 4096 bytes. NULL stops. Pages of the same batch that were read
 * before are not in it.
 */
void nd_memory_save(struct nd_memory *memory, struct nd_buf *image);

void nd_memory_get_stats(const struct nd_memory *memory, struct nd_memory_stats *ret_stats);

#endif /* NODIAG_ANALYZER_SYMBOLS_MEMORY_H */
