/* SPDX-License-Identifier: Apache-2.0 */

/* What threads are there for, and how their stacks are shown. */

#include "analyzer/stacks/stacks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "analyzer/render/render.h"
#include "common/buf.h"
#include "proto/span.h"

#define NODE "/usr/bin/node"
#define PID  4242

struct world {
	struct nd_profile *profile;
	struct nd_stacks stacks;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct nd_process_stacks *process;

	w->profile = nd_profile_new(false);
	nd_stacks_init(&w->stacks, w->profile);
	process = nd_stacks_add_process(&w->stacks, PID);
	strcpy(process->title, "app.js");
	strcpy(process->runtime, "Node.js v22.23.3 (V8 12.4.254)");
	process->stopped_ns = 400000;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	nd_stacks_fini(&w->stacks);
	nd_profile_free(w->profile);
	free(w);
	return 0;
}

static struct nd_call call(struct world *w, const char *name, const char *file,
			   enum nd_frame_kind kind)
{
	struct nd_frame frame = {.name = name, .file = file, .kind = kind};
	struct nd_call made = {0};

	assert_int_equal(nd_profile_add_frame(w->profile, &frame, &made.frame), 0);
	return made;
}

static struct nd_call native(struct world *w, const char *name)
{
	return call(w, name, NODE, ND_FRAME_NATIVE);
}

static struct nd_call script(struct world *w, const char *name, uint32_t line)
{
	struct nd_frame frame = {
		.name = name, .file = "/app/app.js", .line = 3, .column = 10, .kind = ND_FRAME_JS};
	struct nd_call made = {.line = line, .column = line ? 5 : 0, .tier = ND_TIER_IGNITION};

	assert_int_equal(nd_profile_add_frame(w->profile, &frame, &made.frame), 0);
	return made;
}

static const struct nd_thread_stack *add(struct world *w, pid_t tid, const char *comm,
					 struct nd_call *calls, size_t depth)
{
	struct nd_thread_stack thread = {
		.info = {.tid = tid, .state = ND_THREAD_WAITING, .syscall = "futex"},
		.calls = calls,
		.depth = depth,
	};

	strcpy(thread.info.comm, comm);
	assert_int_equal(nd_stacks_add_thread(&w->stacks, &thread, false), 0);
	return &w->stacks.processes[0].threads[w->stacks.processes[0].count - 1];
}

static void check_role(struct world *w, const char *root, const char *comm,
		       enum nd_thread_role role)
{
	struct nd_call calls[2] = {native(w, "uv_cond_wait"), native(w, root)};

	assert_int_equal(add(w, PID + 1, comm, calls, 2)->role, role);
}

static void test_roles(void **state)
{
	struct world *w = *state;
	struct nd_call pool[] = {
		call(w, "[libuv.so.1.0.0]", "/usr/lib/libuv.so.1.0.0", ND_FRAME_NATIVE)};

	check_role(w, "node::worker::Worker::StartThread(...)::{lambda(void*)#1}::_FUN", "node",
		   ND_ROLE_WORKER);
	check_role(w, "worker", "node", ND_ROLE_POOL);
	check_role(w, "worker_main", "node", ND_ROLE_OTHER);
	check_role(w, "node::(anonymous namespace)::PlatformWorkerThread", "node", ND_ROLE_V8);
	check_role(w, "node::WorkerThreadsTaskRunner::DelayedTaskScheduler::Run", "node",
		   ND_ROLE_V8_DELAYED);
	check_role(w, "node::inspector::(anonymous namespace)::StartIoThreadMain", "node",
		   ND_ROLE_DEBUG_SIGNAL);
	check_role(w, "node::inspector::InspectorIo::ThreadMain", "node", ND_ROLE_INSPECTOR);
	/* Where the stack does not tell, the name does. */
	check_role(w, "[node]", "node-V8Worker", ND_ROLE_V8);
	check_role(w, "[node]", "libuv-worker", ND_ROLE_POOL);
	check_role(w, "addon::run", "node", ND_ROLE_OTHER);
	assert_int_equal(add(w, PID + 1, "node", pool, 1)->role, ND_ROLE_POOL);
	assert_int_equal(add(w, PID + 1, "iou-wrk-4242", NULL, 0)->role, ND_ROLE_IO_URING);
	assert_int_equal(add(w, PID, "libuv-worker", NULL, 0)->role, ND_ROLE_MAIN);
}

static void test_whoever_ran_js_is_a_worker(void **state)
{
	struct world *w = *state;
	struct nd_thread_stack thread = {.info = {.tid = PID + 1}};

	assert_int_equal(nd_stacks_add_thread(&w->stacks, &thread, true), 0);
	assert_int_equal(w->stacks.processes[0].threads[0].role, ND_ROLE_WORKER);
}

