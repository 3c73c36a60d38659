#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Pulling from a registry by skopeo; images of an ordinary user; what a terminal shows.
# timeout: 120
. "$(dirname "$0")/image.sh"
export TMPDIR=$work

mkdir -p "$work/root/bin" "$work/root/dev" "$work/upper/dir"
cp "$(command -v busybox)" "$work/root/bin/sh"
ln "$work/root/bin/sh" "$work/root/bin/ls"
mknod "$work/root/dev/null" c 1 3
chown 12:34 "$work/root/bin"
touch "$work/upper/dir/.wh..wh..opq" "$work/upper/.wh.gone"
tar -C "$work/root" -cf "$work/root.tar" .
tar -C "$work/upper" -cf "$work/upper.tar" .

# --- a registry ---------------------------------------------------------------------------------------------------------------
if command -v docker-registry >/dev/null && command -v skopeo >/dev/null; then
	image import -q --cmd /bin/sh "$work/root.tar" served >/dev/null 2>&1
	image export -q -o "$work/served.tar" served
	for port in 5999 15999 25999 35999; do
		(: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:%s"}\n' \
		"$work/registry" "$port" >"$work/registry.yml"
	docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 </dev/null &
	registry=$!
	answers() { : <"/dev/tcp/127.0.0.1/$port"; }
	wait_for 20 answers
	skopeo copy -q --dest-tls-verify=false "oci-archive:$work/served.tar" "docker://127.0.0.1:$port/some/served:7"
	check 'pull' image pull --insecure "127.0.0.1:$port/some/served:7"
	is 'under the name that was asked for' "$(image inspect some/served:7 | jq -r '.[0].reference')" "127.0.0.1:$port/some/served:7"
	is 'it is what was pushed' "$(id_of some/served:7)" "$(id_of served)"
	check 'pull under another name' image pull -q --insecure "docker://127.0.0.1:$port/some/served:7" mine:8
	is 'another name' "$(id_of mine:8)" "$(id_of served)"
	refuses 'what the registry does not have' 'skopeo could not pull' image pull --insecure "127.0.0.1:$port/some/served:8"
	like "with skopeo's words" "$(cat "$work/said")" 'manifest unknown'
	refuses 'a registry that is not there' 'skopeo could not pull' image pull "127.0.0.1:1/x/y:1"
	kill $registry
	wait $registry 2>/dev/null
	is 'nothing of a pull is left' "$(ls "$data/tmp")" ''
else
	skip 'pull from a registry' 'needs skopeo and docker-registry'
fi
refuses 'without skopeo' 'images are pulled by skopeo, which is not installed .*apt-get install skopeo' \
	env PATH="$work/none" "$HOLM" --data "$data" image pull x/y:1
refuses 'a name that is none' 'is not a name of an image' image pull 'a b'

# --- an ordinary user -----------------------------------------------------------------------------------------------------------
user() { setpriv --reuid 65533 --regid 65533 --clear-groups "$@"; }
mkdir -m 700 "$work/user"
chown 65533:65533 "$work/user"
cp "$HOLM" "$BUILD/holm-unpack" "$work/"
if user unshare -U true 2>/dev/null; then
	as_user() { user "$work/holm" --data "$work/user/data" image "$@"; }
	chmod 644 "$work"/*.tar
	check 'import by an ordinary user' as_user import "$work/root.tar" mine
	like 'it says what could not be kept' "$(cat "$work/said")" '1 file belongs to you.*1 device node in dev/ was left out'
	tree=$work/user/data/layers/$(as_user inspect mine | jq -r '.[0].layers[0].id')/tree
	is 'the files are his' "$(stat -c %u:%g "$tree/bin/sh" "$tree/bin" | sort -u)" 65533:65533
	is 'hard links are hard links' "$(stat -c %h "$tree/bin/sh")" 2
	check 'whiteouts' as_user import -q "$work/upper.tar" upper
	tree=$work/user/data/layers/$(as_user inspect upper | jq -r '.[0].layers[0].id')/tree
	is 'are those of overlayfs' "$(stat -c '%F %t:%T' "$tree/gone")" 'character special file 0:0'
	is 'opaque folders have the attribute of an ordinary user' \
		"$(python3 -c 'import os, sys; print(os.getxattr(sys.argv[1], "user.overlay.opaque").decode())' "$tree/dir")" y
	check 'the store is sound' as_user check --content
	check 'export' as_user export -q -o "$work/user/out.tar" mine upper
	check 'and in again by root' image import -q "$work/user/out.tar"
	mkdir -p "$work/nodes/srv" && mknod "$work/nodes/srv/disk" b 8 0
	tar -C "$work/nodes" -cf "$work/nodes.tar" . && chmod 644 "$work/nodes.tar"
	refuses 'device nodes elsewhere are refused' "member './srv/disk': it is a device node" as_user import -q "$work/nodes.tar" nodes
	check 'remove' as_user remove mine upper
	is 'leaves nothing' "$(ls "$work/user/data/layers" "$work/user/data/tmp" | grep -v : | tr -d '\n')" ''
else
	skip 'images of an ordinary user' 'no user namespaces for users'
fi
chmod 777 "$work/user"
chown 0:0 "$work/user"
refuses 'a data folder that others can write to' 'others can write to the data folder' "$HOLM" --data "$work/user" image list
chmod 755 "$work/user"
chown 65533 "$work/user"
refuses "somebody else's data folder" 'belongs to user 65533' "$HOLM" --data "$work/user" image list

# --- what is shown ----------------------------------------------------------------------------------------------------------------
like 'plain lines where no terminal is' "$(image import "$work/root.tar" plain 2>&1 >/dev/null)" '^1 of 1 layers: .* MiB, .*/s$'
image import "$work/root.tar" plain 2>/dev/null >"$work/plain"
like 'the result is on standard output' "$(cat "$work/plain")" '^plain:latest: [0-9a-f]{12}, 1 layer, .* MiB'
if command -v script >/dev/null; then
	script -qec "'$HOLM' --data '$data' image import '$work/root.tar' drawn" "$work/typescript" >/dev/null 2>&1 </dev/null
	like 'a bar on a terminal' "$(tr -d '\0' <"$work/typescript")" $'\r\\[#+\\] 1 of 1 layers, .* MiB of .* MiB, .*/s\e\\[K'
fi
refuses 'an image is not written to a terminal' 'is not written to a terminal' script -qec "'$HOLM' --data '$data' image export plain" /dev/null
refuses 'a command that is like one' "did you mean 'import'" image imprt x
