#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 240
# Leases: fixed and chosen, many at once, a full subnet, instances that are gone, joins that are killed.
# where: host network
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"

host h x

# --- choosing ---
net h create one subnet=10.99.0.0/24 subnet=fd00:99::/64 >"$work/out"
like 'subnets as asked' "$(cat "$work/out")" 'subnet4=10\.99\.0\.0/24 subnet6=fd00:99::/64 gateway4=10\.99\.0\.1 gateway6=fd00:99::1'
refuses 'a subnet that overlaps' 'exists: the subnet 10.99.0.128/25 overlaps with 10.99.0.0/24' net h create two subnet=10.99.0.128/25
ip_on h link add up0 type veth peer name up1
ip_on h link set up0 up
ip_on h link set up1 up
ip_on h addr add 10.66.1.1/24 dev up0
ip_on h route add 10.66.4.0/24 dev up0
net h create three >"$work/out"
like 'the subnet chosen keeps clear of addresses and routes' "$(cat "$work/out")" 'subnet4=10\.66\.8\.0/22'
net h create four >"$work/out"
like 'and of other networks' "$(cat "$work/out")" 'subnet4=10\.66\.12\.0/22'
for special in 0.0.0.0/8 127.1.0.0/16 224.0.0.0/24 240.0.0.0/24 ::ffff:10.0.0.0/120 ff02::/64; do
	refuses "a subnet that is not for hosts: $special" "invalid: the subnet $special overlaps with .* not for hosts" net h create five subnet=$special
done
refuses 'a gateway that is none' 'invalid: the gateway 10.97.0.255 is the network' net h create five subnet=10.97.0.0/24 gateway=10.97.0.255
refuses 'a network twice' "exists: network 'four' exists already" net h create four
refuses 'a name that is none' 'invalid: .*is not a name' net h create ../four
refuses 'a network that is not there' "not-found: .*network 'nowhere' does not exist" net h join x "$(ns_file x)" network=nowhere
net h remove three && net h remove four

join h a network=one name=net0 address=10.99.0.77 address=fd00:99::77 mac=02:00:00:00:77:77
is 'fixed addresses' "$(part address4) $(part address6) $(part mac)" '10.99.0.77 fd00:99::77 02:00:00:00:77:77'
is 'inside too' "$(link_field a net0 '[.address] + [.addr_info[] | select(.scope == "global").local] | join(" ")')" \
	'02:00:00:00:77:77 10.99.0.77 fd00:99::77'
host b
refuses 'an address that is taken' "exists: .*10.99.0.77 of network 'one' is leased to 'a'" \
	net h join b "$(ns_file b)" network=one address=10.99.0.77
refuses 'an address outside' 'invalid: .*10.98.0.1 is not in a subnet' net h join b "$(ns_file b)" network=one address=10.98.0.1
refuses 'the hardware address of a neighbour' "exists: .*02:00:00:00:77:77 is that of 'a'" net h join b "$(ns_file b)" network=one mac=02:00:00:00:77:77
refuses 'that of the gateway' 'exists: .*is that of the gateway' \
	net h join b "$(ns_file b)" network=one mac="$(ip_on h -j link show holm-one | jq -r '.[0].address')"
refuses 'one that comes with an address' 'invalid: .*is kept for the member with 10.99.0.50' net h join b "$(ns_file b)" network=one mac=0a:68:0a:63:00:32
refuses 'the network namespace of the host' "state: .*'b' has the host's own network" net h join b "$(ns_file h)" network=one
refuses 'the gateway' 'not for members' net h join b "$(ns_file b)" network=one address=10.99.0.1
refuses 'the broadcast address' 'not for members' net h join b "$(ns_file b)" network=one address=10.99.0.255
join h b network=one gateway= route='192.168.7.0/24 via 10.99.0.77' network=default name=eth7
is 'two networks, no gateway of the first, a route' \
	"$(ip_on b -j route show | jq -r '[.[] | select(.gateway) | "\(.dst) \(.gateway)"] | sort | join(",")')" \
	"192.168.7.0/24 10.99.0.77,default $(net h list default | sed 's/.*gateway4=\([^ ]*\).*/\1/')"
like 'the gateway of the second' "$(ip_on b route show default)" 'dev eth7'
like 'the route' "$(ip_on b route show 192.168.7.0/24)" 'via 10.99.0.77 dev eth0'
check 'leaving one network' net h leave b network=one netns="$(ns_file b)"
is 'the other stays' "$(ip_on b -j link show | jq -r '[.[].ifname] | sort | join(" ")')" 'eth7 lo'
net h leave b
net h leave a

# --- many ---
for i in $(seq 200); do host "m$i"; done
pids=()
for i in $(seq 200); do net h join "m$i" "$(ns_file "m$i")" network=one >"$work/m$i" & pids+=($!); done
wait "${pids[@]}"
is 'two hundred joins at once get two hundred addresses' \
	"$(cat "$work"/m* | sed -n 's/.*address4=\([^/]*\).*/\1/p' | sort -u | wc -l)" 200
