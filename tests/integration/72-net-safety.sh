#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What an instance can't do on the network, and what others' firewalls can't do to it.
# where: host network
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"
command -v nft >/dev/null || skip_all 'needs nftables'

host h
outside h out
join h a network=default
a4=$(part address4) a_link=$(part link)
join h b network=default publish=192.0.2.1:8080:80
b4=$(part address4) b6=$(part address6) b_mac=$(part mac)
join h c network=default
serve b tcp 0.0.0.0 80
serve out tcp 0.0.0.0 80

# --- addresses: what arrives at c of what a sends ---
on c /usr/bin/python3 "$traffic" marks eth0 4 >"$work/marks" &
ear=$!
wait_for 5 grep -q ready "$work/marks"
on a /usr/bin/python3 "$traffic" attack eth0 "$b_mac" "$b4" "$b6"
wait $ear
is 'an instance sends as itself alone' "$(tail -n 1 "$work/marks")" \
	'good-advert good-arp good-ip4 good-ip6 good-local6 good-probe'
on h tc filter del dev "$a_link" ingress
on c /usr/bin/python3 "$traffic" marks eth0 3 >"$work/marks2" &
ear=$!
wait_for 5 grep -q ready "$work/marks2"
on a /usr/bin/python3 "$traffic" attack eth0 "$b_mac" "$b4" "$b6"
wait $ear
like 'without the guard it would not' "$(tail -n 1 "$work/marks2")" 'bad-advert .*bad-arp-claim .*bad-ip4 .*bad-mac .*bad-router'
net h leave a
join h a network=default
is 'the victim still answers the host' "$(ask h tcp "$b4" 80)" 10.66.0.1
ip_on a addr add "$b4/22" dev eth0 2>/dev/null
ip_on a link set eth0 down
ip_on a link set eth0 address "$b_mac" up
is 'the same with the whole stack: address and MAC taken over' "$(ask c tcp "$b4" 80)" "$(ip_on c -4 -j addr show eth0 | jq -r '.[0].addr_info[0].local')"
like 'and who did it reaches nobody' "$(ask a tcp 10.66.0.1 80)" 'silence|unreachable'
check 'leaving with another MAC than it had' net h leave a
unhost a

# --- networks apart ---
net h create quiet isolated >/dev/null
join h q1 network=quiet
q1=$(part address4)
join h q2 network=quiet publish=192.0.2.1:8090:80
q2=$(part address4)
serve q1 tcp 0.0.0.0 80
serve q2 tcp 0.0.0.0 80
like 'isolated members do not see each other' "$(ask q2 tcp "$q1" 80)" 'silence|unreachable'
gateway=$(part gateway4)
ip_on q2 route add "$q1/32" via "$gateway"
is 'nor by way of the gateway' "$(ask q2 tcp "$q1" 80)" silence
is 'they see the outside' "$(ask q2 tcp 192.0.2.2 80)" 192.0.2.1
is 'networks are apart' "$(ask q2 tcp "$b4" 80)" silence
is 'but for published ports' "$(ask q2 tcp 192.0.2.1 8080)" "$q2"
is 'also into an isolated one' "$(ask b tcp 192.0.2.1 8090)" "$b4"
net h create island type=host-only >/dev/null
join h i network=island publish=8091:80
i4=$(part address4)
serve i tcp 0.0.0.0 80
is 'host-only: the host reaches it' "$(ask h tcp "$i4" 80)" "$(ip_on h -4 -j addr show holm-island | jq -r '.[0].addr_info[0].local')"
is 'host-only: no way out' "$(ask i tcp 192.0.2.2 80)" unreachable
ip_on i route add default via "$(ip_on h -4 -j addr show holm-island | jq -r '.[0].addr_info[0].local')"
is 'host-only: not with a route of its own either' "$(ask i tcp 192.0.2.2 80)" silence
like 'host-only: a port for the host' "$(ask h tcp 127.0.0.1 8091)" '^10\.'

# --- the host's loopback ---
serve h tcp 127.0.0.1 99
ip_on c addr del 127.0.0.1/8 dev lo
ip_on c route del local 127.0.0.0/8 dev lo table local 2>/dev/null
ip_on c route add 127.0.0.0/8 via 10.66.0.1
is 'route_localnet does not open the loopback' "$(ask c tcp 127.0.0.1 99)" silence
on h nft flush ruleset
is 'not even without our table' "$(ask c tcp 127.0.0.1 99)" silence

