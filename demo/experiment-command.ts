// SPDX-License-Identifier: Apache-2.0
/** What the commands of the experiments share: which cases, on which switch, in a network and a folder of their own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { enterOwnNetwork } from '../lab/own-network.ts';
import type { SwitchProgram } from './namespace-network.ts';
import { embeddedSwitch, findBmv2 } from './targets.ts';

/** For parseArgs, beside a command's own. */
export const experimentOptions = {
  target: { type: 'string', default: 'embedded' },
  write: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export interface ExperimentCommand<Name extends string> {
  usage: string;
  /** As parsed by `experimentOptions`. */
  values: { target: string; help: boolean };
  /** The option that says which cases are to run, as 'cases', and what was said: names with commas between. */
  option: string;
  wanted: string;
  names: readonly Name[];
  /** @returns how many connections were broken that should not have been */
  run(name: Name, program: SwitchProgram, directory: string): Promise<number>;
}

/** Runs one case after the other, and exits: 0 none broke what it should not, 1 one did, 2 it could not run. */
export async function runExperiments<Name extends string>(command: ExperimentCommand<Name>): Promise<never> {
  // Whoever interrupts us wants the namespaces and processes gone; the handlers of 'exit' see to that.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

  const { usage, values, option, names } = command;
  const wanted = command.wanted.split(',');
  if (values.help) {
    process.stdout.write(usage);
    process.exit(0);
  }
  if (!areAll(wanted, names)) {
    process.stderr.write(`--${option} ${command.wanted}: of ${names.join(', ')}\n\n${usage}`);
    process.exit(2);
  }
  await enterOwnNetwork();
  const program = values.target === 'bmv2' ? findBmv2() : embeddedSwitch();
  if ('unavailable' in program) {
    process.stderr.write(`cannot run: ${program.unavailable}\n`);
    process.exit(2);
  }
  const directory = mkdtempSync(join(tmpdir(), 'evenkeel-experiment-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  let broken = 0;
  for (const name of wanted) broken += await command.run(name, program, join(directory, name));
  process.exit(broken === 0 ? 0 : 1);
}

/** Puts a file into the folder of results. */
export function saveResult(name: string, text: string): void {
  mkdirSync('out', { recursive: true });
  writeFileSync(join('out', name), text);
}

function areAll<Name extends string>(wanted: string[], names: readonly Name[]): wanted is Name[] {
  return wanted.every((name) => (names as readonly string[]).includes(name));
}
