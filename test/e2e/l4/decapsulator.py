# SPDX-License-Identifier: Apache-2.0
"""Takes tunnelled packets out of their tunnel, for a kernel that has no such interfaces: IPIP, GRE without options, GUE
of variant 0; IPv4 and IPv6, inside and outside. What was inside enters the kernel by a TUN device.

Usage: decapsulator.py DEVICE GUE_PORT"""

import fcntl
import os
import selectors
import socket
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x0001 | 0x1000
IPV4, IPV6, GRE = 4, 41, 47
GRE_PROTOCOLS = {0x0800, 0x86DD}
# Linux; Python has no names for them.
SO_RCVBUFFORCE = 33
UDP_NO_CHECK6_RX = 102
PACKET_BYTES_MAX = 65_536
BUFFER_BYTES = 4_000_000


def open_tun(device: str) -> int:
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TUN_NO_PI))
    return tun


def without_gre(data: bytes) -> bytes | None:
    flags, protocol = struct.unpack_from("!HH", data)
    return data[4:] if flags == 0 and protocol in GRE_PROTOCOLS else None


def without_gue(data: bytes) -> bytes | None:
    # Variant 0, no control message; extensions are passed over.
    return data[4 + 4 * (data[0] & 0x1F):] if data[0] >> 5 == 0 and data[1] in (IPV4, IPV6) else None


def main(device: str, gue_port: int) -> None:
    tun = open_tun(device)
    selector = selectors.DefaultSelector()

    def listen(family: int, kind: int, protocol: int, unpack) -> None:
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        if kind == socket.SOCK_DGRAM:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                # Tunnels need no checksum of their own (RFC 6935).
                sock.setsockopt(socket.IPPROTO_UDP, UDP_NO_CHECK6_RX, 1)
            sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", gue_port))
        # A raw socket of IPv4 shows the outer header, one of IPv6 does not.
        is_raw4 = family == socket.AF_INET and kind == socket.SOCK_RAW
        selector.register(sock, selectors.EVENT_READ, (unpack, is_raw4))

    for family in (socket.AF_INET, socket.AF_INET6):
        for protocol in (IPV4, IPV6):
            listen(family, socket.SOCK_RAW, protocol, lambda data: data)
        listen(family, socket.SOCK_RAW, GRE, without_gre)
        listen(family, socket.SOCK_DGRAM, 0, without_gue)
    print("ready", flush=True)

    while True:
        for key, _ in selector.select():
            unpack, has_outer = key.data
            data = key.fileobj.recv(PACKET_BYTES_MAX)
            inner = unpack(data[4 * (data[0] & 0x0F):] if has_outer else data)
            if inner:
                try:
                    os.write(tun, inner)
                except OSError as error:
                    print(f"not a packet: {error}", file=sys.stderr, flush=True)


main(sys.argv[1], int(sys.argv[2]))
