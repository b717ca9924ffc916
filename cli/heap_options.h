/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_HEAP_OPTIONS_H
#define NODIAG_CLI_HEAP_OPTIONS_H

struct heap;

/*
 * Read the command line of 'nodiag heap' into `heap`, or print the help that it asks for, as
 * `heap->arguments.help` says then. An exit status; where that is not 0, `heap->err` says why.
 */
int heap_options_read(struct heap *heap, int argc, char **argv);

#endif /* NODIAG_CLI_HEAP_OPTIONS_H */
