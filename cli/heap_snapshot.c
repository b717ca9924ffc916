/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/heap_snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/heap/heap.h"
#include "analyzer/heap/reader.h"
#include "cli/attach.h"
#include "cli/channel.h"
#include "cli/heap_convert.h"
#include "cli/interrupt.h"
#include "cli/memory.h"
#include "cli/out.h"
#include "cli/term.h"
#include "common/clock.h"
#include "common/err.h"

#define READ_BYTES (256u << 10)

/* How often is looked at the clock and at Ctrl-C. */
#define LOOK_MS 200

/* How long the event loop may take to come round. */
#define FORK_MS 15000

/* How long the child's end may take to be told, once its stream has ended. */
#define END_MS 5000

#define PROGRESS_NS ND_NSEC_PER_SEC

/* How often a child is made before they are given up that wait, and the time until the next. */
#define TRIES	 5
#define RETRY_MS 200

struct taking {
	pid_t pid;
	const struct heap_snapshot_options *options;
	struct nd_err *err;
	struct channel *channel;
	bool is_ours; /* the agent was loaded for this */
	int stream;   /* our end */
	struct out out;
	struct nd_heap_reader *reader;
	struct nd_err damage; /* what the reader found */
	char *chunk;
	uint64_t start_ns;
	uint64_t shown_ns;
	uint64_t bytes;
};

/* Alarms ring at full seconds. */
static uint32_t get_timeout_s(const struct heap_snapshot_options *options)
{
	return (uint32_t)((options->timeout_ns + ND_NSEC_PER_SEC - 1) / ND_NSEC_PER_SEC);
}

static int open_output(struct taking *taking)
{
	const char *path = taking->options->output;
	char when[32], name[80];
	time_t now = time(NULL);
	struct tm tm;

	strftime(when, sizeof(when), "%Y%m%d-%H%M%S", localtime_r(&now, &tm));
	snprintf(name, sizeof(name), "heap-%d-%s.%s", taking->pid, when,
		 taking->options->format == HEAP_FORMAT_ND ? "nd" : "heapsnapshot");
	return out_open(&taking->out, path ? path : name, taking->options->force, true,
			taking->err);
}

