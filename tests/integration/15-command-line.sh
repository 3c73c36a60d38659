#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The command line: spellings, refusals and their exit statuses, the log, what is printed.
# where: host
. "$(dirname "$0")/lib.sh"

# try COMMAND...: its $output, $errors and $status
try() {
	"$@" >"$work/output" 2>"$work/errors" </dev/null
	status=$?
	output=$(cat "$work/output")
	errors=$(cat "$work/errors")
}

# --- usage ---------------------------------------------------------------------------------------------------------------

try "$HOLM" frobnicate
is 'an unknown verb: exit status 3' $status 3
like 'an unknown verb: the text' "$errors" "No help topic for 'frobnicate'"
is 'an unknown verb: nothing on standard output' "$output" ''
try "$HOLM"
is 'no verb: help, exit status 0' "$status ${output:+text}" '0 text'
try "$HOLM" ''
is 'an empty verb: as none' "$status ${output:+text} $errors" '0 text '
try "$HOLM" state
is 'a missing operand: exit status 1' $status 1
like 'a missing operand: the text' "$errors" 'state.*requires exactly 1 argument\(s\)'
like 'a missing operand: the help' "$output" 'Incorrect Usage.*state'
for verb in state start kill pause resume update ps; do
	try "$HOLM" $verb
	like "$verb of nothing: the help, and what is missing" "$status $output $errors" "^1 Incorrect Usage.*$verb.*requires (exactly|a minimum of) 1 argument\\(s\\)"
done
try "$HOLM" state --frobnicate x
is 'an unknown option: exit status 1' $status 1
like 'an unknown option: the text' "$errors" 'flag provided but not defined: -frobnicate'
try "$HOLM" --frobnicate state x
like 'an unknown global option' "$errors" 'flag provided but not defined: -frobnicate'
try "$HOLM" list -qf
like 'joined letters, the last without its value' "$errors" 'flag needs an argument: -qf'
try "$HOLM" list -fq
like 'only the last one takes a value' "$errors" 'flag provided but not defined: -fq'
try "$HOLM" list --format
like 'an option without its value' "$errors" 'flag needs an argument: --?format'
try "$HOLM" --log-format xml state x
is 'an unknown log format' $status 1
for words in '--help' '-h' 'help' 'h' 'h create' 'help create more' 'create --help' 'create -h' 'help create' '--version' '-v'; do
	# shellcheck disable=SC2086 # words
	try "$HOLM" $words
	is "$words: text, exit status 0, no error" "$status ${output:+text} $errors" '0 text '
done
try "$HOLM" help frobnicate
is 'help about an unknown verb' $status 3
like 'the version, line by line' "$("$HOLM" --version | tr '\n' ';')" '^[a-z]+ version [0-9][^;]*;commit: [^;]+;spec: 1\.[^;]+;'
if is_holm; then
	try "$HOLM" craete
	like 'did you mean' "$errors" "did you mean 'create'"
	try "$HOLM" create --bundel x y
	like 'did you mean, options' "$errors" 'did you mean --bundle'
	for verb in $("$HOLM" completion dump | awk -F '\t' 'NF == 2 { print $1 }'); do
		try "$HOLM" "$verb" --help
		like "$verb --help" "$status $output" "^0 holm $verb - "
	done
	check 'the completion is a script' bash -n <("$HOLM" completion bash)
	try "$HOLM" checkpoint --image-path x y
	is 'checkpoint is refused' "$status $(grep -c 'not supported' <<<"$errors")" '1 1'
	try env HOME=/ bash -c '"$0" version >/dev/full' "$HOLM"
	like 'a full standard output is an error' "$status $errors" '^1 .*no space left'
	refuses 'the root folder as --root' "can't be the root" "$HOLM" --root / list
fi

# --- the log ---------------------------------------------------------------------------------------------------------------

try "$HOLM" --root "$state" state nobody
like 'text on standard error' "$errors" '^time="20[0-9T:Z+-]+" level=error msg=".*container does not exist'
try "$HOLM" --root "$state" --log "$work/log.json" --log-format json state nobody
is 'a log file: exit status' $status 1
like 'a log file: the error is bare on standard error too' "$errors" '^[^{]*container does not exist$'
fact 'a log file: one JSON object' "$(cat "$work/log.json")" '[.level, (.msg | test("container does not exist")), (.time | test("^20.*T"))]' '["error",true,true]'
try "$HOLM" --root "$state" --log "$work/log.json" --log-format json state nobody
is 'a log file: appended to' "$(wc -l <"$work/log.json")" 2
is 'a log file: mode' "$(stat -c %a "$work/log.json")" 644
try "$HOLM" --root "$state" --log="$work/log.text" -log-format=text exec nobody true
is 'exec that fails: exit status 255' $status 255
like 'the log as text' "$(cat "$work/log.text")" 'level=error msg="exec failed: .*container does not exist'

# --- list, state, ps ---------------------------------------------------------------------------------------------------------

