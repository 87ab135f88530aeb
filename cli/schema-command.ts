// SPDX-License-Identifier: Apache-2.0
/** `evenkeel schema`: the configuration file's schema, for editors. */
import type { Command } from 'commander';
import type { Terminal } from './terminal.ts';

export function addSchema(program: Command, terminal: Terminal): void {
  program
    .command('schema')
    .summary('print the JSON Schema of the configuration file')
    .description(
      'Prints the JSON Schema of the configuration file, by which editors complete keys and mark mistakes.\n' +
        'What needs a look at the whole file, such as networks that overlap, only `evenkeel check` finds.',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  $ evenkeel schema > evenkeel.schema.json\n' +
        '  and as first line of evenkeel.yaml:\n  # yaml-language-server: $schema=evenkeel.schema.json',
    )
    .action(async () => {
      const { configJsonSchemaText } = await import('../controller/config/json-schema.ts');
      terminal.out(configJsonSchemaText());
    });
}
