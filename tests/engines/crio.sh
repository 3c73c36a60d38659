#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# CRI-O's calls: conmon with the arguments that CRI-O gives it, and the runtime with those that CRI-O gives that.  (CRI-O is in no package
# of Debian's; its conmon is.)
# timeout: 100
# shellcheck disable=SC2034 # lib.sh reads it
needs=(conmon)
# shellcheck source=tests/engines/lib.sh
. "$(dirname "$0")/lib.sh"

root=/run/engine/crio
exits=/run/engine/exits
attach=/run/engine/attach
mkdir "$root" "$exits" "$attach"
runtime() {
	timeout -k 1 $((40 * HOLM_TIMESCALE)) "$runtime" --root="$root" "$@"
}

# conmon_call ARGUMENT...: conmon between the two pipes by which CRI-O and it agree; prints what conmon reports
conmon_call() {
	local report
	rm -f "$work/sync" "$work/start"
	mkfifo "$work/sync" "$work/start"
	exec 5<>"$work/sync" 6<>"$work/start"
	_OCI_SYNCPIPE=3 _OCI_STARTPIPE=4 timeout 40 conmon -c "$id" -n "k8s_$id" -r "$runtime" --runtime-arg "--root=$root" \
		--socket-dir-path "$attach" --log-level info "$@" 3>&5 4<&6 5>&- 6>&- </dev/null >/dev/null &
	echo >&6
	IFS= read -t 30 -r report <&5
	exec 5>&- 6>&-
	wait $!
	echo "$report"
}

# crio_create [CONMON-ARGUMENT]...: the bundle made last; the report is in $report, the log $log
# shellcheck disable=SC2120 # check passes it some
crio_create() {
	log=$work/$id.log
	mkdir "$work/$id.persist"
	report=$(conmon_call -b "$bundle" --exit-dir "$exits" -l "$log" -P "$bundle/conmon-pidfile" -p "$bundle/pidfile" \
		--persist-dir "$work/$id.persist" -u "$id" "$@")
	[ "$(jq .pid <<<"$report")" -gt 0 ]
}

# ExecSync: conmon -e, with the process in a file; the output is the log's
crio_exec() { # TIMEOUT COMMAND...
	local seconds=$1
	shift
	jq -c --args '.process | .args = $ARGS.positional' -- "$@" <"$bundle/config.json" >"$work/process.json"
	rm -f "$work/exec.log"
	report=$(conmon_call -p "$work/exec-pid" -e --sync -l "$work/exec.log" -T "$seconds" --exec-process-spec "$work/process.json")
	sed 's/^[^ ]* std[a-z]* [FP] //' "$work/exec.log"
	return "$(jq 'if .exit_code < 0 then 125 else .exit_code end' <<<"$report")"
}

text_of() { # STREAM
	sed -n "s/^[^ ]* $1 [FP] //p" "$log"
}

exit_file() {
	[ -s "$exits/$id" ]
}

echo "# $(conmon --version | head -n 1), $("$runtime" --version | head -n 1)"
fact 'features: what CRI-O reads, from both streams' "$("$runtime" features 2>&1)" \
	'(.ociVersionMin | length > 0) and (.ociVersionMax | length > 0) and (.mountOptions | index("rro") != null)'
differs runc 'features: idmapped mounts' 'runc 1.1 has no such field'
fact 'features: idmapped mounts' "$("$runtime" features 2>&1)" '.linux.mountExtensions.idmap.enabled'
like 'version' "$("$runtime" --version)" "^$RUNTIME version [0-9].*commit: .*spec: "

bundle '.linux.cgroupsPath = "/kubepods/pod1/one" | .linux.resources.memory.limit = 67108864' -- \
	sh -c 'echo out; echo err >&2; trap "exit 4" TERM; while :; do sleep 0.05; done'
