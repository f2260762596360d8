// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin for QEMU's TCG, x86-64 system emulation with one CPU: how many
 * instructions each function of the kernel executed between two marks.
 *
 * Arguments: symbols=FILE, a System.map; out=FILE.  The output has, for every
 * stretch between marks,
 *
 *	window NUMBER LAP INTERRUPTS
 *	COUNT FUNCTION
 *	...
 *
 * Every instruction adds one to the counter of its function, so does each turn
 * of a "rep".  What interrupts execute is taken out and appears as INTERRUPTS.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "marks.h"
#include "qemu_plugin.h"

int qemu_plugin_version = 1;

/* ---- functions ---- */

struct function {
	uint64_t start;
	char *name;
};

static struct function *functions;	/* by start; 0 is all of user space */
static size_t nr_functions;

/* One counter for each function. */
static uint64_t *counts;
static uint64_t *counts_at_mark;
static uint64_t *counts_at_irq;
static uint64_t *counts_in_irq;		/* since the mark */

static void function_add(uint64_t start, const char *name)
{
	struct function *last = functions + nr_functions - 1;

	/* Of several names for one place, one that is not internal. */
	if (nr_functions > 1 && last->start == start) {
		if (name[0] == '_')
			return;
		nr_functions--;
	} else if (!(nr_functions & (nr_functions - 1))) {
		functions = realloc(functions, 2 * (nr_functions + 1) *
				    sizeof(*functions));
	}
	functions[nr_functions].start = start;
	functions[nr_functions].name = strdup(name);
	nr_functions++;
}

/* System.map is sorted by address. */
static int functions_read(const char *path)
{
	FILE *map = fopen(path, "r");
	unsigned long long start;
	char name[512], type;

	if (!map)
		return -errno;
	function_add(0, "user");
	/* Kernel addresses below the first function of the map. */
	function_add(1ULL << 63, "elsewhere");
	while (fscanf(map, "%llx %c %511s", &start, &type, name) == 3) {
		if (strchr("tTwW", type) && start >> 63)
			function_add(start, name);
	}
	fclose(map);
	return nr_functions > 2 ? 0 : -EINVAL;
}

static size_t function_find(uint64_t addr)
{
	size_t low = 0, high = nr_functions;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (functions[middle].start <= addr)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* ---- interrupts ---- */

static bool in_irq;

static void irq_enter(unsigned int cpu, void *data)
{
	in_irq = true;
	memcpy(counts_at_irq, counts, nr_functions * sizeof(*counts));
}

/* At iretq.  A switch to another task ends the interrupt for us, too. */
static void irq_leave(unsigned int cpu, void *data)
{
	size_t i;

	if (!in_irq)
		return;
	in_irq = false;
	for (i = 0; i < nr_functions; i++)
		counts_in_irq[i] += counts[i] - counts_at_irq[i];
}

static bool is_irq_entry(const char *name)
{
	return !strncmp(name, "asm_sysvec_", 11) ||
	       !strcmp(name, "asm_common_interrupt");
}

/* ---- windows ---- */

static FILE *out;
static unsigned int window, lap;

static void window_reset(void)
{
	memcpy(counts_at_mark, counts, nr_functions * sizeof(*counts));
	memset(counts_in_irq, 0, nr_functions * sizeof(*counts));
}

static void window_report(void)
{
	uint64_t n, interrupts = 0;
	size_t i;

	for (i = 0; i < nr_functions; i++)
		interrupts += counts_in_irq[i];
	fprintf(out, "window %u %u %llu\n", window, lap,
		(unsigned long long)interrupts);
	for (i = 0; i < nr_functions; i++) {
		n = counts[i] - counts_at_mark[i] - counts_in_irq[i];
		if (n)
			fprintf(out, "%llu %s\n", (unsigned long long)n,
				functions[i].name);
	}
	fflush(out);
}

static void mark_open(unsigned int cpu, void *data)
{
	lap = 0;
	window_reset();
}

static void mark_lap(unsigned int cpu, void *data)
{
	window_report();
	lap++;
	window_reset();
}

static void mark_close(unsigned int cpu, void *data)
{
	window_report();
	window++;
}

static exec_cb_t mark_callback(const void *insn)
{
	static const unsigned char opcode[] = { 0x0f, 0x1f, 0x80 };
	uint32_t number;

	if (memcmp(insn, opcode, sizeof(opcode)))
		return NULL;
	memcpy(&number, (const char *)insn + sizeof(opcode), sizeof(number));
	switch (number) {
	case MARK_OPEN:
		return mark_open;
	case MARK_LAP:
		return mark_lap;
	case MARK_CLOSE:
		return mark_close;
	}
	return NULL;
}

/* ---- translation ---- */

static exec_cb_t callback(const struct qemu_plugin_insn *insn,
			  const struct function *function)
{
	static const unsigned char iretq[] = { 0x48, 0xcf };
	const void *bytes = qemu_plugin_insn_data(insn);
	size_t size = qemu_plugin_insn_size(insn);

	if (function == functions)
		return size == MARK_SIZE ? mark_callback(bytes) : NULL;
	if (size == sizeof(iretq) && !memcmp(bytes, iretq, sizeof(iretq)))
		return irq_leave;
	if (qemu_plugin_insn_vaddr(insn) != function->start)
		return NULL;
	if (!strcmp(function->name, "__switch_to_asm"))
		return irq_leave;
	return is_irq_entry(function->name) ? irq_enter : NULL;
}

static void count_insn(struct qemu_plugin_insn *insn, uint64_t *counter)
{
	enum qemu_plugin_op op = QEMU_PLUGIN_INLINE_ADD_U64;

	qemu_plugin_register_vcpu_insn_exec_inline(insn, op, counter, 1);
}

static void call_at_insn(struct qemu_plugin_insn *insn, exec_cb_t cb)
{
	enum qemu_plugin_cb_flags flags = QEMU_PLUGIN_CB_NO_REGS;

	qemu_plugin_register_vcpu_insn_exec_cb(insn, cb, flags, NULL);
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		size_t f = function_find(qemu_plugin_insn_vaddr(insn));
		exec_cb_t cb = callback(insn, functions + f);

		count_insn(insn, counts + f);
		if (cb)
			call_at_insn(insn, cb);
	}
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info,
			int argc, char **argv)
{
	int i, err = -EINVAL;

	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "symbols=", 8))
			err = functions_read(argv[i] + 8);
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
	}
	if (err || !out) {
		fprintf(stderr, "count: symbols=FILE,out=FILE: %s\n",
			strerror(err ? -err : errno));
		return -1;
	}
	counts = calloc(4 * nr_functions, sizeof(*counts));
	counts_at_mark = counts + nr_functions;
	counts_at_irq = counts_at_mark + nr_functions;
	counts_in_irq = counts_at_irq + nr_functions;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	return 0;
}
