// SPDX-License-Identifier: Apache-2.0
/** Whatever `evenkeel status` may complain of stands in the operating guide, with what to do. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './blocks.ts';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const guide = read('docs/operating.md');

/** Of the engine: noteProblem(state, turn, '...'). */
const ofEngine = readdirSync(join(root, 'controller/core'))
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  .flatMap((name) => [
    ...read(`controller/core/${name}`).matchAll(/noteProblem\(\s*state,\s*turn,\s*'([^']+)'/g),
  ])
  .map(([, text]) => text!);

/** What a change waits for. */
const planner = read('controller/core/planner.ts');
const obstacles = [
  ...[...planner.slice(planner.indexOf('function obstacle')).matchAll(/return '([^']+)'/g)].map(
    ([, text]) => text!,
  ),
  /WAITING_FOR_WRITES = '([^']+)'/.exec(read('controller/core/model.ts'))![1]!,
];

/** Of the command: the longest piece between two values. */
const ofCommand = ['cli/status-text.ts', 'cli/health-text.ts'].flatMap((path) => {
  const source = read(path);
  const attention = path.endsWith('health-text.ts')
    ? source
    : source.slice(source.indexOf('function attentionLines'), source.indexOf('function vipColumns'));
  return [...attention.matchAll(/`((?:[^`$]|\$(?!\{)|\$\{[^}]*\})*)`/g)]
    .map(([, text]) => text!.split(/\$\{[^}]*\}/).sort((a, b) => b.length - a.length)[0]!)
    .map((piece) => piece.replaceAll(/^[\s:(,;]+|[\s:(,;]+$/g, ''))
    .filter((piece) => piece.split(' ').length >= 3);
});

describe('the operating guide', () => {
  it('is looked through for many texts', () => {
    expect([ofEngine.length, obstacles.length, ofCommand.length].map((count) => count > 5)).toEqual([
      true,
      true,
      true,
    ]);
  });

  it.each([...new Set([...ofEngine, ...obstacles, ...ofCommand])])('says what to do about: %s', (text) => {
    expect(
      guide.replaceAll(/\s+/g, ' '),
      `docs/operating.md, "What the problems mean", lacks: ${text}`,
    ).toContain(text);
  });
});
