/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_V8_OBJECT_H
#define NODIAG_ANALYZER_SYMBOLS_V8_OBJECT_H

/*
 * V8's heap objects, read from outside.
 *
 * A tagged word is a Smi (low 32 bits 0, value above) or a pointer whose two low bits are 01
 * (strong) or 11 (weak). Nothing that is read can be trusted: the collector moves objects while we
 * look. So every function checks types, and says so when they do not fit.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/symbols/memory.h"
#include "analyzer/symbols/v8/layout.h"

struct nd_buf;

/* Where objects are, and what they look like. */
struct nd_v8_heap {
	struct nd_memory *memory;
	const struct nd_v8_layout *layout;
};

static inline bool nd_v8_is_smi(uint64_t word)
{
	return (word & 0xffffffffu) == 0;
}

static inline int32_t nd_v8_smi(uint64_t word)
{
	return (int32_t)(word >> 32);
}

static inline bool nd_v8_is_strong(uint64_t word)
{
	return (word & 3) == 1;
}

/* A weak pointer as a strong one; strong ones and Smis stay as they are. */
static inline uint64_t nd_v8_strong(uint64_t word)
{
	return (word & 3) == 3 ? word & ~UINT64_C(2) : word;
}

/* The instance type of an object, 0 when `object` is none (0 is a string type no one asks for). */
uint32_t nd_v8_instance_type(const struct nd_v8_heap *heap, uint64_t object);

/* The word at an offset of an object; 0 when `object` is none or not readable. */
uint64_t nd_v8_field(const struct nd_v8_heap *heap, uint64_t object, uint32_t offset);
uint32_t nd_v8_field_u32(const struct nd_v8_heap *heap, uint64_t object, uint32_t offset);

/* Element `index` of a FixedArray or one of its weak relatives; 0 when out of range. */
uint64_t nd_v8_element(const struct nd_v8_heap *heap, uint64_t array, uint32_t index);

bool nd_v8_is_string(const struct nd_v8_heap *heap, uint64_t object);

/* The length of a string in UTF-16 units, -1 when it is none. */
int32_t nd_v8_string_length(const struct nd_v8_heap *heap, uint64_t string);

/*
 * Call `visit` with the characters of a string, piece by piece in order: `count` units of one byte
 * (Latin-1) or two (UTF-16). Stops when it returns non-zero, and returns that. -EBADMSG when the
 * string cannot be read, -EFBIG when it is longer than `max` units.
 */
int nd_v8_visit_string(const struct nd_v8_heap *heap, uint64_t string, size_t max,
		       int (*visit)(void *arg, const void *chars, size_t count, bool two_byte),
		       void *arg);

/* Append a string to `out` as UTF-8. Errors as above, or the buffer's. */
int nd_v8_read_string(const struct nd_v8_heap *heap, uint64_t string, size_t max,
		      struct nd_buf *out);

/*
 * The bytes of a ByteArray or TrustedByteArray. The caller frees `*ret_bytes`. -EBADMSG when it is
 * none, -EFBIG beyond `max`.
 */
int nd_v8_read_byte_array(const struct nd_v8_heap *heap, uint64_t array, size_t max,
			  uint8_t **ret_bytes, size_t *ret_size);

#endif /* NODIAG_ANALYZER_SYMBOLS_V8_OBJECT_H */
