/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trees become tars again.
 */
#ifndef HOLM_STORAGE_UNPACK_PACK_H
#define HOLM_STORAGE_UNPACK_PACK_H

#include "storage/unpack.h"

/*
 * The tar that a layer came from, of its frame and tree, to output.  result: diff, size.  Whether it is the same is for the caller
 * to see by diff; a file that is missing or shorter than it was is an error that names it.
 */
int pack_again(int tree_fd, int frame_fd, int output, struct unpack_result *result, struct error *e) must_check;

/*
 * A tar of a folder: members sorted by name, no names of owners, no times but those of modification; so the same folder always
 * gives the same bytes.  pax headers where ustar has no room.  Sockets are left out.  UNPACK_OVERLAY: marks of overlayfs become
 * whiteouts; without it they are refused like everything that could lead overlayfs.
 */
int pack_folder(int folder_fd, int output, const struct unpack_request *request, struct unpack_result *result,
		struct error *e) must_check;

#endif
