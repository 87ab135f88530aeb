// SPDX-License-Identifier: Apache-2.0
/** The interfaces of a configuration, an address each: one interface may have one of either family. */
import type { MacAddress } from '../core/desired.ts';
import { defaultMac } from './config.ts';
import type { Network } from './scalar.ts';
import type { ConfigShape } from './schema.ts';

export interface Link {
  port: number;
  network: Network;
  mac: MacAddress;
  mtu: number;
  /** Where the file says so. */
  path: readonly (string | number)[];
}

export function linksOf(network: ConfigShape['network']): Link[] {
  return network.interfaces.flatMap(({ port, mac = defaultMac(port), mtu, ...addresses }, index) =>
    (['address', 'ipv6_address'] as const).flatMap((key): Link[] => {
      const own = addresses[key];
      if (own === undefined) return [];
      return [{ port, network: own, mac, mtu, path: ['network', 'interfaces', index, key] }];
    }),
  );
}
