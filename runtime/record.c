/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "spec/json.h"

#define RECORD_FILE "record.json"
#define RECORD_INIT "init"
#define RECORD_EXIT "exit"
#define RECORD_UPDATES "updates"
#define RECORD_UNDO "undo"

enum {
	MAX_RECORD = 64 << 20,
	RECORD_LINES = 4,	/* the record, process, hooks, devices */
	BROKEN_WAIT_MS = 10000, /* others hold the state folder for microseconds */
	INIT_SIZE = 128,
};

/* Makes path and what is missing above it, 0700. */
static int make_folders(const char *path)
{
	auto_free char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *slash = copy + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = 0;
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			return -errno;
	}
	return mkdir(copy, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int record_open_root(const char *root, bool create, int *ret_fd, struct error *e)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0 && errno == ENOENT && create) {
		r = make_folders(root);
		if (r)
			return error_system(e, -r, "make the state folder '%s'", root);
		fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return error_system(e, errno, "open the state folder '%s'", root);
	*ret_fd = fd;
	return 0;
}

/* Is the file without a name any more?  A lock on it keeps nobody out of anything. */
static bool is_removed(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && !st.st_nlink;
}

/*
 * A folder without a record is either being made or removed, or its maker died on the way.  To tell these apart, who makes or
 * removes one shares a lock on the state folder for that moment (nobody waits for anybody), and who takes one for broken has
 * it alone.
 */
static void share_root(int root_fd)
{
	while (flock(root_fd, LOCK_SH) < 0 && errno == EINTR)
		;
}

static void leave_root(int root_fd)
{
	flock(root_fd, LOCK_UN);
}

/* The folder by name: only while nobody else can have removed and made it again. */
static int remove_folder(int root_fd, const char *id, int folder);

/*
 * The lock on a record: of the open file (F_OFD_...), as these can be asked for without being taken: who only looks must not
 * be in anybody's way.  0 or -errno, -EAGAIN: somebody else has it.
 */
static int set_lock(int fd, short type, bool wait)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET};

	while (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock) < 0)
		if (errno != EINTR)
			return errno == EACCES ? -EAGAIN : -errno;
	return 0;
}

/* The record, empty, and the lock on it. */
static int make_record(int folder, const char *id, int *ret_lock, struct error *e)
{
	auto_fd fd = openat(folder, RECORD_FILE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return error_system(e, errno, "make the record of '%s'", id);
	r = set_lock(fd, F_WRLCK, false);
	if (r == -EAGAIN)
		return error_refuse(e, ERROR_STATE, "container '%s': another holm is at work on it", id);
	if (r)
		return error_system(e, -r, "lock the record of '%s'", id);
	*ret_lock = take_fd(&fd);
	return 0;
}

static int claim(int root_fd, const char *id, int *ret_folder, int *ret_lock, struct error *e)
{
	auto_fd folder = -1;
	int r;

	if (mkdirat(root_fd, id, 0700) < 0) {
		if (errno == EEXIST)
			return error_refuse(e, ERROR_EXISTS, "container with id '%s' exists already", id);
		return error_system(e, errno, "make the state folder of '%s'", id);
	}
	folder = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0) {
		r = error_system(e, errno, "open the state folder of '%s'", id);
		unlinkat(root_fd, id, AT_REMOVEDIR);
		return r;
	}
	r = make_record(folder, id, ret_lock, e);
	if (r)
		remove_folder(root_fd, id, folder);
	else
		*ret_folder = take_fd(&folder);
	return r;
}

int record_claim(int root_fd, const char *id, int *ret_folder, int *ret_lock, struct error *e)
{
	int r;

	share_root(root_fd);
	r = claim(root_fd, id, ret_folder, ret_lock, e);
	leave_root(root_fd);
	return r;
}

