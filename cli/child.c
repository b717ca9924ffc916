/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/interrupt.h"
#include "common/err.h"

/* Runs in the child: wait for the word, then become the command. */
static void become(char **command, int go_fd, int status_fd)
{
	char go;
	ssize_t n;
	int error;

	do {
		n = read(go_fd, &go, 1);
	} while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(EXIT_COMMAND_NODIAG); /* nodiag gave up */
	signal(SIGPIPE, SIG_DFL);
	execvp(command[0], command);
	error = errno;
	if (write(status_fd, &error, sizeof(error)) < 0)
		_exit(EXIT_COMMAND_NODIAG);
	_exit(error == ENOENT ? EXIT_COMMAND_NOT_FOUND : EXIT_COMMAND_NOT_RUNNABLE);
}

int child_start(struct child *child, char **command, struct nd_err *err)
{
	int go[2], status[2];

	*child = (struct child){.pid = -1, .go_fd = -1, .status_fd = -1};
	if (pipe2(go, O_CLOEXEC))
		return nd_err_set_errno(err, -errno, "cannot make a pipe");
	if (pipe2(status, O_CLOEXEC)) {
		close(go[0]);
		close(go[1]);
		return nd_err_set_errno(err, -errno, "cannot make a pipe");
	}
	child->pid = fork();
	if (child->pid == 0) {
		close(go[1]);
		become(command, go[0], status[1]);
	}
	close(go[0]);
	close(status[1]);
	child->go_fd = go[1];
	child->status_fd = status[0];
	if (child->pid < 0)
		return nd_err_set_errno(err, -errno, "cannot start '%s'", command[0]);
	return 0;
}

static void close_pipes(struct child *child)
{
	if (child->go_fd >= 0)
		close(child->go_fd);
	if (child->status_fd >= 0)
		close(child->status_fd);
	child->go_fd = child->status_fd = -1;
}

int child_go(struct child *child, char **command, struct nd_err *err)
{
	int error = 0;
	ssize_t n;

	if (write(child->go_fd, "", 1) != 1) {
		nd_err_set_errno(err, -errno, "cannot start '%s'", command[0]);
		return EXIT_COMMAND_NODIAG;
	}
	/* Closed by a successful exec: then there is nothing to read. */
	do {
		n = read(child->status_fd, &error, sizeof(error));
	} while (n < 0 && errno == EINTR);
	close_pipes(child);
	if (n != sizeof(error))
		return 0;
	child_reap(child, true);
	nd_err_set_errno(err, -error, "cannot run '%s'", command[0]);
	nd_err_hint(err, "give the path of a program, as in: -- node app.js");
	return error == ENOENT ? EXIT_COMMAND_NOT_FOUND : EXIT_COMMAND_NOT_RUNNABLE;
}

bool child_reap(struct child *child, bool wait)
{
	int status;
	pid_t pid;

	if (child->pid < 0 || child->ended)
		return true;
	do {
		pid = waitpid(child->pid, &status, wait ? 0 : WNOHANG);
	} while (pid < 0 && errno == EINTR);
	if (pid != child->pid)
		return pid < 0;
	child->ended = true;
	child->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return true;
}

int child_wait(struct child *child)
{
	if (child->pid <= 0)
		return EXIT_DONE;
	interrupt_catch();
	child_reap(child, true);
	interrupt_release();
	return child->status;
}

void child_cancel(struct child *child)
{
	if (child->go_fd < 0)
		return;
	close_pipes(child);
	child_reap(child, true);
}
