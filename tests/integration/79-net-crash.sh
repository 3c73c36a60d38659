#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# holm and holm-net are killed, or a system call of theirs fails, wherever that can be while networks are joined and left:
# nothing stays behind.  (73 kills holm-net while it joins.)
# timeout: 330
# where: host
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"
. tests/crash/lib.sh
[[ $BUILD != *sanitize* ]] || skip_all 'sanitizers do not work under ptrace'
command -v strace >/dev/null || skip_all 'needs strace'

host h
outside h out
mkdir -p "$work/run" "$work/lib/holm"
# in_host COMMAND...: with the folders of this test's own host
in_host() {
	nsenter --net="$(ns_file h)" unshare --mount --propagation private sh -c '
		mount --bind "$1/run" /run && mount --bind "$1/lib" /var/lib && shift && exec "$@"' sh "$work" "$@"
}
state_of_networks() {
	ip_on h -j link show | jq -r '.[].ifname' | sort
	on h nft -s list table inet holm
	ip_on h neigh show nud permanent | sort
	counted "$work/run/holm-net/networks/"*
	(cd "$work/run/holm-net" && find . ! -name '*lock' | sort && grep -hv '^ *$' networks/*/hosts)
}

# --- holm: each of its calls in turn, while holm-net goes on ---
two_bundles '.holm.networks = [{"network": "default", "publish": ["8080:80"]}, {"network": "second"}]'
stepper=$step
printf '#!/bin/sh\nexport HOLM_CRASH_NET=1\nexec nsenter --net=%s unshare --mount --propagation private sh -c '\''mount --bind %s/run /run && mount --bind %s/lib /var/lib && exec "$@"'\'' sh %s "$@"\n' \
	"$(ns_file h)" "$work" "$work" "$stepper" >"$work/step"
chmod +x "$work/step"
step=$work/step
in_host "$HOLM" network create second --subnet 10.88.0.0/24
in_host "$HOLM" --root "$state" run --bundle "$reporting" warm >/dev/null
before=$(state_of_networks)
for verb in create run delete-force; do
	for mode in kill fail; do
		stepped "holm, $mode: $verb" 5 $mode holm $verb
		is "holm, $mode: $verb: nothing of networks is left" "$(state_of_networks)" "$before"
	done
done

# --- holm-net: killed while it leaves, a call failing while it joins or leaves ---
host k
driver() {
	NET_STATE=$work/net/h/state NET_CONFIG=$work/net/h/config on h "$@"
}
snapshot() {
	ip_on h -j link show | jq -r '.[].ifname' | sort
	on h nft -s list table inet holm
	ip_on h neigh show nud permanent | sort
	counted "$work/net/h/state/networks/one"
	(cd "$work/net/h/state" && find . ! -name '*lock' ! -name '.opened' ! -name '.ready' | sort && grep -v '^ *$' networks/one/hosts)
}
net h create one subnet=10.99.0.0/24 >/dev/null
arguments=(network=one publish=127.0.0.1:8080:80 egress=10M ingress=10M)
join h k "${arguments[@]}"
is 'what is counted is looked at, too' "$(counted "$work/net/h/state/networks/one")" "$(grep -o 'address4=[0-9.]*' <<<"$joined" | cut -d = -f 2)"
net h leave k
before=$(snapshot)

# inject HOW CALL NUMBER VERB...
inject() {
	driver strace -f -qq -o "$work/trace" -e trace="$2" -e inject="$2:$1:when=$3" "$work/net/net" "${@:4}" >"$work/said" 2>&1
}
different='' places=0
for call in openat sendto unlinkat pwrite64 recvfrom sendmsg flock; do
	for at in $(seq 40); do
		net h join k "$(ns_file k)" "${arguments[@]}" >/dev/null || different+=" joining before $call/$at"
		inject signal=KILL $call "$at" leave k && break
		places=$((places + 1))
		net h leave k >"$work/said" 2>&1 || different+=" $call/$at: $(cat "$work/said")"
		[ "$(snapshot)" = "$before" ] || different+=" $call/$at: $(diff <(echo "$before") <(snapshot))"
	done
	net h leave k
done
is 'killed anywhere, a leaving is finished by the next' "$(cut -c 1-2000 <<<"$different")" ''
check "leavings were killed in $places places" test "$places" -gt 25

different='' places=0 failed=0
for call in openat sendto linkat renameat write mkdirat recvfrom flock setns socket ioctl; do
	for at in $(seq 60); do
		inject error=ENOMEM $call "$at" join k "$(ns_file k)" "${arguments[@]}"
		status=$?
		[ $status -eq 0 ] || failed=$((failed + 1))
		# What failed has undone itself.
		[ $status -eq 0 ] || [ "$(snapshot)" = "$before" ] || different+=" $call/$at: $(diff <(echo "$before") <(snapshot))"
		[ $status -eq 0 ] || [ -z "$(link_field k eth0 .ifname)" ] || different+=" $call/$at: eth0 is inside"
		net h leave k >"$work/said" 2>&1 || different+=" leaving after $call/$at: $(cat "$work/said")"
		[ "$(snapshot)" = "$before" ] || different+=" after $call/$at: $(diff <(echo "$before") <(snapshot))"
		grep -q INJECTED "$work/trace" || break
		places=$((places + 1))
	done
done
is 'a call fails: the join undoes itself' "$(cut -c 1-2000 <<<"$different")" ''
check "$failed of $places calls failed a join" test "$failed" -gt 20
