/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/resource.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/export/pairs.h"
#include "analyzer/utf8.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/intern.h"
#include "proto/codec.h"
#include "proto/limits.h"

#define DEFAULT_SERVICE "unknown_service:node"

struct nd_resource {
	struct nd_otlp_attribute list[ND_OTLP_ATTRIBUTES_MAX];
	size_t count;
	struct nd_intern *strings;
};

struct nd_resource *nd_resource_new(void)
{
	struct nd_resource *resource = calloc(1, sizeof(*resource));

	if (!resource)
		return NULL;
	resource->strings = nd_intern_new();
	if (!resource->strings) {
		free(resource);
		return NULL;
	}
	return resource;
}

void nd_resource_free(struct nd_resource *resource)
{
	if (!resource)
		return;
	nd_intern_free(resource->strings);
	free(resource);
}

struct nd_otlp_attributes nd_resource_get(const struct nd_resource *resource)
{
	return (struct nd_otlp_attributes){resource->list, resource->count};
}

static const struct nd_otlp_attribute *find(const struct nd_resource *resource, const char *key)
{
	size_t i;

	for (i = 0; i < resource->count; i++)
		if (!strcmp(resource->list[i].key, key))
			return &resource->list[i];
	return NULL;
}

const char *nd_resource_find(const struct nd_resource *resource, const char *key)
{
	const struct nd_otlp_attribute *attribute = find(resource, key);

	return attribute && attribute->type == ND_OTLP_STRING ? attribute->string : NULL;
}

/* The string as UTF-8, for as long as the resource lives; NULL when out of memory. */
static const char *keep(struct nd_resource *resource, const char *str)
{
	struct nd_buf text;
	uint32_t id;
	int ret;

	nd_buf_init(&text, ND_EXPORT_TEXT_MAX * 3);
	nd_utf8_repair(str, strnlen(str, ND_EXPORT_TEXT_MAX), &text);
	ret = nd_buf_error(&text);
	if (!ret)
		ret = nd_intern_add(resource->strings, text.data, text.len, &id);
	nd_buf_fini(&text);
	return ret ? NULL : nd_intern_get(resource->strings, id);
}

static int add(struct nd_resource *resource, const char *key, struct nd_otlp_attribute attribute)
{
	if (find(resource, key) || resource->count == ND_OTLP_ATTRIBUTES_MAX)
		return 0;
	attribute.key = keep(resource, key);
	if (!attribute.key)
		return -ENOMEM;
	resource->list[resource->count++] = attribute;
	return 0;
}

int nd_resource_add(struct nd_resource *resource, const char *key, const char *value)
{
	const char *kept;

	if (!value || !*value)
		return 0;
	kept = keep(resource, value);
	if (!kept)
		return -ENOMEM;
	return add(resource, key,
		   (struct nd_otlp_attribute){.type = ND_OTLP_STRING, .string = kept});
}

int nd_resource_add_number(struct nd_resource *resource, const char *key, int64_t number)
{
	return add(resource, key,
		   (struct nd_otlp_attribute){.type = ND_OTLP_INTEGER, .integer = number});
}

static int add_pair(void *arg, const char *key, const char *value)
{
	return nd_resource_add(arg, key, value);
}

int nd_resource_add_environment(struct nd_resource *resource,
				const char *(*get)(void *arg, const char *name), void *arg,
				struct nd_err *err)
{
	const char *text;
	int ret = nd_resource_add(resource, "service.name", get(arg, "OTEL_SERVICE_NAME"));

	if (ret)
		return nd_err_set(err, ret, "out of memory");
	text = get(arg, "OTEL_RESOURCE_ATTRIBUTES");
	ret = text ? nd_pairs_decode(text, add_pair, resource) : 0;
	if (ret == -ENOMEM)
		return nd_err_set(err, ret, "out of memory");
	if (!ret)
		return 0;
	nd_err_set(err, -EINVAL, "OTEL_RESOURCE_ATTRIBUTES cannot be read");
	return nd_err_hint(err, "it is key=value,key=value with other characters as %%XX");
}

int nd_resource_add_recorded(struct nd_resource *resource, const struct nd_recording_header *header)
{
	char version[64] = "", command[256] = "";
	int ret = 0;

	sscanf(header->runtime, "Node.js v%63[0-9a-zA-Z.-]", version);
	/* Of the command line only the program. */
	sscanf(header->command, "%255s", command);
	if (header->pid)
		ret = nd_resource_add_number(resource, "process.pid", header->pid);
	if (!ret)
		ret = nd_resource_add(resource, "process.command", command);
	if (!ret)
		ret = nd_resource_add(resource, "process.runtime.name", "nodejs");
	if (!ret)
		ret = nd_resource_add(resource, "process.runtime.version", version);
	return ret ? ret : nd_resource_add(resource, "os.type", "linux");
}

int nd_resource_finish(struct nd_resource *resource, const char *nodiag_version)
{
	int ret = nd_resource_add(resource, "service.name", DEFAULT_SERVICE);

	if (!ret)
		ret = nd_resource_add(resource, "telemetry.sdk.name", "nodiag");
	if (!ret)
		ret = nd_resource_add(resource, "telemetry.sdk.language", "nodejs");
	return ret ? ret : nd_resource_add(resource, "telemetry.sdk.version", nodiag_version);
}
