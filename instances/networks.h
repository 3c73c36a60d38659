/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was changed of a running instance's networks, kept in its config.json, so that its next start has it.
 *
 * The caller has made the change.  An id that is no instance's is none of our business: 0.  Each takes the instance's lock.
 */
#ifndef HOLM_INSTANCES_NETWORKS_H
#define HOLM_INSTANCES_NETWORKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "runtime/container.h"
#include "spec/spec.h"

/*
 * Ports as publish takes them ("8080:80"), of its first network, or no longer of any.  ERROR_STATE: config.json has no network that
 * they could be kept with.
 */
int networks_keep_ports(const struct runtime *runtime, const char *id, char **ports, size_t n,
			struct error *e) must_check;
int networks_forget_ports(const struct runtime *runtime, const char *id, char **ports, size_t n,
			  struct error *e) must_check;

/* It joined a network, or left it. */
int networks_keep(const struct runtime *runtime, const char *id, const struct spec_holm_network *network,
		  struct error *e) must_check;
/* *ret_had: config.json had it. */
int networks_forget(const struct runtime *runtime, const char *id, const char *network, bool *ret_had,
		    struct error *e) must_check;

/* The rates of an interface; NULL: as it was, "0": none. */
int networks_keep_rates(const struct runtime *runtime, const char *id, const char *interface, const char *egress,
			const char *ingress, struct error *e) must_check;

#endif
