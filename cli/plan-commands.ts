// SPDX-License-Identifier: Apache-2.0
/** `evenkeel plan`, `diff` and `apply`: what can be said. What comes of it: plans.ts. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { withClient } from './client-options.ts';
import type { ApplyOptions, DiffOptions, PlanOptions } from './plans.ts';
import type { Terminal } from './terminal.ts';

/** The other commands need not wait for a parser of configurations. */
const plans = () => import('./plans.ts');

const exitOption = ['--exit-code', 'end with 5 if there is anything to do, with 0 if there is not'] as const;
const flowsOption = [
  '--flows <n>',
  'live flows of each vip, to tell shares of them as numbers',
  positive,
] as const;

export function addPlans(program: Command, terminal: Terminal): void {
  withClient(program.command('plan'), terminal)
    .summary('say what another configuration would change')
    .description(
      'Says what another configuration would change, without touching anything: backends, slots, live flows, writes and time.\n' +
        'The controller rehearses the change with its own state; with --from there need be no controller.',
    )
    .argument('<file>', 'the configuration that is wanted')
    .option('--from <file>', 'as if this were in force on a new switch: asks no controller')
    .option(...flowsOption)
    .option(...exitOption)
    .addHelpText(
      'after',
      '\nExamples:\n  $ evenkeel plan new.yaml\n  $ evenkeel plan new.yaml --from evenkeel.yaml\n' +
        '  $ evenkeel plan new.yaml -o json > plan.json && evenkeel apply new.yaml --plan plan.json',
    )
    .action(async (file: string, options: PlanOptions) => (await plans()).plan(file, options, terminal));

  withClient(program.command('diff'), terminal)
    .summary('say in what another configuration differs from the one in force')
    .description(
      'Says in what another configuration differs from the one that the controller runs, whether that is a file or in etcd.',
    )
    .argument('<file>', 'the other configuration')
    .option(...exitOption)
    .addHelpText('after', '\nExamples:\n  $ evenkeel diff new.yaml\n  $ evenkeel diff new.yaml --exit-code')
    .action(async (file: string, options: DiffOptions) => (await plans()).diff(file, options, terminal));

  withClient(program.command('apply'), terminal)
    .summary('put another configuration into force')
    .description(
      'Puts another configuration in the place of the one that the controller runs, and shows how far it is.\n' +
        'It may be interrupted: the change goes on, and the same command shows where it is.',
    )
    .argument('<file>', 'the configuration that is wanted')
    .option('--plan <file>', 'of plan -o json: refused if the configuration has changed since')
    .option('--previous <file>', 'where to keep the configuration that is replaced: the way back')
    .addOption(
      new Option('--wait <for>', 'what to wait for')
        .choices(['none', 'committed', 'merged'])
        .default('committed'),
    )
    .option(...flowsOption)
    .addHelpText(
      'after',
      '\nExamples:\n  $ evenkeel apply new.yaml\n  $ evenkeel apply new.yaml --previous old.yaml && evenkeel apply old.yaml   # and back\n' +
        '  $ evenkeel apply new.yaml --wait merged\n\nExit codes of its own:\n  7  interrupted: the change goes on',
    )
    .action(async (file: string, options: ApplyOptions) => (await plans()).apply(file, options, terminal));
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value >= 1 && value <= 1e12)) throw new InvalidArgumentError('Expected a number of flows above 0.');
  return value;
}
