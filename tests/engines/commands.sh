#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same commands, right and wrong ones, given to holm and to runc step by step: exit status, standard output, and in the errors the words
# that callers look for.
# timeout: 200
# shellcheck disable=SC2034 # lib.sh reads it
needs=(runc)
# shellcheck source=tests/engines/lib.sh
. "$(dirname "$0")/lib.sh"

runc=$(command -v runc)
folder=$work/of
mkdir -p "$folder/holm" "$folder/runc"

# said RUNTIME ARGUMENT...: status, output and errors, without what can't be the same
said() {
	local path=$1 status
	shift
	"$path" --root "$folder/${path##*/}" "$@" </dev/null >"$work/out" 2>"$work/err"
	status=$?
	# The version of the OCI that one follows, and keys of holm's own.
	! jq . "$work/out" >/dev/null 2>&1 || jq 'walk(if type == "object" then del(.ociVersion, .updates, .end) | if .owner == "" then del(.owner) else . end
		else . end)' "$work/out" >"$work/json" && [ -s "$work/json" ] && mv "$work/json" "$work/out"
	sed -i -E -e "s#$folder/(holm|runc)#ROOT#g" -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g' -e 's/ +/ /g' -e 's/\b[0-9]{2,}\b/N/g' \
		-e 's#/run/engine/holm|(/usr/s?bin/)?runc#holm#g' "$work/out"
	echo "$status"
}

# both NAME WORDS ARGUMENT...: status and output are the same; the errors of both match WORDS, or there are none
# A text of usage is each one's own: WORDS that begin with "usage:" leave the output aside.
both() {
	local name=$1 words=$2 ours theirs text=
	shift 2
	ours=$(said "$runtime" "$@")
	mv "$work/out" "$work/our.out"
	mv "$work/err" "$work/our.err"
	theirs=$(said "$runc" "$@")
	[ "$ours" = "$theirs" ] || text+="status: holm $ours, runc $theirs"$'\n'
	[[ $words == usage:* ]] || cmp -s "$work/our.out" "$work/out" || text+="output: $(diff "$work/our.out" "$work/out" | head -n 20)"$'\n'
	words=${words#usage:}
	for file in our.err err; do
		if [ -z "$words" ]; then
			! grep -q level=error "$work/$file" || text+="$file: $(cat "$work/$file")"$'\n'
		else
			grep -qE -- "$words" "$work/$file" || text+="$file: $(cat "$work/$file"), expected: $words"$'\n'
		fi
	done
	if [ -z "$text" ]; then ok "$name: as runc"; else not_ok "$name: as runc" "$text"; fi
}

has_stopped() {
	for path in "$runtime" "$runc"; do
		[ "$("$path" --root "$folder/${path##*/}" state life | jq -r .status)" = stopped ] || return
	done
}

echo "# $("$runc" --version | head -n 1), $("$runtime" --version | head -n 1)"
for verb in state start delete kill pause resume ps events update; do
	operands=()
	case $verb in kill) operands=(KILL) ;; update) operands=(--memory 10000000) ;; events) operands=(--stats) ;; esac
	case $verb in kill) both "$verb of nothing" 'container does not exist' $verb nosuch "${operands[@]}" ;;
	*) both "$verb of nothing" 'container does not exist' $verb "${operands[@]}" nosuch ;; esac
done
both 'exec in nothing' 'container does not exist' exec nosuch true
both 'delete --force of nothing' '' delete --force nosuch
both 'list of nothing' '' list
both 'list of nothing, JSON' '' list -f json
both 'list, an unknown format' 'usage:invalid' list -f xml
both 'an unknown verb' "No help topic for 'frobnicate'" frobnicate
both 'start without an id' 'usage:requires exactly 1 argument' start
for verb in kill pause resume update ps exec create run delete events; do
	bound=exactly
	case $verb in kill | ps | exec) bound='a minimum of' ;; esac
	both "$verb without an id" "usage:requires $bound 1 argument" $verb
