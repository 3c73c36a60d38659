/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shell completion and a dump of the tables, both written from the tables themselves.
 */
#include <string.h>

#include "cmd/output.h"
#include "cmd/verbs.h"

/* What completes a value or an operand that is called so: a command of bash, or what a command of holm's lists. */
static const struct {
	const char *metavar, *command, *list;
} sources[] = {
    {"DIR", "compgen -d -- \"$cur\"", NULL},
    {"FILE", "compgen -f -- \"$cur\"", NULL},
    {"SOCKET", "compgen -f -- \"$cur\"", NULL},
    {"SOURCE", "compgen -f -- \"$cur\"", NULL},
    {"ID", NULL, "list --quiet"},
    {"NAME", NULL, "list --quiet"},
    {"IMAGE", NULL, "image list --quiet"},
    {"VERB", "compgen -W \"$verbs\" -- \"$cur\"", NULL},
    {"SHELL", "compgen -W bash -- \"$cur\"", NULL},
};

/* What the commands of a verb are mostly given, beside its own "list --quiet": instances. */
static const char *const with_instances[] = {"snapshot"};

/* Ready to be followed by its arguments; *ret_list: they are a command of holm's. */
static const char *find_source(const char *metavar, bool *ret_list)
{
	for (size_t i = 0; metavar && i < ARRAY_SIZE(sources); i++) {
		const char *rest = str_after(metavar + (*metavar == '['), sources[i].metavar);

		if (!rest || !strchr(" ]|.", *rest)) /* or the end */
			continue;
		*ret_list = sources[i].list;
		return sources[i].list ? sources[i].list : sources[i].command;
	}
	return NULL;
}

static void print_reply(const char *source, bool is_list, struct str *out)
{
	str_addf(out, is_list ? "_holm_list %s" : "mapfile -t COMPREPLY < <(%s)", source);
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
		bool is_list = false;
		const char *source = find_source(option->metavar, &is_list);

		if (!option->help || !option_has_value(option))
			continue;
		print_pattern(verb, option, out);
		if (option->type == OPTION_CHOICE) {
			str_add(out, " mapfile -t COMPREPLY < <(compgen -W \"");
			for (size_t j = 0; j < option->n_choices; j++)
				str_addf(out, "%s%s", j ? " " : "", option->choices[j]);
			str_add(out, "\" -- \"$cur\"); return ;;\n");
		} else if (source) {
			str_add(out, " ");
			print_reply(source, is_list, out);
			str_add(out, "; return ;;\n");
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

/* The operands of a verb; of one with commands: the command, as its help names it, then what the verb is about. */
static void print_operands(const struct verb *verb, struct str *out)
{
	bool is_list = false;
	const char *source = find_source(verb->operands, &is_list);

	if (str_equal(verb->operands, "COMMAND [OPERANDS]")) {
		bool instances = false;

		for (size_t i = 0; i < ARRAY_SIZE(with_instances); i++)
			instances |= str_equal(verb->name, with_instances[i]);
		str_addf(
		    out,
		    "\t%s) if ((COMP_CWORD == i + 1)); then mapfile -t COMPREPLY < <(compgen -W \"$(\"$program\" %s "
		    "--help | "
		    "sed -n 's/^  \\([a-z]*\\) .*/\\1/p')\" -- \"$cur\"); else _holm_list %s%slist --quiet; fi ;;\n",
		    verb->name, verb->name, instances ? "" : verb->name, instances ? "" : " ");
	} else if (source) {
		str_addf(out, "\t%s) ", verb->name);
		print_reply(source, is_list, out);
		str_add(out, " ;;\n");
	}
}

static void print_bash(struct str *out)
{
	str_add(out, "# bash completion for holm; written by 'holm completion bash'\n"
		     "\n"
		     "# What a command of holm's lists.  Bash takes a word apart at colons: what is before the last "
		     "one is there.\n"
		     "_holm_list()\n{\n"
		     "\tlocal word=${COMP_LINE:0:COMP_POINT} head=''\n"
		     "\tword=${word##*[[:space:]=]}\n"
		     "\t[[ $word != *:* || $COMP_WORDBREAKS != *:* ]] || head=${word%\"${word##*:}\"}\n"
		     "\tmapfile -t COMPREPLY < <(compgen -W \"$(\"$program\" \"${places[@]}\" \"$@\" 2>/dev/null)\" -- "
		     "\"$word\")\n"
		     "\tCOMPREPLY=(\"${COMPREPLY[@]#\"$head\"}\")\n"
		     "}\n"
		     "\n"
		     "_holm()\n{\n"
		     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb='' options='' i\n"
		     "\tlocal program=${COMP_WORDS[0]}\n"
		     "\tlocal -a places=()\n"
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
				 str_equal(option->name, "root")   ? "; places+=(--root \"${COMP_WORDS[i]}\")"
				 : str_equal(option->name, "data") ? "; places+=(--data \"${COMP_WORDS[i]}\")"
								   : "");
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
	for (size_t i = 0; i < n_verbs; i++)
		if (verbs[i]->summary)
			print_operands(verbs[i], out);
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
