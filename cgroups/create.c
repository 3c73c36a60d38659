/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroups/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "cgroups/apply.h"
#include "cgroups/devices.h"
#include "cgroups/file.h"
#include "cgroups/host.h"
#include "cgroups/path.h"
#include "cgroups/realtime.h"
#include "cgroups/systemd.h"

enum { MAX_FOLDERS = CGROUP_MAX_JOINS + 1, MAX_MADE = 8 * MAX_FOLDERS };

/* One of the ways in, opened before the others and locked: the v2 folder, or where there is none the freezer's `tasks`. */
struct locked_way {
	int fd;	      /* -1: none, or handed over */
	size_t index; /* of cgroup.paths */
};

#define LOCKED_WAY_NONE ((struct locked_way){.fd = -1})

struct creation {
	const struct cgroup_plan *plan;
	bool fresh[MAX_FOLDERS]; /* by cgroup.paths: was not there before */
	char *made[MAX_MADE];	 /* every folder made, parents too, in order; malloc'd */
	size_t n_made;
	bool adopting; /* a process is in it already: systemd put it there */
	struct locked_way in;
	bool taken; /* somebody else is about to put a process into our folders */
};

/* ---- folders ---- */

static int note_made(struct creation *c, const char *path)
{
	if (c->n_made == MAX_MADE)
		return -ENAMETOOLONG;
	c->made[c->n_made] = strdup(path);
	return c->made[c->n_made] ? (c->n_made++, 0) : -ENOMEM;
}

/* The usual case is one mkdir(2).  Parents are looked at only where they turn out to be missing. */
static int make_folder(struct creation *c, char *path, bool *ret_fresh)
{
	for (int try = 0;; try++) {
		char *slash;
		bool fresh;
		int r;

		if (!mkdir(path, 0755)) {
			*ret_fresh = true;
			return note_made(c, path);
		}
		if (errno == EEXIST) {
			*ret_fresh = false;
			return 0;
		}
		slash = strrchr(path, '/');
		/* Somebody who removes a parent that just became empty gets in between at most now and then. */
		if (errno != ENOENT || try == 10 || slash == path)
			return -errno;
		*slash = 0;
		r = strlen(path) <= strlen(CGROUP_MOUNT) ? -ENOENT : make_folder(c, path, &fresh);
		*slash = '/';
		if (r < 0)
			return r;
	}
}

/* A folder that was there before is taken only while nobody is in it and nobody would hang in it. */
static int check_free(const struct cgroup_path *at, struct error *e)
{
	struct cgroup only = {.paths = (struct cgroup_path *)at, .n_paths = 1};
	bool bad = false;
	int r = cgroup_is_populated(&only, &bad, e);

	if (!r && bad)
		return error_refuse(e, ERROR_EXISTS, "cgroup '%s' is in use: processes are in it", at->path);
	if (!r)
		r = cgroup_is_frozen(&only, &bad, e);
	if (!r && bad)
		return error_refuse(e, ERROR_EXISTS, "cgroup '%s' is in use: it is frozen", at->path);
	return r;
}

static int do_mkdir(struct creation *c, const struct cgroup_step *s, struct error *e)
{
	const struct cgroup_path *at = &c->plan->cgroup.paths[s->folder];
	char path[4096];
	int r;

	if (snprintf(path, sizeof(path), "%s", s->path) >= (int)sizeof(path))
		return error_system(e, ENAMETOOLONG, "make the cgroup '%s'", s->path);
	r = make_folder(c, path, &c->fresh[s->folder]);
	if (r == -ENOENT && *at->controllers)
		return error_refuse(e, ERROR_UNSUPPORTED, "controller '%s' is not mounted at '" CGROUP_MOUNT "/%s'",
				    at->controllers, at->controllers);
	if (r < 0)
		return error_system(e, -r, "make the cgroup '%s'", s->path);
	if (c->fresh[s->folder] || c->adopting)
		return 0;
	return check_free(at, e);
}

/*
 * Between making a folder and putting a process in, another holm could take it for a free one.  So who starts something in
 * a folder holds a lock on it until the process is in: the lock goes with the descriptors of the entry.
 */
