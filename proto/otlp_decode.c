/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/otlp.pb-c.h"

int nd_otlp_decode_response(const void *data, size_t len, struct nd_otlp_answer *ret_answer)
{
	struct nd_otlp_answer answer = {0};
	Otlp__ExportPartialSuccess *partial;
	Otlp__ExportResponse *response;

	if (len > ND_OTLP_RESPONSE_MAX)
		return -EBADMSG;
	response = otlp__export_response__unpack(NULL, len, data);
	if (!response)
		return -EBADMSG;
	/* The specification has a success that says of nothing that it was rejected. */
	partial = response->partial_success;
	if (partial) {
		answer.rejected = partial->rejected > 0 ? partial->rejected : 0;
		snprintf(answer.message, sizeof(answer.message), "%s", partial->error_message);
	}
	otlp__export_response__free_unpacked(response, NULL);
	*ret_answer = answer;
	return 0;
}

int nd_otlp_decode_status(const void *data, size_t len, struct nd_otlp_answer *ret_answer)
{
	struct nd_otlp_answer answer = {0};
	Otlp__RpcStatus *status;

	if (len > ND_OTLP_RESPONSE_MAX)
		return -EBADMSG;
	status = otlp__rpc_status__unpack(NULL, len, data);
	if (!status)
		return -EBADMSG;
	snprintf(answer.message, sizeof(answer.message), "%s", status->message);
	otlp__rpc_status__free_unpacked(status, NULL);
	*ret_answer = answer;
	return 0;
}

/* A RetryInfo that says how long. */
static int decode_delay(const ProtobufCBinaryData *data, uint64_t *ret_seconds)
{
	Otlp__RetryInfo *info = otlp__retry_info__unpack(NULL, data->len, data->data);
	int ret = -EBADMSG;

	if (!info)
		return -EBADMSG;
	if (info->retry_delay && info->retry_delay->seconds >= 0) {
		*ret_seconds = (uint64_t)info->retry_delay->seconds +
			       (info->retry_delay->nanos > 0 ? 1 : 0);
		ret = 0;
	}
	otlp__retry_info__free_unpacked(info, NULL);
	return ret;
}

int nd_otlp_decode_retry_info(const void *data, size_t len, uint64_t *ret_seconds)
{
	static const char name[] = "/google.rpc.RetryInfo";
	Otlp__RpcStatus *status;
	const char *type;
	size_t i;
	int ret = -ENOENT;

	if (len > ND_OTLP_RESPONSE_MAX)
		return -EBADMSG;
	status = otlp__rpc_status__unpack(NULL, len, data);
	if (!status)
		return -EBADMSG;
	for (i = 0; i < status->n_details && ret == -ENOENT; i++) {
		type = strrchr(status->details[i]->type_url, '/');
		if (type && !strcmp(type, name))
			ret = decode_delay(&status->details[i]->value, ret_seconds);
	}
	otlp__rpc_status__free_unpacked(status, NULL);
	return ret;
}
