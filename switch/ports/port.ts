// SPDX-License-Identifier: Apache-2.0
/**
 * How frames get in and out of a switch: a set of numbered ports behind one small interface.
 *
 * Everything is pulled: the owner polls, and gets a batch of frames. So one loop drives real interfaces, replayed
 * captures and the ports of a test alike, and a busy switch is slowed by its own work, never by a queue of callbacks.
 */

/** `frame` starts at the Ethernet header, carries no FCS, and is valid only during the call: copy what must outlive it. */
export type ReceiveFrame = (port: number, frame: Uint8Array) => void;

export interface Ports {
  /**
   * Queues a frame to leave on `port` at the next flush or poll. The bytes are copied before this returns.
   * Never throws for what a packet can cause: a frame that cannot leave is counted under its reason and dropped.
   */
  send(port: number, frame: Uint8Array): void;

  /** An estimate of how many frames wait for the link of `port`; 0 where nothing waits, and for an unknown port. */
  queuedFrames(port: number): number;

  /** Hands every queued frame to the world now. */
  flush(): void;

  /**
   * Flushes, waits up to `timeoutMs` for something to happen, and hands over the frames that have arrived.
   * The batch is bounded; what is left over is delivered by the next call.
   *
   * @returns how many frames were delivered
   */
  poll(timeoutMs: number, receive: ReceiveFrame): number;

  /** A snapshot, by port number. */
  counters(): ReadonlyMap<number, PortCounters>;

  /** Flushes and gives everything back to the system. Closing twice is fine; not from within a receive callback. */
  close(): void;
}

/** Why a frame did not make it through a port. */
export type DropReason =
  /** The pipeline chose a port that this switch does not have. */
  | 'unknown-port'
  /** The kernel's receive ring was full: the switch was too slow. */
  | 'receive-ring-full'
  /** Longer than the ring's frames, and the kernel had no memory for the rest. */
  | 'receive-truncated'
  /** A segmentation-offload frame of a kind that cannot be segmented here. */
  | 'receive-offload'
  /** The sender left the checksum to us, at a place outside the frame. */
  | 'receive-checksum'
  /** The transmit queue, ours or the kernel's, was full. */
  | 'transmit-queue-full'
  /** Longer than the interface's MTU. */
  | 'transmit-too-long'
  /** The interface is down or gone. */
  | 'transmit-down'
  /** Refused by the kernel for another reason. */
  | 'transmit-refused';

export interface PortCounters {
  receivedPackets: number;
  receivedBytes: number;
  sentPackets: number;
  sentBytes: number;
  /** Reasons that never occurred are absent. */
  drops: Partial<Record<DropReason, number>>;
}

export function emptyCounters(): PortCounters {
  return { receivedPackets: 0, receivedBytes: 0, sentPackets: 0, sentBytes: 0, drops: {} };
}

export function countDrop(counters: PortCounters, reason: DropReason, frames = 1): void {
  counters.drops[reason] = (counters.drops[reason] ?? 0) + frames;
}

/** The counters of a fixed set of ports, and of those a packet asked for that do not exist. */
export class CounterTable {
  /** Different wrong ports remembered by number. The rest share row -1. */
  static readonly unknownPortsMax = 512;

  readonly #known: ReadonlyMap<number, PortCounters>;
  readonly #unknown = new Map<number, PortCounters>();

  constructor(ports: Iterable<number>) {
    this.#known = new Map([...ports].map((port) => [port, emptyCounters()]));
  }

  /** @returns undefined for a port that does not exist */
  of(port: number): PortCounters | undefined {
    return this.#known.get(port);
  }

  countUnknown(port: number): void {
    const key = this.#unknown.has(port) || this.#unknown.size < CounterTable.unknownPortsMax ? port : -1;
    let row = this.#unknown.get(key);
    if (row === undefined) this.#unknown.set(key, (row = emptyCounters()));
    countDrop(row, 'unknown-port');
  }

  snapshot(): ReadonlyMap<number, PortCounters> {
    const rows = [...this.#known, ...this.#unknown];
    return new Map(rows.map(([port, row]) => [port, { ...row, drops: { ...row.drops } }]));
  }
}
