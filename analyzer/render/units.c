/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct step {
	uint64_t size;
	const char *name;
};

static const struct step times[] = {
	{1000000000, "s"}, {1000000, "ms"}, {1000, "\xc2\xb5s"}, {1, "ns"}};

static const struct step sizes[] = {
	{1ull << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}};

/* Three significant digits; `steps` ends with size 1. */
static void scaled(uint64_t weight, const struct step *steps, char buf[ND_UNITS_MAX])
{
	int digits;
	double value;

	while (steps->size > 1 && weight < steps->size)
		steps++;
	value = (double)weight / (double)steps->size;
	digits = steps->size == 1 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
	snprintf(buf, ND_UNITS_MAX, "%.*f %s", digits, value, steps->name);
}

static void grouped(uint64_t weight, char buf[ND_UNITS_MAX])
{
	char digits[ND_UNITS_MAX];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, weight);
	int i;

	for (i = 0; i < len; i++) {
		*buf++ = digits[i];
		if (i + 1 < len && (len - 1 - i) % 3 == 0)
			*buf++ = ',';
	}
	*buf = '\0';
}

const char *nd_units_weight(uint64_t weight, const char *unit, char buf[ND_UNITS_MAX])
{
	uint64_t seconds = weight / 1000000000;

	if (unit && !strcmp(unit, "bytes"))
		scaled(weight, sizes, buf);
	else if (!unit || strcmp(unit, "nanoseconds") != 0)
		grouped(weight, buf);
	else if (seconds < 120)
		scaled(weight, times, buf);
	else
		snprintf(buf, ND_UNITS_MAX, "%" PRIu64 " min %02" PRIu64 " s", seconds / 60,
			 seconds % 60);
	return buf;
}
