#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# where: host bare
# timeout: 120
#
# Health checks, the account of what was used, metrics, promises, why, boot.
. "$(dirname "$0")/lib.sh"
. tests/integration/instances.sh
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'

# has_health WORD NAME
has_health() {
	on list --wide 2>/dev/null | grep "^$2 " | grep -qw "$1" || [ "$(on inspect "$2" | jq -r '.. | .health? | strings' | head -n 1)" = "$1" ]
}
says() {
	on logs "$1" 2>&1 | grep -q "$2"
}
history() {
	wc -l 2>/dev/null <"$data/instances/$1/history"
}

# --- health ------------------------------------------------------------------------------------------------------------------

launch $prefix-ill --health-cmd 'test -e /tmp/well || { echo it is not well; exit 3; }' --health-interval 100ms --health-retries 2 -- \
	sh -c 'trap "exit 0" TERM; touch /tmp/well; while :; do sleep 0.1; done' >/dev/null
check 'it is healthy' wait_for 10 has_health healthy $prefix-ill
on exec $prefix-ill rm /tmp/well
check 'it is not, after as many failures as it may have' wait_for 10 has_health unhealthy $prefix-ill
check 'the log says why' wait_for 10 says $prefix-ill 'holm: unhealthy: exit status 3: it is not well'
is 'nothing else happens' "$(status_of $prefix-ill)" running
on exec $prefix-ill touch /tmp/well
check 'it is healthy again' wait_for 10 has_health healthy $prefix-ill
on remove --force $prefix-ill >/dev/null
launch $prefix-hangs --health-cmd 'sleep 60' --health-timeout 100ms --health-interval 100ms --health-retries 1 --health-action restart -- \
	sh -c 'trap "exit 0" TERM; while :; do sleep 0.05; done' >/dev/null
check 'one that does not answer is restarted' wait_for 20 eval '[ "$(history $prefix-hangs)" -ge 2 ]'
check 'and why is said' wait_for 10 says $prefix-hangs 'unhealthy: no answer within 100 ms'
on remove --force $prefix-hangs >/dev/null
launch $prefix-stops --restart always --health-cmd false --health-interval 100ms --health-retries 1 --health-action stop -- \
	sh -c 'trap "exit 0" TERM; while :; do sleep 0.05; done' >/dev/null
check 'one is stopped, whatever its policy' wait_end $prefix-stops
is 'it is not wanted any more' "$(jq .up "$data/instances/$prefix-stops/instance.json")" false
# Its first process is deaf to what asks it to end: nobody waits ten seconds to find that out.
launch $prefix-deaf --health-cmd false --health-interval 100ms --health-retries 1 --health-action stop --stop-timeout 100s -- sleep 600 >/dev/null
is 'nobody waits for one that is deaf' "$(on wait --timeout $((20 * HOLM_TIMESCALE))s $prefix-deaf 2>&1)" 137
launch $prefix-killed --health-cmd false --health-interval 100ms --health-retries 1 --health-action kill -- sleep 600 >/dev/null
check 'one is killed' wait_end $prefix-killed
like 'as its end says' "$(end $prefix-killed .why)" 'killed by SIGKILL, it was unhealthy'
launch $prefix-young --health-cmd false --health-interval 100ms --health-retries 1 --health-start-period 1h -- sleep 600 >/dev/null
sleep 0.5
check 'failures do not count at first' has_health starting $prefix-young
on remove --force $prefix-young >/dev/null

# --- the account ---------------------------------------------------------------------------------------------------------------

launch $prefix-works -- sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; head -c 1000000 /dev/zero >/file' >/dev/null
wait_end $prefix-works
account=$(on usage --format json $prefix-works)
fact 'what it used is on the account' "$account" '.[0] | .cpuSeconds > 0.01 and .runSeconds >= .cpuSeconds / 4 and .memoryByteSeconds > 0'
on start $prefix-works
wait_for 10 eval '[ "$(history $prefix-works)" -eq 2 ]' && wait_end $prefix-works
fact 'it goes on with the next run' "$(on usage --format json $prefix-works)" ".[0].cpuSeconds > $(jq '.[0].cpuSeconds' <<<"$account")"
fact 'between two points in time' "$(on usage --format json --from 1h --to 30m $prefix-works)" '.[0].cpuSeconds' 0
like 'as a table' "$(on usage $prefix-works)" 'NAME.*RAN.*CPU.*works'
is 'as CSV' "$(on usage --format csv $prefix-works | head -n 1 | cut -d, -f1-5)" 'name,from,to,runSeconds,cpuSeconds'
refuses 'an end before its beginning' "is before --from '30m'" on usage --from 30m --to 1h
before=$(on usage --format csv $prefix-works)
printf '1 2 3' >>"$data/instances/$prefix-works/ledger"
is 'a line that a crash cut off does no harm' "$(on usage --format csv $prefix-works)" "$before"
on start $prefix-works
wait_for 10 eval '[ "$(history $prefix-works)" -eq 3 ]' && wait_end $prefix-works
launch $prefix-still -- sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; echo done; sleep 600' >/dev/null
wait_for 20 eval 'on logs $prefix-still | grep -q done'
fact 'what runs is counted until now' "$(on usage --format json $prefix-still)" '.[0] | .cpuSeconds > 0.01 and .runSeconds > 0 and .memoryByteSeconds > 0'
is 'without a line for it' "$(cat "$data/instances/$prefix-still/ledger" 2>/dev/null)" ''
fact 'also up to the end of a day that is not over' "$(on usage --format json --to "$(date -u -d tomorrow +%F)" $prefix-still)" '.[0].runSeconds > 0'
fact 'but not where an end is asked for' "$(on usage --format json --to 1m $prefix-still)" '.[0].runSeconds' 0
counted=$(on usage --format json $prefix-still)
on stop --kill $prefix-still
fact 'and its end has no less' "$(on usage --format json $prefix-still)" ".[0].runSeconds >= $(jq '.[0].runSeconds' <<<"$counted")"
on remove $prefix-still
fact 'nor to those after it' "$(on usage --format json $prefix-works)" ".[0].cpuSeconds > $(jq '.[0].cpuSeconds' <<<"$account") * 1.5"

