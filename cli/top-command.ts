// SPDX-License-Identifier: Apache-2.0
/** The command line of `evenkeel top`. */
import { type Command, InvalidArgumentError } from 'commander';
import { withClient } from './client-options.ts';
import type { Terminal } from './terminal.ts';
import type { TopOptions } from './top/top.ts';

export function addTop(program: Command, terminal: Terminal): void {
  withClient(program.command('top'), terminal)
    .summary('watch vips and backends live')
    .description(
      'Shows vips and backends as they are this moment: states, health, shares of new flows (in force,\n' +
        'and wanted), packets and bytes a second, pins, unstable slots, digests, how far a change is.\n' +
        'Keys: q quits, ? helps. Where there is no screen, or with --once, it prints one page; -o json\n' +
        'prints one object.',
    )
    .argument('[vip]', 'this one alone')
    .option('-d, --delay <seconds>', 'between two looks', seconds, 1)
    .option('--once', 'print one page and end')
    .addHelpText(
      'after',
      '\nExamples:\n  $ evenkeel top\n  $ evenkeel top web --delay 2\n  $ evenkeel top --once | less\n' +
        '\nEnvironment:\n  NO_COLOR                 no colours; what they say stands there in words anyway\n' +
        '  LC_ALL, LC_CTYPE, LANG   other than UTF-8: bars and curves of ASCII',
    )
    .action(async (vip: string | undefined, options: TopOptions) => {
      const { runTop } = await import('./top/top.ts');
      await runTop({ ...options, ...(vip !== undefined && { vip }) }, terminal);
    });
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value >= 0.2 && value <= 3_600))
    throw new InvalidArgumentError('Expected a number of seconds from 0.2 to 3600.');
  return value;
}
