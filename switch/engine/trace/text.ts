// SPDX-License-Identifier: Apache-2.0
/**
 * A trace as text: first what became of the packet, then how, one line a step, with the place in the P4 source at the
 * right. What p4c has put in by itself is left out.
 */

import { isTemporary } from './field-names.ts';
import type {
  Change,
  ChecksumStep,
  CopiesStep,
  Effect,
  NamedValue,
  PacketTrace,
  SourcePosition,
  StatementStep,
  StateStep,
  TableStep,
  TracePart,
  TraceStep,
} from './trace.ts';
import { valueText } from './value-text.ts';

/** Where the places in the source begin. */
const positionColumn = 92;
/** More bytes of a frame are not shown. */
const frameBytesShown = 64;

const reasons: Record<TracePart['why'], string> = {
  received: 'received',
  resubmit: 'resubmitted',
  recirculate: 'recirculated',
  'ingress-clone': 'cloned in ingress',
  'egress-clone': 'cloned in egress',
  unicast: 'sent on',
  multicast: 'a multicast copy',
};

export function traceText(trace: PacketTrace): string {
  const out = new Lines();
  const bytes = trace.frame.length / 2;
  out.line(`${bytes} bytes on port ${trace.port} at ${trace.nowMicros} us: ${verdict(trace)}`);
  out.line(frameText(trace.frame), 1);
  for (const part of trace.parts) writePart(part, out);
  return out.toString();
}

/** "port 1 (54 bytes), port 2 (54 bytes)", or why there is nothing. */
export function verdict({ parts }: PacketTrace): string {
  const steps = parts.flatMap((part) => part.steps);
  const sent = steps.flatMap((step) =>
    step.kind === 'transmit' ? [`port ${step.port} (${step.frame.length / 2} bytes)`] : [],
  );
  if (sent.length > 0) return sent.join(', ');
  const drop = steps.findLast((step) => step.kind === 'drop');
  if (drop?.kind === 'drop') return `dropped: ${drop.explanation}${drop.at ? `, ${placeText(drop.at)}` : ''}`;
  const copies = steps.findLast((step) => step.kind === 'copies');
  return copies?.kind === 'copies' ? `dropped: ${copiesText(copies)}` : 'dropped';
}

class Lines {
  private readonly lines: string[] = [];

  line(text: string, depth = 0, at?: SourcePosition): void {
    const indented = `${'  '.repeat(depth)}${text}`;
    const gap = ' '.repeat(Math.max(2, positionColumn - indented.length));
    this.lines.push(at ? `${indented}${gap}${placeText(at)}` : indented);
  }

  toString(): string {
    return `${this.lines.join('\n')}\n`;
  }
}

function writePart({ id, parent, kind, why, port, instance, steps }: TracePart, out: Lines): void {
  const from = parent === undefined ? '' : ` from #${parent}`;
  const copy = instance ? `, instance ${instance}` : '';
  const where = kind === 'ingress' ? (why === 'received' ? ` on port ${port}` : '') : ` to port ${port}`;
  out.line(`#${id} ${kind}: ${reasons[why]}${from}${where}${copy}`);
  for (const step of steps) writeStep(step, out);
}

function writeStep(step: TraceStep, out: Lines): void {
  switch (step.kind) {
    case 'state':
      writeState(step, out);
      return;
    case 'accept':
      out.line(`payload from byte ${step.payloadAt}`, 1);
      writeChanges(step.changes, 2, out);
      return;
    case 'checksum':
      writeChecksum(step, out);
      return;
    case 'stage':
      writeChanges(step.changes, 2, out);
      return;
    case 'condition':
      out.line(`if (${oneLine(step.text)}) ${step.outcome}`, 1, step.at);
      return;
    case 'table':
      writeTable(step, out);
      return;
    case 'statements':
      for (const statement of step.steps) writeStatement(statement, 1, out);
      return;
    case 'digest':
      out.line(`digest ${step.list}: ${listText(step.values)}`, 1);
      return;
    case 'copies':
      out.line(copiesText(step), 1);
      return;
    case 'emit':
      out.line(`emit ${step.header} ${step.bytes}`, 1);
      return;
    case 'transmit': {
      const bytes = step.frame.length / 2;
      const cut = bytes < step.wholeBytes ? `, cut from ${step.wholeBytes}` : '';
      out.line(`=> port ${step.port}, ${bytes} bytes${cut}`, 1);
      return;
    }
    case 'again':
      out.line(step.why === 'resubmit' ? '=> resubmitted' : '=> recirculated', 1);
      return;
    case 'drop':
      out.line(`=> dropped: ${step.explanation}`, 1, step.at);
      return;
    case 'diagnostic':
      out.line(`! ${step.what}`, 1);
      return;
  }
}

function writeState({ name, operations, next }: StateStep, out: Lines): void {
  out.line(`state ${name}`, 1);
  for (const operation of operations) {
    switch (operation.kind) {
      case 'extract': {
        const { header, from, to, fields, changes } = operation;
        // A zero tells little where there are many values.
        const shown = fields.length > 4 ? fields.filter(({ value }) => value !== '0x0') : fields;
        out.line(`extract ${header} from bytes ${from} to ${to}: ${listText(shown)}`, 2);
        writeChanges(changes, 3, out);
        break;
      }
      case 'advance':
        out.line(`skip bytes ${operation.from} to ${operation.to}`, 2);
        break;
      case 'statement':
        writeStatement({ at: undefined, ...operation }, 2, out);
        break;
      case 'error':
        out.line(`error.${operation.name}`, 2);
        break;
    }
  }
  if (!next) return;
  const key = next.key.length === 0 ? '' : `select (${listText(next.key)}) ${next.case} `;
  out.line(`${key}-> ${next.state}`, 2);
}

