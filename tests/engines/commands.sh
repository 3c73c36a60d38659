#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same commands, right and wrong ones, given to holm and to runc step by step: exit status, standard output, and in the errors the words
# that callers look for.
# timeout: 100
# shellcheck disable=SC2034 # lib.sh reads it
needs=(runc)
# shellcheck source=tests/engines/lib.sh
. "$(dirname "$0")/lib.sh"

runc=$(command -v runc)
folder=$work/of
mkdir -p "$folder/holm" "$folder/runc"

# said RUNTIME ARGUMENT...: status, output and errors, without what can't be the same
said() {
	local path=$1 status
	shift
	"$path" --root "$folder/${path##*/}" "$@" </dev/null >"$work/out" 2>"$work/err"
	status=$?
	# The version of the OCI that one follows, and keys of holm's own.
	! jq . "$work/out" >/dev/null 2>&1 || jq 'walk(if type == "object" then del(.ociVersion, .updates, .end) | if .owner == "" then del(.owner) else . end
		else . end)' "$work/out" >"$work/json" && [ -s "$work/json" ] && mv "$work/json" "$work/out"
	sed -i -E -e "s#$folder/(holm|runc)#ROOT#g" -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g' -e 's/ +/ /g' -e 's/\b[0-9]{2,}\b/N/g' \
		-e 's#/run/engine/holm|(/usr/s?bin/)?runc#holm#g' "$work/out"
	echo "$status"
}

# both NAME WORDS ARGUMENT...: status and output are the same; the errors of both match WORDS, or there are none
# A text of usage is each one's own: WORDS that begin with "usage:" leave the output aside.
both() {
	local name=$1 words=$2 ours theirs text=
	shift 2
	ours=$(said "$runtime" "$@")
	mv "$work/out" "$work/our.out"
	mv "$work/err" "$work/our.err"
	theirs=$(said "$runc" "$@")
	[ "$ours" = "$theirs" ] || text+="status: holm $ours, runc $theirs"$'\n'
	[[ $words == usage:* ]] || cmp -s "$work/our.out" "$work/out" || text+="output: $(diff "$work/our.out" "$work/out" | head -n 20)"$'\n'
	words=${words#usage:}
	for file in our.err err; do
		if [ -z "$words" ]; then
			! grep -q level=error "$work/$file" || text+="$file: $(cat "$work/$file")"$'\n'
		else
			grep -qE -- "$words" "$work/$file" || text+="$file: $(cat "$work/$file"), expected: $words"$'\n'
		fi
	done
	if [ -z "$text" ]; then ok "$name: as runc"; else not_ok "$name: as runc" "$text"; fi
}

has_stopped() {
	for path in "$runtime" "$runc"; do
		[ "$("$path" --root "$folder/${path##*/}" state life | jq -r .status)" = stopped ] || return
	done
}

echo "# $("$runc" --version | head -n 1), $("$runtime" --version | head -n 1)"
for verb in state start delete kill pause resume ps events update; do
	operands=()
	case $verb in kill) operands=(KILL) ;; update) operands=(--memory 10000000) ;; events) operands=(--stats) ;; esac
	case $verb in kill) both "$verb of nothing" 'container does not exist' $verb nosuch "${operands[@]}" ;;
	*) both "$verb of nothing" 'container does not exist' $verb "${operands[@]}" nosuch ;; esac
done
both 'exec in nothing' 'container does not exist' exec nosuch true
both 'delete --force of nothing' '' delete --force nosuch
both 'list of nothing' '' list
both 'list of nothing, JSON' '' list -f json
both 'list, an unknown format' 'usage:invalid' list -f xml
both 'an unknown verb' "No help topic for 'frobnicate'" frobnicate
both 'start without an id' 'usage:requires exactly 1 argument' start
both 'two ids' 'usage:requires exactly 1 argument' state a b
both 'an unknown option' 'usage:flag provided but not defined: -frobnicate' list --frobnicate
both 'create without a bundle' 'no such file or directory' create --bundle "$work/nowhere" life
mkdir broken
echo '{' >broken/config.json
both 'a broken config' 'config.json|JSON|unexpected' create --bundle "$work/broken" life

