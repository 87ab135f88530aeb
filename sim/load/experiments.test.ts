// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { type LoadScale, loadExperiments, loadTable, runCase } from './experiments.ts';
import { plotLoads } from './plot.ts';

const small: LoadScale = { seeds: 1, beforeMs: 30_000, steeredMs: 90_000 };

test('every experiment gives a row for each of its cases', () => {
  for (const experiment of loadExperiments) {
    const lines = loadTable(experiment, small);
    expect(lines).toHaveLength(2 + experiment.cases.length);
    expect(lines.join()).not.toMatch(/NaN|undefined/);
  }
});

test('a picture has a line and a name for each server', () => {
  const picture = plotLoads(runCase({}, small, 1).series, [1, 2, 4, 8], small.beforeMs);
  expect(picture.match(/<polyline/g)).toHaveLength(4);
  expect(picture.match(/>\d CPUs?</g)).toEqual(['>1 CPU<', '>2 CPUs<', '>4 CPUs<', '>8 CPUs<']);
  expect(picture).not.toMatch(/NaN|undefined/);
});
