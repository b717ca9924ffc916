/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_PROFILE_IMPORT_H
#define NODIAG_ANALYZER_PROFILE_IMPORT_H

/*
 * Profiles in files, of other tools and of 'nodiag record', as an nd_profile.
 *
 * Readers do no I/O and trust nothing: sizes are bounded by proto/limits.h, and what does not fit
 * the format is -EBADMSG with the place (byte offset, line number or JSON key) in `err`. On success
 * the profile is the caller's; on failure there is none.
 */

#include <stdbool.h>
#include <stddef.h>

struct nd_err;
struct nd_profile;
struct nd_recording_state;

/*
 * Read a profile of any known format, told apart by its first bytes: recording, gzip or plain
 * pprof, .cpuprofile JSON, folded stacks. -ENOTSUP when it is none of them.
 */
int nd_import_profile(const void *data, size_t len, struct nd_profile **ret_profile,
		      struct nd_err *err);

/*
 * V8's .cpuprofile: JSON with "nodes", "samples" and "timeDeltas", or "hitCount" alone. A sample
 * lasts until the next one and the last until "endTime"; the profile has a timeline. Without
 * samples, hits are counted.
 */
int nd_import_cpuprofile(const void *data, size_t len, struct nd_profile **ret_profile,
			 struct nd_err *err);

/*
 * Lines of "root;caller;leaf WEIGHT", in the unit "count"; frames as analyzer/profile/frame_text.h
 * says. Weights may have decimals, which are rounded. Blank lines and those of "# comment" are
 * nothing.
 */
int nd_import_folded(const void *data, size_t len, struct nd_profile **ret_profile,
		     struct nd_err *err);

/*
 * pprof's profile.proto, gzipped or not. Takes the sample type that the file calls the default,
 * else the last, as pprof does. Labels are not read.
 */
int nd_import_pprof(const void *data, size_t len, struct nd_profile **ret_profile,
		    struct nd_err *err);

/*
 * The CPU samples of a recording (proto/recording.h), with their timeline, in which they have the
 * spans that they were taken in; `threads` keeps threads apart. What is missing in it is said in
 * `ret_state`, which may be NULL, and counted as ND_LOSS_RECORDING. -ENODATA when it was made
 * without CPU samples, -ENOTSUP when it is of a format that is too new.
 */
int nd_import_recording(const void *data, size_t len, bool threads, struct nd_profile **ret_profile,
			struct nd_recording_state *ret_state, struct nd_err *err);

/*
 * The same with the routes of requests as roots (analyzer/trace/by_route.h). -ENODATA also when the
 * recording has no requests, or samples that do not tell of them.
 */
int nd_import_recording_by_route(const void *data, size_t len, bool threads,
				 struct nd_profile **ret_profile,
				 struct nd_recording_state *ret_state, struct nd_err *err);

#endif /* NODIAG_ANALYZER_PROFILE_IMPORT_H */
