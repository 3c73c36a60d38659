#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Files into instances and out of them, with links that lead elsewhere and a neighbour that swaps names meanwhile; and images of
# what an instance has.
# where: host
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/launch.sh"

canary=$work/canary
mkdir -p "$canary/dir" "$work/out"
echo secret >"$canary/file"
fingerprint() {
	find "$canary" -printf '%P %y %m %U:%G %n %s %T@ %l\n' | sort
}
before=$(fingerprint)
i=$prefix-web
inside() {
	timeout 20 "$HOLM" --root "$state" --data "$data" exec "$i" sh -c "$1"
}
launch web -- sh -c 'trap exit TERM; while :; do sleep 0.05; done' >/dev/null

# --- in and out, running and stopped ---------------------------------------------------------------------------------------------

tree=$work/tree
mkdir -p "$tree/sub"
echo text >"$tree/file"
chown 12:34 "$tree/file"
chmod 4751 "$tree/file"
ln "$tree/file" "$tree/sub/again"
ln -s "$canary/file" "$tree/link"
truncate -s 20M "$tree/sparse"
setfattr -n user.note -v here "$tree/file" 2>/dev/null
touch -d 2001-02-03T04:05:06Z "$tree/sub/again"
for way in running stopped; do
	[ $way = running ] || holm stop "$i"
	check "$way: a folder goes in" holm cp -a "$tree" "$i:/tmp/$way"
	check "$way: and out" holm cp -a "$i:/tmp/$way" "$work/out"
	is "$way: owners, modes, times, links, holes" \
		"$(cd "$work/out/$way" && find . -printf '%P %y %m %U:%G %n %s %T@ %l\n' | grep -v '^ ' | sort)" \
		"$(cd "$tree" && find . -printf '%P %y %m %U:%G %n %s %T@ %l\n' | grep -v '^ ' | sort)"
	is "$way: holes take no room" "$(stat -c %b "$work/out/$way/sparse")" 0
	is "$way: attributes" "$(getfattr -n user.note --only-values "$work/out/$way/file" 2>/dev/null)" \
		"$(getfattr -n user.note --only-values "$tree/file" 2>/dev/null)"
	check "$way: without --archive" holm cp "$tree/file" "$i:/etc/mine-$way"
	check "$way: out without --archive" holm cp "$i:/tmp/$way/file" "$work/out/plain-$way"
	is "$way: it is the caller's, without set-id bits" "$(stat -c '%u:%g %a' "$work/out/plain-$way")" '0:0 751'
	check "$way: what is in a folder" holm cp "$tree/sub/." "$i:/opt"
	refuses "$way: nothing there" 'o such file' holm cp "$i:/none" "$work/out"
done
holm start "$i"
is 'inside it is root'"'"'s' "$(inside 'stat -c "%u:%g %a" /etc/mine-running /etc/mine-stopped')" $'0:0 751\n0:0 751'
is 'with --archive ids are those of inside' "$(inside 'stat -c "%u:%g %a" /tmp/running/file /tmp/stopped/file')" $'12:34 4751\n12:34 4751'
for way in running stopped; do
	[ $way = running ] || holm stop "$i"
	check "$way: a tar goes in" sh -c 'tar -C "$0" --xattrs --numeric-owner -cf - . | "$@"' "$tree" \
		"$HOLM" --root "$state" --data "$data" cp -a - "$i:/tmp/stream-$way"
	mkdir "$work/stream-$way"
	check "$way: and out" sh -c '"$@" | tar -C "$0" --xattrs --numeric-owner --same-owner -xpf -' "$work/stream-$way" \
		"$HOLM" --root "$state" --data "$data" cp -a "$i:/tmp/stream-$way" -
	is "$way: the same comes out" \
		"$(cd "$work/stream-$way/stream-$way" && find . -mindepth 1 -printf '%P %y %m %U:%G %n %s %l\n' | sort)" \
		"$(cd "$tree" && find . -mindepth 1 -printf '%P %y %m %U:%G %n %s %l\n' | sort)"
done
holm start "$i"
tar -cf "$work/hostile.tar" --transform 's,^,../../,' -P -C "$tree" file
refuses 'a tar that leads out' 'standard input' sh -c '"$@" <"$0"' "$work/hostile.tar" \
	"$HOLM" --root "$state" --data "$data" cp - "$i:/tmp"
head -c 700 "$work/hostile.tar" >"$work/cut.tar"
refuses 'a tar that is cut off' 'standard input' sh -c '"$@" <"$0"' "$work/cut.tar" \
	"$HOLM" --root "$state" --data "$data" cp - "$i:/tmp"
refuses 'no such instance' 'there is no instance' holm cp "$prefix-none:/etc" -
is 'nothing is left in tmp' "$(ls "$data/tmp")" ''
refuses 'two paths of the host' 'one of both' holm cp "$tree" "$work/out"

# --- hostile -------------------------------------------------------------------------------------------------------------------

inside "ln -s $canary /to; ln -s $canary/file /tof; ln -s / /root-link; mkdir -p /a/b /a/c; echo x >/a/b/f; ln -s $canary/dir /a/link; mkfifo /a/b/fifo"
check 'a link as target is no way out' sh -c '! "$@" 2>/dev/null' - "$HOLM" --root "$state" --data "$data" cp "$tree/file" "$i:/to/new"
check 'a link to a file is replaced' holm cp "$tree/file" "$i:/tof"
is 'not followed' "$(inside 'cat /tof')" text
holm cp "$i:/to" "$work/out/to"
is 'a link is copied as a link' "$(readlink "$work/out/to")" "$canary"
refuses 'nor do magic links lead anywhere' 'oo many levels|o such file|ot permitted|ermission' holm cp "$i:/proc/self/root/etc/passwd" "$work/out/x"
is 'the host is untouched' "$(fingerprint)" "$before"

