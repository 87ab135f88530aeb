// SPDX-License-Identifier: Apache-2.0
/**
 * Records what simple_switch_grpc does under golden/, for each program named or for all:
 *
 *     npx tsc -p test/differential
 *     BMV2_SWITCH_EXE=simple_switch_grpc node out/differential/test/differential/record.js [PROGRAM...]
 *
 * Of the random scripts the updates are left out that the embedded switch refuses: it is stricter on purpose. All else
 * in a recording is simple_switch_grpc's own, whatever the embedded switch would do.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { startBmv2 } from './bmv2.ts';
import { toldSteps } from './duel.ts';
import { startEmbedded } from './embedded.ts';
import { makeScript } from './generate/script.ts';
import { hashText, type Recording, writeGolden } from './golden.ts';
import { loadProgram, programNames } from './programs.ts';
import type { StepResult } from './script.ts';

const seeds = [1, 2, 3];
const size = { updates: 75, packets: 75, rounds: 3 };

const executable = process.env.BMV2_SWITCH_EXE;
if (executable === undefined) throw new Error('BMV2_SWITCH_EXE does not name simple_switch_grpc');
const version = spawnSync(executable, ['--version'], { encoding: 'utf8' }).stdout.trim();
const date = new Date().toISOString().slice(0, 10);
mkdirSync('test/differential/golden', { recursive: true });
const embedded = await startEmbedded();
const { target: bmv2 } = await startBmv2(executable);
// Slow, because nothing tells what is still to come.
bmv2.pace = { quietMs: 80, stallMs: 80 };
for (const name of process.argv.length > 2 ? process.argv.slice(2) : programNames) {
  const program = loadProgram(name);
  const recordings: Recording[] = [];
  for (const seed of seeds) {
    const script = await toldSteps(program, makeScript(program, seed, size), embedded);
    await bmv2.reset(program);
    const transcript: StepResult[] = [];
    for (const step of script.steps) transcript.push(await bmv2.run(program, step, undefined));
    recordings.push({ script, transcript });
  }
  writeGolden(name, {
    header: { switch: `simple_switch_grpc ${version}`, date, program: hashText(program.json) },
    recordings,
  });
  console.log(`recorded ${name}`);
}
await embedded.close();
await bmv2.close();
