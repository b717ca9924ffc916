/* SPDX-License-Identifier: Apache-2.0 */

/* From the text of a heap snapshot, in pieces and packed, to columns; and what is no snapshot. */

#include "analyzer/heap/reader.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "analyzer/gzip.h"
#include "heap_build.h"
#include "proto/limits.h"

static const struct build_node nodes[] = {
	{ND_HEAP_SYNTHETIC, "", 1, 0},
	{ND_HEAP_OBJECT, "Object", 3, UINT64_C(5368709120)},
	{ND_HEAP_STRING, "\\ud83d\\ude00 \\\"q\\\" \\ud800 \\u00e9\xc3\xa9\\n", 5, 24},
	{ND_HEAP_WASM_OBJECT, "w", 4294967295u, 8},
};
static const struct build_edge edges[] = {
	{0, ND_HEAP_EDGE_ELEMENT, NULL, 1, 1},	  {0, ND_HEAP_EDGE_SHORTCUT, "root", 0, 1},
	{1, ND_HEAP_EDGE_PROPERTY, "text", 0, 2}, {1, ND_HEAP_EDGE_ELEMENT, NULL, -6, 3},
	{2, ND_HEAP_EDGE_WEAK, "back", 0, 1},
};
static const uint32_t locations[][4] = {{2, 7, 11, 3}, {1, 7, 12, 5}};
static const struct build build = {nodes, 4, edges, 5, locations, 2};

static void check(const struct nd_heap *heap)
{
	assert_int_equal(heap->node_count, 4);
	assert_int_equal(heap->edge_count, 5);
	assert_int_equal(heap->root, 0);
	assert_int_equal(heap->self_size[1], UINT64_C(5368709120));
	assert_int_equal(heap->type[3], ND_HEAP_WASM_OBJECT);
	assert_int_equal(heap->id[3], UINT32_MAX);
	assert_int_equal(heap->first_edge[1], 2);
	assert_int_equal(heap->first_edge[4], 5);
	assert_int_equal(nd_heap_edge_to(heap, 3), 3);
	assert_int_equal(nd_heap_edge_type(heap, 3), ND_HEAP_EDGE_ELEMENT);
	assert_int_equal(heap->edge_name[3], 4294967290u);
	assert_string_equal(nd_heap_string(heap, heap->edge_name[2]), "text");
	assert_string_equal(nd_heap_name(heap, 2),
			    "\xf0\x9f\x98\x80 \"q\" \xed\xa0\x80 \xc3\xa9\xc3\xa9\n");
	assert_null(heap->detachedness);
	assert_int_equal(nd_heap_find_location(heap, 1)->line, 12);
	assert_int_equal(nd_heap_find_location(heap, 2)->column, 3);
	assert_null(nd_heap_find_location(heap, 3));
	assert_int_equal(nd_heap_find_id(heap, 5), 2);
	assert_int_equal(nd_heap_find_id(heap, 6), ND_HEAP_NONE);
}

static void check_pieces(const struct nd_buf *text)
{
	struct nd_heap *heap;
	struct nd_err err;
	size_t step;

	for (step = 1; step < text->len + 1; step = step < 40 ? step + 1 : step * 3) {
		assert_int_equal(build_read(text->data, text->len, step, &heap, &err), 0);
		check(heap);
		nd_heap_free(heap);
	}
}

static void test_pieces_of_any_size(void **state)
{
	struct nd_buf text;

	nd_buf_init(&text, 1u << 20);
	build_text(&build, &text);
	check_pieces(&text);
	nd_buf_fini(&text);
}

static void test_share(void **state)
{
	struct nd_heap_reader *reader = nd_heap_reader_new();
	double share, before = 0;
	struct nd_buf text;
	size_t i;

	nd_buf_init(&text, 1u << 20);
	build_text(&build, &text);
	assert_true(nd_heap_reader_get_share(reader) <= 0);
	for (i = 0; i < text.len; i++) {
		assert_int_equal(nd_heap_reader_feed(reader, text.data + i, 1, NULL), 0);
		share = nd_heap_reader_get_share(reader);
		assert_true(share >= before && share < 1);
		before = share;
	}
	/* All but the strings, which nobody counts. */
	assert_true(before > 0.9);
	nd_heap_reader_free(reader);
	nd_buf_fini(&text);
}

