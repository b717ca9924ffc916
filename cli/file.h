/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_FILE_H
#define NODIAG_CLI_FILE_H

struct nd_buf;
struct nd_err;

/* Append a whole file to `out`. -EFBIG when it does not fit. */
int file_read(const char *path, struct nd_buf *out, struct nd_err *err);

#endif /* NODIAG_CLI_FILE_H */
