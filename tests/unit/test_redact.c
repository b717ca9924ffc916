/* SPDX-License-Identifier: Apache-2.0 */

/* What stays of a snapshot that goes out without its texts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/redact.h"
#include "common/buf.h"

#define HEAD                                                                                       \
	"{\"snapshot\":{\"meta\":{\"node_fields\":[\"type\",\"name\",\"id\",\"self_size\","        \
	"\"edge_count\"],\"node_types\":[[\"hidden\",\"string\",\"object\",\"regexp\",\"novel\","  \
	"\"code\",\"symbol\"],\"string\",\"number\",\"number\",\"number\"],\"edge_fields\":["      \
	"\"type\",\"name_or_index\",\"to_node\"],\"edge_types\":[[\"context\",\"element\","        \
	"\"property\",\"internal\"],\"string_or_number\",\"node\"]},\"node_count\":3,"             \
	"\"edge_count\":2},\n"

/* Some 500,000 strings need more than the memory there is at first. */
#define MANY 500000

static struct nd_buf out;

static bool write_out(void *arg, const char *data, size_t len)
{
	return !nd_buf_add(&out, data, len);
}

static bool refuse(void *arg, const char *data, size_t len)
{
	return false;
}

/* In pieces of that size. */
static bool redact(const char *text, size_t piece)
{
	struct nd_redact *redact = calloc(1, sizeof(*redact));
	size_t left = strlen(text), len;
	bool is_fine = true;

	redact->write = write_out;
	redact->key[0] = 42;
	nd_buf_reset(&out);
	for (; left && is_fine; left -= len, text += len) {
		len = left < piece ? left : piece;
		is_fine = nd_redact_feed(redact, text, len);
	}
	is_fine = is_fine && nd_redact_finish(redact);
	nd_redact_fini(redact);
	free(redact);
	return is_fine;
}

static bool has(const char *text)
{
	return strstr(out.data, text) != NULL;
}

static const char small[] = HEAD
	"\"nodes\":[5,1,1,8,0\n,1,2,3,8,1\n,2,3,5,8,1\n,3,4,7,8,0,4,5,9,8,0,6,9,11,8,0,"
	"1,6,13,8,0],\n"
	"\"edges\":[2,6,5\n,1,7,10,2,8,0,3,10,0,1,-6,5,2,11,0,2,12,0],\n"
	"\"trace_function_infos\":[],\"trace_tree\":[],\"samples\":[],\"locations\":[0,7,1,2],\n"
	"\"strings\":[\"<dummy>\",\n\"/app/server.js\",\n\"hunter2 "
	"\\\"\\u00e9\\n\",\n\"Session\",\n"
	"\"pattern\",\n\"unheard\",\n\"password\",\n\"only text\",\n\"user@example.org\",\n"
	"\"<symbol kState>\",\n"
	"\"3 / part of key (@1) -> value (x @5) -> value (secret @7) pair in WeakMap (table @9)\","
	"\n\"get size\",\n\"4f3a9c77aa01\",\n\"\"]}\n";

static void check_small(void)
{
	/* Code, and what looks like it. */
	assert_true(has("\"/app/server.js\""));
	assert_true(has("\"Session\""));
	assert_true(has("\"password\""));
	assert_true(has("\"<symbol kState>\""));
	assert_true(has("\"get size\""));
	assert_true(has("\"3 / part of key (redacted @1) -> value (redacted @7) pair in WeakMap "
			"(table @9)\""));
	/* Texts, keys from outside, and what nobody refers to as a name. */
	assert_false(has("hunter2"));
	assert_false(has("pattern"));
	assert_false(has("unheard"));
	assert_false(has("only text"));
	assert_false(has("example"));
	assert_false(has("secret"));
	assert_false(has("4f3a9c77aa01"));
	/* Seven letters, a blank, a quote, an accent, and a line's end. */
	assert_true(has("\"<redacted 11 #"));
	assert_true(has("\"<redacted 7 #"));
	assert_true(has(",\n\"\"]}\n"));
	assert_memory_equal(out.data, small, strstr(small, "\"strings\"") - small);
}

/* However the bytes are cut, the same comes out. */
static void test_small(void **state)
{
	struct nd_buf whole;
	size_t piece;

	nd_buf_init(&whole, 1 << 20);
	assert_true(redact(small, sizeof(small)));
	check_small();
	nd_buf_add(&whole, out.data, out.len);
	for (piece = 1; piece < 40; piece++) {
		assert_true(redact(small, piece));
		assert_int_equal(out.len, whole.len);
		assert_memory_equal(out.data, whole.data, whole.len);
	}
	nd_buf_fini(&whole);
}

static void test_damage(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"{\"nodes\":[1,2]}",
		HEAD "\"nodes\":[1,2,3],\"edges\":[],\"strings\":[\"a\"]}",
		HEAD "\"nodes\":[],\"edges\":[],\"strings\":[\"a",
		HEAD "\"nodes\":[2,4294967295,1,1,0],\"edges\":[],\"strings\":[]}",
		HEAD "\"nodes\":[],\"edges\":[]",
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(redact(bad[i], 7));
	assert_true(redact(HEAD "\"nodes\":[],\"edges\":[],\"strings\":[]}", 7));
}

static void test_long(void **state)
{
	char *text = malloc(3 * ND_REDACT_TEXT);
	int len = sprintf(text,
			  HEAD "\"nodes\":[2,0,1,1,0,2,1,1,1,0],\"edges\":[],\"strings\":[\"\",\"");

	memset(text + len, 'x', 2 * ND_REDACT_TEXT);
	strcpy(text + len + 2 * ND_REDACT_TEXT, "\"]}");
	assert_true(redact(text, 1000));
	assert_true(has("\"<redacted 32768 #"));
	assert_false(has("xx"));
	free(text);
}

static void add_many(struct nd_buf *text)
{
	int i;

	nd_buf_add_str(text, HEAD "\"nodes\":[");
	for (i = 0; i < MANY; i++)
		nd_buf_addf(text, "%s%d,%d,%d,8,0", i ? "," : "", i % 2 ? 1 : 2, i, 2 * i + 1);
	nd_buf_add_str(text, "],\"edges\":[],\"strings\":[");
	for (i = 0; i < MANY; i++)
		nd_buf_addf(text, "%s\"%c%d\"", i ? "," : "", i % 2 ? 't' : 'n', i);
	nd_buf_add_str(text, "]}");
}

static void test_many(void **state)
{
	struct nd_buf text;

	nd_buf_init(&text, 64 << 20);
	add_many(&text);
	assert_true(redact(text.data, 4096));
	assert_true(has("\"n499998\""));
	assert_false(has("\"t499999\""));
	assert_false(has("\"t1\""));
	nd_buf_fini(&text);
}

static void test_refused(void **state)
{
	struct nd_redact *redact = calloc(1, sizeof(*redact));

	redact->write = refuse;
	assert_false(nd_redact_feed(redact, small, sizeof(small) - 1));
	nd_redact_fini(redact);
	free(redact);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),	cmocka_unit_test(test_damage),
		cmocka_unit_test(test_long),	cmocka_unit_test(test_many),
		cmocka_unit_test(test_refused),
	};
	int ret;

	nd_buf_init(&out, 64 << 20);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	nd_buf_fini(&out);
	return ret;
}
