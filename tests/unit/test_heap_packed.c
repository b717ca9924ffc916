/* SPDX-License-Identifier: Apache-2.0 */

/* Packed snapshots: what is read is what was written, and what is damaged is an error. */

#include "analyzer/heap/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/deferred.h"
#include "analyzer/heap/packed.h"
#include "analyzer/heap/write.h"
#include "common/intern.h"
#include "heap_build.h"
#include "proto/frame.h"
#include "proto/limits.h"

#define E_ELEMENT  ND_HEAP_EDGE_ELEMENT
#define E_PROPERTY ND_HEAP_EDGE_PROPERTY
#define E_INTERNAL ND_HEAP_EDGE_INTERNAL
#define E_SHORTCUT ND_HEAP_EDGE_SHORTCUT
#define E_WEAK	   ND_HEAP_EDGE_WEAK

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const struct build_node nodes[] = {
	{ND_HEAP_SYNTHETIC, "", 1, 0},
	{ND_HEAP_OBJECT, "global", 4000000001, 10},
	{ND_HEAP_OBJECT, "Array", 5, 16},
	{ND_HEAP_ARRAY, "", 7, UINT64_C(5) << 32},
	{ND_HEAP_OBJECT, "Object", 9, 30},
	{ND_HEAP_OBJECT, "Object", 11, 30},
	{ND_HEAP_STRING, "\\u00e9 \\\"\\\\ \\n \\ud800", 13, 20},
	{ND_HEAP_NATIVE, "<p>", 2, 70},
	{ND_HEAP_CLOSURE, "f", 15, 20},
	{ND_HEAP_CODE, "f", 17, 20},
	{ND_HEAP_CODE, "/app/f.js", 19, 20},
	{ND_HEAP_OBJECT, "system / Context", 21, 20},
};
static const struct build_edge edges[] = {
	{0, E_SHORTCUT, "global", 0, 1},
	{1, E_PROPERTY, "a", 0, 2},
	{1, E_WEAK, "w", 0, 7},
	{1, E_PROPERTY, "f", 0, 8},
	{2, E_ELEMENT, NULL, 4294967290, 4},
	{2, E_INTERNAL, "elements", 0, 3},
	{4, E_PROPERTY, "id", 0, 6},
	{4, E_PROPERTY, "next", 0, 5},
	{5, E_PROPERTY, "id", 0, 6},
	{5, E_PROPERTY, "next", 0, 4},
	{8, E_INTERNAL, "shared", 0, 9},
	{8, E_INTERNAL, "context", 0, 11},
	{9, E_INTERNAL, "script", 0, 10},
};
static const uint32_t locations[][4] = {{4, 3, 9, 1}, {5, UINT32_MAX, 0, 0}, {8, 7, 1, 1}};
static const struct build build = {nodes, COUNT(nodes), edges, COUNT(edges), locations, 3};

static int take(void *arg, const void *data, size_t len, struct nd_err *err)
{
	(void)err;
	return nd_buf_add(arg, data, len);
}

/* Pack a build, analysed or not. */
static void pack_build(const struct build *b, bool analysed, struct nd_buf *out)
{
	const struct nd_heap_sink sink = {take, out};
	struct nd_heap *heap = build_heap(b);
	bool is_analysed = false;

	nd_buf_init(out, 1u << 24);
	assert_non_null(heap);
	assert_int_equal(analysed ? nd_heap_pack_analysed(heap, &sink, &is_analysed, NULL)
				  : nd_heap_pack(heap, &sink, NULL),
			 0);
	assert_int_equal(is_analysed, analysed);
	nd_heap_free(heap);
}

static void pack(bool analysed, struct nd_buf *out)
{
	pack_build(&build, analysed, out);
}

static void check_column(const void *a, const void *b, size_t size)
{
	assert_memory_equal(a, b, size);
}

