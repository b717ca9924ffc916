/* SPDX-License-Identifier: Apache-2.0 */

/*
 * nodiag collect: the analyzer of one user's processes. It looks after the folder of their sockets,
 * and gives each process that asks for a recording a child of its own, so that nothing that one of
 * them does can harm what is recorded of another.
 */

#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/collect_process.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/record_session.h"
#include "cli/term.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/limits.h"
#include "proto/socket.h"

#define DEFAULT_HZ 99

/* Children are looked after so often; sockets that come are seen at once. */
#define LOOK_MS 200

/* Sockets of one folder; more processes with an agent one user will not have. */
#define SOCKETS_MAX 4096

/* A process's socket that was seen. One that is made anew is another's. */
struct seen {
	pid_t pid;
	ino_t inode;
	pid_t recorder; /* the child that looks after it; 0: none any more, -1: none yet */
	bool is_there;
};

struct collect {
	struct record_options options;
	uint64_t idle_ns; /* end when there was nothing to record for so long; 0: do not */
	struct arguments arguments;
	char folder[256];
	int lock_fd;
	int watch_fd; /* of inotify; -1: there is none, and looks have to do */
	struct seen *seen;
	size_t count;
	size_t recorders;
	struct nd_err err;
};

enum { OPT_THRESHOLD = 256, OPT_IDLE };

static const struct argp_option options[] = {
	{NULL, 0, NULL, 0, "Recording", 1},
	{"threshold", OPT_THRESHOLD, "TIME", 0,
	 "An iteration of an event loop that lasts so long is a stall (default 50ms, at least 1ms)",
	 1},
	{"idle", OPT_IDLE, "TIME", 0,
	 "End when nothing was to be recorded for that long (default: wait for ever)", 1},
	ARGUMENTS_HELP_OPTIONS,
	{0},
};

static const char documentation[] =
	"Record all your Node.js processes that have the agent and ask for it: those that were "
	"started with NODIAG_OUTPUT=FILE, each into a file of its own, until it ends. 'nodiag "
	"flame' and 'nodiag lag' read the files. Those that were started with "
	"OTEL_EXPORTER_OTLP_ENDPOINT=URL are sent to an OpenTelemetry collector, and of those with "
	"NODIAG_HEAP_SNAPSHOT=FOLDER there is a heap snapshot when the heap is full.\v"
	"There is no need to run it: the first process that asks starts it, and it ends 10 s after "
	"the last. One is enough for all processes of a user.\n\n"
	"Examples:\n"
	"  LD_PRELOAD=/usr/local/lib/libnodiag-agent.so NODIAG_OUTPUT=%p.nd node app.js\n"
	"  LD_PRELOAD=/usr/local/lib/libnodiag-agent.so "
	"OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 node app.js\n"
	"  nodiag collect --threshold 20ms &\n\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage.";

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct collect *c = state->input;

	switch (key) {
	case OPT_THRESHOLD:
		return arguments_parse_threshold(arg, &c->options.threshold_ns, &c->err);
	case OPT_IDLE:
		return arguments_parse_time(arg, &c->idle_ns, &c->err);
	default:
		return arguments_parse(key, state, &c->arguments, &c->err);
	}
}

static const struct argp argp = {options, parse_option, "", documentation, NULL, NULL, NULL};

