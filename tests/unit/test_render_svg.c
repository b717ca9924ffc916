/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/render.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/profile/profile.h"
#include "common/buf.h"
#include "proto/limits.h"

static void add(struct nd_profile *profile, const char *name, const char *below, uint64_t weight)
{
	struct nd_frame frame = {
		.name = name, .file = "/app/a.js", .line = 3, .column = 7, .kind = ND_FRAME_JS};
	struct nd_call calls[2] = {0};
	struct nd_stack stack = {.calls = calls, .depth = 1, .weight = weight, .count = 1};

	assert_int_equal(nd_profile_add_frame(profile, &frame, &calls[0].frame), 0);
	if (below) {
		frame.name = below;
		assert_int_equal(nd_profile_add_frame(profile, &frame, &calls[1].frame), 0);
		stack.depth = 2;
	}
	assert_int_equal(nd_profile_add_stack(profile, &stack), 0);
}

/* The picture as a string to be freed; the profile is freed. */
static char *render(struct nd_profile *profile)
{
	struct nd_buf out;
	char *picture;

	nd_buf_init(&out, ND_OUTPUT_MAX);
	assert_int_equal(nd_render_svg(profile, &out), 0);
	assert_int_equal(strlen(out.data), out.len);
	picture = strdup(out.data);
	nd_buf_fini(&out);
	nd_profile_free(profile);
	return picture;
}

static size_t count_of(const char *text, const char *part)
{
	size_t found = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		found++;
	return found;
}

static void test_format_is_registered(void **state)
{
	const struct nd_render_format *format = nd_render_find_format("svg");

	assert_non_null(format);
	assert_string_equal(format->extension, "svg");
	assert_false(format->binary);
	assert_true(format->render == nd_render_svg);
}

static void test_boxes_are_as_wide_as_their_share(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	char *picture;

	add(profile, "leaf", "base", 300);
	add(profile, "base", NULL, 100);
	add(profile, "other", NULL, 400);
	picture = render(profile);
	/* 1,180 wide with margins of 10; boxes keep half a pixel of distance. */
	assert_non_null(strstr(picture, "<title>all\nself 0, 0.00 %\ntotal 800, 100.00 %</title>"
					"<rect x=\"10.0\" y=\"84\" width=\"1179.5\""));
	assert_non_null(strstr(picture, "<title>base\n/app/a.js:3:7\nself 100, 12.50 %\n"
					"total 400, 50.00 %</title><rect x=\"10.0\" y=\"67\""
					" width=\"589.5\""));
	assert_non_null(strstr(picture, "<title>leaf\n/app/a.js:3:7\nself 300, 37.50 %\n"
					"total 300, 37.50 %</title><rect x=\"10.0\" y=\"50\""
					" width=\"442.0\""));
	assert_non_null(strstr(picture, "<rect x=\"600.0\" y=\"67\" width=\"589.5\""));
	assert_non_null(strstr(picture, "3 samples, 800<"));
	assert_null(strstr(picture, "below 0.05"));
	free(picture);
}

static void test_narrow_boxes_are_left_out(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	char *picture;

	add(profile, "wide", NULL, 1000000);
	add(profile, "narrow", "wide", 100);
	add(profile, "enough", "wide", 600);
	picture = render(profile);
	assert_null(strstr(picture, "narrow"));
	assert_non_null(strstr(picture, "<title>enough"));
	/* What is not drawn still counts. */
	assert_non_null(strstr(picture, "total 1,000,700, 100.00 %"));
	assert_non_null(strstr(picture, "; frames below 0.05 % (not drawn): 1<"));
	free(picture);
}