static int lock_folder(struct creation *c, int fd, const char *path, struct error *e)
{
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return 0;
	if (errno != EWOULDBLOCK)
		return error_system(e, errno, "lock the cgroup '%s'", path);
	c->taken = true;
	return error_refuse(e, ERROR_EXISTS, "cgroup '%s' is in use: another container is being started in it", path);
}

/* Opens a folder for CLONE_INTO_CGROUP, or its `tasks` for a process that enters by itself. */
static int open_way(const struct cgroup_path *p, const char *sub, int *ret_fd, struct error *e)
{
	char path[4096];

	if (snprintf(path, sizeof(path), "%s%s%s", p->path, sub, *p->controllers ? "/tasks" : "") >= (int)sizeof(path))
		return error_system(e, ENAMETOOLONG, "enter the cgroup '%s'", p->path);
	*ret_fd = open(path, *p->controllers ? O_WRONLY | O_CLOEXEC : O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? error_system(e, errno, "enter the cgroup '%s'", path) : 0;
}

/* v2, else the freezer, which every plan has where there is no v2: what else a plan has depends on its limits. */
static size_t find_lock(const struct cgroup *cgroup)
{
	size_t freezer = 0;

	for (size_t i = 0; i < cgroup->n_paths; i++) {
		if (!*cgroup->paths[i].controllers)
			return i;
		if (cgroup_controllers_parse(cgroup->paths[i].controllers, CGROUP_V1) & 1u << CGROUP_FREEZER)
			freezer = i;
	}
	return freezer;
}

/* Where the host has v2 but the plan has not, its v2 folder was made and locked by a plan of its own. */
static int lock_way(struct creation *c, const struct cgroup_host *host, struct error *e)
{
	const struct cgroup *cgroup = &c->plan->cgroup;
	size_t i = find_lock(cgroup);
	int r;

	if (c->adopting || !cgroup->n_paths || (host->v2 && *cgroup->paths[i].controllers))
		return 0;
	r = open_way(&cgroup->paths[i], "", &c->in.fd, e);
	c->in.index = i;
	if (!r)
		r = lock_folder(c, c->in.fd, cgroup->paths[i].path, e);
	/* Looked at again: who had the lock may have put a process in since. */
	return r < 0 || c->fresh[i] ? r : check_free(&cgroup->paths[i], e);
}

/* v1: a cpuset without CPUs or memory nodes takes no process, and a new one has none. */
static int inherit_file(char *folder, const char *file, struct error *e)
{
	char value[CGROUP_FILE_SIZE], *slash;
	int r = cgroup_file_read(folder, file, value, sizeof(value));

	if (r < 0)
		return error_system(e, -r, "read '%s/%s'", folder, file);
	if (*value)
		return 0;
	slash = strrchr(folder, '/');
	*slash = 0;
	r = inherit_file(folder, file, e);
	if (!r) {
		r = cgroup_file_read(folder, file, value, sizeof(value));
		if (r < 0)
			r = error_system(e, -r, "read '%s/%s'", folder, file);
	}
	*slash = '/';
	if (r < 0)
		return r;
	r = cgroup_file_write(folder, file, value);
	return r < 0 ? error_system(e, -r, "write '%s' to '%s/%s'", value, folder, file) : 0;
}

int cgroup_apply_inherit(const char *path, struct error *e)
{
	char folder[4096];
	int r;

	snprintf(folder, sizeof(folder), "%s", path);
	r = inherit_file(folder, "cpuset.cpus", e);
	return r < 0 ? r : inherit_file(folder, "cpuset.mems", e);
}

/* ---- controllers ---- */

/* "+cpu +io" within "cpu io memory"? */
static bool has_all(const char *enabled, const char *value)
{
	char padded[CGROUP_FILE_SIZE + 2], word[64];

	snprintf(padded, sizeof(padded), " %s ", enabled);
	while (*value) {
		size_t length = strcspn(value, " ");

		snprintf(word, sizeof(word), " %.*s ", (int)length - 1, value + 1);
		if (!strstr(padded, word))
			return false;
		value += length + (value[length] == ' ');
	}
	return true;
}

/* The real root may have processes beside its folders; it is the only one without a type. */
static bool has_processes(const char *folder)
{
	char text[64], path[4096];
	auto_fd fd = -1;

	if (cgroup_file_read(folder, "cgroup.type", text, sizeof(text)) < 0 ||
	    snprintf(path, sizeof(path), "%s/cgroup.procs", folder) >= (int)sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, text, sizeof(text)) > 0;
}

/*
 * Some controllers (cpu, pids) can be enabled above processes, and the kernel then takes the folder for a threaded domain:
 * nobody could enter any other folder below it.
 */
static int enable(const char *folder, const char *value)
{
	char enabled[CGROUP_FILE_SIZE];
	int r = cgroup_file_read(folder, "cgroup.subtree_control", enabled, sizeof(enabled));

	if (r < 0 || has_all(enabled, value))
		return r;
	if (has_processes(folder))
		return -EBUSY;
	return cgroup_file_write(folder, "cgroup.subtree_control", value);
}

/* What is enabled already costs one read. */
static int apply_enable(const struct cgroup_step *s, struct error *e)
{
	char folder[4096];
	const char *word;
	int r;

	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(s->path, '/') - s->path), s->path);
	r = enable(folder, s->value);
	if (r < 0 && s->optional) /* one that can't be had takes the others with it: singly */
		for (word = s->value; *word;) {
			size_t length = strcspn(word, " ");
			char one[64];

			snprintf(one, sizeof(one), "%.*s", (int)length, word);
			if (enable(folder, one) < 0)
				log_debug("controller '%s' can't be enabled below '%s'", one + 1, folder);
			word += length + (word[length] == ' ');
		}
	if (r >= 0 || s->optional)
		return 0;
	if (r == -EBUSY)
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "%s: can't enable '%s' below '%s': it has processes of its own, and cgroup v2 "
				    "limits nothing beside them",
				    s->cause, s->value, folder);
	if (r == -EACCES || r == -EPERM)
		return error_refuse(e, ERROR_UNSUPPORTED,
				    "%s: can't enable '%s' below '%s': not delegated to this user", s->cause, s->value,
				    folder);
	if (r == -ENOENT)
		return error_refuse(e, ERROR_UNSUPPORTED, "%s: '%s' does not have all of '%s' to hand on", s->cause,
				    folder, s->value);
	return error_system(e, -r, "%s: enable '%s' below '%s'", s->cause, s->value, folder);
}

