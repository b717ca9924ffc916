/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/otel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/channel.h"

/* A trace id ends with so many bits that are random (W3C Trace Context, level 2). */
#define RANDOM_BITS 56

static struct {
	uint32_t exports;
	uint32_t propagators;
	bool is_parent_based;
	uint64_t rejected; /* of all values that the random bits can have, the lowest ones */
} otel = {.is_parent_based = true};

/* An empty variable is none. */
static const char *get(const char *name)
{
	const char *value = secure_getenv(name);

	return value && *value ? value : NULL;
}

static bool is(const char *name, const char *wanted)
{
	const char *value = get(name);

	return value && !strcasecmp(value, wanted);
}

/* Whether a list that a variable has names that; it does where the variable is not set. */
static bool has(const char *variable, const char *wanted)
{
	const char *list = get(variable);
	size_t len;

	if (!list)
		return true;
	for (;;) {
		list += strspn(list, ", ");
		len = strcspn(list, ", ");
		if (!len)
			return false;
		if (len == strlen(wanted) && !strncmp(list, wanted, len))
			return true;
		list += len;
	}
}

/* Nothing is sent to where nobody said that something listens. */
static uint32_t read_exports(void)
{
	bool all = get("OTEL_EXPORTER_OTLP_ENDPOINT");
	uint32_t exports = 0;

	if (is("OTEL_SDK_DISABLED", "true") || is("NODIAG_EXPORT", "off"))
		return 0;
	if ((all || get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")) &&
	    has("OTEL_METRICS_EXPORTER", "otlp"))
		exports |= ND_EXPORTS_METRICS;
	if ((all || get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")) &&
	    has("OTEL_TRACES_EXPORTER", "otlp"))
		exports |= ND_EXPORTS_TRACES;
	/* No specification has a variable for these yet, and they cost something. */
	if (all && is("NODIAG_PROFILES", "1"))
		exports |= ND_EXPORTS_PROFILES;
	return exports;
}

/* What is no number from 0 to 1 is ignored, as the specification wants it. */
static double read_ratio(void)
{
	const char *text = get("OTEL_TRACES_SAMPLER_ARG");
	char *end;
	double ratio = text ? strtod(text, &end) : 1;

	return text && (*end || !(ratio >= 0 && ratio <= 1)) ? 1 : ratio;
}

static void read_sampler(void)
{
	static const char parent_based[] = "parentbased_";
	const char *name = get("OTEL_TRACES_SAMPLER");
	bool has_prefix = name && !strncmp(name, parent_based, strlen(parent_based));
	const char *root = name && has_prefix ? name + strlen(parent_based) : name;

	otel.rejected = 0;
	otel.is_parent_based = true;
	if (!root)
		return;
	if (!strcmp(root, "always_off"))
		otel.rejected = UINT64_C(1) << RANDOM_BITS;
	else if (!strcmp(root, "traceidratio"))
		otel.rejected =
			(uint64_t)((1 - read_ratio()) * (double)(UINT64_C(1) << RANDOM_BITS));
	else if (strcmp(root, "always_on") != 0)
		return;
	otel.is_parent_based = has_prefix;
}

/* Others that there are, as "b3", are left to those who know them. */
static uint32_t read_propagators(void)
{
	return (has("OTEL_PROPAGATORS", "tracecontext") ? ND_OTEL_TRACE_CONTEXT : 0) |
	       (has("OTEL_PROPAGATORS", "baggage") ? ND_OTEL_BAGGAGE : 0);
}

void nd_otel_read_environment(bool is_early)
{
	if (is_early)
		otel.exports = read_exports();
	otel.propagators = read_propagators();
	read_sampler();
}

uint32_t nd_otel_get_exports(void)
{
	return otel.exports;
}

uint32_t nd_otel_get_propagators(void)
{
	return otel.propagators;
}

bool nd_otel_is_sampled(const uint8_t trace_id[16], enum nd_otel_parent parent)
{
	uint64_t random = 0;
	int i;

	if (otel.is_parent_based && parent != ND_OTEL_NO_PARENT)
		return parent == ND_OTEL_SAMPLED;
	for (i = 16 - RANDOM_BITS / 8; i < 16; i++)
		random = random << 8 | trace_id[i];
	return random >= otel.rejected;
}
