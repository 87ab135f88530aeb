// SPDX-License-Identifier: Apache-2.0
/** Ports without a world: a test injects frames on one side and collects what the switch sent on the other. */

import { CounterTable, countDrop, type PortCounters, type Ports, type ReceiveFrame } from './port.ts';

export interface MemoryPortsOptions {
  /** Frames that may wait on each side, over all ports. */
  queueFrames: number;
}

export const memoryPortsDefaults: Readonly<MemoryPortsOptions> = { queueFrames: 65_536 };

export interface PortFrame {
  port: number;
  frame: Uint8Array;
}

export class MemoryPorts implements Ports {
  readonly #counters: CounterTable;
  readonly #queueFrames: number;
  #arrived: PortFrame[] = [];
  #sent: PortFrame[] = [];

  constructor(ports: Iterable<number>, options: Partial<MemoryPortsOptions> = {}) {
    this.#counters = new CounterTable(ports);
    this.#queueFrames = options.queueFrames ?? memoryPortsDefaults.queueFrames;
  }

  /**
   * Lets a frame arrive at `port`; the next poll delivers it.
   *
   * @throws RangeError when the port does not exist: in a test that is a mistake, not an event
   */
  inject(port: number, frame: Uint8Array): void {
    const counters = this.#counters.of(port);
    if (counters === undefined) throw new RangeError(`cannot inject: there is no port ${port}`);
    if (this.#arrived.length >= this.#queueFrames) {
      countDrop(counters, 'receive-ring-full');
      return;
    }
    this.#arrived.push({ port, frame: frame.slice() });
  }

  /** Takes what the switch has sent since the last call, in order; of one port, when it is given. */
  collect(port?: number): PortFrame[] {
    const taken = this.#sent.filter((sent) => port === undefined || sent.port === port);
    this.#sent = port === undefined ? [] : this.#sent.filter((sent) => sent.port !== port);
    return taken;
  }

  send(port: number, frame: Uint8Array): void {
    const counters = this.#counters.of(port);
    if (counters === undefined) {
      this.#counters.countUnknown(port);
      return;
    }
    if (this.#sent.length >= this.#queueFrames) {
      countDrop(counters, 'transmit-queue-full');
      return;
    }
    counters.sentPackets += 1;
    counters.sentBytes += frame.length;
    this.#sent.push({ port, frame: frame.slice() });
  }

  queuedFrames(): number {
    return 0;
  }

  flush(): void {}

  /** Never waits: what a test has not injected will not come. */
  poll(_timeoutMs: number, receive: ReceiveFrame): number {
    const batch = this.#arrived;
    this.#arrived = [];
    for (const { port, frame } of batch) {
      const counters = this.#counters.of(port)!;
      counters.receivedPackets += 1;
      counters.receivedBytes += frame.length;
      receive(port, frame);
    }
    return batch.length;
  }

  counters(): ReadonlyMap<number, PortCounters> {
    return this.#counters.snapshot();
  }

  close(): void {
    this.#arrived = [];
  }
}
