/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/err.h"
#include "common/procfs.h"
#include "common/procstat.h"
#include "proto/channel_view.h"
#include "proto/limits.h"
#include "proto/sample.h"
#include "proto/socket.h"

/* An agent answers from a thread of its own at once, unless its process gets no CPU. */
#define ANSWER_MS 5000

/* Messages about one snapshot. */
#define SNAPSHOT_NEWS 2

struct channel {
	pid_t pid;
	int fd;
	int process_fd; /* a pidfd, -1 where the kernel has none */
	struct nd_hello hello;
	void *memory;
	size_t size;
	struct nd_channel_view view;
	uint64_t dropped_before;
	uint64_t *begin; /* of each ring: what it had before the agent was asked to start */
	uint8_t *record; /* half a ring: the longest event */
};

static const char *const reasons[ND_AGENT_REASON_COUNT] = {
	[ND_AGENT_OK] = "",
	[ND_AGENT_UNKNOWN_V8] = "this nodiag was not tested with its V8",
	[ND_AGENT_UNKNOWN_LIBUV] = "its libuv is not laid out as expected",
	[ND_AGENT_NO_HOOK] = "its calls of epoll were not found",
	[ND_AGENT_NO_MEMORY] = "it had no memory for the agent",
	[ND_AGENT_NO_SIGNAL] = "it uses all real-time signals itself",
	[ND_AGENT_DETACHED] = "the agent was detached",
};

const char *channel_reason_text(uint32_t reason)
{
	return reason < ND_AGENT_REASON_COUNT ? reasons[reason] : "of a reason that is not known";
}

const char *channel_tracing_text(uint32_t tracing)
{
	static const char *const texts[ND_TRACING_COUNT] = {
		[ND_TRACING_OFF] = "",
		[ND_TRACING_ON] = "",
		[ND_TRACING_NO_MODULES] = "before Node 20.16, ES modules hide Node's own from it",
		[ND_TRACING_OTHER_TRACER] = "OpenTelemetry or dd-trace does so already",
		[ND_TRACING_FAILED] = "the agent's script did not run",
	};

	return tracing < ND_TRACING_COUNT ? texts[tracing] : "of a reason that is not known";
}

/* The socket's name relative to a folder, since a whole path may be too long for the kernel. */
static int connect_in(const char *folder, pid_t inner_pid, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char self[64];
	int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, ret = 0;

	if (dir < 0)
		return -errno;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		close(dir);
		return -EMFILE;
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", dir);
	nd_socket_make_path(self, inner_pid, address.sun_path, sizeof(address.sun_path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		ret = -errno;
	close(dir);
	if (ret)
		close(fd);
	else
		*ret_fd = fd;
	return ret;
}

/* Only the process itself may answer for it. */
static bool is_peer(int fd, pid_t pid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) && peer.pid == pid;
}

/* Look where the agent is if it began as that user. */
static int connect_as(const struct nd_proc_status *status, pid_t pid, uid_t uid, int *ret_fd)
{
	char own[1024], runtime[1024], folder[1200], path[1300];
	int choice, ret, last = -ENOENT;

	nd_procfs_read_variable(pid, "NODIAG_SOCKET", own, sizeof(own));
	nd_procfs_read_variable(pid, "XDG_RUNTIME_DIR", runtime, sizeof(runtime));
	for (choice = 0;; choice++) {
		ret = nd_socket_make_folder(choice, own, runtime, uid, folder, sizeof(folder));
		if (ret == -ENOENT)
			return last;
		snprintf(path, sizeof(path), "/proc/%d/root%s", pid, folder);
		ret = connect_in(path, status->namespace_pid, ret_fd);
		if (!ret && is_peer(*ret_fd, pid))
			return 0;
		if (!ret)
			close(*ret_fd);
		if (ret == -EACCES || ret == -EPERM)
			last = -EPERM;
	}
}

static int connect_to(pid_t pid, int *ret_fd)
{
	struct nd_proc_status status;
	int ret = nd_procfs_read_status(pid, &status);

	if (ret)
		return ret;
	ret = connect_as(&status, pid, status.uid, ret_fd);
	if (ret != -ENOENT || !status.uid)
		return ret;
	/*
	 * A server may have begun as root, and gone on as somebody else. Root's folder is closed to
	 * others, whether it has the socket or not.
	 */
	ret = connect_as(&status, pid, 0, ret_fd);
	return ret == -EACCES || ret == -EPERM ? -ENOENT : ret;
}

static int receive_hello(struct channel *channel, int *ret_memory)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} rights;
	struct iovec data = {&channel->hello, sizeof(channel->hello)};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = &rights,
				 .msg_controllen = sizeof(rights)};
	struct pollfd ready = {.fd = channel->fd, .events = POLLIN};
	struct cmsghdr *header;
	ssize_t len;

	if (poll(&ready, 1, ANSWER_MS) != 1)
		return -ETIMEDOUT;
	len = recvmsg(channel->fd, &message, MSG_CMSG_CLOEXEC);
	header = CMSG_FIRSTHDR(&message);
	if (len < (ssize_t)sizeof(channel->hello) || !header || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPROTO;
	memcpy(ret_memory, CMSG_DATA(header), sizeof(int));
	return 0;
}

