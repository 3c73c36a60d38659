#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tags: serial
# Rates and counters.
# where: host network
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"

host h
outside h out
join h a network=default egress=16M/64k ingress=8M
a4=$(part address4)
join h b network=default
b4=$(part address4)
for name in a b out; do
	on "$name" /usr/bin/python3 "$traffic" sink 0.0.0.0 5001 >"$work/sink-$name" 2>&1 &
done
wait_for 5 sh -c "nsenter --net=$(ns_file out) ss -ltn | grep -q :5001 && nsenter --net=$(ns_file a) ss -ltn | grep -q :5001"

# rate FROM ADDRESS NAME: bytes per second that arrive at NAME's sink
rate() {
	local before
	before=$(wc -l <"$work/sink-$3")
	on "$1" /usr/bin/python3 "$traffic" flow tcp "$2" 5001 2 >/dev/null
	wait_for 10 sh -c "[ \$(wc -l <'$work/sink-$3') -gt $before ]"
	tail -n 1 "$work/sink-$3"
}

# within NAME GOT LEAST MOST
within() {
	if [ "$2" -ge "$3" ] && [ "$2" -le "$4" ]; then ok "$1"; else not_ok "$1" "got: $2" "expected: $3 to $4"; fi
}

within 'what it sends: 16 Mbit/s' "$(rate a "$b4" b)" 1400000 2300000
within 'what it receives: 8 Mbit/s' "$(rate b "$a4" a)" 700000 1200000
within 'others are not limited' "$(rate b 192.0.2.2 out)" 20000000 100000000000
check 'changed while running' net h limit a eth0 egress=40M ingress=
within 'more to send' "$(rate a 192.0.2.2 out)" 3500000 5700000
within 'no limit to receive' "$(rate b "$a4" a)" 20000000 100000000000
check 'the limit taken away' net h limit a eth0 egress=
within 'no limit to send' "$(rate a "$b4" b)" 20000000 100000000000
is 'its queue is gone' "$(ip_on h -j link show type ifb | jq length)" 0
refuses 'a rate that is none' 'invalid: .*is not a rate' net h limit a eth0 egress=fast
refuses 'an interface that is not there' "not-found: instance 'a' has no interface 'eth5'" net h limit a eth5 egress=1M

# --- counters ---
# uncount: somebody takes the programs off the bridge
uncount() {
	on h "$bpf" detach holm-default 2>/dev/null || on h tc qdisc del dev holm-default clsact
}
if on h "$bpf" attached lo >/dev/null 2>&1; then
	is 'they are on the bridge by tcx, one each way' "$(on h "$bpf" attached holm-default)" '1 1'
	is 'and need no classifier' "$(on h tc qdisc show dev holm-default clsact)" ''
else
	like 'they are on the bridge by clsact' "$(on h tc qdisc show dev holm-default)" clsact
fi
serve out udp 192.0.2.2 53
ip_on out addr add 10.5.5.5/32 dev eth0
serve out udp 10.5.5.5 53
ip_on h route add 10.5.5.5/32 via 192.0.2.2
join h c network=default
serve b udp "$b4" 53
for _ in 1 2 3; do ask c udp 192.0.2.2 53 1000 >/dev/null; done
for _ in 1 2; do ask c udp 10.5.5.5 53 500 >/dev/null; done
ask c udp "$b4" 53 700 >/dev/null
counted=$(net h counters c)
is 'to the world: 3 datagrams of 1028 bytes, and answers' "$(part wan "$counted"/ | cut -d / -f 1)" 3084
like 'packets both ways' "$counted" 'wan=3084/3/[0-9]+/3'
like 'to the lan: 2 of 528' "$counted" 'lan=1056/2/[0-9]+/2'
total=$(sed -n 's/.*total=\([0-9]*\).*/\1/p' <<<"$counted")
check 'the whole is more: neighbours, headers' test "$total" -gt $((3084 + 1056 + 728))
like 'all are listed without a name' "$(net h counters | cut -d ' ' -f 1 | sort | tr '\n' ' ')" 'a b c '

# Counters are no rules: who flushes those does not reach them.  One who takes them off the bridge gets new ones laid.
on h nft flush ruleset
is 'a flush of all rules leaves them' "$(net h counters c | grep -o 'wan=.*')" "$(grep -o 'wan=.*' <<<"$counted")"
net h repair >/dev/null
ask c udp 192.0.2.2 53 1000 >/dev/null
like 'and they count on' "$(net h counters c)" 'wan=4112/4/'

serve out udp 2001:db8::2 53
ip_on out -6 addr add fd99::5/128 dev eth0
serve out udp fd99::5 53
ip_on h -6 route add fd99::5/128 via 2001:db8::2
before=$(net h counters c)
ask c udp 2001:db8::2 53 1000 >/dev/null
ask c udp fd99::5 53 500 >/dev/null
# sent KEY TEXT: its packets
sent() { sed -n "s/.*$1=[0-9]*\/\([0-9]*\).*/\1/p" <<<"$2"; }
after=$(net h counters c)
is 'IPv6 to the world' "$(($(sent wan "$after") - $(sent wan "$before")))" 1
check 'IPv6 to the lan' test "$(sent lan "$after")" -gt "$(sent lan "$before")"

