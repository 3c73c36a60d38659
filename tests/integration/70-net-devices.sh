#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# linux.netDevices: interfaces of the host move into the container's namespace.
# where: host network
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"

host a c

ip_on a link add one type veth peer name other
ip_on a link set one mtu 1400 address 02:00:00:00:00:11
ip_on a addr add 10.1.2.3/24 brd 10.1.2.255 dev one
ip_on a addr add fd00:1::5/64 dev one nodad
ip_on a addr add 10.9.9.9/24 dev one valid_lft 3600 preferred_lft 3600
ip_on a link set one up
ip_on a route add 10.77.0.0/16 via 10.1.2.1
ip_on a link set other up

check 'an interface moves and is renamed' net a move "$(ns_file c)" one=eth0
is 'it is gone from the host' "$(link_field a one .ifname)" ''
is 'its MTU stays' "$(link_field c eth0 .mtu)" 1400
is 'its hardware address stays' "$(link_field c eth0 .address)" 02:00:00:00:00:11
is 'it is up' "$(link_field c eth0 '.flags | contains(["UP"])')" true
is 'permanent global addresses stay, others do not' \
	"$(link_field c eth0 '[.addr_info[] | select(.scope == "global") | "\(.local)/\(.prefixlen)"] | sort | join(" ")')" \
	'10.1.2.3/24 fd00:1::5/64'
is 'the broadcast address stays' "$(link_field c eth0 '.addr_info[] | select(.family == "inet") | .broadcast')" 10.1.2.255
is 'routes do not' "$(ip_on c route show 10.77.0.0/16)" ''
ip_on a addr add 10.1.2.1/24 dev other
ip_on a addr add fd00:1::1/64 dev other nodad
check 'IPv4 traffic goes through it' on c python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("10.1.2.1", 9)); s.send(b"x")'
server_and_client='import socket, subprocess, sys
server = socket.socket(socket.AF_INET6); server.bind(("fd00:1::1", 7)); server.listen(); server.settimeout(10)
client = subprocess.Popen(["nsenter", "--net=" + sys.argv[1], sys.executable, "-c",
	"import socket; socket.create_connection((\"fd00:1::1\", 7), 10)"])
print(server.accept()[1][0]); client.wait()'
is 'IPv6 traffic goes through it, from its address' \
	"$(on a python3 -c "$server_and_client" "$(ns_file c)")" fd00:1::5

ip_on a link add two type veth peer name two_b
check 'without a name it keeps its own' net a move "$(ns_file c)" two
is 'there it is' "$(link_field c two .linkinfo.info_kind)" veth

ip_on a link add veth7 type veth peer name veth8
check 'a template is for the kernel to fill in' net a move "$(ns_file c)" veth7=eth%d veth8=eth%d
is 'the first free numbers' "$(ip_on c -j link show | jq -r '[.[].ifname] | sort | join(" ")')" 'eth0 eth1 eth2 lo two'

ip_on a link add three type veth peer name four
refuses 'a name that is taken' "exists: linux.netDevices.three: the container already has an interface 'eth0'" \
	net a move "$(ns_file c)" four=fine three=eth0
refuses 'a name given twice' "exists: linux.netDevices.four: 'x' would also be the name of 'three'" \
	net a move "$(ns_file c)" three=x four=x
refuses 'an interface that is not there' "not-found: linux.netDevices.nowhere: the host has no interface 'nowhere'" \
	net a move "$(ns_file c)" three=x nowhere
refuses 'a name that is none' "invalid: .*'a/b' holds" net a move "$(ns_file c)" three=a/b
refuses 'the own namespace' 'state: .*no network namespace of its own' net a move "$(ns_file a)" three=x
is 'after refusals nothing has moved' "$(link_field a three .ifname) $(link_field a four .ifname)" 'three four'

# an index that is taken inside
ip_on c link add filler index 4711 type veth peer name filler2
ip_on a link add five index 4711 type veth peer name five_b
check 'an index that is taken inside' net a move "$(ns_file c)" five=eth9
is 'it is up all the same' "$(link_field c eth9 '.flags | contains(["UP"])')" true

ip_on a link add six type veth peer name seven
ip_on c link add six type bridge
check 'a host name that is taken inside, renamed' net a move "$(ns_file c)" six=seven
is 'both are there' "$(link_field c six .linkinfo.info_kind) $(link_field c seven .linkinfo.info_kind)" 'bridge veth'
