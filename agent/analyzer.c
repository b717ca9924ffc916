/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The program must not see that it started something: no child, no SIGCHLD, no handler of
 * pthread_atfork(), no descriptor or memory that lives on. So the analyzer is the child of a child
 * that ends at once, and that one ends without a signal. Both are made by clone() as posix_spawn()
 * does it: they share the memory, in which only they run meanwhile on the agent's side.
 */

#include "agent/analyzer.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/child.h"
#include "agent/log.h"
#include "agent/otel.h"
#include "common/clock.h"
#include "proto/channel.h"
#include "proto/socket.h"

/* How long the analyzer waits for another process when the last has ended. */
#define IDLE_OPTION "--idle=10s"

/* How long an analyzer may take to come, or to come back, before the log says that none did. */
#define COMES_WITHIN_NS	 (5 * ND_NSEC_PER_SEC)
#define RETURN_WITHIN_NS ND_NSEC_PER_SEC

/* Stacks of the two children: they do nothing but system calls. */
#define CHILD_STACK 16384

static struct {
	char output[ND_OUTPUT_PATTERN_MAX];
	char heap_folder[ND_OUTPUT_PATTERN_MAX];
	char program[4096];
	bool is_known;		/* what the environment asks for */
	char **environment;	/* for the analyzer; one block, NULL: none is to be started */
	uint64_t due_ns;	/* until when it should come; 0: it has, or none is to */
	const char *is_missing; /* what the log says then */
} analyzer;

/* What a start needs, and what became of it. */
struct start {
	char **argv;
	char **environment;
	char *child_stack;
	volatile int error;
};

/* Folders of the program, as seen from that of the core: as installed, and as built. */
static const char *const folders[] = {ND_BIN_FROM_CORE, "../../cli"};

/* The program may go to another folder before a file is made. */
static bool make_absolute(const char *path, char *ret, size_t size)
{
	size_t len = 0;

	if (*path != '/') {
		if (!getcwd(ret, size))
			return false;
		len = strlen(ret);
		if (len + 1 < size && len > 1)
			ret[len++] = '/';
	}
	if (len + strlen(path) >= size)
		return false;
	strcpy(ret + len, path);
	return true;
}

/* A variable that names a place for files of the analyzer; "" where it does not. */
static void read_place(const char *variable, char ret[ND_OUTPUT_PATTERN_MAX])
{
	const char *place = secure_getenv(variable);

	if (!place || !*place || make_absolute(place, ret, ND_OUTPUT_PATTERN_MAX))
		return;
	ret[0] = '\0';
	nd_log("the path of %s is too long", variable);
}

static bool find_program(void)
{
	const char *wanted = secure_getenv("NODIAG_ANALYZER");
	char path[sizeof(analyzer.program)];
	const char *slash;
	Dl_info self;
	size_t i;

	if (wanted && *wanted) {
		snprintf(analyzer.program, sizeof(analyzer.program), "%s", wanted);
		return true;
	}
	if (!dladdr((void *)find_program, &self) || !(slash = strrchr(self.dli_fname, '/')))
		return false;
	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%.*s/%s/nodiag", (int)(slash - self.dli_fname),
			 self.dli_fname, folders[i]);
		if (realpath(path, analyzer.program) && !access(analyzer.program, X_OK))
			return true;
	}
	return false;
}

/*
 * What is for this process is not for the analyzer, which must not get an agent itself, and sends
 * what others do to where they want it.
 */
static bool is_passed_on(const char *variable)
{
	return strncmp(variable, "LD_PRELOAD=", 11) != 0 &&
	       strncmp(variable, "LD_AUDIT=", 9) != 0 && strncmp(variable, "NODIAG_", 7) != 0 &&
	       strncmp(variable, "OTEL_", 5) != 0;
}

/* A copy of the environment with room for one variable more, as one block; NULL: out of memory. */
static char **copy_environment(void)
{
	size_t count = 0, bytes = 0, i, len;
	char **copy, *text;

	for (i = 0; environ && environ[i]; i++)
		bytes += strlen(environ[i]) + 1;
	copy = malloc((i + 2) * sizeof(*copy) + bytes);
	if (!copy)
		return NULL;
	text = (char *)(copy + i + 2);
	for (i = 0; environ && environ[i]; i++) {
		if (!is_passed_on(environ[i]))
			continue;
		len = strlen(environ[i]) + 1;
		copy[count++] = memcpy(text, environ[i], len);
		text += len;
	}
	copy[count] = copy[count + 1] = NULL;
	return copy;
}

