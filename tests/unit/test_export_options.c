/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/export/pairs.h"
#include "common/clock.h"
#include "common/err.h"

/* An environment: names and values in turn, up to NULL. */
static const char *get(void *arg, const char *name)
{
	const char *const *pair = arg;

	for (; *pair; pair += 2)
		if (!strcmp(pair[0], name))
			return pair[1];
	return NULL;
}

static int read(struct nd_export_options *options, const char *const *environment,
		struct nd_err *err)
{
	return nd_export_options_init(options, get, (void *)environment, err);
}

#define OTLP "OTEL_EXPORTER_OTLP_"

static void test_defaults(void **state)
{
	static const char *const environment[] = {OTLP "ENDPOINT", "", OTLP "HEADERS", "", NULL};
	struct nd_export_options options;

	assert_int_equal(read(&options, environment, NULL), 0);
	assert_string_equal(options.targets[ND_OTLP_METRICS].url,
			    "http://localhost:4318/v1/metrics");
	assert_string_equal(options.targets[ND_OTLP_TRACES].url, "http://localhost:4318/v1/traces");
	assert_string_equal(options.targets[ND_OTLP_PROFILES].url,
			    "http://localhost:4318/v1development/profiles");
	assert_int_equal(options.targets[ND_OTLP_METRICS].timeout_ns, 10 * ND_NSEC_PER_SEC);
	assert_int_equal(options.targets[ND_OTLP_METRICS].packing, ND_PACKING_NONE);
	assert_int_equal(options.targets[ND_OTLP_METRICS].header_count, 0);
	assert_null(options.targets[ND_OTLP_METRICS].certificate);
	assert_string_equal(options.warning, "");
	nd_export_options_fini(&options);
}

/* What is said of a signal goes before what is said of all. */
static void test_precedence(void **state)
{
	static const char *const environment[] = {OTLP "ENDPOINT",
						  "https://all.example/base/?k=v",
						  OTLP "METRICS_ENDPOINT",
						  "http://metrics.example:9/as/is",
						  OTLP "HEADERS",
						  "a=1, b = two%20words ,",
						  OTLP "METRICS_HEADERS",
						  "c=3",
						  OTLP "TIMEOUT",
						  "500",
						  OTLP "TRACES_TIMEOUT",
						  "700",
						  OTLP "METRICS_TIMEOUT",
						  "",
						  OTLP "COMPRESSION",
						  "GZIP",
						  OTLP "METRICS_COMPRESSION",
						  "none",
						  OTLP "CERTIFICATE",
						  "/ca.pem",
						  OTLP "TRACES_CERTIFICATE",
						  "/traces.pem",
						  OTLP "CLIENT_KEY",
						  "/key.pem",
						  OTLP "CLIENT_CERTIFICATE",
						  "/cert.pem",
						  OTLP "PROTOCOL",
						  "http/protobuf",
						  NULL};
	struct nd_export_options options;
	const struct nd_export_target *metrics = &options.targets[ND_OTLP_METRICS];
	const struct nd_export_target *traces = &options.targets[ND_OTLP_TRACES];

	assert_int_equal(read(&options, environment, NULL), 0);
	assert_string_equal(metrics->url, "http://metrics.example:9/as/is");
	assert_string_equal(traces->url, "https://all.example/base/v1/traces?k=v");
	assert_int_equal(metrics->header_count, 1);
	assert_string_equal(metrics->headers[0].name, "c");
	assert_int_equal(traces->header_count, 2);
	assert_string_equal(traces->headers[1].name, "b");
	assert_string_equal(traces->headers[1].value, "two words");
	assert_int_equal(metrics->timeout_ns, 500 * ND_NSEC_PER_MSEC);
	assert_int_equal(traces->timeout_ns, 700 * ND_NSEC_PER_MSEC);
	assert_int_equal(metrics->packing, ND_PACKING_NONE);
	assert_int_equal(traces->packing, ND_PACKING_GZIP);
	assert_string_equal(metrics->certificate, "/ca.pem");
	assert_string_equal(traces->certificate, "/traces.pem");
	assert_string_equal(traces->client_key, "/key.pem");
	assert_string_equal(metrics->client_certificate, "/cert.pem");
	nd_export_options_fini(&options);
}

