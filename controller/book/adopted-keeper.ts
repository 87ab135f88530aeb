// SPDX-License-Identifier: Apache-2.0
/**
 * Rows of others that were adopted, as notes for who leads next: an entry a switch. They are compared with what a switch holds, and
 * never written to one.
 */
import { z } from 'zod';
import type { Row } from '../core/row.ts';
import type { AdoptedRows, RowsBySwitch } from '../ports/adopted-rows.ts';
import { NoteKeeper, type NoteKeeperWorld } from './note-keeper.ts';

export class AdoptedKeeper {
  private readonly notes: NoteKeeper<readonly Row[]>;
  private rows: RowsBySwitch = new Map();

  constructor(world: NoteKeeperWorld) {
    this.notes = new NoteKeeper(world, {
      encode,
      decode,
      unreadable: 'adopted rows are not known from before: they count as foreign, and are deleted',
      unwritable: 'adopted rows are not kept',
    });
  }

  /** We begin to lead. */
  async takeOver(): Promise<void> {
    this.rows = (await this.notes.open()) ?? new Map();
  }

  /** For the switches of this term. */
  adopted(): AdoptedRows {
    return {
      rows: this.rows,
      keep: (rows) => {
        this.notes.keep(new Map([...rows].filter(([, of]) => of.length > 0)));
        // An operator waits for it, and each adoption takes two looks at the switch.
        return this.notes.flush();
      },
    };
  }

  close(): Promise<void> {
    return this.notes.close();
  }
}

/** Another number is another format, which is not read. */
const format = 1;

/** None of these is the version: it is always ours. */
const tables = z.enum([
  'vip',
  'vip_fragment',
  'server_id',
  'slot',
  'slot_version',
  'pin',
  'backend',
  'tunnel_source',
  'return_path',
  'route',
  'neighbour',
  'known_neighbour',
  'own_address',
  'interface',
]);
const bigint = z.object({ bigint: z.string().regex(/^0x[0-9a-f]{1,64}$/) });
const field = z.union([z.number(), z.boolean(), z.string().max(40), z.null(), bigint]);
const schema = z.object({
  format: z.literal(format),
  rows: z.array(z.intersection(z.object({ table: tables }), z.record(z.string(), field))),
});

/** JSON has neither bigints nor undefined fields. */
function encode(rows: readonly Row[]): string {
  const written = rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]: [string, unknown]) => [
        name,
        typeof value === 'bigint' ? { bigint: `0x${value.toString(16)}` } : (value ?? null),
      ]),
    ),
  );
  return JSON.stringify({ format, rows: written });
}

function decode(text: string): readonly Row[] {
  return schema.parse(JSON.parse(text)).rows.map((row) => {
    const fields = Object.entries(row).map(([name, value]) => [name, decodedField(value)] as const);
    return Object.fromEntries(fields) as unknown as Row;
  });
}

function decodedField(value: z.output<typeof field>): unknown {
  if (value === null) return undefined;
  return typeof value === 'object' ? BigInt(value.bigint) : value;
}
