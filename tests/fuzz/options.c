/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The option parser: the input is a verb's index and then arguments with a NUL after each.  What comes back must be
 * operands that were among the arguments, each no more often than it was given.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/verbs.h"

enum { WORDS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_Alignas(16) char target[VERB_OPTIONS_SIZE] = {0};
	auto_arena arena = ARENA_INIT;
	struct option_result result;
	struct error e = ERROR_INIT;
	auto_free char *text = NULL;
	char *words[WORDS_MAX], *p;
	const struct verb *verb;
	size_t n = 0;

	if (!size)
		return 0;
	verb = verbs[data[0] % n_verbs];
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	for (p = text; p < text + size && n < WORDS_MAX; p += strlen(p) + 1)
		words[n++] = p;
	if (option_parse(&verb->options, verb->order, words, n, target, &arena, &result, &e)) {
		if (e.kind != ERROR_USAGE || !*e.text)
			abort();
		return 0;
	}
	if (result.n_operands > n)
		abort();
	for (size_t i = 0; i < result.n_operands; i++)
		if (result.operands[i] < text || result.operands[i] >= text + size)
			abort();
	return 0;
}
