#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""engines.py TIMER NAME=PATH...: measures engines with several runtimes; tests/bench/engines has started them.

Every round runs each command once, in an order that rotates.  Shown are medians in milliseconds with 95% intervals and ratios
against holm, as bench does; of the commands at once how long all took, and each from its own spawn.
"""
import importlib.machinery
import importlib.util
import os
import statistics
import subprocess
import sys
import time

os.environ["BUILD"] = os.path.abspath(os.path.join(os.path.dirname(sys.argv[1]), "../.."))
loader = importlib.machinery.SourceFileLoader("bench", os.path.join(os.path.dirname(__file__), "bench"))
bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench", loader))
loader.exec_module(bench)

ROUNDS = int(os.environ.get("ROUNDS", "15"))
STORM = int(os.environ.get("STORM", "100"))
ENGINES = os.environ.get("ENGINES", "podman ctr docker").split()
RUNTIMES = dict(sorted((word.split("=", 1) for word in sys.argv[2:]), key=lambda pair: ("holm", "crun", "runc").index(pair[0])))


def run(engine, name, *words):
    """The command that runs a container; %i is a number of its own."""
    if engine == "ctr":
        return ["/usr/bin/ctr", "run", "--runc-binary", RUNTIMES[name], *words, "test/isle:1", f"{name}-%i"]
    if engine == "podman":
        return ["/usr/bin/podman", "--runtime", name, "run", *words, "isle"]
    return ["/usr/bin/docker", "run", "--runtime", name, *words, "isle"]


def in_container(engine, name):
    """The command that runs true in a container that sleeps; starts that one."""
    if engine == "ctr":
        command = [word.replace("%i", "sleeper") for word in run(engine, name, "--detach")]
        inside = ["/usr/bin/ctr", "tasks", "exec", "--exec-id", "e%i", f"{name}-sleeper", "true"]
    else:
        command = run(engine, name, "--detach", "--network", "none", "--name", f"sleeper-{name}")
        inside = [f"/usr/bin/{engine}", "exec", f"sleeper-{name}", "true"]
    done = subprocess.run(command + ["sleep", "1000000"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        print(f"    {name}: {done.stderr.strip()}")
    return inside


def rounds(title, cells):
    bench.title(f"{title}, {ROUNDS} rounds")
    bench.table(bench.timer("rounds", ROUNDS, {name: [("run", words)] for name, words in cells.items()}))


def storm(engine, words):
    bench.title(f"{engine} run --rm{' --network none' * bool(words)}, {STORM} at once")
    print(f"    {'':22}{'all, ms':>10}  {'median ms':>10}  {'p99 ms':>10}  {'failures':>8}  against holm")
    first = None
    for name in RUNTIMES:
        begin = time.monotonic()
        rows = bench.timer("storm", STORM, {name: [("run", run(engine, name, "--rm", *words) + ["true"])]}).get(name, [])
        total = 1000 * (time.monotonic() - begin)
        if not rows:
            continue
        first = first or total
        wall = sorted(row[0] for row in rows)
        print(f"    {name:22}{total:10.0f}  {statistics.median(wall):10.0f}  {wall[int(len(wall) * 0.99)]:10.0f}  "
              f"{STORM - len(rows):8}" + (f"  {total / first:.2f}" if name != "holm" else ""), flush=True)


def main():
    for name, path in RUNTIMES.items():
        print(f"{name}: {path}, {bench.version(path)}")
    print(f"kernel {os.uname().release}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.2f}", flush=True)
    for engine in ENGINES:
        none = [] if engine == "ctr" else ["--network", "none"]
        rounds(f"{engine} run --rm", {name: run(engine, name, "--rm") + ["true"] for name in RUNTIMES})
        if none:
            rounds(f"{engine} run --rm --network none", {name: run(engine, name, "--rm", *none) + ["true"] for name in RUNTIMES})
        rounds(f"{engine} exec", {name: in_container(engine, name) for name in RUNTIMES})
        storm(engine, none)


main()
