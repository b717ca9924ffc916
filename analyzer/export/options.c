/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "analyzer/export/pairs.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/intern.h"

#define PREFIX		   "OTEL_EXPORTER_OTLP_"
#define DEFAULT_ENDPOINT   "http://localhost:4318"
#define DEFAULT_GRPC	   "http://localhost:4317"
#define DEFAULT_TIMEOUT_NS (10 * ND_NSEC_PER_SEC)
#define TIMEOUT_MS_MAX	   3600000

static const struct {
	const char *name;
	const char *variable; /* the part of its name, or NULL */
	const char *path;
	const char *method; /* of gRPC */
} signals[ND_OTLP_SIGNALS] = {
	[ND_OTLP_METRICS] = {"metrics", "METRICS_", "v1/metrics", "metrics.v1.MetricsService"},
	[ND_OTLP_PROFILES] = {"profiles", NULL, "v1development/profiles",
			      "profiles.v1development.ProfilesService"},
	[ND_OTLP_TRACES] = {"traces", "TRACES_", "v1/traces", "trace.v1.TraceService"},
};

/* The environment, while it is read for one signal. */
struct reader {
	struct nd_export_options *options;
	struct nd_export_target *target;
	enum nd_otlp_signal signal;
	const char *(*get)(void *arg, const char *name);
	void *arg;
	struct nd_err *err;
	char name[64]; /* of the variable that was found last */
};

const char *nd_export_signal_name(enum nd_otlp_signal signal)
{
	return signals[signal].name;
}

static const char *find_of(struct reader *reader, const char *prefix, const char *what)
{
	const char *value;

	snprintf(reader->name, sizeof(reader->name), PREFIX "%s%s", prefix, what);
	value = reader->get(reader->arg, reader->name);
	return value && *value ? value : NULL;
}

/* The value for the signal, else that for all; NULL when neither is set. */
static const char *find(struct reader *reader, const char *what)
{
	const char *prefix = signals[reader->signal].variable, *value;

	value = prefix ? find_of(reader, prefix, what) : NULL;
	return value ? value : find_of(reader, "", what);
}

static void warn(struct reader *reader, const char *instead)
{
	char *warning = reader->options->warning;

	if (!*warning)
		snprintf(warning, sizeof(reader->options->warning), "%s is ignored: %s",
			 reader->name, instead);
}

static int no_memory(struct nd_err *err)
{
	return nd_err_set(err, -ENOMEM, "out of memory");
}

static int keep(struct nd_export_options *options, const char *str, const char **ret,
		struct nd_err *err)
{
	uint32_t id;

	if (nd_intern_add(options->strings, str, strlen(str), &id))
		return no_memory(err);
	*ret = nd_intern_get(options->strings, id);
	return 0;
}

/* Where the name of the host begins, or NULL where a URL is none that can be sent to. */
static const char *find_host(const char *url)
{
	const char *host = NULL, *at;

	if (!strncasecmp(url, "http://", strlen("http://")))
		host = url + strlen("http://");
	else if (!strncasecmp(url, "https://", strlen("https://")))
		host = url + strlen("https://");
	for (at = url; *at; at++)
		if ((unsigned char)*at <= ' ')
			return NULL;
	/* What is before the last "@" are a name and a password. */
	if (host)
		for (at = host; *at && !strchr("/?#", *at); at++)
			if (*at == '@')
				host = at + 1;
	return host && *host && !strchr("/?#:", *host) ? host : NULL;
}

void nd_export_describe_url(const char *url, char *buf, size_t size)
{
	const char *host = find_host(url);
	size_t scheme = strcspn(url, ":");

	if (!host)
		snprintf(buf, size, "(not a URL)");
	else
		snprintf(buf, size, "%.*s://%.*s", (int)scheme, url, (int)strcspn(host, "?#"),
			 host);
}

static int check_url(const char *url, const char *where, struct nd_err *err)
{
	if (strlen(url) < ND_EXPORT_TEXT_MAX && find_host(url))
		return 0;
	nd_err_set(err, -EINVAL, "%s is no URL", where);
	return nd_err_hint(err, "it is http://HOST:PORT or https://HOST:PORT");
}

/* The signal's URL below a base: its path comes before what a query there may be. */
static int set_path(struct nd_export_options *options, enum nd_otlp_signal signal, const char *base,
		    struct nd_err *err)
{
	size_t len = strcspn(base, "?#");
	size_t path = len;
	char *url;
	int ret;

	while (path && base[path - 1] == '/')
		path--;
	if (asprintf(&url, "%.*s/%s%s", (int)path, base, signals[signal].path, base + len) < 0)
		return no_memory(err);
	ret = keep(options, url, &options->targets[signal].url, err);
	free(url);
	return ret;
}

