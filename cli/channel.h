/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_CHANNEL_H
#define NODIAG_CLI_CHANNEL_H

/*
 * The reading side of an agent's channel (proto/channel.h, docs/protocol.md): finds the agent in a
 * process, maps its memory, and hands on its events.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/channel.h"

struct channel;
struct nd_err;
struct nd_sample_stack;

/*
 * Connect to the agent in a process. -ENOENT when there is none, -EPERM, -EPROTO when it speaks
 * another version, -ETIMEDOUT at once when the process is stopped by a signal.
 */
int channel_open(pid_t pid, struct channel **ret_channel, struct nd_err *err);
void channel_close(struct channel *channel);

/* What the agent said of itself, and what its memory did when it was mapped. */
const struct nd_hello *channel_get_hello(const struct channel *channel);
const struct nd_channel_head *channel_get_head(const struct channel *channel);

/* "its V8 is not known", "" when all works. */
const char *channel_reason_text(uint32_t reason);

/* Why a thread's requests are not traced: of enum nd_tracing, or a newer one; "" when they are. */
const char *channel_tracing_text(uint32_t tracing);

/* Why a thread's samples tell of no request: of enum nd_context, or a newer one; "" when they do.
 */
const char *channel_context_text(uint32_t context);

/*
 * Be the one reader from now on. -EBUSY when there is one. No failure when the process has just
 * ended: channel_is_over() says so, and what it wrote is there.
 */
int channel_start(struct channel *channel, uint32_t features, unsigned int hz,
		  uint64_t threshold_ns, struct nd_err *err);

/* Leave out what was written before channel_start(); of a process that has ended, nothing is. */
void channel_skip(struct channel *channel);

/* Whether nobody has read its events yet: all are there that found room. */
bool channel_is_unread(const struct channel *channel);

/* Let the agent take no more stacks. */
void channel_pause(struct channel *channel);

/* Ask for ND_EVENT_HANDLES of each loop. */
int channel_want_handles(struct channel *channel, struct nd_err *err);

/* Let the process's log say a line, where NODIAG_LOG names one; what is long is cut. */
int channel_log(struct channel *channel, const char *text);

/*
 * Have the agent publish an encoded ProcessContext. Returns 0 or a negative errno: -EEXIST,
 * somebody else in the process did; -EMSGSIZE, it is too long; -ENOSYS, the agent is older.
 */
int channel_publish(struct channel *channel, const void *context, size_t size);

/*
 * Have a heap snapshot taken, by a child of the process, and written to the stream socket `fd`,
 * which stays the caller's. When that is accepted, what comes of it is told twice:
 * channel_wait_forked() returns when the process has forked, or refused to, which
 * `ret_forked->result` says, and channel_wait_child() when the child is gone, with its status as
 * of waitpid(2). Both return -ETIMEDOUT after so long, -EINTR, -EPIPE when the process has ended.
 */
int channel_snapshot(struct channel *channel, const struct nd_snapshot_wish *wish, int fd,
		     struct nd_err *err);
int channel_wait_forked(struct channel *channel, int timeout_ms, struct nd_forked *ret_forked);
int channel_wait_child(struct channel *channel, int timeout_ms, int *ret_status);

/* Likewise, of a snapshot that the thread itself took: its end. */
int channel_wait_written(struct channel *channel, int timeout_ms, struct nd_written *ret_written);

/*
 * How many of how many objects V8 has looked at for the snapshot that is being taken; 0 of 0 where
 * it has not begun, or where the agent is older.
 */
void channel_get_progress(const struct channel *channel, uint32_t *ret_done, uint32_t *ret_total);

/* Tell how much is free by now for a child of a heap that is full, which the channel waits for. */
void channel_tell_free(struct channel *channel, uint64_t free_bytes);

/* What can be read from when the agent says something. */
int channel_get_fd(const struct channel *channel);

/*
 * Be told of a signal that is sent to the process: -EBUSY where it handles it itself. As long as
 * this connection is there, it does not end the process. channel_has_signalled() says whether it
 * has come since it was asked last.
 */
int channel_take_signal(struct channel *channel, int number, struct nd_err *err);
bool channel_has_signalled(struct channel *channel);

/* Let the agent stop for good; returns when it has let go of the process. */
int channel_detach(struct channel *channel, struct nd_err *err);

/*
 * Hand on all events that are there, the agent's own thread first. `size` bytes at `event` are
 * valid until the next one. Ends early with what `handle` returns when that is not 0.
 */
int channel_read(struct channel *channel,
		 int (*handle)(void *arg, const struct nd_event *event, size_t size), void *arg);

/*
 * Make the stack of an ND_EVENT_SAMPLE one that the symbolizer takes; `pid` is the process's id for
 * us, and `ret_sample` has room for ND_SAMPLE_COPY_MAX. -EBADMSG when the event is damaged.
 */
int channel_to_sample(const struct nd_event *event, size_t size, pid_t pid,
		      struct nd_sample_stack *ret_sample);

/* Copy a slot's counters; false when it was never used. */
bool channel_copy_slot(const struct channel *channel, uint32_t index,
		       struct nd_channel_slot *ret_slot);
uint32_t channel_slots(const struct channel *channel);

/* Events that found no room since channel_start(). */
uint64_t channel_dropped(const struct channel *channel);

/* Threads of the process that found no slot, ever. */
uint64_t channel_left_out(const struct channel *channel);

/* Whether the process has ended, or the agent has stopped. What it wrote can still be read. */
bool channel_is_over(const struct channel *channel);

#endif /* NODIAG_CLI_CHANNEL_H */
