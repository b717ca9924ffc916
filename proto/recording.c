/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/recording.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/err.h"
#include "proto/limits.h"

static const char lost[] = "[lost]";

/* Rows by their ids; those that are all zeros were in parts that are lost. */
struct table {
	void *rows;
	uint32_t count;
	uint32_t cap;
};

/* Strings of one part. */
struct block {
	struct block *next;
	char data[];
};

/* Rows of tables: whether they are there at all, and what was said. */
struct frame_row {
	struct nd_name_frame name;
	uint32_t is_known;
};

struct call_row {
	struct nd_name_call name;
	uint32_t is_known;
};

struct nd_recording {
	const uint8_t *data;
	size_t len;	 /* without the foot */
	uint64_t offset; /* where the next part should be */
	struct nd_packer *packer;
	struct nd_buf payload;
	struct nd_decoded part; /* whose items are handed out */
	bool has_part;
	size_t at; /* of the part's items, the next one */
	struct nd_recording_state state;
	uint64_t samples;
	struct table strings; /* const char * */
	struct table frames;  /* struct frame_row */
	struct table calls;   /* struct call_row */
	struct table threads; /* struct nd_name_thread */
	struct block *blocks;
	size_t string_bytes;
};

static bool has_index_at(const void *data, size_t len, uint64_t start)
{
	struct nd_part part;

	return nd_frame_find_part(data, len, start, &part) && part.start == start &&
	       part.kind == ND_PART_INDEX;
}

int nd_recording_open(const void *data, size_t len, struct nd_recording **ret_recording,
		      struct nd_err *err)
{
	struct nd_recording *rec;
	uint64_t index_start;
	struct nd_part part;
	uint32_t minor;
	int ret = nd_frame_read_head(data, len, &minor, err);

	if (ret)
		return ret;
	if (len > ND_RECORDING_MAX)
		return nd_err_set(err, -EFBIG, "the recording is larger than %u MiB",
				  ND_RECORDING_MAX >> 20);
	if (!nd_frame_find_part(data, len, ND_FILE_HEAD_SIZE, &part))
		return nd_err_set(err, -EBADMSG, "nothing of the recording is there but its head");
	if (part.kind == ND_PART_HEAP) {
		nd_err_set(err, -EBADMSG, "it is a heap snapshot");
		return nd_err_hint(err, "nodiag heap summary shows what is in it");
	}
	rec = calloc(1, sizeof(*rec));
	if (!rec)
		return nd_err_set(err, -ENOMEM, "out of memory");
	rec->data = data;
	rec->len = len;
	rec->offset = ND_FILE_HEAD_SIZE;
	nd_buf_init(&rec->payload, ND_PART_UNPACKED_MAX);
	if (nd_frame_read_foot(data, len, &index_start) && has_index_at(data, len, index_start)) {
		rec->state.has_end = true;
		rec->len -= ND_FILE_FOOT_SIZE;
	}
	rec->packer = nd_packer_new();
	if (!rec->packer) {
		nd_recording_close(rec);
		return nd_err_set(err, -ENOMEM, "out of memory");
	}
	*ret_recording = rec;
	return 0;
}

static void drop_part(struct nd_recording *rec)
{
	if (rec->has_part)
		nd_codec_free(&rec->part);
	rec->has_part = false;
}

void nd_recording_close(struct nd_recording *rec)
{
	struct block *next;

	if (!rec)
		return;
	drop_part(rec);
	for (; rec->blocks; rec->blocks = next) {
		next = rec->blocks->next;
		free(rec->blocks);
	}
	free(rec->strings.rows);
	free(rec->frames.rows);
	free(rec->calls.rows);
	free(rec->threads.rows);
	nd_buf_fini(&rec->payload);
	nd_packer_free(rec->packer);
	free(rec);
}

/*
 * Room for `count` rows from the id `first` on, which must not be there yet; ids that were left out
 * are zeroed. Returns where they go; NULL with `ret_error` set.
 */
static void *extend(struct table *table, uint32_t first, size_t count, uint32_t max, size_t size,
		    int *ret_error)
{
	uint64_t end = (uint64_t)first + count;
	uint32_t cap = table->cap ? table->cap : 256;
	char *grown;

	*ret_error = first < table->count || end > max ? -EBADMSG : 0;
	if (*ret_error)
		return NULL;
	while (cap < end)
		cap *= 2;
	if (cap > table->cap) {
		grown = reallocarray(table->rows, cap, size);
		if (!grown) {
			*ret_error = -ENOMEM;
			return NULL;
		}
		table->rows = grown;
		table->cap = cap;
	}
	grown = table->rows;
	memset(grown + table->count * size, 0, (first - table->count) * size);
	table->count = (uint32_t)end;
	return grown + first * size;
}

