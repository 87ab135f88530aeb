// SPDX-License-Identifier: Apache-2.0
/** The sending half of a port on a real interface: the direct way when nobody would miss the frames there, else the usual. */

import type { FrameQueue } from './frame-queue.ts';
import { MessageQueue } from './message-queue.ts';
import { inNetworkNamespace } from './network-namespace.ts';
import type { PortCounters } from './port.ts';
import { openXdpQueue, type XdpQueue } from './xdp-queue.ts';

export class TransmitQueue implements FrameQueue {
  readonly #usual: MessageQueue;
  readonly #counters: PortCounters;
  readonly #namespace: string | undefined;
  /** Only while it is chosen. */
  #direct: XdpQueue | undefined;
  #isDirectAvailable = true;

  /**
   * @param namespace  a named network namespace; undefined for the one we are in
   * @param framesMax  frames that wait for a flush; a full queue flushes itself
   * @throws SystemError
   */
  constructor(
    interfaceName: string,
    namespace: string | undefined,
    counters: PortCounters,
    framesMax: number,
  ) {
    this.#counters = counters;
    this.#namespace = namespace;
    this.#usual = inNetworkNamespace(namespace, () => new MessageQueue(interfaceName, counters, framesMax));
  }

  get interfaceIndex(): number {
    return this.#usual.link.interfaceIndex;
  }

  get isDirect(): boolean {
    return this.#direct !== undefined;
  }

  /** Frames keep their order across the change. To be called again and again: the way may open later. */
  choose(mayGoDirectly: boolean): void {
    if (!mayGoDirectly) this.#leaveDirectWay();
    else if (this.#direct === undefined && this.#isDirectAvailable) this.#takeDirectWay();
  }

  push(frame: Uint8Array): boolean {
    const direct = this.#direct;
    if (direct === undefined) return this.#usual.push(frame);
    if (direct.fits(frame.length)) return direct.push(frame);
    direct.flush();
    this.#usual.push(frame);
    this.#usual.flush();
    return false;
  }

  flush(): void {
    if (this.#direct === undefined) {
      this.#usual.flush();
      return;
    }
    this.#direct.flush();
    if (this.#direct.isBroken) this.#leaveDirectWay();
  }

  /** As of the usual way; on the direct one nothing waits, for it is taken only where there is no queue. */
  queuedFrames(round: number): number {
    return this.#direct === undefined ? this.#usual.queuedFrames(round) : 0;
  }

  get isEmpty(): boolean {
    return (this.#direct ?? this.#usual).isEmpty;
  }

  close(): void {
    this.#usual.close();
    this.#direct?.close();
  }

  #takeDirectWay(): void {
    const { interfaceIndex, mtu } = this.#usual.link;
    this.#usual.flush();
    const opened = inNetworkNamespace(this.#namespace, () =>
      openXdpQueue(interfaceIndex, mtu, this.#counters),
    );
    if (opened === 'unavailable') this.#isDirectAvailable = false;
    else if (opened !== 'not-now') this.#direct = opened;
  }

  #leaveDirectWay(): void {
    this.#direct?.close();
    this.#direct = undefined;
  }
}
