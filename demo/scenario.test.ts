// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { runDefaults } from './run.ts';
import {
  applyEdits,
  countChanges,
  demoScenario,
  findScenarioProblems,
  floodScenario,
  shortScenario,
} from './scenario.ts';

describe.each([demoScenario, floodScenario, shortScenario])('the scenario $name', (scenario) => {
  test('does not contradict itself', () => {
    expect(findScenarioProblems(scenario)).toEqual([]);
  });
});

test('the demo changes at least twenty times, mostly while the change before is remembered', () => {
  expect(countChanges(demoScenario)).toBeGreaterThanOrEqual(20);
  const times = demoScenario.steps
    .filter(({ action }) => action.kind.startsWith('edit'))
    .map(({ atMs }) => atMs);
  const gaps = times.slice(1).map((time, i) => time - times[i]!);
  expect(gaps.filter((gap) => gap < runDefaults.sessionTimeoutMs).length).toBeGreaterThanOrEqual(15);
});

test('problems of a scenario are found', () => {
  const edit = (atMs: number, edits: Record<string, 'removed' | object>) => {
    return { atMs, words: 'edit', action: { kind: 'edit', edits } as const };
  };
  const start = { 's1-1': { weight: 1, state: 'active' } as const };
  const steps = [
    edit(10, { nobody: {} }),
    edit(5, { 's2-1': 'removed' }),
    edit(20, { 's1-1': { weight: 0 }, nobody: { weight: 0 } }),
  ];
  expect(findScenarioProblems({ name: 'bad', start, steps })).toEqual([
    'at 10 ms, edit: there is no server nobody',
    'at 5 ms, edit: comes after a later step',
    'at 5 ms, edit: s2-1 is not configured',
    'at 20 ms, edit: there is no server nobody',
    'at 20 ms, edit: nobody is left',
  ]);
});

test('edits change what they name, and leave the plan before as it was', () => {
  const before = { a: { weight: 1, state: 'active' } as const, b: { weight: 2, state: 'active' } as const };
  const after = applyEdits(before, { a: 'removed', b: { state: 'draining' }, c: {} });
  expect(after).toEqual({ b: { weight: 2, state: 'draining' }, c: { weight: 1, state: 'active' } });
  expect(Object.keys(before)).toEqual(['a', 'b']);
});
