# SPDX-License-Identifier: GPL-2.0-or-later
"""
differential.py PROBE ROOT WORK HOLM OTHER...: the same bundles under holm and other runtimes, compared field by field.

A case is a config.json: holm's default and variations of it, and files that engines wrote (tests/specs), made to fit this
root.  Its payload is the probe.  Compared are exit status, state (created, running, stopped), and everything that the probe
reports, without what is bound to differ (pids, inode numbers, memory).  A difference is a failed test unless the
table `expected` has it, with its reason.  One TAP line per case and runtime; the reasons that served are listed at the end.
"""
import copy, fcntl, fnmatch, glob, json, os, pty, random, re, struct, subprocess, sys, termios, threading, time

probe, root, work, holm = sys.argv[1:5]
others = sys.argv[5:]

# (runtime, case, field, reason), the first three as shell patterns; both values may be what they are.
expected = [
    ("*", "*", "state.*.ociVersion", "the version that a runtime writes is its own"),
    ("*", "*", "state.*.created", "a time"),
    ("*", "*", "state.*.owner", "runc prints it in state, where the OCI has no such key"),
    ("*", "*", "state.*.systemd-scope", "crun's own key"),
    ("*", "*", "state.*.intel*", "runc's own key"),
    ("*", "*", "state.*.end.*", "holm's own key: how a container ended"),
    ("crun", "*", "keyring", "crun calls the session keyring by the id alone, runc and holm put _ses. before it"),
    ("*", "*", "devices./dev/core.*", "others make /dev/core only where the host's kernel has /proc/kcore"),
    ("*", "*", "cgroups", "holm's folder is called holm-ID, and where no controller is asked for it makes none"),
    ("*", "*", "mounts./sys/fs/cgroup*", "holm binds the container's own folder of each controller, whatever made the hierarchy"),
    ("*", "*", "mounts./sys.super", "ro is a matter of the mount, not of the file system that others share"),
    ("*", "*", "mounts./proc/[a-z]*.*", "masks of another shape: the host's null device, or one empty tmpfs, read-only"),
    ("*", "*", "mounts./sys/[a-z]*.*", "masks of another shape: the host's null device, or one empty tmpfs, read-only"),
    ("*", "environment", "env", "of a name given twice the last counts; holm keeps it in its place, runc in the first's"),
    ("runc", "a time namespace", "*", "runc 1.1 has none"),
    ("runc", "*", "mounts./*.propagation", "runc 1.1 leaves the root private, whatever it is told"),
    ("*", "mount a file on a link", "env", "for who is not in passwd, holm's HOME is /, as the OCI's files have it, runc's is empty"),
    ("runc", "personality", "*", "runc 1.1 has none"),
    ("runc", "host name and domain", "names.domainname", "runc 1.1 has none"),
    ("crun", "a hook that fails", "exit", "crun's own failures under run are 255"),
    ("crun", "mount bind *shared", "mounts./mnt/here.propagation", "crun 1.8 leaves a shared bind private"),
    ("crun", "*-[0-9]*", "exit", "crun gives up where root may not raise RLIMIT_MEMLOCK for the device program"),
    ("crun", "*-[0-9]*", "output", "crun gives up where root may not raise RLIMIT_MEMLOCK for the device program"),
    ("crun", "*-[0-9]*", "says why", "crun gives up where root may not raise RLIMIT_MEMLOCK for the device program"),
    ("crun", "a time namespace", "*", "crun gives up where it may not write the offsets"),
    ("crun", "*", "mounts./dev/*.options", "crun binds the host's devices with the options of /dev"),
    ("*", "*", "devices./dev/mqueue.gid", "in a user namespace the mqueue belongs to the container's root"),
    ("*", "*bind,frobnicate", "*", "an option that nobody knows is refused; runc gives it to the kernel, which overlooks it for a bind"),
    ("runc", "tmpfs without a source", "mounts./mnt/here.s*", "runc leaves the name of the source empty"),
    ("crun", "*bind,ro,rw", "mounts./mnt/here.options", "of options that exclude each other the last counts; crun 1.8 keeps ro"),
    ("crun", "*runbindable", "mounts./mnt/here.propagation", "crun 1.8 leaves it private"),
    ("crun", "*rro*", "*", "crun 1.8 can't make a file recursively read-only"),
    ("crun", "mount bind unbindable", "mounts./mnt/here.propagation", "crun 1.8 leaves it private"),
    ("crun", "*nosymfollow", "mounts.*.options", "crun 1.8 doesn't know nosymfollow"),
    ("crun", "bind of a file in a user namespace: *", "mounts./tmp/new/file.options", "crun 1.8 leaves noexec out there"),
    ("crun", "two ranges of ids", "env", "for who is not in passwd crun sets no HOME"),
    ("crun", "masks and *", "env", "for who is not in passwd crun sets no HOME"),
    ("crun", "no mount namespace", "*", "crun mounts on the host then; refused, as by runc"),
    ("crun", "seccomp: SCMP_ACT_KILL", "says why", "crun has a word about the signal"),
    ("crun", "a namespace twice", "*", "the OCI wants that refused; crun 1.8 takes the first"),
    ("crun", "a relative working folder", "*", "the OCI wants that refused; crun 1.8 goes there from the root"),
    ("crun", "mount on /proc/s*", "*", "mounts inside /proc that could mislead who enters are refused, as by runc"),
    ("crun", "tmpfs without a source", "mounts./mnt/here.source", "crun writes the type in its place"),
    ("runc", "without /proc", "*", "runc needs a /proc in the container for itself"),
    ("*", "ids without a user namespace", "*", "mappings that would do nothing are refused"),
    ("*", "*", "devices./dev/null.?id", "the host's, which any crun of the host gives to its user for a moment, as one of its standard descriptors"),
    ("runc", "*terminal*", "terminal.*", "runc resizes when the process may already have looked"),
    ("crun", "*terminal*", "terminal.*", "crun doesn't hand on the size of the caller's terminal before that changes"),
    ("runc", "*idmapped*", "mounts./mnt/here.options", "runc 1.1 doesn't know idmapped mounts"),
    ("crun", "together: *idmapped*", "*", "crun 1.8 gives up where it may not map the ids of a mount"),
    ("*", "together: *masks*", "mounts./etc/group.*", "masks of another shape: the host's null device, or one empty tmpfs, read-only"),
    ("*", "masks and *", "mounts./*", "masks of another shape: the host's null device, or one empty tmpfs, read-only"),
    ("runc", "seccomp: SCMP_ACT_KILL*", "*", "runc calls getpid itself when the filter is on already"),
    ("runc", "seccomp: SCMP_ACT_TRAP", "*", "runc calls getpid itself when the filter is on already"),
    ("*", "docker-*", "ids.groups", "additionalGids are taken as they are, runc leaves out what is there twice"),
    ("*", "docker-*", "status.Groups", "additionalGids are taken as they are, runc leaves out what is there twice"),
]