/* The command line goes before all of it. */
static void test_command_line(void **state)
{
	static const char *const environment[] = {OTLP "METRICS_ENDPOINT", "http://env/m",
						  OTLP "HEADERS", "Authorization=old", NULL};
	struct nd_export_options options;
	const struct nd_export_target *metrics = &options.targets[ND_OTLP_METRICS];
	struct nd_err err = {0};

	assert_int_equal(read(&options, environment, NULL), 0);
	assert_int_equal(nd_export_options_set_endpoint(&options, "http://new:1/", NULL), 0);
	assert_string_equal(metrics->url, "http://new:1/v1/metrics");
	assert_int_equal(
		nd_export_options_add_header(&options, "authorization=Bearer a=b%20", NULL), 0);
	assert_int_equal(metrics->header_count, 1);
	assert_string_equal(metrics->headers[0].value, "Bearer a=b%20");
	assert_int_equal(nd_export_options_add_header(&options, "se cret=hunter22", &err), -EINVAL);
	assert_null(strstr(err.what, "hunter22"));
	assert_int_equal(nd_export_options_add_header(&options, "novalue", NULL), -EINVAL);
	assert_int_equal(nd_export_options_add_header(&options, "a=b\r\nc: d", NULL), -EINVAL);
	nd_export_options_fini(&options);
}

static void check_grpc(const char *endpoint, const char *insecure, const char *want)
{
	const char *const environment[] = {
		OTLP "PROTOCOL", "grpc", OTLP "ENDPOINT", endpoint, OTLP "INSECURE",
		insecure,	 NULL};
	struct nd_export_options options;
	char url[256];

	assert_int_equal(read(&options, environment, NULL), 0);
	assert_true(options.targets[ND_OTLP_PROFILES].grpc);
	snprintf(url, sizeof(url),
		 "%s/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", want);
	assert_string_equal(options.targets[ND_OTLP_METRICS].url, url);
	nd_export_options_fini(&options);
}

static void test_grpc(void **state)
{
	check_grpc("", "", "http://localhost:4317");
	check_grpc("http://host:1", "", "http://host:1");
	check_grpc("https://user:pass@host:1/path?query", "true", "https://user:pass@host:1");
	check_grpc("host:1", "", "https://host:1");
	check_grpc("host:1", "True", "http://host:1");
	check_grpc("host:1", "yes", "https://host:1");
}

static void check_refused(const char *name, const char *value, const char *must_say,
			  const char *must_not)
{
	const char *const environment[] = {name, value, NULL};
	struct nd_export_options options;
	struct nd_err err = {0};

	assert_int_equal(read(&options, environment, &err), -EINVAL);
	assert_non_null(strstr(err.what, must_say));
	if (must_not) {
		assert_null(strstr(err.what, must_not));
		assert_null(strstr(err.hint, must_not));
	}
	nd_export_options_fini(&options);
}

static void test_refused(void **state)
{
	check_refused(OTLP "ENDPOINT", "localhost:4318", OTLP "ENDPOINT is no URL", NULL);
	check_refused(OTLP "ENDPOINT", "ftp://user:hunter22@host", OTLP "ENDPOINT", "hunter22");
	check_refused(OTLP "ENDPOINT", "http://", OTLP "ENDPOINT", NULL);
	check_refused(OTLP "ENDPOINT", "http://:4318", OTLP "ENDPOINT", NULL);
	check_refused(OTLP "ENDPOINT", "http://a b", OTLP "ENDPOINT", NULL);
	check_refused(OTLP "METRICS_ENDPOINT", "nothing", OTLP "METRICS_ENDPOINT", NULL);
	check_refused(OTLP "HEADERS", "authorization hunter22", OTLP "HEADERS", "hunter22");
	check_refused(OTLP "HEADERS", "a=hunter22%zz", OTLP "HEADERS", "hunter22");
	check_refused(OTLP "HEADERS", "a=b%0d%0aevil: hunter22", OTLP "HEADERS", "hunter22");
}

