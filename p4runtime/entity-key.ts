// SPDX-License-Identifier: Apache-2.0
/**
 * The key of an entity: two updates with the same key touch the same thing on the switch, and must reach it
 * in order.
 */
import type { Entity, FieldMatch, TableEntry } from './generated/p4/v1/p4runtime_pb.ts';
import { canonicalBytes } from './values.ts';

/** Byte strings are compared by value, so a padded and a canonical form give the same key. */
export function entityKey(entity: Entity | undefined): string {
  const it = entity?.entity;
  switch (it?.case) {
    case 'tableEntry':
      return tableEntryKey(it.value);
    // Direct resources live and die with their entry.
    case 'directCounterEntry':
    case 'directMeterEntry':
      return it.value.tableEntry === undefined ? it.case : tableEntryKey(it.value.tableEntry);
    // Groups refer to members, so a profile is one thing.
    case 'actionProfileMember':
    case 'actionProfileGroup':
      return `profile ${it.value.actionProfileId}`;
    case 'counterEntry':
      return `counter ${it.value.counterId}`;
    case 'meterEntry':
      return `meter ${it.value.meterId}`;
    case 'registerEntry':
      return `register ${it.value.registerId}`;
    case 'valueSetEntry':
      return `value set ${it.value.valueSetId}`;
    case 'digestEntry':
      return `digest ${it.value.digestId}`;
    case 'packetReplicationEngineEntry': {
      const { type } = it.value;
      return type.case === 'multicastGroupEntry'
        ? `multicast group ${type.value.multicastGroupId}`
        : `clone session ${type.value?.sessionId}`;
    }
    default:
      return `extern ${it?.value?.externTypeId}`;
  }
}

function tableEntryKey(entry: TableEntry): string {
  if (entry.isDefaultAction) return `${entry.tableId} default`;
  const isSorted = entry.match.every((match, i) => i === 0 || entry.match[i - 1]!.fieldId < match.fieldId);
  const matches = isSorted ? entry.match : entry.match.toSorted((a, b) => a.fieldId - b.fieldId);
  let key = `${entry.tableId}/${entry.priority}`;
  for (const match of matches) key += fieldKey(match);
  return key;
}

function fieldKey({ fieldId, fieldMatchType: match }: FieldMatch): string {
  switch (match.case) {
    case 'exact':
    case 'optional':
      return ` ${fieldId}=${latin1(match.value.value)}`;
    case 'lpm':
      return ` ${fieldId}=${latin1(match.value.value)}/${match.value.prefixLen}`;
    case 'ternary':
      return ` ${fieldId}=${latin1(match.value.value)}&${latin1(match.value.mask)}`;
    case 'range':
      return ` ${fieldId}=${latin1(match.value.low)}-${latin1(match.value.high)}`;
    default:
      return ` ${fieldId}=${match.case}`;
  }
}

/** Prefixed by its length, so that bytes which look like separators cannot make two keys one. */
function latin1(bytes: Uint8Array): string {
  const canonical = canonicalBytes(bytes);
  let text = `${canonical.length}:`;
  for (let i = 0; i < canonical.length; i++) text += String.fromCharCode(canonical[i]!);
  return text;
}
