/* SPDX-License-Identifier: Apache-2.0 */

/* What a collector answers: its messages, its Retry-After, and its trailers of gRPC. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/export/grpc.h"
#include "analyzer/export/pairs.h"
#include "analyzer/export/retry.h"
#include "proto/limits.h"
#include "proto/otlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int add(void *arg, const char *key, const char *value)
{
	if (!*key)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nd_otlp_answer answer;
	struct nd_grpc_trailers trailers = {.status = "8"};
	struct nd_grpc_status status;
	uint64_t seconds;
	size_t len;
	char *text;

	if (!nd_otlp_decode_response(data, size, &answer) && answer.rejected < 0)
		abort();
	if (!nd_otlp_decode_status(data, size, &answer) &&
	    strlen(answer.message) >= sizeof(answer.message))
		abort();
	nd_otlp_decode_retry_info(data, size, &seconds);
	nd_grpc_unframe(data, size, &len);
	text = strndup((const char *)data, size);
	if (!text)
		return 0;
	if (nd_retry_after_decode(text, text, 1000000000, &seconds) && seconds > ND_RETRY_AFTER_MAX)
		abort();
	nd_pairs_decode(text, add, NULL);
	snprintf(trailers.message, sizeof(trailers.message), "%s", text);
	snprintf(trailers.details, sizeof(trailers.details), "%s", text);
	nd_grpc_decode_trailers(&trailers, &status);
	if (status.pause_s > ND_RETRY_AFTER_MAX)
		abort();
	free(text);
	return 0;
}
