#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the network need of bpf(2).

  bpf.py attached INTERFACE   how many programs are on it by tcx, arriving and leaving
  bpf.py detach INTERFACE     takes them off
  bpf.py elements MAP         the addresses that the counters' map of that number has, sorted
"""
import ctypes
import ipaddress
import os
import socket
import struct
import sys

NUMBER = {"x86_64": 321, "aarch64": 280, "i686": 357, "armv7l": 386}[os.uname().machine]
GET_NEXT_KEY, DETACH, PROGRAM_BY_ID, MAP_BY_ID, QUERY = 4, 9, 13, 14, 16
DIRECTIONS = (46, 47)  # BPF_TCX_INGRESS, BPF_TCX_EGRESS
libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, layout, *values):
    attribute = ctypes.create_string_buffer(struct.pack("=" + layout, *values), 144)
    result = libc.syscall(NUMBER, command, attribute, 144)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result, attribute.raw


def programs(link, direction):
    ids = (ctypes.c_uint32 * 64)()
    raw = bpf(QUERY, "IIIIQI", link, direction, 0, 0, ctypes.addressof(ids), 64)[1]
    return list(ids)[:struct.unpack_from("=I", raw, 24)[0]]


def attached(interface):
    print(*(len(programs(socket.if_nametoindex(interface), direction)) for direction in DIRECTIONS))


def detach(interface):
    link = socket.if_nametoindex(interface)
    for direction in DIRECTIONS:
        for number in programs(link, direction):
            bpf(DETACH, "IIII", link, bpf(PROGRAM_BY_ID, "I", number)[0], direction, 0)


def elements(number):
    descriptor = bpf(MAP_BY_ID, "I", int(number))[0]
    key, following = ctypes.create_string_buffer(16), ctypes.create_string_buffer(16)
    found, at = [], 0
    while True:
        try:
            bpf(GET_NEXT_KEY, "IIQQ", descriptor, 0, at, ctypes.addressof(following))
        except FileNotFoundError:
            break
        key.raw = following.raw
        at = ctypes.addressof(key)
        address = ipaddress.IPv6Address(following.raw)
        found.append(str(address.ipv4_mapped or address))
    print("\n".join(sorted(found)))


{"attached": attached, "detach": detach, "elements": elements}[sys.argv[1]](*sys.argv[2:])