# A published port: the source is kept, so the class is that of who came.
check 'a port' net h publish c 192.0.2.1:8053:53/udp
serve c udp "$(net h members c | sed -n 's/.*address4=\([0-9.]*\).*/\1/p')" 53
before=$(net h counters c)
ask out udp 192.0.2.1 8053 100 >/dev/null
is 'by a published port, from the world' "$(($(sent wan "$(net h counters c)") - $(sent wan "$before")))" 1

c4=$(net h members c | sed -n 's/.*address4=\([0-9.]*\).*/\1/p')
net h leave c >/dev/null
join h d network=default address="$c4"
like 'the next with this address counts from zero' "$(net h counters d)" 'lan=0/0/0/0 wan=0/0/0/0'
uncount
net h repair >/dev/null
ask d udp 192.0.2.2 53 1000 >/dev/null
like 'taken off the bridge, they are made anew' "$(net h counters d)" 'wan=1028/1/'
uncount
# The kernel keeps the map for a moment, and who joins in it is not counted.
joined_is_counted() {
	net h leave e >/dev/null
	join h e network=default
	ask e udp 192.0.2.2 53 1000 >/dev/null
	net h counters e | grep -q 'wan=1028/1/'
}
check 'and by the next that joins' wait_for 20 joined_is_counted
ask d udp 192.0.2.2 53 1000 >/dev/null
like 'for the others too' "$(net h counters d)" 'wan=1028/1/'
uncount
net h repair >/dev/null
before=$(on h "$bpf" attached holm-default 2>/dev/null)
net h repair >/dev/null
is 'a repair more does not put them there twice' "$(on h "$bpf" attached holm-default 2>/dev/null)" "$before"

# A frame whose headers are not in one piece in the kernel's memory: raw, and longer than a page.
on h sh -c 'echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables' 2>/dev/null # which would put them into one
net h create wide mtu=9000 >/dev/null
join h w network=wide
w4=$(part address4) mac=$(part mac)
to=$(ip_on h -j link show holm-wide | jq -r '.[0].address')
on w /usr/bin/python3 - "$to" "$mac" "$w4" <<'FRAME'
import socket, struct, sys
to, own = (bytes.fromhex(mac.replace(':', '')) for mac in sys.argv[1:3])
udp = struct.pack('!HHHH', 9, 9, 6008, 0) + b'x' * 6000
ip = struct.pack('!BBHHHBB', 0x45, 0, 20 + len(udp), 1, 0, 64, 17)
addresses = socket.inet_aton(sys.argv[3]) + socket.inet_aton('192.0.2.2')
total = sum(struct.unpack('!9H', ip + addresses))
ip += struct.pack('!H', ~(total + (total >> 16)) & 0xffff) + addresses
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind(('eth0', 0))
sender.send(to + own + b'\x08\0' + ip + udp)
FRAME
like 'a frame in pieces counts as any other' "$(net h counters w)" 'wan=6028/1/'

# As on Linux before 6.6: there are no programs without a classifier.  The fifth call asks for them.
if command -v strace >/dev/null; then
	host h2
	outside h2 out2
	serve out2 udp 192.0.2.2 53
	host o
	# old WHICH VERB...: these calls of bpf(2) fail
	old() {
		ASAN_OPTIONS=detect_leaks=0 NET_STATE=$work/net/h2/state NET_CONFIG=$work/net/h2/config on h2 strace -f -qq -o /dev/null \
			-e trace=bpf -e inject=bpf:error=EINVAL:when="$1" "$work/net/net" "${@:2}"
	}
	check 'without tcx' old 5 join o "$(ns_file o)" network=default
	is 'they are on the bridge by clsact' "$(on h2 tc filter show dev holm-default ingress | grep -c holm_count) $(
		on h2 tc filter show dev holm-default egress | grep -c holm_count) $(on h2 "$bpf" attached holm-default 2>/dev/null || echo '0 0')" '1 1 0 0'
	ask o udp 192.0.2.2 53 1000 >/dev/null
	like 'and count' "$(net h2 counters o)" 'wan=1028/1/'
	check 'repair finds them' old 1+ repair
	on h2 tc qdisc del dev holm-default clsact
	check 'and lays them again where they are not' net h2 repair
	ask o udp 192.0.2.2 53 1000 >/dev/null
	like 'from zero' "$(net h2 counters o)" 'wan=1028/1/'
else
	skip 'as on Linux before 6.6' 'needs strace'
fi

# In a user namespace nobody may use BPF: a join works, and is told.
if unshare --user --map-root-user true 2>/dev/null; then
	nested=$(NET_STATE=$work/net/nested NET_CONFIG=$work/net/nested-config unshare --user --map-root-user --net sh -c \
		'ip link set lo up; unshare --net sleep 100 & until [ "$(readlink /proc/$!/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
		"$0" join n /proc/$!/ns/net network=default; "$0" counters n; kill $!' "$work/net/net" 2>&1)
	like 'in a user namespace a join is told that nothing is counted by class' "$nested" 'not counted by class'
	like 'and works' "$nested" 'n eth0 total=[0-9/]+ lan=0/0/0/0'
else
	skip 'in a user namespace' 'no user namespaces'
fi
