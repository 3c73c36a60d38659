/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changing limits of a cgroup that is in use: all or nothing.
 *
 * Before anything is written the old values are read.  Writes go in the table's order; one that the kernel refuses with
 * EINVAL is tried again after the rest (growing memory and swap together needs the other order than shrinking).  Then
 * all is read back.  Whatever fails, the old values are written again in the same manner, backwards.
 */
#include "cgroups/cgroup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "cgroups/apply.h"
#include "cgroups/block.h"
#include "cgroups/devices.h"
#include "cgroups/file.h"
#include "cgroups/host.h"
#include "cgroups/limits.h"
#include "cgroups/path.h"
#include "cgroups/systemd.h"

enum { MAX_PASSES = 3, MOVE_ROUNDS = 100 };

/* One write of an update, and the way back. */
struct change {
	const struct limit_write *write;
	const char *folder, *file, *value; /* after choosing between the file and its fall-back */
	const char *old;		   /* what undoes it; NULL: can't be read */
	bool done;
};

/* ---- compiling ---- */

static int compile(const struct cgroup_host *host, const struct cgroup *cgroup, const struct spec_resources *resources,
		   struct arena *arena, struct limits *ret, struct error *e)
{
	char text[CGROUP_FILE_SIZE];

	*ret = (struct limits){.host = host, .arena = arena, .existing = cgroup};
	/* What the topmost folder has can be handed down. */
	if (cgroup_find_v2(cgroup) && host->v2 &&
	    cgroup_file_read(host->v2->mount, "cgroup.controllers", text, sizeof(text)) >= 0)
		ret->v2_controllers = cgroup_controllers_parse(text, CGROUP_V2);
	return limits_compile(ret, resources, e);
}

/* ---- hierarchies that the container is not in yet ---- */

/* The path of the cgroup below the mount point: the one in v2 where there is one, else in any other hierarchy. */
static const char *find_relative(const struct cgroup_host *host, const struct cgroup *cgroup)
{
	const char *v2 = cgroup_find_v2(cgroup);

	if (v2 && host->v2)
		return str_after(v2, host->v2->mount);
	for (size_t i = 0; i < cgroup->n_paths; i++)
		for (size_t k = 0; k < host->n_v1; k++)
			if (str_equal(cgroup->paths[i].controllers, host->v1[k].controllers))
				return str_after(cgroup->paths[i].path, host->v1[k].mount);
	return NULL;
}

int cgroup_extend(const struct cgroup_host *host, const struct cgroup *cgroup, const struct spec_resources *resources,
		  struct arena *arena, struct cgroup *ret, struct error *e)
{
	const char *relative = find_relative(host, cgroup);
	struct cgroup more = *cgroup;
	struct limits l;
	int r = compile(host, cgroup, resources, arena, &l, e);

	if (r < 0)
		return r;
	more.paths = arena_array(arena, struct cgroup_path, cgroup->n_paths + host->n_v1);
	if (cgroup->n_paths)
		memcpy(more.paths, cgroup->paths, cgroup->n_paths * sizeof(*more.paths));
	for (size_t i = 0; i < l.n_writes && relative; i++) {
		const struct limit_write *w = &l.writes[i];
		const struct cgroup_hierarchy *h =
		    w->controller < _CGROUP_CONTROLLER_N ? host->v1_of[w->controller] : NULL;

		if (w->dialect != CGROUP_V1 || w->initial || cgroup_find_v1(&more, w->controller))
			continue;
		more.paths[more.n_paths++] = (struct cgroup_path){
		    .controllers = h->controllers,
		    .path = arena_format(arena, "%s%s", h->mount, relative),
		};
	}
	*ret = more;
	return 0;
}

static int make_parents(char *path)
{
	for (char *p = path + strlen(CGROUP_MOUNT) + 1; (p = strchr(p, '/')); p++) {
		int r;

		*p = 0;
		r = mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
		*p = '/';
		if (r < 0)
			return r;
	}
	return mkdir(path, 0755) < 0 ? -errno : 0;
}

