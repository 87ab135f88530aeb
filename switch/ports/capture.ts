// SPDX-License-Identifier: Apache-2.0
/**
 * Records what goes through any ports, one pair of files for each, as BMv2 does for `--pcap`: `<interface>_in.pcap` for
 * what the switch received and `<interface>_out.pcap` for what it sent, whether or not the world took it.
 */

import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { PcapWriter, type PcapWriterOptions, pcapWriterDefaults } from './pcap.ts';
import type { PortCounters, Ports, ReceiveFrame } from './port.ts';

export interface CapturedPort {
  port: number;
  interfaceName: string;
}

export interface CaptureOptions extends PcapWriterOptions {
  /** Time since 1970. */
  nowNs: () => bigint;
  /** Told once for each file that is full or cannot be written any more. */
  diagnostic: (message: string) => void;
}

export const captureDefaults: Readonly<CaptureOptions> = {
  ...pcapWriterDefaults,
  nowNs: () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n,
  diagnostic: (message) => void writeSync(2, `${message}\n`),
};

/** @throws the error of the file system when a file cannot be created; later trouble ends the capture, not the switch */
export function capturePorts(
  ports: Ports,
  captured: readonly CapturedPort[],
  directory: string,
  options: Partial<CaptureOptions> = {},
): Ports {
  return new CapturePorts(ports, captured, directory, { ...captureDefaults, ...options });
}

class CapturePorts implements Ports {
  readonly #ports: Ports;
  readonly #options: CaptureOptions;
  readonly #received = new Map<number, PcapWriter>();
  readonly #sent = new Map<number, PcapWriter>();

  constructor(ports: Ports, captured: readonly CapturedPort[], directory: string, options: CaptureOptions) {
    this.#ports = ports;
    this.#options = options;
    for (const { port, interfaceName } of captured) {
      this.#received.set(port, new PcapWriter(join(directory, `${interfaceName}_in.pcap`), options));
      this.#sent.set(port, new PcapWriter(join(directory, `${interfaceName}_out.pcap`), options));
    }
  }

  send(port: number, frame: Uint8Array): void {
    this.#record(this.#sent, port, frame);
    this.#ports.send(port, frame);
  }

  queuedFrames(port: number): number {
    return this.#ports.queuedFrames(port);
  }

  flush(): void {
    this.#ports.flush();
    this.#flushFiles();
  }

  poll(timeoutMs: number, receive: ReceiveFrame): number {
    // Before sleeping, so that who looks into the files of an idle switch sees everything.
    this.#ports.flush();
    this.#flushFiles();
    return this.#ports.poll(timeoutMs, (port, frame) => {
      this.#record(this.#received, port, frame);
      receive(port, frame);
    });
  }

  counters(): ReadonlyMap<number, PortCounters> {
    return this.#ports.counters();
  }

  close(): void {
    this.#ports.close();
    for (const files of [this.#received, this.#sent]) {
      for (const [port, file] of files) this.#attempt(files, port, file, () => file.close());
      files.clear();
    }
  }

  #record(files: Map<number, PcapWriter>, port: number, frame: Uint8Array): void {
    const file = files.get(port);
    if (file === undefined) return;
    this.#attempt(files, port, file, () => {
      if (!file.write(frame, this.#options.nowNs()))
        throw new Error(`it has reached ${this.#options.fileBytesMax} bytes`);
    });
  }

  #flushFiles(): void {
    for (const files of [this.#received, this.#sent]) {
      for (const [port, file] of files) this.#attempt(files, port, file, () => file.flush());
    }
  }

  /** A full disk ends the capture, never the switch. */
  #attempt(files: Map<number, PcapWriter>, port: number, file: PcapWriter, work: () => void): void {
    try {
      work();
    } catch (error) {
      files.delete(port);
      this.#options.diagnostic(`${file.path}: the capture ends here: ${(error as Error).message}`);
      try {
        file.close();
      } catch {
        // The disk is still full; what matters has been said.
      }
    }
  }
}
