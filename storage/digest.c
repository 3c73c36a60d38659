/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage/digest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

enum {
	BLOCK = 64,
	LARGE =
	    32768, /* from here on it pays to ask the processor what it can: in a virtual machine that is not cheap */
};

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2). */
static const uint32_t constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static void compress(uint32_t state[8], const unsigned char *data, size_t blocks)
{
	for (; blocks; blocks--, data += BLOCK) {
		uint32_t w[64], s[8];

		for (int i = 0; i < 16; i++)
			w[i] = (uint32_t)data[4 * i] << 24 | data[4 * i + 1] << 16 | data[4 * i + 2] << 8 |
			       data[4 * i + 3];
		for (int i = 16; i < 64; i++)
			w[i] = w[i - 16] + w[i - 7] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) +
			       (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
		memcpy(s, state, sizeof(s));
		for (int i = 0; i < 64; i++) {
			uint32_t t = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) +
				     ((s[4] & s[5]) ^ (~s[4] & s[6])) + constants[i] + w[i];
			uint32_t u = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) +
				     ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

			memmove(s + 1, s, 7 * sizeof(*s));
			s[4] += t;
			s[0] = t + u;
		}
		for (int i = 0; i < 8; i++)
			state[i] += s[i];
	}
}

#ifdef __x86_64__
/* Leaf 7: SHA extensions; leaf 1: SSSE3 and SSE4.1, which the loads and shuffles below need. */
static bool can_be_fast(void)
{
	unsigned a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_SHA && __get_cpuid(1, &a, &b, &c, &d) &&
	       c & bit_SSSE3 && c & bit_SSE4_1;
}

/* The instructions keep the state as (a, b, e, f) and (c, d, g, h), highest word first, and do two rounds each. */
__attribute__((target("sha,sse4.1,ssse3"))) static void compress_fast(uint32_t state[8], const unsigned char *data,
								      size_t blocks)
{
	const __m128i swap = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
	__m128i abef = _mm_set_epi32(state[0], state[1], state[4], state[5]);
	__m128i cdgh = _mm_set_epi32(state[2], state[3], state[6], state[7]);

	for (; blocks; blocks--, data += BLOCK) {
		__m128i before_abef = abef, before_cdgh = cdgh, w[4], k;

		for (int i = 0; i < 4; i++)
			w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)data + i), swap);
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++) {
			__m128i *now = &w[i & 3], next = w[(i + 1) & 3], third = w[(i + 2) & 3], last = w[(i + 3) & 3];

			k = _mm_add_epi32(*now, _mm_load_si128((const __m128i *)constants + i));
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, k);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(k, 0x0e));
			if (i < 12)
				*now = _mm_sha256msg2_epu32(
				    _mm_add_epi32(_mm_sha256msg1_epu32(*now, next), _mm_alignr_epi8(last, third, 4)),
				    last);
		}
		abef = _mm_add_epi32(abef, before_abef);
		cdgh = _mm_add_epi32(cdgh, before_cdgh);
	}
	state[0] = _mm_extract_epi32(abef, 3);
	state[1] = _mm_extract_epi32(abef, 2);
	state[4] = _mm_extract_epi32(abef, 1);
	state[5] = _mm_extract_epi32(abef, 0);
	state[2] = _mm_extract_epi32(cdgh, 3);
	state[3] = _mm_extract_epi32(cdgh, 2);
	state[6] = _mm_extract_epi32(cdgh, 1);
	state[7] = _mm_extract_epi32(cdgh, 0);
}
#else
static bool can_be_fast(void)
{
	return false;
}

static void compress_fast(uint32_t state[8], const unsigned char *data, size_t blocks)
{
	compress(state, data, blocks);
}
#endif

void digest_init(struct digest *digest)
{
	static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

	memcpy(digest->state, first, sizeof(first));
	digest->size = 0;
	digest->fast = -1;
}

static void add_blocks(struct digest *digest, const unsigned char *data, size_t blocks)
{
	if (digest->fast < 0 && blocks >= LARGE / BLOCK)
		digest->fast = can_be_fast();
	(digest->fast > 0 ? compress_fast : compress)(digest->state, data, blocks);
}

void digest_add(struct digest *digest, const void *data, size_t size)
{
	const unsigned char *p = data;
	size_t held = digest->size % BLOCK;

	digest->size += size;
	if (held) {
		size_t n = size < BLOCK - held ? size : BLOCK - held;

		memcpy(digest->block + held, p, n);
		p += n;
		size -= n;
		if (held + n < BLOCK)
			return;
		add_blocks(digest, digest->block, 1);
	}
	if (size >= BLOCK)
		add_blocks(digest, p, size / BLOCK);
	memcpy(digest->block, p + size / BLOCK * BLOCK, size % BLOCK);
}

void digest_finish(struct digest *digest, unsigned char ret[DIGEST_SIZE])
{
	unsigned char tail[BLOCK + 8] = {0x80};
	uint64_t bits = digest->size * 8;
	size_t held = digest->size % BLOCK, padding = (held < 56 ? 56 : 120) - held;

	for (int i = 0; i < 8; i++)
		tail[padding + i] = bits >> (56 - 8 * i);
	digest_add(digest, tail, padding + 8);
	for (int i = 0; i < DIGEST_SIZE; i++)
		ret[i] = digest->state[i / 4] >> (24 - 8 * (i % 4));
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
