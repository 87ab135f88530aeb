# SPDX-License-Identifier: Apache-2.0
"""Runs a command with nobody else around, and says in JSON what it wrote, how it ended, and what it left behind.

Usage: unshare --pid --fork --mount --mount-proc --net python3 cage.py [--signal NAME --when TEXT] -- COMMAND...

Begun as process 1 of namespaces of its own, so that all processes and links that are there afterwards are the command's, and
whatever it kills by name is its own. The signal is sent once TEXT was written. Its input is ours.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

# Whoever was told to end may take a moment, and so may the kernel with the links of a namespace.
PATIENCE_S = 10


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--signal")
    parser.add_argument("--when")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    if not Path(__file__).is_relative_to("/tmp"):
        # What `mn` does when something fails includes `rm /tmp/*.log`.
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/tmp"], check=True)
    with tempfile.TemporaryDirectory(prefix="evenkeel-cage-") as folder:
        # A controller's token goes to the folder too, not where those of the machine's controllers are.
        environment = {**os.environ, "TMPDIR": folder, "RUNTIME_DIRECTORY": folder, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            arguments.command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        output = ""
        # By the character: a prompt ends no line.
        while piece := process.stdout.read(1):
            output += piece
            if arguments.when and output.endswith(arguments.when):
                process.send_signal(signal.Signals[f"SIG{arguments.signal}"])
                arguments.when = None
        code = process.wait()
        end = time.monotonic() + PATIENCE_S
        while (left := whats_left(folder)) and time.monotonic() < end:
            time.sleep(0.1)
    print(json.dumps({"code": code, "output": output, "left": left}))


def whats_left(folder: str) -> list[str]:
    reap()
    processes = [
        f"process {path.read_text().replace(chr(0), ' ').strip()}"
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.parent.name not in {"1", str(os.getpid())}
    ]
    links = [f"link {name}" for name in re.findall(r"^\d+: ([^:@]+)", ip_links(), re.MULTILINE) if name != "lo"]
    return [*processes, *links, *(f"file {name}" for name in os.listdir(folder))]


def ip_links() -> str:
    return subprocess.check_output(["ip", "-o", "link"], text=True)


def reap() -> None:
    """Orphans are ours, as process 1."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass


main()
