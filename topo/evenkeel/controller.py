# SPDX-License-Identifier: Apache-2.0
"""The controller as a node of Mininet, and a command line that knows it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from mininet.cli import CLI
from mininet.net import Mininet
from mininet.node import Controller, Node

from .program import NodeError, Program, node_program

# Until all that is wanted is on the switches. Generous: a busy machine is no failure.
READY_TIMEOUT_S = 60


class EvenkeelController(Controller):
    """
    `evenkeel controller -c file`. It connects to the switches by itself, whenever they come.

    config: the configuration file; or, of a subclass, `wanted()`, which is written to a file that goes with the net.
    admin: where it listens, if not as `wanted` says; log: where its log goes
    """

    def __init__(
        self,
        name: str,
        config: str | None = None,
        admin: str = "127.0.0.1:9580",
        log: str | None = None,
        **params: object,
    ) -> None:
        # Not Controller's own: that one looks for OpenFlow, with telnet.
        Node.__init__(self, name, inNamespace=False, **params)
        self.ip, self.port = "127.0.0.1", 0
        self.folder = tempfile.TemporaryDirectory(prefix="evenkeel-")
        self.log = log
        self.running: Program | None = None
        if config:
            self.file, self.admin = Path(config), admin
        else:
            wanted = self.wanted()
            self.file, self.admin = Path(self.folder.name) / "evenkeel.yaml", wanted["controller"]["listen"]
            self.configure(wanted)

    # How many hosts and routers there are next to the switches: a first packet to one that is unknown is lost.
    neighbours: ClassVar[int] = 0

    def wanted(self) -> dict:
        raise NodeError(f"{self.name}: which configuration? --controller evenkeel,config=evenkeel.yaml")

    def configure(self, wanted: dict) -> None:
        """The controller sees that its file has changed. JSON is YAML too."""
        self.file.write_text(json.dumps(wanted, indent=2))

    def start(self) -> None:
        command = [*node_program("evenkeel.js"), "controller", "-c", str(self.file), "--log", "text"]
        self.running = Program(self.name, command, Path(self.log) if self.log else None)

    def status(self) -> dict | None:
        """What `evenkeel status` tells; None while it does not answer."""
        if self.running and self.running.has_ended():
            raise NodeError(f"the controller ended. The last it said:\n{self.running.last_words()}")
        try:
            with urllib.request.urlopen(f"http://{self.admin}/api/v1/status", timeout=5) as answer:
                return json.load(answer)
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return None

    def is_ready(self) -> bool:
        """Whether all vips are served by all switches, nothing is under way, and every neighbour has been found."""
        status = self.status()
        if status is None:
            return False
        engine = status["engine"]
        return (
            engine["state"] == "running"
            and engine["change"]["phase"] == "idle"
            and engine["neighbours"]["known"] >= self.neighbours
            and all(pool["phase"] == "serving" for pool in engine["pools"])
            and all(each["state"] == "participating" for each in status["switch"].get("members", []))
        )

    def wait(self, what: str, is_so: Callable[[dict], bool]) -> dict:
        """The first status that is so."""
        end = time.monotonic() + READY_TIMEOUT_S
        while (status := self.status()) is None or not is_so(status):
            if time.monotonic() > end:
                raise NodeError(f"not within {READY_TIMEOUT_S} s: {what}\n{self.evenkeel('status').stdout}")
            time.sleep(0.1)
        return status

    def evenkeel(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of evenkeel's, for this controller."""
        command = [*node_program("evenkeel.js"), *arguments]
        return subprocess.run(command, env=self.environment(), capture_output=True, text=True)

    def environment(self) -> dict[str, str]:
        return {**os.environ, "EVENKEEL_CONTROLLER": self.admin}

    def stop(self, deleteIntfs: bool = False) -> None:
        if self.running:
            self.running.stop()
            self.running = None
        Node.stop(self, deleteIntfs)
        self.folder.cleanup()


class EvenkeelCLI(CLI):
    """Mininet's, with `evenkeel ...` for the controller of this net. It begins when that one is done."""

    def __init__(self, mininet: Mininet, *arguments: object, **options: object) -> None:
        mininet.waitConnected(READY_TIMEOUT_S)
        super().__init__(mininet, *arguments, **options)

    def do_evenkeel(self, line: str) -> None:
        """A command for the controller: evenkeel status, evenkeel drain web web1, evenkeel --help"""
        for controller in self.mn.controllers:
            if isinstance(controller, EvenkeelController):
                subprocess.call([*node_program("evenkeel.js"), *line.split()], env=controller.environment())
                return
        print("this net has no evenkeel controller")


def controller_of(config: Callable[[], dict], neighbour_count: int) -> type[EvenkeelController]:
    class ControllerOfTopology(EvenkeelController):
        neighbours = neighbour_count

        def wanted(self) -> dict:
            return config()

    return ControllerOfTopology