/* The file must stay as large as it is. */
static bool is_sealed(int memory)
{
	int seals = fcntl(memory, F_GET_SEALS);

	return seals >= 0 && seals & F_SEAL_SHRINK;
}

static int map_memory(struct channel *channel, int memory)
{
	struct stat st;
	void *map;

	if (!is_sealed(memory) || fstat(memory, &st) || st.st_size <= 0)
		return -EPROTO;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	if (map == MAP_FAILED)
		return -errno;
	channel->memory = map;
	channel->size = (size_t)st.st_size;
	if (nd_channel_view_init(&channel->view, map, channel->size))
		return -EPROTO;
	channel->record = malloc(channel->view.head.ring_size / 2);
	channel->begin = calloc(channel->view.head.slots, sizeof(*channel->begin));
	return channel->record && channel->begin ? 0 : -ENOMEM;
}

static int greet(struct channel *channel)
{
	int memory, ret = receive_hello(channel, &memory);

	if (ret)
		return ret;
	ret = map_memory(channel, memory);
	close(memory);
	return ret;
}

int channel_open(pid_t pid, struct channel **ret_channel, struct nd_err *err)
{
	struct channel *channel = calloc(1, sizeof(*channel));
	int ret;

	if (!channel)
		return nd_err_set(err, -ENOMEM, "out of memory");
	channel->pid = pid;
	channel->fd = -1;
	channel->process_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	ret = connect_to(pid, &channel->fd);
	if (!ret)
		ret = greet(channel);
	if (!ret) {
		*ret_channel = channel;
		return 0;
	}
	channel_close(channel);
	if (ret == -ENOENT || ret == -ECONNREFUSED)
		return nd_err_set(err, -ENOENT, "there is no agent in %d", pid);
	if (ret == -EPROTO)
		return nd_err_set(err, ret, "the agent in %d is of another version of nodiag", pid);
	return nd_err_set_errno(err, ret, "cannot connect to the agent in %d", pid);
}

void channel_close(struct channel *channel)
{
	if (!channel)
		return;
	if (channel->fd >= 0)
		close(channel->fd);
	if (channel->process_fd >= 0)
		close(channel->process_fd);
	if (channel->memory)
		munmap(channel->memory, channel->size);
	free(channel->record);
	free(channel->begin);
	free(channel);
}

const struct nd_hello *channel_get_hello(const struct channel *channel)
{
	return &channel->hello;
}

const struct nd_channel_head *channel_get_head(const struct channel *channel)
{
	return &channel->view.head;
}

/* Get the agent's next message, of that size or larger. */
static int receive(struct channel *channel, int timeout_ms, void *buf, size_t size)
{
	struct pollfd ready = {.fd = channel->fd, .events = POLLIN};
	int ret = poll(&ready, 1, timeout_ms);

	if (ret < 0)
		return -errno;
	if (!ret)
		return -ETIMEDOUT;
	return recv(channel->fd, buf, size, 0) < (ssize_t)size ? -EPIPE : 0;
}

/* News of a snapshot that nobody waits for any more may come before: FORKED and CHILD_END. */
static int wait_for_answer(struct channel *channel)
{
	struct nd_answer answer = {0};
	int ret = 0, i;

	for (i = 0; i <= SNAPSHOT_NEWS && !ret && answer.message.type != ND_MESSAGE_ANSWER; i++)
		ret = receive(channel, ANSWER_MS, &answer, sizeof(answer));
	if (ret)
		return ret;
	return answer.message.type == ND_MESSAGE_ANSWER && answer.result <= 0 ? answer.result
									      : -EPROTO;
}

/* Say something to the agent, and get its answer. */
static int ask(struct channel *channel, const void *message, size_t size)
{
	if (send(channel->fd, message, size, MSG_NOSIGNAL) != (ssize_t)size)
		return -EPIPE;
	return wait_for_answer(channel);
}

