/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/profile/import.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/gzip.h"
#include "analyzer/profile/profile.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/pprof.h"

/* A file in the making: functions f0, f1 ... in /a.js, each with a location of its own. */
struct file {
	struct nd_buf out;
	struct nd_pprof_encoder *encoder;
	struct nd_pprof_value_type types[4];
	size_t type_count;
	struct nd_pprof_header header;
};

static void start(struct file *file)
{
	nd_buf_init(&file->out, 100000);
	file->encoder = nd_pprof_encoder_new(&file->out);
	assert_non_null(file->encoder);
	file->header.sample_types = file->types;
	file->header.sample_type_count = file->type_count;
	assert_int_equal(nd_pprof_encode_header(file->encoder, &file->header), 0);
}

static void add_function(struct file *file, const char *name, const char *path, uint32_t line)
{
	struct nd_pprof_function function = {.name = name, .file = path, .start_line = line};

	assert_int_equal(nd_pprof_encode_function(file->encoder, &function), 0);
}

static void add_location(struct file *file, uint32_t mapping, uint32_t function, uint32_t line)
{
	struct nd_pprof_line at = {.function = function, .line = line};
	struct nd_pprof_location location = {
		.mapping = mapping, .address = 0x1234, .lines = &at, .line_count = 1};

	location.line_count = function != ND_PPROF_NONE;
	assert_int_equal(nd_pprof_encode_location(file->encoder, &location), 0);
}

static void add_sample(struct file *file, uint32_t location, const int64_t *values)
{
	struct nd_pprof_sample sample = {.locations = &location, .depth = 1, .values = values};

	assert_int_equal(nd_pprof_encode_sample(file->encoder, &sample), 0);
}

static struct nd_profile *finish(struct file *file)
{
	struct nd_profile *profile = NULL;
	struct nd_err err = {0};

	assert_int_equal(nd_pprof_encode_end(file->encoder), 0);
	nd_pprof_encoder_free(file->encoder);
	if (nd_import_pprof(file->out.data, file->out.len, &profile, &err))
		fail_msg("%s", err.what);
	nd_buf_fini(&file->out);
	return profile;
}

static void finish_refused(struct file *file, const char *why)
{
	struct nd_profile *profile;
	struct nd_err err;

	assert_int_equal(nd_pprof_encode_end(file->encoder), 0);
	nd_pprof_encoder_free(file->encoder);
	assert_int_equal(nd_import_pprof(file->out.data, file->out.len, &profile, &err), -EBADMSG);
	if (!strstr(err.what, why))
		fail_msg("'%s' is not in '%s'", why, err.what);
	nd_buf_fini(&file->out);
}

static const struct nd_frame *frame_of(const struct nd_profile *profile, const char *name)
{
	uint32_t count, i;
	const struct nd_frame *frames = nd_profile_frames(profile, &count);

	for (i = 0; i < count; i++)
		if (!strcmp(frames[i].name, name))
			return &frames[i];
	fail_msg("no frame '%s'", name);
	return NULL;
}

static void check_value(const struct file *template, const int64_t *values, uint64_t weight,
			uint64_t count, const char *unit)
{
	struct file file = *template;
	struct nd_profile *profile;
	const struct nd_node *nodes;
	uint32_t unused;

	start(&file);
	add_function(&file, "f", "/a.js", 1);
	add_location(&file, ND_PPROF_NONE, 0, 2);
	add_sample(&file, 0, values);
	profile = finish(&file);
	nodes = nd_profile_nodes(profile, &unused);
	assert_true(nodes[1].self == weight);
	assert_int_equal(nodes[1].count, count);
	assert_string_equal(nd_profile_get_info(profile)->unit, unit);
	nd_profile_free(profile);
}

/* The last type unless another is said to be the default; counted by the one before it. */
static void test_sample_types(void **state)
{
	static const struct file heap = {
		.types = {{"alloc_objects", "count"},
			  {"alloc_space", "bytes"},
			  {"inuse_objects", "count"},
			  {"inuse_space", "bytes"}},
		.type_count = 4,
	};
	struct file file = heap;
	static const int64_t values[] = {9, 900, 4, 400};

	check_value(&file, values, 400, 4, "bytes");
	file.header.default_sample_type = "alloc_space";
	check_value(&file, values, 900, 9, "bytes");
	file.header.default_sample_type = "alloc_objects";
	check_value(&file, values, 9, 9, "count");
	file.header.default_sample_type = "no_such";
	check_value(&file, values, 400, 4, "bytes");
}

