#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A container's life: create, start, state, list, kill, delete, run, and what is refused in which state.
# where: host bare systemd
. "$(dirname "$0")/lib.sh"

bundle -- sh -c 'echo hello; exit 7'
text=$(holm run "$id")
is 'run passes the exit status on' $? 7
is 'run passes standard output on' "$text" hello
refuses 'run deletes the container' 'does not exist' holm state "$id"

bundle -- sh -c 'cat; echo error >&2'
is 'run passes standard input on' "$(echo from outside | holm run "$id" 2>/dev/null)" 'from outside'
is 'run passes standard error on' "$(echo | holm run "$id" 2>&1 >/dev/null)" error

bundle -- sh -c 'kill -TERM $$'
config '.linux.namespaces |= map(select(.type != "pid"))'
holm run "$id" >/dev/null 2>&1
is 'a signal is 128 and its number' $? 143

bundle -- sh -c 'exit 3'
check 'create' create
is 'created' "$(status_of)" created
text=$(holm state "$id")
fact 'state has the id' "$text" .id "$id"
fact 'state has the bundle' "$text" .bundle "$bundle"
fact 'state has an OCI version' "$text" '.ociVersion | test("^1\\.")'
fact 'state has a pid' "$text" '.pid > 1'
like 'the pid is alive' "$(cat /proc/"$(pid_of)"/status 2>&1)" State
refuses 'the same id again' exist holm create "$id"
is 'and nothing happened to it' "$(status_of)" created
refuses 'delete of a created container, without --force' created holm delete "$id"
is 'start says nothing' "$(holm start "$id" 2>&1)" ''
check 'it stops by itself' wait_status stopped
fact 'stopped: no pid' "$(holm state "$id")" .pid 0
refuses 'start of a stopped container' stopped holm start "$id"
refuses 'kill of a stopped container' 'not running' holm kill "$id"
refuses 'exec in a stopped container' 'not running|stopped' holm exec "$id" true
check 'kill --all of a stopped container' holm kill --all "$id" KILL
check 'delete' holm delete "$id"
refuses 'state after delete' 'does not exist' holm state "$id"
refuses 'start after delete' 'does not exist' holm start "$id"
refuses 'kill after delete' 'does not exist' holm kill "$id"
refuses 'delete after delete' 'does not exist' holm delete "$id"
check 'delete --force of an unknown id' holm delete --force "$id"
check 'the id can be used again' create
check 'and killed before it started' holm kill "$id" KILL
check 'which stops it' wait_status stopped
check 'and deleted' holm delete "$id"

bundle -- sleep 1000
run_detached --pid-file "$work/pid"
is 'running' "$(status_of)" running
is 'the pid file has the pid, no newline' "$(cat "$work/pid"; echo .)" "$(pid_of)."
refuses 'start of a running container' 'running' holm start "$id"
refuses 'delete of a running container' 'running' holm delete "$id"
is 'list knows it' "$(holm list --quiet)" "$id"
like 'list has a table' "$(holm list)" "ID +PID +STATUS.*$id +$(pid_of) +running +$bundle"
fact 'list has JSON' "$(holm list --format json)" ".[] | [.id, .status]" "[\"$id\",\"running\"]"
fact 'ps has pids' "$(holm ps --format json "$id")" . "[$(pid_of)]"
like 'ps has a table' "$(holm ps "$id")" "PID.*sleep 1000"
check 'kill by name' holm kill "$id" WINCH
is 'a harmless signal harms not' "$(status_of)" running
check 'kill by number' holm kill "$id" 9
check 'which stops it' wait_status stopped
check 'and it can be deleted' holm delete "$id"

if is_holm; then
	bundle -- sh -c 'i=0; while [ $i -lt 300 ]; do sleep 1000 & i=$((i + 1)); done; wait' # dying takes a while
	late=0
	for _ in {1..5}; do
		run_detached
		wait_for 10 eval '[ "$(holm ps --format json "$id" | jq length)" -gt 300 ]'
		holm kill "$id" KILL && holm delete "$id" || late=$((late + 1))
		holm delete --force "$id"
	done
	is 'one that was killed can be deleted at once' $late 0
fi

bundle -- sh -c 'sleep 1000 & sleep 1000 & wait'
config '.linux.namespaces |= map(select(.type != "pid"))'
run_detached
check 'processes started' wait_for 5 eval '[ "$(holm ps --format json "$id" | jq length)" -eq 3 ]'
check 'kill KILL without a pid namespace' holm kill "$id" KILL
check 'ends every process' wait_for 5 eval '[ "$(holm ps --format json "$id" | jq length)" -eq 0 ]'
check 'and it can be deleted' holm delete "$id"

bundle -- sleep 1000
run_detached
check 'delete --force of a running container' holm delete --force "$id"
refuses 'it is gone' 'does not exist' holm state "$id"
for bad in '' . .. a/b 'a b' "$(printf 'x%.0s' {1..1100})" $'a\nb'; do
	refuses "id '${bad:0:20}' is refused" . "$HOLM" --root "$state" run --bundle "$bundle" -- "$bad"
done
is 'and leaves nothing' "$(ls "$state" 2>/dev/null)" ''