static void check_same(const struct nd_heap *a, const struct nd_heap *b)
{
	uint32_t n = a->node_count, e = a->edge_count;

	assert_int_equal(a->root, b->root);
	assert_int_equal(n, b->node_count);
	assert_int_equal(e, b->edge_count);
	assert_int_equal(a->string_count, b->string_count);
	assert_int_equal(a->location_count, b->location_count);
	assert_int_equal(a->extra_native_bytes, b->extra_native_bytes);
	check_column(a->type, b->type, n);
	check_column(a->name, b->name, n * sizeof(*a->name));
	check_column(a->id, b->id, n * sizeof(*a->id));
	check_column(a->self_size, b->self_size, n * sizeof(*a->self_size));
	check_column(a->first_edge, b->first_edge, (n + 1) * sizeof(*a->first_edge));
	check_column(a->edge, b->edge, e * sizeof(*a->edge));
	check_column(a->edge_name, b->edge_name, e * sizeof(*a->edge_name));
	check_column(a->location, b->location, a->location_count * sizeof(*a->location));
	check_column(a->string_start, b->string_start,
		     (a->string_count + 1) * sizeof(*a->string_start));
	check_column(a->string_bytes, b->string_bytes, a->string_start[a->string_count]);
}

static void test_round_trip(void **state)
{
	struct nd_heap *heap = build_heap(&build), *read = NULL;
	size_t step;
	struct nd_buf file;

	pack(false, &file);
	for (step = 1; step < file.len; step += 37) {
		assert_int_equal(build_read(file.data, file.len, step, &read, NULL), 0);
		check_same(heap, read);
		nd_heap_free(read);
	}
	nd_buf_fini(&file);
	nd_heap_free(heap);
}

static void check_scopes(const struct nd_heap_scopes *a, const struct nd_heap_scopes *b)
{
	assert_int_equal(a->script_count, b->script_count);
	assert_int_equal(a->scope_count, b->scope_count);
	check_column(a->script, b->script, a->script_count * sizeof(*a->script));
	check_column(a->script_name, b->script_name, a->script_count * sizeof(*a->script_name));
	check_column(a->scope, b->scope, a->scope_count * sizeof(*a->scope));
	check_column(a->function, b->function, a->scope_count * sizeof(*a->function));
}

/* What an earlier analysis found is what one finds now. */
static void test_analysis(void **state)
{
	struct nd_heap *heap = build_heap(&build), *read = NULL;
	struct nd_intern *names = nd_intern_new();
	struct nd_heap_analysis a, b;
	struct nd_buf file;
	uint32_t i;

	pack(true, &file);
	assert_int_equal(build_read(file.data, file.len, 100, &read, NULL), 0);
	check_same(heap, read);
	assert_non_null(read->stored);
	assert_int_equal(nd_heap_analyse(heap, names, &a, NULL), 0);
	assert_int_equal(nd_heap_find_sums(heap, &a, NULL), 0);
	assert_int_equal(nd_heap_analyse(read, names, &b, NULL), 0);
	assert_null(read->stored);
	check_column(a.dominator, b.dominator, COUNT(nodes) * sizeof(*a.dominator));
	check_column(a.retained, b.retained, COUNT(nodes) * sizeof(*a.retained));
	check_column(a.distance, b.distance, COUNT(nodes) * sizeof(*a.distance));
	check_column(a.before, b.before, COUNT(nodes) * sizeof(*a.before));
	check_column(a.class_of, b.class_of, COUNT(nodes) * sizeof(*a.class_of));
	assert_null(b.child);
	assert_int_equal(nd_heap_find_tree(read, &b, NULL), 0);
	check_column(a.child, b.child, COUNT(nodes) * sizeof(*a.child));
	check_column(a.sibling, b.sibling, COUNT(nodes) * sizeof(*a.sibling));
	check_column(heap->self_size, read->self_size, COUNT(nodes) * sizeof(*heap->self_size));
	assert_int_equal(a.classes.keys.count, b.classes.keys.count);
	check_column(a.class, b.class, a.classes.keys.count * sizeof(*a.class));
	for (i = 0; i < a.classes.keys.count; i++)
		assert_string_equal(nd_heap_class_name(&a.classes, i),
				    nd_heap_class_name(&b.classes, i));
	assert_false(b.has_interfaces);
	assert_int_equal(nd_heap_find_interfaces(read, names, &b, NULL), 0);
	assert_int_equal(a.interfaces.count, b.interfaces.count);
	assert_true(b.has_scopes);
	assert_int_equal(nd_heap_find_scopes(heap, &a, NULL), 0);
	assert_int_equal(a.scopes.scope_count, 1);
	check_scopes(&a.scopes, &b.scopes);
	nd_heap_analysis_fini(&a);
	nd_heap_analysis_fini(&b);
	nd_intern_free(names);
	nd_heap_free(heap);
	nd_heap_free(read);
	nd_buf_fini(&file);
}

