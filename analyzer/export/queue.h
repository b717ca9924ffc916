/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_QUEUE_H
#define NODIAG_ANALYZER_EXPORT_QUEUE_H

/*
 * Requests that wait to be sent, oldest first: in a folder, where they outlive the process, or in
 * memory.
 *
 * In a folder each is a file of its own, NUMBER-SIGNAL-ITEMS.gz or .zst, which zcat or zstdcat can
 * read; it has that name only when it is whole. A file that is damaged all the same, as after a
 * power failure, is found by its checksum, counted and removed. One process uses a folder at a
 * time.
 *
 * Beyond its bound the queue drops the oldest requests and counts them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/export/packing.h"
#include "proto/otlp.h"

struct nd_buf;
struct nd_err;
struct nd_export_queue;

/* A request in the queue. */
struct nd_queued {
	uint64_t id; /* counts up */
	uint64_t items;
	size_t bytes; /* packed */
	enum nd_otlp_signal signal;
	enum nd_packing packing; /* not ND_PACKING_NONE */
};

/*
 * Open the queue in `folder`, which is made if it is not there, or one in memory where that is
 * NULL; packed requests may take `max_bytes`. -EBUSY when another process has it open.
 */
int nd_export_queue_open(const char *folder, uint64_t max_bytes, struct nd_export_queue **ret_queue,
			 struct nd_err *err);

/* Requests in a folder stay there. */
void nd_export_queue_close(struct nd_export_queue *queue);

/*
 * Add a request as the newest; of `what`, id and size are found here. -ENOSPC and the like when it
 * cannot be written.
 */
int nd_export_queue_add(struct nd_export_queue *queue, const struct nd_queued *what,
			const struct nd_buf *request, struct nd_err *err);

/* The oldest request of a signal; NULL when there is none. Borrowed until the next add or remove.
 */
const struct nd_queued *nd_export_queue_first(const struct nd_export_queue *queue,
					      enum nd_otlp_signal signal);

/*
 * Append a request to `plain` as it was, and to `packed` as the queue has it, which may be NULL.
 * -EBADMSG when it is damaged or gone: it was removed and counted; -ENOMEM, -EMFILE and the like.
 */
int nd_export_queue_read(struct nd_export_queue *queue, uint64_t id, struct nd_buf *plain,
			 struct nd_buf *packed);

/* It was sent, or will never be. False when it was dropped, and counted so, meanwhile. */
bool nd_export_queue_remove(struct nd_export_queue *queue, uint64_t id);

/* Since it was opened: what was dropped, and how many requests were damaged. */
uint64_t nd_export_queue_dropped_items(const struct nd_export_queue *queue,
				       enum nd_otlp_signal signal);
uint64_t nd_export_queue_damaged(const struct nd_export_queue *queue);

/* What waits now. */
uint64_t nd_export_queue_waiting_items(const struct nd_export_queue *queue,
				       enum nd_otlp_signal signal);

#endif /* NODIAG_ANALYZER_EXPORT_QUEUE_H */
