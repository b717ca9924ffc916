/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_STACK_REQUESTS_H
#define NODIAG_CLI_STACK_REQUESTS_H

/*
 * Which requests the threads of a process are in, where the agent traces them: read from outside,
 * while they stand still, so that a thread that hangs tells it too.
 */

#include <sys/types.h>

struct nd_event_span;
struct stack_requests;

/* NULL where there is no agent that traces, or no memory. Before the process is stopped. */
struct stack_requests *stack_requests_new(pid_t pid);
void stack_requests_free(struct stack_requests *requests);

/*
 * As nd_snapshot_look (probes/snapshot.h), with a struct stack_requests or NULL: note which request
 * a thread that stands still is in. Makes some 30 short system calls.
 */
void stack_requests_look(void *arg, pid_t tid);

/* What was noted of a thread: as of ND_EVENT_SPAN_START, or with a status when it was answered. */
const struct nd_event_span *stack_requests_find(const struct stack_requests *requests, pid_t tid);

#endif /* NODIAG_CLI_STACK_REQUESTS_H */