/* What is written for other tools is read as the same. */
static void test_write(void **state)
{
	struct nd_heap *heap = build_heap(&build), *read = NULL;
	struct nd_buf text;
	const struct nd_heap_sink sink = {take, &text};

	nd_buf_init(&text, 1u << 20);
	assert_int_equal(nd_heap_write(heap, &sink, NULL), 0);
	assert_int_equal(build_read(text.data, text.len, 1000, &read, NULL), 0);
	check_same(heap, read);
	nd_heap_free(read);
	nd_heap_free(heap);
	nd_buf_fini(&text);
}

static void check_bad(const struct nd_buf *file, size_t len)
{
	struct nd_heap *read = NULL;
	struct nd_err err = {0};

	assert_int_not_equal(build_read(file->data, len, 64, &read, &err), 0);
	assert_true(err.what[0]);
	assert_null(read);
}

/* zstd has bits that say nothing: with another one, all is as it was. */
static void check_bad_or_same(const struct nd_buf *file, const struct nd_heap *heap)
{
	struct nd_heap *read = NULL;

	if (build_read(file->data, file->len, 64, &read, NULL))
		return;
	check_same(heap, read);
	nd_heap_free(read);
}

static void test_damage(void **state)
{
	struct nd_heap *heap = build_heap(&build);
	struct nd_buf file;
	size_t i;

	pack(true, &file);
	for (i = 0; i < file.len; i++)
		check_bad(&file, i);
	for (i = 4; i < file.len; i++) {
		file.data[i] ^= 4;
		check_bad_or_same(&file, heap);
		file.data[i] ^= 4;
	}
	nd_buf_add_char(&file, 'x');
	check_bad(&file, file.len);
	nd_heap_free(heap);
	nd_buf_fini(&file);
}

/* The file with one byte of a column, or of a head with the column -1, set to another one. */
static void tamper(const struct nd_buf *file, int column, size_t at, uint8_t value,
		   struct nd_buf *out)
{
	struct nd_packer *packer = nd_packer_new();
	struct nd_buf payload;
	struct nd_part part;
	uint64_t offset = ND_FILE_HEAD_SIZE;

	nd_buf_init(out, 1u << 24);
	nd_buf_init(&payload, ND_PART_UNPACKED_MAX);
	nd_frame_add_head(out);
	for (; nd_frame_find_part(file->data, file->len, offset, &part); offset = part.end) {
		nd_buf_reset(&payload);
		assert_int_equal(nd_frame_unpack(packer, &part, &payload), 0);
		if (part.kind == ND_PART_HEAP_COLUMN ? payload.data[0] == column
						     : part.kind == ND_PART_HEAP && column < 0) {
			assert_true(at < payload.len);
			payload.data[at] = (char)value;
		}
		nd_frame_add_part(packer, (enum nd_part_kind)part.kind, payload.data, payload.len,
				  out);
	}
	nd_buf_fini(&payload);
	nd_packer_free(packer);
}

#define VALUE(i) (ND_HEAP_CHUNK_HEAD + (i))

