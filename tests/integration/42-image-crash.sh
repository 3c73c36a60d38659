#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whatever is killed, fails, fills up or runs at the same time: the store is sound, or is repaired.
# HOLM_CRASH=full: at every system call; by default at a part of them.
# timeout: 300
# tags: serial
. "$(dirname "$0")/image.sh"
command -v strace >/dev/null && command -v python3 >/dev/null || skip_all 'needs strace and python3'

# make_layout FOLDER LAYERS FILES: an OCI layout
make_layout() {
	python3 - "$@" <<-'END'
		import gzip, hashlib, io, json, os, sys, tarfile
		folder, layers, files = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
		os.makedirs(folder + "/blobs/sha256")
		def put(data):
		    name = hashlib.sha256(data).hexdigest()
		    open(f"{folder}/blobs/sha256/{name}", "wb").write(data)
		    return {"digest": "sha256:" + name, "size": len(data)}
		diffs, blobs = [], []
		for layer in range(layers):
		    out = io.BytesIO()
		    with tarfile.open(fileobj=out, mode="w") as tar:
		        for n in range(files):
		            info = tarfile.TarInfo(f"layer{layer}/file{n}")
		            info.size = 3000
		            tar.addfile(info, io.BytesIO(hashlib.sha512(info.name.encode()).digest() * 47))
		    diffs.append("sha256:" + hashlib.sha256(out.getvalue()).hexdigest())
		    blobs.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **put(gzip.compress(out.getvalue(), 1))})
		config = put(json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diffs}}).encode())
		manifest = put(json.dumps({"schemaVersion": 2, "config": config, "layers": blobs}).encode())
		json.dump({"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", **manifest}]}, open(folder + "/index.json", "w"))
		json.dump({"imageLayoutVersion": "1.0.0"}, open(folder + "/oci-layout", "w"))
	END
}
make_layout "$work/layout" 3 20
make_layout "$work/large" 2 2000

# sound_or_repaired: afterwards the store is sound; what was there before still is
repaired=0
sound_or_repaired() {
	local said
	said=$(image check 2>&1) && return 0
	repaired=$((repaired + 1))
	if grep -vE "^'tmp/.*was left by somebody who died$|^the store is not sound$|^the blob .* was being removed$" <<<"$said"; then return 1; fi
	image check --repair >/dev/null 2>&1
	image check --content
}

# whole_or_absent IMAGE: by name it is there with all it has, or not at all
whole_or_absent() {
	image inspect "$1" >/dev/null 2>&1 || return 0
	[ "$(image inspect "$1" | jq '[.[0].layers[] | select(.missing)] | length')" = 0 ]
}

image import -q "$work/large" before >/dev/null 2>&1

# broken NAME INJECTION STRIDE COMMAND...: the command with the injection at every STRIDEth of those system calls
broken() {
	local name=$1 injection=$2 stride=$3 n=1 tried=0 bad='' status
	shift 3
	[ "${HOLM_CRASH:-}" != full ] || stride=1
	while :; do
		prepare
		# A shell in between keeps the words about who was killed.
		bash -c '"$@"; exit $?' - strace -qq -o "$work/trace" -e "inject=${injection/NUMBER/$n}" \
			"$HOLM" --data "$data" image "$@" >"$work/said" 2>&1
		status=$?
		tried=$((tried + 1))
		sound_or_repaired >"$work/found" 2>&1 || bad+="call $n (status $status): $(tr '\n' ' ' <"$work/found")"$'\n'
		whole_or_absent new || bad+="call $n (status $status): half an image"$'\n'
		image inspect before >/dev/null 2>&1 || bad+="call $n (status $status): another image is gone"$'\n'
		# The end: nothing was injected any more.
		grep -qE 'INJECTED|killed by SIGKILL' "$work/trace" || break
		n=$((n + stride))
		[ $tried -lt 2000 ] || break
	done
	if [ -z "$bad" ]; then ok "$name: $tried times"; else not_ok "$name" "$bad"; fi
}
prepare() {
	image remove new >/dev/null 2>&1
	image prune >/dev/null 2>&1
}
files=mkdirat,openat,write,fsync,syncfs,renameat,linkat,flock,ftruncate
changing='mkdirat openat write fsync syncfs renameat linkat unlinkat flock close sendmsg recvmsg poll'
for call in $changing; do
	broken "import, killed at $call" "$call:signal=SIGKILL:when=NUMBER" 5 import -q "$work/layout" new
