// SPDX-License-Identifier: Apache-2.0
/** Times of day and slow start, as they are written in the configuration file. */
import type { SlowStart } from '../core/filling.ts';
import { duration, formed, percentage, text } from './field.ts';
import { type Parsed, parseTime } from './scalar.ts';

export const slowStartDefaults = { from: '10%' } as const;

export const slowStartLimits = { windowMs: { least: 1_000, most: 3_600_000 } } as const;

export const timeField = text(
  'time with its zone, `2026-05-01T12:00:00Z`',
  '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d(:\\d\\d(\\.\\d{1,3})?)?(Z|[+-]\\d\\d:\\d\\d)$',
  parseTime,
);

const windowField = duration(slowStartLimits.windowMs.least, slowStartLimits.windowMs.most);
const fromField = percentage(1, 100);

/** '30s', or { window: 30s, from: 10% }. */
export const slowStartField = formed(
  `${windowField.form!.words}; or \`{ window: 30s, from: ${slowStartDefaults.from} }\``,
  {
    anyOf: [
      windowField.form!.schema,
      {
        type: 'object',
        properties: { window: windowField.form!.schema, from: fromField.form!.schema },
        required: ['window'],
        additionalProperties: false,
      },
    ],
  },
  parseSlowStart,
);

function parseSlowStart(input: unknown): Parsed<SlowStart> {
  if (Array.isArray(input)) return { wrong: 'a list is no slow start', right: 'a duration such as 30s' };
  const isMapping = typeof input === 'object' && input !== null;
  const given: Readonly<Record<string, unknown>> = isMapping ? { ...input } : { window: input };
  const unknown = Object.keys(given).find((key) => key !== 'window' && key !== 'from');
  if (unknown !== undefined) return { wrong: `'${unknown}' is not known here`, right: 'window and from' };
  const window = windowField(given.window);
  if ('wrong' in window) return isMapping ? { ...window, wrong: `window: ${window.wrong}` } : window;
  const from = fromField(given.from ?? slowStartDefaults.from);
  if ('wrong' in from) return { ...from, wrong: `from: ${from.wrong}` };
  return { value: { windowMs: window.value, from: from.value } };
}
