// SPDX-License-Identifier: Apache-2.0
/** Two hosts on a wire that may lose, duplicate or swap frames; time is a number, so nothing waits. */
import { describe, expect, test } from 'vitest';
import { arpOperations, decodeArp, encodeArp } from '../wire/arp.ts';
import { decodeEthernet, encodeEthernet, etherTypes } from '../wire/ethernet.ts';
import { MemoryHost } from './memory-host.ts';
import { seededRandom } from './random.ts';
import type { Stream } from './stream.ts';

const client = { address: 0x0a000001, mac: 0x020000000001 };
const server = { address: 0x0a000002, mac: 0x020000000002 };
const gateway = { address: 0x0a0000fe, mac: 0x0200000000fe };

/**
 * @param lossOneIn  0: a perfect wire
 * @param delayMs    0: a frame arrives when time passes next
 */
function createWire(seed: number, lossOneIn: number, delayMs = 0) {
  const random = seededRandom(seed);
  let time = 0;
  let framesSent = 0;
  const inFlight: { to: MemoryHost; frame: Uint8Array; arrivesAt: number }[] = [];
  const hosts = [createHost(client, 0), createHost(server, 1)];

  function createHost(own: { address: number; mac: number }, index: number): MemoryHost {
    return new MemoryHost({ ...own, gateway: gateway.address, now: () => time, seed: index + 1, send });

    function send(frame: Uint8Array): void {
      const { etherType, payload } = decodeEthernet(frame);
      if (etherType === etherTypes.arp) {
        answerArp(index, payload);
        return;
      }
      framesSent += 1;
      if (lossOneIn > 0 && random.next() % lossOneIn === 0) return;
      const copies = lossOneIn > 0 && random.next() % lossOneIn === 0 ? 2 : 1;
      // The gateway's work: a new target MAC.
      const changed = encodeEthernet({ ...decodeEthernet(frame), targetMac: [server, client][index]!.mac });
      const arrivesAt = time + delayMs;
      for (let i = 0; i < copies; i++) inFlight.push({ to: hosts[1 - index]!, frame: changed, arrivesAt });
    }
  }

  function answerArp(index: number, payload: Uint8Array): void {
    const { senderMac, senderAddress, targetAddress } = decodeArp(payload);
    if (targetAddress !== gateway.address) return;
    const reply = encodeArp({
      operation: arpOperations.reply,
      senderMac: gateway.mac,
      senderAddress: gateway.address,
      targetMac: senderMac,
      targetAddress: senderAddress,
    });
    const frame = { targetMac: senderMac, sourceMac: gateway.mac, etherType: etherTypes.arp, payload: reply };
    queueMicrotask(() => hosts[index]!.receive(encodeEthernet(frame)));
  }

  return {
    client: hosts[0]!,
    server: hosts[1]!,
    framesSent: () => framesSent,
    /** Another host with the same address, which knows nothing of the first one's connections. */
    replaceServer: () => (hosts[1] = createHost(server, 1)),
    /** Lets `ms` pass. */
    run(ms: number): void {
      for (const end = time + ms; time < end; time += 10) {
        for (let turn = 0; turn < 1_000 && inFlight.length > 0; turn++) {
          if (inFlight[0]!.arrivesAt > time) break;
          const at = lossOneIn > 0 ? random.next() % Math.min(3, inFlight.length) : 0;
          const [{ to, frame }] = inFlight.splice(at, 1) as [(typeof inFlight)[number]];
          to.receive(frame);
        }
        for (const host of hosts) host.tick();
      }
    },
  };
}

function echo(stream: Stream) {
  return { data: (bytes: Uint8Array) => stream.write(bytes), closed: () => stream.end() };
}

const greeting = Uint8Array.from({ length: 10_000 }, (_, i) => (i * 7) & 255);

describe('a host in memory', () => {
  test.each([0, 50, 8])(
    'carries bytes both ways, in order, once; one frame in %i is lost',
    async (lossOneIn) => {
      for (let seed = 1; seed <= 20; seed++) {
        const wire = createWire(seed, lossOneIn);
        await Promise.resolve();
        wire.server.listen(80, echo);
        const heard: number[] = [];
        const events: string[] = [];
        const stream = wire.client.dial(
          server.address,
          80,
        )({
          opened: () => {
            events.push('opened');
            stream.write(greeting);
          },
          data: (bytes) => {
            heard.push(...bytes);
            if (heard.length === greeting.length) stream.end();
          },
          closed: (how) => events.push(how),
        });
        wire.run(60_000);
        expect(events).toEqual(['opened', 'ended']);
        expect(heard).toEqual([...greeting]);
      }
    },
  );

  test('refuses a port where nobody listens', async () => {
    const wire = createWire(1, 0);
    await Promise.resolve();
    const events: string[] = [];
    const closed = (how: string) => void events.push(how);
    wire.client.dial(server.address, 81)({ opened() {}, data() {}, closed });
    wire.run(100);
    expect(events).toEqual(['refused']);
  });

  test('resets its connections when the process behind the port dies', async () => {
    const wire = createWire(1, 0);
    await Promise.resolve();
    wire.server.listen(80, echo);
    const events: string[] = [];
    const closed = (how: string) => void events.push(how);
    wire.client.dial(server.address, 80)({ opened: () => void events.push('opened'), data() {}, closed });
    wire.run(100);
    wire.server.unlisten(80);
    wire.run(100);
    expect(events).toEqual(['opened', 'reset']);
  });

  test('resets a connection that it does not know: data at the wrong server cannot go unnoticed', async () => {
    const wire = createWire(1, 0);
    await Promise.resolve();
    wire.server.listen(80, echo);
    const events: string[] = [];
    const stream = wire.client.dial(
      server.address,
      80,
    )({
      opened: () => void events.push('opened'),
      data() {},
      closed: (how) => void events.push(how),
    });
    wire.run(100);
    wire.replaceServer().listen(80, echo);
    await Promise.resolve();
    stream.write(greeting);
    wire.run(100);
    expect(events).toEqual(['opened', 'reset']);
  });

  test('repeats nothing that is answered late when answers are known to be', async () => {
    const wire = createWire(1, 0, 5_000);
    await Promise.resolve();
    wire.server.listen(80, echo);
    let heardBytes = 0;
    const stream = wire.client.dial(
      server.address,
      80,
    )({
      opened() {},
      data: (bytes) => {
        heardBytes += bytes.length;
      },
      closed() {},
    });
    wire.run(60_000);
    stream.write(greeting.subarray(0, 1_000));
    wire.run(60_000);
    const before = wire.framesSent();
    stream.write(greeting.subarray(0, 1_000));
    wire.run(60_000);
    expect(heardBytes).toBe(2_000);
    // Its bytes and the echo's, and an acknowledgement of each.
    expect(wire.framesSent() - before).toBe(4);
  });

  test('gives up on a peer that never answers', async () => {
    const wire = createWire(1, 1);
    await Promise.resolve();
    const events: string[] = [];
    const closed = (how: string) => void events.push(how);
    wire.client.dial(server.address, 80)({ opened() {}, data() {}, closed });
    wire.run(100_000);
    expect(events).toEqual(['failed']);
  });
});
