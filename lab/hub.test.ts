// SPDX-License-Identifier: Apache-2.0
/**
 * Two hosts with the kernel's TCP and all its offloads, and between them a hub made of packet sockets.
 * If the ports failed to finish a checksum, to cut a super-frame or to put back a VLAN tag, nothing would arrive.
 */

import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { getOffloads } from '../switch/ports/offload.ts';
import { openPacketPorts, type PacketPorts } from '../switch/ports/packet-socket.ts';
import { whyNoLab } from './capability.ts';
import { buildLab, type Lab, type LabHost, type Topology } from './topology.ts';

const topology: Topology = {
  hosts: [
    { name: 'left', port: 1, address: '10.77.0.1/24', moreAddresses: ['fd77::1/64'] },
    { name: 'right', port: 2, address: '10.77.0.2/24', moreAddresses: ['fd77::2/64'] },
  ],
};
const transferBytes = 20_000_000;

/** Plain JavaScript for the hosts: both sides make the same bytes, and each checks what it receives from the other. */
const hostProgram = `
const net = require('node:net');
const [role, address, size] = process.argv.slice(1);
const data = Buffer.alloc(Number(size));
for (let i = 0; i < data.length; i++) data[i] = Math.imul(i, 2654435761) >>> 13;
const check = (socket, done) => {
  let at = 0;
  socket.on('data', (chunk) => {
    if (chunk.compare(data, at, at + chunk.length) !== 0) { console.log('wrong bytes after ' + at); process.exit(1); }
    if ((at += chunk.length) === data.length) done();
  });
};
if (role === 'server') {
  const server = net.createServer((socket) => {
    check(socket, () => socket.end(data));
    server.close();
  });
  server.listen({ host: address, port: 7000 }, () => console.log('listening'));
} else {
  const socket = net.connect({ host: address, port: 7000 }, () => socket.write(data));
  check(socket, () => console.log('both directions are right'));
  socket.on('error', (error) => { console.log(error.message); process.exit(1); });
}`;

const reason = whyNoLab();

describe.skipIf(reason !== undefined)(
  `a hub of packet sockets${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    let lab: Lab;
    let ports: PacketPorts;
    let isRunning = true;

    beforeAll(() => {
      lab = buildLab(topology, 'hub');
      ports = openPacketPorts(lab.ports);
      pump();
    });

    afterAll(() => {
      isRunning = false;
      ports?.close();
      lab?.close();
    });

    /** The hub shares this thread with the test: it waits a little for frames, then lets the test have its turn. */
    function pump(): void {
      if (!isRunning) return;
      ports.poll(1, (port, frame) => ports.send(port === 1 ? 2 : 1, frame));
      setImmediate(pump);
    }

    async function transfer(
      server: LabHost,
      client: LabHost,
      address: string,
      bytes: number,
    ): Promise<string> {
      const program = (role: string) => ['node', '-e', hostProgram, role, address, String(bytes)];
      const listening = server.namespace.spawn(program('server'), { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(listening.stdout!, 'data');
      return client.namespace.run(program('client'));
    }

    it('has hosts that leave checksums and segmentation to the hardware', () => {
      for (const { namespace, interfaceName } of lab.hosts) {
        expect(getOffloads(interfaceName, namespace.name)).toMatchObject({
          'transmit-checksum': true,
          'tcp-segmentation': true,
          'generic-segmentation': true,
        });
      }
    });

    it('carries 20 MB each way over IPv4, after ARP', async () => {
      const said = await transfer(lab.host('right'), lab.host('left'), '10.77.0.2', transferBytes);
      expect(said).toBe('both directions are right\n');
      // The offered rate is that of TCP: what the ring drops is sent again. But nothing may be dropped for its form.
      for (const { drops } of ports.counters().values()) {
        expect(drops).not.toHaveProperty('receive-offload');
        expect(drops).not.toHaveProperty('receive-checksum');
        expect(drops).not.toHaveProperty('transmit-too-long');
      }
    });

    it('shows the pipeline no frame longer than the MTU', async () => {
      const before = ports.counters().get(1)!;
      await transfer(lab.host('right'), lab.host('left'), '10.77.0.2', 1_000_000);
      const after = ports.counters().get(1)!;
      const frames = after.receivedPackets - before.receivedPackets;
      expect(frames).toBeGreaterThan(1_000_000 / 1500);
      expect(after.receivedBytes - before.receivedBytes).toBeLessThan(frames * 1514);
    });

    it('carries TCP over IPv6, after neighbour discovery', async () => {
      const said = await transfer(lab.host('left'), lab.host('right'), 'fd77::1', 2_000_000);
      expect(said).toBe('both directions are right\n');
    });

    it('puts back the VLAN tags that the kernel takes off', () => {
      const [left, right] = [lab.host('left'), lab.host('right')].map(({ namespace, interfaceName }) =>
        openPacketPorts([{ port: 0, interfaceName, namespace: namespace.name }]),
      ) as [PacketPorts, PacketPorts];
      try {
        for (const tags of [
          [0x81, 0x00, 0x20, 0x05],
          [0x88, 0xa8, 0x00, 0x07, 0x81, 0x00, 0x00, 0x05],
        ]) {
          const addresses = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
          const sent = Uint8Array.of(
            ...addresses,
            ...tags,
            0x88,
            0xb5,
            ...Array.from({ length: 46 }, (_, i) => i),
          );
          left.send(0, sent);
          left.flush();
          expect(nextExperimentalFrame(right, 12 + tags.length)).toEqual(sent);
        }
      } finally {
        left.close();
        right.close();
      }
    });

    /** @returns the next frame that has the EtherType for experiments at `offset`, through the hub */
    function nextExperimentalFrame(receiver: PacketPorts, offset: number): Uint8Array | undefined {
      let found: Uint8Array | undefined;
      for (let round = 0; round < 1000 && found === undefined; round += 1) {
        ports.poll(1, (port, frame) => ports.send(port === 1 ? 2 : 1, frame));
        ports.flush();
        receiver.poll(1, (_port, frame) => {
          if (frame[offset] === 0x88 && frame[offset + 1] === 0xb5) found = frame.slice();
        });
      }
      return found;
    }

    it('counts what it cannot deliver', () => {
      ports.send(9, new Uint8Array(60));
      ports.send(1, new Uint8Array(9000));
      ports.flush();
      const counters = ports.counters();
      expect(counters.get(9)?.drops).toEqual({ 'unknown-port': 1 });
      expect(counters.get(1)?.drops['transmit-too-long']).toBe(1);
    });
  },
);
