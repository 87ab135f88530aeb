// SPDX-License-Identifier: Apache-2.0
/** Where a server id stands in a hint, the way a vip wants it: a pattern for table server_id. */
import { patternOf } from '../../wire/quic-server-id.ts';
import type { ServerId } from '../core/desired.ts';
import { quicDefaults } from './config.ts';
import type { ServerIdText } from './scalar.ts';
import type { VipShape } from './schema.ts';

/** Octets of a TCP server id: what follows kind and length in Katran's option. */
const tcpOptionOctets = 4;
const katranOctets = { 'katran-v1': 2, 'katran-v2': 3, 'katran-v3': 4 } as const;
/** A switch looks at the first 8 octets of a connection id; QUIC-LB begins with one of its own. */
const mostQuicLbOctets = 7;
/** The pattern asks nothing of the length of a connection id (20 at most, RFC 9000). */
const anyConnectionIdBytes = 20;

/** How many octets a server id of this vip has: from the least to the most. */
export function serverIdOctets({ hint, quic }: Pick<VipShape, 'hint' | 'quic'>): {
  least: number;
  most: number;
} {
  const layout = quic?.layout ?? quicDefaults.layout;
  if (hint === 'quic' && layout === 'quic-lb') return { least: 1, most: mostQuicLbOctets };
  const octets = hint === 'quic' && layout !== 'quic-lb' ? katranOctets[layout] : tcpOptionOctets;
  return { least: octets, most: octets };
}

/** Undefined: this vip's packets carry no hint. The id has as many octets as `serverIdOctets` says. */
export function serverIdPattern(
  { hint, quic }: Pick<VipShape, 'hint' | 'quic'>,
  id: ServerIdText,
): ServerId | undefined {
  switch (hint) {
    case 'none':
      return undefined;
    case 'tcp_option':
      // The four octets of the option stand in front, the rest of the hint is 0.
      return { value: id.value << 32n, mask: 0xffff_ffff_ffff_ffffn };
    case 'quic': {
      const kind = quic?.layout ?? quicDefaults.layout;
      const bytes = anyConnectionIdBytes;
      if (kind !== 'quic-lb') return patternOf({ kind, bytes }, id.value);
      const configId = quic?.config_id ?? quicDefaults.config_id;
      return patternOf({ kind, configId, serverIdBytes: id.octets, bytes }, id.value);
    }
  }
}
