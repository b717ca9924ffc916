/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_CONNECTION_H
#define NODIAG_AGENT_CONNECTION_H

/*
 * One connection of a reader to the agent: who may have it, and what it is told. Nothing here
 * waits: the descriptor does not block, and who does not read what it is sent loses it. All of this
 * is for the agent's thread.
 */

#include <stdbool.h>
#include <stdint.h>

/*
 * Greet who has just connected, and give it the channel. False where it is not of our user, or is
 * gone already.
 */
bool nd_connection_greet(int fd);

/* Let it read our memory, if it is the analyzer that the environment asks for. */
void nd_connection_let_read(int fd);

/* Answer a message; `result` is 0 or a negative errno. */
void nd_connection_answer(int fd, int32_t result);

#endif /* NODIAG_AGENT_CONNECTION_H */
