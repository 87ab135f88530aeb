#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One balancer: clients and servers around one switch, each on a port and in a network of its own.

      client1 ── 1 ┐            ┌ 11 ── web1
                   ├─ balancer ─┼ 12 ── web2        vip: 10.0.100.1:80
      client2 ── 2 ┘            └ 13 ── web3

usage: sudo python3 topo/load_balancer.py [--switch embedded|bmv2] [--requests N] [--cli]
       sudo mn --custom topo/load_balancer.py --topo load_balancer --switch embedded

The script lets every client ask N times and says which server answered how often. It ends with 0 when every question was
answered and every server had its share. Needs `make build`; BMV2_SWITCH_EXE names a simple_switch_grpc that is not in PATH.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from mininet.net import Mininet
from mininet.topo import Topo

# `mn --custom` runs this file without saying where it is.
sys.path.append(str(Path((lambda: 0).__code__.co_filename).resolve().parent))
from evenkeel.controller import EvenkeelCLI, controller_of
from evenkeel.host import Station, traffic
from evenkeel.program import free_port
from evenkeel.script import ask, main, report
from evenkeel.switch import switches


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
GRPC_PORT, ADMIN_PORT = free_port(9559), free_port(9580)


def config() -> dict:
    """What the controller is to do."""
    return {
        "switch": {"address": f"127.0.0.1:{GRPC_PORT}", "device_id": 1},
        "controller": {"listen": f"127.0.0.1:{ADMIN_PORT}"},
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


class LoadBalancer(Topo):
    def build(self) -> None:
        self.addSwitch("balancer", grpc_port=GRPC_PORT)
        for place in CLIENTS + SERVERS:
            self.addHost(
                place.name,
                cls=Station,
                ip=f"{place.address}/24",
                defaultRoute=f"via {place.gateway}",
                program=traffic("serve-http", place.name, SERVER_PORT) if place in SERVERS else None,
            )
            self.addLink(place.name, "balancer", port2=place.port)


def show(net: Mininet, requests: int) -> bool:
    answers = ask(net, [place.name for place in CLIENTS], "http", VIP, VIP_PORT, requests)
    return report(answers, requests * len(CLIENTS), [place.name for place in SERVERS])


# What `mn --custom` looks for. It asks for a controller by findController, unless --controller says which.
topos = {"load_balancer": LoadBalancer}
controllers = {"evenkeel": controller_of(config, neighbour_count=len(CLIENTS + SERVERS))}
CLI = EvenkeelCLI


def findController() -> type:
    return controllers["evenkeel"]


if __name__ == "__main__":
    main(__doc__, LoadBalancer, controllers["evenkeel"], show)