def default_config():
    kept = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0}, "args": ["/bin/probe"], "cwd": "/", "noNewPrivileges": True,
            "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "capabilities": {"bounding": kept, "effective": kept, "permitted": kept},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}]},
        "root": {"path": root, "readonly": True},
        "hostname": "test",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]}],
        "linux": {
            "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount")],
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/proc/scsi"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]}}


def variations():
    """Cases by name: what is changed in the default."""
    def mount(destination, kind, source, *options):
        return lambda c: c["mounts"].append({"destination": destination, "type": kind, "source": source, "options": list(options)})

    def put(path, value):
        def change(c):
            *folders, last = path.split(".")
            for key in folders:
                c = c.setdefault(key, {})
            c[last] = value
        return change

    def all_of(*changes):
        return lambda c: [change(c) for change in changes]

    def namespaces(*types):
        return put("linux.namespaces", [{"type": t} for t in types])

    outside = work + "/outside"
    os.makedirs(outside + "/folder", exist_ok=True)
    with open(outside + "/file", "w") as f:
        f.write("outside\n")
    user = all_of(lambda c: c["linux"]["namespaces"].append({"type": "user"}),
                  put("linux.uidMappings", [{"containerID": 0, "hostID": 100000, "size": 65536}]),
                  put("linux.gidMappings", [{"containerID": 0, "hostID": 100000, "size": 65536}]))
    yield "the default", lambda c: None
    yield "a writable root", put("root.readonly", False)
    yield "user and groups", put("process.user", {"uid": 1000, "gid": 1001, "additionalGids": [5, 6], "umask": 0o27})
    yield "a working folder", put("process.cwd", "/tmp")
    yield "a working folder that is not there", all_of(put("process.cwd", "/made/here"), put("root.readonly", False))
    yield "environment", lambda c: c["process"]["env"].extend(["A=1", "B=two words", "A=2", "EMPTY="])
    yield "HOME is given", lambda c: c["process"]["env"].append("HOME=/elsewhere")
    yield "no new privileges off", put("process.noNewPrivileges", False)
    yield "no capabilities", put("process.capabilities", {})
    caps = ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"]
    yield "all five sets", put("process.capabilities", {s: caps for s in ("bounding", "effective", "permitted", "inheritable", "ambient")})
    yield "capabilities of a user", all_of(put("process.user", {"uid": 1000, "gid": 1000}),
                                          put("process.capabilities", {s: caps for s in ("bounding", "effective", "permitted", "inheritable", "ambient")}))
    yield "capabilities lost by a user", put("process.user", {"uid": 1000, "gid": 1000})
    for kind in ("CORE", "CPU", "DATA", "FSIZE", "STACK", "NPROC", "RTTIME"):
        yield "RLIMIT_" + kind, put("process.rlimits", [{"type": "RLIMIT_" + kind, "soft": 100000000, "hard": 100000000}] if kind not in ("NPROC",)
                                   else [{"type": "RLIMIT_NPROC", "soft": 500, "hard": 600}])
    yield "OOM score", put("process.oomScoreAdj", 100)
    yield "host name and domain", all_of(put("hostname", "reef"), put("domainname", "sea.example"))
    yield "a program in PATH", put("process.args", ["probe"])
    yield "arguments", put("process.args", ["/bin/probe", "args", "", "two words"])
    yield "not found", put("process.args", ["nosuch"])
    yield "not there", put("process.args", ["/no/such"])
    yield "not executable", put("process.args", ["/etc/passwd"])
    yield "an exit status", put("process.args", ["sh", "-c", "exit 7"])
    yield "a signal", put("process.args", ["sh", "-c", "sh -c 'kill -9 $$'; exit $?"])
    for left in ("pid", "network", "ipc", "uts"):
        def without(c, left=left):
            c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != left]
            if left == "uts":
                del c["hostname"]
            if left == "network":
                c["mounts"] = [m for m in c["mounts"] if m["type"] != "sysfs"]
                c["linux"]["maskedPaths"] = []
        yield "the host's " + left, without
    yield "a cgroup namespace", lambda c: c["linux"]["namespaces"].append({"type": "cgroup"})
    yield "a time namespace", all_of(lambda c: c["linux"]["namespaces"].append({"type": "time"}),
                                     put("linux.timeOffsets", {"monotonic": {"secs": 1000, "nanosecs": 0}, "boottime": {"secs": 1000, "nanosecs": 0}}))
    yield "a user namespace", user
    yield "a user namespace and a user", all_of(user, put("process.user", {"uid": 1000, "gid": 1000}))
    yield "devices", put("linux.devices", [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 3, "gid": 4},
                                           {"path": "/dev/a/b", "type": "c", "major": 1, "minor": 3},
                                           {"path": "/dev/fifo", "type": "p", "fileMode": 0o600}])
    yield "sysctl", all_of(put("linux.sysctl", {"net.ipv4.ip_default_ttl": "17", "kernel.shmmax": "100000000"}))
    yield "no masks", all_of(put("linux.maskedPaths", []), put("linux.readonlyPaths", []))
    yield "masks of what is not there", all_of(put("linux.maskedPaths", ["/proc/absent", "/nowhere"]), put("linux.readonlyPaths", ["/proc/nothing"]))
    for p in ("private", "slave", "rprivate", "rslave", "shared", "rshared", "unbindable"):
        yield "root propagation " + p, put("linux.rootfsPropagation", p)
    yield "personality", put("linux.personality", {"domain": "LINUX32"})
    yield "an annotation", put("annotations", {"a.key": "a value", "b": ""})
    reader = {"path": "/bin/sh", "args": ["sh", "-c", "cat >/dev/null"], "env": ["PATH=/bin"]} # crun dies of SIGPIPE where nobody reads the state
    yield "hooks", put("hooks", {"prestart": [reader], "poststop": [reader]})
    yield "a hook that fails", put("hooks", {"prestart": [{"path": "/bin/false"}]})
    tables = {
        "bind": ("bind",), "rbind": ("rbind",), "bind ro": ("bind", "ro"), "rbind ro": ("rbind", "ro"), "bind rro": ("bind", "rro"),
        "bind nosuid nodev noexec": ("bind", "nosuid", "nodev", "noexec"), "bind noatime": ("bind", "noatime"),
        "bind nodiratime": ("bind", "nodiratime"), "bind shared": ("bind", "shared"), "bind rshared": ("rbind", "rshared"),
        "bind slave": ("bind", "slave"), "bind rslave": ("rbind", "rslave"), "bind private": ("bind", "private"),
        "bind unbindable": ("bind", "unbindable"), "bind sync": ("bind", "sync"),
    }
    for name, options in tables.items():
        yield "mount " + name, mount("/mnt/here", "bind" if "bind" in name else "none", outside + "/folder", *options)
    yield "mount a file", mount("/etc/file", "bind", outside + "/file", "bind", "ro")
    yield "mount a file on a link", mount("/etc/link", "bind", outside + "/file", "bind", "ro")
    yield "mount below a link that leads out", mount("/etc/out/deep", "tmpfs", "tmpfs", "size=64k")
    for options in (("size=1m",), ("size=64k", "mode=1777"), ("ro",), ("nr_inodes=100",), ("uid=1000", "gid=1000"), ("strictatime",),
                    ("noatime", "nosuid"), ("relatime", "noexec"), ("tmpcopyup",), ("rw", "nodev", "dirsync")):
        yield "mount tmpfs " + ",".join(options), mount("/mnt/here" if "tmpcopyup" not in options else "/etc", "tmpfs", "tmpfs", *options)
    yield "mount proc hidepid", mount("/mnt/here", "proc", "proc", "hidepid=2")
    yield "two mounts on one place", all_of(mount("/mnt/here", "tmpfs", "one", "size=64k"), mount("/mnt/here", "tmpfs", "two", "size=128k"))
    yield "mount of a source that is not there", mount("/mnt/here", "bind", "/no/such/source", "bind")
    yield "mount cgroup", all_of(mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev"),
                                 lambda c: c["linux"]["namespaces"].append({"type": "cgroup"}))

    def seccomp(**more):
        return put("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                                     "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}], **more})
    yield "seccomp", seccomp()
    yield "seccomp without noNewPrivileges", all_of(seccomp(), put("process.noNewPrivileges", False))
    yield "seccomp: errno", all_of(seccomp(syscalls=[{"names": ["getpid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77}]),
                                   put("process.args", ["/bin/probe", "call", "39"]))
    yield "seccomp: default errno", all_of(seccomp(syscalls=[{"names": ["getpid"], "action": "SCMP_ACT_ERRNO"}]),
                                           put("process.args", ["/bin/probe", "call", "39"]))
    yield "seccomp: by argument", all_of(seccomp(syscalls=[{"names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5,
                                                            "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]}]),
                                         put("process.args", ["/bin/probe", "call", "135", "8"]))
    yield "seccomp: a call that nobody knows", all_of(seccomp(syscalls=[{"names": ["frobnicate"], "action": "SCMP_ACT_ERRNO"}]))
    yield "an empty path in the root", put("root.path", "")
    yield "no root", lambda c: c.pop("root")
    yield "a root that is not there", put("root.path", "/no/such/root")
    yield "an unknown namespace", lambda c: c["linux"]["namespaces"].append({"type": "sea"})
    yield "a namespace twice", lambda c: c["linux"]["namespaces"].append({"type": "pid"})
    yield "an unknown limit", put("process.rlimits", [{"type": "RLIMIT_SEA", "soft": 1, "hard": 1}])
    yield "an unknown capability", put("process.capabilities", {"bounding": ["CAP_SEA", "CAP_KILL"]})
    yield "a sysctl of the host", put("linux.sysctl", {"vm.swappiness": "1"})
    yield "no arguments", put("process.args", [])
    yield "a relative working folder", put("process.cwd", "tmp")
    yield "unknown keys", all_of(put("sea", 1), put("linux.sea", {"a": 1}), put("process.sea", "b"))
    yield None # what follows is many
    for options in (("bind", "nosuid"), ("bind", "nodev", "ro", "noexec"), ("rbind", "nosuid", "ro"), ("bind", "relatime"), ("bind", "strictatime"),
                    ("bind", "rw", "suid", "dev", "exec"), ("bind", "ro", "rw"), ("bind", "rw", "ro"), ("bind", "defaults"), ("rbind", "private", "ro"),
                    ("rbind", "rslave", "nodev"), ("rbind", "runbindable"), ("bind", "rnosuid"), ("rbind", "rnoexec", "rnodev"), ("rbind", "rro", "rnosuid"),
                    ("bind", "nosymfollow"), ("bind", "mand"), ("bind", "dirsync"), ("bind", "iversion"), ("bind", "frobnicate"), ("ro",), ()):
        yield "bind of a folder: " + (",".join(options) or "nothing"), mount("/mnt/here", "bind", outside + "/folder", *options)
    for options in (("bind",), ("bind", "ro", "nosuid"), ("rbind", "rro"), ("bind", "noexec", "private")):
        yield "bind of a file: " + ",".join(options), mount("/tmp/new/file", "bind", outside + "/file", *options)
        yield "bind of a file in a user namespace: " + ",".join(options), all_of(user, mount("/tmp/new/file", "bind", outside + "/file", *options))
    yield "bind of a file on a folder", mount("/tmp", "bind", outside + "/file", "bind")
    yield "bind of a folder on a file", mount("/etc/passwd", "bind", outside + "/folder", "bind")
    yield "bind of a device", mount("/tmp/zero", "bind", "/dev/zero", "bind")
    yield "bind of /dev", mount("/mnt/dev", "bind", "/dev", "rbind", "ro")
    yield "bind of the root", mount("/mnt/root", "bind", "/", "bind", "ro")
    yield "mount on the root", mount("/", "tmpfs", "tmpfs", "size=64k")
    yield "mount on /proc/self", mount("/proc/self", "tmpfs", "tmpfs", "size=64k")
    yield "mount on /proc/sys", mount("/proc/sys", "bind", outside + "/folder", "bind")
    yield "mount on a relative place", mount("mnt/here", "tmpfs", "tmpfs", "size=64k")
    yield "mount with dots", mount("/mnt/../mnt/./here/..//there", "tmpfs", "tmpfs", "size=64k")
    yield "mount out by dots", mount("/../../mnt/here", "tmpfs", "tmpfs", "size=64k")
    yield "mount of an unknown type", mount("/mnt/here", "seafs", "none")
    yield "tmpfs of a bad size", mount("/mnt/here", "tmpfs", "tmpfs", "size=lots")
    yield "tmpfs without a source", lambda c: c["mounts"].append({"destination": "/mnt/here", "type": "tmpfs"})
    for place in ("/proc", "/dev", "/sys", "/dev/pts", "/dev/shm", "/dev/mqueue"):
        def lacking(c, place=place):
            c["mounts"] = [m for m in c["mounts"] if m["destination"] != place and not m["destination"].startswith(place + "/")]
            c["linux"]["maskedPaths"] = c["linux"]["readonlyPaths"] = []
        yield "without " + place, lacking
    for read_only in (False, True):
        root_is = "read-only" if read_only else "writable"
        yield "a tmpfs in a %s root" % root_is, all_of(put("root.readonly", read_only), mount("/new/place", "tmpfs", "tmpfs", "size=64k", "ro"))
        yield "user namespace, cgroup namespace, tmpfs, %s root" % root_is, all_of(
            put("root.readonly", read_only), user, lambda c: c["linux"]["namespaces"].append({"type": "cgroup"}),
            mount("/mnt/here", "tmpfs", "tmpfs", "size=64k", "mode=700", "uid=0"))
        yield "seccomp, a user, all limits, %s root" % root_is, all_of(
            put("root.readonly", read_only), seccomp(), put("process.user", {"uid": 1000, "gid": 1000, "additionalGids": [7]}),
            put("process.rlimits", [{"type": "RLIMIT_" + k, "soft": 900, "hard": 1000} for k in ("NOFILE", "SIGPENDING", "CORE", "MSGQUEUE")]))
    for kind in ("AS", "NOFILE", "MEMLOCK", "SIGPENDING", "MSGQUEUE", "RTPRIO", "NICE", "LOCKS", "RSS"):
        yield "RLIMIT_%s, soft below hard" % kind, put("process.rlimits", [{"type": "RLIMIT_" + kind, "soft": 0 if kind in ("RTPRIO", "NICE") else 1 << 30 if kind == "AS" else 64,
                                                                           "hard": 0 if kind in ("RTPRIO", "NICE") else 1 << 32 if kind == "AS" else 128}])
    yield "a soft limit above the hard one", put("process.rlimits", [{"type": "RLIMIT_NOFILE", "soft": 200, "hard": 100}])
    for names in (["CAP_NET_RAW"], ["CAP_SYS_ADMIN", "CAP_SYS_CHROOT"], ["CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_MKNOD"]):
        for uid in (0, 1000):
            for sets in (("bounding",), ("bounding", "permitted"), ("bounding", "effective", "permitted"), ("bounding", "effective", "inheritable", "permitted", "ambient"),
                         ("effective", "permitted")):
                yield "capabilities %s of %d in %s" % (",".join(names), uid, ",".join(sets)), all_of(
                    put("process.user", {"uid": uid, "gid": uid}), put("process.capabilities", {k: names for k in sets}))
    yield "capabilities in a user namespace", all_of(user, put("process.capabilities", {k: ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"] for k in ("bounding", "effective", "permitted")}))
    yield "ids that are not mapped", all_of(user, put("process.user", {"uid": 70000, "gid": 0}))
    yield "two ranges of ids", all_of(user, put("linux.uidMappings", [{"containerID": 0, "hostID": 100000, "size": 1000}, {"containerID": 1000, "hostID": 200000, "size": 10}]),
                                      put("process.user", {"uid": 1003, "gid": 5}))
    yield "ids without a user namespace", all_of(put("linux.uidMappings", [{"containerID": 0, "hostID": 100000, "size": 1000}]))
    yield "a user namespace without ids", lambda c: c["linux"]["namespaces"].append({"type": "user"})
    for kind in ("network", "uts", "ipc"):
        def joined(c, kind=kind):
            for n in c["linux"]["namespaces"]:
                if n["type"] == kind:
                    n["path"] = "/proc/self/ns/" + {"network": "net"}.get(kind, kind)
            if kind == "uts":
                del c["hostname"]
            if kind == "network":
                c["mounts"] = [m for m in c["mounts"] if m["type"] != "sysfs"]
                c["linux"]["maskedPaths"] = []
        yield "joined: %s by path" % kind, joined
    yield "joined: a path that is no namespace", lambda c: c["linux"]["namespaces"][1].update(path="/dev/null")
    yield "joined: a path of another kind", lambda c: c["linux"]["namespaces"][1].update(path="/proc/self/ns/uts")
    yield "joined: a path that is not there", lambda c: c["linux"]["namespaces"][1].update(path="/no/such")
    yield "no namespaces but mount", all_of(namespaces("mount"), lambda c: c.pop("hostname"), put("linux.maskedPaths", []),
                                            lambda c: c.update(mounts=[m for m in c["mounts"] if m["type"] not in ("sysfs", "mqueue")]))
    yield "no mount namespace", all_of(namespaces("pid"), lambda c: c.pop("hostname"))
    yield "a host name without its namespace", namespaces("pid", "mount", "ipc", "network")
    yield "sysctls without their namespace", all_of(namespaces("pid", "mount", "ipc", "uts"), put("linux.sysctl", {"net.ipv4.ip_forward": "1"}),
                                                    lambda c: c.update(mounts=[m for m in c["mounts"] if m["type"] != "sysfs"]), put("linux.maskedPaths", []))
    yield "a sysctl with slashes", put("linux.sysctl", {"net/ipv4/ip_default_ttl": "18"})
    yield "a sysctl that is not there", put("linux.sysctl", {"net.sea.level": "18"})
    yield "masks and read-only paths of files and folders", all_of(put("linux.maskedPaths", ["/etc/passwd", "/www", "/proc/keys"]), put("linux.readonlyPaths", ["/tmp", "/etc/group"]),
                                                                   put("root.readonly", False))
    for action, value in (("SCMP_ACT_KILL", "x"), ("SCMP_ACT_TRAP", "x"), ("SCMP_ACT_LOG", "x"), ("SCMP_ACT_ERRNO", 38), ("SCMP_ACT_KILL_PROCESS", "x"), ("SCMP_ACT_SEA", "x")):
        rule = {"names": ["getpid"], "action": action}
        if value != "x":
            rule["errnoRet"] = value
        yield "seccomp: %s" % action, all_of(seccomp(syscalls=[rule]), put("process.args", ["/bin/probe", "call", "39"]))
    for op, value in (("SCMP_CMP_NE", 8), ("SCMP_CMP_LT", 9), ("SCMP_CMP_LE", 8), ("SCMP_CMP_GE", 8), ("SCMP_CMP_GT", 7), ("SCMP_CMP_MASKED_EQ", 8)):
        yield "seccomp: " + op, all_of(seccomp(syscalls=[{"names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5,
                                                         "args": [{"index": 0, "value": value, "valueTwo": 8, "op": op}]}]),
                                       put("process.args", ["/bin/probe", "call", "135", "8"]))
    # Settings that each work alone, together: one choice of each kind, the same ones in every run.
    def limits(*rows):
        return put("process.rlimits", [{"type": "RLIMIT_" + kind, "soft": soft, "hard": hard} for kind, soft, hard in rows])

    def sets(*names):
        return put("process.capabilities", {k: list(names) for k in ("bounding", "effective", "permitted", "inheritable", "ambient")})
    both_ways = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    dimensions = [
        {"": None, "user namespace": user, "two ranges": all_of(user, put("linux.uidMappings", [{"containerID": 0, "hostID": 100000, "size": 1000},
                                                                                             {"containerID": 1000, "hostID": 201000, "size": 10}]))},
        {"": None, "user": put("process.user", {"uid": 1000, "gid": 1000}), "groups": put("process.user", {"uid": 0, "gid": 0, "additionalGids": [5, 6, 1000]}),
         "user, groups, umask": put("process.user", {"uid": 1000, "gid": 7, "additionalGids": [4, 9], "umask": 0o77}),
         "umask": put("process.user", {"uid": 0, "gid": 3, "umask": 0})},
        {"": None, "rslave root": put("linux.rootfsPropagation", "rslave"), "private root": put("linux.rootfsPropagation", "private"),
         "rshared root": put("linux.rootfsPropagation", "rshared")},
        {"": None, "writable": put("root.readonly", False)},
        {"": None, "hooks": put("hooks", {kind: [{"path": "/bin/sh", "args": ["sh", "-c", "cat >/dev/null"], "env": ["PATH=/bin"], "timeout": 9}] for kind in (
            "prestart", "createRuntime", "createContainer", "poststart", "poststop")}),
         "a hook inside": put("hooks", {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "cat >/dev/null; umask 0; cd /tmp"]}]})},
        {"": None, "limits": limits(("NOFILE", 64, 128), ("CORE", 0, 0), ("STACK", 1 << 20, 1 << 23)), "files": limits(("NOFILE", 1000, 1024), ("FSIZE", 1 << 20, 1 << 30))},
        {"": None, "OOM score": put("process.oomScoreAdj", 300), "OOM score 0": put("process.oomScoreAdj", 0)},
        {"": None, "no capabilities": put("process.capabilities", {}), "ambient": sets("CAP_KILL", "CAP_NET_RAW")},
        {"": None, "new privileges": put("process.noNewPrivileges", False)},
        {"": None, "bind ro": mount("/mnt/here", "bind", outside + "/folder", "rbind", "ro", "nosuid"),
         "tmpfs": mount("/tmp", "tmpfs", "tmpfs", "size=64k", "mode=1777", "gid=1000"),
         "idmapped": lambda c: c["mounts"].append({"destination": "/mnt/here", "type": "bind", "source": outside + "/folder", "options": ["bind"],
                                                   "uidMappings": both_ways, "gidMappings": both_ways})},
        {"": None, "cgroup namespace": lambda c: c["linux"]["namespaces"].append({"type": "cgroup"})},
        {"": None, "seccomp": seccomp(), "masks": all_of(put("linux.maskedPaths", ["/proc/keys", "/etc/group"]), put("linux.readonlyPaths", ["/proc/sys", "/tmp"]))},
        {"": None, "terminal": put("process.terminal", True), "a small terminal": all_of(put("process.terminal", True), put("process.consoleSize", {"width": 71, "height": 19}))},
        {"": None, "in /tmp": put("process.cwd", "/tmp")}]
    dice = random.Random(4)
    for n in range(60):
        chosen = {}
        for kinds in dimensions:
            name = dice.choice(list(kinds))
            chosen.update({name: kinds[name]} if name else {})
        if "idmapped" not in chosen or set(chosen) & {"user namespace", "two ranges"}: # (runc 1.1 and crun 1.8 want one then)
            yield "together: " + ", ".join(chosen), all_of(*chosen.values())
    yield "seccomp: all denied but some", all_of(put("linux.seccomp", {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "syscalls": [
        {"names": ["execve", "exit_group", "write", "brk", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "readlink", "readlinkat", "getrandom",
                   "mprotect", "fstat", "newfstatat", "mmap", "munmap", "futex", "close", "openat", "read", "fcntl", "prctl", "capset", "setuid", "setgid", "setgroups", "chdir",
                   "getcwd", "getpid", "getppid", "epoll_ctl", "epoll_pwait", "statfs", "fstatfs", "nanosleep", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
                   "sigaltstack", "tgkill", "gettid", "sched_yield", "madvise", "getdents64", "faccessat2", "faccessat", "stat", "getuid", "close_range", "dup3", "setresuid", "setresgid", "umask", "keyctl"],
         "action": "SCMP_ACT_ALLOW"}]}), put("process.args", ["/bin/probe", "call", "102"]))


def fit(path):
    """A file that an engine wrote, with this root, without its sockets, hooks and files."""
    with open(path) as f:
        c = json.load(f)
    c["root"] = {"path": root, "readonly": c.get("root", {}).get("readonly", False)}
    c["process"].update(args=["/bin/probe"], terminal=False, cwd="/")
    c["process"].pop("consoleSize", None)
    c["process"].pop("apparmorProfile", None)
    c["process"].pop("selinuxLabel", None)
    # what root may lack here, and over which runc and crun give up
    for names in c["process"].get("capabilities", {}).values():
        names[:] = [n for n in names if n not in ("CAP_SYS_RESOURCE", "CAP_SYS_MODULE")]
    c["process"]["rlimits"] = [r for r in c["process"].get("rlimits", []) if r["type"] in ("RLIMIT_CORE", "RLIMIT_NOFILE") and r["hard"] <= 1024]
    if c["process"].get("oomScoreAdj", 0) < 0:
        c["process"].pop("oomScoreAdj")
    c.pop("hooks", None)
    linux = c["linux"]
    linux.pop("mountLabel", None)
    linux.pop("cgroupsPath", None)
    linux.pop("seccomp", None) if linux.get("seccomp", {}).get("listenerPath") else None
    for n in linux.get("namespaces", []):
        n.pop("path", None)
    own = {n["type"] for n in linux.get("namespaces", [])}
    if "uts" not in own:
        c.pop("hostname", None)
    fitted = work + "/files"
    os.makedirs(fitted, exist_ok=True)
    mounts = []
    for m in c.get("mounts", []):
        if m.get("type") == "bind" or {"bind", "rbind"} & set(m.get("options", [])):
            if not os.path.exists(m["source"]):
                m["source"] = fitted + "/" + re.sub("[^a-z]", "-", m["destination"])
                if os.path.splitext(m["destination"])[1] or m["destination"].startswith(("/etc/", "/run/.")):
                    open(m["source"], "a").close()
                else:
                    os.makedirs(m["source"], exist_ok=True)
        if m.get("type") == "bind":
            # Engines make the places of their mounts themselves; in a user namespace nobody else may.
            place = root + os.path.normpath(m["destination"])
            if not os.path.lexists(place) and not m["destination"].startswith(("/dev/", "/proc/", "/sys/", "/run/")):
                os.makedirs(os.path.dirname(place), exist_ok=True)
                os.makedirs(place) if os.path.isdir(m["source"]) else open(place, "a").close()
        if m.get("type") == "sysfs" and "network" not in own:
            continue
        mounts.append(m)
    c["mounts"] = mounts
    if "user" in own and not linux.get("uidMappings"):
        linux["uidMappings"] = linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    return c


host_namespaces = {}
for name in os.listdir("/proc/self/ns"):
    host_namespaces[name] = os.readlink("/proc/self/ns/" + name)
TIMESCALE = int(os.environ.get("HOLM_TIMESCALE", 1))
STATUS = ("Umask", "Uid", "Gid", "Groups", "NStgid", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs",
          "Seccomp", "Seccomp_filters", "Cpus_allowed_list", "Mems_allowed_list")


def normal_probe(text, ident):
    """What the probe said, without what is bound to differ; text that is no report stays text."""
    try:
        r = json.loads(text)
    except ValueError:
        return {"output": text}
    if not isinstance(r, dict):
        return {"output": text}
    if r.get("namespaces"):
        r["namespaces"] = {k: "host" if v == host_namespaces.get(k) else "own" for k, v in r["namespaces"].items()}
    if r.get("fds"):
        r["fds"] = sorted(r["fds"])
    if r.get("status"):
        r["status"] = {k: v for k, v in r["status"].items() if k in STATUS}
        # 32 and 33 are libc's own signals: no program of libc's can give them back their defaults, and a payload of
        # crun and runc has them as the caller's caller left them.  holm's init, without libc, resets them all.
        if "SigIgn" in r["status"]:
            r["status"]["SigIgn"] = "%016x" % (int(r["status"]["SigIgn"], 16) & ~(3 << 31))
        if (r.get("namespaces") or {}).get("pid") == "host":
            r["status"].pop("NStgid", None)
    if r.get("ids") and (r.get("namespaces") or {}).get("pid") == "host":
        for key in ("pid", "ppid", "pgid", "sid"):
            r["ids"].pop(key, None)
    if r.get("mounts"):
        # mountinfo is sorted by ids; of two mounts at one place the lower one comes first here.  A mode of 755 is no option's,
        # or the one that a folder has anyway: holm gives it when it makes a tmpfs, others change it afterwards.
        seen, table = {}, {}
        parents = {m["id"]: m["parent"] for m in r["mounts"]}

        def depth(m):
            n, at = 0, m["id"]
            while at in parents and parents[at] != at:
                n, at = n + 1, parents[at]
            return n
        for m in sorted(r["mounts"], key=depth):
            n = seen[m["target"]] = seen.get(m["target"], 0) + 1
            key = m["target"] + ("#%d" % n if n > 1 else "")
            table[key] = {
                "type": m["type"], "source": m["source"], "root": m["root"].replace(ident, "ID"),
                "options": sorted(m["options"].split(",")), "super": sorted(set(m["super"].split(",")) - {"mode=755"}),
                "propagation": re.sub(r"\d+", "N", m["propagation"])}
        r["mounts"] = table
    if r.get("cgroups"):
        r["cgroups"] = sorted(re.sub(r"^\d+:", "", line).replace(ident, "ID") for line in r["cgroups"])
    if r.get("keyring"):
        r["keyring"] = re.sub(r";\d+;\d+;[0-9a-f]+;", ";", str(r["keyring"])).replace(ident, "ID")
    for key in ("clocks", "keyring_id"): # as many as there are processes
        r.pop(key, None)
    return r


def normal_state(text, ident, bundle):
    try:
        s = json.loads(text)
    except ValueError:
        return {"text": text}
    s["pid"] = "some" if s.get("pid") else 0
    s["id"] = s.get("id", "").replace(ident, "ID")
    return s


def call_on_terminal(command):
    """As subprocess.run() of a command on a terminal of its own, 100 columns wide."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=subprocess.PIPE, start_new_session=True, text=True,
                               preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(slave)
    output = []

    def read():
        try:
            while data := os.read(master, 65536):
                output.append(data)
        except OSError: # EIO: nobody has its other end any more
            pass
    reader = threading.Thread(target=read)
    reader.start()
    try:
        errors = process.communicate(timeout=20 * TIMESCALE)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    finally:
        reader.join(20)
        os.close(master)
    return subprocess.CompletedProcess(command, process.returncode, b"".join(output).decode(errors="replace").replace("\r", ""), errors)


def run(runtime, case, config, number):
    """Everything comparable of one case under one runtime."""
    name = os.path.basename(runtime)
    ident = "diff-%d" % number # the same under each: ids show in cgroup paths
    bundle = "%s/bundle-%s" % (work, "x")
    os.makedirs(bundle, exist_ok=True)
    with open(bundle + "/config.json", "w") as f:
        json.dump(config, f)
    base = [runtime, "--root", "%s/state-%s" % (work, name)]
    result = {}
    # Not /dev/null: crun gives what it finds on a container's standard descriptors to its user, the host's device too.
    empty = open(work + "/empty", "a+")

    def call(*words, **more):
        if words[0] == "run" and config["process"].get("terminal"):
            return call_on_terminal(base + list(words))
        return subprocess.run(base + list(words), stdin=empty, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=20 * TIMESCALE, text=True, errors="replace", **more)
    try:
        for _ in range(5): # crun may end before it has passed on what the terminal holds
            done = call("run", "--bundle", bundle, ident)
            if runtime == holm or not config["process"].get("terminal") or done.returncode or "output" not in normal_probe(done.stdout, ident):
                break
        result["exit"] = done.returncode
        result.update(normal_probe(done.stdout, ident))
        result["says why"] = bool(done.stderr.strip()) if done.returncode else False
        if number % 9 == 0 and not done.returncode and not config["process"].get("terminal"):
            # A created container keeps the stdout it was given, so that mustn't be a pipe that is read to its end.
            with open(work + "/output", "w") as out:
                made = subprocess.run(base + ["create", "--bundle", bundle, ident], stdin=empty, stdout=out, stderr=out, timeout=20 * TIMESCALE)
            result["create"] = made.returncode
            result["state"] = {"created": normal_state(call("state", ident).stdout, ident, bundle)}
            result["start"] = call("start", ident).returncode
            deadline = time.monotonic() + 20 * TIMESCALE
            while time.monotonic() < deadline:
                state = normal_state(call("state", ident).stdout, ident, bundle)
                if state.get("status") == "stopped":
                    break
            result["state"]["stopped"] = state
            result["delete"] = call("delete", ident).returncode
    except subprocess.TimeoutExpired:
        result["exit"] = "none in time"
    finally:
        if os.path.exists("%s/state-%s/%s" % (work, name, ident)):
            subprocess.run(base + ["delete", "--force", ident], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
    return result


def flatten(value, path=""):
    if isinstance(value, dict):
        for key in value:
            yield from flatten(value[key], path + "." + key if path else key)
    else:
        yield path, value


def main():
    cases, many, step_of_many = [], 0, int(os.environ.get("MANY", "1"))
    for variation in variations():
        if variation is None:
            many = 1
            continue
        many += many > 0
        if many % step_of_many:
            continue
        name, change = variation
        c = default_config()
        change(c)
        cases.append((name, c))
    for path in sorted(glob.glob("tests/specs/*.json")):
        cases.append((os.path.basename(path)[:-5], fit(path)))
    wanted, step = os.environ.get("CASES"), int(os.environ.get("STEP", "1"))
    count, used = 0, {}
    for number, (name, config) in enumerate(cases):
        if number % step or (wanted and not fnmatch.fnmatch(name, wanted)):
            continue
        ours = dict(flatten(run(holm, name, config, number)))
        for other in others:
            theirs = dict(flatten(run(other, name, copy.deepcopy(config), number)))
            title = os.path.basename(other)
            bad = []
            fields = set(ours) | set(theirs)
            if ours["exit"] != theirs["exit"] and fields != {"exit"}:
                fields = {"exit", "says why", "output"}
            for field in sorted(fields):
                a, b = ours.get(field, "absent"), theirs.get(field, "absent")
                if a == b:
                    continue
                reason = next((r for t, n, f, r in expected if fnmatch.fnmatch(title, t) and fnmatch.fnmatch(name, n) and
                               fnmatch.fnmatchcase(field, f)), None)
                if reason is None:
                    bad.append("%s: holm %s, %s %s" % (field, json.dumps(a), title, json.dumps(b)))
                else:
                    used.setdefault(reason, set()).add("%s: %s" % (title, name))
            count += 1
            print("%sok %d - %s: as %s" % ("not " if bad else "", count, name, title))
            for line in bad:
                print("#   " + line[:600])
            sys.stdout.flush()
    for reason in sorted(used):
        some = sorted(used[reason])
        print("# expected in %d: %s (%s%s)" % (len(some), reason, ", ".join(some[:3]), ", ..." if len(some) > 3 else ""))


main()
