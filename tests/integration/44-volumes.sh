#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Volumes, and mounts of containers that run.
# where: host bare
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/storage.sh"

is_holm || skip_all 'about holm alone'
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'

# --- the verb ---------------------------------------------------------------------------------------------------------------

is 'none at first' "$(holm volume list -q)" ''
is 'looking makes no data folder' "$("$HOLM" --data "$work/none" volume list -q; ls -d "$work/none" 2>&1)" \
	"ls: cannot access '$work/none': No such file or directory"
check 'create' holm volume create web --label role=data
refuses 'create it again' "volume 'web' exists" holm volume create web
refuses 'a name that is a path' 'invalid volume name' holm volume create ../web
refuses 'a name that begins with a dot' 'invalid volume name' holm volume create .web
is 'list' "$(holm volume list -q)" web
like 'the table' "$(holm volume list)" $'NAME .*\nweb +[0-9.]+ [KM]iB +- '
fact 'inspect' "$(holm volume inspect web)" '.[0] | [.name, .labels.role, .path, .users]' "[\"web\",\"data\",\"$data/volumes/web/data\",[]]"
is 'its folder' "$(stat -c %a:%u "$data/volumes/web" "$data/volumes/web/data")" $'700:0\n755:0'
refuses 'another one' "there is no volume 'wep'; did you mean 'web'" holm volume inspect wep
refuses 'an unknown command' "did you mean 'list'" holm volume lists
like 'help' "$(holm volume --help)" 'attach +mount a volume or a folder'
is 'prune, only said' "$(holm volume prune --dry-run | head -n 1 | cut -d' ' -f1; holm volume list -q)" $'web\nweb'
check 'prune' holm volume prune
is 'none again' "$(holm volume list -q; ls -A "$data/volumes")" ''
mkdir -p "$data/volumes/.removed-old/data/x"
check 'what a killed removal left is in nobody'"'"'s way' holm volume create old
check 'remove' holm volume remove old
is 'all of it' "$(ls -A "$data/volumes")" ''
makers=()
for i in 1 2 3 4 5 6; do
	holm volume create same 2>/dev/null &
	makers+=($!)
done
wait "${makers[@]}"
is 'several who make the same one' "$(holm volume list -q)" same
holm volume remove same

# --- in containers ------------------------------------------------------------------------------------------------------------

holm volume create shared
volume=$data/volumes/shared/data
bind='.mounts += [{"destination": "/v", "type": "bind", "source": $volume, "options": ["rbind", "nosuid", "nodev", "noexec"]}]'
storage_bundle --arg volume "$volume" "$bind" -- sh -c 'echo one >/v/one; while [ ! -e /v/two ]; do sleep 0.1; done; cat /v/two; grep " /v " /proc/self/mountinfo | cut -d" " -f6'
run_detached
first=$id
storage_bundle --arg volume "$volume" "$bind" -- sh -c 'while [ ! -s /v/one ]; do sleep 0.1; done; cat /v/one; echo two >/v/two.new; mv /v/two.new /v/two'
is 'two containers on one volume' "$(holm run "$id")" one
wait_status stopped "$first"
is 'both ways, with its options' "$(sed 's/,noatime/,relatime/' "$work/$first.out")" $'two\nrw,nosuid,nodev,noexec,relatime'
is 'it outlives them' "$(holm delete "$first"; cat "$volume/one")" one

# --- running containers ---------------------------------------------------------------------------------------------------------

bundle -- sleep 1000
run_detached
mounted() { holm exec "${2:-$id}" sh -c "grep \" $1 \" /proc/self/mountinfo | cut -d' ' -f6" | sed 's/,noatime/,relatime/'; } # as the host's file system has it
check 'attach' holm volume attach "$id" shared:/mnt/deep/v:ro,nosuid
is 'it is there at once' "$(holm exec "$id" cat /mnt/deep/v/one)" one
is 'with its options' "$(mounted /mnt/deep/v)" ro,nosuid,relatime
refuses 'read-only' 'Read-only' holm exec "$id" touch /mnt/deep/v/x
fact 'state tells of it' "$(holm state "$id")" '.updates.mounts["/mnt/deep/v"]' "$volume"
refuses 'used: not removed' "volume 'shared' is used by '$id'" holm volume remove shared
check 'nor pruned' holm volume prune
is 'still there' "$(holm volume list -q)" shared
check 'detach' holm volume detach "$id" /mnt/deep/v
is 'gone at once' "$(mounted /mnt/deep/v)" ''
refuses 'detach it again' "nothing is mounted on '/mnt/deep/v'" holm volume detach "$id" /mnt/deep/v
check 'a volume that is not there is made' holm volume attach "$id" fresh:/fresh
is 'and can be written to' "$(holm exec "$id" sh -c 'echo x >/fresh/x; cat /fresh/x'; cat "$data/volumes/fresh/data/x")" $'x\nx'
mkdir "$work/folder" && echo host >"$work/folder/file"
check 'a folder of the host' holm volume attach "$id" "$work/folder:/folder"
is 'is there' "$(holm exec "$id" cat /folder/file)" host
check 'a relative one' env -C "$work" "$HOLM" --root "$state" --data "$data" volume attach "$id" ./folder:/relative
is 'is there too' "$(holm exec "$id" cat /relative/file)" host
check 'a file' holm volume attach "$id" "$work/folder/file:/etc/one-file"
is 'is there as a file' "$(holm exec "$id" cat /etc/one-file)" host
check 'detach the file' holm volume detach "$id" /etc/one-file
refuses 'no such folder' 'No such file|no such file' holm volume attach "$id" /no/such:/x
refuses 'no option of that name' "there is no option 'z'" holm volume attach "$id" shared:/x:z
refuses 'not a mount' 'SOURCE:TARGET' holm volume attach "$id" shared
refuses 'a relative target' 'absolute TARGET' holm volume attach "$id" shared:x
refuses 'nothing on /proc' 'inside /proc' holm volume attach "$id" shared:/proc/sys
refuses 'nothing over the root' "root itself" holm volume attach "$id" shared:/
for target in / /proc /dev /dev/pts /sys; do
	refuses "$target stays" 'the container needs it' holm volume detach "$id" $target
