#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Limits by project quotas, on an ext4 and an XFS of the test's own: containers, instances, volumes, snapshots; and payloads that try to
# leave them.
# where: host bare
# timeout: 300
if [ "$(id -u)" -eq 0 ] && [ -z "${HOLM_TEST_NAMESPACE:-}" ]; then
	HOLM_TEST_NAMESPACE=1 exec unshare --mount --propagation private "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/storage.sh"

is_holm || skip_all 'about holm alone'
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'

user_namespace='.linux.namespaces += [{"type": "user"}]
	| .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
	| .linux.gidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
	| .process.capabilities[] += ["CAP_CHOWN"]'
full='dd if=/dev/zero of=/big bs=64k count=1000 2>&1 | grep -o "$said"; df -k / | tail -n 1'
many='i=0; while [ $i -lt 300 ] && touch /f$i 2>/dev/null; do i=$((i + 1)); done; [ $i -gt 5 ] && [ $i -le 100 ] && echo limited'
make_root "$rootfs"
mkdir "$rootfs/srv"

# What an instance's upper holds, as its file system counts it.
own_bytes() { holm storage -f json "$1" | jq ".instances[0].ownBytes"; }
project_of() { lsattr -pd "$1" | awk '{ print $1 }'; }

# The lines that the probe says of a file or folder of which nothing was changed.
refused=$'open done\nextended EOPNOTSUPP\nnone EOPNOTSUPP\nflags EOPNOTSUPP\nhigh EOPNOTSUPP\ncall ENOSYS'

# containers TYPE: bundles of anybody's
containers() {
	local type=$1
	storage_bundle '.holm.storage.size = "20M" | .holm.storage.inodes = 100' -- sh -c "said='$message'; $full; rm /big; $many"
	like "$type: bytes and files are limited, and df shows it" "$(holm run "$id" 2>&1)" "$message"$'\n.* 20480 .*\nlimited$'
	is "$type: the host is not full" "$(dd if=/dev/zero of="$mount/host" bs=1M count=50 2>&1 | tail -n 1 | cut -d' ' -f1)" 52428800
	is "$type: the project id is given back" "$(ls "$data/projects")" ''
	storage_bundle '.holm.storage.size = "20M"' "$user_namespace" -- sh -c "said='$message'; $full"
	like "$type: in a user namespace too" "$(holm run "$id" 2>&1)" "$message"$'\n.* 20480 '
	storage_bundle '.holm.storage.volatile = true' -- sh -c 'dd if=/dev/zero of=/big bs=1M count=3 2>/dev/null; sync; sleep 1000'
	run_detached
	wait_for 20 eval '[ "$(own_bytes "$id")" -ge 3145728 ]'
	fact "$type: use is counted also without a limit" "$(holm storage -f json)" \
		'.instances[0] | .counted and .ownBytes >= 3145728 and .ownBytes < 4000000 and .ownFiles < 20'
	holm delete --force "$id"
}

# escapes TYPE: what would take files out of the quota, by the container's root, with and without a user namespace, in a new process too
escapes() {
	local type=$1 name filter
	for name in 'no user namespace' 'a user namespace'; do
		filter=.
		[ "$name" = 'no user namespace' ] || filter=$user_namespace
		storage_bundle '.holm.storage.size = "20M"' "$filter" -- \
			sh -c 'mkdir /own; for f in /own /srv /etc/passwd /; do probe leave $f >/tmp/said; sort -u /tmp/said; done; sleep 1000'
		run_detached
		wait_for 20 eval '[ "$(grep -c ^call "$work/$id.out")" = 4 ]'
		is "$type, $name: project ids stay" "$(uniq "$work/$id.out" | sort -u)" "$(sort <<<"$refused")"
		is "$type, $name: nor by exec" "$(holm exec "$id" probe leave /srv)" "$refused"
		holm exec "$id" sh -c 'echo x >/srv/x; echo x >>/etc/passwd; mkdir -p /srv/a/b; mv /bin/awk /srv/a; ln /srv/x /own/x'
		is "$type, $name: everything has the instance's" "$(cd "$data/instances/$id/upper" && find . -print0 | xargs -0 -n 1 lsattr -pd 2>/dev/null | awk '{ print $1 }' | sort -u)" \
			"$(ls "$data/projects")"
		holm delete --force "$id"
	done
	storage_bundle '.holm.storage.size = "20M" | .process.capabilities[] += ["CAP_SYS_ADMIN"]' -- probe leave /srv
	like "$type: CAP_SYS_ADMIN of the host is not kept from it" "$(holm run "$id")" 'flags done'
}

