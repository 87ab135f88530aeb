// SPDX-License-Identifier: Apache-2.0
/**
 * Load-aware weights in the configuration file.
 *
 *   load: { source: prometheus, url: http://127.0.0.1:9090, query: 'avg by (instance) (node_load1 / cpus)' }
 *   load: { source: http, url: 'http://{address}:{port}/status', field: load.cpu }
 *   load: { source: switch, count: bytes }
 */
import { z } from 'zod';
import type { LoadQuery } from '../core/load-query.ts';
import { type LoadOptions, loadDefaults } from '../core/load-weights.ts';
import { duration, formed, integer, keysByTag, oneOf, percentage, scalar, text } from './field.ts';
import { formatDuration, type Parsed, show } from './scalar.ts';

export interface VipLoad {
  vip: string;
  query: LoadQuery;
  options: LoadOptions;
}

export const queryDefaults = { label: 'instance', field: 'load', count: 'bytes' } as const;

export const loadLimits = {
  intervalMs: { least: 1_000, most: 600_000 },
  timeMs: { least: 1_000, most: 3_600_000 },
  range: 256,
  textLength: 4_096,
  /** A reading is waited for so long at most, and no longer than an interval. */
  readMs: 5_000,
  /** Readings that may be missed before one is stale. */
  staleReadings: 4,
} as const;

const keysOfSources = {
  http: ['url', 'field'],
  prometheus: ['url', 'query', 'label'],
  switch: ['count'],
} as const;
type SourceKey = 'url' | 'field' | 'query' | 'label' | 'count';
const neededKeys: Readonly<Record<keyof typeof keysOfSources, readonly SourceKey[]>> = {
  http: ['url'],
  prometheus: ['url', 'query'],
  switch: [],
};

const urlField = text('URL', '^https?://', parseUrl);
const textField = text(`text, at most ${loadLimits.textLength} characters`, '.', parseText);
const loadField = formed('a number, 0 or more', { type: 'number', minimum: 0 }, parseLoad);
const time = scalar(duration(loadLimits.timeMs.least, loadLimits.timeMs.most));
const percent = (share: number): string => `${share * 100}%`;

/** As the refinement below, for editors. */
const { allOf } = keysByTag('source', keysOfSources) as { allOf: object[] };
const needs = Object.entries(neededKeys).map(([source, required]) => ({
  if: { properties: { source: { const: source } } },
  // biome-ignore lint/suspicious/noThenProperty: it is JSON Schema's
  then: { required },
}));

export const vipLoadSchema = z
  .strictObject({
    source: scalar(oneOf('http', 'prometheus', 'switch')).describe('Who tells the load.'),
    url: scalar(urlField)
      .optional()
      .describe(
        'Of `http` and `prometheus`, and required there. `{address}`, `{port}`, `{name}` are those of a backend.',
      ),
    field: scalar(textField).optional().meta({
      default: queryDefaults.field,
      description: 'Of `http`: where the load stands in the JSON, such as `load.cpu`.',
    }),
    query: scalar(textField)
      .optional()
      .describe('Of `prometheus`, and required there: one sample for each backend.'),
    label: scalar(textField).optional().meta({
      default: queryDefaults.label,
      description:
        'Of `prometheus`: the label that says which backend, by name, `ADDRESS:PORT` or `ADDRESS`; by the address with another port if only one has it.',
    }),
    count: scalar(oneOf('bytes', 'packets'))
      .optional()
      .meta({ default: queryDefaults.count, description: 'Of `switch`: which counter.' }),
    interval: scalar(duration(loadLimits.intervalMs.least, loadLimits.intervalMs.most))
      .optional()
      .meta({ default: formatDuration(loadDefaults.intervalMs), description: 'Between two readings.' }),
    smoothing: time.optional().meta({
      default: formatDuration(loadDefaults.smoothingMs),
      description: 'A reading counts for 63 % after so long.',
    }),
    dead_band: scalar(percentage(0, 100))
      .optional()
      .meta({
        default: percent(loadDefaults.deadBand),
        description: 'Who is so near to the mean is left alone.',
      }),
    gain: scalar(percentage(1, 100))
      .optional()
      .meta({
        default: percent(loadDefaults.gain),
        description: 'Share of an error that is corrected at a time.',
      }),
    step: scalar(percentage(1, 100))
      .optional()
      .meta({
        default: percent(loadDefaults.stepMax),
        description: 'A weight changes by so much at a time at most.',
      }),
    min_interval: time.optional().meta({
      default: formatDuration(loadDefaults.minIntervalMs),
      description: 'Between two changes of weights.',
    }),
    lag: time.optional().meta({
      default: formatDuration(loadDefaults.lagMs),
      description: 'How long a change takes to show: the mean life of a connection and the age of readings.',
    }),
    range: scalar(integer(2, loadLimits.range)).optional().meta({
      default: loadDefaults.range,
      description: 'A weight is at most so many times the configured one, and at least that part of it.',
    }),
    idle_below: scalar(loadField)
      .optional()
      .meta({
        otherwise: `${loadDefaults.idleBelow}; 0 with \`switch\``,
        description: 'Nothing is concluded while the mean load is lower; in the unit of the readings.',
      }),
  })
  .meta({ allOf: [...allOf, ...needs] })
  .describe(
    'Weights follow load ([weights that follow load](load-aware.md)). Absent: they are those of the file.',
  )
  .superRefine((shape, context) => {
    const say = (key: SourceKey, message: string, right: string): void =>
      context.addIssue({ code: 'custom', path: [key], message, params: { right } });
    const right: readonly SourceKey[] = keysOfSources[shape.source];
    for (const key of new Set<SourceKey>(Object.values(keysOfSources).flat()))
      if (shape[key] !== undefined && !right.includes(key))
        say(key, `is of no use to the source ${shape.source}`, `one of ${right.join(', ')}`);
    for (const key of neededKeys[shape.source])
      if (shape[key] === undefined)
        say(key, 'is missing', key === 'url' ? 'http://HOST:PORT/...' : 'a query');
  });

