#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Names of neighbours, resolv.conf.
# where: host bare
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

# --- resolv.conf ---
printf 'search example.org\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.53\nnameserver  2001:db8::53 # second\noptions edns0\n' \
	>"$work/resolv.conf"
# shellcheck disable=SC2016
check 'a join on a host with another resolv.conf' on h env NET_STATE="$work/net/h/state" NET_CONFIG="$work/net/h/config" \
	unshare --mount --propagation private sh -c 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"' sh "$work/resolv.conf" \
	"$work/net/net" join web "$(ns_file web)" network=default
is 'resolv.conf without loopback servers' "$(cat "$work/net/h/state/resolv.conf")" \
	"$(printf 'search example.org\nnameserver 192.0.2.53\nnameserver  2001:db8::53 # second\noptions edns0')"
