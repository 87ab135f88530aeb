// SPDX-License-Identifier: Apache-2.0
/** The counters of p4/core, read and named. */
import { counterOf } from '../../../p4runtime/entries.ts';
import type { Entity } from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { P4InfoIndex } from '../../../p4runtime/p4info.ts';
import type { Count, Traffic } from '../../ports/switch.ts';

/** p4/core/types.p4, by number: DECISION_*, DROP_*, HINT_*, LIMIT_*. */
const decisions = [
  'stable',
  'pinned',
  'filter',
  'base',
  'new',
  'return',
  'routed',
  'hinted',
  'fragment',
  'icmp_error',
  'answered',
];
const drops = [
  'none',
  'bad_checksum',
  'no_backend',
  'ttl',
  'no_route',
  'no_neighbour',
  'not_ip',
  'arp_not_for_us',
  'martian',
  'own_source',
  'fragment',
  'options',
  'too_big',
  'malformed',
  'dead_pool',
  'icmp_of_no_flow',
  'ndp_not_for_us',
  'not_served',
];
const hints = ['used', 'unknown', 'dead', 'malformed'];
const limits = ['flows', 'neighbours', 'answers'];

/** @param pools, backends  ids whose counters are wanted; all of them would be 12,288 cells */
export function trafficPatterns(
  index: P4InfoIndex,
  pools: Iterable<number>,
  backends: Iterable<number>,
): Entity[] {
  return [
    pattern(index, 'decisions.cells'),
    pattern(index, 'drops.cells'),
    pattern(index, 'hints.cells'),
    pattern(index, 'limited.cells'),
    ...[...pools].map((pool) => pattern(index, 'vip_traffic.cells', pool)),
    ...[...backends].map((backend) => pattern(index, 'backend_traffic.cells', backend)),
  ];
}

export function trafficOf(index: P4InfoIndex, entities: Iterable<Entity>): Traffic {
  const traffic = {
    decisions: {} as Record<string, Count>,
    drops: {} as Record<string, Count>,
    hints: {} as Record<string, Count>,
    limited: {} as Record<string, Count>,
    pools: {} as Record<number, Count>,
    backends: {} as Record<number, Count>,
  };
  const targets = new Map<
    number,
    { into: Record<string | number, Count>; nameOf: (cell: number) => string | undefined }
  >([
    [idOf('decisions.cells'), { into: traffic.decisions, nameOf: (cell) => decisions[cell] }],
    [idOf('drops.cells'), { into: traffic.drops, nameOf: (cell) => (cell === 0 ? undefined : drops[cell]) }],
    [idOf('hints.cells'), { into: traffic.hints, nameOf: (cell) => hints[cell] }],
    [idOf('limited.cells'), { into: traffic.limited, nameOf: (cell) => limits[cell] }],
    [idOf('vip_traffic.cells'), { into: traffic.pools, nameOf: String }],
    [idOf('backend_traffic.cells'), { into: traffic.backends, nameOf: String }],
  ]);
  for (const { entity } of entities) {
    if (entity.case !== 'counterEntry') continue;
    const { counterId, index: cell, data } = entity.value;
    const target = targets.get(counterId);
    const name = target?.nameOf(Number(cell?.index ?? 0n));
    if (target === undefined || name === undefined || data === undefined) continue;
    const { packets, bytes } = counterOf(data);
    target.into[name] = { packets: Number(packets), bytes: Number(bytes) };
  }
  return traffic;

  function idOf(name: string): number {
    return index.counters.get(name).id;
  }
}

function pattern(index: P4InfoIndex, counter: string, cell?: number): Entity {
  return {
    $typeName: 'p4.v1.Entity',
    entity: {
      case: 'counterEntry',
      value: {
        $typeName: 'p4.v1.CounterEntry',
        counterId: index.counters.get(counter).id,
        ...(cell !== undefined && { index: { $typeName: 'p4.v1.Index', index: BigInt(cell) } }),
      },
    },
  };
}