/* Up to Node.js 22, lines end before commas; others may end anywhere. */
static void test_lines(void **state)
{
	static const char *const commas[] = {"\n,", "\n\n,", " ,", ",\n", "\r\n,\r\n"};
	struct nd_buf text, lines;
	const char *at, *list, *end;
	size_t i;

	nd_buf_init(&text, 1u << 20);
	nd_buf_init(&lines, 1u << 20);
	build_text(&build, &text);
	list = strstr(text.data, "\"nodes\":[");
	end = strstr(text.data, "\"strings\"");
	for (i = 0; i < sizeof(commas) / sizeof(commas[0]); i++) {
		nd_buf_reset(&lines);
		for (at = text.data; *at; at++)
			if (*at == ',' && at > list && at < end)
				nd_buf_add_str(&lines, commas[i]);
			else
				nd_buf_add_char(&lines, *at);
		check_pieces(&lines);
	}
	nd_buf_fini(&text);
	nd_buf_fini(&lines);
}

/* zstd with a single block that is not compressed. */
static void add_zstd(const struct nd_buf *text, struct nd_buf *out)
{
	uint32_t block = (uint32_t)text->len << 3 | 1;
	uint32_t len = (uint32_t)text->len;

	nd_buf_add(out, "\x28\xb5\x2f\xfd\xa0", 5);
	nd_buf_add(out, &len, 4);
	nd_buf_add(out, &block, 3);
	nd_buf_add(out, text->data, text->len);
}

static void check_packed(const struct nd_buf *packed)
{
	struct nd_heap *heap;
	struct nd_err err;
	size_t step;

	for (step = 1; step < packed->len + 1; step = step * 2 + 1) {
		assert_int_equal(build_read(packed->data, packed->len, step, &heap, &err), 0);
		check(heap);
		nd_heap_free(heap);
	}
	/* Cut off, the end of what is packed is missing before the end of the text is. */
	assert_int_equal(build_read(packed->data, packed->len / 2, 100, &heap, &err), -EBADMSG);
}

static void test_packed(void **state)
{
	struct nd_buf text, packed;

	nd_buf_init(&text, 1u << 20);
	nd_buf_init(&packed, 1u << 20);
	build_text(&build, &text);
	assert_int_equal(nd_gzip(text.data, text.len, &packed), 0);
	check_packed(&packed);
	nd_buf_reset(&packed);
	add_zstd(&text, &packed);
	check_packed(&packed);
	nd_buf_fini(&text);
	nd_buf_fini(&packed);
}

/* Put `with` where `what` is first; both may be longer. */
static void replace(struct nd_buf *text, const char *what, const char *with)
{
	char *at = strstr(text->data, what), *rest;

	assert_non_null(at);
	rest = strdup(at + strlen(what));
	text->len = (size_t)(at - text->data);
	nd_buf_add_str(text, with);
	nd_buf_add_str(text, rest);
	free(rest);
}

