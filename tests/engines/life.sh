# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What Podman (root's and a user's) and Docker promise alike; sourced after lib.sh by a check that defines engine(), the command,
# run(), `engine run --rm` without input, and words, the same command for what is no function of a shell.
# shellcheck disable=SC2034,SC2154 # variables for the checks, and from them

# The image isle.
import_image() {
	tar -C "$image_root" -cf image.tar .
	chmod 644 image.tar
	check 'import an image' engine import -c 'CMD ["/bin/sh"]' -c 'ENV PATH=/bin' image.tar isle
}

run_checks() {
	exits 'run: output and status 0' 0 '^hello$' run isle echo hello
	exits 'run: status of the payload' 9 '' run isle sh -c 'exit 9'
	exits 'run: a signal is 128 and its number' 143 '' run isle sh -c 'sh -c "kill -TERM \$\$"; exit $?'
	exits 'run: command not found is 127' 127 'executable file.*not found|no such file' run isle nosuch
	exits 'run: a path not found is 127' 127 'no such file' run isle /no/such
	exits 'run: not executable is 126' 126 'permission denied' run isle /etc/text
	exits 'run: a folder is 126' 126 'permission denied|is a directory' run isle /bin
	is 'run -i: input' "$(echo text | engine run --rm -i isle cat)" text
	is 'run -t: a terminal' "$(on_terminal "${words[@]}" run --rm -t isle tty)" /dev/pts/0
	exits 'run: environment, working folder, user, host name' 0 '^v /tmp 1000 reef$' \
		run -e K=v -w /tmp -u user --hostname reef isle sh -c 'echo $K $PWD $(id -u) $(hostname)'
	exits 'run --init' 0 'catatonit|podman-init|docker-init|tini' run --init isle cat /proc/1/comm
	exits 'run --read-only' 0 'Read-only.*written' run --read-only --tmpfs /scratch isle \
		sh -c 'exec 2>&1; touch /file; touch /scratch/file && echo written'
	exits 'run --tmpfs: size and mode' 0 'size=1024k' run --tmpfs /scratch:size=1m,mode=1777 isle grep scratch /proc/mounts
	mkdir folder && echo outside >folder/file
	exits 'run -v: a folder' 0 '^outside$' run -v "$PWD/folder:/mnt" isle cat /mnt/file
	exits 'run -v: read-only' 1 'Read-only' run -v "$PWD/folder:/mnt:ro" isle touch /mnt/file
	exits 'run -v: a file' 0 '^outside$' run -v "$PWD/folder/file:/a/b/file" isle cat /a/b/file
	check 'volume create' engine volume create v1
	exits 'a volume gets what the image has there' 0 '^of the image$' run -v v1:/data isle cat /data/file
	exits 'a volume is written' 0 '' run -v v1:/data isle sh -c 'echo new >/data/file'
	exits 'a volume keeps it' 0 '^new$' run -v v1:/data isle cat /data/file
	check 'volume rm' engine volume rm v1
	exits 'run --cap-drop all' 0 '^CapEff:.0000000000000000$' run --cap-drop all isle grep CapEff /proc/self/status
	exits 'run --cap-add' 0 '^CapEff:.0000000000001000$' run --cap-drop all --cap-add net_admin isle grep CapEff /proc/self/status
	exits 'the default seccomp profile is on' 0 'Seccomp:.2' run isle grep Seccomp: /proc/self/status
	exits 'the default seccomp profile refuses kcmp(2)' 0 'EPERM' run isle probe call 312
	exits 'which the kernel knows' 0 'ESRCH' run --security-opt seccomp=unconfined isle probe call 312
	exits 'seccomp=unconfined' 0 'Seccomp:.0' run --security-opt seccomp=unconfined isle grep Seccomp: /proc/self/status
	exits 'no-new-privileges' 0 'NoNewPrivs:.1' run --security-opt no-new-privileges isle grep NoNewPrivs /proc/self/status
	exits 'masked paths' 0 '^0$' run isle sh -c 'cat /proc/keys /proc/timer_list 2>/dev/null | wc -c'
	exits 'run --device' 0 '10, *229' run --device /dev/fuse isle ls -l /dev/fuse
	exits 'devices are refused' 1 'not permitted' run isle sh -c 'mknod /tmp/d b 7 0 && cat /tmp/d'
	exits 'run --ulimit' 0 '^100$' run --ulimit nofile=100:200 isle sh -c 'ulimit -n'
	exits 'run --sysctl' 0 '^17$' run --sysctl net.ipv4.ip_default_ttl=17 isle cat /proc/sys/net/ipv4/ip_default_ttl
	exits 'run --network none' 0 '^lo$' run --network none isle ls /sys/class/net
	exits 'run --network host' 0 '' run --network host isle true
	exits 'run --shm-size' 0 'size=1024k' run --shm-size 1m isle grep /dev/shm /proc/mounts
}

