#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Docker Swarm: three nodes on this machine, each a dockerd in namespaces of its own.
# timeout: 240
# shellcheck disable=SC2034 # lib.sh reads it
needs=(dockerd containerd ip iptables nsenter)
# shellcheck source=tests/engines/lib.sh
. "$(dirname "$0")/lib.sh"

# Names are asked for (is there a newer image?): an answer comes at once, that there is none.
echo "nameserver 127.0.0.1" >/etc/resolv.conf

# The wire between the nodes: a bridge of this sandbox, 10.99.0.0/24.
ip link add swarm0 type bridge
ip addr add 10.99.0.254/24 dev swarm0
ip link set swarm0 up

# What a node does in its namespaces: folders of its own where engines keep their data, then dockerd.
cat >/run/engine/node <<'NODE'
#!/bin/bash
name=$1 runtime=$2
hostname "$name"
folder=/run/engine/$name.data
mkdir -p "$folder/docker" "$folder/containerd"
mount --bind "$folder/docker" /var/lib/docker
mount --bind "$folder/containerd" /var/lib/containerd
for f in /run/docker /run/containerd /run/netns /var/run/docker; do mkdir -p "$f"; mount -t tmpfs node "$f"; done
mount -t sysfs sysfs /mnt 2>/dev/null && umount /mnt
ip link set lo up
until [ -e "/run/engine/$name.wired" ]; do sleep 0.02; done
exec dockerd --add-runtime "under-test=$runtime" --default-runtime under-test --storage-driver overlay2 --oom-score-adjust 0 \
	--ip6tables=false --host "unix:///run/engine/$name.sock" --pidfile "/run/engine/$name.pid" --cgroup-parent "/$name" \
	--exec-root "/run/docker"
NODE
chmod +x /run/engine/node

# start_node NUMBER: node nN at 10.99.0.N
start_node() {
	local name=n$1
	rm -f "/run/engine/$name.wired"
	unshare --net --mount --uts --pid --ipc --fork --kill-child --mount-proc --propagation slave \
		/run/engine/node "$name" "$runtime" >"/run/engine/$name.log" 2>&1 &
	node_pid[$1]=$!
	wait_for 5 eval '[ -n "$(pgrep -P '"${node_pid[$1]}"')" ]'
	local inside
	inside=$(pgrep -P "${node_pid[$1]}")
	ip link add "$name" type veth peer name eth0 netns "$inside"
	ip link set "$name" master swarm0 up
	nsenter --net --target "$inside" ip addr add "10.99.0.$1/24" dev eth0
	nsenter --net --target "$inside" ip link set eth0 up
	nsenter --net --target "$inside" ip route add default via 10.99.0.254
	touch "/run/engine/$name.wired"
	wait_for 30 on "$1" version
}

# on NUMBER COMMAND...: docker of that node
on() {
	local n=$1
	shift
	timeout -k 1 $((60 * HOLM_TIMESCALE)) /usr/bin/docker -H "unix:///run/engine/n$n.sock" "$@" </dev/null
}

running() { # how many tasks of the service run
	on 1 service ps --filter desired-state=running --format '{{.CurrentState}}' "$1" | grep -c ^Running
}

has_running() {
	[ "$(running "$1")" -eq "$2" ]
}

declare -A node_pid=()
for n in 1 2 3; do
	check "node $n starts" start_node $n || cat "/run/engine/n$n.log"
done
echo "# $(on 1 version --format 'Docker {{.Server.Version}}'), $("$runtime" --version | head -n 1)"
tar -C "$image_root" -cf image.tar .
for n in 1 2 3; do
	check "an image on node $n" eval "on $n import -c 'ENV PATH=/bin' image.tar isle:1 && on $n tag isle:1 isle:2"
done
check 'init' on 1 swarm init --advertise-addr 10.99.0.1 --listen-addr 10.99.0.1
token=$(on 1 swarm join-token -q worker)
for n in 2 3; do
	check "node $n joins" on $n swarm join --token "$token" --advertise-addr 10.99.0.$n --listen-addr 10.99.0.$n 10.99.0.1:2377
done
is 'three nodes are ready' "$(on 1 node ls --format '{{.Status}}' | grep -c Ready)" 3
check 'a service of three' on 1 service create --detach --no-resolve-image --name web --replicas 3 --endpoint-mode dnsrr \
	--restart-delay 0.2s --stop-grace-period 1s --limit-memory 64M isle:1 sleep 1000
check 'they run' wait_for 30 has_running web 3
is 'on three nodes' "$(on 1 service ps --filter desired-state=running --format '{{.Node}}' web | sort -u | paste -sd ' ')" 'n1 n2 n3'
for n in 1 2 3; do
	is "node $n: the runtime" "$(on $n ps -q | xargs -r -n 1 timeout $((20 * HOLM_TIMESCALE)) /usr/bin/docker -H "unix:///run/engine/n$n.sock" inspect -f '{{.HostConfig.Runtime}}' | sort -u)" under-test
done
is 'the limit holds' "$(on 1 exec "$(on 1 ps -q | head -n 1)" limit memory)" 67108864
check 'scale to six' on 1 service scale --detach web=6
check 'six run' wait_for 30 has_running web 6
check 'rolling update' on 1 service update --detach --no-resolve-image --image isle:2 --update-parallelism 3 --update-delay 0s web
check 'all are new' wait_for 60 eval '[ "$(on 1 service ps --filter desired-state=running --format "{{.Image}} {{.CurrentState}}" web | grep -c "^isle:2 Running")" -eq 6 ]'
on 1 kill "$(on 1 ps -q | head -n 1)" >/dev/null
check 'a task that dies is replaced' wait_for 30 has_running web 6
check 'drain of node 2' on 1 node update --availability drain n2
check 'its tasks move' wait_for 40 eval '[ -z "$(on 2 ps -q)" ] && has_running web 6'
check 'node 2 is back' on 1 node update --availability active n2
kill -9 "${node_pid[3]}"
check 'node 3 is killed: it is seen' wait_for 60 eval '[[ $(on 1 node ls --format "{{.Hostname}} {{.Status}}") == *"n3 Down"* ]]'
check 'its tasks are started elsewhere' wait_for 60 eval \
	'[ "$(on 1 service ps --filter desired-state=running --format "{{.Node}} {{.CurrentState}}" web | grep -c "^n[12] Running")" -eq 6 ]'
check 'service rm' on 1 service rm web
check 'nothing runs' wait_for 40 eval '[ -z "$(on 1 ps -q)$(on 2 ps -q)" ]'
