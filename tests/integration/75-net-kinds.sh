#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Networks on an uplink: macvlan, ipvlan, VLAN, VRF, a bridge with an uplink; MTU.
# where: host network
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"

host h
outside h out
serve out tcp 0.0.0.0 80

# A second uplink: macvlan and ipvlan do not share one.
ip_on h link add up4 type veth peer name eth4 netns "${holder[out]}"
ip_on h link set up4 up
ip_on out addr add 198.18.0.2/24 dev eth4
ip_on out link set eth4 up

# kernel_has KIND [ARGUMENT]...
kernel_has() {
	ip_on h link add link up4 name probe0 type "$@" 2>/dev/null || ip_on h link add name probe0 type "$@" 2>/dev/null || return 1
	ip_on h link del probe0
}

refuses 'macvlan without an uplink' 'invalid: a network of type macvlan needs an uplink' net h create m type=macvlan
refuses 'an uplink that is not there' "not-found: uplink: interface 'nowhere' does not exist" \
	net h create m type=macvlan uplink=nowhere
refuses 'a VLAN without an uplink' 'invalid: a VLAN needs an uplink' net h create m vlan=5
refuses 'a VLAN that is none' 'invalid: a VLAN is a number' net h create m vlan=4095 uplink=up0
refuses 'a VRF that is not there' "not-found: VRF: interface 'red' does not exist" net h create m vrf=red
refuses 'a type that is none' "invalid: 'tunnel' is not a type of network" net h create m type=tunnel

check 'macvlan' net h create mac type=macvlan uplink=up0 subnet=192.0.2.0/24 gateway=192.0.2.2
join h m1 network=mac address=192.0.2.10
join h m2 network=mac address=192.0.2.11
is 'it is on the uplink itself' "$(ask m1 tcp 192.0.2.2 80)" 192.0.2.10
serve m2 tcp 0.0.0.0 80
is 'members see each other' "$(ask m1 tcp 192.0.2.11 80)" 192.0.2.10
refuses 'no ports there' "unsupported: .*members are on the uplink 'up0' themselves" \
	net h join m3 "$(ns_file m1)" network=mac name=eth5 publish=80:80
refuses 'no rates there' 'unsupported: .*rates' net h join m3 "$(ns_file m1)" network=mac name=eth5 egress=1M
refuses 'an interface that is there already' "exists: .*already has an interface 'eth0'" \
	net h join m3 "$(ns_file m1)" network=mac name=eth0
is 'which stays' "$(link_field m1 eth0 .linkinfo.info_kind)" macvlan
check 'leaving while running' net h leave m1 netns="$(ns_file m1)"
is 'the interface is gone' "$(link_field m1 eth0 .ifname)" ''
net h leave m2
check 'without a subnet: addresses are others'\'' business' net h create plain type=macvlan uplink=up0 no-subnet
join h m1 network=plain
unlike 'no address' "$joined" address
ip_on m1 addr add 192.0.2.77/24 dev eth0
is 'it can give itself one' "$(ask m1 tcp 192.0.2.2 80)" 192.0.2.77
net h leave m1 netns="$(ns_file m1)"

if kernel_has ipvlan; then
	check 'ipvlan' net h create ipv type=ipvlan uplink=up4 subnet=198.18.0.0/24
	join h i1 network=ipv address=198.18.0.20
	is 'ipvlan: it is on the uplink' "$(ask i1 tcp 198.18.0.2 80)" 198.18.0.20
	refuses 'ipvlan: no hardware address of its own' 'invalid: .*hardware address' \
		net h join i2 "$(ns_file i1)" network=ipv name=x mac=02:00:00:00:00:01
	net h leave i1
else
	refuses 'ipvlan, which this kernel lacks' 'unsupported: this kernel has no ipvlan links' \
		net h create ipv type=ipvlan uplink=up4
	skip 'ipvlan: traffic' 'kernel without ipvlan'
fi

if kernel_has vlan id 5; then
	ip_on out link add link eth0 name eth0.5 type vlan id 5
	ip_on out addr add 198.51.100.2/24 dev eth0.5
	ip_on out link set eth0.5 up
	check 'a VLAN of the uplink, bridged' net h create v5 vlan=5 uplink=up0 subnet=198.51.100.0/24
	join h v1 network=v5
	is "VLAN: its link is no interface of the host's" "$(on h sh -c 'cat /proc/sys/net/ipv6/conf/hl*/disable_ipv6')" 1
	is 'VLAN: members are in it' "$(ask v1 tcp 198.51.100.2 80)" "$(part address4)"
	net h leave v1
	check 'VLAN: removed' net h remove v5
	is 'VLAN: with its link' "$(ip_on h -j link show type vlan | jq length)" 0
else
	refuses 'a VLAN, which this kernel lacks' 'unsupported: this kernel has no vlan links' net h create v5 vlan=5 uplink=up0
	skip 'VLAN: traffic' 'kernel without 802.1Q'
fi

