// SPDX-License-Identifier: Apache-2.0
/** `evenkeel why`: why a backend gets what it gets; and why a flow gets nothing. */
import type { Command } from 'commander';
import type { WhyBackend } from '../controller/core/why-backend.ts';
import { AdminClient } from './admin-client.ts';
import { type ClientOptions, json, withClient } from './client-options.ts';
import { CommandError, exitCodes } from './exit-code.ts';
import { explanationText } from './explanation-text.ts';
import { parseFlow } from './flow.ts';
import { formatCount, formatLarge, formatShare } from './table.ts';
import type { Terminal } from './terminal.ts';

interface WhyOptions extends ClientOptions {
  udp?: true;
}

export function addWhy(program: Command, terminal: Terminal): void {
  withClient(program.command('why'), terminal)
    .summary('say why a backend, or a flow, gets nothing')
    .description(
      'Says why a backend gets nothing, or less or more than its weight asks for: reasons, the gravest first, and what would help.\n' +
        'Of a flow: where it goes, and what is the matter there.',
    )
    .argument('<vip|flow>', 'name of the vip; or SOURCE:PORT')
    .argument('[backend|vip]', 'name of the backend; or VIP:PORT')
    .option('--udp', 'the flow is UDP')
    .addHelpText(
      'after',
      '\nExamples:\n  $ evenkeel why web web-2\n  $ evenkeel why 10.0.1.7:40000 10.0.1.100:80',
    )
    .action(async (first: string, second: string | undefined, options: WhyOptions) => {
      const client = new AdminClient(options, terminal.env);
      if (/[:,]/.test(first)) {
        await whyFlow(client, second === undefined ? [first] : [first, second], options, terminal);
        return;
      }
      if (second === undefined)
        throw new CommandError(
          exitCodes.usage,
          `which backend of vip '${first}'? expected two names, or a flow`,
        );
      const why = await client.why(first, second);
      terminal.out(options.output === 'json' ? json(why) : whyText(why));
      if (why.gets === 'unknown') throw new CommandError(exitCodes.failed, '');
    });
}

async function whyFlow(
  client: AdminClient,
  words: string[],
  options: WhyOptions,
  terminal: Terminal,
): Promise<void> {
  const flow = parseFlow(words, options.udp === true);
  const explanation = await client.explain(flow);
  const { pool, outcomes } = explanation;
  const names = pool === undefined ? [] : [...new Set(outcomes.map(({ backend }) => backend))];
  const backends: WhyBackend[] = [];
  for (const name of names) if (name !== 'nobody') backends.push(await client.why(pool!, name));
  if (options.output === 'json') {
    terminal.out(json({ explanation, backends }));
    return;
  }
  const about = backends.filter(({ reasons }) => reasons.length > 0).map((why) => `\n${whyText(why)}`);
  terminal.out(explanationText(flow, explanation) + about.join(''));
}

function whyText(why: WhyBackend): string {
  const { vip, backend, gets, slots, slotCount, share, shareWanted, packets, reasons } = why;
  const wanted = shareWanted === undefined ? '' : `, ${formatShare(shareWanted)} by its weight`;
  const counted = packets === undefined ? '' : `; ${formatLarge(packets)} packets so far`;
  const head =
    gets === 'unknown'
      ? `${vip} ${backend} is not known`
      : `${vip} ${backend} gets ${words[gets]}: ${formatCount(slots)} of ${formatCount(slotCount)} slots, ` +
        `${formatShare(share)} of new connections${wanted}${counted}`;
  const lines = reasons.map(({ gravity, text, remedy }) => {
    const mark = gravity === 'note' ? ' ' : '!';
    return `${mark} ${text}${remedy === undefined ? '' : `\n    ${remedy}`}`;
  });
  return `${[head, ...lines].join('\n')}\n`;
}

const words = {
  nothing: 'no new connections',
  less: 'less than its share',
  all: 'its share',
  more: 'more than its share',
} as const;
