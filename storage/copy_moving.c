/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A copy of a folder that is written to, for which the writers stand still but a moment:
 *
 *	stop		nobody is amidst a write(2): a file's time is that of the write's beginning
 *	T		what time it is
 *	go
 *	syncfs(2)	write-protects what is mapped, so that the next store through a mapping changes the file's time, too
 *	copy		all of it; what changes meanwhile may come out torn
 *	stop
 *	copy again	what changed at T or later, what was not there, what lies elsewhere now; and remove what is gone
 *
 * What tells is ctime, which the kernel sets with every change of a file's content or attributes, and which nobody can set but by
 * setting the clock; a timerfd tells of that, and then everything counts as changed.  It says nothing of a name, as rename(2) need not change it
 * on every file system: so a file's copy is known by both their inode numbers.  SLACK is for file systems that keep whole
 * seconds, and for direct I/O, which goes on when the process that began it is stopped.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/tree.h"
#include "storage/copy.h"
#include "storage/copy_parts.h"

enum { SLACK = 2 /* seconds */, NAMES_MAX = 65536 };

struct moving {
	struct copy *copy;
	struct str seen; /* sorted by the time it is searched */
	dev_t device;
	int clock;    /* a timer that says whether the clock was set */
	time_t since; /* what changed then or later is copied again */
};

/* Those that write-protect what is mapped when they write it to the disk; tmpfs, for one, does not. */
static bool is_reliable(int fd)
{
	struct statfs st;

	return !fstatfs(fd, &st) &&
	       (st.f_type == EXT4_SUPER_MAGIC || st.f_type == XFS_SUPER_MAGIC || st.f_type == BTRFS_SUPER_MAGIC);
}

/* ---- the first pass ---- */

