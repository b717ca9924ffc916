/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_HEAP_TAKING_H
#define NODIAG_CLI_HEAP_TAKING_H

/* What the files that take a heap snapshot share with each other, and with nobody else. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/out.h"
#include "common/err.h"

#define HEAP_READ_BYTES (256u << 10)

struct channel;
struct heap_snapshot_options;
struct nd_heap_reader;

struct taking {
	pid_t pid;
	const struct heap_snapshot_options *options;
	struct nd_err *err;
	struct channel *channel;
	bool is_ours;  /* the agent was loaded for this */
	bool at_limit; /* it is taken when the heap is nearly full */
	int stream;    /* our end; -1: there is none */
	struct out out;
	struct nd_heap_reader *reader;
	struct nd_err damage; /* what the reader found */
	char *chunk;
	uint64_t start_ns;
	uint64_t shown_ns;
	uint64_t bytes;
};

/* The child's alarm rings at full seconds. */
uint32_t heap_taking_timeout_s(const struct taking *taking);

/* The process ended before the child did. */
int heap_taking_set_ended(struct taking *taking);

/*
 * Copy the stream to the output, and read it on the way, until it has ended; then hear from the
 * agent how the child did. 0 when the snapshot is complete, -EAGAIN when another child may have
 * better luck.
 */
int heap_taking_copy(struct taking *taking);

#endif /* NODIAG_CLI_HEAP_TAKING_H */