bundle '.linux.cgroupsPath = "/life" | .linux.resources = {memory: {limit: 67108864}, cpu: {shares: 512, cpus: "0"}}' -- sleep 1000
both 'a bad id' '[Ii]nvalid (container )?(id|ID)' create --bundle "$bundle" 'a/b'
both 'a console socket without a terminal' 'console socket' create --bundle "$bundle" --console-socket "$work/nosock" life
config '.process.terminal = true'
both 'a terminal without a console socket' 'console socket' create --bundle "$bundle" life
config '.process.terminal = false'
both 'create' '' create --bundle "$bundle" --pid-file "$work/pid" life
both 'create again' 'exist' create --bundle "$bundle" life
both 'state: created' '' state life
both 'exec before start' '' exec life true
both 'start' '' start life
both 'start again' 'cannot start (a container|an already running container)' start life
both 'state: running' '' state life
both 'list' '' list
both 'list, ids' '' list -q
both 'list, JSON' '' list --format json
both 'ps' '' ps life
both 'ps, JSON' '' ps --format json life
both 'ps with arguments' '' ps life -o pid,comm
both 'exec' '' exec life echo hello
both 'exec: status' '' exec life sh -c 'exit 7'
both 'exec: a signal' '' exec life sh -c 'kill -9 $$'
both 'exec: user, folder, environment' '' exec --user 1000:1000 --cwd /tmp --env K=v life sh -c 'echo $(id -u) $(id -g) $PWD $K'
both 'exec: capabilities' '' exec --cap CAP_KILL life grep Cap /proc/self/status
both 'exec: not found' 'executable file not found in \$PATH' exec life nosuch
both 'exec: no such path' 'no such file or directory' exec life /no/such
both 'exec: not executable' 'permission denied' exec life /etc/passwd
both 'exec: no command' 'process args cannot be empty|requires a minimum of|args' exec life
both 'exec --detach' '' exec --detach --pid-file "$work/pid2" life true
both 'kill: an unknown signal' 'unknown signal|invalid' kill life FROBNICATE
both 'kill: signal 0' '' kill life 0
both 'pause' '' pause life
both 'state: paused' '' state life
both 'pause again' 'not running' pause life
both 'exec while paused' 'paused' exec life true
both 'start while paused' 'paused|running' start life
both 'delete while paused' 'not stopped' delete life
both 'resume' '' resume life
both 'resume again' 'not paused' resume life
both 'update' '' update --memory 33554432 --cpu-share 512 life
both 'update: a bad value' 'usage:invalid|fail|unable' update --memory frob life
both 'delete while running' 'not stopped' delete life
for path in "$runtime" "$runc"; do
	"$path" --root "$folder/${path##*/}" exec life true
	"$path" --root "$folder/${path##*/}" events --stats life | jq -S '[.data | del(.intel_rdt, .network_interfaces) | paths(type != "object") |
		map(select(type == "string")) | join(".")] | unique' >"$work/keys.${path##*/}"
done
missing=$(jq -rn --slurpfile a "$work/keys.runc" --slurpfile b "$work/keys.${runtime##*/}" '$a[0] - $b[0] | join(" ")')
is 'events --stats has every key of runc' "$missing" ''
both 'kill' '' kill life KILL
wait_for 5 has_stopped
both 'state: stopped' '' state life
both 'kill of what has stopped' 'not running|process already finished' kill life TERM
both 'exec in what has stopped' 'not running|stopped' exec life true
both 'start of what has stopped' 'stopped' start life
both 'pause of what has stopped' 'not running' pause life
both 'ps of what has stopped' '' ps life
both 'delete' '' delete life
both 'delete again' 'container does not exist' delete life
bundle -- sh -c 'exit 5'
both 'run: status' '' run --bundle "$bundle" life
bundle -- sh -c 'kill -TERM $$'
both 'run: a signal' '' run --bundle "$bundle" life
bundle -- nosuch
both 'run: not found' 'executable file not found in \$PATH' run --bundle "$bundle" life
bundle -- /etc/passwd
both 'run: not executable' 'permission denied' run --bundle "$bundle" life
bundle '.process.cwd = "relative"' -- true
both 'run: a relative folder' 'absolute|Cwd' run --bundle "$bundle" life
bundle '.process.args = []'
both 'run: no arguments' 'args' run --bundle "$bundle" life
both 'list at the end' '' list
