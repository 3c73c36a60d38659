# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the tests of the network share; sourced after lib.sh.  "Hosts" and instances are network namespaces, each held by a
# process that sleeps in it: no name in /run/netns, which others of the machine clear.
# shellcheck disable=SC2034,SC2154
[ "$(id -u)" -eq 0 ] || skip_all 'needs root'
command -v ip >/dev/null || skip_all 'needs iproute2'
mkdir "$work/net" && cp "$BUILD/tests/drive/net" "$BUILD/holm-net" "$work/net/" || exit 1
declare -A holder=()

# host NAME...: makes network namespaces
host() {
	local name fd
	for name; do
		exec {fd}< <(exec unshare --net sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward; ip link set lo up; echo $$; exec sleep 100000')
		read -r "holder[$name]" <&"$fd"
		exec {fd}<&-
	done
}

# unhost NAME: its process ends, and with it the namespace
unhost() {
	kill -9 "${holder[$1]}"
	unset "holder[$1]"
}

# on NAME COMMAND...: runs it in that host
on() {
	local name=$1
	shift
	nsenter --net="$(ns_file "$name")" "$@"
}

# ip_on NAME ARGUMENT...: ip(8) there
ip_on() {
	on "$1" ip "${@:2}"
}

ns_file() {
	echo "/proc/${holder[$1]}/ns/net"
}

# net NAME VERB...: the driver of netns/client.h, on host NAME, with that host's folders
net() {
	local name=$1
	shift
	NET_STATE=$work/net/$name/state NET_CONFIG=$work/net/$name/config on "$name" "$work/net/net" "$@"
}

# join HOST ID [KEY=VALUE]...: an instance is a namespace of its name; $joined gets the driver's line(s)
join() {
	local host=$1 id=$2
	shift 2
	[ -n "${holder[$id]-}" ] || host "$id"
	joined=$(net "$host" join "$id" "$(ns_file "$id")" "$@")
}

# part KEY [TEXT]: the value of KEY in the last join's line
part() {
	sed -n "s/.* $1=\([^ /]*\).*/\1/p" <<<"${2-$joined}" | head -n 1
}

# outside HOST NAME: another host NAME, 192.0.2.2 and 2001:db8::2, on HOST's uplink, which gets .1 and ::1
outside() {
	host "$2"
	ip_on "$1" link add up0 type veth peer name eth0 netns "${holder[$2]}"
	ip_on "$1" addr add 192.0.2.1/24 dev up0
	ip_on "$1" addr add 2001:db8::1/64 dev up0 nodad
	ip_on "$1" link set up0 up
	ip_on "$2" addr add 192.0.2.2/24 dev eth0
	ip_on "$2" addr add 2001:db8::2/64 dev eth0 nodad
	ip_on "$2" link set eth0 up
	ip_on "$1" route add default via 192.0.2.2
	ip_on "$1" route add default via 2001:db8::2
}

traffic=$PWD/tests/integration/net.py
bpf=$PWD/tests/integration/bpf.py

# counted FOLDER...: the addresses that are counted on the networks whose state is there
counted() {
	local folder
	for folder; do
		"$bpf" elements "$(cut -d ' ' -f 2 "$folder/ready")"
	done
}

# serve HOST PROTOCOL ADDRESS PORT: in the background, until the end
serve() {
	local name=$1
	shift
	on "$name" /usr/bin/python3 "$traffic" serve "$@" >/dev/null 2>&1 &
	local option=-ltn
	[ "$1" = tcp ] || option=-lun
	wait_for 5 sh -c "nsenter --net=$(ns_file "$name") ss $option | grep -qF ':$3 '" || not_ok "a server on $* in $name"
}

# ask HOST PROTOCOL ADDRESS PORT [SIZE]
ask() {
	local name=$1
	shift
	on "$name" /usr/bin/python3 "$traffic" ask "$@"
}

# link_field HOST LINK JQ: something of `ip -j -d address show`
link_field() {
	ip_on "$1" -j -d address show dev "$2" 2>/dev/null | jq -r ".[0] | $3"
}

# Every process in one of our namespaces ends: servers, and those that hold them.
remove_hosts() {
	local name pid link
	local -A own=()
	for name in "${!holder[@]}"; do
		link=$(readlink "$(ns_file "$name")") && own[$link]=1
	done
	for pid in /proc/[0-9]*; do
		link=$(readlink "$pid/ns/net" 2>/dev/null) || continue
		[ -z "${own[$link]-}" ] || kill -9 "${pid#/proc/}"
	done
}
trap 'status=$?; remove_hosts; (exit $status); finish' EXIT
