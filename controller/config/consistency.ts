// SPDX-License-Identifier: Apache-2.0
/** How the parts of a configuration must fit together, once each of them is well-formed: switches, stores, the network. */

import { ADDRESS_BITS, familyOf, formatAddress } from '../core/address.ts';
import type { Address } from '../core/desired.ts';
import { configLimits } from './config.ts';
import { error, type Inconsistency, isHost, listed, type Path, tooMany } from './inconsistency.ts';
import { type Link, linksOf } from './links.ts';
import { contains, formatHostPort, formatNetwork, type Network, wholeNetwork } from './scalar.ts';
import type { ConfigShape } from './schema.ts';
import { backendTroubles, vipTroubles } from './vip-consistency.ts';

/** @param sections  the top-level keys that are written in the file */
export function inconsistencies(config: ConfigShape, sections: ReadonlySet<string>): Inconsistency[] {
  return [
    ...switchTroubles(config, sections),
    ...storeTroubles(config),
    ...interfaceTroubles(config),
    ...routeTroubles(config),
    ...neighbourTroubles(config),
    ...tunnelTroubles(config),
    ...vipTroubles(config),
    ...backendTroubles(config),
  ];
}

function* storeTroubles({ controller }: ConfigShape): Generator<Inconsistency> {
  const { kind, ...keys } = controller.store;
  const path = ['controller', 'store'];
  const foreign = kind === 'file' ? (['endpoints', 'prefix', 'lease'] as const) : (['path'] as const);
  for (const key of foreign)
    if (keys[key] !== undefined)
      yield error(
        [...path, key],
        `a store of kind '${kind}' has no ${key}`,
        kind === 'file' ? 'kind: etcd, or no such key' : 'kind: file, or no such key',
      );
  if (kind === 'file') return;
@@STORE_REST@@
