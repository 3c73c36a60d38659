/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An instance from a file that instances/export.h wrote, here or on another host.
 *
 * Nothing in the file is believed: every byte is compared with sums, layers are unpacked by holm-unpack, and whatever is wrong, or
 * whoever kills this, leaves nothing that the next sweep does not take.  What config.json asks for is not judged: that is
 * done when the instance is started.
 */
#ifndef HOLM_INSTANCES_IMPORT_H
#define HOLM_INSTANCES_IMPORT_H

#include "instances/instance.h"
#include "storage/store.h"

struct import_request {
	const char *file; /* a path; "-": standard input */
	const char *name; /* NULL: as it was */
};

/*
 * ret has its name and is locked; it is not started.  Under its old name it keeps addresses and MACs, under another one the network
 * gives others, as to a clone.  ERROR_NOT_FOUND: its image is neither here nor in the file.
 */
int import_make(const struct runtime *runtime, const struct store *store, const struct import_request *request,
		struct instance *ret, struct error *e) must_check;

#endif
