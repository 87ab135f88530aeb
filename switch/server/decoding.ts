// SPDX-License-Identifier: Apache-2.0
/**
 * Decodes requests of clients that are not to be trusted.
 *
 * Two bytes on the wire can be an object of a hundred in memory, so a limit of bytes is not enough: a request within it
 * could take all the memory there is. And grpc-js leaves a stream hanging when a message of it cannot be decoded while
 * an answer to an earlier one is on its way.
 *
 * What is wrong with a request is therefore found here, but told by `checkDecoded`, when its turn has come.
 */

import { create, type DescField, type DescMessage, type DescService } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import type { MethodDefinition } from '@grpc/grpc-js';
import { type ServiceDefinitionOf, serviceDefinition } from '../../p4runtime/service-definition.ts';
import { Code, Refusal } from './refusal.ts';

/** Messages within a request, elements of lists and fields nobody knows; about half a GiB of objects. */
export const requestPartsMax = 4 * 2 ** 20;

/** By the empty request that stands for the one that could not be decoded. */
const refusals = new WeakMap<object, Refusal>();

/** @throws Refusal when the request could not be decoded: RESOURCE_EXHAUSTED if it was too large, else INTERNAL */
export function checkDecoded(request: object): void {
  const refusal = refusals.get(request);
  if (refusal !== undefined) throw refusal;
}

/** As `serviceDefinition`, for a server; its handlers call `checkDecoded`. */
export function untrustingServiceDefinition<S extends DescService>(service: S): ServiceDefinitionOf<S> {
  const definition = serviceDefinition(service) as Record<string, MethodDefinition<unknown, unknown>>;
  const methods = service.methods.map(({ localName, input }) => {
    const method = definition[localName]!;
    const requestDeserialize = (bytes: Buffer): unknown => {
      if (hasTooManyParts(input, bytes)) return refused(input, tooManyParts());
      if (!method.requestStream) return method.requestDeserialize(bytes);
      try {
        return method.requestDeserialize(bytes);
      } catch {
        // The text of grpc-js.
        return refused(input, new Refusal(Code.INTERNAL, 'Error deserializing request'));
      }
    };
    return [localName, { ...method, requestDeserialize }];
  });
  return Object.fromEntries(methods);
}

function refused(schema: DescMessage, refusal: Refusal): object {
  const empty = create(schema);
  refusals.set(empty, refusal);
  return empty;
}

function tooManyParts(): Refusal {
  const text = `the request has more than ${requestPartsMax} parts; send it in several`;
  return new Refusal(Code.RESOURCE_EXHAUSTED, text);
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
