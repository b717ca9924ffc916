/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/channel.h"
#include "cli/channel_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/err.h"
#include "common/procfs.h"
#include "proto/channel_view.h"
#include "proto/limits.h"
#include "proto/sample.h"
#include "proto/socket.h"

/* An agent answers from a thread of its own at once, unless its process gets no CPU. */
#define ANSWER_MS 5000

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

const char *channel_context_text(uint32_t context)
{
	static const char *const texts[ND_CONTEXT_COUNT] = {
		"", "", "this Node.js does not keep the current request where the agent looks"};

	return context < ND_CONTEXT_COUNT ? texts[context] : "of a reason that is not known";
}

const char *channel_tracing_text(uint32_t tracing)
{
	static const char *const texts[ND_TRACING_COUNT] = {
		[ND_TRACING_OFF] = "",
		[ND_TRACING_ON] = "",
		[ND_TRACING_NO_MODULES] = "before Node 20.16, ES modules hide Node's own from it",
		[ND_TRACING_OBSERVED] = "",
		[ND_TRACING_FAILED] = "the agent's script did not run",
	};

	return tracing < ND_TRACING_COUNT ? texts[tracing] : "of a reason that is not known";
}

static int receive_hello(struct channel *channel, int *ret_memory)
{
	struct pollfd ready = {.fd = channel->fd, .events = POLLIN};
	ssize_t len;
	int memory;

	if (poll(&ready, 1, ANSWER_MS) != 1)
		return -ETIMEDOUT;
	len = nd_socket_receive(channel->fd, &channel->hello, sizeof(channel->hello), &memory);
	if (len == (ssize_t)sizeof(channel->hello) && memory >= 0) {
		*ret_memory = memory;
		return 0;
	}
	if (memory >= 0)
		close(memory);
	return -EPROTO;
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

/* By SIGSTOP or the like: then its agent does not answer either, however long one waits. */
static bool is_stopped(pid_t pid)
{
	char state;

	return !nd_procfs_read_state(pid, pid, &state) && state == 'T';
}

static int set_other_version(struct nd_err *err, pid_t pid)
{
	nd_err_set(err, -EPROTO, "the agent in %d is of another version of nodiag", pid);
	nd_err_hint(err, "use the nodiag that it came with, or restart the program with the agent "
			 "of this one");
	return -EPROTO;
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
	ret = channel_connect(pid, &channel->fd);
	if (!ret)
		ret = is_stopped(pid) ? -ETIMEDOUT : greet(channel);
	if (!ret) {
		*ret_channel = channel;
		return 0;
	}
	channel_close(channel);
	if (ret == -ENOENT || ret == -ECONNREFUSED)
		return nd_err_set(err, -ENOENT, "there is no agent in %d", pid);
	if (ret == -EPROTO)
		return set_other_version(err, pid);
	if (ret != -ETIMEDOUT || !is_stopped(pid))
		return nd_err_set_errno(err, ret, "cannot connect to the agent in %d", pid);
	nd_err_set(err, ret, "%d is stopped by a signal, and so is the agent in it", pid);
	nd_err_hint(err, "kill -CONT %d", pid);
	return ret;
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

int channel_receive(struct channel *channel, int timeout_ms, void *buf, size_t size)
{
	struct pollfd ready = {.fd = channel->fd, .events = POLLIN};
	int ret = poll(&ready, 1, timeout_ms);

	if (ret < 0)
		return -errno;
	if (!ret)
		return -ETIMEDOUT;
	return recv(channel->fd, buf, size, 0) < (ssize_t)size ? -EPIPE : 0;
}

int channel_wait_answer(struct channel *channel)
{
	struct nd_answer answer = {0};
	int ret = 0, i;

	for (i = 0; i <= CHANNEL_NEWS && !ret && answer.message.type != ND_MESSAGE_ANSWER; i++)
		ret = channel_receive(channel, ANSWER_MS, &answer, sizeof(answer));
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
	return channel_wait_answer(channel);
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

int channel_publish(struct channel *channel, const void *context, size_t size)
{
	union {
		struct nd_process_context context;
		char room[ND_MESSAGE_MAX];
	} out;

	if (size > sizeof(out) - sizeof(out.context))
		return -EMSGSIZE;
	out.context.message.type = ND_MESSAGE_CONTEXT;
	out.context.message.size = (uint32_t)(sizeof(out.context) + size);
	memcpy(out.context.bytes, context, size);
	return ask(channel, &out, out.context.message.size);
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
	if (sample->has_span && size - sizeof(*sample) - sample->size >= ND_SPAN_ID_SIZE)
		memcpy(ret_sample->span_id, sample->stack + sample->size, ND_SPAN_ID_SIZE);
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