# --- metrics ---------------------------------------------------------------------------------------------------------------------

launch $prefix-here -m 32m -- sleep 600 >/dev/null
metrics=$(on metrics)
like 'metrics: a counter' "$metrics" 'holm_cpu_seconds_total\{name="'"$prefix"'-here"\} [0-9.]+'
like 'metrics: a limit' "$metrics" 'holm_memory_limit_bytes\{name="'"$prefix"'-here"\} 33554432'
like 'metrics: an instance' "$metrics" 'holm_instance_up\{name="'"$prefix"'-here"\} 1'
is 'metrics end' "$(tail -n 1 <<<"$metrics")" '# EOF'
is 'every family is declared once' "$(grep '^# TYPE' <<<"$metrics" | sort | uniq -d)" ''
if /usr/bin/python3 -c 'import prometheus_client' 2>/dev/null; then
	is 'an OpenMetrics parser takes it' "$(/usr/bin/python3 -c 'import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
print(sum(s.name == "holm_instance_up" for f in parse(sys.stdin.read()) for s in f.samples))' <<<"$metrics" 2>&1)" \
		"$(grep -c '^holm_instance_up{' <<<"$metrics")"
else
	skip 'an OpenMetrics parser takes it' 'no prometheus_client'
fi
if command -v curl >/dev/null; then
	"$HOLM" --root "$state" --data "$data" metrics --listen "$work/metrics" &
	server=$!
	wait_for 10 [ -S "$work/metrics" ]
	check 'the socket is for its owner' wait_for 10 eval '[ "$(stat -c %a "$work/metrics")" = 600 ]'
	like 'over a socket' "$(curl -s --unix-socket "$work/metrics" http://holm/metrics)" 'holm_instance_up\{name="'"$prefix"'-here"\} 1'
	kill $server
	wait $server 2>/dev/null
else
	skip 'over a socket' 'no curl'
fi

# --- promises ----------------------------------------------------------------------------------------------------------------------

like 'what is promised' "$(on overcommit)" 'memory .* 32.0M .* any'
fact 'as JSON' "$(on overcommit --json)" '.memory.promised == 33554432 and .cpus.host >= 1 and .memory.limited == 1'
on overcommit --allow memory=90 >/dev/null
refuses 'more than may be promised' "of the host's memory would be promised, and 90% may be" launch $prefix-greedy -m 100000g -- true
is 'nothing of it is left' "$(find "$data/instances" -name "$prefix-greedy")" ''
check 'less is' launch $prefix-modest -m 16m -- true
refuses 'odd allowances' 'not memory=, cpus= or disk= and a percentage' on overcommit --allow memory=lots
on overcommit --allow-any >/dev/null
is 'it is taken back' "$(find "$data" -maxdepth 1 -name 'overcommit*')" ''

# --- why -----------------------------------------------------------------------------------------------------------------------------

launch $prefix-eater -m 16m -- sh -c 'echo eating; x=x; while :; do x=$x$x; done' >/dev/null
wait_end $prefix-eater
words=$(on why $prefix-eater)
like 'why it is dead' "$words" "$prefix-eater is failed"
like 'its last end' "$words" 'memory limit of 16777216 bytes'
like 'its last words' "$words" 'stdout eating'
launch $prefix-busy --cpus 0.05 -- sh -c 'while :; do :; done' >/dev/null
check 'why it is slow' wait_for 10 eval 'on why $prefix-busy | grep "its CPU limit held it up" >/dev/null'
is 'no words of who said nothing' "$(on why $prefix-busy | grep -c 'last words')" 0
on remove --force $prefix-busy $prefix-here >/dev/null

# --- boot ------------------------------------------------------------------------------------------------------------------------------

launch $prefix-db --delay 2s -- sleep 600 >/dev/null
launch $prefix-web --after $prefix-db -- sleep 600 >/dev/null
launch $prefix-job -- true >/dev/null
wait_end $prefix-job
is 'who starts at a boot' "$(on boot | awk 'NR > 1 { print $1, $2, $3 }' | tr '\n' ';')" "$prefix-db 2s -;$prefix-web - $prefix-db;"
mkdir "$work/units"
check 'units are made' on boot --generate "$work/units" --units /usr/lib/systemd/system
is 'they are wanted' "$(cd "$work/units/multi-user.target.wants" && ls | tr '\n' ' ')" "holm-stop.service holm@$prefix-db.service holm@$prefix-web.service "
like 'in their order' "$(cat "$work/units/holm@$prefix-web.service.d/order.conf")" "After=holm@$prefix-db.service"
on stop --hold $prefix-web >/dev/null
like 'one that is only held is started' "$(on boot)" "$prefix-web"
on stop $prefix-web >/dev/null
unlike 'one that is stopped is not' "$(on boot)" "$prefix-web"
