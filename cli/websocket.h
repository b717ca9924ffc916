/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_WEBSOCKET_H
#define NODIAG_CLI_WEBSOCKET_H

/*
 * As much of HTTP/1.1 and of WebSocket (RFC 6455) as it takes to talk to the debugger of a Node.js
 * process on this machine: one answer with a length, and text messages in one frame each. Every
 * wait is bounded.
 */

#include <stddef.h>
#include <stdint.h>

struct nd_buf;

/* Connect to 127.0.0.1. Returns a descriptor, or a negative errno. */
int websocket_connect(uint16_t port);

/* GET a path, and append the body of the answer, which must be 200. -EPROTO when it is not. */
int websocket_get(int fd, const char *path, struct nd_buf *body);

/* Let the connection become a WebSocket. */
int websocket_upgrade(int fd, const char *path);

/* Send or receive one text message; what is no text is skipped. -EPIPE when the other end closed.
 */
int websocket_send(int fd, const char *text, size_t len);
int websocket_receive(int fd, struct nd_buf *text);

#endif /* NODIAG_CLI_WEBSOCKET_H */
