/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/heap_snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "analyzer/heap/reader.h"
#include "analyzer/render/units.h"
#include "cli/attach.h"
#include "cli/channel.h"
#include "cli/heap_taking.h"
#include "cli/interrupt.h"
#include "cli/memory.h"
#include "cli/out.h"
#include "cli/term.h"
#include "common/clock.h"
#include "common/err.h"

/* How long the event loop may take to come round. */
#define FORK_MS 15000

/* How often the agent is told how much memory is free, while it waits for a heap that is full. */
#define TELL_NS ND_NSEC_PER_SEC

/* How often a child is made before they are given up that wait, and the time until the next. */
#define TRIES	 5
#define RETRY_MS 200

#define TRY_INSIDE "--in-process takes it without a child, and stops the process for it"

static int open_output(struct taking *taking)
{
	const char *path = taking->options->output;
	char name[80];
	int ret;

	out_make_name("heap", taking->pid, heap_format_get_name(taking->options->format), name,
		      sizeof(name));
	ret = out_open(&taking->out, path ? path : name, taking->options->force, true, taking->err);
	/* All strings of the program are in there. */
	out_make_private(&taking->out);
	return ret;
}

static int connect_agent(struct taking *taking)
{
	const struct nd_hello *hello;
	int ret = attach_borrow_agent(taking->pid, &taking->channel, &taking->is_ours, taking->err);

	if (ret)
		return ret;
	hello = channel_get_hello(taking->channel);
	if (taking->at_limit && !(hello->features & ND_FEATURE_TRIGGERS))
		return nd_err_set(taking->err, -ENOTSUP,
				  "the agent in %d cannot tell when its heap is full", taking->pid);
	if ((taking->options->redact || taking->options->worker) &&
	    hello->features & ND_FEATURE_SNAPSHOT && !(hello->features & ND_FEATURE_REDACT))
		return nd_err_set(taking->err, -ENOTSUP,
				  "the agent in %d is older, and knows neither --redact nor "
				  "--worker",
				  taking->pid);
	if (taking->options->in_process && hello->features & ND_FEATURE_SNAPSHOT &&
	    !(hello->features & ND_FEATURE_INSIDE))
		return nd_err_set(taking->err, -ENOTSUP,
				  "the agent in %d is older, and knows no --in-process",
				  taking->pid);
	if (hello->features & ND_FEATURE_SNAPSHOT)
		return 0;
	nd_err_set(taking->err, -ENOTSUP, "no snapshot can be taken of %d%s%s", taking->pid,
		   hello->reason ? ": " : "", channel_reason_text(hello->reason));
	return nd_err_hint(taking->err, "'node --heapsnapshot-signal=SIGUSR2' takes one, while "
					"the process stands still");
}

static int set_refused(struct taking *taking, const struct nd_forked *forked, uint64_t free_bytes)
{
	if (forked->result != -ENOMEM || forked->need_bytes <= free_bytes) {
		nd_err_set_errno(taking->err, forked->result, "%d cannot fork", taking->pid);
		return nd_err_hint(taking->err, "%s", TRY_INSIDE);
	}
	nd_err_set(taking->err, -ENOMEM,
		   "a snapshot of %" PRIu64 " MiB of heap may need %" PRIu64
		   " MiB more, and it may have %" PRIu64 " MiB",
		   forked->used_bytes >> 20, forked->need_bytes >> 20, free_bytes >> 20);
	if (taking->options->child_memory)
		return nd_err_hint(taking->err, "give more with --child-memory, or leave it out");
	return nd_err_hint(taking->err,
			   "raise the memory limit of its cgroup, or free memory; or %s",
			   TRY_INSIDE);
}

static int fill_wish(const struct taking *taking, uint32_t flags, struct nd_snapshot_wish *wish)
{
	const struct heap_snapshot_options *options = taking->options;

	*wish = (struct nd_snapshot_wish){
		.timeout_s = heap_taking_timeout_s(taking),
		.free_bytes = memory_get_free(taking->pid),
		.limit_bytes = options->child_memory,
		.flags = (options->redact ? ND_SNAPSHOT_REDACT : 0) |
			 (taking->at_limit ? ND_SNAPSHOT_AT_LIMIT : 0) | flags,
		.tid = options->worker,
	};
	if (options->redact && getrandom(wish->key, sizeof(wish->key), 0) != sizeof(wish->key))
		return nd_err_set_errno(taking->err, -errno, "there is no key for hashes");
	return 0;
}

