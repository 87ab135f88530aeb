# SPDX-License-Identifier: Apache-2.0
"""Keeps a router's default route over those balancers that participate, as `evenkeel status` has it.

usage: route_keeper.py CONTROLLER ROUTER_PID NEXT_HOP BALANCER=INTERFACE...

A balancer that is lost, or is back and not yet given what it has missed, carries no traffic. In a network of routers BGP does
this (docs/announce.md). While the controller does not answer, or no balancer participates, the route stays as it is.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request

PAUSE_S = 0.1


def participants(controller: str) -> set[str]:
    try:
        with urllib.request.urlopen(f"http://{controller}/api/v1/status", timeout=1) as answer:
            members = json.load(answer)["switch"].get("members", [])
    except OSError:
        return set()
    return {member["name"] for member in members if member["state"] == "participating"}


def main(controller: str, router_pid: str, next_hop: str, *balancers: str) -> None:
    interfaces = dict(balancer.split("=") for balancer in balancers)
    kept: list[str] = []
    while True:
        wanted = [interfaces[name] for name in sorted(participants(controller) & interfaces.keys())]
        if wanted and wanted != kept:
            hops = [word for each in wanted for word in ["nexthop", "via", next_hop, "dev", each, "onlink"]]
            subprocess.run(["mnexec", "-a", router_pid, "ip", "route", "replace", "default", *hops], check=True)
            kept = wanted
        time.sleep(PAUSE_S)


main(*sys.argv[1:])
