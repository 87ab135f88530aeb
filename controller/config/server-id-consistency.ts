// SPDX-License-Identifier: Apache-2.0
/** Whether packets can name backends the way a vip says. */
import { error, type Inconsistency, type Path, warning } from './inconsistency.ts';
import type { VipShape } from './schema.ts';
import { serverIdOctets } from './server-id.ts';

const protocolOf = { quic: 'udp', tcp_option: 'tcp' } as const;

export function* serverIdTroubles(path: Path, vip: VipShape): Generator<Inconsistency> {
  const { hint, quic, protocol } = vip;
  if (quic !== undefined && hint !== 'quic')
    yield error([...path, 'quic'], `hint ${hint} has no connection ids`, 'hint: quic, or no such key');
  if (quic?.config_id !== undefined && quic.layout !== 'quic-lb')
    yield error(
      [...path, 'quic', 'config_id'],
      `layout ${quic.layout} has no config id`,
      'layout: quic-lb, or no such key',
    );
  if (hint !== 'none' && protocolOf[hint] !== protocol) {
    yield error(
      [...path, 'hint'],
      `${protocol} packets carry no hint of kind ${hint}`,
      `protocol: ${protocolOf[hint]}, or hint: none`,
    );
    return;
  }
  yield* backendIdTroubles(path, vip);
}

function* backendIdTroubles(path: Path, vip: VipShape): Generator<Inconsistency> {
  const { least, most } = serverIdOctets(vip);
  const names = new Map<bigint, { name: string; path: Path }>();
  let octetsOfFirst: number | undefined;
  for (const [index, { name, server_id: id }] of vip.backends.entries()) {
    const place = [...path, 'backends', index, 'server_id'];
    if (vip.hint === 'none') {
      if (id !== undefined)
        yield error(place, 'packets of this vip name no backend', 'hint: quic or tcp_option, or no such key');
      continue;
    }
    if (id === undefined) {
      yield warning(place, `no packet can name '${name}'`, 'a server_id of its own');
      continue;
    }
    if (id.octets < least || id.octets > most)
      yield error(
        place,
        `a server id of ${octets(id.octets)}`,
        least === most ? octets(most) : `${least} to ${octets(most)}`,
      );
    else if (octetsOfFirst !== undefined && id.octets !== octetsOfFirst)
      yield error(
        place,
        `a server id of ${octets(id.octets)}`,
        `${octets(octetsOfFirst)}, as the first of this vip`,
      );
    octetsOfFirst ??= id.octets;
    const owner = names.get(id.value);
    if (owner !== undefined)
      yield error(
        place,
        `this is the server id of '${owner.name}' already`,
        'a server_id of its own',
        owner.path,
      );
    names.set(id.value, { name, path: place });
  }
}

const octets = (count: number): string => `${count} ${count === 1 ? 'octet' : 'octets'}`;
