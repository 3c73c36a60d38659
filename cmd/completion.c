/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shell completion and a dump of the tables, both written from the tables themselves.
 */
#include <string.h>

#include "cmd/output.h"
#include "cmd/verbs.h"

/* What completes a value or an operand that is called so, as a command of bash. */
static const struct {
	const char *metavar, *command;
} sources[] = {
    {"DIR", "compgen -d -- \"$cur\""},
    {"FILE", "compgen -f -- \"$cur\""},
    {"SOCKET", "compgen -f -- \"$cur\""},
    {"ID", "compgen -W \"$(\"${COMP_WORDS[0]}\" \"${root[@]}\" list --quiet 2>/dev/null)\" -- \"$cur\""},
    {"NAME", "compgen -W \"$(\"${COMP_WORDS[0]}\" \"${root[@]}\" list --quiet 2>/dev/null)\" -- \"$cur\""},
    {"VERB", "compgen -W \"$verbs\" -- \"$cur\""},
    {"SHELL", "compgen -W bash -- \"$cur\""},
};

static const char *find_source(const char *metavar)
{
	for (size_t i = 0; metavar && i < ARRAY_SIZE(sources); i++) {
		const char *rest = str_after(metavar + (*metavar == '['), sources[i].metavar);

		if (rest && strchr(" ]", *rest)) /* or the end */
			return sources[i].command;
	}
	return NULL;
}

/* "create:--bundle|create:-b": how a case of the script spells an option. */
static void print_pattern(const char *verb, const struct option *option, struct str *out)
{
	str_addf(out, "\t%s:--%s", verb, option->name);
	if (option->letter)
		str_addf(out, " | %s:-%c", verb, option->letter);
	str_add(out, ")");
}

/* Cases that complete the values of a table's options. */
static void print_values(const char *verb, const struct option_table *table, struct str *out)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct option *option = &table->options[i];
		const char *source = find_source(option->metavar);

		if (!option->help || !option_has_value(option))
			continue;
		print_pattern(verb, option, out);
		if (option->type == OPTION_CHOICE) {
			str_add(out, " mapfile -t COMPREPLY < <(compgen -W \"");
			for (size_t j = 0; j < option->n_choices; j++)
				str_addf(out, "%s%s", j ? " " : "", option->choices[j]);
			str_add(out, "\" -- \"$cur\"); return ;;\n");
		} else if (source) {
			str_addf(out, " mapfile -t COMPREPLY < <(%s); return ;;\n", source);
		} else {
			str_add(out, " return ;;\n");
		}
	}
}

static void print_names(const struct option_table *table, struct str *out)
{
	for (size_t i = 0; i < table->n; i++)
		if (table->options[i].help)
			str_addf(out, "--%s ", table->options[i].name);
	str_add(out, "--help");
}

static void print_bash(struct str *out)
{
	str_add(out, "# bash completion for holm; written by 'holm completion bash'\n"
		     "_holm()\n{\n"
		     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb='' options='' i\n"
		     "\tlocal -a root=()\n"
		     "\tlocal verbs=\"");
	for (size_t i = 0; i < n_verbs; i++)
		if (verbs[i]->summary)
			str_addf(out, "%s%s", i ? " " : "", verbs[i]->name);
	str_add(out,
		"\"\n"
		"\tif [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; fi\n"
		"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		"\t\tcase ${COMP_WORDS[i]} in\n");
	for (size_t i = 0; i < global_options.n; i++) {
		const struct option *option = &global_options.options[i];

		if (option_has_value(option))
			str_addf(out, "\t\t--%s) [[ ${COMP_WORDS[i + 1]} != = ]] || ((i++)); ((i++))%s ;;\n",
				 option->name,
				 str_equal(option->name, "root") ? "; root=(--root \"${COMP_WORDS[i]}\")" : "");
	}
	str_add(out, "\t\t-*) ;;\n"
		     "\t\t*) verb=${COMP_WORDS[i]}; break ;;\n"
		     "\t\tesac\n"
		     "\tdone\n"
		     "\tcase $verb:$prev in\n");
	print_values("", &global_options, out);
	for (size_t i = 0; i < n_verbs; i++)
		print_values(verbs[i]->name, &verbs[i]->options, out);
	str_add(out, "\tesac\n"
		     "\tcase $verb in\n"
		     "\t'') options=\"");
	print_names(&global_options, out);
	str_add(out, "\" ;;\n");
	for (size_t i = 0; i < n_verbs; i++) {
		if (!verbs[i]->summary)
			continue;
		str_addf(out, "\t%s) options=\"", verbs[i]->name);
		print_names(&verbs[i]->options, out);
		str_add(out, "\" ;;\n");
	}
	str_add(
	    out,
	    "\tesac\n"
	    "\tif [[ $cur == -* ]]; then mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\"); return; fi\n"
	    "\tcase $verb in\n"
	    "\t'') mapfile -t COMPREPLY < <(compgen -W \"$verbs\" -- \"$cur\") ;;\n");
	for (size_t i = 0; i < n_verbs; i++) {
		const char *source = find_source(verbs[i]->operands);

		if (verbs[i]->summary && source)
			str_addf(out, "\t%s) mapfile -t COMPREPLY < <(%s) ;;\n", verbs[i]->name, source);
	}
	str_add(out, "\tesac\n"
		     "}\n"
		     "complete -o filenames -o bashdefault -F _holm holm\n");
}

/* verb, option, letter and value, with tabs between; "-" for none.  A verb's own line has its operands. */
static void print_table(const char *verb, const struct option_table *table, struct str *out)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct option *option = &table->options[i];

		if (!option->help)
			continue;
		str_addf(out, "%s\t--%s\t", verb, option->name);
		if (option->letter)
			str_addf(out, "-%c\t", option->letter);
		else
			str_add(out, "-\t");
		if (option_has_value(option))
			option_print_value(option, out);
		else
			str_add(out, "-");
		str_add(out, "\n");
	}
}

static void print_dump(struct str *out)
{
	print_table("-", &global_options, out);
	for (size_t i = 0; i < n_verbs; i++) {
		if (!verbs[i]->summary)
			continue;
		str_addf(out, "%s\t%s\n", verbs[i]->name, *verbs[i]->operands ? verbs[i]->operands : "-");
		print_table(verbs[i]->name, &verbs[i]->options, out);
	}
}

static int run(struct invocation *call, void *options, char **operands, size_t n, struct error *e)
{
	auto_str text = STR_INIT;

	(void)call, (void)options, (void)n;
	if (str_equal(operands[0], "bash"))
		print_bash(&text);
	else if (str_equal(operands[0], "dump"))
		print_dump(&text);
	else
		return error_refuse(e, ERROR_USAGE, "no completion for '%s': bash is what there is", operands[0]);
	return output_write(str_peek(&text), e);
}

const struct verb verb_completion = {
    .name = "completion",
    .summary = "print a completion script for the shell",
    .operands = "SHELL",
    .min = 1,
    .max = 1,
    .text = "SHELL is bash:  source <(holm completion bash)",
    .run = run,
};
