# SPDX-License-Identifier: Apache-2.0
"""A QUIC client that moves: one connection, from one source address after the other, each time from a new port and by a new
connection id. Prints who answered each time, or `nobody` after so many seconds.

Usage: quic_client.py CLIENTS SECONDS ADDRESS PORT SOURCE...    (CLIENTS, one after the other; an empty line after each)"""

import asyncio
import socket
import ssl
import sys

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection


async def ask(protocol: QuicConnectionProtocol) -> str:
    reader, writer = await protocol.create_stream()
    writer.write(b"who?")
    writer.write_eof()
    return (await reader.read()).decode()


async def main(patience_s: float, address: str, port: int, sources: list[str]) -> None:
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    configuration = QuicConfiguration(
        is_client=True, alpn_protocols=["name"], server_name="vip", verify_mode=ssl.CERT_NONE
    )
    protocol = QuicConnectionProtocol(QuicConnection(configuration=configuration))
    for number, source in enumerate(sources):
        # The protocol sends by the socket that was made last; the old one is left to hear nothing.
        await loop.create_datagram_endpoint(lambda: protocol, local_addr=(source, 0), family=family)
        try:
            if number == 0:
                protocol.connect((address, port, 0, 0) if family == socket.AF_INET6 else (address, port))
                await asyncio.wait_for(protocol.wait_connected(), patience_s)
            else:
                protocol.change_connection_id()
            print(await asyncio.wait_for(ask(protocol), patience_s), flush=True)
        except (asyncio.TimeoutError, ConnectionError):
            print("nobody", flush=True)
            return


for _ in range(int(sys.argv[1])):
    asyncio.run(main(float(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5:]))
    print(flush=True)
