/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_BASE64_H
#define NODIAG_ANALYZER_SYMBOLS_BASE64_H

/* The value of a base64 digit (RFC 4648, section 4), -1 for anything else. */
static inline int nd_base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

#endif /* NODIAG_ANALYZER_SYMBOLS_BASE64_H */
