/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_LINKS_H
#define NODIAG_ANALYZER_EXPORT_LINKS_H

/*
 * In which traces the spans of a recording's samples are, for the samples to be linked to them.
 *
 * In a recording a sample may come before the beginning of its span. So its profile is read first,
 * and then of all spans only those that it asks for are kept, 24 bytes each.
 */

#include <stddef.h>
#include <stdint.h>

struct nd_err;
struct nd_profile;
struct nd_recorded_links;

/*
 * Look in a recording for the spans that the samples of its profile have. Spans that are not sent,
 * or by another tracer, are nothing to link to. -ENOMEM, and as nd_recording_open().
 */
int nd_recorded_links_new(const struct nd_profile *profile, const void *data, size_t len,
			  struct nd_recorded_links **ret_links, struct nd_err *err);
void nd_recorded_links_free(struct nd_recorded_links *links);

/* As `find_trace` of struct nd_links, with these as its `arg`. */
const uint8_t *nd_recorded_links_find(const void *links, const uint8_t *span_id);

#endif /* NODIAG_ANALYZER_EXPORT_LINKS_H */