static uint64_t sum_dropped(const struct channel *channel)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < channel->view.head.slots; i++)
		sum += __atomic_load_n(&nd_channel_view_slot(&channel->view, i)->ring.dropped,
				       __ATOMIC_RELAXED);
	return sum;
}

static int set_busy(const struct channel *channel, struct nd_err *err)
{
	nd_err_set(err, -EBUSY, "another nodiag is reading from %d", channel->pid);
	if (channel->view.head.output[0])
		nd_err_hint(err, "NODIAG_OUTPUT has it recorded: read that file, as it is by now");
	else if (channel->view.head.exports)
		nd_err_hint(err, "OTEL_EXPORTER_OTLP_ENDPOINT has it sent to a collector; with "
				 "NODIAG_EXPORT=off it would not be");
	return -EBUSY;
}

/* The agent may write what it was asked for before its answer is read. */
static void note_begin(struct channel *channel)
{
	uint32_t i;

	for (i = 0; i < channel->view.head.slots; i++)
		channel->begin[i] = __atomic_load_n(
			&nd_channel_view_slot(&channel->view, i)->ring.produced, __ATOMIC_ACQUIRE);
}

int channel_start(struct channel *channel, uint32_t features, unsigned int hz,
		  uint64_t threshold_ns, struct nd_err *err)
{
	struct nd_start start = {.message = {ND_MESSAGE_START, sizeof(start)},
				 .features = features,
				 .hz = hz,
				 .threshold_ns = threshold_ns};
	int ret;

	note_begin(channel);
	ret = ask(channel, &start, sizeof(start));
	if (ret == -EBUSY)
		return set_busy(channel, err);
	if (ret == -ESHUTDOWN)
		return nd_err_set(err, ret, "the agent in %d is being detached", channel->pid);
	/* What it wrote is there all the same. */
	if (ret && ret != -EPIPE)
		return nd_err_set_errno(err, ret, "the agent in %d does not start", channel->pid);
	return 0;
}

void channel_skip(struct channel *channel)
{
	struct nd_ring ring;
	uint32_t i;

	if (channel_is_over(channel))
		return;
	for (i = 0; i < channel->view.head.slots; i++) {
		nd_channel_view_ring(&channel->view, i, &ring);
		nd_ring_skip_to(&ring, channel->begin[i]);
	}
	channel->dropped_before = sum_dropped(channel);
}

bool channel_is_unread(const struct channel *channel)
{
	struct nd_ring ring;
	uint32_t i;

	for (i = 0; i < channel->view.head.slots; i++) {
		nd_channel_view_ring(&channel->view, i, &ring);
		if (__atomic_load_n(&ring.head->consumed, __ATOMIC_RELAXED))
			return false;
	}
	return true;
}

void channel_pause(struct channel *channel)
{
	struct nd_start start = {.message = {ND_MESSAGE_START, sizeof(start)},
				 .threshold_ns = ND_STALL_THRESHOLD_NS};

	ask(channel, &start, sizeof(start));
}

int channel_want_handles(struct channel *channel, struct nd_err *err)
{
	struct nd_message message = {ND_MESSAGE_HANDLES, sizeof(message)};
	int ret = ask(channel, &message, sizeof(message));

	return ret ? nd_err_set_errno(err, ret, "the agent in %d does not answer", channel->pid)
		   : 0;
}

int channel_log(struct channel *channel, const char *text)
{
	union {
		struct nd_log_line line;
		char room[ND_MESSAGE_MAX];
	} out;
	size_t len = strnlen(text, sizeof(out) - sizeof(out.line));

	out.line.message.type = ND_MESSAGE_LOG;
	out.line.message.size = (uint32_t)(sizeof(out.line) + len);
	memcpy(out.line.text, text, len);
	return ask(channel, &out, out.line.message.size);
}

static int send_descriptor(struct channel *channel, void *message, size_t size, int fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} rights = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
			       .cmsg_level = SOL_SOCKET,
			       .cmsg_type = SCM_RIGHTS}};
	struct iovec data = {message, size};
	struct msghdr out = {.msg_iov = &data,
			     .msg_iovlen = 1,
			     .msg_control = &rights,
			     .msg_controllen = sizeof(rights)};

	memcpy(CMSG_DATA(&rights.header), &fd, sizeof(int));
	return sendmsg(channel->fd, &out, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -EPIPE;
}

int channel_snapshot(struct channel *channel, const struct nd_snapshot_wish *wish, int fd,
		     struct nd_err *err)
{
	struct nd_snapshot_wish message = *wish;
	int ret;