check 'create' crio_create
is 'the pid file is what conmon reports' "$(cat "$bundle/pidfile")" "$(jq .pid <<<"$report")"
fact 'state' "$(runtime state "$id")" '.status + " " + .bundle' "created $bundle"
check 'start' runtime start "$id"
fact 'state: running' "$(runtime state "$id")" .status running
check 'the log, both streams' wait_for 5 eval '[ "$(text_of stdout) $(text_of stderr)" = "out err" ]'
like 'the cgroup' "$(cgroup_of "$(cat "$bundle/pidfile")")" '^/sys/fs/cgroup(/memory)?/kubepods/pod1/one$'
exits 'ExecSync' 0 '^said$' crio_exec 20 echo said
exits 'ExecSync: status' 5 '' crio_exec 20 sh -c 'exit 5'
exits 'ExecSync: not found' '125|255|1' '' crio_exec 20 nosuch
crio_exec 20 nosuch >/dev/null
like 'ExecSync: the message' "$report" 'executable file not found in .PATH'
crio_exec 1 sleep 100 >/dev/null
like 'ExecSync: the time-out' "$report" '"exit_code": *-[0-9]+.*timed out|timed out'
jq -c '.process | .args = ["sh", "-c", "tty; exit 6"] | .terminal = true' <"$bundle/config.json" >process.json
like 'Exec: the runtime alone, on a terminal' "$(on_terminal "$runtime" --root="$root" exec --process process.json "$id")" '/dev/pts/0'
exits 'Exec: status' 6 'not a tty' bash -c 'jq ".terminal = false" process.json >p2.json; exec "$0" --root="$1" exec --process p2.json "$2"' \
	"$runtime" "$root" "$id"
echo '{"memory": {"limit": 33554432}, "cpu": {"shares": 512, "quota": 50000, "period": 100000}}' >resources.json
check 'update --resources -' eval 'runtime update --resources - "$id" <resources.json'
is 'the limit holds' "$(cat "$(cgroup_of "$(cat "$bundle/pidfile")")"/memory.{max,limit_in_bytes} 2>/dev/null)" 33554432
check 'pause' runtime pause "$id"
fact 'paused' "$(runtime state "$id")" .status paused
check 'resume' runtime resume "$id"
check 'kill by name' runtime kill "$id" TERM
check 'conmon leaves the status' wait_for 5 exit_file
is 'it is the one of the handler' "$(cat "$exits/$id")" 4
fact 'state: stopped' "$(runtime state "$id")" .status stopped
refuses 'kill of what has ended: the text that CRI-O knows' 'container not running|no such process' runtime kill "$id" KILL
check 'delete --force' runtime delete --force "$id"
refuses 'state of what is gone' 'does not exist' runtime state "$id"
refuses 'kill of what is gone' 'does not exist' runtime kill "$id" KILL
check 'delete --force of what is gone' runtime delete --force "$id"

bundle '.process.terminal = true' -- sh -c 'tty; stty size; exit 3'
check 'create: a terminal' crio_create -t
check 'start: on it' runtime start "$id"
check 'it ends' wait_for 5 exit_file
like 'a terminal: the log' "$(text_of stdout | tr -d '\r' | paste -sd ' ')" '^/dev/pts/0'
is 'a terminal: status' "$(cat "$exits/$id")" 3
runtime delete --force "$id"
bundle -- nosuch
crio_create
like 'create: not found, as conmon reports it' "$report" '"pid": *-1.*executable file not found in .PATH'
bundle '.linux.resources.memory.limit = 16777216' -- probe eat 64
check 'create: one for the OOM killer' crio_create
runtime start "$id"
check 'it is killed' wait_for 10 exit_file
is 'status 137' "$(cat "$exits/$id")" 137
check 'conmon notes the OOM' wait_for 5 eval 'find "$work" -name oom | grep -q .'
refuses 'checkpoint is refused clearly' 'checkpoint|criu' runtime checkpoint --file-locks --image-path "$work/image" --work-path "$work" --leave-running "$id"
check 'delete' runtime delete --force "$id"
is 'the runtime has no record left' "$(find "$root" -mindepth 1 -maxdepth 1 ! -name :seccomp)" ''
