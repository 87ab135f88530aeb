# SPDX-License-Identifier: Apache-2.0
"""P4Runtime switches as nodes of Mininet: this repository's, and BMv2's."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from pathlib import Path

from mininet.node import Node, Switch

from .controller import EvenkeelController
from .program import NodeError, Program, free_port, is_free, node_program

# Where the load balancer's program takes packets of the controller (p4/v1model/evenkeel.p4).
CPU_PORT = 510
START_TIMEOUT_S = 60


class P4RuntimeSwitch(Switch):
    """
    A switch with the command line of simple_switch_grpc. Each has a P4Runtime server of its own on 127.0.0.1.

    grpc_port: the first free one from 9559 on, unless given; device_id: 1; cpu_port: 510, as the load balancer has it;
    program: p4c's JSON, unless a controller pushes one; pcap: a folder for captures of every port;
    log: a folder for what the switch says, in NAME.log
    """

    def __init__(
        self,
        name: str,
        grpc_port: int | None = None,
        device_id: int = 1,
        cpu_port: int = CPU_PORT,
        program: str | None = None,
        pcap: str | None = None,
        log: str | None = None,
        dpid: str | None = None,
        **params: object,
    ) -> None:
        # P4Runtime knows no datapath ids; Mininet wants one, and finds none in a name without a number.
        super().__init__(name, dpid=dpid or f"{device_id:x}", **params)
        self.grpc_port = grpc_port or free_port(9559)
        self.device_id = device_id
        self.cpu_port = cpu_port
        self.program = program
        self.pcap = pcap
        self.log = log
        self.running: Program | None = None
        self.controllers: list[EvenkeelController] = []

    def executable(self) -> list[str]:
        """@raises NodeError: with what to do"""
        raise NotImplementedError

    def command(self) -> list[str]:
        command = [*self.executable(), "--device-id", str(self.device_id)]
        for port, interface in self.intfs.items():
            if port > 0:
                command += ["-i", f"{port}@{interface.name}"]
        if self.pcap:
            command += [f"--pcap={self.pcap}"]
        command += [self.program] if self.program else ["--no-p4"]
        server = f"127.0.0.1:{self.grpc_port}"
        return [*command, "--", "--grpc-server-addr", server, "--cpu-port", str(self.cpu_port)]

    def start(self, controllers: list[Node]) -> None:
        """Returns when P4Runtime answers."""
        self.controllers = [each for each in controllers if isinstance(each, EvenkeelController)]
        command = self.command()
        if not is_free(self.grpc_port):
            raise NodeError(
                f"{self.name}: TCP port {self.grpc_port} is in use, perhaps by a switch of an earlier run: "
                f"`ss -ltnp sport = :{self.grpc_port}` says by whom; or choose another grpc_port"
            )
        for folder in [self.pcap, self.log]:
            if folder:
                Path(folder).mkdir(parents=True, exist_ok=True)
        self.running = Program(self.name, command, Path(self.log) / f"{self.name}.log" if self.log else None)
        end = time.monotonic() + START_TIMEOUT_S
        while not self.answers():
            if self.running.has_ended():
                raise self.failure(f"ended with {self.running.process.returncode}", command)
            if time.monotonic() > end:
                raise self.failure(f"did not answer within {START_TIMEOUT_S} s", command)
            time.sleep(0.05)

    def failure(self, what: str, command: list[str]) -> NodeError:
        said = self.running.last_words()
        return NodeError(f"{self.name} {what}: {' '.join(command)}\nThe last it said:\n{said}")

    def answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.grpc_port), 1).close()
        except OSError:
            return False
        return True

    def connected(self) -> bool:
        """Mininet asks before its tests: whether the controller is done with all of its switches."""
        return all(each.is_ready() for each in self.controllers)

    def kill(self) -> None:
        """Without a word, as when power is lost; `start` brings it back."""
        self.halt(signal.SIGKILL)

    def halt(self, how: int = signal.SIGTERM) -> None:
        if self.running:
            self.running.stop(how)
            self.running = None

    def stop(self, deleteIntfs: bool = True) -> None:
        self.halt()
        super().stop(deleteIntfs)


class EmbeddedSwitch(P4RuntimeSwitch):
    """The switch of this repository."""

    def executable(self) -> list[str]:
        return node_program("evenkeel-switch-grpc.js")


class Bmv2Switch(P4RuntimeSwitch):
    """
    BMv2's simple_switch_grpc: from BMV2_SWITCH_EXE, else from PATH.

    thrift_port: for simple_switch_CLI; the first free one from 9090 on, unless given
    """

    def __init__(self, name: str, thrift_port: int | None = None, **params: object) -> None:
        super().__init__(name, **params)
        self.thrift_port = thrift_port or free_port(9090)

    def executable(self) -> list[str]:
        program = os.environ.get("BMV2_SWITCH_EXE") or "simple_switch_grpc"
        if shutil.which(program) is None:
            raise NodeError(
                f"'{program}' was not found: install p4lang-bmv2, or let BMV2_SWITCH_EXE name it "
                "(sudo forgets variables: `sudo BMV2_SWITCH_EXE=... mn ...`)"
            )
        # Beside P4Runtime it always has these; two switches cannot share them, and it does not say so in time.
        notifications = f"ipc:///tmp/bmv2-{self.grpc_port}-notifications.ipc"
        return [program, "--thrift-port", str(self.thrift_port), "--notifications-addr", notifications]


# What `mn --custom` looks for.
switches = {"embedded": EmbeddedSwitch, "bmv2": Bmv2Switch}