void nd_analyzer_read_environment(void)
{
	/* Also when the agent was stopped and is started again: that is no new process. */
	if (analyzer.is_known)
		return;
	analyzer.is_known = true;
	read_place("NODIAG_OUTPUT", analyzer.output);
	read_place("NODIAG_HEAP_SNAPSHOT", analyzer.heap_folder);
	if (!nd_analyzer_is_wanted())
		return;
	if (find_program())
		analyzer.environment = copy_environment();
	else
		nd_log("no analyzer is started: there is no nodiag beside the agent; "
		       "NODIAG_ANALYZER may name one");
}

bool nd_analyzer_is(pid_t pid)
{
	struct stat ours, theirs;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return analyzer.program[0] && !stat(analyzer.program, &ours) && !stat(path, &theirs) &&
	       ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

bool nd_analyzer_is_wanted(void)
{
	return analyzer.output[0] || analyzer.heap_folder[0] || nd_otel_get_exports();
}

const char *nd_analyzer_get_output(void)
{
	return analyzer.output;
}

const char *nd_analyzer_get_heap_folder(void)
{
	return analyzer.heap_folder;
}

/* In the second child. */
static int become(void *arg)
{
	struct start *start = arg;

	nd_child_forget_handlers();
	nd_child_close_descriptors(-1);
	nd_child_be_nice();
	if (!chdir("/"))
		execve(start->argv[0], start->argv, start->environment);
	start->error = errno;
	_exit(1);
}

/* In the first child: its own is nobody's when it ends. */
static int detach(void *arg)
{
	struct start *start = arg;

	setsid();
	if (clone(become, start->child_stack + CHILD_STACK, CLONE_VM | CLONE_VFORK, start) < 0)
		start->error = errno;
	_exit(0);
}

/* Returns an errno. Without a number for it, the child's end is no signal, and for us alone. */
static int spawn(char **argv, char **environment)
{
	char stack[2 * CHILD_STACK] __attribute__((aligned(16)));
	struct start start = {.argv = argv, .environment = environment, .child_stack = stack};
	pid_t child = clone(detach, stack + sizeof(stack), CLONE_VM | CLONE_VFORK, &start);

	if (child < 0)
		return errno;
	while (waitpid(child, NULL, __WCLONE) < 0 && errno == EINTR)
		;
	return start.error;
}

/* An analyzer holds the lock for as long as it runs. */
static bool is_running(const char *folder)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[256];
	bool is_held;
	int fd;

	if (nd_socket_make_lock_path(folder, path, sizeof(path)))
		return false;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	is_held = !fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK;
	close(fd);
	return is_held;
}

static void expect(uint64_t within_ns, const char *is_missing)
{
	analyzer.due_ns = nd_clock_monotonic_ns() + within_ns;
	analyzer.is_missing = is_missing;
}

void nd_analyzer_start(const char *folder)
{
	char command[] = "collect", idle[] = IDLE_OPTION, variable[256];
	char *argv[] = {analyzer.program, command, idle, NULL};
	char **environment = analyzer.environment;
	size_t count = 0;
	int error;

	if (!environment)
		return;
	analyzer.environment = NULL;
	while (environment[count])
		count++;
	snprintf(variable, sizeof(variable), "NODIAG_SOCKET=%s", folder);
	environment[count] = variable;
	error = is_running(folder) ? 0 : spawn(argv, environment);
	if (error)
		nd_log("cannot start the analyzer '%s': %s", analyzer.program, strerror(error));
	else
		expect(COMES_WITHIN_NS, "the analyzer did not come");
	free(environment);
}

void nd_analyzer_has_come(void)
{
	analyzer.due_ns = 0;
}

void nd_analyzer_has_gone(void)
{
	if (nd_analyzer_is_wanted())
		expect(RETURN_WITHIN_NS, "the analyzer has gone");
}

int nd_analyzer_wait(int timeout_ms)
{
	uint64_t now_ns = nd_clock_monotonic_ns(), left_ms;

	if (!analyzer.due_ns)
		return timeout_ms;
	if (now_ns >= analyzer.due_ns) {
		nd_log("nobody records this process: %s", analyzer.is_missing);
		analyzer.due_ns = 0;
		return timeout_ms;
	}
	left_ms = (analyzer.due_ns - now_ns) / ND_NSEC_PER_MSEC + 1;
	return timeout_ms < 0 || (uint64_t)timeout_ms > left_ms ? (int)left_ms : timeout_ms;
}