	message.message = (struct nd_message){ND_MESSAGE_SNAPSHOT, sizeof(message)};
	ret = send_descriptor(channel, &message, sizeof(message), fd);
	if (!ret)
		ret = wait_for_answer(channel);
	if (ret == -EBUSY)
		return nd_err_set(err, ret, "a snapshot of %d is being taken already",
				  channel->pid);
	if (ret == -ENOSYS)
		return nd_err_set(err, ret, "the agent in %d is older, and takes no snapshots",
				  channel->pid);
	if (ret == -ENOTSUP)
		return nd_err_set(err, ret, "the calls of locks were not found in %d",
				  channel->pid);
	return ret ? nd_err_set_errno(err, ret, "the agent in %d takes no snapshot", channel->pid)
		   : 0;
}

int channel_wait_forked(struct channel *channel, int timeout_ms, struct nd_forked *ret_forked)
{
	int ret = receive(channel, timeout_ms, ret_forked, sizeof(*ret_forked));

	return !ret && ret_forked->message.type != ND_MESSAGE_FORKED ? -EPROTO : ret;
}

int channel_wait_child(struct channel *channel, int timeout_ms, int *ret_status)
{
	struct nd_child_end end = {0};
	int ret = receive(channel, timeout_ms, &end, sizeof(end));

	*ret_status = end.status;
	return !ret && end.message.type != ND_MESSAGE_CHILD_END ? -EPROTO : ret;
}

int channel_detach(struct channel *channel, struct nd_err *err)
{
	struct nd_message message = {ND_MESSAGE_DETACH, sizeof(message)};
	int ret = ask(channel, &message, sizeof(message));

	if (ret == -ETIMEDOUT)
		return nd_err_set(err, -EBUSY,
				  "the agent in %d stops as soon as its event loop comes round",
				  channel->pid);
	return ret ? nd_err_set_errno(err, ret, "the agent in %d does not stop", channel->pid) : 0;
}

int channel_read(struct channel *channel,
		 int (*handle)(void *arg, const struct nd_event *event, size_t size), void *arg)
{
	uint32_t i;
	int ret = 0;

	for (i = 0; i < channel->view.head.slots && !ret; i++)
		ret = nd_channel_view_read(&channel->view, i, channel->record, handle, arg);
	return ret;
}

int channel_to_sample(const struct nd_event *event, size_t size, pid_t pid,
		      struct nd_sample_stack *ret_sample)
{
	const struct nd_event_sample *sample = (const void *)event;

	if (size < sizeof(*sample) || sample->size > size - sizeof(*sample) ||
	    sample->size > ND_SAMPLE_COPY_MAX)
		return -EBADMSG;
	*ret_sample = (struct nd_sample_stack){
		.header = {.kind = ND_SAMPLE_STACK,
			   .pid = (uint32_t)pid,
			   .tid = event->tid,
			   .time_ns = event->time_ns},
		.pc = sample->pc,
		.sp = sample->sp,
		.fp = sample->fp,
		.bytecode_offset = sample->bytecode_offset,
		.start = sample->start,
		.size = sample->size,
	};
	memcpy(ret_sample->stack, sample->stack, sample->size);
	return 0;
}

uint32_t channel_slots(const struct channel *channel)
{
	return channel->view.head.slots;
}

bool channel_copy_slot(const struct channel *channel, uint32_t index,
		       struct nd_channel_slot *ret_slot)
{
	const struct nd_channel_slot *slot = nd_channel_view_slot(&channel->view, index);

	if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) == ND_SLOT_FREE)
		return false;
	memcpy(ret_slot, slot, sizeof(*ret_slot));
	return true;
}

uint64_t channel_dropped(const struct channel *channel)
{
	return sum_dropped(channel) - channel->dropped_before;
}

uint64_t channel_left_out(const struct channel *channel)
{
	const struct nd_channel_head *head = (const void *)channel->memory;

	return __atomic_load_n(&head->threads_left_out, __ATOMIC_RELAXED);
}

bool channel_is_over(const struct channel *channel)
{
	/* A child that it forked may hold the connection open when it has ended. */
	struct pollfd state[] = {{.fd = channel->fd, .events = POLLRDHUP},
				 {.fd = channel->process_fd, .events = POLLIN}};

	return poll(state, 2, 0) > 0 &&
	       (state[0].revents & (POLLRDHUP | POLLHUP | POLLERR) || state[1].revents & POLLIN);
}
