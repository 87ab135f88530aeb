// SPDX-License-Identifier: Apache-2.0
/** Commands that bring backends in and out: drain, disable, fail, restore, replace. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { BackendState } from '../controller/core/desired.ts';
import { AdminClient } from './admin-client.ts';
import { changeCommand, duration, edit } from './change-command.ts';
import type { ClientOptions } from './client-options.ts';
import { CommandError, exitCodes } from './exit-code.ts';
import { replaceAll } from './replacement.ts';
import { pairsOf, type ReplaceOptions } from './replacement-pair.ts';
import type { Terminal } from './terminal.ts';
import { waitForDrain } from './wait-for-drain.ts';

interface DrainOptions extends ClientOptions {
  deadline?: number;
  wait?: true;
}

export function addLifecycle(program: Command, terminal: Terminal): void {
  const ofBackend = (name: string, summary: string, description: string): Command =>
    changeCommand(program, terminal, name, summary, description).argument('<backend>', 'name of the backend');
  const deadline = [
    '--deadline <duration>',
    'what is left after so long is given up, as with disable',
    duration,
  ] as const;

  ofBackend(
    'drain',
    'give a backend no new connections',
    'Gives a backend no new connections. Those it has go on, until the deadline if there is one.',
  )
    .option(...deadline)
    .option('--wait', 'until nothing is left, and it may be stopped')
    .addHelpText(
      'after',
      '\nExamples:\n  $ evenkeel drain web web-1\n  $ evenkeel drain web web-1 --deadline 10m --wait && ssh web-1 poweroff\n' +
        '\nExit codes with --wait:\n  0  nothing is left\n  1  undone by another command\n' +
        '  6  the deadline has passed, and what was left was given up\n  7  interrupted: the drain goes on',
    )
    .action(async (vip: string, backend: string, options: DrainOptions) => {
      await edit(terminal, options, {
        kind: 'state',
        vip,
        backend,
        state: 'draining',
        deadlineMs: options.deadline,
      });
      if (options.wait) await waitForDrain(new AdminClient(options, terminal.env), terminal, vip, backend);
    });

  const states: readonly [name: string, state: BackendState, summary: string, description: string][] = [
    [
      'disable',
      'disabled',
      'take a backend out, now',
      'Takes a backend out as if it had never been there: what it has is moved to others at once, and breaks. ' +
        'It is neither checked nor given anything until it is restored. To keep its connections, drain it first.',
    ],
    [
      'fail',
      'down',
      'declare a backend dead, now',
      'Declares a backend dead: its connections cannot be saved, and their clients are moved to others at once.',
    ],
    [
      'restore',
      'active',
      'undo drain, disable or fail',
      'Gives a backend new connections again, after drain, disable or fail.',
    ],
  ];
  for (const [name, state, summary, description] of states)
    ofBackend(name, summary, description)
      .addHelpText('after', `\nExamples:\n  $ evenkeel ${name} web web-1`)
      .action((vip: string, backend: string, options: ClientOptions) =>
        edit(terminal, options, { kind: 'state', vip, backend, state }),
      );

  changeCommand(
    program,
    terminal,
    'replace',
    'let new backends take the seats of others',
    'Lets a new backend take the seat of another: exactly its slots, so that nobody else has to move. The new one is added ' +
      'and waited for until its checks find it well; then it takes over and the old one drains, in one change; drained, or ' +
      'past its deadline, the old one is removed. Interrupted, the same command goes on where it was. A new one that does ' +
      'not become well is removed again, and the old one goes on.',
  )
    .argument('<replacement...>', 'OLD NEW ADDRESS:PORT, or several of OLD=NEW@ADDRESS:PORT')
    .option(...deadline)
    .addOption(
      new Option('--health-timeout <duration>', 'for the checks to find the new one well')
        .argParser(duration)
        .default(60_000, '1m'),
    )
    .option(
      '--max-unstable <percent>',
      'of several, the next begins below so many unstable slots',
      percent,
      50,
    )
    .option('--server-id <hex>', 'of the new one, where the vip has a hint')
    .option('--no-wait', 'until the old one is drained: it is not removed either')
    .addHelpText(
      'after',
      '\nExamples:\n  $ evenkeel replace web web-1 web-5 10.0.2.15:8080\n' +
        '  $ evenkeel replace web web-1=web-5@10.0.2.15:8080 web-2=web-6@10.0.2.16:8080 --deadline 10m\n' +
        '\nExit codes of its own:\n  1  also: the new one is not well, and the old one goes on\n  7  interrupted: run it again',
    )
    .action(async (vip: string, words: string[], options: ReplaceOptions) => {
      const pairs = pairsOf(words);
      if (options.serverId !== undefined && pairs.length > 1)
        throw new CommandError(
          exitCodes.usage,
          '--server-id is that of one backend; expected one replacement',
        );
      await replaceAll(new AdminClient(options, terminal.env), terminal, vip, pairs, options);
    });
}

function percent(text: string): number {
  const value = /^(\d{1,3})%?$/.exec(text)?.[1];
  if (value === undefined || Number(value) > 100) throw new InvalidArgumentError('Expected 0 to 100.');
  return Number(value);
}
