#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two pools: web over TCP and dns over UDP, each with a vip and servers of its own, for clients of one network.

                                 ┌ 11 ── web1 ┐
      client1 ─┐                 ├ 12 ── web2 ├ web: 10.0.100.1:80, TCP
               ├ lan ── 1 balancer 13 ── web3 ┘
      client2 ─┘                 ├ 21 ── dns1 ┐ dns: 10.0.100.2:53, UDP
                                 └ 22 ── dns2 ┘

usage: sudo python3 topo/two_pools.py [--switch embedded|bmv2] [--requests N] [--cli]
       sudo mn --custom topo/two_pools.py --topo two_pools --switch embedded

The script lets every client ask both vips N times. It ends with 0 when every question was answered, by a server of the
pool that was asked, and every server had its share.
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
from evenkeel.host import Lan, Station, traffic
from evenkeel.program import free_port
from evenkeel.script import ask, main, report
from evenkeel.switch import switches


@dataclass(frozen=True)
class Server:
    name: str
    """The port of the balancer; also the network that the server is in."""
    port: int

    @property
    def address(self) -> str:
        return f"10.0.{self.port}.2"

    @property
    def gateway(self) -> str:
        return f"10.0.{self.port}.1"


@dataclass(frozen=True)
class Pool:
    name: str
    protocol: str
    vip: str
    port: int
    """What the servers run, as traffic.py calls it."""
    program: str
    servers: tuple[Server, ...]


POOLS = [
    Pool("web", "tcp", "10.0.100.1", 80, "http", (Server("web1", 11), Server("web2", 12), Server("web3", 13))),
    Pool("dns", "udp", "10.0.100.2", 53, "dns", (Server("dns1", 21), Server("dns2", 22))),
]
CLIENTS = {"client1": "10.0.1.11", "client2": "10.0.1.12"}
CLIENT_PORT, CLIENT_GATEWAY = 1, "10.0.1.1"
GRPC_PORT, ADMIN_PORT = free_port(9559), free_port(9580)

SERVERS = [server for pool in POOLS for server in pool.servers]


def config() -> dict:
    """What the controller is to do."""
    gateways = {CLIENT_PORT: CLIENT_GATEWAY, **{server.port: server.gateway for server in SERVERS}}
    return {
        "switch": {"address": f"127.0.0.1:{GRPC_PORT}", "device_id": 1},
        "controller": {"listen": f"127.0.0.1:{ADMIN_PORT}"},
        "network": {"interfaces": [{"port": port, "address": f"{address}/24"} for port, address in gateways.items()]},
        "vips": [
            {
                "name": pool.name,
                "address": pool.vip,
                "protocol": pool.protocol,
                "port": pool.port,
                "backends": [{"name": server.name, "address": server.address} for server in pool.servers],
            }
            for pool in POOLS
        ],
    }


class TwoPools(Topo):
    def build(self) -> None:
        self.addSwitch("balancer", grpc_port=GRPC_PORT)
        self.addSwitch("lan", cls=Lan)
        self.addLink("lan", "balancer", port2=CLIENT_PORT)
        for name, address in CLIENTS.items():
            self.addHost(name, cls=Station, ip=f"{address}/24", defaultRoute=f"via {CLIENT_GATEWAY}")
            self.addLink(name, "lan")
        for pool in POOLS:
            for server in pool.servers:
                self.addHost(
                    server.name,
                    cls=Station,
                    ip=f"{server.address}/24",
                    defaultRoute=f"via {server.gateway}",
                    program=traffic(f"serve-{pool.program}", server.name, pool.port),
                )
                self.addLink(server.name, "balancer", port2=server.port)


def show(net: Mininet, requests: int) -> bool:
    is_well = True
    for pool in POOLS:
        print(f"{pool.name}, {pool.vip}:{pool.port} over {pool.protocol.upper()}:")
        answers = ask(net, list(CLIENTS), pool.program, pool.vip, pool.port, requests)
        is_well &= report(answers, requests * len(CLIENTS), [server.name for server in pool.servers])
    return is_well


# What `mn --custom` looks for. It asks for a controller by findController, unless --controller says which.
topos = {"two_pools": TwoPools}
controllers = {"evenkeel": controller_of(config, neighbour_count=len(CLIENTS) + len(SERVERS))}
CLI = EvenkeelCLI


def findController() -> type:
    return controllers["evenkeel"]


if __name__ == "__main__":
    main(__doc__, TwoPools, controllers["evenkeel"], show)
