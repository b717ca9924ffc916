/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_PROFILE_H
#define NODIAG_ANALYZER_EXPORT_PROFILE_H

/*
 * A profile as OTLP has it (v1development).
 */

struct nd_profile;
struct nd_requests;
struct nd_sink;
struct nd_source;

/*
 * Give the profile away, as one request or, where it is large, as several with a dictionary each.
 *
 * A complete timeline gives each sample its time and the thread.id of its thread; else there is one
 * sum for each stack. Frames have profile.frame.type: "v8js" for what runs on V8, "kernel", and
 * "native" for all else. Lines are those being executed in leaves, and those of the definition
 * elsewhere. Samples of a timeline are linked to their spans where `requests` has these; NULL: none
 * has. 0, -ENOMEM, or what the sink says.
 */
int nd_export_profile(const struct nd_profile *profile, const struct nd_requests *requests,
		      const struct nd_source *source, const struct nd_sink *sink);

#endif /* NODIAG_ANALYZER_EXPORT_PROFILE_H */
