// SPDX-License-Identifier: Apache-2.0
/** Workload W, or a small copy of it. */

import { type WorkloadOptions, workloadW } from '../workload/workload.ts';
import type { Scale } from './experiment.ts';

export function scaled(given: Partial<WorkloadOptions>, { flows, time }: Scale): WorkloadOptions {
  const options = { ...workloadW, ...given };
  return {
    ...options,
    concurrentFlows: Math.round(options.concurrentFlows * flows),
    durationMs: Math.round(options.durationMs * time),
  };
}
