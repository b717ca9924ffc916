/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/oom/fail_alloc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <zlib.h>

static enum fail_alloc_mode mode;
static size_t fail_at;
static size_t count;

void fail_alloc_start(enum fail_alloc_mode new_mode, size_t n)
{
	mode = new_mode;
	fail_at = n;
	count = 0;
}

size_t fail_alloc_stop(void)
{
	mode = FAIL_ALLOC_NEVER;
	return count;
}

static bool fails(void)
{
	size_t n = count++;

	return (mode == FAIL_ALLOC_ONCE && n == fail_at) ||
	       (mode == FAIL_ALLOC_FROM && n >= fail_at);
}

/* The names that ld --wrap gives: calls of X arrive at __wrap_X, and __real_X is X. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__real_reallocarray(void *ptr, size_t n, size_t size);
char *__real_strdup(const char *str);
int __real_deflateInit2_(z_stream *stream, int level, int method, int bits, int memory,
			 int strategy, const char *version, int size);
int __real_inflateInit2_(z_stream *stream, int bits, const char *version, int size);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
void *__wrap_reallocarray(void *ptr, size_t n, size_t size);
char *__wrap_strdup(const char *str);
int __wrap_deflateInit2_(z_stream *stream, int level, int method, int bits, int memory,
			 int strategy, const char *version, int size);
int __wrap_inflateInit2_(z_stream *stream, int bits, const char *version, int size);

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
	return fails() ? NULL : __real_realloc(ptr, size);
}

void *__wrap_reallocarray(void *ptr, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(ptr, n, size);
}

char *__wrap_strdup(const char *str)
{
	return fails() ? NULL : __real_strdup(str);
}

/* NOLINTNEXTLINE(readability-function-size): as many parameters as zlib has. */
int __wrap_deflateInit2_(z_stream *stream, int level, int method, int bits, int memory,
			 int strategy, const char *version, int size)
{
	if (fails())
		return Z_MEM_ERROR;
	return __real_deflateInit2_(stream, level, method, bits, memory, strategy, version, size);
}

int __wrap_inflateInit2_(z_stream *stream, int bits, const char *version, int size)
{
	return fails() ? Z_MEM_ERROR : __real_inflateInit2_(stream, bits, version, size);
}

void fail_alloc_jansson(void)
{
	json_set_alloc_funcs(__wrap_malloc, free);
}