static int watch_clock(struct moving *m, struct error *e)
{
	const struct itimerspec never = {.it_value.tv_sec = (time_t)1 << 33};
	struct timespec now;

	m->clock = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (m->clock < 0 || timerfd_settime(m->clock, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0)
		return error_system(e, errno, "watch the clock");
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	m->since = now.tv_sec - SLACK;
	return 0;
}

static bool was_clock_set(const struct moving *m)
{
	uint64_t times;

	return read(m->clock, &times, sizeof(times)) >= 0 || errno != EAGAIN;
}

static int compare(const void *a, const void *b)
{
	const struct copy_pair *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

/* Whatever goes wrong with what is changing is tried again when it stands still, except that there is no room. */
static int copy_beforehand(struct moving *m, int from, int to, struct error *e)
{
	int r = syncfs(from) < 0 ? error_system(e, errno, "write what changed to the disk") : 0;

	m->copy->seen = &m->seen;
	if (!r)
		r = copy_folder(from, to, true, m->copy, e);
	m->copy->seen = NULL;
	if (m->seen.size)
		qsort(m->seen.data, m->seen.size / sizeof(struct copy_pair), sizeof(struct copy_pair), compare);
	if (!r || e->code == ENOSPC || e->code == EDQUOT)
		return r;
	log_debug("copied again from the beginning: %s", e->text);
	m->since = LONG_MIN;
	return 0;
}

/* ---- the second pass ---- */

static bool is_changed(const struct moving *m, const struct stat *st)
{
	return st->st_ctim.tv_sec >= m->since;
}

static bool is_copy(const struct moving *m, const struct stat *st, const struct stat *made)
{
	const struct copy_pair key = {.from = st->st_ino}, *pair = NULL;

	if (m->seen.size)
		pair = bsearch(&key, m->seen.data, m->seen.size / sizeof(key), sizeof(key), compare);
	return pair && pair->to == made->st_ino && st->st_dev == m->device && !((st->st_mode ^ made->st_mode) & S_IFMT);
}

/* A folder and its copy. */
struct both {
	struct moving *moving;
	int from, to;
	unsigned depth;
	bool touched; /* the copy is to get its attributes anew */
};

static int remove_copy(struct both *in, const char *name, struct error *e)
{
	in->touched = true;
	if (!unlinkat(in->to, name, 0))
		return 0;
	return errno == EISDIR ? tree_remove(in->to, name, e) : error_system(e, errno, "remove the copy of '%s'", name);
}

static int remove_gone(const char *name, void *data, struct error *e)
{
	struct both *in = data;
	struct stat st;

	if (!fstatat(in->from, name, &st, AT_SYMLINK_NOFOLLOW))
		return 0;
	return errno == ENOENT ? remove_copy(in, name, e) : error_system(e, errno, "look at '%s'", name);
}

/* Attributes that from has no longer. */
static int remove_xattrs(int from, int to, struct error *e)
{
	auto_free char *names = malloc(NAMES_MAX + 1);
	ssize_t size = names ? flistxattr(to, names, NAMES_MAX) : -1;

	if (!names || (size < 0 && errno != EOPNOTSUPP))
		return error_system(e, names ? errno : ENOMEM, "list extended attributes");
	for (const char *name = names; size > 0 && name < names + size; name += strlen(name) + 1)
		if (fgetxattr(from, name, NULL, 0) < 0 && errno == ENODATA && fremovexattr(to, name) < 0)
			return error_system(e, errno, "remove the extended attribute '%s'", name);
	return 0;
}

static int copy_again(const char *name, void *data, struct error *e);

/* Where nothing changed nothing is written: the disk may be busy, and time counts. */
static int copy_contents_again(struct both *in, struct error *e)
{
	struct moving *m = in->moving;
	struct stat st;
	int r = fstat(in->from, &st) < 0 ? error_system(e, errno, "look at it") : 0;

	if (!r && is_changed(m, &st)) {
		in->touched = true;
		r = copy_each_name(in->to, remove_gone, in, e) ?: remove_xattrs(in->from, in->to, e);
	}
	r = r ?: copy_each_name(in->from, copy_again, in, e);
	return r || !in->touched ? r : copy_attributes(in->from, in->to, m->copy, e);
}

static int copy_folder_again(const struct both *above, const char *name, const struct stat *made, struct error *e)
{
	/* An ordinary user can't change what is in a folder that is not to be written to. */
	struct both in = {above->moving, -1, -1, above->depth + 1, geteuid() && (made->st_mode & 0700) != 0700};
	size_t length = 0;
	int r = copy_enter(in.moving->copy, name, above->depth, &length, e);

	if (!r && in.touched && fchmodat(above->to, name, 0700, 0) < 0)
		r = error_system(e, errno, "open the copy of '%s'", name);
	if (!r)
		r = fd_open(above->from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, &in.from, e);
	if (!r)
		r = fd_open(above->to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, NULL, &in.to, e);
	r = r ?: copy_contents_again(&in, e);
	fd_close(in.from);
	fd_close(in.to);
	copy_leave(in.moving->copy, length);
	if (r)
		error_context(e, "%s", name);
	return r;
}

static int copy_again(const char *name, void *data, struct error *e)
{
	struct both *in = data;
	struct moving *m = in->moving;
	struct stat st, made;
	int r = 0;

	if (fstatat(in->from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_system(e, errno, "look at '%s'", name);
	if (!fstatat(in->to, name, &made, AT_SYMLINK_NOFOLLOW)) {
		bool same = is_copy(m, &st, &made);

		if (same && S_ISDIR(st.st_mode))
			return copy_folder_again(in, name, &made, e);
		if (same && !is_changed(m, &st) && copy_keep(m->copy, &st, &made, name))
			return 0;
		r = remove_copy(in, name, e);
	}
	in->touched = true;
	return r ?: copy_entry(m->copy, in->from, name, in->to, name, in->depth, e);
}

/* ---- the whole ---- */

static int copy_twice(struct moving *m, int from, int to, const struct copy_pause *pause, struct error *e)
{
	struct both top = {.moving = m, .from = from, .to = to};
	struct stat st;
	int r = pause->stop(pause->data, e);

	if (!r)
		r = watch_clock(m, e);
	if (!r && fstat(from, &st) < 0)
		r = error_system(e, errno, "look at it");
	r = r ?: pause->go(pause->data, e) ?: copy_beforehand(m, from, to, e) ?: pause->stop(pause->data, e);
	if (r)
		return r;
	m->device = st.st_dev;
	if (was_clock_set(m))
		m->since = LONG_MIN;
	r = copy_begin(m->copy, to, e);
	r = r ?: copy_contents_again(&top, e);
	copy_end(m->copy);
	return r;
}

int copy_moving(int from, int to, const struct copy_pause *pause, struct copy *copy, struct error *e)
{
	struct moving m = {.copy = copy, .clock = -1};
	int r;

	if (is_reliable(from))
		r = copy_twice(&m, from, to, pause, e);
	else
		r = pause->stop(pause->data, e) ?: copy_folder(from, to, true, copy, e);
	str_release(&m.seen);
	fd_close(m.clock);
	return r;
}
