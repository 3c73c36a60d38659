#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Terminals: the console socket, size, resizing, signals, exit status, and what is refused.
# where: host
. "$(dirname "$0")/lib.sh"

terminal='.process.terminal = true'

# console COMMAND...: runs it with $socket served; what the terminal said goes to $said
console() {
	local input=$1 size=$2 server
	shift 2
	said=$work/$id.tty socket=$work/$id.sock
	rm -f "$socket" "$said"
	python3 tests/integration/console.py "$socket" "$said" "$input" $size &
	server=$!
	wait_for 10 test -S "$socket"
	"$@" --console-socket "$socket" "$id" "${after[@]}" </dev/null >"$work/$id.out" 2>&1
	status=$?
	[ $status -eq 0 ] || kill $server
	after=()
}
after=()

bundle "$terminal" '.process.consoleSize = {"height": 33, "width": 99}' -- sh -c 'probe terminal; tty; ls -l /dev/console; read -r line; echo "got $line"'
own_root
console typed '' holm run --detach
is 'run with a console socket' $status 0
wait_status stopped
wait_for 5 grep -q got "$said"
like 'one descriptor with a name' "$(cat "$said.name")" '^1 .'
text=$(tr -d '\r' <"$said" | sed -n '/^{/,/^}/p')
fact 'all three streams are the terminal' "$text" .terminal.tty '[1,1,1]'
fact 'its size is there before the program is' "$text" '[.terminal.rows, .terminal.columns]' '[33,99]'
fact 'the program owns it' "$text" .terminal.foreground 1
like 'it has a name inside' "$(cat "$said")" '/dev/(pts/0|console)'
like '/dev/console is there' "$(cat "$said")" '/dev/console'
like 'it reads and writes' "$(cat "$said")" 'got typed'
holm delete "$id"

bundle "$terminal" -- sh -c 'stty size'
console '' '' holm create
is 'create with a console socket' $status 0
check 'and start' holm start "$id"
wait_status stopped

# A terminal of our own: script(1) makes one
in_terminal() { # COMMAND: as a line; prints what the terminal showed
	SHELL=/bin/sh script -qec "stty rows 44 cols 111; $1" /dev/null </dev/null | tr -d '\r\0' | sed 's|\^@||g' # script tells of its own input's end
}
run_line="'$HOLM' --root '$state'"
bundle "$terminal" -- sh -c 'stty size; tty; exit 9'
like 'run in a terminal: the size is handed on' "$(in_terminal "$run_line run --bundle '$bundle' $id")" '44 111'
in_terminal "$run_line run --bundle '$bundle' $id-b" >/dev/null
is 'run in a terminal: and the exit status' $? 9
bundle "$terminal" '.process.consoleSize = {"height": 33, "width": 99}' -- sh -c 'stty size; sleep 0.3; stty size'
is 'run in a terminal: consoleSize is for where there is none' "$(in_terminal "$run_line run --bundle '$bundle' $id" | xargs)" '44 111 44 111'
bundle "$terminal" -- sh -c 'trap "stty size; exit 5" WINCH; echo ready; while :; do sleep 0.05; done'
text=$(timeout $((20 * HOLM_TIMESCALE)) python3 - "$HOLM" "$state" "$bundle" "$id" <<'X'
import fcntl, os, pty, struct, sys, termios
holm, state, bundle, container = sys.argv[1:]
pid, master = pty.fork()
if not pid:
    os.execv(holm, [holm, "--root", state, "run", "--bundle", bundle, container])
text = b""
while b"ready" not in text:
    text += os.read(master, 4096)
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 34, 0, 0))
while True:
    try:
        data = os.read(master, 4096)
    except OSError:
        break
    if not data:
        break
    text += data
print(text.decode().replace("\r", ""), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
X
)
like 'run in a terminal: resizing arrives' "$text" $'12 34\n 5'

bundle -- sleep 1000
run_detached
like 'exec --tty' "$(in_terminal "$run_line exec --tty $id sh -c 'tty; stty size'" | xargs)" '/dev/(pts/[0-9]+|console) 44 111$'
in_terminal "$run_line exec --tty $id sh -c 'exit 6'" >/dev/null
is 'exec --tty: exit status' $? 6
after=(sh -c 'tty; echo from exec')
console '' '' holm exec --tty --detach
is 'exec with a console socket' $status 0
wait_for 5 grep -q 'from exec' "$said"
like 'exec with a console socket: it writes there' "$(cat "$said")" 'from exec'

# Signals that run hands on
bundle -- sh -c 'trap "echo terminated; exit 3" TERM; echo ready; while :; do sleep 0.05; done'
"$HOLM" --root "$state" run --bundle "$bundle" "$id" >"$work/signal" 2>&1 </dev/null &
runner=$!
wait_for 10 grep -q ready "$work/signal"
kill -TERM $runner
wait $runner
is 'run hands signals on, and the status back' "$?$(tail -n 1 "$work/signal")" 3terminated

# Nothing is lost: a burst at the end
bundle -- sh -c 'i=0; while [ $i -lt 2000 ]; do echo "line $i of many, long enough to fill something"; i=$((i + 1)); done'
is 'the last line of a burst' "$(holm run "$id" | tail -n 1 | cut -d ' ' -f 1-2)" 'line 1999'
bundle "$terminal" -- sh -c 'i=0; while [ $i -lt 2000 ]; do echo "line $i of many, long enough to fill something"; i=$((i + 1)); done'
is 'the last line of a burst in a terminal' "$(in_terminal "$run_line run --bundle '$bundle' $id" | grep line | tail -n 1 | cut -d ' ' -f 1-2)" 'line 1999'

# Refusals
bundle "$terminal"
refuses 'create with a terminal and no console socket' 'console' holm create "$id"
bundle
refuses 'a console socket without a terminal' 'console|terminal' holm create --console-socket "$work/no.sock" "$id"
bundle "$terminal"
refuses 'a console socket that is not there' "no.sock|[Nn]o such file|console" holm create --console-socket "$work/no.sock" "$id"
