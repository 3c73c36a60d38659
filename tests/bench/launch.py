#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""launch.py [SECTION]...: instances against Podman and Docker, and a thousand of them.

first   from the start of the command to the first byte that a static web server answers on a published port, with an image, the
        default bridge, 64 MiB and one processor: medians in milliseconds with 95% intervals (by order statistics), to the
        byte and to the command's end.  Every round runs each once, in an order that rotates.  Docker takes part when its
        daemon answers.
many    MANY instances of one image: made, start --all, list, stats, stop --all, remove: seconds, memory per instance, what is left.
logs    one writes MEGABYTES of lines as fast as it can: its speed, that of who follows it meanwhile and of who reads all of it afterwards,
        and the bytes that are missing.

Environment: MEGABYTES (1000), ROUNDS (20), MANY (1000), PARALLEL (8), PORT (18080), BUILD (build), HOLM (BUILD/holm).
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
ROUNDS = int(os.environ.get("ROUNDS", "20"))
MANY = int(os.environ.get("MANY", "1000"))
MEGABYTES = int(os.environ.get("MEGABYTES", "1000"))
PARALLEL = os.environ.get("PARALLEL", "8")
PORT = os.environ.get("PORT", "18080")
FIRST = f"{BUILD}/tests/bench/first"
WORK = tempfile.mkdtemp(prefix="holm-bench-launch.", dir=os.environ.get("TMPDIR", "/var/tmp"))
HOLM = [os.path.abspath(os.environ.get("HOLM", f"{BUILD}/holm")), "--root", f"{WORK}/state", "--data", f"{WORK}/data"]
SERVER = ["httpd", "-f", "-p", "80", "-h", "/www"]


def run(*command, check=True, timeout=600):
    r = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
    if check and r.returncode:
        sys.exit(f"{' '.join(command)}: {r.stderr or r.stdout}")
    return r.stdout


def make_images():
    """A root of one static program, as tar for all."""
    root = f"{WORK}/root"
    for folder in ("bin", "www", "etc", "proc", "sys", "dev", "tmp"):
        os.makedirs(f"{root}/{folder}")
    shutil.copy(shutil.which("busybox"), f"{root}/bin/busybox")
    for name in ("httpd", "sh", "sleep", "cat"):
        os.symlink("busybox", f"{root}/bin/{name}")
    open(f"{root}/www/index.html", "w").write("hello\n")
    open(f"{root}/etc/passwd", "w").write("root:x:0:0:root:/:/bin/sh\n")
    open(f"{root}/lines", "w").write(("a line of a hundred bytes" + 74 * "." + "\n") * 1000)
    run("tar", "-C", root, "-cf", f"{WORK}/root.tar", ".")
    run(*HOLM, "image", "import", "--quiet", f"{WORK}/root.tar", "bench:1")


def who_is_here():
    """name: (command to start, command to remove)"""
    port = f"127.0.0.1:{PORT}:80"
    here = {"holm": ([*HOLM, "launch", "--name", "bench", "-m", "64M", "-c", "1", "-p", port, "bench:1", *SERVER],
                     [*HOLM, "remove", "--force", "bench"])}
    for engine in ("podman", "docker"):
        if not shutil.which(engine) or subprocess.run([engine, "info"], capture_output=True).returncode:
            continue
        run(engine, "import", f"{WORK}/root.tar", "holm-bench:1")
        here[engine] = ([engine, "run", "-d", "--name", "holm-bench", "-m", "64m", "--cpus", "1", "-p", port,
                         "holm-bench:1", *SERVER], [engine, "rm", "-f", *(["-t", "0"] if engine == "podman" else []), "holm-bench"])
    return here


