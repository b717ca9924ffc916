/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/clients.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/analyzer.h"
#include "agent/connection.h"
#include "agent/control.h"
#include "agent/core.h"
#include "agent/log.h"
#include "agent/process_context.h"
#include "agent/reading.h"
#include "agent/sampler.h"
#include "agent/signal.h"
#include "agent/snapshot.h"
#include "agent/thread.h"
#include "proto/channel.h"
#include "proto/limits.h"
#include "proto/socket.h"

static struct {
	struct nd_client client[ND_CLIENTS_MAX];
	int count;
} clients;

bool nd_clients_accept(int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return errno == EAGAIN || errno == ECONNABORTED;
	if (clients.count == ND_CLIENTS_MAX || !nd_connection_greet(fd))
		close(fd);
	else
		clients.client[clients.count++] = (struct nd_client){.fd = fd};
	return true;
}

static int start_reading(struct nd_client *client, const struct nd_start *start)
{
	int i, ret;

	if (start->message.size < sizeof(*start))
		return -EBADMSG;
	for (i = 0; i < clients.count; i++)
		if (clients.client[i].is_reader && &clients.client[i] != client)
			return -EBUSY;
	if (nd_control_is_stopping())
		return -ESHUTDOWN;
	ret = nd_reading_start(start);
	if (ret)
		return ret;
	client->is_reader = true;
	nd_analyzer_has_come();
	nd_connection_let_read(client->fd);
	return 0;
}

/* What a reader says is one line, whatever is in it. */
static void log_line(const struct nd_log_line *line)
{
	char text[ND_MESSAGE_MAX];
	size_t i, len = line->message.size - sizeof(*line);

	for (i = 0; i < len; i++)
		text[i] = (unsigned char)line->text[i] < ' ' ? '?' : line->text[i];
	nd_log("%.*s", (int)len, text);
}

static int publish(const struct nd_process_context *context)
{
	if (nd_control_is_stopping())
		return -ESHUTDOWN;
	return nd_process_context_publish(context->bytes, context->message.size - sizeof(*context));
}

static void find_thread(struct nd_thread *thread, void *arg)
{
	uint32_t *tid = arg;

	if (thread->tid == *tid)
		*tid = 0;
}

static int start_snapshot(struct nd_client *client, const struct nd_message *message, int fd)
{
	struct nd_snapshot_wish wish = {0};
	uint32_t tid;
	int ret;

	if (message->size < ND_SNAPSHOT_WISH_MIN || fd < 0)
		return -EBADMSG;
	memcpy(&wish, message, message->size < sizeof(wish) ? message->size : sizeof(wish));
	if (nd_control_is_stopping())
		return -ESHUTDOWN;
	if (!(nd_agent.features & ND_FEATURE_SNAPSHOT))
		return -ENOTSUP;
	tid = wish.tid;
	nd_thread_visit(find_thread, &tid);
	if (tid)
		return -ESRCH;
	ret = nd_snapshot_want(&wish, fd);
	if (ret)
		return ret;
	if (wish.flags & ND_SNAPSHOT_AT_LIMIT)
		client->waits_for_limit = true;
	else
		client->waits_for_snapshot = true;
	nd_sampler_wake_all();
	return 0;
}

static int take_signal(struct nd_client *client, const struct nd_signal *wish)
{
	int ret;

	if (wish->message.size < sizeof(*wish))
		return -EBADMSG;
	if (nd_control_is_stopping())
		return -ESHUTDOWN;
	ret = nd_signal_take(wish->number);
	if (!ret)
		client->waits_for_signal = wish->number;
	return ret;
}

/* What a message comes to. `fd` came with it, or is -1; it stays the caller's. */
static int handle_message(struct nd_client *client, const struct nd_message *message, int fd)
{
	switch (message->type) {
	case ND_MESSAGE_START:
		return start_reading(client, (const void *)message);
	case ND_MESSAGE_HANDLES:
		nd_reading_refresh();
		return 0;
	case ND_MESSAGE_SNAPSHOT:
		return start_snapshot(client, message, fd);
	case ND_MESSAGE_SIGNAL:
		return take_signal(client, (const void *)message);
	case ND_MESSAGE_CONTEXT:
		return publish((const void *)message);
	case ND_MESSAGE_LOG:
		nd_analyzer_has_come();
		log_line((const void *)message);
		return 0;
	default:
		return -ENOSYS;
	}
}

