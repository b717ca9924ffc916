/* SPDX-License-Identifier: Apache-2.0 */

/* Samples of real processes are named as they were when somebody compared them with the program. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/gzip.h"
#include "analyzer/profile/profile.h"
#include "analyzer/symbols/memory.h"
#include "common/buf.h"
#include "tests/tools/v8_fixture.h"

#define SIZE_MAX_BYTES (64u << 20)

/* A page in an image. */
#define STORED (8 + V8_FIXTURE_PAGE)

static const char *const versions[] = {"18.20.8", "20.20.2", "22.23.3",
				       "24.21.0", "25.9.0",  "26.10.0"};

#define VERSIONS (sizeof(versions) / sizeof(versions[0]))

/* What is done with each sample: `want` is its line. */
typedef void (*visit_fn)(const struct v8_binary *binary, const struct v8_group *group,
			 uint32_t index, const char *want);

static void read_file(const char *prefix, const char *version, const char *suffix,
		      struct nd_buf *out)
{
	char path[4096], *at;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s-%s%s", ND_TEST_DATA, prefix, version, suffix);
	f = fopen(path, "re");
	if (!f)
		fail_msg("%s cannot be opened", path);
	while ((at = nd_buf_reserve(out, 65536)) && (n = fread(at, 1, 65536, f)))
		out->len += n;
	fclose(f);
	assert_int_equal(nd_buf_add(out, "", 0), 0);
}

static size_t visit_group(const struct v8_binary *binary, const struct v8_group *group, char **line,
			  visit_fn visit)
{
	uint32_t i;

	for (i = 0; i < group->sample_count; i++) {
		char *want = strsep(line, "\n");

		assert_non_null(*line);
		visit(binary, group, i, want);
	}
	return group->sample_count;
}

static void visit_samples(const char *version, visit_fn visit)
{
	struct nd_buf packed, records, expected;
	struct v8_group group = {0};
	struct v8_binary binary;
	const uint8_t *at, *end;
	char path[4096], *line;
	size_t samples = 0;

	snprintf(path, sizeof(path), "%s/v8dbg-%s.txt", ND_TEST_DATA, version);
	assert_true(v8_binary_read(path, &binary));
	nd_buf_init(&packed, SIZE_MAX_BYTES);
	nd_buf_init(&records, SIZE_MAX_BYTES);
	nd_buf_init(&expected, SIZE_MAX_BYTES);
	read_file("v8", version, ".samples.gz", &packed);
	read_file("v8", version, ".expected", &expected);
	assert_int_equal(nd_gunzip(packed.data, packed.len, &records), 0);
	at = (const uint8_t *)records.data;
	end = at + records.len;
	line = expected.data;
	while (at < end) {
		assert_int_equal(v8_group_decode(&at, end, &group), 0);
		samples += visit_group(&binary, &group, &line, visit);
		v8_group_fini(&group);
	}
	assert_string_equal(line, "");
	assert_true(samples >= 40);
	nd_buf_fini(&packed);
	nd_buf_fini(&records);
	nd_buf_fini(&expected);
}

static void name(const struct v8_binary *binary, const struct v8_sample *sample,
		 const struct nd_buf *image, struct nd_buf *line)
{
	struct nd_memory *memory = nd_memory_new_image(image->data, image->len);

	assert_non_null(memory);
	nd_buf_reset(line);
	assert_int_equal(v8_sample_name(sample, binary, memory, line), 0);
	nd_memory_free(memory);
}

static void check_name(const struct v8_binary *binary, const struct v8_group *group, uint32_t index,
		       const char *want)
{
	struct nd_buf image, line;

	nd_buf_init(&image, SIZE_MAX_BYTES);
	nd_buf_init(&line, 1 << 20);
	assert_int_equal(v8_group_get_image(group, index, &image), 0);
	name(binary, &group->samples[index], &image, &line);
	assert_string_equal(line.data, want);
	nd_buf_fini(&image);
	nd_buf_fini(&line);
}

static void test_names(void **state)
{
	size_t i;

	for (i = 0; i < VERSIONS; i++)
		visit_samples(versions[i], check_name);
}

