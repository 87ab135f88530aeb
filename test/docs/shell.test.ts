// SPDX-License-Identifier: Apache-2.0
/** A command of a page that is wrong is found, also where it is only looked at. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blocksOf, commandsOf } from './blocks.ts';
import { PageShell } from './shell.ts';

describe('the shell of a page', () => {
  let folder: string;
  let shell: PageShell;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'evenkeel-shell-'));
    const adminUrl = () => Promise.reject(new Error('no controller is asked here'));
    shell = new PageShell({ folder, adminUrl });
  });
  afterAll(async () => {
    await shell.close();
    rmSync(folder, { recursive: true });
  });

  it.each([
    'make demo',
    'make demo ARGS="--scenario flood"',
    'make sim RUNS=7',
    'npm ci && npm run build',
    'evenkeel check docs/example.yaml',
    'evenkeel check docs/example.yaml | grep -c sound',
    'evenkeel up -c evenkeel.yaml --log json',
    'evenkeel switch --no-p4 -i 1@veth1 -- --grpc-server-addr 127.0.0.1:9559',
    'sudo python3 topo/load_balancer.py --switch embedded',
  ])('takes %s', async (line) => {
    expect(await shell.run(line)).toMatchObject({ code: 0 });
  });

  it.each([
    'make nothing',
    'make demo ARGS="--no-such-thing"',
    'make demo RUNS=7',
    'npm run nothing',
    'evenkeel nothing',
    'evenkeel check nothing.yaml',
    'evenkeel up --nothing',
    'evenkeel status --watch --nothing',
    'evenkeel status',
    'evenkeel switch --nothing',
    'sudo python3 topo/nothing.py',
    'sudo python3 topo/load_balancer.py --nothing',
    'sudo reboot-nothing',
    'git push',
    'nothing',
  ])('refuses %s', async (line) => {
    expect((await shell.run(line)).code).not.toBe(0);
  });
});

describe('a page', () => {
  const page = [
    '<!-- file: a.yaml -->',
    '```yaml',
    'a: 1',
    '```',
    '<!-- not run: needs root -->',
    '',
    '```sh',
    'ip link',
    '```',
    '- in a list:',
    '  ```console',
    '  $ one',
    '  1',
    '  $ two',
    '  ```',
  ].join('\n');

  it('has blocks with marks', () => {
    const blocks = blocksOf('page.md', page);
    expect(blocks.map(({ line, language, notRun, writes }) => [line, language, notRun, writes])).toEqual([
      [2, 'yaml', undefined, 'a.yaml'],
      [7, 'sh', 'needs root', undefined],
      [11, 'console', undefined, undefined],
    ]);
    expect(commandsOf(blocks[2]!)).toEqual([
      { line: 'one', expected: '1' },
      { line: 'two', expected: '' },
    ]);
  });

  it('whose block has no end is refused', () => {
    expect(() => blocksOf('page.md', '```sh\nls\n')).toThrow('page.md:1: a block without an end');
  });
});
