#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# events: runc's stream, its shape, and what runs out of memory; the record of the end.
# where: host bare
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/limits.sh"
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'

# --- statistics once ---

bundle '.linux.resources = {memory: {limit: 67108864}, cpu: {quota: 50000, period: 100000}, pids: {limit: 50}}' -- sleep 600
run_detached
stats=$(holm events --stats "$id")
is 'one line' "$(wc -l <<<"$stats")" 1
fact 'type and id' "$stats" "[.type, .id] == [\"stats\", \"$id\"]"
fact 'CPU time in nanoseconds' "$stats" '.data.cpu.usage.total > 0 and (.data.cpu.usage | has("kernel") and has("user"))'
fact 'memory and its limit' "$stats" '.data.memory.usage.usage > 0 and .data.memory.usage.limit == 67108864'
fact 'pids and their limit' "$stats" '[.data.pids.current, .data.pids.limit] == [1, 50]'
fact 'the details of memory' "$stats" '.data.memory.raw | length > 10'
fact 'block I/O is there' "$stats" '.data | has("blkio")'
refuses 'a container that is not there' 'does not exist' holm events --stats "$prefix-none"

# --- the stream ---

"$HOLM" --root "$state" events --interval 100ms "$id" >"$work/events" 2>&1 &
events=$!
has_lines() { [ "$(wc -l <"$work/events")" -ge "$1" ]; }
check 'statistics come again and again' wait_for 5 has_lines 3
fact 'each is an object' "$(jq -s . "$work/events")" 'all(.type == "stats")'
holm kill "$id" KILL
wait_status stopped
ended() { ! kill -0 $events; }
check 'the stream ends with the container' wait_for 5 ended
wait $events
is 'and without a complaint' "$?" 0
refuses 'statistics of a stopped container' 'not running' holm events --stats "$id"

# --- out of memory ---

bundle '.linux.resources.memory = {limit: 33554432, swap: 33554432}' \
	-- sh -c 'while [ ! -e /tmp/go ]; do sleep 0.05; done; probe eat 128M; sleep 1; probe eat 128M; sleep 1'
own_root
run_detached
"$HOLM" --root "$state" events --interval 60s "$id" >"$work/oom" 2>&1 &
events=$!
sleep 0.3
touch "$root/tmp/go"
wait_for 10 test -s "$work/oom"
fact 'an OOM kill is told as it happens' "$(head -n 1 "$work/oom")" "[.type, .id] == [\"oom\", \"$id\"]"
wait_status stopped
wait_for 5 ended
fact 'each of them, and no other' "$(jq -s . "$work/oom")" 'map(.type) == ["oom", "oom"]'

# --- the end ---

if is_holm; then
	end=$(holm state "$id" | jq .end)
	fact 'the end tells the kills' "$end" '.oomKills == 2'
	like 'and whose limit it was' "$(jq -r .why <<<"$end")" '2 processes were killed at the memory limit of 33554432 bytes'
	fact 'the peak is near the limit' "$end" '.memoryPeak > 30000000 and .memoryPeak <= 33554432'
	fact 'CPU time' "$end" '.cpuTotal > 0'
	bundle '.linux.resources.pids.limit = 3' -- sh -c 'sleep 1 & sleep 1 & sleep 1 & wait'
	run_detached
	wait_status stopped
	fact 'refused forks' "$(holm state "$id" | jq .end)" '.pidsRefused > 0'
	bundle '.linux.resources.cpu = {quota: 10000, period: 100000}' \
		-- sh -c 'while :; do :; done'
	run_detached
	throttled() { holm events --stats "$id" | jq -e '.data.cpu.throttling.throttledPeriods > 0'; }
	check 'a loop under a quota is throttled' wait_for 60 throttled
	holm kill "$id" KILL
	wait_status stopped
	end=$(holm state "$id" | jq .end)
	fact 'throttling' "$end" '.throttledPeriods > 0 and .throttledTime > 0'
fi

# --- limits that were hit ---

if is_holm; then
	bundle '.linux.resources = {pids: {limit: 3}, memory: {limit: 33554432, swap: 33554432}}' -- \
		sh -c 'while [ ! -e /tmp/go ]; do sleep 0.05; done; (sleep 1 & sleep 1 & sleep 1); exec sleep 600'
	own_root
	run_detached
	"$HOLM" --root "$state" events --all --interval 60s "$id" >"$work/all" 2>&1 &
	events=$!
	wait_for 5 test -e "/proc/$events/fd/5"
	sleep 0.3
	touch "$root/tmp/go"
	told() { jq -se "any(.type == \"$1\" and .data.count > 0)" "$work/all"; }
	check 'a refused fork is told' wait_for 10 told pids-max
	if [ "$(speaks memory)" = v2 ]; then
		holm update --pids-limit -1 --memory-high 4M "$id"
		holm exec "$id" probe eat 8M >/dev/null 2>&1 &
		check 'so is memory.high' wait_for 20 told memory-high
	fi
	holm kill "$id" KILL
	wait_for 5 ended
	wait "$events"
	is 'and the stream ends with the container' "$?" 0
fi

# --- what a start needed ---

if is_holm; then
	bundle '.linux.resources.memory.limit = 16384'
	text=$(holm run "$id" 2>&1)
	like 'a start that fails by its limit says so' "$text" 'memory|limit'
	bundle '.linux.resources.pids.limit = 1' -- sleep 600
	run_detached
	refuses 'exec where no process may be more' 'pids.limit: all 1 are in use, and one more was needed' holm exec "$id" true
	bundle '.linux.resources.pids.limit = 1' -- sh -c 'true & wait; true; echo alive'
	like 'one process may be, no second' "$(holm run "$id" 2>&1)" 'can.t fork|Resource temporarily unavailable'
fi