static void test_units(void **state)
{
	struct file file = {.types = {{"samples", "count"}, {"cpu", "milliseconds"}},
			    .type_count = 2};
	static const int64_t values[] = {3, 30};

	check_value(&file, values, 30000000, 3, "nanoseconds");
	file.types[1].unit = "seconds";
	check_value(&file, values, UINT64_C(30000000000), 3, "nanoseconds");
	file.types[1].unit = "kilocycles";
	check_value(&file, values, 30, 3, "count");
}

/* Where nobody counted samples, each period is one. */
static void test_uncounted_samples(void **state)
{
	struct file file = {.types = {{"wall", "nanoseconds"}}, .type_count = 1};
	static const int64_t values[] = {50};

	check_value(&file, values, 50, 1, "nanoseconds");
	file.header.period_type = (struct nd_pprof_value_type){"wall", "nanoseconds"};
	file.header.period = 10;
	check_value(&file, values, 50, 5, "nanoseconds");
	file.header.period_type.unit = "bytes";
	check_value(&file, values, 50, 1, "nanoseconds");
}

static const struct file cpu = {.types = {{"samples", "count"}, {"cpu", "nanoseconds"}},
				.type_count = 2};
static const int64_t one[] = {1, 10};

/*
 * The line of a definition is what the function says, or the one line where all its locations are:
 * never the first line that happened to execute.
 */
static void test_lines(void **state)
{
	struct file file = cpu;
	struct nd_profile *profile;
	const struct nd_line *lines;
	uint32_t count;

	start(&file);
	add_function(&file, "said", "/a.js", 3);
	add_function(&file, "single", "/a.js", 0);
	add_function(&file, "several", "/a.js", 0);
	add_location(&file, ND_PPROF_NONE, 0, 5);
	add_location(&file, ND_PPROF_NONE, 1, 20);
	add_location(&file, ND_PPROF_NONE, 2, 31);
	add_location(&file, ND_PPROF_NONE, 2, 32);
	add_sample(&file, 0, one);
	add_sample(&file, 1, one);
	add_sample(&file, 2, one);
	add_sample(&file, 3, one);
	profile = finish(&file);
	assert_int_equal(frame_of(profile, "said")->line, 3);
	assert_int_equal(frame_of(profile, "single")->line, 20);
	assert_int_equal(frame_of(profile, "several")->line, 0);
	lines = nd_profile_lines(profile, &count);
	assert_int_equal(count, 3);
	assert_int_equal(lines[0].line, 5);
	assert_int_equal(lines[1].line, 31);
	assert_int_equal(lines[2].line, 32);
	nd_profile_free(profile);
}

static void check_kind(const char *mapping, const char *path, const char *name,
		       enum nd_frame_kind kind)
{
	struct file file = cpu;
	struct nd_profile *profile;
	uint32_t unused;

	start(&file);
	if (mapping)
		assert_int_equal(nd_pprof_encode_mapping(file.encoder, mapping), 0);
	add_function(&file, name, path, 0);
	add_location(&file, mapping ? 0 : ND_PPROF_NONE, 0, 0);
	add_sample(&file, 0, one);
	profile = finish(&file);
	if (nd_profile_frames(profile, &unused)[0].kind != kind)
		fail_msg("%s %s %s: %s", mapping, path, name,
			 nd_frame_kind_name(nd_profile_frames(profile, &unused)[0].kind));
	nd_profile_free(profile);
}

static void test_kinds(void **state)
{
	/* Datadog's, which has no mappings. */
	check_kind(NULL, "/app/a.js", "f", ND_FRAME_JS);
	check_kind(NULL, "/app/a.ts", "f", ND_FRAME_JS);
	check_kind(NULL, "file:///app/a", "f", ND_FRAME_JS);
	check_kind(NULL, "/app/node_modules/b/a.js", "f", ND_FRAME_NPM);
	check_kind(NULL, "node:fs", "f", ND_FRAME_NODE);
	check_kind(NULL, "", "Garbage Collection", ND_FRAME_GC);
	check_kind(NULL, "", "(program)", ND_FRAME_NATIVE);
	check_kind(NULL, "", "(idle)", ND_FRAME_IDLE);
	check_kind(NULL, "", "writeUtf8String", ND_FRAME_BUILTIN);
	/* Go's and perf's. */
	check_kind("/bin/app", "/usr/lib/go/src/runtime/proc.go", "runtime.mcall", ND_FRAME_NATIVE);
	check_kind("/usr/bin/node", "", "uv_run", ND_FRAME_NATIVE);
	check_kind("[kernel.kallsyms]", "", "do_syscall_64", ND_FRAME_KERNEL);
	check_kind("[vdso]", "", "clock_gettime", ND_FRAME_NATIVE);
	/* nodiag's. */
	check_kind("[compile]", "/usr/bin/node", "v8::internal::Compiler", ND_FRAME_COMPILE);
	check_kind("[js]", "", "evaluated", ND_FRAME_JS);
	check_kind("[unknown]", "", "[unknown JS]", ND_FRAME_UNKNOWN);
}

