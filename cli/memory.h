/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_MEMORY_H
#define NODIAG_CLI_MEMORY_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Bytes that a process's children may still take before memory runs out: on the machine
 * (/proc/meminfo), and in each of its memory cgroups that has a limit. UINT64_MAX where nothing
 * says so.
 */
uint64_t memory_get_free(pid_t pid);

#endif /* NODIAG_CLI_MEMORY_H */
