#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Archives that attackers write: each is refused with the member's name, and leaves nothing; nothing outside is touched.
# timeout: 240
. "$(dirname "$0")/image.sh"
command -v python3 >/dev/null || skip_all 'python3 writes the archives'
archives=tests/integration/archives.py
rm -f /tmp/holm-evil

# store_is_empty: no layer, no name, nothing in the making
store_is_empty() {
	[ -z "$(find "$data/layers" "$data/images" "$data/tmp" -mindepth 1 2>/dev/null)" ]
}

while read -r name expected; do
	python3 $archives "$name" "$work/$name.tar"
	if [ "$expected" = - ]; then
		check "taken: $name" image import -q "$work/$name.tar" "$name"
		continue
	fi
	refuses "refused: $name" "$expected" image import -q "$work/$name.tar" "$name"
	unlike "refused: $name: one line" "$(cat "$work/said")" $'\n'
	check "nothing is left of $name" store_is_empty
	store_is_empty || rm -rf "$data"
	rm -f "$work/$name.tar"
done < <(python3 $archives | sort -k 2,2 | grep -v ' -$')
while read -r name expected; do
	python3 $archives "$name" "$work/$name.tar"
	check "taken: $name" image import -q "$work/$name.tar" "$name"
done < <(python3 $archives | grep ' -$')
check 'what was taken is what it says' image check --content
is 'a member behind a link of its own name replaces the link' "$(cat "$(tree_of write-through-symlink)/x")" mine
is 'a second member of one name leaves the other names' "$(cat "$(tree_of write-through-hard-link)/etc/good")" good
is 'names are bytes' "$(find "$(tree_of names)" -mindepth 1 -printf '%f\0' | LC_ALL=C sort -z | base64 -w 0)" \
	"$(printf '%b' ' blank \0*\0-option\0\\n\0cafe\xcc\x81\0latin-\xe9\0line\nbreak\0' | sed 's/\\\\n/\\n/' | LC_ALL=C sort -z | base64 -w 0)"
check 'nothing was written outside' test ! -e /tmp/holm-evil

# What has no end
tar -C "$work" -cf "$work/small.tar" -- names.tar
endless='more than 16777216 bytes follow|nothing comes of its last 16777216 bytes|can.t be decompressed'
refuses 'zeros without end' "$endless" timeout 60 "$HOLM" --data "$data" image import -q /dev/zero endless
# shellcheck disable=SC2016 # the inner shell's
endless() { timeout 60 bash -c 'cat "$1" "$2" | "$3" --data "$4" image import -q - endless' - "$1" "$2" "$HOLM" "$data"; }
for how in cat gzip xz zstd bzip2; do
	$how <"$work/small.tar" >"$work/small.$how"
	refuses "zeros without end after a tar by $how" "$endless" endless "$work/small.$how" /dev/zero
	refuses "garbage without end after a tar by $how" "$endless" endless "$work/small.$how" /dev/urandom
done
{ printf x >"$work/layer.tar" && tar -C "$work" -cf "$work/docker.tar" --transform 's,.*,manifest.json,' layer.tar; } || not_ok 'an archive of images'
refuses 'zeros without end after an archive of images' "$endless" endless "$work/docker.tar" /dev/zero
refuses 'nothing of that is there' 'no image' image inspect endless
is 'or in the making' "$(ls "$data/tmp")" ''
head -c 1M /dev/zero >"$work/zeros"
check 'a tape of large records is taken' endless "$work/small.cat" "$work/zeros"

# Limits
tar -C "$work" -cf "$work/three.tar" --transform 's,.*,a/b/c/&,' -- "names.tar" "write-through-symlink.tar"
refuses '--max-entries' 'more than 1 members \(--max-entries\)' image import -q --max-entries 1 "$work/three.tar" limited
refuses '--max-depth' 'deeper than 2 folders' image import -q --max-depth 2 "$work/three.tar" limited
refuses '--max-size' 'more than 4096 bytes \(--max-size\)' image import -q --max-size 4k "$work/three.tar" limited
check 'within the limits it is taken' image import -q --max-entries 9 --max-depth 9 --max-size 1M "$work/three.tar" limited
check '--max-ratio lets the bomb through' bash -c "python3 $archives bomb '$work/bomb' && '$HOLM' --data '$data' image import -q --max-ratio 5000 '$work/bomb' bomb"
is 'of which the zeros take no room' "$(($(du -s "$(tree_of bomb)" | cut -f 1) < 1000))" 1

# Devices
mkdir -p "$work/nodes/dev" "$work/nodes/srv"
mknod "$work/nodes/dev/null" c 1 3
tar -C "$work/nodes" -cf "$work/dev.tar" .
mknod "$work/nodes/srv/sda" b 8 0
tar -C "$work/nodes" -cf "$work/srv.tar" .
check 'device nodes are taken' image import -q "$work/srv.tar" devices
is 'as what they are' "$(stat -c '%F %t:%T' "$(tree_of devices)/srv/sda")" 'block special file 8:0'
refuses '--no-devices refuses them' "member './srv/sda': it is a device node, which is not allowed" image import -q --no-devices "$work/srv.tar" none
check '--no-devices leaves those in dev/ out' image import -q --no-devices "$work/dev.tar" nodevices
is 'they are not there' "$(ls "$(tree_of nodevices)/dev")" ''

# An image's own parts, altered
layout() {
	rm -rf "$work/layout"
	image export -q -o "$work/layout/" names:latest
}
# alter FILE: one byte of it
alter() {
	printf '\377' | dd of="$1" bs=1 seek=$(($(stat -c %s "$1") / 2)) conv=notrunc status=none
}
manifest_of() {
	jq -r '.manifests[0].digest[7:]' "$work/layout/index.json"
}
blob() {
	echo "$work/layout/blobs/sha256/$1"
}
fresh=$work/fresh
taken_fresh() {
	"$HOLM" --data "$fresh" image import -q "$work/layout" altered
}
layout
alter "$(blob "$(manifest_of)")"
refuses 'an altered manifest' "was altered: its SHA-256 is" taken_fresh
layout
alter "$(blob "$(jq -r '.config.digest[7:]' "$(blob "$(manifest_of)")")")"
refuses 'an altered configuration' "was altered: its SHA-256 is" taken_fresh
layout
layer=$(blob "$(jq -r '.layers[0].digest[7:]' "$(blob "$(manifest_of)")")")
alter "$layer"
refuses 'an altered layer' "layer 1 of 1 .*altered|layer 1 of 1 .*damaged" taken_fresh
layout
truncate -s 700 "$layer"
refuses 'a layer that is cut off' "layer 1 of 1 .*cut off" taken_fresh
layout
rm "$layer"
refuses 'a layer that is missing' "layer 1 of 1 .*does not have it" taken_fresh
layout
echo '{"schemaVersion":2,"manifests":[{"digest":"sha256:../../../../etc/passwd","size":1}]}' >"$work/layout/index.json"
refuses 'a digest that is a path' "is not a SHA-256 digest" taken_fresh
layout
rm "$layer" && ln -s /etc/passwd "$layer"
refuses 'a blob that is a link to outside' "does not have it" taken_fresh
check 'nothing of these is left' bash -c "[ -z \"\$(find '$fresh/layers' '$fresh/images' '$fresh/tmp' -mindepth 1 2>/dev/null)\" ]"

# holm-unpack is shut in
refuses 'holm-unpack is not for people' 'is started by holm' "$BUILD/holm-unpack"
