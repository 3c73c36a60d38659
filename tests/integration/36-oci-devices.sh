#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# /dev: section G of tests/oci-checklist.md.
# where: host
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/oci.sh"
is_holm || skip_all 'about holm alone'

# Items 131, 132: what is there by default, and nothing else
bundle
text=$(probe_run devices)
for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
	IFS=: read -r name major minor <<<"$device"
	fact "/dev/$name" "$text" ".devices[\"/dev/$name\"] | [.type, .major, .minor, .mode, .uid, .gid]" "[\"c\",$major,$minor,\"0666\",0,0]"
done
for link in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 stderr:/proc/self/fd/2 ptmx:pts/ptmx; do
	fact "/dev/${link%%:*}" "$text" ".devices[\"/dev/${link%%:*}\"].target" "${link#*:}"
done
fact 'nothing else' "$text" '[.devices | keys[] | select(test("^/dev/[^/]+$")) | ltrimstr("/dev/")] - ["null", "zero", "full", "random", "urandom", "tty", "fd", "stdin", "stdout", "stderr", "ptmx", "core", "pts", "shm", "mqueue"]' '[]'
runs 'they work' 'fine 3 no space' . -- sh -c 'echo x >/dev/null && echo fine; head -c 3 /dev/zero | wc -c; { echo x >/dev/full; } 2>&1 | grep -o "[Nn]o space" | tr N n; head -c 1 /dev/urandom >/dev/null'
bundle '.mounts |= map(select(.destination | startswith("/dev") | not))'
own_root
text=$(probe_run devices)
fact 'without a mount on /dev: in the root' "$text" '.devices["/dev/null"] | [.type, .major, .minor]' '["c",1,3]'
fact 'links too' "$text" '.devices["/dev/stdin"].target' /proc/self/fd/0
mkdir -p "$work/hostdev"
touch "$work/hostdev/mine"
sees 'a bind on /dev is left alone' devices '.devices | keys' '["/dev/mine"]' '.mounts |= map(select(.destination | startswith("/dev") | not))' \
	".mounts += [{\"destination\": \"/dev\", \"source\": \"$work/hostdev\", \"options\": [\"bind\"]}]"
sees 'a read-only /dev is filled first' devices '.devices["/dev/null"].type' c '(.mounts[] | select(.destination == "/dev") | .options) += ["ro"]'

# Items 133, 134: linux.devices
devices='.linux.devices = [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 5, "fileMode": 384, "uid": 7, "gid": 8},
	{"path": "/dev/deep/er/u", "type": "u", "major": 1, "minor": 3}, {"path": "/dev/block", "type": "b", "major": 7, "minor": 200, "fileMode": 25008},
	{"path": "/dev/fifo", "type": "p", "fileMode": 420}, {"path": "/dev/fifo2", "type": "p", "major": 5, "minor": 6}, {"path": "/outside/it", "type": "c", "major": 1, "minor": 3}]'
bundle "$devices"
own_root
text=$(probe_run devices)
fact 'c, with mode and owner' "$text" '.devices["/dev/mine"] | [.type, .major, .minor, .mode, .uid, .gid]' '["c",1,5,"0600",7,8]'
fact 'u, in folders that are made, 0666 by default' "$text" '.devices["/dev/deep/er/u"] | [.type, .major, .minor, .mode]' '["c",1,3,"0666"]'
fact 'the folder' "$text" '.devices["/dev/deep"] | [.type, .mode]' '["d","0755"]'
fact 'b, its mode with the bits of a type' "$text" '.devices["/dev/block"] | [.type, .major, .minor, .mode]' '["b",7,200,"0660"]'
fact 'p' "$text" '.devices["/dev/fifo"] | [.type, .mode]' '["p","0644"]'
fact 'p with numbers' "$text" '.devices["/dev/fifo2"].type' p
is 'outside /dev' "$(stat -c '%F %t %T' "$root/outside/it")" 'character special file 1 3'
bundle '.linux.devices = [{"path": "/link/null", "type": "c", "major": 1, "minor": 3}]'
own_root
ln -s /etc "$root/link"
check 'a path through a symlink' holm run "$id"
is 'stays in the root' "$(stat -c %F "$root/etc/null")" 'character special file'
is "and out of the host's" "$(ls /etc/null 2>/dev/null)" ''
# Item 135
refused 'an unknown type' "config.json: linux.devices\[0\].type: .*'x'" '.linux.devices = [{"path": "/dev/x", "type": "x", "major": 1, "minor": 3}]'
refused 'no type' 'config.json: linux.devices\[0\].type: ' '.linux.devices = [{"path": "/dev/x", "major": 1, "minor": 3}]'
refused 'no path' 'config.json: linux.devices\[0\].path: ' '.linux.devices = [{"type": "c", "major": 1, "minor": 3}]'
refused 'a relative path' 'config.json: linux.devices\[0\].path: ' '.linux.devices = [{"path": "dev/x", "type": "c", "major": 1, "minor": 3}]'
refused 'no major' 'config.json: linux.devices\[0\].major: ' '.linux.devices = [{"path": "/dev/x", "type": "c", "minor": 3}]'
refused 'no minor' 'config.json: linux.devices\[0\].minor: ' '.linux.devices = [{"path": "/dev/x", "type": "c", "major": 3}]'
# Item 136, 137
for place in /dev/mine /outside; do
	bundle ".linux.devices = [{\"path\": \"$place\", \"type\": \"c\", \"major\": 1, \"minor\": 3}]" '.mounts |= map(select(.destination | startswith("/dev") | not))'
	own_root
	touch "$root$place"
	still_refused "another file at $place" "linux.devices\[0\]: .*'$place' exists"
	rm "$root$place"
	mknod "$root$place" c 1 5
	still_refused "another device at $place" "linux.devices\[0\]: .*'$place' exists"
	rm "$root$place"
	mknod "$root$place" c 1 3
	check "the same device at $place" holm run "$id"
	rm "$root$place"
	ln -s /dev/null "$root$place"
	still_refused "a symlink at $place" "linux.devices\[0\]: .*'$place' exists"
