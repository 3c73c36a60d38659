# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the tests of the network share; sourced after lib.sh.  "Hosts" are network namespaces whose names begin with
# $prefix, connected by veth links; they are removed at the end.
# shellcheck disable=SC2034,SC2154
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'
command -v ip >/dev/null || skip_all 'needs iproute2'
mkdir "$work/net" && cp "$BUILD/tests/drive/net" "$BUILD/holm-net" "$work/net/" || exit 1

# host NAME...: makes network namespaces
host() {
	local name
	for name; do ip netns add "$prefix-$name" && ip -n "$prefix-$name" link set lo up; done
}

# on NAME COMMAND...: runs it in that host
on() {
	local name=$1
	shift
	ip netns exec "$prefix-$name" "$@"
}

# ip_on NAME ARGUMENT...: ip(8) there
ip_on() {
	local name=$1
	shift
	ip -n "$prefix-$name" "$@"
}

ns_file() {
	echo "/run/netns/$prefix-$1"
}

# net NAME VERB...: the driver of netns/client.h, on host NAME
net() {
	local name=$1
	shift
	on "$name" "$work/net/net" "$@"
}

# link_field HOST LINK JQ: something of `ip -j -d address show`
link_field() {
	ip_on "$1" -j -d address show dev "$2" 2>/dev/null | jq -r ".[0] | $3"
}

remove_hosts() {
	local name
	for name in /run/netns/"$prefix"-*; do
		[ ! -e "$name" ] || ip netns del "${name##*/}"
	done
}
trap 'status=$?; remove_hosts; (exit $status); finish' EXIT
