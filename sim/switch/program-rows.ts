// SPDX-License-Identifier: Apache-2.0
/**
 * Rows as entries of the compiled program's tables, by the names that p4/core gives them. The simulated network is IPv4
 * with NAT; rows of other things are a mistake here.
 */

import type { Address } from '../../controller/core/desired.ts';
import type { SwitchRow, VersionRow } from '../../controller/core/row.ts';
import type { KeyPart } from '../../switch/engine/pipeline.ts';
import type { KeyField, Program, Table } from '../../switch/engine/program.ts';

type KeyValue = Address | { value: Address; prefixLength: number };

interface NamedEntry {
  key: Readonly<Record<string, KeyValue>>;
  action: string;
  params: Readonly<Record<string, Address>>;
  idleTimeoutMs: number;
}

/** What the engine is told of a row. Ids are the program's. */
export interface ProgramEntry {
  table: number;
  key: readonly KeyPart[];
  action: number;
  data: readonly bigint[];
  idleTimeoutMs: number;
}

export class ProgramRows {
  private readonly tables: ReadonlyMap<string, Table>;

  constructor(program: Program) {
    this.tables = new Map(program.tables.map((table) => [lastName(table.name), table]));
  }

  tableId(name: SwitchRow['table']): number {
    return this.table(name).id;
  }

  /** @throws Error when the program has not what the row names, or wants what the row has not */
  entryOf(row: SwitchRow): ProgramEntry {
    const table = this.table(row.table);
    const { key, action: name, params, idleTimeoutMs } = namedEntry(row);
    const action = found(
      table.actions.find((candidate) => lastName(candidate.name) === name),
      `action ${name} of table ${row.table}`,
    );
    const where = `table ${row.table}`;
    requireSameNames(
      table.key.map((field) => lastName(field.name)),
      key,
      where,
    );
    requireSameNames(
      action.parameters.map((parameter) => parameter.name),
      params,
      where,
    );
    return {
      table: table.id,
      key: table.key.map((field) => keyPart(field, key[lastName(field.name)]!)),
      action: action.id,
      data: action.parameters.map((parameter) => BigInt(params[parameter.name]!)),
      idleTimeoutMs,
    };
  }

  private table(name: SwitchRow['table']): Table {
    return found(this.tables.get(name), `table ${name}`);
  }
}

function namedEntry(row: SwitchRow): NamedEntry {
  const entry = (
    key: NamedEntry['key'],
    action: string,
    params: NamedEntry['params'],
    idleTimeoutMs = 0,
  ): NamedEntry => ({ key, action, params, idleTimeoutMs });
  switch (row.table) {
    case 'version':
      return entry({}, 'use_version', versionParams(row));
    case 'vip': {
      const { address, protocol, port, pool, slotMask } = row;
      const plain = { affinity: 0, hint: 0, on_dead: 0, by_prefix: Number(row.byPrefix) };
      return entry({ address, protocol, port }, 'serve', { pool, slot_mask: slotMask, ...plain });
    }
    case 'slot': {
      const { pool, slot, unstable, pinsBase, backend } = row;
      return entry({ pool, slot }, 'set_slot', {
        unstable: Number(unstable),
        pin_base: Number(pinsBase),
        backend,
      });
    }
    case 'slot_version': {
      const { pool, slot, column, backend } = row;
      return entry({ pool, slot, column }, 'set_backend', { backend });
    }
    case 'slot_prefix': {
      const { pool, slot: value, prefixLength, unstable, pinsBase, backend } = row;
      const params = { unstable: Number(unstable), pin_base: Number(pinsBase), backend };
      return entry({ pool, slot: { value, prefixLength } }, 'set_slot', params);
    }
    case 'slot_version_prefix': {
      const { pool, slot: value, prefixLength, column, backend } = row;
      return entry({ pool, column, slot: { value, prefixLength } }, 'set_backend', { backend });
    }
    case 'pin': {
      const { pool, sourceAddress, sourcePort, backend, idleTimeoutMs } = row;
      const key = { pool, source_address: sourceAddress, source_port: sourcePort };
      return entry(key, 'pin_to', { backend }, idleTimeoutMs);
    }
    case 'backend': {
      const { backend, address, port } = row;
      return entry({ backend }, 'nat', { address, port });
    }
    case 'return_path': {
      const { address, protocol, port, vipAddress, vipPort } = row;
      return entry({ address, protocol, port }, 'as_vip', { address: vipAddress, port: vipPort });
    }
    case 'route': {
      const { prefix, prefixLength, nextHop } = row;
      const key = { prefix: { value: prefix, prefixLength } };
      return nextHop === undefined ? entry(key, 'on_link', {}) : entry(key, 'via', { next_hop: nextHop });
    }
    case 'neighbour': {
      const { address, port, sourceMac, targetMac, mtu } = row;
      const params = { port, source_mac: sourceMac, target_mac: targetMac, mtu };
      return entry({ address }, 'to_neighbour', params);
    }
    case 'known_neighbour': {
      const { address, mac, port } = row;
      return entry({ address, mac, port }, 'known', {});
    }
    case 'own_address':
      return entry({ address: row.address }, 'ours', { mac: row.mac });
    case 'interface': {
      const { port, ipv4Address, ipv6Address } = row;
      return entry({ port }, 'answers_as', { ipv4_address: ipv4Address, ipv6_address: ipv6Address });
    }
    default:
      throw new Error(`the simulated network has no ${row.table}`);
  }
}

function versionParams({ active, filters }: VersionRow): Record<string, number> {
  const params: Record<string, number> = { active };
  for (const [index, { epoch, column, learn }] of filters.entries()) {
    params[`epoch${index}`] = epoch;
    params[`column${index}`] = column;
    params[`learn${index}`] = Number(learn);
  }
  return params;
}

function keyPart({ kind, name }: KeyField, value: KeyValue): KeyPart {
  if (kind === 'exact' && typeof value !== 'object') return { kind, value: BigInt(value) };
  if (kind === 'lpm' && typeof value === 'object') {
    return { kind, value: BigInt(value.value), prefixLength: value.prefixLength };
  }
  throw new Error(`${name} is ${kind}, which no row is`);
}

function requireSameNames(wanted: readonly string[], given: object, where: string): void {
  const names = Object.keys(given);
  if (wanted.length === names.length && wanted.every((name) => names.includes(name))) return;
  throw new Error(`${where} of this program wants ${wanted.join(', ')}; its rows have ${names.join(', ')}`);
}

export function lastName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

export function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`the program has no ${what}`);
  return value;
}
