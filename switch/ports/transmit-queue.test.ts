// SPDX-License-Identifier: Apache-2.0
/** Both ways out of an interface, and the choice between them: real interfaces, in a lab. */

import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNoLab } from '../../lab/capability.ts';
import { ip } from '../../lab/namespace.ts';
import { buildLab, type Lab } from '../../lab/topology.ts';
import { systemCalls } from './linux.ts';
import { inNetworkNamespace } from './network-namespace.ts';
import { bindPacketSocket, openPacketSocket, packetProtocol } from './packet-link.ts';
import { openPacketPorts, type PacketPorts } from './packet-socket.ts';
import { PathWatch } from './path-watch.ts';
import { emptyCounters, type PortCounters } from './port.ts';
import { TransmitQueue } from './transmit-queue.ts';

const reason = whyNoLab();
const port = 1;
const frameBytes = 60;
/** For what the kernel does by itself. */
const patienceMs = 30_000;

describe.skipIf(reason !== undefined)(
  `an interface with two ways out${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    let lab: Lab;
    let sink: PacketPorts;
    let namespace: string;
    let interfaceName: string;
    let interfaceIndex: number;
    let mtu: number;
    let hasDirectWay: boolean;

    beforeAll(() => {
      lab = buildLab({ hosts: [{ name: 'h', port, address: '10.79.0.1/24' }], offloads: false }, 'transmit');
      const [labPort] = lab.ports;
      namespace = labPort!.namespace!;
      interfaceName = labPort!.interfaceName;
      const host = lab.host('h');
      sink = openPacketPorts([
        { port: 0, interfaceName: host.interfaceName, namespace: host.namespace.name },
      ]);
      const link = inNetworkNamespace(namespace, () => openPacketSocket(interfaceName));
      ({ interfaceIndex, mtu } = link);
      systemCalls().close(link.fd);
      const { queue } = openQueue();
      queue.choose(true);
      hasDirectWay = queue.isDirect;
      queue.close();
    });

    afterAll(() => {
      sink?.close();
      lab?.close();
    });

    function frameOf(number: number, length = frameBytes): Uint8Array {
      const frame = new Uint8Array(length);
      frame.set([2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x12, 0x34]);
      new DataView(frame.buffer).setUint32(14, number);
      return frame;
    }

    /** The numbers of frames of ours that arrive: so many at least, and then until it is quiet. */
    function arrivals(least = 0): number[] {
      const numbers: number[] = [];
      const end = performance.now() + patienceMs;
      const receive = (_port: number, frame: Uint8Array) => {
        const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
        if (view.getUint16(12) === 0x1234) numbers.push(view.getUint32(14));
      };
      while (sink.poll(50, receive) > 0 || (numbers.length < least && performance.now() < end)) {}
      return numbers;
    }

    function openQueue(): { queue: TransmitQueue; counters: PortCounters } {
      const counters = emptyCounters();
      const queue = new TransmitQueue(interfaceName, namespace, counters, 64);
      return { queue, counters };
    }

    /** The kernel takes its time with the socket of the test before. */
    async function choose(queue: TransmitQueue, mayGoDirectly: boolean): Promise<void> {
      await expect
        .poll(() => {
          queue.choose(mayGoDirectly);
          return queue.isDirect;
        })
        .toBe(mayGoDirectly);
    }

    /** What a switch on this interface would do about its queue. */
    function mayGoDirectly(): boolean {
      const watch = new PathWatch(namespace, []);
      try {
        return watch.look()(interfaceIndex);
      } finally {
        watch.close();
      }
    }

    for (const isDirect of [false, true]) {
      describe(isDirect ? 'directly' : 'in the usual way', () => {
        it('sends every frame once and in order, many times round its rings', async (context) => {
          if (isDirect && !hasDirectWay) context.skip('the kernel has no AF_XDP for us');
          const { queue, counters } = openQueue();
          await choose(queue, isDirect);
          const count = 5_000;
          const received: number[] = [];
          for (let number = 0; number < count; number += 1) {
            queue.push(frameOf(number));
            if (number % 100 === 99) {
              queue.flush();
              received.push(...arrivals(number + 1 - received.length));
            }
          }
          expect(received).toEqual(Array.from({ length: count }, (_, number) => number));
          expect(queue.isEmpty).toBe(true);
          expect(counters).toMatchObject({ sentPackets: count, sentBytes: count * frameBytes, drops: {} });
          queue.close();
        });

        it('takes frames of the MTU, and refuses longer ones and stumps', async (context) => {
          if (isDirect && !hasDirectWay) context.skip('the kernel has no AF_XDP for us');
          const { queue, counters } = openQueue();
          await choose(queue, isDirect);
          const tagged = frameOf(2, mtu + 18);
          tagged.set([0x81, 0x00], 12);
          for (const frame of [frameOf(1, mtu + 14), tagged, frameOf(3, mtu + 15), new Uint8Array(13)]) {
            queue.push(frame);
            queue.flush();
          }
          expect(arrivals(1)).toEqual([1]);
          expect(counters).toMatchObject({
            sentPackets: 2,
            drops: { 'transmit-too-long': 1, 'transmit-refused': 1 },
          });
          queue.close();
        });

        it('drops what it is given while the interface is down, and nothing of it comes out later', async (context) => {
          if (isDirect && !hasDirectWay) context.skip('the kernel has no AF_XDP for us');
          const { queue, counters } = openQueue();
          await choose(queue, isDirect);
          ip([`link set ${interfaceName} down`], namespace);
          for (let number = 0; number < 3_000; number += 1) {
            queue.push(frameOf(number));
            if (number % 50 === 49) queue.flush();
          }
          expect(queue.isEmpty).toBe(true);
          ip([`link set ${interfaceName} up`], namespace);
          queue.push(frameOf(7_000));
          queue.flush();
          expect(arrivals(1)).toEqual([7_000]);
          const dropped = Object.values(counters.drops).reduce((sum, frames) => sum + frames, 0);
          expect({ sent: counters.sentPackets, dropped }).toEqual({ sent: 1, dropped: 3_000 });
          queue.close();
        });
      });
    }

    it('keeps the order of frames when the way changes', async (context) => {
      if (!hasDirectWay) context.skip('the kernel has no AF_XDP for us');
      const { queue } = openQueue();
      for (let number = 0; number < 150; number += 1) {
        if (number % 50 === 0) await choose(queue, number === 50);
        queue.push(frameOf(number));
      }
      queue.flush();
      expect(arrivals(150)).toEqual(Array.from({ length: 150 }, (_, number) => number));
      queue.close();
    });

    it('is watched: a tap, on it or on all interfaces, wants to see what leaves', () => {
      expect(mayGoDirectly()).toBe(true);
      const tap = inNetworkNamespace(namespace, () => openPacketSocket(interfaceName));
      bindPacketSocket(tap, packetProtocol.all);
      expect(mayGoDirectly()).toBe(false);
      const watch = new PathWatch(namespace, [tap.fd]);
      expect(watch.look()(interfaceIndex)).toBe(true);
      watch.close();
      bindPacketSocket({ ...tap, interfaceIndex: 0 }, packetProtocol.all);
      expect(mayGoDirectly()).toBe(false);
      systemCalls().close(tap.fd);
      expect(mayGoDirectly()).toBe(true);
    });

    it('is watched: traffic control, where somebody has set it up', () => {
      for (const [discipline, parent] of [
        ['pfifo', 'root'],
        ['clsact', ''],
      ]) {
        const where = `dev ${interfaceName} ${parent}`;
        traffic(`qdisc add ${where} ${discipline}`);
        expect(mayGoDirectly()).toBe(false);
        traffic(`qdisc del ${where} ${parent === '' ? discipline : ''}`);
        expect(mayGoDirectly()).toBe(true);
      }
    });

    describe('that is slow', () => {
      /** 2,000 bytes pass at once; then so many wait that a test has seconds to count them, and at last all of them go. */
      const shape = (rate: '8kbit' | '100mbit') =>
        traffic(`qdisc replace dev ${interfaceName} root tbf rate ${rate} burst 2kb limit 1mb`);
      let hasShaper = true;

      beforeAll(() => {
        try {
          shape('100mbit');
        } catch {
          hasShaper = false;
        }
      });

      afterAll(() => {
        if (hasShaper) traffic(`qdisc del dev ${interfaceName} root`);
      });

      it('is not left directly', (context) => {
        if (!hasShaper) context.skip('the kernel has no tbf, or there is no tc');
        expect(mayGoDirectly()).toBe(false);
      });

      for (const length of [frameBytes, 512, 1514]) {
        it(`tells how many frames of ${length} bytes wait, until none do`, async (context) => {
          if (!hasShaper) context.skip('the kernel has no tbf, or there is no tc');
          shape('8kbit');
          const { queue } = openQueue();
          let round = 0;
          const waiting = () => queue.queuedFrames((round += 1));
          expect(waiting()).toBe(0);
          const bursts = 2000 / length;
          const count = Math.ceil(bursts) + 30;
          for (let number = 0; number < count; number += 1) queue.push(frameOf(number, length));
          expect(waiting()).toBe(0);
          queue.flush();
          const depth = waiting();
          expect(depth).toBeGreaterThan(10);
          expect(depth).toBeLessThanOrEqual(count);
          expect(queue.queuedFrames(round)).toBe(depth);
          queue.push(frameOf(count, length));
          expect(queue.queuedFrames(round)).toBe(depth + 1);
          queue.flush();
          shape('100mbit');
          await expect.poll(waiting).toBe(0);
          queue.close();
        });
      }

      it('tells it to the owner of the ports', async (context) => {
        if (!hasShaper) context.skip('the kernel has no tbf, or there is no tc');
        shape('8kbit');
        const ports = openPacketPorts([{ port, interfaceName, namespace }]);
        for (let number = 0; number < 40; number += 1) ports.send(port, frameOf(number, 512));
        ports.flush();
        expect(ports.queuedFrames(port)).toBeGreaterThan(10);
        expect(ports.queuedFrames(port + 1)).toBe(0);
        shape('100mbit');
        await expect
          .poll(() => {
            ports.poll(0, () => {});
            return ports.queuedFrames(port);
          })
          .toBe(0);
        ports.close();
        arrivals();
      });
    });

    function traffic(command: string): void {
      const [program, ...parameters] = lab.switchCommand(['tc', ...command.trim().split(/\s+/)]);
      const result = spawnSync(program!, parameters, { encoding: 'utf8' });
      if (result.status !== 0) throw new Error(`tc ${command}: ${result.stderr}`);
    }

    it('shows a tap that comes later what the switch sends from then on', async (context) => {
      if (!hasDirectWay) context.skip('the kernel has no AF_XDP for us');
      const ports = openPacketPorts([{ port, interfaceName, namespace }]);
      ports.poll(0, () => {});
      const tap = inNetworkNamespace(namespace, () => openPacketSocket(interfaceName));
      bindPacketSocket(tap, packetProtocol.all);
      const seen = Buffer.alloc(2048);
      await expect
        .poll(() => {
          ports.send(port, frameOf(1));
          ports.poll(0, () => {});
          return systemCalls().read(tap.fd, seen, seen.length);
        })
        .toBe(frameBytes);
      systemCalls().close(tap.fd);
      ports.close();
    });
  },
);