# instances TYPE: limits that change while it runs
instances() {
	local type=$1 name=$prefix-$1
	holm launch --name "$name" --network none --rootfs "$rootfs" --size 20M --inodes 500 sleep 10000 >"$work/said" 2>&1 ||
		not_ok "$type: launch" "$(cat "$work/said")"
	size_inside() { holm exec "$name" df -k / | awk 'END { print $2 }'; }
	fill() { holm exec "$name" sh -c "dd if=/dev/zero of=/big bs=1M count=$1 2>/dev/null; wc -c </big"; }
	is "$type: an instance has its limit" "$(size_inside)" 20480
	like "$type: and is full" "$(holm exec "$name" dd if=/dev/zero of=/big bs=1M count=30 2>&1)" "$message"
	check "$type: the limit grows while it runs" holm storage --size 40M "$name"
	is "$type: as it sees" "$(size_inside)" 40960
	is "$type: at once" "$(fill 30)" 31457280
	is "$type: also in its configuration" "$(jq -r .holm.storage.size "$data/instances/$name/config.json")" $((40 << 20))
	check "$type: it shrinks below what is used" holm storage --size 25M "$name"
	like "$type: then nothing can be written" "$(holm exec "$name" dd if=/dev/zero of=/more bs=1M count=1 2>&1)" "$message"
	is "$type: what was written can be read" "$(holm exec "$name" sh -c 'wc -c </big')" 31457280
	holm exec "$name" rm -f /big /more
	is "$type: and when some of it is gone, written" "$(fill 20)" 20971520
	check "$type: the limit of files changes too" holm storage --inodes 60 "$name"
	is "$type: files are limited" "$(holm exec "$name" sh -c "$many")" limited
	check "$type: no limit any more" holm storage --size 0 --inodes 0 "$name"
	is "$type: is none" "$(fill 50)" 52428800
	check "$type: and one again" holm storage --size 60M "$name"
	is "$type: seen after a restart" "$(holm restart --timeout 0 "$name" >/dev/null; size_inside)" 61440
	holm stop --timeout 0 "$name" >/dev/null
	check "$type: a stopped one changes too" holm storage --size 70M "$name"
	check "$type: a snapshot" holm snapshot create "$name" one
	check "$type: a clone" holm clone --start "$name" "$name-clone"
	is "$type: has what was written, and the limit" "$(holm exec "$name-clone" sh -c 'wc -c </big; df -k / | tail -n 1' | awk '{ print (NF > 1) ? $2 : $1 }')" $'52428800\n71680'
	isnt "$type: and a project id of its own" "$(jq .project "$data/instances/$name-clone/root.json")" "$(jq .project "$data/instances/$name/root.json")"
	holm start "$name"
	holm exec "$name" sh -c 'rm /big; echo later >/later'
	check "$type: a snapshot while it runs" holm snapshot create "$name" two
	check "$type: back to the first" holm snapshot restore --restart "$name" one
	wait_for 20 eval '[ "$(holm exec "$name" sh -c "wc -c </big; ls /later 2>/dev/null")" = 52428800 ]'
	is "$type: with its limit" "$(size_inside)" 71680
	holm remove --force "$name" "$name-clone"
	is "$type: project ids are given back" "$(ls "$data/projects"; ls -A "$data/instances" "$data/pushes" | grep -v :)" ''
}

# volumes TYPE
volumes() {
	local type=$1 volume=$data/volumes/small/data
	check "$type: a volume with limits" holm volume create small --size 5M --inodes 50
	storage_bundle --arg volume "$volume" '.holm.storage.size = "20M"' \
		'.mounts += [{"destination": "/v", "type": "bind", "source": $volume, "options": ["rbind", "nosuid", "nodev"]}]' -- \
		sh -c 'dd if=/dev/zero of=/v/big bs=64k count=1000 2>&1 | head -n 1; df -k /v | tail -n 1; rm /v/big; probe leave /v; dd if=/dev/zero of=/big bs=1M count=10 2>/dev/null; wc -c </big'
	like "$type: is full, and df shows it" "$(holm run "$id" 2>&1 | tee "$work/said")" "$message.* 5120 "
	like "$type: without leaving it" "$(cat "$work/said")" "$refused"
	is "$type: nobody else is full" "$(tail -n 1 "$work/said")" 10485760
	check "$type: it goes" holm volume remove small
	is "$type: with its project id" "$(ls "$data/projects")" ''
}

# orphans TYPE: an id that a killed maker claimed
orphans() {
	local type=$1
	: >"$data/projects/1234567"
	holm volume create kept --size 1M
	like "$type: gc finds ids of nobody" "$(holm gc)" '1 project ids'
	is "$type: and no others" "$(ls "$data/projects")" "$(jq .project "$data/volumes/kept/volume.json")"
	: >"$data/projects/1234567"
	is "$type: none while somebody claims one" "$(flock --shared "$data/projects" "$HOLM" --root "$state" --data "$data" gc; ls "$data/projects" | grep -c 1234567)" 1
	holm volume remove kept
}

# quota_case TYPE MESSAGE MAKER...: all of it on a file system of that type; the message is what its full quota says
quota_case() {
	local type=$1 message=$2 disk=$work/$1.img mount=$work/$1 before=$data
	shift 2
	command -v "$1" >/dev/null || { skip "project quotas of $type" "there is no $1"; return; }
	truncate -s 512M "$disk"
	"$@" "$disk" >"$work/said" 2>&1 && mkdir "$mount" && mount -o loop,prjquota "$disk" "$mount" 2>>"$work/said" ||
		{ skip "project quotas of $type" "this kernel can't mount it with them"; return; }
	data=$mount/data
	mkdir -m 700 "$data"
	like "$type: holm check sees them" "$(holm check)" 'holm.storage.size +yes +project quotas'
	containers "$type"
	escapes "$type"
	instances "$type"
	volumes "$type"
	orphans "$type"
	rm -r "$data"
	data=$before
	umount "$mount"
	rm "$disk"
}

quota_case ext4 'Disk quota exceeded' mkfs.ext4 -q -F -O quota,project
quota_case xfs 'No space left on device' mkfs.xfs -q