done
both 'kill: one operand too many' 'usage:requires a maximum of 2 argument' kill a KILL b
both 'two ids' 'usage:requires exactly 1 argument' state a b
both 'an unknown option' 'usage:flag provided but not defined: -frobnicate' list --frobnicate
both 'create without a bundle' 'no such file or directory' create --bundle "$work/nowhere" life
mkdir broken
echo '{' >broken/config.json
both 'a broken config' 'config.json|JSON|unexpected' create --bundle "$work/broken" life

bundle '.linux.cgroupsPath = "/life" | .linux.resources = {memory: {limit: 67108864}, cpu: {shares: 512, cpus: "0"}}' -- sleep 1000
both 'a bad id' '[Ii]nvalid (container )?(id|ID)' create --bundle "$bundle" 'a/b'
both 'a console socket without a terminal' 'console socket' create --bundle "$bundle" --console-socket "$work/nosock" life
config '.process.terminal = true'
both 'a terminal without a console socket' 'console socket' create --bundle "$bundle" life
config '.process.terminal = false'
both 'create' '' create --bundle "$bundle" --pid-file "$work/pid" life
both 'create again' 'exist' create --bundle "$bundle" life
both 'state: created' '' state life
both 'exec before start' '' exec life true
both 'start' '' start life
both 'start again' 'cannot start (a container|an already running container)' start life
both 'state: running' '' state life
both 'list' '' list
both 'list, ids' '' list -q
both 'list, JSON' '' list --format json
both 'ps' '' ps life
both 'ps, JSON' '' ps --format json life
both 'ps with arguments' '' ps life -o pid,comm
both 'exec' '' exec life echo hello
both 'exec: status' '' exec life sh -c 'exit 7'
both 'exec: a signal' '' exec life sh -c 'kill -9 $$'
both 'exec: user, folder, environment' '' exec --user 1000:1000 --cwd /tmp --env K=v life sh -c 'echo $(id -u) $(id -g) $PWD $K'
both 'exec: capabilities' '' exec --cap CAP_KILL life grep Cap /proc/self/status
both 'exec: not found' 'executable file not found in \$PATH' exec life nosuch
both 'exec: no such path' 'no such file or directory' exec life /no/such
both 'exec: not executable' 'permission denied' exec life /etc/passwd
both 'exec: no command' 'process args cannot be empty|requires a minimum of|args' exec life
both 'exec --detach' '' exec --detach --pid-file "$work/pid2" life true
both 'kill: an unknown signal' 'unknown signal|invalid' kill life FROBNICATE
both 'kill: signal 0' '' kill life 0
both 'pause' '' pause life
both 'state: paused' '' state life
both 'pause again' 'not running' pause life
both 'exec while paused' 'paused' exec life true
both 'start while paused' 'paused|running' start life
both 'delete while paused' 'not stopped' delete life
both 'resume' '' resume life
both 'resume again' 'not paused' resume life
both 'update' '' update --memory 33554432 --cpu-share 512 life
both 'update: a bad value' 'usage:invalid|fail|unable' update --memory frob life
both 'delete while running' 'not stopped' delete life
for path in "$runtime" "$runc"; do
	"$path" --root "$folder/${path##*/}" exec life true
	"$path" --root "$folder/${path##*/}" events --stats life | jq -S '[.data | del(.intel_rdt, .network_interfaces) | paths(type != "object") |
		map(select(type == "string")) | join(".")] | unique' >"$work/keys.${path##*/}"
