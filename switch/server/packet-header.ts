// SPDX-License-Identifier: Apache-2.0
/** The header between a packet and the controller: metadata of PacketIn and PacketOut to and from bits. */

import { create } from '@bufbuild/protobuf';
import type { PacketMetadata } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { PacketMetadataSchema } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { decodeBigint, encodeValue } from '../../p4runtime/values.ts';
import type { PacketHeader } from './bound.ts';
import type { Rules } from './compat.ts';
import { readValue } from './match-key.ts';
import { invalid, Refusal } from './refusal.ts';

/**
 * Puts the header before the payload.
 *
 * @returns undefined for a packet that simple_switch_grpc drops in silence, when that is what we are to do
 * @throws Refusal INVALID_ARGUMENT
 */
export function encodePacketOut(
  rules: Rules,
  header: PacketHeader | undefined,
  metadata: readonly PacketMetadata[],
  payload: Uint8Array,
): Uint8Array | undefined {
  try {
    return withHeader(rules, header, metadata, payload);
  } catch (cause) {
    if (cause instanceof Refusal && !rules.refuses('packet-out-metadata-bad')) return undefined;
    throw cause;
  }
}

function withHeader(
  rules: Rules,
  header: PacketHeader | undefined,
  metadata: readonly PacketMetadata[],
  payload: Uint8Array,
): Uint8Array {
  if (header === undefined) {
    if (metadata.length > 0) throw invalid('the program has no packet_out header, but metadata was given');
    return payload;
  }
  const values = new Map<number, bigint>();
  for (const { metadataId, value } of metadata) {
    const field = header.fields.find((candidate) => candidate.id === metadataId);
    if (field === undefined) throw invalid(`packet_out has no metadata ${metadataId}`);
    if (values.has(metadataId)) throw invalid(`packet_out metadata '${field.name}' is given twice`);
    values.set(
      metadataId,
      BigInt(readValue(rules, value, field.width, `packet_out metadata '${field.name}'`)),
    );
  }
  let bits = 0n;
  let width = 0;
  for (const field of header.fields) {
    const value = values.get(field.id) ?? 0n;
    if (!values.has(field.id) && !field.isPadding) {
      rules.allow('packet-out-metadata-missing', `packet_out metadata '${field.name}' is missing`);
    }
    bits = (bits << BigInt(field.width)) | value;
    width += field.width;
  }
  bits <<= BigInt(header.bytes * 8 - width);
  const frame = new Uint8Array(header.bytes + payload.length);
  frame.set(payload, header.bytes);
  for (let index = header.bytes - 1; index >= 0; index--) {
    frame[index] = Number(bits & 0xffn);
    bits >>= 8n;
  }
  return frame;
}

/** @returns undefined when the frame is shorter than the header */
export function decodePacketIn(
  header: PacketHeader | undefined,
  frame: Uint8Array,
): { metadata: PacketMetadata[]; payload: Uint8Array } | undefined {
  if (header === undefined) return { metadata: [], payload: frame };
  if (frame.length < header.bytes) return undefined;
  const bits = decodeBigint(frame.subarray(0, header.bytes));
  let rest = header.bytes * 8;
  const metadata = header.fields.map((field) => {
    rest -= field.width;
    const value = BigInt.asUintN(field.width, bits >> BigInt(rest));
    return create(PacketMetadataSchema, { metadataId: field.id, value: encodeValue(value, field.width) });
  });
  return { metadata, payload: frame.subarray(header.bytes) };
}
