/* SPDX-License-Identifier: Apache-2.0 */

/* Heap snapshots, as they are asked of an agent. */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/socket.h>

#include "cli/channel.h"
#include "cli/channel_parts.h"
#include "common/err.h"
#include "proto/socket.h"

int channel_snapshot(struct channel *channel, const struct nd_snapshot_wish *wish, int fd,
		     struct nd_err *err)
{
	struct nd_snapshot_wish message = *wish;
	int ret;

	message.message = (struct nd_message){ND_MESSAGE_SNAPSHOT, sizeof(message)};
	ret = nd_socket_send(channel->fd, &message, sizeof(message), fd);
	if (!ret)
		ret = channel_wait_answer(channel);
	if (ret == -EBUSY)
		return nd_err_set(err, ret, "a snapshot of %d is being taken already",
				  channel->pid);
	if (ret == -ENOSYS)
		return nd_err_set(err, ret, "the agent in %d is older, and takes no snapshots",
				  channel->pid);
	if (ret == -ENOTSUP)
		return nd_err_set(err, ret, "the calls of locks were not found in %d",
				  channel->pid);
	if (ret == -ESRCH)
		return nd_err_set(err, ret, "%d has no thread %" PRIu32 " that runs JavaScript",
				  channel->pid, wish->tid);
	return ret ? nd_err_set_errno(err, ret, "the agent in %d takes no snapshot", channel->pid)
		   : 0;
}

int channel_wait_forked(struct channel *channel, int timeout_ms, struct nd_forked *ret_forked)
{
	int ret = channel_receive(channel, timeout_ms, ret_forked, sizeof(*ret_forked));

	return !ret && ret_forked->message.type != ND_MESSAGE_FORKED ? -EPROTO : ret;
}

int channel_wait_child(struct channel *channel, int timeout_ms, int *ret_status)
{
	struct nd_child_end end = {0};
	int ret = channel_receive(channel, timeout_ms, &end, sizeof(end));

	*ret_status = end.status;
	return !ret && end.message.type != ND_MESSAGE_CHILD_END ? -EPROTO : ret;
}

int channel_wait_written(struct channel *channel, int timeout_ms, struct nd_written *ret_written)
{
	int ret = channel_receive(channel, timeout_ms, ret_written, sizeof(*ret_written));

	return !ret && ret_written->message.type != ND_MESSAGE_WRITTEN ? -EPROTO : ret;
}

void channel_tell_free(struct channel *channel, uint64_t free_bytes)
{
	const struct nd_free_memory memory = {{ND_MESSAGE_FREE, sizeof(memory)}, free_bytes};

	/* An older agent would answer. */
	if (channel->hello.features & ND_FEATURE_INSIDE)
		send(channel->fd, &memory, sizeof(memory), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void channel_get_progress(const struct channel *channel, uint32_t *ret_done, uint32_t *ret_total)
{
	const struct nd_channel_head *head = (const void *)channel->memory;

	*ret_total = __atomic_load_n(&head->snapshot_total, __ATOMIC_RELAXED);
	*ret_done = __atomic_load_n(&head->snapshot_done, __ATOMIC_RELAXED);
}

int channel_get_fd(const struct channel *channel)
{
	return channel->fd;
}

int channel_take_signal(struct channel *channel, int number, struct nd_err *err)
{
	struct nd_signal wish = {{ND_MESSAGE_SIGNAL, sizeof(wish)}, number, 0};
	int ret = send(channel->fd, &wish, sizeof(wish), MSG_NOSIGNAL) == (ssize_t)sizeof(wish)
			  ? channel_wait_answer(channel)
			  : -EPIPE;

	if (ret == -EBUSY) {
		nd_err_set(err, ret, "%d handles signal %d itself, or another nodiag waits for one",
			   channel->pid, number);
		return nd_err_hint(err, "take one that it does not handle, such as SIGUSR2 or 40");
	}
	if (ret == -ENOSYS)
		return nd_err_set(err, ret, "the agent in %d is older, and waits for no signals",
				  channel->pid);
	return ret ? nd_err_set_errno(err, ret, "the agent in %d cannot wait for signal %d",
				      channel->pid, number)
		   : 0;
}

bool channel_has_signalled(struct channel *channel)
{
	struct pollfd ready = {.fd = channel->fd, .events = POLLIN};
	struct nd_signal news = {0};

	return poll(&ready, 1, 0) > 0 &&
	       recv(channel->fd, &news, sizeof(news), MSG_DONTWAIT) == (ssize_t)sizeof(news) &&
	       news.message.type == ND_MESSAGE_SIGNALLED;
}
