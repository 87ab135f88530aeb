// SPDX-License-Identifier: Apache-2.0
/** The README's commands exist, its files are there, and what can be run without a network is run. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../cli/commands.ts';
import type { Terminal } from '../cli/terminal.ts';

const root = resolve(import.meta.dirname, '..');
const text = readFileSync(join(root, 'README.md'), 'utf8');

const commandLines = [...text.matchAll(/```sh\n([\s\S]*?)```/g)]
  .flatMap(([, block]) => block!.split('\n'))
  .map((line) => line.replace(/\s*#.*$/, '').trim())
  .filter((line) => line !== '');

/** What a command line prints, and how it ends. */
async function tryOut(args: readonly string[]): Promise<{ code: number; output: string }> {
  let output = '';
  const write = (words: string) => {
    output += words;
  };
  const terminal: Terminal = {
    out: write,
    err: write,
    isScreen: false,
    env: {},
    stop: new AbortController().signal,
    onHangup: () => {},
  };
  return { code: await run(args, terminal), output };
}

describe('README.md', () => {
  it('links to files that are there', () => {
    const links = [...text.matchAll(/\]\(([^)#]+)\)/g)].map((match) => match[1]!);
    expect(links.length).toBeGreaterThan(3);
    expect(links.filter((link) => !/^https:/.test(link) && !existsSync(join(root, link)))).toEqual([]);
  });

  it('says yes to a feature only where an end-to-end test of that name stands', () => {
    const named = [...text.matchAll(/^- (\d+)\) \[[^\]]+\]\((test\/e2e\/[^)]+)\): `(.+)`$/gm)];
    const numbers = named.map(([, number]) => number!);
    const table = /\| \| evenkeel \|.*\n\|-.*\n((?:\|.*\n)+)/.exec(text)![1]!;
    const ours = table
      .trimEnd()
      .split('\n')
      .map((row) => row.split('|')[2]!.trim());
    expect(ours.filter((words) => words !== 'no' && !/^(yes|none) \d+\)$/.test(words))).toEqual([]);
    const used = ours.flatMap((words) => /\d+/.exec(words)?.[0] ?? []);
    expect(new Set(used)).toEqual(new Set(numbers));
    const missing = named.filter(([, , file, title]) => {
      const source = existsSync(join(root, file!)) ? readFileSync(join(root, file!), 'utf8') : '';
      return !source
        .split('\n')
        .some((line) => /title\(|step\(|\bit\(|`/.test(line) && line.includes(title!));
    });
    expect(missing.map(([line]) => line)).toEqual([]);
  });

  it('names make targets that are there', () => {
    const makefile = readFileSync(join(root, 'Makefile'), 'utf8');
    const targets = [...text.matchAll(/`?make ([a-z0-9]+)/g)].map((match) => match[1]!);
    expect(targets).toContain('demo');
    expect(targets.filter((target) => !new RegExp(`^${target}:`, 'm').test(makefile))).toEqual([]);
  });

  const evenkeel = commandLines
    .map((line) => /^(?:evenkeel|node dist\/cli\/evenkeel\.js) (.*)$/.exec(line)?.[1])
    .filter((line) => line !== undefined);

  it.each(evenkeel)('evenkeel %s is a command that can be given', async (line) => {
    const [command] = line.split(' ') as [string];
    const { code, output } = await tryOut([command, '--help']);
    expect(code).toBe(0);
    expect(output).toContain(`Usage: evenkeel ${command}`);
    for (const flag of line.match(/(?<=\s)--?[a-z]+/g) ?? []) expect(output).toContain(flag);
  });

  it('checks an example that is sound', async () => {
    const { code, output } = await tryOut(['check', join(root, 'docs', 'example.yaml')]);
    expect(output).toContain('is sound');
    expect(code).toBe(0);
  });
});
