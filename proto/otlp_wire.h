/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_OTLP_WIRE_H
#define NODIAG_PROTO_OTLP_WIRE_H

/*
 * Messages inside of messages, one at a time: those that repeat are added to a buffer as they come,
 * so that no tree of a whole request is ever in memory.
 */

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

struct nd_buf;

/* Each adds to `out`, and returns 0 or its error. A field's number is at most 15. */
int nd_otlp_add_message(struct nd_buf *out, unsigned int field, const ProtobufCMessage *message);
int nd_otlp_add_bytes(struct nd_buf *out, unsigned int field, const void *data, size_t len);
int nd_otlp_add_string(struct nd_buf *out, unsigned int field, const char *str);
int nd_otlp_add_number(struct nd_buf *out, unsigned int field, uint64_t number);

/* The head of a field of `len` bytes, which the caller adds. */
int nd_otlp_add_length(struct nd_buf *out, unsigned int field, size_t len);

/* A message without a field around it. */
int nd_otlp_add_plain(struct nd_buf *out, const ProtobufCMessage *message);

#endif /* NODIAG_PROTO_OTLP_WIRE_H */
