// SPDX-License-Identifier: Apache-2.0
/**
 * What a controller pushes as p4_device_config: the JSON written by p4c-bm2-ss, or that JSON in the deprecated message
 * p4.tmp.P4DeviceConfig { bool reassign = 1; Extras extras = 2; bytes device_data = 3; }, as older tools made it.
 *
 * Source: p4lang/PI, proto/p4/tmp/p4config.proto.
 */

const deviceDataField = 3;

/** @returns the text of the JSON object; undefined when the bytes are neither of the two */
export function deviceConfigText(bytes: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(bytes);
  if (isObject(text)) return text;
  const data = wrappedData(bytes);
  const wrapped = data && new TextDecoder().decode(data);
  return wrapped !== undefined && isObject(wrapped) ? wrapped : undefined;
}

function isObject(text: string): boolean {
  return /^\s*\{/.test(text);
}

/** The last `device_data` of the message, as protobuf has it; undefined when the bytes are no such message. */
function wrappedData(bytes: Uint8Array): Uint8Array | undefined {
  let data: Uint8Array | undefined;
  for (let at = 0; at < bytes.length; ) {
    const tag = readVarint(bytes, at);
    if (tag === undefined) return undefined;
    const [field, wireType] = [tag.value >>> 3, tag.value & 7];
    const length = readVarint(bytes, tag.next);
    if (length === undefined) return undefined;
    if (field === 1 && wireType === 0) at = length.next;
    else if ((field === 2 || field === deviceDataField) && wireType === 2) {
      at = length.next + length.value;
      if (at > bytes.length) return undefined;
      if (field === deviceDataField) data = bytes.subarray(length.next, at);
    } else return undefined;
  }
  return data;
}

/** Of up to 32 bits, which is what tags and lengths have. */
function readVarint(bytes: Uint8Array, start: number): { value: number; next: number } | undefined {
  let value = 0;
  for (let index = 0; index < 5; index++) {
    const byte = bytes[start + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, next: start + index + 1 };
  }
  return undefined;
}
