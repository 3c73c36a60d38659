#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""screen.py ROWSxCOLUMNS OUTPUT COMMAND... -- STEP...: runs a command on a terminal and plays its user.

A step is a time in seconds (".5"), a signal's name ("INT"), a new size ("30x60") or text that is typed.  What the terminal
says goes to OUTPUT; OUTPUT.end gets {"same": whether the modes are as before, "status": exit status, or -signal}.
"""
import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time


def resize(fd, text):
    rows, columns = map(int, text.split("x"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def copy(master, output, seconds):
    end = time.monotonic() + seconds
    while True:
        rest = end - time.monotonic()
        if not select.select([master], [], [], max(rest, 0))[0]:
            if rest <= 0:
                return
            continue
        try:
            output.write(os.read(master, 65536))
        except OSError:
            return


def main():
    split = sys.argv.index("--", 3)
    command, steps = sys.argv[3:split], sys.argv[split + 1:]
    master, slave = os.openpty()
    resize(slave, sys.argv[1])
    before = termios.tcgetattr(slave)
    os.environ.setdefault("TERM", "xterm")
    if os.environ["TERM"] == "dumb":
        os.environ["TERM"] = "xterm"
    child = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                             preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    with open(sys.argv[2], "wb") as output:
        for step in steps:
            if re.fullmatch(r"[0-9]*\.[0-9]+", step):
                copy(master, output, float(step))
            elif re.fullmatch(r"[0-9]+x[0-9]+", step):
                resize(slave, step)
            elif hasattr(signal, "SIG" + step):
                child.send_signal(getattr(signal, "SIG" + step))
            else:
                os.write(master, step.encode())
        end = time.monotonic() + 20
        while child.poll() is None and time.monotonic() < end:
            copy(master, output, 0.05)
        if child.poll() is None:
            child.kill()
        copy(master, output, 0.05)
    with open(sys.argv[2] + ".end", "w", encoding="utf-8") as f:
        json.dump({"same": termios.tcgetattr(slave) == before, "status": child.wait()}, f)


main()
