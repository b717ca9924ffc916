/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/units.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#define DAY_SECONDS 86400

/* What stands before a size's unit; with the largest one it still fits into 64 bits. */
#define SIZE_NUMBER_MAX 1e6

static const struct {
	const char *unit;
	double seconds;
} time_units[] = {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}};

bool units_parse_time(const char *text, uint64_t *ret_ns)
{
	double value, seconds;
	char *end;
	size_t i;

	if (!isdigit((unsigned char)*text) && *text != '.')
		return false;
	value = strtod(text, &end);
	for (i = 0; i < sizeof(time_units) / sizeof(time_units[0]); i++) {
		if (strcmp(end, time_units[i].unit) != 0)
			continue;
		seconds = value * time_units[i].seconds;
		if (!(seconds > 0 && seconds <= DAY_SECONDS))
			return false;
		*ret_ns = (uint64_t)(seconds * (double)ND_NSEC_PER_SEC);
		return *ret_ns > 0;
	}
	return false;
}

bool units_parse_bytes(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	const char *unit;
	double value;
	char *end;

	if (!isdigit((unsigned char)*text) && *text != '.')
		return false;
	value = strtod(text, &end);
	unit = *end ? strchr(units, *end) : NULL;
	if (!unit || end[1] || !(value >= 0 && value <= SIZE_NUMBER_MAX))
		return false;
	*ret_bytes = (uint64_t)(value * (double)(UINT64_C(1024) << 10 * (unit - units)));
	return true;
}

bool units_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || value < min || value > max)
		return false;
	*ret = value;
	return true;
}
