#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# where: host bare
# timeout: 150
#
# The log of an instance, and people at its terminal.
. "$(dirname "$0")/lib.sh"
. tests/integration/instances.sh
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'

# ended NAME [OPTION]... -- COMMAND...: launched, and waited for
ended() {
	launch "$@" >/dev/null || return
	wait_end "$1"
}

# --- what is written -----------------------------------------------------------------------------------------------------

ended $prefix-lines -- sh -c 'echo one; echo two >&2; sleep 0.3; echo three; printf "no end"'
is 'standard output' "$(on logs $prefix-lines 2>/dev/null)" "$(printf 'one\nthree\nno end')"
is 'standard error' "$(on logs --stderr $prefix-lines 2>&1 >/dev/null)" two
like 'lines have time and stream' "$(on logs -t $prefix-lines 2>/dev/null | tail -n 1)" \
	'^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{9}Z stdout no end$'
is 'the last lines' "$(on logs --tail 2 --stdout $prefix-lines)" "$(printf 'three\nno end')"
is 'more of them than there are' "$(on logs --tail 99 --stdout $prefix-lines | head -n 1)" one
is 'none of them' "$(on logs --tail 0 $prefix-lines 2>&1)" ''
at=$(on logs -t $prefix-lines 2>/dev/null | awk '/three/ { print $1 }')
is 'since' "$(on logs --stdout --since "$at" $prefix-lines | head -n 1)" three
is 'until' "$(on logs --stdout --until "${at%???????Z}Z" $prefix-lines)" one
is 'since long ago' "$(on logs --stdout --since 1h $prefix-lines | head -n 1)" one
is 'since now' "$(on logs --since "@$((EPOCHSECONDS + 60))" "$prefix-lines" 2>&1)" ''
refuses 'no time' 'not a time such as' on logs --since yesterday $prefix-lines
refuses 'no instance' "there is no instance '$prefix-line'; did you mean '$prefix-lines'" on logs "$prefix-line"
check 'the log is plain text' grep -q three "$data/instances/$prefix-lines/log/1.log"
is 'the folder is shut' "$(stat -c %a "$data/instances/$prefix-lines/log" "$data/instances/$prefix-lines/log/1.log" | tr '\n' ' ')" '700 600 '

ended $prefix-binary -- sh -c 'head -c 300000 /bin/busybox'
check 'binary output comes out as it went in' cmp <(on logs --stdout $prefix-binary) <(head -c 300000 "$rootfs/bin/busybox")
ended $prefix-long -- sh -c 'head -c 3000000 /dev/zero | tr "\0" x; echo; echo after'
is 'a line of 3 MB' "$(on logs --stdout $prefix-long | wc -c) $(on logs -t --stdout $prefix-long | tail -n 1 | cut -d' ' -f3)" '3000007 after'

# --- rotation --------------------------------------------------------------------------------------------------------------

# contiguous NAME: "FIRST LAST" of numbered lines, or where they are not in sequence
contiguous() {
	on logs --stdout "$1" | awk 'NR == 1 { n = first = $1 } $1 != n { print "gap at " n ": " $0; exit } { n++ } END { print first + 0, n - 1 }'
}

ended $prefix-rotates --log-size 64k --log-files 3 -- sh -c 'i=0; while [ $i -lt 12000 ]; do echo "$i of many lines"; i=$((i + 1)); done'
like 'the last files are kept, without a gap' "$(contiguous $prefix-rotates)" '^[1-9][0-9]* 11999$'
is 'as many as asked for' "$(find "$data/instances/$prefix-rotates/log" -name '*.log' | wc -l)" 3
check 'none is much larger than asked for' [ -z "$(find "$data/instances/$prefix-rotates/log" -size +100k)" ]
is 'a file ends with a whole line' "$(for f in "$data"/instances/$prefix-rotates/log/*.log; do tail -c 1 "$f" | od -An -c; done | sort -u | tr -d ' ')" '\n'
launch $prefix-follow --log-size 16k --log-files 100 -- sh -c 'i=0; while [ $i -lt 6000 ]; do echo "$i line"; i=$((i + 1)); [ $((i % 300)) -ne 0 ] || sleep 0.03; done' >/dev/null
is 'following goes across files, to the end' "$(timeout 60 "$HOLM" --root "$state" --data "$data" logs -f --stdout $prefix-follow |
	awk '$1 != n { print "gap at " n ": " $0; exit } { n++ } END { print n }')" 6000
ended $prefix-fast --log-size 1g -- sh -c 'yes "a line of output that is of no use to anybody at all" | head -c 200000000'
is '200 MB at once' "$(on logs --stdout $prefix-fast | wc -c)" 200000000
echo "# 200 MB took $(end $prefix-fast '(.ended - .started) / 1e6 | floor') ms"

# --- a disk that is full -------------------------------------------------------------------------------------------------------

small=$work/small
mkdir "$small"
mount -t tmpfs -o size=1m,mode=700 holm-test "$small"
"$HOLM" --root "$state" --data "$small" launch --name $prefix-full --userns host --rootfs "$rootfs" --network none --volatile --log-size 10m -- \
	sh -c 'i=0; while [ $i -lt 60000 ]; do echo "$i fills the disk with words"; i=$((i + 1)); done; exit 5' </dev/null >/dev/null
