/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_PROFILE_RECORDED_H
#define NODIAG_ANALYZER_PROFILE_RECORDED_H

/*
 * The stacks of a recording, with frames of a profile.
 */

#include <stddef.h>
#include <stdint.h>

struct nd_call;
struct nd_profile;
struct nd_recorded;
struct nd_recording;

/* Both must outlive it. NULL when out of memory. */
struct nd_recorded *nd_recorded_new(const struct nd_recording *recording,
				    struct nd_profile *profile);
void nd_recorded_free(struct nd_recorded *recorded);

/*
 * The stack that a call of the recording is the innermost of, at `ret_calls` until the next one;
 * its frames are added to the profile when new. There is room for one call more. -ENOMEM.
 */
int nd_recorded_get_stack(struct nd_recorded *recorded, uint32_t call, struct nd_call **ret_calls,
			  size_t *ret_depth);

#endif /* NODIAG_ANALYZER_PROFILE_RECORDED_H */
