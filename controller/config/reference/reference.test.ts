// SPDX-License-Identifier: Apache-2.0
/** docs/ says of the configuration file what the schema says. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configJsonSchemaText } from '../json-schema.ts';
import { allKeys, anchorOf, undescribed, withReference } from './reference.ts';

const docs = (name: string): string =>
  readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8');
const remedy = (name: string): string => `docs/${name} is not what the schema says. Run: make docs`;

describe('the reference', () => {
  it('finds every key described, with what it may hold', () => {
    expect(undescribed()).toEqual([]);
  });

  it('is current', () => {
    const page = docs('configuration.md');
    expect(page, remedy('configuration.md')).toBe(withReference(page));
  });

  it('is current for editors', () => {
    expect(docs('evenkeel.schema.json'), remedy('evenkeel.schema.json')).toBe(configJsonSchemaText());
  });

  it('has an example that shows every key', () => {
    const example = docs('example.yaml');
    const names = new Set(allKeys().map((path) => path.replace(/^.*\./, '')));
    expect(names.size).toBeGreaterThan(60);
    const absent = [...names].filter((name) => !new RegExp(`(^|[\\s{#])${name}:( |$)`, 'm').test(example));
    expect(absent, 'keys that docs/example.yaml does not show, at least in a comment').toEqual([]);
  });

  it('has links to its sections', () => {
    const page = docs('configuration.md');
    const anchors = new Set([...page.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!)));
    const links = [...page.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor]) => anchor!);
    expect(links.length).toBeGreaterThan(10);
    expect(links.filter((anchor) => !anchors.has(anchor))).toEqual([]);
  });

  it('will not be put where it does not belong', () => {
    expect(() => withReference('# A page')).toThrow('no part between');
  });
});
