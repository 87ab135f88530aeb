# SPDX-License-Identifier: Apache-2.0
"""What hosts do: servers that say who they are, clients that ask, and clients that stay connected.

usage: traffic.py serve-http NAME PORT
       traffic.py serve-dns NAME PORT
       traffic.py ask http|dns ADDRESS PORT TIMES     prints who answered, one a line; each time on a new connection
       traffic.py hold ADDRESS PORT CONNECTIONS       keeps connections busy until its input ends, then says what became of them

Needs nothing but Python: hosts run it, and know nothing of Mininet.
"""

from __future__ import annotations

import http.client
import json
import socket
import socketserver
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# A name server answers TXT questions for any name; this one is asked.
QUESTION = b"\x03who\x04test\x00\x00\x10\x00\x01"
HEADER_BYTES = 12

# Until controller and switch have found everybody; on a busy machine that takes a while.
READY_TIMEOUT_S = 60
# A first packet may be lost while a neighbour is looked for: TCP sends it again after 1 s, 3 s and 7 s.
ANSWER_TIMEOUT_S = 10
HOLD_PAUSE_S = 0.25


def serve_http(name: str, port: int) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = f"{name}\n".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

    Server(("", port), Handler).serve_forever()


def serve_dns(name: str, port: int) -> None:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            query, server = self.request
            if len(query) > HEADER_BYTES:
                server.sendto(dns_answer(query, name), self.client_address)

    socketserver.UDPServer(("", port), Handler).serve_forever()


def dns_answer(query: bytes, text: str) -> bytes:
    """A response with one question, as it was asked, and one TXT record of no lifetime."""
    end = query.index(b"\x00", HEADER_BYTES) + 5
    record = b"\xc0\x0c" + b"\x00\x10\x00\x01" + bytes(4) + (len(text) + 1).to_bytes(2, "big")
    flags_and_counts = b"\x81\x80" + b"\x00\x01\x00\x01" + bytes(4)
    return query[:2] + flags_and_counts + query[HEADER_BYTES:end] + record + bytes([len(text)]) + text.encode()


def ask_http(address: str, port: int, timeout_s: float) -> str:
    connection = http.client.HTTPConnection(address, port, timeout=timeout_s)
    try:
        return answer_on(connection)
    finally:
        connection.close()


def answer_on(connection: http.client.HTTPConnection) -> str:
    connection.request("GET", "/")
    return connection.getresponse().read().decode().strip()


def ask_dns(address: str, port: int, timeout_s: float) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout_s)
        client.connect((address, port))
        client.send(b"\x12\x34\x01\x00\x00\x01" + bytes(6) + QUESTION)
        response = client.recv(512)
        return response[HEADER_BYTES + len(QUESTION) + 13 :].decode()


def ask(how: Callable[[str, int, float], str], address: str, port: int, times: int) -> None:
    """Starts when the first answer shows that all is in place. That one is not counted."""
    end = time.monotonic() + READY_TIMEOUT_S
    while True:
        try:
            how(address, port, 1)
            break
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
    for _ in range(times):
        print(how(address, port, ANSWER_TIMEOUT_S), flush=True)


def hold(address: str, port: int, count: int) -> None:
    """
    Says `open` when each connection has had its first answer, and for every line of its input `answered` when each has
    asked and been answered anew. At the end, in JSON: how many answers each server gave, how many connections broke, and how
    many answers came from another server than the connection's first.
    """
    stop = threading.Event()
    change = threading.Condition()
    # Of each connection, who has answered; None once it broke.
    answers: list[list[str] | None] = [[] for _ in range(count)]

    def stay(index: int) -> None:
        connection = http.client.HTTPConnection(address, port, timeout=READY_TIMEOUT_S)
        try:
            while not stop.is_set():
                name = answer_on(connection)
                # The connection itself is what is watched: a new one in its place would hide that it broke.
                connection.auto_open = 0
                with change:
                    answers[index].append(name)
                    change.notify_all()
                stop.wait(HOLD_PAUSE_S)
        except (OSError, http.client.HTTPException) as error:
            print(f"a connection broke: {error!r}", file=sys.stderr)
            with change:
                answers[index] = None
                change.notify_all()

    def wait_for_more(than: list[int]) -> None:
        with change:
            change.wait_for(lambda: all(had is None or len(had) > least for had, least in zip(answers, than)))

    threads = [threading.Thread(target=stay, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    wait_for_more([0] * count)
    print("open", flush=True)
    for _ in sys.stdin:
        # The next answer may be to a question of before.
        wait_for_more([len(had or []) + 1 for had in answers])
        print("answered", flush=True)
    stop.set()
    for thread in threads:
        thread.join()
    whole = [had for had in answers if had is not None]
    print(
        json.dumps(
            {
                "broken": count - len(whole),
                "moved": sum(name != had[0] for had in whole for name in had),
                "answers": Counter(name for had in whole for name in had),
            }
        )
    )


def main() -> None:
    match sys.argv[1:]:
        case ["serve-http", name, port]:
            serve_http(name, int(port))
        case ["serve-dns", name, port]:
            serve_dns(name, int(port))
        case ["ask", ("http" | "dns") as how, address, port, times]:
            ask({"http": ask_http, "dns": ask_dns}[how], address, int(port), int(times))
        case ["hold", address, port, count]:
            hold(address, int(port), int(count))
        case _:
            sys.exit(__doc__)


main()