static int enable_above(const char *folder, const char *value, const char *cause, int depth, struct error *e)
{
	char parent[4096], has[CGROUP_FILE_SIZE];
	struct cgroup_step step = {.kind = CGROUP_ENABLE, .value = value, .cause = cause};
	auto_free char *path = NULL;
	int r;

	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(folder, '/') - folder), folder);
	r = cgroup_file_read(parent, "cgroup.controllers", has, sizeof(has));
	if (r < 0)
		return error_refuse(e, ERROR_UNSUPPORTED, "%s: no folder above '%s' has '%s' to hand on", cause, folder,
				    value);
	if (!has_all(has, value) && depth) {
		r = enable_above(parent, value, cause, depth - 1, e);
		if (r < 0)
			return r;
	}
	if (asprintf(&path, "%s/cgroup.subtree_control", parent) < 0)
		return error_system(e, ENOMEM, "enable '%s'", value);
	step.path = path;
	return apply_enable(&step, e);
}

int cgroup_apply_enable_above(const char *folder, const char *value, const char *cause, struct error *e)
{
	return enable_above(folder, value, cause, 32, e);
}

/* ---- control files ---- */

/* One open file is kept: the device rules are many lines into the same. */
struct writer {
	const char *path;
	int fd;
};

static int write_line(struct writer *w, const char *path, const char *value)
{
	if (w->path != path) {
		fd_close(w->fd);
		w->path = path;
		w->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		if (w->fd < 0)
			w->path = NULL;
	}
	if (w->fd < 0)
		return -errno;
	while (write(w->fd, value, strlen(value)) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

void cgroup_apply_realtime(const char *path, const char *value)
{
	char folder[4096];
	int64_t runtime;
	const char *file = strrchr(path, '/') + 1;

	if (!str_equal(file, "cpu.rt_runtime_us") || parse_i64(value, 0, INT64_MAX, &runtime) < 0)
		return;
	snprintf(folder, sizeof(folder), "%.*s", (int)(file - 1 - path), path);
	if (realtime_prepare(folder, runtime) < 0)
		log_debug("the folders above '%s' can't give %s us", folder, value);
}

int cgroup_apply_refusal(const struct cgroup_step *s, int r, struct error *e)
{
	const char *file = strrchr(s->path, '/') + 1;

	switch (-r) {
	case ENOENT:
		return error_refuse(e, ERROR_UNSUPPORTED, "%s: controller '%s' has no '%s'%s%s%s on this host",
				    s->cause, s->controller, file, s->other_path ? " nor '" : "",
				    s->other_path ? strrchr(s->other_path, '/') + 1 : "", s->other_path ? "'" : "");
	case EACCES:
	case EPERM:
		return error_refuse(e, ERROR_PERMISSION, "%s: not allowed to write '%s' to '%s'", s->cause, s->value,
				    s->path);
	case EBUSY:
		return error_refuse(e, ERROR_LIMIT, "%s: '%s' in '%s': the kernel can't hold this now, more is in use",
				    s->cause, s->value, s->path);
	default:
		return error_system(e, -r, "%s: write '%s' to '%s'", s->cause, s->value, s->path);
	}
}

static bool is_unlimited(const char *value)
{
	int64_t n;

	return str_equal(value, "-1") || str_equal(value, "max") ||
	       (parse_i64(value, 0, INT64_MAX, &n) >= 0 && n >= INT64_MAX - 65536);
}

static bool is_same_word(const char *wanted, const char *got)
{
	int64_t a, b;

	if (str_equal(wanted, got) || (is_unlimited(wanted) && is_unlimited(got)))
		return true;
	if (parse_i64(wanted, INT64_MIN, INT64_MAX, &a) < 0 && parse_size(wanted, false, &a) < 0) /* "1G" */
		return strcspn(wanted, "=:-,") < strlen(wanted);
	return parse_i64(got, INT64_MIN, INT64_MAX, &b) >= 0 && (a == b || (a > b && a - b < 65536 && b % 4096 == 0));
}

bool cgroup_apply_same(const char *wanted, const char *got)
{
	char a[128], b[128];

	while (*wanted) { /* "50000" is the same as "50000 100000": what is not named is kept */
		size_t n = strcspn(wanted, " "), m = strcspn(got, " ");

		if (n >= sizeof(a) || m >= sizeof(b))
			return true; /* a long list */
		snprintf(a, sizeof(a), "%.*s", (int)n, wanted);
		snprintf(b, sizeof(b), "%.*s", (int)m, got);
		if (strchr(a, ':') || strchr(a, '='))
			return true;
		if (!is_same_word(a, b))
			return false;
		wanted += n + (wanted[n] == ' ');
		got += m + (got[m] == ' ');
	}
	return true;
}

/* Did the kernel do what was written? */
static int read_back(const struct cgroup_step *s, struct error *e)
{
	char got[CGROUP_FILE_SIZE], folder[4096];
	const char *file = strrchr(s->path, '/') + 1;

	snprintf(folder, sizeof(folder), "%.*s", (int)(file - 1 - s->path), s->path);
	if (cgroup_file_read(folder, file, got, sizeof(got)) < 0)
		return 0; /* some can only be written */
	/* cpuset.cpus.partition: "isolated invalid (Cpu list in cpuset.cpus not exclusive)" */
	if (strstr(got, "invalid"))
		return error_refuse(e, ERROR_UNSUPPORTED, "%s: the kernel made '%s' of '%s'", s->cause, got, s->value);
	if (!strchr(got, '\n') && !cgroup_apply_same(s->value, got))
		return error_refuse(e, ERROR_UNSUPPORTED, "%s: '%s' was written, the kernel keeps '%s'", s->cause,
				    s->value, got);
	return 0;
}

static int do_write(struct creation *c, struct writer *w, const struct cgroup_step *s)
{
	int r;

	if (s->initial && c->fresh[s->folder])
		return 0;
	r = write_line(w, s->path, s->value);
	if (r == -EINVAL)
		cgroup_apply_realtime(s->path, s->value);
	if (r == -ENOENT && s->other_path)
		r = write_line(w, s->other_path, s->other_value);
	if (r < 0 && ((r == -ENOENT && s->harmless) || s->optional))
		return 0;
	return r;
}

/* Writes all; those that were refused only because another comes first are tried again afterwards. */
static int do_writes(struct creation *c, struct error *e)
{
	const struct cgroup_plan *plan = c->plan;
	struct writer w = {.fd = -1};
	bool again = false;
	int r = 0;

	for (int pass = 0; !r && pass < 2 && (!pass || again); pass++) {
		for (size_t i = 0; !r && i < plan->n_steps; i++) {
			const struct cgroup_step *s = &plan->steps[i];

			if (s->kind != CGROUP_WRITE)
				continue;
			r = do_write(c, &w, s);
			if (r == -EINVAL && !pass) {
				again = true;
				r = 0;
			}
			if (r < 0)
				r = cgroup_apply_refusal(s, r, e);
		}
	}
	fd_close(w.fd);
	for (size_t i = 0; !r && i < plan->n_steps; i++)
		if (plan->steps[i].kind == CGROUP_WRITE && plan->steps[i].read_back)
			r = read_back(&plan->steps[i], e);
	return r;
}

/* ---- delegation ---- */

static int give(const char *folder, uid_t uid, struct error *e)
{
	char list[CGROUP_FILE_SIZE], path[4096], *name, *next;

	/* The kernel's own list; these three are what it was before there was one. */
	if (cgroup_file_read("/sys/kernel/cgroup", "delegate", list, sizeof(list)) < 0)
		strcpy(list, "cgroup.procs\ncgroup.subtree_control\ncgroup.threads");
	if (chown(folder, uid, -1) < 0)
		return error_system(e, errno, "give '%s' to uid %u", folder, uid);
	for (name = list; *name; name = next) {
		next = strchrnul(name, '\n');
		if (*next)
			*next++ = 0;
		if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
			continue;
		/* Files of controllers that are not enabled here are on the list too. */
		if (chown(path, uid, -1) < 0 && errno != ENOENT)
			return error_system(e, errno, "give '%s' to uid %u", path, uid);
	}
	return 0;
}

/* ---- the way in ---- */

/* in: the way that is open already, which is handed over. */
static int open_entry(const struct cgroup *cgroup, const char *const *subs, struct locked_way *in,
		      struct cgroup_entry *ret, struct error *e)
{
	struct cgroup_entry entry = CGROUP_ENTRY_INIT;

	for (size_t i = 0; i < cgroup->n_paths; i++) {
		const struct cgroup_path *p = &cgroup->paths[i];
		int fd = in->fd >= 0 && in->index == i ? take_fd(&in->fd) : -1;
		int r = fd < 0 ? open_way(p, subs && subs[i] ? subs[i] : "", &fd, e) : 0;

		if (!r && *p->controllers && entry.n_joins == CGROUP_MAX_JOINS)
			r = error_bug(e, "%zu cgroup hierarchies", cgroup->n_paths);
		if (r < 0) {
			fd_close(fd);
			cgroup_entry_release(&entry);
			return r;
		}
		if (*p->controllers)
			entry.join_fds[entry.n_joins++] = fd;
		else
			entry.into_fd = fd;
	}
	*ret = entry;
	return 0;
}

void cgroup_entry_release(struct cgroup_entry *entry)
{
	entry->into_fd = fd_close(entry->into_fd);
	while (entry->n_joins)
		fd_close(entry->join_fds[--entry->n_joins]);
}

/* "a/b" -> "/a/b"; what leads out of the container's cgroup is refused. */
static int check_sub(const char *sub, char *ret, size_t size, struct error *e)
{
	const char *p = sub;

	while (*p) {
		size_t length = strcspn(p, "/");

		if (length == 2 && p[0] == '.' && p[1] == '.')
			return error_refuse(e, ERROR_USAGE,
					    "bad sub cgroup path '%s': leads out of the container's cgroup", sub);
		p += length + (p[length] == '/');
	}
	if (snprintf(ret, size, "%s%s", *sub && *sub != '/' ? "/" : "", sub) >= (int)size)
		return error_refuse(e, ERROR_USAGE, "bad sub cgroup path '%.100s...': too long", sub);
	return 0;
}

/* Is name in the list "cpu,cpuacct"? */
static bool list_has(const char *list, const char *name, size_t length)
{
	for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ",") == length && !strncmp(p, name, length))
			return true;
	return false;
}