/* gRPC has a path of its own, and takes of a URL only where the host is. */
static int set_method(struct nd_export_options *options, enum nd_otlp_signal signal,
		      const char *base, struct nd_err *err)
{
	size_t len = (size_t)(find_host(base) - base);
	char *url;
	int ret;

	len += strcspn(base + len, "/?#");
	if (asprintf(&url, "%.*s/opentelemetry.proto.collector.%s/Export", (int)len, base,
		     signals[signal].method) < 0)
		return no_memory(err);
	ret = keep(options, url, &options->targets[signal].url, err);
	free(url);
	return ret;
}

static int set_base(struct nd_export_options *options, enum nd_otlp_signal signal, const char *base,
		    struct nd_err *err)
{
	return options->targets[signal].grpc ? set_method(options, signal, base, err)
					     : set_path(options, signal, base, err);
}

/* For gRPC the scheme may be left out; whether it is then encrypted is another variable. */
static int add_scheme(struct reader *reader, const char *url, const char **ret_url)
{
	const char *insecure;
	char *whole;
	int ret;

	*ret_url = url;
	if (!reader->target->grpc || strstr(url, "://"))
		return 0;
	insecure = find(reader, "INSECURE");
	if (asprintf(&whole, "%s://%s",
		     insecure && !strcasecmp(insecure, "true") ? "http" : "https", url) < 0)
		return no_memory(reader->err);
	ret = keep(reader->options, whole, ret_url, reader->err);
	free(whole);
	return ret;
}

static int read_endpoint(struct reader *reader)
{
	const char *prefix = signals[reader->signal].variable, *url;
	char name[sizeof(reader->name)];
	bool is_whole;
	int ret;

	url = prefix ? find_of(reader, prefix, "ENDPOINT") : NULL;
	is_whole = url && !reader->target->grpc;
	if (!url)
		url = find_of(reader, "", "ENDPOINT");
	if (!url)
		return set_base(reader->options, reader->signal,
				reader->target->grpc ? DEFAULT_GRPC : DEFAULT_ENDPOINT,
				reader->err);
	memcpy(name, reader->name, sizeof(name));
	ret = add_scheme(reader, url, &url);
	if (!ret)
		ret = check_url(url, name, reader->err);
	if (ret)
		return ret;
	return is_whole ? keep(reader->options, url, &reader->target->url, reader->err)
			: set_base(reader->options, reader->signal, url, reader->err);
}

/* RFC 9110: names are tokens, and a value has no control characters, which would end it. */
static bool is_header(const char *name, const char *value)
{
	const char *at;

	for (at = name; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("!#$%&'*+-.^_`|~", *at))
			return false;
	for (at = value; *at; at++)
		if (iscntrl((unsigned char)*at) && *at != '\t')
			return false;
	return *name != '\0';
}

static int set_header(struct nd_export_options *options, struct nd_export_target *target,
		      const char *name, const char *value)
{
	struct nd_export_header *header = target->headers;
	size_t i;

	for (i = 0; i < target->header_count && strcasecmp(header->name, name) != 0; i++)
		header++;
	if (i == ND_EXPORT_HEADERS_MAX)
		return -E2BIG;
	if (keep(options, name, &header->name, NULL) || keep(options, value, &header->value, NULL))
		return -ENOMEM;
	if (i == target->header_count)
		target->header_count++;
	return 0;
}

static int add_pair(void *arg, const char *name, const char *value)
{
	struct reader *reader = arg;

	if (!is_header(name, value))
		return -EINVAL;
	return set_header(reader->options, reader->target, name, value);
}

static int read_headers(struct reader *reader)
{
	const char *text = find(reader, "HEADERS");
	int ret = text ? nd_pairs_decode(text, add_pair, reader) : 0;

	if (!ret)
		return 0;
	if (ret == -ENOMEM)
		return no_memory(reader->err);
	/* Sending without them would be refused, and tell nobody why. */
	nd_err_set(reader->err, ret, "%s cannot be read", reader->name);
	return nd_err_hint(reader->err,
			   "it is name=value,name=value with other characters as %%XX");
}

static void read_timeout(struct reader *reader)
{
	const char *text = find(reader, "TIMEOUT");
	unsigned long ms;
	char *end;

	reader->target->timeout_ns = DEFAULT_TIMEOUT_NS;
	if (!text)
		return;
	ms = strtoul(text, &end, 10);
	if (*end || !isdigit((unsigned char)*text) || !ms || ms > TIMEOUT_MS_MAX)
		warn(reader, "it is a number of milliseconds");
	else
		reader->target->timeout_ns = ms * ND_NSEC_PER_MSEC;
}

static void read_compression(struct reader *reader)
{
	const char *text = find(reader, "COMPRESSION");

	if (text && nd_packing_parse(text, &reader->target->packing))
		warn(reader, "it is gzip, zstd or none");
}

