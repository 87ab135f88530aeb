# SPDX-License-Identifier: Apache-2.0
"""A topology as a script: options, what is shown, and a clean end."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

from mininet.link import Link
from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.topo import Topo

from .controller import EvenkeelCLI, EvenkeelController
from .host import traffic
from .program import NodeError
from .switch import switches


def main(
    description: str,
    topo: Callable[[], Topo],
    controller: type[EvenkeelController],
    show: Callable[[Mininet, int], bool],
) -> None:
    """A topology as a script. Ends with 0 when `show` was content, 1 when it was not or the net could not be had."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--switch", choices=list(switches), default="embedded")
    parser.add_argument("--requests", type=int, default=30, help="of each client")
    parser.add_argument("--cli", action="store_true", help="stay in Mininet's command line")
    arguments = parser.parse_args()
    setLogLevel("output")
    for end in [signal.SIGTERM, signal.SIGHUP]:
        signal.signal(end, lambda number, _frame: sys.exit(128 + number))
    net = None
    is_well = False
    try:
        net = Mininet(topo=topo(), switch=switches[arguments.switch], controller=controller, build=False)
        net.build()
        net.start()
        for each in net.controllers:
            each.wait("the controller is done with all switches", lambda _status: each.is_ready())
        is_well = show(net, arguments.requests)
        if arguments.cli:
            EvenkeelCLI(net)
    except NodeError as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    finally:
        # Who presses Ctrl-C twice wants it to end, and not half of it to stay.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if net:
            interrupt_commands(net)
            net.stop()
    sys.exit(0 if is_well else 1)


def interrupt_commands(net: Mininet) -> None:
    """Of the command line: a node that is at one cannot be stopped, since it is asked to do that itself."""
    for node in net.values():
        while node.waiting:
            node.sendInt()
            node.waitOutput()


def ask(net: Mininet, clients: list[str], how: str, address: str, port: int, times: int) -> Counter[str]:
    """Who answered how often, when all clients ask at once, each so many times, each time on a new connection."""
    asking = [net[client].talk(traffic("ask", how, address, port, times)) for client in clients]
    return Counter(name for each in asking for name in each.finish().split())


def report(answers: Counter[str], wanted: int, servers: list[str]) -> bool:
    """Prints the shares. Whether every question was answered, and no server had less than chance explains."""
    for server in servers:
        print(f"{server} answered {answers[server]} of {wanted}")
    share = 1 / len(servers)
    least = wanted * share - 4 * (wanted * share * (1 - share)) ** 0.5
    return answers.total() == wanted and all(answers[server] >= least for server in servers)


class Held:
    """Connections that stay (traffic.py hold), so many of each client."""

    def __init__(self, net: Mininet, clients: list[str], address: str, port: int, count: int) -> None:
        """Returns when each has been answered."""
        self.programs = [net[client].talk(traffic("hold", address, port, count)) for client in clients]
        self.hear()

    def are_answered(self) -> None:
        """Returns when each has asked and been answered anew, or has broken."""
        for each in self.programs:
            each.process.stdin.write("\n")
            each.process.stdin.flush()
        self.hear()

    def hear(self) -> None:
        for each in self.programs:
            each.process.stdout.readline()

    def close(self) -> bool:
        """Prints what became of them. Whether each stayed, and with one server."""
        ends = [json.loads(each.finish()) for each in self.programs]
        broken, moved = (sum(end[what] for end in ends) for what in ["broken", "moved"])
        print(f"{broken} connections broke, {moved} answers came from another server than before")
        return broken == 0 and moved == 0


def packets_from(link: Link) -> int:
    """That a switch has got over this link, at its second end."""
    command = ["ip", "-j", "-s", "link", "show", link.intf2.name]
    return json.loads(subprocess.check_output(command))[0]["stats64"]["rx"]["packets"]
