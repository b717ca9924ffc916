/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Objects of V8 are read as they are in memory: a tagged pointer is the address plus 1, a small
 * integer (Smi) is in the upper half of a word. Where V8 was built otherwise, as with compressed
 * pointers, nothing is found again, and so nothing is read.
 */

#include "agent/context.h"

#include <sys/mman.h>
#include <unistd.h>

#include "agent/core.h"
#include "agent/log.h"
#include "agent/node_abi.h"
#include "agent/thread.h"

/* V8's v8-internal.h: Map::instance_size_in_words and ::instance_type. */
#define MAP_INSTANCE_SIZE 8
#define MAP_INSTANCE_TYPE 12

/* JSMap's table follows what every object has: a map, properties, elements. */
#define OBJECT_FIELDS 24
#define JSMAP_TABLE   24

/* OrderedHashMap (ordered-hash-table.h): a FixedArray, whose first elements are these. */
#define TABLE_LENGTH   8
#define TABLE_ELEMENTS 16
#define TABLE_DELETED  24
#define TABLE_BUCKETS  32
#define TABLE_START    40
#define TABLE_KEY      0
#define TABLE_VALUE    8
#define TABLE_ENTRY    24

/* A program has some few AsyncLocalStorages; not more entries than these are looked at. */
#define ENTRIES_MAX 128

/* Bits of a span's number that its object has: a Smi in any build of V8. */
#define SHORT_BITS 30
#define SHORT_MASK ((UINT64_C(1) << SHORT_BITS) - 1)

/* How much of an isolate is searched: the public part of its data (v8-internal.h). */
#define ISOLATE_BYTES 1024

/* How much of Node's Environment: it has some 4 KiB. */
#define ENVIRONMENT_BYTES (16u << 10)

/* AsyncHooks::UidFields: the executed resource, what triggered it, how many ids there were, ... */
#define UID_FIELDS 4

static bool is_object(uint64_t word)
{
	return (word & 3) == 1;
}

static bool is_smi(uint64_t word)
{
	return (word & UINT32_MAX) == 0;
}

static uint64_t smi_value(uint64_t word)
{
	return word >> 32;
}

static uint64_t read_field(uint64_t object, uint64_t offset)
{
	return *(const uint64_t *)(object - 1 + offset);
}

static uint16_t read_type(uint64_t object)
{
	return *(const uint16_t *)(read_field(object, 0) - 1 + MAP_INSTANCE_TYPE);
}

static bool has_type(uint64_t word, uint16_t type)
{
	return is_object(word) && read_type(word) == type;
}

/* What a table has for a key, or 0, which is a Smi. */
static uint64_t find_value(uint64_t table, uint64_t key)
{
	uint64_t elements = read_field(table, TABLE_ELEMENTS);
	uint64_t deleted = read_field(table, TABLE_DELETED);
	uint64_t buckets = read_field(table, TABLE_BUCKETS), length, count, at;

	/* A table that another took the place of has that one there. */
	if (!is_smi(elements) || !is_smi(deleted) || !is_smi(buckets))
		return 0;
	length = TABLE_ELEMENTS + 8 * smi_value(read_field(table, TABLE_LENGTH));
	count = smi_value(elements) + smi_value(deleted);
	at = TABLE_START + 8 * smi_value(buckets);
	for (count = count < ENTRIES_MAX ? count : ENTRIES_MAX; count; count--) {
		if (at + TABLE_ENTRY > length)
			return 0;
		if (read_field(table, at + TABLE_KEY) == key)
			return read_field(table, at + TABLE_VALUE);
		at += TABLE_ENTRY;
	}
	return 0;
}

/* The short number of the span in the current frame, or 0. */
static uint64_t read_frame(const struct nd_context_state *context)
{
	uint64_t frame = *context->frame, table, span, number;

	if (!has_type(frame, context->map_type))
		return 0;
	table = read_field(frame, JSMAP_TABLE);
	if (!has_type(table, context->table_type))
		return 0;
	span = find_value(table, *context->key);
	if (!has_type(span, context->span_type))
		return 0;
	number = read_field(span, context->number_offset);
	return is_smi(number) ? smi_value(number) : 0;
}

