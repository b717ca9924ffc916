/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_LISTENER_H
#define NODIAG_AGENT_LISTENER_H

/* The socket that readers of this process connect to, and the folder that it is in. */

#include <sys/un.h>

#define ND_LISTENER_PATH sizeof(((struct sockaddr_un *)0)->sun_path)

/* Who may wait to be let in. */
#define ND_LISTENER_CLIENTS 8

/*
 * Note where the environment wants the socket to be. On the main thread: the program may change its
 * environment, which no other thread may read meanwhile.
 */
void nd_listener_read_environment(void);

/*
 * Listen, in the first folder of this user's own that can be had. Returns a descriptor, and the
 * folder; or -1, which the log says.
 */
int nd_listener_open(char folder[ND_LISTENER_PATH]);

/* Remove the socket's name. */
void nd_listener_remove(void);

#endif /* NODIAG_AGENT_LISTENER_H */
