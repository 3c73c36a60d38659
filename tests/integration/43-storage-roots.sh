#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Roots that holm makes: a layer of the container's own over root.path, an image file, or layers.
# File systems are mounted here: in a mount namespace of the test's own.
if [ "$(id -u)" -eq 0 ] && [ -z "${HOLM_TEST_NAMESPACE:-}" ]; then
	HOLM_TEST_NAMESPACE=1 exec unshare --mount --propagation private "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/storage.sh"

is_holm || skip_all 'about holm alone'
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'

# --- a layer over root.path ---------------------------------------------------------------------------------------------

storage_bundle '.holm.storage.volatile = true' -- sh -c 'echo new >/new; rm /bin/awk; mkdir /etc/sub; mv /etc/group /etc/sub; cat /new; ls /etc/sub'
is 'what is written is there' "$(holm run "$id")" $'new\ngroup'
is 'and not in the folder below' "$(ls -d "$rootfs"/new "$rootfs/bin/awk" "$rootfs/etc/group" 2>/dev/null)" \
	"$rootfs/bin/awk"$'\n'"$rootfs/etc/group"
is 'nothing of it stays' "$(ls "$data/instances")" ''

storage_bundle '.holm.storage.volatile = true' -- sleep 100
run_detached
is 'while it runs it has a folder' "$(ls "$data/instances")" "$id"
is 'that is its own alone' "$(stat -c %a "$data/instances/$id")" 700
fact 'root.json says what lies below' "$(cat "$data/instances/$id/root.json")" .folder "$rootfs"
holm exec "$id" sh -c 'echo x >/in-upper'
is 'the upper folder has what it writes' "$(cat "$data/instances/$id/upper/in-upper")" x
refuses 'a second one of that name is refused' 'exists' holm run "$id"
holm delete --force "$id"
is 'delete removes it' "$(ls "$data/instances")" ''

storage_bundle '.holm.storage.volatile = true' -- sh -c 'echo started >/f; cat /f'
create && is 'made by create' "$(ls "$data/instances")" "$id"
check 'and started' holm start "$id"
wait_status stopped
holm delete "$id"
is 'gone after delete' "$(ls "$data/instances")" ''

storage_bundle '.holm.storage.volatile = true' '.process.args = ["/no/such/program"]'
refuses 'a start that fails' 'no such' holm run "$id"
is 'leaves nothing' "$(ls "$data/instances")" ''

storage_bundle '.holm.storage.volatile = true'
refuses 'nobody would find the root of an id with a dot' "'.hidden' of a container begins with a dot" holm run .hidden
is 'and it leaves nothing' "$(ls -A "$data/instances")" ''

# --- an instance's own bundle ----------------------------------------------------------------------------------------------

