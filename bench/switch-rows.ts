// SPDX-License-Identifier: Apache-2.0
/** All rows of a switch, read past the controllers. */
import { P4RuntimeClient } from '../p4runtime/client.ts';
import { EntryCodec } from '../p4runtime/entries.ts';
import { P4InfoIndex } from '../p4runtime/p4info.ts';

/** By table, then by what it matches: what it says. */
export type SwitchRows = ReadonlyMap<string, ReadonlyMap<string, string>>;

const connectTimeoutMs = 30_000;

/** @throws P4RuntimeError; Error when the switch does not answer, or has no program */
export async function readSwitchRows(
  address: string,
  deviceId: number,
  tables: readonly string[],
): Promise<SwitchRows> {
  // It reads only: primary it must never be.
  const settings = { electionId: 1n, takesOver: false };
  const client = new P4RuntimeClient({ address, deviceId: BigInt(deviceId), ...settings });
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the switch does not answer')), connectTimeoutMs);
      client.onEvent(({ kind }) => {
        if (kind !== 'mastership') return;
        clearTimeout(timer);
        resolve();
      });
      client.connect();
    });
    const pipeline = await client.getPipeline();
    if (pipeline?.p4info === undefined) throw new Error('the switch has no program');
    const codec = new EntryCodec(new P4InfoIndex(pipeline.p4info));
    const rows = new Map<string, ReadonlyMap<string, string>>();
    for (const table of tables) {
      const found = new Map<string, string>();
      for await (const { entity } of client.read([codec.all(table)])) {
        if (entity.case !== 'tableEntry') continue;
        const { match, action } = codec.decode(entity.value);
        found.set(textOf(match), textOf(action));
      }
      rows.set(table, found);
    }
    return rows;
  } finally {
    client.close();
  }
}

/** Rows that came, went or changed, by table. */
export function changedRows(before: SwitchRows, after: SwitchRows): Map<string, number> {
  const changed = new Map<string, number>();
  for (const [table, rows] of after) {
    const old = before.get(table) ?? new Map<string, string>();
    let count = 0;
    for (const [match, said] of rows) if (old.get(match) !== said) count++;
    for (const match of old.keys()) if (!rows.has(match)) count++;
    changed.set(table, count);
  }
  return changed;
}

const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner));
