#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# As an ordinary user: run, exec, delete; with subordinate ids and with a single one.
# where: host bare user
. "$(dirname "$0")/lib.sh"

# In the virtual machine this runs as the user; elsewhere it becomes one: nobody has no subordinate ids.
if [ "$(id -u)" -eq 0 ]; then
	user=65534
	mkdir -p "$work/user/run"
	cp "$HOLM" "$work/user/holm" && chmod 755 "$work/user/holm"
	chown -R $user:$user "$work/user"
	as_user() {
		env -i PATH="$PATH" XDG_RUNTIME_DIR="$work/user/run" HOME="$work/user" setpriv --reuid=$user --regid=$user --clear-groups "$@"
	}
	program=$work/user/holm
	name_of_user=nobody
else
	user=$(id -u)
	as_user() { "$@"; }
	program=$HOLM
	name_of_user=$(id -un)
fi

# user_bundle JQ-FILTER ARGUMENT...: what `holm spec --rootless` writes for that user
user_bundle() {
	local filter=$1
	shift
	bundle "$filter"
	(cd "$bundle" && rm config.json && chown $user "$bundle" && as_user "$program" spec --rootless >/dev/null) || not_ok 'spec --rootless'
	config --arg root "$rootfs" ".process.terminal = false | .process.args = \$ARGS.positional | .root.path = \$root | $filter" --args -- "$@"
	chown $user "$bundle/config.json"
}
# `holm spec --rootless` names the ids of the caller
rootless() {
	as_user "$program" "$@"
}
run_it() {
	rootless run --bundle "$bundle" "$id"
}

make_root "$rootfs"
[ "$(id -u)" -ne 0 ] || chown -R $user:$user "$rootfs"

user_bundle . sh -c 'id -u; cat /proc/self/uid_map; hostname'
is 'run with a single id' "$(run_it 2>&1 | xargs)" "0 0 $user 1 $(jq -r .hostname "$bundle/config.json")"
user_bundle '.hostname = "isle"' probe
text=$(run_it)
fact 'user 0 inside' "$text" '[.ids.uid[0], .ids.gid[0]]' '[0,0]'
fact 'setgroups is denied, as an ordinary user must' "$text" .idmaps.setgroups deny
fact 'its own host name' "$text" .names.hostname isle
fact 'null is null' "$text" '.devices["/dev/null"] | [.type, .major, .minor]' '["c",1,3]'
fact 'the root is no way out: /proc/1 is its own' "$text" .ids.pid 1
user_bundle . sh -c 'exit 11'
run_it >/dev/null 2>&1
is 'exit status' $? 11
user_bundle '.process.user.uid = 7' true
refuses 'an id that is not mapped' '7|uid|user' run_it

user_bundle . sleep 1000
rootless run --bundle "$bundle" --detach "$id" </dev/null >"$work/$id.out" 2>&1 || not_ok 'run --detach' "$(cat "$work/$id.out")"
is 'running' "$(rootless state "$id" | jq -r .status)" running
is 'exec' "$(rootless exec "$id" sh -c 'id -u; echo inside' | xargs)" '0 inside'
like 'list' "$(rootless list)" "$id"
check 'kill' rootless kill "$id" KILL
wait_for 10 eval '[ "$(rootless state "$id" | jq -r .status)" = stopped ]'
check 'delete' rootless delete "$id"
refuses 'it is gone' 'does not exist' rootless state "$id"
user_bundle . true
check 'create' eval 'rootless create --bundle "$bundle" "$id" </dev/null >/dev/null 2>&1'
check 'start' rootless start "$id"
wait_for 10 eval '[ "$(rootless state "$id" | jq -r .status)" = stopped ]'
check 'delete --force' rootless delete --force "$id"

if ! grep -q "^$name_of_user:" /etc/subuid 2>/dev/null; then
	skip 'many ids by newuidmap' 'the user has no subordinate ids'
else
	first=$(sed -n "s/^$name_of_user:\([0-9]*\):.*/\1/p" /etc/subuid | head -n 1)
	many="[{\"containerID\": 0, \"hostID\": $user, \"size\": 1}, {\"containerID\": 1, \"hostID\": $first, \"size\": 65536}]"
	user_bundle ".linux.uidMappings = $many | .linux.gidMappings = $many | .process.user = {\"uid\": 33, \"gid\": 33, \"additionalGids\": [44]}" probe ids idmaps
	text=$(run_it)
	fact 'many ids by newuidmap' "$text" '[.ids.uid[0], .ids.gid[0], .ids.groups]' '[33,33,[44]]'
	fact 'setgroups is allowed' "$text" .idmaps.setgroups allow
fi
