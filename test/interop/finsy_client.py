# SPDX-License-Identifier: Apache-2.0
"""What finsy sees of a switch that runs features.p4. Asks for packets by printing `inject PORT HEX`, and says `ok ...` for each
part that is as it should be.

usage: finsy_client.py ADDRESS P4INFO JSON
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import finsy as fy

ADDRESS, P4INFO, JSON = sys.argv[1:]
# For what must come. It only decides how soon a failure is seen.
TIMEOUT_S = 20
Item = TypeVar("Item")

small = fy.P4TableEntry(
    "exact_small",
    match=fy.Match(target=1, port=1),
    action=fy.Action("rewrite", target=10, source=11, port=2),
)
entries = [
    small,
    fy.P4TableEntry("routes", match=fy.Match(target="00:00:00:00:00:00/16"), action=fy.Action("forward", port=3)),
    fy.P4TableEntry(
        "rules",
        match=fy.Match(source="0x66/&0xff", kind="0x1000...0x1fff", port=1),
        action=fy.Action("forward", port=4),
        priority=7,
    ),
    fy.P4MulticastGroupEntry(1, replicas=[1, 2]),
    fy.P4CloneSessionEntry(5, replicas=[3]),
    fy.P4DigestEntry("seen_t", max_list_size=1),
]


def passed(what: str) -> None:
    print(f"ok {what}", flush=True)


def inject(port: int, frame: str) -> None:
    print(f"inject {port} {frame}", flush=True)


def expect_equal(actual: object, expected: object) -> None:
    if actual != expected:
        raise AssertionError(f"expected {expected!r}, got {actual!r}")


async def first(items: AsyncIterator[Item]) -> Item:
    return await asyncio.wait_for(anext(items), TIMEOUT_S)


async def caused(items: AsyncIterator[Item], cause: Callable[[], Awaitable[None]]) -> Item:
    """The first item that comes once somebody listens."""
    waiting = asyncio.create_task(first(items))
    await asyncio.sleep(0)
    await cause()
    return await waiting


async def batch(switch: fy.Switch) -> None:
    await switch.write([+entry for entry in entries])
    tables = [entry async for entry in switch.read(fy.P4TableEntry())]
    found = {entry.table_id for entry in tables}
    expect_equal({"exact_small", "routes", "rules", "fixed"} <= found, True)
    expect_equal([entry.replicas async for entry in switch.read(fy.P4MulticastGroupEntry())], [(1, 2)])
    try:
        await switch.insert([small])
    except fy.P4ClientError as refusal:
        expect_equal([error.canonical_code for error in refusal.details.values()], [fy.GRPCStatusCode.ALREADY_EXISTS])
    else:
        raise AssertionError("an entry that exists was inserted")
    passed("a batch is written, read back with wildcards, and refused the second time")


async def counters(switch: fy.Switch) -> None:
    inject(1, "000000000001" "0000000000aa" "0003" "ff")
    wanted = fy.P4CounterData(byte_count=15, packet_count=1)
    for _ in range(TIMEOUT_S * 10):
        [counter] = [entry async for entry in switch.read(fy.P4CounterEntry("by_port", index=1))]
        if counter.data == wanted:
            break
        await asyncio.sleep(0.1)
    expect_equal(counter.data, wanted)
    passed("counters count")


async def packets(switch: fy.Switch) -> None:
    payload = bytes.fromhex("000000000001" "0000000000aa" "0003" "ee")

    async def send() -> None:
        # Out of the CPU port, so that it comes back.
        await switch.write([fy.P4PacketOut(payload, egress_port=510, _pad=0)])

    received = await caused(switch.read_packets(), send)
    expect_equal(received.payload, payload)
    expect_equal(received["ingress_port"], 510)
    passed("packet-out and packet-in")


async def digests(switch: fy.Switch) -> None:
    async def send() -> None:
        # The source is rewritten before it is learnt.
        inject(1, "000000000001" "0000000000cc" "0003")

    received = await caused(switch.read_digests("seen_t"), send)
    expect_equal(received.data, [{"source": 11, "port": 1}])
    await switch.write([received.ack()])
    passed("a digest list")


async def idle(switch: fy.Switch) -> None:
    entry = fy.P4TableEntry(
        "source_timeout",
        match=fy.Match(source=7),
        action=fy.Action("NoAction"),
        idle_timeout_ns=1_000_000,
    )

    async def send() -> None:
        await switch.insert([entry])

    received = await caused(switch.read_idle_timeouts(), send)
    expect_equal([idle["source"] for idle in received.table_entry], [7])
    passed("an idle timeout")


async def clean(switch: fy.Switch) -> None:
    await switch.delete_all()
    expect_equal({entry.table_id async for entry in switch.read(fy.P4TableEntry())}, {"fixed"})
    # Where a program has constant entries, finsy leaves these.
    await switch.delete([fy.P4MulticastGroupEntry(1), fy.P4CloneSessionEntry(5)])
    expect_equal([entry async for entry in switch.read(fy.P4MulticastGroupEntry())], [])
    passed("after delete_all only constant entries are left")


def options(election_id: int) -> fy.SwitchOptions:
    return fy.SwitchOptions(
        p4info=Path(P4INFO), p4blob=Path(JSON), device_id=1, initial_election_id=election_id
    )


async def main() -> None:
    logging.getLogger("finsy").setLevel(logging.ERROR)
    async with fy.Switch("one", ADDRESS, options(10)) as switch:
        for check in [batch, counters, packets, digests, idle, clean]:
            await check(switch)
        await switch.insert([small])
    async with fy.Switch("two", ADDRESS, options(11)) as switch:
        expect_equal(switch.is_primary, True)
        # It would have been gone, had the program been pushed again.
        expect_equal([entry.table_id async for entry in switch.read(fy.P4TableEntry("exact_small"))], ["exact_small"])
        passed("a second controller takes over, and finds the program in place")


asyncio.run(main())
