# SPDX-License-Identifier: Apache-2.0
"""Reads frames, one in hex a line, with scapy; answers each with the names of its layers and the bytes that scapy makes
of it when it has to compute every length and every checksum itself."""

import logging
import sys

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)

from scapy.layers.inet import ICMP, IP  # noqa: E402
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6ExtHdrFragment  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402
from scapy.packet import Packet  # noqa: E402

COMPUTED = ("chksum", "cksum", "len", "plen", "ihl", "dataofs")


def layers(packet: Packet) -> list[Packet]:
    found = []
    while packet and packet.name != "NoPayload":
        found.append(packet)
        packet = packet.payload
    return found


def is_part(layer: Packet) -> bool:
    """Whether what is inside is cut off, so that its lengths and checksums cannot be computed."""
    if isinstance(layer, IP):
        return bool(layer.flags.MF or layer.frag)
    return isinstance(layer, (IPv6ExtHdrFragment, ICMPv6PacketTooBig)) or (isinstance(layer, ICMP) and layer.type == 3)


for line in sys.stdin:
    frame = Ether(bytes.fromhex(line.strip()))
    stack = layers(frame)
    for layer in stack:
        for name in COMPUTED:
            layer.fields.pop(name, None)
        layer.raw_packet_cache = None
        if is_part(layer):
            break
    print(",".join(type(layer).__name__ for layer in stack), bytes(frame).hex(), flush=True)
