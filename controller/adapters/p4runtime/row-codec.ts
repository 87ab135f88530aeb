// SPDX-License-Identifier: Apache-2.0
/**
 * Rows to and from table entries. One place knows how the tables, actions and parameters of p4/core are called;
 * ids come from the P4Info.
 */
import { type Entry, EntryCodec, type EntryInput, type ReadValue } from '../../../p4runtime/entries.ts';
import type { Entity, TableEntry, Update } from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import type { P4InfoIndex } from '../../../p4runtime/p4info.ts';
import { P4RuntimeError } from '../../../p4runtime/p4runtime-error.ts';
import type { FieldValue } from '../../../p4runtime/values.ts';
import { INITIAL_VERSION } from '../../core/model.ts';
import type { Column, FilterSlot, FilterVersion, Row, RowUpdate, VersionRow } from '../../core/row.ts';

type Params = Readonly<Record<string, FieldValue>>;
type Written = Omit<EntryInput, 'table'>;
type Read = (match: Values, params: Values, entry: Entry) => Row;

/** Match fields or parameters by name. */
interface Values {
  number(name: string): number;
  prefixLength(name: string): number;
}

interface TableForm<R extends Row> {
  write(row: R): Written;
  /** By the action of the entry. */
  read: Readonly<Record<string, Read>>;
}

const nanosPerMilli = 1_000_000n;
const filterSlots = [0, 1, 2, 3] as const;

/** Every table with entries. `version` has only a default action. */
const forms: { readonly [T in Exclude<Row['table'], 'version'>]: TableForm<Extract<Row, { table: T }>> } = {
  vip: {
    write: ({ address, protocol, port, pool, slotMask }) => ({
      match: { address, protocol, port },
      action: { name: 'serve', params: { pool, slot_mask: slotMask } },
    }),
    read: {
      serve: (match, params) => ({
        table: 'vip',
        address: match.number('address'),
        protocol: match.number('protocol'),
        port: match.number('port'),
        pool: params.number('pool'),
        slotMask: params.number('slot_mask'),
      }),
    },
  },
  slot: {
    write: ({ pool, slot, unstable, backend }) => ({
      match: { pool, slot },
      action: { name: 'set_slot', params: { unstable: unstable ? 1 : 0, backend } },
    }),
    read: {
      set_slot: (match, params) => ({
        table: 'slot',
        pool: match.number('pool'),
        slot: match.number('slot'),
        unstable: params.number('unstable') === 1,
        backend: params.number('backend'),
      }),
    },
  },
  slot_version: {
    write: ({ pool, slot, column, backend }) => ({
      match: { pool, slot, column },
      action: { name: 'set_backend', params: { backend } },
    }),
    read: {
      set_backend: (match, params) => ({
        table: 'slot_version',
        pool: match.number('pool'),
        slot: match.number('slot'),
        column: match.number('column') as 1 | 2 | 3,
        backend: params.number('backend'),
      }),
    },
  },
  pin: {
    write: ({ pool, sourceAddress, sourcePort, backend, idleTimeoutMs }) => ({
      match: { pool, source_address: sourceAddress, source_port: sourcePort },
      action: { name: 'pin_to', params: { backend } },
      idleTimeoutNs: BigInt(Math.round(idleTimeoutMs)) * nanosPerMilli,
    }),
    read: {
      pin_to: (match, params, entry) => ({
        table: 'pin',
        pool: match.number('pool'),
        sourceAddress: match.number('source_address'),
        sourcePort: match.number('source_port'),
        backend: params.number('backend'),
        idleTimeoutMs: Number(entry.idleTimeoutNs / nanosPerMilli),
      }),
    },
  },
  backend: {
    write: ({ backend, address, port }) => ({
      match: { backend },
      action: { name: 'nat', params: { address, port } },
    }),
    read: {
      nat: (match, params) => ({
        table: 'backend',
        backend: match.number('backend'),
        address: params.number('address'),
        port: params.number('port'),
      }),
    },
  },
  return_path: {
    write: ({ address, protocol, port, vipAddress, vipPort }) => ({
      match: { address, protocol, port },
      action: { name: 'as_vip', params: { address: vipAddress, port: vipPort } },
    }),
    read: {
      as_vip: (match, params) => ({
        table: 'return_path',
        address: match.number('address'),
        protocol: match.number('protocol'),
        port: match.number('port'),
        vipAddress: params.number('address'),
        vipPort: params.number('port'),
      }),
    },
  },
  route: {
    write: ({ prefix, prefixLength, nextHop }) => ({
      match: { prefix: { value: prefix, prefixLength } },
      action: nextHop === undefined ? { name: 'on_link' } : { name: 'via', params: { next_hop: nextHop } },
    }),
    read: {
      on_link: (match) => routeRow(match, undefined),
      via: (match, params) => routeRow(match, params.number('next_hop')),
    },
  },
  neighbour: {
    write: ({ address, port, sourceMac, targetMac }) => ({
      match: { address },
      action: { name: 'to_neighbour', params: { port, source_mac: sourceMac, target_mac: targetMac } },
    }),
    read: {
      to_neighbour: (match, params) => ({
        table: 'neighbour',
        address: match.number('address'),
        port: params.number('port'),
        sourceMac: params.number('source_mac'),
        targetMac: params.number('target_mac'),
      }),
    },
  },
  known_neighbour: {
    write: ({ address, mac, port }) => ({ match: { address, mac, port }, action: { name: 'known' } }),
    read: {
      known: (match) => ({
        table: 'known_neighbour',
        address: match.number('address'),
        mac: match.number('mac'),
        port: match.number('port'),
      }),
    },
  },
  own_address: {
    write: ({ address, mac }) => ({ match: { address }, action: { name: 'ours', params: { mac } } }),
    read: {
      ours: (match, params) => ({
        table: 'own_address',
        address: match.number('address'),
        mac: params.number('mac'),
      }),
    },
  },
};

