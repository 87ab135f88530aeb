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
  /** The pool that served its vip then. */
  pool: number | undefined;
  /** Its server, its vip or its switch's tables were taken away, or it was silent for too long: nobody can save it. */
  isLost: boolean;
  packetsLeft: number;
  /** Its longest pause. */
  maxGapMs: number;
  openedAt: Millis;
  /** When a filter slot took it in, last: at its first packet, over UDP also when its slot has turned unstable since. */
  newAt: Millis;
  lastSentAt: Millis;
  /** One after the other; the promise ends where they do not. */
  digestsLost: number;
  /** The controller has been told of it since `newAt`. */
  isHeard: boolean;
  /** A filter slot has been shown an opening packet of it, since its slot was stable. */
  isInFilters: boolean;
  /** A filter slot knew it before it could: a connection with the same 5-tuple was there a short while ago. */
  isMistakable: boolean;
  /** A pin of such a connection took its first packet. */
  isReopened: boolean;
  /** ... which was idle by then, so that its delete may be on its way; and the digest that tells of this one was lost. */
  wasExpired: boolean;
  isOpeningLost: boolean;
  /** Its slot was stable when it came. */
  isOldest: boolean;
  /** When the controller was told of it first. */
  heardAt: Millis | undefined;
  /** Since when every packet of it has met its pin. */
  pinnedAt: Millis | undefined;
  /** Index of the switch that its packets go to. */
  device: number;
}

export const tcpProtocol = 6;
export const udpProtocol = 17;