mkdir -p "$state"
is 'list of nothing: the title' "$(holm list | tr -s ' ')" 'ID PID STATUS BUNDLE CREATED OWNER'
is 'list of nothing: JSON' "$(holm list -f json)" null
is 'list of nothing: ids' "$(holm list -q)" ''
refuses 'an unknown format' format holm list -f xml
bundle '.annotations = {"org.example.a": "1"}' -- sleep 1000
run_detached
is 'state has no newline at its end' "$(holm state "$id" | tail -c 1)" '}'
text=$(holm state "$id")
fact 'the order of the keys' "$text" 'keys_unsorted | join(" ")' 'ociVersion id pid status bundle rootfs created annotations owner'
fact 'annotations' "$text" '.annotations["org.example.a"]' 1
fact 'when it was created' "$text" '.created | test("^20[0-9-]+T[0-9:.]+Z$")'
fact 'list as JSON has the owner' "$(holm list --format=json)" '.[0].owner' "$(id -un)"
is 'list as JSON is compact' "$(holm list -f json | head -c 15)" '[{"ociVersion":'
like 'the table' "$(holm list)" "^ID +PID +STATUS +BUNDLE +CREATED +OWNER"$'\n'"$id +$(pid_of) +running +$bundle +20[^ ]+Z +$(id -un)$"
is 'ps as JSON' "$(holm ps -f json "$id")" "[$(pid_of)]"
like 'ps as a table' "$(holm ps "$id")" "^UID +PID +PPID .*CMD"$'\n'"[^ ]+ +$(pid_of) .* sleep 1000$"
like 'ps with arguments of its own' "$(holm ps "$id" -o pid,comm)" "^ *PID COMMAND"$'\n'" *$(pid_of) sleep$"
refuses 'ps without the column PID' PID holm ps "$id" -o comm
refuses 'kill with an unknown signal' '[Uu]nknown signal|invalid' holm kill "$id" FROBNICATE
fact 'events --stats' "$(holm events --stats "$id")" '[.type, .id, (.data | keys_unsorted | .[0:4] | join(" "))]' \
	"[\"stats\",\"$id\",\"cpu cpuset memory pids\"]"
if is_holm; then
	(
		sleep 0.5
		holm delete --force "$id"
	) &
	is 'events ends with the container' "$(timeout 10 "$HOLM" --root "$state" events --interval 200ms "$id" | jq -r .type | sort -u)" stats
	wait $!
	bundle '.linux.resources.memory.limit = 20000000' -- sh -c 'sleep 1; tail /dev/zero; sleep 1'
	run_detached
	is 'events tells of OOM, and ends with the last process' \
		"$(timeout 20 "$HOLM" --root "$state" events --interval 10s "$id" | jq -c .)" "{\"type\":\"oom\",\"id\":\"$id\"}"
	check 'and it can be deleted' holm delete "$id"
	fact 'check: the limit of memory' "$("$HOLM" check --json)" '.[] | select(.what == "memory.limit") | .can'
	like 'check as a table' "$("$HOLM" check)" '^LIMIT +CAN +HOW'
	mkdir "$state/broken"
	echo nonsense >"$state/broken/state.json"
	try holm list -f json
	is 'list leaves a broken one out' "$status $output" '0 null'
	like 'and names it' "$errors" 'load container broken'
	check 'delete --force removes it' holm delete --force broken
else
	holm delete --force "$id"
fi

# --- spec, features, lint, explain ------------------------------------------------------------------------------------------

mkdir "$work/new"
check 'spec' "$HOLM" spec --bundle "$work/new"
fact 'spec wrote a config' "$(cat "$work/new/config.json")" .root.path rootfs
refuses 'spec does not overwrite' 'config.json exists. Remove it first' "$HOLM" spec -b "$work/new"
fact 'features' "$("$HOLM" features)" '[.ociVersionMin, (.linux.namespaces | index("user") != null)]' '["1.0.0",true]'
if is_holm; then
	text=$("$HOLM" lint "$work/new/config.json")
	is 'lint of what spec wrote: exit status' $? 0
	like 'lint counts' "$text" '0 errors'
	bundle '.surprise = 1' '.process.rlimits[0].type = "RLIMIT_FOO"'
	text=$("$HOLM" lint --json "$bundle/config.json")
	is 'lint finds errors: exit status' $? 1
	fact 'lint: the error' "$text" '.[] | select(.severity == "error") | .path' 'process.rlimits[0].type'
	fact 'lint: the unknown key' "$text" '.[] | select(.path == "surprise") | .severity' warning
	refuses 'a refusal names the place' 'config.json: process.rlimits\[0\].type: ' holm create "$id"
	bundle '.linux.resources.memory.limit = 100000000' -- true
	text=$(holm explain --bundle "$bundle" --json)
	fact 'explain: what a limit does' "$text" '[.[] | select(.cause == "linux.resources.memory.limit")] | length > 0'
	fact 'explain: who does it' "$text" '[.[].side] | unique' '["host","init"]'
	like 'explain as a table' "$(holm explain --bundle "$bundle")" '^SIDE  CAUSE +OPERATION'
	is 'explain leaves no trace' "$(holm list -q)" ''
fi

# --- pid files and bundles ------------------------------------------------------------------------------------------------------

bundle -- sleep 1000
(cd "$bundle" && "$HOLM" --root "$state" create --pid-file pid "$id" </dev/null >/dev/null 2>&1)
is 'the bundle is the current folder; a relative pid file' "$(cat "$bundle/pid"; echo .)" "$(pid_of)."
is 'no temporary file beside it' "$(find "$bundle" -name '.pid*')" ''
is 'a relative --root' "$(cd "$work" && "$HOLM" --root state list -q)" "$id"
check 'start by a relative --root' bash -c 'cd "$0" && "$1" --root state start "$2"' "$work" "$HOLM" "$id"
check 'options may follow the id' holm delete "$id" --force
for bad in '' . .. a/b 'a b' "$(printf 'a\nb')"; do
	refuses "an id like '$(tr '\n' '?' <<<"$bad")'" '.' holm create "$bad"
done
is 'no trace of those' "$(holm list -q)" ''
