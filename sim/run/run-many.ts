// SPDX-License-Identifier: Apache-2.0
/** Runs worlds on several threads; each is given a few at a time, so that none waits for the slowest. */
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { WorldPlan } from '../world/plan.ts';
import type { RunManner, RunOrder, RunResult } from './run-message.ts';

export interface RunOptions extends RunManner {
  jobs: number;
}

const plansAtATime = 8;

/** @throws what a worker throws that is no part of a world */
export function runMany(
  plans: readonly WorldPlan[],
  { jobs, ...manner }: RunOptions,
  onResult: (result: RunResult) => void,
): Promise<void> {
  const self = fileURLToPath(import.meta.url);
  const workerFile = new URL(`./run-worker${extname(self)}`, import.meta.url);
  let next = 0;
  const runOne = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(workerFile);
      let pending = 0;
      const order = (): void => {
        const batch = plans.slice(next, next + plansAtATime);
        next += batch.length;
        pending = batch.length;
        if (batch.length > 0) worker.postMessage({ plans: batch, ...manner } satisfies RunOrder);
        else void worker.terminate().then(() => resolve());
      };
      worker.on('message', (result: RunResult) => {
        onResult(result);
        if (--pending === 0) order();
      });
      worker.on('error', reject);
      order();
    });
  return Promise.all(Array.from({ length: Math.max(1, jobs) }, runOne)).then(() => undefined);
}
