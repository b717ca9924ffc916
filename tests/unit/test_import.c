/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/profile/import.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/gzip.h"
#include "analyzer/profile/profile.h"
#include "common/buf.h"
#include "common/err.h"

#define CPUPROFILE "{\"nodes\":[{\"id\":1,\"callFrame\":{\"functionName\":\"f\"},\"hitCount\":3}]}"
/* string_table "" "f", one sample type, function 1, location 1, a sample of 3. */
#define PPROF                                                                                      \
	"\x0a\x00\x32\x00\x32\x01"                                                                 \
	"f\x2a\x04\x08\x01\x10\x01\x22\x06\x08\x01\x22\x02\x08\x01\x12\x04\x08\x01\x10\x03"

static int import(const char *data, size_t len, struct nd_err *err)
{
	struct nd_profile *profile = NULL;
	uint32_t unused;
	int ret = nd_import_profile(data, len, &profile, err);

	if (ret)
		return ret;
	assert_true(nd_profile_nodes(profile, &unused)[0].total == 3);
	assert_string_equal(nd_profile_frames(profile, &unused)[0].name, "f");
	nd_profile_free(profile);
	return 0;
}

/* Plain and packed. */
static void check(const char *data, size_t len, int want)
{
	struct nd_buf packed;
	struct nd_err err;
	int ret = import(data, len, &err);

	if (ret != want)
		fail_msg("'%s' gives %d: %s", data, ret, err.what);
	nd_buf_init(&packed, 10000);
	assert_int_equal(nd_gzip(data, len, &packed), 0);
	assert_int_equal(import(packed.data, packed.len, &err), want);
	nd_buf_fini(&packed);
}

#define CHECK(data, want) check(data, sizeof(data) - 1, want)

static void test_known_formats(void **state)
{
	CHECK("f 3\n", 0);
	CHECK("\n# comment\nf 3", 0);
	CHECK("\xef\xbb\xbf"
	      "f 3\r\n",
	      0);
	CHECK(CPUPROFILE, 0);
	CHECK(" \n" CPUPROFILE, 0);
	CHECK("\xef\xbb\xbf" CPUPROFILE, 0);
	CHECK(PPROF, 0);
}

static void test_unknown_formats(void **state)
{
	CHECK("", -ENOTSUP);
	CHECK("\n\n", -ENOTSUP);
	CHECK("hello\n", -ENOTSUP);
	CHECK("#!/bin/sh\necho 3\n", -ENOTSUP);
	CHECK("<html>3</html>", -ENOTSUP);
	CHECK("{\"traceEvents\":[]}", -ENOTSUP);
	CHECK("{\"snapshot\":{},\"nodes\":[1,2]}", -ENOTSUP);
	CHECK("\x7f"
	      "ELF\x02\x01\x01",
	      -ENOTSUP);
	CHECK("\x00\x01\x02", -ENOTSUP);
	CHECK("\x0b\x01\x02", -ENOTSUP);
}

static void test_broken_files(void **state)
{
	CHECK("f 3\ng\n", -EBADMSG);
	CHECK("{\"nodes\":[{\"callFrame\":", -EBADMSG);
	CHECK("\x0a\x04\x08\x01", -EBADMSG);
}

static void test_hint(void **state)
{
	struct nd_err err;

	assert_int_equal(import("hello\n", 6, NULL), -ENOTSUP);
	assert_int_equal(import("hello\n", 6, &err), -ENOTSUP);
	assert_non_null(strstr(err.hint, ".cpuprofile"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_formats),
		cmocka_unit_test(test_unknown_formats),
		cmocka_unit_test(test_broken_files),
		cmocka_unit_test(test_hint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
