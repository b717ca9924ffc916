/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/grpc.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/symbols/base64.h"
#include "common/buf.h"
#include "proto/limits.h"
#include "proto/otlp.h"

/* Before a message: whether it is packed, and its length, the high byte first. */
#define FRAME_HEAD 5

/* Codes of gRPC (its "Status codes"). */
enum {
	OK = 0,
	CANCELLED = 1,
	DEADLINE_EXCEEDED = 4,
	RESOURCE_EXHAUSTED = 8,
	ABORTED = 10,
	OUT_OF_RANGE = 11,
	UNAVAILABLE = 14,
	DATA_LOSS = 15,
};

int nd_grpc_frame(const void *message, size_t len, bool packed, struct nd_buf *out)
{
	const uint8_t head[FRAME_HEAD] = {packed, (uint8_t)(len >> 24), (uint8_t)(len >> 16),
					  (uint8_t)(len >> 8), (uint8_t)len};

	nd_buf_add(out, head, sizeof(head));
	return nd_buf_add(out, message, len);
}

const void *nd_grpc_unframe(const void *body, size_t len, size_t *ret_len)
{
	const uint8_t *head = body;
	size_t says;

	if (len < FRAME_HEAD || head[0])
		return NULL;
	says = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
	if (says != len - FRAME_HEAD)
		return NULL;
	*ret_len = says;
	return head + FRAME_HEAD;
}

static enum nd_verdict judge(int code, bool has_pause)
{
	switch (code) {
	case OK:
		return ND_VERDICT_SENT;
	case CANCELLED:
	case DEADLINE_EXCEEDED:
	case ABORTED:
	case OUT_OF_RANGE:
	case UNAVAILABLE:
	case DATA_LOSS:
		return ND_VERDICT_RETRY;
	case RESOURCE_EXHAUSTED:
		return has_pause ? ND_VERDICT_RETRY : ND_VERDICT_REFUSED;
	default:
		return ND_VERDICT_REFUSED;
	}
}

/* Percent-encoded; what is no escape stands for itself. */
static void decode_message(const char *text, char *out, size_t size)
{
	char hex[3] = "";
	size_t len = 0;

	for (; *text && len + 1 < size; text++) {
		if (*text == '%' && isxdigit((unsigned char)text[1]) &&
		    isxdigit((unsigned char)text[2])) {
			memcpy(hex, text + 1, 2);
			out[len] = (char)strtol(hex, NULL, 16);
			len += out[len] != '\0';
			text += 2;
		} else {
			out[len++] = *text;
		}
	}
	out[len] = '\0';
}

/* Base64, padded or not; what is none ends it. Returns the length. */
static size_t decode_base64(const char *text, uint8_t *out, size_t size)
{
	uint32_t bits = 0;
	size_t len = 0;
	int count = 0, value;

	for (; (value = nd_base64_value(*text)) >= 0; text++) {
		bits = bits << 6 | (uint32_t)value;
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		if (len == size)
			break;
		out[len++] = (uint8_t)(bits >> count);
	}
	return len;
}

void nd_grpc_decode_trailers(const struct nd_grpc_trailers *trailers,
			     struct nd_grpc_status *ret_status)
{
	struct nd_grpc_status status = {.code = -1};
	uint8_t details[sizeof(trailers->details)];
	bool has_pause = false;
	size_t len;

	if (isdigit((unsigned char)trailers->status[0]))
		status.code = atoi(trailers->status);
	decode_message(trailers->message, status.message, sizeof(status.message));
	len = decode_base64(trailers->details, details, sizeof(details));
	if (len)
		has_pause = !nd_otlp_decode_retry_info(details, len, &status.pause_s);
	if (status.pause_s > ND_RETRY_AFTER_MAX)
		status.pause_s = ND_RETRY_AFTER_MAX;
	status.verdict = judge(status.code, has_pause);
	*ret_status = status;
}
