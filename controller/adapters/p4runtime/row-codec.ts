// SPDX-License-Identifier: Apache-2.0
/**
 * Rows to and from table entries. The compiler holds every name and every value against the P4 program
 * (generated/evenkeel.ts); ids come from the P4Info.
 */
import {
  type Entity,
  type TableEntry,
  type Update,
  Update_Type,
} from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { TypedEntries, TypedEntry } from '../../../p4runtime/typed-entries.ts';
import { INITIAL_VERSION } from '../../core/model.ts';
import type { Column, FilterSlot, Row, RowUpdate, VersionRow } from '../../core/row.ts';
import type { Program } from './generated/evenkeel.ts';

export interface PinKey {
  pool: number;
  sourceAddress: number;
  sourcePort: number;
}

type Entries = TypedEntries<Program>;

const nanosPerMilli = 1_000_000n;

/** `version` is not among them: it has only a default action. */
const tables = [
  'vip',
  'slot',
  'slot_version',
  'pin',
  'backend',
  'return_path',
  'route',
  'neighbour',
  'known_neighbour',
  'own_address',
] as const satisfies readonly Row['table'][];

export class RowCodec {
  private readonly entries: Entries;

  constructor(entries: Entries) {
    this.entries = entries;
  }

  encode({ operation, row }: RowUpdate): Update {
    const update = this.insert(row);
    if (row.table === 'version' || operation === 'insert') return update;
    if (operation === 'modify') return { ...update, type: Update_Type.MODIFY };
    // The key alone says which row is meant.
    if (update.entity?.entity.case === 'tableEntry') delete update.entity.entity.value.action;
    return { ...update, type: Update_Type.DELETE };
  }

  /** What reads every row there is. */
  everything(): Entity[] {
    return [
      this.entries.all('version', { isDefault: true }),
      ...tables.map((table) => this.entries.all(table)),
    ];
  }

  /**
   * The row of an entry; undefined for entries that are none, such as those of constant tables.
   *
   * @throws P4RuntimeError 'unknown-name' when the entry is of another program
   */
  decode(tableEntry: TableEntry): Row | undefined {
    const entry = this.entries.decode(tableEntry);
    // A switch may leave out a default action that nobody has modified: then it is the program's.
    if (entry.table === 'version') return entry.action ? versionRow(entry.action.params) : INITIAL_VERSION;
    return entry.isDefault || entry.action === undefined ? undefined : rowOf(entry);
  }

  /** The key of a pin that the switch says is idle: such an entry comes without its action. */
  decodePinKey(tableEntry: TableEntry): PinKey | undefined {
    const entry = this.entries.decode(tableEntry);
    return entry.table === 'pin' ? pinKey(entry.match) : undefined;
  }

  private insert(row: Row): Update {
    const { entries } = this;
    switch (row.table) {
      case 'version':
        return entries.setDefault('version', 'use_version', versionParams(row));
      case 'vip': {
        const { address, protocol, port, pool, slotMask } = row;
        return entries.insert('vip', { address, protocol, port }, 'serve', { pool, slot_mask: slotMask });
      }
      case 'slot': {
        const { pool, slot, backend } = row;
        const params = { unstable: row.unstable ? 1 : 0, pin_base: row.pinsBase ? 1 : 0, backend };
        return entries.insert('slot', { pool, slot }, 'set_slot', params);
      }
      case 'slot_version': {
        const { pool, slot, column, backend } = row;
        return entries.insert('slot_version', { pool, slot, column }, 'set_backend', { backend });
      }
      case 'pin': {
        const match = { pool: row.pool, source_address: row.sourceAddress, source_port: row.sourcePort };
        const idleTimeoutNs = BigInt(Math.round(row.idleTimeoutMs)) * nanosPerMilli;
        return entries.insert('pin', match, 'pin_to', { backend: row.backend }, { idleTimeoutNs });
      }
      case 'backend': {
        const { backend, address, port } = row;
        return entries.insert('backend', { backend }, 'nat', { address, port });
      }
      case 'return_path': {
        const { address, protocol, port, vipAddress, vipPort } = row;
        return entries.insert('return_path', { address, protocol, port }, 'as_vip', {
          address: vipAddress,
          port: vipPort,
        });
      }
      case 'route': {
        const { prefix, prefixLength, nextHop } = row;
        const match = prefixLength === 0 ? {} : { prefix: { value: prefix, prefixLength } };
        if (nextHop === undefined) return entries.insert('route', match, 'on_link', {});
        return entries.insert('route', match, 'via', { next_hop: nextHop });
      }
      case 'neighbour': {
        const { address, port } = row;
        const macs = { source_mac: BigInt(row.sourceMac), target_mac: BigInt(row.targetMac) };
        return entries.insert('neighbour', { address }, 'to_neighbour', { port, ...macs });
      }
      case 'known_neighbour': {
        const { address, mac, port } = row;
        return entries.insert('known_neighbour', { address, mac: BigInt(mac), port }, 'known', {});
      }
      case 'own_address':
        return entries.insert('own_address', { address: row.address }, 'ours', { mac: BigInt(row.mac) });
    }
  }
}

