/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/palette.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <math.h>

#include <cmocka.h>

/* Contrast that WCAG 2 asks for where text is small. */
#define CONTRAST_MIN 4.5

static double channel(uint32_t colour, int shift)
{
	double value = (colour >> shift & 0xff) / 255.0;

	return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}

static double luminance(uint32_t colour)
{
	return 0.2126 * channel(colour, 16) + 0.7152 * channel(colour, 8) +
	       0.0722 * channel(colour, 0);
}

static double contrast(uint32_t a, uint32_t b)
{
	double x = luminance(a), y = luminance(b);

	return (fmax(x, y) + 0.05) / (fmin(x, y) + 0.05);
}

static void check_swatches(const struct nd_swatch *swatches, int count)
{
	static const char *const names[] = {"", "a", "b", "c", "d", "e", "f", "g", "main"};
	size_t name;
	int i;

	for (i = 0; i < count; i++) {
		assert_non_null(swatches[i].label);
		assert_true(contrast(swatches[i].dark, 0xffffff) >= CONTRAST_MIN);
		for (name = 0; name < sizeof(names) / sizeof(names[0]); name++)
			assert_true(contrast(nd_palette_shade(swatches[i].light, names[name]),
					     ND_PALETTE_TEXT) >= CONTRAST_MIN);
	}
}

static void test_text_is_readable_on_every_colour(void **state)
{
	check_swatches(nd_palette_kinds, ND_FRAME_KIND_COUNT);
	check_swatches(nd_palette_tiers, ND_TIER_COUNT);
}

static void test_names_spread_over_shades(void **state)
{
	uint32_t first = nd_palette_shade(0x808080, "a");
	char name[2] = "b";
	int others = 0;

	assert_int_equal(nd_palette_shade(0x808080, "a"), first);
	assert_int_equal(nd_palette_shade(0xffffff, "a"), 0xffffff);
	for (; *name <= 'z'; name[0]++)
		others += nd_palette_shade(0x808080, name) != first;
	assert_true(others > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_is_readable_on_every_colour),
		cmocka_unit_test(test_names_spread_over_shades),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
