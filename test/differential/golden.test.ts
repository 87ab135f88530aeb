// SPDX-License-Identifier: Apache-2.0
/** The embedded switch does what simple_switch_grpc did when it was recorded, compiled and interpreted. */
import { describe, expect, it } from 'vitest';
import { compareStep, describe as textOf } from './compare.ts';
import { startEmbedded } from './embedded.ts';
import { hashText, readGolden } from './golden.ts';
import { knownDifference, knownDifferences } from './known-differences.ts';
import { loadProgram, programNames } from './programs.ts';
import { wanders } from './target.ts';

const tiers = [
  { tier: 'compiled', recordingsMax: Number.POSITIVE_INFINITY },
  // Slower, and compared with the compiled tier elsewhere.
  { tier: 'interpreted', recordingsMax: 1 },
] as const;

describe.each(tiers)('what simple_switch_grpc did', ({ tier, recordingsMax }) => {
  it.each(programNames)(
    `is what the embedded switch does, ${tier}: %s`,
    { timeout: 120_000 },
    async (name) => {
      const program = loadProgram(name);
      const { header, recordings } = readGolden(name);
      expect(header.program, 'the program has changed since: see record.ts').toBe(hashText(program.json));
      const embedded = await startEmbedded({ tier });
      try {
        for (const { script, transcript } of recordings.slice(0, recordingsMax)) {
          await embedded.reset(program);
          for (const [index, step] of script.steps.entries()) {
            const result = await embedded.run(program, step, undefined);
            const differences = compareStep(index, result, transcript[index]!, wanders(program)).filter(
              (difference) => !knownDifference(difference, step, 'accepted'),
            );
            expect(differences.map((each) => textOf(each, script.steps))).toEqual([]);
          }
        }
      } finally {
        await embedded.close();
      }
    },
  );
});

describe('the known differences', () => {
  it('have names of their own, and each an explanation', () => {
    expect(new Set(knownDifferences.map(({ name }) => name)).size).toBe(knownDifferences.length);
    for (const { explanation } of knownDifferences) expect(explanation.length).toBeGreaterThan(80);
  });
});
