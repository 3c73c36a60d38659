#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# stats, top and whois: who uses what, and whose process is that.
# where: host bare
# timeout: 180
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/limits.sh"
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'
is_holm || skip_all 'these verbs are holm'\''s own'

screen() {
	python3 tests/integration/screen.py "$@"
}

fact 'without containers JSON has none' "$(holm stats --once --interval 50ms --format json)" .containers '[]'
like 'without containers the table is its titles' "$(holm stats --once --interval 50ms)" '^ID +CPU% [^'$'\n'']*$'

bundle '.linux.resources = {memory: {limit: 67108864}, cpu: {quota: 5000, period: 100000}, pids: {limit: 50}}' \
	-- sh -c 'while :; do :; done'
run_detached
busy=$id
bundle -- sh -c 'sleep 600 & sleep 601 & wait'
run_detached
idle=$id
has_started() { [ "$(holm ps --format json "$idle" | jq length)" = 3 ]; }
wait_for 10 has_started

# --- the forms ---

json=$(holm stats --once --interval 1s --format json) # of a quota so small that a busy machine gives it too
fact 'one object on one line' "$(wc -l <<<"$json")" . 1
fact 'both are there, by id' "$json" "[.containers[].id] == ([\"$busy\", \"$idle\"] | sort)"
row=$(jq -c ".containers[] | select(.id == \"$busy\")" <<<"$json")
fact 'CPU of the cap is near all' "$row" '.cap > 50 and .cap < 150'
fact 'CPU of the host fits the cap' "$row" "(.cpu - .cap * 0.05 / $(getconf _NPROCESSORS_ONLN)) | fabs < 0.1"
fact 'it is throttled' "$row" '.throttled > 0'
fact 'memory is below its peak and its limit' "$row" '.memory > 0 and .memory <= .limit and .limit == 67108864'
fact 'a process' "$row" '.pids == 1'
row=$(jq -c ".containers[] | select(.id == \"$idle\")" <<<"$json")
fact 'no cap, no share of it' "$row" '.cap == null'
fact 'an idle one uses nothing' "$row" '.cpu < 1 and .throttled == 0'
fact 'three processes' "$row" '.pids == 3'
fact 'a network of its own, in which nothing happens' "$row" '[.in, .out] == [0, 0]'
table=$(holm stats --once --interval 50ms)
like 'the table has titles' "$table" '^ID +CPU% +CAP% +THROTTLED +MEMORY +PEAK +LIMIT +SWAP +PIDS +READ/S +WRITE/S +IN/S +OUT/S +CPU-P'
is 'and a line for each' "$(wc -l <<<"$table")" 3
is 'each as long as the first' "$(awk '{ print length }' <<<"$table" | sort -u | wc -l)" 1
csv=$(holm stats --once --interval 50ms --format csv --columns pids,limit)
is 'CSV has a title line' "$(head -n 1 <<<"$csv")" time,seconds,id,pids,limit
like 'and values' "$csv" ",$busy,1,67108864"
like 'and nothing for what is not known' "$csv" ",$idle,3,("$'\n'"|$)"
is 'the highest comes first' "$(holm stats --once --interval 200ms -f csv -c cpu -s cpu | sed -n '2s/.*Z,[^,]*,\([^,]*\),.*/\1/p')" "$busy"
is 'one by name' "$(holm stats --once --interval 50ms -f csv "$idle" | wc -l)" 2
refuses 'an unknown column' "invalid value 'nothing' for --columns: it takes cpu\|" holm stats --columns cpu,nothing
refuses 'an unknown order' "invalid value 'nothing' for --sort: it takes cpu\|.*\|id" holm stats --sort nothing
refuses 'an unknown report' "invalid value 'least' for --report: it takes average\|high\|total" holm stats --report high,least
refuses 'no pause between looks' 'it takes 10 ms or more' holm stats --interval 1ms
refuses 'nor in top' 'it takes 10 ms or more' holm top --interval 1ms
refuses 'an unknown container' 'does not exist' holm stats "$busy" "$prefix-none"
refuses 'two ends' 'exclude' holm stats --once --duration 1s

# --- again and again ---

