/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/commands.h"

#include <string.h>

#include "cmd/output.h"

/* Its name without the verb before it. */
static const char *name_of(const struct verb *command)
{
	return strchr(command->name, ' ') + 1;
}

static const struct verb *find(const struct commands *commands, const char *name)
{
	for (size_t i = 0; i < commands->n; i++)
		if (str_equal(name_of(&commands->verbs[i]), name))
			return &commands->verbs[i];
	return NULL;
}

static int refuse(const struct commands *commands, const struct invocation *call, const char *name, struct error *e)
{
	const char **names = arena_array(call->arena, const char *, commands->n), *close;

	for (size_t i = 0; i < commands->n; i++)
		names[i] = name_of(&commands->verbs[i]);
	close = str_closest(name, names, commands->n);
	if (!close)
		return error_refuse(e, ERROR_USAGE, "%s has no command '%s'", call->verb->name, name);
	return error_refuse(e, ERROR_USAGE, "%s has no command '%s'; did you mean '%s'?", call->verb->name, name,
			    close);
}

static int print(const struct commands *commands, const struct verb *verb, struct error *e)
{
	auto_str out = STR_INIT;

	str_addf(&out, "holm %s - %s\n\nUsage: holm [GLOBAL OPTIONS] %s COMMAND [OPTIONS] [OPERANDS]\n\n", verb->name,
		 verb->summary, verb->name);
	for (size_t i = 0; i < commands->n; i++)
		str_addf(&out, "  %-12s %s\n", name_of(&commands->verbs[i]), commands->verbs[i].summary);
	str_addf(&out, "\n'holm %s COMMAND --help' and %s tell more.\n", verb->name, commands->page);
	return output_write(str_peek(&out), e);
}

static int print_help(const struct verb *command, struct error *e)
{
	auto_str help = STR_INIT;

	verb_print_help(command, &help);
	return output_write(str_peek(&help), e);
}

static bool is_help(const char *word)
{
	return str_equal(word, "-h") || str_equal(word, "-help") || str_equal(word, "--help") ||
	       str_equal(word, "help");
}

int commands_run(const struct commands *commands, struct invocation *call, void *options, char **operands, size_t n,
		 struct error *e)
{
	const struct verb *command = n ? find(commands, operands[0]) : NULL;
	struct option_result parsed;
	int r;

	if (!n || is_help(operands[0]))
		return print(commands, call->verb, e);
	if (!command)
		return refuse(commands, call, operands[0], e);
	r = option_parse(&command->options, command->order, operands + 1, n - 1, options, call->arena, &parsed, e);
	if (r)
		return r;
	if (parsed.help)
		return print_help(command, e);
	r = verb_check_operands(command, parsed.n_operands, e);
	return r ? r : command->run(call, options, parsed.operands, parsed.n_operands, e);
}
