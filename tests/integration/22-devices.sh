#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# /dev: what is always there, linux.devices, and what may be opened.
# where: host bare
. "$(dirname "$0")/lib.sh"

bundle
text=$(probe_run devices)
for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
	IFS=: read -r name major minor <<<"$device"
	fact "/dev/$name" "$text" ".devices[\"/dev/$name\"] | [.type, .mode, .major, .minor, .uid, .gid]" "[\"c\",\"0666\",$major,$minor,0,0]"
done
for link in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 stderr:/proc/self/fd/2 ptmx:pts/ptmx; do
	fact "/dev/${link%:*}" "$text" ".devices[\"/dev/${link%:*}\"] | [.type, (.target | sub(\"^/dev/\"; \"\"))]" "[\"l\",\"${link#*:}\"]"
done
fact 'nothing else' "$text" '[.devices | keys[] | select(test("^/dev/[^/]*$")) | sub("/dev/"; "")] - ["core"] | sort' \
	'["fd","full","mqueue","null","ptmx","pts","random","shm","stderr","stdin","stdout","tty","urandom","zero"]'

bundle '.linux.devices = [
	{"type": "c", "path": "/dev/fuse", "major": 10, "minor": 229, "fileMode": 438, "uid": 3, "gid": 4},
	{"type": "b", "path": "/dev/disks/one", "major": 7, "minor": 0, "fileMode": 384},
	{"type": "p", "path": "/run/fifo", "fileMode": 420},
	{"type": "u", "path": "/dev/plain", "major": 1, "minor": 3},
	{"type": "c", "path": "/dev/null", "major": 1, "minor": 3}]' -- \
	sh -c 'stat -c "%F %a %t:%T %u:%g" /dev/fuse /dev/disks/one /run/fifo /dev/plain /dev/null'
is 'linux.devices' "$(holm run "$id")" "character special file 666 a:e5 3:4
block special file 600 7:0 0:0
fifo 644 0:0 0:0
character special file 666 1:3 0:0
character special file 666 1:3 0:0"

bundle '.linux.devices = [{"type": "x", "path": "/dev/strange", "major": 1, "minor": 3}]'
refuses 'an unknown type' 'devices|type' holm run "$id"
bundle '.linux.devices = [{"type": "c", "path": "/file", "major": 1, "minor": 3}]'
own_root
touch "$root/file"
! is_holm || refuses 'a path where something else is' '/file' holm run "$id"

# What may be opened.  With the capability to make nodes, so that only the device rules are in the way; the device is one
# that asks for no capability by itself.
tmp='.mounts += [{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]'
mknod='.process.capabilities[] += ["CAP_MKNOD"]'
for device in /dev/fuse /dev/loop-control /dev/vhost-net /dev/net/tun; do [ ! -c $device ] || break; done
major=$((0x$(stat -c %t $device))) minor=$((0x$(stat -c %T $device)))
script="mknod /tmp/zero c 1 5; mknod /tmp/other c $major $minor
	for f in zero other; do (: </tmp/\$f) 2>/dev/null && echo \$f yes || echo \$f no; done
	(: >>/tmp/other) 2>/dev/null && echo write yes || echo write no"
bundle "$mknod" "$tmp" '.linux.resources.devices = [{"allow": false, "access": "rwm"}]' -- sh -c "$script"
is 'denied by default: all but the harmless' "$(holm run "$id" 2>&1 | xargs)" 'zero yes other no write no'
bundle "$mknod" "$tmp" '.linux.resources.devices = [{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": '$major', "minor": '$minor', "access": "r"}]' -- sh -c "$script"
is 'one allowed, for reading' "$(holm run "$id" 2>&1 | xargs)" 'zero yes other yes write no'
bundle "$mknod" "$tmp" '.linux.resources.devices = [{"allow": true, "access": "rwm"}, {"allow": false, "type": "c", "major": '$major', "access": "w"}]' -- sh -c "$script"
# v1 cannot say that: then the refusal has to
like 'all allowed but writing to one' "$(holm run "$id" 2>&1 | xargs)" "^zero yes other yes write no$|controller .devices. .cgroup v1"
if is_holm; then
	for bad in '{"allow": true, "type": "q", "access": "r"}' '{"allow": true, "type": "c", "access": "rwxz"}' '{"allow": true, "type": "c", "access": ""}'; do
		bundle ".linux.resources.devices = [$bad]"
		refuses "device rule $bad" 'devices' holm run "$id"
	done
fi
