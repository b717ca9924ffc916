/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_COMMON_BUF_H
#define NODIAG_COMMON_BUF_H

/*
 * A growing byte buffer with a ceiling.
 *
 * A buffer cannot be made without saying how large it may get. Adding past the ceiling, or failing
 * to allocate, marks the buffer as failed: it keeps what it had, further adds do nothing, and the
 * one check at the end (nd_buf_error()) tells. So writers need not test every call.
 *
 * `data` is always followed by a NUL that `len` does not count; it is never NULL.
 */

#include <stddef.h>
#include <stdint.h>

struct nd_buf {
	char *data;
	size_t len;
	size_t cap; /* bytes allocated, 0 while `data` is the static empty string */
	size_t max; /* ceiling for `len` */
	int error;  /* 0, -ENOMEM or -EFBIG */
};

void nd_buf_init(struct nd_buf *buf, size_t max);
void nd_buf_fini(struct nd_buf *buf);

/* Make it empty and forget an error; keeps the memory. */
void nd_buf_reset(struct nd_buf *buf);

/* Each returns 0 or the buffer's error. */
int nd_buf_add(struct nd_buf *buf, const void *data, size_t len);
int nd_buf_add_str(struct nd_buf *buf, const char *str);
int nd_buf_add_char(struct nd_buf *buf, char c);
int nd_buf_add_number(struct nd_buf *buf, uint64_t number); /* decimal, much faster */
int nd_buf_addf(struct nd_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Make room for `len` more bytes and return where they go; the caller writes them and then adds to
 * `buf->len` what it used. NULL on failure.
 */
char *nd_buf_reserve(struct nd_buf *buf, size_t len);

/* 0, or why an earlier add failed. */
static inline int nd_buf_error(const struct nd_buf *buf)
{
	return buf->error;
}

#endif /* NODIAG_COMMON_BUF_H */