static const struct bad {
	const char *what;
	const char *with;
	const char *message;
} bad[] = {
	{"{\"snapshot\"", "[\"snapshot\"", "not a heap snapshot: it does not begin with '{'"},
	{"{\"snapshot\"", "\xef\xbb\xbf{\"snapshot\"",
	 "not a heap snapshot: it does not begin with '{'"},
	{"\"snapshot\"", "\"snapshut\"", "'nodes' at byte "},
	{"\"node_count\":4", "\"node_count\":3", "more nodes than the 3 of its head"},
	{"\"node_count\":4", "\"node_count\":5", "it has 4 nodes, and its head says 5"},
	{"\"node_count\":4", "\"node_count\":0", "its head has no usable 'node_count'"},
	{"\"node_count\":4", "\"node_count\":-5", "its head has no usable 'node_count'"},
	{"\"node_count\":4", "\"node_count\":4294967295", "its head has no usable 'node_count'"},
	{"\"node_count\":4", "\"node_count\":500000000", "it has 4 nodes"},
	{"\"node_count\":4", "\"node_count\":2000000000000000000000", "its head is no JSON"},
	{"\"edge_count\":5", "\"edge_count\":4", "a node's edge count out of range before byte "},
	{"\"edge_count\":5", "\"edge_count\":6", "it has 5 edges, its nodes 5, and its head says"},
	{"\"edge_count\":5", "\"edge_count\":4294967290", "it has 5 edges"},
	{"\"node_fields\"", "\"xode_fields\"", "its head has no usable 'node_fields'"},
	{"\"type\",\"name\",\"id\"", "\"type\",\"type\",\"id\"",
	 "its head does not name 'type' once in 'node_fields'"},
	{"\"type\",\"name\",\"id\"", "\"type\",\"name\",\"ix\"",
	 "its head does not name 'id' once in 'node_fields'"},
	{"\"node_types\":[[\"hidden\"", "\"node_types\":[[],[\"hidden\"",
	 "its head has no usable 'node_types'"},
	{"\"trace_function_count\"", "\"root_index\":5,\"trace_function_count\"",
	 "its head has no usable 'root_index'"},
	{"\"nodes\":[9", "\"nodes\":[99", "a node's type out of range before byte "},
	{"\"nodes\":[9", "\"nodes\":[-1", "a node's type out of range before byte "},
	{"\"nodes\":[9,1", "\"nodes\":[9,-1", "a node's name out of range before byte "},
	{"\"nodes\":[9,1", "\"nodes\":[9,99999999", "string 99999999 is named before byte "},
	{"\"nodes\":[9", "\"nodes\":[9.5", "'.' at byte "},
	{"\"nodes\":[9", "\"nodes\":[\"x]y\"", "'\"' at byte "},
	{"\"nodes\":[9", "\"nodes\":[[1]", "'[' at byte "},
	{"\"nodes\":[9", "\"nodes\":[9 9", "'9' at byte "},
	{"\"nodes\":[9", "\"nodes\":[9\n9", "'9' at byte "},
	{"\"nodes\":[9", "\"nodes\":[9\n-9", "'-' at byte "},
	{"\"nodes\":[9", "\"nodes\":[-", "',' at byte "},
	{"\"nodes\":[9", "\"nodes\":[", "',' at byte "},
	{"\"nodes\":[9", "\"nodes\":[9999999999999999999", "a number of more than 18 digits"},
	{",5368709120,", ",9007199254740993,", "a node's size out of range before byte "},
	{",0],", ",0,],", "']' at byte "},
	{",0],", ",0,1],", "the nodes end in the middle of one, before byte "},
	{",0],", ",0,1,1,1,1,1,1],", "more nodes than the 4"},
	{",0],", "],", "the nodes end in the middle of one, before byte "},
	{"\"edges\":[1", "\"edges\":[9", "an edge's type out of range before byte "},
	{"\"edges\":[1,1,6", "\"edges\":[1,1,7", "an edge's node out of range before byte "},
	{"\"edges\":[1,1,6", "\"edges\":[1,1,24", "an edge's node out of range before byte "},
	{"\"edges\":[1,1,6", "\"edges\":[1,1,-6", "an edge's node out of range before byte "},
	{"\"edges\":[1,1,6", "\"edges\":[1,4294967296,6",
	 "an edge's name out of range before byte"},
	{"\"edges\":[1,1,6", "\"edges\":[2,99,6", "string 99 is named before byte "},
	{"\"edges\":[1,1,6", "\"edges\":[2,-1,6", "an edge's name out of range before byte "},
	{"\"edges\"", "\"edgez\"", "not a heap snapshot: it has no 'edges'"},
	{"\"strings\"", "\"stringz\"", "not a heap snapshot: it has no 'strings'"},
	{"\"edges\"", "\"nodes\":[1],\"edges\"", "a second 'nodes' at byte "},
	{"\"edges\"", "\"edges\":{},\"edges\"", "'{' at byte "},
	{"\"locations\":[12", "\"locations\":[13", "a location's node out of range before byte "},
	{"<dummy>", "\\uZZZZ", "a bad escape in a string at byte "},
	{"<dummy>", "\\x", "a bad escape in a string at byte "},
	{"<dummy>", "a\nb", "byte 0x0a at "},
	{"\"<dummy>\"", "7", "byte 0x37 at "},
	{"]}\n", "", "it is cut off after byte "},
	{"}\n", "", "it is cut off after byte "},
	{"}\n", "}\n]]]", "something follows the end of the snapshot, at byte "},
};

static void test_bad_files(void **state)
{
	struct nd_heap *heap = NULL;
	struct nd_buf text;
	struct nd_err err;
	size_t i;

	nd_buf_init(&text, 1u << 20);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		nd_buf_reset(&text);
		build_text(&build, &text);
		replace(&text, bad[i].what, bad[i].with);
		err = (struct nd_err){0};
		assert_int_equal(build_read(text.data, text.len, 7, &heap, &err), -EBADMSG);
		if (strncmp(err.what, bad[i].message, strlen(bad[i].message)) != 0)
			fail_msg("%s for %s: %s", bad[i].with, bad[i].what, err.what);
		assert_int_equal(build_read(text.data, text.len, text.len, &heap, NULL), -EBADMSG);
	}
	nd_buf_fini(&text);
}

