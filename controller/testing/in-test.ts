// SPDX-License-Identifier: Apache-2.0
/**
 * What is gone when the test has finished. The first to be asked for goes last; so ask for a folder before a controller that
 * writes to it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type ControllerOptions, type RunningController, startController } from '../main.ts';

/** @returns its path */
export async function openTestFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-test-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

/** Its admin API is at a free port of loopback. */
export async function startTestController(options: ControllerOptions): Promise<RunningController> {
  const controller = await startController({ listen: { host: '127.0.0.1', port: 0 }, ...options });
  onTestFinished(() => controller.close());
  return controller;
}

/** The test's own time limit is the end of patience. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5));
}
