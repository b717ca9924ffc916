/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_COMMON_SIPHASH_H
#define NODIAG_COMMON_SIPHASH_H

/* SipHash-2-4 of Aumasson and Bernstein: who does not have the key cannot try texts. */

#include <stddef.h>
#include <stdint.h>

uint64_t nd_siphash(const uint64_t key[2], const void *data, size_t len);

#endif /* NODIAG_COMMON_SIPHASH_H */
