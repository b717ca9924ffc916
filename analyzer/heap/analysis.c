/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/analysis.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/distances.h"
#include "analyzer/heap/dominators.h"
#include "analyzer/heap/graph.h"
#include "analyzer/heap/groups.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/sizes.h"
#include "analyzer/heap/stored.h"
#include "common/err.h"
#include "common/pages.h"

void nd_heap_analysis_fini(struct nd_heap_analysis *a)
{
	free(a->dominator);
	free(a->retained);
	free(a->distance);
	free(a->before);
	free(a->class_of);
	free(a->child);
	free(a->sibling);
	free(a->top);
	free(a->class);
	nd_heap_classes_fini(&a->classes);
	nd_heap_interfaces_fini(&a->interfaces);
	nd_heap_scopes_fini(&a->scopes);
}

/* Dominators come first: they take most memory, and what is not there yet is not in the way. */
static int analyse_graph(struct nd_heap *heap, struct nd_heap_analysis *a)
{
	struct nd_heap_pairs pairs;
	uint8_t *essential;
	int ret = nd_heap_pairs_init(&pairs, heap);

	if (ret)
		return ret;
	ret = nd_heap_charge_owners(heap);
	essential = ret ? NULL : nd_heap_find_essential(heap, &pairs);
	if (!essential)
		ret = -ENOMEM;
	if (!ret)
		ret = nd_heap_find_dominators(heap, essential, &a->dominator, &a->retained);
	free(essential);
	if (!ret)
		a->before = nd_heap_list_before(heap, &pairs);
	nd_heap_pairs_fini(&pairs);
	return ret || !a->before ? -ENOMEM : 0;
}

/* Only who compares classes with those of another heap asks what plain objects look like. */
int nd_heap_find_interfaces(const struct nd_heap *heap, struct nd_intern *names,
			    struct nd_heap_analysis *a, struct nd_err *err)
{
	struct nd_heap_shapes shapes = {0};
	uint32_t *ignored;
	int ret = 0;

	if (a->has_interfaces)
		return 0;
	ignored = malloc(heap->node_count * sizeof(*ignored));
	if (!ignored)
		ret = -ENOMEM;
	if (!ret)
		ret = nd_heap_find_shapes(heap, names, &shapes, ignored);
	if (!ret)
		ret = nd_heap_infer_interfaces(&shapes, names, &a->interfaces);
	a->has_interfaces = !ret;
	free(ignored);
	nd_heap_shapes_fini(&shapes);
	return ret ? nd_err_set(err, ret, "out of memory for classes") : 0;
}

static int classify(const struct nd_heap *heap, struct nd_intern *names, struct nd_heap_analysis *a)
{
	struct nd_heap_shapes shapes = {0};
	uint32_t *class_of_shape = NULL, node;
	int ret = nd_heap_classes_init(&a->classes);

	a->class_of = malloc(heap->node_count * sizeof(*a->class_of));
	if (!a->class_of)
		ret = -ENOMEM;
	nd_pages_populate(a->class_of, heap->node_count * sizeof(*a->class_of));
	if (!ret)
		ret = nd_heap_classify(heap, &a->classes, a->class_of);
	if (!ret)
		ret = nd_heap_find_shapes(heap, names, &shapes, a->class_of);
	if (!ret)
		ret = nd_heap_infer_interfaces(&shapes, names, &a->interfaces);
	a->has_interfaces = !ret;
	if (!ret)
		ret = nd_heap_class_shapes(&shapes, &a->interfaces, names, &a->classes,
					   &class_of_shape);
	for (node = 0; node < heap->node_count && !ret; node++)
		if (a->class_of[node] & ND_HEAP_SHAPE_BIT)
			a->class_of[node] = class_of_shape[a->class_of[node] & ~ND_HEAP_SHAPE_BIT];
	free(class_of_shape);
	nd_heap_shapes_fini(&shapes);
	return ret;
}

static int build_tree(const struct nd_heap *heap, struct nd_heap_analysis *a)
{
	uint32_t count = heap->node_count, node, parent;

	a->child = malloc(count * sizeof(*a->child));
	a->sibling = malloc(count * sizeof(*a->sibling));
	if (!a->child || !a->sibling)
		return -ENOMEM;
	nd_pages_populate(a->child, count * sizeof(*a->child));
	nd_pages_populate(a->sibling, count * sizeof(*a->sibling));
	memset(a->child, 0xff, count * sizeof(*a->child));
	for (node = count; node-- > 0;) {
		parent = a->dominator[node];
		a->sibling[node] = ND_HEAP_NONE;
		if (node == heap->root)
			continue;
		a->sibling[node] = a->child[parent];
		a->child[parent] = node;
	}
	return 0;
}

int nd_heap_find_tree(const struct nd_heap *heap, struct nd_heap_analysis *a, struct nd_err *err)
{
	if (!a->sibling && build_tree(heap, a))
		return nd_err_set(err, -ENOMEM, "out of memory for a heap of %u objects",
				  heap->node_count);
	return 0;
}

static void count_members(const struct nd_heap *heap, struct nd_heap_analysis *a)
{
	struct nd_heap_class *class;
	uint32_t node;

	for (node = 0; node < heap->node_count; node++) {
		if (!heap->self_size[node])
			continue;
		class = &a->class[a->class_of[node]];
		if (!class->count || a->distance[node] < class->distance)
			class->distance = a->distance[node];
		class->count++;
		class->self += heap->self_size[node];
	}
}

