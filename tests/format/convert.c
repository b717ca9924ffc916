/* SPDX-License-Identifier: Apache-2.0 */

/*
 * usage: convert INPUT FORMAT
 *
 * Read a profile of any known format, or one of the built-in ones, and write it to standard output.
 *
 *	known      tests/known_profile.h, with its timeline
 *	known-main only its main thread
 *	known-tree without the timeline
 *	large      100,000 nodes, for timing
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/import.h"
#include "analyzer/render/render.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/limits.h"
#include "tests/known_profile.h"

static int fail(const char *what)
{
	fprintf(stderr, "convert: %s\n", what);
	return 1;
}

/* A tree of 100,000 nodes, 50 calls deep, with a line for each leaf. */
static struct nd_profile *large_profile(void)
{
	static const struct nd_profile_info info = {
		.sample_type = "cpu", .unit = "nanoseconds", .period = KNOWN_PERIOD};
	struct nd_profile *profile = nd_profile_new(false);
	struct nd_call calls[50] = {0};
	struct nd_stack stack = {.calls = calls, .depth = 50, .weight = KNOWN_PERIOD, .count = 1};
	struct nd_frame frame = {.name = "function", .file = "/app/src/lib/module.js", .column = 1};
	uint32_t nodes = 0, seed = 1, id;
	size_t i;

	if (!profile || nd_profile_set_info(profile, &info))
		abort();
	for (frame.line = 1; frame.line <= 5000; frame.line++) {
		frame.kind = frame.line % ND_FRAME_KIND_COUNT;
		if (nd_profile_add_frame(profile, &frame, &id))
			abort();
	}
	while (nodes < 100000) {
		for (i = 0; i < 50; i++) {
			seed = seed * 1664525 + 1013904223;
			/* Roots are few, leaves are many. */
			calls[i].frame = (seed >> 8) % (i < 5 ? 5000 : 1 + 4 / (i - 4));
			calls[i].tier = ND_TIER_TURBOFAN;
		}
		calls[0].line = 1 + seed % 3;
		if (nd_profile_add_stack(profile, &stack))
			abort();
		nd_profile_nodes(profile, &nodes);
	}
	return profile;
}

static int import(const char *path, struct nd_profile **ret_profile)
{
	FILE *f = fopen(path, "rb");
	struct nd_buf data;
	struct nd_err err;
	char *at;
	int ret = 1;

	if (!f)
		return fail("cannot open the file");
	nd_buf_init(&data, ND_IMPORT_MAX);
	while ((at = nd_buf_reserve(&data, 1 << 20))) {
		size_t len = fread(at, 1, 1 << 20, f);

		if (!len)
			break;
		data.len += len;
	}
	fclose(f);
	ret = nd_import_profile(data.data, data.len, ret_profile, &err);
	if (ret)
		fprintf(stderr, "convert: %s\n", err.what);
	nd_buf_fini(&data);
	return ret;
}

static int get_profile(const char *input, struct nd_profile **ret_profile)
{
	if (!strcmp(input, "known"))
		*ret_profile = known_profile(true, false);
	else if (!strcmp(input, "known-main"))
		*ret_profile = known_profile(true, true);
	else if (!strcmp(input, "known-tree"))
		*ret_profile = known_profile(false, false);
	else if (!strcmp(input, "large"))
		*ret_profile = large_profile();
	else
		return import(input, ret_profile);
	return *ret_profile ? 0 : fail("out of memory");
}

int main(int argc, char **argv)
{
	const struct nd_render_format *format;
	struct nd_profile *profile;
	struct nd_buf out;
	uint64_t start_ns;
	int ret;

	if (argc != 3)
		return fail("usage: convert INPUT FORMAT");
	format = nd_render_find_format(argv[2]);
	if (!format)
		return fail("no such format");
	if (get_profile(argv[1], &profile))
		return 1;
	nd_buf_init(&out, ND_OUTPUT_MAX);
	start_ns = nd_clock_monotonic_ns();
	ret = format->render(profile, &out);
	if (!ret && getenv("CONVERT_TIME"))
		fprintf(stderr, "%s: %.1f ms, %zu bytes\n", format->name,
			(double)(nd_clock_monotonic_ns() - start_ns) / 1e6, out.len);
	if (!ret && fwrite(out.data, 1, out.len, stdout) != out.len)
		ret = 1;
	nd_buf_fini(&out);
	nd_profile_free(profile);
	return ret ? fail("cannot render") : 0;
}
