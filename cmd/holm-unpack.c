/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * holm-unpack: the program that reads archives, and trees that others wrote, for holm.  Not for people: holm starts it with a
 * socket, it does one request, shut in, and exits (storage/unpack.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "storage/unpack.h"
#include "storage/unpack_confine.h"
#include "storage/unpack_filter.h"
#include "storage/unpack_frame.h"
#include "storage/unpack_pack.h"
#include "storage/unpack_tar.h"
#include "storage/unpack_tree.h"

struct call {
	struct unpack_request request;
	int fds[UNPACK_FDS_MAX];
	struct unpack_result result;
};

enum { HEAD = offsetof(struct unpack_reply, progress) };

static int answer(enum unpack_reply_type type, const void *item, size_t size, struct error *e)
{
	struct unpack_reply reply = {.type = type};
	int r;

	memcpy(&reply.progress, item, size);
	r = fd_send(UNPACK_SOCKET, &reply, HEAD + size, NULL, 0);
	return r ? error_system(e, -r, "answer holm") : 0;
}

static int enter(struct call *call, int root_fd, enum confine_role role, struct error *e)
{
	return confine_root(root_fd, role, call->request.flags & UNPACK_ROOTLESS, e);
}

/* ---- a layer ---- */

/* What comes out of the filter, and a copy of it while it may be an archive of images. */
struct source {
	struct filter filter;
	int spool; /* -1: no copy */
};

static int read_source(void *data, void *buffer, size_t size, size_t *ret_n, struct error *e)
{
	struct source *source = data;
	int r = filter_read(&source->filter, buffer, size, ret_n, e);

	if (!r && source->spool >= 0 && *ret_n) {
		r = fd_write_all(source->spool, buffer, *ret_n);
		if (r)
			r = error_system(e, -r, "keep the archive");
	}
	return r;
}

static int check_size(const struct call *call, uint64_t size, struct error *e)
{
	if (!call->request.limits.size || size <= call->request.limits.size)
		return 0;
	return error_refuse(e, ERROR_LIMIT, "the archive unpacks to more than %llu bytes (--max-size)",
			    (unsigned long long)call->request.limits.size);
}

/* The rest of an archive that is only kept. */
static int skip_members(struct call *call, struct tar_reader *tar, struct error *e)
{
	struct tar_member member;
	bool some = true;
	int r = 0;

	while (!r && some)
		r = tar_next(tar, &member, &some, e) ?: check_size(call, tar->size, e);
	return r;
}

static int unpack_members(struct call *call, struct source *source, struct tar_reader *tar, struct tree *tree,
			  struct error *e)
{
	for (bool first = true;; first = false) {
		struct tar_member member;
		bool some;
		int r = tar_next(tar, &member, &some, e) ?: check_size(call, tar->size, e);

		if (r || !some)
			return r;
		if (first && source->spool >= 0 && tree_is_image_archive(member.name)) {
			call->result.kind = UNPACK_SPOOLED;
			return skip_members(call, tar, e);
		}
		if (first && source->spool >= 0) {
			if (ftruncate(source->spool, 0) < 0)
				return error_system(e, errno, "empty the spool");
			source->spool = -1;
		}
		r = tree_add(tree, &member, e);
		if (r)
			return r;
	}
}

static int unpack(struct call *call, struct source *source, struct tar_reader *tar, struct frame_writer *frame,
		  struct error *e)
{
	struct unpack_result *result = &call->result;
	bool has_frame = false;
	struct tree tree;
	int r;

	tree_init(&tree, call->fds[1], call->request.flags, &call->request.limits, tar, frame, result);
	r = unpack_members(call, source, tar, &tree, e) ?: tar_drain(tar, e);
	if (!r && result->kind == UNPACK_UNPACKED)
		r = tree_finish(&tree, e);
	tree_release(&tree);
	if (r)
		return r;
	if (result->kind == UNPACK_SPOOLED)
		frame_break(frame);
	r = frame_finish(frame, &has_frame);
	if (r)
		return error_system(e, -r, "write the frame");
	digest_finish_hex(&tar->digest, result->diff);
	memcpy(result->blob, source->filter.result.blob, sizeof(result->blob));
	result->blob_size = source->filter.result.blob_size;
	result->is_compressed = source->filter.result.is_compressed;
	result->size = tar->size;
	result->entries = tar->entries;
	result->has_end = tar->has_end;
	result->has_frame = has_frame;
	return 0;
}

/* The folder by which the tree is reached from inside: what was opened outside leads to another mount. */
static int reopen_root(int *fd, struct error *e)
{
	int inside;
	int r = fd_open(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, NULL, &inside, e);

	if (r)
		return r;
	fd_close(*fd);
	*fd = inside;
	return 0;
}

static int do_layer(struct call *call, struct error *e)
{
	struct source source = {.filter = FILTER_INIT, .spool = call->fds[3]};
	auto_free struct tar_reader *tar = calloc(1, sizeof(*tar));
	auto_free struct frame_writer *frame = calloc(1, sizeof(*frame));
	int r = tar && frame ? 0 : error_system(e, ENOMEM, "unpack");

	if (!(call->request.flags & UNPACK_MAY_SPOOL))
		source.spool = -1;
	r = r ?: filter_start(call->fds[0], &call->request, &source.filter, e);
	if (r)
		return r;
	call->fds[0] = fd_close(call->fds[0]);
	frame_init(frame, call->fds[2]);
	r = enter(call, call->fds[1], CONFINE_WRITER, e) ?: reopen_root(&call->fds[1], e) ?:
	    tar_init(tar, read_source, &source, frame, e) ?: confine_calls(CONFINE_WRITER, e);
	r = r ?: unpack(call, &source, tar, frame, e);
	tar_release(tar);
	return r;
}

/* ---- what is in a tar ---- */

static int read_input(void *data, void *buffer, size_t size, size_t *ret_n, struct error *e)
{
	int *fd = data;
	ssize_t n;

	do
		n = read(*fd, buffer, size);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_system(e, errno, "read the archive");
	*ret_n = n;
	return 0;
}

/* What lies in a member that is longer than the file shows here. */
static int skip_input(void *data, uint64_t size, struct error *e)
{
	const int *fd = data;
	struct stat st;
	off_t at = lseek(*fd, (off_t)size, SEEK_CUR);

	if (at < 0 || fstat(*fd, &st) < 0)
		return error_system(e, errno, "read the archive");
	if (at > st.st_size)
		return error_refuse(e, ERROR_INVALID, "the archive is cut off after %llu bytes",
				    (unsigned long long)st.st_size);
	return 0;
}

static int answer_member(const struct tar_member *member, struct error *e)
{
	static struct unpack_member reply;

	reply.offset = member->at;
	reply.size = member->size;
	reply.type = member->type;
	if ((size_t)snprintf(reply.name, sizeof(reply.name), "%s", member->name) >= sizeof(reply.name) ||
	    (size_t)snprintf(reply.link, sizeof(reply.link), "%s", member->link) >= sizeof(reply.link))
		return 0; /* no part of an image is called so */
	return answer(UNPACK_REPLY_MEMBER, &reply, sizeof(reply), e);
}

/* Skips what is in the members by seeking: headers alone are read. */
static int index_members(struct call *call, struct tar_reader *tar, struct error *e)
{
	for (;;) {
		struct tar_member member;
		bool some;
		int r = tar_next(tar, &member, &some, e);

		if (r || !some)
			return r;
		if (call->request.limits.entries && tar->entries > call->request.limits.entries)
			return error_refuse(e, ERROR_LIMIT, "there are more than %llu members (--max-entries)",
					    (unsigned long long)call->request.limits.entries);
		if (member.type == TAR_FILE && member.stored != member.size)
			continue; /* sparse: nothing that an image consists of */
		if (member.type == TAR_FILE || member.type == TAR_HARD_LINK || member.type == TAR_SYMLINK)
			r = answer_member(&member, e);
		if (r)
			return r;
	}
}

static int do_index(struct call *call, struct error *e)
{
	auto_free struct tar_reader *tar = calloc(1, sizeof(*tar));
	int r = tar ? 0 : error_system(e, ENOMEM, "read an archive");

	r = r ?: tar_init(tar, read_input, &call->fds[0], NULL, e) ?: enter(call, -1, CONFINE_STREAM, e) ?:
	    confine_calls(CONFINE_STREAM, e);
	if (r)
		return r;
	tar->skip = skip_input;
	r = r ?: index_members(call, tar, e);
	if (!r)
		call->result.has_end = tar->has_end;
	tar_release(tar);
	return r;
}

/* ---- tars of trees ---- */

static int do_repack(struct call *call, struct error *e)
{
	int r = enter(call, call->fds[0], CONFINE_READER, e) ?: reopen_root(&call->fds[0], e) ?:
		confine_calls(CONFINE_READER, e);

	return r ?: pack_again(call->fds[0], call->fds[1], call->fds[2], &call->result, e);
}

static int do_pack(struct call *call, struct error *e)
{
	int r = enter(call, call->fds[0], CONFINE_READER, e) ?: reopen_root(&call->fds[0], e) ?:
		confine_calls(CONFINE_READER, e);

	return r ?: pack_folder(call->fds[0], call->fds[1], &call->request, &call->result, e);
}

static const struct {
	int (*apply)(struct call *call, struct error *e);
	size_t n_fds;
} operations[_UNPACK_OPERATION_N] = {
    [UNPACK_LAYER] = {do_layer, 4},
    [UNPACK_INDEX] = {do_index, 1},
    [UNPACK_REPACK] = {do_repack, 3},
    [UNPACK_PACK] = {do_pack, 2},
};

static int receive_request(struct call *call, struct error *e)
{
	size_t size = 0, n_fds = 0;
	int r =
	    fd_receive(UNPACK_SOCKET, &call->request, sizeof(call->request), &size, call->fds, UNPACK_FDS_MAX, &n_fds);

	if (r)
		return error_system(e, -r, "receive holm's request");
	if (size != sizeof(call->request) || call->request.operation >= _UNPACK_OPERATION_N ||
	    n_fds != operations[call->request.operation].n_fds)
		return error_bug(e,
				 "holm-unpack received a request of %zu bytes and %zu descriptors that it does not "
				 "know",
				 size, n_fds);
	call->request.name[sizeof(call->request.name) - 1] = 0;
	return 0;
}

static int serve(struct call *call, struct error *e)
{
	int r = receive_request(call, e);

	if (r)
		return r;
	r = operations[call->request.operation].apply(call, e);
	if (r && *call->request.name)
		error_context(e, "%s", call->request.name);
	return r ?: answer(UNPACK_REPLY_RESULT, &call->result, sizeof(call->result), e);
}

int main(void)
{
	static struct call call = {.fds = {-1, -1, -1, -1}};
	struct error e = ERROR_INIT;
	socklen_t length = sizeof(int);
	int type = 0;

	if (getsockopt(UNPACK_SOCKET, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || type != SOCK_SEQPACKET) {
		fputs("holm-unpack: this program is started by holm\n", stderr);
		return 2;
	}
	/* Whatever the caller's caller left open is not ours; and when holm dies, nobody waits for this. */
	close_range(UNPACK_SOCKET + 1, ~0U, 0);
	fcntl(UNPACK_SOCKET, F_SETFD, FD_CLOEXEC);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!serve(&call, &e))
		e.kind = ERROR_NONE;
	(void)!answer(UNPACK_REPLY_END, &e, sizeof(e), &e);
	_exit(0); /* nothing is left to flush, and the filter may know no call that exit handlers make */
}
