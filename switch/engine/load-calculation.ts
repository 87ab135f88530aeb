// SPDX-License-Identifier: Apache-2.0
/** Calculations: which hash over which fields, and the checksums that use them. */

import { inputBits } from './emit-calculation.ts';
import type { Condition } from './expression.ts';
import { findHash } from './hash-names.ts';
import { loadCondition, loadFieldRef, loadHeader, type Names } from './load-expression.ts';
import type { Resources } from './load-primitive.ts';
import type { Calculation, CalculationItem, Checksum, FieldRef } from './program.ts';
import type { Reader } from './reader.ts';

/** Bits of the input of a hash, without payload; more are refused. */
const inputBitsMax = 1 << 20;

export function loadCalculation(node: Reader, names: Names): Calculation {
  return loadHashing(node.get('name').name(), node, names);
}

/** @param node  has `algo` and `input` */
export function loadHashing(name: string, node: Reader, names: Names): Calculation {
  const algo = node.get('algo');
  const found = findHash(algo.string());
  if (typeof found === 'string') return algo.refuse(found);
  const items = node
    .get('input')
    .array()
    .map((item) => loadItem(item, names));
  const calculation = { name, ...found, items };
  if (inputBits(calculation) > inputBitsMax) node.get('input').refuse(`more than ${inputBitsMax} bits`);
  return calculation;
}

function loadItem(item: Reader, names: Names): CalculationItem {
  const type = item.get('type').string();
  const value = item.get('value');
  switch (type) {
    case 'field': {
      const ref = loadFieldRef(value, names);
      if (ref.field.name === '$valid$') value.refuse('$valid$ cannot be hashed');
      return { kind: 'field', ref };
    }
    case 'hexstr':
      return { kind: 'constant', value: value.hex(), width: item.get('bitwidth').integer(1, 65_535) };
    case 'header':
      return { kind: 'header', header: loadHeader(value, names) };
    case 'payload':
      return { kind: 'payload' };
    default:
      return item.refuse(`an input of type "${type}"; there are field, hexstr, header and payload`);
  }
}

export function loadChecksum(node: Reader, names: Resources): Checksum {
  const name = node.get('name').name();
  const at = node.called(name);
  const always: Condition = { op: 'constant', value: true };
  const flag = (key: string) => (at.has(key) ? at.get(key).boolean() : true);
  const target = loadFieldRef(at.get('target'), names);
  if (target.field.varbit || target.field.name === '$valid$')
    at.get('target').refuse(`${target.header.name}.${target.field.name} is no place for a checksum`);
  const condition = at.get('if_cond').isNull() ? always : loadCondition(at.get('if_cond'), names);
  return {
    name,
    target,
    calculation: calculationOf(at, target, names),
    verify: flag('verify'),
    update: flag('update'),
    condition,
  };
}

function calculationOf(at: Reader, target: FieldRef, names: Resources): Calculation {
  const type = at.get('type').string();
  if (type === 'ipv4') return headerChecksum(target);
  if (type !== 'generic') at.get('type').refuse(`a checksum of type "${type}"; there are generic and ipv4`);
  const name = at.get('calculation');
  return names.calculations.get(name.string()) ?? name.refuse(`there is no calculation ${name.string()}`);
}

/** P4_14's IPv4 checksum: over the header it stands in, itself left out. */
function headerChecksum({ header, field }: FieldRef): Calculation {
  const items = header.type.fields.map(
    (item): CalculationItem =>
      item === field
        ? { kind: 'constant', value: 0n, width: field.width }
        : { kind: 'field', ref: { header, field: item } },
  );
  return { name: `checksum of ${header.name}`, algorithm: 'csum16', crc: undefined, items };
}
