// SPDX-License-Identifier: Apache-2.0
/**
 * Bounds what a request becomes when it is decoded. Two bytes on the wire can be an object of a hundred in memory, so a
 * limit of bytes is not enough: a request within it could take all the memory there is.
 *
 * A request with too many parts is decoded as an empty one, and `checkSize` refuses it: grpc-js has no better status
 * than INTERNAL for a message that cannot be decoded.
 */

import { create, type DescField, type DescMessage, type DescService } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import type { MethodDefinition } from '@grpc/grpc-js';
import { type ServiceDefinitionOf, serviceDefinition } from '../../p4runtime/service-definition.ts';
import { Code, Refusal } from './refusal.ts';

/** Messages within a request, elements of lists and fields nobody knows; about half a GiB of objects. */
export const requestPartsMax = 4 * 2 ** 20;

const oversized = new WeakSet<object>();

/** @throws Refusal RESOURCE_EXHAUSTED when the request was too large to be decoded */
export function checkSize(request: object): void {
  if (!oversized.has(request)) return;
  throw new Refusal(
    Code.RESOURCE_EXHAUSTED,
    `the request has more than ${requestPartsMax} parts; send it in several`,
  );
}

/** As `serviceDefinition`, for a server that does not trust its clients. */
export function boundedServiceDefinition<S extends DescService>(service: S): ServiceDefinitionOf<S> {
  const definition = serviceDefinition(service) as Record<string, MethodDefinition<unknown, unknown>>;
  const methods = service.methods.map(({ localName, input }) => {
    const method = definition[localName]!;
    const requestDeserialize = (bytes: Buffer) => {
      if (!hasTooManyParts(input, bytes)) return method.requestDeserialize(bytes);
      const empty = create(input);
      oversized.add(empty);
      return empty;
    };
    return [localName, { ...method, requestDeserialize }];
  });
  return Object.fromEntries(methods);
}

/** @param partsMax  for tests */
export function hasTooManyParts(
  schema: DescMessage,
  bytes: Uint8Array,
  partsMax: number = requestPartsMax,
): boolean {
  // No part is shorter than two bytes, but for the elements of packed lists, which are few in P4Runtime.
  if (bytes.length < partsMax) return false;
  try {
    return countParts(schema, new BinaryReader(bytes), bytes.length, partsMax, 0) > partsMax;
  } catch {
    // What is not protobuf is for the decoder to refuse.
    return false;
  }
}

/** Deeper than the decoder goes. */
const depthMax = 128;

/** @returns the parts up to `end`, or any number above the limit */
function countParts(
  schema: DescMessage,
  reader: BinaryReader,
  end: number,
  partsMax: number,
  depth: number,
): number {
  let parts = 0;
  const fields = fieldsOf(schema);
  while (reader.pos < end && parts <= partsMax) {
    const [number, wireType] = reader.tag();
    const field = fields.get(number);
    if (wireType !== WireType.LengthDelimited || field === undefined) {
      parts += field === undefined || field.fieldKind === 'list' ? 1 : 0;
      reader.skip(wireType, number);
      continue;
    }
    const length = reader.uint32();
    const fieldEnd = reader.pos + length;
    const { message } = field;
    if (message !== undefined && depth < depthMax) {
      parts += 1 + countParts(message, reader, Math.min(fieldEnd, end), partsMax - parts, depth + 1);
    } else if (field.fieldKind === 'list') parts += field.listKind === 'scalar' && field.packed ? length : 1;
    reader.pos = fieldEnd;
  }
  return parts;
}

const fieldMaps = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>();

function fieldsOf(schema: DescMessage): ReadonlyMap<number, DescField> {
  let fields = fieldMaps.get(schema);
  if (fields === undefined) {
    fields = new Map(schema.fields.map((field) => [field.number, field]));
    fieldMaps.set(schema, fields);
  }
  return fields;
}
