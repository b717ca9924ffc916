/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/control.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/analyzer.h"
#include "agent/async.h"
#include "agent/channel.h"
#include "agent/core.h"
#include "agent/listener.h"
#include "agent/log.h"
#include "agent/process_context.h"
#include "agent/sampler.h"
#include "agent/signal.h"
#include "agent/snapshot.h"
#include "agent/thread.h"
#include "common/clock.h"
#include "proto/limits.h"

/* Connections at once: one reader, and some who only look. */
#define CLIENTS_MAX ND_LISTENER_CLIENTS

/* How often is looked whether all threads have let go, once the agent is to stop. */
#define STOP_POLL_MS 5

/* How often the reader is told of asynchronous resources. */
#define ASYNC_INTERVAL_NS ND_NSEC_PER_SEC

/* The same once more after it asked: Node tells of what ends only when its loop comes round. */
#define ASYNC_AGAIN_NS (5 * ND_NSEC_PER_MSEC)

/* How long nobody is let in after there was no descriptor for a connection. */
#define ACCEPT_AGAIN_MS 100

/* How long an analyzer may take to come, or to come back, before the log says that none did. */
#define ANALYZER_NS	  (5 * ND_NSEC_PER_SEC)
#define ANALYZER_AGAIN_NS ND_NSEC_PER_SEC

/* How often is looked what a snapshot does. */
#define SNAPSHOT_LOOK_MS 5

/* One bound for what readers ask for; more is what BPF is for. */
#define HZ_MAX 999

struct client {
	int fd;
	bool is_reader;
	bool waits_for_stop;
	bool waits_for_snapshot;
	bool waits_for_limit; /* for a snapshot of a heap that is nearly full */
	int waits_for_signal; /* its number; 0: for none */
};

static struct {
	struct nd_channel_slot *slot;
	int listen_fd;
	struct client client[CLIENTS_MAX];
	int clients;
	int wake_fd;  /* an eventfd, of nd_control_wake(); -1: there is none */
	bool is_deaf; /* for ACCEPT_AGAIN_MS */
	bool stopping;
	bool running;
	uint64_t async_due_ns;	  /* when the reader is told of asynchronous resources next */
	uint64_t analyzer_due_ns; /* until when one should come; 0: it has, or none is to */
	const char *analyzer_is_missing; /* what the log says then */
} control = {.listen_fd = -1, .wake_fd = -1};

void nd_control_get_ring(struct nd_ring *ret_ring)
{
	nd_channel_get_ring(control.slot, ret_ring);
}

void nd_control_wake(void)
{
	const uint64_t one = 1;
	ssize_t written = write(control.wake_fd, &one, sizeof(one));

	(void)written;
}

static void expect_analyzer(uint64_t within_ns, const char *is_missing)
{
	control.analyzer_due_ns = nd_clock_monotonic_ns() + within_ns;
	control.analyzer_is_missing = is_missing;
}

/* And let somebody read from it, where that is asked for. */
static void open_socket(void)
{
	char folder[ND_LISTENER_PATH];

	control.listen_fd = nd_listener_open(folder);
	if (control.listen_fd >= 0 && nd_analyzer_start(folder))
		expect_analyzer(ANALYZER_NS, "the analyzer did not come");
}

static void close_socket(void)
{
	if (control.listen_fd < 0)
		return;
	close(control.listen_fd);
	control.listen_fd = -1;
	nd_listener_remove();
}

/* Normal exit; after a crash the next process of that id removes it. */
__attribute__((destructor)) static void on_exit_program(void)
{
	struct nd_thread *thread = nd_thread_self();

	/* What was counted since the reader was told last. */
	if (thread && nd_agent.wanted & ND_FEATURE_ASYNC)
		nd_async_write(thread, &thread->ring);
	if (control.listen_fd >= 0 && nd_agent.channel &&
	    nd_agent.channel->pid == (uint32_t)getpid())
		nd_listener_remove();
}

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

/*
 * Names are read from memory, which Yama (ptrace_scope 1) lets only ancestors do and who has leave:
 * the analyzer gets it where the environment asks for one. Without Yama this does nothing.
 */