/* Processes that are born while the others are moved are found in the next round. */
static int move_processes(const struct cgroup *cgroup, const char *folder, struct error *e)
{
	for (int round = 0; round < MOVE_ROUNDS; round++) {
		struct cgroup there = {.paths = &(struct cgroup_path){.controllers = "freezer", .path = folder},
				       .n_paths = 1};
		auto_free pid_t *pids = NULL, *moved = NULL;
		size_t n = 0, m = 0, k = 0;
		bool missing = false;
		int r = cgroup_pids(cgroup, &pids, &n, e);

		if (!r)
			r = cgroup_pids(&there, &moved, &m, e);
		if (r < 0)
			return r;
		for (size_t i = 0; i < n; i++) { /* both are sorted */
			char text[16];

			while (k < m && moved[k] < pids[i])
				k++;
			if (k < m && moved[k] == pids[i])
				continue;
			missing = true;
			snprintf(text, sizeof(text), "%d", pids[i]);
			r = cgroup_file_write(folder, "cgroup.procs", text);
			if (r < 0 && r != -ESRCH)
				return error_system(e, -r, "move process %d to '%s'", pids[i], folder);
		}
		if (!missing)
			return 0;
	}
	return error_refuse(e, ERROR_STATE, "processes are born faster than they can be moved to '%s'", folder);
}

