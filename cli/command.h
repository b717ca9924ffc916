/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_COMMAND_H
#define NODIAG_CLI_COMMAND_H

/*
 * A command is a file: cli/NAME.c has its options, its help and command_NAME(). To add one: write
 * that file, list it here and in the table of main.c, in docs/man and in the completion.
 *
 * argv[0] is "nodiag NAME". The return value is the process's exit status.
 */

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,	     /* wrong options or arguments */
	EXIT_NO_TARGET = 3,  /* no such process, or not one of Node.js */
	EXIT_PERMISSION = 4, /* this user may not do that */
	EXIT_THRESHOLD = 5,  /* a --fail-if threshold was crossed */
	/* With "-- COMMAND", whose own status is passed on otherwise: */
	EXIT_COMMAND_NODIAG = 125, /* nodiag itself failed */
	EXIT_COMMAND_NOT_RUNNABLE = 126,
	EXIT_COMMAND_NOT_FOUND = 127,
};

int command_ps(int argc, char **argv);
int command_stack(int argc, char **argv);
int command_flame(int argc, char **argv);
int command_lag(int argc, char **argv);
int command_trace(int argc, char **argv);
int command_heap(int argc, char **argv);
int command_record(int argc, char **argv);
int command_collect(int argc, char **argv);
int command_export(int argc, char **argv);
int command_attach(int argc, char **argv);
int command_detach(int argc, char **argv);
int command_check(int argc, char **argv);

#endif /* NODIAG_CLI_COMMAND_H */
