/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_PAIRS_H
#define NODIAG_ANALYZER_EXPORT_PAIRS_H

/*
 * "key=value,key=value", as OTEL_EXPORTER_OTLP_HEADERS and OTEL_RESOURCE_ATTRIBUTES have it: spaces
 * around keys and values mean nothing, and values are percent-encoded (W3C Baggage, without its
 * properties).
 */

#include <stddef.h>

/*
 * Call `add` for each pair, in order, with strings that live until it returns. -EINVAL when the
 * text has a pair without "=" or key, or a wrong escape; -E2BIG when it is longer than
 * ND_EXPORT_TEXT_MAX; -ENOMEM; and what `add` returns but 0. None is added unless all can be read.
 */
int nd_pairs_decode(const char *text, int (*add)(void *arg, const char *key, const char *value),
		    void *arg);

#endif /* NODIAG_ANALYZER_EXPORT_PAIRS_H */
