/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/v8/object.h"

#include <errno.h>
#include <stdlib.h>

#include "common/buf.h"

/* String::Representation in the low bits of a string's instance type; string.tq. */
enum { STRING_SEQ, STRING_CONS, STRING_EXTERNAL, STRING_SLICED, STRING_THIN = 5 };

#define STRING_REPRESENTATION_MASK 0x7
#define STRING_ONE_BYTE		   0x8
#define STRING_UNCACHED		   0x10 /* external, and the pointer to its data is not kept */

/* Nesting of cons, sliced and thin strings. V8 flattens long before. */
#define STRING_DEPTH_MAX 64

/* Pieces of one string, so that a cycle of cons strings ends. */
#define STRING_PIECES_MAX 65536

/* Bytes read at once. */
#define CHUNK_BYTES 16384

uint32_t nd_v8_instance_type(const struct nd_v8_heap *heap, uint64_t object)
{
	uint64_t map = nd_v8_field(heap, object, 0);
	uint16_t type = 0;

	if (!nd_v8_is_strong(map) ||
	    nd_memory_read(heap->memory, map - 1 + heap->layout->map_instance_type, &type,
			   sizeof(type)))
		return 0;
	return type;
}

uint64_t nd_v8_field(const struct nd_v8_heap *heap, uint64_t object, uint32_t offset)
{
	return nd_v8_is_strong(object) ? nd_memory_read_u64(heap->memory, object - 1 + offset) : 0;
}

uint32_t nd_v8_field_u32(const struct nd_v8_heap *heap, uint64_t object, uint32_t offset)
{
	uint32_t value = 0;

	if (!nd_v8_is_strong(object) ||
	    nd_memory_read(heap->memory, object - 1 + offset, &value, sizeof(value)))
		return 0;
	return value;
}

uint64_t nd_v8_element(const struct nd_v8_heap *heap, uint64_t array, uint32_t index)
{
	uint64_t length = nd_v8_field(heap, array, heap->layout->array_length);

	if (!nd_v8_is_smi(length) || nd_v8_smi(length) < 0 || index >= (uint32_t)nd_v8_smi(length))
		return 0;
	return nd_memory_read_u64(heap->memory,
				  array - 1 + heap->layout->array_data + 8ull * index);
}

bool nd_v8_is_string(const struct nd_v8_heap *heap, uint64_t object)
{
	uint64_t map = nd_v8_field(heap, object, 0);
	uint16_t type;

	return nd_v8_is_strong(map) &&
	       !nd_memory_read(heap->memory, map - 1 + heap->layout->map_instance_type, &type,
			       sizeof(type)) &&
	       type < heap->layout->first_nonstring_type;
}

int32_t nd_v8_string_length(const struct nd_v8_heap *heap, uint64_t string)
{
	if (!nd_v8_is_string(heap, string))
		return -1;
	return (int32_t)nd_v8_field_u32(heap, string, heap->layout->string_length);
}

struct visit {
	int (*visit)(void *arg, const void *chars, size_t count, bool two_byte);
	void *arg;
	unsigned int pieces;
	uint8_t chunk[CHUNK_BYTES];
};

static int visit_flat(const struct nd_v8_heap *heap, struct visit *v, uint64_t addr, size_t count,
		      bool two_byte)
{
	size_t unit = two_byte ? 2 : 1;
	size_t n;
	int ret;

	while (count) {
		n = count < CHUNK_BYTES / unit ? count : CHUNK_BYTES / unit;
		if (nd_memory_read(heap->memory, addr, v->chunk, n * unit))
			return -EBADMSG;
		ret = v->visit(v->arg, v->chunk, n, two_byte);
		if (ret)
			return ret;
		addr += n * unit;
		count -= n;
	}
	return 0;
}

/* Follow thin and sliced strings to what holds the characters; `*from` moves along. */
static uint64_t resolve(const struct nd_v8_heap *heap, uint64_t string, size_t *from)
{
	const struct nd_v8_layout *layout = heap->layout;
	uint32_t representation;
	int depth;

	for (depth = 0; depth < STRING_DEPTH_MAX && nd_v8_is_string(heap, string); depth++) {
		representation = nd_v8_instance_type(heap, string) & STRING_REPRESENTATION_MASK;
		if (representation == STRING_THIN) {
			string = nd_v8_field(heap, string, layout->thin_actual);
		} else if (representation == STRING_SLICED) {
			*from += (uint32_t)nd_v8_smi(
				nd_v8_field(heap, string, layout->sliced_offset));
			string = nd_v8_field(heap, string, layout->sliced_parent);
		} else {
			return string;
		}
	}
	return 0;
}

static int visit_range(const struct nd_v8_heap *heap, struct visit *v, uint64_t string, size_t from,
		       size_t count, int depth);

static int visit_cons(const struct nd_v8_heap *heap, struct visit *v, uint64_t string, size_t from,
		      size_t count, int depth)
{
	uint64_t first = nd_v8_field(heap, string, heap->layout->cons_first);
	uint64_t second = nd_v8_field(heap, string, heap->layout->cons_second);
	int32_t length = nd_v8_string_length(heap, first);
	size_t head;
	int ret;

	if (length < 0)
		return -EBADMSG;
	if (from >= (size_t)length)
		return visit_range(heap, v, second, from - (size_t)length, count, depth + 1);
	head = (size_t)length - from < count ? (size_t)length - from : count;
	ret = visit_range(heap, v, first, from, head, depth + 1);
	if (ret || head == count)
		return ret;
	return visit_range(heap, v, second, 0, count - head, depth + 1);
}

