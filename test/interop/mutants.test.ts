// SPDX-License-Identifier: Apache-2.0
/**
 * A decoder that nobody here wrote, on what the balancer makes of damaged frames: tshark reads each as it came and as it left.
 * What was well formed still is, checksums that were right are right, answers have none that is wrong, and tunnels say how
 * long they are. EVENKEEL_FRAMES=100000 asks for more frames, EVENKEEL_SEED for others.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { diceOf, type Forwarding, mutant, mutantRows, startEngine } from '../packets/mutants.ts';
import { faultsOf, nameOf, type Passage } from './passage.ts';
import { readWithTshark, whyNoTshark } from './tshark.ts';

const frameCount = Number(process.env.EVENKEEL_FRAMES ?? 2_000);
const firstSeed = Number(process.env.EVENKEEL_SEED ?? 1);
const timeoutMs = 600_000;
/** Of each mode. */
const spoiltCount = 100;
/** Of one run; more would say nothing new. */
const faultsMax = 20;

const modes: readonly Forwarding[] = [
  { kind: 'nat' },
  { kind: 'l2_dsr' },
  ...(['ipip', 'gre', 'gue'] as const).flatMap((kind): Forwarding[] => [
    { kind, outer: 'ipv4' },
    { kind, outer: 'ipv6' },
  ]),
];
const noTshark = whyNoTshark();
const because = noTshark === undefined ? '' : ` (skipped: ${noTshark})`;

/** What left of so many mutants, and which frame each had been. */
function passagesOf(forwarding: Forwarding, count: number, seed: number): Passage[] {
  const passages: Passage[] = [];
  const left: Uint8Array[] = [];
  const engine = startEngine(mutantRows(forwarding), (_port, frame) => left.push(frame.slice()));
  const dice = diceOf(seed);
  const answered = () => engine.counted('decisions.cells', 10);
  for (let number = 0; number < count; number++) {
    const arrived = mutant(dice);
    const before = answered();
    engine.process(0, arrived.slice(), number);
    for (const frame of left.splice(0))
      passages.push({ arrived, left: frame, isAnswer: answered() > before, forwarding });
  }
  return passages;
}

describe.skipIf(noTshark !== undefined)(`tshark${because}`, () => {
  let directory: string;
  const read = (frames: readonly Uint8Array[]) => readWithTshark(frames, directory);
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'evenkeel-mutants-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test('finds nothing wrong in what leaves that was not wrong before', { timeout: timeoutMs }, async () => {
    const count = Math.ceil(frameCount / modes.length);
    const passages = modes.flatMap((mode, i) => passagesOf(mode, count, firstSeed * modes.length + i));
    const faults = await faultsOf(passages, read);
    expect(faults.slice(0, faultsMax)).toEqual([]);
    const answers = passages.filter(({ isAnswer }) => isAnswer).length;
    expect(answers).toBeGreaterThan(frameCount / 100);
    expect(passages.length - answers).toBeGreaterThan(frameCount / 10);
    if (process.env.EVENKEEL_FRAMES)
      console.log(`${count * modes.length} frames, ${passages.length - answers} went on, ${answers} answers`);
  });

  test('finds octets that were spoilt on purpose', { timeout: timeoutMs }, async () => {
    const passages = modes.flatMap((mode) => passagesOf(mode, spoiltCount, firstSeed));
    // The last octet of a packet is under its TCP, UDP or ICMP checksum; where that is right, it must be seen.
    const spoilt = passages.map((passage) => {
      const left = passage.left.slice();
      left[left.length - 1]! ^= 0x10;
      return { ...passage, left };
    });
    const seen = new Set((await faultsOf(spoilt, read)).map(({ forwarding }) => forwarding));
    expect([...seen].sort()).toEqual(modes.map(nameOf).sort());
  });
});
