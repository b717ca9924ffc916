/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_CLOSING_H
#define NODIAG_CLI_CLOSING_H

/* The closing words on stderr that several commands have: what was done, and what is missing. */

struct nd_recording_state;
struct session_result;
struct target;

/* How taking samples went: how many, how long, which way, what it cost. */
void closing_print_session(const struct session_result *result, const struct target *target,
			   unsigned int hz);

/* What is missing in the recording `path`, besides what is counted as a loss. */
void closing_print_recording(const struct nd_recording_state *state, double seconds,
			     const char *path);

#endif /* NODIAG_CLI_CLOSING_H */