done
refuses 'no such container' 'does not exist' holm volume attach "$id-none" shared:/x
holm pause "$id" 2>/dev/null && {
	check 'a paused one' holm volume attach "$id" shared:/paused
	holm resume "$id"
	is 'has it too' "$(holm exec "$id" cat /paused/one)" one
	check 'detach from the other' holm volume detach "$id" /paused
}
holm delete --force "$id"
refuses 'one that is gone' 'does not exist' holm volume detach "$id" /folder
is 'nothing of it is mounted on the host' "$(grep -c "$work" /proc/self/mountinfo)" 0
create && refuses 'one that was not started' 'has not been started' holm volume attach "$id" shared:/x
holm delete --force "$id" 2>/dev/null

# --- a user namespace ----------------------------------------------------------------------------------------------------------

storage_bundle '.linux.namespaces += [{"type": "user"}] | .holm.storage.volatile = true
	| .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
	| .linux.gidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
	| .process.capabilities[] += ["CAP_CHOWN"]' -- sleep 1000
run_detached
check 'attach in a user namespace, mapped' holm volume attach "$id" shared:/v:idmap
is 'owners are those on the disk' "$(holm exec "$id" sh -c 'stat -c %u /v/one; touch /v/inside; chown 7:8 /v/inside; stat -c %u:%g /v/inside'; stat -c %u:%g "$volume/inside")" \
	$'0\n7:8\n7:8'
check 'detach there' holm volume detach "$id" /v
holm delete --force "$id"

# --- hostile roots -----------------------------------------------------------------------------------------------------------------

canary=$work/canary
mkdir "$canary" && echo untouched >"$canary/file"
own_root_bundle() { bundle -- sleep 1000; own_root; }
own_root_bundle
ln -s "$canary" "$root/out" && ln -s ../../../../../../../..$canary "$root/up" && ln -s /proc/1/root "$root/magic"
ln -s /proc "$root/p" && ln -s loop "$root/loop" && ln -s /nowhere/yet "$root/dangling"
run_detached
before=$(find "$canary" -printf '%p %i %n %m %s\n' | sort)
for target in /out /out/x /up/y; do
	holm volume attach "$id" "$work/folder:$target" >/dev/null 2>&1
	is "a target through a link that leads out ($target) stays inside" "$(find "$canary" -printf '%p %i %n %m %s\n' | sort; grep -c "$canary" /proc/self/mountinfo)" "$before"$'\n0'
done
refuses 'a magic link' 'Too many levels|too many levels' holm volume attach "$id" "$work/folder:/magic/x"
refuses 'a link into /proc' 'leads into /proc' holm volume attach "$id" "$work/folder:/p/sys"
refuses 'a loop' 'oo many' holm volume attach "$id" "$work/folder:/loop/x"
check 'a link that leads nowhere yet is followed inside' holm volume attach "$id" "$work/folder:/dangling"
check 'where it leads' test -d "$root/nowhere/yet"
holm delete --force "$id"
# A payload that swaps the target for a link out, over and over.
own_root_bundle
mkdir "$root/swap" && ln -s "$canary" "$root/swap/link"
config '.process.args = ["sh", "-c", $swap]' --arg swap 'cd /swap; while :; do mkdir -p target; rmdir target 2>/dev/null; mv link target 2>/dev/null; mv target link 2>/dev/null; done'
run_detached
for i in $(seq 30); do
	holm volume attach "$id" "$work/folder:/swap/target/a" >/dev/null 2>&1
	holm volume detach "$id" /swap/target/a >/dev/null 2>&1
done
is 'a race leads nowhere else' "$(find "$canary" -printf '%p %i %n %m %s\n' | sort; grep -c "$canary" /proc/self/mountinfo)" "$before"$'\n0'
holm delete --force "$id"

# --- limits ------------------------------------------------------------------------------------------------------------------------

if "$HOLM" --data "$data" check | grep -q '^holm.storage.size .*yes *project quotas of'; then
	check 'a limit' holm volume create small --size 1M
else
	refuses 'a limit is refused where nothing keeps it' 'needs project quotas' holm volume create small --size 1M
	is 'and nothing is left' "$(ls "$data/volumes")" $'fresh\nshared'
fi
