// SPDX-License-Identifier: Apache-2.0
/** Options of the commands that talk to a running controller. */
import { type Command, Option } from 'commander';
import { controllerDefaults } from '../controller/config/config.ts';
import type { ClientOptions as Controller } from './admin-client.ts';
import type { Terminal } from './terminal.ts';

export interface ClientOptions extends Controller {
  output: 'table' | 'json';
}

/** Of commands that talk to a running controller. */
export function withClient(command: Command, terminal: Terminal): Command {
  const { env } = terminal;
  return command
    .addOption(
      new Option('--controller <address>', 'admin API of the controller (EVENKEEL_CONTROLLER)').default(
        env.EVENKEEL_CONTROLLER ?? controllerDefaults.listen,
      ),
    )
    .addOption(
      new Option(
        '--token <token>',
        'to change something (EVENKEEL_TOKEN); not needed where the controller is ours',
      ).default(env.EVENKEEL_TOKEN, 'the one that a controller of ours has left on this machine'),
    )
    .addOption(
      new Option('--ca <file>', 'with https: the authority to believe (EVENKEEL_CA)').default(
        env.EVENKEEL_CA,
      ),
    )
    .addOption(
      new Option('--cert <file>', 'with https: our certificate (EVENKEEL_CERT)').default(env.EVENKEEL_CERT),
    )
    .addOption(new Option('--key <file>', 'and its key (EVENKEEL_KEY)').default(env.EVENKEEL_KEY))
    .addOption(
      new Option('-o, --output <format>', 'for people or for programs')
        .choices(['table', 'json'])
        .default('table'),
    );
}

export const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
