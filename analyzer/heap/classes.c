/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/classes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/detached.h"
#include "analyzer/heap/graph.h"
#include "analyzer/heap/heap.h"
#include "common/intern.h"

#define DETACHED "Detached "

int nd_heap_classes_init(struct nd_heap_classes *classes)
{
	classes->texts = nd_intern_new();
	classes->keys = (struct nd_set){.size = sizeof(struct nd_heap_class_key)};
	return classes->texts ? 0 : -ENOMEM;
}

void nd_heap_classes_fini(struct nd_heap_classes *classes)
{
	nd_intern_free(classes->texts);
	nd_set_fini(&classes->keys);
	classes->texts = NULL;
}

const struct nd_heap_class_key *nd_heap_class_key(const struct nd_heap_classes *classes,
						  uint32_t class)
{
	return (const struct nd_heap_class_key *)classes->keys.records + class;
}

const char *nd_heap_class_name(const struct nd_heap_classes *classes, uint32_t class)
{
	return nd_intern_get(classes->texts, nd_heap_class_key(classes, class)->text);
}

static int add_key(struct nd_heap_classes *classes, const char *name, size_t len,
		   struct nd_heap_class_key *key, uint32_t *ret_class)
{
	if (nd_intern_add(classes->texts, name, len, &key->text))
		return -ENOMEM;
	return nd_set_add(&classes->keys, key, UINT32_MAX, ret_class) ? -ENOMEM : 0;
}

int nd_heap_classes_add(struct nd_heap_classes *classes, const char *name, uint32_t *ret_class)
{
	struct nd_heap_class_key key = {0};

	return add_key(classes, name, strlen(name), &key, ret_class);
}

int nd_heap_classes_add_placed(struct nd_heap_classes *classes, const char *name,
			       const struct nd_heap_class_key *place, uint32_t *ret_class)
{
	struct nd_heap_class_key key = *place;

	return add_key(classes, name, strlen(name), &key, ret_class);
}

int nd_heap_classes_copy(struct nd_heap_classes *to, const struct nd_heap_classes *from,
			 uint32_t class, uint32_t *ret_class)
{
	return nd_heap_classes_add_placed(to, nd_heap_class_name(from, class),
					  nd_heap_class_key(from, class), ret_class);
}

/* Nodes of one name or kind have one class, which is looked up once. All are class + 1. */
struct classifier {
	const struct nd_heap *heap;
	struct nd_heap_classes *classes;
	const uint8_t *detached; /* a bit for each node, or NULL */
	uint32_t *of_string;
	uint32_t of_type[ND_HEAP_NODE_TYPES];
	uint32_t location; /* the first that is not of an earlier node */

	/* The last class with a place, for objects come in rows of one class. */
	uint32_t last_name;
	uint32_t last_class;
	struct nd_heap_location last;
};

/* An element of a page, "<div class=...>", loses its attributes. */
static int add_named(struct classifier *c, const char *name, uint32_t *ret_class)
{
	const char *element =
		!strncmp(name, DETACHED "<", sizeof(DETACHED)) ? name + sizeof(DETACHED) - 1 : name;
	const char *space = *element == '<' ? strchr(element, ' ') : NULL;
	char *text;
	int ret;

	if (!space)
		return nd_heap_classes_add(c->classes, name, ret_class);
	if (asprintf(&text, "%.*s>", (int)(space - name), name) < 0)
		return -ENOMEM;
	ret = nd_heap_classes_add(c->classes, text, ret_class);
	free(text);
	return ret;
}

static int add_detached(struct classifier *c, const char *name, uint32_t *ret_class)
{
	char *text;
	int ret;

	if (asprintf(&text, DETACHED "%s", name) < 0)
		return -ENOMEM;
	ret = add_named(c, text, ret_class);
	free(text);
	return ret;
}

/* Nodes and locations are both in order, so one goes along with the other. */
static const struct nd_heap_location *next_location(struct classifier *c, uint32_t node)
{
	const struct nd_heap *heap = c->heap;

	while (c->location < heap->location_count && heap->location[c->location].node < node)
		c->location++;
	if (c->location == heap->location_count || heap->location[c->location].node != node)
		return NULL;
	return &heap->location[c->location];
}

static int classify_located(struct classifier *c, uint32_t name,
			    const struct nd_heap_location *location, uint32_t *ret_class)
{
	const char *text = nd_heap_string(c->heap, name);
	struct nd_heap_class_key key = {
		.is_located = 1,
		.script = location->script,
		.line = location->line,
		.column = location->column,
	};

	if (!c->last_class || c->last_name != name || c->last.script != location->script ||
	    c->last.line != location->line || c->last.column != location->column) {
		if (add_key(c->classes, text, strlen(text), &key, ret_class))
			return -ENOMEM;
		c->last_name = name;
		c->last = *location;
		c->last_class = *ret_class + 1;
	}
	*ret_class = c->last_class - 1;
	return 0;
}

/* By the constructor's name, and its place, where there is one. */
static int classify_named(struct classifier *c, uint32_t node, uint32_t *ret_class)
{
	const struct nd_heap *heap = c->heap;
	const struct nd_heap_location *location = NULL;
	uint32_t name = heap->name[node];

	if (c->detached && nd_heap_bit(c->detached, node))
		return add_detached(c, nd_heap_string(heap, name), ret_class);
	if (heap->type[node] == ND_HEAP_OBJECT)
		location = next_location(c, node);
	if (location)
		return classify_located(c, name, location, ret_class);
	if (!c->of_string[name]) {
		if (add_named(c, nd_heap_string(heap, name), ret_class))
			return -ENOMEM;
		c->of_string[name] = *ret_class + 1;
	}
	*ret_class = c->of_string[name] - 1;
	return 0;
}

static int classify_kind(struct classifier *c, enum nd_heap_node_type type, uint32_t *ret_class)
{
	static const char *const special[ND_HEAP_NODE_TYPES] = {
		[ND_HEAP_HIDDEN] = "(system)",
		[ND_HEAP_CODE] = "(compiled code)",
		[ND_HEAP_CLOSURE] = "Function",
		[ND_HEAP_REGEXP] = "RegExp",
	};
	char text[64];

	if (!c->of_type[type]) {
		snprintf(text, sizeof(text), "(%s)", nd_heap_node_type_name(type));
		if (nd_heap_classes_add(c->classes, special[type] ? special[type] : text,
					ret_class))
			return -ENOMEM;
		c->of_type[type] = *ret_class + 1;
	}
	*ret_class = c->of_type[type] - 1;
	return 0;
}

int nd_heap_classify(const struct nd_heap *heap, struct nd_heap_classes *classes,
		     uint32_t *class_of)
{
	struct classifier c = {.heap = heap, .classes = classes};
	enum nd_heap_node_type type;
	uint8_t *detached = NULL;
	uint32_t node;
	int ret = nd_heap_find_detached(heap, &detached);

	c.detached = detached;
	c.of_string = calloc((size_t)heap->string_count + 1, sizeof(*c.of_string));
	if (!c.of_string)
		ret = -ENOMEM;
	for (node = 0; node < heap->node_count && !ret; node++) {
		type = (enum nd_heap_node_type)heap->type[node];
		if (type == ND_HEAP_OBJECT || type == ND_HEAP_NATIVE)
			ret = classify_named(&c, node, &class_of[node]);
		else
			ret = classify_kind(&c, type, &class_of[node]);
	}
	free(c.of_string);
	free(detached);
	return ret;
}
