#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic for the tests of the network.

  net.py serve PROTOCOL ADDRESS PORT       answers each peer with its address (tcp, udp) until killed
  net.py ask PROTOCOL ADDRESS PORT [SIZE]  prints the answer, "refused", "unreachable" or "silence"
  net.py raw INTERFACE HEX...              sends frames as they are
  net.py attack INTERFACE VICTIM-MAC VICTIM-IP4 VICTIM-IP6   sends frames that claim what is another's, and good ones;
                                           each holds a mark with its kind
  net.py marks INTERFACE SECONDS           prints "ready", then the marks that arrived, sorted, in one line
  net.py flow PROTOCOL ADDRESS PORT SECONDS   sends as fast as it can; prints bytes per second that were taken
  net.py sink ADDRESS PORT                 takes what flow sends; prints received bytes per second of each connection
"""
import re
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


def checksum(data):
    data += b'\0' * (len(data) % 2)
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def udp(data, source=9):
    return struct.pack('!HHHH', source, 9, 8 + len(data), 0) + data


def ip4(source, data, protocol=17, destination='255.255.255.255'):
    head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(data), 0, 0, 64, protocol, 0, socket.inet_aton(source),
                       socket.inet_aton(destination))
    return head[:10] + struct.pack('!H', checksum(head)) + head[12:] + data


def ip6(source, data, following=17, destination='ff02::1'):
    return (struct.pack('!IHBB', 6 << 28, len(data), following, 255) + socket.inet_pton(socket.AF_INET6, source)
            + socket.inet_pton(socket.AF_INET6, destination) + data)


def arp(operation, mac, address, target):
    return (struct.pack('!HHBBH', 1, 0x800, 6, 4, operation) + mac + socket.inet_aton(address) + b'\0' * 6
            + socket.inet_aton(target))


def neighbour(kind, target, mac):
    return struct.pack('!BBHI', kind, 0, 0, 0x20000000) + socket.inet_pton(socket.AF_INET6, target) + b'\2\1' + mac


def attack(interface, victim_mac, victim4, victim6):
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sender.bind((interface, 0))
    mac = sender.getsockname()[4]
    other = bytes.fromhex(victim_mac.replace(':', ''))
    own4 = own6 = local = None
    for line in open('/proc/net/fib_trie'):
        words = line.split()
        if len(words) == 2 and words[0] == '|--':
            last = words[1]
        if '/32 host LOCAL' in line and not last.startswith('127.'):
            own4 = last
    for line in open('/proc/net/if_inet6'):
        words = line.split()
        text = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(words[0]))
        if words[5] == interface:
            if text.startswith('fe80'):
                local = text
            else:
                own6 = text
    advertisement = struct.pack('!BBHI', 134, 0, 0, 0x40000708) + b'\0' * 8
    frames = {
        'good-ip4': (mac, 0x800, lambda m: ip4(own4, udp(m))),
        'good-arp': (mac, 0x806, lambda m: arp(1, mac, own4, victim4) + m),
        'good-ip6': (mac, 0x86dd, lambda m: ip6(own6, udp(m))),
        'good-local6': (mac, 0x86dd, lambda m: ip6(local, udp(m))),
        'good-advert': (mac, 0x86dd, lambda m: ip6(own6, neighbour(136, own6, mac) + m, 58)),
        'good-probe': (mac, 0x806, lambda m: arp(1, mac, '0.0.0.0', own4) + m),
        'bad-mac': (other, 0x800, lambda m: ip4(own4, udp(m))),
        'bad-ip4': (mac, 0x800, lambda m: ip4(victim4, udp(m))),
        'bad-gateway4': (mac, 0x800, lambda m: ip4('10.66.0.1', udp(m))),
        'bad-loopback4': (mac, 0x800, lambda m: ip4(own4, udp(m), destination='127.0.0.1')),
        'bad-redirect4': (mac, 0x800, lambda m: ip4(own4, b'\5\1\0\0' + socket.inet_aton(own4) + m, 1)),
        'bad-options4': (mac, 0x800, lambda m: b'\x46' + ip4(victim4, b'\1\1\1\0' + udp(m))[1:]),
        'bad-arp-claim': (mac, 0x806, lambda m: arp(2, mac, victim4, victim4) + m),
        'bad-arp-request': (mac, 0x806, lambda m: arp(1, mac, victim4, own4) + m),
        'bad-arp-mac': (mac, 0x806, lambda m: arp(2, other, own4, victim4) + m),
        'bad-arp-gateway': (mac, 0x806, lambda m: arp(2, mac, '10.66.0.1', '10.66.0.1') + m),
        'bad-ip6': (mac, 0x86dd, lambda m: ip6(victim6, udp(m))),
        'bad-local6': (mac, 0x86dd, lambda m: ip6('fe80::1', udp(m))),
        'bad-advert': (mac, 0x86dd, lambda m: ip6(own6, neighbour(136, victim6, mac) + m, 58)),
        'bad-advert-local': (mac, 0x86dd, lambda m: ip6(local, neighbour(136, victim6, mac) + m, 58)),
        'bad-router': (mac, 0x86dd, lambda m: ip6(local, advertisement + m, 58)),
        'bad-redirect6': (mac, 0x86dd, lambda m: ip6(local, struct.pack('!BBHI', 137, 0, 0, 0) + b'\0' * 32 + m, 58)),
        'bad-hidden': (mac, 0x86dd, lambda m: ip6(own6, b'\x3a\0\1\4\0\0\0\0' + neighbour(136, victim6, mac) + m, 60)),
        'bad-hop': (mac, 0x86dd, lambda m: ip6(own6, b'\x3a\0\1\4\0\0\0\0' + neighbour(136, victim6, mac) + m, 0)),
        'bad-fragment': (mac, 0x86dd, lambda m: ip6(own6, b'\x3a\0\0\0\0\0\0\0' + neighbour(136, victim6, mac) + m, 44)),
        'bad-unspecified': (mac, 0x86dd, lambda m: ip6('::', neighbour(136, victim6, mac) + m, 58)),
        'bad-vlan': (mac, 0x8100, lambda m: b'\0\5\x08\0' + ip4(own4, udp(m))),
        'bad-vlan-service': (mac, 0x88a8, lambda m: b'\0\5\x08\0' + ip4(own4, udp(m))),
        'bad-vlan-twice': (mac, 0x8100, lambda m: b'\0\0\x81\0\0\5\x08\x06' + arp(2, mac, victim4, victim4) + m),
        'bad-zero4': (mac, 0x800, lambda m: ip4('0.0.0.0', udp(m))),
        'bad-mapped6': (mac, 0x86dd, lambda m: ip6('::ffff:' + victim4, udp(m))),
        'bad-loopback6': (mac, 0x86dd, lambda m: ip6('::1', udp(m))),
        'bad-dhcp4': (mac, 0x800, lambda m: ip4(own4, udp(m, 67))),
        'bad-dhcp6': (mac, 0x86dd, lambda m: ip6(local, udp(m, 547))),
        'bad-dhcp6-fragment': (mac, 0x86dd, lambda m: ip6(local, b'\x11\0\0\1\0\0\0\0' + udp(m, 547), 44)),
        'bad-router-fragment': (mac, 0x86dd, lambda m: ip6(local, b'\x3a\0\0\1\0\0\0\0' + advertisement + m, 44)),
        'bad-solicitation': (mac, 0x86dd, lambda m: ip6(local, struct.pack('!BBHI', 133, 0, 0, 0) + m, 58)),
        'bad-protocol': (mac, 0x88b5, lambda m: m),
    }
    for name, (source, kind, data) in frames.items():
        sender.send(b'\xff' * 6 + source + struct.pack('!H', kind) + data(f'<{name}>'.encode()))


def marks(interface, seconds):
    ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    ear.bind((interface, 3))
    print('ready', flush=True)
    end = time.monotonic() + float(seconds)
    found = set()
    while (left := end - time.monotonic()) > 0:
        ear.settimeout(left)
        try:
            data = ear.recv(65535)
        except (TimeoutError, socket.timeout):
            break
        for mark in re.findall(rb'<((?:good|bad)-[a-z0-9-]+)>', data):
            found.add(mark.decode())
    print(' '.join(sorted(found)))


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


{'serve': serve, 'ask': ask, 'raw': raw, 'attack': attack, 'marks': marks, 'flow': flow, 'sink': sink}[sys.argv[1]](*sys.argv[2:])