const tables = Object.keys(forms) as (keyof typeof forms)[];

export class RowCodec {
  private readonly entries: EntryCodec;

  constructor(index: P4InfoIndex) {
    this.entries = new EntryCodec(index);
  }

  encode({ operation, row }: RowUpdate): Update {
    if (row.table === 'version') {
      return this.entries.setDefault('version', { name: 'use_version', params: versionParams(row) });
    }
    const form = forms[row.table] as TableForm<Row>;
    const input = { table: row.table, ...form.write(row) };
    if (operation === 'insert') return this.entries.insert(input);
    return operation === 'modify' ? this.entries.modify(input) : this.entries.remove(input);
  }

  /** What reads every row there is. */
  everything(): Entity[] {
    return [
      this.entries.all('version', { isDefault: true }),
      ...tables.map((table) => this.entries.all(table)),
    ];
  }

  /**
   * The row of an entry; undefined for entries that are no rows, such as default actions of other tables.
   *
   * @throws P4RuntimeError 'unknown-name' when the entry is of another program
   */
  decode(tableEntry: TableEntry): Row | undefined {
    const entry = this.entries.decode(tableEntry);
    if (entry.table === 'version') return versionRow(entry);
    if (entry.isDefault || !(entry.table in forms)) return undefined;
    const form = forms[entry.table as keyof typeof forms];
    const read = form.read[entry.action?.name ?? ''];
    return read?.(matchValues(entry), paramValues(entry), entry);
  }

  /** The key of a pin that the switch says is idle: such an entry comes without its action. */
  decodePinKey(
    tableEntry: TableEntry,
  ): { pool: number; sourceAddress: number; sourcePort: number } | undefined {
    const entry = this.entries.decode(tableEntry);
    if (entry.table !== 'pin') return undefined;
    const match = matchValues(entry);
    return {
      pool: match.number('pool'),
      sourceAddress: match.number('source_address'),
      sourcePort: match.number('source_port'),
    };
  }
}

function routeRow(match: Values, nextHop: number | undefined): Row {
  const prefixLength = match.prefixLength('prefix');
  return { table: 'route', prefix: prefixLength === 0 ? 0 : match.number('prefix'), prefixLength, nextHop };
}

function versionParams({ active, filters }: VersionRow): Params {
  const params: Record<string, number> = { active };
  for (const slot of filterSlots) {
    params[`epoch${slot}`] = filters[slot].epoch;
    params[`column${slot}`] = filters[slot].column;
    params[`learn${slot}`] = filters[slot].learn ? 1 : 0;
  }
  return params;
}

/** A switch may leave out a default action that nobody has modified: then it is the program's. */
function versionRow(entry: Entry): VersionRow {
  if (entry.action?.name !== 'use_version') return INITIAL_VERSION;
  const params = paramValues(entry);
  const filter = (slot: FilterSlot): FilterVersion => ({
    epoch: params.number(`epoch${slot}`),
    column: params.number(`column${slot}`) as Column,
    learn: params.number(`learn${slot}`) === 1,
  });
  return {
    table: 'version',
    active: params.number('active') as FilterSlot,
    filters: [filter(0), filter(1), filter(2), filter(3)],
  };
}

function matchValues(entry: Entry): Values {
  return {
    number(name) {
      const match = entry.match[name];
      return numberOf(match instanceof Object && 'value' in match ? match.value : match, entry, name);
    },
    prefixLength(name) {
      const match = entry.match[name];
      // Absent: it matches everything.
      return match instanceof Object && 'prefixLength' in match ? match.prefixLength : 0;
    },
  };
}

function paramValues(entry: Entry): Values {
  return {
    number: (name) => numberOf(entry.action?.params[name], entry, name),
    prefixLength: () => 0,
  };
}

/** Nothing in a row is wider than a MAC address, which a number holds exactly. */
function numberOf(value: unknown, entry: Entry, name: string): number {
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value as ReadValue);
  throw new P4RuntimeError('bad-entry', {
    message: `table ${entry.table}: an entry was read without ${name}`,
  });
}
