// SPDX-License-Identifier: Apache-2.0
/** `make load`: runs the experiments of sim/load, and writes their tables and the picture of docs/load-aware.md. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { markedPart } from '../../controller/config/reference/marked-part.ts';
import { fullLoadScale, loadExperiments, loadTable, runCase } from '../load/experiments.ts';
import { plotLoads } from '../load/plot.ts';
import { serversDefaults } from '../load/servers-world.ts';
import { root } from './result-store.ts';

const pagePath = join(root, 'docs/load-aware.md');
for (const experiment of loadExperiments) {
  const lines = loadTable(experiment, fullLoadScale);
  console.log(lines.join('\n'));
  const part = markedPart(readFileSync(pagePath, 'utf8'), experiment.name, 'make load');
  writeFileSync(pagePath, part.with(lines.join('\n')));
}
const { series } = runCase({}, fullLoadScale, 1);
writeFileSync(
  join(root, 'docs/load-aware.svg'),
  plotLoads(series, serversDefaults.cpus, fullLoadScale.beforeMs),
);
