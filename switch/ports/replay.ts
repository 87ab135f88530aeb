// SPDX-License-Identifier: Apache-2.0
/**
 * Ports that replay captures, as BMv2 does for `--use-files`: each port receives what is in `<interface>_in.pcap`, in the
 * order of the timestamps over all ports, and what it sends goes to `<interface>_out.pcap`.
 *
 * Time is that of the captures: a frame that is sent bears the timestamp of the frame that caused it. So the same files
 * in give the same files out, byte for byte.
 */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { CapturedPort } from './capture.ts';
import { PcapWriter, readPcapFile } from './pcap.ts';
import { CounterTable, countDrop, type PortCounters, type Ports, type ReceiveFrame } from './port.ts';

/** Frames handed over by one poll. */
const batchFramesMax = 256;

interface Arrival {
  port: number;
  timestampNs: bigint;
  frame: Uint8Array;
}

export class ReplayPorts implements Ports {
  readonly #counters: CounterTable;
  readonly #arrivals: readonly Arrival[];
  readonly #outputs = new Map<number, PcapWriter>();
  #next = 0;
  #nowNs = 0n;

  /**
   * A port without an input file receives nothing.
   *
   * @throws PcapError for a file that cannot be read; or the error of the file system
   */
  constructor(ports: readonly CapturedPort[], directory: string) {
    this.#counters = new CounterTable(ports.map(({ port }) => port));
    const arrivals = ports.flatMap(({ port, interfaceName }): Arrival[] => {
      const path = resolve(directory, `${interfaceName}_in.pcap`);
      return existsSync(path) ? readPcapFile(path).map((record) => ({ port, ...record })) : [];
    });
    // The sort is stable: at the same time, the ports go in the order in which they were given.
    this.#arrivals = arrivals.sort((a, b) => Number(a.timestampNs - b.timestampNs));
    for (const { port, interfaceName } of ports) {
      this.#outputs.set(port, new PcapWriter(resolve(directory, `${interfaceName}_out.pcap`)));
    }
  }

  /** Nothing is left to be delivered. */
  get isDone(): boolean {
    return this.#next === this.#arrivals.length;
  }

  send(port: number, frame: Uint8Array): void {
    const counters = this.#counters.of(port);
    if (counters === undefined) {
      this.#counters.countUnknown(port);
      return;
    }
    if (!this.#outputs.get(port)!.write(frame, this.#nowNs)) {
      countDrop(counters, 'transmit-queue-full');
      return;
    }
    counters.sentPackets += 1;
    counters.sentBytes += frame.length;
  }

  queuedFrames(): number {
    return 0;
  }

  flush(): void {
    for (const output of this.#outputs.values()) output.flush();
  }

  /** Never waits: as fast as the switch is. */
  poll(_timeoutMs: number, receive: ReceiveFrame): number {
    const first = this.#next;
    const end = Math.min(first + batchFramesMax, this.#arrivals.length);
    while (this.#next < end) {
      const { port, timestampNs, frame } = this.#arrivals[this.#next]!;
      this.#next += 1;
      this.#nowNs = timestampNs;
      const counters = this.#counters.of(port)!;
      counters.receivedPackets += 1;
      counters.receivedBytes += frame.length;
      receive(port, frame);
    }
    return end - first;
  }

  counters(): ReadonlyMap<number, PortCounters> {
    return this.#counters.snapshot();
  }

  close(): void {
    for (const output of this.#outputs.values()) output.close();
    this.#next = this.#arrivals.length;
    this.#outputs.clear();
  }
}
