/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/numbers.h"

#include <errno.h>
#include <inttypes.h>

#include "common/err.h"

/* Whatever has more is none of a snapshot's numbers, and 18 digits fit into 63 bits. */
#define DIGITS_MAX 18

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
		if (n->state == DIGITS && n->digits)
			n->state = ENDED;
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
		ret = add(n, offset, err);
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

int nd_heap_numbers_feed(struct nd_heap_numbers *n, const char *data, size_t len, uint64_t offset,
			 size_t *ret_used, struct nd_err *err)
{
	const char *p = data, *end = data + len, *start;
	unsigned int digit;
	uint64_t partial;
	int ret;

	while (p < end) {
		digit = (unsigned int)(unsigned char)*p - '0';
		if (digit > 9) {
			ret = punctuate(n, *p, offset + (uint64_t)(p - data), err);
			p++;
			*ret_used = (size_t)(p - data);
			if (ret)
				return ret;
			continue;
		}
		if (n->state == ENDED)
			return unexpected(*p, offset + (uint64_t)(p - data), err);
		start = p;
		partial = n->partial;
		do {
			partial = partial * 10 + digit;
			if (++p == end)
				break;
			digit = (unsigned int)(unsigned char)*p - '0';
		} while (digit <= 9);
		n->partial = partial;
		n->state = DIGITS;
		if ((size_t)(p - start) + n->digits > DIGITS_MAX)
			return nd_err_set(err, -EBADMSG,
					  "a number of more than %d digits at byte %" PRIu64,
					  DIGITS_MAX, offset + (uint64_t)(start - data));
		n->digits += (uint32_t)(p - start);
		if (p == end || *p != ',')
			continue;
		ret = add(n, offset + (uint64_t)(p - data), err);
		if (ret)
			return ret;
		n->state = WANTED;
		p++;
	}
	*ret_used = len;
	return 0;
}
