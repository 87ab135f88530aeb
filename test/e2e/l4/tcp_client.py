# SPDX-License-Identifier: Apache-2.0
"""Connects once, and prints what came of it: `connected`, `nobody` after so many seconds, or the error's name.

Usage: tcp_client.py ADDRESS PORT SECONDS"""

import errno
import socket
import sys

try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])).close()
    print("connected")
except TimeoutError:
    print("nobody")
except OSError as error:
    print(errno.errorcode[error.errno])
