#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic for the tests of the network.

  net.py serve PROTOCOL ADDRESS PORT       answers each peer with its address (tcp, udp) until killed
  net.py ask PROTOCOL ADDRESS PORT [SIZE]  prints the answer, "refused", "unreachable" or "silence"
  net.py raw INTERFACE HEX...              sends frames as they are
  net.py hear INTERFACE ETHERTYPE SECONDS  prints the frames of that type that arrive, as hex
  net.py flow PROTOCOL ADDRESS PORT SECONDS   sends as fast as it can; prints bytes per second that were taken
  net.py sink ADDRESS PORT                 takes what flow sends; prints received bytes per second of each connection
"""
import socket
import struct
import sys
import time


def family(address):
    return socket.AF_INET6 if ':' in address else socket.AF_INET


def make(protocol, address):
    kind = socket.SOCK_STREAM if protocol == 'tcp' else socket.SOCK_DGRAM
    made = socket.socket(family(address), kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if ':' in address:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return made


def serve(protocol, address, port):
    server = make(protocol, address)
    if protocol == 'udp' and address in ('0.0.0.0', '::'):
        sys.exit('udp servers need an address')
    server.bind((address, int(port)))
    if protocol == 'tcp':
        server.listen(128)
    while True:
        if protocol == 'tcp':
            connection, peer = server.accept()
            connection.sendall(peer[0].encode())
            connection.close()
        else:
            data, peer = server.recvfrom(65535)
            server.sendto(f'{peer[0]} {len(data)}'.encode() if len(data) > 1 else peer[0].encode(), peer)


def ask(protocol, address, port, size='1'):
    client = make(protocol, address)
    client.settimeout(float(2))
    try:
        client.connect((address, int(port)))
        if protocol == 'udp':
            client.send(b'x' * int(size))
        print(client.recv(65535).decode())
    except ConnectionRefusedError:
        print('refused')
    except (TimeoutError, socket.timeout):
        print('silence')
    except OSError as error:
        print('unreachable' if error.errno in (101, 113) else error)


def raw(interface, *frames):
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sender.bind((interface, 0))
    for frame in frames:
        sender.send(bytes.fromhex(frame))


def hear(interface, ethertype, seconds):
    kind = int(ethertype, 16)
    ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind))
    ear.bind((interface, kind))
    print('ready', flush=True)
    end = time.monotonic() + float(seconds)
    while (left := end - time.monotonic()) > 0:
        ear.settimeout(left)
        try:
            data, where = ear.recvfrom(65535)
        except (TimeoutError, socket.timeout):
            break
        if where[2] != 4:  # not our own
            print(data.hex(), flush=True)


def flow(protocol, address, port, seconds):
    client = make(protocol, address)
    client.connect((address, int(port)))
    begin = time.monotonic()
    sent = 0
    data = b'x' * (65536 if protocol == 'tcp' else 1400)
    client.settimeout(float(seconds))
    while time.monotonic() < begin + float(seconds):
        try:
            sent += client.send(data)
        except (TimeoutError, socket.timeout):
            break
    print(int(sent / (time.monotonic() - begin)))


def sink(address, port):
    server = make('tcp', address)
    server.bind((address, int(port)))
    server.listen()
    while True:
        connection, _ = server.accept()
        begin = time.monotonic()
        got = 0
        while data := connection.recv(1 << 20):
            got += len(data)
        print(int(got / (time.monotonic() - begin)), flush=True)


{'serve': serve, 'ask': ask, 'raw': raw, 'hear': hear, 'flow': flow, 'sink': sink}[sys.argv[1]](*sys.argv[2:])
