// SPDX-License-Identifier: Apache-2.0
/** The members of parser value sets, which simple_switch_grpc has no way to write over P4Runtime. */

import { create } from '@bufbuild/protobuf';
import type { ValueSetEntry } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { Update_Type, ValueSetEntrySchema } from '../../p4runtime/generated/p4/v1/p4runtime_pb.ts';
import { encodeValue } from '../../p4runtime/values.ts';
import { type Batch, put } from './batch.ts';
import type { BoundValueSet } from './bound.ts';
import type { Loaded } from './loaded.ts';
import { readValue } from './match-key.ts';
import { Code, invalid, Refusal, unimplemented } from './refusal.ts';

const refusalText =
  'value sets cannot be written over P4Runtime on simple_switch_grpc (trap value-set-in-p4info)';

/** @throws Refusal; then nothing has changed */
export function writeValueSet(
  loaded: Loaded,
  type: Update_Type,
  { valueSetId, members }: ValueSetEntry,
  batch: Batch,
): void {
  const { rules, valueSets } = loaded;
  rules.allow('value-set', refusalText);
  const bound = boundSet(loaded, valueSetId);
  if (type !== Update_Type.MODIFY) throw invalid('a value set is always there: it can only be modified');
  if (members.length > bound.sizeMax) {
    const message = `value set '${bound.name}' has room for ${bound.sizeMax} members, not ${members.length}`;
    throw new Refusal(Code.RESOURCE_EXHAUSTED, message);
  }
  const values: bigint[] = [];
  for (const { match } of members) {
    const value = memberValue(loaded, bound, match);
    if (values.includes(value)) {
      throw new Refusal(Code.ALREADY_EXISTS, `value set '${bound.name}' is given a member twice`);
    }
    values.push(value);
  }
  put(batch, valueSets, valueSetId, values);
  batch.push({ kind: 'value-set', set: bound.set.id, members: values });
}

/** Id 0 stands for all. @throws Refusal */
export function readValueSets(loaded: Loaded, id: number): ValueSetEntry[] {
  loaded.rules.allow('value-set', refusalText);
  const wanted = id === 0 ? [...loaded.binding.valueSets.values()] : [boundSet(loaded, id)];
  return wanted.map((bound) =>
    create(ValueSetEntrySchema, {
      valueSetId: bound.id,
      members: (loaded.valueSets.get(bound.id) ?? []).map((value) => ({ match: matchOf(bound, value) })),
    }),
  );
}

function boundSet({ binding }: Loaded, id: number): BoundValueSet {
  const bound = binding.valueSets.get(id);
  if (bound === undefined) throw invalid(`Invalid P4 id: there is no value set ${id}`);
  return bound;
}

/** The fields of a member side by side, the first the most significant. */
function memberValue(
  { rules }: Loaded,
  { name, fields }: BoundValueSet,
  match: ValueSetEntry['members'][number]['match'],
): bigint {
  let value = 0n;
  for (const { id, width } of fields) {
    const given = match.filter(({ fieldId }) => fieldId === id);
    const type = given[0]?.fieldMatchType;
    if (given.length !== 1 || type?.case === undefined) {
      throw invalid(`a member of value set '${name}' needs field ${id}, once`);
    }
    if (type.case !== 'exact') throw unimplemented('members of value sets other than exact ones');
    const bits = BigInt(readValue(rules, type.value.value, width, `field ${id} of value set '${name}'`));
    value = (value << BigInt(width)) | bits;
  }
  if (match.length > fields.length) throw invalid(`value set '${name}' has ${fields.length} fields`);
  return value;
}

function matchOf({ fields }: BoundValueSet, member: bigint) {
  let rest = fields.reduce((sum, { width }) => sum + width, 0);
  return fields.map(({ id: fieldId, width }) => {
    rest -= width;
    const value = encodeValue(BigInt.asUintN(width, member >> BigInt(rest)), width);
    return { fieldId, fieldMatchType: { case: 'exact' as const, value: { value } } };
  });
}