static void put_cgroup(struct json_writer *w, const struct cgroup *cgroup)
{
	json_open_object(w, "cgroup");
	if (cgroup->scope)
		json_put_string(w, "scope", cgroup->scope);
	json_open_array(w, "paths");
	for (size_t i = 0; i < cgroup->n_paths; i++) {
		json_put_string(w, NULL, cgroup->paths[i].controllers);
		json_put_string(w, NULL, cgroup->paths[i].path);
	}
	json_close(w);
	json_close(w);
}

static void put_flag(struct json_writer *w, const char *key, bool value)
{
	if (value)
		json_put_bool(w, key, true);
}

/* record.json, malloc'd. */
static char *encode_record(const struct record *record)
{
	struct json_writer w = json_writer_init(JSON_INDENT_NONE);

	json_open_object(&w, NULL);
	json_put_string(&w, "id", record->id);
	json_put_string(&w, "bundle", record->bundle);
	json_put_string(&w, "rootfs", record->rootfs);
	json_put_string(&w, "created", record->created);
	put_cgroup(&w, &record->cgroup);
	json_put_uint(&w, "namespaces", record->namespaces);
	/* What is false or 0 is left out: who lists containers reads it a thousand times. */
	put_flag(&w, "userNamespace", record->user_namespace);
	put_flag(&w, "rootless", record->rootless);
	put_flag(&w, "newPidNamespace", record->new_pid_namespace);
	put_flag(&w, "noNewKeyring", record->no_new_keyring);
	if (record->personality)
		json_put_int(&w, "personality", record->personality);
	if (record->seccomp_flags)
		json_put_uint(&w, "seccompFlags", record->seccomp_flags);
	put_flag(&w, "seccompListener", record->seccomp_listener);
	if (record->listener_path)
		json_put_string(&w, "listenerPath", record->listener_path);
	if (record->listener_metadata)
		json_put_string(&w, "listenerMetadata", record->listener_metadata);
	put_flag(&w, "networks", record->networks);
	if (record->data)
		json_put_string(&w, "data", record->data);
	if (record->rdt.group) {
		json_open_object(&w, "rdt");
		json_put_string(&w, "group", record->rdt.group);
		json_put_bool(&w, "owned", record->rdt.owned);
		if (record->rdt.monitor)
			json_put_string(&w, "monitor", record->rdt.monitor);
		json_close(&w);
	}
	if (record->n_annotations) {
		json_open_object(&w, "annotations");
		for (size_t i = 0; i < record->n_annotations; i++)
			json_put_string(&w, record->annotations[i].key, record->annotations[i].value);
		json_close(&w);
	}
	json_close(&w);
	/* Lines of their own: they are by far the most, and only exec, hooks and update read them. */
	str_addf(&w.text, "\n%s\n%s\n%s\n", record->process ? record->process : "", record->hooks ? record->hooks : "",
		 record->devices ? record->devices : "");
	return json_finish(&w);
}

int record_save(int lock, const struct record *record, struct error *e)
{
	auto_free char *text = encode_record(record);
	int r = fd_write_all(lock, text, strlen(text));

	return r ? error_system(e, -r, "write the record of '%s'", record->id) : 0;
}

static int take_lock(int folder, const char *id, short type, int *ret_lock, struct error *e)
{
	*ret_lock = -1;
	for (;;) {
		auto_fd fd = openat(folder, RECORD_FILE, O_RDWR | O_CLOEXEC);
		int r;

		if (fd < 0 && errno != ENOENT)
			return error_system(e, errno, "container '%s': open its record", id);
		if (fd < 0 && !is_removed(folder))
			return 0;
		if (fd < 0)
			return error_refuse(e, ERROR_NOT_FOUND, "container '%s': container does not exist", id);
		r = set_lock(fd, type, false);
		if (r == -EAGAIN)
			return error_refuse(e, ERROR_STATE, "container '%s': another holm is at work on it", id);
		if (r)
			return error_system(e, -r, "container '%s': lock its record", id);
		if (is_removed(fd)) /* or replaced by an update: look again */
			continue;
		*ret_lock = take_fd(&fd);
		return 0;
	}
}