def interval(values):
    """The median and a 95% interval of it."""
    values = sorted(values)
    n = len(values)
    spread = int(0.98 * n ** 0.5) + 1
    low, high = max(0, n // 2 - spread), min(n - 1, n // 2 + spread)
    return f"{statistics.median(values):8.1f} [{values[low]:.1f} .. {values[high]:.1f}]"


def first():
    here = who_is_here()
    times = {name: ([], []) for name in here}
    names = list(here)
    for i in range(ROUNDS + 1):
        for name in names[i % len(names):] + names[:i % len(names)]:
            start, remove = here[name]
            # Nothing is asked before half the time is over that it needed at least.
            out = run(FIRST, PORT, str(min(times[name][0], default=0) / 2), *start)
            run(*remove)
            if i:  # the first round warms caches up
                for values, text in zip(times[name], out.split()):
                    values.append(float(text))
    print(f"launch to the first byte, and to the command's end (ms, {ROUNDS} rounds)")
    for name in names:
        print(f"  {name:8} {interval(times[name][0])}   {interval(times[name][1])}")
    for engine in names[1:]:
        subprocess.run([engine, "rmi", "-f", "holm-bench:1"], capture_output=True)


def memory():
    return next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemAvailable"))


def timed(what, *command, per=None):
    start = time.monotonic()
    out = run(*HOLM, *command)
    elapsed = time.monotonic() - start
    print(f"  {what:34} {elapsed:8.2f} s" + (f" {elapsed / per * 1000:8.2f} ms each" if per else ""))
    return out


def many():
    print(f"{MANY} instances of one image")
    manifest = {"instances": {f"m{i}": {"image": "bench:1", "network": "none", "memory": "16M",
                                        "command": ["sleep", "100000"]} for i in range(MANY)}}
    json.dump(manifest, open(f"{WORK}/many.json", "w"))
    before = memory()
    timed("made and started (up)", "up", f"{WORK}/many.json", per=MANY)
    after = memory()
    print(f"  {'memory':34} {(before - after) / MANY:8.0f} KiB each")
    timed("list", "list", "--quiet")
    timed("list --wide", "list", "--wide")
    timed("stats", "stats", "--once", "--interval", "100ms", "--format", "csv")
    timed("stop --all", "stop", "--all", "--parallel", PARALLEL, per=MANY)
    timed("start --all", "start", "--all", "--parallel", PARALLEL, per=MANY)
    timed("remove --force --all", "remove", "--force", "--all", "--parallel", PARALLEL, per=MANY)
    left = run(*HOLM, "list", "--quiet").split() + os.listdir(f"{WORK}/data/instances") + os.listdir(f"{WORK}/data/ids")
    left += [entry for entry in os.listdir(f"{WORK}/state") if not entry.startswith((".", ":"))]
    print(f"  {'left':34} {len(left):8}")


def logs():
    size = MEGABYTES * 1000000  # of lines of a hundred bytes, a thousand of them in a file
    run(*HOLM, "launch", "--name", "writer", "--network", "none", "--log-size", "8g", "bench:1", "sh", "-c",
        "while [ ! -e /go ]; do sleep 0.01; done;"
        f"i=0; while [ $i -lt {MEGABYTES} ]; do cat /lines /lines /lines /lines /lines /lines /lines /lines /lines /lines; i=$((i + 1)); done")
    follower = subprocess.Popen([*HOLM, "logs", "--follow", "--stdout", "writer"], stdout=subprocess.PIPE)
    run(*HOLM, "exec", "writer", "sh", "-c", ": >/go")
    began = time.time()
    followed = count(follower)
    seconds = {"followed meanwhile": time.time() - began}
    run(*HOLM, "wait", "writer", check=False)
    with open(f"{WORK}/data/instances/writer/end.json") as file:
        seconds = {"written": json.load(file)["ended"] / 1e9 - began, **seconds}
    began = time.time()
    read = count(subprocess.Popen([*HOLM, "logs", "--stdout", "writer"], stdout=subprocess.PIPE))
    seconds["read afterwards"] = time.time() - began
    print(f"a log of {size // 1000000} MB")
    for what, value in seconds.items():
        print(f"  {what:34} {size / 1e6 / value:8.0f} MB/s")
    print(f"  {'bytes lost':34} {2 * size - followed - read:8}")


def count(process):
    total = 0
    while block := os.read(process.stdout.fileno(), 1 << 20):
        total += len(block)
    process.wait()
    return total


def main():
    sections = {"first": first, "many": many, "logs": logs}
    wanted = sys.argv[1:] or list(sections)
    try:
        make_images()
        for name in wanted:
            sections[name]()
    finally:
        subprocess.run([*HOLM, "remove", "--force", "--all"], capture_output=True)
        shutil.rmtree(WORK, ignore_errors=True)


main()
