// SPDX-License-Identifier: Apache-2.0
/**
 * Random messages of any schema: every oneof, empty and long lists, the ends of each number's range, and now and then
 * an id that means something, so that not everything is refused at the first check.
 */

import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import type { Random } from './support.ts';

export interface RandomMessageOptions {
  /** Numbers that mean something to the switch. */
  ids: readonly number[];
  /** Nesting below which messages are left out. */
  depthMax: number;
}

const numbers64 = [0n, 1n, -1n, 2n ** 31n, 2n ** 63n - 1n, -(2n ** 63n)];
const unsigned64 = [0n, 1n, 2n ** 32n, 2n ** 64n - 1n];

export function randomMessage(schema: DescMessage, random: Random, options: RandomMessageOptions): Message {
  const message = create(schema) as Message & Record<string, unknown>;
  for (const member of schema.members) {
    if (member.kind === 'oneof') {
      if (random.chance(0.1)) continue;
      const field = random.pick(member.fields);
      const value = randomValue(field, random, options);
      if (value !== undefined) message[member.localName] = { case: field.localName, value };
    } else if (random.chance(0.6)) {
      const value = randomValue(member, random, options);
      if (value !== undefined) message[member.localName] = value;
    }
  }
  return message;
}

/** @returns undefined to leave the field out */
function randomValue(field: DescField, random: Random, options: RandomMessageOptions): unknown {
  switch (field.fieldKind) {
    case 'scalar':
      return scalar(field.scalar, random, options);
    case 'enum':
      return random.chance(0.9) ? random.pick(field.enum.values).number : random.below(1000);
    case 'message':
      return options.depthMax === 0 ? undefined : randomMessage(field.message, random, below(options));
    case 'list': {
      const length = random.pick([0, 1, 1, 2, 3, random.below(40)]);
      return Array.from({ length }, () => {
        if (field.listKind === 'scalar') return scalar(field.scalar, random, options);
        if (field.listKind === 'enum') return random.below(4);
        return options.depthMax === 0
          ? create(field.message)
          : randomMessage(field.message, random, below(options));
      });
    }
    case 'map':
      return {};
  }
}

function below(options: RandomMessageOptions): RandomMessageOptions {
  return { ...options, depthMax: options.depthMax - 1 };
}

function scalar(type: ScalarType, random: Random, { ids }: RandomMessageOptions): unknown {
  switch (type) {
    case ScalarType.BOOL:
      return random.chance(0.3);
    case ScalarType.STRING:
      return random.pick(['', 'role', 'features', 'x'.repeat(2000), '\u0000', '😀', '%s%n']);
    case ScalarType.BYTES:
      return random.bytes(random.pick([0, 1, 1, 2, 6, 6, 17, 300]));
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return random.pick([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e38]);
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return random.pick(numbers64);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return random.pick(unsigned64);
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return random.pick([0, 1, 2, 5, -1, 2 ** 31 - 1, -(2 ** 31), random.below(600)]);
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return random.chance(0.7) ? random.pick(ids) : random.pick([0, 1, 2, 3, 2 ** 32 - 1, random.word()]);
  }
}

/** The message as bytes, now and then with some of them wrong: invalid UTF-8, unknown fields, lengths that lie. */
export function randomBytesOf(schema: DescMessage, message: Message, random: Random): Uint8Array {
  const bytes = toBinary(schema, message);
  switch (random.below(8)) {
    case 0:
      for (let count = 1 + random.below(4); count > 0 && bytes.length > 0; count--) {
        bytes[random.below(bytes.length)] = random.below(256);
      }
      return bytes;
    case 1:
      return bytes.subarray(0, random.below(bytes.length + 1));
    case 2:
      return Buffer.concat([bytes, random.bytes(random.below(20))]);
    case 3: {
      const at = random.below(bytes.length + 1);
      return Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(8)), bytes.subarray(at)]);
    }
    default:
      return bytes;
  }
}