static void test_names_are_escaped(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	struct nd_profile_info info = {.title = "<b>&\"", .runtime = "a<b"};
	char *picture;

	assert_int_equal(nd_profile_set_info(profile, &info), 0);
	add(profile, "</title><script>alert(\"1\")</script>&", NULL, 1);
	add(profile,
	    "tab\tcontrol\x01"
	    "del\x7f",
	    NULL, 1);
	add(profile, "bad \xff\xc0\x80 cut \xe2\x80", NULL, 1);
	add(profile, "no character \xef\xbf\xbf, turned \xe2\x80\xae, \xf0\x9f\x94\xa5", NULL, 1);
	picture = render(profile);
	assert_null(strstr(picture, "<script"));
	assert_non_null(strstr(picture, "<title>&lt;/title&gt;&lt;script&gt;alert(&quot;1&quot;)"
					"&lt;/script&gt;&amp;\n"));
	assert_non_null(strstr(picture, ">&lt;b&gt;&amp;&quot;</text>"));
	assert_non_null(strstr(picture, "<title>tab\xef\xbf\xbd"
					"control\xef\xbf\xbd"
					"del\xef\xbf\xbd\n"));
	assert_non_null(strstr(picture, "bad \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd cut "
					"\xef\xbf\xbd"));
	assert_non_null(strstr(picture, "no character \xef\xbf\xbd, turned \xef\xbf\xbd, "
					"\xf0\x9f\x94\xa5"));
	free(picture);
}

static void test_labels_end_with_their_box(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	char *picture;

	/* A tenth of 1,180 has room for 16 characters, 8 of which may be wide. */
	add(profile, "0123456789abcdefghij", NULL, 10);
	add(profile, "0123456789abcdef", NULL, 10);
	add(profile,
	    "\xe7\x81\xab\xe7\x81\xab\xe7\x81\xab\xe7\x81\xab\xe7\x81\xab\xe7\x81\xab"
	    "\xe7\x81\xab\xe7\x81\xab\xe7\x81\xab",
	    NULL, 10);
	add(profile, "rest", NULL, 70);
	picture = render(profile);
	assert_non_null(strstr(picture, ">0123456789abcde\xe2\x80\xa6</text>"));
	assert_non_null(strstr(picture, ">0123456789abcdef</text>"));
	assert_non_null(strstr(picture, ">\xe7\x81\xab\xe7\x81\xab\xe7\x81\xab\xe7\x81\xab"
					"\xe7\x81\xab\xe7\x81\xab\xe7\x81\xab\xe2\x80\xa6</text>"));
	free(picture);
}

static void test_losses_are_shown(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	char *picture;

	add(profile, "f", NULL, 1);
	nd_profile_add_loss(profile, ND_LOSS_RING_FULL, 1234);
	picture = render(profile);
	assert_non_null(strstr(picture, "1,234 samples dropped because the ring was full"));
	assert_int_equal(count_of(picture, "class=\"loss\""), 1);
	free(picture);
}

static void test_empty_profile_says_so(void **state)
{
	char *picture = render(nd_profile_new(false));

	assert_non_null(strstr(picture, "No samples: nothing ran"));
	assert_int_equal(count_of(picture, "<title>"), 0);
	assert_non_null(strstr(picture, "</svg>\n"));
	free(picture);
}

static void test_size_does_not_follow_the_number_of_nodes(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	char name[32];
	char *picture;
	int i;

	for (i = 0; i < 50000; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		add(profile, name, "base", 1 + i % 3);
	}
	picture = render(profile);
	assert_true(strlen(picture) < 10000);
	free(picture);
}

static void test_ceiling_of_the_buffer(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	struct nd_buf out;

	add(profile, "f", NULL, 1);
	nd_buf_init(&out, 500);
	assert_int_equal(nd_render_svg(profile, &out), -EFBIG);
	nd_buf_fini(&out);
	nd_profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format_is_registered),
		cmocka_unit_test(test_boxes_are_as_wide_as_their_share),
		cmocka_unit_test(test_narrow_boxes_are_left_out),
		cmocka_unit_test(test_names_are_escaped),
		cmocka_unit_test(test_labels_end_with_their_box),
		cmocka_unit_test(test_losses_are_shown),
		cmocka_unit_test(test_empty_profile_says_so),
		cmocka_unit_test(test_size_does_not_follow_the_number_of_nodes),
		cmocka_unit_test(test_ceiling_of_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
