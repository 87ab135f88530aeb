// SPDX-License-Identifier: Apache-2.0
/**
 * Changes to the configuration made by command. They are made in the text of the file, where the YAML document says
 * that a value stands, so a change of one backend is a change of one line: comments, order and layout stay as the
 * operator left them.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  parseDocument,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import type { BackendState } from '../core/desired.ts';
import type { Config } from './config.ts';
import { parseConfig } from './parse.ts';
import { nearMatch, type Problem } from './problem.ts';

export type Edit =
  | {
      kind: 'add';
      vip: string;
      backend: string;
      address: string;
      port: number;
      weight?: number | undefined;
      /** Hexadecimal. */
      serverId?: string | undefined;
    }
  | { kind: 'remove'; vip: string; backend: string }
  | { kind: 'weight'; vip: string; backend: string; weight: number }
  | { kind: 'state'; vip: string; backend: string; state: BackendState };

export type RefusalCode = 'no-such-vip' | 'no-such-backend' | 'exists' | 'invalid';

export interface Refusal {
  code: RefusalCode;
  wrong: string;
  right: string;
  /** What would be wrong with the file after the edit, or is wrong with it before. */
  problems: Problem[];
}

export type EditResult =
  | { text: string; isChanged: boolean; config: Config; warnings: Problem[] }
  | { refusal: Refusal };

/** What the text holds, as far as edits care. */
interface Plain {
  vips: { name: string; backends?: PlainBackend[] | null }[];
}
type PlainBackend = {
  name: string;
  weight?: number;
  state?: string;
  address?: string;
  port?: number;
  server_id?: string;
};

/**
 * @returns the new text and what it means, or why not. A text that already says so comes back as it was.
 */
export function editConfig(text: string, edit: Edit): EditResult {
  const before = parseConfig(text);
  if ('problems' in before) return invalid('the file has problems already', before.problems);

  const document = parseDocument(text);
  const wanted = document.toJS() as Plain;
  const vipIndex = wanted.vips.findIndex((vip) => vip.name === edit.vip);
  if (vipIndex < 0) return missing('no-such-vip', 'vip', edit.vip, names(wanted.vips));
  const vip = wanted.vips[vipIndex]!;
  const backends = (vip.backends ??= []);
  const index = backends.findIndex((backend) => backend.name === edit.backend);
  if (edit.kind === 'add' && index >= 0) {
    const wrong = `vip '${edit.vip}' has a backend '${edit.backend}' already`;
    return {
      refusal: { code: 'exists', wrong, right: 'another name, or restore the one there is', problems: [] },
    };
  }
  if (edit.kind !== 'add' && index < 0)
    return missing('no-such-backend', `backend of vip '${edit.vip}'`, edit.backend, names(backends));

  if (says(edit, backends[index])) return { text, isChanged: false, ...before };
  apply(edit, backends, index);

  const edited = spliced(text, document, edit, vipIndex, index);
  const isFaithful = edited !== undefined && isDeepStrictEqual(meaningOf(edited), wanted);
  const result = isFaithful ? edited : rewritten(document, edit, vipIndex, index);
  const after = parseConfig(result);
  if ('problems' in after) return invalid('the file would have problems', after.problems);
  return { text: result, isChanged: true, ...after };
}

function says(edit: Edit, backend: PlainBackend | undefined): boolean {
  if (backend === undefined) return false;
  if (edit.kind === 'weight') return (backend.weight ?? 1) === edit.weight;
  return edit.kind === 'state' && (backend.state ?? 'active') === edit.state;
}

/** The edit on plain values: what the spliced text must come to mean. */
function apply(edit: Edit, backends: PlainBackend[], index: number): void {
  if (edit.kind === 'add') backends.push(fieldsOf(edit));
  else if (edit.kind === 'remove') backends.splice(index, 1);
  else if (edit.kind === 'weight') backends[index]!.weight = edit.weight;
  else backends[index]!.state = edit.state;
}

function fieldsOf({ backend, address, port, weight, serverId }: Edit & { kind: 'add' }): PlainBackend {
  return {
    name: backend,
    address,
    port,
    ...(weight !== undefined && { weight }),
    ...(serverId !== undefined && { server_id: serverId }),
  };
}

/** The edit on the text; undefined where the text is laid out in a way this does not know. */
function spliced(
  text: string,
  document: Document,
  edit: Edit,
  vipIndex: number,
  index: number,
): string | undefined {
  const vip = document.getIn(['vips', vipIndex], true);
  if (!isMap(vip)) return undefined;
  const pair = vip.items.find(({ key }) => isScalar(key) && key.value === 'backends');
  if (pair === undefined && edit.kind === 'add') return withList(text, vip, edit);
  const backends = pair?.value;
  if (pair === undefined || !isSeq(backends)) return undefined;
  if (edit.kind === 'add') return withItem(text, pair, backends, edit);
  if (edit.kind === 'remove') return withoutItem(text, pair, backends, index);
  const backend = backends.items[index];
  if (!isMap(backend)) return undefined;
  return edit.kind === 'weight'
    ? withValue(text, backend, 'weight', String(edit.weight))
    : withValue(text, backend, 'state', edit.state);
}

function withValue(text: string, map: YAMLMap, key: string, value: string): string | undefined {
  const there = map.get(key, true);
  if (isScalar(there)) {
    const [start, end] = rangeOf(there);
    return replaced(text, start, end, value);
  }
  const end = rangeOf(map.items.at(-1)?.value)[1];
  if (map.flow) return replaced(text, end, end, `, ${key}: ${value}`);
  const first = rangeOf(map.items[0]?.key)[0];
  const line = endOfLine(text, end);
  return replaced(text, line, line, `${newline(text)}${' '.repeat(columnOf(text, first))}${key}: ${value}`);
}

