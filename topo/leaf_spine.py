#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Leaf and spine: the balancer is the border leaf, and routes; two spines and two leaves are Linux routers.

      client1 ── 1 ┐            ┌ 3 ── spine1 ──┬── leaf1 ──┬── web1
                   ├─ balancer ─┤          ╲   ╱            └── web2      vip: 10.100.0.1:80
                   │            │            ╳
      client2 ── 2 ┘            │          ╱   ╲            ┌── web3
                                └ 4 ── spine2 ──┴── leaf2 ──┴── web4

usage: sudo python3 topo/leaf_spine.py [--switch embedded|bmv2] [--requests N] [--cli]
       sudo mn --custom topo/leaf_spine.py --topo leaf_spine --switch embedded

Whatever leaves the fabric passes the border, so replies find the way back through the balancer (NAT) without being told. A
leaf uses both spines, by addresses and ports. The balancer has one next hop for each prefix: it reaches leaf1 by spine1, and
leaf2 by spine2.

The script lets every client ask N times, and then takes spine2 away while connections are open: the leaves see that their
link is dead, and the balancer is given another route. It ends with 0 when every question was answered, every server had its
share, both spines carried replies, and no connection broke.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mininet.net import Mininet
from mininet.topo import Topo

# `mn --custom` runs this file without saying where it is.
sys.path.append(str(Path((lambda: 0).__code__.co_filename).resolve().parent))
from evenkeel.controller import EvenkeelCLI, controller_of
from evenkeel.host import Router, Station, traffic
from evenkeel.program import free_port
from evenkeel.script import Held, ask, main, packets_from, report
from evenkeel.switch import switches

# Each has a network of its own, with the gateway at .1 and itself at .2; clients by the port of the balancer.
CLIENTS = {1: "client1", 2: "client2"}
SERVERS = {"leaf1": {"web1": "10.11.1", "web2": "10.11.2"}, "leaf2": {"web3": "10.12.1", "web4": "10.12.2"}}
RACKS = {"leaf1": "10.11.0.0/16", "leaf2": "10.12.0.0/16"}
# By the port of the balancer; balancer and spine are 10.1.PORT.1 and 10.1.PORT.2.
SPINES = {3: "spine1", 4: "spine2"}
# The next hop of the balancer.
PATHS = {"leaf1": 3, "leaf2": 4}

VIP, VIP_PORT, SERVER_PORT = "10.100.0.1", 80, 8080
GRPC_PORT, ADMIN_PORT = free_port(9559), free_port(9580)
CONNECTIONS_PER_CLIENT = 10


def fabric(port: int, leaf: str) -> str:
    """The network between the spine at this port of the balancer, at .1, and a leaf, at .2."""
    return f"10.{20 + port}.{list(RACKS).index(leaf)}"


def config(paths: dict[str, int] = PATHS) -> dict:
    """What the controller is to do."""
    return {
        "switch": {"address": f"127.0.0.1:{GRPC_PORT}", "device_id": 1},
        "controller": {"listen": f"127.0.0.1:{ADMIN_PORT}"},
        "network": {
            "interfaces": [
                *({"port": port, "address": f"10.0.{port}.1/24"} for port in CLIENTS),
                *({"port": port, "address": f"10.1.{port}.1/24"} for port in SPINES),
            ],
            "routes": [
                *({"prefix": RACKS[leaf], "next_hop": f"10.1.{port}.2"} for leaf, port in paths.items()),
                *({"prefix": f"10.{20 + port}.0.0/16", "next_hop": f"10.1.{port}.2"} for port in SPINES),
            ],
        },
        "vips": [
            {
                "name": "web",
                "address": VIP,
                "port": VIP_PORT,
                "backends": [
                    {"name": name, "address": f"{network}.2", "port": SERVER_PORT}
                    for rack in SERVERS.values()
                    for name, network in rack.items()
                ],
            }
        ],
    }


class LeafSpine(Topo):
    def build(self) -> None:
        self.addSwitch("balancer", grpc_port=GRPC_PORT)
        for port, name in CLIENTS.items():
            self.addHost(name, cls=Station, ip=f"10.0.{port}.2/24", defaultRoute=f"via 10.0.{port}.1")
            self.addLink(name, "balancer", port2=port)
        for port, spine in SPINES.items():
            to_racks = [f"{network} via {fabric(port, leaf)}.2" for leaf, network in RACKS.items()]
            self.addHost(spine, cls=Router, routes=(f"default via 10.1.{port}.1", *to_racks))
            self.addLink(spine, "balancer", port1=0, port2=port, params1={"ip": f"10.1.{port}.2/24"})
        for leaf, servers in SERVERS.items():
            up = " ".join(f"nexthop via {fabric(port, leaf)}.1" for port in SPINES)
            self.addHost(leaf, cls=Router, routes=(f"default {up}",))
            for port, spine in SPINES.items():
                network = fabric(port, leaf)
                self.addLink(leaf, spine, params1={"ip": f"{network}.2/24"}, params2={"ip": f"{network}.1/24"})
            for name, network in servers.items():
                program = traffic("serve-http", name, SERVER_PORT)
                self.addHost(name, cls=Station, ip=f"{network}.2/24", defaultRoute=f"via {network}.1", program=program)
                self.addLink(name, leaf, params2={"ip": f"{network}.1/24"})


def show(net: Mininet, requests: int) -> bool:
    clients, servers = list(CLIENTS.values()), [name for rack in SERVERS.values() for name in rack]
    uplinks = {spine: net.linksBetween(net[spine], net["balancer"])[0] for spine in SPINES.values()}
    before = {spine: packets_from(link) for spine, link in uplinks.items()}
    answers = ask(net, clients, "http", VIP, VIP_PORT, requests)
    shared = report(answers, requests * len(clients), servers)
    carried = {spine: packets_from(link) - before[spine] for spine, link in uplinks.items()}
    print("replies came by " + " and ".join(f"{spine} ({count} packets)" for spine, count in carried.items()))

    connections = Held(net, clients, VIP, VIP_PORT, CONNECTIONS_PER_CLIENT)
    net["spine2"].off()
    net.controllers[0].configure(config({leaf: 3 for leaf in RACKS}))
    connections.are_answered()
    print(f"spine2 is off, the balancer was given another route: {len(clients) * CONNECTIONS_PER_CLIENT} connections go on")
    stayed = connections.close()
    net["spine2"].on()
    net.controllers[0].configure(config())
    return shared and stayed and all(count > requests for count in carried.values())


# What `mn --custom` looks for. It asks for a controller by findController, unless --controller says which.
topos = {"leaf_spine": LeafSpine}
controllers = {"evenkeel": controller_of(config, neighbour_count=len(CLIENTS) + len(SPINES))}
CLI = EvenkeelCLI


def findController() -> type:
    return controllers["evenkeel"]


if __name__ == "__main__":
    main(__doc__, LeafSpine, controllers["evenkeel"], show)
