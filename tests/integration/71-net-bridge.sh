#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Networks of type bridge: addresses, traffic, published ports, leaving.
# where: host network
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"

host h
outside h out

join h a network=default publish=8080:80 publish=192.0.2.1:8081:80 publish=0.0.0.0:8082:80 \
	publish='[::]:8084:80' publish=0.0.0.0:53:53/udp publish=0.0.0.0:9000-9002:90
a4=$(part address4) a6=$(part address6)
like 'an address is leased' "$joined" 'address4=10\.66\.[0-3]\.[0-9]+/22 address6=fd[0-9a-f:]+/64 gateway4=10\.66\.0\.1 '
join h b network=default
b4=$(part address4) b6=$(part address6)
isnt 'another gets another' "$a4 $a6" "$b4 $b6"
is 'the network default exists from the first use' "$(net h list | cut -d ' ' -f 1,2)" 'default type=bridge'
is 'loopback is up' "$(link_field a lo '.flags | contains(["UP"])')" true

mac=$(link_field a eth0 .address)
is 'the bridge keeps one entry for a member, and it is none that it goes through for each new port' \
	"$(on h bridge -j fdb show br holm-default | jq -c --arg mac "$mac" '[.[] | select(.mac == $mac) | [.state // "", .flags[]]]')" \
	'[["","extern_learn"]]'
is 'and none for its port, whose hardware address is its own' \
	"$(on h bridge -j fdb show br holm-default | jq '[.[] | select(.master and (.flags | index("self") | not))] | length')" 3

join h c network=default
c4=$(part address4)
serve c tcp 0.0.0.0 80
ip_on c link set eth0 down
ip_on c link set eth0 up
is 'it is reached where it was after its interface was down' "$(ask b tcp "$c4" 80)" "$b4"
net h leave c

serve a tcp 0.0.0.0 80
serve a tcp :: 80
serve a udp "$a4" 53
serve a tcp 0.0.0.0 91
serve out tcp 0.0.0.0 80
serve out tcp :: 80
serve out udp 192.0.2.2 53
serve h tcp 0.0.0.0 7
serve h tcp 127.0.0.1 6

is 'instance to instance, IPv4' "$(ask b tcp "$a4" 80)" "$b4"
is 'instance to instance, IPv6' "$(ask b tcp "$a6" 80)" "$b6"
ip_on h link set holm-default type bridge fdb_flush
check 'a bridge that somebody made forget where members are: repair' net h repair
is 'and it knows again' "$(ask b tcp "$a4" 80)" "$b4"
is 'host to instance' "$(ask h tcp "$a4" 80)" 10.66.0.1
is 'instance to host' "$(ask b tcp 10.66.0.1 7)" "$b4"
is 'instance to the outside, as the host' "$(ask a tcp 192.0.2.2 80)" 192.0.2.1
is 'the same, UDP' "$(ask a udp 192.0.2.2 53)" 192.0.2.1
is 'the same, IPv6' "$(ask a tcp 2001:db8::2 80)" 2001:db8::1
is 'a datagram that must be cut' "$(ask b udp "$a4" 53 5000)" "$b4 5000"
is 'the same through the host' "$(ask a udp 192.0.2.2 53 5000)" '192.0.2.1 5000'

is 'a port is on 127.0.0.1 by default' "$(ask h tcp 127.0.0.1 8080)" 10.66.0.1
is 'not on other addresses' "$(ask h tcp 192.0.2.1 8080)" refused
is 'not for other machines' "$(ask out tcp 192.0.2.1 8080)" refused
is 'a port on an address, from outside: source kept' "$(ask out tcp 192.0.2.1 8081)" 192.0.2.2
is 'the same from the host' "$(ask h tcp 192.0.2.1 8081)" 192.0.2.1
is 'the same from another instance' "$(ask b tcp 192.0.2.1 8081)" 10.66.0.1
is 'the same from itself (hairpin)' "$(ask a tcp 192.0.2.1 8081)" 10.66.0.1
filter=/proc/sys/net/bridge/bridge-nf-call-iptables
if on h test -e $filter; then
	asked=$(on h cat $filter)
	on h sh -c "echo 0 >$filter; echo 0 >${filter%iptables}ip6tables"
	net h unpublish a 192.0.2.1:8081:80
	net h publish a 192.0.2.1:8081:80
	is 'hairpin where the firewall is not asked about bridged packets' "$(ask a tcp 192.0.2.1 8081)" 10.66.0.1
	on h sh -c "echo 1 >$filter"
	check 'once it is: repair' net h repair
	is 'hairpin where it is asked' "$(ask a tcp 192.0.2.1 8081)" 10.66.0.1
	on h sh -c "echo $asked >$filter; echo $asked >${filter%iptables}ip6tables"
