// SPDX-License-Identifier: Apache-2.0
/** A way out of an interface: message-queue.ts is the usual one, xdp-queue.ts the direct one. */

export interface FrameQueue {
  /** Copies the frame. @returns whether the queue was empty before */
  push(frame: Uint8Array): boolean;
  /** Sends what is queued, or counts why not. Never waits for a slow link: a switch drops. */
  flush(): void;
  /** False when a flush has left something for the next one. */
  readonly isEmpty: boolean;
  close(): void;
}

/** What an Ethernet header and two VLAN tags add to the MTU. */
export const linkHeaderBytes = 14 + 8;
