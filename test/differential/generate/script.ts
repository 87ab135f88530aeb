// SPDX-License-Identifier: Apache-2.0
/** A random script for a program: the same seed, the same script. */
import { Dice } from '../../../controller/core/testing/dice.ts';
import type { TestProgram } from '../programs.ts';
import type { Script, Step } from '../script.ts';
import { PacketMaker } from './packets.ts';
import { watchedPorts } from './profiles.ts';
import { Vocabulary } from './vocabulary.ts';
import { WriteMaker } from './writes.ts';

export interface ScriptSize {
  readonly updates: number;
  readonly packets: number;
  /** Rounds of writes, packets and a read. */
  readonly rounds: number;
}

export const usualSize: ScriptSize = { updates: 60, packets: 300, rounds: 3 };

const batchMax = 12;

export function makeScript(program: TestProgram, seed: number, size: ScriptSize = usualSize): Script {
  const dice = new Dice(seed);
  const vocabulary = new Vocabulary(dice);
  const writes = new WriteMaker(program, dice, vocabulary);
  const packets = new PacketMaker(program, dice, vocabulary, writes);
  const steps: Step[] = [];
  const opening = writes.opening();
  if (opening.length > 0) steps.push({ kind: 'write', updates: opening });
  for (let round = 0; round < size.rounds; round++) {
    for (let left = Math.ceil(size.updates / size.rounds); left > 0; ) {
      const count = Math.min(left, dice.integer(1, batchMax));
      steps.push({ kind: 'write', updates: writes.batch(count) });
      left -= count;
    }
    if (program.index.actionProfiles.all().length > 0 && dice.chance(0.5)) {
      steps.push({ kind: 'port', port: dice.pick(watchedPorts), isUp: dice.chance(0.4) });
    }
    const count = Math.ceil(size.packets / size.rounds);
    steps.push({ kind: 'packets', packets: Array.from({ length: count }, () => packets.packet()) });
    steps.push({ kind: 'read' });
  }
  return { program: program.name, seed, steps };
}