# Root's alone, or what a user can't have on a hybrid host.
root_checks() {
	exits 'run --ipc, --uts host' 0 '^engine$' run --ipc host --uts host isle hostname
	exits 'run --memory' 0 '^20971520$' run -m 20m isle limit memory
	exits 'run --cpus' 0 '^50000$' run --cpus 0.5 isle limit quota
	exits 'run --cpuset-cpus' 0 '^0$' run --cpuset-cpus 0 isle limit cpus
	exits 'run --pids-limit' 0 '^50$' run --pids-limit 50 isle limit pids
	exits 'run --pid host' 0 "^$(cat /proc/1/comm)$" run --pid host isle cat /proc/1/comm
	exits 'run --privileged' 0 'sysfs rw' run --privileged isle grep ' /sys ' /proc/mounts
}

# A server, c1, and what is done in it.
server_checks() { # [RUN-OPTION]...
	check 'run -d' engine run -d --name c1 -p 127.0.0.1:8080:80 "$@" isle httpd -f -p 80 -h /www
	like 'ps' "$(engine ps --format '{{.Names}} {{.Status}}')" 'c1 Up'
	check 'a published port answers' wait_for 5 curl -sf http://127.0.0.1:8080/index.html
	is 'a default route' "$(engine exec c1 sh -c 'ip route | grep -c default')" 1
	is 'exec' "$(engine exec c1 cat /www/index.html)" 'a page'
	is 'exec -i' "$(echo text | engine exec -i c1 cat)" text
	is 'exec -t' "$(on_terminal "${words[@]}" exec -t c1 tty)" /dev/pts/0
	exits 'exec: status' 5 '' engine exec c1 sh -c 'exit 5'
	exits 'exec: user, environment, folder' 0 '^1000 v /tmp$' engine exec -u user -e K=v -w /tmp c1 sh -c 'echo $(id -u) $K $PWD'
	# Docker before 23: 126
	exits 'exec: not found is 127' '12[67]' 'executable file.*not found|no such file' engine exec c1 nosuch
	exits 'exec: not executable is 126' 126 'permission denied' engine exec c1 /etc/text
	exits 'exec --privileged' 0 'CapEff:.0000.*[1-9a-f]' engine exec --privileged c1 grep CapEff /proc/self/status
	exits 'exec -d' 0 '' engine exec -d c1 touch /made
	check 'exec -d: done' wait_for 5 engine exec c1 test -e /made
	like 'top' "$(engine top c1)" 'httpd -f'
	check 'cp into it' engine cp folder/file c1:/copied
	is 'cp from it' "$(engine cp c1:/copied - | tar -xO)" outside
	check 'diff, commit' eval '[[ $(engine diff c1) == *" /copied"* ]] && engine commit c1 isle2'
	exits 'the committed image' 0 '^outside$' run isle2 cat /copied
}

# pause_checks STATUS TEXT: how exec in a paused container is refused
pause_checks() {
	check 'pause' engine pause c1
	is 'pause: state' "$(engine inspect -f '{{.State.Status}}' c1)" paused
	exits 'exec in a paused container is refused' "$1" "$2" engine exec c1 true
	check 'unpause' engine unpause c1
}

