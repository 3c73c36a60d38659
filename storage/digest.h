/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256, by which images name everything: libnettle's, which takes the processor's instructions where it has them.  The only user of
 * libnettle, which is small enough to be linked into holm whole, and which libarchive brings along anyway.
 */
#ifndef HOLM_STORAGE_DIGEST_H
#define HOLM_STORAGE_DIGEST_H

#include <nettle/sha2.h>
#include <stddef.h>

enum { DIGEST_SIZE = 32, DIGEST_HEX_SIZE = 65 };

struct digest {
	struct sha256_ctx context;
};

void digest_init(struct digest *digest);
void digest_add(struct digest *digest, const void *data, size_t size);
void digest_finish(struct digest *digest, unsigned char ret[DIGEST_SIZE]); /* digest is used up */
void digest_finish_hex(struct digest *digest, char ret_hex[DIGEST_HEX_SIZE]);

/* All at once. */
void digest_hex(const void *data, size_t size, char ret_hex[DIGEST_HEX_SIZE]);

#endif
