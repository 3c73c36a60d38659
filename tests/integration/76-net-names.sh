#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Names of neighbours, resolv.conf.
# where: host network
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/net.sh"

host h
join h web network=default hostname=www
web4=$(part address4) web6=$(part address6)
hosts=$work/net/h/state/networks/default/hosts
exec 7<"$hosts"
join h db network=default hostname='bad name'
db4=$(part address4)
is 'the file begins as a hosts file does' "$(head -n 1 "$hosts")" $'127.0.0.1\tlocalhost'
is 'a member is found by id and host name' "$(grep -c -e "^$web4.web www" -e "^$web6.web www" "$hosts")" 2
like 'a host name that is none is left out' "$(grep "^$db4" "$hosts")" $'^[0-9.]+\tdb\t#'
is 'a file that is open (bound) sees who came later' "$(grep -c "^$db4" <&7)" 1
check 'the resolver takes it' sh -c "cp '$hosts' '$work/hosts' && python3 - '$work/hosts' <<'E'
import sys
for line in open(sys.argv[1]):
    words = line.split('#')[0].split()
    assert not words or len(words) > 1, line
E"
net h leave web
is 'who leaves is gone from it, in place' "$(grep -c web "$hosts") $(stat -Lc %i "$hosts")" "0 $(stat -Lc %i /proc/$$/fd/7)"
for i in $(seq 150); do
	net h join "n$((i % 3))" "$(ns_file web)" network=default hostname="a-rather-long-host-name-that-fills-the-file-$i" >/dev/null
	net h leave "n$((i % 3))"
done
check 'it does not grow for ever' test "$(stat -c %s "$hosts")" -lt 20000
is 'and keeps who is there' "$(grep -c "^$db4" "$hosts")" 1

# --- several networks ---
net h create two subnet=10.99.0.0/24 >/dev/null
join h far network=two
far4=$(part address4)
join h multi network=default network=two
own=$work/net/h/state/members/multi/hosts
# names: whose lines are in its own file, each once
names() {
	sed -n 's/.*# \(.*\)/\1/p' "$own" | sort | uniq -c | awk '{ printf "%s/%s*%s ", $2, $3, $1 }'
}
is 'an instance on two networks finds the neighbours of both' "$(names)" 'db/eth0*2 far/eth0*1 multi/eth0*2 multi/eth1*1 '
like 'by their addresses' "$(cat "$own")" "$far4"$'\tfar'
host late1
host late2
net h join late1 "$(ns_file late1)" network=two >/dev/null
net h join late2 "$(ns_file late2)" network=default >/dev/null
is 'those who come later too' "$(names)" \
	'db/eth0*2 far/eth0*1 late1/eth0*1 late2/eth0*2 multi/eth0*2 multi/eth1*1 '
net h leave late1
net h leave late2
is 'until they leave' "$(names)" 'db/eth0*2 far/eth0*1 multi/eth0*2 multi/eth1*1 '
inode=$(stat -c %i "$own")
check 'leaving one of them' net h leave multi network=two netns="$(ns_file multi)"
is 'takes its names away, in place' "$(names)$(stat -c %i "$own")" "db/eth0*2 multi/eth0*2 $inode"
net h join multi "$(ns_file multi)" network=two name=eth5 >/dev/null
is 'connected again' "$(names)" 'db/eth0*2 far/eth0*1 multi/eth0*2 multi/eth5*1 '
net h leave multi
is 'nothing of it is left' "$(find "$work/net/h/state" -name 'multi*' | wc -l) $(grep -c multi "$hosts")" '0 0'
net h leave far
check 'and the network goes' net h remove two

# --- resolv.conf ---
printf 'search example.org\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.53\nnameserver  2001:db8::53 # second\noptions edns0\n' \
	>"$work/resolv.conf"
# shellcheck disable=SC2016
check 'a join on a host with another resolv.conf' on h env NET_STATE="$work/net/h/state" NET_CONFIG="$work/net/h/config" \
	unshare --mount --propagation private sh -c 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"' sh "$work/resolv.conf" \
	"$work/net/net" join web "$(ns_file web)" network=default
is 'resolv.conf without loopback servers' "$(cat "$work/net/h/state/resolv.conf")" \
	"$(printf 'search example.org\nnameserver 192.0.2.53\nnameserver  2001:db8::53 # second\noptions edns0')"