/* Every proper start of a file is cut off, whatever byte it ends with. */
static void test_cut_off(void **state)
{
	struct nd_heap *heap = NULL;
	struct nd_buf text;
	size_t len;

	nd_buf_init(&text, 1u << 20);
	build_text(&build, &text);
	for (len = 0; len + 1 < text.len; len++)
		assert_int_equal(build_read(text.data, len, 1000, &heap, NULL), -EBADMSG);
	nd_buf_fini(&text);
}

static void test_fields_by_name(void **state)
{
	static const char text[] =
		"{\"strings\":[\"<dummy>\",\"a\"],\"more\":{\"x\":[\"]}\\\"\",{}]},\"snapshot\":"
		"{\"meta\":{\"edge_fields\":[\"to_node\",\"other\",\"name_or_index\",\"type\"],"
		"\"edge_types\":[0,0,0,[\"new\",\"property\"]],"
		"\"node_fields\":[\"id\",\"edge_count\",\"self_size\",\"name\",\"type\"],"
		"\"node_types\":[0,0,0,0,[\"new\",\"object\"]]},\"node_count\":2,\"edge_count\":1,"
		"\"root_index\":5,\"extra_native_bytes\":77},\"number\":-1.5e3,\"word\":null,"
		"\"edges\":[0,9,1,1],\"nodes\":[2,0,8,1,0,1,1,16,0,1]} \r\n\t";
	struct nd_heap *heap;
	size_t step;

	for (step = 1; step < 100; step += 9) {
		assert_int_equal(build_read(text, sizeof(text) - 1, step, &heap, NULL), 0);
		assert_int_equal(heap->root, 1);
		assert_int_equal(heap->type[0], ND_HEAP_OTHER);
		assert_int_equal(heap->type[1], ND_HEAP_OBJECT);
		assert_int_equal(heap->id[1], 1);
		assert_int_equal(heap->self_size[1], 16);
		assert_int_equal(nd_heap_edge_to(heap, 0), 0);
		assert_string_equal(nd_heap_string(heap, heap->edge_name[0]), "a");
		assert_int_equal(heap->extra_native_bytes, 77);
		nd_heap_free(heap);
	}
}

/* What is skipped may be as deep as it likes. */
static void test_deep(void **state)
{
	enum { DEEP = 2000000 };
	struct nd_heap *heap;
	struct nd_buf text;
	char *deep = malloc(2 * DEEP + 32);

	assert_non_null(deep);
	strcpy(deep, "\"trace_tree\":[");
	memset(deep + 14, '[', DEEP);
	memset(deep + 14 + DEEP, ']', DEEP);
	strcpy(deep + 14 + 2 * (size_t)DEEP, "]");
	nd_buf_init(&text, 1u << 24);
	build_text(&build, &text);
	replace(&text, "\"trace_tree\":[]", deep);
	assert_int_equal(build_read(text.data, text.len, 65536, &heap, NULL), 0);
	check(heap);
	nd_heap_free(heap);
	nd_buf_fini(&text);
	free(deep);
}

static void test_no_snapshot(void **state)
{
	struct nd_heap *heap = NULL;
	struct nd_err err = {0};
	char *head = malloc(ND_HEAP_HEAD_MAX + 100);

	assert_int_equal(build_read("", 0, 1, &heap, &err), -EBADMSG);
	assert_string_equal(err.what, "it is empty");
	assert_int_equal(build_read("{", 1, 1, &heap, &err), -EBADMSG);
	assert_int_equal(build_read("{}", 2, 1, &heap, &err), -EBADMSG);
	assert_string_equal(err.what, "not a heap snapshot: it has no 'snapshot'");
	assert_int_equal(build_read("\x1f\x8b\x08zzzzzzzzzzzzzzz", 18, 5, &heap, &err), -EBADMSG);
	assert_string_equal(err.what, "its gzip data is damaged or cut off, after 0 bytes of text");
	assert_int_equal(build_read("\x28\xb5\x2f\xfdzzzzzzzzzzzzzzz", 18, 5, &heap, &err),
			 -EBADMSG);
	assert_non_null(head);
	memset(head, ' ', ND_HEAP_HEAD_MAX + 100);
	strcpy(head, "{\"snapshot\":{");
	head[strlen(head)] = ' ';
	assert_int_equal(build_read(head, ND_HEAP_HEAD_MAX + 100, 65536, &heap, &err), -E2BIG);
	free(head);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_of_any_size),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_fields_by_name),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_no_snapshot),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