/* "cpu,memory:a/b" for v1, "a/b" for v2; fills the places of subs that are meant. */
static int place_sub(const struct cgroup *cgroup, const char *given, const char **subs, char *buffer, size_t size,
		     struct error *e)
{
	const char *colon = strchr(given, ':'), *name = given;
	bool found = false;
	int r = check_sub(colon ? colon + 1 : given, buffer, size, e);

	if (r < 0)
		return r;
	if (!colon) {
		for (size_t i = 0; i < cgroup->n_paths; i++)
			if (cgroup->n_paths == 1 || !*cgroup->paths[i].controllers) {
				subs[i] = buffer;
				found = true;
			}
		return found ? 0
			     : error_refuse(e, ERROR_USAGE,
					    "sub cgroup '%s': this host has no cgroup v2, name it CONTROLLER:PATH",
					    given);
	}
	while (name < colon) {
		size_t length = strcspn(name, ",:");

		found = false;
		for (size_t i = 0; i < cgroup->n_paths; i++)
			if (list_has(cgroup->paths[i].controllers, name, length)) {
				subs[i] = buffer;
				found = true;
			}
		if (!found)
			return error_refuse(e, ERROR_USAGE, "sub cgroup '%s': unknown controller '%.*s'", given,
					    (int)length, name);
		name += length + (name[length] == ',');
	}
	return 0;
}

