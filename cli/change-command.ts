// SPDX-License-Identifier: Apache-2.0
/** What the commands that change the configuration have in common. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Edit } from '../controller/config/edit.ts';
import { formatProblem } from '../controller/config/problem.ts';
import { parseDuration, parseEndpoint } from '../controller/config/scalar.ts';
import { formatAddress } from '../controller/core/address.ts';
import { AdminClient, type Changed } from './admin-client.ts';
import { type ClientOptions, json, withClient } from './client-options.ts';
import { CommandError, exitCodes } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

export type Endpoint = { address: string; port: number };

export function changeCommand(
  program: Command,
  terminal: Terminal,
  name: string,
  summary: string,
  description: string,
): Command {
  return withClient(program.command(name), terminal)
    .summary(summary)
    .description(`${description}\nThe change is made in the configuration file of the running controller.`)
    .argument('<vip>', 'name of the vip');
}

export async function edit(terminal: Terminal, options: ClientOptions, wanted: Edit): Promise<void> {
  tellChange(terminal, options, await new AdminClient(options, terminal.env).edit(wanted));
}

export function tellChange(terminal: Terminal, options: ClientOptions, changed: Changed): void {
  if (options.output === 'json') {
    terminal.out(json(changed));
    return;
  }
  for (const warning of changed.warnings) terminal.err(`${formatProblem(warning, 'line')}\n`);
  for (const setting of changed.needsRestart)
    terminal.err(`${setting} takes effect when the controller is restarted\n`);
  terminal.out(changed.isChanged ? 'done\n' : 'nothing to do: it is so already\n');
}

/** For an argument of its own, which commander names. */
export function endpoint(text: string): Endpoint {
  const parsed = parseEndpoint(text);
  if (!('value' in parsed)) throw new InvalidArgumentError(`Expected ${parsed.right}.`);
  return { address: formatAddress(parsed.value.address), port: parsed.value.port };
}

/** For a part of an argument. @throws CommandError */
export function endpointOf(text: string): Endpoint {
  const parsed = parseEndpoint(text);
  if (!('value' in parsed))
    throw new CommandError(exitCodes.usage, `${parsed.wrong}; expected ${parsed.right}`);
  return { address: formatAddress(parsed.value.address), port: parsed.value.port };
}

/** '10m' as milliseconds. */
export function duration(text: string): number {
  const parsed = parseDuration(text);
  if (!('value' in parsed)) throw new InvalidArgumentError(`Expected ${parsed.right}.`);
  if (parsed.value < 1_000 || parsed.value > 30 * 86_400_000)
    throw new InvalidArgumentError('Expected 1s to 720h.');
  return parsed.value;
}