if kernel_has vrf table 77; then
	ip_on h link add red type vrf table 77
	ip_on h link set red up
	check 'a network in a VRF' net h create r vrf=red
	join h r1 network=r
	is 'VRF: its bridge is in it' "$(link_field h holm-r .master)" red
	join h r2 network=r
	r2=$(part address4)
	serve r2 tcp 0.0.0.0 80
	like 'VRF: members see each other' "$(ask r1 tcp "$r2" 80)" '^10\.'
	refuses 'VRF: a port of the loopback, which is not in it' "unsupported: .*is in the VRF 'red'" net h publish r2 8080:80
	host inside
	ip_on h link add upr type veth peer name eth0 netns "${holder[inside]}"
	ip_on h link set upr master red up
	ip_on h addr add 198.19.0.1/24 dev upr
	ip_on inside addr add 198.19.0.2/24 dev eth0
	ip_on inside link set eth0 up
	on h sh -c 'for i in red upr; do echo 1 >/proc/sys/net/ipv4/conf/$i/forwarding; done'
	check 'VRF: a port of an address in it' net h publish r2 198.19.0.1:8080:80
	is 'VRF: is reached there' "$(ask inside tcp 198.19.0.1 8080)" 198.19.0.2
	net h leave r1
	net h leave r2
else
	skip 'a network in a VRF' 'kernel without VRF'
fi

# --- a bridge with an uplink ---
refuses 'an uplink with addresses of the host' "state: .*the uplink 'up0' has addresses of the host" \
	sh -c "NET_STATE=$work/net/h/state NET_CONFIG=$work/net/h/config nsenter --net=$(ns_file h) $work/net/net create onup uplink=up0 &&
	NET_STATE=$work/net/h/state NET_CONFIG=$work/net/h/config nsenter --net=$(ns_file h) $work/net/net join u1 $(ns_file m1) network=onup"
ip_on h link add up2 type veth peer name eth2 netns "${holder[out]}"
ip_on out addr add 203.0.113.2/24 dev eth2
ip_on out link set eth2 up
check 'a bridge with an uplink' net h create lan uplink=up2 subnet=203.0.113.0/24 gateway=203.0.113.2
join h l1 network=lan
is 'members are on the uplink' "$(ask l1 tcp 203.0.113.2 80)" "$(part address4)"
# Another machine says that it has the member's hardware address.
mac=$(link_field l1 eth0 .address)
where() { on h bridge -j fdb show br holm-lan | jq -r --arg mac "$mac" '[.[] | select(.mac == $mac) | .ifname] | unique | join(" ")'; }
before=$(where)
like 'the bridge knows where a member is' "$before" '^hv[0-9a-f]+$'
is 'once, without VLANs' "$(on h bridge -j fdb show br holm-lan | jq --arg mac "$mac" '[.[] | select(.mac == $mac)] | length')" 1
on out /usr/bin/python3 "$traffic" raw eth2 "ffffffffffff${mac//:/}88b5$(printf '%092d' 0)"
is 'and does not believe another machine' "$(where)" "$before"
is 'it learns nothing at its port, and sends nothing of unknown receivers there' \
	"$(ip_on h -j -d link show dev "$before" | jq -c '.[0].linkinfo.info_slave_data | [.learning, .flood]')" '[false,false]'
# The host takes no part in it, even as a router: neither for a member nor for a machine outside that knows the bridge's hardware address.
on h nft 'table inet seen {
	chain input { type filter hook input priority 0; iifname holm-lan counter; }
	chain forward { type filter hook forward priority 0; iifname holm-lan oifname != holm-lan counter; }
}'
on h sh -c 'echo 1 >/proc/sys/net/ipv4/conf/holm-lan/forwarding'
seen() { on h nft -j list table inet seen | jq -c '[.nftables[].rule.expr[]?.counter?.packets // empty]'; }
to_host() { # NAME DEVICE
	ip_on "$1" neigh replace 203.0.113.77 lladdr "$(link_field h holm-lan .address)" dev "$2"
	ip_on "$1" route replace 192.0.2.0/24 via 203.0.113.77 dev "$2"
	ask "$1" udp 192.0.2.1 7 >/dev/null
	ask "$1" udp 192.0.2.2 7 >/dev/null
}
to_host l1 eth0
is 'a member does not get into the host by its bridge' "$(seen)" '[0,0]'
host other
ip_on h link add wire type veth peer name eth0 netns "${holder[other]}"
ip_on h link set wire master holm-lan up
ip_on other addr add 203.0.113.9/24 dev eth0
ip_on other link set eth0 up
to_host other eth0
is 'nor does a machine outside' "$(seen)" '[0,0]'
on h tc qdisc del dev holm-lan ingress
to_host l1 eth0
like 'which the classifier on the bridge keeps out' "$(seen)" '^\[[1-9]'
check 'repair puts it back' net h repair
on h nft reset counters table inet seen >/dev/null
was=$(seen)
to_host l1 eth0
is 'and all is as before' "$(seen)" "$was"
on h nft delete table inet seen
net h leave l1
is 'with the member goes its place' "$(where)" ''

# --- MTU ---
ip_on h link set up0 mtu 1400
net h leave x
check 'a network of its own MTU' net h create big mtu=9000
join h b1 network=big
is 'members have it' "$(link_field b1 eth0 .mtu) $(link_field h holm-big .mtu)" '9000 9000'
net h leave b1
check 'without one' net h create follow
join h f1 network=follow
is 'it follows the way out' "$(link_field f1 eth0 .mtu) $(link_field h holm-follow .mtu)" '1400 1400'
refuses 'too small for IPv6' 'invalid: .*1280' net h create small mtu=1000 subnet=fd00:1::/64