static int visit_range(const struct nd_v8_heap *heap, struct visit *v, uint64_t string, size_t from,
		       size_t count, int depth)
{
	const struct nd_v8_layout *layout = heap->layout;
	uint32_t type;
	uint64_t chars;
	int32_t length;
	bool two_byte;

	if (!count)
		return 0;
	if (depth > STRING_DEPTH_MAX || ++v->pieces > STRING_PIECES_MAX)
		return -EBADMSG;
	string = resolve(heap, string, &from);
	length = nd_v8_string_length(heap, string);
	if (length < 0 || from > (size_t)length || count > (size_t)length - from)
		return -EBADMSG;
	type = nd_v8_instance_type(heap, string);
	two_byte = !(type & STRING_ONE_BYTE);
	switch (type & STRING_REPRESENTATION_MASK) {
	case STRING_SEQ:
		chars = string - 1 + layout->string_chars;
		break;
	case STRING_CONS:
		return visit_cons(heap, v, string, from, count, depth);
	case STRING_EXTERNAL:
		chars = nd_v8_field(heap, string, layout->external_data);
		if (!chars || type & STRING_UNCACHED)
			return -EBADMSG;
		break;
	default:
		return -EBADMSG;
	}
	return visit_flat(heap, v, chars + from * (two_byte ? 2 : 1), count, two_byte);
}

int nd_v8_visit_string(const struct nd_v8_heap *heap, uint64_t string, size_t max,
		       int (*visit)(void *arg, const void *chars, size_t count, bool two_byte),
		       void *arg)
{
	struct visit v = {.visit = visit, .arg = arg};
	int32_t length = nd_v8_string_length(heap, string);

	if (length < 0)
		return -EBADMSG;
	if ((size_t)length > max)
		return -EFBIG;
	return visit_range(heap, &v, string, 0, (size_t)length, 0);
}

struct utf8 {
	struct nd_buf *out;
	uint32_t lead; /* a high surrogate that waits for its partner, or 0 */
};

static void add_code_point(struct nd_buf *out, uint32_t c)
{
	char bytes[4];
	size_t n = 0;

	if (c < 0x80) {
		bytes[n++] = (char)c;
	} else if (c < 0x800) {
		bytes[n++] = (char)(0xc0 | c >> 6);
		bytes[n++] = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		bytes[n++] = (char)(0xe0 | c >> 12);
		bytes[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		bytes[n++] = (char)(0x80 | (c & 0x3f));
	} else {
		bytes[n++] = (char)(0xf0 | c >> 18);
		bytes[n++] = (char)(0x80 | (c >> 12 & 0x3f));
		bytes[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		bytes[n++] = (char)(0x80 | (c & 0x3f));
	}
	nd_buf_add(out, bytes, n);
}

#define REPLACEMENT 0xfffdu

static void add_utf16(struct utf8 *utf8, uint32_t unit)
{
	if (utf8->lead && unit >= 0xdc00 && unit < 0xe000) {
		add_code_point(utf8->out,
			       0x10000 + ((utf8->lead - 0xd800) << 10) + (unit - 0xdc00));
		utf8->lead = 0;
		return;
	}
	if (utf8->lead)
		add_code_point(utf8->out, REPLACEMENT);
	utf8->lead = unit >= 0xd800 && unit < 0xdc00 ? unit : 0;
	if (!utf8->lead)
		add_code_point(utf8->out, unit >= 0xdc00 && unit < 0xe000 ? REPLACEMENT : unit);
}

static int add_chars(void *arg, const void *chars, size_t count, bool two_byte)
{
	struct utf8 *utf8 = arg;
	size_t i;

	for (i = 0; i < count; i++)
		add_utf16(utf8,
			  two_byte ? ((const uint16_t *)chars)[i] : ((const uint8_t *)chars)[i]);
	return nd_buf_error(utf8->out);
}

int nd_v8_read_string(const struct nd_v8_heap *heap, uint64_t string, size_t max,
		      struct nd_buf *out)
{
	struct utf8 utf8 = {.out = out};
	int ret = nd_v8_visit_string(heap, string, max, add_chars, &utf8);

	if (!ret && utf8.lead)
		add_code_point(out, REPLACEMENT);
	return ret ? ret : nd_buf_error(out);
}

int nd_v8_read_byte_array(const struct nd_v8_heap *heap, uint64_t array, size_t max,
			  uint8_t **ret_bytes, size_t *ret_size)
{
	uint32_t type = nd_v8_instance_type(heap, array);
	uint64_t length = nd_v8_field(heap, array, heap->layout->array_length);
	uint8_t *bytes;
	size_t size;

	if (!type || (type != heap->layout->byte_array_types[0] &&
		      type != heap->layout->byte_array_types[1]))
		return -EBADMSG;
	if (!nd_v8_is_smi(length) || nd_v8_smi(length) < 0)
		return -EBADMSG;
	size = (size_t)nd_v8_smi(length);
	if (size > max)
		return -EFBIG;
	bytes = malloc(size ? size : 1);
	if (!bytes)
		return -ENOMEM;
	if (nd_memory_read(heap->memory, array - 1 + heap->layout->array_data, bytes, size)) {
		free(bytes);
		return -EBADMSG;
	}
	*ret_bytes = bytes;
	*ret_size = size;
	return 0;
}
