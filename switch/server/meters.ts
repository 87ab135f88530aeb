// SPDX-License-Identifier: Apache-2.0
/** Meter configs: from P4Runtime to what the pipeline needs, and how each meter is configured. */

import type { MeterConfig } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { MeterRates } from '../engine/pipeline.ts';
import type { Rules } from './compat.ts';
import { invalid } from './refusal.ts';

/** What simple_switch_grpc keeps a burst in. */
const burstMax = 2n ** 32n - 1n;

/** @throws Refusal; unlike on simple_switch_grpc the meter then keeps the rates it had */
export function ratesOf(rules: Rules, { cir, cburst, pir, pburst, eburst }: MeterConfig): MeterRates {
  for (const [name, value] of Object.entries({ cir, cburst, pir, pburst })) {
    // simple_switch_grpc takes four times -1 for "always green", which is a config left out.
    if (value < 0n)
      throw invalid(`${name} ${value} is negative; leave the config out for a meter without limits`);
  }
  if (eburst !== 0n) throw invalid('eburst is for meters of a single rate, which this switch does not have');
  if (cburst > burstMax || pburst > burstMax) rules.allow('meter-burst', `a burst above ${burstMax}`);
  if (pir < cir) {
    throw rules.refusal('peak-below-committed', `the peak rate ${pir} is below the committed rate ${cir}`);
  }
  return {
    committedPerSecond: Number(cir),
    committedBurst: Number(cburst),
    peakPerSecond: Number(pir),
    peakBurst: Number(pburst),
  };
}

/** The configs of one array of meters; a meter without one is always green. */
export type MeterConfigs = Map<number, MeterConfig>;

/** @throws Refusal */
export function cellIndex(rules: Rules, index: bigint, size: number, what: string): number {
  if (index < 0n) throw invalid(`${what} has no cell ${index}`);
  if (index >= BigInt(size)) {
    throw rules.refusal('index-beyond-array', `${what} has ${size} cells, no cell ${index}`);
  }
  return Number(index);
}
