// SPDX-License-Identifier: Apache-2.0
/**
 * Ports on real Linux interfaces, through packet sockets. Needs CAP_NET_RAW where the interfaces are.
 *
 * Made for a thread of its own: `poll` blocks in poll(2) and `runLoop` (loop.ts) drives it. An interface may live in
 * another network namespace than the process; its sockets are opened there and stay there.
 */

import { writeSync } from 'node:fs';
import type { Doorbell } from './doorbell.ts';
import { PollSet } from './linux.ts';
import { inNetworkNamespace } from './network-namespace.ts';
import { PacketRing, type PacketRingOptions, packetRingDefaults } from './packet-ring.ts';
import { PathWatch } from './path-watch.ts';
import { CounterTable, type PortCounters, type Ports, type ReceiveFrame } from './port.ts';
import { TransmitQueue } from './transmit-queue.ts';

export interface PacketPortBinding {
  port: number;
  interfaceName: string;
  /** A named network namespace; left out: the one we are in. */
  namespace?: string;
}

export interface PacketPortsOptions extends PacketRingOptions {
  /** Frames of one port that wait for a flush; a full queue flushes itself. */
  transmitFramesMax: number;
  /** Wakes a poll from another thread. The owner creates, clears and closes it. */
  doorbell?: Doorbell;
}

export const packetPortsDefaults: Readonly<PacketPortsOptions> = {
  ...packetRingDefaults,
  transmitFramesMax: 256,
  // Not console: in a worker it needs an event loop that runLoop never gives back.
  diagnostic: (message) => void writeSync(2, `${message}\n`),
};

/** @throws SystemError 'not-permitted', 'not-found', 'unsupported-platform'; nothing is left open then */
export function openPacketPorts(
  bindings: readonly PacketPortBinding[],
  options: Partial<PacketPortsOptions> = {},
): PacketPorts {
  return new PacketPorts(bindings, { ...packetPortsDefaults, ...options });
}

interface PacketPort {
  number: number;
  namespace: string | undefined;
  ring: PacketRing;
  queue: TransmitQueue;
}

/** The ports of one namespace. */
interface Watch {
  watch: PathWatch;
  queues: readonly TransmitQueue[];
}

/** Between two looks at who looks on. */
const lookIntervalMs = 500;
/** After a batch of so many frames, the next may be a few microseconds away. */
const busyFramesMin = 16;
const busyMicros = 20;
/** Looks at the rings between two at the clock. */
const looksPerTime = 32;
/** When the kernel could not take everything. */
const retryMs = 1;

export class PacketPorts implements Ports {
  readonly #ports: PacketPort[] = [];
  readonly #byNumber = new Map<number, PacketPort>();
  readonly #counters: CounterTable;
  readonly #pollSet: PollSet;
  readonly #watches: Watch[] = [];
  #nextLookMs = 0;
  /** Frames of the last poll. */
  #lastBatch = 0;
  /** Of polls: how many frames wait is asked at most once in each, and after a flush. */
  #round = 0;
  /** Queues with something in them. */
  #waiting: TransmitQueue[] = [];
  /** Who is drained first, so that a busy port cannot starve the others. */
  #first = 0;

