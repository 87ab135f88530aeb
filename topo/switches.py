# SPDX-License-Identifier: Apache-2.0
"""The switches alone, for Mininet's own topologies and any program of p4c's for v1model:

    sudo mn --custom topo/switches.py --topo single,3 --switch embedded,program=l2.json --controller none
"""

import sys
from pathlib import Path

# `mn --custom` runs this file without saying where it is.
sys.path.append(str(Path((lambda: 0).__code__.co_filename).resolve().parent))
from evenkeel.controller import EvenkeelCLI, EvenkeelController
from evenkeel.switch import Bmv2Switch, EmbeddedSwitch

switches = {"embedded": EmbeddedSwitch, "bmv2": Bmv2Switch}
controllers = {"evenkeel": EvenkeelController}
CLI = EvenkeelCLI
