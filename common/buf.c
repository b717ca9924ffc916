/* SPDX-License-Identifier: Apache-2.0 */
#include "common/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char empty[1];

void nd_buf_init(struct nd_buf *buf, size_t max)
{
	*buf = (struct nd_buf){.data = empty, .max = max};
}

void nd_buf_fini(struct nd_buf *buf)
{
	if (buf->cap)
		free(buf->data);
	nd_buf_init(buf, buf->max);
}

void nd_buf_reset(struct nd_buf *buf)
{
	buf->len = 0;
	buf->error = 0;
	if (buf->cap)
		buf->data[0] = '\0';
}

char *nd_buf_reserve(struct nd_buf *buf, size_t len)
{
	size_t need, cap;
	char *data;

	if (buf->error)
		return NULL;
	if (len > buf->max || buf->len > buf->max - len) {
		buf->error = -EFBIG;
		return NULL;
	}
	need = buf->len + len + 1;
	if (need <= buf->cap)
		return buf->data + buf->len;
	cap = buf->cap ? buf->cap : 256;
	while (cap < need)
		cap *= 2;
	data = realloc(buf->cap ? buf->data : NULL, cap);
	if (!data) {
		buf->error = -ENOMEM;
		return NULL;
	}
	if (!buf->cap)
		data[0] = '\0';
	buf->data = data;
	buf->cap = cap;
	return buf->data + buf->len;
}

int nd_buf_add(struct nd_buf *buf, const void *data, size_t len)
{
	char *at = nd_buf_reserve(buf, len);

	if (!at)
		return buf->error;
	if (len)
		memcpy(at, data, len);
	at[len] = '\0';
	buf->len += len;
	return 0;
}

int nd_buf_add_str(struct nd_buf *buf, const char *str)
{
	return nd_buf_add(buf, str, strlen(str));
}

int nd_buf_add_char(struct nd_buf *buf, char c)
{
	return nd_buf_add(buf, &c, 1);
}

int nd_buf_add_number(struct nd_buf *buf, uint64_t number)
{
	char digits[20]; /* of 2^64 - 1 */
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	return nd_buf_add(buf, digits + at, sizeof(digits) - at);
}

int nd_buf_addf(struct nd_buf *buf, const char *fmt, ...)
{
	va_list ap;
	char *at;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0)
		return buf->error = -EINVAL;
	at = nd_buf_reserve(buf, (size_t)len);
	if (!at)
		return buf->error;
	va_start(ap, fmt);
	vsnprintf(at, (size_t)len + 1, fmt, ap);
	va_end(ap);
	buf->len += (size_t)len;
	return 0;
}
