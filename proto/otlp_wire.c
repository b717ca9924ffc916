/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp_wire.h"

#include <string.h>

#include "common/buf.h"

#define VARINT_MAX 10

/* Wire types of protobuf. */
#define WIRE_VARINT 0
#define WIRE_LENGTH 2

static int add_varint(struct nd_buf *out, uint64_t number)
{
	uint8_t bytes[VARINT_MAX];
	size_t len = 0;

	for (; number >= 0x80; number >>= 7)
		bytes[len++] = (uint8_t)(number | 0x80);
	bytes[len++] = (uint8_t)number;
	return nd_buf_add(out, bytes, len);
}

int nd_otlp_add_length(struct nd_buf *out, unsigned int field, size_t len)
{
	nd_buf_add_char(out, (char)(field << 3 | WIRE_LENGTH));
	return add_varint(out, len);
}

int nd_otlp_add_bytes(struct nd_buf *out, unsigned int field, const void *data, size_t len)
{
	nd_otlp_add_length(out, field, len);
	return nd_buf_add(out, data, len);
}

int nd_otlp_add_string(struct nd_buf *out, unsigned int field, const char *str)
{
	return str && *str ? nd_otlp_add_bytes(out, field, str, strlen(str)) : nd_buf_error(out);
}

int nd_otlp_add_number(struct nd_buf *out, unsigned int field, uint64_t number)
{
	nd_buf_add_char(out, (char)(field << 3 | WIRE_VARINT));
	return add_varint(out, number);
}

int nd_otlp_add_plain(struct nd_buf *out, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	char *at = nd_buf_reserve(out, len);

	if (!at)
		return nd_buf_error(out);
	protobuf_c_message_pack(message, (uint8_t *)at);
	at[len] = '\0';
	out->len += len;
	return 0;
}

int nd_otlp_add_message(struct nd_buf *out, unsigned int field, const ProtobufCMessage *message)
{
	nd_otlp_add_length(out, field, protobuf_c_message_get_packed_size(message));
	return nd_otlp_add_plain(out, message);
}