is 'and IPv6 ones' "$(cat "$work"/m* | sed -n 's/.*address6=\([^/]*\).*/\1/p' | sort -u | wc -l)" 200
is 'all are in the hosts file' "$(grep -c '# m' "$work/net/h/state/networks/one/hosts")" 400
pids=()
for i in $(seq 200); do net h leave "m$i" & pids+=($!); done
wait "${pids[@]}"
is 'all leave at once' "$(find "$work/net/h/state/networks/one/leases" "$work/net/h/state/members" -mindepth 1 | wc -l)" 0
is 'nothing of them is in the hosts file' "$(grep -c '# m' "$work/net/h/state/networks/one/hosts")" 0

# --- full, and gone ---
net h create tiny subnet=10.98.0.0/29 >/dev/null
mkdir "$work/instances"
for i in 1 2 3 4 5; do
	mkdir "$work/instances/t$i"
	join h "t$i" network=tiny instance="$work/instances/t$i" mac="02:00:00:00:99:0$i"
	[ $i != 3 ] || t3=$(part address4)
done
host t6
refuses 'a full subnet' "limit: .*network 'tiny' has no free address in 10.98.0.0/29" \
	net h join t6 "$(ns_file t6)" network=tiny
rmdir "$work/instances/t3"
join h t6 network=tiny mac=02:00:00:00:99:03
is 'the address of an instance that is gone is free' "$(part address4)" "$t3"
is 'collecting finds what it left' "$(net h collect | cut -d ' ' -f 1)" t3
is 'and does not touch its successor' "$(net h members t6 | cut -d ' ' -f 1) $(find "$work/net/h/state/networks/tiny/leases" -name "$t3" | wc -l)" 't6 1'
is 'whose counters stay, and no others' "$(counted "$work/net/h/state/networks/tiny")" \
	"$(find "$work/net/h/state/networks/tiny/leases" -type f -printf '%f\n' | sort)"
rmdir "$work/instances/t4"
check 'what another left that is gone' net h collect
is 'goes with its counters' "$(counted "$work/net/h/state/networks/tiny" | wc -l)" 4
refuses 'the same id of another instance' "exists: .*already has the name 't1'" \
	net h join t1 "$(ns_file t6)" instance="$work" network=one name=x
for i in 1 2 5 6; do net h leave "t$i"; done

# --- killed at every system call ---
# What the host has of networks: what a join must leave as it was once it is taken back.
snapshot() {
	ip_on h -j link show | jq -r '.[].ifname' | sort
	on h nft -s list table inet holm
	ip_on h neigh show nud permanent | sort
	counted "$work/net/h/state/networks/one"
	(cd "$work/net/h" && find . ! -name '*lock' ! -name '.opened' ! -name '.ready' | sort && cat state/networks/one/hosts | grep -v '^ *$')
}
if command -v strace >/dev/null; then
	host k
	join h k network=one publish=127.0.0.1:8080:80 egress=10M ingress=10M
	net h leave k
	before=$(snapshot)
	different='' killed=0 completed=0
	every=$((${HOLM_TIMESCALE:-1} < 10 ? 1 : 3)) # an emulated machine takes a minute for ten of them
	for call in openat sendto sendmsg linkat renameat write mkdirat recvfrom; do
		for at in $(seq 1 "$every" 60); do
			ASAN_OPTIONS=detect_leaks=0 NET_STATE=$work/net/h/state NET_CONFIG=$work/net/h/config on h strace -f -qq -o /dev/null -e trace=$call \
				-e inject=$call:signal=KILL:when="$at" "$work/net/net" join k "$(ns_file k)" network=one \
				publish=127.0.0.1:8080:80 egress=10M ingress=10M >"$work/kill" 2>&1
			if [ $? -eq 0 ]; then
				completed=$((completed + 1))
			else
				killed=$((killed + 1))
			fi
			net h leave k >>"$work/kill" 2>&1 || different+=" $call/$at: $(cat "$work/kill")"
			[ "$(snapshot)" = "$before" ] || {
				different+=" $call/$at: $(diff <(echo "$before") <(snapshot))"
				before=$(snapshot)
			}
			[ -z "$(link_field k eth0 .ifname)" ] || different+=" $call/$at: eth0 is inside"
			[ "$completed" -eq 0 ] || { completed=0 && break; }
		done
	done
	is 'killed anywhere, a join is taken back by leaving' "$(cut -c 1-2000 <<<"$different")" ''
	check "joins were killed in $killed places" test "$killed" -gt $((40 / every))
else
	skip 'killed anywhere, a join is taken back by leaving' 'needs strace'
fi
