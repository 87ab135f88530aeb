// SPDX-License-Identifier: Apache-2.0
/** The ways of our own that are worth a line in the tables: the default first. */

import type { Servers } from '../workload/servers.ts';
import type { Traffic } from '../workload/traffic.ts';
import { Evenkeel, type EvenkeelOptions } from './evenkeel.ts';

export const variants: readonly Partial<EvenkeelOptions>[] = [{ name: 'evenkeel' }];

/** Where the ways differ. */
export const seatRules: readonly Partial<EvenkeelOptions>[] = [
  ...variants,
  { name: 'evenkeel, nobody waits for a seat', engine: { seatWaitMs: 0, maxSeats: 24 } },
  { name: 'evenkeel, no seats', engine: { seatWaitMs: 0, maxSeats: 0 } },
];

export function createVariants(
  { traffic, servers }: { traffic: Traffic; servers: Servers },
  { slotCount }: { slotCount: number },
  chosen: readonly Partial<EvenkeelOptions>[] = variants,
): Evenkeel[] {
  return chosen.map((variant) => new Evenkeel(traffic.flows, servers, { slotCount, ...variant }));
}