# The server's end, other containers' lives.
end_checks() {
	check 'kill -s WINCH' engine kill -s WINCH c1
	check 'stop' engine stop -t 1 c1
	is 'stop: state' "$(engine inspect -f '{{.State.Status}} {{.State.Running}}' c1)" 'exited false'
	check 'start again' engine start c1
	check 'restart' engine restart -t 1 c1
	check 'kill' engine kill c1
	is 'kill: wait gives 137' "$(engine wait c1)" 137
	check 'rm' engine rm c1
	check 'create' engine create --name c2 isle sh -c 'echo out; echo err >&2; exit 3'
	is 'created' "$(engine inspect -f '{{.State.Status}}' c2)" created
	exits 'start --attach: output and status' 3 'out.*err|err.*out' engine start --attach c2
	is 'logs' "$(engine logs c2 2>/dev/null) $(engine logs c2 2>&1 >/dev/null)" 'out err'
	check 'rm -f of one that has stopped' engine rm -f c2
	engine run -d --name c3 isle sh -c 'until [ -e /go ]; do sleep 0.1; done; echo attached; sleep 0.2' >/dev/null
	engine attach c3 >attached </dev/null &
	local attacher=$!
	sleep 0.3
	engine exec c3 touch /go
	wait $attacher
	is 'attach' "$(cat attached)" attached
	engine run -d --name c4 --restart on-failure:2 isle sh -c 'echo again; exit 1' >/dev/null
	check 'restart policy' wait_for 10 eval '[ "$(engine logs c4 | wc -l)" -eq 3 ]'
	is 'restart policy: count' "$(engine inspect -f '{{.RestartCount}}' c4)" 2
}

# at FOLDER COMMAND...
at() {
	(cd "$1" && shift && "$@")
}

# oom_checks [ENGINE: ]: who passes its limit is killed, and the engine says why.  conmon 2.1.6 leaves its note in the folder where Podman was
# called, and Podman 4.3 looks into the container's: so it is called there.
oom_checks() {
	local child='probe eat 64; exec sleep 1' folder
	check "$1OOM: create" engine create --name c5 --network none --memory 16m --memory-swap 16m isle sh -c 'sleep 1; exec probe eat 64'
	folder=$(engine inspect -f '{{.StaticDir}}' c5 2>/dev/null) || folder=.
	exits "$1OOM: killed" 137 '' at "$folder" engine start --attach c5
	check "$1OOM: said" wait_for 2 was_oom c5
	check "$1OOM of a child: create" engine create --name c8 --network none --memory 16m --memory-swap 16m isle sh -c "$child"
	folder=$(engine inspect -f '{{.StaticDir}}' c8 2>/dev/null) || folder=.
	exits "$1OOM of a child: the rest goes on" 0 '' at "$folder" engine start --attach c8
	check "$1OOM of a child: said" wait_for 2 was_oom c8
	engine rm -f c5 c8 >/dev/null
}

was_oom() {
	[ "$(engine inspect -f "{{.State.OOMKilled}}" "$1")" = true ]
}

# build_checks [BUILD-OPTION]...
build_checks() {
	mkdir build
	printf 'FROM isle\nRUN echo built >/built && test "$(id -u)" = 0\nUSER user\nRUN id -u >/tmp/who\nCMD cat /built /tmp/who\n' >build/Dockerfile
	check 'build with RUN' engine build -q -t isle3 "$@" build
	exits 'what was built' 0 '^built.1000$' run isle3
}

network_checks() {
	check 'network create' engine network create --subnet 10.98.0.0/24 n1
	exits 'a fixed address in it' 0 '10\.98\.0\.7' run --network n1 --ip 10.98.0.7 isle ip addr show eth0
	engine run -d --name server --network n1 isle httpd -f -p 80 -h /www >/dev/null
	exits 'a neighbour is found by its name' 0 '^a page$' run --network n1 isle wget -qO - http://server/index.html
	engine rm -f server >/dev/null
	check 'network rm' engine network rm n1
}

many_checks() {
	local started
	started=$(seq 10 | xargs -P 5 -I{} "${words[@]}" run --rm --network none isle echo {} 2>&1 | sort -n | paste -sd ' ')
	is 'ten at once' "$started" '1 2 3 4 5 6 7 8 9 10'
	engine ps -aq | xargs -r "${words[@]}" rm -f >/dev/null 2>&1
	is 'no container is left' "$(engine ps -aq)" ''
}
