/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_OPTIONS_H
#define NODIAG_ANALYZER_EXPORT_OPTIONS_H

/*
 * Where to send, and how: OTEL_EXPORTER_OTLP_* as the specification has it (OpenTelemetry 1.59,
 * "OTLP Exporter Configuration"). A variable for one signal, OTEL_EXPORTER_OTLP_METRICS_HEADERS,
 * goes before that for all, and an empty one is none. Profiles have no variables of their own yet.
 *
 * URLs and headers hold secrets: no message here or elsewhere has a header's value, or of a URL
 * more than nd_export_describe_url() says.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/export/packing.h"
#include "proto/limits.h"
#include "proto/otlp.h"

struct nd_err;
struct nd_intern;

struct nd_export_header {
	const char *name;
	const char *value;
};

/* Where one signal goes. Strings are the options'. */
struct nd_export_target {
	const char *url;
	struct nd_export_header headers[ND_EXPORT_HEADERS_MAX];
	size_t header_count;
	uint64_t timeout_ns; /* of one request */
	enum nd_packing packing;
	bool grpc;		 /* over HTTP/2; else HTTP with protobuf */
	const char *certificate; /* files; NULL: the system's, and none of our own */
	const char *client_certificate;
	const char *client_key;
};

struct nd_export_options {
	struct nd_export_target targets[ND_OTLP_SIGNALS];
	char warning[256]; /* a value that could not be used, and what is done instead; or "" */
	struct nd_intern *strings;
};

/*
 * Read the environment: `get` gives a variable, or NULL. -EINVAL with `err` set where something is
 * asked for that cannot be done; what the specification wants ignored is a warning. -ENOMEM.
 * nd_export_options_fini() is to be called in any case.
 */
int nd_export_options_init(struct nd_export_options *options,
			   const char *(*get)(void *arg, const char *name), void *arg,
			   struct nd_err *err);
void nd_export_options_fini(struct nd_export_options *options);

/* Send all signals below that URL, whatever the environment says. Errors as above. */
int nd_export_options_set_endpoint(struct nd_export_options *options, const char *url,
				   struct nd_err *err);

/* Send "NAME=VALUE" too, in place of a header that has this name. The value is taken as it is. */
int nd_export_options_add_header(struct nd_export_options *options, const char *text,
				 struct nd_err *err);

/* Send all signals packed like that, whatever the environment says. */
void nd_export_options_set_packing(struct nd_export_options *options, enum nd_packing packing);

/* Lower-case word: "metrics", "profiles", "traces". */
const char *nd_export_signal_name(enum nd_otlp_signal signal);

/* What may be shown of a URL: scheme, host, port and path. */
void nd_export_describe_url(const char *url, char *buf, size_t size);

/* Take the values of the target's headers, and what its URL does not show, out of a text. */
void nd_export_redact(const struct nd_export_target *target, char *text);

#endif /* NODIAG_ANALYZER_EXPORT_OPTIONS_H */
