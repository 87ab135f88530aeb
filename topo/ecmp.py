#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two balancers behind ECMP, with shared pins: either may get any packet, and one may die.

                            ┌── 1 balancer1 2 ──┐          ┌── web1
      client1 ──┐           │                   │          ├── web2     vip: 10.100.0.1:80
                ├── router ─┤                   ├── rack ──┤
      client2 ──┘           │                   │          ├── web3
                            └── 1 balancer2 2 ──┘          └── web4, which comes later

usage: sudo python3 topo/ecmp.py [--switch embedded|bmv2] [--requests N] [--cli]
       sudo mn --custom topo/ecmp.py --topo ecmp --switch embedded

One controller has both balancers. They are wired alike: the same port leads to the same network, so they have the same
addresses, and a router the same address and MAC towards both. Routers choose a balancer by addresses and ports
(fib_multipath_hash_policy=1), in each direction by themselves.

While every client has 15 connections the script adds web4, kills balancer1, and starts it again. It ends with 0 when no
connection broke or was answered by another server than before, and N new requests of each client had their shares.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from mininet.net import Mininet
from mininet.topo import Topo

# `mn --custom` runs this file without saying where it is.
sys.path.append(str(Path((lambda: 0).__code__.co_filename).resolve().parent))
from evenkeel.controller import EvenkeelCLI, controller_of
from evenkeel.host import Router, Station, traffic
from evenkeel.program import ROOT, NodeError, Program, free_port
from evenkeel.script import Held, ask, main, packets_from, report
from evenkeel.switch import switches

CLIENTS = {"client1": "10.0.1", "client2": "10.0.2"}
SERVERS = {"web1": "10.3.1", "web2": "10.3.2", "web3": "10.3.3", "web4": "10.3.4"}
LATE = "web4"
VIP, VIP_PORT, SERVER_PORT = "10.100.0.1", 80, 8080

# Between the routers and the balancers. Each balancer has the first address of both networks, the router the second of
# the one, the rack the second of the other.
UPLINK, UPLINK_PORT = "10.1.0", 1
DOWNLINK, DOWNLINK_PORT = "10.2.0", 2
ROUTER_MAC, RACK_MAC = "02:00:00:00:01:02", "02:00:00:00:02:02"

BALANCERS = {"balancer1": free_port(9559), "balancer2": free_port(9559)}
ADMIN = f"127.0.0.1:{free_port(9580)}"

CONNECTIONS_PER_CLIENT = 15
# How many packets say that a balancer carries connections, and is not just spoken to by its neighbours.
TRAFFIC = 50
TRAFFIC_TIMEOUT_S = 30


def config() -> dict:
    """What the controller is to do."""
    return {
        "switches": [
            {"name": name, "address": f"127.0.0.1:{port}", "device_id": 1} for name, port in BALANCERS.items()
        ],
        "controller": {"listen": ADMIN},
        "network": {
            "interfaces": [
                {"port": UPLINK_PORT, "address": f"{UPLINK}.1/24", "mac": "02:00:00:00:01:01"},
                {"port": DOWNLINK_PORT, "address": f"{DOWNLINK}.1/24", "mac": "02:00:00:00:02:01"},
            ],
            "routes": [
                {"prefix": "10.0.0.0/16", "next_hop": f"{UPLINK}.2"},
                {"prefix": "10.3.0.0/16", "next_hop": f"{DOWNLINK}.2"},
            ],
        },
        "vips": [
            {
                "name": "web",
                "address": VIP,
                "port": VIP_PORT,
                "backends": [
                    {"name": name, "address": f"{network}.2", "port": SERVER_PORT}
                    for name, network in SERVERS.items()
                    if name != LATE
                ],
            }
        ],
    }


class EcmpRouter(Router):
    """Its default route is over the balancers that participate."""

    def config(self, balancers_at: str = "", **params: object) -> dict:
        result = super().config(**params)
        interfaces = [f"{name}={self.name}-eth{port}" for port, name in enumerate(BALANCERS, 1)]
        keeper = [sys.executable, str(ROOT / "topo/evenkeel/route_keeper.py"), ADMIN, str(self.pid), balancers_at]
        self.running.append(Program(self.name, [*keeper, *interfaces]))
        return result


