/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_CLIENTS_H
#define NODIAG_AGENT_CLIENTS_H

/*
 * Who is connected to the agent: one reader, and some who only look or wait for something. What
 * each asks for, and what it is told. All of this is for the agent's thread.
 */

#include <stdbool.h>

#include "agent/listener.h"

struct pollfd;

/* Connections at once. */
#define ND_CLIENTS_MAX ND_LISTENER_CLIENTS

struct nd_client {
	int fd;
	bool is_reader;
	bool waits_for_stop;
	bool waits_for_snapshot;
	bool waits_for_limit; /* for a snapshot of a heap that is nearly full */
	int waits_for_signal; /* its number; 0: for none */
};

/*
 * Let in who waits at the socket. False where there is no descriptor for a connection: who waits
 * still waits, and poll() would return at once.
 */
bool nd_clients_accept(int listen_fd);

/* Say for poll() whom to listen to. Returns how many there are, ND_CLIENTS_MAX at most. */
int nd_clients_poll(struct pollfd *ret_fds);

/* Answer those who have said something, as poll() found; nobody came or went meanwhile. */
void nd_clients_serve(const struct pollfd *fds, int count);

/* Tell those who wait for a snapshot or a signal what has become of it. */
void nd_clients_tell(void);

/*
 * Have no client any more, and tell them that the agent has stopped, as who asked for that waits to
 * hear. Who knows it may start the agent again, with a thread and clients of its own: hence the
 * two.
 */
int nd_clients_take(struct nd_client ret_clients[ND_CLIENTS_MAX]);
void nd_clients_dismiss(const struct nd_client *clients, int count);

#endif /* NODIAG_AGENT_CLIENTS_H */
