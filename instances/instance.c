/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instances/instance.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/tree.h"
#include "spec/json.h"
#include "storage/image.h"
#include "storage/root.h"

enum {
	RECORD_MAX = 16 << 20, /* bytes of instance.json: labels, and what apply was given */
	CONFIG_MAX = 64 << 20,
	NAME_MAX_SIZE = 63, /* a label of the DNS, and a hostname */
	LOCK_SECONDS = 30,
};

#define FOLDER "instances"
#define MAKING "tmp"
#define MAKING_PREFIX "instance-"

void instance_release(struct instance *instance)
{
	instance->parent = fd_close(instance->parent);
	instance->folder = fd_close(instance->folder);
	instance->locked = false;
	arena_release(&instance->arena);
}

/* ---- the data folder ---- */

int instances_path(const struct runtime *runtime, const char *path, struct arena *arena, const char **ret,
		   struct error *e)
{
	if (!runtime->data)
		return error_refuse(e, ERROR_STATE,
				    "there is no data folder: give --data DIR, or set HOME or XDG_DATA_HOME");
	*ret = arena_format(arena, "%s/%s", runtime->data, path);
	return 0;
}

/* Every missing folder of path, 0700. */
static int make_folders(const char *path, struct arena *arena, struct error *e)
{
	char *copy = arena_strdup(arena, path);

	for (char *slash = strchr(copy + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = 0;
		if (mkdir(copy, 0700) && errno != EEXIST)
			return error_system(e, errno, "make the folder '%s'", copy);
		if (!slash)
			return 0;
		*slash = '/';
	}
}

/* DATA/name.  1: it isn't there, and was not to be made. */
static int open_data(const struct runtime *runtime, const char *name, bool make, struct arena *arena, int *ret_fd,
		     struct error *e)
{
	const char *path = NULL;
	int fd, r = instances_path(runtime, name, arena, &path, e);

	if (r)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		if (!make)
			return 1;
		r = make_folders(path, arena, e);
		if (r)
			return r;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return error_system(e, errno, "open '%s'", path);
	*ret_fd = fd;
	return 0;
}

static int check_name(const char *name, struct error *e)
{
	bool begins =
	    (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') || (*name >= '0' && *name <= '9');

	if (begins && strlen(name) <= NAME_MAX_SIZE && str_is_id(name))
		return 0;
	return error_refuse(
	    e, ERROR_USAGE,
	    "invalid instance name '%s' (a letter or digit, then letters, digits, '_', '+', '-' and '.', "
	    "at most %d)",
	    name, NAME_MAX_SIZE);
}

/* ---- instance.json ---- */

struct label_reader {
	struct instance *instance;
	size_t n;
};

static void read_label(const char *key, const struct json *value, void *data)
{
	struct label_reader *reader = data;
	struct instance *i = reader->instance;
	const char *text = json_string_peek(value);

	i->record.labels[reader->n++] =
	    (struct spec_pair){arena_strdup(&i->arena, key), arena_strdup(&i->arena, text ? text : "")};
}

static void count_label(const char *key, const struct json *value, void *data)
{
	(void)key, (void)value;
	++*(size_t *)data;
}

static int load_record(struct instance *i, struct error *e)
{
	auto_free char *text = NULL, *source = NULL;
	const struct json *labels, *applied;
	struct label_reader reader = {.instance = i};
	auto_json *json = NULL;
	size_t size = 0;
	int r = file_read(i->folder, INSTANCE_RECORD, RECORD_MAX, &text, &size);

	if (r)
		return error_system(e, -r, "read '%s/" INSTANCE_RECORD "'", i->path);
	r = json_read(text, size, INSTANCE_RECORD, &json, e);
	if (r) {
		error_context(e, "instance '%s'", i->name);
		return r;
	}
	i->record = (struct instance_record){
	    .created = json_find_int(json, "created", 0),
	    .up = json_find_bool(json, "up", false),
	    .held = json_find_bool(json, "held", false),
	    .remove = json_find_bool(json, "remove", false),
	    .generation = json_find_uint(json, "generation", 0),
	    .delay = json_find_int(json, "delay", 0),
	};
	labels = json_find(json, "labels");
	json_each(labels, count_label, &i->record.n_labels);
	i->record.labels = arena_array(&i->arena, struct spec_pair, i->record.n_labels);
	json_each(labels, read_label, &reader);
	applied = json_find(json, "source");
	source = applied ? json_dump(applied, JSON_INDENT_NONE) : NULL;
	i->record.source = source ? arena_strdup(&i->arena, source) : NULL;
	return 0;
}

/*
 * On a full disk: over the old text, in the blocks that it has, at once, and with blanks where it was longer.  What is wanted must be
 * known also then, as stopping and removing is what makes room.
 */
static int save_in_place(const struct instance *i, struct str *text)
{
	auto_fd fd = openat(i->folder, INSTANCE_RECORD, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	while ((off_t)text->size < st.st_size)
		str_add(text, " ");
	if ((off_t)text->size > st.st_size && (off_t)text->size > st.st_blocks * 512)
		return -ENOSPC;
	return pwrite(fd, str_peek(text), text->size, 0) == (ssize_t)text->size ? 0 : -EIO;
}

int instance_save(struct instance *i, struct error *e)
{
	struct json_writer w = json_writer_init(JSON_INDENT_TAB);
	auto_free char *text = NULL;
	auto_str over = STR_INIT;
	int r;

	json_open_object(&w, NULL);
	json_put_int(&w, "created", i->record.created);
	json_put_bool(&w, "up", i->record.up);
	if (i->record.held)
		json_put_bool(&w, "held", true);
	if (i->record.remove)
		json_put_bool(&w, "remove", true);
	json_put_uint(&w, "generation", i->record.generation);
	if (i->record.delay)
		json_put_int(&w, "delay", i->record.delay);
	if (i->record.n_labels) {
		json_open_object(&w, "labels");
		for (size_t n = 0; n < i->record.n_labels; n++)
			json_put_string(&w, i->record.labels[n].key, i->record.labels[n].value);
		json_close(&w);
	}
	if (i->record.source)
		json_put_raw(&w, "source", i->record.source);
	json_close(&w);
	str_add(&w.text, "\n");
	text = json_finish(&w);
	r = file_replace(i->folder, INSTANCE_RECORD, 0600, text, strlen(text));
	if (r == -ENOSPC || r == -EDQUOT) {
		str_add(&over, text);
		r = save_in_place(i, &over);
	}
	return r ? error_system(e, -r, "write '%s/" INSTANCE_RECORD "'", i->path) : 0;
}

int instance_set_up(struct instance *i, bool up, struct error *e)
{
	if (i->record.up == up && !i->record.held)
		return 0;
	i->record.up = up;
	i->record.held = false;
	return instance_save(i, e);
}

int instance_hold(struct instance *i, struct error *e)
{
	if (!i->record.up || i->record.held)
		return 0;
	i->record.held = true;
	return instance_save(i, e);
}

const char *instance_label_peek(const struct instance *i, const char *key)
{
	for (size_t n = 0; n < i->record.n_labels; n++)
		if (str_equal(i->record.labels[n].key, key))
			return i->record.labels[n].value;
	return NULL;
}

void instance_set_label(struct instance *i, const char *key, const char *value)
{
	size_t n_old = i->record.n_labels, n = 0;
	struct spec_pair *labels = arena_array(&i->arena, struct spec_pair, n_old + 1);

	for (size_t k = 0; k < n_old; k++)
		if (!str_equal(i->record.labels[k].key, key))
			labels[n++] = i->record.labels[k];
	if (value)
		labels[n++] = (struct spec_pair){arena_strdup(&i->arena, key), arena_strdup(&i->arena, value)};
	i->record.labels = labels;
	i->record.n_labels = n;
}

/* ---- opening and locking ---- */

/* The root of a container whose bundle is elsewhere: it lies among the instances, and goes with the container. */
static bool is_container(int parent, const char *name)
{
	char path[NAME_MAX_SIZE + 32];

	snprintf(path, sizeof(path), "%s/" ROOT_RECORD, name);
	if (faccessat(parent, path, F_OK, AT_SYMLINK_NOFOLLOW))
		return false;
	snprintf(path, sizeof(path), "%s/" INSTANCE_CONFIG, name);
	return faccessat(parent, path, F_OK, AT_SYMLINK_NOFOLLOW) && errno == ENOENT;
}

static int refuse_missing(const struct runtime *runtime, const char *name, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	const char *const *names = NULL, *close = NULL;
	struct error ignored;
	size_t n = 0;

	if (!instances_names(runtime, &arena, &names, &n, &ignored))
		close = str_closest(name, names, n);
	if (close)
		return error_refuse(e, ERROR_NOT_FOUND, "there is no instance '%s'; did you mean '%s'?", name, close);
	return error_refuse(e, ERROR_NOT_FOUND, "there is no instance '%s'%s", name,
			    n ? "; 'holm list' shows those that are" : "; 'holm launch' makes one");
}

int instance_find(const struct runtime *runtime, const char *name, struct instance *ret, struct error *e)
{
	auto_instance i = INSTANCE_INIT;
	struct error ignored;
	int r;

	/* What can't be an instance's name is no instance. */
	if (!runtime->data || check_name(name, &ignored))
		return 1;
	r = open_data(runtime, FOLDER, false, &i.arena, &i.parent, e);
	if (r)
		return r;
	i.name = arena_strdup(&i.arena, name);
	i.path = arena_format(&i.arena, "%s/" FOLDER "/%s", runtime->data, name);
	i.folder = openat(i.parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (i.folder < 0 && errno == ENOENT)
		return 1;
	if (i.folder < 0)
		return error_system(e, errno, "open '%s'", i.path);
	if (is_container(i.parent, name))
		return 1;
	r = load_record(&i, e);
	if (r)
		return r;
	*ret = i;
	i = INSTANCE_INIT;
	return 0;
}

int instance_open(const struct runtime *runtime, const char *name, struct instance *ret, struct error *e)
{
	int r = check_name(name, e);

	if (!r)
		r = instance_find(runtime, name, ret, e);
	return r == 1 ? refuse_missing(runtime, name, e) : r;
}

/* Is the folder that we have open still the one of that name? */
static bool is_current(const struct instance *i)
{
	struct stat ours, theirs;

	return !fstat(i->folder, &ours) && !fstatat(i->parent, i->name, &theirs, AT_SYMLINK_NOFOLLOW) &&
	       ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

int instance_lock(struct instance *i, struct error *e)
{
	struct timespec pause = {.tv_nsec = 1000000}, now, end;

	if (i->locked)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += LOCK_SECONDS;
	while (flock(i->folder, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_system(e, errno, "lock '%s'", i->path);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec)
			return error_refuse(e, ERROR_STATE,
					    "instance '%s': another holm has been at work on it for %d seconds",
					    i->name, LOCK_SECONDS);
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 50000000)
			pause.tv_nsec *= 2;
	}
	i->locked = true;
	if (is_current(i))
		return load_record(i, e);
	instance_unlock(i);
	return error_refuse(e, ERROR_NOT_FOUND, "instance '%s': it has been removed or renamed meanwhile", i->name);
}

void instance_unlock(struct instance *i)
{
	if (i->locked && flock(i->folder, LOCK_UN))
		log_warning("unlock '%s': %s", i->path, strerror(errno));
	i->locked = false;
}

/* ---- config.json ---- */

int instance_load_spec(const struct instance *i, struct spec *ret, struct error *e)
{
	int r = spec_load(i->folder, INSTANCE_CONFIG, ret, e);

	if (r)
		error_context(e, "instance '%s'", i->name);
	return r;
}

void instance_describe_image(const struct spec_process *process, struct image_config *ret)
{
	*ret = (struct image_config){.cmd = process->args,
				     .n_cmd = process->n_args,
				     .env = process->env,
				     .n_env = process->n_env,
				     .working_dir = process->cwd};
}

int instance_save_config(struct instance *i, const char *text, struct error *e)
{
	struct spec spec;
	int r = spec_parse(text, strlen(text), INSTANCE_CONFIG, &spec, e);

	if (r)
		return r;
	spec_release(&spec);
	r = file_replace(i->folder, INSTANCE_CONFIG, 0600, text, strlen(text));
	if (r)
		return error_system(e, -r, "write '%s/" INSTANCE_CONFIG "'", i->path);
	i->record.generation++;
	return instance_save(i, e);
}

int instance_save_started(const struct instance *i, struct error *e)
{
	if ((unlinkat(i->folder, INSTANCE_STARTED, 0) && errno != ENOENT) ||
	    linkat(i->folder, INSTANCE_CONFIG, i->folder, INSTANCE_STARTED, 0))
		return error_system(e, errno, "make '%s/" INSTANCE_STARTED "'", i->path);
	return 0;
}

/* ---- its end ---- */

int instance_load_end(const struct instance *i, struct arena *arena, struct instance_end *ret, struct error *e)
{
	auto_free char *text = NULL;
	auto_json *json = NULL;
	const char *why;
	size_t size = 0;
	int r = file_read(i->folder, INSTANCE_END, RECORD_MAX, &text, &size);

	if (r == -ENOENT)
		return 1;
	if (r)
		return error_system(e, -r, "read '%s/" INSTANCE_END "'", i->path);
	r = json_read(text, size, INSTANCE_END, &json, e);
	if (r) {
		error_context(e, "instance '%s'", i->name);
		return r;
	}
	why = json_find_string(json, "why");
	*ret = (struct instance_end){
	    .status = (int)json_find_int(json, "status", -1),
	    .started = json_find_int(json, "started", 0),
	    .ended = json_find_int(json, "ended", 0),
	    .restarts = (uint32_t)json_find_uint(json, "restarts", 0),
	    .asked = json_find_bool(json, "asked", false),
	    .why = why ? arena_strdup(arena, why) : NULL,
	};
	return 0;
}

int instance_save_end(const struct instance *i, const struct instance_end *end, struct error *e)
{
	struct json_writer w = json_writer_init(JSON_INDENT_TAB);
	auto_free char *text = NULL;
	int r;

	json_open_object(&w, NULL);
	json_put_int(&w, "status", end->status);
	json_put_int(&w, "started", end->started);
	json_put_int(&w, "ended", end->ended);
	json_put_uint(&w, "restarts", end->restarts);
	json_put_bool(&w, "asked", end->asked);
	if (end->why)
		json_put_string(&w, "why", end->why);
	json_close(&w);
	str_add(&w.text, "\n");
	text = json_finish(&w);
	r = file_replace(i->folder, INSTANCE_END, 0600, text, strlen(text));
	return r ? error_system(e, -r, "write '%s/" INSTANCE_END "'", i->path) : 0;
}

/* ---- making ---- */

static uint64_t random_number(void)
{
	uint64_t number = 0;

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number)) {
		struct timespec t;

		clock_gettime(CLOCK_REALTIME, &t);
		number = (uint64_t)t.tv_nsec * 2654435761u + (uint64_t)t.tv_sec + (uint64_t)getpid();
	}
	return number;
}

/* A folder of its own in DATA/tmp, locked: a sweeper that comes between mkdir and the lock takes it away, and it is made anew. */
static int make_folder(struct instance *i, int tmp, char *name, size_t size, struct error *e)
{
	struct stat st;

	for (;;) {
		int fd;

		snprintf(name, size, MAKING_PREFIX "%016" PRIx64, random_number());
		if (mkdirat(tmp, name, 0700)) {
			if (errno == EEXIST)
				continue;
			return error_system(e, errno, "make a folder for instance '%s'", i->name);
		}
		fd = openat(tmp, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return error_system(e, errno, "open the new folder of instance '%s'", i->name);
		if (!flock(fd, LOCK_EX | LOCK_NB) && !fstat(fd, &st) && st.st_nlink) {
			i->folder = fd;
			i->locked = true;
			return 0;
		}
		fd_close(fd);
	}
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int instance_begin(const struct runtime *runtime, const char *name, struct instance *ret, struct error *e)
{
	auto_instance i = INSTANCE_INIT;
	char temporary[64];
	int r = check_name(name, e);

	if (r)
		return r;
	r = open_data(runtime, MAKING, true, &i.arena, &i.parent, e);
	if (r)
		return r;
	i.name = arena_strdup(&i.arena, name);
	r = make_folder(&i, i.parent, temporary, sizeof(temporary), e);
	if (r)
		return r;
	i.path = arena_format(&i.arena, "%s/" MAKING "/%s", runtime->data, temporary);
	i.record = (struct instance_record){.created = now()};
	*ret = i;
	i = INSTANCE_INIT;
	return 0;
}

int instance_publish(const struct runtime *runtime, struct instance *i, struct error *e)
{
	auto_fd parent = -1;
	int r = open_data(runtime, FOLDER, true, &i->arena, &parent, e);

	if (!r)
		r = instance_save(i, e);
	if (r)
		return r;
	/* An instance's folder is never empty, so that rename(2) does not replace one. */
	if (renameat(i->parent, strrchr(i->path, '/') + 1, parent, i->name)) {
		if (errno == EEXIST || errno == ENOTEMPTY)
			return error_refuse(
			    e, ERROR_EXISTS,
			    "there is an instance '%s' already: remove it ('holm remove %s'), or take another "
			    "name",
			    i->name, i->name);
		return error_system(e, errno, "name the folder of instance '%s'", i->name);
	}
	fd_close(i->parent);
	i->parent = take_fd(&parent);
	i->path = arena_format(&i->arena, "%s/" FOLDER "/%s", runtime->data, i->name);
	return 0;
}

int instance_sync(const struct instance *i, struct error *e)
{
	static const char *const files[] = {INSTANCE_CONFIG, INSTANCE_RECORD, ROOT_RECORD};

	for (size_t n = 0; n < ARRAY_SIZE(files); n++) {
		auto_fd fd = openat(i->folder, files[n], O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0 || fsync(fd))
			return error_system(e, errno, "flush '%s/%s'", i->path, files[n]);
	}
	if (fsync(i->folder) || fsync(i->parent))
		return error_system(e, errno, "flush '%s'", i->path);
	return 0;
}

int instances_sync(const struct runtime *runtime, struct error *e)
{
	auto_arena arena = ARENA_INIT;
	auto_fd folder = -1;
	int r = open_data(runtime, FOLDER, false, &arena, &folder, e);

	if (r)
		return r == 1 ? 0 : r;
	return syncfs(folder) ? error_system(e, errno, "flush the file system of '%s/" FOLDER "'", runtime->data) : 0;
}

/* ---- removing ---- */

void instance_discard(struct instance *i)
{
	struct error e;

	if (i->folder >= 0 && tree_remove(i->parent, strrchr(i->path, '/') + 1, &e))
		log_warning("instance '%s': %s", i->name, e.text);
}

int instance_remove(const struct runtime *runtime, struct instance *i, struct error *e)
{
	auto_fd tmp = -1;
	char name[64];
	int r = open_data(runtime, MAKING, true, &i->arena, &tmp, e);

	if (r)
		return r;
	/* First the name goes: whoever dies after that leaves an unlocked folder in DATA/tmp. */
	snprintf(name, sizeof(name), MAKING_PREFIX "%016" PRIx64, random_number());
	if (renameat(i->parent, i->name, tmp, name))
		return error_system(e, errno, "take instance '%s' away", i->name);
	r = tree_remove(tmp, name, e);
	if (r)
		error_context(e, "instance '%s'", i->name);
	return r;
}

int instance_rename(const struct runtime *runtime, struct instance *i, const char *name, struct error *e)
{
	int r = check_name(name, e);

	if (r)
		return r;
	if (renameat(i->parent, i->name, i->parent, name)) {
		if (errno == EEXIST || errno == ENOTEMPTY)
			return error_refuse(e, ERROR_EXISTS, "there is an instance '%s' already", name);
		return error_system(e, errno, "rename instance '%s' to '%s'", i->name, name);
	}
	i->name = arena_strdup(&i->arena, name);
	i->path = arena_format(&i->arena, "%s/" FOLDER "/%s", runtime->data, name);
	return 0;
}

/* ---- names ---- */

static const char *const adjectives[] = {
    "amber", "azure", "bold",  "brave",	 "brisk",  "calm",   "clear",  "clever", "coral",  "crisp",  "dapper",
    "deft",  "eager", "early", "fair",	 "fleet",  "fond",   "frank",  "fresh",	 "gentle", "glad",   "golden",
    "grand", "hardy", "hazel", "jolly",	 "keen",   "kind",   "light",  "lively", "loyal",  "lucid",  "mellow",
    "merry", "mild",  "misty", "neat",	 "nimble", "noble",  "pearly", "plucky", "polite", "proud",  "quick",
    "quiet", "rapid", "rosy",  "salty",	 "sandy",  "silent", "silver", "snug",	 "spry",   "steady", "sunny",
    "swift", "tidal", "tidy",  "trusty", "vivid",  "warm",   "wavy",   "windy",	 "witty",
};
static const char *const nouns[] = {
    "albatross", "anchor", "auk",    "bay",    "beacon",  "breaker", "buoy",	"cape",	  "cliff",  "cove",  "crab",
    "curlew",	 "cutter", "dune",   "eider",  "fjord",	  "gannet",  "gull",	"harbor", "heron",  "inlet", "islet",
    "jetty",	 "kelp",   "ketch",  "lagoon", "lantern", "limpet",  "lobster", "marlin", "mast",   "moor",  "mussel",
    "oar",	 "osprey", "otter",  "oyster", "pebble",  "pelican", "pier",	"plover", "puffin", "quay",  "reef",
    "rudder",	 "sail",   "seal",   "shell",  "shoal",	  "shore",   "skerry",	"skiff",  "sloop",  "sound", "spit",
    "squid",	 "stilt",  "strand", "tern",   "tide",	  "urchin",  "walrus",	"wharf",  "whelk",
};

const char *instance_invent_name(const struct runtime *runtime, struct arena *arena)
{
	for (unsigned attempt = 0;; attempt++) {
		uint64_t number = random_number();
		const char *name = arena_format(arena, "%s-%s", adjectives[number % ARRAY_SIZE(adjectives)],
						nouns[(number >> 32) % ARRAY_SIZE(nouns)]);

		if (attempt > 4)
			name = arena_format(arena, "%s-%u", name, (unsigned)(number >> 16) % 10000);
		if (attempt > 64 || faccessat(AT_FDCWD, arena_format(arena, "%s/" FOLDER "/%s", runtime->data, name),
					      F_OK, AT_SYMLINK_NOFOLLOW))
			return name;
	}
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int instances_names(const struct runtime *runtime, struct arena *arena, const char *const **ret, size_t *ret_n,
		    struct error *e)
{
	const char **names = NULL;
	size_t n = 0, room = 0;
	struct dirent *entry;
	struct error ignored;
	int fd = -1, r;
	DIR *dir;

	*ret = NULL;
	*ret_n = 0;
	r = runtime->data ? open_data(runtime, FOLDER, false, arena, &fd, e) : 1;
	if (r)
		return r == 1 ? 0 : r;
	dir = fdopendir(fd);
	if (!dir) {
		fd_close(fd);
		return error_system(e, ENOMEM, "list the instances");
	}
	while ((errno = 0, entry = readdir(dir))) {
		if (check_name(entry->d_name, &ignored) || is_container(dirfd(dir), entry->d_name))
			continue;
		names = arena_grow(arena, names, n, &room, sizeof(*names));
		names[n++] = arena_strdup(arena, entry->d_name);
	}
	r = errno ? error_system(e, errno, "list the instances in '%s/" FOLDER "'", runtime->data) : 0;
	closedir(dir);
	if (r)
		return r;
	if (n)
		qsort(names, n, sizeof(*names), compare);
	*ret = names;
	*ret_n = n;
	return 0;
}

int instances_each(const struct runtime *runtime,
		   int (*each)(struct instance *instance, const struct error *broken, void *data), void *data,
		   struct error *e)
{
	auto_arena arena = ARENA_INIT;
	const char *const *names;
	size_t n;
	int r = instances_names(runtime, &arena, &names, &n, e);

	for (size_t k = 0; !r && k < n; k++) {
		auto_instance i = INSTANCE_INIT;
		struct error broken = ERROR_INIT;

		r = instance_find(runtime, names[k], &i, &broken);
		if (r == 1) { /* removed meanwhile */
			r = 0;
			continue;
		}
		if (r)
			i.name = names[k];
		r = each(&i, r ? &broken : NULL, data);
	}
	return r;
}

/* ---- leftovers ---- */

int instances_sweep(const struct runtime *runtime, void (*told)(const char *what, void *data), void *data,
		    struct error *e)
{
	auto_arena arena = ARENA_INIT;
	struct dirent *entry;
	int tmp = -1, r;
	DIR *dir;

	r = runtime->data ? open_data(runtime, MAKING, false, &arena, &tmp, e) : 1;
	if (r)
		return r == 1 ? 0 : r;
	dir = fdopendir(tmp);
	if (!dir) {
		fd_close(tmp);
		return error_system(e, ENOMEM, "list '%s/" MAKING "'", runtime->data);
	}
	while (!r && (entry = readdir(dir))) {
		auto_fd fd = -1;

		if (!str_after(entry->d_name, MAKING_PREFIX))
			continue;
		fd = openat(tmp, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB)) /* gone, or its maker is at work */
			continue;
		r = tree_remove(tmp, entry->d_name, e);
		if (!r && told)
			told(arena_format(&arena, "%s/" MAKING "/%s", runtime->data, entry->d_name), data);
	}
	closedir(dir);
	return r;
}