class Ecmp(Topo):
    def build(self) -> None:
        self.addHost("router", cls=EcmpRouter, balancers_at=f"{UPLINK}.1")
        self.addHost("rack", cls=EcmpRouter, balancers_at=f"{DOWNLINK}.1")
        for number, (name, grpc_port) in enumerate(BALANCERS.items(), 1):
            self.addSwitch(name, grpc_port=grpc_port)
            for router, network, mac, port in [
                ("router", UPLINK, ROUTER_MAC, UPLINK_PORT),
                ("rack", DOWNLINK, RACK_MAC, DOWNLINK_PORT),
            ]:
                # One address on two links: it is a host's, not a network's.
                self.addLink(router, name, port1=number, port2=port, addr1=mac, params1={"ip": f"{network}.2/32"})
        for number, (name, network) in enumerate({**CLIENTS, **SERVERS}.items(), 11):
            self.addHost(
                name,
                cls=Station,
                ip=f"{network}.2/24",
                defaultRoute=f"via {network}.1",
                program=traffic("serve-http", name, SERVER_PORT) if name in SERVERS else None,
            )
            router = "router" if name in CLIENTS else "rack"
            self.addLink(name, router, port2=number, params2={"ip": f"{network}.1/24"})


def show(net: Mininet, requests: int) -> bool:
    controller, victim = net.controllers[0], net["balancer1"]
    connections = Held(net, list(CLIENTS), VIP, VIP_PORT, CONNECTIONS_PER_CLIENT)
    wait_for_traffic(net, list(BALANCERS))
    print(f"{len(CLIENTS) * CONNECTIONS_PER_CLIENT} connections are open; both balancers carry packets of theirs")

    added = controller.evenkeel("add", "web", LATE, f"{SERVERS[LATE]}.2:{SERVER_PORT}")
    if added.returncode != 0:
        raise NodeError(added.stderr)
    status = controller.wait("web4 has its slots, and connections are pinned", is_changed)
    print(f"web4 has come; {status['engine']['pins']['installed']} connections live elsewhere than their slot, and are pinned")

    victim.kill()
    killed = time.monotonic()
    controller.wait("the controller misses balancer1", lambda status: state_of(status, "balancer1") == "disconnected")
    connections.are_answered()
    print(f"balancer1 was killed; {time.monotonic() - killed:.1f} s later every connection was answered through balancer2")

    victim.start(net.controllers)
    controller.wait("balancer1 participates", lambda status: state_of(status, "balancer1") == "participating")
    wait_for_traffic(net, list(BALANCERS))
    print("balancer1 was started, given tables and pins, and carries packets again")

    stayed = connections.close()
    answers = ask(net, list(CLIENTS), "http", VIP, VIP_PORT, requests)
    return report(answers, requests * len(CLIENTS), list(SERVERS)) and stayed


def is_changed(status: dict) -> bool:
    [pool] = status["engine"]["pools"]
    return (
        any(backend["name"] == LATE and backend["slots"] > 0 for backend in pool["backends"])
        and status["engine"]["change"]["phase"] == "idle"
        and status["engine"]["pins"]["outstanding"] == 0
        and status["engine"]["pins"]["installed"] > 0
    )


def state_of(status: dict, balancer: str) -> str:
    return next(member["state"] for member in status["switch"]["members"] if member["name"] == balancer)


def wait_for_traffic(net: Mininet, balancers: list[str]) -> None:
    """Until each of them has got so many packets of the router."""
    links = [net.linksBetween(net["router"], net[name])[0] for name in balancers]
    before = [packets_from(link) for link in links]
    end = time.monotonic() + TRAFFIC_TIMEOUT_S
    while any(packets_from(link) < had + TRAFFIC for link, had in zip(links, before)):
        if time.monotonic() > end:
            raise NodeError(f"{' and '.join(balancers)} got too few packets within {TRAFFIC_TIMEOUT_S} s")
        time.sleep(0.1)


# What `mn --custom` looks for. It asks for a controller by findController, unless --controller says which.
topos = {"ecmp": Ecmp}
controllers = {"evenkeel": controller_of(config, neighbour_count=len(["router", "rack"]))}
CLI = EvenkeelCLI


def findController() -> type:
    return controllers["evenkeel"]


if __name__ == "__main__":
    main(__doc__, Ecmp, controllers["evenkeel"], show)