static int sum_classes(const struct nd_heap *heap, struct nd_heap_analysis *a)
{
	uint32_t count = a->classes.keys.count, i;
	uint64_t *retained = calloc((size_t)count + 1, sizeof(*retained));
	int ret = -ENOMEM;

	a->class = calloc((size_t)count + 1, sizeof(*a->class));
	if (retained && a->class) {
		count_members(heap, a);
		ret = nd_heap_sum_retained(heap, a, a->class_of, count, retained);
		for (i = 0; i < count; i++)
			a->class[i].retained = retained[i];
	}
	free(retained);
	return ret;
}

int nd_heap_find_distances(const struct nd_heap *heap, struct nd_heap_analysis *a,
			   struct nd_err *err)
{
	struct nd_heap_pairs pairs;

	if (a->distance)
		return 0;
	if (!nd_heap_pairs_init(&pairs, heap)) {
		a->distance = nd_heap_list_distances(heap, &pairs);
		nd_heap_pairs_fini(&pairs);
	}
	return a->distance ? 0 : nd_err_set(err, -ENOMEM, "out of memory for distances");
}

int nd_heap_find_scopes(const struct nd_heap *heap, struct nd_heap_analysis *a, struct nd_err *err)
{
	if (!a->has_scopes && nd_heap_scopes_init(&a->scopes, heap))
		return nd_err_set(err, -ENOMEM, "out of memory for scopes");
	a->has_scopes = true;
	return 0;
}

int nd_heap_find_sums(const struct nd_heap *heap, struct nd_heap_analysis *a, struct nd_err *err)
{
	int ret = nd_heap_find_tree(heap, a, err);

	if (!ret)
		ret = nd_heap_find_distances(heap, a, err);
	if (!ret && !a->class && sum_classes(heap, a))
		ret = nd_err_set(err, -ENOMEM, "out of memory for classes");
	return ret;
}

static bool is_global_name(const char *name)
{
	if (*name != 'g' && *name != 'W')
		return false;
	return !strcmp(name, "global") || !strncmp(name, "global /", 8) ||
	       !strcmp(name, "Window") || !strncmp(name, "Window /", 8);
}

static int find_top(const struct nd_heap *heap, struct nd_heap_analysis *a)
{
	uint32_t context = nd_heap_find_string(heap, "system / NativeContext"), i;
	uint8_t *is_global = calloc(heap->string_count / 8 + 1, 1);

	a->top = calloc(heap->node_count / 8 + 1, 1);
	if (!is_global || !a->top) {
		free(is_global);
		return -ENOMEM;
	}
	for (i = 0; i < heap->string_count; i++)
		if (is_global_name(nd_heap_string(heap, i)))
			nd_heap_set_bit(is_global, i);
	for (i = 0; i < heap->node_count; i++)
		if (i == heap->root || heap->type[i] == ND_HEAP_SYNTHETIC ||
		    (heap->type[i] == ND_HEAP_HIDDEN && heap->name[i] == context) ||
		    (heap->type[i] == ND_HEAP_OBJECT && nd_heap_bit(is_global, heap->name[i])))
			nd_heap_set_bit(a->top, i);
	free(is_global);
	return 0;
}

static int analyse(struct nd_heap *heap, struct nd_intern *names, struct nd_heap_analysis *a)
{
	int ret = analyse_graph(heap, a);

	return ret ? ret : classify(heap, names, a);
}

/*
 * Whether the ways from node to next node all come to `end`: a file may say anything. Each is gone
 * until a node that is known to come there: one before those that are looked at, as most are, or
 * one that was passed, and then marked.
 */
static bool do_ways_end(const uint32_t *next, uint32_t count, uint32_t end, uint8_t *passed)
{
	uint32_t node, at, steps;

	for (node = 0; node < count; node++) {
		if (next[node] < node)
			continue;
		for (at = node, steps = 0; at >= node && at != end && !nd_heap_bit(passed, at);
		     at = next[at])
			if (++steps > count)
				return false;
		for (at = node; at >= node && at != end && !nd_heap_bit(passed, at); at = next[at])
			nd_heap_set_bit(passed, at);
	}
	return true;
}

static bool is_sound(const struct nd_heap *heap, const struct nd_heap_analysis *a, uint8_t *passed)
{
	uint32_t count = heap->node_count;

	if (!do_ways_end(a->dominator, count, heap->root, passed))
		return false;
	memset(passed, 0, count / 8 + 1);
	return do_ways_end(a->before, count, ND_HEAP_NONE, passed);
}

static int take_stored(struct nd_heap *heap, struct nd_heap_analysis *a)
{
	uint8_t *passed = calloc(heap->node_count / 8 + 1, 1);
	int ret = passed ? nd_heap_stored_take(heap, a) : -ENOMEM;

	if (!ret && !is_sound(heap, a, passed))
		ret = -EBADMSG;
	free(passed);
	return ret;
}

int nd_heap_analyse(struct nd_heap *heap, struct nd_intern *names, struct nd_heap_analysis *ret,
		    struct nd_err *err)
{
	struct nd_heap_analysis a = {0};
	int code = heap->stored ? take_stored(heap, &a) : analyse(heap, names, &a);

	if (!code)
		code = find_top(heap, &a);
	if (!code) {
		*ret = a;
		return 0;
	}
	nd_heap_analysis_fini(&a);
	if (code == -EBADMSG)
		return nd_err_set(err, code, "the analysis that came with the snapshot is damaged");
	return nd_err_set(err, code, "out of memory for a heap of %u objects", heap->node_count);
}
