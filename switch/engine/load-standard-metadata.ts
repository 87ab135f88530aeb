// SPDX-License-Identifier: Apache-2.0
/**
 * The fields of metadata simple_switch itself reads and writes. It finds most of them by the name of an alias, or of a
 * field called so; without the field the feature does not exist.
 *
 * Source: behavioral-model targets/simple_switch/simple_switch.cpp.
 */

import { loadFieldRef, type Names } from './load-expression.ts';
import type { FieldRef, QueueingMetadata, StandardMetadata } from './program.ts';
import type { Reader } from './reader.ts';

export type MetadataFinder = (header: string, field: string) => FieldRef | undefined;

/** Looks for a field of this name, then for an alias. */
export function metadataFinder(root: Reader, names: Names): MetadataFinder {
  const aliases = new Map(
    root
      .get('field_aliases')
      .optionalArray()
      .map((alias) => {
        const [name, ref] = alias.tuple(2) as [Reader, Reader];
        return [name.string(), loadFieldRef(ref, names)] as const;
      }),
  );
  return (headerName, fieldName) => {
    const header = names.headers.get(headerName);
    const field = header?.type.fields.find((candidate) => candidate.name === fieldName);
    return header && field ? { header, field } : aliases.get(`${headerName}.${fieldName}`);
  };
}

export function loadStandardMetadata(root: Reader, find: MetadataFinder): StandardMetadata {
  const fitting = (ref: FieldRef | undefined, min: number, max: number): FieldRef | undefined => {
    if (!ref) return undefined;
    const { name, width, varbit } = ref.field;
    if (!varbit && width >= min && width <= max) return ref;
    return root.refuse(`${ref.header.name}.${name} has ${width} bits, not ${min} to ${max}`);
  };
  const need = (name: string): FieldRef =>
    fitting(find('standard_metadata', name), 1, 32) ??
    root.refuse(`standard_metadata has no field ${name}, which simple_switch needs`);
  const intrinsic = (name: string, min: number, max: number) =>
    fitting(find('intrinsic_metadata', name), min, max);
  return {
    ingressPort: need('ingress_port'),
    packetLength: need('packet_length'),
    instanceType: need('instance_type'),
    egressSpec: need('egress_spec'),
    egressPort: need('egress_port'),
    parserError: fitting(find('standard_metadata', 'parser_error'), 1, 32),
    checksumError: fitting(find('standard_metadata', 'checksum_error'), 1, 32),
    ingressTimestamp: intrinsic('ingress_global_timestamp', 1, 64),
    egressTimestamp: intrinsic('egress_global_timestamp', 1, 64),
    queueing: queueingMetadata(root, find, fitting),
    priority: intrinsic('priority', 1, 32),
    multicastGroup: intrinsic('mcast_grp', 1, 32),
    egressRid: intrinsic('egress_rid', 1, 32),
  };
}

function queueingMetadata(
  root: Reader,
  find: MetadataFinder,
  fitting: (ref: FieldRef | undefined, min: number, max: number) => FieldRef | undefined,
): QueueingMetadata | undefined {
  const field = (name: string) => fitting(find('queueing_metadata', name), 1, 64);
  const enqueueTimestamp = field('enq_timestamp');
  const enqueueDepth = field('enq_qdepth');
  const dequeueDelta = field('deq_timedelta');
  const dequeueDepth = field('deq_qdepth');
  if (!enqueueTimestamp || !enqueueDepth || !dequeueDelta || !dequeueDepth) return undefined;
  return {
    enqueueTimestamp,
    enqueueDepth,
    isDepthUsed: isNamed(root, enqueueDepth),
    dequeueDelta,
    dequeueDepth,
    queue: field('qid'),
  };
}

/** Whether a field occurs, as `[header, field]`, anywhere but in the aliases. */
function isNamed(root: Reader, { header, field }: FieldRef): boolean {
  const left = root.keys().flatMap((key) => (key === 'field_aliases' ? [] : [root.get(key).value]));
  // A stack of our own: a hostile program nests deeper than calls may.
  while (left.length > 0) {
    const node = left.pop();
    if (typeof node !== 'object' || node === null) continue;
    if (Array.isArray(node) && node.length === 2 && node[0] === header.name && node[1] === field.name) {
      return true;
    }
    for (const child of Object.values(node)) left.push(child);
  }
  return false;
}