function rowOf(entry: TypedEntry<Program>): Row | undefined {
  switch (entry.table) {
    case 'vip': {
      const { pool, slot_mask: slotMask } = entry.action!.params;
      return { table: 'vip', ...entry.match, pool, slotMask };
    }
    case 'slot': {
      const { unstable, pin_base: pinsBase, backend } = entry.action!.params;
      return { table: 'slot', ...entry.match, unstable: unstable === 1, pinsBase: pinsBase === 1, backend };
    }
    case 'slot_version': {
      const { pool, slot, column } = entry.match;
      return { table: 'slot_version', pool, slot, column: column as 1 | 2 | 3, ...entry.action!.params };
    }
    case 'pin': {
      const idleTimeoutMs = Number(entry.idleTimeoutNs / nanosPerMilli);
      return { table: 'pin', ...pinKey(entry.match), ...entry.action!.params, idleTimeoutMs };
    }
    case 'backend':
      return { table: 'backend', ...entry.match, ...entry.action!.params };
    case 'return_path': {
      const { address: vipAddress, port: vipPort } = entry.action!.params;
      return { table: 'return_path', ...entry.match, vipAddress, vipPort };
    }
    case 'route': {
      const { value: prefix, prefixLength } = entry.match.prefix ?? { value: 0, prefixLength: 0 };
      const nextHop = entry.action!.name === 'via' ? entry.action!.params.next_hop : undefined;
      return { table: 'route', prefix, prefixLength, nextHop };
    }
    case 'neighbour': {
      const { port, source_mac: sourceMac, target_mac: targetMac } = entry.action!.params;
      const macs = { sourceMac: Number(sourceMac), targetMac: Number(targetMac) };
      return { table: 'neighbour', ...entry.match, port, ...macs };
    }
    case 'known_neighbour':
      return { table: 'known_neighbour', ...entry.match, mac: Number(entry.match.mac) };
    case 'own_address':
      return { table: 'own_address', ...entry.match, mac: Number(entry.action!.params.mac) };
    default:
      return undefined;
  }
}

type VersionParams = Program['tables']['version']['defaults']['use_version'];

function versionParams({ active, filters }: VersionRow): VersionParams {
  const [filter0, filter1, filter2, filter3] = filters;
  const bit = (flag: boolean): number => (flag ? 1 : 0);
  return {
    active,
    ...{ epoch0: filter0.epoch, column0: filter0.column, learn0: bit(filter0.learn) },
    ...{ epoch1: filter1.epoch, column1: filter1.column, learn1: bit(filter1.learn) },
    ...{ epoch2: filter2.epoch, column2: filter2.column, learn2: bit(filter2.learn) },
    ...{ epoch3: filter3.epoch, column3: filter3.column, learn3: bit(filter3.learn) },
  };
}

function versionRow(params: VersionParams): VersionRow {
  const filter = (epoch: number, column: number, learn: number) => {
    return { epoch, column: column as Column, learn: learn === 1 };
  };
  return {
    table: 'version',
    active: params.active as FilterSlot,
    filters: [
      filter(params.epoch0, params.column0, params.learn0),
      filter(params.epoch1, params.column1, params.learn1),
      filter(params.epoch2, params.column2, params.learn2),
      filter(params.epoch3, params.column3, params.learn3),
    ],
  };
}

function pinKey(match: Program['tables']['pin']['match']): PinKey {
  return { pool: match.pool, sourceAddress: match.source_address, sourcePort: match.source_port };
}
