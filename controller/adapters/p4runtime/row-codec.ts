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
import type { TypedEntries } from '../../../p4runtime/typed-entries.ts';
import type { RowUpdate, SwitchRow } from '../../core/row.ts';
import type { Program } from './generated/evenkeel.ts';
import { type PinKey, pinKeyOf, rowOf } from './row-decoding.ts';
import { insertion, noTunnelSource } from './row-encoding.ts';

type Entries = TypedEntries<Program>;

/** They have no key, hence only a default action. */
const keyless = ['version', 'tunnel_source'] as const satisfies readonly SwitchRow['table'][];
const keyed = [
  'vip',
  'vip_ipv6',
  'vip_fragment',
  'vip_fragment_ipv6',
  'server_id',
  'slot',
  'slot_version',
  'slot_prefix',
  'slot_version_prefix',
  'pin',
  'pin_ipv6',
  'backend',
  'return_path',
  'return_path_ipv6',
  'route',
  'route_ipv6',
  'neighbour',
  'neighbour_ipv6',
  'known_neighbour',
  'known_neighbour_ipv6',
  'own_address',
  'own_address_ipv6',
  'interface',
] as const satisfies readonly (keyof Program['tables'])[];

export class RowCodec {
  private readonly entries: Entries;

  constructor(entries: Entries) {
    this.entries = entries;
  }

  encode({ operation, row }: RowUpdate<SwitchRow>): Update {
    if (row.table === 'tunnel_source' && operation === 'delete') return noTunnelSource(this.entries);
    const update = insertion(this.entries, row);
    if (row.table === 'version' || row.table === 'tunnel_source' || operation === 'insert') return update;
    if (operation === 'modify') return { ...update, type: Update_Type.MODIFY };
    // The key alone says which row is meant.
    if (update.entity?.entity.case === 'tableEntry') delete update.entity.entity.value.action;
    return { ...update, type: Update_Type.DELETE };
  }

  /** What reads every row there is. */
  everything(): Entity[] {
    return [
      ...keyless.map((table) => this.entries.all(table, { isDefault: true })),
      ...keyed.map((table) => this.entries.all(table)),
    ];
  }

  /**
   * The row of an entry; undefined for entries that are none, such as those of constant tables.
   *
   * @throws P4RuntimeError 'unknown-name' when the entry is of another program
   */
  decode(tableEntry: TableEntry): SwitchRow | undefined {
    return rowOf(this.entries.decode(tableEntry));
  }

  /** The key of a pin that the switch says is idle: such an entry comes without its action. */
  decodePinKey(tableEntry: TableEntry): PinKey | undefined {
    return pinKeyOf(this.entries.decode(tableEntry));
  }
}
