#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# holm's networks beside Docker's, with the rules that Docker makes.
# timeout: 120
# shellcheck disable=SC2034 # lib.sh reads it
needs=(dockerd containerd ip iptables nft)
# shellcheck source=tests/engines/lib.sh
. "$(dirname "$0")/lib.sh"
[ "$RUNTIME" = holm ] || skip_all 'holm only'
install -m 755 "$BUILD/holm-net" /run/engine/holm-net

docker() {
	timeout -k 1 $((40 * HOLM_TIMESCALE)) /usr/bin/docker "$@"
}

# Another machine, 192.0.2.2, beyond this one's only uplink.
exec {outside}< <(exec unshare --net sh -c 'ip link set lo up; echo $$; exec sleep 100000')
read -r out <&"$outside"
ip link add up0 type veth peer name eth0 netns "$out"
ip addr add 192.0.2.1/24 dev up0
ip link set up0 up
ip route add default via 192.0.2.2
nsenter --net -t "$out" sh -c 'ip addr add 192.0.2.2/24 dev eth0 && ip link set eth0 up'
traffic=$OLDPWD/tests/integration/net.py
# serve PID: in its network namespace, on port 80; answers each with the address it came from
serve() {
	nsenter --net -t "$1" /usr/bin/python3 "$traffic" serve tcp 0.0.0.0 80 >/dev/null 2>&1 &
	wait_for 5 sh -c "nsenter --net -t $1 ss -ltn | grep -q '0.0.0.0:80 '"
}
# ask PID ADDRESS PORT: from there; "host" is this one
ask() {
	local enter=(nsenter --net -t "$1")
	[ "$1" != host ] || enter=()
	"${enter[@]}" /usr/bin/python3 "$traffic" ask tcp "$2" "$3"
}
serve "$out"

start_docker() {
	dockerd --add-runtime "under-test=$runtime" --default-runtime under-test --storage-driver overlay2 --oom-score-adjust 0 \
		--ip6tables=false >>/run/engine/dockerd.log 2>&1 &
	docker_pid=$!
	wait_for 20 docker version
}
check 'dockerd starts' start_docker || cat /run/engine/dockerd.log
check 'import an image' eval 'tar -C "$image_root" -c . | docker import -c "CMD [\"/bin/sh\"]" -c "ENV PATH=/bin" - isle'
check 'a container of Docker, with a port' docker run -d --name web -p 192.0.2.1:8081:80 isle sleep 1000
web=$(docker inspect -f '{{.State.Pid}}' web)
serve "$web"
like 'Docker drops what it does not know' "$(iptables -S FORWARD | head -n 1)" '-P FORWARD DROP'
rules=$(iptables-save)

# instance NAME NETWORK-JSON COMMAND...
instance() {
	local name=$1 networks=$2
	shift 2
	mkdir -p "$work/b-$name"
	(cd "$work/b-$name" && "$HOLM" spec && jq --argjson networks "$networks" --arg root "$image_root" --arg words "$*" \
		'.process.terminal = false | .process.args = ($words / " ") | .root = {path: $root} | .holm.networks = $networks' \
		config.json >new && mv new config.json)
	"$HOLM" run --detach --bundle "$work/b-$name" "$prefix-$name" </dev/null >"$work/b-$name/said" 2>&1 ||
		not_ok "instance $name" "$(cat "$work/b-$name/said")"
}
pid_of() {
	"$HOLM" state "$prefix-$1" | jq .pid
}
# unlike NAME TEXT REGEX
unlike() {
	if [[ $2 =~ $3 ]]; then not_ok "$1" "got: $2"; else ok "$1"; fi
}
instance server '[{"network": "default", "publish": ["192.0.2.1:8082:80"]}]' sleep 1000
instance client '[{"network": "default"}]' sleep 1000
server=$(pid_of server) client=$(pid_of client)
serve "$server"
client4=$(nsenter --net -t "$client" ip -4 -j addr show eth0 | jq -r '.[0].addr_info[0].local')
is 'publishing leaves the rules of Docker as they were' "$(iptables-save | sed 's/\[[0-9:]*\]//' | grep -v '^#')" \
	"$(sed 's/\[[0-9:]*\]//' <<<"$rules" | grep -v '^#')"
like 'we warn of its chain' "$("$HOLM" network repair 2>&1)" "the firewall chain 'FORWARD' of table 'ip filter' drops"
is 'the host reaches an instance by its port' "$(ask host 192.0.2.1 8082)" 192.0.2.1
unlike 'Docker keeps instances from the outside' "$(ask "$client" 192.0.2.2 80)" 192

iptables -I DOCKER-USER -i 'holm-+' -j ACCEPT
iptables -I DOCKER-USER -o 'holm-+' -j ACCEPT
everything() {
	is "$1: an instance reaches another machine" "$(ask "$client" 192.0.2.2 80)" 192.0.2.1
	is "$1: another machine reaches the instance" "$(ask "$out" 192.0.2.1 8082)" 192.0.2.2
	is "$1: and the container of Docker" "$(ask "$out" 192.0.2.1 8081)" 192.0.2.2
	like "$1: an instance reaches the container's port" "$(ask "$client" 192.0.2.1 8081)" "$client4|172.17.0.1"
	like "$1: a container reaches the instance's port" "$(ask "$web" 192.0.2.1 8082)" '172\.17\.0\.|10\.66\.0\.1'
	is "$1: a container gets out" "$(ask "$web" 192.0.2.2 80)" 192.0.2.1
}
everything 'told (docs/network.md)'
exits 'a port that Docker has is refused, its proxy named' '[1-9]*' "port 8081/tcp of 192.0.2.1 is in use by process .*docker-proxy" \
	"$HOLM" publish "$prefix-client" 192.0.2.1:8081:80

table=$(nft -s list table inet holm)
kill "$docker_pid"
wait "$docker_pid"
is 'our table outlives the daemon' "$(nft -s list table inet holm)" "$table"
check 'dockerd starts again' start_docker || cat /run/engine/dockerd.log
docker start web >/dev/null
web=$(docker inspect -f '{{.State.Pid}}' web)
serve "$web"
is 'it leaves our table as it was' "$(nft -s list table inet holm)" "$table"
everything 'after its restart'

nft flush ruleset
instance late '[{"network": "default"}]' sleep 1000
is 'everything flushed: the next join lays our table again' "$(nft -s list table inet holm | sed -n '/chain ports/,$p')" \
	"$(sed -n '/chain ports/,$p' <<<"$table")"
is 'and the port works' "$(ask "$out" 192.0.2.1 8082)" 192.0.2.2

for name in server client late; do "$HOLM" delete --force "$prefix-$name"; done
is 'nothing of theirs is left' "$("$HOLM" network inspect default | jq -c .members) $(ip -j link show type veth | jq -r '[.[] | select(.ifname | startswith("hv"))] | length')" '[] 0'
docker rm -f web >/dev/null
kill "$docker_pid"
