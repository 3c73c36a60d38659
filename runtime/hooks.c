/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/hooks.h"

#include <string.h>

#include "base/log.h"
#include "runtime/helper.h"
#include "spec/names.h"

/* The length of the well-formed UTF-8 sequence at s (no overlong form, no surrogate, no more than U+10FFFF), or 0. */
static size_t utf8_length(const unsigned char *s)
{
	static const struct {
		unsigned char first, last, second_min, second_max, length;
	} forms[] = {
	    {0x00, 0x7f, 0, 0, 1},	 {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		size_t n = 1;

		if (s[0] < forms[i].first || s[0] > forms[i].last)
			continue;
		if (forms[i].length > 1 && s[1] >= forms[i].second_min && s[1] <= forms[i].second_max)
			for (n = 2; n < forms[i].length && s[n] >= 0x80 && s[n] <= 0xbf;)
				n++;
		return n == forms[i].length ? n : 0;
	}
	return 0;
}

void hooks_add_string(struct str *s, const char *text)
{
	static const char escapes[32] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};

	str_add(s, "\"");
	for (const unsigned char *p = (const unsigned char *)text; *p;) {
		size_t n = utf8_length(p);

		if (*p == '"' || *p == '\\')
			str_addf(s, "\\%c", *p);
		else if (*p < ' ' && escapes[*p])
			str_addf(s, "\\%c", escapes[*p]);
		else if (*p < ' ')
			str_addf(s, "\\u%04x", *p);
		else if (!n)
			str_add(s, "\xef\xbf\xbd");
		else
			str_add_bytes(s, p, n);
		p += n ? n : 1;
	}
	str_add(s, "\"");
}

void hooks_add_state(struct str *s, const struct hooks_state *state)
{
	str_add(s, "{\"ociVersion\":\"" SPEC_VERSION "\",\"id\":");
	hooks_add_string(s, state->id);
	str_add(s, ",\"status\":");
	hooks_add_string(s, state->status);
	if (state->pid)
		str_addf(s, ",\"pid\":%d", (int)state->pid);
	str_add(s, ",\"bundle\":");
	hooks_add_string(s, state->bundle);
	for (size_t i = 0; i < state->n_annotations; i++) {
		str_add(s, i ? "," : ",\"annotations\":{");
		hooks_add_string(s, state->annotations[i].key);
		str_add(s, ":");
		hooks_add_string(s, state->annotations[i].value);
	}
	str_add(s, state->n_annotations ? "}}" : "}");
}

const char *hooks_state_json(const struct hooks_state *state, struct arena *arena)
{
	auto_str text = STR_INIT;

	hooks_add_state(&text, state);
	return arena_strdup(arena, str_peek(&text));
}

static int run_one(const struct spec_hooks *hooks, enum spec_hook_kind kind, size_t i, const char *state_json,
		   int bundle_fd, struct error *e)
{
	const struct spec_hook *hook = &hooks->kinds[kind].hooks[i];
	const struct helper helper = {
	    .path = hook->path,
	    .args = hook->args,
	    .n_args = hook->n_args,
	    .env = hook->env,
	    .n_env = hook->n_env,
	    .input = state_json,
	    .cwd_fd = bundle_fd,
	    .timeout = hook->timeout,
	};
	int r = helper_run(&helper, e);

	if (r)
		error_context(e, "hook %s[%zu] '%s'", names_peek(&names_hooks, kind), i, hook->path);
	return r;
}

int hooks_run(const struct spec_hooks *hooks, enum spec_hook_kind kind, const char *state_json, int bundle_fd,
	      struct error *e)
{
	for (size_t i = 0; i < hooks->kinds[kind].n; i++) {
		int r = run_one(hooks, kind, i, state_json, bundle_fd, e);

		if (r)
			return r;
	}
	return 0;
}

void hooks_run_all(const struct spec_hooks *hooks, enum spec_hook_kind kind, const char *state_json, int bundle_fd)
{
	for (size_t i = 0; i < hooks->kinds[kind].n; i++) {
		struct error e = ERROR_INIT;
		char text[ERROR_TEXT_SIZE + 64];

		if (run_one(hooks, kind, i, state_json, bundle_fd, &e))
			log_warning("%s", error_format(&e, text, sizeof(text)));
	}
}
