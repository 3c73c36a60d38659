/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/rdt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

enum { RDT_MAGIC = 0x7655821, MAX_SCHEMATA = 1 << 20 };

int rdt_check_host(struct error *e)
{
	struct statfs sb;

	if (!statfs(RDT_ROOT, &sb) && sb.f_type == RDT_MAGIC)
		return 0;
	return error_refuse(e, ERROR_UNSUPPORTED,
			    "linux.intelRdt: resctrl is not mounted on '" RDT_ROOT
			    "' (no Intel RDT or AMD QoS on this host, or: mount -t "
			    "resctrl resctrl " RDT_ROOT ")");
}

static void add_line(struct str *s, const char *line)
{
	if (line && *line)
		str_addf(s, "%s\n", line);
}

/* "L3:0=f;1=f0": the same line, whatever the blanks and the order of the domains' zeros. */
static bool has_line(const char *schemata, const char *line, size_t size)
{
	for (const char *p = schemata; *p;) {
		size_t n = strcspn(p, "\n"), skip = strspn(p, " ");

		if (n >= skip && n - skip == size && !strncmp(p + skip, line, size))
			return true;
		p += n + (p[n] == '\n');
	}
	return false;
}

static int read_schemata(const struct rdt *rdt, char **ret, struct error *e)
{
	auto_free char *path = NULL;
	int r;

	if (asprintf(&path, "%s/schemata", rdt->group) < 0)
		return error_system(e, ENOMEM, "linux.intelRdt");
	r = file_read(AT_FDCWD, path, MAX_SCHEMATA, ret, NULL);
	return r ? error_system(e, -r, "linux.intelRdt: read '%s'", path) : 0;
}

/* Do all lines of wanted stand in the group's schemata? */
static int compare(const struct rdt *rdt, struct error *e)
{
	auto_free char *now = NULL;
	int r = read_schemata(rdt, &now, e);

	if (r)
		return r;
	for (const char *p = rdt->schemata; *p;) {
		size_t n = strcspn(p, "\n");

		if (!has_line(now, p, n))
			return error_refuse(
			    e, ERROR_INVALID,
			    "linux.intelRdt.closID: the group '%s' exists and does not have the schema '%.*s'",
			    rdt->group, (int)n, p);
		p += n + (p[n] == '\n');
	}
	return 0;
}

int rdt_plan(const struct spec_intel_rdt *spec, const char *id, const char *root, struct arena *arena, struct rdt *ret,
	     struct error *e)
{
	const char *name = spec->clos_id ? spec->clos_id : id;
	auto_str schemata = STR_INIT;
	struct rdt rdt = {0};
	bool exists;

	add_line(&schemata, spec->l3_cache_schema);
	add_line(&schemata, spec->mem_bw_schema);
	for (size_t i = 0; i < spec->n_schemata; i++)
		add_line(&schemata, spec->schemata[i]);
	rdt.schemata = arena_strdup(arena, str_peek(&schemata));
	rdt.group = str_equal(name, "/") ? arena_strdup(arena, root) : arena_format(arena, "%s/%s", root, name);
	exists = !access(rdt.group, F_OK);
	if (spec->clos_id && !exists && !*rdt.schemata)
		return error_refuse(e, ERROR_NOT_FOUND,
				    "linux.intelRdt.closID: no group '%s', and no schema is given to make it with",
				    rdt.group);
	if (spec->clos_id && exists && *rdt.schemata && !str_equal(name, "/")) {
		int r = compare(&rdt, e);

		if (r)
			return r;
		rdt.schemata = "";
	}
	rdt.created = !exists;
	rdt.owned = !exists && !spec->clos_id;
	if (spec->enable_monitoring)
		rdt.monitor = arena_format(arena, "%s/mon_groups/%s", rdt.group, id);
	*ret = rdt;
	return 0;
}

static int write_file(const char *folder, const char *name, const char *text, size_t size, struct error *e)
{
	auto_free char *path = NULL;
	int r;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return error_system(e, ENOMEM, "linux.intelRdt");
	r = file_write(AT_FDCWD, path, text, size);
	return r ? error_system(e, -r, "linux.intelRdt: write '%.*s' to '%s'", (int)strcspn(text, "\n"), text, path)
		 : 0;
}

static int make_group(const char *path, struct error *e)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return error_system(e, errno, "linux.intelRdt: make the group '%s'%s", path,
				    errno == ENOSPC ? " (the processor has no more classes of service)" : "");
	return 0;
}

/* A line at a time: the kernel refuses a whole write for one bad line, and so we know which. */
static int write_schemata(const struct rdt *rdt, const char *lines, struct error *e)
{
	int r = 0;

	for (const char *p = lines; !r && *p;) {
		size_t line = strcspn(p, "\n") + 1;

		r = write_file(rdt->group, "schemata", p, line, e);
		p += line;
	}
	return r;
}

int rdt_apply(const struct rdt *rdt, pid_t pid, struct error *e)
{
	char text[16];
	size_t n = (size_t)snprintf(text, sizeof(text), "%d", (int)pid);
	int r = rdt->created ? make_group(rdt->group, e) : 0;

	if (!r)
		r = write_schemata(rdt, rdt->schemata, e);
	if (!r)
		r = write_file(rdt->group, "tasks", text, n, e);
	if (!r && rdt->monitor)
		r = make_group(rdt->monitor, e);
	if (!r && rdt->monitor)
		r = write_file(rdt->monitor, "tasks", text, n, e);
	return r;
}

void rdt_restore(const struct rdt *rdt, const char *old)
{
	struct error ignored;

	for (const char *p = old; *p;) { /* what the kernel had written itself begins with blanks */
		size_t skip = strspn(p, " "), line = strcspn(p, "\n");

		if (line > skip && write_file(rdt->group, "schemata", p + skip, line - skip + 1, &ignored))
			return;
		p += line + (p[line] == '\n');
	}
}

int rdt_update(const struct rdt *rdt, const char *l3_cache_schema, const char *mem_bw_schema, char **ret_old,
	       struct error *e)
{
	auto_str schemata = STR_INIT;
	auto_free char *old = NULL;
	int r = read_schemata(rdt, &old, e);

	if (r)
		return r;
	add_line(&schemata, l3_cache_schema);
	add_line(&schemata, mem_bw_schema);
	r = write_schemata(rdt, str_peek(&schemata), e);
	if (r) {
		rdt_restore(rdt, old);
		return r;
	}
	*ret_old = take_ptr(&old);
	return 0;
}

int rdt_remove(const struct rdt *rdt, struct error *e)
{
	if (rdt->monitor && rmdir(rdt->monitor) < 0 && errno != ENOENT)
		return error_system(e, errno, "linux.intelRdt: remove '%s'", rdt->monitor);
	if (rdt->group && rdt->owned && rmdir(rdt->group) < 0 && errno != ENOENT)
		return error_system(e, errno, "linux.intelRdt: remove '%s'", rdt->group);
	return 0;
}
