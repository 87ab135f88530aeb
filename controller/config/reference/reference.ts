// SPDX-License-Identifier: Apache-2.0
/** The reference of the configuration file in Markdown: a section for each mapping, a row for each key. */
import { describedSchema, type Entry } from '../json-schema.ts';
import { markedPart } from './marked-part.ts';

/** @returns the page with the part between its marks made anew. @throws Error when the marks are not there */
export function withReference(page: string): string {
  return markedPart(page, 'keys', 'make docs').with(reference());
}

export function reference(): string {
  return sectionsOf('', describedSchema()).join('\n');
}

/** Paths of all keys, such as vips[].backends[].weight. @throws Error when a key says nothing of itself */
export function allKeys(): string[] {
  return mappingsOf('', describedSchema()).flatMap(([path, { properties = {} }]) =>
    Object.keys(properties).map((key) => join(path, key)),
  );
}

/** What a developer has forgotten to say, with what to do. */
export function undescribed(): string[] {
  return mappingsOf('', describedSchema()).flatMap(([path, { properties = {} }]) =>
    Object.entries(properties).flatMap(([key, entry]) => {
      const name = join(path, key);
      const leaf = innermost(entry);
      const isMapping = leaf.properties !== undefined;
      return [
        ...(entry.description || leaf.description ? [] : [`${name}: .describe('what it does')`]),
        ...(isMapping || leaf.words
          ? []
          : [`${name}: scalar() takes a parser that formed() or text() has made`]),
      ];
    }),
  );
}

/** The mapping at this path and those below it, in the order of the schema. */
function mappingsOf(path: string, entry: Entry): [path: string, entry: Entry][] {
  if (entry.items?.properties) return mappingsOf(`${path}[]`, entry.items);
  if (entry.properties === undefined) return [];
  const below = Object.entries(entry.properties).flatMap(([key, inner]) =>
    mappingsOf(join(path, key), inner),
  );
  return [[path, entry], ...below];
}

function sectionsOf(path: string, entry: Entry): string[] {
  return mappingsOf(path, entry).map(([name, { description, properties = {}, required = [] }]) => {
    const rows = Object.entries(properties).map(([key, inner]) => {
      const target = innermost(inner);
      const isMapping = target.properties !== undefined;
      const about = inner.description ?? target.description ?? '';
      const what = isMapping
        ? `[${inner.items ? 'a list' : 'a mapping'}](#${anchorOf(headingOf(join(name, key) + (inner.items ? '[]' : '')))})`
        : `${inner.items && !inner.words ? 'a list: ' : ''}${target.words ?? ''}`;
      const standard = required.includes(key) ? 'required' : standardOf(inner, isMapping);
      return `| \`${key}\` | ${[what, standard, about].map(cell).join(' | ')} |\n`;
    });
    const heading = `### ${headingOf(name)}\n\n${description ?? ''}\n`;
    return `${heading}\n| key | value | default | |\n|---|---|---|---|\n${rows.join('')}`;
  });
}

const headingOf = (path: string): string => (path === '' ? 'The file' : `\`${path}\``);

function standardOf(entry: Entry, isMapping: boolean): string {
  if (entry.otherwise !== undefined) return entry.otherwise;
  if (isMapping || entry.default === undefined) return '';
  return isEmpty(entry.default) ? 'none' : `\`${String(entry.default)}\``;
}

const isEmpty = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;

/** What a list is a list of; anything else is itself. */
function innermost(entry: Entry): Entry {
  return entry.items && entry.words === undefined ? entry.items : entry;
}

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

const cell = (text: string): string => text.replaceAll('|', '\\|');

/** As GitHub names the anchor of a heading. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}
