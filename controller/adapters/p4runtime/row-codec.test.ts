// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { P4InfoIndex, parseP4Info } from '../../../p4runtime/p4info.ts';
import { TypedEntries } from '../../../p4runtime/typed-entries.ts';
import type { Row } from '../../core/row.ts';
import { programSchema } from './generated/evenkeel.ts';
import { RowCodec } from './row-codec.ts';

const file = new URL('../../../p4/build/evenkeel.p4info.txtpb', import.meta.url);
const index = new P4InfoIndex(parseP4Info(readFileSync(file), 'evenkeel.p4info.txtpb'));
const codec = new RowCodec(new TypedEntries(index, programSchema));

const bits = (width: number) => fc.integer({ min: 0, max: 2 ** width - 1 });
const mac = fc.maxSafeNat().map((value) => value % 2 ** 48);
const address = bits(32);
const l4Port = bits(16);
const port = bits(9);
const pool = bits(12);
const slot = bits(16);
const backend = bits(13);
const protocol = bits(8);
const filter = fc.record({
  epoch: bits(16),
  column: fc.constantFrom(0, 1, 2, 3),
  learn: fc.boolean(),
});

const rows: Record<Row['table'], fc.Arbitrary<object>> = {
  version: fc.record({
    active: fc.constantFrom(0, 1, 2, 3),
    filters: fc.tuple(filter, filter, filter, filter),
  }),
  vip: fc.record({ address, protocol, port: l4Port, pool, slotMask: slot }),
  slot: fc.record({ pool, slot, unstable: fc.boolean(), pinsBase: fc.boolean(), backend }),
  slot_version: fc.record({ pool, slot, column: fc.constantFrom(1, 2, 3), backend }),
  pin: fc.record({
    pool,
    sourceAddress: address,
    sourcePort: l4Port,
    backend,
    idleTimeoutMs: fc.nat(86_400_000),
  }),
  backend: fc.record({ backend, address, port: l4Port }),
  return_path: fc.record({ address, protocol, port: l4Port, vipAddress: address, vipPort: l4Port }),
  route: fc
    .record({ prefixLength: fc.nat(32), bits: address, nextHop: fc.option(address, { nil: undefined }) })
    .map(({ prefixLength, bits: all, nextHop }) => ({
      prefix: prefixLength === 0 ? 0 : (all & (0xffff_ffff << (32 - prefixLength))) >>> 0,
      prefixLength,
      nextHop,
    })),
  neighbour: fc.record({ address, port, sourceMac: mac, targetMac: mac }),
  known_neighbour: fc.record({ address, mac, port }),
  own_address: fc.record({ address, mac }),
};

describe('a row', () => {
  it.each(Object.keys(rows) as Row['table'][])('of %s comes back from its entry as it went', (table) => {
    fc.assert(
      fc.property(rows[table], (fields) => {
        const row = { table, ...fields } as Row;
        const { entity } = codec.encode({ operation: table === 'version' ? 'modify' : 'insert', row })
          .entity!;
        if (entity.case !== 'tableEntry') throw new Error('a row is a table entry');
        expect(codec.decode(entity.value)).toEqual(row);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it('is deleted by its key alone', () => {
    const row: Row = { table: 'backend', backend: 7, address: 0, port: 0 };
    const { entity } = codec.encode({ operation: 'delete', row }).entity!;
    expect(entity.case === 'tableEntry' && entity.value.action).toBeUndefined();
  });

  it('is asked for in every table', () => {
    expect(codec.everything()).toHaveLength(Object.keys(rows).length);
  });
});
