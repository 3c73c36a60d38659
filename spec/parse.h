/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text -> jansson's tree, with exact numbers.  Only spec/'s own decoder and json.c include this.
 *
 * jansson's integers end at INT64_MAX, the OCI's at UINT64_MAX.  A text with a number that jansson can't hold is
 * rewritten before a second try: each such literal becomes a string that begins with a NUL, which no text can contain
 * otherwise
 * (\u0000 is refused).  So ask node_kind() and node_integer(), never json_is_string() alone.
 *
 * Of duplicate keys the last wins, as in Go.  What follows the document is refused.
 */
#ifndef HOLM_SPEC_PARSE_H
#define HOLM_SPEC_PARSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum node_kind { NODE_NULL, NODE_BOOL, NODE_NUMBER, NODE_STRING, NODE_ARRAY, NODE_OBJECT };

/* The caller owns *ret (json_decref).  Errors: "NAME: line 3, column 7: ...". */
int parse_tree(const char *text, size_t size, const char *name, json_t **ret, struct error *e) must_check;

enum node_kind node_kind(const json_t *node);
const char *node_kind_name(enum node_kind kind); /* "a string" */

/* A number as it was written, for errors; buffer is used where the tree has no text. */
const char *node_literal(const json_t *node, char *buffer, size_t size);

/* -EINVAL: not a whole number; -ERANGE: beyond 64 bits.  The value is -magnitude when negative. */
int node_integer(const json_t *node, bool *ret_negative, uint64_t *ret_magnitude) must_check;

#endif
