#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# where: host bare
# timeout: 300
#
# Who stays while an instance runs: what is written is never lost, whatever is killed; ends and restarts.
. "$(dirname "$0")/lib.sh"
. tests/integration/instances.sh
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'

counter='i=0; while [ $i -lt 6000 ]; do echo "line $i"; echo "e$i" >&2; i=$((i+1)); [ $((i%200)) != 0 ] || sleep 0.05; done; echo done; exit 7'

# sequence NAME: what is left of a counter's output: "lines errors"
sequence() {
	local lines errors
	lines=$(on logs --stdout "$1" | awk '$1 == "line" { if ($2 != n) { print "gap at " n ": " $0; exit } n++ } END { print n + 0 }')
	errors=$(on logs --stderr "$1" 2>&1 | awk '/^e[0-9]+$/ { if ($0 != "e" n + 0) { print "gap at " n ": " $0; exit } n++ } END { print n + 0 }')
	echo "$lines $errors"
}

# --- what stays ------------------------------------------------------------------------------------------------------

check 'an instance is launched' launch stays -i -d -- sh -c 'echo ready; read -r line; echo "got $line"'
is 'two processes stay' "$(monitors stays | wc -l)" 1
read -r keeper worker <<<"$(monitors stays)"
pss=$(($(awk '/^Pss:/ { print $2 }' "/proc/$keeper/smaps_rollup") + $(awk '/^Pss:/ { print $2 }' "/proc/$worker/smaps_rollup")))
echo "# both together: $pss KiB of memory (PSS)"
check 'both together need at most 300 KiB' [ "$pss" -le 300 ]
is 'the socket for attach is root'"'"'s alone' "$(stat -c '%a %a' "$data/instances/stays/run/attach" "$data/instances/stays/run" | tr '\n' ' ')" \
	'600 600 700 700 '
open=$(ls -l "/proc/$keeper/fd" "/proc/$worker/fd" | grep -v "$data" | grep -oE '> .*' |
	grep -vE '/dev/null$|anon_inode:|socket:' | tr '\n' ' ')
is 'nothing of the caller is held open' "$open" ''
is 'it is the parent of the payload' "$(ps -o ppid= -p "$(on state stays | jq .pid)" | tr -d ' ')" "$keeper"
on remove --force stays >/dev/null
is 'nobody stays of one that was removed' "$(monitors stays)" ''

# --- killed ----------------------------------------------------------------------------------------------------------

# kill_some NAME WHO...: keeper, worker or both
kill_some() {
	local keeper worker
	wait_for 5 find_monitors "$1" || return
	read -r keeper worker <<<"$pair"
	case $2 in
	keeper) kill -9 "$keeper" ;;
	worker) kill -9 "$worker" ;;
	both) # stopped first, so that it can't take the keeper's place
		kill -STOP "$worker"
		kill -9 "$keeper" "$worker"
		;;
	esac
}

is_mended() {
	on "$1" >"$work/mended" 2>&1
	grep 'its monitor was killed; another is in its place' "$work/mended" >>"$work/mended.all"
}

find_monitors() {
	pair=$(monitors "$1")
	[ -n "$pair" ]
}

launch workers -- sh -c "$counter" >/dev/null
for _ in 1 2 3 4 5; do kill_some workers worker; sleep 0.1; done
wait_end workers
is 'the worker killed again and again: nothing is lost, nothing twice' "$(sequence workers)" '6000 6000'
is 'and the end is known' "$(end workers .status)" 7
check 'holm says so' grep -q "holm: the monitor's worker was killed; another is in its place" <(on logs workers 2>&1)

launch keepers -- sh -c "$counter" >/dev/null
for _ in 1 2 3 4; do kill_some keepers keeper; sleep 0.15; done
wait_end keepers
is 'the keeper killed again and again' "$(sequence keepers)" '6000 6000'
like 'the end is known where the kernel tells' "$(end keepers .status)" '^(7|-1)$'

mkdir "$work/go"
launch both -v "$work/go:/go" -- sh -c "${counter%exit*} while [ ! -e /go/now ]; do sleep 0.05; done; exit 7" >/dev/null
for verb in list gc list; do
	kill_some both both
	check "both killed at once: $verb puts others in their place, and says so" wait_for 10 is_mended $verb
done
touch "$work/go/now"
wait_end both
is 'the payload lives on, nothing is lost' "$(sequence both)" '6000 6000'
like 'the end is known where the kernel tells it' "$(end both .status)" '^(7|-1)$'
check 'that is said in the log' grep -q 'holm: the monitor was killed; another is in its place' <(on logs both 2>&1)

launch unseen -- sh -c 'echo begun; sleep 0.3; echo last words; exit 4' >/dev/null
kill_some unseen both
wait_for 10 [ -z "$(pgrep -f 'last [w]ords')" ]
on list >/dev/null 2>&1
wait_end unseen
is 'one that ended while nobody watched has an end' "$(end unseen '.ended > .started')" true

# --- ends ------------------------------------------------------------------------------------------------------------