done
runs 'a default device listed again' fine '.linux.devices = [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 438}]' \
	'.linux.resources.devices = [{"allow": false, "access": "rwm"}]' -- sh -c 'echo x >/dev/null && echo fine'
refused 'a default device as another' "linux.devices\[0\]|/dev/null" '.linux.devices = [{"path": "/dev/null", "type": "c", "major": 1, "minor": 5}, {"path": "/dev/null", "type": "c", "major": 1, "minor": 3}]'
# Item 138
runs 'two of the same numbers' fine '.linux.devices = [{"path": "/dev/a", "type": "c", "major": 1, "minor": 3}, {"path": "/dev/b", "type": "c", "major": 1, "minor": 3}]' -- sh -c 'echo >/dev/a && echo >/dev/b && echo fine'

# --- who may use them: items 148, 149, 150 ---
tun='{"path": "/dev/tun", "type": "c", "major": 10, "minor": 200}, {"path": "/dev/hwrng", "type": "c", "major": 10, "minor": 183}, {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}'
use='for d in null zero hwrng tun fuse; do ( : <>/dev/$d ) 2>&1 | grep -q "not permitted" && echo $d:no || echo $d:yes; done; mknod /dev/new c 1 3 2>/dev/null && echo mknod:yes || echo mknod:no'
mknod='.process.capabilities |= map_values(. + ["CAP_MKNOD"])'
runs 'nothing said: the harmless ones, tun, and mknod' 'null:yes zero:yes hwrng:no tun:yes fuse:no mknod:yes' ".linux.devices = [$tun]" "$mknod" '.linux.resources.devices = [{"allow": false, "access": "rwm"}]' -- sh -c "$use"
runs 'one is allowed' 'null:yes zero:yes hwrng:no tun:yes fuse:yes mknod:yes' ".linux.devices = [$tun]" "$mknod" '.linux.resources.devices = [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}]' -- sh -c "$use"
runs 'a later rule wins' 'null:yes zero:yes hwrng:no tun:yes fuse:no mknod:yes' ".linux.devices = [$tun]" "$mknod" \
	'.linux.resources.devices = [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}, {"allow": false, "type": "c", "major": 10, "minor": 229, "access": "rw"}]' -- sh -c "$use"
runs 'everything' 'null:yes zero:yes hwrng:yes tun:yes fuse:yes mknod:yes' ".linux.devices = [$tun]" "$mknod" '.linux.resources.devices = [{"allow": true, "access": "rwm"}]' -- sh -c "$use"
for rule in '"access": ""' '"access": "xyz"' '"type": "q", "access": "r"' '"type": "p", "access": "r"' '"major": -2, "access": "r"' '"major": "1", "access": "r"'; do
	refused "a rule with $rule" 'config.json: linux.resources.devices\[0\]' ".linux.resources.devices = [{\"allow\": true, $rule}]"
done
refused 'a rule without allow' 'config.json: linux.resources.devices\[0\].allow: ' '.linux.resources.devices = [{"access": "r"}]'
