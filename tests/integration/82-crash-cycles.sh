#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One container after another, thousands of them: nothing grows.
# timeout: 330
. "$(dirname "$0")/lib.sh"
. tests/crash/lib.sh

bundle -- /bin/true
reporting=$bundle
bundle -- sleep 1000
staying=$bundle
stormed 'run and delete, again and again' cycles "$(part 10000 $((600 / HOLM_TIMESCALE)))"

# holm run is killed while its payload runs: that goes on, and others can end it.
bundle -- sleep 1000
"$HOLM" --root "$state" run --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1 &
pid=$!
check 'a run in the foreground' wait_status running
kill -KILL $pid
wait $pid 2>/dev/null
is 'its holm is killed, the payload goes on' "$(status_of)" running
like 'list shows it' "$(holm list)" "$id +$(pid_of) +running"
check 'exec works' holm exec "$id" true
check 'kill works' holm kill "$id" KILL
check 'it stops' wait_status stopped
check 'delete works, without --force' holm delete "$id"

# The same with a terminal's worth of other ends: stopped by itself, then deleted.
bundle -- sleep "$HOLM_TIMESCALE"
"$HOLM" --root "$state" run --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1 &
pid=$!
check 'another run' wait_status running
kill -KILL $pid
wait $pid 2>/dev/null
check 'it ends by itself' wait_status stopped
check 'and is deleted' holm delete "$id"

# A creator that is killed in a hook.
bundle '.hooks.createRuntime = [{"path": "/bin/sleep", "args": ["sleep", "3"]}]' -- sleep 1000
"$HOLM" --root "$state" create --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1 &
pid=$!
check 'a create that takes long is creating' wait_status creating
refuses 'exec while it is being created' 'not running' holm exec "$id" true
refuses 'start while it is being created' 'being created' holm start "$id"
refuses 'delete while it is being created' 'at work' holm delete "$id"
kill -KILL $pid
wait $pid 2>/dev/null
check 'its creator killed, it has stopped' wait_status stopped
check 'and is deleted without --force' holm delete "$id"

bundle '.hooks.createRuntime = [{"path": "/bin/sleep", "args": ["sleep", "2"]}]' -- sleep 1000
"$HOLM" --root "$state" create --bundle "$bundle" "$id" </dev/null >"$work/create.err" 2>&1 &
pid=$!
check 'another create' wait_status creating
check 'delete --force ends a create' holm delete --force "$id"
wait $pid
isnt 'which fails' $? 0
is 'in one line' "$(wc -l <"$work/create.err")" 1
refuses 'and leaves nothing' 'does not exist' holm state "$id"
