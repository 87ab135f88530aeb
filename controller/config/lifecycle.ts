// SPDX-License-Identifier: Apache-2.0
/**
 * How backends come and go, in the configuration file.
 *
 *   slow_start: 30s                     or { window: 30s, from: 10% }
 *   backends:
 *     - { name: web-1, ..., state: draining, drain_deadline: 2026-05-01T12:00:00Z }
 *     - { name: web-5, ..., replaces: web-1 }
 */
import type { SlowStart } from '../core/filling.ts';
import { error, type Inconsistency, warning } from './inconsistency.ts';
import { nearMatch } from './problem.ts';
import type { VipShape } from './schema.ts';

export interface VipLifecycle {
  vip: string;
  /** Undefined: backends get their whole weight at once. */
  slowStart: SlowStart | undefined;
  /** By name of those who drain: when what is left is given up, in milliseconds since 1970. */
  deadlines: ReadonlyMap<string, number>;
  /** By name: whose seat it takes. */
  predecessors: ReadonlyMap<string, string>;
}

export function toLifecycle(vips: readonly VipShape[]): VipLifecycle[] {
  return vips.map(({ name, slow_start, backends }) => ({
    vip: name,
    slowStart: slow_start,
    deadlines: new Map(
      backends.flatMap((backend) =>
        backend.drain_deadline === undefined ? [] : [[backend.name, backend.drain_deadline] as const],
      ),
    ),
    predecessors: new Map(
      backends.flatMap((backend) =>
        backend.replaces === undefined ? [] : [[backend.name, backend.replaces] as const],
      ),
    ),
  }));
}

export function* lifecycleTroubles({ vips }: { vips: readonly VipShape[] }): Generator<Inconsistency> {
  for (const [v, { name: vip, backends }] of vips.entries()) {
    const successors = new Map<string, number>();
    for (const [b, { name, state, drain_deadline, replaces }] of backends.entries()) {
      const path = ['vips', v, 'backends', b];
      if (drain_deadline !== undefined && state !== 'draining')
        yield error([...path, 'drain_deadline'], `is of no use to one that is ${state}`, 'state: draining');
      if (replaces === undefined) continue;
      const place = [...path, 'replaces'];
      if (replaces === name) yield error(place, `'${name}' replaces itself`, 'another backend of the vip');
      else if (!backends.some((backend) => backend.name === replaces)) {
        const others = backends.map((backend) => backend.name).filter((other) => other !== name);
        const near = nearMatch(replaces, others);
        const right = near === undefined ? 'no such line, once it is gone' : `'${near}'`;
        yield warning(place, `there is no backend of vip '${vip}' named '${replaces}'`, right);
      } else if (successors.has(replaces)) {
        const other = ['vips', v, 'backends', successors.get(replaces)!, 'replaces'];
        yield error(place, `'${replaces}' is replaced by another already`, 'one successor', other);
      }
      successors.set(replaces, b);
    }
  }
}
