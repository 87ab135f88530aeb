// SPDX-License-Identifier: Apache-2.0
/** Who of several controllers is in charge. */

export interface Election {
  /**
   * Stands for election until `close`. To be called once; the listener is never called during a call of this interface.
   * Between two terms of ours there is always a 'standby' in between, told as soon as the term may have ended: from then
   * on nothing may be written.
   */
  start(listener: (role: Role) => void): void;
  /** Gives up what we have; the next takes over at once. */
  close(): Promise<void>;
}

export type Role =
  | {
      kind: 'leader';
      /** Grows from leader to leader, whoever they are: the P4Runtime election id by which a switch knows the last one. */
      term: bigint;
    }
  | { kind: 'standby'; leader: Candidate | undefined; problem: string | undefined };

/** Plain JSON-able data. */
export interface Candidate {
  name: string;
  /** Where its admin API is. */
  admin: string;
}
