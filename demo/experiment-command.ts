// SPDX-License-Identifier: Apache-2.0
/** What the commands of the experiments share: which cases, on which switch, in a network and a folder of their own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { enterOwnNetwork } from '../lab/own-network.ts';
import type { SwitchProgram } from './namespace-network.ts';
import { embeddedSwitch, findBmv2 } from './targets.ts';

export interface ExperimentValues {
  target: 'embedded' | 'bmv2';
  write: boolean;
}

/** With the options that all experiments have. What is wrong on the command line ends it with 2. */
export function experimentCommand(name: string, pages: string): Command {
  const target = new Option(
    '--target <target>',
    'bmv2: a real simple_switch_grpc, from BMV2_SWITCH_EXE or PATH',
  );
  return new Command(name)
    .usage('[ARGS="..."]')
    .addOption(target.choices(['embedded', 'bmv2']).default('embedded'))
    .option('--write', `put the figures into ${pages}`, false)
    .allowExcessArguments(false)
    .showHelpAfterError()
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
}

/** For an option's argument. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`A number from ${least} to ${most} is expected.`);
  };
}

/** For an option's argument: names with commas between, or all. */
export function namesAmong<Name extends string>(names: readonly Name[]): (text: string) => Name[] {
  return (text) => {
    if (text === 'all') return [...names];
    return text.split(',').map((wanted) => {
      const name = names.find((one) => one === wanted);
      if (name === undefined)
        throw new InvalidArgumentError(`all, or some of ${names.join(',')} are expected.`);
      return name;
    });
  };
}

/**
 * Runs one case after the other, and exits: 0 none broke what it should not, 1 one did, 2 it could not run.
 *
 * @param run  returns how many connections were broken that should not have been
 */
export async function runExperiments<Name extends string>(
  names: readonly Name[],
  target: ExperimentValues['target'],
  run: (name: Name, program: SwitchProgram, directory: string) => Promise<number>,
): Promise<never> {
  // Whoever interrupts us wants the namespaces and processes gone; the handlers of 'exit' see to that.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
  await enterOwnNetwork();
  const program = target === 'bmv2' ? findBmv2() : embeddedSwitch();
  if ('unavailable' in program) {
    process.stderr.write(`cannot run: ${program.unavailable}\n`);
    process.exit(2);
  }
  const directory = mkdtempSync(join(tmpdir(), 'evenkeel-experiment-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  let broken = 0;
  for (const name of names) broken += await run(name, program, join(directory, name));
  process.exit(broken === 0 ? 0 : 1);
}

/** Puts a file into the folder of results. */
export function saveResult(name: string, text: string): void {
  mkdirSync('out', { recursive: true });
  writeFileSync(join('out', name), text);
}
