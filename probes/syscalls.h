/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROBES_SYSCALLS_H
#define NODIAG_PROBES_SYSCALLS_H

#include <stddef.h>

/* The name of a system call in `buf`, or its number when it is none that threads wait in. */
void nd_syscall_name(int number, char *buf, size_t size);

#endif /* NODIAG_PROBES_SYSCALLS_H */
