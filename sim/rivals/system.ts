// SPDX-License-Identifier: Apache-2.0
/**
 * What every load balancer in the comparison is asked: where does this packet go, and how much do you remember? All see the
 * same packets, hash values and changes, in the same order.
 */

import type { Millis } from '../../controller/core/event.ts';
import type { PacketKind } from '../workload/traffic.ts';

/** The packet goes nowhere. */
export const NO_SERVER = -1;

export interface SystemState {
  /** Entries for single flows that the system holds, whether the flow is still alive or not. */
  held: number;
  /** Of these, entries of flows that are alive. */
  live: number;
  /** Slots for which it remembers more than one server; 0 where it knows no such thing. */
  unstableSlots: number;
  /** Flows that its filters were told of since they were last emptied. */
  filterMembers: number;
  /** Updates written to its tables since the start, by a controller that stands apart; 0 where there is none. */
  writes: number;
}

export const NO_STATE: Readonly<SystemState> = {
  held: 0,
  live: 0,
  unstableSlots: 0,
  filterMembers: 0,
  writes: 0,
};

export interface System {
  readonly name: string;
  /** The last packet went where it did because a filter claimed to know a flow that it does not. Undefined: no such filter. */
  readonly isMisled?: boolean;
  /**
   * @param flow  an index into the flow table, where its hash values are
   * @returns the server the packet goes to, or NO_SERVER
   */
  packet(flow: number, kind: PacketKind, now: Millis): number;
  /** Told at the moment it happens. */
  serverDown(server: number, now: Millis): void;
  serverUp(server: number, now: Millis): void;
  /** The flow was answered by a reset; there will be no further packet of it. */
  reset(flow: number, now: Millis): void;
  /** The traffic moves to another instance: the same tables, and of what single flows have left only what it was sent. */
  failOver(now: Millis): void;
  state(now: Millis): SystemState;
}
