/* SPDX-License-Identifier: Apache-2.0 */

/* How V8's objects are laid out, and where a thread's request is found in them: proto/context.h. */

#include "agent/context.h"

#include <sys/mman.h>
#include <unistd.h>

#include "agent/core.h"
#include "agent/log.h"
#include "agent/node_abi.h"
#include "agent/thread.h"
#include "proto/context_layout.h"

/* How much of an isolate is searched: the public part of its data (v8-internal.h). */
#define ISOLATE_BYTES 1024

/* How much of Node's Environment: it has some 4 KiB. */
#define ENVIRONMENT_BYTES (16u << 10)

/* AsyncHooks::UidFields: the executed resource, what triggered it, how many ids there were, ... */
#define UID_FIELDS 4

static uint64_t read_field(uint64_t object, uint64_t offset)
{
	return *(const uint64_t *)(object - ND_V8_TAG + offset);
}

static uint16_t read_type(uint64_t object)
{
	return nd_v8_map_type(read_field(read_field(object, 0), ND_V8_MAP_INFO));
}

/* Its own memory, in which nothing is looked for that was not found before. */
static bool read_own(const void *arg, uint64_t address, uint64_t *ret)
{
	(void)arg;
	*ret = *(const uint64_t *)address;
	return true;
}

uint64_t nd_context_read(const struct nd_thread *thread)
{
	return nd_context_find(&thread->context.place, read_own, NULL);
}

/* Others in the process's memory look there too. */
static void publish(struct nd_thread *thread)
{
	thread->slot->place = thread->context.place;
}

void nd_context_before_gc(struct nd_thread *thread)
{
	struct nd_context_place *place = &thread->context.place;

	if (place->in_gc)
		return;
	place->at_gc = nd_context_read(thread);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	place->in_gc = true;
	publish(thread);
}

void nd_context_after_gc(struct nd_thread *thread)
{
	thread->context.place.in_gc = false;
	publish(thread);
}

void nd_context_add(struct nd_thread *thread, uint64_t number)
{
	struct nd_context_place *place = &thread->context.place;

	if (number <= place->newest)
		return;
	place->newest = number;
	__atomic_store_n(&thread->slot->place.newest, number, __ATOMIC_RELAXED);
}

/* A way is there for the signal handler when all that belongs to it is. */
static void set_way(struct nd_thread *thread, enum nd_context_way way)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	thread->context.place.way = way;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	publish(thread);
}

void nd_context_forget(struct nd_thread *thread)
{
	struct nd_context_state *context = &thread->context;
	struct nd_context_place *place = &context->place;

	set_way(thread, ND_CONTEXT_BY_NOTHING);
	if (place->key)
		nd_global_dispose((uint64_t *)place->key);
	*context = (struct nd_context_state){.place = {.newest = place->newest}};
	publish(thread);
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
	size_t size = 8 * (size_t) * (const uint8_t *)(map - ND_V8_TAG + ND_V8_MAP_INSTANCE_SIZE);
	uint32_t offset = find_word((const void *)(span - ND_V8_TAG), size, (uint64_t)number << 32);

	return offset >= ND_V8_OBJECT_FIELDS ? offset : 0;
}

/* Look for what is known to be there. */
static bool look_at_frame(struct nd_thread *thread, uint64_t key, uint64_t span, uint32_t number)
{
	struct nd_context_place *place = &thread->context.place;
	struct nd_local *current = nd_isolate_get_continuation_data(thread->isolate);
	uint64_t frame = current ? *(const uint64_t *)current : 0, table;
	uint32_t offset;

	if (!nd_v8_is_object(frame) || !nd_v8_is_object(key) || !nd_v8_is_object(span))
		return false;
	table = read_field(frame, ND_V8_JSMAP_TABLE);
	offset = find_word(thread->isolate, ISOLATE_BYTES, frame);
	place->number_offset = find_number(span, number);
	if (!nd_v8_is_object(table) || !offset || !place->number_offset)
		return false;
	place->map_type = read_type(frame);
	place->table_type = read_type(table);
	place->span_type = read_type(span);
	place->frame = (uintptr_t)thread->isolate + offset;
	if (!place->key)
		place->key = (uintptr_t)nd_global_make(thread->isolate, key);
	return place->key && nd_context_find_short(place, read_own, NULL) == number;
}

static bool learn_frame(struct nd_thread *thread, uint64_t key, uint64_t span, uint32_t number)
{
	struct nd_context_state *context = &thread->context, before = *context;

	set_way(thread, ND_CONTEXT_BY_NOTHING);
	context->first_number = number;
	if (!look_at_frame(thread, key, span, number))
		return false;
	if (!before.first_number || before.first_number == number ||
	    before.place.frame != context->place.frame ||
	    before.place.number_offset != context->place.number_offset)
		return false;
	set_way(thread, ND_CONTEXT_BY_FRAME);
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

static bool is_mapped(const void *address)
{
	uintptr_t page = (uintptr_t)address & ~(uintptr_t)(getpagesize() - 1);
	unsigned char resident;

	return !mincore((void *)page, 1, &resident);
}

/* Whether an array in memory of Node's is that of ids; `executed` is not 0. */
static bool is_id_array(const double *ids, double executed, double trigger)
{
	return (uintptr_t)ids % sizeof(double) == 0 && is_mapped(ids) &&
	       is_mapped(&ids[UID_FIELDS - 1]) && ids[0] == executed && ids[1] == trigger &&
	       ids[2] >= executed;
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
	const uint64_t *words = context ? nd_node_get_environment(context) : NULL, *last;
	uintptr_t page_size = (uintptr_t)getpagesize();
	size_t i;

	for (i = 0; words && executed > 0 && i + 4 < ENVIRONMENT_BYTES / sizeof(*words); i++) {
		last = words + i + 3;
		if ((i == 0 || (uintptr_t)last % page_size == 0) && !is_mapped(last))
			return NULL;
		if (words[i] == (uint64_t)(uintptr_t)thread->isolate &&
		    words[i + 1] == UID_FIELDS && !words[i + 2] &&
		    is_id_array((const double *)words[i + 3], executed, trigger))
			return (const double *)words[i + 3];
	}
	return NULL;
}

static bool learn_ids(struct nd_thread *thread, const double *numbers)
{
	struct nd_context_place *place = &thread->context.place;

	set_way(thread, ND_CONTEXT_BY_NOTHING);
	place->executed = (uintptr_t)find_ids(thread);
	place->numbers = (uintptr_t)numbers;
	if (!place->executed)
		return false;
	set_way(thread, ND_CONTEXT_BY_ID);
	if (nd_context_read(thread))
		return true;
	set_way(thread, ND_CONTEXT_BY_NOTHING);
	return false;
}

struct napi_value__ *nd_context_on_ids(struct napi_env__ *env, struct napi_callback_info__ *info)
{
	struct napi_value__ *argv[1];
	size_t argc = 1, length;
	void *thread, *numbers;
	int type;

	if (!nd_agent.active || !nd_node_get_executed_id || !nd_node_get_trigger_id ||
	    !nd_node_get_environment || napi_get_cb_info(env, info, &argc, argv, NULL, &thread) ||
	    napi_get_typedarray_info(env, argv[0], &type, &length, &numbers, NULL, NULL) ||
	    type != ND_NAPI_FLOAT64_ARRAY || length != ND_CONTEXT_IDS)
		return answer(env, false);
	return answer(env, learn_ids(thread, numbers));
}
