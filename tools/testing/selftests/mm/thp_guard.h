/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Settings of huge pages come back however a test ends: passed, failed before
 * its fixture was complete, out of time, or killed with all its children.
 */
#ifndef THP_GUARD_H
#define THP_GUARD_H

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "khugepaged_test.h"

/* Knobs that thp_read_settings() does not know. */
static const char * const thp_guard_knobs[] = {
	"shrink_underused", "shrink_underused_max_zero",
};

static struct thp_settings thp_guarded;
static unsigned long thp_guarded_knob[ARRAY_SIZE(thp_guard_knobs)];
static pid_t thp_guard_of, thp_guard_pid;

static inline void thp_guard_restore(void)
{
	char path[128], text[32];

	thp_write_settings(&thp_guarded);
	for (size_t i = 0; i < ARRAY_SIZE(thp_guard_knobs); i++) {
		snprintf(path, sizeof(path), KHP_ROOT "%s", thp_guard_knobs[i]);
		snprintf(text, sizeof(text), "%lu", thp_guarded_knob[i]);
		file_write(path, text);
	}
}

/* Nobody goes on setting things when the test is gone. */
static inline void thp_guard_child(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* In a process of its own, which outlives the test. */
static inline void thp_guard_wait(const sigset_t *end)
{
	int sig;

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() == thp_guard_of)
		sigwait(end, &sig);
	/* Killed: its children go one after the other. */
	if (getppid() != thp_guard_of)
		usleep(200000);
	thp_guard_restore();
	_exit(0);
}

static inline void thp_guard_end(void)
{
	/* Children of the test have this handler, too. */
	if (getpid() != thp_guard_of)
		return;
	kill(thp_guard_pid, SIGTERM);
	waitpid(thp_guard_pid, NULL, 0);
}

/* To be called by main(), before anything is set. */
static inline void thp_guard_begin(void)
{
	sigset_t end, before;

	if (geteuid() || access(KHP_ROOT "enabled", W_OK))
		return;
	thp_read_settings(&thp_guarded);
	for (size_t i = 0; i < ARRAY_SIZE(thp_guard_knobs); i++)
		thp_guarded_knob[i] = thp_read_num(thp_guard_knobs[i]);
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, &before);
	fflush(NULL);
	thp_guard_of = getpid();
	thp_guard_pid = fork();
	if (!thp_guard_pid)
		thp_guard_wait(&end);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (thp_guard_pid > 0) {
		pthread_atfork(NULL, NULL, thp_guard_child);
		atexit(thp_guard_end);
	}
}

#endif /* THP_GUARD_H */
