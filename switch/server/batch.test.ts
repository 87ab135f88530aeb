// SPDX-License-Identifier: Apache-2.0
/** What a batch has done to the state of record can be taken back to the last handle. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Update } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { compile } from '../engine/compile.ts';
import { Batch } from './batch.ts';
import { bind } from './binding.ts';
import { ManualClock } from './clock.ts';
import { Rules } from './compat.ts';
import { DigestDesk } from './digest-desk.ts';
import type { HostOperation } from './host.ts';
import { freshlyLoaded, type Loaded, operationsOf } from './loaded.ts';
import { Refusal } from './refusal.ts';
import { StagedAccess } from './staged-access.ts';
import { compat, features, type TestProgram } from './testdata/harness.ts';
import { updatesOf } from './testdata/random-updates.ts';
import { TrapLog } from './trap-log.ts';
import { writeUpdate } from './write.ts';

const rules = new Rules('spec');
const digests = new DigestDesk({ clock: new ManualClock(), send: () => {} });

function stateOf(program: TestProgram): () => Loaded {
  const sink = { transmit() {}, digest() {}, diagnostic() {} };
  const json = JSON.parse(new TextDecoder().decode(program.json));
  const bound = bind(program.p4info, compile(json, { dropPort: 511, sink }).program);
  if ('problems' in bound) throw new Error(bound.problems.join());
  const parts = {
    config: undefined as never,
    binding: bound.binding,
    rules,
    traps: new TrapLog(rules, () => {}),
  };
  return () => freshlyLoaded({ ...parts, access: new StagedAccess() }, () => true);
}

/** What is refused changes nothing, so the others can go on. */
function carryOut(loaded: Loaded, updates: readonly Update[], batch: Batch): void {
  for (const update of updates) {
    try {
      writeUpdate(loaded, update, batch, digests);
    } catch (cause) {
      if (!(cause instanceof Refusal)) throw cause;
    }
  }
}

const textOf = (_key: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value);

function factsOf(loaded: Loaded): string[] {
  const facts: unknown[] = [
    ...operationsOf(loaded).map((operation: HostOperation) => operation),
    ...[...loaded.digests].map(([id, { config }]) => ({ id, config })),
  ];
  return facts.map((fact) => JSON.stringify(fact, textOf)).sort();
}

test.each([
  ['tables, counters, digests', features],
  ['profiles, meters, value sets', compat],
])('%s: a switch that took batches back goes on as one that never had them', (_, program) => {
  const fresh = stateOf(program);
  const steps = fc.array(
    fc.record({
      stays: fc.boolean(),
      updates: fc.array(updatesOf(program), { minLength: 1, maxLength: 15 }),
    }),
    { minLength: 2, maxLength: 12, size: 'max' },
  );
  fc.assert(
    fc.property(steps, (each) => {
      const [tried, spared] = [fresh(), fresh()];
      for (const [number, { stays, updates }] of each.entries()) {
        const batch = new Batch(number, 'whole');
        carryOut(tried, updates, batch);
        if (stays) {
          const same = new Batch(number, 'parts');
          carryOut(spared, updates, same);
          // The handles in them show what the pools have become.
          expect(batch.operations).toEqual(same.operations);
          for (const done of [batch, same]) done.settle();
        } else batch.rollBack();
        expect(factsOf(tried)).toEqual(factsOf(spared));
      }
    }),
    { numRuns: 800 },
  );
});
