// SPDX-License-Identifier: Apache-2.0
/**
 * That the comparison can fail, and what it then shows; and a small run against simple_switch_grpc when BMV2_SWITCH_EXE
 * names it. EVENKEEL_SEED and EVENKEEL_RUNS make it another, or longer; long ones are main.ts's.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBmv2 } from './bmv2.ts';
import { describe as textOf } from './compare.ts';
import { confirmedDuel, duel } from './duel.ts';
import { startEmbedded } from './embedded.ts';
import { makeScript } from './generate/script.ts';
import { loadProgram, programNames } from './programs.ts';
import { type Script, scriptFromJson, scriptToJson, sizeOf } from './script.ts';
import { shrink } from './shrink.ts';
import type { Target } from './target.ts';

const small = { updates: 20, packets: 40, rounds: 1 };

describe('a script', () => {
  it.each(programNames)('is the same for the same seed, and survives its file: %s', (name) => {
    const program = loadProgram(name);
    const json = JSON.stringify(scriptToJson(makeScript(program, 7, small)));
    expect(JSON.stringify(scriptToJson(makeScript(program, 7, small)))).toBe(json);
    expect(JSON.stringify(scriptToJson(scriptFromJson(JSON.parse(json))))).toBe(json);
    expect(JSON.stringify(scriptToJson(makeScript(program, 8, small)))).not.toBe(json);
  });
});

describe('a switch with a planted mistake', () => {
  const mistakes: readonly {
    mistake: string;
    program: string;
    spoil: (port: number, frame: Uint8Array) => Uint8Array | undefined;
    size: { updates: number; packets: number };
  }[] = [
    {
      mistake: 'one bit flipped in long frames at one port',
      program: 'hashing',
      spoil: (port, frame) => {
        if (port === 3 && frame.length > 60) frame[frame.length - 1]! ^= 1;
        return frame;
      },
      size: { updates: 0, packets: 1 },
    },
    {
      mistake: 'frames lost when an entry of a metered table is hit',
      program: 'state',
      // The fourth byte is the mark that such an entry, or one of the other table, leaves.
      spoil: (_port, frame) => (frame.length > 26 && frame[3] !== 0 ? undefined : frame),
      size: { updates: 1, packets: 1 },
    },
  ];

  it.each(mistakes)('is found, and shown by what it takes: $mistake', async ({ program, spoil, size }) => {
    const right = await startEmbedded();
    const wrong = await startEmbedded({}, spoil);
    try {
      const loaded = loadProgram(program);
      const fails = async (script: Script) =>
        (await duel(loaded, script, right, wrong, 'accepted')).difference !== undefined;
      let script: Script | undefined;
      for (let seed = 1; seed < 20 && script === undefined; seed++) {
        const candidate = makeScript(loaded, seed, small);
        if (await fails(candidate)) script = candidate;
      }
      expect(script).toBeDefined();
      const shrunk = await shrink(script!, fails, 120);
      expect(sizeOf(shrunk)).toEqual(size);
      expect(await fails(shrunk)).toBe(true);
    } finally {
      await right.close();
      await wrong.close();
    }
  });
});

const executable = process.env.BMV2_SWITCH_EXE;
const runs = Number(process.env.EVENKEEL_RUNS ?? 1);
const firstSeed = Number(process.env.EVENKEEL_SEED ?? 1);

describe.skipIf(executable === undefined)('simple_switch_grpc (skipped without BMV2_SWITCH_EXE)', () => {
  let embedded: Target;
  let bmv2: Target;

  beforeAll(async () => {
    embedded = await startEmbedded();
    bmv2 = (await startBmv2(executable!)).target;
  });

  afterAll(async () => {
    await embedded?.close();
    await bmv2?.close();
  });

  it.each(programNames)(
    'accepts what the embedded switch accepts, and does the same: %s',
    async (name) => {
      const program = loadProgram(name);
      for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
        const script = makeScript(program, seed);
        const { difference } = await confirmedDuel(program, script, embedded, bmv2, 'accepted');
        expect(difference && `seed ${seed}: ${textOf(difference, script.steps)}`).toBeUndefined();
      }
    },
    30_000 + runs * 10_000,
  );
});
