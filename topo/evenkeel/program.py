# SPDX-License-Identifier: Apache-2.0
"""Programs beside Mininet: started, heard, and ended with it, however it ends."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import ClassVar

from mininet.clean import addCleanupCallback
from mininet.node import Node

ROOT = Path(__file__).resolve().parents[2]
STOP_TIMEOUT_S = 5
# Of what a program said, when it could not be had.
LAST_LINES = 10
LAST_BYTES = 8192


class NodeError(Exception):
    """What could not be started or had, and what would help."""


# Whoever was given one may not have opened it yet.
given_ports: set[int] = set()


def free_port(wanted: int) -> int:
    """The first free one from there on, so that what is documented holds where nothing else runs. None is given twice."""
    for port in range(wanted, wanted + 100):
        if port not in given_ports and is_free(port):
            given_ports.add(port)
            return port
    raise NodeError(f"no TCP port is free from {wanted} to {wanted + 99}")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class Program:
    """
    A process in a session of its own, so that Ctrl-C in Mininet's command line is not meant for it, which is told to end
    when we die without a word.
    """

    running: ClassVar[list[Program]] = []

    def __init__(self, name: str, command: list[str], log: Path | None = None, has_pipes: bool = False) -> None:
        """@param has_pipes: its input and output are ours, as text, and its errors are seen; else all goes to the log"""
        self.name = name
        self.output = log.open("w+b") if log else tempfile.TemporaryFile()
        guard = ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []
        self.process = subprocess.Popen(
            [*guard, *command],
            stdin=subprocess.PIPE if has_pipes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if has_pipes else self.output,
            stderr=None if has_pipes else subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        Program.running.append(self)

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def last_words(self) -> str:
        # Not by seek: the program writes where we read.
        descriptor = self.output.fileno()
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, LAST_BYTES, max(0, size - LAST_BYTES))
        lines = tail.decode(errors="replace").splitlines()[-LAST_LINES:]
        return "\n".join(f"  {line}" for line in lines) or "  (it said nothing)"

    def finish(self) -> str:
        """Ends its input. What it has written, once it has ended."""
        said, _ = self.process.communicate()
        self.stop()
        return said

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self in Program.running:
            Program.running.remove(self)
        if not self.has_ended():
            os.killpg(self.process.pid, how)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()


def stop_all() -> None:
    for program in list(Program.running):
        program.stop()


atexit.register(stop_all)
# `mn` does this when something fails, and stops no node.
addCleanupCallback(stop_all)


def node_program(name: str) -> list[str]:
    node = shutil.which("node")
    if node is None:
        raise NodeError("'node' was not found: install Node.js 20.19 or newer where root finds it too (`sudo which node`)")
    path = ROOT / "dist/cli" / name
    if not path.exists():
        raise NodeError(f"{path} is not there: `make build` makes it")
    return [node, str(path)]


def run_in(host: Node, *command: str) -> None:
    done = subprocess.run(["mnexec", "-a", str(host.pid), *command], capture_output=True, text=True)
    if done.returncode != 0:
        raise NodeError(f"{host.name}: {' '.join(command)}: {(done.stderr or done.stdout).strip()}")