done
for call in write fsync syncfs renameat linkat mkdirat openat flock; do
	broken "import, when $call fails" "$call:error=ENOSPC:when=NUMBER" 3 import -q "$work/layout" new
done
# So many layers that some are merged.
make_layout "$work/many" 17 2
for call in mkdirat openat linkat syncfs renameat copy_file_range; do
	broken "import of many layers, killed at $call" "$call:signal=SIGKILL:when=NUMBER" 23 import -q "$work/many" new
done
for call in copy_file_range syncfs mkdirat renameat; do
	broken "import of many layers, when $call fails" "$call:error=ENOSPC:when=NUMBER" 7 import -q "$work/many" new
done
prepare() {
	image remove new >/dev/null 2>&1
	image import -q "$work/many" new >/dev/null 2>&1
}
for call in unlinkat renameat; do
	broken "remove of many layers, killed at $call" "$call:signal=SIGKILL:when=NUMBER" 13 remove new
done
prepare() {
	image remove new >/dev/null 2>&1
	image import -q "$work/layout" new >/dev/null 2>&1
}
for call in unlinkat renameat mkdirat flock fsync; do
	broken "remove, killed at $call" "$call:signal=SIGKILL:when=NUMBER" 7 remove new
done
broken 'remove, when files fail' "$files:error=EIO:when=NUMBER" 5 remove new
prepare() {
	image import -q "$work/layout" new >/dev/null 2>&1
	image tag before new >/dev/null 2>&1
}
for call in unlinkat renameat mkdirat flock; do
	broken "prune, killed at $call" "$call:signal=SIGKILL:when=NUMBER" 9 prune
done
check 'all of that left a sound store' image check --content

# holm-unpack, and who decompresses, killed on the way
killed=0 bad=''
for _ in 1 2 3 4 5 6; do
	image remove new >/dev/null 2>&1
	image prune >/dev/null 2>&1
	rm -rf "$work/fifo" && mkfifo "$work/fifo"
	"$HOLM" --data "$data" image import -q - new <"$work/fifo" >"$work/said" 2>&1 &
	importer=$!
	exec 7>"$work/fifo"
	head -c 300000 /dev/zero | tr '\0' 'x' >"$work/x"
	python3 -c "
import sys, tarfile
t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|')
i = tarfile.TarInfo('x'); i.size = 300000; t.addfile(i, open('$work/x', 'rb'))
sys.stdout.flush()" >&7
	wait_for 5 pgrep -P $importer -x holm-unpack
	pkill -KILL -P $importer -x holm-unpack && killed=$((killed + 1))
	exec 7>&-
	wait $importer && bad+="the import went on; "
	grep -q 'killed by SIGKILL' "$work/said" || bad+="$(cat "$work/said"); "
	[ -z "$(ls "$data/tmp")" ] || bad+="left: $(ls "$data/tmp"); "
done
is "holm-unpack killed ($killed times): refused, nothing left" "$bad" ''

# Ctrl-C, and the like: heard, unless they are ignored.
interrupted() {
	rm -f "$work/fifo" && mkfifo "$work/fifo"
	env --"$1"-signal=INT,TERM,HUP "$HOLM" --data "$data" image import -q - new <"$work/fifo" >"$work/said" 2>&1 &
	importer=$!
	exec 7>"$work/fifo"
	head -c 300 "$work/large/index.json" >&7
	wait_for 5 pgrep -P $importer -x holm-unpack || not_ok 'holm-unpack runs'
	kill "-$2" $importer
}
for signal in INT TERM HUP; do
	interrupted default $signal
	wait $importer && not_ok "interrupted by SIG$signal"
	exec 7>&-
	like "SIG$signal is heard" "$(cat "$work/said")" "interrupted by SIG$signal"
	is "and nothing is left" "$(ls "$data/tmp")" ''
