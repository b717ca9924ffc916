/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/heap_watch.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/attach.h"
#include "cli/channel.h"
#include "cli/heap_room.h"
#include "cli/heap_snapshot.h"
#include "cli/interrupt.h"
#include "cli/out.h"
#include "cli/term.h"
#include "cli/units.h"
#include "common/clock.h"
#include "common/err.h"

/* How often is looked at clocks, and at how large the heap is. */
#define LOOK_MS 200

/* The bit of ND_GC_MARK_COMPACT. */
#define FULL_COLLECTION 2

#define PATH_BYTES 4096

#define KEEP_MAX 1000

struct watch {
	pid_t pid;
	struct heap_snapshot_options options;
	const struct heap_triggers *triggers;
	struct channel *channel;
	bool is_ours; /* the agent was loaded for this */
	struct taking *armed;
	uint64_t due_ns; /* of triggers->every_ns */
	uint64_t collections;
	uint64_t least_bytes;	   /* what growth is counted from; 0: not known yet */
	char (*files)[PATH_BYTES]; /* the newest that we wrote, in a ring of triggers->keep */
	uint32_t written;
	struct heap_room room;
	char path[PATH_BYTES]; /* of the next one */
	struct nd_err *err;
};

/* 0 when it is none. */
static int parse_signal(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);
	const char *name;
	int i;

	if (*text && !*end)
		return number > 0 && number < NSIG ? (int)number : 0;
	if (!strncasecmp(text, "SIG", 3))
		text += 3;
	for (i = 1; i < NSIG; i++) {
		name = sigabbrev_np(i);
		if (name && !strcasecmp(name, text))
			return i;
	}
	return 0;
}

int heap_triggers_set_signal(struct heap_triggers *triggers, const char *arg, struct nd_err *err)
{
	triggers->signal = parse_signal(arg);
	if (triggers->signal)
		return 0;
	nd_err_set(err, -EINVAL, "'%s' is no signal", arg);
	nd_err_hint(err, "SIGUSR2, USR2, or a number");
	return EINVAL;
}

int heap_triggers_set_grown(struct heap_triggers *triggers, const char *arg, struct nd_err *err)
{
	if (units_parse_bytes(arg, &triggers->grown_bytes) && triggers->grown_bytes)
		return 0;
	nd_err_set(err, -EINVAL, "'%s' is no size", arg);
	nd_err_hint(err, "give it with its unit: 64M or 1G");
	return EINVAL;
}

int heap_triggers_set_keep(struct heap_triggers *triggers, const char *arg, struct nd_err *err)
{
	uint64_t number;

	if (units_parse_number(arg, 1, KEEP_MAX, &number)) {
		triggers->keep = (uint32_t)number;
		return 0;
	}
	nd_err_set(err, -EINVAL, "'%s' is no number of files", arg);
	nd_err_hint(err, "give 1 to %d", KEEP_MAX);
	return EINVAL;
}

static void name_next(struct watch *watch, const char *folder)
{
	char name[64];

	out_make_name("heap", watch->pid, heap_format_get_name(watch->options.format), name,
		      sizeof(name));
	snprintf(watch->path, sizeof(watch->path), "%s%s%s", folder ? folder : "",
		 folder ? "/" : "", name);
	watch->options.output = watch->path;
}

/* Print the name, and remove the oldest where there are too many. */
static int keep(struct watch *watch)
{
	char *file = watch->files[watch->written % watch->triggers->keep];

	if (watch->written >= watch->triggers->keep && unlink(file))
		term_note("cannot remove '%s': %s", file, strerror(errno));
	memcpy(file, watch->path, sizeof(watch->path));
	watch->written++;
	watch->options.advise = false;
	heap_room_learn(&watch->room, watch->path);
	puts(watch->path);
	return fflush(stdout) ? nd_err_set_errno(watch->err, -EIO, "cannot print the answer") : 0;
}

/* One that fails is said, and the next may be better. */
static int end_one(struct watch *watch, int ret, const struct nd_err *why)
{
	if (!ret)
		return keep(watch);
	if (ret != -EINTR)
		term_error(why);
	return 0;
}

/* The main thread's counters. */
static bool copy_main_slot(const struct watch *watch, struct nd_channel_slot *ret_slot)
{
	uint32_t i;

	for (i = 0; i < channel_slots(watch->channel); i++)
		if (channel_copy_slot(watch->channel, i, ret_slot) &&
		    ret_slot->kind == ND_THREAD_MAIN)
			return true;
	return false;
}

static bool has_room(struct watch *watch, const char *folder, bool is_asked)
{
	struct nd_channel_slot slot;
	uint64_t used = copy_main_slot(watch, &slot) ? slot.gc.used_bytes : 0;

	return heap_room_is_enough(&watch->room, folder,
				   heap_room_expect(used, watch->options.format), is_asked);
}

