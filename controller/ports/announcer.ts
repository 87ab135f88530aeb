// SPDX-License-Identifier: Apache-2.0
/** What the controller needs of the process that tells routers where the vips are. */
import type { Address } from '../core/desired.ts';

/**
 * One speaker. It is told all that is to be announced, as often as one likes, and sees to it by itself that this becomes
 * true and stays true: also when the speaker is not there yet, fails, or starts anew.
 */
export interface Announcer {
  /** Each address by itself, as /32 or /128; whatever else we announced before is withdrawn. The last call counts. */
  announce(addresses: readonly Address[]): void;
  status(): AnnouncerStatus;
  /** What is announced remains so. */
  close(): Promise<void>;
}

/** Plain JSON-able data. */
export interface AnnouncerStatus {
  /** How people call it. */
  speaker: string;
  /** As the speaker has confirmed them last, with their prefix lengths; undefined: not yet. */
  announced: string[] | undefined;
  /** Why the speaker does not say what it should. */
  problem: string | undefined;
}