ends() {
	launch "$1" "${@:3}" >/dev/null 2>&1
	wait_end "$1"
	is "an end: $1" "$(end "$1" '[.status, .why] | join(" ")')" "$2"
}
ends well '0 exit status 0' -- true
ends badly '3 exit status 3' -- sh -c 'exit 3'
launch signal -- sleep 600 >/dev/null
on kill signal KILL
wait_end signal
is 'an end: signal' "$(end signal '[.status, .why] | join(" ")')" '137 killed by SIGKILL'
launch eater -m 16m -- sh -c 'x=x; while :; do x=$x$x; done' >/dev/null
wait_end eater
like 'memory ran out: whose limit is said' "$(end eater .why)" 'memory limit of 16777216 bytes'
fact 'the history has what it used' "$(tail -n 1 "$data/instances/eater/history")" '.memoryPeak > 1000000 and .oomKills >= 1 and .oomOwnLimit'
wait_for 5 [ -z "$(find "$state" -mindepth 1 -maxdepth 1 -name eater)" ]
is 'its container is deleted' "$(find "$state" -mindepth 1 -maxdepth 1 -name eater)" ''

launch closes -- sh -c 'echo before; exec >&- 2>&-; sleep 0.2; exit 9' >/dev/null
wait_end closes
is 'one that closes its output' "$(on logs closes 2>/dev/null) $(end closes .status)" 'before 9'
launch leaves -- sh -c '(while :; do echo child; sleep 0.01; done) & sleep 0.1; echo parent; exit 2' >/dev/null
wait_end leaves
like 'one that leaves a child which goes on writing' "$(on logs leaves 2>/dev/null | tail -n 3) $(end leaves .status)" 'parent.*2'
launch again --user 1000 -- sh -c 'echo through /dev/stdout >/dev/stdout; echo and stderr >/proc/self/fd/2' >/dev/null
wait_end again
is 'an ordinary user opens its output again' "$(on logs again 2>&1 | grep -v '^holm:' | sort | tr '\n' ' ')" 'and stderr through /dev/stdout '

# --- restarts ----------------------------------------------------------------------------------------------------------

runs() {
	wc -l <"$data/instances/$1/history"
}
launch fails --restart on-failure:2 --restart-delay 10ms -- sh -c 'echo run; exit 1' >/dev/null
wait_for 20 [ "$(echo)" ] || wait_end fails
wait_for 10 eval '[ "$(runs fails)" -eq 3 ] && has_ended fails'
is 'on-failure:2: three runs' "$(runs fails) $(on logs --stdout fails | grep -c run)" '3 3'
launch good --restart on-failure --restart-delay 10ms -- true >/dev/null
wait_end good
is 'on-failure: not after a good end' "$(runs good)" 1
launch loops --restart always --restart-delay 10ms -- sh -c 'echo run; sleep 0.05' >/dev/null
wait_for 10 eval '[ "$(runs loops)" -ge 3 ]'
check 'always: it is stopped when somebody asks' on stop loops
wait_end loops
is 'and stays so' "$(jq .up "$data/instances/loops/instance.json") $(monitors loops)" 'false '
launch waits --restart always --restart-delay 1h -- true >/dev/null
wait_for 10 eval '[ "$(runs waits)" -eq 1 ]'
wait_for 10 eval 'pgrep -f -- "--data $data .* supervise waits\$" >/dev/null'
is 'who waits for a restart is one process' "$(pgrep -fc -- "--data $data .* supervise waits\$")" 1
check 'and is stopped at once' on stop waits
check 'it is gone' wait_end waits
check 'a stopped one is started' on start waits
wait_for 10 eval '[ "$(runs waits)" -eq 2 ]'
on remove --force waits >/dev/null
launch brief --rm -d -- sh -c 'exit 0' >/dev/null
check '--rm: it goes with its end' wait_for 10 eval '[ ! -e "$data/instances/brief" ]'

# --- readiness ---------------------------------------------------------------------------------------------------------

cat >"$work/ready.py" <<'P'
import os, socket, sys, time
time.sleep(0.3)
os.write(1, b"x" * 600000 + b"\n")
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b"STATUS=soon", os.environ["NOTIFY_SOCKET"])
os.write(2, b"now\n")
s.sendto(b"STATUS=up\nREADY=1\n", os.environ["NOTIFY_SOCKET"])
time.sleep(600)
P
if [ -x /usr/bin/python3 ]; then
	check 'readiness is waited for, and its output does not wait' on launch --name "ready$$" --notify --rootfs / --network none \
		-v "$work/ready.py:/ready.py:ro" -- /usr/bin/python3 -u /ready.py
	like 'what it wrote before is in the log' "$(on logs --stderr "ready$$" 2>&1)" now
else
	skip 'readiness is waited for' 'no python3'
fi
for number in 1 2 3 4 5; do launch quick$number --notify -- probe ready >>"$work/quick" 2>&1 && on remove --force quick$number; done
is 'one that is ready at once finds the socket' "$(tr '\n' ' ' <"$work/quick")" 'quick1 quick2 quick3 quick4 quick5 '
refuses 'one that ends before it is ready' 'ended before it said that it is ready' launch never --notify -- sh -c 'sleep 0.1; exit 1'
