/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/scopes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/heap.h"
#include "common/set.h"

void nd_heap_scopes_fini(struct nd_heap_scopes *s)
{
	free(s->script);
	free(s->script_name);
	free(s->scope);
	free(s->function);
	*s = (struct nd_heap_scopes){0};
}

struct nd_heap_edge_names nd_heap_find_edge_names(const struct nd_heap *heap)
{
	return (struct nd_heap_edge_names){
		.shared = nd_heap_find_string(heap, "shared"),
		.script = nd_heap_find_string(heap, "script"),
		.script_or_debug_info = nd_heap_find_string(heap, "script_or_debug_info"),
		.context = nd_heap_find_string(heap, "context"),
	};
}

uint32_t nd_heap_find_script(const struct nd_heap *heap, uint32_t shared,
			     const struct nd_heap_edge_names *names)
{
	uint32_t node = nd_heap_follow(heap, shared, names->script);

	if (node == ND_HEAP_NONE)
		node = nd_heap_follow(heap, shared, names->script_or_debug_info);
	if (node == ND_HEAP_NONE || heap->type[node] != ND_HEAP_CODE ||
	    !strncmp(nd_heap_name(heap, node), "system / ", 9))
		return ND_HEAP_NONE;
	return node;
}

/* Something that is looked for by a number, with what is found. */
struct pair {
	uint32_t key;
	uint32_t value;
};

struct search {
	const struct nd_heap *heap;
	struct nd_heap_edge_names names;
	struct nd_set scripts; /* V8's ids, those that were seen */
	struct pair *script;
	struct pair *scope; /* of each function, with its location; later the first one alone */
	uint32_t script_count;
	uint32_t scope_count;
};

/* The name is where a function's shared part leads. */
static int add_script(struct search *s, const struct nd_heap_location *location)
{
	uint32_t id, shared, node;

	if (nd_set_find(&s->scripts, &location->script, &id))
		return 0;
	shared = nd_heap_follow(s->heap, location->node, s->names.shared);
	if (shared == ND_HEAP_NONE)
		return 0;
	node = nd_heap_find_script(s->heap, shared, &s->names);
	if (node == ND_HEAP_NONE)
		return 0;
	s->script[s->script_count++] = (struct pair){location->script, s->heap->name[node]};
	return nd_set_add(&s->scripts, &location->script, UINT32_MAX, &id) ? -ENOMEM : 0;
}

static int gather(struct search *s)
{
	const struct nd_heap *heap = s->heap;
	const struct nd_heap_location *location;
	uint32_t i, scope;

	for (i = 0; i < heap->location_count; i++) {
		location = &heap->location[i];
		if (heap->type[location->node] != ND_HEAP_CLOSURE)
			continue;
		if (add_script(s, location))
			return -ENOMEM;
		scope = nd_heap_follow(heap, location->node, s->names.context);
		if (scope != ND_HEAP_NONE)
			s->scope[s->scope_count++] = (struct pair){scope, i};
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->value < y->value ? -1 : x->value > y->value;
}

/* Of the functions of a scope, the one that comes first in the source stands for it. */
static void choose_functions(struct search *s)
{
	const struct nd_heap_location *location = s->heap->location;
	struct pair *list = s->scope;
	uint32_t i, count = 0;

	for (i = 0; i < s->scope_count; i++)
		if (!count || list[count - 1].key != list[i].key)
			list[count++] = list[i];
		else if (location[list[i].value].line < location[list[count - 1].value].line)
			list[count - 1] = list[i];
	for (i = 0; i < count; i++)
		list[i].value = location[list[i].value].node;
	s->scope_count = count;
}

/* Two lists of a list of pairs. */
static int split(const struct pair *pairs, uint32_t count, uint32_t **ret_keys,
		 uint32_t **ret_values)
{
	size_t size = ((size_t)count + 1) * sizeof(uint32_t);
	uint32_t i;

	*ret_keys = malloc(size);
	*ret_values = malloc(size);
	if (!*ret_keys || !*ret_values)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		(*ret_keys)[i] = pairs[i].key;
		(*ret_values)[i] = pairs[i].value;
	}
	return 0;
}

static int find(struct search *s, struct nd_heap_scopes *scopes)
{
	if (!s->script || !s->scope || gather(s))
		return -ENOMEM;
	qsort(s->script, s->script_count, sizeof(*s->script), compare);
	qsort(s->scope, s->scope_count, sizeof(*s->scope), compare);
	choose_functions(s);
	scopes->script_count = s->script_count;
	scopes->scope_count = s->scope_count;
	if (split(s->script, s->script_count, &scopes->script, &scopes->script_name))
		return -ENOMEM;
	return split(s->scope, s->scope_count, &scopes->scope, &scopes->function);
}

int nd_heap_scopes_init(struct nd_heap_scopes *scopes, const struct nd_heap *heap)
{
	size_t size = ((size_t)heap->location_count + 1) * sizeof(struct pair);
	struct search s = {
		.heap = heap,
		.names = nd_heap_find_edge_names(heap),
		.scripts.size = sizeof(uint32_t),
		.script = malloc(size),
		.scope = malloc(size),
	};
	int ret;

	*scopes = (struct nd_heap_scopes){0};
	ret = find(&s, scopes);
	nd_set_fini(&s.scripts);
	free(s.script);
	free(s.scope);
	if (ret)
		nd_heap_scopes_fini(scopes);
	return ret;
}

static int compare_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The value beside a key. */
static uint32_t look_up(const uint32_t *keys, const uint32_t *values, uint32_t count, uint32_t key)
{
	const uint32_t *at =
		count ? bsearch(&key, keys, count, sizeof(*keys), compare_number) : NULL;

	return at ? values[at - keys] : ND_HEAP_NONE;
}

uint32_t nd_heap_scopes_find_script(const struct nd_heap_scopes *s, uint32_t script)
{
	return look_up(s->script, s->script_name, s->script_count, script);
}

uint32_t nd_heap_scopes_find_function(const struct nd_heap_scopes *s, uint32_t scope)
{
	return look_up(s->scope, s->function, s->scope_count, scope);
}