/* Sound parts with what cannot be in them. */
static void test_nonsense(void **state)
{
	static const struct {
		int column;
		uint16_t at;
		uint8_t value;
	} cases[] = {
		{-1, 0, 0},				    /* no nodes */
		{-1, 3, 0xff},				    /* too many of them */
		{-1, 8 * ND_HEAP_HEAD_EDGES, 12},	    /* an edge less */
		{-1, 8 * ND_HEAP_HEAD_ROOT, 12},	    /* a root that is not there */
		{-1, 8 * ND_HEAP_HEAD_STRINGS, 3},	    /* names that are not there */
		{-1, 8 * ND_HEAP_HEAD_DETACHED, 3},	    /* a part of a column */
		{ND_HEAP_NODE_TYPES_COLUMN, 0, 1},	    /* another column */
		{ND_HEAP_NODE_TYPES_COLUMN, 1, 2},	    /* more planes than bytes */
		{ND_HEAP_NODE_TYPES_COLUMN, 4, 11},	    /* a value less */
		{ND_HEAP_NODE_TYPES_COLUMN, VALUE(1), 99},  /* no such type */
		{ND_HEAP_NODE_NAMES, VALUE(1), 200},	    /* no such string */
		{ND_HEAP_NODE_EDGES, VALUE(1), 200},	    /* more edges than there are */
		{ND_HEAP_EDGE_TYPES_COLUMN, VALUE(1), 8},   /* no such type */
		{ND_HEAP_EDGE_NODES, VALUE(0), 200},	    /* no such node */
		{ND_HEAP_EDGE_NODES, VALUE(0), 1},	    /* node -1 */
		{ND_HEAP_LOCATION_NODES, VALUE(0), 200},    /* no such node */
		{ND_HEAP_STRING_SIZES, VALUE(0), 0},	    /* not even a NUL */
		{ND_HEAP_STRING_BYTES, VALUE(7), 'x'},	    /* no NUL behind "<dummy>" */
		{ND_HEAP_CLASS_OF, VALUE(1), 200},	    /* no such class */
		{ND_HEAP_CLASS_LOCATED, VALUE(0), 2},	    /* neither yes nor no */
		{ND_HEAP_CLASS_NAME_SIZES, VALUE(0), 0},    /* not even a NUL */
		{ND_HEAP_CLASS_NAME_BYTES, VALUE(11), 'x'}, /* no NUL behind "(synthetic)" */
		{ND_HEAP_DOMINATORS, VALUE(2), 200},	    /* no such node */
		{ND_HEAP_BEFORE, VALUE(2), 200},	    /* no such node */
		{ND_HEAP_SCRIPT_NAMES, VALUE(0), 200},	    /* no such string */
		{ND_HEAP_SCOPES, VALUE(0), 200},	    /* no such node */
		{ND_HEAP_SCOPE_FUNCTIONS, VALUE(0), 200},   /* no such node */
	};
	struct nd_buf file, bad;
	size_t i;

	pack(true, &file);
	for (i = 0; i < COUNT(cases); i++) {
		tamper(&file, cases[i].column, cases[i].at, cases[i].value, &bad);
		check_bad(&bad, bad.len);
		nd_buf_fini(&bad);
	}
	nd_buf_fini(&file);
}

/* Trees and ways that go round, and impossible sizes, are found before anybody relies on them. */
static void test_bad_analysis(void **state)
{
	static const struct {
		int column;
		uint8_t value;
	} cases[] = {
		{ND_HEAP_DOMINATORS, 0}, /* node 4 by itself */
		{ND_HEAP_DOMINATORS, 2}, /* by node 5, which it dominates */
		{ND_HEAP_BEFORE, 2},	 /* the way to node 4 by itself */
		{ND_HEAP_BEFORE, 2 + 2}, /* by node 5, whose way is by node 4 */
		{ND_HEAP_CHARGES, 63},	 /* node 4 has 30 bytes, and 32 less are charged */
	};
	struct nd_heap_analysis a;
	struct nd_buf file, bad;
	struct nd_heap *heap = NULL;
	size_t i;

	pack(true, &file);
	for (i = 0; i < COUNT(cases); i++) {
		tamper(&file, cases[i].column, VALUE(4), cases[i].value, &bad);
		assert_int_equal(build_read(bad.data, bad.len, 64, &heap, NULL), 0);
		assert_int_equal(nd_heap_analyse(heap, NULL, &a, NULL), -EBADMSG);
		nd_heap_free(heap);
		nd_buf_fini(&bad);
	}
	nd_buf_fini(&file);
}

/* Edges in three parts of a column: a hundred nodes that refer to each other in turn. */
#define MANY_NODES 100
#define MANY_EDGES (2 * ND_HEAP_CHUNK + 1000)

static void pack_many(bool analysed, struct nd_heap **ret_heap, struct nd_buf *out)
{
	struct build_node *node = calloc(MANY_NODES, sizeof(*node));
	struct build_edge *edge = calloc(MANY_EDGES, sizeof(*edge));
	const struct build many = {node, MANY_NODES, edge, MANY_EDGES, NULL, 0};
	uint32_t i, from;

	for (i = 0; i < MANY_NODES; i++)
		node[i] = (struct build_node){i ? ND_HEAP_OBJECT : ND_HEAP_SYNTHETIC,
					      i ? "Object" : "", 2 * i + 1, 16};
	for (i = 0; i < MANY_EDGES; i++) {
		from = (uint32_t)((uint64_t)i * MANY_NODES / MANY_EDGES);
		edge[i] = (struct build_edge){from, i % 3 ? E_ELEMENT : E_PROPERTY,
					      i % 3 ? NULL : "p", i, i % MANY_NODES};
	}
	*ret_heap = build_heap(&many);
	pack_build(&many, analysed, out);
	free(node);
	free(edge);
}

