/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A second instance that begins where another one is: on the same layers and pushes, with a config.json of its own.
 *
 * What must differ does: the range of ids, and the name where it was the host name; addresses and MACs that were given are left out,
 * so that the network gives others.
 */
#ifndef HOLM_INSTANCES_CLONE_H
#define HOLM_INSTANCES_CLONE_H

#include "instances/instance.h"
#include "storage/root.h"
#include "storage/store.h"

struct clone_request {
	const char *name;
	const char *snapshot; /* of the source; NULL: its present state */
	bool no_ports;	      /* published ports are left out */
};

/*
 * source is locked (instances/quiet.h); a running one is frozen while what it wrote is copied.  ret has its name and is locked; it is not
 * started.  A failure leaves nothing of it.
 */
int clone_make(const struct runtime *runtime, struct instance *source, const struct store *store,
	       const struct clone_request *request, struct instance *ret, struct error *e) must_check;

/*
 * The text of a config.json for an instance of another name, in *ret_text for the caller to free.  It has an id range of its own, if
 * from has one, whose first id is *ret_first (else 0): ids_release() it on failure.  is_move: addresses and MACs go along.
 */
int clone_config(const struct runtime *runtime, const char *from_text, const char *from_name, const char *name,
		 bool no_ports, bool is_move, char **ret_text, uint32_t *ret_first, struct error *e) must_check;

/* The same for an older config.json of that instance, which gets the range that begins with first; 1: it needs one, and first is 0. */
int clone_old_config(const char *from_text, const char *from_name, const char *name, bool is_move, uint32_t first,
		     char **ret_text, struct error *e) must_check;

#endif
