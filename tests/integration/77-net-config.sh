#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Networks from the configuration and from the shell: containers that join, publish, connect and end.
# where: host network
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"
is_holm || skip_all 'holm only'

host h
outside h out
serve out tcp 0.0.0.0 80
mkdir "$work/run" "$work/lib" "$work/lib/holm"

# holm, with the folders of this test's own host: /run/holm-net and /var/lib/holm are the test's
holm() {
	local verb=$1 bundle_option=()
	shift
	case $verb in create | run) bundle_option=(--bundle "$bundle") ;; esac
	nsenter --net="$(ns_file h)" unshare --mount --propagation private sh -c '
		mount --bind "$1/run" /run && mount --bind "$1/lib" /var/lib && shift && exec "$@"' sh "$work" \
		"$HOLM" --root "$state" "$verb" "${bundle_option[@]}" "$@"
}

# answer PORT: what a container has to run to answer with a word
answer() {
	printf 'while echo %s | nc -l -p %s >/dev/null; do :; done' "$2" "$1"
}

bundle -- sh -c "$(answer 80 pong)"
config '.holm.networks = [{"network": "default", "publish": ["192.0.2.1:8080:80", "8081:80"]}] | .process.user.uid = 0'
web=$id
run_detached
pid=$(pid_of "$web")
# inside ID COMMAND...: in its network namespace
inside() {
	nsenter --net="/proc/$(pid_of "$1")/ns/net" "${@:2}"
}
web4=$(inside "$web" ip -4 -j addr show eth0 | jq -r '.[0].addr_info[0].local')
like 'it has an address' "$web4" '^10\.66\.'
is 'its port is reached from outside' "$(ask out tcp 192.0.2.1 8080)" pong
is 'and from the host' "$(ask h tcp 127.0.0.1 8081)" pong
like 'its own name is in its hosts file' "$(holm exec "$web" cat /etc/hosts)" "$web4.$web"
like 'resolv.conf is there' "$(holm exec "$web" cat /etc/resolv.conf && echo yes)" yes

bundle -- sleep 1000
config '.holm.networks = [{"network": "default"}]'
run_detached
client=$id
is 'a neighbour is found by its name' "$(holm exec "$client" sh -c "echo | nc -w 3 $web 80")" pong
fact 'inspect shows members and ports' "$(holm network inspect default)" \
	'[.members[] | {id, ports}] | sort_by(.id) | tostring' \
	"$(jq -nc --arg web "$web" --arg client "$client" '[{id: $web, ports: ["192.0.2.1:8080:80/tcp", "127.0.0.1:8081:80/tcp"]},
		{id: $client, ports: []}] | sort_by(.id) | tostring' | jq -r .)"
refuses 'a network in use stays' "network 'default' is in use by '" holm network remove default

check 'publish' holm publish "$web" 192.0.2.1:8082:80
is 'works' "$(ask out tcp 192.0.2.1 8082)" pong
check 'unpublish' holm unpublish "$web" 192.0.2.1:8082:80
is 'works, too' "$(ask out tcp 192.0.2.1 8082)" refused
refuses 'a port that is taken' "is published by '$web'" holm publish "$client" 192.0.2.1:8080:81

refuses 'a VLAN of no number' "create network 'zero': a VLAN is a number from 1 to 4094, not 0" holm network create --vlan 0 --uplink up0 zero
refuses 'an MTU of no bytes' "create network 'zero': an MTU is a number from 68 to 65535, not 0" holm network create --mtu 0 zero
refuses 'what a network can not be says of which' "create network 'zero': the gateway 1.2.3.4 is not in" holm network create --gateway 1.2.3.4 zero
refuses 'connecting says whom' "connect '$client' to network 'default': 'zz' is not a hardware address" holm network connect --mac zz default "$client"
refuses 'limiting says what' "limit interface 'eth9' of '$client': .*no interface 'eth9'" holm network limit --egress 1M "$client" eth9
refuses 'limiting to nothing' 'neither --egress nor --ingress' holm network limit "$client" eth0
like 'a port of an address that the host has not is warned of' "$(holm publish "$client" 192.0.2.77:80:80 2>&1)" \
	'port 192.0.2.77:80:80/tcp is published although the host has no address 192.0.2.77'
check 'and works once it has' ip_on h addr add 192.0.2.77/32 dev up0
is 'nothing to warn of then' "$(holm unpublish "$client" 192.0.2.77:80:80 2>&1; holm publish "$client" 192.0.2.77:80:80 2>&1)" ''
holm unpublish "$client" 192.0.2.77:80:80
check 'network create' holm network create --subnet 10.99.0.0/24 --isolated second
is 'network list' "$(holm network list --quiet | sort | tr '\n' ' ')" 'default second '
fact 'the same as JSON' "$(holm network list --format json)" '.[] | select(.name == "second") | [.subnet4, .isolated] | tostring' '["10.99.0.0/24",true]'
check 'connect' holm network connect --address 10.99.0.9 --no-gateway --egress 50M second "$client"
is 'it has a second interface' "$(inside "$client" ip -4 -j addr show eth1 | jq -r '.[0].addr_info[0].local')" 10.99.0.9
fact 'its rate is known' "$(holm network inspect second)" '.members[0].egress.bitsPerSecond' 50000000
check 'limit' holm network limit --egress 0 "$client" eth1
fact 'its rate is gone' "$(holm network inspect second)" '.members[0] | has("egress")' false
check 'disconnect' holm network disconnect second "$client"
refuses 'disconnect again' "'$client' is not on network 'second'" holm network disconnect second "$client"
refuses 'disconnect from a network that is none' "'$client' is not on network 'secnd'" holm network disconnect secnd "$client"
is 'it has it no more' "$(inside "$client" ip -j link show | jq -r '[.[].ifname] | join(" ")')" 'lo eth0'
check 'remove' holm network remove second
refuses 'a command that is none' "no command 'remov'; did you mean 'remove'" holm network remov x

