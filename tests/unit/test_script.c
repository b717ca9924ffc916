/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"

/* Command lines of Node.js, "|" standing for a NUL. */
static const struct {
	const char *args;
	const char *script; /* NULL: none */
	const char *text;
} samples[] = {
	{"node|server.js", "server.js", "server.js"},
	{"/usr/bin/node|/srv/app/server.js|--port|3000", "/srv/app/server.js",
	 "/srv/app/server.js --port 3000"},
	{"node|--max-old-space-size=4096|--inspect|dist/main.js", "dist/main.js", "dist/main.js"},
	{"node|-r|ts-node/register|--require|./a.js|app.ts", "app.ts", "app.ts"},
	{"node|--import=tsx|--env-file|.env|app.ts|-r|x", "app.ts", "app.ts -r x"},
	{"node|--import|tsx|.", ".", "."},
	{"node|--|-odd.js|a", "-odd.js", "-odd.js a"},
	{"node22|a.mjs", "a.mjs", "a.mjs"},
	{"node|/usr/lib/node_modules/npm/bin/npm-cli.js|run|start",
	 "/usr/lib/node_modules/npm/bin/npm-cli.js",
	 "/usr/lib/node_modules/npm/bin/npm-cli.js run start"},
	{"node|app.js|an argument|", "app.js", "app.js an argument"},
	/* No script. */
	{"node", NULL, "node"},
	{"/usr/local/bin/node", NULL, "node"},
	{"node|-", NULL, "node -"},
	{"node|-i", NULL, "node -i"},
	{"node|-e|setInterval(f, 1)|x", NULL, "node -e setInterval(f, 1) x"},
	{"node|--test", NULL, "node --test"},
	{"node|--run|build", NULL, "node --run build"},
	{"node|-r", NULL, "node -r"},
	{"node|--", NULL, "node --"},
	/* process.title. */
	{"next-server (v14.1.0)", NULL, "next-server (v14.1.0)"},
	{"PM2 v5.3.0: God Daemon (/root/.pm2)", NULL, "PM2 v5.3.0: God Daemon (/root/.pm2)"},
	{"node /srv/app/server.js", NULL, "node /srv/app/server.js"},
	{"npm run start", NULL, "npm run start"},
	{"worker", NULL, "worker"},
	/* Programs that have Node.js inside: their name is what people know. */
	{"/opt/renamed|server.js|-x", "server.js", "renamed server.js -x"},
	{"/opt/tool|serve", "serve", "tool serve"},
	{"", NULL, ""},
};

static size_t to_args(const char *text, char args[256])
{
	size_t len = strlen(text), i;

	snprintf(args, 256, "%s", text);
	for (i = 0; i < len; i++)
		if (args[i] == '|')
			args[i] = '\0';
	while (len && !args[len - 1])
		len--;
	return len;
}

static void test_samples(void **state)
{
	const char *script;
	struct nd_buf text;
	char args[256];
	size_t i, len;

	nd_buf_init(&text, 1024);
	for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		len = to_args(samples[i].args, args);
		script = script_find(args, len);
		if (!script != !samples[i].script ||
		    (script && strcmp(script, samples[i].script) != 0))
			fail_msg("%s: script '%s'", samples[i].args, script ? script : "(none)");
		nd_buf_reset(&text);
		script_describe(args, len, &text);
		if (strcmp(text.data, samples[i].text) != 0)
			fail_msg("%s: '%s'", samples[i].args, text.data);
	}
	nd_buf_fini(&text);
}

static void test_names(void **state)
{
	assert_string_equal(script_name("node\0/srv/server.js\0-x", 22), "server.js");
	assert_string_equal(script_name("next-server (v14.1.0)", 21), "next-server (v14.1.0)");
	assert_string_equal(script_name("/usr/bin/node", 13), "node");
	assert_string_equal(script_name("", 0), "node");
}

static void test_base(void **state)
{
	assert_string_equal(script_base("/srv/app/server.js"), "server.js");
	assert_string_equal(script_base("server.js"), "server.js");
	assert_string_equal(script_base("/"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