static void check_warned(const char *name, const char *value)
{
	const char *const environment[] = {name, value, NULL};
	struct nd_export_options options;

	assert_int_equal(read(&options, environment, NULL), 0);
	assert_memory_equal(options.warning, name, strlen(name));
	assert_int_equal(options.targets[ND_OTLP_METRICS].timeout_ns, 10 * ND_NSEC_PER_SEC);
	assert_int_equal(options.targets[ND_OTLP_METRICS].packing, ND_PACKING_NONE);
	nd_export_options_fini(&options);
}

/* The specification has such values ignored, with a warning. */
static void test_ignored(void **state)
{
	check_warned(OTLP "TIMEOUT", "soon");
	check_warned(OTLP "TIMEOUT", "10s");
	check_warned(OTLP "TIMEOUT", "-1");
	check_warned(OTLP "TIMEOUT", "0");
	check_warned(OTLP "COMPRESSION", "brotli");
	check_warned(OTLP "PROTOCOL", "http/json");
	check_warned(OTLP "PROTOCOL", "carrier pigeon");
}

static void check_url(const char *url, const char *want)
{
	char text[128];

	nd_export_describe_url(url, text, sizeof(text));
	assert_string_equal(text, want);
}

static void test_describe(void **state)
{
	check_url("http://localhost:4318/v1/traces", "http://localhost:4318/v1/traces");
	check_url("https://user:pass@host/path?token=hunter22#x", "https://host/path");
	check_url("https://us@er:p@ss@host", "https://host");
	check_url("https://host?@evil", "https://host");
	check_url("hunter22", "(not a URL)");
}

static void test_redact(void **state)
{
	static const char *const environment[] = {
		OTLP "ENDPOINT", "https://user:pass@host/p?token=hunter22", OTLP "HEADERS",
		"authorization=Bearer%20letmein", NULL};
	char text[] = "letmein? Bearer letmein, user:pass and v1/metrics?token=hunter22";
	struct nd_export_options options;

	assert_int_equal(read(&options, environment, NULL), 0);
	nd_export_redact(&options.targets[ND_OTLP_METRICS], text);
	assert_string_equal(text,
			    "*******? **************, ********* and v1/metrics?token=********");
	nd_export_options_fini(&options);
}

static int count_pair(void *arg, const char *key, const char *value)
{
	size_t *count = arg;

	(*count)++;
	return 0;
}

static void test_pairs(void **state)
{
	size_t count = 0;

	assert_int_equal(nd_pairs_decode("", count_pair, &count), 0);
	assert_int_equal(nd_pairs_decode(" , ,", count_pair, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(nd_pairs_decode("a=,b=c=d", count_pair, &count), 0);
	assert_int_equal(count, 2);
	/* All or none. */
	assert_int_equal(nd_pairs_decode("a=b,=c", count_pair, &count), -EINVAL);
	assert_int_equal(nd_pairs_decode("a=b,c", count_pair, &count), -EINVAL);
	assert_int_equal(nd_pairs_decode("a=b,c=%0", count_pair, &count), -EINVAL);
	assert_int_equal(nd_pairs_decode("a=b,c=%00", count_pair, &count), -EINVAL);
	assert_int_equal(count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),     cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_command_line), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_grpc),	     cmocka_unit_test(test_ignored),
		cmocka_unit_test(test_describe),     cmocka_unit_test(test_redact),
		cmocka_unit_test(test_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
