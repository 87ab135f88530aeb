// SPDX-License-Identifier: Apache-2.0
/** What the fields of the configuration file are made of: one value each, with what would be right where it is wrong. */
import { z } from 'zod';
import {
  formatDuration,
  type Parsed,
  parseAddress,
  parseDuration,
  parseHostPort,
  parseMac,
  parseNetwork,
  show,
} from './scalar.ts';

/** A JSON Schema, as far as one is needed here. It may accept more than the parser does, and never less. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What can be said of a value without reading it: words complete "a key takes ...". */
export interface Form {
  words: string;
  schema: JsonSchema;
}

export type Parser<T> = ((input: unknown) => Parsed<T>) & { readonly form?: Form };

/** A parser that says what it takes: for the reference (docs/configuration.md) and for editors (`evenkeel schema`). */
export function formed<T>(
  words: string,
  schema: JsonSchema,
  parse: (input: unknown) => Parsed<T>,
): Parser<T> {
  return Object.assign((input: unknown) => parse(input), { form: { words, schema } });
}

/** One value of the file. What is wrong with it travels as the issue's message, what would be right as a parameter. */
export function scalar<T>(parse: Parser<T>) {
  const field = z.unknown().transform((input, context): T => {
    const isMissing = input === undefined || input === null;
    const parsed = isMissing ? missing(parse('')) : parse(input);
    if ('value' in parsed) return parsed.value;
    context.addIssue({ code: 'custom', message: parsed.wrong, params: { right: parsed.right } });
    return z.NEVER;
  });
  return parse.form === undefined ? field : field.meta({ ...parse.form.schema, words: parse.form.words });
}

/** What empty text lacks is what nothing lacks. */
function missing<T>(empty: Parsed<T>): Parsed<T> {
  return { wrong: 'is missing', right: 'right' in empty ? empty.right : 'a value' };
}

/** @param unit  for the reference only */
export function integer(least: number, most: number, unit = ''): Parser<number> {
  const right = `a whole number from ${least} to ${most}`;
  const words = most === Number.MAX_SAFE_INTEGER ? `a number from ${least}` : `${least} to ${most}`;
  const schema = { type: 'integer', minimum: least, maximum: most };
  return formed(unit === '' ? words : `${words} ${unit}`, schema, (input): Parsed<number> => {
    if (typeof input !== 'number' || !Number.isInteger(input))
      return { wrong: `${show(input)} is not a whole number`, right };
    return input >= least && input <= most ? { value: input } : { wrong: `${input} is out of range`, right };
  });
}

export function duration(leastMs: number, mostMs: number): Parser<number> {
  const words = `duration, ${formatDuration(leastMs)} to ${formatDuration(mostMs)}`;
  const schema = { type: 'string', pattern: '^\\d+(\\.\\d+)? ?(ms|s|m|h)$' };
  return formed(words, schema, (input): Parsed<number> => {
    const parsed = parseDuration(input);
    if (!('value' in parsed) || (parsed.value >= leastMs && parsed.value <= mostMs)) return parsed;
    return {
      wrong: `'${input}' is out of range`,
      right: `a duration from ${leastMs / 1000} s to ${mostMs / 3_600_000} h`,
    };
  });
}

export function oneOf<const T extends string | boolean>(...choices: T[]): Parser<T> {
  const right = choices.length === 1 ? `'${choices[0]}'` : `one of ${choices.join(', ')}`;
  const words = choices.map((choice) => `\`${choice}\``).join(', ');
  return formed(words, { enum: choices }, (input): Parsed<T> => {
    const choice = choices.find((candidate) => candidate === input);
    return choice === undefined ? { wrong: `${show(input)} is not known here`, right } : { value: choice };
  });
}

/** '50%' as 0.5. */
export function percentage(least: number, most: number): Parser<number> {
  const right = `a share from ${least}% to ${most}%`;
  const schema = { type: 'string', pattern: '^\\d{1,3}(\\.\\d+)? ?%$' };
  return formed(`${least}% to ${most}%`, schema, (input): Parsed<number> => {
    const [, digits] = /^(\d{1,3}(?:\.\d+)?) ?%$/.exec(typeof input === 'string' ? input : '') ?? [];
    if (digits === undefined) return { wrong: `${show(input)} is not a percentage`, right };
    const value = Number(digits);
    return value >= least && value <= most
      ? { value: value / 100 }
      : { wrong: `${value}% is out of range`, right };
  });
}

/** Text of a certain look; the parser may ask for more. */
export function text<T>(words: string, pattern: string, parse: (input: unknown) => Parsed<T>): Parser<T> {
  return formed(words, { type: 'string', pattern }, parse);
}

const octet = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const address = `(${octet}(\\.${octet}){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)`;

export const addressField = text('IPv4 or IPv6 address', `^${address}$`, parseAddress);
export const networkField = text('address/prefix length', `^${address}/\\d{1,3}$`, parseNetwork);
export const macField = text(
  'unicast MAC address',
  '^[0-9A-Fa-f][02468ACEace]([:-][0-9A-Fa-f]{2}){5}$',
  parseMac,
);
export const hostPortField = text(
  'HOST:PORT',
  '^(\\[[0-9A-Fa-f:.]+\\]|[^\\s:\\[\\]]+):\\d{1,5}$',
  parseHostPort,
);
export const pathField = text('path of a file', '.', parsePath);

/**
 * For a mapping of which one key decides which others there may be: `tag` is 'check', `keys` are those of each of its values.
 * The parser says the same in words of its own (superRefine).
 */
export function keysByTag(tag: string, keys: Readonly<Record<string, readonly string[]>>): JsonSchema {
  const all = [...new Set(Object.values(keys).flat())];
  return {
    allOf: Object.entries(keys).map(([value, own]) => ({
      if: { required: [tag], properties: { [tag]: { const: value } } },
      // biome-ignore lint/suspicious/noThenProperty: it is JSON Schema's
      then: {
        properties: Object.fromEntries(all.filter((key) => !own.includes(key)).map((key) => [key, false])),
      },
    })),
  };
}

function parsePath(input: unknown): Parsed<string> {
  if (typeof input === 'string' && input !== '') return { value: input };
  return { wrong: `${show(input)} is not a path`, right: 'the path of a file' };
}