fi
is 'a port on any address, from outside' "$(ask out tcp 192.0.2.1 8082)" 192.0.2.2
is 'the same by 127.0.0.1' "$(ask h tcp 127.0.0.1 8082)" 10.66.0.1
is 'the same from an instance by the gateway' "$(ask b tcp 10.66.0.1 8082)" 10.66.0.1
refuses 'IPv6 on ::1, which Linux does not let through' "unsupported: .*use 127.0.0.1, or another" net h publish a '[::1]:8083:80'
ip_on h addr add fd00:5::1/128 dev lo
check 'but on an address that only the host has' net h publish a '[fd00:5::1]:8083:80'
is 'which reaches it by that' "$(ask h tcp fd00:5::1 8083)" fd00:5::1
is 'IPv6 on any address, from outside' "$(ask out tcp 2001:db8::1 8084)" 2001:db8::2
is 'the same from itself (hairpin)' "$(ask a tcp 2001:db8::1 8084)" "$(part gateway6)"
is 'UDP, from outside' "$(ask out udp 192.0.2.1 53)" 192.0.2.2
is 'a range leads to consecutive ports' "$(ask out tcp 192.0.2.1 9001)" 192.0.2.2
is 'the outside does not reach an unpublished port' \
	"$(ip_on out route add 10.66.0.0/16 via 192.0.2.1; ask out tcp "$a4" 80)" silence
is 'a server on 127.0.0.1 of the host is not on the gateway' "$(ask b tcp 10.66.0.1 6)" refused

refuses 'a port in use by another instance' "exists: .*port 8081/tcp of 192.0.2.1 is published by 'a'" \
	net h publish b 192.0.2.1:8081:81
refuses 'a port in use by the host' "exists: .*port 7/tcp of 0.0.0.0 is in use by process [0-9]+ \('python3'\) of the host" \
	net h publish b 0.0.0.0:7:81
refuses 'a range that touches one' "port 9002/tcp of 0.0.0.0 is published by 'a'" net h publish b 0.0.0.0:9002-9010:81
check 'the same again is no error' net h publish a 192.0.2.1:8081:80
check 'publishing while running' net h publish a 192.0.2.1:8085:80
is 'it works' "$(ask out tcp 192.0.2.1 8085)" 192.0.2.2
check 'unpublishing while running' net h unpublish a 192.0.2.1:8085:80
is 'it is gone' "$(ask out tcp 192.0.2.1 8085)" refused
refuses 'unpublishing what is not published' "not-found: instance 'a' does not publish 192.0.2.1:8085:80/tcp" \
	net h unpublish a 192.0.2.1:8085:80

refuses 'a join that fails' 'published by' join h c network=default publish=192.0.2.1:8081:80
is 'leaves nothing' "$(net h members c)$(link_field c eth0 .ifname)$(find "$work/net/h" -name '*c*' -path '*members*')" ''
refuses 'a second interface of that name' "already has an interface 'eth0'" net h join a "$(ns_file a)" network=default name=eth0

# A peer that keeps sending from one socket, while the port changes hands.
on out /usr/bin/python3 - >"$work/peer" 2>/dev/null <<'PEER' &
import socket, time
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer.settimeout(0.1)
for _ in range(100):
    peer.sendto(b'x' * 2, ('192.0.2.1', 5353))
    try:
        print(peer.recv(100).decode(), flush=True)
    except OSError:
        print('-', flush=True)
    time.sleep(0.05)
PEER
peer=$!
serve b udp "$b4" 54
net h publish a 0.0.0.0:5353:53/udp
wait_for 5 grep -q 192.0.2.2 "$work/peer"
net h unpublish a 0.0.0.0:5353:53/udp
net h publish b 0.0.0.0:5353:54/udp
: >"$work/peer"
sleep 0.5
like 'a peer that goes on sending reaches who has the port now' "$(tail -n 1 "$work/peer")" 192.0.2.2
kill $peer
check 'leaving' net h leave a
is 'its link is gone' "$(link_field a eth0 .ifname)" ''
is 'its leases are free' "$(find "$work/net/h/state/networks/default/leases" -name "$a4" -o -name "$a6")" ''
is 'its ports are free' "$(on h nft list table inet holm | grep -c '"a"')" 0
check 'leaving again' net h leave a
join h a network=default
is 'it gets its address again' "$(part address4) $(part address6)" "$a4 $a6"
check 'leaving for good' net h leave a
refuses 'removing a network in use' "state: network 'default' is in use by 'b'" net h remove default
check 'the other leaves' net h leave b
is 'counters are gone with them' "$(on h nft list table inet holm | grep -c counter.packets)" 0
is 'the uplink forwards' "$(on h cat /proc/sys/net/ipv4/conf/up0/forwarding)" 1
check 'removing the network' net h remove default
is 'now it does not: nobody needs it' "$(on h cat /proc/sys/net/ipv4/conf/up0/forwarding)" 0
is 'its bridge is gone' "$(link_field h holm-default .ifname)" ''
is 'its files are gone' "$(find "$work/net/h" -type f ! -name '*lock' ! -name resolv.conf ! -name opened)" ''