storage_bundle '.holm.storage.volatile = true' -- sh -c 'echo -n x >>/kept; cat /kept'
mkdir -m 700 "$data/instances/$id"
cp "$bundle/config.json" "$data/instances/$id/"
bundle=$data/instances/$id
is 'a bundle among the instances' "$(holm run "$id")" x
is 'keeps its root' "$(holm run "$id")" xx
is 'also after delete' "$(cat "$bundle/upper/kept")" xx
jq '.boot = "00000000-0000-0000-0000-000000000000"' "$bundle/root.json" >"$work/r" && cp "$work/r" "$bundle/root.json"
is 'what was not flushed before a crash of the host is thrown away' "$(holm run "$id")" x
config 'del(.holm.storage.volatile)'
is 'what was flushed since is kept' "$(holm run "$id")" xx
storage_bundle '.holm.storage.volatile = true' -- true
mkdir -m 700 "$data/instances/$id" && touch "$data/instances/$id/config.json"
refuses 'the name of an instance is refused to other bundles' "is the name of an instance" holm run "$id"
check 'which stays' test -e "$data/instances/$id/config.json"
rm -r "${data:?}/instances"/*

# --- read-only -------------------------------------------------------------------------------------------------------------

empty=$work/empty
mkdir -p "$empty/bin" && cp "$rootfs/bin/busybox" "$empty/bin/busybox" && ln -s busybox "$empty/bin/sh"
storage_bundle '.holm.storage.volatile = true | .root.readonly = true | .root.path = $empty' -- \
	sh -c 'busybox touch /x; echo $?; busybox ls -d /proc /sys; busybox sleep 100'
run_detached
wait_for 10 grep -q /sys "$work/$id.out"
is 'a read-only root has folders for its mounts' "$(cat "$work/$id.out")" \
	$'touch: /x: Read-only file system\n1\n/proc\n/sys'
is 'made in memory' "$(ls "$data/instances/$id/upper" "$empty")" \
	"$(printf '%s:\n\n%s:\nbin' "$data/instances/$id/upper" "$empty")"
holm delete --force "$id"

# --- user namespaces ---------------------------------------------------------------------------------------------------------

user_namespace='.linux.namespaces += [{"type": "user"}]
	| .linux.uidMappings = [{"containerID": 0, "hostID": $base, "size": 65536}]
	| .linux.gidMappings = [{"containerID": 0, "hostID": $base, "size": 65536}]
	| .process.capabilities[] += ["CAP_CHOWN"]'
for base in 100000 300000; do
	storage_bundle --argjson base $base '.holm.storage.volatile = true' "$user_namespace" -- \
		sh -c 'stat -c %u:%g / /bin/busybox /etc/passwd; echo x >>/etc/group; touch /new; chown 5:6 /new; stat -c %u:%g /new; sleep 100'
	run_detached
	wait_for 10 grep -q 5:6 "$work/$id.out"
	is "ids from $base: all below belongs to its root" "$(cat "$work/$id.out")" $'0:0\n0:0\n0:0\n5:6'
	is "ids from $base: on the disk they are the container's" \
		"$(stat -c %u:%g "$data/instances/$id"/upper/{,new,etc/group})" $'0:0\n5:6\n0:0'
	is "ids from $base: the process has the host's" "$(stat -c %u "/proc/$(pid_of)")" "$base"
	holm delete --force "$id"
done
is 'the folder below is as it was' "$(stat -c %u "$rootfs/bin/busybox"; tail -n 1 "$rootfs/etc/group")" $'0\nuser:x:1000:'
storage_bundle --argjson base 100000 '.holm.storage.volatile = true | .root.readonly = true | .root.path = $empty' \
	"$user_namespace" -- sh -c 'busybox stat -c %u /bin /proc/self/stat; busybox touch /x'
like 'read-only in a user namespace' "$(holm run "$id" 2>&1)" $'^0\n0\ntouch: /x: Read-only'

# --- limits: what a container may not do to keep out of them (43-storage-quota.sh sees that it matters) -----------------------------

before=$data data=$work/data-to-be
for filter in . "$user_namespace"; do
	storage_bundle --argjson base 100000 '.holm.storage.volatile = true' "$filter" -- sh -c 'probe leave /etc; sleep 1000'
	run_detached
	wait_for 10 grep -q call "$work/$id.out"
	is 'project ids stay, whatever the file system will be' "$(cat "$work/$id.out"; holm exec "$id" probe leave /bin)" \
		"$(for i in 1 2; do printf 'open done\nextended EOPNOTSUPP\nnone EOPNOTSUPP\nflags EOPNOTSUPP\nhigh EOPNOTSUPP\ncall ENOSYS\n'; done)"
	holm delete --force "$id"
	rm -rf "$data"
done
data=$before

# --- limits: a file system in a file -------------------------------------------------------------------------------------------

full='dd if=/dev/zero of=/big bs=64k count=2000 2>&1 | grep -o "No space left on device"; df -k / | tail -n 1'
if [ "$("$HOLM" --data "$data" check --json | jq -r '.[] | select(.what == "holm.storage.size") | .detail')" = 'project quotas of the file system' ]; then
	skip 'a file system in a file' 'this data folder has project quotas'
elif [ ! -e /dev/loop-control ]; then
	skip 'a file system in a file' 'no loop devices'
else
	before=$(loops)
	storage_bundle '.holm.storage.size = "48M"' -- sh -c "$full"
	said=$(holm run "$id")
	like 'a full disk is full' "$said" 'No space left on device'
	read -r _ size _ <<<"$(tail -n 1 <<<"$said")"
	check 'df shows the limit' test "$size" -gt 30000 -a "$size" -le 49152
	is 'its loop device is gone' "$(loops)" "$before"
	storage_bundle --argjson base 100000 '.holm.storage.size = "48M" | .holm.storage.inodes = 1000' "$user_namespace" -- \
		sh -c 'i=0; while [ $i -lt 3000 ] && touch /f$i 2>/dev/null; do i=$((i + 1)); done; [ $i -gt 500 ] && [ $i -lt 1600 ] && echo limited'
	is 'files are limited too, also in a user namespace' "$(holm run "$id")" limited
	storage_bundle '.holm.storage.inodes = 1000' -- true
	refuses 'a limit of files alone is refused there' 'a limit of files needs one of bytes too' holm run "$id"
fi

# --- where the kernel's overlay can't be ---------------------------------------------------------------------------------------------

if [ -x /usr/bin/fuse-overlayfs ] && [ -w /dev/fuse ]; then
	mkdir "$work"/{fl,fu,fw,fm} && mount -t overlay overlay -o "lowerdir=$work/fl,upperdir=$work/fu,workdir=$work/fw" "$work/fm"
	before=$data data=$work/fm/data
	storage_bundle '.holm.storage.volatile = true' -- \
		sh -c 'echo new >/new; cat /new; rm /bin/awk; ls /bin | grep -c "^awk"; grep -o "^fuse-overlayfs / fuse" /proc/mounts'
	said=$(holm run "$id" 2>"$work/said")
	is 'fuse-overlayfs takes over' "$said" $'new\n0\nfuse-overlayfs / fuse'
	like 'which is said' "$(cat "$work/said")" 'fuse-overlayfs is used, which is slower'
	check 'and ends with the container' wait_for 10 eval "! pgrep -f '^fuse-overlayfs .*-o lowerdir'"
	is 'nothing of it is left' "$(ls -A "$data/instances")" ''
	data=$before
	umount -l "$work/fm"
else
	skip 'fuse-overlayfs takes over' 'it is not installed'
fi

# --- image files -----------------------------------------------------------------------------------------------------------------

# file_case TYPE COMMAND...: the root as one file
file_case() {
	local type=$1 file=$work/root.$1 before first
	shift
	command -v "$1" >/dev/null || { skip "a root of $type" "there is no $1"; return; }
	grep -qw "$type" /proc/filesystems || modprobe -q "$type" || { skip "a root of $type" 'the kernel has none'; return; }
	"$@" >"$work/said" 2>&1 || { not_ok "$*" "$(cat "$work/said")"; return; }
	before=$(loops)
	storage_bundle --arg file "$file" '.holm.image = $file | del(.root.path)' -- sh -c 'echo x >/new; cat /new /etc/group; sleep 100'
	run_detached
	first=$id
	wait_for 10 grep -q user "$work/$id.out"
	is "$type: the root is the file's" "$(cat "$work/$id.out")" $'x\nroot:x:0:\nuser:x:1000:'
	storage_bundle --arg file "$file" --argjson base 100000 '.holm.image = $file | del(.root.path)' "$user_namespace" -- \
		sh -c 'stat -c %u /bin/busybox; echo x >>/etc/group && tail -n 1 /etc/group; sleep 100'
	run_detached
	wait_for 10 grep -q x "$work/$id.out"
	is "$type: mapped for a user namespace" "$(cat "$work/$id.out")" $'0\nx'
	is "$type: both on one loop device" "$(($(loops | wc -w) - $(wc -w <<<"$before")))" 1
	holm delete --force "$id"
	holm delete --force "$first"
	is "$type: which goes with the last" "$(loops)" "$before"
}

make_root "$rootfs"2
file_case squashfs mksquashfs "$rootfs" "$work/root.squashfs" -quiet -no-progress
file_case erofs mkfs.erofs "$work/root.erofs" "$rootfs"
rm -rf "$rootfs"2
storage_bundle --arg file "$rootfs/etc/passwd" '.holm.image = $file'
refuses 'another file is refused' 'neither a squashfs nor an erofs image' holm run "$id"

# --- layers of an image ------------------------------------------------------------------------------------------------------------

# many_layers N: the image layers:N, its first layer $rootfs, each further one with a file of its own and one that all have
many_layers() {
	python3 - "$1" "$rootfs" "$work/image.tar" <<'END'
import hashlib, io, json, sys, tarfile

def tar(fill):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        fill(t)
    return out.getvalue()

def put(t, name, data, mode=0o644):
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    t.addfile(info, io.BytesIO(data))

n = int(sys.argv[1])
layers = [tar(lambda t: t.add(sys.argv[2], ".", filter=lambda i: i if i.isfile() or i.isdir() or i.issym() or i.islnk() else None))]
for i in range(1, n):
    layers.append(tar(lambda t: (put(t, f"own{i}", b"%d\n" % i), put(t, "all", b"%d\n" % i),
                                 put(t, f".wh.own{i - 2}", b"") if i % 10 == 0 else None)))
ids = [hashlib.sha256(l).hexdigest() for l in layers]
arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(__import__("os").uname().machine, "amd64")
config = json.dumps({"os": "linux", "architecture": arch, "config": {},
                     "rootfs": {"type": "layers", "diff_ids": ["sha256:" + i for i in ids]}}).encode()
manifest = json.dumps([{"Config": "config.json", "RepoTags": [f"layers:{n}"], "Layers": [f"{i}.tar" for i in range(n)]}]).encode()
with open(sys.argv[3], "wb") as out:
    out.write(tar(lambda t: [put(t, "config.json", config), put(t, "manifest.json", manifest)] +
                  [put(t, f"{i}.tar", l) for i, l in enumerate(layers)]))
END
	holm image import --quiet "$work/image.tar" >"$work/said" 2>&1 || not_ok "import of $1 layers" "$(cat "$work/said")"
}

for n in 1 10 500; do
	many_layers $n
	storage_bundle --arg image "layers:$n" '.holm.image = $image | del(.root.path)' -- \
		sh -c 'cat /all 2>/dev/null; ls / | grep -c own; rm -f /own1; echo x >/own3; ls -d /own1 2>/dev/null; cat /own3'
	is "$n layers" "$(holm run "$id")" "$( ((n > 1)) && echo $((n - 1)); echo $((n - 1 - (n - 1) / 10)); echo x)"
	storage_bundle --argjson base 100000 --arg image "layers:$n" '.holm.image = $image | del(.root.path)' "$user_namespace" -- \
		sh -c 'stat -c %u /bin/busybox /etc/passwd | uniq; echo x >/etc/passwd; touch /n; stat -c %u /n'
	is "$n layers in a user namespace" "$(holm run "$id")" $'0\n0'
done
# The same without what was merged of them.
mv "$data/merged" "$data/merged.away"
storage_bundle '.holm.image = "layers:500" | del(.root.path)' -- sh -c 'ls / | grep -c own; cat /own499'
is '500 layers, none merged' "$(holm run "$id")" $'450\n499'
mv "$data/merged.away" "$data/merged"
many_layers 501
storage_bundle '.holm.image = "layers:501" | del(.root.path)' -- sh -c 'ls / | grep -c own'
is '501 layers, merged' "$(holm run "$id")" 450
rm -r "$data/merged"
refuses 'more layers than the kernel takes' '501 layers: overlayfs takes at most 500' holm run "$id"
storage_bundle '.holm.image = "layers:10" | .root.readonly = true | del(.root.path)' -- sh -c 'touch /x; cat /all'
is 'a read-only image' "$(holm run "$id" 2>&1)" $'touch: /x: Read-only file system\n9'
storage_bundle '.holm.image = "layers:10"' -- sleep 100
run_detached
refuses 'an image that is used stays' "is used by .*$id" holm image remove layers:10
fact 'what is shared' "$(holm storage -f json)" '[(.instances[0].sharedBytes > 0), .sharedLayers, .savedBytes]' '[true,10,0]'
first=$id
storage_bundle '.holm.image = "layers:10"' -- sleep 100
run_detached
fact 'and what sharing saves' "$(holm storage -f json)" '.savedBytes == .sharedBytes and .seenBytes == 2 * .sharedBytes'
like 'as a table' "$(holm storage)" "saved by sharing: [0-9.]+ [KMG]iB"
is 'or of some only' "$(holm storage -f json "$first" | jq -r '.instances[].name')" "$first"
holm delete --force "$id"
holm delete --force "$first"
storage_bundle '.holm.image = "layers:7" | del(.root.path)' -- true
refuses 'no such image' "layers:7" holm run "$id"
is 'leaves nothing' "$(ls -A "$data/instances")" ''
check 'an image that is not used goes' holm image remove layers:10

# --- instances ------------------------------------------------------------------------------------------------------------------------

name=$prefix-inst
holm launch --name "$name" --network none --size 48M layers:1 sleep 1000 >"$work/said" 2>&1 || not_ok launch "$(cat "$work/said")"
holm exec "$name" sh -c 'echo mine >/mine'
like 'an instance has its limit' "$(holm storage "$name")" "$name .* 48 MiB .* layers:1"
if (((0x$(awk '/CapEff/ { print $2 }' /proc/self/status) >> 24) & 1)) && [ "$(holm storage -f json "$name" | jq -r '.instances[0].limitsBy')" = disk ]; then
	before=$(holm exec "$name" df -k / | awk 'END { print $2 }')
	check 'which grows while it runs' holm storage --size 80M "$name"
	check 'as it sees' test "$(holm exec "$name" df -k / | awk 'END { print $2 }')" -gt $((before + 20000))
	is 'and in its configuration' "$(jq -r .holm.storage.size "$data/instances/$name/config.json")" 83886080
	refuses 'but does not shrink' 'only grows' holm storage --size 50M "$name"
elif [ "$(holm storage -f json "$name" | jq -r '.instances[0].limitsBy')" = disk ]; then
	refuses 'growing needs CAP_SYS_RESOURCE' CAP_SYS_RESOURCE holm storage --size 80M "$name"
	is 'the limit is as it was' "$(stat -c %s "$data/instances/$name/disk.img"; jq .size "$data/instances/$name/root.json")" $'50331648\n50331648'
	skip 'a limit grows while it runs' 'no CAP_SYS_RESOURCE'
fi
check 'a volume is attached' holm volume attach "$name" vol:/vol
holm exec "$name" sh -c 'echo kept >/vol/file'
holm restart --timeout 0 "$name" >/dev/null 2>&1 || holm restart "$name" >/dev/null 2>&1
is 'and there after a restart, with all the rest' "$(holm exec "$name" cat /vol/file /mine)" $'kept\nmine'
refuses 'a volume that an instance has stays' "is used by '$name'" holm volume remove vol
check 'detached' holm volume detach "$name" /vol
is 'it is not in its configuration' "$(grep -c volumes/vol "$data/instances/$name/config.json")" 0
check 'and can be removed' holm volume remove vol
holm remove --force "$name" >/dev/null 2>&1
is 'all of it is gone' "$(ls -A "$data/instances"; loops)" ''

# --- hostile content --------------------------------------------------------------------------------------------------------------

canary=$work/canary
mkdir -p "$canary" && echo untouched >"$canary/file"
digest() { find "$canary" -printf '%p %m %U %y %s\n' | sort | sha256sum; cat "$canary/file"; }
before=$(digest)
hostile=$work/hostile
for link in dev proc sys tmp etc; do
	rm -rf "$hostile" && mkdir -p "$hostile/bin" && cp "$rootfs/bin/busybox" "$hostile/bin/" && ln -s busybox "$hostile/bin/sh"
	ln -s "$canary" "$hostile/$link"
	storage_bundle '.holm.storage.volatile = true | .root.path = $hostile' --arg hostile "$hostile" -- true
	holm run "$id" >/dev/null 2>&1
	is "a layer whose /$link leads out changes nothing there" "$(digest)" "$before"
done
# An instance that has filled its upper with all that could mislead whoever reads or removes it.
storage_bundle '.holm.storage.volatile = true | .process.capabilities[] += ["CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_SYS_CHROOT"]' \
	--arg canary "$canary" -- sh -c "cd /; ln -s $canary link; ln -s $canary upper; ln -s $canary/file root.json; mkdir -p deep/a/b
	mkfifo fifo; chmod 0 deep; i=0; mkdir tree; cd tree; while [ \$i -lt 120 ]; do mkdir d\$i; cd d\$i; i=\$((i + 1)); done; rm -rf /bin/awk /etc/sub
	ln /etc/passwd /hard; chmod 777 /; sleep 100"
run_detached
wait_for 10 test -e "$data/instances/$id/upper/hard"
check 'its use can be measured' "$HOLM" --data "$data" storage
check 'it can be removed' holm delete --force "$id"
is 'and leads nowhere else' "$(digest)" "$before"
is 'nothing of it is left' "$(ls -A "$data/instances")" ''

# --- an ordinary user ---------------------------------------------------------------------------------------------------------------

user=12345
as_user() {
	env -i PATH="$PATH" XDG_RUNTIME_DIR="$work/user" HOME="$work/user" setpriv --reuid=$user --regid=$user --clear-groups "$@"
}
mkdir -p "$work/user/bundle" && cp -a "$rootfs" "$work/user/bundle/rootfs"
storage_bundle '.holm.storage.volatile = true | .root.path = "rootfs" | .linux.namespaces += [{"type": "user"}]
	| .linux.uidMappings = [{"containerID": 0, "hostID": 12345, "size": 1}]
	| .linux.gidMappings = [{"containerID": 0, "hostID": 12345, "size": 1}]
	| (.mounts[] | select(.destination == "/dev/pts") | .options) -= ["gid=5"]' -- \
	sh -c 'echo x >/new; rm /bin/awk; rm -r /home; mkdir /home; chmod 0 /home; cat /new; mkdir -p /a/b; chmod 500 /a; grep -o userxattr /proc/mounts'
cp "$bundle/config.json" "$work/user/bundle/"
chown -R $user:$user "$work/user"
cp "$HOLM" "$work/holm"
is 'by an ordinary user' "$(as_user "$work/holm" run --bundle "$work/user/bundle" "$id" 2>&1)" $'x\nuserxattr'
is 'nothing of it is left there either' "$(ls -A "$work/user/.local/share/holm/instances")" ''
check 'below all is as it was' test -e "$work/user/bundle/rootfs/bin/awk" -a -d "$work/user/bundle/rootfs/home"
jq '.holm.storage.size = "10M"' "$bundle/config.json" >"$work/user/bundle/config.json"
refuses 'a limit is refused' 'limits on what is written need root' as_user "$work/holm" run --bundle "$work/user/bundle" "$id"
