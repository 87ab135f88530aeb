// SPDX-License-Identifier: Apache-2.0
/**
 * In what two configuration files differ, in the words of the files: by the names of things, not by their places, and without
 * what means the same.
 */
import { parseDocument } from 'yaml';
import {
  backendDefaults,
  controllerDefaults,
  digestRateDefaults,
  interfaceDefaults,
  switchDefaults,
  timerDefaults,
  vipDefaults,
} from './config.ts';
import { parseDuration } from './scalar.ts';

/** Plain JSON-able data. */
export interface ConfigChange {
  kind: 'added' | 'removed' | 'changed';
  /** 'vip web, backend b1, weight'. */
  what: string;
  /** As the files say it, or would; undefined: nothing is there. */
  from: string | undefined;
  to: string | undefined;
}

type Plain = Readonly<Record<string, unknown>>;

/** @param before, after  texts without problems (parse.ts) */
export function compareConfigs(before: string, after: string): ConfigChange[] {
  return compare([], spelledOut(plainOf(before)), spelledOut(plainOf(after)));
}

/** '~ vip web, backend b1, weight: 1 -> 2'. */
export function formatChange({ kind, what, from, to }: ConfigChange): string {
  if (kind === 'added') return `+ ${what}: ${to}`;
  if (kind === 'removed') return `- ${what}: ${from}`;
  return `~ ${what}: ${from} -> ${to}`;
}

function plainOf(text: string): Plain {
  const value: unknown = parseDocument(text).toJS();
  return isMapping(value) ? value : {};
}

/** What a file said of a thing before it was spelled out. */
const asSaid = new WeakMap<Plain, Plain>();

function filled(said: Plain, defaults: Plain, more: Plain = {}): Plain {
  const thing = { ...defaults, ...said, ...more };
  asSaid.set(thing, said);
  return thing;
}

/** With everything said that goes without saying. */
function spelledOut(config: Plain): Plain {
  const { controller, network, vips } = config;
  const { timers, digest_rate: rates, ...settings } = mapping(controller);
  return {
    ...config,
    switch: { ...switchDefaults, ...mapping(config.switch) },
    controller: {
      ...controllerDefaults,
      ...settings,
      timers: { ...timerDefaults, ...mapping(timers) },
      digest_rate: { ...digestRateDefaults, ...mapping(rates) },
    },
    network: {
      ...mapping(network),
      interfaces: items(mapping(network).interfaces).map((one) => filled(one, interfaceDefaults)),
      routes: items(mapping(network).routes),
      neighbours: items(mapping(network).neighbours),
    },
    vips: items(vips).map((vip) =>
      filled(vip, vipDefaults, {
        backends: items(vip.backends).map((one) => filled(one, { ...backendDefaults, port: vip.port })),
      }),
    ),
  };
}

function compare(path: readonly string[], before: unknown, after: unknown): ConfigChange[] {
  if (isMapping(before) && isMapping(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => compare([...path, key], before[key], after[key]));
  }
  if (isList(before) && isList(after)) {
    const from = named(before);
    const to = named(after);
    const names = new Set([...from.keys(), ...to.keys()]);
    return [...names].flatMap((name) =>
      compare([...path.slice(0, -1), `${singular(path)} ${name}`], from.get(name), to.get(name)),
    );
  }
  if (isSame(before, after)) return [];
  const what = path.join(', ');
  if (before === undefined) return [{ kind: 'added', what, from: undefined, to: show(after) }];
  if (after === undefined) return [{ kind: 'removed', what, from: show(before), to: undefined }];
  return [{ kind: 'changed', what, from: show(before), to: show(after) }];
}

function isSame(before: unknown, after: unknown): boolean {
  if (JSON.stringify(before) === JSON.stringify(after)) return true;
  if (typeof before !== 'string' || typeof after !== 'string') return false;
  const [left, right] = [parseDuration(before), parseDuration(after)];
  return 'value' in left && 'value' in right && left.value === right.value;
}

/** Things have names; what has none is told by where it is. */
function named(list: readonly Plain[]): Map<string, Plain> {
  const found = new Map<string, Plain>();
  for (const item of list) {
    const name =
      item.name ?? item.prefix ?? [item.port, item.address ?? item.ipv6_address].filter(Boolean).join(' ');
    let unique = String(name);
    for (let i = 2; found.has(unique); i++) unique = `${String(name)} (${i})`;
    found.set(unique, item);
  }
  return found;
}

const singular = (path: readonly string[]): string =>
  path
    .at(-1)!
    .replace(/^switches$/, 'switch')
    .replace(/s$/, '');

/** In the way of the file, in one line. */
function show(value: unknown): string {
  if (isList(value)) return value.length === 0 ? '[]' : `[${value.map(show).join(', ')}]`;
  if (!isMapping(value)) return typeof value === 'string' ? value : JSON.stringify(value);
  const fields = Object.entries(asSaid.get(value) ?? value)
    .filter(([, field]) => field !== undefined)
    .map(([key, field]) => `${key}: ${show(field)}`);
  return `{ ${fields.join(', ')} }`;
}

const mapping = (value: unknown): Plain => (isMapping(value) ? value : {});
const items = (value: unknown): Plain[] => (Array.isArray(value) ? value.filter(isMapping) : []);

function isMapping(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isList(value: unknown): value is Plain[] {
  return Array.isArray(value) && value.every(isMapping);
}
