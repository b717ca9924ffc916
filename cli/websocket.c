/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/websocket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/buf.h"

/* Nothing on this machine takes longer, but a process that gets no CPU. */
#define TIMEOUT_SECONDS 5

/* An answer's head; the debugger's has 120 bytes. */
#define HEAD_MAX 4096

/* RFC 6455, 5.2. */
#define FIN	     0x80
#define MASKED	     0x80
#define OPCODE_MASK  0x0f
#define OPCODE_TEXT  1
#define OPCODE_CLOSE 8
#define LENGTH_16    126
#define LENGTH_64    127

int websocket_connect(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval timeout = {.tv_sec = TIMEOUT_SECONDS};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ret;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

static int send_all(int fd, const void *data, size_t len)
{
	const char *at = data;
	ssize_t n;

	for (; len; at += n, len -= (size_t)n) {
		n = send(fd, at, len, MSG_NOSIGNAL);
		if (n <= 0)
			return n ? -errno : -EPIPE;
	}
	return 0;
}

static int receive_all(int fd, void *buf, size_t len)
{
	char *at = buf;
	ssize_t n;

	for (; len; at += n, len -= (size_t)n) {
		n = recv(fd, at, len, 0);
		if (n <= 0)
			return n ? -errno : -EPIPE;
	}
	return 0;
}

/* The head of an answer, up to its empty line; byte by byte, since what follows is not the head's.
 */
static int receive_head(int fd, char head[HEAD_MAX])
{
	size_t len = 0;
	int ret;

	while (len < 4 || strcmp(head + len - 4, "\r\n\r\n") != 0) {
		if (len == HEAD_MAX - 1)
			return -EPROTO;
		ret = receive_all(fd, head + len, 1);
		if (ret)
			return ret;
		head[++len] = '\0';
	}
	return 0;
}

static int ask(int fd, const char *path, const char *more, const char *wanted, char head[HEAD_MAX])
{
	char request[1024];
	int len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n",
			   path, more),
	    ret;

	if (len >= (int)sizeof(request))
		return -EINVAL;
	ret = send_all(fd, request, (size_t)len);
	if (!ret)
		ret = receive_head(fd, head);
	if (ret)
		return ret;
	/* "HTTP/1.0 200 OK": which of the two does not matter here. */
	if (strncmp(head, "HTTP/1.", 7) != 0 || strncmp(head + 8, wanted, strlen(wanted)) != 0)
		return -EPROTO;
	return 0;
}

int websocket_get(int fd, const char *path, struct nd_buf *body)
{
	char head[HEAD_MAX], *at;
	const char *length;
	size_t len;
	int ret = ask(fd, path, "", " 200 ", head);

	if (ret)
		return ret;
	length = strcasestr(head, "\r\nContent-Length:");
	if (!length)
		return -EPROTO;
	len = strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
	at = nd_buf_reserve(body, len);
	if (!at)
		return nd_buf_error(body);
	ret = receive_all(fd, at, len);
	if (!ret)
		body->len += len;
	return ret;
}

int websocket_upgrade(int fd, const char *path)
{
	/* The key is there to keep caches away, of which there are none between us. */
	static const char more[] = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
				   "Sec-WebSocket-Version: 13\r\n"
				   "Sec-WebSocket-Key: bm9kaWFnLW5vZGlhZy0xMg==\r\n";
	char head[HEAD_MAX];

	return ask(fd, path, more, " 101 ", head);
}

/* A client's frames are masked, so that no proxy takes them for something else. */
static void mask(char *data, size_t len, const uint8_t key[4])
{
	size_t i;

	for (i = 0; i < len; i++)
		data[i] ^= (char)key[i % 4];
}

static size_t make_header(uint8_t header[14], size_t len, const uint8_t key[4])
{
	size_t at = 0, shift;

	header[at++] = FIN | OPCODE_TEXT;
	if (len < LENGTH_16) {
		header[at++] = (uint8_t)(MASKED | len);
	} else {
		header[at++] = MASKED | LENGTH_64;
		for (shift = 64; shift; shift -= 8)
			header[at++] = (uint8_t)((uint64_t)len >> (shift - 8));
	}
	memcpy(header + at, key, 4);
	return at + 4;
}

int websocket_send(int fd, const char *text, size_t len)
{
	uint8_t header[14], key[4];
	char *masked = malloc(len);
	int ret;

	if (!masked)
		return -ENOMEM;
	memcpy(masked, text, len);
	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		memset(key, 0, sizeof(key));
	mask(masked, len, key);
	ret = send_all(fd, header, make_header(header, len, key));
	if (!ret)
		ret = send_all(fd, masked, len);
	free(masked);
	return ret;
}

static int receive_length(int fd, uint8_t first, uint64_t *ret_len)
{
	uint8_t bytes[8];
	size_t count = first == LENGTH_16 ? 2 : first == LENGTH_64 ? 8 : 0, i;
	int ret = receive_all(fd, bytes, count);

	if (ret)
		return ret;
	*ret_len = count ? 0 : first;
	for (i = 0; i < count; i++)
		*ret_len = *ret_len << 8 | bytes[i];
	return 0;
}

/* One frame, whatever it is, into `text`, which is emptied before. */
static int receive_frame(int fd, struct nd_buf *text, uint8_t *ret_opcode)
{
	uint8_t header[2];
	uint64_t len;
	char *at;
	int ret = receive_all(fd, header, sizeof(header));

	if (!ret)
		ret = header[1] & MASKED ? -EPROTO : receive_length(fd, header[1], &len);
	if (ret)
		return ret;
	nd_buf_reset(text);
	at = nd_buf_reserve(text, len);
	if (!at)
		return nd_buf_error(text);
	ret = receive_all(fd, at, len);
	if (!ret)
		text->len = len;
	*ret_opcode = header[0] & OPCODE_MASK;
	return ret;
}

int websocket_receive(int fd, struct nd_buf *text)
{
	uint8_t opcode;
	int ret;

	do {
		ret = receive_frame(fd, text, &opcode);
		if (!ret && opcode == OPCODE_CLOSE)
			ret = -EPIPE;
	} while (!ret && opcode != OPCODE_TEXT);
	return ret;
}
