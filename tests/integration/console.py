#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""console.py SOCKET OUTPUT [INPUT [ROWSxCOLUMNS]]: the other end of --console-socket.

Takes one connection and one message with one descriptor, writes the message's name to OUTPUT.name, types INPUT, and
copies what the terminal says to OUTPUT until it closes.
"""
import fcntl
import os
import socket
import struct
import sys
import termios
import time

listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(sys.argv[1] + ".new")
listener.listen(1)
os.rename(sys.argv[1] + ".new", sys.argv[1])
connection = listener.accept()[0]
name, fds, _, _ = socket.recv_fds(connection, 4096, 4)
with open(sys.argv[2] + ".name", "wb") as f:
    f.write(b"%d %s" % (len(fds), name))
master = fds[0]
size = fcntl.ioctl(master, termios.TIOCGWINSZ, b"\0" * 8)
with open(sys.argv[2] + ".size", "w", encoding="ascii") as f:
    f.write("%d %d" % struct.unpack("HHHH", size)[:2])
if len(sys.argv) > 4:
    rows, columns = map(int, sys.argv[4].split("x"))
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
if len(sys.argv) > 3 and sys.argv[3]:
    time.sleep(0.2)
    os.write(master, sys.argv[3].encode() + b"\n")
with open(sys.argv[2], "wb", buffering=0) as output:
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:  # EIO: the last one closed the other end
            break
        if not data:
            break
        output.write(data)