is 'blocks with an empty line between them' "$(holm stats --interval 100ms --duration 250ms "$idle" | grep -c '^$')" 2
report=$(holm stats --interval 100ms --duration 400ms --report average,high,total --format json)
fact 'three reports' "$(jq -s . <<<"$report")" '[.[].report] == ["average", "high", "total"]'
fact 'the highest is not below the average' "$(jq -s . <<<"$report")" '.[1].containers[0].cpu >= .[0].containers[0].cpu'
fact 'the total of CPU is time: a part of 400 ms' "$(jq -s . <<<"$report")" \
	".[2].containers[] | select(.id == \"$busy\") | .cpu > 1000000 and .cpu < 400000000"
fact 'the total of a state is nothing' "$(jq -s . <<<"$report")" '.[2].containers[0].memory == null'
"$HOLM" --root "$state" stats --interval 60s --report average --format json >"$work/report" &
stats=$!
sleep 0.3
kill -TERM $stats # INT is ignored in what a script runs in the background
wait $stats
is 'a signal ends it with the report' "$(jq -c .report "$work/report")" '"average"'

# --- on a terminal ---

screen 24x200 "$work/screen" "$HOLM" --root "$state" stats --interval 100ms -- .5 INT
like 'a terminal is drawn anew' "$(cat "$work/screen")" $'\033\\[H.*ID +CPU%.*\033\\[H.*ID +CPU%'
fact 'and left as it was' "$(cat "$work/screen.end")" '.same and .status == 0'
screen 24x200 "$work/screen" "$HOLM" --root "$state" stats --once --interval 100ms -- 2
is 'but not for a single table' "$(grep -c $'\033' "$work/screen")" 0
screen 24x40 "$work/screen" "$HOLM" --root "$state" stats --interval 100ms -- .3 INT
is 'lines are cut at its width' "$(tr -d '\r' <"$work/screen" | sed 's/\x1b\[[0-9;?]*[A-Za-z]//g' | awk 'length > 40' | wc -l)" 0

for how in q INT TERM HUP; do
	screen 20x180 "$work/screen" env LC_ALL=C.UTF-8 TERM=xterm "$HOLM" --root "$state" top --interval 100ms -- .5 $how
	fact "top ends by $how and gives the terminal back" "$(cat "$work/screen.end")" '.same and .status == 0'
	like "and the other screen, after $how" "$(tail -c 30 "$work/screen")" $'\033\\[\\?25h\033\\[\\?1049l'
done
like 'top shows bars' "$(cat "$work/screen")" '[▁▂▃▄▅▆▇█]{3}'
like 'and both containers' "$(cat "$work/screen")" "$busy.*$idle"
screen 20x180 "$work/screen" env LC_ALL=C NO_COLOR=1 TERM=xterm "$HOLM" --root "$state" top --interval 100ms -- .5 q
unlike 'no colours where they are not wanted' "$(cat "$work/screen")" $'\033\\[(7|31|33|1)m'
unlike 'and no blocks without UTF-8' "$(cat "$work/screen")" '█'
screen 20x180 "$work/screen" env TERM=xterm "$HOLM" --root "$state" top --interval 100ms -- .3 n .1 m .1 30x60 .3 q
fact 'keys and another size' "$(cat "$work/screen.end")" '.same and .status == 0'
like 'the sorted column moves' "$(cat "$work/screen")" $'\033\\[7mID.*\033\\[7m MEMORY'
refuses 'top needs a terminal' 'have to be a terminal' holm top

# --- whose process ---

pid=$(pid_of "$idle")
child=$(pgrep -P "$pid" | head -n 1)
like 'whois names the container and the pid inside' "$(holm whois "$pid" "$child")" \
	"$pid +1 +$idle"$'\n'"$child +[2-9] +$idle"
is 'only the id' "$(holm whois --quiet "$(pid_of "$busy")")" "$busy"
fact 'as JSON' "$(holm whois --format json "$child")" ".[0].id == \"$idle\" and .[0].pid == $child and .[0].innerPid > 1"
refuses 'a process of the host' "process $$ belongs to no container" holm whois $$
is 'the exit status says so' "$(holm whois $$ >/dev/null 2>&1; echo $?)" 1
is 'the others are told all the same' "$(holm whois -q $$ "$pid" 2>/dev/null)" "$idle"
refuses 'a process that is not there' 'no such process' holm whois 4194305
refuses 'what is no pid' 'invalid process id' holm whois 12x
id=$idle
inner=$(dirname "$(cgroup_file cgroup.procs)")/inner
mkdir "$inner" && sleep 60 &
deep=$!
wait_for 2 test -d "$inner"
echo $deep >"$inner/cgroup.procs"
is 'a process in a cgroup below' "$(holm whois -q $deep)" "$idle"
kill $deep
