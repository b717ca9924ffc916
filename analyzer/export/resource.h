/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_RESOURCE_H
#define NODIAG_ANALYZER_EXPORT_RESOURCE_H

/*
 * What is observed, as attributes of OpenTelemetry's semantic conventions: the service, the
 * process, its container and pod, the host. Nothing is asked over a network, and arguments of
 * commands, which may hold secrets, are not in it.
 *
 * What was said first counts: what a user says has to be added before what is found out. Functions
 * return 0 or -ENOMEM, unless they say more; what cannot be found out is left out.
 */

#include <sys/types.h>

#include "proto/otlp.h"

struct nd_err;
struct nd_recording_header;
struct nd_resource;

/* NULL when out of memory. */
struct nd_resource *nd_resource_new(void);
void nd_resource_free(struct nd_resource *resource);

/* The strings are copied, and made UTF-8. Empty ones are nothing. */
int nd_resource_add(struct nd_resource *resource, const char *key, const char *value);
int nd_resource_add_number(struct nd_resource *resource, const char *key, int64_t number);

/*
 * OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES; `get` gives a variable, or NULL. -EINVAL when the
 * latter cannot be read, which then counts for nothing, as the specification wants it.
 */
int nd_resource_add_environment(struct nd_resource *resource,
				const char *(*get)(void *arg, const char *name), void *arg,
				struct nd_err *err);

/* A running process. */
struct nd_resource_process {
	pid_t pid;
	const char *script;  /* as its arguments name it, or NULL */
	const char *runtime; /* "Node.js v22.23.3 (V8 12.4.254)", or "" */
};

/* What its own environment says, then what is found out. */
int nd_resource_add_process(struct nd_resource *resource,
			    const struct nd_resource_process *process);

/* A process that was recorded, here or elsewhere: nothing is said of a host. */
int nd_resource_add_recorded(struct nd_resource *resource,
			     const struct nd_recording_header *header);

/* Who measured, and a service.name where there is none yet. */
int nd_resource_finish(struct nd_resource *resource, const char *nodiag_version);

/* All of it, borrowed until the next add. */
struct nd_otlp_attributes nd_resource_get(const struct nd_resource *resource);

/* The value of a string, or NULL. */
const char *nd_resource_find(const struct nd_resource *resource, const char *key);

#endif /* NODIAG_ANALYZER_EXPORT_RESOURCE_H */
