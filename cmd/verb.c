/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/verb.h"

int verb_check_operands(const struct verb *verb, size_t n, struct error *e)
{
	const char *bound = verb->min == verb->max ? "exactly" : (int)n < verb->min ? "a minimum of" : "a maximum of";
	int number = (int)n < verb->min ? verb->min : verb->max;

	if ((int)n >= verb->min && (verb->max == VERB_ANY_OPERANDS || (int)n <= verb->max))
		return 0;
	return error_refuse(e, ERROR_OPERANDS, "holm: \"%s\" requires %s %d argument(s)", verb->name, bound, number);
}

int verb_refuse_none(const struct verb *verb, const char *bound, struct error *e)
{
	return error_refuse(e, ERROR_OPERANDS, "holm: \"%s\" requires %s 1 argument(s)", verb->name, bound);
}

void verb_print_help(const struct verb *verb, struct str *out)
{
	str_addf(out, "holm %s - %s\n\nUsage: holm [GLOBAL OPTIONS] %s%s%s%s\n", verb->name, verb->summary, verb->name,
		 verb->options.n ? " [OPTIONS]" : "", *verb->operands ? " " : "", verb->operands);
	if (verb->text)
		str_addf(out, "\n%s\n", verb->text);
	str_add(out, "\nOptions:\n");
	option_print_help(&verb->options, out);
}