/* A main thread in recursion, two idle pool threads, and one of the pool that is busy. */
static void fill(struct world *w)
{
	struct nd_call main_calls[] = {script(w, "walk", 7),
				       script(w, "walk", 7),
				       script(w, "walk", 7),
				       script(w, "start", 0),
				       call(w, "JSEntry", "", ND_FRAME_BUILTIN),
				       native(w, "node::Start")};
	struct nd_call idle[] = {native(w, "uv_cond_wait"), native(w, "worker")};
	struct nd_call busy[] = {call(w, "evil\x1b[31m", "/a/b.so", ND_FRAME_NATIVE),
				 native(w, "worker")};

	main_calls[1].inlined = true;
	main_calls[1].tier = ND_TIER_TURBOFAN;
	add(w, PID, "node", main_calls, 6);
	add(w, PID + 1, "libuv-worker", idle, 2);
	add(w, PID + 2, "libuv-worker", busy, 2);
	add(w, PID + 3, "libuv-worker", idle, 2);
}

static void check_text(const struct world *w, bool colour, const char *want)
{
	struct nd_buf text;

	nd_buf_init(&text, 1 << 20);
	assert_int_equal(nd_render_stacks(&w->stacks, colour, &text), 0);
	assert_string_equal(text.data, want);
	nd_buf_fini(&text);
}

static void test_text(void **state)
{
	struct world *w = *state;

	fill(w);
	check_text(w, false,
		   "process 4242: app.js, Node.js v22.23.3 (V8 12.4.254)\n"
		   "\n"
		   "main thread 4242: waiting in futex\n"
		   "    at walk (/app/app.js:7:5)  [Ignition]  \xc3\x97 3\n"
		   "    at start (/app/app.js:3:10)  [Ignition, definition]\n"
		   "       JSEntry  [builtin]\n"
		   "       node::Start  [node]\n"
		   "\n"
		   "2 libuv pool threads (4243, 4245): waiting in futex\n"
		   "       uv_cond_wait  [node]\n"
		   "       worker  [node]\n"
		   "\n"
		   "libuv pool thread 4244: waiting in futex\n"
		   "       evil\xef\xbf\xbd[31m  [b.so]\n"
		   "       worker  [node]\n");
}

static void test_colour(void **state)
{
	struct world *w = *state;
	struct nd_call calls[] = {script(w, "walk", 7)};

	add(w, PID, "node", calls, 1);
	check_text(w, true,
		   "\033[1mprocess 4242: app.js\033[0m, Node.js v22.23.3 (V8 12.4.254)\n"
		   "\n"
		   "\033[1mmain thread 4242\033[0m: waiting in futex\n"
		   "    at \033[1;33mwalk\033[0m (/app/app.js:7:5)\033[2m  [Ignition]\033[0m\n");
}

/* The heading of the main thread, after "main thread 4242". */
static void check_heading(struct world *w, const struct nd_thread_stack *thread, const char *want)
{
	char text[512];

	assert_int_equal(nd_stacks_add_thread(&w->stacks, thread, false), 0);
	snprintf(text, sizeof(text),
		 "process 4242: app.js, Node.js v22.23.3 (V8 12.4.254)\n\nmain thread 4242%s",
		 want);
	check_text(w, false, text);
	free(w->stacks.processes[0].threads[0].calls);
	w->stacks.processes[0].count = 0;
	free(w->stacks.processes[0].threads);
	w->stacks.processes[0].threads = NULL;
}

static void test_states(void **state)
{
	struct world *w = *state;
	struct nd_call collects = call(w, "(garbage collector)", "", ND_FRAME_GC);
	struct nd_thread_stack thread = {
		.info = {.tid = PID, .state = ND_THREAD_UNINTERRUPTIBLE, .missing = ND_THREAD_LATE},
	};

	check_heading(w, &thread,
		      ": in uninterruptible sleep\n"
		      "    no stack: it did not stop in time\n");
	strcpy(thread.info.syscall, "fsync");
	check_heading(w, &thread,
		      ": in uninterruptible sleep in fsync\n"
		      "    no stack: it did not stop in time\n");
	thread.info.state = ND_THREAD_SYSCALL;
	thread.info.job_stopped = true;
	thread.info.missing = ND_THREAD_UNREADABLE;
	check_heading(w, &thread,
		      ": stopped by a signal, in fsync\n"
		      "    no stack: its registers or its memory could not be read\n");
	thread = (struct nd_thread_stack){
		.info = {.tid = PID, .state = ND_THREAD_RUNNING, .later_ns = 12300000},
		.calls = &collects,
		.depth = 1,
		.rootless = true,
	};
	check_heading(w, &thread,
		      ": running, collecting garbage (12 ms later)\n"
		      "       (garbage collector)\n"
		      "       [root missing]\n");
}