# The neighbour works on what the mounted overlay shows, from inside.
cp "$BUILD/tests/attack/exchange" "$work/exchange"
check 'the attacker goes in' holm cp "$work/exchange" "$i:/bin/exchange"
inside 'exec /bin/exchange /a/b /a/link' >/dev/null 2>&1 </dev/null &
attacker=$!
good=0
for ((n = 0; n < 150; n++)); do
	rm -rf "$work/raced"
	mkdir "$work/raced"
	timeout 10 "$HOLM" --root "$state" --data "$data" cp "$i:/a" "$work/raced/a" >/dev/null 2>&1 && good=$((good + 1))
	timeout 10 "$HOLM" --root "$state" --data "$data" cp "$tree/file" "$i:/a/b/new" >/dev/null 2>&1 && good=$((good + 1))
	! grep -rqs secret --include=file "$work/raced" -D skip || not_ok 'something of the host came out'
done
kill $attacker 2>/dev/null
wait $attacker 2>/dev/null
if [ $good -gt 0 ]; then ok "$good of 300 copies succeed beside the attacker"; else not_ok 'some copy succeeds'; fi
is 'the host is untouched by races' "$(fingerprint)" "$before"

# --- commit ---------------------------------------------------------------------------------------------------------------------

inside 'echo kept >/etc/kept; rm -f /etc/group'
like 'commit' "$(holm commit "$i" "local/$prefix:1" -m 'a test')" '^sha256:[0-9a-f]{64}$'
is 'the instance runs on' "$(inside 'echo yes')" yes
check 'launch from it' holm launch --name "$prefix-second" --network none "local/$prefix:1" sleep 1000
i=$prefix-second
is 'it has what was written' "$(inside 'cat /etc/kept; ls /etc/group 2>/dev/null')" kept
inside 'rm /etc/kept; echo second >/etc/second'
holm stop "$i" >/dev/null
like 'commit of a stopped one on an image' "$(holm commit "$i" "local/$prefix:2")" '^sha256:'
holm remove --force --all
check 'launch from that' holm launch --name "$prefix-third" --network none "local/$prefix:2" sleep 1000
i=$prefix-third
is 'it has both layers' "$(inside 'cat /etc/second; ls /etc/kept 2>/dev/null')" second
holm remove --force "$i"
if command -v mksquashfs >/dev/null && mksquashfs "$rootfs" "$work/root.sqfs" -quiet -no-progress >/dev/null 2>&1; then
	i=$prefix-file
	check 'one on an image file' holm launch --name "$i" --network none "$work/root.sqfs" sleep 1000
	inside 'echo above >/etc/above'
	like 'commit of it' "$(holm commit "$i" "local/$prefix:3")" '^sha256:'
	check 'launch from that' holm launch --name "$prefix-fourth" --network none "local/$prefix:3" sleep 1000
	i=$prefix-fourth
	is 'it has the image and what was written' "$(inside 'cat /etc/above; ls -d /bin')" $'above\n/bin'
	holm remove --force --all
else
	skip 'commit of one on an image file' 'no mksquashfs'
fi
is 'no push is left' "$(ls "$data/pushes" 2>/dev/null)" ''

# --- an ordinary user ------------------------------------------------------------------------------------------------------------

user=12345
mkdir -p "$work/user/bin"
cp "$BUILD"/holm "$BUILD"/holm-monitor "$BUILD"/holm-unpack "$work/user/bin/"
cp -a "$rootfs" "$work/user/rootfs"
echo mine >"$work/user/file"
chown -R $user:$user "$work/user"
as_user() {
	env -i PATH="$PATH" XDG_RUNTIME_DIR="$work/user" HOME="$work/user" setpriv --reuid=$user --regid=$user --clear-groups timeout 20 "$@"
}
own=$work/user/bin/holm
if as_user "$own" launch --name own --network none --pids -1 --rootfs "$work/user/rootfs" sleep 1000 >"$work/said" 2>&1; then
	as_user "$own" exec own sh -c 'echo inside >/etc/inside'
	check 'user, running: in' as_user "$own" cp "$work/user/file" own:/etc/running
	check 'user, running: out' as_user "$own" cp own:/etc/inside "$work/user/out-running"
	as_user "$own" stop --timeout 0 own
	check 'user, stopped: in' as_user "$own" cp "$work/user/file" own:/etc/stopped
	check 'user, stopped: out' as_user "$own" cp own:/etc/inside "$work/user/out-stopped"
	check 'user, stopped: a folder' as_user "$own" cp -a own:/etc "$work/user/etc"
	tar -C "$work/user" -cf "$work/user/tar" file
	tar_in() { as_user "$own" cp - own:/tmp <"$work/user/tar"; }
	check 'user, stopped: a tar in' tar_in
	is 'user, stopped: a tar out' "$(as_user "$own" cp own:/etc - | tar -xOf - etc/stopped)" mine
	is 'what came out is the user'"'"'s' "$(stat -c %u:%g "$work/user"/out-* "$work/user/etc/running"; cat "$work/user/out-stopped")" \
		$'12345:12345\n12345:12345\n12345:12345\ninside'
	as_user "$own" start own
	is 'what went in is root'"'"'s' "$(as_user "$own" exec own sh -c 'stat -c %u:%g /etc/running /etc/stopped /tmp/file; cat /tmp/file')" \
		$'0:0\n0:0\n0:0\nmine'
	as_user "$own" remove --force own
else
	not_ok 'an ordinary user launches an instance' "$(cat "$work/said")"
fi
is 'nothing of it is left' "$(find "$work/user/.local/share/holm/instances" "$work/user/.local/share/holm/tmp" -mindepth 1)" ''