static uint64_t read_id(const struct nd_context_state *context)
{
	double id = context->executed[0];
	const double *pair;

	if (!(id > 0))
		return 0;
	pair = context->spans + 2 * ((uint64_t)id & context->mask);
	return pair[0] == id && pair[1] > 0 ? (uint64_t)pair[1] : 0;
}

/* The newest number that ends like this one. */
static uint64_t complete(uint64_t newest, uint64_t number)
{
	return number ? newest - ((newest - number) & SHORT_MASK) : 0;
}

uint64_t nd_context_read(const struct nd_thread *thread)
{
	const struct nd_context_state *context = &thread->context;

	if (context->way == ND_CONTEXT_BY_ID)
		return read_id(context);
	if (context->way != ND_CONTEXT_BY_FRAME)
		return 0;
	/* Objects are moved, and what they refer to is not always where they say. */
	if (thread->gc_depth)
		return context->at_gc;
	return complete(context->newest, read_frame(context));
}

void nd_context_before_gc(struct nd_thread *thread)
{
	if (!thread->gc_depth)
		thread->context.at_gc = nd_context_read(thread);
}

void nd_context_add(struct nd_thread *thread, uint64_t number)
{
	if (number > thread->context.newest)
		thread->context.newest = number;
}

/* A way is there for the signal handler when all that belongs to it is. */
static void set_way(struct nd_context_state *context, enum nd_context_way way)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	context->way = way;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void nd_context_forget(struct nd_thread *thread)
{
	struct nd_context_state *context = &thread->context;

	set_way(context, ND_CONTEXT_BY_NOTHING);
	if (context->key)
		nd_global_dispose((uint64_t *)context->key);
	*context = (struct nd_context_state){.newest = context->newest};
}

/* The offset of a word in `size` bytes, or 0. */
static uint32_t find_word(const void *start, size_t size, uint64_t word)
{
	const uint64_t *words = start;
	size_t i;

	for (i = 1; i < size / sizeof(*words); i++)
		if (words[i] == word)
			return (uint32_t)(i * sizeof(*words));
	return 0;
}

/* Where in the span its short number is, or 0. */
static uint32_t find_number(uint64_t span, uint32_t number)
{
	uint64_t map = read_field(span, 0);
	size_t size = 8 * (size_t) * (const uint8_t *)(map - 1 + MAP_INSTANCE_SIZE);
	uint32_t offset = find_word((const void *)(span - 1), size, (uint64_t)number << 32);

	return offset >= OBJECT_FIELDS ? offset : 0;
}

/* Look for what is known to be there. */
static bool look_at_frame(struct nd_thread *thread, uint64_t key, uint64_t span, uint32_t number)
{
	struct nd_context_state *context = &thread->context;
	struct nd_local *current = nd_isolate_get_continuation_data(thread->isolate);
	uint64_t frame = current ? *(const uint64_t *)current : 0, table;

	if (!is_object(frame) || !is_object(key) || !is_object(span))
		return false;
	table = read_field(frame, JSMAP_TABLE);
	context->frame_offset = find_word(thread->isolate, ISOLATE_BYTES, frame);
	context->number_offset = find_number(span, number);
	if (!is_object(table) || !context->frame_offset || !context->number_offset)
		return false;
	context->map_type = read_type(frame);
	context->table_type = read_type(table);
	context->span_type = read_type(span);
	context->frame = (const uint64_t *)((const char *)thread->isolate + context->frame_offset);
	if (!context->key)
		context->key = nd_global_make(thread->isolate, key);
	return context->key && read_frame(context) == number;
}

static bool learn_frame(struct nd_thread *thread, uint64_t key, uint64_t span, uint32_t number)
{
	struct nd_context_state *context = &thread->context, before = *context;

	set_way(context, ND_CONTEXT_BY_NOTHING);
	context->first_number = number;
	if (!look_at_frame(thread, key, span, number))
		return false;
	if (!before.first_number || before.first_number == number ||
	    before.frame_offset != context->frame_offset ||
	    before.number_offset != context->number_offset)
		return false;
	set_way(context, ND_CONTEXT_BY_FRAME);
	return true;
}

