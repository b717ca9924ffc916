/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/profile/import.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/profile/frame_text.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/limits.h"

static struct nd_profile *import(const char *text, size_t len)
{
	struct nd_profile *profile = NULL;
	struct nd_err err = {0};

	if (nd_import_folded(text, len, &profile, &err))
		fail_msg("%s", err.what);
	return profile;
}

static uint64_t total(const struct nd_profile *profile)
{
	uint32_t count;

	return nd_profile_nodes(profile, &count)[0].total;
}

static uint64_t self_of(const struct nd_profile *profile, const char *name)
{
	struct nd_function *functions;
	uint32_t unused;
	uint64_t self = UINT64_MAX;
	const struct nd_frame *frames = nd_profile_frames(profile, &unused);
	size_t count, i;

	assert_int_equal(nd_profile_functions(profile, &functions, &count), 0);
	for (i = 0; i < count; i++)
		if (!strcmp(frames[functions[i].frame].name, name))
			self = functions[i].self;
	free(functions);
	return self;
}

static void check_total(const char *text, uint64_t want)
{
	struct nd_profile *profile = import(text, strlen(text));

	assert_true(total(profile) == want);
	nd_profile_free(profile);
}

static void test_lines(void **state)
{
	struct nd_profile *profile;
	const char text[] = "main;f 3\nmain;f;g 4\nmain 1\nmain;f 2\n";

	profile = import(text, sizeof(text) - 1);
	assert_true(total(profile) == 10);
	assert_true(self_of(profile, "main") == 1);
	assert_true(self_of(profile, "f") == 5);
	assert_true(self_of(profile, "g") == 4);
	assert_string_equal(nd_profile_get_info(profile)->unit, "count");
	nd_profile_free(profile);
}

static void test_what_others_write(void **state)
{
	check_total("a;b 1\r\na;c 2\r\n", 3);
	check_total("a;b 1", 1);
	check_total("\n\n  \na 1\n\n", 1);
	check_total("# by some tool 1\n#\na 2\n", 2);
	check_total("#priv;f 2\n", 2);
	check_total("\xef\xbb\xbf"
		    "a 2\n",
		    2);
	check_total("a;b\t7\n", 7);
	check_total("a;b   7   \n", 7);
	check_total("operator new(unsigned long);f g 7\n", 7);
	check_total("a;;b 7\n;a 1\n", 8);
	check_total("a 0\nb 2\n", 2);
	check_total("a 1.5\nb 2.4\nc 3.\ne 0.49\n", 2 + 2 + 3);
	check_total("", 0);
	check_total("# only\n", 0);
	check_total("a 9223372036854775807\n", INT64_MAX);
}

static void check_refused(const char *text, size_t len, int code, const char *why)
{
	struct nd_profile *profile;
	struct nd_err err;

	assert_int_equal(nd_import_folded(text, len, &profile, &err), code);
	if (!strstr(err.what, why))
		fail_msg("'%s' is not in '%s'", why, err.what);
}

static void test_what_is_refused(void **state)
{
#define CHECK_REFUSED(text, why) check_refused(text, sizeof(text) - 1, -EBADMSG, why)
	CHECK_REFUSED("a 1\nno number\n", "line 2 does not end with a number");
	CHECK_REFUSED("a 1\n\n12\n", "line 3 has no stack");
	CHECK_REFUSED("a -1\n", "line 1 does not end");
	CHECK_REFUSED("a 1e9\n", "line 1 does not end");
	CHECK_REFUSED("a 1.2.3\n", "line 1 does not end");
	CHECK_REFUSED("a 0x10\n", "line 1 does not end");
	CHECK_REFUSED("a\0b 1\n", "line 1 has a NUL byte");
	CHECK_REFUSED("a 9223372036854775808\n", "line 1 does not end");
	CHECK_REFUSED("a 99999999999999999999\n", "line 1 does not end");
	CHECK_REFUSED("a 9223372036854775807\nb 1\n", "line 2 makes the sum too large");
#undef CHECK_REFUSED
}

/* The root goes: what was running is at the other end. */
static void test_deep_stacks(void **state)
{
	struct nd_profile *profile;
	struct nd_buf text;
	uint32_t count;
	int i;

	nd_buf_init(&text, 1 << 20);
	for (i = 0; i < ND_STACK_DEPTH_MAX + 10; i++)
		nd_buf_addf(&text, "f%d;", i);
	nd_buf_add_str(&text, "leaf 5\n");
	profile = import(text.data, text.len);
	nd_profile_nodes(profile, &count);
	assert_int_equal(count, ND_STACK_DEPTH_MAX + 1);
	assert_true(self_of(profile, "leaf") == 5);
	assert_true(self_of(profile, "f0") == UINT64_MAX);
	assert_true(nd_profile_get_loss(profile, ND_LOSS_TRUNCATED) == 5);
	nd_profile_free(profile);
	nd_buf_fini(&text);
}

static void check_frame(const char *text, const struct nd_frame *want, enum nd_tier tier)
{
	struct nd_frame_text is;
	char copy[256];

	snprintf(copy, sizeof(copy), "%s", text);
	nd_frame_text_decode(copy, &is);
	if (strcmp(is.frame.name, want->name) != 0 || strcmp(is.frame.file, want->file) != 0 ||
	    is.frame.line != want->line || is.frame.column != want->column ||
	    is.frame.kind != want->kind || is.tier != tier)
		fail_msg("'%s': name '%s', file '%s', %u:%u, %s, tier '%s'", text, is.frame.name,
			 is.frame.file, is.frame.line, is.frame.column,
			 nd_frame_kind_name(is.frame.kind), nd_tier_name(is.tier));
}

