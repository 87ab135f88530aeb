# SPDX-License-Identifier: Apache-2.0
"""Mininet's nodes for evenkeel: P4Runtime switches, the controller, hosts, routers; and what the topologies share."""