static struct napi_value__ *answer(struct napi_env__ *env, bool value)
{
	struct napi_value__ *ret = NULL;

	napi_get_boolean(env, value, &ret);
	return ret;
}

/* A value of Node-API is a handle: the address of a tagged word (js_native_api_v8.h). */
static uint64_t read_handle(const struct napi_value__ *value)
{
	return *(const uint64_t *)value;
}

struct napi_value__ *nd_context_on_frame(struct napi_env__ *env, struct napi_callback_info__ *info)
{
	struct napi_value__ *argv[3];
	size_t argc = 3;
	uint32_t number;
	void *thread;

	if (!nd_agent.active || !(nd_agent.features & ND_FEATURE_GC) ||
	    !nd_isolate_get_continuation_data || !nd_global_make || !nd_global_dispose ||
	    napi_get_cb_info(env, info, &argc, argv, NULL, &thread) || argc < 3 ||
	    napi_get_value_uint32(env, argv[2], &number))
		return answer(env, false);
	return answer(env, learn_frame(thread, read_handle(argv[0]), read_handle(argv[1]), number));
}

static bool is_mapped(uintptr_t page)
{
	unsigned char resident;

	return !mincore((void *)page, 1, &resident);
}

/* Whether an array in memory of Node's is that of ids; `executed` is not 0. */
static bool is_id_array(const double *ids, double executed, double trigger)
{
	uintptr_t page = (uintptr_t)ids & ~(uintptr_t)(getpagesize() - 1);

	return (uintptr_t)ids % sizeof(double) == 0 && is_mapped(page) && ids[0] == executed &&
	       ids[1] == trigger && ids[2] >= executed;
}

/*
 * Node keeps the ids of what is executed in an AliasedFloat64Array of its Environment: an isolate,
 * a length, an offset, and where the numbers are, one after the other (aliased_buffer.h).
 */
static const double *find_ids(const struct nd_thread *thread)
{
	double executed = nd_node_get_executed_id(thread->isolate);
	double trigger = nd_node_get_trigger_id(thread->isolate);
	struct nd_local *context = nd_isolate_get_current_context(thread->isolate);
	const uint64_t *words = context ? nd_node_get_environment(context) : NULL;
	uintptr_t page_size = (uintptr_t)getpagesize(), at;
	size_t i;

	for (i = 0; words && executed > 0 && i + 4 < ENVIRONMENT_BYTES / sizeof(*words); i++) {
		at = (uintptr_t)(words + i + 3);
		if ((i == 0 || at % page_size == 0) && !is_mapped(at & ~(page_size - 1)))
			return NULL;
		if (words[i] == (uint64_t)(uintptr_t)thread->isolate &&
		    words[i + 1] == UID_FIELDS && !words[i + 2] &&
		    is_id_array((const double *)words[i + 3], executed, trigger))
			return (const double *)words[i + 3];
	}
	return NULL;
}

static bool learn_ids(struct nd_thread *thread, const double *spans, size_t length)
{
	struct nd_context_state *context = &thread->context;

	set_way(context, ND_CONTEXT_BY_NOTHING);
	/* The number of pairs is a power of two. */
	if (length < 2 || length & (length - 1))
		return false;
	context->executed = find_ids(thread);
	context->spans = spans;
	context->mask = length / 2 - 1;
	if (!context->executed || !read_id(context))
		return false;
	set_way(context, ND_CONTEXT_BY_ID);
	return true;
}

struct napi_value__ *nd_context_on_ids(struct napi_env__ *env, struct napi_callback_info__ *info)
{
	struct napi_value__ *argv[1];
	size_t argc = 1, length;
	void *thread, *spans;
	int type;

	if (!nd_agent.active || !nd_node_get_executed_id || !nd_node_get_trigger_id ||
	    !nd_node_get_environment || napi_get_cb_info(env, info, &argc, argv, NULL, &thread) ||
	    napi_get_typedarray_info(env, argv[0], &type, &length, &spans, NULL, NULL) ||
	    type != ND_NAPI_FLOAT64_ARRAY)
		return answer(env, false);
	return answer(env, learn_ids(thread, spans, length));
}