static void check_name(const char *in_file, const char *name, uint32_t line, uint32_t column)
{
	struct file file = cpu;
	struct nd_profile *profile;
	const struct nd_frame *frame;

	start(&file);
	add_function(&file, in_file, "/a.js", 0);
	add_location(&file, ND_PPROF_NONE, 0, 0);
	add_sample(&file, 0, one);
	profile = finish(&file);
	frame = frame_of(profile, name);
	assert_int_equal(frame->line, line);
	assert_int_equal(frame->column, column);
	nd_profile_free(profile);
}

static void test_names(void **state)
{
	check_name("f", "f", 0, 0);
	check_name("", "(anonymous)", 0, 0);
	check_name("(anonymous:L#12:C#3)", "(anonymous)", 12, 3);
	check_name("(anonymous:L#12:C#3) ", "(anonymous:L#12:C#3) ", 0, 0);
	check_name("(anonymous:L#12)", "(anonymous:L#12)", 0, 0);
}

static void test_addresses(void **state)
{
	struct file file = cpu;
	struct nd_profile *profile;

	start(&file);
	assert_int_equal(nd_pprof_encode_mapping(file.encoder, "/lib/libc.so.6"), 0);
	add_location(&file, 0, ND_PPROF_NONE, 0);
	add_sample(&file, 0, one);
	profile = finish(&file);
	assert_string_equal(frame_of(profile, "0x1234")->file, "/lib/libc.so.6");
	assert_int_equal(frame_of(profile, "0x1234")->kind, ND_FRAME_UNKNOWN);
	nd_profile_free(profile);
}

static void test_values_that_cannot_be(void **state)
{
	struct file file = cpu;
	static const int64_t negative[] = {1, -1}, large[] = {1, INT64_MAX}, many[] = {-1, 1};

	start(&file);
	add_location(&file, ND_PPROF_NONE, ND_PPROF_NONE, 0);
	add_sample(&file, 0, one);
	add_sample(&file, 0, negative);
	finish_refused(&file, "sample 1 has a negative value");
	file = cpu;
	start(&file);
	add_location(&file, ND_PPROF_NONE, ND_PPROF_NONE, 0);
	add_sample(&file, 0, many);
	finish_refused(&file, "sample 0 has a negative value");
	file = cpu;
	start(&file);
	add_location(&file, ND_PPROF_NONE, ND_PPROF_NONE, 0);
	add_sample(&file, 0, large);
	add_sample(&file, 0, one);
	finish_refused(&file, "the sum of values is too large");
	file = cpu;
	file.types[1].unit = "seconds";
	start(&file);
	add_location(&file, ND_PPROF_NONE, ND_PPROF_NONE, 0);
	add_sample(&file, 0, large);
	finish_refused(&file, "the sum of values is too large");
}

static void test_broken_gzip(void **state)
{
	struct nd_profile *profile;
	struct nd_err err;
	struct nd_buf packed;

	nd_buf_init(&packed, 1000);
	assert_int_equal(nd_gzip("not protobuf", 12, &packed), 0);
	assert_int_equal(nd_import_pprof(packed.data, packed.len, &profile, &err), -EBADMSG);
	assert_non_null(strstr(err.what, "broken protobuf"));
	assert_int_equal(nd_import_pprof(packed.data, packed.len - 3, &profile, &err), -EBADMSG);
	assert_non_null(strstr(err.what, "cannot unpack"));
	nd_buf_fini(&packed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample_types),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_uncounted_samples),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_values_that_cannot_be),
		cmocka_unit_test(test_broken_gzip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