check 'a full disk holds nobody up' wait_for 20 eval '[ -e "$small/instances/$prefix-full/end.json" ] || ! "$HOLM" --root "$state" state $prefix-full'
like 'and what was lost is counted' "$("$HOLM" --root "$state" --data "$small" why $prefix-full)" 'bytes of its output were lost'
"$HOLM" --root "$state" --data "$small" remove --force $prefix-full >/dev/null 2>&1
"$HOLM" --root "$state" --data "$small" launch --name $prefix-full --userns host --rootfs "$rootfs" --network none --restart always -- \
	sleep 1000 >/dev/null
dd if=/dev/zero of="$small/fill" bs=1k 2>/dev/null
check 'on a full disk it can be stopped' "$HOLM" --root "$state" --data "$small" stop $prefix-full
is 'and stays down' "$(jq -c '[.up, .created > 0]' "$small/instances/$prefix-full/instance.json")" '[false,true]'
check 'and removed' "$HOLM" --root "$state" --data "$small" remove $prefix-full
wait_for 10 umount "$small"

# --- attach ----------------------------------------------------------------------------------------------------------------

is 'in front: input, output, exit status' "$(printf 'one\ntwo\n' | on launch -i --rm --name $prefix-front --rootfs "$rootfs" --network none -- \
	sh -c 'while read -r x; do echo "got $x"; done; echo end; exit 6' 2>&1; echo $?)" "$(printf 'got one\ngot two\nend\n6')"
is 'nothing of it stays' "$(find "$data/instances" -name "$prefix-front")" ''
refuses 'a stopped one' "instance '$prefix-lines' does not run" on attach $prefix-lines
refuses 'odd keys' 'not a list of letters' on attach --detach-keys ctrl-11 $prefix-lines

launch $prefix-talks -i -d -- sh -c 'while read -r x; do echo "got $x"; done; exit 3' >/dev/null
(on attach --no-stdin $prefix-talks >"$work/watch1" </dev/null; echo $? >"$work/watch1.status") &
(on attach --no-stdin $prefix-talks >"$work/watch2" </dev/null) &
mkfifo "$work/never"
("$HOLM" --root "$state" --data "$data" attach --no-stdin $prefix-talks >"$work/never") </dev/null &
exec 9<>"$work/never" # a reader that reads nothing
(sleep 0.5; echo hello; sleep 0.3; head -c 300000 /dev/zero | tr '\0' y; echo) | on attach $prefix-talks >"$work/talk"
is 'who attached hears the end' $? 3
wait_for 5 [ -s "$work/watch1.status" ]
is 'and so do others' "$(grep -c '^got' "$work/watch1") $(cat "$work/watch1.status")" '2 3'
is 'all hear the same' "$(cksum <"$work/watch2")" "$(cksum <"$work/talk")"
is 'who reads nothing holds nobody up' "$(on logs --stdout $prefix-talks | wc -c)" "$(wc -c <"$work/talk")"
exec 9>&-
# shellcheck disable=SC2046 # a list of pids
wait $(jobs -p | grep -v "^$watch$") 2>/dev/null

if command -v python3 >/dev/null; then
	cat >"$work/person.py" <<'P'
import fcntl, os, pty, struct, sys, termios, time
pid, fd = pty.fork()
if not pid:
    os.read(0, 1)
    os.execv(sys.argv[2], sys.argv[2:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
os.write(fd, b"\n")
heard = b""
def hear(word, seconds=20):
    global heard
    end = time.time() + seconds
    while word not in heard and time.time() < end:
        try:
            heard += os.read(fd, 4096)
        except OSError:
            break
for step in sys.argv[1].encode().decode("unicode_escape").split("|"):
    word, _, typed = step.partition(">")
    hear(word.encode())
    os.write(fd, typed.encode())
hear(b"\0")
print(heard.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
P
	words=$(python3 "$work/person.py" 'size>|name>holm\r' "$HOLM" --root "$state" --data "$data" launch -i -t --name $prefix-person --rootfs "$rootfs" --network none -- \
		sh -c 'sleep 0.3; echo "size $(stty size)"; printf name; read -r x; echo "hello $x"; tty; exit 4' | tr -d '\r')
	like 'a terminal: its size' "$words" 'size 33 99'
	like 'what is typed' "$words" 'hello holm'
	like 'it is one' "$words" '/dev/(console|pts/0)'
	like 'the exit status' "$words" ' 4$'
	launch $prefix-stays -t -d -- sh -c 'while :; do echo tick; read -r x; echo "got $x"; done' >/dev/null
	words=$(python3 "$work/person.py" '>a\r|got a>\x10b\r|got \x10b>\x10\x11' "$HOLM" --root "$state" --data "$data" attach $prefix-stays | tr -d '\r')
	like 'the detach keys end the client' "$words" ' 0$'
	like 'half of them reaches the instance' "$words" 'got .*b'
	is 'and the instance goes on' "$(status_of $prefix-stays)" running
	like 'others know nothing of it' "$(python3 "$work/person.py" '>c\r|got c>\x10\x11' "$HOLM" --root "$state" --data "$data" attach $prefix-stays | tr -d '\r')" 'got c'
else
	skip 'a terminal' 'no python3'
fi