int record_replace(int folder, const struct record *record, struct error *e)
{
	auto_free char *text = encode_record(record);
	auto_fd lock = -1;
	int r = take_lock(folder, record->id, F_RDLCK, &lock, e); /* shared: to others it is not being created */

	if (r)
		return r;
	r = file_replace(folder, RECORD_FILE, 0600, text, strlen(text));
	return r ? error_system(e, -r, "write the record of '%s'", record->id) : 0;
}

int record_save_init(int folder, pid_t pid, uint64_t start, const char *boot_id, struct error *e)
{
	char text[INIT_SIZE];

	snprintf(text, sizeof(text), "%d %" PRIu64 " %s", (int)pid, start, boot_id);
	return symlinkat(text, folder, RECORD_INIT) < 0 ? error_system(e, errno, "record the process") : 0;
}

int record_save_exit(int folder, int status, struct error *e)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", status);
	int r = file_create(folder, RECORD_EXIT, 0600, text, n);

	return r ? error_system(e, -r, "record the exit status") : 0;
}

int record_load_exit(int folder)
{
	auto_free char *text = NULL;

	return file_read(folder, RECORD_EXIT, 16, &text, NULL) ? -1 : atoi(text);
}

/* ---- updates ---- */

int record_add_update(int folder, const char *id, const char *patch_text, struct error *e)
{
	auto_free char *old = NULL, *text = NULL;
	auto_json *base = NULL, *patch = NULL;
	int r = file_read(folder, RECORD_UPDATES, MAX_RECORD, &old, NULL);

	if (r && r != -ENOENT)
		return error_system(e, -r, "container '%s': read the record of updates", id);
	if (!r)
		r = json_read(old, strlen(old), RECORD_UPDATES, &base, e);
	else
		r = 0;
	if (!r)
		r = json_read(patch_text, strlen(patch_text), RECORD_UPDATES, &patch, e);
	if (r)
		return r;
	text = json_merge(base, patch, JSON_INDENT_NONE);
	r = file_replace(folder, RECORD_UPDATES, 0600, text, strlen(text));
	return r ? error_system(e, -r, "container '%s': record the update", id) : 0;
}

int record_lock_updates(int folder, const char *id, bool wait, int *ret_lock, struct error *e)
{
	auto_fd fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_system(e, errno, "container '%s': open its state folder", id);
	*ret_lock = -1;
	while (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0)
		if (errno == EWOULDBLOCK)
			return 0;
		else if (errno != EINTR)
			return error_system(e, errno, "container '%s': lock its state folder", id);
	*ret_lock = take_fd(&fd);
	return 0;
}

const char *record_load_updates(int folder, struct arena *arena)
{
	auto_free char *text = NULL;

	return file_read(folder, RECORD_UPDATES, MAX_RECORD, &text, NULL) ? NULL : arena_strdup(arena, text);
}

int record_restore_updates(int folder, const char *text, struct error *e)
{
	int r = text ? file_replace(folder, RECORD_UPDATES, 0600, text, strlen(text))
		: unlinkat(folder, RECORD_UPDATES, 0) < 0 && errno != ENOENT ? -errno
									     : 0;

	return r ? error_system(e, -r, "restore the record of updates") : 0;
}

int record_save_undo(int folder, const char *text, struct error *e)
{
	int r = file_replace(folder, RECORD_UNDO, 0600, text, strlen(text));

	return r ? error_system(e, -r, "write down what the update replaces") : 0;
}

const char *record_load_undo(int folder, struct arena *arena)
{
	auto_free char *text = NULL;

	return file_read(folder, RECORD_UNDO, MAX_RECORD, &text, NULL) ? NULL : arena_strdup(arena, text);
}

bool record_has_undo(int folder)
{
	return !faccessat(folder, RECORD_UNDO, F_OK, AT_SYMLINK_NOFOLLOW);
}