done
missing=$(jq -rn --slurpfile a "$work/keys.runc" --slurpfile b "$work/keys.${runtime##*/}" '$a[0] - $b[0] | join(" ")')
is 'events --stats has every key of runc' "$missing" ''
both 'kill' '' kill life KILL
wait_for 5 has_stopped
both 'state: stopped' '' state life
both 'kill of what has stopped' 'not running|process already finished' kill life TERM
both 'exec in what has stopped' 'not running|stopped' exec life true
both 'start of what has stopped' 'stopped' start life
both 'pause of what has stopped' 'not running' pause life
both 'ps of what has stopped' '' ps life
both 'delete' '' delete life
both 'delete again' 'container does not exist' delete life
bundle -- sh -c 'exit 5'
both 'run: status' '' run --bundle "$bundle" life
bundle -- sh -c 'kill -TERM $$'
both 'run: a signal' '' run --bundle "$bundle" life
bundle -- nosuch
both 'run: not found' 'executable file not found in \$PATH' run --bundle "$bundle" life
bundle -- /etc/passwd
both 'run: not executable' 'permission denied' run --bundle "$bundle" life
bundle '.process.cwd = "relative"' -- true
both 'run: a relative folder' 'absolute|Cwd' run --bundle "$bundle" life
bundle '.process.args = []'
both 'run: no arguments' 'args' run --bundle "$bundle" life
both 'list at the end' '' list

# --- what a shell has to do around it ----------------------------------------------------------------------------------------------

