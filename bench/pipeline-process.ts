// SPDX-License-Identifier: Apache-2.0
/**
 * The program that measures one path with one engine: a process of its own, as a switch has one, because V8 makes code
 * that has seen one program faster than code that has seen six. Argument: a `PathJob` as JSON; output: a `PathOutcome`.
 */

import { type Engine, pathsOf, preparePath } from './pipeline-paths.ts';

export interface PathJob {
  path: string;
  engine: Engine;
  frameBytes: number;
  durationMs: number;
}

export interface PathOutcome {
  perSecond: number;
}

const { path: name, engine, frameBytes, durationMs } = JSON.parse(process.argv[2]!) as PathJob;
const path = pathsOf(frameBytes).find((candidate) => candidate.name === name)!;
const run = preparePath(path, engine);
// The first is for V8 to see what is hot.
run.measure(durationMs / 2);
const outcome: PathOutcome = { perSecond: run.measure(durationMs) };
run.check();
process.stdout.write(JSON.stringify(outcome));
