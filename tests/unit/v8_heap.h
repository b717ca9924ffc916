/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_TESTS_UNIT_V8_HEAP_H
#define NODIAG_TESTS_UNIT_V8_HEAP_H

/*
 * Objects as V8 lays them out, made by hand in this process's own memory: what is changed is seen
 * after the next nd_memory_forget(), as in a process that goes on. Includes after cmocka.
 */

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "analyzer/symbols/memory.h"
#include "analyzer/symbols/v8/object.h"
#include "tests/tools/v8_fixture.h"

#define HEAP_BYTES (4u << 20)

struct heap {
	struct v8_binary binary;
	struct nd_v8_heap heap;
	uint8_t *bytes; /* behind it is memory that cannot be read */
	size_t used;
};

static inline uint64_t smi(int32_t value)
{
	return (uint64_t)(uint32_t)value << 32;
}

static inline uint64_t weak(uint64_t object)
{
	return object | 2;
}

static inline void heap_init(struct heap *h, const char *version)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/v8dbg-%s.txt", ND_TEST_DATA, version);
	assert_true(v8_binary_read(path, &h->binary));
	h->bytes = mmap(NULL, HEAP_BYTES + 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(h->bytes != MAP_FAILED);
	assert_int_equal(mprotect(h->bytes + HEAP_BYTES, 4096, PROT_NONE), 0);
	h->used = 0;
	h->heap.memory = nd_memory_new_process(getpid());
	h->heap.layout = &h->binary.layout;
}

static inline void heap_fini(struct heap *h)
{
	nd_memory_free(h->heap.memory);
	munmap(h->bytes, HEAP_BYTES + 4096);
}

static inline uint8_t *heap_at(uint64_t object, uint32_t offset)
{
	return (uint8_t *)(uintptr_t)(object - 1 + offset);
}

static inline void put(uint64_t object, uint32_t offset, uint64_t word)
{
	memcpy(heap_at(object, offset), &word, 8);
}

static inline void put_u32(uint64_t object, uint32_t offset, uint32_t value)
{
	memcpy(heap_at(object, offset), &value, 4);
}

/* Zeros; the result is a tagged pointer. */
static inline uint64_t new_bytes(struct heap *h, size_t size)
{
	uint64_t object = (uint64_t)(uintptr_t)(h->bytes + h->used) + 1;

	h->used += (size + 7) / 8 * 8;
	assert_true(h->used <= HEAP_BYTES);
	return object;
}

/* An object of that instance type, and its map. */
static inline uint64_t new_object(struct heap *h, uint32_t type, size_t size)
{
	uint64_t map = new_bytes(h, 40), object = new_bytes(h, size);

	memcpy(heap_at(map, h->heap.layout->map_instance_type), &(uint16_t){(uint16_t)type}, 2);
	put(object, 0, map);
	return object;
}

static inline uint64_t new_array(struct heap *h, uint32_t type, int32_t length)
{
	const struct nd_v8_layout *layout = h->heap.layout;
	uint64_t array =
		new_object(h, type, layout->array_data + 8 * (length > 0 ? (size_t)length : 0));

	put(array, layout->array_length, smi(length));
	return array;
}

/* Any types that are not checked. */
#define ODDBALL	    131
#define FIXED_ARRAY 180

static inline void put_element(struct heap *h, uint64_t array, uint32_t index, uint64_t value)
{
	put(array, h->heap.layout->array_data + 8 * index, value);
}

static inline uint64_t new_byte_array(struct heap *h, const void *bytes, size_t size)
{
	const struct nd_v8_layout *layout = h->heap.layout;
	uint64_t array = new_object(h, layout->byte_array_types[0], layout->array_data + size);

	put(array, layout->array_length, smi((int32_t)size));
	if (size)
		memcpy(heap_at(array, layout->array_data), bytes, size);
	return array;
}

/* Instance types of strings: representation, and whether characters have one byte. */
enum { SEQ, CONS, EXTERNAL, SLICED, THIN = 5, ONE_BYTE = 8, UNCACHED = 16 };

static inline uint64_t new_string(struct heap *h, const char *text)
{
	const struct nd_v8_layout *layout = h->heap.layout;
	size_t len = strlen(text);
	uint64_t string = new_object(h, SEQ | ONE_BYTE, layout->string_chars + len);

	put_u32(string, layout->string_length, (uint32_t)len);
	memcpy(heap_at(string, layout->string_chars), text, len);
	return string;
}

/* A script with room for `functions`. `name` NULL: it has none. */
static inline uint64_t new_script(struct heap *h, int32_t id, const char *name, const char *source,
				  int32_t functions)
{
	const struct nd_v8_layout *layout = h->heap.layout;
	uint64_t script = new_object(h, layout->script_type, 128);

	put(script, layout->script_id, smi(id));
	put(script, layout->script_name, name ? new_string(h, name) : new_object(h, ODDBALL, 24));
	put(script, layout->script_source, new_string(h, source));
	put(script, layout->script_shared_functions, new_array(h, FIXED_ARRAY, functions));
	return script;
}

/* A ScopeInfo without locals. Slots behind the names are another object's. */
static inline uint64_t new_scope_info(struct heap *h, uint64_t name, uint64_t inferred,
				      int32_t start, int32_t end)
{
	const struct nd_v8_layout *layout = h->heap.layout;
	uint32_t base = layout->scope_info_slots, first = layout->scope_info_first;
	uint64_t info = new_object(h, layout->scope_info_type, base + 8 * 10);
	uint32_t positions = layout->scope_info_positions_fixed ? 3 : first + 3;

	put(info, base + 8 * layout->scope_info_locals, smi(0));
	put(info, base + 8 * first, name);
	put(info, base + 8 * (first + 1), smi(-1));
	put(info, base + 8 * (first + 2), inferred);
	put(info, base + 8 * positions, smi(start));
	put(info, base + 8 * (positions + 1), smi(end));
	return info;
}

/* The script's function `literal`; a builtin where `script` is a Smi. */
static inline uint64_t new_function(struct heap *h, uint64_t script, uint32_t literal,
				    uint64_t name_or_scope_info)
{
	const struct nd_v8_layout *layout = h->heap.layout;
	uint64_t shared = new_object(h, layout->shared_type, 96), list;

	put(shared, layout->shared_name_or_scope_info, name_or_scope_info);
	put(shared, layout->shared_script, script);
	put_u32(shared, layout->shared_literal_id, literal);
	if (!nd_v8_is_strong(script))
		return shared;
	memcpy(&list, heap_at(script, layout->script_shared_functions), 8);
	put_element(h, list, literal, weak(shared));
	return shared;
}

#endif /* NODIAG_TESTS_UNIT_V8_HEAP_H */
