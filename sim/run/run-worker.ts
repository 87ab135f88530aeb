// SPDX-License-Identifier: Apache-2.0
/** A worker of `make sim`: runs the worlds it is given and tells how each went. */
import { parentPort } from 'node:worker_threads';
import type { RunOrder } from './run-message.ts';
import { runWorld } from './run-world.ts';

parentPort?.on('message', ({ plans, ...manner }: RunOrder) => {
  for (const plan of plans) parentPort?.postMessage(runWorld(plan, manner).result);
});