static int parse_arguments(struct collect *c, int argc, char **argv)
{
	int ret = arguments_read(&argp, argc, argv, c, &c->err);

	if (ret)
		return ret;
	if (!c->arguments.help && c->arguments.count) {
		nd_err_set(&c->err, -EINVAL, "'%s': nodiag collect takes no target",
			   c->arguments.list[0]);
		nd_err_hint(&c->err,
			    "nodiag record PID records a process that does not ask for it");
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

/* The first folder that an agent with our environment would take. */
static int find_folder(struct collect *c)
{
	int choice, ret;

	for (choice = 0;; choice++) {
		ret = nd_socket_make_folder(choice, getenv("NODIAG_SOCKET"),
					    getenv("XDG_RUNTIME_DIR"), geteuid(), c->folder,
					    sizeof(c->folder));
		if (ret == -ENOENT)
			break;
		if (!ret && !nd_socket_claim_folder(c->folder))
			return 0;
	}
	nd_err_set(&c->err, -EPERM, "there is no folder of your own for sockets");
	return nd_err_hint(&c->err, "name one with NODIAG_SOCKET, for the processes too");
}

/* Be the one of this folder. Its children do not have the lock. */
static int lock_folder(struct collect *c)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[sizeof(c->folder) + 32];

	nd_socket_make_lock_path(c->folder, path, sizeof(path));
	if (c->lock_fd < 0)
		c->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (c->lock_fd < 0)
		return nd_err_set_errno(&c->err, -errno, "cannot write '%s'", path);
	if (!fcntl(c->lock_fd, F_SETLK, &lock))
		return 0;
	if (!fcntl(c->lock_fd, F_GETLK, &lock) && lock.l_type != F_UNLCK)
		return nd_err_set(&c->err, -EBUSY, "nodiag collect runs already: process %d",
				  lock.l_pid);
	return nd_err_set_errno(&c->err, -EAGAIN, "cannot lock '%s'", path);
}

static void unlock_folder(const struct collect *c)
{
	struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	fcntl(c->lock_fd, F_SETLK, &lock);
}

static void start_recorder(struct collect *c, struct seen *seen)
{
	pid_t parent = getpid();

	fflush(stdout);
	seen->recorder = fork();
	if (seen->recorder > 0)
		c->recorders++;
	if (seen->recorder)
		return;
	/* Should we be killed, what is recorded gets its end. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	_exit(getppid() == parent ? collect_process(seen->pid, c->folder, &c->options)
				  : EXIT_FAILED);
}

/* For those that are new, or had no room for a child at the last try. */
static void start_recorders(struct collect *c)
{
	size_t i;

	for (i = 0; i < c->count; i++)
		if (c->seen[i].recorder < 0)
			start_recorder(c, &c->seen[i]);
}

static int see_socket(struct collect *c, pid_t pid, ino_t inode)
{
	struct seen *grown;
	size_t i;

	for (i = 0; i < c->count; i++)
		if (c->seen[i].pid == pid && c->seen[i].inode == inode) {
			c->seen[i].is_there = true;
			return 0;
		}
	if (c->count == SOCKETS_MAX)
		return 0;
	grown = reallocarray(c->seen, c->count + 1, sizeof(*grown));
	if (!grown)
		return nd_err_set(&c->err, -ENOMEM, "out of memory");
	c->seen = grown;
	c->seen[c->count++] =
		(struct seen){.pid = pid, .inode = inode, .recorder = -1, .is_there = true};
	return 0;
}

/* Those whose socket is gone, and that nobody records any more. */
static void forget_gone(struct collect *c)
{
	size_t i, kept = 0;

	for (i = 0; i < c->count; i++)
		if (c->seen[i].is_there || c->seen[i].recorder > 0)
			c->seen[kept++] = c->seen[i];
	c->count = kept;
}

/* See which processes there are. */
static int look(struct collect *c)
{
	DIR *dir = opendir(c->folder);
	struct dirent *entry;
	struct stat st;
	char *end;
	long pid;
	size_t i;
	int ret = 0;

	if (!dir)
		return nd_err_set_errno(&c->err, -errno, "cannot read '%s'", c->folder);
	for (i = 0; i < c->count; i++)
		c->seen[i].is_there = false;
	while (!ret && (entry = readdir(dir))) {
		pid = strtol(entry->d_name, &end, 10);
		if (pid > 0 && pid <= INT32_MAX && !strcmp(end, ".sock") &&
		    !fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			ret = see_socket(c, (pid_t)pid, st.st_ino);
	}
	closedir(dir);
	forget_gone(c);
	return ret;
}

/* Take leave of the children that have ended. */
static void reap(struct collect *c)
{
	pid_t child;
	size_t i;

	while ((child = waitpid(-1, NULL, WNOHANG)) > 0)
		for (i = 0; i < c->count; i++)
			if (c->seen[i].recorder == child) {
				c->seen[i].recorder = 0;
				c->recorders--;
			}
}

/* Wait until sockets come or go, or for LOOK_MS. */
static void wait_for_sockets(const struct collect *c)
{
	struct pollfd ready = {.fd = c->watch_fd, .events = POLLIN};
	char events[4096];

	if (poll(&ready, 1, LOOK_MS) <= 0)
		return;
	/* What came does not matter: all of the folder is looked at anyway. */
	while (read(c->watch_fd, events, sizeof(events)) > 0)
		;
}

/* Returns 0 when nothing was to be recorded for so long, or the user has enough. */
static int watch(struct collect *c)
{
	uint64_t busy_ns = nd_clock_monotonic_ns(), now_ns = busy_ns;
	int ret = 0;

	while (!ret && !interrupt_was_asked_for() &&
	       (!c->idle_ns || now_ns - busy_ns < c->idle_ns)) {
		ret = look(c);
		start_recorders(c);
		wait_for_sockets(c);
		reap(c);
		now_ns = nd_clock_monotonic_ns();
		if (c->recorders)
			busy_ns = now_ns;
	}
	return ret;
}

/* Let the recordings get their end. Who began to listen for the signal too late gets another. */
static void end_recorders(struct collect *c)
{
	size_t i;

	while (c->recorders) {
		for (i = 0; i < c->count; i++)
			if (c->seen[i].recorder > 0)
				kill(c->seen[i].recorder, SIGTERM);
		poll(NULL, 0, LOOK_MS);
		reap(c);
	}
}

static bool has_new(const struct collect *c)
{
	size_t i;

	for (i = 0; i < c->count && c->seen[i].recorder >= 0;)
		i++;
	return i < c->count;
}

/*
 * A process that starts just now may still have seen the lock. Its socket was there before, so one
 * more look without the lock tells.
 */
static int collect(struct collect *c)
{
	int ret;

	do {
		ret = watch(c);
		unlock_folder(c);
		if (!ret && !interrupt_was_asked_for())
			ret = look(c);
	} while (!ret && !interrupt_was_asked_for() && has_new(c) && !lock_folder(c));
	end_recorders(c);
	return ret;
}

static int run(struct collect *c)
{
	if (find_folder(c) || lock_folder(c))
		return EXIT_FAILED;
	c->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (c->watch_fd >= 0)
		inotify_add_watch(c->watch_fd, c->folder, IN_MOVED_TO | IN_DELETE);
	interrupt_catch();
	return collect(c) ? EXIT_FAILED : EXIT_DONE;
}

int command_collect(int argc, char **argv)
{
	struct collect c = {
		.options = {.session = {.hz = DEFAULT_HZ},
			    .threshold_ns = ND_STALL_THRESHOLD_NS,
			    .agent_only = true},
		.lock_fd = -1,
		.watch_fd = -1,
	};
	int ret = parse_arguments(&c, argc, argv);

	if (!ret && c.arguments.help)
		ret = arguments_print_help(&argp, &c.arguments, argv[0], &c.err);
	else if (!ret)
		ret = run(&c);
	if (ret)
		term_error(&c.err);
	if (c.watch_fd >= 0)
		close(c.watch_fd);
	if (c.lock_fd >= 0)
		close(c.lock_fd);
	free(c.seen);
	return ret;
}