# --- forwarding ---
host other
ip_on h link add virbr0 type bridge
ip_on h addr add 198.51.100.1/24 dev virbr0
ip_on h link add vo type veth peer name eth0 netns "${holder[other]}"
ip_on h link set vo master virbr0 up
ip_on h link set virbr0 up
ip_on other addr add 198.51.100.2/24 dev eth0
ip_on other link set eth0 up
ip_on other route add default via 198.51.100.1
ip_on out route add 198.51.100.0/24 via 192.0.2.1
ip_on out route add 10.66.0.0/16 via 192.0.2.1
serve other tcp 0.0.0.0 80
check 'repair lays the table again' net h repair
is 'the host as a whole does not forward' "$(on h cat /proc/sys/net/ipv4/ip_forward)" 0
is 'somebody else'\''s bridge is not opened to the outside' "$(ask out tcp 198.51.100.2 80)" silence
is 'nor to instances' "$(ask b tcp 198.51.100.2 80)" silence
like 'nor the other way' "$(ask other tcp "$b4" 80)" 'silence|unreachable'
is 'published ports are back after the flush' "$(ask out tcp 192.0.2.1 8080)" 192.0.2.2
on h sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
check 'once the host is a router' net h repair
is 'we hold nothing back' "$(ask out tcp 198.51.100.2 80)" 192.0.2.2
is 'and instances are as closed as before' "$(ask out tcp "$b4" 80)" silence

# --- other firewalls ---
on h nft flush ruleset
join h d network=default
is 'a flushed table is laid again by the next join' "$(ask out tcp 192.0.2.1 8080)" 192.0.2.2
on h nft flush table inet holm
net h leave d
join h d network=default
is 'also one that lost its rules only' "$(ask out tcp 192.0.2.1 8080)" 192.0.2.2
on h nft -f - <<'RULES'
table ip nat {
	chain DOCKER { }
	chain PREROUTING { type nat hook prerouting priority -100; fib daddr type local jump DOCKER; }
	chain POSTROUTING { type nat hook postrouting priority 100; ip saddr 172.17.0.0/16 oifname != "docker0" masquerade; }
}
table ip filter {
	chain DOCKER-USER { return; }
	chain FORWARD {
		type filter hook forward priority 0; policy accept;
		jump DOCKER-USER
		oifname "docker0" ct state related,established accept
		iifname "docker0" accept
	}
}
RULES
before=$(on h nft list table ip nat; on h nft list table ip filter)
check 'beside the rules of Docker: publishing' net h publish c 192.0.2.1:8092:80
serve c tcp 0.0.0.0 80
is 'it works' "$(ask out tcp 192.0.2.1 8092)" 192.0.2.2
is 'nothing to warn of' "$(net h repair 2>&1)" ''
net h leave d
is 'the rules of others are as they were' "$(on h nft list table ip nat; on h nft list table ip filter)" "$before"

on h nft 'chain ip filter FORWARD { policy drop; }'
like 'a chain that drops what is forwarded is warned of' "$(net h repair 2>&1)" \
	"the firewall chain 'FORWARD' of table 'ip filter' drops .* 'holm-default'"
is 'then members do not get out' "$(ask b tcp 192.0.2.2 80)" silence
on h sh -c 'echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables' 2>/dev/null
is 'but see each other' "$(ask c tcp "$b4" 80)" "$(ip_on c -4 -j addr show eth0 | jq -r '.[0].addr_info[0].local')"
is 'and ports work from the host' "$(ask h tcp 192.0.2.1 8080)" 192.0.2.1
on h nft 'insert rule ip filter DOCKER-USER iifname "holm-*" accept'
on h nft 'insert rule ip filter DOCKER-USER oifname "holm-*" accept'
is 'until it is told (docs/network.md)' "$(ask b tcp 192.0.2.2 80) $(ask out tcp 192.0.2.1 8080)" '192.0.2.1 192.0.2.2'

# --- after a reboot: what was on a tmpfs is gone, what the kernel had too, the network's facts are not ---
for name in b c; do net h leave "$name"; done
ip_on h link del holm-default
on h nft flush ruleset
rm -rf "$work/net/h/state"
join h b network=default publish=192.0.2.1:8080:80
is 'a network is there again' "$(ask out tcp 192.0.2.1 8080) $(ask b tcp 192.0.2.2 80)" '192.0.2.2 192.0.2.1'
is 'with the addresses it had' "$(part address4)" "$b4"
