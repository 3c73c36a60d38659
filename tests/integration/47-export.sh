#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whole instances in a file: out of one data folder, stopped and running, with snapshots and with their image, and into another one,
# where what is damaged, cut off or half done leaves nothing.
# where: host
# timeout: 240
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/launch.sh"

there=$work/there
holm_there() {
	"$HOLM" --root "$work/state-there" --data "$there" "$@"
}
i=$prefix-web
inside() {
	timeout 20 "$HOLM" --root "$state" --data "$data" exec "$i" sh -c "$1"
}
inside_there() {
	timeout 20 "$HOLM" --root "$work/state-there" --data "$there" exec "$1" sh -c "$2"
}
# Everything below a data folder that an import could have left, without what an image needs.
rest() {
	(cd "$there" 2>/dev/null && ls instances pushes tmp 2>/dev/null)
}
what='cd / && cat etc/first etc/second etc/third; ls etc/passwd etc/group 2>&1 | grep -c "No such"; stat -c "%n %u:%g %a %s" srv/owned srv/sparse;
	readlink srv/link; stat -c %h srv/owned; ls opt; stat -c %a tmp; hostname'

tar -C "$rootfs" -cf "$work/root.tar" .
check 'an image' holm image import "$work/root.tar" "local/$prefix:1"
holm launch --name "$i" --label color=red --network none --userns auto "local/$prefix:1" \
	sh -c 'trap exit TERM; while :; do sleep 0.05; done' >/dev/null

inside 'echo 1 >/etc/first; rm /etc/passwd; mkdir -p /srv; echo owned >/srv/owned; chown 12:34 /srv/owned; chmod 4751 /srv/owned'
holm snapshot create "$i" one -m 'the first' >/dev/null
inside 'echo 2 >/etc/second; ln /srv/owned /srv/again; ln -s /etc/first /srv/link; truncate -s 20M /srv/sparse; rm -rf /opt; mkdir /opt; touch /opt/x'
holm stop "$i" >/dev/null
setfattr -n user.note -v here "$data/instances/$i/upper/etc/second" 2>/dev/null && attributes=1
holm snapshot create "$i" two >/dev/null
holm start "$i"
inside 'echo 3 >/etc/third; rm /etc/group; chmod 700 /tmp'
expected=$(inside "$what")

# --- out ------------------------------------------------------------------------------------------------------------------------

check 'a running one' holm export "$i" "$work/running"
is 'it runs on' "$(instance_status web)" running
is 'and is not frozen' "$(inside 'echo yes')" yes
check 'with its image' holm export --all "$i" "$work/all"
holm stop "$i" >/dev/null
check 'a stopped one' holm export "$i" "$work/stopped"
check 'to standard output' sh -c '"$@" | cat >"$0"' "$work/piped" "$HOLM" --root "$state" --data "$data" export "$i" -
is 'it is the same file' "$(cmp "$work/stopped" "$work/piped" && echo same)" same
is 'for its owner alone' "$(stat -c %a "$work/stopped")" 600
is 'nothing is left in tmp' "$(ls "$data/tmp")" ''
is 'nor a push' "$(ls "$data/pushes" | wc -l)" 2
is 'it is a tar' "$(tar -tf "$work/stopped" | sed 's,pushes/.*,push,')" 'manifest.sha256
manifest.json
instance.json
config.json
root.json
snapshots.json
upper.tar
push
push'
mkdir "$work/unpacked"
tar -C "$work/unpacked" -xf "$work/stopped" --no-same-owner
check 'whose sums sha256sum reads' sh -c 'cd "$1" && sha256sum --quiet -c manifest.sha256 &&
	jq -r ".parts[] | \"\(.sha256)  \(.name)\"" manifest.json | sha256sum --quiet -c -' - "$work/unpacked"
refuses 'no such instance' 'there is no instance' holm export "$prefix-none" "$work/none"
launch folder -- sh -c 'trap exit TERM; while :; do sleep 0.05; done' >/dev/null
holm exec "$prefix-folder" sh -c 'echo written >/etc/written; rm /etc/group'
holm snapshot create "$prefix-folder" one >/dev/null
images=$(holm image list -q; ls "$data/layers" "$data/blobs/sha256")
check 'one on a folder of the host' holm export --all "$prefix-folder" "$work/folder"
is 'whose image leaves nothing here' "$(holm image list -q; ls "$data/layers" "$data/blobs/sha256"; ls "$data/tmp")" "$images"
if command -v mksquashfs >/dev/null && mksquashfs "$rootfs" "$work/root.sqfs" -quiet -no-progress >/dev/null 2>&1; then
	holm launch --name "$prefix-file" --network none "$work/root.sqfs" sleep 1000 >/dev/null
	check 'one on an image file' holm export --all "$prefix-file" "$work/file"
	holm remove --force "$prefix-file"
	is 'whose copy goes' "$(ls "$data/pushes" | wc -l)" 3
