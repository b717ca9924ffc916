/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inspector.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "cli/websocket.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/procfs.h"
#include "proto/limits.h"

/* How long the debugger may take to open; it takes some milliseconds. */
#define OPEN_MS	     2000
#define OPEN_LOOK_MS 20

/* Where Node's debugger listens, unless it is told otherwise. */
#define INSPECTOR_PORT 9229

/* Ports of one process that are told apart. */
#define PORTS_MAX 256

/* State of a listening socket in /proc/PID/net/tcp. */
#define TCP_LISTEN 0x0a

/* How many messages the debugger may send before its answer: events of scripts that it knows. */
#define MESSAGES_MAX 1000

/* Whether the process has a socket, by its inode. */
static bool has_socket(pid_t pid, uint64_t inode)
{
	char folder[64], link[64], wanted[64];
	struct dirent *entry;
	bool found = false;
	ssize_t len;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%d/fd", pid);
	snprintf(wanted, sizeof(wanted), "socket:[%" PRIu64 "]", inode);
	dir = opendir(folder);
	while (dir && !found && (entry = readdir(dir))) {
		len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		link[len > 0 ? len : 0] = '\0';
		found = !strcmp(link, wanted);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* A line of /proc/net/tcp: "sl local:port remote:port state ... uid timeout inode". */
static bool is_listening(const char *line, uint32_t *ret_address, uint16_t *ret_port,
			 uint64_t *ret_inode)
{
	unsigned int address, port, state;

	if (sscanf(line, " %*d: %8X:%4X %*8X:%*4X %2X %*s %*s %*s %*d %*d %" SCNu64, &address,
		   &port, &state, ret_inode) != 4 ||
	    state != TCP_LISTEN)
		return false;
	*ret_address = address;
	*ret_port = (uint16_t)port;
	return true;
}

/* Ports of 127.0.0.1 that the process listens at. */
static size_t find_ports(pid_t pid, uint16_t *ports, size_t max)
{
	char path[64], line[512];
	uint32_t address;
	size_t count = 0;
	uint64_t inode;
	uint16_t port;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/net/tcp", pid);
	f = fopen(path, "re");
	while (f && count < max && fgets(line, sizeof(line), f))
		if (is_listening(line, &address, &port, &inode) && (address & 0xff) == 127 &&
		    has_socket(pid, inode))
			ports[count++] = port;
	if (f)
		fclose(f);
	return count;
}

/* The path of a debugger's WebSocket, from what it says of itself. */
static int find_path(uint16_t port, char *path, size_t size)
{
	struct nd_buf body;
	json_t *list = NULL;
	const char *url, *slash = NULL;
	int fd = websocket_connect(port), ret;

	if (fd < 0)
		return fd;
	nd_buf_init(&body, ND_INSPECTOR_TEXT_MAX);
	ret = websocket_get(fd, "/json/list", &body);
	close(fd);
	if (!ret)
		list = json_loadb(body.data, body.len, 0, NULL);
	nd_buf_fini(&body);
	url = json_string_value(json_object_get(json_array_get(list, 0), "webSocketDebuggerUrl"));
	if (url && strlen(url) > strlen("ws://"))
		slash = strchr(url + strlen("ws://"), '/');
	if (slash)
		snprintf(path, size, "%s", slash);
	json_decref(list);
	return ret ? ret : slash ? 0 : -EPROTO;
}

static bool is_in(const uint16_t *ports, size_t count, uint16_t port)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (ports[i] == port)
			return true;
	return false;
}

/*
 * The debugger's port is one that was not there before the signal. The program's own ports are not
 * asked: a server need not bear a request that is not for it. One that was open before is looked
 * for at Node's own port only.
 */
static bool find_debugger_port(pid_t pid, const uint16_t *before, size_t before_count,
			       uint16_t *ret_port)
{
	uint16_t ports[PORTS_MAX];
	size_t count = find_ports(pid, ports, PORTS_MAX), i;

	for (i = 0; i < count; i++)
		if (!is_in(before, before_count, ports[i])) {
			*ret_port = ports[i];
			return true;
		}
	return false;
}

static int open_debugger(pid_t pid, uint16_t *ret_port, char *path, size_t size, struct nd_err *err)
{
	uint16_t before[PORTS_MAX];
	size_t count = find_ports(pid, before, PORTS_MAX);
	bool found = is_in(before, count, INSPECTOR_PORT);
	int waited, ret;

	*ret_port = INSPECTOR_PORT;
	if (!found && kill(pid, SIGUSR1))
		return nd_err_set_errno(err, -errno, "cannot send SIGUSR1 to %d", pid);
	for (waited = 0; !found && waited < OPEN_MS; waited += OPEN_LOOK_MS) {
		poll(NULL, 0, OPEN_LOOK_MS);
		found = find_debugger_port(pid, before, count, ret_port);
	}
	if (!found) {
		nd_err_set(err, -EBUSY, "the debugger of %d does not open", pid);
		return nd_err_hint(err, "the program may handle SIGUSR1 itself, or run with "
					"--disable-sigusr1");
	}
	ret = find_path(*ret_port, path, size);
	return ret ? nd_err_set_errno(err, ret, "port %u of %d is no debugger", *ret_port, pid) : 0;
}

/* "" or what the expression threw. */
static int read_answer(const struct nd_buf *text, bool *ret_is_answer, struct nd_err *err)
{
	json_t *message = json_loadb(text->data, text->len, 0, NULL);
	json_t *result = json_object_get(message, "result");
	json_t *exception = json_object_get(result, "exceptionDetails");
	const char *what = json_string_value(
		json_object_get(json_object_get(exception, "exception"), "description"));
	int ret = 0;

	*ret_is_answer = json_integer_value(json_object_get(message, "id")) == 1;
	if (*ret_is_answer && exception)
		ret = nd_err_set(err, -EINVAL, "it threw %.400s", what ? what : "something");
	else if (*ret_is_answer && !result)
		ret = nd_err_set(err, -EPROTO, "the debugger refused to evaluate");
	json_decref(message);
	return ret;
}

static int send_expression(int fd, const char *expression)
{
	json_t *request =
		json_pack("{s:i, s:s, s:{s:s, s:b}}", "id", 1, "method", "Runtime.evaluate",
			  "params", "expression", expression, "includeCommandLineAPI", 1);
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	int ret = text ? websocket_send(fd, text, strlen(text)) : -ENOMEM;

	free(text);
	json_decref(request);
	return ret;
}

static int evaluate(int fd, const char *expression, struct nd_err *err)
{
	bool is_answer = false;
	struct nd_buf text;
	int ret = send_expression(fd, expression), messages;

	nd_buf_init(&text, ND_INSPECTOR_TEXT_MAX);
	for (messages = 0; !ret && !is_answer && messages < MESSAGES_MAX; messages++) {
		ret = websocket_receive(fd, &text);
		if (!ret && read_answer(&text, &is_answer, err)) {
			nd_buf_fini(&text);
			return err->code;
		}
	}
	nd_buf_fini(&text);
	return ret ? nd_err_set_errno(err, ret, "the debugger does not answer") : 0;
}

int inspector_evaluate(pid_t pid, const char *expression, struct nd_err *err)
{
	char path[256];
	uint16_t port;
	int fd, ret = open_debugger(pid, &port, path, sizeof(path), err);

	if (ret)
		return ret;
	fd = websocket_connect(port);
	if (fd < 0)
		return nd_err_set_errno(err, fd, "cannot connect to the debugger of %d", pid);
	ret = websocket_upgrade(fd, path);
	ret = ret ? nd_err_set_errno(err, ret, "cannot talk to the debugger of %d", pid)
		  : evaluate(fd, expression, err);
	close(fd);
	return ret;
}
