/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/snapshot_write.h"

#include <sys/mman.h>

#include "agent/core.h"
#include "agent/node_abi.h"
#include "agent/redact.h"

/* V8 writes so much at once. */
#define CHUNK_BYTES (256 << 10)

/* What V8's stream leads to. */
struct sink {
	struct nd_snapshot_writer *writer;
	struct nd_redact *redact; /* NULL: everything goes out */
	bool failed;
};

static void on_destroy_control(struct nd_activity_control *control)
{
}

static void tell_progress(uint32_t done, uint32_t total)
{
	struct nd_channel_head *head = nd_agent.channel;

	__atomic_store_n(&head->snapshot_done, done, __ATOMIC_RELAXED);
	__atomic_store_n(&head->snapshot_total, total, __ATOMIC_RELAXED);
}

static int on_report(struct nd_activity_control *control, uint32_t done, uint32_t total)
{
	struct nd_snapshot_writer *writer = control->arg;

	tell_progress(done, total);
	return writer->may_go_on && !writer->may_go_on(writer) ? 1 : 0;
}

const struct nd_heap_snapshot *nd_snapshot_take(struct nd_isolate *isolate,
						struct nd_snapshot_writer *writer)
{
	static const struct nd_activity_control_table table = {
		.destroy = on_destroy_control,
		.destroy_and_free = on_destroy_control,
		.report = on_report,
	};
	struct nd_activity_control control = {.table = &table, .arg = writer};
	struct nd_heap_profiler *profiler = nd_isolate_get_heap_profiler(isolate);

	tell_progress(0, 0);
	return nd_heap_snapshot_take
		       ? nd_heap_snapshot_take(profiler, &control, NULL, true, false)
		       : nd_heap_snapshot_take_26(profiler, &control, NULL, true, false);
}

static void on_destroy(struct nd_output_stream *stream)
{
}

static int get_chunk_size(struct nd_output_stream *stream)
{
	return CHUNK_BYTES;
}

static bool send_on(void *arg, const char *data, size_t size)
{
	struct nd_snapshot_writer *writer = arg;

	return writer->send(writer, data, size);
}

static int write_chunk(struct nd_output_stream *stream, char *data, int size)
{
	struct sink *sink = stream->arg;

	sink->failed = sink->redact ? !nd_redact_feed(sink->redact, data, (size_t)size)
				    : !send_on(sink->writer, data, (size_t)size);
	return sink->failed ? 1 : 0;
}

static int write_stats(struct nd_output_stream *stream, void *data, int count)
{
	return 1;
}

/* Memory of its own, since what malloc() has may be in another thread's hands. */
static struct nd_redact *begin_redacting(struct nd_snapshot_writer *writer)
{
	struct nd_redact *redact = mmap(NULL, sizeof(*redact), PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (redact == MAP_FAILED)
		return NULL;
	redact->key[0] = writer->key[0];
	redact->key[1] = writer->key[1];
	redact->write = send_on;
	redact->arg = writer;
	return redact;
}

static bool end_redacting(struct sink *sink)
{
	bool is_whole = !sink->failed && nd_redact_finish(sink->redact);

	nd_redact_fini(sink->redact);
	munmap(sink->redact, sizeof(*sink->redact));
	return is_whole;
}

bool nd_snapshot_serialize(const struct nd_heap_snapshot *heap, struct nd_snapshot_writer *writer)
{
	static const struct nd_output_stream_table table = {
		.destroy = on_destroy,
		.destroy_and_free = on_destroy,
		.end = on_destroy,
		.get_chunk_size = get_chunk_size,
		.write_chunk = write_chunk,
		.write_stats = write_stats,
	};
	struct sink sink = {.writer = writer};
	struct nd_output_stream stream = {.table = &table, .arg = &sink};

	if (writer->key) {
		sink.redact = begin_redacting(writer);
		if (!sink.redact)
			return false;
	}
	nd_heap_snapshot_serialize(heap, &stream, 0);
	return sink.redact ? end_redacting(&sink) : !sink.failed;
}