static void read_protocol(struct reader *reader)
{
	const char *text = find(reader, "PROTOCOL");

	reader->target->grpc = text && !strcasecmp(text, "grpc");
	if (!text || reader->target->grpc || !strcasecmp(text, "http/protobuf"))
		return;
	if (!strcasecmp(text, "http/json"))
		warn(reader, "http/protobuf is sent, to the same place");
	else
		warn(reader, "it is http/protobuf or grpc");
}

static int read_file(struct reader *reader, const char *what, const char **ret_path)
{
	const char *path = find(reader, what);

	return path ? keep(reader->options, path, ret_path, reader->err) : 0;
}

static int read_target(struct reader *reader)
{
	struct nd_export_target *target = reader->target;
	int ret;

	read_protocol(reader);
	ret = read_endpoint(reader);
	if (!ret)
		ret = read_headers(reader);
	if (!ret)
		ret = read_file(reader, "CERTIFICATE", &target->certificate);
	if (!ret)
		ret = read_file(reader, "CLIENT_CERTIFICATE", &target->client_certificate);
	if (!ret)
		ret = read_file(reader, "CLIENT_KEY", &target->client_key);
	if (!ret) {
		read_timeout(reader);
		read_compression(reader);
	}
	return ret;
}

int nd_export_options_init(struct nd_export_options *options,
			   const char *(*get)(void *arg, const char *name), void *arg,
			   struct nd_err *err)
{
	struct reader reader = {.options = options, .get = get, .arg = arg, .err = err};
	int signal, ret = 0;

	*options = (struct nd_export_options){.strings = nd_intern_new()};
	if (!options->strings)
		return no_memory(err);
	for (signal = 0; signal < ND_OTLP_SIGNALS && !ret; signal++) {
		reader.signal = (enum nd_otlp_signal)signal;
		reader.target = &options->targets[signal];
		ret = read_target(&reader);
	}
	return ret;
}

void nd_export_options_fini(struct nd_export_options *options)
{
	nd_intern_free(options->strings);
	*options = (struct nd_export_options){0};
}

int nd_export_options_set_endpoint(struct nd_export_options *options, const char *url,
				   struct nd_err *err)
{
	int signal, ret = check_url(url, "the endpoint", err);

	for (signal = 0; signal < ND_OTLP_SIGNALS && !ret; signal++)
		ret = set_base(options, (enum nd_otlp_signal)signal, url, err);
	return ret;
}

void nd_export_options_set_packing(struct nd_export_options *options, enum nd_packing packing)
{
	int signal;

	for (signal = 0; signal < ND_OTLP_SIGNALS; signal++)
		options->targets[signal].packing = packing;
}

int nd_export_options_add_header(struct nd_export_options *options, const char *text,
				 struct nd_err *err)
{
	const char *equals = strchr(text, '=');
	char *name = equals ? strndup(text, (size_t)(equals - text)) : NULL;
	int signal, ret = 0;

	if (equals && !name)
		return no_memory(err);
	if (!name || !is_header(name, equals + 1)) {
		free(name);
		nd_err_set(err, -EINVAL, "a header is no NAME=VALUE");
		return nd_err_hint(err, "as in: --header 'authorization=Bearer TOKEN'");
	}
	for (signal = 0; signal < ND_OTLP_SIGNALS && !ret; signal++)
		ret = set_header(options, &options->targets[signal], name, equals + 1);
	free(name);
	if (ret == -E2BIG)
		return nd_err_set(err, ret, "more than %d headers", ND_EXPORT_HEADERS_MAX);
	return ret ? no_memory(err) : 0;
}

/* Put stars over each place where a secret is. Short ones are words, and would be everywhere. */
static void hide(char *text, const char *secret, size_t len)
{
	char *at = text;

	while (len >= 4 && (at = memmem(at, strlen(at), secret, len))) {
		memset(at, '*', len);
		at += len;
	}
}

void nd_export_redact(const struct nd_export_target *target, char *text)
{
	const char *host = find_host(target->url), *user, *query, *space;
	size_t i;

	for (i = 0; i < target->header_count; i++) {
		const char *value = target->headers[i].value;

		hide(text, value, strlen(value));
		/* "Bearer TOKEN": the token alone, too. */
		space = strrchr(value, ' ');
		if (space)
			hide(text, space + 1, strlen(space + 1));
	}
	if (!host)
		return;
	user = strstr(target->url, "://") + 3;
	if (host > user)
		hide(text, user, (size_t)(host - user - 1));
	/* Keys are no secrets; their values are, together and one by one. */
	query = host + strcspn(host, "?#");
	while (*query) {
		query += strcspn(query, "=");
		query += *query == '=';
		hide(text, query, strcspn(query, "&#"));
	}
}