int cgroup_enter_subs(const struct cgroup *cgroup, const char *const *given, size_t n, struct cgroup_entry *ret,
		      struct error *e)
{
	const char *subs[MAX_FOLDERS] = {NULL};
	char *buffers[MAX_FOLDERS] = {NULL};
	struct locked_way none = LOCKED_WAY_NONE;
	int r = 0;

	if (n > MAX_FOLDERS || cgroup->n_paths > MAX_FOLDERS)
		return error_refuse(e, ERROR_USAGE, "%zu sub cgroups are too many", n);
	for (size_t i = 0; !r && i < n; i++) {
		buffers[i] = malloc(4096);
		r = buffers[i] ? place_sub(cgroup, given[i], subs, buffers[i], 4096, e)
			       : error_system(e, ENOMEM, "enter sub cgroup");
	}
	if (!r)
		r = open_entry(cgroup, subs, &none, ret, e);
	for (size_t i = 0; i < n; i++)
		free(buffers[i]);
	return r;
}

int cgroup_enter(const struct cgroup *cgroup, const char *sub, struct cgroup_entry *ret, struct error *e)
{
	return cgroup_enter_subs(cgroup, &sub, sub && *sub ? 1 : 0, ret, e);
}

/* ---- all of it ---- */

static bool is_enabled(const struct creation *c)
{
	const char *path = NULL;
	char folder[4096], enabled[CGROUP_FILE_SIZE];

	for (size_t i = 0; i < c->plan->cgroup.n_paths; i++)
		if (!*c->plan->cgroup.paths[i].controllers)
			path = c->plan->cgroup.paths[i].path;
	if (!path)
		return true;
	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
	if (cgroup_file_read(folder, "cgroup.subtree_control", enabled, sizeof(enabled)) < 0)
		return false;
	for (size_t i = 0; i < c->plan->n_steps; i++)
		if (c->plan->steps[i].kind == CGROUP_ENABLE && !has_all(enabled, c->plan->steps[i].value))
			return false;
	return true;
}

