// SPDX-License-Identifier: Apache-2.0
/**
 * Feeds captures to a switch in memory and captures what it sends, as BMv2's `--use-files`: `<interface>_in.pcap` in,
 * `<interface>_out.pcap` out.
 */

import type { PacketPortBinding } from '../ports/packet-socket.ts';
import { ReplayPorts } from '../ports/replay.ts';

export interface ReplayOptions {
  /** Where the files are. */
  directory: string;
  /** From the start of the switch to the first frame: time for a controller to fill the tables. */
  waitMs: number;
}

export class Replay {
  readonly #ports: ReplayPorts;
  readonly #waitMs: number;
  #timer: NodeJS.Timeout | undefined;
  #step: NodeJS.Immediate | undefined;

  /** @throws PcapError, or the error of the file system */
  constructor(interfaces: readonly PacketPortBinding[], { directory, waitMs }: ReplayOptions) {
    this.#ports = new ReplayPorts(interfaces, directory);
    this.#waitMs = waitMs;
  }

  transmit(port: number, frame: Uint8Array): void {
    this.#ports.send(port, frame);
  }

  counters(): ReturnType<ReplayPorts['counters']> {
    return this.#ports.counters();
  }

  /** @param inject  must have transmitted what a frame causes when it returns: its time is that of the frame */
  start(inject: (port: number, frame: Uint8Array) => void, onDone: () => void): void {
    const step = () => {
      this.#ports.poll(0, inject);
      if (!this.#ports.isDone) {
        // Between two batches the server has its turn.
        this.#step = setImmediate(step);
        return;
      }
      this.#ports.flush();
      onDone();
    };
    this.#timer = setTimeout(step, this.#waitMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#step);
    this.#ports.close();
  }
}