bundle -- true
config '.holm.networks = [{"network": "default", "publish": ["192.0.2.1:8080:80"]}]'
refuses 'a container whose port is taken does not start' "port 8080/tcp of 192.0.2.1 is published by '$web'" holm run "$id"
is 'and leaves nothing' "$(holm network inspect default | jq '.members | length')" 2
bundle -- true
config '.holm.networks = [{"network": "nowhere"}]'
refuses 'a network that is not there' "network 'nowhere' does not exist" holm run "$id"
bundle -- true
config '.holm.networks = [{"network": "defualt"}]'
refuses 'one that is almost there' "network 'defualt' does not exist; did you mean 'default'" holm run "$id"
bundle -- true
config '.holm.networks = [{"network": "default", "publish": ["80"]}]'
refuses 'a port that is none' 'holm.networks\[0\]: .80. is not' holm run "$id"

bundle -- sh -c 'ip -4 addr show eth0; ip -4 addr show x1; ip route'
config '.holm.networks = [{"network": "default"}, {"network": "default", "interface": "x1", "address": "10.66.3.33", "mac": "02:00:00:00:00:33", "gateway": "none", "routes": ["10.77.0.0/16 via 10.66.0.1"]}]'
like 'two interfaces, one fixed' "$(holm run "$id")" 'inet 10\.66\..*inet 10\.66\.3\.33/22.*10\.77\.0\.0/16 via 10\.66\.0\.1 dev x1'

# Who can tell whether the network is joined waits for it before all else; others just before the program starts.
# waits_last: the place of the wait in the plan
waits_last() {
	holm explain --bundle "$bundle" --json | jq '[.[].operation] |
		(map(test("wait for the host side")) | index(true)) > (map(test("pivot_root")) | index(true))'
}
bundle -- sh -c 'ip -4 -o addr show eth0; cat /proc/sys/net/ipv4/conf/eth0/proxy_arp; wc -l <"/proc/net/route"'
config '.holm.networks = [{"network": "default"}]'
is 'init joins beside its mounts' "$(waits_last)" true
like 'and the program finds the network' "$(holm run "$id")" 'inet 10\.66\.[^ ]* .*'$'\n''0'$'\n''3$'
config '.linux.sysctl = {"net.ipv4.conf.eth0.proxy_arp": "1"}'
is 'for a sysctl of the network it waits' "$(waits_last)" false
like 'and sets it' "$(holm run "$id")" 'inet 10\.66\.[^ ]* .*'$'\n''1'$'\n''3$'
config 'del(.linux.sysctl)'
for hook in prestart createRuntime createContainer; do
	config ".hooks = {$hook: [{path: \"/bin/sh\", args: [\"sh\", \"-c\",
		\"pid=\$(jq .pid) && nsenter --net=/proc/\$pid/ns/net ip -4 -o addr show eth0 >$work/$hook; exit 0\"]}]}"
	[ $hook != createContainer ] || config ".hooks.createContainer[0].args[2] = \"ip -4 -o addr show eth0 >$work/$hook\""
	is "for a hook $hook, too" "$(waits_last)" false
	check 'it runs' holm run "$id"
	like 'and the hook has seen the interface' "$(cat "$work/$hook")" 'inet 10\.66\.'
done
bundle -- true
config '.holm.networks = [{"network": "default"}] | .root.path = "nowhere"'
refuses 'who fails later than holm-net began' 'nowhere' holm run "$id"
is 'leaves nothing' "$(holm network inspect default | jq '.members | length')" 2
is 'the host takes no part in IPv6 on the ports of a bridge' \
	"$(on h sh -c 'cat /proc/sys/net/ipv6/conf/hv*/disable_ipv6 | sort -u')" 1

