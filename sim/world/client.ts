// SPDX-License-Identifier: Apache-2.0
/** One connection, from its first packet to its last. */
import type { Millis } from '../../controller/core/event.ts';
import type { Flow } from '../../controller/core/flow-hash.ts';
import type { Endpoint } from './fleet.ts';

export interface Client {
  readonly flow: Flow;
  readonly isUdp: boolean;
  /** Where its first packet went; undefined: nowhere, and it gives up. */
  endpoint: Endpoint | undefined;
  /** Its server, its vip or its switch's tables were taken away, or it was silent for too long: nobody can save it. */
  isLost: boolean;
  packetsLeft: number;
  /** Its longest pause. */
  maxGapMs: number;
  openedAt: Millis;
  lastSentAt: Millis;
  /** One after the other; the promise ends where they do not. */
  digestsLost: number;
  /** The controller has been told of it. */
  isHeard: boolean;
  /** Index of the switch that its packets go to. */
  device: number;
  /** What happened to it, latest last; kept only when the world is told to. */
  readonly trace: string[];
}

export const tcpProtocol = 6;
export const udpProtocol = 17;
