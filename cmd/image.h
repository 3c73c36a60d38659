/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of `holm image` that move images: import, pull, export; the others are in image.c.
 */
#ifndef HOLM_CMD_IMAGE_H
#define HOLM_CMD_IMAGE_H

#include "cmd/verb.h"

/* Rows of the table in image.c, whose options are in image_move.c. */
extern const struct verb command_image_import, command_image_pull, command_image_export;

#endif