static void let_read(int fd)
{
	struct ucred peer;

	if (nd_analyzer_is_wanted() && get_peer(fd, &peer) && nd_analyzer_is(peer.pid))
		prctl(PR_SET_PTRACER, (unsigned long)peer.pid, 0, 0, 0);
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

static void accept_client(void)
{
	int fd = accept4(control.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		/* Who waits still waits, and poll() would return at once. */
		control.is_deaf = errno != EAGAIN && errno != ECONNABORTED;
		return;
	}
	if (control.clients == CLIENTS_MAX || !may_talk(fd) || !send_hello(fd)) {
		close(fd);
		return;
	}
	control.client[control.clients++] = (struct client){.fd = fd};
}

static void add_timer(struct nd_thread *thread, void *arg)
{
	nd_sampler_add_timer(thread);
}

static void stop_watching(struct nd_thread *thread, void *arg)
{
	nd_sampler_remove_timer(thread);
	nd_sampler_forget(thread);
}

static void wake(struct nd_thread *thread, void *arg)
{
	nd_sampler_wake(thread);
}

/*
 * What needs a script is done by the threads themselves, which must come by to hear of it. Each
 * reader who wants asynchronous resources has them counted from his own beginning.
 */
static void want(uint32_t features)
{
	static uint32_t sessions;
	uint32_t changed = nd_agent.wanted ^ features;

	nd_agent.wanted = features;
	if (changed & ND_FEATURE_ASYNC)
		__atomic_store_n(&nd_agent.async_session,
				 features & ND_FEATURE_ASYNC ? ++sessions : 0, __ATOMIC_RELAXED);
	if (changed & (ND_FEATURE_TRACE | ND_FEATURE_SPANS | ND_FEATURE_ASYNC))
		nd_thread_visit(wake, NULL);
}

static void end_reading(void)
{
	want(0);
	nd_agent.threshold_ns = ND_STALL_THRESHOLD_NS;
	nd_agent.channel->threshold_ns = nd_agent.threshold_ns;
	nd_thread_visit(stop_watching, NULL);
}

static int start_reading(struct client *client, const struct nd_start *start)
{
	int i;

	for (i = 0; i < control.clients; i++)
		if (control.client[i].is_reader && &control.client[i] != client)
			return -EBUSY;
	if (control.stopping)
		return -ESHUTDOWN;
	if (start->hz > HZ_MAX || start->threshold_ns < ND_NSEC_PER_MSEC)
		return -EINVAL;
	client->is_reader = true;
	control.analyzer_due_ns = 0;
	let_read(client->fd);
	end_reading();
	nd_agent.hz = start->hz;
	nd_agent.threshold_ns = start->threshold_ns;
	nd_agent.channel->threshold_ns = start->threshold_ns;
	want(start->features & nd_agent.features);
	nd_thread_visit(add_timer, NULL);
	return 0;
}

static void want_handles(struct nd_thread *thread, void *arg)
{
	__atomic_store_n(&thread->want_handles, true, __ATOMIC_RELAXED);
	nd_sampler_wake(thread);
}

static void write_async(struct nd_thread *thread, void *arg)
{
	nd_async_write(thread, arg);
}

/* In this thread's own ring: the others' are theirs, and they may be busy. */
static void tell_async(void)
{
	struct nd_ring ring;

	if (!(nd_agent.wanted & ND_FEATURE_ASYNC))
		return;
	control.async_due_ns = nd_clock_monotonic_ns() + ASYNC_INTERVAL_NS;
	nd_control_get_ring(&ring);
	nd_thread_visit(write_async, &ring);
}

static void answer(const struct client *client, int result)
{
	struct nd_answer message = {{ND_MESSAGE_ANSWER, sizeof(message)}, result, 0};

	send(client->fd, &message, sizeof(message), MSG_NOSIGNAL);
}

static void begin_stop(struct client *client)
{
	end_reading();
	nd_agent.active = false;
	nd_agent.reason = ND_AGENT_DETACHED;
	nd_snapshot_cancel(false);
	nd_snapshot_cancel(true);
	nd_signal_give_back();
	nd_process_context_withdraw();
	client->waits_for_stop = true;
	control.stopping = true;
	nd_thread_visit(wake, NULL);
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
	if (control.stopping)
		return -ESHUTDOWN;
	return nd_process_context_publish(context->bytes, context->message.size - sizeof(*context));
}

static void find_thread(struct nd_thread *thread, void *arg)
{
	uint32_t *tid = arg;

	if (thread->tid == *tid)
		*tid = 0;
}

static int start_snapshot(struct client *client, const struct nd_message *message, int fd)
{
	struct nd_snapshot_wish wish = {0};
	uint32_t tid;
	int ret;

	if (message->size < ND_SNAPSHOT_WISH_MIN || fd < 0)
		return -EBADMSG;
	memcpy(&wish, message, message->size < sizeof(wish) ? message->size : sizeof(wish));
	if (control.stopping)
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
	nd_thread_visit(wake, NULL);
	return 0;
}

static bool *find_waiting(struct client *client, bool at_limit)
{
	return at_limit ? &client->waits_for_limit : &client->waits_for_snapshot;
}

/* Tell who waits for it what a snapshot has come to. */
static void tell_snapshot(void)
{
	bool at_limit = nd_snapshot_is_at_limit(), *waits;
	union nd_snapshot_news news;
	int i;

	if (!nd_snapshot_look(&news))
		return;
	for (i = 0; i < control.clients; i++) {
		waits = find_waiting(&control.client[i], at_limit);
		if (!*waits)
			continue;
		send(control.client[i].fd, &news, news.message.size, MSG_NOSIGNAL);
		*waits = nd_snapshot_is_busy();
	}
}

static void tell_signal(void)
{
	struct nd_signal news = {{ND_MESSAGE_SIGNALLED, sizeof(news)}, 0, 0};
	int i;

	if (!nd_signal_has_come())
		return;
	for (i = 0; i < control.clients; i++) {
		news.number = control.client[i].waits_for_signal;
		if (news.number)
			send(control.client[i].fd, &news, sizeof(news), MSG_NOSIGNAL);
	}
}

static int take_signal(struct client *client, const struct nd_signal *wish)
{
	int ret;

	if (wish->message.size < sizeof(*wish))
		return -EBADMSG;
	if (control.stopping)
		return -ESHUTDOWN;
	ret = nd_signal_take(wish->number);
	if (!ret)
		client->waits_for_signal = wish->number;
	return ret;
}

/* For who waits for a heap that is full. */
static void set_free(const struct client *client, const struct nd_free_memory *memory)
{
	if (client->waits_for_limit && memory->message.size >= sizeof(*memory))
		nd_snapshot_set_free(memory->free_bytes);
}

/* `fd` came with the message, or is -1; it stays the caller's. */
static void handle_message(struct client *client, const struct nd_message *message, int fd)
{
	const struct nd_start *start = (const void *)message;

	switch (message->type) {
	case ND_MESSAGE_START:
		answer(client,
		       message->size < sizeof(*start) ? -EBADMSG : start_reading(client, start));
		break;
	case ND_MESSAGE_HANDLES:
		nd_thread_visit(want_handles, NULL);
		tell_async();
		control.async_due_ns = nd_clock_monotonic_ns() + ASYNC_AGAIN_NS;
		answer(client, 0);
		break;
	case ND_MESSAGE_SNAPSHOT:
		answer(client, start_snapshot(client, message, fd));
		break;
	case ND_MESSAGE_SIGNAL:
		answer(client, take_signal(client, (const void *)message));
		break;
	case ND_MESSAGE_FREE:
		set_free(client, (const void *)message);
		break;
	case ND_MESSAGE_DETACH:
		begin_stop(client);
		break;
	case ND_MESSAGE_CONTEXT:
		answer(client, publish((const void *)message));
		break;
	case ND_MESSAGE_LOG:
		control.analyzer_due_ns = 0;
		log_line((const void *)message);
		answer(client, 0);
		break;
	default:
		answer(client, -ENOSYS);
		break;
	}
}

/* recv(), with the descriptor that came along, or -1. */
static ssize_t receive(int fd, void *buf, size_t size, int *ret_fd)
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

/* False when the connection is over. */
static bool serve(struct client *client)
{
	union {
		struct nd_message message;
		struct nd_start start;
		struct nd_snapshot_wish snapshot;
		char room[ND_MESSAGE_MAX];
	} in;
	int fd;
	ssize_t len = receive(client->fd, &in, sizeof(in), &fd);
	bool is_whole = len >= (ssize_t)sizeof(in.message) && in.message.size == (size_t)len;

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (is_whole)
		handle_message(client, &in.message, fd);
	if (fd >= 0)
		close(fd);
	return is_whole;
}

static void drop_client(int index)
{
	close(control.client[index].fd);
	if (control.client[index].waits_for_snapshot)
		nd_snapshot_cancel(false);
	if (control.client[index].waits_for_limit) {
		nd_snapshot_cancel(true);
		nd_thread_visit(wake, NULL);
	}
	if (control.client[index].waits_for_signal)
		nd_signal_give_back();
	if (control.client[index].is_reader) {
		end_reading();
		if (nd_analyzer_is_wanted())
			expect_analyzer(ANALYZER_AGAIN_NS, "the analyzer has gone");
	}
	control.client[index] = control.client[--control.clients];
}

static void watch_one(struct nd_thread *thread, void *arg)
{
	uint64_t now = nd_clock_monotonic_ns(), next = nd_sampler_watch(thread, now);
	uint64_t *least = arg;

	if (next < *least)
		*least = next;
}

/* Returns how long until the reader is told again, in nanoseconds. */
static uint64_t watch_async(void)
{
	uint64_t now = nd_clock_monotonic_ns();

	if (now >= control.async_due_ns)
		tell_async();
	return control.async_due_ns > now ? control.async_due_ns - now : 0;
}

/* Look at all loops; returns how long to wait for the next look, in ms, -1 for ever. */
static int watch_all(void)
{
	uint64_t least = UINT64_MAX, next;

	if (control.stopping)
		return STOP_POLL_MS;
	if (nd_snapshot_is_busy())
		least = SNAPSHOT_LOOK_MS * ND_NSEC_PER_MSEC;
	if (nd_agent.wanted & ND_FEATURE_STALLS) {
		least = nd_agent.threshold_ns < least ? nd_agent.threshold_ns : least;
		nd_thread_visit(watch_one, &least);
	}
	if (nd_agent.wanted & ND_FEATURE_ASYNC) {
		next = watch_async();
		least = next < least ? next : least;
	}
	return least == UINT64_MAX ? -1 : (int)((least + ND_NSEC_PER_MSEC - 1) / ND_NSEC_PER_MSEC);
}

/* How long to wait for the analyzer, at most so long. */
static int wait_for_analyzer(int timeout_ms)
{
	uint64_t now_ns = nd_clock_monotonic_ns(), left_ms;

	if (!control.analyzer_due_ns)
		return timeout_ms;
	if (now_ns >= control.analyzer_due_ns) {
		nd_log("nobody records this process: %s", control.analyzer_is_missing);
		control.analyzer_due_ns = 0;
		return timeout_ms;
	}
	left_ms = (control.analyzer_due_ns - now_ns) / ND_NSEC_PER_MSEC + 1;
	return timeout_ms < 0 || (uint64_t)timeout_ms > left_ms ? (int)left_ms : timeout_ms;
}

static void wait_and_serve(int timeout_ms)
{
	struct pollfd fds[CLIENTS_MAX + 2];
	int i, clients = control.clients;
	uint64_t woken;

	if (control.is_deaf && (timeout_ms < 0 || timeout_ms > ACCEPT_AGAIN_MS))
		timeout_ms = ACCEPT_AGAIN_MS;
	fds[0] = (struct pollfd){.fd = control.is_deaf ? -1 : control.listen_fd, .events = POLLIN};
	control.is_deaf = false;
	for (i = 0; i < clients; i++)
		fds[i + 1] = (struct pollfd){.fd = control.client[i].fd, .events = POLLIN};
	fds[clients + 1] = (struct pollfd){.fd = control.wake_fd, .events = POLLIN};
	if (poll(fds, (nfds_t)clients + 2, timeout_ms) <= 0)
		return;
	if (fds[clients + 1].revents && read(control.wake_fd, &woken, sizeof(woken)) < 0)
		nd_log("cannot read what woke the agent: %s", strerror(errno));
	/* From the last, since dropping one moves the last into its place. */
	for (i = clients - 1; i >= 0; i--)
		if (fds[i + 1].revents && !serve(&control.client[i]))
			drop_client(i);
	if (fds[0].revents)
		accept_client();
}

static void count_hooked(struct nd_thread *thread, void *arg)
{
	if (__atomic_load_n(&thread->hooked, __ATOMIC_ACQUIRE)) {
		++*(int *)arg;
		nd_sampler_wake(thread);
	}
}

/* Whether every thread has let go; those that have not are woken again. */
static bool all_unhooked(void)
{
	int hooked = 0;

	nd_thread_visit(count_hooked, &hooked);
	return hooked == 0;
}

static void finish_stop(void)
{
	struct client client[CLIENTS_MAX];
	int i, clients = control.clients;

	nd_agent_stop();
	close_socket();
	close(control.wake_fd);
	control.wake_fd = -1;
	memcpy(client, control.client, sizeof(client));
	control.clients = 0;
	nd_channel_release_slot(control.slot);
	control.slot = NULL;
	control.stopping = false;
	__atomic_store_n(&control.running, false, __ATOMIC_RELEASE);
	/* Last: who knows that it is over may start the agent again, with a thread of its own. */
	for (i = 0; i < clients; i++) {
		if (client[i].waits_for_stop)
			answer(&client[i], 0);
		close(client[i].fd);
	}
}

static void *run(void *arg)
{
	prctl(PR_SET_NAME, "nodiag");
	control.slot->tid = (uint32_t)syscall(SYS_gettid);
	control.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	open_socket();
	while (!control.stopping || !all_unhooked() || nd_snapshot_is_busy()) {
		wait_and_serve(wait_for_analyzer(watch_all()));
		tell_snapshot();
		tell_signal();
	}
	finish_stop();
	return NULL;
}

bool nd_control_start(void)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	if (__atomic_load_n(&control.running, __ATOMIC_ACQUIRE))
		return true;
	if (!control.slot)
		control.slot = nd_channel_take_slot(ND_THREAD_AGENT, 0);
	if (!control.slot || pthread_attr_init(&attr))
		return false;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, ND_AGENT_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&thread, &attr, run, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	control.running = !ret;
	return control.running;
}