static int add_strings(struct nd_recording *rec, const struct nd_names *names)
{
	size_t bytes = 0, i;
	struct block *block;
	const char **rows;
	char *at;
	int ret;

	for (i = 0; i < names->string_count; i++)
		bytes += strlen(names->strings[i]) + 1;
	if (rec->string_bytes + bytes > ND_RECORDING_STRING_BYTES_MAX || !names->first_string)
		return -EBADMSG;
	rows = extend(&rec->strings, names->first_string, names->string_count,
		      ND_RECORDING_STRINGS_MAX, sizeof(*rows), &ret);
	if (!rows)
		return ret;
	/* Until they are there they are lost. */
	memset(rows, 0, names->string_count * sizeof(*rows));
	block = malloc(sizeof(*block) + bytes);
	if (!block)
		return -ENOMEM;
	block->next = rec->blocks;
	rec->blocks = block;
	rec->string_bytes += bytes;
	for (i = 0, at = block->data; i < names->string_count; i++) {
		rows[i] = strcpy(at, names->strings[i]);
		at += strlen(at) + 1;
	}
	return 0;
}

static int add_frames(struct nd_recording *rec, const struct nd_names *names)
{
	struct frame_row *rows;
	size_t i;
	int ret;

	rows = extend(&rec->frames, names->first_frame, names->frame_count, ND_RECORDING_FRAMES_MAX,
		      sizeof(*rows), &ret);
	for (i = 0; rows && i < names->frame_count; i++)
		rows[i] = (struct frame_row){.name = names->frames[i], .is_known = 1};
	return ret;
}

static int add_calls(struct nd_recording *rec, const struct nd_names *names)
{
	struct call_row *rows;
	size_t i;
	int ret;

	if (!names->first_call)
		return -EBADMSG;
	rows = extend(&rec->calls, names->first_call, names->call_count, ND_RECORDING_CALLS_MAX + 1,
		      sizeof(*rows), &ret);
	for (i = 0; rows && i < names->call_count; i++)
		rows[i] = (struct call_row){.name = names->calls[i], .is_known = 1};
	return ret;
}

static int add_threads(struct nd_recording *rec, const struct nd_names *names)
{
	struct nd_name_thread *rows;
	int ret;

	rows = extend(&rec->threads, names->first_thread, names->thread_count,
		      ND_RECORDING_THREADS_MAX, sizeof(*rows), &ret);
	if (rows && names->thread_count)
		memcpy(rows, names->threads, names->thread_count * sizeof(*rows));
	return ret;
}

static int add_names(struct nd_recording *rec, const struct nd_names *names)
{
	int ret = 0;

	if (names->string_count)
		ret = add_strings(rec, names);
	if (!ret && names->frame_count)
		ret = add_frames(rec, names);
	if (!ret && names->call_count)
		ret = add_calls(rec, names);
	if (!ret && names->thread_count)
		ret = add_threads(rec, names);
	return ret;
}

/* What the index and the end know better: a gap may have held several parts. */
static void compare(struct nd_recording *rec, uint64_t parts)
{
	uint64_t missing = parts > rec->state.parts ? parts - rec->state.parts : 0;

	if (missing > rec->state.damaged)
		rec->state.damaged = missing;
}

static void read_end(struct nd_recording *rec, const struct nd_recording_end *end)
{
	rec->state.cause = end->cause;
	if (end->samples > rec->samples)
		rec->state.samples_lost = end->samples - rec->samples;
}

/* Unpack and decode a part; what is of no use outside is used up here. */
static int use_part(struct nd_recording *rec, const struct nd_part *part)
{
	int ret;

	if (!part->kind || part->kind >= ND_PART_KIND_COUNT) {
		rec->state.unknown++;
		return 0;
	}
	nd_buf_reset(&rec->payload);
	ret = nd_frame_unpack(rec->packer, part, &rec->payload);
	if (!ret)
		ret = nd_codec_decode(part->kind, rec->payload.data, rec->payload.len, &rec->part);
	if (ret)
		return ret;
	rec->has_part = true;
	rec->at = 0;
	if (part->kind == ND_PART_NAMES)
		ret = add_names(rec, &rec->part.names);
	else if (part->kind == ND_PART_INDEX)
		compare(rec, rec->part.index.count);
	else if (part->kind == ND_PART_END)
		read_end(rec, &rec->part.end);
	if (ret || part->kind == ND_PART_NAMES || part->kind == ND_PART_INDEX)
		drop_part(rec);
	return ret;
}

