// SPDX-License-Identifier: Apache-2.0
/**
 * Metadata of packets to and from the controller by name, as the headers "packet_out" and "packet_in" of the
 * P4Info say.
 */
import type { ReadValue } from './entries.ts';
import type { PacketMetadata } from './generated/p4/v1/p4runtime_pb.ts';
import type { P4InfoIndex } from './p4info.ts';
import { P4RuntimeError } from './p4runtime-error.ts';
import type { FieldValue } from './values.ts';
import { canonicalBytes, decodeValue, encodeValue } from './values.ts';

/**
 * Metadata for a packet-out. Every field must be given: a strict switch drops a packet that lacks one.
 *
 * @throws P4RuntimeError 'unknown-name', 'bad-value', or 'bad-entry' when a field is missing
 */
export function encodePacketOut(
  index: P4InfoIndex,
  values: Readonly<Record<string, FieldValue>>,
): PacketMetadata[] {
  const { fields, fieldsByName } = index.packetMetadata.get('packet_out');
  const given = new Map(Object.entries(values).map(([name, value]) => [fieldsByName.get(name), value]));
  return fields.map((field) => {
    const value = given.get(field);
    if (value === undefined)
      throw new P4RuntimeError('bad-entry', { message: `packet_out lacks ${field.name}` });
    const bytes = encodeValue(value, field.bitwidth, `packet_out.${field.name}`);
    return { $typeName: 'p4.v1.PacketMetadata', metadataId: field.id, value: bytes };
  });
}

/** Metadata of a packet-in. Fields the P4Info does not know are left out. */
export function decodePacketIn(
  index: P4InfoIndex,
  metadata: readonly PacketMetadata[],
): Readonly<Record<string, ReadValue>> {
  const { fieldsByName } = index.packetMetadata.get('packet_in');
  const values: Record<string, ReadValue> = {};
  for (const { metadataId, value } of metadata) {
    const field = fieldsByName.byId(metadataId);
    if (field !== undefined) values[field.name] = decodeValue(canonicalBytes(value), field.bitwidth);
  }
  return values;
}
