// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Update_Type } from '../../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex, parseP4Info } from '../../../p4runtime/p4info.ts';
import { TypedEntries } from '../../../p4runtime/typed-entries.ts';
import { ADDRESS_BITS, familyOf, networkOf } from '../../core/address.ts';
import type { Row, SwitchRow } from '../../core/row.ts';
import { programSchema } from './generated/evenkeel.ts';
import { RowCodec } from './row-codec.ts';

const file = new URL('../../../p4/build/evenkeel.p4info.txtpb', import.meta.url);
const index = new P4InfoIndex(parseP4Info(readFileSync(file), 'evenkeel.p4info.txtpb'));
const codec = new RowCodec(new TypedEntries(index, programSchema));

const bits = (width: number) => fc.integer({ min: 0, max: 2 ** width - 1 });
const mac = fc.maxSafeNat().map((value) => value % 2 ** 48);
const ipv4 = bits(32);
const hint = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
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

const ipv6 = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n });
/** Of either family; small ones, where the two print alike, among them. */
const address = fc.oneof(ipv4, ipv6, fc.constantFrom(0, 1, 0n, 1n));
const affinity = fc.constantFrom('none', 'source');
const whenDead = fc.constantFrom('drop', 'reset', 'unreachable');

/** Two addresses of one family. */
const pairs = <K extends string, L extends string>(one: K, other: L) =>
  fc.oneof(fc.record({ [one]: ipv4, [other]: ipv4 }), fc.record({ [one]: ipv6, [other]: ipv6 }));

/** Bits behind the prefix are 0. */
const slotPrefix = fc.tuple(slot, fc.nat(16)).map(([bitsOfSlot, prefixLength]) => ({
  slot: bitsOfSlot & ~(0xffff >> prefixLength),
  prefixLength,
}));
const constants = ({ slot, prefixLength }: { slot: number; prefixLength: number }) => ({
  slot: fc.constant(slot),
  prefixLength: fc.constant(prefixLength),
});

const rows: Record<SwitchRow['table'], fc.Arbitrary<object>> = {
  version: fc.record({
    active: fc.constantFrom(0, 1, 2, 3),
    filters: fc.tuple(filter, filter, filter, filter),
  }),
  vip: fc.record({
    ...{ address, protocol, port: l4Port, pool, slotMask: slot, affinity, whenDead, byPrefix: fc.boolean() },
    hint: fc.constantFrom('none', 'quic', 'tcp_option'),
  }),
  vip_fragment: fc.record({
    address,
    protocol,
    pool,
    slotMask: slot,
    affinity,
    whenDead,
    byPrefix: fc.boolean(),
  }),
  server_id: fc
    .record({ pool, bits: hint, mask: hint.filter((mask) => mask > 0n), backend })
    .map(({ bits, mask, ...row }) => ({ ...row, value: bits & mask, mask })),
  slot: fc.record({ pool, slot, unstable: fc.boolean(), pinsBase: fc.boolean(), backend }),
  slot_version: fc.record({ pool, slot, column: fc.constantFrom(1, 2, 3), backend }),
  slot_prefix: slotPrefix.chain((prefix) =>
    fc.record({ ...constants(prefix), pool, unstable: fc.boolean(), pinsBase: fc.boolean(), backend }),
  ),
  slot_version_prefix: slotPrefix.chain((prefix) =>
    fc.record({ ...constants(prefix), pool, column: fc.constantFrom(1, 2, 3), backend }),
  ),
  pin: fc.record({
    pool,
    sourceAddress: address,
    sourcePort: l4Port,
    backend,
    idleTimeoutMs: fc.nat(86_400_000),
  }),
  backend: fc.oneof(
    fc.record({ backend, forwarding: fc.constantFrom('nat', 'gue'), address, port: l4Port }),
    fc.record({
      backend,
      forwarding: fc.constantFrom('l2_dsr', 'ipip', 'gre'),
      address,
      port: fc.constant(0),
    }),
  ),
  tunnel_source: fc.record({
    ipv4Address: ipv4.filter((value) => value > 0),
    ipv4Mask: bits(16),
    ipv6Address: ipv6,
  }),
  return_path: fc
    .tuple(pairs('address', 'vipAddress'), fc.record({ protocol, port: l4Port, vipPort: l4Port }))
    .map(([addresses, rest]) => ({ ...addresses, ...rest })),
  route: fc
    .tuple(pairs('prefix', 'nextHop'), fc.nat(128), fc.boolean())
    .map(([{ prefix, nextHop }, length, isOnLink]) => {
      const prefixLength = Math.min(length, ADDRESS_BITS[familyOf(prefix!)]);
      return {
        prefix: networkOf(prefix!, prefixLength),
        prefixLength,
        nextHop: isOnLink ? undefined : nextHop,
      };
    }),
  neighbour: fc.record({ address, port, sourceMac: mac, targetMac: mac, mtu: bits(16) }),
  known_neighbour: fc.record({ address, mac, port }),
  own_address: fc.record({ address, mac }),
  interface: fc.record({ port, ipv4Address: ipv4, ipv6Address: ipv6 }),
};

describe('a row', () => {
  it.each(Object.keys(rows) as SwitchRow['table'][])(
    'of %s comes back from its entry as it went',
    (table) => {
      fc.assert(
        fc.property(rows[table], (fields) => {
          const row = { table, ...fields } as SwitchRow;
          const { entity } = codec.encode({ operation: table === 'version' ? 'modify' : 'insert', row })
            .entity!;
          if (entity.case !== 'tableEntry') throw new Error('a row is a table entry');
          expect(codec.decode(entity.value)).toEqual(row);
        }),
        { seed: 1, numRuns: 50 },
      );
    },
  );

  it('is deleted by its key alone', () => {
    const row: Row = { table: 'backend', backend: 7, forwarding: 'nat', address: 0, port: 0 };
    const { entity } = codec.encode({ operation: 'delete', row }).entity!;
    expect(entity.case === 'tableEntry' && entity.value.action).toBeUndefined();
  });

  it('of tunnel_source is deleted by going back to what the program says', () => {
    const row: Row = { table: 'tunnel_source', ipv4Address: 1, ipv4Mask: 1, ipv6Address: 1n };
    const update = codec.encode({ operation: 'delete', row });
    const { entity } = update.entity!;
    expect(update.type).toBe(Update_Type.MODIFY);
    expect(entity.case === 'tableEntry' && codec.decode(entity.value)).toBeUndefined();
  });

  it('is asked for in every table, and those with addresses twice', () => {
    const asked = codec
      .everything()
      .map(({ entity }) => entity.case === 'tableEntry' && entity.value.tableId);
    const names = asked.map((id) => index.tables.byId(Number(id))!.alias);
    const written = index.p4info.tables.filter(({ isConstTable }) => !isConstTable);
    expect(names.toSorted()).toEqual(written.map(({ preamble }) => preamble!.alias).toSorted());
    expect(new Set(names.map((name) => name.replace(/_ipv6$/, '')))).toEqual(new Set(Object.keys(rows)));
  });
});
