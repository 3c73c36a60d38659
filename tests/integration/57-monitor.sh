#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
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

check 'an instance is launched' launch $prefix-stays -i -d -- sh -c 'echo ready; read -r line; echo "got $line"'
is 'two processes stay' "$(monitors $prefix-stays | wc -l)" 1
read -r keeper worker <<<"$(monitors $prefix-stays)"
pss=$(($(awk '/^Pss:/ { print $2 }' "/proc/$keeper/smaps_rollup") + $(awk '/^Pss:/ { print $2 }' "/proc/$worker/smaps_rollup")))
echo "# both together: $pss KiB of memory (PSS)"
check 'both together need at most 300 KiB' [ "$pss" -le 300 ]
is 'the socket for attach is root'"'"'s alone' "$(stat -c '%a %a' "$data/instances/$prefix-stays/run/attach" "$data/instances/$prefix-stays/run" | tr '\n' ' ')" \
	'600 600 700 700 '
open=$(ls -l "/proc/$keeper/fd" "/proc/$worker/fd" | grep -v "$data" | grep -oE '> .*' |
	grep -vE '/dev/null$|anon_inode:|socket:' | tr '\n' ' ')
is 'nothing of the caller is held open' "$open" ''
is 'it is the parent of the payload' "$(ps -o ppid= -p "$(on state $prefix-stays | jq .pid)" | tr -d ' ')" "$keeper"
on remove --force $prefix-stays >/dev/null
is 'nobody stays of one that was removed' "$(monitors $prefix-stays)" ''

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

launch $prefix-workers -- sh -c "$counter" >/dev/null
for _ in 1 2 3 4 5; do kill_some $prefix-workers worker; sleep 0.1; done
wait_end $prefix-workers
is 'the worker killed again and again: nothing is lost, nothing twice' "$(sequence $prefix-workers)" '6000 6000'
is 'and the end is known' "$(end $prefix-workers .status)" 7
check 'holm says so' grep -q "holm: the monitor's worker was killed; another is in its place" <(on logs $prefix-workers 2>&1)

launch $prefix-keepers -- sh -c "$counter" >/dev/null
for _ in 1 2 3 4; do kill_some $prefix-keepers keeper; sleep 0.15; done
# (A keeper that was killed while it wrote down the end leaves that to who looks next.)
wait_for 20 eval 'on list -q >/dev/null; has_ended $prefix-keepers'
is 'the keeper killed again and again' "$(sequence $prefix-keepers)" '6000 6000'
like 'the end is known where the kernel tells' "$(end $prefix-keepers .status)" '^(7|-1)$'

mkdir "$work/go"
launch $prefix-both -v "$work/go:/go" -- sh -c "${counter%exit*} while [ ! -e /go/now ]; do sleep 0.05; done; exit 7" >/dev/null
for verb in list gc list; do
	kill_some $prefix-both both
	check "both killed at once: $verb puts others in their place, and says so" wait_for 10 is_mended $verb
done
touch "$work/go/now"
wait_end $prefix-both
is 'the payload lives on, nothing is lost' "$(sequence $prefix-both)" '6000 6000'
like 'the end is known where the kernel tells it' "$(end $prefix-both .status)" '^(7|-1)$'
check 'that is said in the log' grep -q 'holm: the monitor was killed; another is in its place' <(on logs $prefix-both 2>&1)

launch $prefix-unseen -- sh -c 'echo begun; sleep 0.3; echo last words; exit 4' >/dev/null
kill_some $prefix-unseen both
wait_for 10 [ -z "$(pgrep -f 'last [w]ords')" ]
on list >/dev/null 2>&1
wait_end $prefix-unseen
is 'one that ended while nobody watched has an end' "$(end $prefix-unseen '.ended > .started')" true

# A host that went down: nothing runs, and run/state (struct shared) is of another boot.
launch $prefix-host --restart always -- sleep 1000 >/dev/null
pid=$(on inspect $prefix-host | jq '.[0].pid')
kill_some $prefix-host both
kill -9 "$pid"
wait_for 10 [ ! -e "/proc/$pid" ]
printf another | dd of="$data/instances/$prefix-host/run/state" bs=1 seek=8 conv=notrunc 2>/dev/null
on list >/dev/null 2>&1
fact 'who ended with the host is for the boot to start' "$(on inspect $prefix-host)" '.[0] | [.status, .up, .end.why] | tostring' \
	'["failed",true,"the host went down"]'
on start --all >/dev/null
fact 'which does' "$(on inspect $prefix-host)" '.[0].status' running
on remove --force $prefix-host

# --- ends ------------------------------------------------------------------------------------------------------------

ends() {
	launch "$1" "${@:3}" >/dev/null 2>&1
	wait_end "$1"
	is "an end: $1" "$(end "$1" '[.status, .why] | join(" ")')" "$2"
}
ends $prefix-well '0 exit status 0' -- true
ends $prefix-badly '3 exit status 3' -- sh -c 'exit 3'
launch $prefix-signal -- sleep 600 >/dev/null
on kill $prefix-signal KILL
wait_end $prefix-signal
is 'an end: signal' "$(end $prefix-signal '[.status, .why] | join(" ")')" '137 killed by SIGKILL'
launch $prefix-eater -m 16m -- sh -c 'x=x; while :; do x=$x$x; done' >/dev/null
wait_end $prefix-eater
like 'memory ran out: whose limit is said' "$(end $prefix-eater .why)" 'memory limit of 16777216 bytes'
fact 'the history has what it used' "$(tail -n 1 "$data/instances/$prefix-eater/history")" '.memoryPeak > 1000000 and .oomKills >= 1 and .oomOwnLimit'
wait_for 5 [ -z "$(find "$state" -mindepth 1 -maxdepth 1 -name "*-eater")" ]
is 'its container is deleted' "$(find "$state" -mindepth 1 -maxdepth 1 -name "*-eater")" ''

