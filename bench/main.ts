// SPDX-License-Identifier: Apache-2.0
/** `make bench`: the figures of docs/benchmarks.md. ARGS="--target bmv2" asks for one target only, "--removals 5" for less. */

import { parseArgs } from 'node:util';
import type { Placement } from '../controller/core/desired.ts';
import type { Target } from '../demo/targets.ts';
import { benchCommit, formatCommitBench } from './commit.ts';

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    slots: { type: 'string' },
    placement: { type: 'string' },
    removals: { type: 'string', default: '20' },
  },
});

const targets = values.target ? [values.target as Target] : (['embedded', 'bmv2'] as const);
const slotCounts = values.slots ? [Number(values.slots)] : [4_096, 65_536];
const placements = values.placement ? [values.placement as Placement] : (['pure', 'sticky'] as const);

for (const target of targets) {
  for (const slots of slotCounts) {
    for (const placement of placements) {
      // 100 slots a backend at least; the pool of 100 does not fit 4,096 slots by that rule, which is a warning only.
      const options = { target, slots, placement, backends: 100, removals: Number(values.removals) };
      const result = await benchCommit(options);
      if ('unavailable' in result) {
        console.log(`${target}: not measured: ${result.unavailable}`);
        continue;
      }
      console.log(formatCommitBench(options, result));
    }
  }
}
