/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "analyzer/export/options.h"
#include "common/clock.h"
#include "proto/limits.h"

struct nd_http {
	CURLM *multi;
	char *user_agent;
};

struct nd_http_call {
	struct nd_http *http;
	CURL *easy;
	struct curl_slist *headers;
	struct nd_http_answer answer;
	char error[CURL_ERROR_SIZE];
	bool busy;
};

struct nd_http *nd_http_new(const char *user_agent)
{
	struct nd_http *http = calloc(1, sizeof(*http));

	if (!http)
		return NULL;
	http->user_agent = strdup(user_agent);
	if (http->user_agent && !curl_global_init(CURL_GLOBAL_DEFAULT))
		http->multi = curl_multi_init();
	if (!http->multi) {
		free(http->user_agent);
		free(http);
		return NULL;
	}
	return http;
}

void nd_http_free(struct nd_http *http)
{
	if (!http)
		return;
	curl_multi_cleanup(http->multi);
	curl_global_cleanup();
	free(http->user_agent);
	free(http);
}

struct nd_http_call *nd_http_call_new(struct nd_http *http)
{
	struct nd_http_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->http = http;
	nd_buf_init(&call->answer.body, ND_OTLP_RESPONSE_MAX);
	call->easy = curl_easy_init();
	if (!call->easy) {
		free(call);
		return NULL;
	}
	return call;
}

void nd_http_call_free(struct nd_http_call *call)
{
	if (!call)
		return;
	if (call->busy)
		curl_multi_remove_handle(call->http->multi, call->easy);
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	nd_buf_fini(&call->answer.body);
	free(call);
}

/* A body that is too large ends the request. */
static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
	struct nd_http_call *call = arg;

	return nd_buf_add(&call->answer.body, data, size * count) ? 0 : size * count;
}

static void take_header(const char *line, size_t len, const char *name, char *value, size_t size)
{
	size_t at = strlen(name);

	if (len <= at || strncasecmp(line, name, at) != 0)
		return;
	while (at < len && (line[at] == ' ' || line[at] == '\t'))
		at++;
	while (len > at && (unsigned char)line[len - 1] <= ' ')
		len--;
	snprintf(value, size, "%.*s", (int)(len - at), line + at);
}

static size_t take_headers(char *line, size_t size, size_t count, void *arg)
{
	struct nd_http_answer *answer = &((struct nd_http_call *)arg)->answer;

	take_header(line, size * count, "retry-after:", answer->retry_after,
		    sizeof(answer->retry_after));
	take_header(line, size * count, "date:", answer->date, sizeof(answer->date));
	take_header(line, size * count, "content-type:", answer->content_type,
		    sizeof(answer->content_type));
	take_header(line, size * count, "grpc-status:", answer->trailers.status,
		    sizeof(answer->trailers.status));
	take_header(line, size * count, "grpc-message:", answer->trailers.message,
		    sizeof(answer->trailers.message));
	take_header(line, size * count, "grpc-status-details-bin:", answer->trailers.details,
		    sizeof(answer->trailers.details));
	return size * count;
}

static int add_header(struct nd_http_call *call, const char *name, const char *value)
{
	struct curl_slist *list;
	char *line;

	/* A header that is there and empty is written with a semicolon. */
	if (asprintf(&line, *value ? "%s: %s" : "%s;%s", name, value) < 0)
		return -ENOMEM;
	list = curl_slist_append(call->headers, line);
	free(line);
	if (!list)
		return -ENOMEM;
	call->headers = list;
	return 0;
}

static int add_headers(struct nd_http_call *call, const struct nd_export_target *target)
{
	struct curl_slist *list;
	size_t i;
	int ret;

	curl_slist_free_all(call->headers);
	call->headers = NULL;
	ret = add_header(call, "Content-Type",
			 target->grpc ? "application/grpc" : "application/x-protobuf");
	if (!ret && target->grpc)
		ret = add_header(call, "TE", "trailers");
	if (!ret && target->packing != ND_PACKING_NONE)
		ret = add_header(call, target->grpc ? "grpc-encoding" : "Content-Encoding",
				 nd_packing_name(target->packing));
	for (i = 0; i < target->header_count && !ret; i++)
		ret = add_header(call, target->headers[i].name, target->headers[i].value);
	if (ret)
		return ret;
	/* The whole request at once, without asking first whether it may come. */
	list = curl_slist_append(call->headers, "Expect:");
	if (!list)
		return -ENOMEM;
	call->headers = list;
	return 0;
}

