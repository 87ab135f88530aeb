// SPDX-License-Identifier: Apache-2.0
/** How often the switch may raise digests and answer on its own, as rates of the program's meter. */
import type { Update } from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { setMeter } from '../../../p4runtime/meters.ts';
import type { P4InfoIndex } from '../../../p4runtime/p4info.ts';
import type { DigestRates } from '../../core/options.ts';

const meter = 'digest_meter.cells';
/** p4/core/types.p4, LIMIT_*. */
const cells = { flows: 0, neighbours: 1, answers: 2 } as const satisfies Record<keyof DigestRates, number>;
/** So much of a second's worth may come at once: digests come in bursts, when a change begins. */
const burstShare = 0.25;

/** Only red counts, so green ends where red begins. */
export function rateUpdates(index: P4InfoIndex, rates: DigestRates): Update[] {
  return Object.entries(cells).map(([name, cell]) => {
    const rate = rates[name as keyof DigestRates];
    const burst = Math.max(1, Math.round(rate * burstShare));
    return setMeter(index, meter, cell, {
      committedRate: rate,
      committedBurst: burst,
      peakRate: rate,
      peakBurst: burst,
    });
  });
}
