#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The load balancer in Mininet: clients and servers around one switch, each on a port and in a network of its own.

usage: sudo python3 topo/load_balancer.py [--switch embedded|bmv2] [--requests N] [--cli]

Builds the network, starts switch and controller, lets every client ask N times and says which server answered how often.
Ends with 0 when every question was answered and every server had its share. Needs `npm run build`; BMV2_SWITCH_EXE names a
simple_switch_grpc that is not in PATH.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """A host, and the port of the switch it hangs on."""

    name: str
    port: int

    @property
    def address(self) -> str:
        return f"10.0.{self.port}.2"

    @property
    def gateway(self) -> str:
        return f"10.0.{self.port}.1"

    @property
    def gateway_mac(self) -> str:
        return f"02:00:00:00:{self.port:02x}:01"


CLIENTS = [Place("client1", 1), Place("client2", 2)]
SERVERS = [Place("web1", 11), Place("web2", 12), Place("web3", 13)]
VIP, VIP_PORT = "10.0.100.1", 80
SERVER_PORT = 8080
# Where the program takes packets of the controller (p4/v1model/evenkeel.p4).
CPU_PORT = 510
DEVICE_ID = 1

ROOT = Path(__file__).resolve().parent.parent
READY_TIMEOUT_S = 30


def config(switch_port: int, admin_port: int) -> dict[str, object]:
    """What the controller is to do. JSON is YAML too."""
    return {
        "switch": {"address": f"127.0.0.1:{switch_port}", "device_id": DEVICE_ID},
        "controller": {"listen": f"127.0.0.1:{admin_port}"},
        "network": {
            "interfaces": [
                {"port": place.port, "address": f"{place.gateway}/24", "mac": place.gateway_mac}
                for place in CLIENTS + SERVERS
            ]
        },
        "vips": [
            {
                "name": "web",
                "address": VIP,
                "port": VIP_PORT,
                "backends": [
                    {"name": place.name, "address": place.address, "port": SERVER_PORT} for place in SERVERS
                ],
            }
        ],
    }


def switch_command(kind: str) -> list[str]:
    if kind == "bmv2":
        return [os.environ.get("BMV2_SWITCH_EXE", "simple_switch_grpc")]
    return ["node", str(ROOT / "dist/cli/evenkeel-switch-grpc.js")]


def run(kind: str, requests: int, with_cli: bool) -> bool:
    """Whether all was as it should be."""
    # Only here: hosts run this file too, and need no Mininet.
    from mininet.cli import CLI
    from mininet.net import Mininet
    from mininet.node import Switch

    class P4Switch(Switch):
        """Any switch with the command line of simple_switch_grpc."""

        def start(self, _controllers: object) -> None:
            command = [*switch_command(kind), "--no-p4", "--device-id", str(DEVICE_ID)]
            for port, interface in self.intfs.items():
                if port > 0:
                    command += ["-i", f"{port}@{interface.name}"]
            command += ["--", "--grpc-server-addr", f"127.0.0.1:{switch_port}", "--cpu-port", str(CPU_PORT)]
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

        def stop(self, deleteIntfs: bool = True) -> None:
            self.process.terminate()
            self.process.wait()
            super().stop(deleteIntfs)

    switch_port, admin_port = free_port(), free_port()
    net = Mininet(controller=None)
    switch = net.addSwitch("balancer", cls=P4Switch, dpid="1")
    for place in CLIENTS + SERVERS:
        host = net.addHost(place.name, ip=f"{place.address}/24", defaultRoute=f"via {place.gateway}")
        net.addLink(host, switch, port2=place.port)
    net.start()
    for host in net.hosts:
        # BMv2 does not finish the checksums that hosts leave to their network cards.
        host.cmd("ethtool -K", host.defaultIntf().name, "tx off")
    children = [host_program(net.get(place.name), "--serve", place.name) for place in SERVERS]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(config(switch_port, admin_port), file)
        file.flush()
        controller = ["node", str(ROOT / "dist/cli/evenkeel.js"), "controller", "-c", file.name]
        children.append(subprocess.Popen([*controller, "--log-level", "warn"], stdout=sys.stderr))
        try:
            answers = Counter[str]()
            for place in CLIENTS:
                asked = host_program(net.get(place.name), "--ask", str(requests))
                answers.update(asked.communicate()[0].split())
            if with_cli:
                CLI(net)
        finally:
            for child in children:
                child.terminate()
                child.wait()
            net.stop()
    wanted = requests * len(CLIENTS)
    for place in SERVERS:
        print(f"{place.name} answered {answers[place.name]} of {wanted}")
    return answers.total() == wanted and all(answers[place.name] > 0 for place in SERVERS)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def host_program(host: object, *arguments: str) -> subprocess.Popen[str]:
    """This file, in the host's network namespace."""
    command = [sys.executable, __file__, *arguments]
    return host.popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def serve(name: str) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(name.encode())

    HTTPServer(("", SERVER_PORT), Handler).serve_forever()


def ask(times: int) -> None:
    """Prints who answered, once the first answer shows that all is in place."""
    url = f"http://{VIP}:{VIP_PORT}/"
    end = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < end:
        try:
            answer_of(url, 1)
            break
        except OSError:
            time.sleep(0.2)
    for _ in range(times):
        print(answer_of(url, 5))


def answer_of(url: str, timeout_s: float) -> str:
    with urllib.request.urlopen(url, timeout=timeout_s) as answer:
        return answer.read().decode()


def main() -> None:
    parser = argparse.ArgumentParser(description="The load balancer in Mininet.")
    parser.add_argument("--switch", choices=["embedded", "bmv2"], default="embedded")
    parser.add_argument("--requests", type=int, default=30, help="of each client")
    parser.add_argument("--cli", action="store_true", help="stay in Mininet's command line")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--ask", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
    elif arguments.ask:
        ask(arguments.ask)
    else:
        sys.exit(0 if run(arguments.switch, arguments.requests, arguments.cli) else 1)


main()