type VipLoadShape = z.output<typeof vipLoadSchema>;

export function toLoad(vips: readonly { name: string; load?: VipLoadShape | undefined }[]): VipLoad[] {
  return vips.flatMap(({ name, load }) =>
    load === undefined ? [] : [{ vip: name, query: toQuery(load), options: toOptions(load) }],
  );
}

function toQuery(shape: VipLoadShape): LoadQuery {
  const { source, url = '', query = '' } = shape;
  if (source === 'http') return { kind: source, url, field: shape.field ?? queryDefaults.field };
  if (source === 'prometheus') return { kind: source, url, query, label: shape.label ?? queryDefaults.label };
  return { kind: source, count: shape.count ?? queryDefaults.count };
}

function toOptions(shape: VipLoadShape): LoadOptions {
  const intervalMs = shape.interval ?? loadDefaults.intervalMs;
  return {
    intervalMs,
    smoothingMs: shape.smoothing ?? loadDefaults.smoothingMs,
    deadBand: shape.dead_band ?? loadDefaults.deadBand,
    gain: shape.gain ?? loadDefaults.gain,
    stepMax: shape.step ?? loadDefaults.stepMax,
    minIntervalMs: shape.min_interval ?? loadDefaults.minIntervalMs,
    lagMs: shape.lag ?? loadDefaults.lagMs,
    range: shape.range ?? loadDefaults.range,
    idleBelow: shape.idle_below ?? (shape.source === 'switch' ? 0 : loadDefaults.idleBelow),
    staleMs: loadLimits.staleReadings * intervalMs,
  };
}

/** Braces name parts of a backend. */
function parseUrl(input: unknown): Parsed<string> {
  const right = 'http://HOST:PORT/..., with {address}, {port} and {name} for those of a backend';
  if (typeof input !== 'string' || input.length > loadLimits.textLength)
    return { wrong: `${show(input)} is not a URL`, right };
  const example = input.replaceAll(/\{(address|port|name)\}/g, '1');
  return /^https?:\/\/[^\s{}]+$/.test(example) && URL.canParse(example)
    ? { value: input }
    : { wrong: `'${input}' is not a URL`, right };
}

function parseText(input: unknown): Parsed<string> {
  if (typeof input === 'string' && input !== '' && input.length <= loadLimits.textLength)
    return { value: input };
  return { wrong: `${show(input)} is no text`, right: `text of at most ${loadLimits.textLength} characters` };
}

function parseLoad(input: unknown): Parsed<number> {
  if (typeof input === 'number' && Number.isFinite(input) && input >= 0) return { value: input };
  return { wrong: `${show(input)} is not a load`, right: 'a number, 0 or more, in the unit of the readings' };
}