#define FRAME(name, file, line, column, kind)                                                      \
	(&(struct nd_frame){name, file, line, column, ND_FRAME_##kind})

static void test_frames_of_nodiag(void **state)
{
	check_frame("f (/a/b.js:12:3)_[j]", FRAME("f", "/a/b.js", 12, 3, JS), 0);
	check_frame("f (/a/b.js:12)_[j]", FRAME("f", "/a/b.js", 12, 0, JS), 0);
	check_frame("f (/a/b.js)_[j]", FRAME("f", "/a/b.js", 0, 0, JS), 0);
	check_frame("(anonymous) (/a (b)/c.js:1:2)_[j]",
		    FRAME("(anonymous)", "/a (b)/c.js", 1, 2, JS), 0);
	check_frame("f (node:fs:1:2)_[j]", FRAME("f", "node:fs", 1, 2, NODE), 0);
	check_frame("f (/x/node_modules/y/z.js:1:2)_[j]",
		    FRAME("f", "/x/node_modules/y/z.js", 1, 2, NPM), 0);
	check_frame("ArrayMap_[j]", FRAME("ArrayMap", "", 0, 0, BUILTIN), 0);
	check_frame("do_syscall_64_[k]", FRAME("do_syscall_64", "", 0, 0, KERNEL), 0);
	check_frame("(garbage collector)", FRAME("(garbage collector)", "", 0, 0, GC), 0);
	check_frame("(idle)", FRAME("(idle)", "", 0, 0, IDLE), 0);
}

static void test_frames_of_perf(void **state)
{
	check_frame("LazyCompile:*f /a/b.js:12:3", FRAME("f", "/a/b.js", 12, 3, JS),
		    ND_TIER_TURBOFAN);
	check_frame("LazyCompile:~f node:internal/fs:12:3",
		    FRAME("f", "node:internal/fs", 12, 3, NODE), ND_TIER_IGNITION);
	check_frame("JS:^get x /a/b.js:12:3", FRAME("get x", "/a/b.js", 12, 3, JS),
		    ND_TIER_SPARKPLUG);
	check_frame("Function:+f /a/b.js:1", FRAME("f", "/a/b.js", 1, 0, JS), ND_TIER_MAGLEV);
	check_frame("LazyCompile:~<anonymous> /a/b.js:1:2_[j]",
		    FRAME("(anonymous)", "/a/b.js", 1, 2, JS), ND_TIER_IGNITION);
	check_frame("LazyCompile:* /a/b.js:1:2", FRAME("(anonymous)", "/a/b.js", 1, 2, JS),
		    ND_TIER_TURBOFAN);
	check_frame("JS:*f", FRAME("f", "", 0, 0, JS), ND_TIER_TURBOFAN);
	check_frame("Builtin:ArrayMap", FRAME("ArrayMap", "", 0, 0, BUILTIN), 0);
	check_frame("BytecodeHandler:Add", FRAME("Add", "", 0, 0, BUILTIN), 0);
	check_frame("RegExp:a+b", FRAME("a+b", "", 0, 0, REGEXP), 0);
	check_frame("[unknown]", FRAME("[unknown]", "", 0, 0, UNKNOWN), 0);
	check_frame(
		"v8::internal::Execution::Call(v8::internal::Isolate*)",
		FRAME("v8::internal::Execution::Call(v8::internal::Isolate*)", "", 0, 0, NATIVE),
		0);
	check_frame("std::f(int) (.cold)", FRAME("std::f(int) (.cold)", "", 0, 0, NATIVE), 0);
	check_frame("__libc_start_main", FRAME("__libc_start_main", "", 0, 0, NATIVE), 0);
}

static void test_frames_of_others(void **state)
{
	check_frame("f /a/b.js:12:3", FRAME("f", "/a/b.js", 12, 3, JS), 0);
	check_frame("f (/a/b.js:12)", FRAME("f", "/a/b.js", 12, 0, JS), 0);
	check_frame("f C:\\a\\b.js:12", FRAME("f", "C:\\a\\b.js", 12, 0, JS), 0);
	check_frame("sum 12", FRAME("sum 12", "", 0, 0, NATIVE), 0);
	check_frame("_[j]", FRAME("_[j]", "", 0, 0, NATIVE), 0);
	check_frame(" ", FRAME(" ", "", 0, 0, NATIVE), 0);
	check_frame("()", FRAME("()", "", 0, 0, NATIVE), 0);
	check_frame(" ()_[j]", FRAME(" ()", "", 0, 0, BUILTIN), 0);
	check_frame("f (:1)", FRAME("f", "", 1, 0, JS), 0);
	check_frame("f (/a:99999999999)_[j]", FRAME("f", "/a:99999999999", 0, 0, JS), 0);
}

static void test_inlined_suffix(void **state)
{
	struct nd_frame_text is;
	char text[] = "f_[i]";

	nd_frame_text_decode(text, &is);
	assert_string_equal(is.frame.name, "f");
	assert_true(is.inlined);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_what_others_write),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_deep_stacks),
		cmocka_unit_test(test_frames_of_nodiag),
		cmocka_unit_test(test_frames_of_perf),
		cmocka_unit_test(test_frames_of_others),
		cmocka_unit_test(test_inlined_suffix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
