// SPDX-License-Identifier: Apache-2.0
/** A real Prometheus that scrapes the servers, for the controller to ask. It is Debian's package, or any other in PATH. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startProgram, until, type Watched } from '../programs.ts';

/** In a network of our own nobody else has it. */
const port = 9_090;
export const prometheusUrl = `http://127.0.0.1:${port}`;
const scrapeIntervalMs = 5_000;
const startTimeoutMs = 30_000;

/**
 * @param directory  for its configuration and its data
 * @param targets  ADDRESS:PORT of each
 * @throws Error when it cannot be started
 */
export async function startPrometheus(directory: string, targets: readonly string[]): Promise<Watched> {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'prometheus.json');
  const interval = `${scrapeIntervalMs}ms`;
  // YAML, of which JSON is a part.
  writeFileSync(
    file,
    JSON.stringify({
      global: { scrape_interval: interval, scrape_timeout: interval },
      scrape_configs: [{ job_name: 'servers', static_configs: [{ targets }] }],
    }),
  );
  const prometheus = startProgram([
    'prometheus',
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(directory, 'prometheus')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  await until('prometheus is ready', startTimeoutMs, async () => {
    const ending = prometheus.ending();
    if (ending !== undefined)
      throw new Error(
        `prometheus: ${ending} (package prometheus)\n${prometheus.lines.slice(-10).join('\n')}`,
      );
    return (await fetch(`${prometheusUrl}/-/ready`).catch(() => undefined))?.ok === true;
  });
  return prometheus;
}
