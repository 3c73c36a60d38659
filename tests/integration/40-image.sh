#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Images from every kind of source, and back: what other tools make is taken, what holm makes they read.
# timeout: 300
. "$(dirname "$0")/image.sh"
for tool in skopeo umoci buildah podman; do
	command -v $tool >/dev/null || skip_all "needs skopeo, umoci, buildah and podman: tests/packages images"
done
export TMPDIR=$work
podman_here() {
	podman --root "$work/podman" --runroot "$work/podman.run" --storage-driver vfs "$@"
}
buildah_here() {
	buildah --root "$work/podman" --runroot "$work/podman.run" --storage-driver vfs "$@"
}

# --- a root with everything that a tar can hold ---------------------------------------------------------------------------
root=$work/root
make_root "$root"
long=$(printf 'long-%.0s' {1..40})
mkdir -p "$root/etc/$long/$long" "$root/srv"
echo deep >"$root/etc/$long/$long/$long"
ln "$root/etc/passwd" "$root/etc/passwd.hard"
ln -s "../$long/$long" "$root/etc/long.link"
mkfifo "$root/srv/fifo"
mknod "$root/srv/null" c 1 3
mknod "$root/srv/loop" b 7 0
truncate -s 20M "$root/srv/sparse"
printf end >>"$root/srv/sparse"
install -m 4755 -o 1234 -g 70000 /dev/null "$root/srv/setuid"
chown 3000000000:3000000001 "$root/srv/fifo"
cp "$root/bin/busybox" "$root/srv/capable"
setcap cap_net_raw+ep "$root/srv/capable"
python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.note", b"a\0b")' "$root/etc/group"
touch -d '2001-02-03 04:05:06.789123456 UTC' "$root/etc/group"
touch -d '1969-12-31 23:59:58.25 UTC' "$root/etc/passwd"
chmod 1770 "$root/srv"
# What folders hand down must not be handed down by unpacking.
mkdir -p "$root/srv/handed/sub" "$data"
touch "$root/srv/handed/file" "$root/srv/handed/sub/file"
mkfifo "$root/srv/handed/fifo"
chown :8 "$root/srv/handed"
chmod 2770 "$root/srv/handed"
hand_down() {
	python3 - "$1" <<-'END'
		import os, struct, sys
		entries = [(1, 7, -1), (2, 7, 1000), (4, 5, -1), (16, 7, -1), (32, 0, -1)]
		os.setxattr(sys.argv[1], "system.posix_acl_default", struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *e) for e in entries))
	END
}
hand_down "$root/srv/handed"
chown :50 "$data"
chmod 2700 "$data"
hand_down "$data"
printf x >"$root/srv/$(printf 'caf\x65\xcc\x81')"

# describe FOLDER: everything about every file, one line each
describe() {
	python3 - "$1" <<-'END'
		import os, stat, sys, hashlib
		top, seen = os.fsencode(sys.argv[1]), {}
		for folder, folders, files in os.walk(top):
		    for name in sorted(folders + files) + ([b"."] if folder == top else []):
		        path = os.path.join(folder, name)
		        st = os.lstat(path)
		        what = hashlib.sha256(open(path, "rb").read()).hexdigest()[:12] if stat.S_ISREG(st.st_mode) else os.readlink(path) if stat.S_ISLNK(st.st_mode) else st.st_rdev
		        attributes = {} if stat.S_ISLNK(st.st_mode) else {a: os.getxattr(path, a) for a in os.listxattr(path)}
		        first = seen.setdefault(st.st_ino, path[len(top):])
		        print(path[len(top):], oct(st.st_mode), st.st_uid, st.st_gid, st.st_mtime_ns, what, sorted(attributes.items()), first)
	END
}
# same NAME FOLDER [FILTER]: the tree is the root that was made
same() {
	local want got
	want=$(describe "$root" | sed -E "${3:-}" | sort)
	got=$(describe "$2" | sed -E "${3:-}" | sort)
	if [ "$want" = "$got" ]; then ok "$1"; else not_ok "$1" "$(diff <(echo "$want") <(echo "$got") | head -n 10)"; fi
}
seconds='s/([0-9]{10,})[0-9]{9} /\1 /; s/ -?[0-9]+[0-9]{9} / T /' # archives without fractions
full="--xattrs --xattrs-include=* --numeric-owner"

