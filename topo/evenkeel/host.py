# SPDX-License-Identifier: Apache-2.0
"""Hosts, routers and a LAN."""

from __future__ import annotations

import sys

from mininet.node import Host, Node, Switch

from .program import ROOT, Program, run_in

# Seconds, for which a host tries to be heard by its gateway.
HELLO_TIMEOUT_S = 60


class Station(Host):
    """A host that computes its own checksums, and runs a program as long as it is there."""

    def config(self, program: list[str] | None = None, **params: object) -> dict:
        result = super().config(**params)
        for interface in self.intfList():
            # A veth leaves checksums to a network card that is not there, and BMv2 does not finish them.
            run_in(self, "ethtool", "-K", interface.name, "tx", "off")
        self.running = [Program(self.name, self.inside(program))] if program else []
        if gateway := params.get("defaultRoute"):
            # A balancer knows a host once it has heard of it; the first packet to one that is unknown is lost.
            hello = ["timeout", str(HELLO_TIMEOUT_S), "sh", "-c", "until ping -c 1 -W 1 $0; do sleep 0.2; done"]
            self.running.append(Program(self.name, self.inside([*hello, str(gateway).removeprefix("via ")])))
        return result

    def talk(self, command: list[str]) -> Program:
        """A program whose input and output are ours."""
        return Program(self.name, self.inside(command), has_pipes=True)

    def inside(self, command: list[str]) -> list[str]:
        return ["mnexec", "-a", str(self.pid), *command]

    def terminate(self) -> None:
        for program in getattr(self, "running", []):
            program.stop()
        self.running = []
        super().terminate()


class Router(Station):
    """A Linux router; routes: what follows `ip route replace`. Addresses are given with its links: params2={"ip": ...}."""

    # Equal paths are chosen by addresses and ports; links without carrier are not chosen; a reply may come another way.
    SETTINGS = [
        "net.ipv4.ip_forward=1",
        "net.ipv4.fib_multipath_hash_policy=1",
        "net.ipv4.conf.all.ignore_routes_with_linkdown=1",
        "net.ipv4.conf.all.rp_filter=0",
    ]

    def config(self, routes: tuple[str, ...] = (), **params: object) -> dict:
        # The addresses of its links are set already, and Mininet's own for its first interface is not wanted.
        result = super().config(**{**params, "ip": None})
        run_in(self, "sysctl", "-qw", *self.SETTINGS)
        for interface in self.intfList():
            # `all` does not loosen it: the kernel takes the stricter of the two.
            run_in(self, "sysctl", "-qw", f"net.ipv4.conf.{interface.name}.rp_filter=0")
        self.routes = routes
        self.add_routes()
        return result

    def off(self) -> None:
        """Its neighbours see that their links are dead."""
        for interface in self.intfList():
            run_in(self, "ip", "link", "set", interface.name, "down")

    def on(self) -> None:
        for interface in self.intfList():
            run_in(self, "ip", "link", "set", interface.name, "up")
        self.add_routes()

    def add_routes(self) -> None:
        for route in self.routes:
            run_in(self, "ip", "route", "replace", *route.split())


class Lan(Switch):
    """An Ethernet segment: the kernel's bridge, for hosts that share a port of a balancer. Needs no Open vSwitch."""

    # There is none in a namespace, and Mininet looks for it all the same.
    controlIntf = None

    def __init__(self, name: str, **params: object) -> None:
        super().__init__(name, **{**params, "dpid": "1", "inNamespace": True})

    def start(self, _controllers: list[Node]) -> None:
        run_in(self, "ip", "link", "add", "bridge", "up", "type", "bridge")
        for interface in self.intfList():
            run_in(self, "ip", "link", "set", interface.name, "up", "master", "bridge")

    def stop(self, deleteIntfs: bool = True) -> None:
        self.cmd("ip link del bridge")
        super().stop(deleteIntfs)


def traffic(*arguments: object) -> list[str]:
    """What hosts do (traffic.py), as a command."""
    return [sys.executable, str(ROOT / "topo/evenkeel/traffic.py"), *map(str, arguments)]