/* Ask for a child that writes to our stream. */
static int ask(struct taking *taking, const struct nd_snapshot_wish *wish)
{
	int ends[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return nd_err_set_errno(taking->err, -errno, "cannot make a socket");
	taking->stream = ends[0];
	ret = channel_snapshot(taking->channel, wish, ends[1], taking->err);
	close(ends[1]);
	if (ret == -ESRCH && wish->tid)
		return nd_err_hint(taking->err, "'nodiag lag %d' lists its threads", taking->pid);
	if (ret == -ENOTSUP)
		return nd_err_hint(taking->err, "%s", TRY_INSIDE);
	return ret;
}

static int check_forked(struct taking *taking, const struct nd_snapshot_wish *wish,
			const struct nd_forked *forked)
{
	uint64_t free_bytes = wish->free_bytes;

	if (wish->limit_bytes && wish->limit_bytes < free_bytes)
		free_bytes = wish->limit_bytes;
	if (forked->result)
		return set_refused(taking, forked, free_bytes);
	taking->used_bytes = forked->used_bytes;
	term_note("%d: paused for %.0f ms; a child of it writes %" PRIu64 " MiB of heap",
		  taking->pid, (double)forked->pause_ns / 1e6, forked->used_bytes >> 20);
	return 0;
}

int heap_taking_begin(struct taking *taking, uint32_t flags, struct nd_snapshot_wish *ret_wish,
		      struct nd_forked *ret_forked)
{
	int ret = fill_wish(taking, flags, ret_wish);

	if (!ret)
		ret = ask(taking, ret_wish);
	if (ret)
		return ret == -EINTR ? heap_taking_set_interrupted(taking) : ret;
	ret = channel_wait_forked(taking->channel, FORK_MS, ret_forked);
	if (ret == -ETIMEDOUT) {
		nd_err_set(taking->err, ret, "the event loop of %d does not come round",
			   ret_wish->tid ? (pid_t)ret_wish->tid : taking->pid);
		return nd_err_hint(taking->err, "nodiag stack %d shows what it does", taking->pid);
	}
	if (ret == -EPIPE)
		return heap_taking_set_ended(taking);
	if (ret == -EINTR)
		return heap_taking_set_interrupted(taking);
	if (ret)
		return nd_err_set_errno(taking->err, ret, "%d takes no snapshot", taking->pid);
	return 0;
}

void heap_taking_close_stream(struct taking *taking)
{
	if (taking->stream >= 0)
		close(taking->stream);
	taking->stream = -1;
}

static int take(struct taking *taking)
{
	struct nd_snapshot_wish wish;
	struct nd_forked forked = {0};
	int ret = heap_taking_begin(taking, 0, &wish, &forked);

	if (!ret)
		ret = check_forked(taking, &wish, &forked);
	if (!ret)
		ret = heap_taking_copy(taking);
	heap_taking_close_stream(taking);
	return ret;
}

static int take_with_luck(struct taking *taking)
{
	int tries, ret = -EAGAIN;

	for (tries = 0; tries < TRIES && ret == -EAGAIN && !taking->bytes; tries++) {
		if (tries) {
			term_note("%d: that child would have to wait for a thread, so another one",
				  taking->pid);
			poll(NULL, 0, RETRY_MS);
		}
		ret = take(taking);
	}
	return ret;
}

static void report(const struct taking *taking)
{
	double took = (double)(nd_clock_monotonic_ns() - taking->start_ns) / 1e9;
	char size[ND_UNITS_MAX], packed_size[ND_UNITS_MAX];
	const char *path = taking->out.path;

	if (!strcmp(path, "-"))
		return;
	nd_units_weight(taking->bytes, "bytes", size);
	if (taking->options->format != HEAP_FORMAT_ND) {
		term_note("%s: %s in %.1f s", path, size, took);
		return;
	}
	term_note("%s: %s, packed from %s, in %.1f s", path,
		  nd_units_weight(taking->out.size, "bytes", packed_size), size, took);
	if (taking->options->advise)
		term_note("'nodiag heap summary %s' shows what is in it; for DevTools, 'nodiag "
			  "heap convert %s'",
			  path, path);
}

static int init(struct taking *taking)
{
	taking->out.fd = taking->stream = -1;
	taking->reader = nd_heap_reader_new();
	taking->chunk = malloc(HEAP_READ_BYTES);
	return taking->reader && taking->chunk ? 0
					       : nd_err_set(taking->err, -ENOMEM, "out of memory");
}

/* The agent kills a child that nobody waits for. */
static void fini(struct taking *taking)
{
	attach_return_agent(taking->channel, taking->is_ours);
	heap_taking_close_stream(taking);
	out_close(&taking->out);
	nd_heap_reader_free(taking->reader);
	free(taking->chunk);
}

int heap_snapshot_take(pid_t pid, const struct heap_snapshot_options *options, struct nd_err *err)
{
	struct taking taking = {.pid = pid, .options = options, .err = err};
	int ret = init(&taking);

	if (!ret)
		ret = open_output(&taking);
	interrupt_catch();
	if (!ret)
		ret = connect_agent(&taking);
	if (!ret)
		ret = options->in_process ? heap_taking_inside(&taking) : take_with_luck(&taking);
	if (!ret)
		ret = out_commit(&taking.out, "", 0, err);
	if (!ret)
		report(&taking);
	interrupt_release();
	fini(&taking);
	return ret;
}

int heap_snapshot_arm(pid_t pid, const struct heap_snapshot_options *options,
		      struct taking **ret_taking, struct nd_err *err)
{
	struct taking *taking = calloc(1, sizeof(*taking));
	struct nd_snapshot_wish wish;
	int ret;

	if (!taking)
		return nd_err_set(err, -ENOMEM, "out of memory");
	*taking = (struct taking){.pid = pid, .options = options, .err = err, .at_limit = true};
	ret = init(taking);
	if (!ret)
		ret = connect_agent(taking);
	if (!ret)
		ret = fill_wish(taking, 0, &wish);
	if (!ret)
		ret = ask(taking, &wish);
	if (ret)
		heap_snapshot_disarm(taking);
	else
		*ret_taking = taking;
	return ret;
}

void heap_snapshot_disarm(struct taking *taking)
{
	if (!taking)
		return;
	fini(taking);
	free(taking);
}

/* What was free when this began may not be so any more. */
static void tell_free(struct taking *taking)
{
	uint64_t now = nd_clock_monotonic_ns();

	if (now - taking->told_ns < TELL_NS)
		return;
	taking->told_ns = now;
	channel_tell_free(taking->channel, memory_get_free(taking->pid));
}

bool heap_snapshot_wait(struct taking *taking, int timeout_ms)
{
	struct pollfd ready[] = {{.fd = taking->stream, .events = POLLIN},
				 {.fd = channel_get_fd(taking->channel), .events = POLLIN}};

	tell_free(taking);
	return poll(ready, 2, timeout_ms) > 0;
}

/* Whether the agent has let go of the stream, without a word: another one was being taken. */
static bool was_another(const struct taking *taking)
{
	struct pollfd ready = {.fd = channel_get_fd(taking->channel), .events = POLLIN};
	char byte;

	return !recv(taking->stream, &byte, 1, MSG_PEEK | MSG_DONTWAIT) && !poll(&ready, 1, 0);
}

/* It may have ended before it could say so: its child is there all the same. */
static int hear_forked(struct taking *taking)
{
	const struct nd_snapshot_wish wish = {.free_bytes = memory_get_free(taking->pid),
					      .limit_bytes = taking->options->child_memory};
	struct nd_forked forked;
	char byte;
	int ret;

	if (was_another(taking))
		return nd_err_set(taking->err, -EALREADY,
				  "the heap of %d has reached its limit while another snapshot was "
				  "taken, which shows it",
				  taking->pid);
	ret = channel_wait_forked(taking->channel, FORK_MS, &forked);
	if (ret == -EPIPE && recv(taking->stream, &byte, 1, MSG_PEEK) <= 0)
		return nd_err_set(taking->err, -ESRCH,
				  "%d has ended, and its heap had not reached its limit, or only "
				  "while another snapshot was taken",
				  taking->pid);
	if (ret == -EPIPE)
		return 0;
	if (ret)
		return nd_err_set_errno(taking->err, ret, "%d takes no snapshot", taking->pid);
	term_note("%d: its heap has reached its limit of %" PRIu64
		  " MiB, which was raised by %" PRIu64 " MiB, once",
		  taking->pid, forked.limit_bytes >> 20, forked.raised_bytes >> 20);
	return check_forked(taking, &wish, &forked);
}

int heap_snapshot_collect(struct taking *taking, const struct heap_snapshot_options *options,
			  struct nd_err *err)
{
	int ret;

	taking->options = options;
	taking->err = err;
	ret = hear_forked(taking);
	if (!ret)
		ret = open_output(taking);
	if (!ret)
		ret = heap_taking_copy(taking);
	if (!ret)
		ret = out_commit(&taking->out, "", 0, err);
	if (!ret)
		report(taking);
	return ret;
}
