/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/numbers.h"

#include <errno.h>
#include <inttypes.h>

#include "analyzer/heap/numbers_whole.h"
#include "common/err.h"

enum state {
	FIRST,	/* behind "[": a number or "]" */
	WANTED, /* behind ",": a number */
	DIGITS, /* in or right behind one */
	ENDED,	/* behind one and white space: "," or "]" */
};

void nd_heap_numbers_begin(struct nd_heap_numbers *numbers, uint32_t fields)
{
	numbers->state = FIRST;
	numbers->count = 0;
	numbers->limit = ND_HEAP_BATCH / fields * fields;
	numbers->negative = false;
	numbers->digits = 0;
	numbers->partial = 0;
}

static int unexpected(char c, uint64_t offset, struct nd_err *err)
{
	if (c > ' ' && c < 0x7f)
		return nd_err_set(err, -EBADMSG,
				  "'%c' at byte %" PRIu64 ", in a list of whole numbers", c,
				  offset);
	return nd_err_set(err, -EBADMSG, "byte 0x%02x at %" PRIu64 ", in a list of whole numbers",
			  (unsigned char)c, offset);
}

/* A number is complete, right before the byte at `offset`. */
static int add(struct nd_heap_numbers *n, uint64_t offset, struct nd_err *err)
{
	int ret;

	n->value[n->count] = n->negative ? -(int64_t)n->partial : (int64_t)n->partial;
	n->offset[n->count] = offset;
	n->partial = 0;
	n->digits = 0;
	n->negative = false;
	if (++n->count < n->limit)
		return 0;
	ret = n->take(n->arg, n, err);
	n->count = 0;
	return ret;
}

/* What is no digit. 1 at the end of the list. */
static int punctuate(struct nd_heap_numbers *n, char c, uint64_t offset, struct nd_err *err)
{
	int ret = 0;

	if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
		if (n->state == DIGITS && n->digits) {
			n->state = ENDED;
			n->end = offset;
		}
		return 0;
	}
	if (c == '-' && n->state <= WANTED) {
		n->negative = true;
		n->state = DIGITS;
		return 0;
	}
	if (n->state == ENDED || (n->state == DIGITS && n->digits)) {
		if (c != ',' && c != ']')
			return unexpected(c, offset, err);
		ret = add(n, n->state == ENDED ? n->end : offset, err);
		n->state = WANTED;
	} else if (c != ']' || n->state != FIRST) {
		return unexpected(c, offset, err);
	}
	if (ret || c == ',')
		return ret;
	ret = n->count ? n->take(n->arg, n, err) : 0;
	n->count = 0;
	return ret ? ret : 1;
}

/* As much of a number as there is. */
static int read_digits(struct nd_heap_numbers *n, const char **p, const char *end, uint64_t offset,
		       struct nd_err *err)
{
	const char *at = *p;

	if (n->state == ENDED)
		return unexpected(*at, offset, err);
	n->state = DIGITS;
	for (; at < end && *at >= '0' && *at <= '9'; at++)
		if (++n->digits <= ND_HEAP_DIGITS_MAX)
			n->partial = n->partial * 10 + (uint64_t)(*at - '0');
	if (n->digits > ND_HEAP_DIGITS_MAX)
		return nd_err_set(err, -EBADMSG, "a number of more than %d digits at byte %" PRIu64,
				  ND_HEAP_DIGITS_MAX, offset);
	*p = at;
	return 0;
}

/* Nearly all there is. What is in the making is not touched. */
static int read_whole(struct nd_heap_numbers *n, const char **p, const char *end, uint64_t offset,
		      struct nd_err *err)
{
	struct nd_heap_whole whole = {n->value, n->offset, n->limit, n->count};
	size_t used;
	int ret = 0;

	do {
		used = nd_heap_read_whole(&whole, *p, (size_t)(end - *p), offset);
		*p += used;
		offset += used;
		n->count = whole.count;
		if (used)
			n->state = WANTED;
		if (whole.count < whole.want)
			continue;
		ret = n->take(n->arg, n, err);
		n->count = whole.count = 0;
	} while (used && !ret);
	return ret;
}

int nd_heap_numbers_feed(struct nd_heap_numbers *n, const char *data, size_t len, uint64_t offset,
			 size_t *ret_used, struct nd_err *err)
{
	const char *p = data, *end = data + len, *before;
	int ret;

	while (p < end) {
		before = p;
		if (n->state <= WANTED && !n->negative) {
			ret = read_whole(n, &p, end, offset + (uint64_t)(p - data), err);
			if (ret)
				return ret;
		}
		if (p < end && *p >= '0' && *p <= '9') {
			ret = read_digits(n, &p, end, offset + (uint64_t)(p - data), err);
			if (ret)
				return ret;
		} else if (p == before) {
			ret = punctuate(n, *p, offset + (uint64_t)(p - data), err);
			p++;
			*ret_used = (size_t)(p - data);
			if (ret)
				return ret;
		}
	}
	*ret_used = len;
	return 0;
}