static struct nd_heap *read_deferred(const struct nd_buf *file)
{
	struct nd_heap *heap = NULL;

	assert_int_equal(build_read_deferred(file->data, file->len, 100000, &heap, NULL), 0);
	return heap;
}

static bool are_there(const struct nd_heap *a, const struct nd_heap *b, uint32_t first,
		      uint32_t end)
{
	return !memcmp(a->edge + first, b->edge + first, (end - first) * sizeof(*a->edge)) &&
	       !memcmp(a->edge_name + first, b->edge_name + first,
		       (end - first) * sizeof(*a->edge_name));
}

/* The edges of a node are there when they were asked for, with what is in the same parts. */
static void test_deferred(void **state)
{
	struct nd_heap *heap, *read;
	struct nd_buf file;
	uint32_t middle = ND_HEAP_CHUNK, last = 2 * ND_HEAP_CHUNK, node;

	pack_many(true, &heap, &file);
	read = read_deferred(&file);
	assert_non_null(read->deferred);
	node = nd_heap_find_owner(heap, middle + 10000);
	nd_heap_need_edges(read, node);
	assert_true(are_there(heap, read, middle, last));
	assert_false(are_there(heap, read, 0, middle));
	assert_false(are_there(heap, read, last, MANY_EDGES));
	/* Of this one, the last edges are in another part. */
	node = nd_heap_find_owner(heap, last);
	assert_true(heap->first_edge[node] < last);
	nd_heap_need_edges(read, node);
	assert_true(are_there(heap, read, middle, MANY_EDGES));
	assert_false(are_there(heap, read, 0, middle));
	nd_heap_need_all_edges(read);
	check_same(heap, read);
	assert_int_equal(nd_heap_deferred_check(read, NULL), 0);
	nd_heap_free(read);
	nd_heap_free(heap);
	nd_buf_fini(&file);
}

/* An analysis needs all of them, so without one they are there. */
static void test_deferred_unanalysed(void **state)
{
	struct nd_heap *heap, *read;
	struct nd_buf file;

	pack_many(false, &heap, &file);
	read = read_deferred(&file);
	check_same(heap, read);
	nd_heap_free(read);
	nd_heap_free(heap);
	nd_buf_fini(&file);
}

/* What is wrong with edges is seen when they are asked for, and the others are there. */
static void test_deferred_damage(void **state)
{
	static const struct {
		int column;
		uint8_t at;
		uint8_t value;
	} cases[] = {
		{ND_HEAP_EDGE_TYPES_COLUMN, 0, ND_HEAP_EDGE_NAMES}, /* another column */
		{ND_HEAP_EDGE_TYPES_COLUMN, 4, 1},		    /* a value less */
		{ND_HEAP_EDGE_TYPES_COLUMN, VALUE(1), 8},	    /* no such type */
		{ND_HEAP_EDGE_NAMES, VALUE(0), 200},		    /* no such string */
		{ND_HEAP_EDGE_NODES, VALUE(0), 201},		    /* no such node */
	};
	struct nd_buf file, bad;
	struct nd_heap *read;
	struct nd_err err;
	size_t i;

	pack(true, &file);
	for (i = 0; i < COUNT(cases); i++) {
		tamper(&file, cases[i].column, cases[i].at, cases[i].value, &bad);
		read = read_deferred(&bad);
		assert_int_equal(nd_heap_deferred_check(read, NULL), 0);
		nd_heap_need_edges(read, 1);
		err = (struct nd_err){0};
		assert_int_equal(nd_heap_deferred_check(read, &err), -EBADMSG);
		assert_non_null(strstr(err.what, "in the part at byte "));
		nd_heap_free(read);
		nd_buf_fini(&bad);
	}
	nd_buf_fini(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),	cmocka_unit_test(test_analysis),
		cmocka_unit_test(test_write),		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_nonsense),	cmocka_unit_test(test_bad_analysis),
		cmocka_unit_test(test_deferred),	cmocka_unit_test(test_deferred_unanalysed),
		cmocka_unit_test(test_deferred_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