function writeChecksum({ what, field, width, found, computed, at, changes }: ChecksumStep, out: Lines): void {
  const right = valueText('checksum', width, computed);
  if (what === 'updated') {
    out.line(`checksum ${field} becomes ${right}`, 1, at);
  } else if (found === computed) {
    out.line(`checksum ${field} ${right} is right`, 1, at);
  } else {
    out.line(`checksum ${field} ${valueText('checksum', width, found!)} is wrong, ${right} is right`, 1, at);
  }
  if (what === 'verified') writeChanges(changes, 2, out);
}

function writeTable(step: TableStep, out: Lines): void {
  const { name, at, key, isHit, entry, member, action, changes, effects, steps } = step;
  const asked = key.length === 0 ? '' : ` (${listText(key)})`;
  out.line(`table ${name}${asked}`, 1, at);
  const call = action ? `${action.name}(${listText(action.parameters)})` : 'nothing';
  const how = isHit === undefined ? 'default' : isHit ? 'hit' : 'miss';
  const which = entry ? ` entry ${entry.handle}${entryText(entry, key)}` : '';
  out.line(`${how}${which}: ${call}`, 2);
  if (member) {
    const { profile, group, hash } = member;
    const chosen = member.member === undefined ? 'no active member' : `member ${member.member}`;
    const by = group === undefined ? '' : ` of group ${group} by hash ${hash}`;
    out.line(`${profile}: ${chosen}${by}`, 2);
  }
  writeStatement({ at: undefined, changes, effects }, 2, out);
  for (const statement of steps) writeStatement(statement, 2, out);
}

function entryText(entry: NonNullable<TableStep['entry']>, key: TableStep['key']): string {
  const isPlain = key.every(({ match }) => match === 'exact');
  const match = isPlain
    ? ''
    : ` (${key.map(({ name, width }, index) => matchText(name, width, entry.match[index]!)).join(', ')})`;
  return `${match}${entry.priority === undefined ? '' : `, priority ${entry.priority}`}`;
}

function matchText(name: string, width: number, match: string): string {
  return match.replace(/0x[0-9a-f]+/g, (value) => valueText(name, width, value));
}

function writeStatement({ at, changes, effects }: StatementStep, depth: number, out: Lines): void {
  for (const effect of effects) out.line(effectText(effect), depth, at);
  writeChanges(changes, depth, out, at);
}

function writeChanges(changes: readonly Change[], depth: number, out: Lines, at?: SourcePosition): void {
  for (const change of changes) {
    if (change.kind !== 'field') {
      out.line(`${change.header} is ${change.kind === 'header-added' ? 'added' : 'removed'}`, depth, at);
    } else if (!isTemporary(change.field)) {
      const { field, width } = change;
      const [old, now] = [change.old, change.new].map((value) => valueText(field, width, value));
      // Most things are zero before they are something.
      out.line(change.old === '0x0' ? `${field} = ${now}` : `${field} = ${now}, was ${old}`, depth, at);
    }
  }
}

function effectText(effect: Effect): string {
  switch (effect.kind) {
    case 'register-read':
    case 'register-write': {
      const { register, index, width } = effect;
      const value = valueText('', width, effect.value);
      return `${register}[${index}] ${effect.kind === 'register-read' ? 'is' : 'becomes'} ${value}`;
    }
    case 'count': {
      const place = effect.index === undefined ? '' : `[${effect.index}]`;
      return `count ${effect.counter}${place}: ${effect.packets} packets, ${effect.bytes} bytes`;
    }
    case 'meter':
      return `meter ${effect.meter}${effect.index === undefined ? '' : `[${effect.index}]`}: ${effect.colour}`;
    case 'hash':
      return `hash ${effect.algorithm} ${effect.value}`;
    case 'ask':
      switch (effect.what) {
        case 'digest':
          return `wants digest ${effect.list}`;
        case 'clone':
          return `wants a clone by session ${effect.session}`;
        case 'truncate':
          return `wants at most ${effect.bytes} bytes`;
        case 'exit':
          return 'exit';
        case 'drop':
          return 'mark_to_drop';
        default:
          return `wants ${effect.what}`;
      }
    case 'log':
      return `log: ${effect.text}`;
    case 'diagnostic':
      return `! ${effect.what}`;
  }
}

function copiesText({ why, id, replicas }: CopiesStep): string {
  const whose = why === 'multicast' ? `multicast group ${id}` : `clone session ${id}`;
  if (!replicas) return `there is no ${whose}`;
  return `${whose}: ${replicas.map(({ port, instance }) => `port ${port}${instance ? ` (instance ${instance})` : ''}`).join(', ')}`;
}

function listText(values: readonly NamedValue[]): string {
  return values.map(({ name, width, value }) => `${name} ${valueText(name, width, value)}`).join(', ');
}

function placeText({ file, line }: SourcePosition): string {
  return `${file.slice(file.lastIndexOf('/') + 1)}:${line}`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/^\((.*)\)$/, '$1');
}

function frameText(frame: string): string {
  const shown = frame.slice(0, 2 * frameBytesShown).replace(/.{8}(?=.)/g, '$& ');
  return frame.length > 2 * frameBytesShown ? `${shown} ...` : shown;
}