# each NAME WORDS: done by a shell in a folder of its own with $path, $root (its state), $own and $bundle; what it prints is the same, and something
each() {
	local name=$1 text='' path
	for path in "$runtime" "$runc"; do
		local own=$work/own.${path##*/}
		rm -rf "$own"
		mkdir -p "$own"
		(cd "$own" && env path="$path" root="$folder/${path##*/}" own="$own" bundle="$bundle" timeout 60 bash -c 'rt() { "$path" --root "$root" "$@"; }'"
$2") >"$own.out" 2>"$own.err" </dev/null
		sed -i -E -e "s#$own#OWN#g" -e "s#$folder/(holm|runc)#ROOT#g" -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|\+00:00)/TIME/g' "$own.out"
	done
	cmp -s "$work/own.${runtime##*/}.out" "$work/own.runc.out" || text=$(diff "$work/own.${runtime##*/}.out" "$work/own.runc.out" | head -n 20)
	[ -s "$work/own.runc.out" ] || text+='nothing was printed'
	if [ -z "$text" ]; then ok "$name: as runc"; else not_ok "$name: as runc" "$text" "$(cat "$work/own.${runtime##*/}.err")"; fi
}

bundle -- sh -c 'cat <&3; cat <&4; ls /proc/self/fd | wc -l'
each 'run --preserve-fds' 'rt run --preserve-fds 2 --bundle "$bundle" fds 3<<<three 4<<<four; echo $?'
bundle -- sh -c 'echo "$LISTEN_FDS $LISTEN_PID"; cat <&3'
each 'LISTEN_FDS' 'export LISTEN_FDS=1; exec 3<<<socket; LISTEN_PID=$BASHPID exec "$path" --root "$root" run --bundle "$bundle" fds'

# A payload that tells its readiness needs a program that can: the host's python
bundle '.mounts += [("/usr", "/lib", "/lib64") |
	{destination: ., type: "bind", source: ., options: ["rbind", "ro"]}]' -- /usr/bin/python3 -c '
import os, socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
print(os.environ["NOTIFY_SOCKET"], flush=True)
s.sendto(b"STATUS=soon", os.environ["NOTIFY_SOCKET"])
time.sleep(0.3)
s.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"]) # alone: runc 1.1 overlooks it behind another line
time.sleep(600)' 2>/dev/null
cat >"$work/notify.py" <<'END'
import os, socket, subprocess, sys
path, root, bundle, how = sys.argv[1:5]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("ready")
s.settimeout(20)
os.environ["NOTIFY_SOCKET"] = os.path.abspath("ready")
base = [path, "--root", root]
out = open("payload", "w+")
if how == "run":
    last = subprocess.Popen(base + ["run", "--detach", "--bundle", bundle, "ready"], stdin=subprocess.DEVNULL, stdout=out)
else:
    subprocess.run(base + ["create", "--bundle", bundle, "ready"], check=True, stdin=subprocess.DEVNULL, stdout=out)
    last = subprocess.Popen(base + ["start", "ready"], stdout=out)
lines = []
while not any(l.startswith("MAINPID=") for l in lines):
    data, fds, _, _ = socket.recv_fds(s, 4096, 4)
    lines += data.decode().split("\n")
    for fd in fds:
        os.close(fd)
pid = subprocess.run(base + ["state", "ready"], stdout=subprocess.PIPE).stdout.decode().split('"pid": ')[1].split(",")[0]
s.settimeout(2)
try:
    while last.poll() is None: # a barrier, of those that send one
        for fd in socket.recv_fds(s, 4096, 4)[1]:
            os.close(fd)
except TimeoutError:
    pass
print([l.replace(pid, "PID") for l in lines if l], last.wait(20), open("payload").read().strip())
END
for how in create run; do
	each "NOTIFY_SOCKET, $how" 'python3 "${own%/*}/notify.py" "$path" "$root" "$bundle" '$how'; rt delete --force ready'
done

bundle '.process.env += ["FIRST=1"] | .process.user.additionalGids = [7] | .process.noNewPrivileges = false
	| .process.capabilities.inheritable = ["CAP_KILL"]' -- sleep 1000
for path in "$runtime" "$runc"; do
	config '.linux.cgroupsPath = $p' --arg p "/each-${path##*/}"
	"$path" --root "$folder/${path##*/}" run --detach --bundle "$bundle" each </dev/null >"$work/said" 2>&1 || not_ok 'run' "$(cat "$work/said")"
done
each 'exec: environment' 'rt exec -e A=1 -e B=2 -e A=3 each env | sort; rt exec --env A=4 each env | grep A='
each 'exec: what is no variable' 'rt exec -e A each true; echo $?; rt exec -e =A each true; echo $?; rt exec -e "" each true; echo $?; rt exec -e A= each env | grep ^A'
each 'exec: groups' 'rt exec -g 8 -g 9 each id -G; rt exec --additional-gids 10 each id -G'
each 'exec: user and group' 'rt exec -u 5:6 each sh -c "id -u; id -g; id -G"; rt exec -u 5 each id -g; rt exec -u 5: each id -u; echo $?; rt exec -u x each id; echo $?'
each 'exec: capabilities' 'rt exec -c CAP_CHOWN -c CAP_NET_RAW each grep Cap /proc/self/status; rt exec --cap CAP_CHOWN each grep Cap /proc/self/status'
each 'exec: no new privileges' 'rt exec --no-new-privs each grep NoNew /proc/self/status; rt exec each grep NoNew /proc/self/status'
each 'exec: folder' 'rt exec --cwd /etc each pwd; rt exec --cwd relative each pwd; echo $?; rt exec --cwd /not/there each pwd; echo $?'
each 'exec: options after the id are the command'"'"'s' 'rt exec each echo --env -t; rt exec each -- echo x; echo $?; rt exec -- each echo y; echo $?'
each 'exec: descriptors' 'rt exec --preserve-fds 1 each cat /proc/self/fd/3 3<<<three; rt exec each ls /proc/self/fd 5<<<five'
each 'exec: a process by file' 'echo "{\"args\": [\"sh\", \"-c\", \"echo \$A \$(pwd) \$(id -u)\"], \"cwd\": \"/tmp\", \"env\": [\"A=b\", \"PATH=/bin\"], \"user\": {\"uid\": 3, \"gid\": 4}}" >p
	rt exec -p p each; rt exec --process <(cat p) each; rt exec -p p -u 9 each; rt exec --process nowhere each; echo $?'
each 'exec: a process by file that is none' 'echo "{" >p; rt exec -p p each; echo $?; echo "{}" >p; rt exec -p p each; echo $?; echo "{\"args\": [\"true\"]}" >p; rt exec -p p each; echo $?'
each 'exec: pid file' 'rt exec -d --pid-file pid each sleep 100; tail -c 1 pid | grep -c "[0-9]"; [ -d /proc/$(cat pid) ] && echo there; stat -c %a pid'
each 'exec: input and output' 'echo text | rt exec each cat; rt exec each sh -c "echo out; echo err >&2" 2>/dev/null; rt exec each sh -c "echo out; echo err >&2" 2>&1 >/dev/null; echo x | rt exec each sh -c "exit 3"; echo $?'
each 'exec: a terminal needs a socket where it is detached' 'rt exec -t -d each true; echo $?; rt exec --console-socket nowhere each true; echo $?'
each 'exec: --cgroup, one that is not there' 'rt exec --cgroup not/there each true; echo $?; rt exec --cgroup sea:/ each true; echo $?; rt exec --cgroup ../.. each true; echo $?'
each 'exec: --cgroup, of one controller' 'p=$(sed -n "s/^[0-9]*:pids://p" /proc/$(rt state each | jq .pid)/cgroup); [ -n "$p" ] || p=$(sed -n s/^0:://p /proc/$(rt state each | jq .pid)/cgroup)
	f=/sys/fs/cgroup/pids$p; [ -d $f ] || f=/sys/fs/cgroup$p; mkdir $f/below
	if [[ $f == */pids/* ]]; then o=pids:below; else o=below; fi
	rt exec --cgroup $o each cat /proc/self/cgroup | grep -c /below; rmdir $f/below'
each 'kill: names and numbers' 'for s in usr1 SIGUSR2 sigwinch 28 0 37 65 -1 "" 1x; do rt kill each "$s" >/dev/null; echo "$s $?"; done; rt state each | jq -r .status'
each 'kill --all' 'rt exec -d each sleep 555; rt kill --all each WINCH; echo $?; rt kill -a each 0; echo $?; rt kill each WINCH --all; echo $?; rt kill each -- 28; echo $?; rt kill each -9 >/dev/null; echo $?'
each 'ps: formats' 'rt ps -f json each | jq length; rt ps -f xml each >/dev/null; echo $?; rt ps each -o pid,args | head -n 1; rt ps each -o args; echo $?; rt ps --format table each | head -n 1'
each 'list: formats' 'rt list -f json | jq -c ".[0] | del(.ociVersion, .pid, .bundle, .rootfs)"; rt list -q=false | wc -l; rt list --quiet=true; rt -debug=false list -q'
each 'state: its text' 'rt state each | sed -e "s/\"pid\": [0-9]*/\"pid\": N/" -e "/ociVersion/d" -e "/bundle/d" -e "/rootfs/d"; rt state each | tail -c 1 | od -c | head -n 1'
each 'events: what it refuses' 'rt events --interval=x each >/dev/null; echo $?'
each 'events: a line at every interval, until the end' 'timeout 20 "$path" --root "$root" events --interval 100ms each >e & sleep 1; rt events --stats each | jq -c "[.type, .id]"; wait_at=$(wc -l <e)
	[ "$wait_at" -ge 2 ] && echo lines; head -n 1 e | jq -c "[.type, .id, (.data | has(\"cpu\"))]"; kill %1'
each 'update: every flag' 'for o in "--memory 64M" "--memory-swap 128M" "--memory-reservation 32M" "--cpu-quota 50000" "--cpu-period 200000" "--cpu-share 512" "--cpuset-cpus 0" \
	"--cpuset-mems 0" "--pids-limit 50" "--memory -1" "--pids-limit -1" "--cpu-quota -1" "--kernel-memory 1M" "--memory 1x" "--pids-limit x" "--cpu-share -1"; do
	rt update $o each >/dev/null; echo "$o $?"; done'
each 'update: from files' 'echo "{\"pids\": {\"limit\": 44}}" | rt update -r - each; echo $?; echo "{\"pids\": {\"limit\": 45}}" >r; rt update --resources r each; echo $?
	echo "{" | rt update -r - each; echo $?; rt update -r nowhere each; echo $?; echo "{}" | rt update -r - each; echo $?'
each 'delete: what runs stays' 'rt delete each; echo $?; rt state each | jq -r .status; rt delete -f each; echo $?; rt state each; echo $?'

bundle -- sh -c 'echo "to its end"; exit 3'
each 'run --keep' 'rt run --keep --bundle "$bundle" kept; echo $?; rt state kept | jq -r .status; rt delete kept; echo $?'
each 'run: a pid file' 'rt run --pid-file pid --bundle "$bundle" one; echo $?; tail -c 1 pid | grep -c "[0-9]"; stat -c "%a %s" pid | grep -c "^644 [3-7]$"; ls -A'
each 'run: relative folders' 'ln -s "$bundle" b; rt run -b b --pid-file ./pid one; echo $?; ls; cd b && rt run two; echo $?'
each 'run: options' 'for o in --no-pivot --no-new-keyring --no-subreaper --keep=false -detach=false; do rt run $o -b "$bundle" opts; echo "$o $?"; done'
each 'run: into a pipe, from a pipe' 'echo x | rt run -b "$bundle" piped | cat'
# (runc deletes what is created without force; the OCI wants that refused)
each 'create: and its delete' 'rt create -b "$bundle" made >/dev/null; rt state made | jq -r .status; rt list -q; rt delete --force made; echo $?; rt list -q; echo'
each 'create: a pid file' 'rt create -b "$bundle" --pid-file pid made >/dev/null; [ "$(cat pid)" = "$(rt state made | jq .pid)" ]; echo $?; rt delete -f made'
each 'kill: of what is created' 'rt create -b "$bundle" made >/dev/null; rt kill made KILL; echo $?; for i in 1 2 3 4 5 6 7 8 9; do sleep 0.1; rt state made | grep -q stopped && break; done
	rt state made | jq -r .status; rt start made; echo $?; rt delete made; echo $?'
each 'run: names of containers' 'for i in . .. a_b a+b a.b -x "a b" /a "" "$(printf %01000d 0)"; do rt run -b "$bundle" -- "$i" >/dev/null; echo "${i:0:5} $?"; done'
each 'the log: text and JSON' 'rt --log text state none; echo $?; grep -o "level=[a-z]* msg=.*" text | grep -c "does not exist"
	rt --log json --log-format json state none 2>bare; jq -c "[keys - [\"kind\"], .level]" json; grep -c "does not exist" bare; grep -c level= bare; stat -c %a json
	rt --log json --log-format=json exec none true 2>/dev/null; wc -l <json; rt --log-format xml list >/dev/null; echo $?'
each 'spec' 'rt spec; echo $?; rt spec; echo $?; jq -c "[(.process | del(.capabilities.ambient)), .root, .mounts, (.linux | (.maskedPaths - [\"/sys/devices/virtual/tpm\"]), .readonlyPaths, .resources), ([.linux.namespaces[].type] - [\"cgroup\"])]" config.json; mkdir b; rt spec -b b; ls b; rt spec -b nowhere; echo $?'
each 'spec --rootless' 'rt spec --rootless; jq -c "[.linux.uidMappings[0], ([.linux.namespaces[].type] - [\"cgroup\"] | sort), .linux.resources, .mounts]" config.json'
each 'features: every key of runc' 'rt features | head -c 6; "${path%/*}/runc" features >/dev/null 2>&1; rt features | jq -c "[.ociVersionMin, (.hooks | sort), (.linux.namespaces - [\"time\"] | sort), .linux.cgroup.v1, .linux.cgroup.v2,
	.linux.cgroup.systemd, .linux.seccomp.enabled, (.linux.seccomp.actions | sort), (.linux.capabilities | length)]"'
each 'help' 'for w in "" help --help -h "help list" "list --help" "list -h" "help nosuch" "help run more" h "h list" "h nosuch" -v --version; do rt $w >o; echo "$w $? $([ -s o ] && echo text)"; done'
