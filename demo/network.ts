// SPDX-License-Identifier: Apache-2.0
/** The world around the controller: a switch with hosts, wherever they run. */

import type { Acceptance } from './judge.ts';
import type { BrokenConnection, TrafficOptions, TrafficSummary } from './traffic.ts';

export interface Network {
  /** For the reader of the output. */
  readonly description: string;
  /** Hosts and switch share one thread with us: only gentle traffic is fair to them. */
  readonly isInMemory: boolean;
  /** Of the switch's P4Runtime server. */
  readonly switchAddress: string;
  readonly deviceId: number;
  /** @param onAccepted  is told of every connection, by whoever it is from; it may be late */
  startServers(host: string, onAccepted?: (accepted: Acceptance) => void): Promise<void>;
  /** At once, as by kill -9. Resolves when their kernel has closed all that was theirs. */
  killServers(host: string): Promise<void>;
  sayGoodbye(server: string): void;
  startTraffic(
    options: TrafficOptions,
    onBroken: (broken: BrokenConnection) => void,
  ): Promise<RunningTraffic>;
  /** Sends one frame from the client's interface. */
  sendFromClient(frames: readonly Uint8Array[]): void;
  /** The reason when the switch is no longer there. */
  failure(): string | undefined;
  close(): Promise<void>;
}

export interface RunningTraffic {
  /** The latest known. */
  summary(): TrafficSummary;
  calm(): void;
  /** Resolves with the last word when every connection has ended. */
  stop(): Promise<TrafficSummary>;
}

export const emptySummary: Readonly<TrafficSummary> = {
  longOpen: 0,
  shortOpen: 0,
  longTotal: 0,
  shortTotal: 0,
  finished: 0,
  broken: 0,
  answers: 0,
  bytes: 0,
  servers: {},
};