void record_drop_undo(int folder)
{
	if (unlinkat(folder, RECORD_UNDO, 0) < 0 && errno != ENOENT)
		log_warning("the record of an update that is done can't be removed: %s", strerror(errno));
}

int record_save_seccomp(int folder, const struct seccomp_program *program, struct error *e)
{
	int r = file_create(folder, RECORD_SECCOMP, 0600, program->filter, program->n * sizeof(*program->filter));

	return r ? error_system(e, -r, "record the seccomp program") : 0;
}

int record_open(int root_fd, const char *id, int *ret_folder, struct error *e)
{
	int fd;

	if (!str_is_id(id))
		return error_refuse(e, ERROR_USAGE,
				    "invalid container id '%s' (letters, digits, '_', '+', '-' and '.', at most 255)",
				    id);
	fd = root_fd < 0 ? -1 : openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (root_fd < 0 || errno == ENOENT))
		return error_refuse(e, ERROR_NOT_FOUND, "container '%s': container does not exist", id);
	if (fd < 0)
		return error_system(e, errno, "open the state folder of '%s'", id);
	*ret_folder = fd;
	return 0;
}

static void load_cgroup(const struct json *json, struct arena *arena, struct cgroup *ret)
{
	const struct json *paths = json_find(json, "paths");

	ret->scope = arena_strdup(arena, json_find_string(json, "scope"));
	ret->n_paths = json_count(paths) / 2;
	ret->paths = arena_array(arena, struct cgroup_path, ret->n_paths);
	for (size_t i = 0; i < ret->n_paths; i++) {
		ret->paths[i].controllers = arena_strdup(arena, json_string_peek(json_at(paths, 2 * i)));
		ret->paths[i].path = arena_strdup(arena, json_string_peek(json_at(paths, 2 * i + 1)));
	}
}

struct annotations {
	struct arena *arena;
	struct spec_pair *pairs;
	size_t n;
};

static void count_annotation(const char *key, const struct json *value, void *data)
{
	(void)key;
	(void)value;
	((struct annotations *)data)->n++;
}

static void add_annotation(const char *key, const struct json *value, void *data)
{
	struct annotations *a = data;

	a->pairs[a->n++] =
	    (struct spec_pair){arena_strdup(a->arena, key), arena_strdup(a->arena, json_string_peek(value))};
}

/* Cuts the text into its lines; false: one is missing or not ended. */
static bool cut_lines(char *text, char *ret_lines[RECORD_LINES])
{
	for (size_t i = 0; i < RECORD_LINES; i++) {
		char *end = strchr(text, '\n');

		if (!end)
			return false;
		*end = 0;
		ret_lines[i] = text;
		text = end + 1;
	}
	return true;
}

static const char *load_line(const char *line, struct arena *arena)
{
	return *line ? arena_strdup(arena, line) : NULL;
}

/* Is somebody else's lock on it? */
static bool is_locked(int fd)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

/* A list looks at every record: one open file serves text and lock, and a short read of a regular file was all of it. */
static int read_record(int folder, char small[4096], char **ret_large, bool *ret_locked)
{
	auto_fd fd = openat(folder, RECORD_FILE, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	*ret_locked = is_locked(fd);
	n = pread(fd, small, 4096, 0);
	if (n < 0)
		return -errno;
	if (n == 4096)
		return fd_read_all(fd, MAX_RECORD, ret_large, NULL);
	small[n] = 0;
	return 0;
}

static int load_init(int folder, const char *id, struct arena *arena, struct record *ret, struct error *e)
{
	char text[INIT_SIZE], boot_id[64];
	ssize_t n = readlinkat(folder, RECORD_INIT, text, sizeof(text) - 1);
	uint64_t start;
	int pid;

	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0)
		return error_system(e, errno, "container '%s': read the record of its process", id);
	text[n] = 0;
	if (sscanf(text, "%d %" SCNu64 " %63s", &pid, &start, boot_id) == 3) {
		ret->pid = pid;
		ret->start = start;
		ret->boot_id = arena_strdup(arena, boot_id);
	}
	return 0;
}

