/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Objects of V8 are read as they are in memory: a tagged pointer is the address plus 1, a small
 * integer (Smi) is in the upper half of a word. Where V8 was built otherwise, as with compressed
 * pointers, the agent finds nothing again, and so nothing is read.
 */

#include "proto/context.h"

#include <string.h>

#include "proto/context_layout.h"

/* A program has some few AsyncLocalStorages; not more entries than these are looked at. */
#define ENTRIES_MAX 128

/* What a table says of itself is bounded by this, so that sums do not overflow. */
#define SIZE_MAX_WORDS (UINT64_C(1) << 31)

struct walk {
	nd_context_reader *read;
	const void *arg;
};

static bool read_field(const struct walk *walk, uint64_t object, uint64_t offset, uint64_t *ret)
{
	return walk->read(walk->arg, object - ND_V8_TAG + offset, ret);
}

static bool has_type(const struct walk *walk, uint64_t word, uint16_t type)
{
	uint64_t map, info;

	return nd_v8_is_object(word) && read_field(walk, word, 0, &map) && nd_v8_is_object(map) &&
	       read_field(walk, map, ND_V8_MAP_INFO, &info) && nd_v8_map_type(info) == type;
}

/* A field that is a small integer. */
static bool read_smi(const struct walk *walk, uint64_t object, uint64_t offset, uint64_t *ret)
{
	uint64_t word;

	if (!read_field(walk, object, offset, &word) || !nd_v8_is_smi(word))
		return false;
	*ret = nd_v8_smi_value(word);
	return *ret < SIZE_MAX_WORDS;
}

/* What a table has for a key, or 0, which is a Smi. */
static uint64_t find_value(const struct walk *walk, uint64_t table, uint64_t key)
{
	uint64_t elements, deleted, buckets, length, count, at, found, value;

	/* A table that another took the place of has that one there. */
	if (!read_smi(walk, table, ND_V8_TABLE_LENGTH, &length) ||
	    !read_smi(walk, table, ND_V8_TABLE_ELEMENTS, &elements) ||
	    !read_smi(walk, table, ND_V8_TABLE_DELETED, &deleted) ||
	    !read_smi(walk, table, ND_V8_TABLE_BUCKETS, &buckets))
		return 0;
	length = ND_V8_TABLE_ELEMENTS + 8 * length;
	count = elements + deleted;
	at = ND_V8_TABLE_START + 8 * buckets;
	for (count = count < ENTRIES_MAX ? count : ENTRIES_MAX; count; count--) {
		if (at + ND_V8_TABLE_ENTRY > length ||
		    !read_field(walk, table, at + ND_V8_TABLE_KEY, &found))
			return 0;
		if (found == key)
			return read_field(walk, table, at + ND_V8_TABLE_VALUE, &value) ? value : 0;
		at += ND_V8_TABLE_ENTRY;
	}
	return 0;
}

/* The short number of the span in the current frame, or 0. */
static uint64_t find_in_frame(const struct nd_context_place *place, const struct walk *walk)
{
	uint64_t frame, key, table, span, number;

	if (!walk->read(walk->arg, place->frame, &frame) ||
	    !has_type(walk, frame, place->map_type) ||
	    !read_field(walk, frame, ND_V8_JSMAP_TABLE, &table) ||
	    !has_type(walk, table, place->table_type) || !walk->read(walk->arg, place->key, &key))
		return 0;
	span = find_value(walk, table, key);
	if (!has_type(walk, span, place->span_type) ||
	    !read_smi(walk, span, place->number_offset, &number))
		return 0;
	return number;
}

uint64_t nd_context_find_short(const struct nd_context_place *place, nd_context_reader *read,
			       const void *arg)
{
	const struct walk walk = {read, arg};

	return find_in_frame(place, &walk);
}

static bool read_double(const struct walk *walk, uint64_t address, double *ret)
{
	uint64_t word;

	if (!walk->read(walk->arg, address, &word))
		return false;
	memcpy(ret, &word, sizeof(word));
	return true;
}

static bool is_number(double value)
{
	return value > 0 && value < 0x1p53;
}

static uint64_t find_by_id(const struct nd_context_place *place, const struct walk *walk)
{
	double executed, found;
	uint64_t id, entry;

	if (!read_double(walk, place->executed, &executed) || !is_number(executed))
		return 0;
	id = (uint64_t)executed;
	if (!read_double(walk, place->numbers + 8 * (id % ND_CONTEXT_IDS), &found) ||
	    !is_number(found))
		return 0;
	entry = (uint64_t)found;
	return entry % ND_CONTEXT_IDS == id / ND_CONTEXT_IDS % ND_CONTEXT_IDS
		       ? entry / ND_CONTEXT_IDS
		       : 0;
}

/* The newest number that ends like this one, 0 if there was none yet. */
static uint64_t complete(uint64_t newest, uint64_t number)
{
	uint64_t ago = (newest - number) & ND_CONTEXT_SHORT_MASK;

	return number && ago < newest ? newest - ago : 0;
}

uint64_t nd_context_find(const struct nd_context_place *place, nd_context_reader *read,
			 const void *arg)
{
	const struct walk walk = {read, arg};

	switch (place->way) {
	case ND_CONTEXT_BY_ID:
		return find_by_id(place, &walk);
	case ND_CONTEXT_BY_FRAME:
		/* Objects are moved, and what they refer to is not always where they say. */
		return place->in_gc ? place->at_gc
				    : complete(place->newest, find_in_frame(place, &walk));
	default:
		return 0;
	}
}
