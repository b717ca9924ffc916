/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "common/buf.h"

#define PAGE_SIZE UINT64_C(4096)

/* Pages kept in a batch: 2 MiB, several times what the samples of one batch touch. */
#define CACHE_PAGES 512

/* Reads longer than this, of source texts, would only push the small ones out of the cache. */
#define CACHED_READ_MAX (4 * PAGE_SIZE)

/* What an image consists of: a page's address, and its bytes. */
#define STORED_SIZE (sizeof(uint64_t) + PAGE_SIZE)

/* A page in an image. */
struct stored {
	uint64_t addr;
	const uint8_t *data;
};

struct page {
	uint64_t addr;
	uint64_t batch; /* which nd_memory_forget() this belongs to; 0 is never current */
	bool readable;
	uint8_t data[PAGE_SIZE];
};

struct nd_memory {
	/* Read straight from behind: 0, -EFAULT, -ESRCH, -EPERM. An image only has whole pages. */
	int (*fetch)(struct nd_memory *memory, uint64_t addr, void *buf, size_t len);
	pid_t pid;
	struct stored *image; /* sorted */
	size_t image_pages;
	const uint8_t *overlay;
	uint64_t overlay_addr;
	size_t overlay_len;
	struct nd_buf *save;
	uint64_t batch;
	bool gone;
	struct nd_memory_stats stats;
	struct page pages[CACHE_PAGES];
};

static int fetch_process(struct nd_memory *memory, uint64_t addr, void *buf, size_t len)
{
	struct iovec local = {.iov_base = buf, .iov_len = len};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)addr, .iov_len = len};
	ssize_t n = process_vm_readv(memory->pid, &local, 1, &remote, 1, 0);

	if (n < 0 && errno == ESRCH)
		memory->gone = true;
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EFAULT;
}

int nd_memory_check(pid_t pid)
{
	uint8_t byte;
	struct iovec local = {.iov_base = &byte, .iov_len = 1};
	/* Nothing is ever mapped there; the kernel asks for permission before it looks. */
	struct iovec remote = {.iov_base = NULL, .iov_len = 1};

	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) >= 0 || errno == EFAULT)
		return 0;
	return -errno;
}

static int compare_stored(const void *a, const void *b)
{
	const struct stored *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return (x->data > y->data) - (x->data < y->data);
}

static int fetch_image(struct nd_memory *memory, uint64_t addr, void *buf, size_t len)
{
	size_t low = 0, high = memory->image_pages, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (memory->image[mid].addr < addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == memory->image_pages || memory->image[low].addr != addr)
		return -EFAULT;
	memcpy(buf, memory->image[low].data, len);
	return 0;
}

struct nd_memory *nd_memory_new_process(pid_t pid)
{
	struct nd_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return NULL;
	memory->fetch = fetch_process;
	memory->pid = pid;
	memory->batch = 1;
	return memory;
}

struct nd_memory *nd_memory_new_image(const void *image, size_t size)
{
	struct nd_memory *memory = calloc(1, sizeof(*memory));
	const uint8_t *at = image;
	size_t i, count = size / STORED_SIZE;

	if (!memory)
		return NULL;
	memory->fetch = fetch_image;
	memory->batch = 1;
	memory->image_pages = count;
	memory->image = calloc(count ? count : 1, sizeof(memory->image[0]));
	if (!memory->image) {
		nd_memory_free(memory);
		return NULL;
	}
	for (i = 0; i < count; i++, at += STORED_SIZE) {
		memcpy(&memory->image[i].addr, at, sizeof(uint64_t));
		memory->image[i].data = at + sizeof(uint64_t);
	}
	qsort(memory->image, count, sizeof(memory->image[0]), compare_stored);
	return memory;
}

void nd_memory_free(struct nd_memory *memory)
{
	if (!memory)
		return;
	free(memory->image);
	free(memory);
}

static int fetch(struct nd_memory *memory, uint64_t addr, void *buf, size_t len)
{
	int ret;

	memory->stats.misses++;
	if (memory->gone)
		return -ESRCH;
	ret = memory->fetch(memory, addr, buf, len);
	if (!ret && memory->save) {
		nd_buf_add(memory->save, &addr, sizeof(addr));
		nd_buf_add(memory->save, buf, len);
	}
	return ret;
}

/* The page of a page address, read when it is not of this batch. */
static const struct page *get_page(struct nd_memory *memory, uint64_t addr)
{
	struct page *page = &memory->pages[(addr / PAGE_SIZE * 0x9E3779B97F4A7C15u) >> 55];

	if (page->batch != memory->batch || page->addr != addr) {
		page->batch = memory->batch;
		page->addr = addr;
		page->readable = !fetch(memory, addr, page->data, PAGE_SIZE);
	}
	return page;
}

static int read_cached(struct nd_memory *memory, uint64_t addr, uint8_t *buf, size_t len)
{
	const struct page *page;
	size_t at, n;

	while (len) {
		at = addr % PAGE_SIZE;
		n = len < PAGE_SIZE - at ? len : PAGE_SIZE - at;
		page = get_page(memory, addr - at);
		if (!page->readable)
			return memory->gone ? -ESRCH : -EFAULT;
		memcpy(buf, page->data + at, n);
		buf += n;
		addr += n;
		len -= n;
	}
	return 0;
}

int nd_memory_read(struct nd_memory *memory, uint64_t addr, void *buf, size_t len)
{
	memory->stats.reads++;
	if (addr + len < addr)
		return -EFAULT;
	if (memory->overlay && addr >= memory->overlay_addr &&
	    addr - memory->overlay_addr <= memory->overlay_len &&
	    len <= memory->overlay_len - (addr - memory->overlay_addr)) {
		memcpy(buf, memory->overlay + (addr - memory->overlay_addr), len);
		return 0;
	}
	/* Images are made of pages, and made page by page. */
	if (len > CACHED_READ_MAX && !memory->image && !memory->save)
		return fetch(memory, addr, buf, len);
	return read_cached(memory, addr, buf, len);
}

uint64_t nd_memory_read_u64(struct nd_memory *memory, uint64_t addr)
{
	uint64_t word = 0;

	return nd_memory_read(memory, addr, &word, sizeof(word)) ? 0 : word;
}

void nd_memory_forget(struct nd_memory *memory)
{
	memory->batch++;
}

void nd_memory_set_overlay(struct nd_memory *memory, uint64_t addr, const void *data, size_t len)
{
	memory->overlay = data;
	memory->overlay_addr = addr;
	memory->overlay_len = data ? len : 0;
}

bool nd_memory_is_gone(const struct nd_memory *memory)
{
	return memory->gone;
}

void nd_memory_save(struct nd_memory *memory, struct nd_buf *image)
{
	memory->save = image;
}

void nd_memory_get_stats(const struct nd_memory *memory, struct nd_memory_stats *ret_stats)
{
	*ret_stats = memory->stats;
}