static int connect_agent(struct taking *taking)
{
	const struct nd_hello *hello;
	int ret = channel_open(taking->pid, &taking->channel, taking->err);

	if (ret == -ENOENT) {
		ret = attach_agent(taking->pid, &taking->channel, taking->err);
		taking->is_ours = !ret;
	}
	if (ret)
		return ret;
	hello = channel_get_hello(taking->channel);
	if ((taking->options->redact || taking->options->worker) &&
	    hello->features & ND_FEATURE_SNAPSHOT && !(hello->features & ND_FEATURE_REDACT))
		return nd_err_set(taking->err, -ENOTSUP,
				  "the agent in %d is older, and knows neither --redact nor "
				  "--worker",
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
	if (forked->result != -ENOMEM || forked->need_bytes <= free_bytes)
		return nd_err_set_errno(taking->err, forked->result, "%d cannot fork", taking->pid);
	nd_err_set(taking->err, -ENOMEM,
		   "a snapshot of %" PRIu64 " MiB of heap may need %" PRIu64
		   " MiB more, and it may have %" PRIu64 " MiB",
		   forked->used_bytes >> 20, forked->need_bytes >> 20, free_bytes >> 20);
	if (taking->options->child_memory)
		return nd_err_hint(taking->err, "give more with --child-memory, or leave it out");
	return nd_err_hint(taking->err, "raise the memory limit of its cgroup, or free memory");
}

static int set_ended(struct taking *taking)
{
	return nd_err_set(taking->err, -ESRCH, "%d ended before its snapshot was complete",
			  taking->pid);
}

static int start(struct taking *taking, int theirs)
{
	const struct heap_snapshot_options *options = taking->options;
	struct nd_snapshot_wish wish = {
		.timeout_s = get_timeout_s(options),
		.free_bytes = memory_get_free(taking->pid),
		.limit_bytes = options->child_memory,
		.flags = options->redact ? ND_SNAPSHOT_REDACT : 0,
		.tid = options->worker,
	};
	struct nd_forked forked;
	int ret;

	if (options->redact && getrandom(wish.key, sizeof(wish.key), 0) != sizeof(wish.key))
		return nd_err_set_errno(taking->err, -errno, "there is no key for hashes");
	ret = channel_snapshot(taking->channel, &wish, theirs, taking->err);

	if (ret == -ESRCH && options->worker)
		return nd_err_hint(taking->err, "'nodiag lag %d' lists its threads", taking->pid);
	if (ret)
		return ret;
	ret = channel_wait_forked(taking->channel, FORK_MS, &forked);
	if (ret == -ETIMEDOUT) {
		nd_err_set(taking->err, ret, "the event loop of %d does not come round",
			   options->worker ? (pid_t)options->worker : taking->pid);
		return nd_err_hint(taking->err, "nodiag stack %d shows what it does", taking->pid);
	}
	if (ret == -EPIPE)
		return set_ended(taking);
	if (ret)
		return nd_err_set_errno(taking->err, ret, "%d takes no snapshot", taking->pid);
	if (forked.result) {
		if (wish.limit_bytes && wish.limit_bytes < wish.free_bytes)
			wish.free_bytes = wish.limit_bytes;
		return set_refused(taking, &forked, wish.free_bytes);
	}
	term_note("%d: paused for %.0f ms; a child of it writes %" PRIu64 " MiB of heap",
		  taking->pid, (double)forked.pause_ns / 1e6, forked.used_bytes >> 20);
	return 0;
}

static void show_progress(struct taking *taking)
{
	uint64_t now = nd_clock_monotonic_ns();

	if (now - taking->shown_ns < PROGRESS_NS)
		return;
	taking->shown_ns = now;
	if (taking->bytes)
		term_progress("writing: %" PRIu64 " MiB", taking->bytes >> 20);
	else
		term_progress("V8 looks at all objects: %" PRIu64 " s",
			      (now - taking->start_ns) / ND_NSEC_PER_SEC);
}

static int check_patience(struct taking *taking)
{
	uint64_t took = nd_clock_monotonic_ns() - taking->start_ns;

	show_progress(taking);
	if (interrupt_was_asked_for())
		return nd_err_set(taking->err, -EINTR, "interrupted: no snapshot of %d was taken",
				  taking->pid);
	/* The child's own alarm comes before. */
	if (took < taking->options->timeout_ns + 5 * ND_NSEC_PER_SEC)
		return 0;
	return nd_err_set(taking->err, -ETIMEDOUT, "the snapshot of %d took too long", taking->pid);
}

/* What is damaged is known in the end: the child may say why. */
static int take_bytes(struct taking *taking, size_t len)
{
	taking->bytes += len;
	if (!taking->damage.code)
		nd_heap_reader_feed(taking->reader, taking->chunk, len, &taking->damage);
	/* What is packed is so in the end, from what the reader made of it. */
	if (taking->options->format == HEAP_FORMAT_ND)
		return 0;
	return out_write(&taking->out, taking->chunk, len, taking->err);
}

static int copy_stream(struct taking *taking)
{
	struct pollfd ready = {.fd = taking->stream, .events = POLLIN};
	ssize_t n;
	int ret;

	for (;;) {
		ret = check_patience(taking);
		if (ret)
			return ret;
		if (poll(&ready, 1, LOOK_MS) <= 0)
			continue;
		n = read(taking->stream, taking->chunk, READ_BYTES);
		if (n < 0 && errno != EINTR)
			return nd_err_set_errno(taking->err, -errno, "cannot read the snapshot");
		if (n == 0)
			return 0;
		ret = n > 0 ? take_bytes(taking, (size_t)n) : 0;
		if (ret)
			return ret;
	}
}

static int set_killed(struct taking *taking, int signal)
{
	if (signal == SIGALRM) {
		nd_err_set(taking->err, -ETIMEDOUT,
			   "the snapshot of %d was not complete in %" PRIu32 " s", taking->pid,
			   get_timeout_s(taking->options));
		return nd_err_hint(taking->err,
				   "take it again, or give it more time with --timeout");
	}
	nd_err_set(taking->err, -EIO,
		   "the child of %d that took the snapshot ended by signal %d (%s)", taking->pid,
		   signal, strsignal(signal));
	if (signal == SIGKILL)
		return nd_err_hint(taking->err,
				   "the kernel had no memory for it, or the agent was detached");
	return nd_err_hint(taking->err, "it may have needed more memory: see --child-memory");
}

static int set_stuck(struct taking *taking)
{
	nd_err_set(taking->err, -EAGAIN,
		   "the child of %d would have to wait for a thread that it has not", taking->pid);
	return nd_err_hint(taking->err, "take it again when the process has less to do");
}

/* The child's end says why its snapshot is not complete, better than its last byte does. */
static int finish(struct taking *taking)
{
	struct nd_heap *heap = NULL;
	int status, ret = channel_wait_child(taking->channel, END_MS, &status);

	if (ret == -EPIPE)
		return set_ended(taking);
	if (ret)
		return nd_err_set_errno(taking->err, ret, "the agent in %d does not answer",
					taking->pid);
	if (WIFSIGNALED(status))
		return set_killed(taking, WTERMSIG(status));
	if (WEXITSTATUS(status) == ND_CHILD_STUCK)
		return set_stuck(taking);
	if (!taking->damage.code &&
	    !nd_heap_reader_finish(taking->reader, &heap, &taking->damage) && !status) {
		if (taking->options->format == HEAP_FORMAT_ND)
			ret = heap_write(heap, HEAP_FORMAT_ND, &taking->out, taking->err);
		nd_heap_free(heap);
		return ret;
	}
	nd_heap_free(heap);
	if (!taking->damage.code)
		return nd_err_set(taking->err, -EIO, "the child of %d failed", taking->pid);
	return nd_err_set(taking->err, taking->damage.code, "V8's snapshot of %d is damaged: %s",
			  taking->pid, taking->damage.what);
}

static int take(struct taking *taking)
{
	int ends[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return nd_err_set_errno(taking->err, -errno, "cannot make a socket");
	taking->stream = ends[0];
	ret = start(taking, ends[1]);
	close(ends[1]);
	taking->start_ns = taking->shown_ns = nd_clock_monotonic_ns();
	if (!ret)
		ret = copy_stream(taking);
	if (!ret)
		ret = finish(taking);
	term_progress("%s", "");
	close(taking->stream);
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

/* The agent kills a child that nobody waits for; one that was here before stays. */
static void disconnect(struct taking *taking)
{
	struct nd_err ignored;

	if (taking->is_ours && !channel_is_over(taking->channel) &&
	    channel_detach(taking->channel, &ignored))
		term_note("%s", ignored.what);
	channel_close(taking->channel);
}

static void report(const struct taking *taking)
{
	double took = (double)(nd_clock_monotonic_ns() - taking->start_ns) / 1e9;

	if (!strcmp(taking->out.path, "-"))
		return;
	term_note("%s: %" PRIu64 " MiB%s in %.1f s", taking->out.path, taking->bytes >> 20,
		  taking->options->format == HEAP_FORMAT_ND ? ", packed," : "", took);
}

int heap_snapshot_take(pid_t pid, const struct heap_snapshot_options *options, struct nd_err *err)
{
	struct taking taking = {.pid = pid,
				.options = options,
				.err = err,
				.out = {.fd = -1},
				.reader = nd_heap_reader_new(),
				.chunk = malloc(READ_BYTES)};
	int ret = 0;

	if (!taking.reader || !taking.chunk)
		ret = nd_err_set(err, -ENOMEM, "out of memory");
	if (!ret)
		ret = open_output(&taking);
	interrupt_catch();
	if (!ret)
		ret = connect_agent(&taking);
	if (!ret)
		ret = take_with_luck(&taking);
	if (!ret)
		ret = out_commit(&taking.out, "", 0, err);
	if (!ret)
		report(&taking);
	disconnect(&taking);
	interrupt_release();
	out_close(&taking.out);
	nd_heap_reader_free(taking.reader);
	free(taking.chunk);
	return ret;
}