static json_t *render_json(const struct world *w)
{
	struct nd_buf text;
	json_error_t error;
	json_t *json;

	nd_buf_init(&text, 1 << 20);
	assert_int_equal(nd_render_stacks_json(&w->stacks, &text), 0);
	json = json_loadb(text.data, text.len, 0, &error);
	if (!json)
		fail_msg("%s, line %d", error.text, error.line);
	nd_buf_fini(&text);
	return json;
}

static void test_json(void **state)
{
	struct world *w = *state;
	json_t *json, *process, *thread, *first;
	const char *name, *file, *kind, *tier, *role, *state_key, *syscall;
	int line, column, definition, inlined;

	fill(w);
	json = render_json(w);
	process = json_array_get(json_object_get(json, "processes"), 0);
	assert_int_equal(json_integer_value(json_object_get(process, "stopped_ns")), 400000);
	assert_int_equal(json_array_size(json_object_get(process, "threads")), 4);
	thread = json_array_get(json_object_get(process, "threads"), 0);
	assert_int_equal(json_unpack(thread, "{s:s, s:s, s:s, s:n, s:n}", "role", &role, "state",
				     &state_key, "syscall", &syscall, "work", "missing"),
			 0);
	assert_string_equal(role, "main");
	assert_string_equal(state_key, "waiting");
	assert_string_equal(syscall, "futex");
	assert_int_equal(json_array_size(json_object_get(thread, "stack")), 6);
	first = json_array_get(json_object_get(thread, "stack"), 1);
	assert_int_equal(json_unpack(first, "{s:s, s:s, s:s, s:s, s:i, s:i, s:b, s:{s:i}}", "name",
				     &name, "file", &file, "kind", &kind, "tier", &tier, "line",
				     &line, "column", &column, "inlined", &inlined, "definition",
				     "line", &definition),
			 0);
	assert_string_equal(name, "walk");
	assert_string_equal(file, "/app/app.js");
	assert_string_equal(kind, "js");
	assert_string_equal(tier, "turbofan");
	assert_int_equal(line, 7);
	assert_int_equal(column, 5);
	assert_int_equal(definition, 3);
	assert_true(inlined);
	json_decref(json);
}

/* A request that is not answered yet, and then one that is. */
static void test_request(void **state)
{
	static const char *const texts[ND_SPAN_TEXTS] = {"GET", "", "/users/17\x1b", "", "", ""};
	struct world *w = *state;
	union {
		struct nd_event_span span;
		char room[256];
	} u = {.span = {.kind = ND_SPAN_SERVER, .trace_id = {0xab}, .span_id = {0xcd}}};
	struct nd_thread_stack thread = {
		.info = {.tid = PID, .state = ND_THREAD_RUNNING},
		.request = &u.span,
		.request_ns = 1500000000,
	};
	const char *method, *route, *path;
	struct nd_buf text;
	json_t *json;
	int age;

	nd_span_set_texts(&u.span, texts);
	assert_int_equal(nd_stacks_add_thread(&w->stacks, &thread, true), 0);
	json = render_json(w);
	assert_int_equal(json_unpack(json, "{s:[{s:[{s:{s:s,s:s},s:s,s:i}]}]}", "processes",
				     "threads", "request", "method", &method, "route", &route,
				     "request_path", &path, "request_ns", &age),
			 0);
	assert_string_equal(method, "GET");
	assert_string_equal(path, "/users/17\x1b");
	assert_int_equal(age, 1500000000);
	json_decref(json);
	u.span.status = 503;
	assert_int_equal(nd_stacks_add_thread(&w->stacks, &thread, true), 0);
	nd_buf_init(&text, 1 << 20);
	assert_int_equal(nd_render_stacks(&w->stacks, false, &text), 0);
	assert_non_null(strstr(text.data,
			       "    for GET /users/17\xef\xbf\xbd, begun 1.50 s ago, trace ab00"));
	assert_non_null(strstr(text.data, "begun 1.50 s ago, answered with 503, trace ab00"));
	nd_buf_fini(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_roles),  TEST(test_whoever_ran_js_is_a_worker),
		TEST(test_text),   TEST(test_colour),
		TEST(test_states), TEST(test_request),
		TEST(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