/*
 * Whether a call is one of the sample's: the same function, on the same lines as far as they are
 * known. Names may be lost, and where an eval was.
 */
static bool is_known(const char *call, const char *want)
{
	static const char *const lost[] = {"[unknown JS]", "(anonymous)", "fromEval (eval"};
	static const char *const tiers[] = {" Ignition", " Sparkplug", " Maglev", " TurboFan"};
	char text[2048];
	char *tier, *place;
	size_t i;

	snprintf(text, sizeof(text), "%s", call);
	for (i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
		tier = strstr(text, tiers[i]);
		if (tier)
			*tier = '\0';
	}
	for (i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
		if (!strncmp(text, lost[i], strlen(lost[i])))
			return true;
	/* Without its script's name, a function still has its place. */
	place = strstr(text, " (:");
	if (place) {
		*place = '\0';
		return strstr(want, text) && strstr(want, place + 2);
	}
	/* Without its text, a script still has its name. */
	if (text[strlen(text) - 1] == ')')
		text[strlen(text) - 1] = '\0';
	return strstr(want, text) != NULL;
}

static bool is_site(const struct v8_sample *sample, const char *call)
{
	uint32_t i;

	for (i = 0; i < sample->cpu.depth; i++)
		if (!strcmp(sample->sites[i].name, call))
			return true;
	return false;
}

static void check_calls(const struct v8_sample *sample, char *line, const char *want)
{
	char *call, *next;

	for (call = line; call; call = next) {
		next = strstr(call, "; ");
		if (next) {
			*next = '\0';
			next += 2;
		}
		if (!is_site(sample, call) && !is_known(call, want))
			fail_msg("'%s' is not in '%s'", call, want);
	}
}

/*
 * Name the sample without each page in turn. That a page is full of zeros need not be seen, a text
 * may be such, but nothing may break.
 */
static void check_torn(const struct v8_binary *binary, const struct v8_group *group, uint32_t index,
		       const char *want)
{
	uint8_t page[STORED];
	struct nd_buf image, line;
	size_t at;

	if (index % 2 != 0)
		return;
	nd_buf_init(&image, SIZE_MAX_BYTES);
	nd_buf_init(&line, 1 << 20);
	assert_int_equal(v8_group_get_image(group, index, &image), 0);
	for (at = 0; at < image.len; at += STORED) {
		memcpy(page, image.data + at, STORED);
		memset(image.data + at, 0xff, 8);
		name(binary, &group->samples[index], &image, &line);
		check_calls(&group->samples[index], line.data, want);
		memcpy(image.data + at, page, 8);
		memset(image.data + at + 8, 0, V8_FIXTURE_PAGE);
		name(binary, &group->samples[index], &image, &line);
		memcpy(image.data + at, page, STORED);
	}
	nd_buf_fini(&image);
	nd_buf_fini(&line);
}

static void test_names_are_never_wrong_where_memory_is_missing(void **state)
{
	size_t i;

	for (i = 0; i < VERSIONS; i++)
		visit_samples(versions[i], check_torn);
}

/* What a V8 tells of itself before anything was sampled. */
static const char *limits_of(const struct nd_v8_layout *layout)
{
	struct nd_profile *profile = nd_profile_new(false);
	struct nd_memory *memory = nd_memory_new_image(NULL, 0);
	struct nd_v8_options options = {.layout = layout, .memory = memory, .profile = profile};
	struct nd_v8 *v8 = nd_v8_new(&options);
	const char *limits = nd_v8_get_limits(v8);

	nd_v8_free(v8);
	nd_memory_free(memory);
	nd_profile_free(profile);
	return limits;
}

static void test_limits(void **state)
{
	struct v8_binary binary;

	assert_true(v8_binary_read(ND_TEST_DATA "/v8dbg-24.21.0.txt", &binary));
	assert_null(limits_of(&binary.layout));
	binary.layout.builtins_size = 0;
	assert_non_null(strstr(limits_of(&binary.layout), "stripped"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_are_never_wrong_where_memory_is_missing),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
