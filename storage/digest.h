/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256, by which images name everything.
 *
 * Our own, as it is small, and holm, which is static and knows no cryptography library, needs it as much as the programs beside
 * it.  Large pieces take the processor's instructions where it has them: six times as fast, so that unpacking does not wait
 * for it.
 */
#ifndef HOLM_STORAGE_DIGEST_H
#define HOLM_STORAGE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_SIZE = 32, DIGEST_HEX_SIZE = 65 };

struct digest {
	uint32_t state[8];
	uint64_t size;
	unsigned char block[64]; /* what is not a whole block yet */
	signed char fast;	 /* whether the processor can; -1: not asked yet */
};

void digest_init(struct digest *digest);
void digest_add(struct digest *digest, const void *data, size_t size);
void digest_finish(struct digest *digest, unsigned char ret[DIGEST_SIZE]); /* digest is used up */
void digest_finish_hex(struct digest *digest, char ret_hex[DIGEST_HEX_SIZE]);

/* All at once. */
void digest_hex(const void *data, size_t size, char ret_hex[DIGEST_HEX_SIZE]);

#endif