  /** Use `openPacketPorts`, which knows the defaults. */
  constructor(bindings: readonly PacketPortBinding[], options: PacketPortsOptions) {
    const numbers = new Set(bindings.map(({ port }) => port));
    if (numbers.size < bindings.length) throw new RangeError('two bindings name the same port');
    this.#counters = new CounterTable(numbers);
    try {
      for (const binding of bindings) this.#ports.push(this.#open(binding, options));
    } catch (error) {
      this.close();
      throw error;
    }
    for (const port of this.#ports) this.#byNumber.set(port.number, port);
    this.#watches.push(...watchesOf(this.#ports));
    const fds = this.#ports.map(({ ring }) => ring.fd);
    this.#pollSet = new PollSet(options.doorbell === undefined ? fds : [...fds, options.doorbell.fd]);
  }

  send(port: number, frame: Uint8Array): void {
    const target = this.#byNumber.get(port);
    if (target === undefined) {
      this.#counters.countUnknown(port);
      return;
    }
    if (target.queue.push(frame)) this.#waiting.push(target.queue);
  }

  queuedFrames(port: number): number {
    return this.#byNumber.get(port)?.queue.queuedFrames(this.#round) ?? 0;
  }

  flush(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    let left = 0;
    for (const queue of waiting) {
      queue.flush();
      if (!queue.isEmpty) waiting[left++] = queue;
    }
    waiting.length = left;
  }

  poll(timeoutMs: number, receive: ReceiveFrame): number {
    this.#round += 1;
    this.flush();
    this.#look();
    const wasBusy = this.#lastBatch >= busyFramesMin;
    const frames = (this.#lastBatch = this.#drain(receive));
    if (frames > 0) return frames;
    if (wasBusy && this.#awaitMore()) return (this.#lastBatch = this.#drain(receive));
    const sleepMs = this.#waiting.length === 0 ? timeoutMs : Math.min(timeoutMs, retryMs);
    if (this.#pollSet.wait(sleepMs) === 0) return 0;
    return this.#drain(receive) || this.#drainLeftovers(receive);
  }

  counters(): ReadonlyMap<number, PortCounters> {
    for (const { ring } of this.#ports) ring.readKernelDrops();
    return this.#counters.snapshot();
  }

  close(): void {
    for (const { ring, queue } of this.#ports) {
      queue.close();
      ring.close();
    }
    for (const { watch } of this.#watches) watch.close();
    this.#watches.length = 0;
    this.#ports.length = 0;
    this.#byNumber.clear();
    this.#waiting = [];
  }

  #open({ port, interfaceName, namespace }: PacketPortBinding, options: PacketPortsOptions): PacketPort {
    const counters = this.#counters.of(port)!;
    return inNetworkNamespace(namespace, () => {
      const ring = new PacketRing(interfaceName, counters, options);
      try {
        return {
          number: port,
          namespace,
          ring,
          queue: new TransmitQueue(interfaceName, namespace, counters, options.transmitFramesMax),
        };
      } catch (error) {
        ring.close();
        throw error;
      }
    });
  }

  /** Going to sleep and being woken takes longer than the next burst of a busy link. @returns whether frames have come */
  #awaitMore(): boolean {
    const endMs = performance.now() + busyMicros / 1000;
    do {
      for (let looks = 0; looks < looksPerTime; looks += 1) {
        for (const { ring } of this.#ports) if (ring.hasFrames()) return true;
      }
    } while (performance.now() < endMs);
    return false;
  }

  /** Now and then: who looks on may have come or gone. */
  #look(): void {
    if (this.#watches.length === 0) return;
    const nowMs = performance.now();
    if (nowMs < this.#nextLookMs) return;
    this.#nextLookMs = nowMs + lookIntervalMs;
    for (const { watch, queues } of this.#watches) {
      const mayGoDirectly = watch.look();
      for (const queue of queues) queue.choose(mayGoDirectly(queue.interfaceIndex));
    }
  }

  #drain(receive: ReceiveFrame): number {
    const ports = this.#ports;
    const first = (this.#first = this.#first + 1 < ports.length ? this.#first + 1 : 0);
    let frames = 0;
    for (let index = 0; index < ports.length; index += 1) {
      const { number, ring } = ports[(first + index) % ports.length]!;
      frames += ring.drain(number, receive);
    }
    return frames;
  }

  /** Something is ready, but no slot of a ring: an interface went down, a super-frame is queued, or the doorbell rang. */
  #drainLeftovers(receive: ReceiveFrame): number {
    let frames = 0;
    for (const [index, { number, ring }] of [...this.#ports].entries()) {
      if (this.#pollSet.hasError(index)) ring.clearError();
      frames += ring.drainInbox(number, receive);
    }
    return frames;
  }
}

/** @returns none where that cannot be watched: then every frame leaves in the usual way */
function watchesOf(ports: readonly PacketPort[]): Watch[] {
  const watches: Watch[] = [];
  for (const namespace of new Set(ports.map((port) => port.namespace))) {
    const here = ports.filter((port) => port.namespace === namespace);
    try {
      const watch = new PathWatch(
        namespace,
        here.map(({ ring }) => ring.fd),
      );
      watches.push({ watch, queues: here.map(({ queue }) => queue) });
    } catch {
      // No netlink or no /proc, as in some containers.
    }
  }
  return watches;
}
