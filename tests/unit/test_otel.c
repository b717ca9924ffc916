/* SPDX-License-Identifier: Apache-2.0 */

/* What OTEL_* ask of the agent. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/otel.h"
#include "proto/channel.h"

#define BOTH (ND_EXPORTS_METRICS | ND_EXPORTS_TRACES)

struct variable {
	const char *name;
	const char *value;
};

static const char *const names[] = {"OTEL_EXPORTER_OTLP_ENDPOINT",
				    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
				    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
				    "OTEL_TRACES_EXPORTER",
				    "OTEL_METRICS_EXPORTER",
				    "OTEL_SDK_DISABLED",
				    "NODIAG_EXPORT",
				    "NODIAG_PROFILES",
				    "OTEL_TRACES_SAMPLER",
				    "OTEL_TRACES_SAMPLER_ARG",
				    "OTEL_PROPAGATORS"};

/* Read an environment that has these alone; the last has no name. */
static uint32_t read_environment(const struct variable *variables, bool is_early)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
	for (; variables->name; variables++)
		setenv(variables->name, variables->value, 1);
	nd_otel_read_environment(is_early);
	return nd_otel_get_exports();
}

static void test_exports(void **state)
{
	static const struct {
		struct variable variables[4];
		uint32_t exports;
	} cases[] = {
		{{{0}}, 0},
		{{{"OTEL_EXPORTER_OTLP_ENDPOINT", ""}}, 0},
		{{{"OTEL_EXPORTER_OTLP_ENDPOINT", "x"}}, BOTH},
		{{{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "x"}}, ND_EXPORTS_TRACES},
		{{{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "x"}}, ND_EXPORTS_METRICS},
		{{{"OTEL_EXPORTER_OTLP_ENDPOINT", "x"}, {"OTEL_SDK_DISABLED", "True"}}, 0},
		{{{"OTEL_EXPORTER_OTLP_ENDPOINT", "x"}, {"OTEL_SDK_DISABLED", "1"}}, BOTH},
		{{{"OTEL_EXPORTER_OTLP_ENDPOINT", "x"}, {"NODIAG_EXPORT", "off"}}, 0},
		{{{"OTEL_EXPORTER_OTLP_ENDPOINT", "x"}, {"NODIAG_PROFILES", "1"}},
		 BOTH | ND_EXPORTS_PROFILES},
		{{{"OTEL_EXPORTER_OTLP_ENDPOINT", "x"}, {"NODIAG_PROFILES", "0"}}, BOTH},
		{{{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "x"}, {"NODIAG_PROFILES", "1"}},
		 ND_EXPORTS_TRACES},
		{{{"OTEL_EXPORTER_OTLP_ENDPOINT", "x"}, {"OTEL_TRACES_EXPORTER", "none"}},
		 ND_EXPORTS_METRICS},
		{{{"OTEL_EXPORTER_OTLP_ENDPOINT", "x"},
		  {"OTEL_TRACES_EXPORTER", "console, otlp"},
		  {"OTEL_METRICS_EXPORTER", "otlp2"}},
		 ND_EXPORTS_TRACES},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(read_environment(cases[i].variables, true), cases[i].exports);
}

/* A program that it is loaded into later keeps what was read at its start. */
static void test_later(void **state)
{
	static const struct variable wanted[] = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "x"}, {0}};
	static const struct variable none[] = {{0}};

	read_environment(none, true);
	assert_int_equal(read_environment(wanted, false), 0);
	assert_int_equal(read_environment(wanted, true), BOTH);
	assert_int_equal(read_environment(none, false), BOTH);
}

static void test_propagators(void **state)
{
	static const struct {
		struct variable variables[2];
		uint32_t propagators;
	} cases[] = {
		{{{0}}, ND_OTEL_TRACE_CONTEXT | ND_OTEL_BAGGAGE},
		{{{"OTEL_PROPAGATORS", ""}}, ND_OTEL_TRACE_CONTEXT | ND_OTEL_BAGGAGE},
		{{{"OTEL_PROPAGATORS", "baggage,tracecontext"}},
		 ND_OTEL_TRACE_CONTEXT | ND_OTEL_BAGGAGE},
		{{{"OTEL_PROPAGATORS", "tracecontext, b3"}}, ND_OTEL_TRACE_CONTEXT},
		{{{"OTEL_PROPAGATORS", "baggage"}}, ND_OTEL_BAGGAGE},
		{{{"OTEL_PROPAGATORS", "none"}}, 0},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		read_environment(cases[i].variables, false);
		assert_int_equal(nd_otel_get_propagators(), cases[i].propagators);
	}
}

static void sample_with(const char *sampler, const char *arg)
{
	const struct variable variables[] = {
		{"OTEL_TRACES_SAMPLER", sampler}, {"OTEL_TRACES_SAMPLER_ARG", arg}, {0}};

	read_environment(variables, true);
}

static void test_sampler(void **state)
{
	static const struct {
		const char *sampler;
		bool by_parent[3]; /* by enum nd_otel_parent */
	} cases[] = {
		{"", {true, false, true}},
		{"always_on", {true, true, true}},
		{"always_off", {false, false, false}},
		{"parentbased_always_on", {true, false, true}},
		{"parentbased_always_off", {false, false, true}},
		{"parentbased_traceidratio", {true, false, true}},
		{"jaeger_remote", {true, false, true}},
	};
	const uint8_t id[16] = {1};
	size_t i;
	int parent;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sample_with(cases[i].sampler, "");
		for (parent = ND_OTEL_NO_PARENT; parent <= ND_OTEL_SAMPLED; parent++)
			assert_int_equal(nd_otel_is_sampled(id, (enum nd_otel_parent)parent),
					 cases[i].by_parent[parent]);
	}
}

static void test_ratio(void **state)
{
	uint8_t id[16] = {0};

	sample_with("traceidratio", "0.25");
	id[9] = 0xbf;
	assert_false(nd_otel_is_sampled(id, ND_OTEL_SAMPLED));
	id[9] = 0xc0;
	assert_true(nd_otel_is_sampled(id, ND_OTEL_NOT_SAMPLED));
	/* What stands before the random bits does not count. */
	id[8] = 0xff;
	id[9] = 0x10;
	assert_false(nd_otel_is_sampled(id, ND_OTEL_NO_PARENT));
	sample_with("traceidratio", "0");
	id[9] = 0xff;
	assert_false(nd_otel_is_sampled(id, ND_OTEL_NO_PARENT));
	id[9] = 0;
	sample_with("traceidratio", "1");
	assert_true(nd_otel_is_sampled(id, ND_OTEL_NO_PARENT));
	sample_with("traceidratio", "1.5");
	assert_true(nd_otel_is_sampled(id, ND_OTEL_NO_PARENT));
	sample_with("traceidratio", "half");
	assert_true(nd_otel_is_sampled(id, ND_OTEL_NO_PARENT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exports),	    cmocka_unit_test(test_later),
		cmocka_unit_test(test_propagators), cmocka_unit_test(test_sampler),
		cmocka_unit_test(test_ratio),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