/* `is_asked`: by the user, who wants to hear why there is none. */
static int take(struct watch *watch, const char *folder, const char *why, bool is_asked)
{
	struct nd_err err = {0};
	int ret;

	if (!has_room(watch, folder, is_asked))
		return 0;
	term_note("%d: %s", watch->pid, why);
	name_next(watch, folder);
	ret = heap_snapshot_take(watch->pid, &watch->options, &err);
	if (ret == -ENOSPC)
		heap_room_learn_full(&watch->room, folder);
	return end_one(watch, ret, &err);
}

/* What waited for the heap's limit has something to read, or will never have. */
static int collect(struct watch *watch, const char *folder)
{
	struct nd_err err = {0};
	int ret;

	if (watch->triggers->most && heap_room_count(folder) >= (int)watch->triggers->most) {
		term_note("no snapshot: '%s' has %" PRIu32 " of them", folder,
			  watch->triggers->most);
		heap_snapshot_disarm(watch->armed);
		watch->armed = NULL;
		return 0;
	}
	name_next(watch, folder);
	ret = heap_snapshot_collect(watch->armed, &watch->options, &err);
	heap_snapshot_disarm(watch->armed);
	watch->armed = NULL;
	if (ret != -EAGAIN || channel_is_over(watch->channel))
		return end_one(watch, ret, &err);
	return take(watch, folder, "its child got stuck, and it goes on: another one", true);
}

/* What the last full collection left of the main thread's heap; false when there was none since. */
static bool read_used(struct watch *watch, uint64_t *ret_bytes)
{
	struct nd_channel_slot slot;

	if (!copy_main_slot(watch, &slot) || slot.gc.count[FULL_COLLECTION] == watch->collections)
		return false;
	watch->collections = slot.gc.count[FULL_COLLECTION];
	*ret_bytes = slot.gc.used_bytes;
	return true;
}

static bool has_grown(struct watch *watch)
{
	uint64_t used;

	if (!watch->triggers->grown_bytes || !read_used(watch, &used))
		return false;
	if (!watch->least_bytes)
		watch->least_bytes = used;
	if (used < watch->least_bytes + watch->triggers->grown_bytes)
		return false;
	watch->least_bytes = used;
	return true;
}

static bool is_due(struct watch *watch)
{
	uint64_t now = nd_clock_monotonic_ns();

	if (!watch->triggers->every_ns || now < watch->due_ns)
		return false;
	while (watch->due_ns <= now)
		watch->due_ns += watch->triggers->every_ns;
	return true;
}

static int look(struct watch *watch, const char *folder)
{
	int ret = 0;

	if (!watch->armed)
		poll(NULL, 0, LOOK_MS);
	else if (heap_snapshot_wait(watch->armed, LOOK_MS))
		return collect(watch, folder);
	if (channel_has_signalled(watch->channel))
		ret = take(watch, folder, "the signal has come", true);
	if (!ret && is_due(watch))
		ret = take(watch, folder, "it is time for a snapshot", false);
	if (!ret && has_grown(watch))
		ret = take(watch, folder, "its heap has grown", false);
	return ret;
}

/* Whether there is still something that could happen. */
static bool is_waiting(const struct watch *watch)
{
	return watch->armed || watch->triggers->signal || watch->triggers->every_ns ||
	       watch->triggers->grown_bytes;
}

static int start(struct watch *watch)
{
	int ret = attach_borrow_agent(watch->pid, &watch->channel, &watch->is_ours, watch->err);

	if (!ret && watch->triggers->signal)
		ret = channel_take_signal(watch->channel, watch->triggers->signal, watch->err);
	if (!ret && watch->triggers->near_limit)
		ret = heap_snapshot_arm(watch->pid, &watch->options, &watch->armed, watch->err);
	if (!ret)
		term_note("%d: waiting; Ctrl-C ends it", watch->pid);
	return ret;
}

int heap_watch(pid_t pid, const struct heap_snapshot_options *options,
	       const struct heap_triggers *triggers, struct nd_err *err)
{
	struct watch watch = {.pid = pid,
			      .options = *options,
			      .triggers = triggers,
			      .due_ns = nd_clock_monotonic_ns() + triggers->every_ns,
			      .files = calloc(triggers->keep, sizeof(*watch.files)),
			      .err = err};
	int ret = watch.files ? 0 : nd_err_set(err, -ENOMEM, "out of memory");

	interrupt_catch();
	if (!ret)
		ret = start(&watch);
	/* What the process wrote as its last is there when it has ended. */
	while (!ret && is_waiting(&watch) && !interrupt_was_asked_for() &&
	       (watch.armed || !channel_is_over(watch.channel)))
		ret = look(&watch, options->output);
	if (!ret && watch.room.left_out)
		term_note("%d: %" PRIu32 " snapshots were taken, and %" PRIu32
			  " left out for want of room",
			  pid, watch.written, watch.room.left_out);
	else if (!ret)
		term_note("%d: %" PRIu32 " snapshots were taken", pid, watch.written);
	heap_snapshot_disarm(watch.armed);
	attach_return_agent(watch.channel, watch.is_ours);
	interrupt_release();
	free(watch.files);
	return ret;
}