static int do_steps(struct creation *c, const struct cgroup_host *host, struct error *e)
{
	const struct cgroup_plan *plan = c->plan;
	bool enabled = false, looked = false;
	int r = 0;

	for (size_t i = 0; !r && i < plan->n_steps; i++)
		if (plan->steps[i].kind == CGROUP_MKDIR)
			r = do_mkdir(c, &plan->steps[i], e);
	if (!r)
		r = lock_way(c, host, e);
	for (size_t i = 0; !r && i < plan->n_steps; i++) {
		const struct cgroup_step *s = &plan->steps[i];

		if (s->kind == CGROUP_ENABLE) {
			if (!looked)
				enabled = is_enabled(c);
			looked = true;
			if (!enabled)
				r = apply_enable(s, e);
		} else if (s->kind == CGROUP_INHERIT) {
			r = cgroup_apply_inherit(s->path, e);
		}
	}
	if (!r)
		r = do_writes(c, e);
	for (size_t i = 0; !r && i < plan->n_steps; i++) {
		const struct cgroup_step *s = &plan->steps[i];

		if (s->kind == CGROUP_DEVICES)
			r = devices_v2_attach(s->path, plan->devices, !c->fresh[s->folder], plan->arena, e);
		else if (s->kind == CGROUP_CHOWN)
			r = give(s->path, plan->request->delegate_uid, e);
	}
	return r;
}

