// SPDX-License-Identifier: Apache-2.0
/** The manual page is that of the commands as they are, and every command says what it must. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { buildProgram } from './commands.ts';
import { afterHelp } from './help-endings.ts';
import { manPage } from './man.ts';
import { Screen } from './testing/screen.ts';

const program = buildProgram(new Screen());
const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const { version } = JSON.parse(read('package.json')) as { version: string };
const hasGroff = spawnSync('groff', ['--version']).status === 0;

describe('the manual page', () => {
  it('is current (make man)', () => {
    expect(read('docs/man/evenkeel.1')).toBe(manPage(program, version));
  });

  it('names every command and every option', () => {
    const text = manPage(program, version).replaceAll('\\-', '-');
    for (const command of program.commands.filter((each) => each.name() !== 'help')) {
      expect(text).toContain(`.SS evenkeel ${command.name()}`);
      for (const { flags } of command.options) expect(text).toContain(`.B ${flags}`);
    }
  });

  it.skipIf(!hasGroff)('is no riddle to groff (needs it)', () => {
    const { status, stderr } = spawnSync('groff', ['-man', '-ww', '-z', '-Tutf8'], {
      input: manPage(program, version),
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('lets no text of a command be a command to roff', () => {
    const odd = new Command('evenkeel').description('A thing.');
    odd.command('x').description(".so /etc/passwd\n'br\n\\fBbold");
    expect(manPage(odd, '1')).toContain("\\&.so /etc/passwd\n\\&'br\n\\efBbold");
  });
});

describe('every command', () => {
  const commands = program.commands.filter((each) => !['help', 'switch'].includes(each.name()));
  it.each(commands.map((each) => [each.name(), each] as const))(
    '%s says how to use it, and how it ends',
    (_, command) => {
      expect(command.summary()).not.toBe('');
      expect(command.description()).not.toBe('');
      for (const { description } of command.options) expect(description).not.toBe('');
      const text = afterHelp(command);
      expect(text).toContain('Examples:');
      expect(text).toMatch(new RegExp(`\\$ (sudo )?evenkeel ${command.name()}`));
      expect(text).toContain('Exit codes:');
      if (command.options.some(({ long }) => long === '--token')) {
        expect(text).toContain('Environment:');
        expect(text).toContain('Files:');
      }
    },
  );
});