int record_load(int folder, const char *id, struct arena *arena, struct record *ret, struct error *e)
{
	struct annotations annotations = {.arena = arena};
	char small[4096], *lines[RECORD_LINES];
	auto_free char *large = NULL;
	auto_json *json = NULL;
	const char *required;
	char *text = small;
	bool locked = false;
	int r = read_record(folder, small, &large, &locked);

	*ret = (struct record){.locked = locked};
	if (large)
		text = large;
	if (r == -ENOENT && is_removed(folder))
		return error_refuse(e, ERROR_NOT_FOUND, "container '%s': container does not exist", id);
	if (r && r != -ENOENT)
		return error_system(e, -r, "container '%s': read its record", id);
	if (!r && !cut_lines(text, lines))
		r = -EINVAL;
	if (!r)
		r = json_read(lines[0], strlen(lines[0]), RECORD_FILE, &json, e);
	required = r ? NULL : json_find_string(json, "bundle");
	if (!required)
		return error_refuse(e, ERROR_INVALID, "container '%s': broken record (delete --force removes it)", id);
	*ret = (struct record){
	    .id = arena_strdup(arena, id),
	    .bundle = arena_strdup(arena, required),
	    .rootfs = arena_strdup(arena, json_find_string(json, "rootfs")),
	    .created = arena_strdup(arena, json_find_string(json, "created")),
	    .namespaces = json_find_uint(json, "namespaces", 0),
	    .user_namespace = json_find_bool(json, "userNamespace", false),
	    .rootless = json_find_bool(json, "rootless", false),
	    .new_pid_namespace = json_find_bool(json, "newPidNamespace", false),
	    .no_new_keyring = json_find_bool(json, "noNewKeyring", false),
	    .personality = (enum spec_personality)json_find_int(json, "personality", 0),
	    .seccomp_flags = (unsigned)json_find_uint(json, "seccompFlags", 0),
	    .seccomp_listener = json_find_bool(json, "seccompListener", false),
	    .listener_path = arena_strdup(arena, json_find_string(json, "listenerPath")),
	    .listener_metadata = arena_strdup(arena, json_find_string(json, "listenerMetadata")),
	    .rdt.group = arena_strdup(arena, json_find_string(json_find(json, "rdt"), "group")),
	    .rdt.monitor = arena_strdup(arena, json_find_string(json_find(json, "rdt"), "monitor")),
	    .rdt.owned = json_find_bool(json_find(json, "rdt"), "owned", false),
	    .networks = json_find_bool(json, "networks", false),
	    .data = json_find_string(json, "data") ? arena_strdup(arena, json_find_string(json, "data")) : NULL,
	    .process = load_line(lines[1], arena),
	    .hooks = load_line(lines[2], arena),
	    .devices = load_line(lines[3], arena),
	    .locked = locked,
	};
	ret->has_process = ret->process != NULL;
	load_cgroup(json_find(json, "cgroup"), arena, &ret->cgroup);
	json_each(json_find(json, "annotations"), count_annotation, &annotations);
	annotations.pairs = arena_array(arena, struct spec_pair, annotations.n);
	annotations.n = 0;
	json_each(json_find(json, "annotations"), add_annotation, &annotations);
	ret->annotations = annotations.pairs;
	ret->n_annotations = annotations.n;
	return load_init(folder, id, arena, ret, e);
}

int record_load_seccomp(int folder, const struct record *record, struct arena *arena, struct seccomp_program *ret,
			struct error *e)
{
	auto_free char *data = NULL;
	size_t size;
	int r = file_read(folder, RECORD_SECCOMP, MAX_RECORD, &data, &size);

