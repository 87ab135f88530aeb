# SPDX-License-Identifier: Apache-2.0
"""What p4runtime-shell sees of a switch that runs features.p4. Asks for packets by printing `inject PORT HEX`, and says `ok ...`
for each part that is as it should be; the shell prints lines of its own.

usage: p4runtime_shell_client.py ADDRESS P4INFO JSON
"""

import os
import sys
import time
import traceback

import p4runtime_sh.shell as sh
from p4runtime_sh.p4runtime import P4RuntimeWriteException

address, p4info, device_config = sys.argv[1:]
# For what must come. It only decides how soon a failure is seen.
TIMEOUT_S = 20
CODES = {"NOT_FOUND": 5, "ALREADY_EXISTS": 6}


def passed(what: str) -> None:
    print(f"ok {what}", flush=True)


def inject(port: int, frame: str) -> None:
    print(f"inject {port} {frame}", flush=True)


def expect_equal(actual: object, expected: object) -> None:
    if actual != expected:
        raise AssertionError(f"expected {expected!r}, got {actual!r}")


def expect_refused(code: str, write) -> None:
    try:
        write()
    except P4RuntimeWriteException as refusal:
        expect_equal([error.canonical_code for _index, error in refusal.errors], [CODES[code]])
        return
    raise AssertionError(f"expected {code}, but it was accepted")


def connect() -> None:
    sh.setup(
        device_id=1,
        grpc_addr=address,
        election_id=(0, 1),
        config=sh.FwdPipeConfig(p4info, device_config),
    )
    expect_equal(sh.APIVersion(), "1.5.0")
    passed("arbitration, pipeline config and capabilities")


def tables() -> None:
    entry = sh.TableEntry("TestIngress.exact_small")(action="TestIngress.rewrite")
    entry.match["target"] = "00:00:00:00:00:01"
    entry.match["port"] = "1"
    entry.action["target"] = "00:00:00:00:00:0a"
    entry.action["source"] = "00:00:00:00:00:0b"
    entry.action["port"] = "2"
    entry.insert()
    expect_refused("ALREADY_EXISTS", entry.insert)

    route = sh.TableEntry("TestIngress.routes")(action="TestIngress.forward")
    route.match["target"] = "00:00:00:00:00:00/16"
    route.action["port"] = "3"
    route.insert()

    rule = sh.TableEntry("TestIngress.rules")(action="TestIngress.drop")
    rule.match["source"] = "00:00:00:00:00:66&&&00:00:00:00:00:ff"
    rule.match["kind"] = "0x1000..0x1fff"
    rule.match["port"] = "1"
    rule.priority = 7
    rule.insert()
    rule.action = sh.Action("TestIngress.forward")
    rule.action["port"] = "4"
    rule.modify()

    default = sh.TableEntry("TestIngress.keyless")(action="TestIngress.forward", is_default=True)
    default.action["port"] = "5"
    default.modify()

    read = list(sh.TableEntry("TestIngress.rules").read())
    expect_equal(len(read), 1)
    expect_equal(read[0].priority, 7)
    expect_equal(read[0].match["kind"].range.low, b"\x10\x00")
    expect_equal(read[0].action.action_name, "TestIngress.forward")
    rule.delete()
    expect_refused("NOT_FOUND", rule.delete)
    expect_equal(list(sh.TableEntry("TestIngress.rules").read()), [])
    passed("exact, lpm, ternary, range, optional and default entries")


def counters() -> None:
    inject(1, "000000000001" "0000000000aa" "0003" "ff")
    counter = sh.CounterEntry("TestIngress.by_port")
    counter.index = 1
    wait_for(lambda: next(counter.read()).data.packet_count, 1)
    expect_equal(next(counter.read()).data.byte_count, 15)
    direct = sh.DirectCounterEntry("TestIngress.hits")
    direct.table_entry.match["target"] = "00:00:00:00:00:01"
    direct.table_entry.match["port"] = "1"
    expect_equal([found.data.packet_count for found in direct.read()], [1])
    passed("indirect and direct counters")


def wait_for(ask, expected: object) -> None:
    """A packet is injected by another process: it may take a moment."""
    end = time.monotonic() + TIMEOUT_S
    while ask() != expected:
        if time.monotonic() > end:
            raise AssertionError(f"expected {expected!r}, got {ask()!r}")
        time.sleep(0.02)


def replication() -> None:
    group = sh.MulticastGroupEntry(1)
    group.add(1, 1).add(2, 1)
    group.insert()
    expect_equal([str(replica.egress_port) for replica in next(sh.MulticastGroupEntry(1).read()).replicas], ["1", "2"])
    session = sh.CloneSessionEntry(5)
    session.add(3, 1)
    session.insert()
    session.delete()
    group.delete()
    passed("multicast groups and clone sessions")


def packets() -> None:
    out = sh.PacketOut()
    # Out of the CPU port, so that it comes back.
    out.metadata["egress_port"] = "510"
    out.metadata["_pad"] = "0"
    out.payload = bytes.fromhex("000000000001" "0000000000aa" "0003" "ee")
    out.send()
    received = sh.PacketIn().packet_in_queue.get(timeout=TIMEOUT_S).packet
    expect_equal(received.payload, out.payload)
    expect_equal([metadata.value for metadata in received.metadata][:2], [b"\x01\xfe", b"\x00"])
    passed("packet-out and packet-in")


def digests() -> None:
    entry = sh.DigestEntry("seen_t")
    entry.ack_timeout_ns = 0
    entry.max_timeout_ns = 0
    entry.max_list_size = 1
    entry.insert()
    # The source is rewritten before it is learnt.
    inject(1, "000000000001" "0000000000cc" "0003")
    received = sh.DigestList().digest_list_queue.get(timeout=TIMEOUT_S).digest
    members = received.data[0].struct.members
    expect_equal([member.bitstring for member in members], [b"\x0b", b"\x01"])
    passed("digests")


try:
    for check in [connect, tables, counters, replication, packets, digests]:
        check()
    sh.teardown()
    print("ok teardown", flush=True)
except BaseException:
    traceback.print_exc()
    # Threads of the shell would keep the process alive.
    os._exit(1)
