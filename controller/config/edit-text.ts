// SPDX-License-Identifier: Apache-2.0
/**
 * Steps of an edit, made in the text of the configuration file where the YAML document says that a value stands. So a change of
 * one backend is a change of one line: comments, order and layout stay as the operator left them.
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

/** What the text holds, as far as edits care. */
export interface PlainFile {
  vips: { name: string; port: number; backends?: PlainBackend[] | null }[];
}

export type PlainBackend = {
  name: string;
  address: string;
  port?: number;
  weight?: number;
  state?: string;
  drain_deadline?: string;
  replaces?: string;
  server_id?: string;
};

export type TextStep =
  | { kind: 'add'; fields: PlainBackend }
  | { kind: 'remove'; at: number }
  | { kind: 'set'; at: number; key: keyof PlainBackend; value: string | number }
  | { kind: 'unset'; at: number; key: keyof PlainBackend };

/** The text after the step. @param vip  place of its vip in the list */
export function steppedText(text: string, vip: number, step: TextStep): string {
  const document = parseDocument(text);
  const wanted = document.toJS() as PlainFile;
  apply(step, (wanted.vips[vip]!.backends ??= []));
  const result = spliced(text, document, vip, step);
  const isFaithful = result !== undefined && isDeepStrictEqual(meaningOf(result), wanted);
  return isFaithful ? result : rewritten(document, vip, step);
}

/** The step on plain values: what the spliced text must come to mean. */
function apply(step: TextStep, backends: PlainBackend[]): void {
  if (step.kind === 'add') backends.push(step.fields);
  else if (step.kind === 'remove') backends.splice(step.at, 1);
  else if (step.kind === 'unset') delete backends[step.at]![step.key];
  else Object.assign(backends[step.at]!, { [step.key]: step.value });
}

/** The step on the text; undefined where the text is laid out in a way this does not know. */
function spliced(text: string, document: Document, vipIndex: number, step: TextStep): string | undefined {
  const vip = document.getIn(['vips', vipIndex], true);
  if (!isMap(vip)) return undefined;
  const pair = vip.items.find(({ key }) => isScalar(key) && key.value === 'backends');
  if (pair === undefined && step.kind === 'add') return withList(text, vip, step.fields);
  const backends = pair?.value;
  if (pair === undefined || !isSeq(backends)) return undefined;
  if (step.kind === 'add') return withItem(text, pair, backends, step.fields);
  if (step.kind === 'remove') return withoutItem(text, pair, backends, step.at);
  const backend = backends.items[step.at];
  if (!isMap(backend)) return undefined;
  return step.kind === 'set'
    ? withValue(text, backend, step.key, String(step.value))
    : withoutKey(text, backend, step.key);
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
function withList(text: string, vip: YAMLMap, fields: PlainBackend): string {
  const item = `{ ${written(fields).join(', ')} }`;
  const end = rangeOf(vip.items.at(-1)?.value)[1];
  if (vip.flow) return replaced(text, end, end, `, backends: [${item}]`);
  const lineBreak = newline(text) + ' '.repeat(columnOf(text, rangeOf(vip.items[0]?.key)[0]));
  const line = endOfLine(text, end);
  return replaced(text, line, line, `${lineBreak}backends:${lineBreak}  - ${item}`);
}

function written(fields: PlainBackend): string[] {
  // A server id of digits only would be a number.
  return Object.entries(fields).map(([key, value]) =>
    key === 'server_id' ? `${key}: '${value}'` : `${key}: ${value}`,
  );
}

function withItem(text: string, pair: Pair, seq: YAMLSeq, backend: PlainBackend): string | undefined {
  const fields = written(backend);
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

function withoutKey(text: string, map: YAMLMap, key: string): string | undefined {
  const at = map.items.findIndex((item) => isScalar(item.key) && item.key.value === key);
  // What a mapping begins with stands in a line with more than itself.
  if (at < 1) return undefined;
  const [start] = rangeOf(map.items[at]!.key);
  const [, end] = rangeOf(map.items[at]!.value);
  if (map.flow) return replaced(text, rangeOf(map.items[at - 1]!.value)[1], end, '');
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const lineEnd = Math.min(endOfLine(text, end) + newline(text).length, text.length);
  return replaced(text, lineStart, lineEnd, '');
}

/** The step by the YAML library, which keeps comments but may lay lines out anew. */
function rewritten(document: Document, vip: number, step: TextStep): string {
  const backends = ['vips', vip, 'backends'];
  if (step.kind === 'add') {
    if (isSeq(document.getIn(backends))) document.addIn(backends, document.createNode(step.fields));
    else document.setIn(backends, document.createNode([step.fields]));
  } else if (step.kind === 'remove') document.deleteIn([...backends, step.at]);
  else if (step.kind === 'unset') document.deleteIn([...backends, step.at, step.key]);
  else document.setIn([...backends, step.at, step.key], step.value);
  return document.toString({ lineWidth: 0 });
}

function meaningOf(text: string): unknown {
  const document = parseDocument(text);
  return document.errors.length > 0 ? undefined : document.toJS();
}

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
