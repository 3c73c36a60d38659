/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unpacking several layers at once, as many as there are processors, each layer once whoever else wants it too.
 *
 * Every layer that comes out is in tmp/ until layer_jobs_publish(), which writes everything to the disk first.  Until
 * layer_jobs_close() their locks are held, so that nobody removes what nothing names yet.
 */
#ifndef HOLM_STORAGE_LAYER_JOBS_H
#define HOLM_STORAGE_LAYER_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/layer.h"
#include "storage/unpack_client.h"

enum layer_job_state { LAYER_JOB_WAITS, LAYER_JOB_RUNS, LAYER_JOB_DONE, LAYER_JOB_PRESENT };

struct layer_job {
	/* the caller's */
	const char *name; /* what errors call it; NULL: nothing */
	const char *diff; /* hex; NULL: whatever comes out */
	const char *blob; /* hex of the source as it is; NULL: not known */
	int fd; /* the source, owned by the job once it is run; -1: there is none, and there must be such a layer */
	uint64_t offset, size; /* of the source; size 0: to its end, of an unknown length */
	int folder;	       /* instead of fd: a folder, borrowed; -1: none */
	bool is_overlay;       /* of folder: it has overlayfs' marks */
	bool may_spool;	       /* when it is an archive of images, spool gets it */
	/* results */
	char id[STORE_HEX_SIZE];
	struct layer_info info;
	struct unpack_result result;
	int spool; /* owned by the job; -1: none */
	/* this module's */
	enum layer_job_state state;
	struct layer_work work;
	struct unpack_call call, feeder;
	uint64_t progress;
};

#define LAYER_JOB_INIT                                                                                                 \
	((struct layer_job){.fd = -1,                                                                                  \
			    .folder = -1,                                                                              \
			    .spool = -1,                                                                               \
			    .work = LAYER_WORK_INIT,                                                                   \
			    .call = UNPACK_CALL_INIT,                                                                  \
			    .feeder = UNPACK_CALL_INIT})

struct layer_progress {
	unsigned layers, done; /* done: with those that were there already */
	uint64_t bytes, total; /* of the sources; total 0: not known */
	bool ended;
};

struct layer_jobs {
	struct layer_job *jobs;
	size_t n;
	unsigned parallel; /* 0: as many as processors */
	bool no_devices;
	struct unpack_limits limits;
	void (*progress)(const struct layer_progress *progress, void *data); /* NULL: nobody looks */
	void *data;
};

/*
 * Runs all of them, until the first error; no two may have the same diff.  The caller has pinned those with a diff; they may
 * be published when somebody else waits for them.
 */
int layer_jobs_run(const struct store *store, struct layer_jobs *jobs, struct error *e) must_check;

/* Writes what came out to the disk and gives the layers their names; their ids are pinned by now. */
int layer_jobs_publish(const struct store *store, struct layer_jobs *jobs, struct error *e) must_check;

/* Ends what runs, drops what was not published. */
void layer_jobs_close(const struct store *store, struct layer_jobs *jobs);

#endif
