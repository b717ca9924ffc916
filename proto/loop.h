/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
#ifndef NODIAG_PROTO_LOOP_H
#define NODIAG_PROTO_LOOP_H

/*
 * Event loops as the kernel sees them, without an agent: when a thread sleeps in its loop's epoll,
 * when it does not, and why. docs/internals/lag.md is the prose.
 *
 * Shared between BPF and user space: plain fixed-size integers only. All times are monotonic
 * nanoseconds.
 */

#include "proto/channel.h"
#include "proto/sample.h"

/* Where a thread's loop is (libuv's uv_loop_t), as far as its turns can be seen from outside. */
struct nd_loop_place {
	/* libuv's counts of turns, and behind it of events, both uint64_t; 0 before libuv 1.45. */
	uint64_t turns_address;
	/* uint64_t, milliseconds: set when epoll returns, and now and then later in the turn. */
	uint64_t time_address;
	int32_t epoll_fd; /* what it polls at top level; -1: not known */
	uint32_t pad;
};

/* What is known of a loop; made by user space, and from then on written by the kernel only. */
struct nd_loop_state {
	struct nd_loop_place place;
	/* Of the turn that lasts, which began at `counters.busy_since_ns`. */
	uint64_t seen_ns; /* when it was last seen to last */
	uint64_t turns;	  /* the counts then; 0 before the first look, or without counts */
	uint64_t events;
	uint64_t slept_ns;    /* asleep in other places than the loop's epoll */
	uint64_t delayed_ns;  /* could run, but had no CPU */
	uint64_t longest_ns;  /* longest sleep, and in which system call that was */
	int32_t longest_call; /* -1: in none */
	uint32_t stacks;      /* taken of it */
	uint64_t stack_ns;    /* when the last was taken */
	/* Of the thread. */
	uint64_t left_ns;      /* when it left the CPU; 0 while it is on one */
	uint64_t run_delay_ns; /* the kernel's sum of all waits for a CPU, when it last left one */
	uint32_t left_asleep;  /* it left to sleep, and not because another was to run */
	int32_t call;	       /* the system call that it sleeps in, -1: in none */
	uint32_t is_arriving;  /* the wait for a CPU that ends now is not the turn's */
	uint32_t has_ended;
	uint64_t pc; /* where it stopped to run, as in struct nd_sample_stack */
	uint64_t sp;
	uint64_t fp;
	uint64_t bytecode_offset;
	struct nd_loop_counters counters;
};

/* The turn that the samples of this thread that follow belong to. */
struct nd_sample_late {
	struct nd_sample_header header;
	uint64_t start_ns;
};

/* A turn took longer than the threshold; `header.time_ns` is its end. */
struct nd_sample_stall {
	struct nd_sample_header header;
	uint64_t start_ns;
	uint64_t slept_ns;
	uint64_t delayed_ns;
	int32_t longest_call; /* where it slept longest, -1: in no system call */
	uint32_t pad;
};

#endif /* NODIAG_PROTO_LOOP_H */
