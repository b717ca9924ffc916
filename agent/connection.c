/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/connection.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/analyzer.h"
#include "agent/core.h"
#include "proto/channel.h"
#include "proto/socket.h"

static bool get_peer(int fd, struct ucred *ret_peer)
{
	socklen_t len = sizeof(*ret_peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_peer, &len);
}

static bool may_talk(int fd)
{
	struct ucred peer;

	return get_peer(fd, &peer) && (peer.uid == geteuid() || peer.uid == 0);
}

static bool send_hello(int fd)
{
	struct nd_hello hello = {
		.message = {ND_MESSAGE_HELLO, sizeof(hello)},
		.version = ND_CHANNEL_VERSION,
		.pid = (uint32_t)getpid(),
		.features = nd_agent.features,
		.reason = nd_agent.reason,
		.memory_size = nd_agent.channel_size,
	};

	return !nd_socket_send(fd, &hello, sizeof(hello), nd_agent.channel_fd);
}

bool nd_connection_greet(int fd)
{
	return may_talk(fd) && send_hello(fd);
}

/*
 * Names are read from memory, which Yama (ptrace_scope 1) lets only ancestors do and who has leave:
 * the analyzer gets it where the environment asks for one. Without Yama this does nothing.
 */
void nd_connection_let_read(int fd)
{
	struct ucred peer;

	if (nd_analyzer_is_wanted() && get_peer(fd, &peer) && nd_analyzer_is(peer.pid))
		prctl(PR_SET_PTRACER, (unsigned long)peer.pid, 0, 0, 0);
}

void nd_connection_answer(int fd, int32_t result)
{
	struct nd_answer message = {{ND_MESSAGE_ANSWER, sizeof(message)}, result, 0};

	send(fd, &message, sizeof(message), MSG_NOSIGNAL);
}