done
interrupted ignore INT
exec 7>&-
wait $importer && not_ok 'garbage was taken'
like 'an ignored one is not' "$(cat "$work/said")" 'cut off after'

# --- a full disk -----------------------------------------------------------------------------------------------------------
cat >"$work/full.sh" <<-END
	mkdir -p "$work/small" && mount -t tmpfs -o size=\$1 tmpfs "$work/small" || exit 9
	holm() { "$HOLM" --data "$work/small/data" image "\$@"; }
	holm import -q "$work/layout" small >/dev/null 2>&1
	holm import -q "$work/large" large 2>&1 && exit 8
	holm check || exit 7
	[ -z "\$(ls "$work/small/data/tmp" 2>/dev/null)" ] || exit 6
	rm -f "$work/small/data/tmp/x"
	holm list -q
END
for size in 100k 300k 600k 1500k 4M 8M; do
	said=$(unshare -m --propagation private bash "$work/full.sh" $size 2>&1)
	status=$?
	if [ $status -eq 0 ] && grep -qi 'no space left' <<<"$said"; then ok "full at $size"; else not_ok "full at $size" "status $status: $said"; fi
done

# --- many at once ------------------------------------------------------------------------------------------------------------
rm -rf "$data"
pids=()
for n in 1 2 3 4 5 6; do
	image import -q "$([ $((n % 2)) = 0 ] && echo "$work/large" || echo "$work/layout")" "many:$n" >"$work/many.$n" 2>&1 &
	pids+=($!)
done
(while [ -e "$work/layout" ]; do image prune >>"$work/prunes" 2>&1 || echo "prune failed" >>"$work/prunes"; done) &
pruner=$!
failed=0
for pid in "${pids[@]}"; do wait "$pid" || failed=$((failed + 1)); done
mv "$work/layout" "$work/layout.gone"
wait $pruner
is 'imports at once, beside prunes' "$failed: $(cat "$work"/many.* | grep -v '^sha256:')" '0: '
is 'prunes beside imports' "$(grep -c failed "$work/prunes")" 0
is 'each layer once' "$(ls "$data/layers" | wc -l)" 5
check 'the store is sound' image check --content

# A manifest that a prune has taken away for a moment can be read, and who died then has harmed nobody.
manifest=$(image inspect many:1 | jq -r '.[0].digest')
mv "$data/blobs/sha256/${manifest#*:}" "$data/blobs/sha256/.${manifest#*:}"
is 'a blob on its way out is still read' "$(image inspect many:1 | jq -r '.[0].digest')" "$manifest"
check 'a prune goes on' image prune
refuses 'the check tells of it' 'was being removed' image check
check 'and puts it back' image check --repair
check 'where it belongs' test -e "$data/blobs/sha256/${manifest#*:}"

# The same two archives in opposite order, layers of each other: nobody waits for ever.
make_layout "$work/a" 4 200
cp -r "$work/a" "$work/b"
python3 - "$work/b" <<-'END'
	import hashlib, json, sys
	folder = sys.argv[1]
	index = json.load(open(folder + "/index.json"))
	load = lambda d: json.load(open(f"{folder}/blobs/sha256/{d['digest'][7:]}"))
	def put(what):
	    data = json.dumps(what).encode()
	    name = hashlib.sha256(data).hexdigest()
	    open(f"{folder}/blobs/sha256/{name}", "wb").write(data)
	    return {"digest": "sha256:" + name, "size": len(data)}
	manifest = load(index["manifests"][0])
	config = load(manifest["config"])
	manifest["layers"].reverse()
	config["rootfs"]["diff_ids"].reverse()
	manifest["config"] = put(config)
	index["manifests"][0].update(put(manifest))
	json.dump(index, open(folder + "/index.json", "w"))
END
rm -rf "$data"
image import -q -j 1 "$work/a" a >"$work/a.said" 2>&1 &
first=$!
image import -q -j 1 "$work/b" b >"$work/b.said" 2>&1 &
check 'one way' wait $first
check 'and the other' wait $!
is 'the same layers' "$(layers_of a | sort)" "$(layers_of b | sort)"