/* Folders made go again unless all went well, or somebody else has taken them for free. */
static void finish(struct creation *c, bool undo)
{
	for (size_t i = c->n_made; i-- > 0;) {
		if (undo && !c->taken)
			rmdir(c->made[i]);
		free(c->made[i]);
	}
}

int cgroup_create(const struct cgroup_host *host, const struct cgroup_plan *plan, struct cgroup_entry *ret,
		  struct error *e)
{
	struct creation c = {.plan = plan, .in = LOCKED_WAY_NONE};
	int r;

	if (plan->cgroup.n_paths > MAX_FOLDERS)
		return error_bug(e, "%zu cgroup hierarchies", plan->cgroup.n_paths);
	*ret = CGROUP_ENTRY_INIT;
	if (plan->unit)
		return 0;
	r = do_steps(&c, host, e);
	if (!r)
		r = open_entry(&plan->cgroup, NULL, &c.in, ret, e);
	finish(&c, r < 0);
	fd_close(c.in.fd);
	return r;
}

/* systemd moves the process in the hierarchies it uses itself, into a scope; into the others, and a slice, we do. */
static int join_unit(const struct cgroup_plan *plan, pid_t pid, struct error *e)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	for (size_t i = 0; i < plan->cgroup.n_paths; i++) {
		const struct cgroup_path *p = &plan->cgroup.paths[i];
		int r = 0;

		if (*p->controllers || plan->unit->is_slice)
			r = cgroup_file_write(p->path, "cgroup.procs", text);
		if (r < 0)
			return error_system(e, -r, "move process %d to '%s'", pid, p->path);
	}
	return 0;
}

int cgroup_adopt(const struct cgroup_host *host, const struct cgroup_plan *plan, pid_t pid, struct error *e)
{
	const struct cgroup_request *request = plan->request;
	struct creation c = {.plan = plan, .adopting = true, .in = LOCKED_WAY_NONE};
	struct error ignored = ERROR_INIT;
	char description[300];
	int r;

	if (!plan->unit)
		return 0;
	snprintf(description, sizeof(description), "holm container %s", request->id);
	r = systemd_unit_start(plan->unit, request->rootless, pid, description, host, request->resources, e);
	if (r < 0)
		return r;
	r = do_steps(&c, host, e);
	if (!r)
		r = join_unit(plan, pid, e);
	finish(&c, r < 0);
	if (r < 0 && plan->cgroup.scope && systemd_unit_stop(plan->cgroup.scope, request->rootless, &ignored) < 0)
		error_context(e, "and unit '%s' may be left", plan->cgroup.scope);
	return r;
}
