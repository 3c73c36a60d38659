/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `holm boot`: what starts when the host does, in which order; and that as units for systemd (boot/holm-generator).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "cmd/output.h"
#include "cmd/verbs.h"
#include "instances/select.h"

#define DEFAULT_UNITS "/usr/local/lib/systemd/system"

struct boot_options {
	const char *generate, *units;
};

static const struct option rows[] = {
    OPTION(struct boot_options, generate, "generate", 0, STRING, "DIR", "write units for systemd into DIR"),
    OPTION(struct boot_options, units, "units", 0, STRING, "DIR", "where holm@.service is (" DEFAULT_UNITS ")"),
};

/* An instance that is to start. */
struct entry {
	const char *name;
	const char **after; /* of those that are to start, too */
	size_t n_after;
	int64_t delay; /* ns */
};

struct boot {
	struct invocation *call;
	struct entry *entries;
	size_t n, room;
};

static int add(struct instance *i, const struct error *broken, void *data)
{
	struct boot *boot = data;
	struct arena *arena = boot->call->arena;
	struct entry *entry;
	struct spec spec;
	struct error e;

	if (broken || !i->record.up)
		return 0;
	if (instance_load_spec(i, &spec, &e)) {
		log_warning("%s", e.text);
		return 0;
	}
	boot->entries = arena_grow(arena, boot->entries, boot->n, &boot->room, sizeof(*boot->entries));
	entry = &boot->entries[boot->n++];
	*entry = (struct entry){.name = arena_strdup(arena, i->name), .delay = i->record.delay};
	if (spec.holm) {
		entry->after = arena_array(arena, const char *, spec.holm->n_after);
		for (size_t k = 0; k < spec.holm->n_after; k++)
			entry->after[entry->n_after++] = arena_strdup(arena, spec.holm->after[k]);
	}
	spec_release(&spec);
	return 0;
}

static int print(const struct boot *boot, struct error *e)
{
	auto_str out = STR_INIT;

	str_addf(&out, "%-24s %-8s %s\n", "NAME", "DELAY", "AFTER");
	for (size_t i = 0; i < boot->n; i++) {
		const struct entry *entry = &boot->entries[i];
		char delay[32];

		snprintf(delay, sizeof(delay), "%.3gs", (double)entry->delay / 1e9);
		str_addf(&out, "%-24s %-8s", entry->name, entry->delay ? delay : "-");
		for (size_t k = 0; k < entry->n_after; k++)
			str_addf(&out, " %s", entry->after[k]);
		str_add(&out, entry->n_after ? "\n" : " -\n");
	}
	return output_write(str_peek(&out), e);
}

/* ---- units ---- */

/* systemd.unit(5): of the characters of a name only '+' may not be in a unit's; "\x2b" stands for it. */
static const char *unit_name(const char *name, struct arena *arena)
{
	auto_str unit = STR_INIT;

	str_add(&unit, "holm@");
	for (; *name; name++)
		if (*name == '+')
			str_add(&unit, "\\x2b");
		else
			str_add_bytes(&unit, name, 1);
	str_add(&unit, ".service");
	return arena_strdup(arena, str_peek(&unit));
}

static int make_folder(int dir, const char *name, struct error *e)
{
	return mkdirat(dir, name, 0755) && errno != EEXIST ? error_system(e, errno, "make the folder '%s'", name) : 0;
}

static bool starts_too(const struct boot *boot, const char *name)
{
	for (size_t i = 0; i < boot->n; i++)
		if (str_equal(boot->entries[i].name, name))
			return true;
	return false;
}

/* What differs from the template: the order, the delay that it imposes on those after it, a name with '+'. */
static const char *drop_in(const struct boot *boot, const struct entry *entry, struct arena *arena)
{
	char holm[4096];
	struct error e = ERROR_INIT;
	auto_str text = STR_INIT;

	str_add(&text, "# made by holm-generator\n[Unit]\n");
	for (size_t k = 0; k < entry->n_after; k++) {
		const char *unit = unit_name(entry->after[k], arena);

		str_addf(&text, "After=%s\n", unit);
		if (starts_too(boot, entry->after[k]))
			str_addf(&text, "Wants=%s\n", unit);
	}
	str_add(&text, "[Service]\n");
	if (strchr(entry->name, '+') && !proc_program(NULL, holm, sizeof(holm), &e)) {
		str_addf(&text, "ExecStart=\nExecStart=%s start %s\nExecStop=\nExecStop=%s stop --hold %s\n", holm,
			 entry->name, holm, entry->name);
	}
	if (entry->delay)
		str_addf(&text, "ExecStartPost=/bin/sleep %.3f\n", (double)entry->delay / 1e9);
	return arena_strdup(arena, str_peek(&text));
}

static int write_unit(const struct boot *boot, const struct entry *entry, int dir, const char *units, struct error *e)
{
	struct arena *arena = boot->call->arena;
	const char *unit = unit_name(entry->name, arena), *text = drop_in(boot, entry, arena);
	const char *folder = arena_format(arena, "%s.d", unit);
	int r = make_folder(dir, folder, e);

	if (r)
		return r;
	r = file_replace(dir, arena_format(arena, "%s/order.conf", folder), 0644, text, strlen(text));
	if (r)
		return error_system(e, -r, "write '%s/order.conf'", folder);
	if (symlinkat(arena_format(arena, "%s/holm@.service", units), dir,
		      arena_format(arena, "multi-user.target.wants/%s", unit)) &&
	    errno != EEXIST)
		return error_system(e, errno, "make the link to '%s'", unit);
	return 0;
}

static int generate(const struct boot *boot, const char *path, const char *units, struct error *e)
{
	auto_fd dir = -1;
	int r = fd_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, NULL, &dir, e);

	if (!r)
		r = make_folder(dir, "multi-user.target.wants", e);
	if (!r &&
	    symlinkat(arena_format(boot->call->arena, "%s/holm-stop.service", units), dir,
		      "multi-user.target.wants/holm-stop.service") &&
	    errno != EEXIST)
		r = error_system(e, errno, "make the link to 'holm-stop.service'");
	for (size_t i = 0; i < boot->n && !r; i++)
		r = write_unit(boot, &boot->entries[i], dir, units, e);
	return r;
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	const struct boot_options *asked = options;
	struct boot boot = {.call = call};
	int r = instances_each(&call->runtime, add, &boot, e);

	(void)operands, (void)n;
	if (r)
		return r;
	return asked->generate ? generate(&boot, asked->generate, asked->units ?: DEFAULT_UNITS, e) : print(&boot, e);
}

const struct verb verb_boot = {
    .name = "boot",
    .summary = "show what starts with the host, or write units for systemd",
    .operands = "",
    .min = 0,
    .max = 0,
    VERB_OPTIONS(struct boot_options, rows),
    .text = "What ran when the host went down starts with it again, and what was stopped by name does not.  With "
	    "systemd the\n"
	    "generator that 'make install' brings makes a unit holm@NAME of each; elsewhere call 'holm start --all' at "
	    "the\n"
	    "end of the boot and 'holm stop --all' at the shutdown.",
    .run = run,
};