/* Whoever waits for a heap that is full says so each second, and wants no answer. */
static void take_free(const struct nd_client *client, const struct nd_free_memory *memory)
{
	if (client->waits_for_limit && memory->message.size >= sizeof(*memory))
		nd_snapshot_set_free(memory->free_bytes);
}

static void answer_message(struct nd_client *client, const struct nd_message *message, int fd)
{
	if (message->type == ND_MESSAGE_FREE) {
		take_free(client, (const void *)message);
		return;
	}
	if (message->type != ND_MESSAGE_DETACH) {
		nd_connection_answer(client->fd, handle_message(client, message, fd));
		return;
	}
	/* The answer comes when all threads have let go. */
	client->waits_for_stop = true;
	nd_control_stop();
}

/* False when the connection is over. */
static bool serve(struct nd_client *client)
{
	union {
		struct nd_message message;
		struct nd_start start;
		struct nd_snapshot_wish snapshot;
		char room[ND_MESSAGE_MAX];
	} in;
	int fd;
	ssize_t len = nd_socket_receive(client->fd, &in, sizeof(in), &fd);
	bool is_whole = len >= (ssize_t)sizeof(in.message) && in.message.size == (size_t)len;

	if (len == -EAGAIN || len == -EINTR)
		return true;
	if (is_whole)
		answer_message(client, &in.message, fd);
	if (fd >= 0)
		close(fd);
	return is_whole;
}

static void drop_client(int index)
{
	struct nd_client *client = &clients.client[index];

	close(client->fd);
	if (client->waits_for_snapshot)
		nd_snapshot_cancel(false);
	if (client->waits_for_limit) {
		nd_snapshot_cancel(true);
		nd_sampler_wake_all();
	}
	if (client->waits_for_signal)
		nd_signal_give_back();
	if (client->is_reader) {
		nd_reading_end();
		nd_analyzer_has_gone();
	}
	*client = clients.client[--clients.count];
}

int nd_clients_poll(struct pollfd *ret_fds)
{
	int i;

	for (i = 0; i < clients.count; i++)
		ret_fds[i] = (struct pollfd){.fd = clients.client[i].fd, .events = POLLIN};
	return clients.count;
}

void nd_clients_serve(const struct pollfd *fds, int count)
{
	int i;

	/* From the last, since dropping one moves the last into its place. */
	for (i = count - 1; i >= 0; i--)
		if (fds[i].revents && !serve(&clients.client[i]))
			drop_client(i);
}

static bool *find_waiting(struct nd_client *client, bool at_limit)
{
	return at_limit ? &client->waits_for_limit : &client->waits_for_snapshot;
}

static void tell_snapshot(void)
{
	bool at_limit = nd_snapshot_is_at_limit(), *waits;
	union nd_snapshot_news news;
	int i;

	if (!nd_snapshot_look(&news))
		return;
	for (i = 0; i < clients.count; i++) {
		waits = find_waiting(&clients.client[i], at_limit);
		if (!*waits)
			continue;
		send(clients.client[i].fd, &news, news.message.size, MSG_NOSIGNAL);
		*waits = nd_snapshot_is_busy();
	}
}

static void tell_signal(void)
{
	struct nd_signal news = {{ND_MESSAGE_SIGNALLED, sizeof(news)}, 0, 0};
	int i;

	if (!nd_signal_has_come())
		return;
	for (i = 0; i < clients.count; i++) {
		news.number = clients.client[i].waits_for_signal;
		if (news.number)
			send(clients.client[i].fd, &news, sizeof(news), MSG_NOSIGNAL);
	}
}

void nd_clients_tell(void)
{
	tell_snapshot();
	tell_signal();
}

int nd_clients_take(struct nd_client ret_clients[ND_CLIENTS_MAX])
{
	int count = clients.count;

	memcpy(ret_clients, clients.client, sizeof(clients.client));
	clients.count = 0;
	return count;
}

void nd_clients_dismiss(const struct nd_client *dismissed, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		if (dismissed[i].waits_for_stop)
			nd_connection_answer(dismissed[i].fd, 0);
		close(dismissed[i].fd);
	}
}
