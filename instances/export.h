/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole instance in one file (storage/archive.h), to be begun again elsewhere (instances/import.h).  The parts:
 *
 *	instance.json		{"name", "running", "labels", "delay"}
 *	config.json, root.json	as the instance has them, the root without what is this host's alone
 *	snapshots.json		storage/snapshot.h
 *	pushes/ID.tar		what it wrote until each snapshot, as layers of images are written (whiteouts as .wh. files)
 *	upper.tar		and since then
 *	image.tar		an OCI layout of its image, if that was asked for
 *
 * Volumes and folders of the host that it mounts are not in it.
 */
#ifndef HOLM_INSTANCES_EXPORT_H
#define HOLM_INSTANCES_EXPORT_H

#include "instances/instance.h"
#include "storage/store.h"

#define EXPORT_RECORD "instance.json"
#define EXPORT_SNAPSHOTS "snapshots.json"
#define EXPORT_PUSHES "pushes/"
#define EXPORT_UPPER "upper.tar"
#define EXPORT_IMAGE "image.tar"

struct export_request {
	const char *file; /* a path; what is there is replaced; "-": standard output */
	bool all;	  /* its image, too */
};

/*
 * instance is locked (instances/quiet.h), and is unlocked as soon as what is read can't change any more: a running one is frozen while
 * what it wrote since its last snapshot is copied.  All or nothing.
 */
int export_make(const struct runtime *runtime, struct instance *instance, const struct store *store,
		const struct export_request *request, struct error *e) must_check;

#endif