launch $prefix-closes -- sh -c 'echo before; exec >&- 2>&-; sleep 0.2; exit 9' >/dev/null
wait_end $prefix-closes
is 'one that closes its output' "$(on logs $prefix-closes 2>/dev/null) $(end $prefix-closes .status)" 'before 9'
launch $prefix-leaves -- sh -c '(while :; do echo child; sleep 0.01; done) & sleep 0.1; echo parent; exit 2' >/dev/null
wait_end $prefix-leaves
like 'one that leaves a child which goes on writing' "$(on logs $prefix-leaves 2>/dev/null | tail -n 3) $(end $prefix-leaves .status)" 'parent.*2'
launch $prefix-again --user 1000 -- sh -c 'echo through /dev/stdout >/dev/stdout; echo and stderr >/proc/self/fd/2' >/dev/null
wait_end $prefix-again
is 'an ordinary user opens its output again' "$(on logs $prefix-again 2>&1 | grep -v '^holm:' | sort | tr '\n' ' ')" 'and stderr through /dev/stdout '

# --- restarts ----------------------------------------------------------------------------------------------------------

runs() {
	wc -l <"$data/instances/$1/history"
}
launch $prefix-fails --restart on-failure:2 --restart-delay 10ms -- sh -c 'echo run; exit 1' >/dev/null
wait_for 20 [ "$(echo)" ] || wait_end $prefix-fails
wait_for 10 eval '[ "$(runs $prefix-fails)" -eq 3 ] && has_ended $prefix-fails'
is 'on-failure:2: three runs' "$(runs $prefix-fails) $(on logs --stdout $prefix-fails | grep -c run)" '3 3'
launch $prefix-good --restart on-failure --restart-delay 10ms -- true >/dev/null
wait_end $prefix-good
is 'on-failure: not after a good end' "$(runs $prefix-good)" 1
launch $prefix-loops --restart always --restart-delay 10ms -- sh -c 'echo run; sleep 0.05' >/dev/null
wait_for 10 eval '[ "$(runs $prefix-loops)" -ge 3 ]'
check 'always: it is stopped when somebody asks' on stop $prefix-loops
wait_end $prefix-loops
is 'and stays so' "$(jq .up "$data/instances/$prefix-loops/instance.json") $(monitors $prefix-loops)" 'false '
launch $prefix-waits --restart always --restart-delay 1h -- true >/dev/null
wait_for 10 eval '[ "$(runs $prefix-waits)" -eq 1 ]'
wait_for 10 eval 'pgrep -f -- "--data $data .* supervise $prefix-waits\$" >/dev/null'
is 'who waits for a restart is one process' "$(pgrep -fc -- "--data $data .* supervise $prefix-waits\$")" 1
check 'and is stopped at once' on stop $prefix-waits
check 'it is gone' wait_end $prefix-waits
check 'a stopped one is started' on start $prefix-waits
wait_for 10 eval '[ "$(runs $prefix-waits)" -eq 2 ]'
on remove --force $prefix-waits >/dev/null
launch $prefix-brief --rm -d -- sh -c 'exit 0' >/dev/null
check '--rm: it goes with its end' wait_for 10 eval '[ ! -e "$data/instances/$prefix-brief" ]'

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
	check 'readiness is waited for, and its output does not wait' on launch --name "$prefix-ready" --notify --rootfs / --network none \
		-v "$work/ready.py:/ready.py:ro" -- /usr/bin/python3 -u /ready.py
	like 'what it wrote before is in the log' "$(on logs --stderr "$prefix-ready" 2>&1)" now
else
	skip 'readiness is waited for' 'no python3'
fi
for number in 1 2 3 4 5; do launch "$prefix-quick$number" --notify -- probe ready >>"$work/quick" 2>&1 && on remove --force "$prefix-quick$number"; done
is 'one that is ready at once finds the socket' "$(tr '\n' ' ' <"$work/quick")" "$prefix-quick1 $prefix-quick2 $prefix-quick3 $prefix-quick4 $prefix-quick5 "
# A service manager is told the keeper's pid, which somebody else has by the time that start ends.
cat >"$work/manager.py" <<'P'
import os, socket, subprocess, sys
path = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(path)
child = subprocess.Popen(sys.argv[2:], env={**os.environ, "NOTIFY_SOCKET": path})
said = b""
while b"MAINPID" not in said or b"BARRIER=1" not in said:
    message, descriptors, _, _ = socket.recv_fds(s, 4096, 1)
    said += message + b"\n"
    for fd in descriptors:
        os.close(fd)
sys.stdout.write(said.decode())
sys.exit(child.wait())
P
launch $prefix-managed -- sleep 600 >/dev/null
for number in 1 2 3 4 5; do
	on stop $prefix-managed >/dev/null
	timeout 60 python3 "$work/manager.py" "$work/manager$number" "$HOLM" --root "$state" --data "$data" start $prefix-managed >"$work/managed" 2>&1
	wait_for 10 eval '[ -n "$(monitors $prefix-managed)" ]' # the worker may be about to be
	read -r keeper _ <<<"$(monitors $prefix-managed)"
	is "the service manager is told who keeps it ($number)" "$(sed -n 's/^MAINPID=//p' "$work/managed")" "$keeper"
done
on remove --force $prefix-managed >/dev/null
refuses 'one that ends before it is ready' 'ended before it said that it is ready' launch $prefix-never --notify -- sh -c 'sleep 0.1; exit 1'
