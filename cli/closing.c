/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/closing.h"

#include <inttypes.h>

#include "cli/session.h"
#include "cli/term.h"
#include "common/clock.h"
#include "proto/recording.h"

/* What the recording cost, where it was long enough for shares to mean something. */
static void print_cost(const struct session_result *r)
{
	double duration = (double)r->duration_ns;

	if (r->duration_ns < ND_NSEC_PER_SEC / 2)
		return;
	term_note("nodiag used %.2f %% of one core", 100 * (double)r->own_cpu_ns / duration);
	if (r->sampler_cpu_ns)
		term_note("taking samples used %.2f %%, in the process",
			  100 * (double)r->sampler_cpu_ns / duration);
}

void closing_print_session(const struct session_result *r, const struct target *target,
			   unsigned int hz)
{
	if (r->target_ended && target->kind == TARGET_PIDS)
		term_note("the process ended after %.1f s", (double)r->duration_ns / 1e9);
	term_note("%" PRIu64 " samples at %u Hz in %.1f s by %s", r->samples, hz,
		  (double)r->duration_ns / 1e9, r->sampler);
	if (r->sampler_why[0])
		term_note("without kernel frames: %s", r->sampler_why);
	print_cost(r);
	if (r->limits[0])
		term_note("%s", r->limits);
}

void closing_print_recording(const struct nd_recording_state *state, double seconds,
			     const char *path)
{
	if (!state->has_end)
		term_note(
			"'%s' has no end after %.1f s: it is being written, was cut off, or nodiag "
			"was killed",
			path, seconds);
	if (state->cause == ND_END_FULL)
		term_note("'%s' ends after %.1f s because there was no room for more", path,
			  seconds);
	if (state->samples_lost)
		term_note("samples in damaged parts: %" PRIu64, state->samples_lost);
	if (state->unknown)
		term_note("parts that only a newer nodiag can read: %" PRIu64, state->unknown);
}
