// SPDX-License-Identifier: Apache-2.0
/** Who tells the load of backends, as the configuration says. */
import { HttpLoad } from './adapters/load/http-load.ts';
import { PrometheusLoad } from './adapters/load/prometheus-load.ts';
import type { LoadQuery } from './core/load-query.ts';
import type { Clock } from './ports/clock.ts';
import type { LoadSource } from './ports/load-source.ts';
import type { Count, Traffic } from './ports/switch.ts';
import { SwitchLoad } from './switch-load.ts';

export interface LoadSourceWorld {
  clock: Clock;
  /** Of a vip that is served, by the name of the backend. */
  backendIds: (vip: string) => ReadonlyMap<string, number> | undefined;
  traffic: () => Traffic | undefined;
}

export function openLoadSource(vip: string, query: LoadQuery, world: LoadSourceWorld): LoadSource {
  switch (query.kind) {
    case 'http':
      return new HttpLoad(query);
    case 'prometheus':
      return new PrometheusLoad(query);
    case 'switch':
      return new SwitchLoad(query.count, { clock: world.clock, counts: () => countsOf(vip, world) });
  }
}

function countsOf(vip: string, { backendIds, traffic }: LoadSourceWorld): Map<string, Count> | undefined {
  const counts = traffic()?.backends;
  const ids = backendIds(vip);
  if (counts === undefined || ids === undefined) return undefined;
  return new Map([...ids].map(([name, id]) => [name, counts[id] ?? { packets: 0, bytes: 0 }]));
}
