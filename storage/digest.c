/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/digest.h"

#include <stdio.h>

_Static_assert((int)DIGEST_SIZE == SHA256_DIGEST_SIZE, "SHA-256");

void digest_init(struct digest *digest)
{
	sha256_init(&digest->context);
}

void digest_add(struct digest *digest, const void *data, size_t size)
{
	sha256_update(&digest->context, size, data);
}

void digest_finish(struct digest *digest, unsigned char ret[DIGEST_SIZE])
{
	sha256_digest(&digest->context, DIGEST_SIZE, ret);
}

void digest_finish_hex(struct digest *digest, char ret_hex[DIGEST_HEX_SIZE])
{
	unsigned char bytes[DIGEST_SIZE];

	digest_finish(digest, bytes);
	for (int i = 0; i < DIGEST_SIZE; i++)
		snprintf(ret_hex + 2 * i, 3, "%02x", bytes[i]);
}

void digest_hex(const void *data, size_t size, char ret_hex[DIGEST_HEX_SIZE])
{
	struct digest digest;

	digest_init(&digest);
	digest_add(&digest, data, size);
	digest_finish_hex(&digest, ret_hex);
}
