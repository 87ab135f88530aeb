// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { expect, expectTypeOf, test } from 'vitest';
import { P4InfoSchema } from './generated/p4/config/v1/p4info_pb.ts';
import type { Entity } from './generated/p4/v1/p4runtime_pb.ts';
import { P4InfoIndex } from './p4info.ts';
import { schemaDifferences } from './program-schema.ts';
import type { Program } from './test/generated/program.ts';
import { programSchema } from './test/generated/program.ts';
import { program, programText } from './test/program.ts';
import { parseText } from './text-format.ts';
import { TypedEntries } from './typed-entries.ts';
import { generateTypes } from './typegen.ts';
import { ipv4 } from './values.ts';

const index = new P4InfoIndex(program);
const entries = new TypedEntries<Program>(index, programSchema);

test('the generated file is current', () => {
  const file = new URL('./test/generated/program.ts', import.meta.url);
  expect(generateTypes(index, 'program.ts')).toBe(readFileSync(file, 'utf8'));
});

test('what compiles can be encoded', () => {
  const update = entries.insert('slot', { pool: 1, slot: 7 }, 'set_slot', { backend: 3, unstable: 0 });
  expect(update.entity?.entity.value).toMatchObject({ tableId: 33554433 });
  entries.modify('route', { destination: { value: 0n, prefixLength: 0 } }, 'forward', { port: 1, mac: 2n });
  entries.insert(
    'rule',
    { source: { value: ipv4('10.0.0.0'), mask: ipv4('255.0.0.0') } },
    'NoAction',
    {},
    { priority: 5 },
  );
  entries.insert('pin', { flow: 5n }, 'set_backend', { backend: 1 }, { idleTimeoutNs: 1n });
  entries.remove('pin', { flow: 5n });
  entries.setDefault('version', 'set_version', { epoch: 4 });
  entries.resetDefault('version');
});

test('what is wrong does not compile, nor run', () => {
  const wrong = [
    // @ts-expect-error no such table
    () => entries.insert('slto', { pool: 1, slot: 7 }, 'set_slot', { backend: 3, unstable: 0 }),
    // @ts-expect-error no such field
    () => entries.insert('slot', { pool: 1, slto: 7 }, 'set_slot', { backend: 3, unstable: 0 }),
    // @ts-expect-error a field is missing
    () => entries.insert('slot', { pool: 1 }, 'set_slot', { backend: 3, unstable: 0 }),
    // @ts-expect-error an action of another table
    () => entries.insert('slot', { pool: 1, slot: 7 }, 'forward', { port: 1, mac: 2n }),
    // @ts-expect-error a parameter is missing
    () => entries.insert('slot', { pool: 1, slot: 7 }, 'set_slot', { backend: 3 }),
    // @ts-expect-error an exact field has no mask
    () => entries.remove('slot', { pool: { value: 1, mask: 1 }, slot: 7 }),
    // @ts-expect-error the table has priorities
    () => entries.insert('rule', {}, 'NoAction', {}),
    // @ts-expect-error the table has no priorities
    () => entries.remove('slot', { pool: 1, slot: 7 }, { priority: 1 }),
    // @ts-expect-error the action is for the default entry only
    () => entries.insert('route', {}, 'NoAction', {}),
    // @ts-expect-error the action has no parameters
    () => entries.setDefault('route', 'NoAction', { port: 1 }),
    // @ts-expect-error no such packet-out field
    () => entries.packetOut({ egress: 1 }),
  ];
  for (const attempt of wrong) expect(attempt).toThrow();
  // These would do no harm, but mix up kinds of values, or write a default the program declares const.
  const mixed = [
    // @ts-expect-error 104 bits are a bigint
    () => entries.insert('pin', { flow: 5 }, 'set_backend', { backend: 1 }),
    // @ts-expect-error 13 bits are a number
    () => entries.insert('pin', { flow: 5n }, 'set_backend', { backend: 1n }),
    // @ts-expect-error the default action of the table is const
    () => entries.setDefault('slot', 'set_slot', { backend: 1, unstable: 0 }),
  ];
  expect(mixed).toHaveLength(3);
});

test('what is read has the types of what is written', async () => {
  const update = entries.insert('slot', { pool: 1, slot: 7 }, 'set_slot', { backend: 3, unstable: 0 });
  const source = {
    async *read(): AsyncGenerator<Entity> {
      yield update.entity!;
    },
  };
  for await (const entry of entries.read(source, 'slot')) {
    expectTypeOf(entry.match).toEqualTypeOf<Readonly<{ pool: number; slot: number }>>();
    expect(entry.match).toEqual({ pool: 1, slot: 7 });
    if (entry.action?.name === 'set_slot') expectTypeOf(entry.action.params.backend).toEqualTypeOf<number>();
    expect(entry.action).toEqual({ name: 'set_slot', params: { backend: 3, unstable: 0 } });
  }
});

test('digests and packets by name', () => {
  const bitstring = (...bytes: number[]) =>
    ({ $typeName: 'p4.v1.P4Data', data: { case: 'bitstring', value: Uint8Array.from(bytes) } }) as const;
  const digest = entries.decodeDigest({
    $typeName: 'p4.v1.DigestList',
    digestId: 385875969,
    listId: 1n,
    timestamp: 0n,
    data: [
      {
        $typeName: 'p4.v1.P4Data',
        data: {
          case: 'struct',
          value: { $typeName: 'p4.v1.P4StructLike', members: [bitstring(10, 0, 0, 1), bitstring(6)] },
        },
      },
    ],
  });
  expectTypeOf(digest.samples[0]!.flow).toEqualTypeOf<bigint>();
  expect(digest).toEqual({ name: 'learn_t', samples: [{ source: ipv4('10.0.0.1'), flow: 6n }] });

  expect(entries.packetOut({ egress_port: 300 })).toEqual([
    { $typeName: 'p4.v1.PacketMetadata', metadataId: 1, value: Uint8Array.of(1, 44) },
  ]);
  const metadata = [{ $typeName: 'p4.v1.PacketMetadata', metadataId: 1, value: Uint8Array.of(5) } as const];
  const packet = entries.packetIn({ $typeName: 'p4.v1.PacketIn', payload: new Uint8Array(), metadata });
  expect(packet).toEqual({ ingress_port: 5 });
});

test('a P4Info of another program is refused, with every difference', () => {
  const changed = programText
    .replace('name: "pool" bitwidth: 16', 'name: "pool" bitwidth: 24')
    .replace('name: "unstable"', 'name: "shaky"')
    .replaceAll('drops', 'losses');
  const other = new P4InfoIndex(parseText(P4InfoSchema, changed));
  expect(schemaDifferences(programSchema, other)).toEqual([
    'tables.slot.match.pool is exact 24, not exact 16',
    'actions.set_slot.unstable is missing',
    'actions.set_slot.shaky is new',
    'counters lacks drops',
  ]);
  expect(() => new TypedEntries<Program>(other, programSchema)).toThrow(
    'is not the one the types were generated from',
  );
});