/* Makes the recorded folders that are not there yet.  Its own v1 folder comes first in the list of who leads. */
static int make_missing(const struct cgroup *cgroup, struct error *e)
{
	for (size_t i = 0; i < cgroup->n_paths; i++) {
		const struct cgroup_path *p = &cgroup->paths[i];
		auto_free char *path = strdup(p->path);
		int r;

		if (!*p->controllers || !access(p->path, F_OK))
			continue;
		r = path ? make_parents(path) : -ENOMEM;
		if (r < 0 && r != -EEXIST)
			return error_system(e, -r, "make the cgroup '%s'", p->path);
		if (cgroup_controllers_parse(p->controllers, CGROUP_V1) & (1u << CGROUP_CPUSET)) {
			r = cgroup_apply_inherit(p->path, e);
			if (r < 0)
				return r;
		}
		r = move_processes(cgroup, p->path, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- old values ---- */

/* What a line for one device, interface or adapter is set back to when it had none. */
static const struct {
	const char *file, *none;
} keyed_files[] = {
    {"io.max", "rbps=max wbps=max riops=max wiops=max"},
    {"io.latency", "target=0"},
    {"io.weight", "default"},
    {"io.bfq.weight", "default"},
    {"blkio.throttle.read_bps_device", "0"},
    {"blkio.throttle.write_bps_device", "0"},
    {"blkio.throttle.read_iops_device", "0"},
    {"blkio.throttle.write_iops_device", "0"},
    {"blkio.weight_device", "0"},
    {"blkio.bfq.weight_device", "0"},
    {"blkio.leaf_weight_device", "0"},
    {"rdma.max", "hca_handle=max hca_object=max"},
    {"net_prio.ifpriomap", "0"},
};

static const char *find_none(const char *file)
{
	for (size_t i = 0; i < ARRAY_SIZE(keyed_files); i++)
		if (str_equal(keyed_files[i].file, file))
			return keyed_files[i].none;
	return NULL;
}

/* The line that begins with value's first word. */
static const char *find_old_line(struct arena *arena, const char *text, const char *value, const char *none)
{
	size_t length = strcspn(value, " ");

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (!strncmp(line, value, length) && line[length] == ' ')
			return arena_format(arena, "%.*s", (int)strcspn(line, "\n"), line);
	return arena_format(arena, "%.*s %s", (int)length, value, none);
}

static const char *parse_old(struct arena *arena, const struct change *c, const char *text)
{
	const char *none = find_none(c->file);
	uint64_t number;

	if (none && strchr(c->value, ' '))
		return find_old_line(arena, text, c->value, none);
	if (str_equal(c->file, "memory.oom_control"))
		return cgroup_text_find(text, "oom_kill_disable", &number) && number ? "1" : "0";
	if (strchr(text, '\n')) /* some other table: only the line that is written again can undo it */
		return NULL;
	return *text ? arena_strdup(arena, text) : "\n"; /* an empty cpuset is written as an empty line */
}

/* Chooses the file, and reads what it says now. */
static int prepare(struct change *c, struct arena *arena, struct error *e)
{
	const struct limit_write *w = c->write;
	char text[CGROUP_FILE_SIZE];
	int r;

	c->file = w->file;
	c->value = w->value;
	r = cgroup_file_read(c->folder, c->file, text, sizeof(text));
	if (r == -ENOENT && w->other_file) {
		c->file = w->other_file;
		c->value = w->other_value;
		r = cgroup_file_read(c->folder, c->file, text, sizeof(text));
	}
	if (r >= 0) {
		c->old = parse_old(arena, c, text);
		return 0;
	}
	if (r == -ENOENT && w->harmless) {
		c->done = true;
		return 0;
	}
	if (r == -ENOENT)
		return error_refuse(
		    e, ERROR_UNSUPPORTED, "%s: controller '%s' has no '%s' on this host", w->cause,
		    w->controller < _CGROUP_CONTROLLER_N ? cgroup_controller_name(w->controller, w->dialect) : "cgroup",
		    w->file);
	if (r == -EINVAL || r == -EACCES || r == -EPERM) /* write-only */
		return 0;
	return error_system(e, -r, "read '%s/%s'", c->folder, c->file);
}

/* ---- writing ---- */

static int refuse_change(const struct change *c, int r, struct error *e)
{
	struct cgroup_step step = {
	    .cause = c->write->cause,
	    .value = c->value,
	    .controller = c->write->controller < _CGROUP_CONTROLLER_N
			      ? cgroup_controller_name(c->write->controller, c->write->dialect)
			      : "cgroup",
	};
	auto_free char *path = NULL;

	if (asprintf(&path, "%s/%s", c->folder, c->file) < 0)
		return error_system(e, ENOMEM, "write '%s'", c->file);
	step.path = path;
	return cgroup_apply_refusal(&step, r, e);
}

static void prepare_realtime(const struct change *c)
{
	auto_free char *path = NULL;

	if (asprintf(&path, "%s/%s", c->folder, c->file) >= 0)
		cgroup_apply_realtime(path, c->value);
}

static int write_all(struct change *changes, size_t n, struct error *e)
{
	size_t left = 0, failed = 0;
	int r, last = 0;

	for (int pass = 0; pass < MAX_PASSES; pass++) {
		left = 0;
		for (size_t i = 0; i < n; i++) {
			struct change *c = &changes[i];

			if (c->done)
				continue;
			r = cgroup_file_write(c->folder, c->file, c->value);
			if (r >= 0) {
				c->done = true;
				continue;
			}
			if (r != -EINVAL && r != -EBUSY)
				return refuse_change(c, r, e);
			if (str_equal(c->file, "cpu.rt_runtime_us"))
				prepare_realtime(c);
			failed = i;
			last = r;
			left++;
		}
		if (!left)
			return 0;
	}
	return refuse_change(&changes[failed], last, e);
}

static int read_back(const struct change *changes, size_t n, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		const struct change *c = &changes[i];
		char text[CGROUP_FILE_SIZE];

		if (find_none(c->file) || str_equal(c->file, "memory.oom_control") ||
		    cgroup_file_read(c->folder, c->file, text, sizeof(text)) < 0 || strchr(text, '\n'))
			continue;
		if (strstr(text, "invalid") || !cgroup_apply_same(c->value, text))
			return error_refuse(e, ERROR_UNSUPPORTED,
					    "%s: '%s' was written to '%s/%s', the kernel keeps '%s'", c->write->cause,
					    c->value, c->folder, c->file, text);
	}
	return 0;
}

/* A cpuset with processes takes no empty list back (6.1): what is above it is what it had without one. */
static int write_inherited(const struct change *c)
{
	char above[4096], file[64], text[CGROUP_FILE_SIZE];
	int r;

	snprintf(above, sizeof(above), "%.*s", (int)(strrchr(c->folder, '/') - c->folder), c->folder);
	snprintf(file, sizeof(file), "%s.effective", c->file);
	r = cgroup_file_read(above, file, text, sizeof(text));
	return r < 0 ? r : cgroup_file_write(c->folder, c->file, text);
}

static int write_old(const struct change *c)
{
	int r = cgroup_file_write(c->folder, c->file, c->old);

	return r == -ENOSPC && str_equal(c->old, "\n") ? write_inherited(c) : r;
}

static void undo(struct change *changes, size_t n)
{
	for (int pass = 0; pass < MAX_PASSES; pass++)
		for (size_t i = n; i-- > 0;) {
			struct change *c = &changes[i];

			if (!c->done || !c->old)
				continue;
			if (write_old(c) >= 0)
				c->done = false;
			else if (pass == MAX_PASSES - 1)
				log_warning("update: '%s' of '%s/%s' could not be written again", c->old, c->folder,
					    c->file);
		}
}

/* ---- the journal: FOLDER TAB FILE TAB OLD VALUE ---- */

static int save_journal(const struct cgroup_journal *journal, const struct change *changes, size_t n, struct error *e)
{
	auto_str text = STR_INIT;

	if (!journal)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (changes[i].old)
			str_addf(&text, "%s\t%s\t%.*s\n", changes[i].folder, changes[i].file,
				 (int)strcspn(changes[i].old, "\n"), changes[i].old);
	return journal->save(journal->data, str_peek(&text), e);
}

/* Cuts the word before end out of *p, and goes on after it; NULL: it is not there. */
static char *cut_word(char **p, char end)
{
	char *word = *p, *stop = strchr(word, end);

	if (!stop)
		return NULL;
	*stop = 0;
	*p = stop + 1;
	return word;
}

void cgroup_revert(const char *text)
{
	auto_arena arena = ARENA_INIT;
	char *p = arena_strdup(&arena, text);
	struct change *changes;
	size_t n = 0, lines = 0;

	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	changes = arena_array(&arena, struct change, lines);
	while (*p) {
		struct change c = {.folder = cut_word(&p, '\t'), .done = true};

		c.file = c.folder ? cut_word(&p, '\t') : NULL;
		c.old = c.file ? cut_word(&p, '\n') : NULL;
		if (!c.old)
			break;
		if (!*c.old) /* an empty cpuset is written as an empty line */
			c.old = "\n";
		changes[n++] = c;
	}
	undo(changes, n);
}

/* ---- all of it ---- */

/* The kernel reclaims, and at last kills, to get below a new memory.max; asked to, we look first. */
static int check_memory(const struct cgroup *cgroup, const struct spec_resources *r, struct error *e)
{
	const char *folder = cgroup_find_path(cgroup, CGROUP_MEMORY);
	uint64_t used;

	if (!r->memory.check_before_update.value || !r->memory.limit.present || r->memory.limit.value <= 0 || !folder)
		return 0;
	if (cgroup_file_read_number(folder, "memory.current", &used) < 0 &&
	    cgroup_file_read_number(folder, "memory.usage_in_bytes", &used) < 0)
		return 0;
	if (used >= (uint64_t)r->memory.limit.value)
		return error_refuse(e, ERROR_LIMIT,
				    "linux.resources.memory.limit: %lld is less than the %llu bytes in use",
				    (long long)r->memory.limit.value, (unsigned long long)used);
	return 0;
}

static int enable_needed(const struct limits *l, const struct cgroup *cgroup, struct error *e)
{
	const char *v2 = cgroup_find_v2(cgroup);

	for (size_t i = 0; i < l->n_writes; i++) {
		const struct limit_write *w = &l->writes[i];
		char value[32];
		int r;

		if (w->dialect != CGROUP_V2 || w->controller == _CGROUP_CONTROLLER_N || w->harmless ||
		    (i && l->writes[i - 1].controller == w->controller))
			continue;
		snprintf(value, sizeof(value), "+%s", cgroup_controller_name(w->controller, CGROUP_V2));
		r = cgroup_apply_enable_above(v2, value, w->cause, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int prepare_all(const struct limits *l, const struct cgroup *cgroup, struct change *changes, size_t *ret_n,
		       struct error *e)
{
	for (size_t i = 0; i < l->n_writes; i++) {
		const struct limit_write *w = &l->writes[i];
		struct change *c = &changes[*ret_n];
		int r;

		*c = (struct change){.write = w};
		c->folder = w->dialect == CGROUP_V1 ? cgroup_find_v1(cgroup, w->controller) : cgroup_find_v2(cgroup);
		if (!c->folder && (w->initial || w->harmless))
			continue;
		if (!c->folder)
			return error_refuse(e, ERROR_UNSUPPORTED, "%s: the container has no cgroup for controller '%s'",
					    w->cause, cgroup_controller_name(w->controller, w->dialect));
		r = prepare(c, l->arena, e);
		if (r < 0)
			return r;
		++*ret_n;
	}
	return 0;
}

int cgroup_update(const struct cgroup_host *host, const struct cgroup *cgroup, const struct spec_resources *resources,
		  const struct cgroup_journal *journal, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct change *changes;
	struct limits l;
	size_t n = 0;
	int r = compile(host, cgroup, resources, &arena, &l, e);

	if (!r)
		r = block_check_weights(host, resources, e);
	if (!r)
		r = check_memory(cgroup, resources, e);
	if (!r)
		r = make_missing(cgroup, e);
	if (!r)
		r = enable_needed(&l, cgroup, e);
	if (r < 0)
		return r;
	changes = arena_array(&arena, struct change, l.n_writes + 1);
	r = prepare_all(&l, cgroup, changes, &n, e);
	if (!r)
		r = save_journal(journal, changes, n, e);
	if (r < 0)
		return r;
	r = write_all(changes, n, e);
	if (!r)
		r = read_back(changes, n, e);
	if (!r && cgroup->scope) /* else the next reload of systemd would write the old ones */
		r = systemd_unit_set(cgroup->scope, systemd_is_users(cgroup), host, resources, e);
	if (r < 0)
		undo(changes, n);
	return r;
}

/* "c 1:3 rwm": the access is what follows the second blank. */
static size_t find_access(const char *line)
{
	size_t n = strcspn(line, " ");

	n += line[n] == ' ';
	n += strcspn(line + n, " \n");
	return n + (line[n] == ' ');
}

/* What the container has and is not to keep, line by line as the kernel shows it. */
static int deny_surplus(const char *folder, const struct limits *l, struct error *e)
{
	char list[4 * CGROUP_FILE_SIZE];
	int r = cgroup_file_read(folder, "devices.list", list, sizeof(list));

	if (r < 0)
		return error_system(e, -r, "read '%s/devices.list'", folder);
	for (char *line = list, *next; *line; line = next) {
		size_t access = find_access(line), n = access;
		char surplus[64];

		next = strchrnul(line, '\n');
		if (*next)
			*next++ = 0;
		if (access >= sizeof(surplus) - 4)
			continue;
		memcpy(surplus, line, access);
		for (const char *bit = line + access; *bit; bit++) {
			bool wanted = false;

			for (size_t i = 0; i < l->n_writes; i++)
				wanted |= find_access(l->writes[i].value) == access &&
					  !strncmp(l->writes[i].value, line, access) &&
					  strchr(l->writes[i].value + access, *bit);
			if (!wanted && n < sizeof(surplus) - 1)
				surplus[n++] = *bit;
		}
		surplus[n] = 0;
		if (n == access)
			continue;
		r = cgroup_file_write(folder, "devices.deny", surplus);
		if (r < 0)
			return error_system(e, -r, "write '%s' to '%s/devices.deny'", surplus, folder);
	}
	return 0;
}

/*
 * From one set of exceptions to another without a moment in which all is denied: first what comes, then what goes.
 * Where the default itself changes there is no such way.
 */
static int update_devices_v1(const char *folder, const struct limits *l, struct error *e)
{
	char list[4 * CGROUP_FILE_SIZE];
	bool denies = str_equal(l->writes[0].file, "devices.deny"), denied;
	int r = cgroup_file_read(folder, "devices.list", list, sizeof(list));

	if (r < 0)
		return error_system(e, -r, "read '%s/devices.list'", folder);
	denied = *list != 'a';
	for (size_t i = denies && denied; i < l->n_writes; i++) {
		const struct limit_write *w = &l->writes[i];

		r = cgroup_file_write(folder, w->file, w->value);
		if (r < 0 && !w->optional && !w->initial)
			return error_system(e, -r, "linux.resources.devices: write '%s' to '%s/%s'", w->value, folder,
					    w->file);
	}
	return denies && denied ? deny_surplus(folder, l, e) : 0;
}

int cgroup_update_devices(const struct cgroup_host *host, const struct cgroup *cgroup,
			  const struct spec_resources *resources, struct error *e)
{
	const char *v1 = cgroup_find_v1(cgroup, CGROUP_DEVICES_CONTROLLER), *v2 = cgroup_find_v2(cgroup);
	auto_arena arena = ARENA_INIT;
	struct limits l = {.host = host, .arena = &arena, .existing = cgroup};
	struct device_rules rules;
	int r = device_rules_compile(resources, &arena, &rules, e);

	if (r < 0)
		return r;
	if (!v1)
		return v2 && !host->v1_of[CGROUP_DEVICES_CONTROLLER]
			   ? devices_v2_attach(v2, &rules, true, &arena, e)
			   : error_refuse(e, ERROR_UNSUPPORTED,
					  "linux.resources.devices: the container has no cgroup for device rules");
	r = devices_v1_compile(&rules, &l, e);
	return r < 0 ? r : update_devices_v1(v1, &l, e);
}
