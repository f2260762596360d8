// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the KUnit suites of the pure rooms and prints TAP.
 *
 * usage: hugepage-test [-s SEED] [-r REPEAT] [-n OPS] [NAME-PART]
 *
 * A run is repeatable: the seed is printed, and round i of a repetition uses
 * SEED + i.  Exit status: 0 when every test passed.
 */
#include <kunit/test.h>
#include <linux/list.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#define HARNESS_SUITES_MAX	16
#define HARNESS_FAILURES_SHOWN	5
/* Longer than any round takes: a test that hangs has failed. */
#define HARNESS_SECONDS_MAX	300

static struct kunit_suite *harness_suites[HARNESS_SUITES_MAX];
static unsigned int harness_suite_count;
static struct kunit *harness_running;
static unsigned int harness_failures;
static unsigned int harness_number;
static unsigned int harness_passed;
static unsigned int harness_failed;
static const char *harness_wanted = "";

void harness_add_suite(struct kunit_suite *suite)
{
	if (harness_suite_count == HARNESS_SUITES_MAX)
		abort();
	harness_suites[harness_suite_count++] = suite;
}

void harness_leave(struct kunit *test)
{
	longjmp(test->leave, 1);
}

void harness_fail(struct kunit *test, bool leave, const char *file, int line,
		  const char *fmt, ...)
{
	va_list args;

	test->failed = true;
	if (harness_failures++ < HARNESS_FAILURES_SHOWN) {
		printf("# %s:%d: expected ", file, line);
		va_start(args, fmt);
		vprintf(fmt, args);
		va_end(args);
		putchar('\n');
	}
	if (leave)
		harness_leave(test);
}

void harness_broken(const char *file, int line, const char *what)
{
	if (!harness_running) {
		printf("Bail out! %s:%d: %s\n", file, line, what);
		exit(1);
	}
	harness_fail(harness_running, false, file, line, "no such thing: %s",
		     what);
}

/* ---- actions ---- */

struct harness_action {
	struct list_head	link;
	kunit_action_t		*run;
	void			*context;
};

int kunit_add_action(struct kunit *test, kunit_action_t *run, void *context)
{
	struct harness_action *action = malloc(sizeof(*action));

	if (!action)
		abort();
	action->run = run;
	action->context = context;
	list_add(&action->link, &test->actions);
	return 0;
}

int kunit_add_action_or_reset(struct kunit *test, kunit_action_t *run,
			      void *context)
{
	return kunit_add_action(test, run, context);
}

void kunit_remove_action(struct kunit *test, kunit_action_t *run,
			 void *context)
{
	struct harness_action *action;

	list_for_each_entry(action, &test->actions, link) {
		if (action->run != run || action->context != context)
			continue;
		list_del(&action->link);
		free(action);
		return;
	}
}

void kunit_release_action(struct kunit *test, kunit_action_t *run,
			  void *context)
{
	kunit_remove_action(test, run, context);
	run(context);
}

static void harness_run_actions(struct kunit *test)
{
	struct harness_action *action, *next;

	list_for_each_entry_safe(action, next, &test->actions, link) {
		list_del(&action->link);
		action->run(action->context);
		free(action);
	}
}

void *kunit_kzalloc(struct kunit *test, size_t size, gfp_t gfp)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	kunit_add_action(test, free, p);
	return p;
}

/* ---- running ---- */

static void harness_run_guarded(struct kunit *test, struct kunit_suite *suite,
				struct kunit_case *what)
{
	if (setjmp(test->leave))
		return;
	if (suite->init && suite->init(test)) {
		harness_fail(test, false, suite->name, 0, "init to succeed");
		return;
	}
	what->run_case(test);
}

static void harness_run_exit(struct kunit *test, struct kunit_suite *suite)
{
	if (suite->exit && !setjmp(test->leave))
		suite->exit(test);
	harness_run_actions(test);
}

static void harness_run_one(struct kunit_suite *suite, struct kunit_case *what,
			    const void *param, const char *desc)
{
	unsigned long alive = harness_allocs_alive();
	struct kunit test = { .name = what->name, .param_value = param };

	INIT_LIST_HEAD(&test.actions);
	harness_running = &test;
	harness_failures = 0;
	harness_run_guarded(&test, suite, what);
	harness_fail_alloc(0);
	harness_run_exit(&test, suite);

	if (harness_locks_held) {
		harness_fail(&test, false, suite->name, 0, "no lock held");
		harness_locks_held = 0;
	}
	if (!test.failed && harness_allocs_alive() != alive)
		harness_fail(&test, false, suite->name, 0, "no leak, not %ld",
			     harness_allocs_alive() - alive);
	harness_running = NULL;

	printf("%s %u - %s.%s%s%s%s\n", test.failed ? "not ok" : "ok",
	       ++harness_number, suite->name, what->name, *desc ? " " : "",
	       desc, test.skipped ? " # SKIP" : "");
	harness_failed += test.failed;
	harness_passed += !test.failed;
}

static void harness_run_case(struct kunit_suite *suite, struct kunit_case *what)
{
	char desc[KUNIT_PARAM_DESC_SIZE] = "";
	const void *param = NULL;

	if (!what->generate_params) {
		harness_run_one(suite, what, NULL, desc);
		return;
	}
	while ((param = what->generate_params(param, desc))) {
		harness_run_one(suite, what, param, desc);
		desc[0] = '\0';
	}
}

static void harness_run_suite(struct kunit_suite *suite)
{
	struct kunit_case *what;

	if (suite->suite_init && suite->suite_init(suite)) {
		printf("not ok %u - %s suite_init\n", ++harness_number,
		       suite->name);
		harness_failed++;
		return;
	}
	for (what = suite->test_cases; what->run_case; what++) {
		if (strstr(suite->name, harness_wanted) ||
		    strstr(what->name, harness_wanted))
			harness_run_case(suite, what);
	}
	if (suite->suite_exit)
		suite->suite_exit(suite);
}

int main(int argc, char **argv)
{
	unsigned long repeat = 1, round;
	unsigned int i;
	int opt;

	harness_seed = time(NULL);
	while ((opt = getopt(argc, argv, "s:r:n:")) != -1) {
		switch (opt) {
		case 's':
			harness_seed = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			repeat = strtoul(optarg, NULL, 0);
			break;
		case 'n':
			harness_ops = strtoul(optarg, NULL, 0);
			break;
		default:
			fprintf(stderr, "usage: %s %s\n", argv[0],
				"[-s SEED] [-r REPEAT] [-n OPS] [NAME-PART]");
			return 2;
		}
	}
	if (optind < argc)
		harness_wanted = argv[optind];

	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("TAP version 14");
	for (round = 0; round < repeat; round++, harness_seed++) {
		printf("# seed %lu, %lu random operations per test\n",
		       harness_seed, harness_ops);
		harness_reseed();
		alarm(HARNESS_SECONDS_MAX);
		for (i = 0; i < harness_suite_count; i++)
			harness_run_suite(harness_suites[i]);
	}
	printf("1..%u\n%u passed, %u failed\n", harness_number, harness_passed,
	       harness_failed);
	return harness_failed || !harness_passed;
}
