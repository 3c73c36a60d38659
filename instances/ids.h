/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ranges of user and group ids: every instance with a user namespace gets 65,536 of its own.
 *
 * The pool lies where nobody else allocates: above the ranges of /etc/subuid (which end at 600,100,000) and of systemd-nspawn
 * (at 1,879,048,191), below systemd's foreign ids (from 2,147,352,576), and again above those up to the ids that mean "none".
 * Who has which is recorded in DATA/ids, one symbolic link per range that says the instance's name: made by symlink(2), which
 * is atomic and needs no lock.  A range whose instance is gone is free again.
 */
#ifndef HOLM_INSTANCES_IDS_H
#define HOLM_INSTANCES_IDS_H

#include <stdint.h>

#include "runtime/container.h"

enum { IDS_SIZE = 65536 };

/*
 * Gives instance name a range and writes its first id.  The same instance asking again gets another one: the range is in its
 * config.json.  ERROR_LIMIT: all are taken.
 */
int ids_take(const struct runtime *runtime, const char *name, uint32_t *ret_first, struct error *e) must_check;

/* Frees the range; not its instance's any more is no error. */
void ids_release(const struct runtime *runtime, const char *name, uint32_t first);

/* The instance has another name now. */
int ids_rename(const struct runtime *runtime, const char *name, uint32_t first, const char *new_name,
	       struct error *e) must_check;

/* Frees every range whose instance is gone; told (may be NULL) names each. */
int ids_collect(const struct runtime *runtime, void (*told)(const char *what, void *data), void *data,
		struct error *e) must_check;

#endif
