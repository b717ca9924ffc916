/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_PROFILE_H
#define NODIAG_ANALYZER_EXPORT_PROFILE_H

/*
 * A profile as OTLP has it (v1development).
 */

#include <stdint.h>

struct nd_profile;
struct nd_sink;
struct nd_source;

/* Who knows in which trace a span is. */
struct nd_links {
	/* Its id, of 16 bytes, borrowed until the next call; NULL where there is none to link to.
	 */
	const uint8_t *(*find_trace)(const void *arg, const uint8_t *span_id);
	const void *arg;
};

/*
 * Give the profile away, as one request or, where it is large, as several with a dictionary each.
 *
 * A complete timeline gives each sample its time and the thread.id of its thread; else there is one
 * sum for each stack. Frames have profile.frame.type: "v8js" for what runs on V8, "kernel", and
 * "native" for all else. Lines are those being executed in leaves, and those of the definition
 * elsewhere. Samples of a timeline are linked to their spans where `links` knows these; NULL:
 * nobody does. 0, -ENOMEM, or what the sink says.
 */
int nd_export_profile(const struct nd_profile *profile, const struct nd_links *links,
		      const struct nd_source *source, const struct nd_sink *sink);

#endif /* NODIAG_ANALYZER_EXPORT_PROFILE_H */
