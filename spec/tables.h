/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of config.json's objects (tables_*.c), as spec/table.h reads them.
 */
#ifndef HOLM_SPEC_TABLES_H
#define HOLM_SPEC_TABLES_H

#include "spec/table.h"

extern const struct object object_document;  /* struct spec */
extern const struct object object_process;   /* struct spec_process */
extern const struct object object_mount;     /* struct spec_mount */
extern const struct object object_hooks;     /* struct spec_hooks */
extern const struct object object_id_map;    /* struct spec_id_map */
extern const struct object object_linux;     /* struct spec_linux */
extern const struct object object_resources; /* struct spec_resources */
extern const struct object object_seccomp;   /* struct spec_seccomp */
extern const struct object object_holm;	     /* struct spec_holm */

enum { MAX_ID = 4294967294 }; /* (uid_t)-1 means "leave as it is" to the kernel */

#endif