	if (r)
		return error_system(e, -r, "container '%s': read its seccomp program", record->id);
	*ret = (struct seccomp_program){
	    .filter = arena_memdup(arena, data, size),
	    .n = (unsigned short)(size / sizeof(struct sock_filter)),
	    .flags = record->seccomp_flags,
	    .listener = record->seccomp_listener,
	};
	return 0;
}

int record_lock(int folder, const char *id, int *ret_lock, struct error *e)
{
	return take_lock(folder, id, F_WRLCK, ret_lock, e);
}

void record_unlock(int lock)
{
	if (set_lock(lock, F_UNLCK, false))
		log_debug("a record can't be unlocked");
}

bool record_relock(int folder, int *lock)
{
	for (;;) {
		/* Should the kernel have no memory for a lock, the end goes on without: two that remove the same do no harm. */
		if (set_lock(*lock, F_WRLCK, true))
			log_debug("the record is not locked for its end");
		if (!is_removed(*lock))
			return true;
		/* Gone, or replaced by an update. */
		fd_close(*lock);
		*lock = openat(folder, RECORD_FILE, O_RDWR | O_CLOEXEC);
		if (*lock < 0)
			return false;
	}
}

/* What a container leaves, the record itself last: as long as it is there, delete finds everything. */
static void remove_known(int folder)
{
	static const char *const names[] = {RECORD_INIT, RECORD_START, RECORD_SECCOMP, RECORD_UPDATES, RECORD_FILE};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlinkat(folder, names[i], 0);
}

/* Whatever else lies there (the folder is ours alone; notify/ is one level deep). */
static int remove_rest(int folder, unsigned depth)
{
	DIR *dir;
	int r = 0, copy = fcntl(folder, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return -errno;
	dir = fdopendir(copy);
	if (!dir) {
		fd_close(copy);
		return -ENOMEM;
	}
	rewinddir(dir);
	for (struct dirent *entry; !r && (entry = readdir(dir));) {
		if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
			continue;
		if (!unlinkat(folder, entry->d_name, 0))
			continue;
		if (errno != EISDIR) {
			r = errno == ENOENT ? 0 : -errno;
			continue;
		}
		auto_fd below = openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (below >= 0 && depth < 4)
			r = remove_rest(below, depth + 1);
		if (!r && unlinkat(folder, entry->d_name, AT_REMOVEDIR) < 0)
			r = -errno;
	}
	closedir(dir);
	return r;
}

static int remove_folder(int root_fd, const char *id, int folder)
{
	int r = 0;

	remove_known(folder);
	if (unlinkat(root_fd, id, AT_REMOVEDIR) < 0 && errno != ENOENT) {
		r = remove_rest(folder, 0);
		if (!r && unlinkat(root_fd, id, AT_REMOVEDIR) < 0 && errno != ENOENT)
			r = -errno;
	}
	return r;
}

int record_remove(int root_fd, const char *id, int folder, struct error *e)
{
	int r;

	share_root(root_fd);
	r = remove_folder(root_fd, id, folder);
	leave_root(root_fd);
	return r ? error_system(e, -r, "remove the state folder of '%s'", id) : 0;
}

int record_remove_broken(int root_fd, const char *id, int folder, int lock, bool *ret_again, struct error *e)
{
	int r = 0;

	*ret_again = false;
	for (unsigned waited = 0; flock(root_fd, LOCK_EX | LOCK_NB) < 0; waited++) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || waited == BROKEN_WAIT_MS)
			return error_system(e, errno, "lock the state folder to remove the broken '%s'", id);
		usleep(1000);
	}
	if (lock < 0 && !is_removed(folder) && !faccessat(folder, RECORD_FILE, F_OK, AT_SYMLINK_NOFOLLOW))
		*ret_again = true; /* it was about to be made */
	else if (!is_removed(folder))
		r = remove_folder(root_fd, id, folder);
	leave_root(root_fd);
	return r ? error_system(e, -r, "remove the state folder of '%s'", id) : 0;
}
