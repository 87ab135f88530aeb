// SPDX-License-Identifier: Apache-2.0
/** `evenkeel drift`: whether the switches hold what they were given. */
import type { Command } from 'commander';
import type { DriftAction } from '../controller/adapters/http/admin.ts';
import type { DriftedRow, DriftReport } from '../controller/ports/switch.ts';
import { AdminClient } from './admin-client.ts';
import { type ClientOptions, json, withClient } from './client-options.ts';
import { CommandError, exitCodes } from './exit-code.ts';
import { formatCount, formatSpan, tableLines } from './table.ts';
import type { Terminal } from './terminal.ts';

interface DriftOptions extends ClientOptions {
  repair?: true;
  adopt?: true;
  release?: true;
  exitCode?: true;
}

/** Rows shown of a switch; `-o json` has more. */
const rowsShown = 20;

export function addDrift(program: Command, terminal: Terminal): void {
  withClient(program.command('drift'), terminal)
    .summary('say whether somebody else has written to the switches')
    .description(
      'Reads the switches back, and says which rows are not as the controller has written them.\n' +
        'What is being written meanwhile is left out; what differs is looked at twice.',
    )
    .argument('[switch]', 'the name of one; all of them without it')
    .option('--repair', 'write what should be there: the rows that differ, and no others')
    .option(
      '--adopt',
      'take what is there: the controller begins anew with it, as after a restart; rows of others are let be',
    )
    .option(
      '--release',
      'give up the adopted rows of others: they are foreign again, and --repair deletes them',
    )
    .option('--exit-code', 'end with 5 if anything differs')
    .addHelpText(
      'after',
      '\nExamples:\n  $ evenkeel drift\n  $ evenkeel drift s2 --repair\n  $ evenkeel drift --exit-code || echo somebody was here',
    )
    .action(async (name: string | undefined, options: DriftOptions, command: Command) => {
      const actions = (['repair', 'adopt', 'release'] as const).filter((action) => options[action]);
      if (actions.length > 1) command.error('error: --repair, --adopt or --release, only one of them');
      const action: DriftAction = actions[0] ?? 'look';
      const all = await new AdminClient(options, terminal.env).drift(action, name);
      const reports = all.filter((report) => name === undefined || report.switch === name);
      terminal.out(options.output === 'json' ? json(reports) : reports.map(driftText).join('\n'));
      if (reports.length === 0)
        throw new CommandError(exitCodes.failed, 'this controller has no switch: it stands by');
      if (options.exitCode && reports.some((report) => total(report) > 0 || report.problem !== undefined))
        throw new CommandError(exitCodes.differs, '');
    });
}

function driftText(report: DriftReport): string {
  const { switch: name, counts, rows, rowsRead, tookMs, lookedMsAgo, problem, tolerated, adopted } = report;
  const { missing, changed, foreign } = counts;
  const looked =
    tookMs === undefined || lookedMsAgo === undefined
      ? 'never looked at'
      : `${formatCount(rowsRead)} rows read in ${formatSpan(tookMs)}, ${formatSpan(lookedMsAgo)} ago`;
  const found =
    total(report) === 0
      ? tookMs === undefined
        ? ''
        : ': as it should be'
      : `: ${formatCount(missing)} missing, ${formatCount(changed)} changed, ${formatCount(foreign)} foreign`;
  const more = total(report) - Math.min(rows.length, rowsShown);
  return [
    `switch ${name}${found} (${looked})`,
    ...(problem === undefined ? [] : [`! ${problem}`]),
    ...tableLines<DriftedRow>(
      [
        { title: '  ROW', text: ({ kind }) => `  ${kind}` },
        { title: 'SHOULD BE', text: ({ wanted }) => wanted ?? '-' },
        { title: 'IS', text: ({ found: is }) => is ?? '-' },
      ],
      rows.slice(0, rowsShown),
    ),
    ...(more > 0 ? [`  and ${formatCount(more)} more`] : []),
    ...(tolerated > 0 ? [`  adopted, and let be: ${formatCount(tolerated)} rows of others`] : []),
    ...adopted.slice(0, rowsShown).map(({ row }) => `    ${row}`),
    ...(tolerated > Math.min(adopted.length, rowsShown)
      ? [`    and ${formatCount(tolerated - Math.min(adopted.length, rowsShown))} more`]
      : []),
    '',
  ].join('\n');
}

const total = ({ counts }: DriftReport): number => counts.missing + counts.changed + counts.foreign;
