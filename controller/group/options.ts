// SPDX-License-Identifier: Apache-2.0
/** The group's numbers: how long it waits for a switch, how much it gives one at once, how much it remembers. */

import type { Millis } from '../core/event.ts';

export interface SwitchGroupOptions {
  /**
   * A switch that leaves a write unanswered for so long is no longer waited for, unless it is the last: then nobody is
   * kept waiting by it.
   */
  laggardMs: number;
  /** When no tables are in force yet, the first switch to connect waits so long for the others. */
  gatherMs: number;
  /** Rows of a switch that are looked at in one turn when a controller begins. */
  sliceRows: number;
  /**
   * A pin is idle when every switch has said so within this time; else its timeout begins anew on all of them. Their timeouts
   * are longer by it.
   */
  idleAgreeMs: number;
  /** Pins that some switches have said to be idle and others not. What comes beyond it is told again by the switch. */
  idleMarksMax: number;
  /** Updates in one write to a switch that joins, and in all that it has not answered. */
  joinBatch: number;
  joinUpdatesInFlight: number;
  /** When a switch that joins is behind by no more than this, new writes wait for it too. */
  joinTailRows: number;
  /** A join that failed is tried again after this. */
  joinRetryMs: number;
  /** An update that a switch answers by 'exists' or 'missing' is turned round so often before it counts as refused. */
  correctionsMax: number;
  /** While no switch participates, a switch may refuse a row so often before the whole group goes without it. */
  refusalsMax: number;
  /** Switches are read back so often, to see whether somebody else has written to them. Undefined: only when asked. */
  auditMs: Millis | undefined;
  /** What is not as it should be is looked at again after this, before it is told. */
  auditConfirmMs: Millis;
  /** ... and for every second that reading takes, none is read for so many. */
  auditRest: number;
  /** Rows of a switch that are remembered as drifted. More are told, and repaired, when these are. */
  driftRowsMax: number;
  /** Of these, so many are shown. */
  driftRowsShown: number;
  /** Rows of others on one switch that are let be. Nothing is adopted when it would be more. */
  adoptedRowsMax: number;
  /** A switch that is to be adopted, and is being written to, is waited for so long. */
  adoptPatienceMs: Millis;
}

export const switchGroupDefaults: Readonly<SwitchGroupOptions> = {
  laggardMs: 10_000,
  gatherMs: 2_000,
  sliceRows: 100_000,
  idleAgreeMs: 10_000,
  idleMarksMax: 10_000,
  joinBatch: 500,
  joinUpdatesInFlight: 2_000,
  joinTailRows: 500,
  joinRetryMs: 1_000,
  correctionsMax: 3,
  refusalsMax: 5,
  auditMs: undefined,
  auditConfirmMs: 1_000,
  auditRest: 20,
  driftRowsMax: 100_000,
  driftRowsShown: 200,
  adoptedRowsMax: 2_000,
  adoptPatienceMs: 10_000,
};
