#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Images of many layers: a root of merged layers shows what a root of all of them shows, is written to in the same way, and what was
# merged goes when nobody needs it.
# where: host
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/storage.sh"
command -v python3 >/dev/null || skip_all 'needs python3'
merged=$data/merged

# make_image SEED LAYERS FILE NAME: a docker archive of layers that add, replace, link, remove and hide each other's files
make_image() {
	python3 - "$@" "$rootfs" <<-'END'
		import hashlib, io, json, random, sys, tarfile
		seed, layers, path, name, root = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
		random.seed(seed)
		names = ["a", "b", "c", "d", "e f", "l\u00e4nger"]

		def info(name, kind, **fields):
		    info = tarfile.TarInfo(name)
		    info.type, info.mode = kind, random.choice((0o755, 0o644, 0o4711, 0o2750, 0o1777))
		    info.uid, info.gid, info.mtime = random.choice((0, 1000, 70000)), random.choice((0, 8)), random.randrange(1 << 30)
		    for key, value in fields.items():
		        setattr(info, key, value)
		    return info

		def fill(tar, folder, depth):
		    files = []
		    for entry in random.sample(names, random.randrange(1, len(names))):
		        at, kind = folder + entry, random.randrange(12)
		        if kind < 3 and depth < 4:
		            tar.addfile(info(at, tarfile.DIRTYPE, pax_headers=random.choice(({}, {"SCHILY.xattr.user.folder": at}))))
		            if random.randrange(3) == 0:
		                tar.addfile(info(at + "/.wh..wh..opq", tarfile.REGTYPE))
		            files += fill(tar, at + "/", depth + 1)
		        elif kind < 5:
		            tar.addfile(info(folder + ".wh." + entry, tarfile.REGTYPE))
		        elif kind == 5:
		            tar.addfile(info(at, tarfile.SYMTYPE, linkname=random.choice(names)))
		        elif kind == 6:
		            tar.addfile(info(at, tarfile.FIFOTYPE))
		        elif kind == 7:
		            tar.addfile(info(at, tarfile.CHRTYPE, devmajor=1, devminor=3))
		        elif kind == 8 and files:
		            tar.addfile(info(at, tarfile.LNKTYPE, linkname=random.choice(files)))
		        else:
		            data = random.randbytes(random.choice((0, 1, 5000)))
		            tar.addfile(info(at, tarfile.REGTYPE, size=len(data), pax_headers=random.choice(
		                ({}, {"SCHILY.xattr.user.note": "x" * random.choice((1, 3000))}))), io.BytesIO(data))
		            files.append(at)
		    return files

		blobs = []
		for layer in range(layers):
		    out = io.BytesIO()
		    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
		        if layer == 0:
		            tar.add(root, arcname=".")
		        if layer == 2:
		            tar.addfile(info("hidden", tarfile.REGTYPE))
		        if layer == 3 and "opaque" in name:
		            tar.addfile(info(".wh..wh..opq", tarfile.REGTYPE))
		            tar.add(root, arcname=".")
		        tar.addfile(info("srv", tarfile.DIRTYPE, mode=0o755))
		        fill(tar, "srv/", 0)
		        long = f"long/{'0123456789/' * 20 * (layer % 3)}{layer}"
		        tar.addfile(info(long, tarfile.REGTYPE, size=3, uid=0, gid=0, mode=0o644), io.BytesIO(b"%3d" % layer))
		    blobs.append(out.getvalue())
		config = json.dumps({"os": "linux", "architecture": "amd64", "config": {}, "rootfs": {
		    "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(b).hexdigest() for b in blobs]}}).encode()
		files = {f"{i}/layer.tar": blob for i, blob in enumerate(blobs)}
		files["config.json"] = config
		files["manifest.json"] = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": list(files)[:layers]}]).encode()
		with tarfile.open(path, "w") as tar:
		    for file, data in files.items():
		        entry = tarfile.TarInfo(file)
		        entry.size = len(data)
		        tar.addfile(entry, io.BytesIO(data))
	END
}

# describe: everything about every file of the running container's root, one line each
describe() {
	python3 - "/proc/$(pid_of "$id")/root" <<-'END'
		import hashlib, os, stat, sys
		top = sys.argv[1]
		device = os.lstat(top + "/srv").st_dev
		def show(path):
		    st = os.lstat(path)
		    what = [path[len(top):], oct(st.st_mode), st.st_uid, st.st_gid, st.st_rdev]
		    if not stat.S_ISDIR(st.st_mode):
		        what += [st.st_size, st.st_mtime_ns]
		    if stat.S_ISREG(st.st_mode):
		        what += [hashlib.sha256(open(path, "rb").read()).hexdigest(), st.st_blocks and 1]
		    if stat.S_ISLNK(st.st_mode):
		        what.append(os.readlink(path))
		    elif not stat.S_ISFIFO(st.st_mode):
		        what += [(n, hashlib.sha256(os.getxattr(path, n, follow_symlinks=False)).hexdigest())
		                 for n in sorted(os.listxattr(path, follow_symlinks=False))]
		    print(*map(ascii, what))
		    if stat.S_ISDIR(st.st_mode) and st.st_dev == device:
		        for name in sorted(os.listdir(path)):
		            # overlayfs lists a whiteout in a folder that only one layer has, and then there is no such file.
		            if os.path.lexists(path + "/" + name):
		                show(path + "/" + name)
		for name in ("srv", "bin", "etc", "long", "home"):
		    if os.path.lexists(f"{top}/{name}"):
		        show(f"{top}/{name}")
	END
}

# How many layers the root is mounted of: "lowerdir+=A,lowerdir+=B", or "lowerdir=A:B" on older kernels.
lowers() {
	grep -E '^[0-9]+ [0-9]+ [^ ]+ / / .* - overlay ' "/proc/$(pid_of "$id")/mountinfo" | grep -oE 'lowerdir[+]?=[^,]*' | tr : '\n' | wc -l
}

# start IMAGE [JQ-FILTER]
start() {
	storage_bundle 'del(.root.path) | .holm = {"image": $image}' "${2:-.}" --arg image "$1" -- sleep 1000
	run_detached
}

stop() {
	holm delete --force "$id"
}

make_root "$rootfs"
make_image 1 40 "$work/many.tar" many:1
check 'an image of 40 layers' holm image import -q "$work/many.tar"
is 'is merged' "$(ls "$merged" | wc -l)" 1
start many:1
check "its roots have few layers ($(lowers))" test "$(lowers)" -le 5
is 'a file is as it was' "$(cat "/proc/$(pid_of "$id")/root/long/0")" '  0'

# What is written comes whole into upper.
# shellcheck disable=SC2016 # the container's
holm exec "$id" sh -c 'cd /long; echo more >>0; chmod 600 3; ln 6 six; mv 9 nine; rm 12; cat 0 3 six nine' >"$work/said" 2>&1
is 'files are written to' "$(tr -d '\n' <"$work/said")" '  0more  3  6  9'
is 'upper is whole' "$(cd "$data/instances/$id/upper/long" && cat 0 3 6 six nine | tr -d '\n')" '  0more  3  6  6  9'

# Who needs it, keeps it.
refuses 'the image is used' "is used by '$id'" holm image remove many:1
check 'a prune beside an instance' holm image prune
is 'leaves it' "$(ls "$merged" | wc -l)" 1
rm "$data"/images/*
holm image prune >/dev/null
is 'also when the image has no name any more' "$(ls "$merged" | wc -l)" 1
is 'a file is as it was still' "$(cat "/proc/$(pid_of "$id")/root/long/15")" ' 15'
stop
holm image prune -n >"$work/said"
like 'a prune says that it would go' "$(cat "$work/said")" '^merged [0-9a-f]{64}  [0-9.]+ [KM]iB'
is 'but takes nothing' "$(ls "$merged" | wc -l)" 1
holm image prune >/dev/null
is 'it goes with the last who needs it' "$(ls "$merged" "$data/layers")" "$(printf '%s:\n\n%s:\n' "$data/layers" "$merged")"
check 'the store is sound' holm image check --content

# same SEED NAME [JQ-FILTER]: what is merged shows what the layers show
same() {
	local said
	make_image "$1" 18 "$work/image.tar" "random:$1"
	check "$2: import" holm image import -q "$work/image.tar"
	start "random:$1" "${3:-.}"
	said=$(lowers)
	describe >"$work/one"
	stop
	mv "$merged" "$merged.away"
	start "random:$1" "${3:-.}"
	is "$2: with and without" "$((said <= 5)), $(lowers)" '1, 18'
	describe >"$work/two"
	stop
	mv "$merged.away" "$merged"
	is "$2: shows the same" "$(diff "$work/one" "$work/two" | cut -c 1-200)" ''
	check "$2: shows something" test "$(wc -l <"$work/one")" -gt 40
}
for seed in 2 3 4 7; do
	same $seed "random layers $seed"
done
same 8 'for a user namespace' '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 131072}]
	| .linux.gidMappings = .linux.uidMappings'
rm "$merged/"*/merged.json
like 'a damaged one is found' "$(holm image check 2>&1)" "the merged layer [0-9a-f]{64} is damaged: there is no 'merged.json'"
check 'and removed' holm image check --repair
start random:7
is 'the layers do without it' "$(lowers)" 18
stop
same 7 'imported once more'
same 10 'with an opaque top: opaque'
make_image 10 17 "$work/image.tar" opaque:1
holm image import -q "$work/image.tar" >/dev/null
start opaque:1
check 'an opaque top hides what lies below it' test ! -e "/proc/$(pid_of "$id")/root/hidden"
stop
make_image 10 5 "$work/image.tar" opaque:2
holm image import -q "$work/image.tar" >/dev/null
start opaque:2
is 'also with few layers' "$(lowers) $(ls "/proc/$(pid_of "$id")/root" | grep -c hidden)" '2 0'
stop
python3 - "$work/image.tar" <<-'END'
	import hashlib, io, json, os, sys, tarfile
	def put(tar, name, data):
	    info = tarfile.TarInfo(name)
	    info.size = len(data)
	    tar.addfile(info, io.BytesIO(data))
	blobs = []
	for layer in range(17):
	    out = io.BytesIO()
	    with tarfile.open(fileobj=out, mode="w") as tar:
	        put(tar, f"file{layer}", os.urandom(2500000))
	    blobs.append(out.getvalue())
	with tarfile.open(sys.argv[1], "w") as tar:
	    put(tar, "manifest.json", json.dumps([{"Config": "config.json", "RepoTags": ["large:1"], "Layers": [f"{n}.tar" for n in range(17)]}]).encode())
	    put(tar, "config.json", json.dumps({"os": "linux", "architecture": "amd64", "config": {}, "rootfs": {
	        "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(b).hexdigest() for b in blobs]}}).encode())
	    for n, blob in enumerate(blobs):
	        put(tar, f"{n}.tar", blob)
END
before=$(ls "$merged")
check 'an image of large layers' holm image import -q "$work/image.tar"
is 'stays as it is' "$(ls "$merged")" "$before"
same 9 'read-only' '.root.readonly = true'
finish
