/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/profile/kind.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_kinds_of_urls(void **state)
{
	assert_int_equal(nd_frame_kind_of_url("file:///app/server.mjs"), ND_FRAME_JS);
	assert_int_equal(nd_frame_kind_of_url("/app/server.js"), ND_FRAME_JS);
	assert_int_equal(nd_frame_kind_of_url(""), ND_FRAME_JS);
	assert_int_equal(nd_frame_kind_of_url("evalmachine.<anonymous>"), ND_FRAME_JS);
	assert_int_equal(nd_frame_kind_of_url("/app/my_node_modules/x.js"), ND_FRAME_JS);
	assert_int_equal(nd_frame_kind_of_url("node:internal/fs/utils"), ND_FRAME_NODE);
	assert_int_equal(nd_frame_kind_of_url("node:fs"), ND_FRAME_NODE);
	assert_int_equal(nd_frame_kind_of_url("/app/node_modules/a/b.js"), ND_FRAME_NPM);
	assert_int_equal(nd_frame_kind_of_url("file:///node_modules/a/b.js"), ND_FRAME_NPM);
	assert_int_equal(nd_frame_kind_of_url("C:\\app\\node_modules\\a\\b.js"), ND_FRAME_NPM);
	assert_int_equal(nd_frame_kind_of_url("node_modules/a/b.js"), ND_FRAME_NPM);
	assert_int_equal(nd_frame_kind_of_url("wasm://wasm/abc-123"), ND_FRAME_WASM);
}

static void test_kinds_of_v8(void **state)
{
	assert_int_equal(nd_frame_kind_of_v8("(garbage collector)"), ND_FRAME_GC);
	assert_int_equal(nd_frame_kind_of_v8("(idle)"), ND_FRAME_IDLE);
	assert_int_equal(nd_frame_kind_of_v8("(program)"), ND_FRAME_NATIVE);
	assert_int_equal(nd_frame_kind_of_v8("RegExp: a+b"), ND_FRAME_REGEXP);
	assert_int_equal(nd_frame_kind_of_v8("writeUtf8String"), ND_FRAME_BUILTIN);
	assert_int_equal(nd_frame_kind_of_v8(""), ND_FRAME_BUILTIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds_of_urls),
		cmocka_unit_test(test_kinds_of_v8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
