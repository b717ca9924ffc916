/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/connection.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/analyzer.h"
#include "agent/core.h"
#include "proto/channel.h"

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
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} rights = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
			       .cmsg_level = SOL_SOCKET,
			       .cmsg_type = SCM_RIGHTS}};
	struct iovec data = {&hello, sizeof(hello)};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = &rights,
				 .msg_controllen = sizeof(rights)};

	memcpy(CMSG_DATA(&rights.header), &nd_agent.channel_fd, sizeof(int));
	return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(hello);
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

ssize_t nd_connection_receive(int fd, void *buf, size_t size, int *ret_fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} rights;
	struct iovec data = {buf, size};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = &rights,
				 .msg_controllen = sizeof(rights)};
	ssize_t len = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *header = len < 0 ? NULL : CMSG_FIRSTHDR(&message);

	*ret_fd = -1;
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
	return len;
}
