#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# hooks: order, place, state on stdin, environment, time-outs, failures.
# where: host
. "$(dirname "$0")/lib.sh"

cat >"$work/hook" <<EOT
#!/bin/sh
# hook NAME: appends its name and what it was given
{ printf '%s ' "\$1"; cat; printf ' env=%s ns=%s\n' "\$MARK" "\$(readlink /proc/self/ns/mnt)"; } >>"$work/log"
EOT
chmod +x "$work/hook"
all='.hooks = ({} | .[("prestart","createRuntime","poststart","poststop")] = [])
	| .hooks |= with_entries(.value = [{path: $hook, args: ["hook", .key], env: ["MARK=\(.key)", "PATH=/bin:/usr/bin"]}])'
bundle -- true
config --arg hook "$work/hook" "$all"
config '.annotations = {"org.example.reef": "deep"}
	| .hooks.createContainer = [{path: .hooks.prestart[0].path, args: ["hook", "createContainer"], env: ["PATH=/bin:/usr/bin"]}]
	| .hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "cat >/hook-state; env >/hook-env"], env: ["ONLY=this", "PATH=/bin"]}]'
own_root
check 'create with hooks' create
is 'hooks of create, in order' "$(cut -d ' ' -f 1 "$work/log" | xargs)" 'prestart createRuntime createContainer'
check 'start with hooks' holm start "$id"
wait_status stopped
check 'delete with hooks' holm delete "$id"
is 'all hooks, in order' "$(cut -d ' ' -f 1 "$work/log" | xargs)" 'prestart createRuntime createContainer poststart poststop'
state_of() { # HOOK: the JSON that it got
	sed -n "s/^$1 \(.*\) env=.*/\1/p" "$work/log"
}
for hook in prestart createRuntime createContainer poststart poststop; do
	text=$(state_of $hook)
	is "$hook: one line of JSON" "$(wc -l <<<"$text")" 1
	fact "$hook: id, bundle, annotations" "$text" '[.id, .bundle, .annotations["org.example.reef"]]' "[\"$id\",\"$bundle\",\"deep\"]"
done
fact 'createRuntime: creating' "$(state_of createRuntime)" .status creating
fact 'createRuntime: the pid of init, on the host' "$(state_of createRuntime)" '.pid > 1'
fact 'poststart: running' "$(state_of poststart)" '.status | test("running|stopped")'
fact 'poststop: stopped' "$(state_of poststop)" .status stopped
is 'prestart: the environment given' "$(sed -n 's/^prestart .* env=\([a-zA-Z]*\) .*/\1/p' "$work/log")" prestart
is 'createRuntime: in the namespaces of the caller' "$(sed -n 's/^createRuntime .* ns=//p' "$work/log")" "$(readlink /proc/self/ns/mnt)"
isnt 'createContainer: in those of the container' "$(sed -n 's/^createContainer .* ns=//p' "$work/log")" "$(readlink /proc/self/ns/mnt)"
fact 'startContainer: in the container, created' "$(cat "$root/hook-state")" '[.id, .status]' "[\"$id\",\"created\"]"
is 'startContainer: exactly the environment given' "$(grep -vE '^(PWD|SHLVL|_)=' "$root/hook-env" | sort | xargs)" 'ONLY=this PATH=/bin'

for hook in prestart createRuntime createContainer; do
	bundle ".hooks.$hook = [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"echo the reef is closed >&2; exit 3\"]}]"
	refuses "a failing $hook ends create, with what it said" "$hook.*|the reef is closed" holm create "$id"
	is_holm && refuses "$hook: its own words" 'the reef is closed' holm create "$id"
	refuses "$hook: nothing is left" 'does not exist' holm state "$id"
done
bundle '.hooks.startContainer = [{"path": "/bin/sh", "args": ["sh", "-c", "exit 3"]}]'
create
refuses 'a failing startContainer ends start' . holm start "$id"
wait_status stopped
is 'and the container is stopped' "$(status_of)" stopped
bundle '.hooks.poststart = [{"path": "/bin/sh", "args": ["sh", "-c", "exit 3"]}]' -- sleep 1000
create
refuses 'a failing poststart is an error of start' . holm start "$id"
bundle ".hooks.poststop = [{\"path\": \"/bin/false\"}, {\"path\": \"/bin/touch\", \"args\": [\"touch\", \"$work/second\"]}]"
holm run "$id" >/dev/null 2>&1
is 'a failing poststop stops neither delete nor its successor' "$(ls "$work/second" 2>&1)" "$work/second"
bundle '.hooks.createRuntime = [{"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}]'
refuses 'a hook that takes too long' 'time|1 s|deadline' holm create "$id"
bundle '.hooks.createRuntime = [{"path": "/bin/true", "timeout": 0}]'
refuses 'a time-out of 0' 'timeout|deadline' holm create "$id"
bundle '.hooks.createRuntime = [{"path": "bin/true"}]'
refuses 'a relative path' 'path|bin/true' holm create "$id"
bundle '.hooks.createRuntime = [{"path": "/not/there"}]'
refuses 'a hook that is not there' '/not/there' holm create "$id"
