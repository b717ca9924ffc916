/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_CONTEXT_LAYOUT_H
#define NODIAG_PROTO_CONTEXT_LAYOUT_H

/* What proto/context.h and the agent take for granted of V8's objects until they have looked. */

#include <stdbool.h>
#include <stdint.h>

#define ND_V8_TAG 1

/* v8-internal.h: Map::instance_size_in_words and, in the word at MAP_INFO, ::instance_type. */
#define ND_V8_MAP_INSTANCE_SIZE 8
#define ND_V8_MAP_INFO		8

/* JSMap's table follows what every object has: a map, properties, elements. */
#define ND_V8_OBJECT_FIELDS 24
#define ND_V8_JSMAP_TABLE   24

/* OrderedHashMap (ordered-hash-table.h): a FixedArray, whose first elements are these. */
#define ND_V8_TABLE_LENGTH   8
#define ND_V8_TABLE_ELEMENTS 16
#define ND_V8_TABLE_DELETED  24
#define ND_V8_TABLE_BUCKETS  32
#define ND_V8_TABLE_START    40
#define ND_V8_TABLE_KEY	     0
#define ND_V8_TABLE_VALUE    8
#define ND_V8_TABLE_ENTRY    24

/* Bits of a span's number that its object has: a Smi in any build of V8. */
#define ND_CONTEXT_SHORT_MASK ((UINT64_C(1) << 30) - 1)

static inline bool nd_v8_is_object(uint64_t word)
{
	return (word & 3) == ND_V8_TAG;
}

static inline bool nd_v8_is_smi(uint64_t word)
{
	return (word & UINT32_MAX) == 0;
}

static inline uint64_t nd_v8_smi_value(uint64_t word)
{
	return word >> 32;
}

/* The instance type, of the word at ND_V8_MAP_INFO of a map. */
static inline uint16_t nd_v8_map_type(uint64_t info)
{
	return (uint16_t)(info >> 32);
}

#endif /* NODIAG_PROTO_CONTEXT_LAYOUT_H */
