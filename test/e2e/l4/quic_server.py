# SPDX-License-Identifier: Apache-2.0
"""A QUIC server whose connection ids name it; it answers every stream with its name.

Usage: quic_server.py NAME PORT LAYOUT SERVER_ID    (hexadecimal; LAYOUT: quic-lb, katran-v1, katran-v2, katran-v3)"""

import asyncio
import datetime
import os
import sys

import aioquic.quic.connection
from aioquic.asyncio import serve
from aioquic.quic.configuration import QuicConfiguration
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CONNECTION_ID_BYTES = 10
CONFIG_ID = 2


def connection_id(layout: str, server_id: int, id_bytes: int) -> bytes:
    noise = bytearray(os.urandom(CONNECTION_ID_BYTES))
    if layout == "quic-lb":
        noise[0] = CONFIG_ID << 5 | CONNECTION_ID_BYTES - 1
        noise[1:1 + id_bytes] = server_id.to_bytes(id_bytes, "big")
    elif layout == "katran-v1":
        # 01, then 16 bits, then whatever.
        word = int.from_bytes(noise[:3], "big") & 0x3F | 1 << 22 | server_id << 6
        noise[:3] = word.to_bytes(3, "big")
    else:
        version = {"katran-v2": 2, "katran-v3": 3}[layout]
        noise[0] = noise[0] & 0x3F | version << 6
        noise[1:1 + id_bytes] = server_id.to_bytes(id_bytes, "big")
    return bytes(noise)


class NamedIds:
    """Stands in for the module `os` where aioquic makes its connection ids."""

    def __init__(self, layout: str, digits: str) -> None:
        self.make = lambda: connection_id(layout, int(digits, 16), len(digits) // 2)

    def urandom(self, count: int) -> bytes:
        return self.make() if count == CONNECTION_ID_BYTES else os.urandom(count)


def certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vip")])
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    return builder.sign(key, hashes.SHA256()), key


async def main(name: str, port: int, layout: str, digits: str) -> None:
    aioquic.quic.connection.os = NamedIds(layout, digits)
    configuration = QuicConfiguration(
        is_client=False, alpn_protocols=["name"], connection_id_length=CONNECTION_ID_BYTES
    )
    configuration.certificate, configuration.private_key = certificate()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.write(name.encode())
        writer.write_eof()

    await serve(
        "::",
        port,
        configuration=configuration,
        stream_handler=lambda reader, writer: asyncio.ensure_future(answer(reader, writer)),
    )
    print("ready", flush=True)
    await asyncio.Future()


asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]))
