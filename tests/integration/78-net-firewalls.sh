#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Networks beside other firewalls as they really are: ufw and firewalld, in a host of their own.  Docker: tests/engines/network.sh.
# where: host
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"
is_holm || skip_all 'holm only'

host h
outside h out
serve out tcp 0.0.0.0 80
join h b network=default publish=192.0.2.1:8080:80
join h c network=default
serve b tcp 0.0.0.0 80
on h sh -c 'echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables' 2>/dev/null # else FORWARD decides on bridged packets too
b4=$(ip_on b -4 -j addr show eth0 | jq -r '.[0].addr_info[0].local')
c4=$(ip_on c -4 -j addr show eth0 | jq -r '.[0].addr_info[0].local')

# What the firewalls write goes to a layer over /etc and /var/lib, and to a /run of their own.
# firewall COMMAND...: in host h, with these
mkdir -p "$work/layers"
exec {firewall}< <(exec nsenter --net="$(ns_file h)" unshare --mount --propagation private sh -c '
	mount -t tmpfs tmpfs "$1" && for d in /etc /var/lib; do
		mkdir -p "$1$d" "$1/work$d" && mount -t overlay -o "lowerdir=$d,upperdir=$1$d,workdir=$1/work$d" overlay "$d"
	done && mount -t tmpfs tmpfs /run && mkdir -p /run/dbus && echo $$ && exec sleep 100000' sh "$work/layers")
read -r layers <&"$firewall"
exec {firewall}<&-
firewall() {
	nsenter --net --mount -t "$layers" "$@"
}

reaches() {
	echo "out $(ask b tcp 192.0.2.2 80), port $(ask out tcp 192.0.2.1 8080), from the host $(ask h tcp 192.0.2.1 8080), neighbour $(ask c tcp "$b4" 80)"
}
all="out 192.0.2.1, port 192.0.2.2, from the host 192.0.2.1, neighbour $c4"
is 'before' "$(reaches)" "$all"

# --- ufw ---
if command -v ufw >/dev/null; then
	check 'ufw: enable' firewall ufw --force enable
	like 'ufw: we warn of its chain' "$(net h repair 2>&1)" "the firewall chain 'FORWARD' of table 'ip filter' drops .* 'holm-default'"
	is 'ufw: members and the host are reached, nothing is forwarded' "$(reaches)" \
		"out silence, port silence, from the host 192.0.2.1, neighbour $c4"
	check 'ufw: told (docs/network.md)' firewall ufw route allow in on holm-default
	check 'ufw: and the other way' firewall ufw route allow out on holm-default
	is 'ufw: everything is reached' "$(reaches)" "$all"
	check 'ufw: reload' firewall ufw reload
	is 'ufw: after its reload too' "$(reaches)" "$all"
	rules=$(on h nft -s list table ip filter)
	net h leave c && join h c network=default
	is 'ufw: its rules are as they were' "$(on h nft -s list table ip filter)" "$rules"
	check 'ufw: disable' firewall ufw disable
	on h nft delete table ip filter
	on h nft delete table ip6 filter
	is 'without ufw' "$(reaches)" "$all"
else
	skip 'beside ufw' 'ufw is not installed'
fi

# --- firewalld ---
if command -v firewalld >/dev/null && command -v dbus-daemon >/dev/null; then
	firewall dbus-daemon --system --nofork --nopidfile >/dev/null 2>&1 &
	wait_for 20 firewall test -S /run/dbus/system_bus_socket
	firewall firewalld --nofork --nopid >"$work/firewalld.log" 2>&1 &
	check 'firewalld: starts' wait_for 60 firewall firewall-cmd --state || cat "$work/firewalld.log"
	like 'firewalld: its table is there' "$(on h nft list tables)" 'inet firewalld'
	like 'firewalld: without a word nothing new is forwarded' "$(reaches)" "from the host 192.0.2.1, neighbour $c4"
	check 'firewalld: told (docs/network.md)' firewall firewall-cmd --zone=trusted --add-interface=holm-default
	is 'firewalld: members get out, ports are reached' "$(reaches)" "$all"
	check 'firewalld: reload, which flushes its own table only' firewall firewall-cmd --reload
	firewall firewall-cmd --zone=trusted --add-interface=holm-default >/dev/null
	is 'firewalld: after its reload' "$(reaches)" "$all"
	rules=$(on h nft -s list table inet firewalld)
	net h leave c && join h c network=default
	is 'firewalld: its rules are as they were' "$(on h nft -s list table inet firewalld)" "$rules"
	firewall firewall-cmd --reload >/dev/null # the zone forgets the interface: what was published is closed to others
	like 'firewalld: told nothing' "$(ask h tcp 192.0.2.1 8080)" '192.0.2.1'
else
	skip 'beside firewalld' 'firewalld is not installed'
fi
kill -9 "$layers"
