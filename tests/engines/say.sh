# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the engine checks say and show, in the sandbox of lib.sh or in a virtual machine; sourced after
# tests/integration/lib.sh.  $RUNTIME is the name of what is tested, $runtime its path.
# shellcheck disable=SC2034,SC2154 # variables for the checks, and from them

# differs RUNTIME NAME REASON: what this runtime, or any, is known to do differently
declare -A differences=()
differs() {
	[ "$1" != "$RUNTIME" ] && [ "$1" != any ] || differences[$2]=$3
}

not_ok() {
	result_count=$((result_count + 1))
	if [ -n "${differences[$1]:-}" ]; then
		echo "ok $result_count - $1 # differs under $RUNTIME: ${differences[$1]}"
	else
		echo "not ok $result_count - $1"
	fi
	shift
	[ $# -eq 0 ] || printf '%s\n' "$@" | sed 's/^/#   /'
}

# exits NAME STATUS REGEX COMMAND...: ends with this status (a pattern), and says this on either stream, in either case
exits() {
	local name=$1 expected=$2 regex=$3 status text
	shift 3
	"$@" >"$work/said" 2>&1 </dev/null
	status=$?
	text=$(tr -d '\0' <"$work/said")
	if [[ ! $status =~ ^($expected)$ ]]; then
		not_ok "$name" "exit status $status, expected $expected: $*" "$text"
	elif ! (shopt -s nocasematch && [[ $text =~ $regex ]]); then
		not_ok "$name" "got:            $text" "does not match: $regex"
	else
		ok "$name"
	fi
}

# on_terminal COMMAND...: its output from a terminal of its own.  exec: a command that is no child of script's shell leads the
# session, so timeout(1) can't make a group of its own for it, which would be the terminal's background.
on_terminal() {
	SHELL=/bin/sh script -qefc "exec $(printf '%q ' "$@")" /dev/null </dev/null | tr -d '\r' | sed 's/\^@//'
}

# The tree that every image of these checks is: busybox, the probe, some users.
image_root=$work/image
make_root "$image_root"
mkdir -p "$image_root/www" "$image_root/data"
echo 'a page' >"$image_root/www/index.html"
echo 'of the image' >"$image_root/data/file"
echo 'not a program' >"$image_root/etc/text"
# limit memory|quota|shares|cpus|pids...: what holds for who asks, on either kind of host in cgroup v1's words.  (512 shares are a weight of 59; runc
# before 1.3 has 20.)
cat >"$image_root/bin/limit" <<'LIMIT'
#!/bin/sh
cd /sys/fs/cgroup || exit
for name; do
	case $name in
	memory) cat memory.max 2>/dev/null || cat memory/memory.limit_in_bytes ;;
	quota) if [ -e cpu.max ]; then cut -d ' ' -f 1 cpu.max; else cat cpu/cpu.cfs_quota_us; fi ;;
	shares) if [ -e cpu.weight ]; then sed 's/^\(59\|20\)$/512/' cpu.weight; else cat cpu/cpu.shares; fi ;;
	cpus) cat cpuset.cpus 2>/dev/null || cat cpuset/cpuset.cpus ;;
	pids) cat pids.max 2>/dev/null || cat pids/pids.max ;;
	esac
done | xargs echo
LIMIT
chmod 755 "$image_root/bin/limit"

# cgroup_of PID: the folder of its memory controller
cgroup_of() {
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$1/cgroup")"
	else
		echo "/sys/fs/cgroup/memory$(sed -n 's/^[0-9]*:memory://p' "/proc/$1/cgroup")"
	fi
}

# oci_image FILE NAME COMMAND-JSON: that tree as an OCI layout in a tar, for what can import nothing else
oci_image() {
	local layout=$work/layout layer=$work/layer.tar diff_id
	rm -rf "$layout"
	mkdir -p "$layout/blobs/sha256"
	[ -e "$layer" ] || tar -C "$image_root" -cf "$layer" .
	diff_id=$(sha256sum <"$layer" | cut -d ' ' -f 1)
	jq -n --argjson command "$3" --arg id "sha256:$diff_id" --arg arch "$(dpkg --print-architecture 2>/dev/null || echo amd64)" \
		'{architecture: $arch, os: "linux", config: {Env: ["PATH=/bin"], Cmd: $command}, rootfs: {type: "layers", diff_ids: [$id]}}' \
		>"$work/image.json"
	jq -n --argjson config "$(oci_blob "$work/image.json")" --argjson layer "$(oci_blob "$layer")" \
		'{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
		config: ($config + {mediaType: "application/vnd.oci.image.config.v1+json"}),
		layers: [$layer + {mediaType: "application/vnd.oci.image.layer.v1.tar"}]}' >"$work/manifest.json"
	jq -n --argjson manifest "$(oci_blob "$work/manifest.json")" --arg name "$2" \
		'{schemaVersion: 2, manifests: [$manifest + {mediaType: "application/vnd.oci.image.manifest.v1+json",
		annotations: {"io.containerd.image.name": $name, "org.opencontainers.image.ref.name": ($name | split(":") | last)}}]}' \
		>"$layout/index.json"
	echo '{"imageLayoutVersion": "1.0.0"}' >"$layout/oci-layout"
	tar -C "$layout" -cf "$1" .
}

# oci_blob FILE: into the layout of oci_image; prints its digest and size
oci_blob() {
	local sum
	sum=$(sha256sum <"$1" | cut -d ' ' -f 1)
	cp "$1" "$work/layout/blobs/sha256/$sum"
	jq -n --arg digest "sha256:$sum" --argjson size "$(stat -c %s "$1")" '{digest: $digest, size: $size}'
}

# What Podman and Buildah are told; another cgroup manager than cgroupfs is $1.
podman_conf() {
	cat <<-CONF
		[engine]
		cgroup_manager = "${1:-cgroupfs}"
		events_logger = "file"
		runtime = "$runtime"
		runtime_supports_json = ["holm", "runc", "crun"]
		runtime_supports_nocgroup = ["holm", "crun"]
		[network]
		network_backend = "netavark"
		[containers]
		log_driver = "k8s-file"
	CONF
}