# --- plain roots -----------------------------------------------------------------------------------------------------------
# shellcheck disable=SC2086 # options
tar $full --format=pax -C "$root" -cf "$work/root.tar" .
check 'a tar' image import -q "$work/root.tar" tar:pax
same 'a tar has everything' "$(tree_of tar:pax)"
is 'sparse files are sparse' "$(($(stat -c %b "$(tree_of tar:pax)/srv/sparse") < 100))" 1
for how in gzip:gz xz:xz zstd:zst bzip2:bz2; do
	"${how%:*}" -c "$work/root.tar" >"$work/root.tar.${how#*:}"
	check "${how%:*}" image import -q "$work/root.tar.${how#*:}" "tar:${how#*:}"
	is "${how%:*}: the same layer" "$(layers_of "tar:${how#*:}")" "$(layers_of tar:pax)"
done
cat "$work/root.tar.gz" | image import -q - tar:stdin >/dev/null 2>&1
is 'standard input: the same layer' "$(layers_of tar:stdin)" "$(layers_of tar:pax)"
{ head -c 1 "$work/root.tar.zst"; sleep 0.1; tail -c +2 "$work/root.tar.zst"; } | image import -q - tar:slow >/dev/null 2>&1
is 'a slow pipe: the same layer' "$(layers_of tar:slow)" "$(layers_of tar:pax)"
is 'a layer is kept once' "$(find "$data/layers" -mindepth 1 -maxdepth 1 | wc -l)" 1
check 'the name comes from the file' image import -q "$work/root.tar.gz"
is 'the name comes from the file: root' "$(image inspect root | jq -r '.[0].reference')" root:latest
tar --numeric-owner --format=gnu --sparse -C "$root" -cf "$work/gnu.tar" .
check "GNU's format, with sparse files" image import -q "$work/gnu.tar" tar:gnu
same "GNU's format has everything but attributes and fractions" "$(tree_of tar:gnu)" "$seconds; s/\[\(.*\)\]/[]/; s/ 3000000000 / X /"
for version in 0.0 0.1 1.0; do
	# shellcheck disable=SC2086
	tar $full --format=pax --sparse --sparse-version=$version -C "$root" -cf "$work/sparse.tar" .
	check "pax, sparse $version" image import -q "$work/sparse.tar" tar:sparse
	same "pax, sparse $version has everything" "$(tree_of tar:sparse)"
done
check 'a folder' image import -q "$root" folder
same 'a folder has everything' "$(tree_of folder)"
check 'a folder again' image import -q "$root" folder:again
is 'the same folder is the same layer' "$(layers_of folder:again)" "$(layers_of folder)"
refuses 'standard input needs a name' 'needs a name' image import - <"$work/root.tar"
refuses 'nothing is no image' 'is empty' image import - nothing </dev/null
check 'a configuration for a plain root' image import -q --entrypoint /bin/sh --cmd -c --cmd 'echo hi' -e A=b --expose 80/tcp \
	--volume /srv --label k=v=w -u user --cwd /tmp --stop-signal SIGINT "$work/root.tar" tar:config
fact 'is what inspect says' "$(image inspect tar:config)" '.[0].config' \
	'{"entrypoint":["/bin/sh"],"cmd":["-c","echo hi"],"env":["A=b"],"user":"user","workingDir":"/tmp","exposedPorts":["80/tcp"],"volumes":["/srv"],"stopSignal":"SIGINT","labels":{"k":"v=w"}}'
check 'every layer is what its id says' image check --content

# --- out, and in again -------------------------------------------------------------------------------------------------------
for image in tar:pax tar:gnu tar:sparse folder; do
	check "export $image" image export -q -o "$work/out.tar" $image
	"$HOLM" --data "$work/data2" image import -q "$work/out.tar" again >/dev/null 2>&1
	is "$image comes back with the same id" "$("$HOLM" --data "$work/data2" image inspect again | jq -r '.[0].id')" "$(id_of $image)"
	rm -rf "$work/data2" "$work/out.tar"
done

# --- umoci: layers, whiteouts, opaque folders ---------------------------------------------------------------------------------
umoci init --layout "$work/oci" && umoci new --image "$work/oci:base"
umoci unpack --image "$work/oci:base" "$work/bundle" >/dev/null 2>&1
mkdir -p "$work/bundle/rootfs/"{keep,gone,again}
touch "$work/bundle/rootfs/"{keep,gone,again}/{a,b} "$work/bundle/rootfs/file"
umoci repack --image "$work/oci:base" "$work/bundle" >/dev/null 2>&1
rm -rf "$work/bundle"
umoci unpack --image "$work/oci:base" "$work/bundle" >/dev/null 2>&1
rm -r "$work/bundle/rootfs/"{gone,file,again}
mkdir "$work/bundle/rootfs/again"
touch "$work/bundle/rootfs/again/c"
umoci repack --image "$work/oci:two" "$work/bundle" >/dev/null 2>&1
umoci config --image "$work/oci:two" --config.entrypoint /bin/e --config.cmd c --config.env A=b --config.user 1:2 \
	--config.workingdir /w --config.exposedports 80/tcp --config.volume /v --config.stopsignal SIGHUP --config.label k=v
check "umoci's layout, a folder" image import -q "$work/oci"
is 'names come from its tags' "$(names_of_store | tr ' ' '\n' | grep ^oci | tr '\n' ' ')" 'oci:base oci:two '
is 'whiteouts are those of overlayfs' "$(stat -c '%F %t:%T' "$(tree_of oci:two 2)/gone" "$(tree_of oci:two 2)/file" | sort -u)" \
	'character special file 0:0'
fact 'the configuration' "$(image inspect oci:two)" '.[0].config' \
	'{"entrypoint":["/bin/e"],"cmd":["c"],"env":["A=b"],"user":"1:2","workingDir":"/w","exposedPorts":["80/tcp"],"volumes":["/v"],"stopSignal":"SIGHUP","labels":{"k":"v"}}'
is 'the id is the digest of the configuration' "$(id_of oci:two)" \
	"$(skopeo inspect --raw "oci:$work/oci:two" | jq -r .config.digest)"
# merged IMAGE: the names that an overlay of its layers shows
merged() {
	local lower='' id
	for id in $(layers_of "$1"); do lower=$data/layers/$id/tree${lower:+:$lower}; done
	unshare -m --propagation private bash -c "mkdir -p '$work/merged' && mount -t overlay -o 'lowerdir=$lower' overlay '$work/merged' &&
		cd '$work/merged' && find . -mindepth 1 -printf '%P\n' | sort" | tr '\n' ' '
}
is 'an overlay of the layers shows the image' "$(merged oci:two)" 'again again/c keep keep/a keep/b '
mkdir -p "$work/opaque/dir" && touch "$work/opaque/dir/.wh..wh..opq" "$work/opaque/dir/new" "$work/opaque/.wh.file"
tar -C "$work/opaque" -cf "$work/opaque.tar" .
check 'an opaque folder' image import -q "$work/opaque.tar" opaque
is 'has the attribute of overlayfs' "$(python3 -c 'import os, sys; print(os.getxattr(sys.argv[1], "trusted.overlay.opaque").decode())' "$(tree_of opaque)/dir")" y
check "and is exported" image export -q -o "$work/opaque.out/" opaque
is 'as the same layer' "$(ls "$work/opaque.out/blobs/sha256/$(layers_of opaque)")" "$work/opaque.out/blobs/sha256/$(layers_of opaque)"

# --- archives -----------------------------------------------------------------------------------------------------------------
for format in docker-archive oci-archive; do
	skopeo copy -q "oci:$work/oci:two" "$format:$work/$format.tar:example.org/a/two:1"
	check "$format" image import -q "$work/$format.tar" "$format:1"
	is "$format: the same id" "$(id_of $format:1)" "$(id_of oci:two)"
	gzip -c "$work/$format.tar" | image import -q - "$format:gz" >/dev/null 2>&1
	is "$format, compressed, on standard input" "$(id_of $format:gz)" "$(id_of oci:two)"
done
check "a docker archive's own name" image import -q "$work/docker-archive.tar"
is 'is found by its last parts' "$(image inspect a/two:1 | jq -r '.[0].reference')" example.org/a/two:1
podman_here load -q -i "$work/docker-archive.tar" >/dev/null
podman_here save -q --format docker-archive -o "$work/podman.tar" example.org/a/two:1
check "Podman's docker archive" image import -q "$work/podman.tar" podman:1
is "Podman's docker archive: the same id" "$(id_of podman:1)" "$(id_of oci:two)"
container=$(buildah_here from example.org/a/two:1)
buildah_here copy -q "$container" "$root/bin/busybox" /bin/busybox >/dev/null
buildah_here config --cmd '' --entrypoint '["/bin/busybox", "echo", "built"]' "$container"
buildah_here commit -q "$container" "oci-archive:$work/built.tar:built" >/dev/null 2>&1
check "Buildah's image" image import -q "$work/built.tar" built
fact "Buildah's image: its entry point" "$(image inspect built)" '.[0].config.entrypoint | join(" ")' '/bin/busybox echo built'

# Several images, several platforms
skopeo copy -q "oci:$work/oci:two" "oci:$work/arm:two"
jq '.manifests |= map(. + {platform: {os: "linux", architecture: "arm64", variant: "v8"}})' "$work/arm/index.json" >"$work/arm.json"
jq --slurpfile arm "$work/arm.json" '.manifests = ([.manifests[0] + {platform: {os: "linux", architecture: "amd64"}}] + $arm[0].manifests | map(del(.annotations)))' \
	"$work/oci/index.json" >"$work/inner.json"
cp -r "$work/oci" "$work/many" && cp -rn "$work/arm/blobs" "$work/many/"
inner=$(sha256sum <"$work/inner.json" | cut -d ' ' -f 1)
cp "$work/inner.json" "$work/many/blobs/sha256/$inner"
jq -n --arg d "sha256:$inner" --argjson s "$(stat -c %s "$work/inner.json")" '{schemaVersion: 2, manifests: [{mediaType: "application/vnd.oci.image.index.v1+json", digest: $d, size: $s, annotations: {"org.opencontainers.image.ref.name": "multi"}}]}' \
	>"$work/many/index.json"
check 'of several platforms another' image import -q --platform linux/arm64 "$work/many" multi:arm
is 'is the one asked for' "$(id_of multi:arm)" "$(id_of oci:two)"
check "of several platforms this machine's" image import -q --platform linux/amd64 "$work/many" multi:amd
is "is this machine's" "$(id_of multi:amd)" "$(id_of oci:base)"
refuses 'a platform that is not there' "has no image for linux/s390x; it has linux/amd64, linux/arm64" image import -q --platform linux/s390x "$work/many" x
check 'a plain root for another platform' image import -q --platform linux/arm64/v8 "$work/root.tar" plain:arm
fact 'is what it says' "$(image inspect plain:arm)" '.[0] | [.architecture, .variant] | tostring' '["arm64","v8"]'
refuses 'a plain root for none' 'is not a platform' image import -q --platform arm64/ "$work/root.tar" x
refuses 'a docker archive for another platform' "is for linux/[a-z0-9]+, not for linux/s390x" image import -q --platform linux/s390x "$work/docker-archive.tar" x
refuses 'not a platform' "is not a platform" image import -q --platform amd64 "$work/many" x
refuses 'several images and one name' "has several images: --select one of 'base', 'two'" image import -q "$work/oci" one
check '--select takes one' image import -q --select two "$work/oci" one
is '--select takes the one' "$(id_of one)" "$(id_of oci:two)"

# --- what others read ----------------------------------------------------------------------------------------------------------
image export -q -o "$work/ours.tar" built oci:two
image export -q -o "$work/ours/" built
is 'skopeo reads the tar' "$(skopeo inspect "oci-archive:$work/ours.tar:latest" | jq -c '[.Architecture, (.Layers | length)]')" '["amd64",3]'
is 'skopeo copies the folder' "$(skopeo copy -q "oci:$work/ours:latest" "dir:$work/copied" && jq -r .config.digest "$work/copied/manifest.json")" "$(id_of built)"
is 'umoci unpacks it' "$(umoci unpack --image "$work/ours:latest" "$work/ours.bundle" >/dev/null 2>&1 && find "$work/ours.bundle/rootfs" -mindepth 1 -printf '%P\n' | sort | tr '\n' ' ')" \
	'again again/c bin bin/busybox keep keep/a keep/b '
podman_here rmi -af >/dev/null 2>&1
like 'Podman loads it' "$(podman_here load -i "$work/ours.tar" 2>&1)" 'built:latest'
is 'Podman has the same id' "$(podman_here image inspect --format '{{.Id}}' localhost/built:latest)" "$(id_of built | sed s/sha256://)"
is 'Buildah reads it' "$(buildah_here from --name again "oci-archive:$work/ours.tar:latest" 2>/dev/null && buildah_here inspect --format '{{.OCIv1.Config.Entrypoint}}' again)" \
	$'again\n[/bin/busybox echo built]'
podman_here rm -af >/dev/null 2>&1; buildah_here rm -a >/dev/null 2>&1; podman_here rmi -af >/dev/null 2>&1

# --- list, tag, remove, prune -------------------------------------------------------------------------------------------------
rm -rf "$data"
check 'an empty store lists nothing' image list
check 'and is sound' image check
check 'and is not made by looking' test ! -e "$data"
image import -q "$work/oci" >/dev/null 2>&1
image import -q "$work/root.tar" web:1 >/dev/null 2>&1
like 'list has a table' "$(image list | sed -n 2p)" '^oci +base +[0-9a-f]{12} +1 +[0-9.]+ KiB +[0-9.]+ KiB +[0-9-]+ [0-9:]+$'
fact 'list has JSON' "$(image list --format json)" 'map(.name + ":" + .tag) | join(" ")' 'oci:base oci:two web:1'
check 'tag' image tag web:1 shop.example/web:2 web:3
is 'tag: the names' "$(names_of_store)" 'oci:base oci:two shop.example/web:2 web:1 web:3'
refuses 'an unknown image' "there is no image 'weg:1'; did you mean 'web:1'\?" image inspect weg:1
refuses 'a name that is none' "is not a name of an image" image tag web:1 'a b'
refuses 'a path as a name' "is not a name of an image" image tag web:1 ../../etc/passwd
refuses 'several names, one id' 'has several names' image remove "$(id_of web:1)"
mkdir -p "$data/instances/isle"
chmod 700 "$data/instances"
jq -n --arg d "$(image inspect web:1 | jq -r '.[0].digest')" --argjson l "$(image inspect web:1 | jq '[.[0].layers[].id]')" \
	'{image: "web:1", digest: $d, layers: $l}' >"$data/instances/isle/root.json"
fact 'inspect says who uses it' "$(image inspect web:1)" '.[0].usedBy' '["isle"]'
refuses 'an image that is used stays' "image 'web:1' is used by 'isle'" image remove web:1
check 'its other names may go' image remove web:3 web:2
is 'prune keeps what is used' "$(image prune --all | grep -c web)" 0
is 'and takes what is not' "$(names_of_store)" 'web:1'
rm "$data/instances/isle/root.json"
like 'remove says what it frees' "$(image remove web:1)" '^freed .* MiB: 1 name, 1 layer, 2 blobs$'
is 'nothing is left' "$(find "$data" -type f | wc -l) $(ls "$data/layers" | wc -l)" '0 0'
image import -q "$work/root.tar" web:1 >/dev/null 2>&1
image import -q "$work/gnu.tar" web:1 >/dev/null 2>&1
like 'prune --dry-run' "$(image prune --dry-run | tail -n 1)" '^would free .*: 0 names, 1 layer, 2 blobs$'
like 'prune' "$(image prune | tail -n 1)" '^freed .*: 0 names, 1 layer, 2 blobs$'
like 'prune again' "$(image prune | tail -n 1)" '^freed 0 B: 0 names, 0 layers, 0 blobs$'
is 'the store is private' "$(stat -c %a "$data" "$data"/* | sort -u)" 700

# --- damage -------------------------------------------------------------------------------------------------------------------
echo x >>"$(tree_of web:1)/etc/passwd"
check 'a changed layer is not seen by a quick check' image check
refuses 'but by its content' "layer .* is damaged: .*'etc/passwd[.a-z]*' has [0-9]+ bytes and not [0-9]+" image check --content
check 'repaired' bash -c "! '$HOLM' --data '$data' image check --content --repair | tail -n 1 | grep 'is not sound'"
is 'by removing it, and the name' "$(names_of_store)" ''
image import -q "$work/gnu.tar" web:1 >/dev/null 2>&1
printf x >>"$(find "$data/blobs/sha256" -type f | head -n 1)"
refuses 'a changed blob' 'is damaged: its SHA-256 is' image check
image check --repair >/dev/null 2>&1
check 'is repaired' image check
rm -rf "$data/layers"
image import -q "$work/gnu.tar" web:1 >/dev/null 2>&1
rm -rf "$data/layers"
refuses 'a missing layer' "image 'web:1' is not whole: there is no layer" image check