else
	skip 'one on an image file' 'no mksquashfs'
fi

# --- in -------------------------------------------------------------------------------------------------------------------------

refuses 'the image is missing' "its image 'local/$prefix:1' .* is not here: pull or import that, or export the instance with --all" \
	holm_there import "$work/stopped"
is 'nothing is left' "$(rest | grep -v :)" ''
is 'with its image: the name is printed' "$(holm_there import "$work/all")" "$i"
is 'the image is here' "$(holm_there image list -f json | jq -r '.[].reference' 2>/dev/null || holm_there image list | grep -c "local/$prefix")" "local/$prefix:1"
fact 'labels' "$(holm_there inspect "$i")" '.[0].labels.color' red
fact 'snapshots' "$(holm_there snapshot list -f json "$i")" 'map([.name, .parent, .current, .comment]) | tostring' \
	'[["one",null,false,"the first"],["two","one",true,null]]'
check 'it starts' holm_there start "$i"
is 'all of it is there' "$(inside_there "$i" "$what")" "$expected"
[ -z "${attributes:-}" ] || is 'attributes' "$(getfattr -R -n user.note --only-values "$there"/pushes/*/tree/etc/second 2>/dev/null)" here
refuses 'the name is taken' "there is an instance '$i' already" holm_there import "$work/stopped"
check 'under another name, now that the image is here' holm_there import --start "$work/stopped" "$prefix-other"
is 'it has the same' "$(inside_there "$prefix-other" "$what" | sed '$d')" "$(sed '$d' <<<"$expected")"
is 'but another host name' "$(inside_there "$prefix-other" hostname)" "$(sed "s/^$i$/$prefix-other/" <<<"${expected##*$'\n'}")"
is 'from standard input' "$(holm_there import - "$prefix-third" <"$work/running")" "$prefix-third"
check 'also a pipe' sh -c 'cat "$0" | "$@"' "$work/running" "$HOLM" --root "$work/state-there" --data "$there" import - "$prefix-fourth"
is 'ranges of ids are their own' "$(cat "$there"/instances/*/config.json | jq -rs 'map(.linux.uidMappings[0].hostID // empty) | length == (unique | length)')" true
check 'back to a snapshot' holm_there snapshot restore --config "$prefix-third" one
check 'start it' holm_there start "$prefix-third"
is 'which has what it had' "$(inside_there "$prefix-third" 'cat /etc/first; ls /etc/second /etc/third 2>/dev/null; stat -c "%u:%g %a" /srv/owned')" $'1\n12:34 4751'
check 'out once more, and in' sh -c '"$1" --root "$2" --data "$3" export "$4" - | "$1" --root "$2" --data "$3" import - "$5"' \
	- "$HOLM" "$work/state-there" "$there" "$prefix-other" "$prefix-fifth"
is 'nothing is half made' "$(ls "$there/tmp")" ''
check 'one that lay on a folder' holm_there import --start "$work/folder" "$prefix-moved"
is 'has all that was there, on an image' "$(inside_there "$prefix-moved" 'cat /etc/written; ls /etc/group 2>/dev/null; grep -c root /etc/passwd'; jq -r '.digest | .[:7]' "$there/instances/$prefix-moved/root.json")" \
	$'written\n1\nsha256:'
check 'and goes back to its snapshot' holm_there snapshot restore --restart --config "$prefix-moved" one
is 'where it is the same' "$(wait_for 10 inside_there "$prefix-moved" true; inside_there "$prefix-moved" 'cat /etc/written')" written
[ ! -e "$work/file" ] || check 'one that lay on an image file' holm_there import --start "$work/file"
holm_there remove --force --all >/dev/null 2>&1
is 'and all of it goes' "$(rest | grep -v :)" ''

# --- what is limited ------------------------------------------------------------------------------------------------------------

d=$prefix-disk
if holm launch --name "$d" --network none --size 64M "local/$prefix:1" sh -c 'trap exit TERM; while :; do sleep 0.05; done' >/dev/null 2>&1; then
	timeout 20 "$HOLM" --root "$state" --data "$data" exec "$d" sh -c 'echo kept >/etc/kept; chown 5:6 /etc/kept'
	for way in running stopped; do
		[ $way = running ] || holm stop "$d" >/dev/null
		check "$way, limited: out" holm export --all "$d" "$work/disk"
		check "$way, limited: in" holm_there import --start "$work/disk" "$prefix-$way"
		is "$way, limited: it has what was written" "$(inside_there "$prefix-$way" 'cat /etc/kept; stat -c %u:%g /etc/kept')" $'kept\n5:6'
		fact "$way, limited: it has its limit" "$(cat "$there/instances/$prefix-$way/root.json")" .size $((64 << 20))
	done
	like 'a stopped, limited one becomes an image' "$(holm commit "$d" "local/$prefix:disk")" '^sha256:'
	holm remove --force "$d"
	holm_there remove --force --all >/dev/null 2>&1
	is 'all of that goes' "$(rest | grep -v :)" ''
else
	skip 'limits on what is written' 'this host keeps none'
fi

# --- damaged --------------------------------------------------------------------------------------------------------------------

size=$(stat -c %s "$work/stopped")
flip() { # OFFSET: one bit of that byte
	local byte
	cp "$work/stopped" "$work/bad"
	byte=$(od -An -tu1 -j "$1" -N 1 "$work/bad")
	printf '%b' "\\x$(printf %02x $((byte ^ 1)))" | dd of="$work/bad" bs=1 seek="$1" conv=notrunc status=none
}
accepted=0 untold=0
for ((n = 0; n < 40; n++)); do
	flip $((n * 7919 * 17 % size))
	if message=$(holm_there import "$work/bad" "$prefix-bad" 2>&1); then accepted=$((accepted + 1)); fi
	[[ $message == *"$work/bad"* ]] || untold=$((untold + 1))
done
for at in 0 101 300 512 550 600 1023 1024 1100 1160 1535 1536 $((size - 1)) $((size - 1024)); do
	flip "$at"
	if message=$(holm_there import "$work/bad" "$prefix-bad" 2>&1); then accepted=$((accepted + 1)); fi
	[[ $message == *"$work/bad"* ]] || untold=$((untold + 1))
done
is 'a bit that is another anywhere is refused' "$accepted" 0
is 'with the file named' "$untold" 0
for cut in 0 1 511 512 1024 2000 $((size / 3)) $((size / 2)) $((size - 1025)) $((size - 1)); do
	head -c "$cut" "$work/stopped" >"$work/bad"
	if holm_there import "$work/bad" "$prefix-bad" >/dev/null 2>&1; then accepted=$((accepted + 1)); fi
done
is 'a file that is cut off is refused' "$accepted" 0
refuses 'and says so' 'is cut off' holm_there import "$work/bad" "$prefix-bad"
(cat "$work/stopped" && echo more) >"$work/bad"
refuses 'something after the end' 'something follows its end' holm_there import "$work/bad" "$prefix-bad"
refuses 'another tar' 'is no exported instance' holm_there import "$work/root.tar" "$prefix-bad"
refuses 'a folder' 'is a folder' holm_there import "$work" "$prefix-bad"
is 'nothing of all that is left' "$(rest | grep -v :)" ''

# --- hostile: sums that are right, and content that is not ---------------------------------------------------------------------

# forge PROGRAM: python that changes the dict "parts" (name: bytes, in order)
forge() {
	python3 - "$work/stopped" "$work/bad" "$1" <<'PYTHON'
import hashlib, io, json, sys, tarfile
parts = {}
with tarfile.open(sys.argv[1]) as tar:
    for member in tar:
        parts[member.name] = tar.extractfile(member).read()
del parts["manifest.sha256"], parts["manifest.json"]
def tarball(*members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            tar.addfile(info)
    return out.getvalue()
exec(sys.argv[3])
def header(name, size):
    h = bytearray(512)
    h[0:len(name)] = name.encode()
    h[100:107], h[108:115], h[116:123] = b"0000600", b"0000000", b"0000000"
    h[124:135], h[136:147], h[148:156], h[156:157] = b"%011o" % size, b"0" * 11, b" " * 8, b"0"
    h[257:265] = b"ustar\00000"
    h[148:155] = b"%06o\0" % sum(h)
    return bytes(h)
def member(name, data):
    return header(name, len(data)) + data + bytes(-len(data) % 512)
manifest = json.dumps({"format": "holm instance", "version": 1, "parts": [
    {"name": n, "size": len(d), "sha256": hashlib.sha256(d).hexdigest()} for n, d in parts.items()]}).encode()
with open(sys.argv[2], "wb") as out:
    out.write(member("manifest.sha256", hashlib.sha256(manifest).hexdigest().encode() + b"  manifest.json\n"))
    out.write(member("manifest.json", manifest))
    for n, d in parts.items():
        out.write(member(n, d))
    out.write(bytes(1024))
PYTHON
}
hostile() { # WHAT MESSAGE PROGRAM
	forge "$3"
	refuses "$1" "$2" holm_there import "$work/bad" "$prefix-bad"
}
edit='def edit(name, f):
    o = json.loads(parts[name]); f(o); parts[name] = json.dumps(o).encode()
'
forge ''
check 'what is forged without a change is taken' holm_there import "$work/bad" "$prefix-bad"
holm_there remove "$prefix-bad"
hostile 'a member that leads out' "'upper.tar' in " 'parts["upper.tar"] = tarball(("../../escaped", tarfile.REGTYPE, ""))'
hostile 'a link that leads out' "'upper.tar' in " 'parts["upper.tar"] = tarball(("l", tarfile.SYMTYPE, "/etc"), ("l/x", tarfile.REGTYPE, ""))'
hostile 'an upper that is none' "'upper.tar' in " 'parts["upper.tar"] = b"nothing"'
hostile 'no upper' "has no 'upper.tar'" 'del parts["upper.tar"]'
hostile 'a name that leads out' "'instance.json' in .* has no name" 'parts["instance.json"] = b"{\"name\": \"../x\"}"'
hostile 'a layer that leads out' 'names a layer that can.t be' "$edit"'edit("root.json", lambda o: o.update(layers=["../../.."]))'
hostile 'a state that leads out' 'names a state that can.t be' "$edit"'edit("root.json", lambda o: o.update(pushes=["../x"]))'
hostile 'a state that is not there' 'names a state that is not there' "$edit"'edit("root.json", lambda o: o.update(pushes=["0123456789abcdef"]))'
hostile 'a snapshot that leads out' 'whose name can.t be' "$edit"'edit("snapshots.json", lambda o: o["snapshots"][0].update(name="../x"))'
hostile 'a ring of snapshots' 'came from none before it' "$edit"'edit("snapshots.json", lambda o: o["snapshots"][0].update(parent="two"))'
hostile 'a config.json that is none' 'config.json' 'parts["config.json"] = b"{"'
hostile 'a part that nothing needs' "'pushes/abc.tar' in .* is nothing that an instance has" 'parts["pushes/abc.tar"] = tarball()'
is 'nothing of all that is left either' "$(rest | grep -v :)" ''

# --- killed ---------------------------------------------------------------------------------------------------------------------

holm start "$i"
inside 'mkdir /many; n=0; while [ $n -lt 400 ]; do echo $n >/many/$n; n=$((n + 1)); done; dd if=/dev/zero of=/many/big bs=1M count=24 2>/dev/null'
holm stop "$i" >/dev/null
check 'a larger one' holm export "$i" "$work/large"
for n in 1 2 3 4 5 6 7 8; do
	"$HOLM" --root "$work/state-there" --data "$there" import "$work/large" "$prefix-killed" >/dev/null 2>&1 &
	pid=$!
	sleep "0.0$n"
	kill -KILL $pid 2>/dev/null
	wait $pid 2>/dev/null
	if holm_there inspect "$prefix-killed" >/dev/null 2>&1; then holm_there remove --force "$prefix-killed"; fi
done
gone() { # what holm-unpack still held is let go when it ends
	holm_there gc >/dev/null 2>&1
	[ -z "$(rest | grep -v :)" ]
}
check 'an import that is killed leaves nothing after gc' wait_for 10 gone
for n in 1 3 5 7; do
	"$HOLM" --root "$state" --data "$data" export "$i" "$work/part" >/dev/null 2>&1 &
	pid=$!
	sleep "0.0$n"
	kill -KILL $pid 2>/dev/null
	wait $pid 2>/dev/null
	[ ! -e "$work/part" ] || cmp -s "$work/part" "$work/large" || not_ok 'what has the name is whole'
done
swept() {
	holm gc >/dev/null 2>&1
	[ -z "$(ls "$data/tmp")" ]
}
check 'nor does an export' wait_for 10 swept
check 'and the file is good' holm_there import "$work/large" "$prefix-good"
holm_there remove --force --all >/dev/null 2>&1
holm remove --force --all >/dev/null 2>&1