holm network create second --subnet 10.88.0.0/24
bundle -- sleep 1000
config '.holm.networks = [{"network": "second"}]'
run_detached
neighbour=$id
bundle -- sh -c "cat /etc/hosts; echo | nc -w 3 $web 80; ip route show default"
config '.holm.networks = [{"network": "second"}, {"network": "default"}]'
like 'on two networks: neighbours of both are found' "$(holm run "$id")" "10\.88\.0\.[0-9]+.$neighbour.*pong.*default via 10\.88\.0\.1 dev eth0 .*default via 10\.66\.0\.1 dev eth1 *metric"
check 'a running one connects' holm network connect second "$client"
like 'and finds the neighbours of both by name' "$(holm exec "$client" cat /etc/hosts)" "$web4.$web.*10\.88\.0\.[0-9]+.$neighbour"
is 'its own name is there once for each interface' "$(holm exec "$client" cat /etc/hosts | grep -c "^10[.0-9]*.$client")" 2
like 'its default route stays the first' "$(inside "$client" ip route show default)" 'via 10\.66\.0\.1 dev eth0 .*via 10\.88\.0\.1 dev eth1 .*metric'
bundle -- sleep 1000
config '.holm.networks = [{"network": "second"}]'
run_detached
late=$id
like 'also who comes later' "$(holm exec "$client" cat /etc/hosts)" "10\.88\.0\.[0-9]+.$late"
check 'who goes' holm delete --force "$late"
unlike 'is gone' "$(holm exec "$client" cat /etc/hosts)" "$late"
check 'and disconnects' holm network disconnect second "$client"
unlike 'then their names are gone' "$(holm exec "$client" cat /etc/hosts)" "$neighbour"
like 'and the others are not' "$(holm exec "$client" cat /etc/hosts)" "$web4.$web"
is 'and the link is gone' "$(inside "$client" ip -j link show | jq -r '[.[].ifname] | join(" ")')" 'lo eth0'
bundle -- sh -c 'ip -4 addr show eth0; ip link show lo'
config ".linux.namespaces |= map(if .type == \"network\" then .path = \"/proc/$(pid_of "$client")/ns/net\" else . end)"
like "another's namespace is joined" "$(holm run "$id")" 'inet 10\.66\..*lo: <LOOPBACK,UP'
bundle -- ls /sys/class/net
config '.linux.namespaces |= map(select(.type != "network"))'
like "the host's stack" "$(holm run "$id")" 'holm-default.*up0'
bundle -- sh -c 'ls /sys/class/net; ip link show lo'
like 'none: loopback alone, and up' "$(holm run "$id")" '^lo.*1: lo: <LOOPBACK,UP'
bundle -- sleep 1000
own_root
ln -sf /proc/1/root/etc/hostname "$bundle/rootfs/etc/resolv.conf"
printf '192.0.2.7\town\n' >"$bundle/rootfs/etc/hosts"
run_detached
check 'one without a network connects' holm network connect second "$id"
like 'it finds its neighbours by name' "$(holm exec "$id" cat /etc/hosts)" "10\.88\.0\.[0-9]+.$neighbour"
like 'its root keeps the file that it had' "$(cat "$bundle/rootfs/etc/hosts")" 'own'
is 'no link of the payload leads out' "$(grep -c resolv.conf "/proc/$(pid_of "$id")/mountinfo")" 0
check 'and goes' holm delete --force "$id"
is 'nothing of it is left' "$(holm network inspect second | jq -r '.members[].id' | grep -c "$id")" 0
bundle -- sleep 1000
config '.mounts += [{"destination": "/etc/hosts", "type": "bind", "source": "'"$bundle"'/hosts", "options": ["bind"]}]'
printf '192.0.2.8\tmine\n' >"$bundle/hosts"
run_detached
check 'one with a hosts file of its configuration connects' holm network connect second "$id"
is 'which stays' "$(holm exec "$id" cat /etc/hosts)" $'192.0.2.8\tmine'
check 'and goes, too' holm delete --force "$id"
check 'delete' holm delete --force "$neighbour"
check 'and the network goes' holm network remove second

# Everything of an instance is killed, and what holm knew of it is gone: what it had of networks is still found and freed.
bundle -- sleep 1000
config '.holm.networks = [{"network": "default", "publish": ["192.0.2.1:8099:80"], "rate": {"egress": "8M", "ingress": "8M"}}]'
run_detached
lost=$id
is 'a limited one has a queue' "$(ip_on h -j link show type ifb | jq length)" 1
kill -9 "$(pid_of "$lost")"
wait_status stopped "$lost"
mv "$state/$lost" "$work/lost"
check 'repair, after the record of one was lost' holm network repair
is 'frees what it had' "$(ip_on h -j link show type ifb | jq length) $(holm network inspect default | jq -r '.members[].id' | grep -c "$lost") $(
	ask out tcp 192.0.2.1 8099) $(counted "$work/run/holm-net/networks/default" | wc -l)" '0 0 refused 4'
mv "$work/lost" "$state/$lost"
check 'and the rest, once it is there again' holm delete "$lost"

kill -9 "$pid"
wait_status stopped "$web"
check 'delete' holm delete "$web"
is 'its port is free' "$(ask out tcp 192.0.2.1 8080)" refused
check 'delete --force' holm delete --force "$client"
is 'no member is left' "$(holm network inspect default | jq '.members | length')" 0
is 'no link, lease or record either' "$(ip_on h -j link show type veth | jq -r '[.[] | select(.ifname != "up0") | .ifname] | join(" ")'
	find "$work/run/holm-net/members" "$work/run/holm-net/networks/default/leases" -mindepth 1)" ''
