# SPDX-License-Identifier: Apache-2.0
"""A web server that says who it is, gives away a big file, and says what it was given; and a UDP echo that says who it is.

Usage: web_server.py NAME UDP_PORT PORT..."""

import hashlib
import http.server
import socket
import socketserver
import sys
import threading

FILE = hashlib.shake_256(b"evenkeel").digest(10_000_000)
CHUNK_BYTES = 65_536


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(FILE if self.path == "/file" else self.server.host.encode())

    def do_PUT(self) -> None:
        left = int(self.headers["Content-Length"])
        digest = hashlib.sha256()
        while left > 0 and (piece := self.rfile.read(min(left, CHUNK_BYTES))):
            digest.update(piece)
            left -= len(piece)
        self.answer(digest.hexdigest().encode())

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Server-Name", self.server.host)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


class WebServer(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        # IPv4 too: that of Python's http.server.main, not of its class.
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        socketserver.TCPServer.server_bind(self)


def echo(family: int, address: str, port: int, name: str) -> None:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        kind = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO)
    else:
        sock.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
        kind = (socket.IPPROTO_IP, 8)
    sock.bind((address, port))
    while True:
        data, control, _, sender = sock.recvmsg(65_535, 256)
        # The answer leaves from the address that was asked, which may be a vip; the interface is for the routes to say.
        info = [
            (level, what, (data[:16] + bytes(4)) if family == socket.AF_INET6 else bytes(4) + data[8:12] + bytes(4))
            for level, what, data in control
            if (level, what) == kind
        ]
        sock.sendmsg([f"{name} {len(data)} {hashlib.sha256(data).hexdigest()}".encode()], info, 0, sender)


def main(name: str, udp_port: int, ports: list[int]) -> None:
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        threading.Thread(target=echo, args=(family, address, udp_port, name), daemon=True).start()
    for port in ports:
        server = WebServer(("::", port), Handler)
        server.host = name
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


main(sys.argv[1], int(sys.argv[2]), [int(port) for port in sys.argv[3:]])