/* The next part that can be read. Returns 1, 0 after the last, or -ENOMEM. */
static int next_part(struct nd_recording *rec)
{
	struct nd_part part;
	int ret;

	if (!nd_frame_find_part(rec->data, rec->len, rec->offset, &part)) {
		/* The last part is not all there: nothing unusual where the end is missing. */
		if (rec->state.has_end && rec->offset < rec->len)
			rec->state.damaged++;
		rec->offset = rec->len;
		return 0;
	}
	if (part.start > rec->offset)
		rec->state.damaged++;
	rec->offset = part.end;
	ret = use_part(rec, &part);
	if (ret == -ENOMEM)
		return ret;
	if (ret)
		rec->state.damaged++;
	else
		rec->state.parts++;
	return 1;
}

static void next_of_events(struct nd_recording *rec, struct nd_item *item)
{
	const struct nd_events *events = &rec->part.events;
	size_t at = rec->at++;

	if (!at) {
		*item = (struct nd_item){.kind = ND_ITEM_MOMENT, .moment = events};
		rec->state.last_ns = events->time_ns;
		return;
	}
	at--;
	if (at < events->counters_count) {
		*item = (struct nd_item){.kind = ND_ITEM_COUNTERS,
					 .counters = &events->counters[at]};
		return;
	}
	at -= events->counters_count;
	if (at < events->sample_count) {
		*item = (struct nd_item){.kind = ND_ITEM_SAMPLE, .sample = &events->samples[at]};
		rec->samples++;
		return;
	}
	at -= events->sample_count;
	*item = (struct nd_item){.kind = ND_ITEM_EVENT, .event = &events->events[at]};
}

/* The next item of the part that was read last; false when there is none. */
static bool next_item(struct nd_recording *rec, struct nd_item *item)
{
	const struct nd_events *events = &rec->part.events;
	size_t count = 1;

	if (!rec->has_part)
		return false;
	if (rec->part.kind == ND_PART_EVENTS)
		count += events->sample_count + events->event_count + events->counters_count;
	if (rec->at >= count) {
		drop_part(rec);
		return false;
	}
	if (rec->part.kind == ND_PART_EVENTS) {
		next_of_events(rec, item);
		return true;
	}
	rec->at++;
	if (rec->part.kind == ND_PART_HEADER)
		*item = (struct nd_item){.kind = ND_ITEM_HEADER, .header = &rec->part.header};
	else
		*item = (struct nd_item){.kind = ND_ITEM_END, .end = &rec->part.end};
	return true;
}

int nd_recording_next(struct nd_recording *rec, struct nd_item *ret_item)
{
	int ret;

	while (!next_item(rec, ret_item)) {
		ret = next_part(rec);
		if (ret <= 0)
			return ret;
	}
	return 1;
}

void nd_recording_get_state(const struct nd_recording *rec, struct nd_recording_state *ret_state)
{
	*ret_state = rec->state;
}

size_t nd_recording_get_stack(const struct nd_recording *rec, uint32_t call, struct nd_call *calls,
			      size_t max)
{
	const struct call_row *rows = rec->calls.rows, *row;
	size_t depth = 0;

	for (; call && depth < max; call = row->name.caller) {
		row = call < rec->calls.count ? &rows[call] : NULL;
		if (!row || !row->is_known) {
			calls[depth++] = (struct nd_call){.frame = ND_RECORDING_LOST};
			break;
		}
		calls[depth++] = (struct nd_call){
			.frame = row->name.frame,
			.line = row->name.line,
			.column = row->name.column,
			.tier = row->name.tier,
			.inlined = row->name.inlined,
		};
	}
	return depth;
}

static const char *get_string(const struct nd_recording *rec, uint32_t id)
{
	const char *const *rows = rec->strings.rows;

	if (!id)
		return "";
	return id < rec->strings.count && rows[id] ? rows[id] : lost;
}

void nd_recording_get_frame(const struct nd_recording *rec, uint32_t id, struct nd_frame *ret_frame)
{
	const struct frame_row *rows = rec->frames.rows;

	*ret_frame = (struct nd_frame){.name = lost, .file = ""};
	if (id >= rec->frames.count || !rows[id].is_known)
		return;
	*ret_frame = (struct nd_frame){
		.name = get_string(rec, rows[id].name.name),
		.file = get_string(rec, rows[id].name.file),
		.line = rows[id].name.line,
		.column = rows[id].name.column,
		.kind = rows[id].name.kind,
	};
}

uint32_t nd_recording_frame_count(const struct nd_recording *rec)
{
	return rec->frames.count;
}

void nd_recording_get_thread(const struct nd_recording *rec, uint32_t id, uint32_t *ret_pid,
			     uint32_t *ret_tid, const char **ret_name)
{
	static const struct nd_name_thread none;
	const struct nd_name_thread *rows = rec->threads.rows;
	const struct nd_name_thread *row = id < rec->threads.count ? &rows[id] : &none;

	*ret_pid = row->pid;
	*ret_tid = row->tid;
	*ret_name = get_string(rec, row->name);
}
