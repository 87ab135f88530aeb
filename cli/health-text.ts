// SPDX-License-Identifier: Apache-2.0
/** What the checks say of backends, for people. */
import type { BackendHealthStatus, PoolHealthStatus } from '../controller/core/health-status.ts';
import { formatSpan } from './table.ts';

/** One line for each backend that the checks speak against, and for each vip whose checks are not trusted. */
export function healthLines(pools: readonly PoolHealthStatus[]): string[] {
  return pools.flatMap(({ pool, isPanicking, backends }) => [
    ...(isPanicking ? [`vip ${pool}: too few backends would be left, so none of its checks is trusted`] : []),
    ...backends.flatMap((backend) => {
      const line = backendLine(backend);
      return line === undefined ? [] : [`backend ${pool} ${backend.backend} ${line}`];
    }),
  ]);
}

/** For a column: 'up', 'dead for 12 s'. */
export function healthWord(backend: BackendHealthStatus | undefined): string {
  if (backend === undefined) return '-';
  const { verdict, verdictMs, state } = backend;
  if (verdict !== 'trusted') return `${verdict} for ${formatSpan(verdictMs)}`;
  return state === 'down' ? 'down, not trusted' : state;
}

export function healthOf(
  pools: readonly PoolHealthStatus[] | undefined,
  pool: string,
  backend: string,
): BackendHealthStatus | undefined {
  return pools?.find((one) => one.pool === pool)?.backends.find((one) => one.backend === backend);
}

function backendLine({ state, verdict, verdictMs, failure, problem, suppressedMs }: BackendHealthStatus) {
  const heldOut =
    suppressedMs === undefined ? '' : `, held out for flapping, ${formatSpan(suppressedMs)} more`;
  const why = failure === undefined ? '' : ` (${failure})`;
  if (verdict === 'dead')
    return `is dead for ${formatSpan(verdictMs)}${why}: its connections were given up${heldOut}`;
  if (verdict === 'avoided')
    return `is avoided for ${formatSpan(verdictMs)}${why}: it gets no new connections${heldOut}`;
  if (state === 'down') return `fails its checks${why}, and is used all the same`;
  return problem === undefined ? undefined : `cannot be checked: ${problem}`;
}