/** For a vip that has never had a backend. */
function withList(text: string, vip: YAMLMap, edit: Edit & { kind: 'add' }): string {
  const item = `{ ${writtenFields(edit).join(', ')} }`;
  const end = rangeOf(vip.items.at(-1)?.value)[1];
  if (vip.flow) return replaced(text, end, end, `, backends: [${item}]`);
  const lineBreak = newline(text) + ' '.repeat(columnOf(text, rangeOf(vip.items[0]?.key)[0]));
  const line = endOfLine(text, end);
  return replaced(text, line, line, `${lineBreak}backends:${lineBreak}  - ${item}`);
}

function writtenFields(edit: Edit & { kind: 'add' }): string[] {
  // A server id of digits only would be a number.
  return Object.entries(fieldsOf(edit)).map(([key, value]) =>
    key === 'server_id' ? `${key}: '${value}'` : `${key}: ${value}`,
  );
}

function withItem(text: string, pair: Pair, seq: YAMLSeq, edit: Edit & { kind: 'add' }): string | undefined {
  const fields = writtenFields(edit);
  const last = seq.items.at(-1);
  if (last === undefined) {
    // `backends: []`: nobody to take the layout from.
    const [start, end] = rangeOf(seq);
    const indent = ' '.repeat(columnOf(text, rangeOf(pair.key)[0]) + 2);
    return replaced(text, start - 1, end, `${newline(text)}${indent}- { ${fields.join(', ')} }`);
  }
  if (!isMap(last)) return undefined;
  const [start, end] = rangeOf(last);
  const padding = text.startsWith('{ ', start) || !last.flow ? ' ' : '';
  const inBraces = `{${padding}${fields.join(', ')}${padding}}`;
  if (seq.flow) return replaced(text, end, end, `, ${inBraces}`);
  const dash = text.lastIndexOf('-', start - 1);
  const indent = ' '.repeat(columnOf(text, dash));
  const gap = ' '.repeat(Math.max(1, start - dash - 1));
  const body = last.flow ? inBraces : fields.join(`${newline(text)}${indent} ${gap}`);
  const line = endOfLine(text, last.flow ? end : rangeOf(last.items.at(-1)?.value)[1]);
  return replaced(text, line, line, `${newline(text)}${indent}-${gap}${body}`);
}

function withoutItem(text: string, pair: Pair, seq: YAMLSeq, index: number): string | undefined {
  const item = seq.items[index];
  if (!isMap(item)) return undefined;
  const [start, end] = rangeOf(item);
  if (seq.flow) {
    const [from, to] =
      index > 0
        ? [rangeOf(seq.items[index - 1])[1], end]
        : [start, seq.items.length > 1 ? rangeOf(seq.items[1])[0] : end];
    return replaced(text, from, to, '');
  }
  const last = item.flow ? end : rangeOf(item.items.at(-1)?.value)[1];
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const without = replaced(
    text,
    lineStart,
    Math.min(endOfLine(text, last) + newline(text).length, text.length),
    '',
  );
  if (seq.items.length > 1) return without;
  const colon = text.indexOf(':', rangeOf(pair.key)[1]) + 1;
  return replaced(without, colon, colon, ' []');
}

/** The edit by the YAML library, which keeps comments but may lay lines out anew. */
function rewritten(document: Document, edit: Edit, vipIndex: number, index: number): string {
  const backends = ['vips', vipIndex, 'backends'];
  if (edit.kind === 'add') {
    if (isSeq(document.getIn(backends))) document.addIn(backends, document.createNode(fieldsOf(edit)));
    else document.setIn(backends, document.createNode([fieldsOf(edit)]));
  } else if (edit.kind === 'remove') document.deleteIn([...backends, index]);
  else document.setIn([...backends, index, edit.kind], edit.kind === 'weight' ? edit.weight : edit.state);
  return document.toString({ lineWidth: 0 });
}

function meaningOf(text: string): unknown {
  const document = parseDocument(text);
  return document.errors.length > 0 ? undefined : document.toJS();
}

function invalid(wrong: string, problems: Problem[]): { refusal: Refusal } {
  return { refusal: { code: 'invalid', wrong, right: 'a file without problems', problems } };
}

function missing(code: RefusalCode, what: string, name: string, known: string[]): { refusal: Refusal } {
  const near = nearMatch(name, known);
  const listed =
    known.length === 0 ? 'one that is there; there is none' : `one of ${known.slice(0, 20).join(', ')}`;
  const right = near === undefined ? listed : `'${near}'`;
  return { refusal: { code, wrong: `there is no ${what} named '${name}'`, right, problems: [] } };
}

const names = (items: readonly { name: string }[]): string[] => items.map(({ name }) => name);

function replaced(text: string, start: number, end: number, by: string): string {
  return text.slice(0, start) + by + text.slice(end);
}

/** Where a node's text starts and ends; [0, 0] for what was never text, which the check of the result then finds. */
function rangeOf(node: unknown): readonly [number, number] {
  const range = (node as { range?: readonly [number, number, number] | null } | null | undefined)?.range;
  return range ? [range[0], range[1]] : [0, 0];
}

const columnOf = (text: string, offset: number): number => offset - (text.lastIndexOf('\n', offset - 1) + 1);

const newline = (text: string): string => (text.includes('\r\n') ? '\r\n' : '\n');

/** The offset of the line break after `offset`, or of the end of the text. */
function endOfLine(text: string, offset: number): number {
  const end = text.indexOf(newline(text), offset);
  return end < 0 ? text.length : end;
}
