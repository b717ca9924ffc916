/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_SAMPLES_H
#define NODIAG_ANALYZER_EXPORT_SAMPLES_H

/*
 * CPU samples of a process that runs, given away as one profile after the other: of each interval
 * what was sampled in it.
 */

#include <stdint.h>

struct nd_event_span;
struct nd_profile;
struct nd_samples;
struct nd_sink;
struct nd_source;
struct nd_stack;

/*
 * `frames` names the frames of stacks, and must outlive this; `period_ns` is the CPU time between
 * two samples; the first interval begins at `start_ns`. NULL when out of memory.
 */
struct nd_samples *nd_samples_new(const struct nd_profile *frames, uint64_t period_ns,
				  uint64_t start_ns);
void nd_samples_free(struct nd_samples *samples);

/* Add a sample. 0, -ENOMEM, or as nd_profile_add_stack(). */
int nd_samples_add(struct nd_samples *samples, const struct nd_stack *stack);

/*
 * Give away the profile of the interval until `time_ns`, if there is a sample in it, and begin the
 * next; the wall clock is `unix_offset_ns` ahead of its times. Its samples are linked to their
 * spans, as far as they were told of. Errors as nd_export_profile().
 */
int nd_samples_flush(struct nd_samples *samples, uint64_t time_ns, uint64_t unix_offset_ns,
		     const struct nd_source *source, const struct nd_sink *sink);

/* A span that began or ended: 0 or -ENOMEM. */
int nd_samples_add_span(struct nd_samples *samples, const struct nd_event_span *span);

#endif /* NODIAG_ANALYZER_EXPORT_SAMPLES_H */
