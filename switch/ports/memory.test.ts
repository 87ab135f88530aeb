// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { MemoryPorts } from './memory.ts';
import { CounterTable } from './port.ts';

const frame = (...bytes: number[]) => Uint8Array.from(bytes);

it('delivers what was injected, once and in order', () => {
  const ports = new MemoryPorts([1, 2]);
  ports.inject(2, frame(1));
  ports.inject(1, frame(2, 3));
  const received: [number, number[]][] = [];
  const receive = (port: number, bytes: Uint8Array) => received.push([port, [...bytes]]);
  expect(ports.poll(0, receive)).toBe(2);
  expect(ports.poll(0, receive)).toBe(0);
  expect(received).toEqual([
    [2, [1]],
    [1, [2, 3]],
  ]);
  expect(ports.counters().get(1)).toMatchObject({ receivedPackets: 1, receivedBytes: 2 });
});

it('collects copies of what was sent, of all ports or of one', () => {
  const ports = new MemoryPorts([1, 2]);
  const bytes = frame(7);
  ports.send(1, bytes);
  bytes[0] = 8;
  ports.send(2, bytes);
  expect(ports.collect(2)).toEqual([{ port: 2, frame: frame(8) }]);
  expect(ports.collect()).toEqual([{ port: 1, frame: frame(7) }]);
  expect(ports.collect()).toEqual([]);
});

it('counts a frame for a port that does not exist, and drops it', () => {
  const ports = new MemoryPorts([1]);
  ports.send(511, frame(1));
  ports.send(511, frame(1));
  expect(ports.collect()).toEqual([]);
  expect(ports.counters().get(511)?.drops).toEqual({ 'unknown-port': 2 });
  expect(() => ports.inject(3, frame(1))).toThrow('there is no port 3');
});

it('bounds both queues', () => {
  const ports = new MemoryPorts([1], { queueFrames: 2 });
  for (let index = 0; index < 5; index += 1) {
    ports.inject(1, frame(index));
    ports.send(1, frame(index));
  }
  expect(ports.collect()).toHaveLength(2);
  expect(ports.poll(0, () => {})).toBe(2);
  expect(ports.counters().get(1)?.drops).toEqual({ 'receive-ring-full': 3, 'transmit-queue-full': 3 });
});

it('remembers a bounded number of wrong ports', () => {
  const counters = new CounterTable([]);
  for (let port = 0; port < CounterTable.unknownPortsMax + 10; port += 1) counters.countUnknown(port);
  const rows = counters.snapshot();
  expect(rows.size).toBe(CounterTable.unknownPortsMax + 1);
  expect(rows.get(-1)?.drops).toEqual({ 'unknown-port': 10 });
});