static bool set_options(struct nd_http_call *call, const struct nd_export_target *target,
			const void *body, size_t len)
{
	CURL *easy = call->easy;
	CURLcode code = CURLE_OK;

	curl_easy_reset(easy);
#define SET(option, value)                                                                         \
	if (code == CURLE_OK)                                                                      \
	code = curl_easy_setopt(easy, option, value)
	SET(CURLOPT_PRIVATE, (void *)call);
	SET(CURLOPT_URL, target->url);
	/* What a server sends elsewhere does not get our headers and data there. */
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_NOSIGNAL, 1L);
	/*
	 * gRPC has no other version, and without TLS nobody asks which one it shall be.
	 * libcurl 7.88 fails on a second request over such a connection, so each has its own.
	 */
	if (target->grpc) {
		SET(CURLOPT_HTTP_VERSION, (long)(strncasecmp(target->url, "https:", 6)
							 ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
							 : CURL_HTTP_VERSION_2TLS));
		SET(CURLOPT_FRESH_CONNECT, 1L);
		SET(CURLOPT_FORBID_REUSE, 1L);
	}
	SET(CURLOPT_USERAGENT, call->http->user_agent);
	SET(CURLOPT_HTTPHEADER, call->headers);
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	SET(CURLOPT_POSTFIELDS, body);
	SET(CURLOPT_TIMEOUT_MS, (long)(target->timeout_ns / ND_NSEC_PER_MSEC));
	SET(CURLOPT_ERRORBUFFER, call->error);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, (void *)call);
	SET(CURLOPT_HEADERFUNCTION, take_headers);
	SET(CURLOPT_HEADERDATA, (void *)call);
	if (target->certificate)
		SET(CURLOPT_CAINFO, target->certificate);
	if (target->client_certificate)
		SET(CURLOPT_SSLCERT, target->client_certificate);
	if (target->client_key)
		SET(CURLOPT_SSLKEY, target->client_key);
#undef SET
	return code == CURLE_OK;
}

int nd_http_post(struct nd_http_call *call, const struct nd_export_target *target, const void *body,
		 size_t len)
{
	struct nd_http_answer *answer = &call->answer;

	nd_buf_reset(&answer->body);
	answer->status = 0;
	answer->is_final = false;
	answer->error[0] = answer->retry_after[0] = answer->date[0] = answer->content_type[0] =
		'\0';
	answer->trailers = (struct nd_grpc_trailers){0};
	call->error[0] = '\0';
	if (add_headers(call, target) || !set_options(call, target, body, len) ||
	    curl_multi_add_handle(call->http->multi, call->easy) != CURLM_OK)
		return -ENOMEM;
	call->busy = true;
	return 0;
}

/* What another try will not mend: it is of our own making. */
static bool is_final(CURLcode code)
{
	switch (code) {
	case CURLE_URL_MALFORMAT:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_WRITE_ERROR: /* of take_body(): the answer is too large */
		return true;
	default:
		return false;
	}
}

/* What libcurl says of these has times and lengths in it, and would be news each time. */
static bool is_plain(CURLcode code)
{
	return code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT ||
	       code == CURLE_PARTIAL_FILE;
}

static void end(struct nd_http_call *call, CURLcode code)
{
	struct nd_http_answer *answer = &call->answer;

	call->busy = false;
	curl_multi_remove_handle(call->http->multi, call->easy);
	if (code == CURLE_OK) {
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &answer->status);
		return;
	}
	answer->is_final = is_final(code);
	if (nd_buf_error(&answer->body))
		snprintf(answer->error, sizeof(answer->error), "the answer is too large");
	else
		snprintf(answer->error, sizeof(answer->error), "%s",
			 call->error[0] && !is_plain(code) ? call->error
							   : curl_easy_strerror(code));
}

void nd_http_work(struct nd_http *http, unsigned int wait_ms)
{
	struct nd_http_call *call;
	CURLMsg *message;
	int running, left;

	curl_multi_perform(http->multi, &running);
	if (running && wait_ms) {
		curl_multi_poll(http->multi, NULL, 0, (int)wait_ms, NULL);
		curl_multi_perform(http->multi, &running);
	}
	while ((message = curl_multi_info_read(http->multi, &left))) {
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		end(call, code);
	}
}

bool nd_http_is_busy(const struct nd_http_call *call)
{
	return call->busy;
}

const struct nd_http_answer *nd_http_get_answer(const struct nd_http_call *call)
{
	return &call->answer;
}
