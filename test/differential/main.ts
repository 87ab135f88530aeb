// SPDX-License-Identifier: Apache-2.0
/**
 * Differential runs of any length, embedded switch against simple_switch_grpc:
 *
 *     npx tsc -p test/differential
 *     EVENKEEL_SEED=1 EVENKEEL_RUNS=40 BMV2_SWITCH_EXE=simple_switch_grpc \
 *       node out/differential/test/differential/main.js [--rule same|accepted] [PROGRAM...]
 *
 * Each program gets EVENKEEL_RUNS scripts. The first difference is shrunk and written to out/differential/NAME.json,
 * which `--replay FILE` runs again. Without BMV2_SWITCH_EXE two embedded switches meet.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Bmv2, startBmv2 } from './bmv2.ts';
import { describe } from './compare.ts';
import { confirmedDuel, duel, type Rule, summary } from './duel.ts';
import { startEmbedded } from './embedded.ts';
import { makeScript } from './generate/script.ts';
import { loadProgram, programNames } from './programs.ts';
import { type Script, scriptFromJson, scriptToJson, sizeOf } from './script.ts';
import { shrink } from './shrink.ts';
import type { Target } from './target.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rule: { type: 'string', default: 'accepted' }, replay: { type: 'string' } },
});
const rule = values.rule as Rule;
const firstSeed = Number(process.env.EVENKEEL_SEED ?? 1);
const runs = Number(process.env.EVENKEEL_RUNS ?? 5);
const executable = process.env.BMV2_SWITCH_EXE;

let bmv2: Bmv2 | undefined;
const first = await startEmbedded({ compat: rule === 'same' ? 'bmv2' : 'strict' });
let second = await startSecond();

async function startSecond(): Promise<Target> {
  if (executable === undefined) return startEmbedded({ compat: rule === 'same' ? 'bmv2' : 'strict' });
  bmv2 = await startBmv2(executable);
  return bmv2.target;
}

/** A switch that died is a difference, and the next script needs another. */
async function revive(): Promise<void> {
  if (bmv2?.death() === undefined) return;
  await second.close().catch(() => {});
  second = await startSecond();
}

async function isDifferent(script: Script): Promise<boolean> {
  try {
    return (await duel(loadProgram(script.program), script, first, second, rule)).difference !== undefined;
  } catch {
    await revive();
    return true;
  }
}

async function report(script: Script, text: string): Promise<void> {
  console.log(`\n${script.program}, seed ${script.seed}: ${text}`);
  const small = await shrink(script, isDifferent);
  const { difference } = await duel(loadProgram(script.program), small, first, second, rule).catch(() => ({
    difference: undefined,
  }));
  await revive();
  mkdirSync('out/differential', { recursive: true });
  const file = `out/differential/${script.program}-${script.seed}.json`;
  writeFileSync(file, `${JSON.stringify(scriptToJson(small), null, 1)}\n`);
  const { updates, packets } = sizeOf(small);
  console.log(`shrunk to ${updates} updates and ${packets} packets: ${file}`);
  for (const step of small.steps) console.log(`  ${summary(step)}`);
  if (difference) console.log(describe(difference, small.steps));
}

async function run(script: Script): Promise<boolean> {
  try {
    const program = loadProgram(script.program);
    const { difference, explained, retried, ...counts } = await confirmedDuel(
      program,
      script,
      first,
      second,
      rule,
    );
    for (const key of Object.keys(totals) as (keyof typeof totals)[]) totals[key] += counts[key];
    if (retried) retries += 1;
    for (const [known, count] of explained) explanations.set(known, (explanations.get(known) ?? 0) + count);
    if (!difference) return true;
    await report(script, describe(difference, script.steps));
  } catch (cause) {
    const death = bmv2?.death();
    await revive();
    await report(script, death ?? String((cause as Error).stack));
  }
  return false;
}

const totals = { updates: 0, accepted: 0, packets: 0, outputs: 0 };
const explanations = new Map<string, number>();
let retries = 0;
let failed = 0;
if (values.replay !== undefined) {
  failed += (await run(scriptFromJson(JSON.parse(readFileSync(values.replay, 'utf8'))))) ? 0 : 1;
} else {
  for (const name of positionals.length > 0 ? positionals : programNames) {
    const before = { ...totals };
    const program = loadProgram(name);
    let failedHere = 0;
    for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
      if (!(await run(makeScript(program, seed)))) failedHere += 1;
      // One cause shows in every script; the others have their turn when it is gone.
      if (failedHere >= 3) break;
    }
    failed += failedHere;
    console.log(
      `${name}: ${totals.packets - before.packets} packets, ${totals.outputs - before.outputs} outputs, ` +
        `${totals.updates - before.updates} updates (${totals.accepted - before.accepted} accepted), ` +
        `${failedHere} differences`,
    );
  }
}
console.log(
  `${first.name} and ${second.name}, rule ${rule}, seeds ${firstSeed} to ${firstSeed + runs - 1}: ` +
    `${totals.packets} packets, ${totals.outputs} outputs, ${totals.updates} updates ` +
    `(${totals.accepted} accepted), ${retries} run twice, ${failed} differences`,
);
for (const [known, count] of explanations) console.log(`explained: ${count} times ${known}`);
await first.close();
await second.close();
process.exitCode = failed === 0 ? 0 : 1;
