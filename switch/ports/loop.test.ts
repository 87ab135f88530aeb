// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { createDoorbell, openDoorbell } from './doorbell.ts';
import { runLoop } from './loop.ts';
import { MemoryPorts } from './memory.ts';
import { openPacketPorts } from './packet-socket.ts';

describe.skipIf(process.platform !== 'linux')('a loop', () => {
  it('is woken from its sleep by a doorbell that another thread rings', async () => {
    const doorbell = createDoorbell();
    const ports = openPacketPorts([], { doorbell });
    // Descriptors belong to the process: the number is all that the other thread needs.
    const program = `
      const { workerData, parentPort } = require('node:worker_threads');
      parentPort.once('message', () => {
        const one = Buffer.alloc(8);
        one[0] = 1;
        setTimeout(() => require('node:fs').writeSync(workerData, one), 20);
      });
      parentPort.postMessage('ready');`;
    const worker = new Worker(program, { eval: true, workerData: doorbell.fd });
    await once(worker, 'message');
    worker.postMessage('ring');
    const sleepMsMax = 20_000;
    const beganMs = performance.now();
    runLoop({ ports, doorbell, onFrame() {}, onControl: () => 'stop', sleepMsMax });
    // An unheard doorbell would be noticed only after the whole sleep.
    expect(performance.now() - beganMs).toBeLessThan(sleepMsMax / 2);
    await worker.terminate();
    ports.close();
    doorbell.close();
  });

  it('rings once, however often the doorbell was pressed', () => {
    const doorbell = createDoorbell();
    const other = openDoorbell(doorbell.fd);
    other.ring();
    other.ring();
    expect([doorbell.clear(), doorbell.clear()]).toEqual([true, false]);
    doorbell.close();
  });

  it('delivers frames, ticks, and sends what is left when it stops', () => {
    const doorbell = createDoorbell();
    const ports = new MemoryPorts([1, 2]);
    ports.inject(1, Uint8Array.of(1));
    let ticks = 0;
    runLoop({
      ports,
      doorbell,
      onFrame: (_port, frame) => ports.send(2, frame),
      onControl: () => 'stop',
      onTick: () => {
        if ((ticks += 1) === 3) doorbell.ring();
      },
      tickIntervalMs: 1,
    });
    expect(ticks).toBe(3);
    expect(ports.collect(2)).toHaveLength(1);
    doorbell.close();
  });
});

it('names the interface that does not exist, and the port that is named twice', () => {
  const bindings = [
    { port: 1, interfaceName: 'a' },
    { port: 1, interfaceName: 'b' },
  ];
  expect(() => openPacketPorts(bindings)).toThrow('two bindings name the same port');
});
