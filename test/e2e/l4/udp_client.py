# SPDX-License-Identifier: Apache-2.0
"""Sends datagrams of so many bytes, one for each source port, and prints who answered each: a name, `wrong` when he got
something else, `nobody` after so many seconds.

Usage: udp_client.py ADDRESS PORT BYTES COUNT SECONDS"""

import hashlib
import socket
import sys


def ask(family: int, target: tuple[str, int], data: bytes, patience_s: float) -> str:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(patience_s)
        sock.connect(target)
        sock.send(data)
        try:
            name, length, digest = sock.recv(65_535).decode().split()
        except TimeoutError:
            return "nobody"
        except OSError as error:
            return type(error).__name__
    return name if (int(length), digest) == (len(data), hashlib.sha256(data).hexdigest()) else "wrong"


def main(address: str, port: int, size: int, count: int, patience_s: float) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    data = hashlib.shake_256(b"datagram").digest(size)
    for _ in range(count):
        print(ask(family, (address, port), data, patience_s), flush=True)


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
